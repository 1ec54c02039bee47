/* Kills leaders under a light load, and measures what its clients see. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "bench/failover.h"

#include <inttypes.h>
#include <jansson.h>
#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/clock.h"
#include "bench/request.h"
#include "bench/schedule.h"

#define SUBJECTS     1000
#define PAUSE_NS     (2 * NS_PER_MS)   /* Between a client's answer and its next question: a gap is known to 1 ms. */
#define SETTLE_NS    (300 * NS_PER_MS) /* Before each kill, and up to twice as long: at any phase of the heartbeats. */
#define AFTER_NS     (200 * NS_PER_MS) /* From the first answer after a kill until the node is started again. */
#define GIVE_UP_NS   (60 * NS_PER_S)
#define LOOK_NS      (2 * NS_PER_MS)
#define STATUS_TRIES 500

struct answer {
	uint64_t asked_ns, answered_ns, index;
};

struct run {
	struct cluster *cluster;
	struct failover *out;
	atomic_bool stop;
	_Atomic uint64_t newest_asked_ns; /* Of those that have been answered: when the newest was asked. */
	pthread_mutex_t lock;
	struct acks *acks;
	struct answer *answers;
	size_t n, cap;
	bool failed;
	uint64_t killed_ns[FAILOVER_MAX], restarted_ns[FAILOVER_MAX];
};

struct asker {
	struct run *run;
	unsigned i;
	pthread_t thread;
};

/* --- the load --- */

static bool grow(struct run *r)
{
	size_t cap = r->cap ? 2 * r->cap : 65536;
	struct answer *list;

	if (r->n < r->cap)
		return true;
	list = reallocarray(r->answers, cap, sizeof *list);
	if (!list)
		return false;
	r->answers = list;
	r->cap = cap;
	return true;
}

static void note(struct run *r, unsigned client, int code, const cs_result *result, uint64_t asked_ns, uint64_t now)
{
	pthread_mutex_lock(&r->lock);
	if (code) {
		r->out->errors[-code < LOAD_CODES ? -code : 0]++;
		r->out->n_errors++;
	} else if (!grow(r) || acks_add(r->acks, client, result)) {
		r->failed = true;
	} else {
		r->answers[r->n++] = (struct answer){asked_ns, now, result->index};
		r->out->unproven += !result->proven;
		histogram_add(&r->out->calls, now - asked_ns);
		if (asked_ns > atomic_load(&r->newest_asked_ns))
			atomic_store(&r->newest_asked_ns, asked_ns);
	}
	pthread_mutex_unlock(&r->lock);
}

static void *ask(void *arg)
{
	struct asker *a = arg;
	uint64_t seed = a->i + 1;

	while (!atomic_load(&a->run->stop)) {
		struct request_owned q;
		cs_result *result = NULL;
		uint64_t asked_ns;
		int code;

		request_make(&q, schedule_random(&seed), SUBJECTS);
		asked_ns = clock_ns();
		code = cs_decide(a->run->cluster->clients[a->i], &q.request, &result);
		note(a->run, a->i, code, result, asked_ns, clock_ns());
		cs_result_free(result);
		clock_sleep_until(clock_ns() + PAUSE_NS);
	}
	return NULL;
}

/* --- the nodes --- */

static json_t *status(cs_client *client, uint64_t node)
{
	char *text = NULL;
	json_t *j = NULL;

	if (cs_status(client, node, &text) == 0)
		j = json_loads(text, 0, NULL);
	free(text);
	return j;
}

static uint64_t number(const json_t *j, const char *member)
{
	return (uint64_t)json_integer_value(json_object_get(j, member));
}

/* The id of the node that leads; 0: none says so. ret_size: its ledger's. */
static uint64_t find_leader(const struct run *r, uint64_t *ret_size)
{
	for (unsigned tries = 0; tries < STATUS_TRIES; tries++) {
		for (unsigned i = 0; i < r->cluster->description.n_nodes; i++) {
			uint64_t id = r->cluster->description.nodes[i].id;
			json_t *j = status(r->cluster->clients[FAILOVER_CLIENTS], id);
			const char *role = json_string_value(json_object_get(j, "role"));
			bool leads = role && strcmp(role, "leader") == 0;

			*ret_size = number(j, "size");
			json_decref(j);
			if (leads)
				return id;
		}
		clock_sleep_until(clock_ns() + 10 * LOOK_NS);
	}
	return 0;
}

/* Until the node that was started again has all that the others had then: else the next kill takes the quorum too. */
static bool await_whole(const struct run *r, uint64_t node, uint64_t size)
{
	for (uint64_t end_ns = clock_ns() + GIVE_UP_NS; clock_ns() < end_ns;) {
		json_t *j = status(r->cluster->clients[FAILOVER_CLIENTS], node);
		bool whole = j && number(j, "size") >= size && number(j, "leader_id");

		json_decref(j);
		if (whole)
			return true;
		clock_sleep_until(clock_ns() + 10 * LOOK_NS);
	}
	return false;
}

static bool await_answer(struct run *r, uint64_t asked_after_ns)
{
	for (uint64_t end_ns = clock_ns() + GIVE_UP_NS; clock_ns() < end_ns;) {
		if (atomic_load(&r->newest_asked_ns) > asked_after_ns)
			return true;
		clock_sleep_until(clock_ns() + LOOK_NS);
	}
	return false;
}

static int fail(const char *why)
{
	fprintf(stderr, "countersign-bench: failover: %s\n", why);
	return -1;
}

