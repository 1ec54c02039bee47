/* The generator: sends without waiting, and notes when each question was due, was sent and was answered. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "bench/load.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/clock.h"
#include "bench/machine.h"
#include "bench/request.h"

#define CLOSED_RATE_MAX 500000         /* Questions a second that a closed loop has room for: more than can be. */
#define BEHIND_NS_MAX   (2 * NS_PER_S) /* After the end: a load that lags so much has shown what it had to show. */
#define SETTLE_NS       (NS_PER_S / 20)

struct load;

/* One question, from its due time to its end. Each is touched by one thread at a time. */
struct sample {
	struct load *load;
	uint64_t due_ns, sent_ns, done_ns; /* sent_ns 0: never sent. */
	int code;
	uint8_t verdict;
	bool proven, wrong;
	bool refused; /* The library did not even take it. */
	uint16_t proof_bytes;
	const struct ack *asked; /* Check: after which decision. */
	struct ack ack;
};

struct load {
	const struct load_plan *plan;
	struct cluster *cluster;
	const struct acks *acks;
	struct sample *samples;
	size_t n_samples;
	atomic_size_t next;
	uint64_t begin_ns, warm_ns, end_ns;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	size_t n_out; /* Under the lock. */
};

const char *load_kind_name(enum load_kind kind)
{
	static const char *const names[LOAD_KINDS] = {"decide", "check", "check-local"};

	return names[kind];
}

static int acks_room(struct acks *a, size_t n)
{
	size_t cap = a->cap ? a->cap : 4096;
	struct ack *list;

	if (a->cap - a->n >= n)
		return 0;
	while (cap - a->n < n)
		cap *= 2;
	list = reallocarray(a->list, cap, sizeof *list);
	if (!list)
		return -1;
	a->list = list;
	a->cap = cap;
	return 0;
}

static void ack_make(struct ack *a, unsigned client, const cs_result *r)
{
	a->client = (uint8_t)client;
	a->verdict = (uint8_t)r->verdict;
	a->index = r->index;
	memcpy(a->id, r->request_id, sizeof a->id);
	hash_leaf(&a->leaf, r->leaf, r->leaf_size);
}

int acks_add(struct acks *a, unsigned client, const cs_result *r)
{
	if (acks_room(a, 1))
		return -1;
	ack_make(&a->list[a->n++], client, r);
	return 0;
}

int acks_append(struct acks *a, const struct acks *more)
{
	if (acks_room(a, more->n))
		return -1;
	if (more->n)
		memcpy(a->list + a->n, more->list, more->n * sizeof *more->list);
	a->n += more->n;
	return 0;
}

void acks_free(struct acks *a)
{
	free(a->list);
	*a = (struct acks){0};
}

/* --- one question --- */

static void sample_end(struct sample *s);

static void note_result(struct sample *s, const cs_result *r)
{
	s->verdict = (uint8_t)r->verdict;
	s->proven = r->proven;
	s->proof_bytes = (uint16_t)(r->proof_bytes < UINT16_MAX ? r->proof_bytes : UINT16_MAX);
	ack_make(&s->ack, s->ack.client, r);
}

static void decided(void *context, int code, cs_result *result)
{
	struct sample *s = context;

	s->done_ns = clock_ns();
	s->code = code;
	if (code == 0)
		note_result(s, result);
	cs_result_free(result);
	sample_end(s);
}

static void note_check(struct sample *s, const struct cs_check_result *r)
{
	s->verdict = r->stands ? (uint8_t)r->verdict : 0;
	s->proven = true;
	s->wrong = r->index != s->asked->index || r->verdict != s->asked->verdict;
}

static void checked(void *context, int code, const struct cs_check_result *result)
{
	struct sample *s = context;

	s->done_ns = clock_ns();
	s->code = code;
	if (code == 0)
		note_check(s, result);
	sample_end(s);
}

static void choose(struct sample *s, struct request_owned *q)
{
	const struct load *l = s->load;
	uint64_t seed = l->plan->seed + (uint64_t)(s - l->samples), random = schedule_random(&seed);

	if (l->plan->kind != LOAD_DECIDE) {
		s->asked = &l->acks->list[random % l->acks->n];
		s->ack.client = s->asked->client; /* A decision is its asker's own. */
		return;
	}
	request_make(q, random, l->plan->subjects);
	s->ack.client = (uint8_t)((uint64_t)(s - l->samples) % l->plan->n_clients);
}