static int kill_one(struct run *r, unsigned k, uint64_t *seed)
{
	uint64_t size, leader;

	clock_sleep_until(clock_ns() + SETTLE_NS + schedule_random(seed) % SETTLE_NS);
	leader = find_leader(r, &size);
	if (!leader)
		return fail("no node leads");
	r->out->kills[k].node = leader;
	r->killed_ns[k] = clock_ns();
	r->out->kills[k].at_ms = clock_real_ms();
	if (r->out->silent ? cluster_stop_node(r->cluster, leader) : cluster_kill(r->cluster, leader))
		return -1;
	if (!await_answer(r, clock_ns()))
		return fail("no answer for a minute after a kill");
	clock_sleep_until(clock_ns() + AFTER_NS);
	if (r->out->silent && cluster_kill(r->cluster, leader))
		return -1;
	r->restarted_ns[k] = clock_ns();
	if (!find_leader(r, &size))
		return fail("no node leads");
	if (cluster_restart(r->cluster, leader))
		return -1;
	if (!await_whole(r, leader, size))
		return fail("a node that was started again does not come up to the others");
	fprintf(stderr, "\rkill %u of node %" PRIu64 " ", k + 1, leader);
	return 0;
}

/* --- what it came to --- */

static int by_answered(const void *a, const void *b)
{
	const struct answer *x = a, *y = b;

	return x->answered_ns < y->answered_ns ? -1 : x->answered_ns > y->answered_ns;
}

static int by_index(const void *a, const void *b)
{
	const struct answer *x = a, *y = b;

	return x->index < y->index ? -1 : x->index > y->index;
}

static void measure_gaps(struct run *r)
{
	struct failover *f = r->out;
	uint64_t now = clock_ns(), now_ms = clock_real_ms();
	unsigned k = 0;

	qsort(r->answers, r->n, sizeof *r->answers, by_answered);
	for (size_t i = 1; i < r->n; i++) {
		uint64_t from = r->answers[i - 1].answered_ns, to = r->answers[i].answered_ns;

		while (k < f->n && r->restarted_ns[k] <= from)
			k++;
		if (k == f->n || to <= r->killed_ns[k]) {
			if (to - from > f->other_gap_ns) {
				f->other_gap_ns = to - from;
				f->other_gap_at_ms = now_ms - (now - from) / NS_PER_MS;
			}
			continue;
		}
		struct failover_kill *kill = &f->kills[k];
		uint64_t call_ns = to - r->answers[i].asked_ns;
		kill->gap_ns = to - from > kill->gap_ns ? to - from : kill->gap_ns;
		kill->call_ns = call_ns > kill->call_ns ? call_ns : kill->call_ns;
	}
}

/* If one was answered before another was asked, it stands before it; and no two stand at one index. */
static void check_order(struct run *r)
{
	uint64_t answered_min = UINT64_MAX; /* Of those further on in the ledger. */

	qsort(r->answers, r->n, sizeof *r->answers, by_index);
	for (size_t i = r->n; i-- > 0;) {
		const struct answer *a = &r->answers[i];

		r->out->disordered += answered_min < a->asked_ns || (i + 1 < r->n && a[1].index == a->index);
		answered_min = a->answered_ns < answered_min ? a->answered_ns : answered_min;
	}
	r->out->answered = r->n;
}

int failover_run(struct cluster *c, unsigned n, bool silent, struct acks *acks, struct failover *ret)
{
	struct run *r = calloc(1, sizeof *r);
	struct asker askers[FAILOVER_CLIENTS];
	unsigned started = 0;
	uint64_t seed = 1;
	int err = r && n <= FAILOVER_MAX ? 0 : -1;

	if (err) {
		free(r);
		return fail("no memory");
	}
	memset(ret, 0, sizeof *ret);
	ret->silent = silent;
	r->cluster = c;
	r->out = ret;
	r->acks = acks;
	pthread_mutex_init(&r->lock, NULL);
	err = cluster_timeouts(c, &ret->election_timeout_ms, &ret->heartbeat_ms);
	for (; started < FAILOVER_CLIENTS && !err; started++) {
		askers[started] = (struct asker){.run = r, .i = started};
		if (pthread_create(&askers[started].thread, NULL, ask, &askers[started]))
			err = fail("no thread");
	}
	if (!err && !await_answer(r, 1))
		err = fail("no answer for a minute");
	for (; ret->n < n && !err; ret->n += !err)
		err = kill_one(r, ret->n, &seed);
	fputc('\n', stderr);
	atomic_store(&r->stop, true);
	for (unsigned i = 0; i < started; i++)
		pthread_join(askers[i].thread, NULL);
	measure_gaps(r);
	check_order(r);
	if (r->failed)
		err = fail("no memory");
	pthread_mutex_destroy(&r->lock);
	free(r->answers);
	free(r);
	return err;
}

static int by_value(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

static uint64_t nearest_rank(uint64_t *list, unsigned n, double q)
{
	unsigned rank = (unsigned)ceil(q * n);

	if (n == 0)
		return 0;
	qsort(list, n, sizeof *list, by_value);
	return list[rank ? rank - 1 : 0];
}

uint64_t failover_gap_ns(const struct failover *f, double q)
{
	uint64_t list[FAILOVER_MAX];

	for (unsigned i = 0; i < f->n; i++)
		list[i] = f->kills[i].gap_ns;
	return nearest_rank(list, f->n, q);
}

uint64_t failover_call_ns(const struct failover *f, double q)
{
	uint64_t list[FAILOVER_MAX];

	for (unsigned i = 0; i < f->n; i++)
		list[i] = f->kills[i].call_ns;
	return nearest_rank(list, f->n, q);
}