/* Sends one question, due at due_ns; its end comes from an nng thread, or from here if it cannot be sent. */
static void sample_send(struct sample *s, uint64_t due_ns)
{
	struct request_owned q;
	cs_client *client;
	int err;

	choose(s, &q);
	client = s->load->cluster->clients[s->ack.client];
	s->sent_ns = clock_ns();
	s->due_ns = due_ns ? due_ns : s->sent_ns;
	if (s->load->plan->kind == LOAD_CHECK)
		err = cs_check_async(client, s->asked->id, checked, s);
	else if (s->load->plan->kind == LOAD_LOCAL)
		err = cs_check_local_async(client, s->asked->id, LOAD_STALE_MS_MAX, checked, s);
	else
		err = cs_decide_async(client, &q.request, decided, s);
	if (err) {
		s->done_ns = clock_ns();
		s->code = err;
		s->refused = true;
		sample_end(s);
	}
}

/* The same for a lone client in its own thread, who waits for the answer as programs do. */
static void sample_ask(struct sample *s)
{
	struct cs_check_result check;
	struct request_owned q;
	cs_result *result = NULL;
	cs_client *client;

	choose(s, &q);
	client = s->load->cluster->clients[s->ack.client];
	s->due_ns = s->sent_ns = clock_ns();
	if (s->load->plan->kind == LOAD_CHECK)
		s->code = cs_check(client, s->asked->id, &check);
	else if (s->load->plan->kind == LOAD_LOCAL)
		s->code = cs_check_local(client, s->asked->id, LOAD_STALE_MS_MAX, &check);
	else
		s->code = cs_decide(client, &q.request, &result);
	s->done_ns = clock_ns();
	if (s->code == 0 && s->load->plan->kind != LOAD_DECIDE)
		note_check(s, &check);
	else if (s->code == 0)
		note_result(s, result);
	cs_result_free(result);
}

static struct sample *next_sample(struct load *l)
{
	size_t at = atomic_fetch_add(&l->next, 1);

	if (at >= l->n_samples)
		return NULL;
	l->samples[at].load = l;
	return &l->samples[at];
}

/* A closed loop asks the next question out of the answer to the last; a refused one ends it, lest it spin. */
static void sample_end(struct sample *s)
{
	struct load *l = s->load;
	struct sample *next = NULL;

	if (l->plan->outstanding && s->done_ns < l->end_ns && !s->refused)
		next = next_sample(l);
	if (next) {
		sample_send(next, 0);
		return;
	}
	pthread_mutex_lock(&l->lock);
	if (--l->n_out == 0)
		pthread_cond_signal(&l->changed);
	pthread_mutex_unlock(&l->lock);
}

/* --- the whole load --- */

static void run_alone(struct load *l)
{
	struct sample *s;

	while (clock_ns() < l->end_ns && (s = next_sample(l)))
		sample_ask(s);
}

static void run_closed(struct load *l)
{
	struct sample *first[1 << 12];
	unsigned n = l->plan->outstanding < 1 << 12 ? l->plan->outstanding : 1 << 12;

	/* Taken before any is sent: none may find the list used up by the others' answers. */
	for (unsigned i = 0; i < n; i++)
		first[i] = next_sample(l);
	l->n_out = n;
	for (unsigned i = 0; i < n; i++)
		sample_send(first[i], 0);
}

/* A schedule that cannot be kept is given up at last, and what was not sent is counted: never left out silently. */
static void run_open(struct load *l, const uint64_t *schedule)
{
	uint64_t last_ns = l->end_ns + BEHIND_NS_MAX, now = clock_ns();
	size_t i = 0;

	l->n_out = l->n_samples;
	for (; i < l->n_samples && now < last_ns; i++, now = clock_ns()) {
		uint64_t due = l->begin_ns + schedule[i];

		if (due > now)
			clock_sleep_until(due);
		sample_send(next_sample(l), due);
	}
	pthread_mutex_lock(&l->lock);
	l->n_out -= l->n_samples - i;
	pthread_mutex_unlock(&l->lock);
}

static void await_all(struct load *l)
{
	pthread_mutex_lock(&l->lock);
	while (l->n_out)
		pthread_cond_wait(&l->changed, &l->lock);
	pthread_mutex_unlock(&l->lock);
}

/* Reads the processors' clocks when the warm-up ends and when the load does. */
struct meter {
	const struct load *load;
	uint64_t nodes[2], own[2];
};

static void *meter_run(void *arg)
{
	struct meter *m = arg;
	const uint64_t times[2] = {m->load->warm_ns, m->load->end_ns};

	for (int i = 0; i < 2; i++) {
		clock_sleep_until(times[i]);
		m->nodes[i] = cluster_cpu_ns(m->load->cluster);
		m->own[i] = machine_own_cpu_ns();
	}
	return NULL;
}

static void count(const struct load *l, const struct sample *s, struct load_outcome *ret)
{
	if (s->code < 0) {
		ret->errors[-s->code < LOAD_CODES ? -s->code : 0]++;
		ret->n_errors++;
		return;
	}
	ret->unproven += !s->proven;
	ret->wrong += s->wrong;
	if (s->done_ns >= l->warm_ns && s->done_ns < l->end_ns)
		ret->answered++;
	if (s->due_ns < l->warm_ns || s->due_ns >= l->end_ns)
		return;
	ret->verdicts[s->verdict < 5 ? s->verdict : 0]++;
	ret->proof_bytes += s->proof_bytes;
	histogram_add(&ret->from_sent, s->done_ns - s->sent_ns);
	if (l->plan->outstanding == 0) {
		histogram_add(&ret->from_due, s->done_ns - s->due_ns);
		if (l->plan->stalls)
			stalls_answer(l->plan->stalls, s->due_ns, s->done_ns);
		histogram_add(&ret->lag, s->sent_ns - s->due_ns);
	}
}

static int keep_acks(const struct load *l, size_t n, struct acks *acks)
{
	for (size_t i = 0; i < n; i++) {
		if (l->samples[i].code || l->samples[i].sent_ns == 0)
			continue;
		if (acks_room(acks, 1))
			return -1;
		acks->list[acks->n++] = l->samples[i].ack;
	}
	return 0;
}

static int evaluate(struct load *l, const struct meter *m, struct acks *acks, struct load_outcome *ret)
{
	size_t n = atomic_load(&l->next);

	if (n > l->n_samples) {
		fprintf(stderr, "countersign-bench: more answers than there is room for\n");
		return -1;
	}
	memset(ret, 0, sizeof *ret);
	if (l->plan->outstanding == 0)
		ret->unsent = l->n_samples - n;
	for (size_t i = 0; i < n; i++)
		if (l->samples[i].sent_ns)
			count(l, &l->samples[i], ret);
	ret->seconds = (double)(l->end_ns - l->warm_ns) / (double)NS_PER_S;
	ret->rate = (double)ret->answered / ret->seconds;
	ret->nodes_cpu_ns = m->nodes[1] - m->nodes[0];
	ret->own_cpu_ns = m->own[1] - m->own[0];
	return l->plan->kind == LOAD_DECIDE ? keep_acks(l, n, acks) : 0;
}

static int run(struct load *l, const uint64_t *schedule, struct acks *acks, struct load_outcome *ret)
{
	struct meter m = {.load = l};
	pthread_t thread;

	l->begin_ns = clock_ns() + SETTLE_NS;
	l->warm_ns = l->begin_ns + (uint64_t)(l->plan->warmup_s * (double)NS_PER_S);
	l->end_ns = l->warm_ns + (uint64_t)(l->plan->seconds * (double)NS_PER_S);
	if (pthread_create(&thread, NULL, meter_run, &m))
		return -1;
	clock_sleep_until(l->begin_ns);
	if (schedule)
		run_open(l, schedule);
	else if (l->plan->outstanding == 1)
		run_alone(l);
	else
		run_closed(l);
	await_all(l);
	pthread_join(thread, NULL);
	return evaluate(l, &m, acks, ret);
}

int load_run(struct cluster *c, const struct load_plan *plan, struct acks *acks, struct load_outcome *ret)
{
	bool open = plan->outstanding == 0;
	double rate = open ? plan->rate : CLOSED_RATE_MAX;
	struct load l = {.plan = plan,
	                 .cluster = c,
	                 .acks = acks,
	                 .n_samples = (size_t)(rate * (plan->warmup_s + plan->seconds)) + plan->outstanding + 1,
	                 .lock = PTHREAD_MUTEX_INITIALIZER,
	                 .changed = PTHREAD_COND_INITIALIZER};
	uint64_t *schedule = NULL;
	int err = -1;

	if (plan->kind != LOAD_DECIDE && acks->n == 0) {
		fprintf(stderr, "countersign-bench: there is no decision to ask after\n");
		return -1;
	}
	/* Zeroed, and a closed loop touches as much of it as it needs. */
	l.samples = calloc(l.n_samples, sizeof *l.samples);
	if (open)
		schedule = calloc(l.n_samples, sizeof *schedule);
	if (l.samples && (schedule || !open)) {
		if (open)
			schedule_make(plan->arrivals, plan->rate, plan->seed, l.n_samples, schedule);
		err = run(&l, schedule, acks, ret);
	}
	if (err)
		fprintf(stderr, "countersign-bench: the load could not be run to its end\n");
	free(schedule);
	free(l.samples);
	return err;
}
