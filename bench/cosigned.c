/* Asks for decisions now and then, and for each one's proof under a quorum's checkpoint; measures the second. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "bench/cosigned.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/clock.h"
#include "bench/request.h"
#include "bench/schedule.h"
#include "bench/validate.h"

struct asker {
	struct cosigned_run *run;
	pthread_t thread;
	uint64_t seed;
	struct verify_result *result;
	struct cosigned_part seen;
	struct acks acks;
	bool failed;
};

struct cosigned_run {
	struct cosigned_part *part;
	cs_client *client;
	unsigned number, subjects; /* The client's number. */
	uint64_t begin_ns, end_ns;
	struct verify_policy *policy;
	unsigned n_started;
	struct asker askers[COSIGNED_ASKERS];
};

static int fail(const char *why)
{
	fprintf(stderr, "countersign-bench: --cosigned: %s\n", why);
	return -1;
}

static void count_error(struct cosigned_part *p, int code)
{
	p->errors[-code < LOAD_CODES ? -code : 0]++;
	p->n_errors++;
}

/* Leaf and proof alone: an auditor's reading of private fields would be an entry of its own. */
static void ask_proof(struct asker *a, uint64_t index, uint64_t answered_ns)
{
	bool quorum = false;
	char *bundle = NULL;
	int err = cs_prove_fields(a->run->client, index, COSIGNED_WAIT_MS, 0, &bundle, &quorum);
	uint64_t now = clock_ns();

	if (err) {
		count_error(&a->seen, err);
		return;
	}
	a->seen.late += !quorum;
	if (quorum)
		histogram_add(&a->seen.proof, now - answered_ns);
	/* Behind the clock: once more, as whoever is handed the bundle would. */
	verify_bundle(a->run->policy, bundle, strlen(bundle), a->result);
	a->seen.refuted += quorum && a->result->outcome != VERIFY_VERIFIED;
	free(bundle);
}

static void ask(struct asker *a)
{
	struct request_owned q;
	cs_result *result = NULL;
	uint64_t sent_ns, answered_ns, index;
	int err;

	request_make(&q, schedule_random(&a->seed), a->run->subjects);
	sent_ns = clock_ns();
	err = cs_decide(a->run->client, &q.request, &result);
	answered_ns = clock_ns();
	if (err) {
		count_error(&a->seen, err);
		return;
	}
	histogram_add(&a->seen.decide, answered_ns - sent_ns);
	index = result->index;
	a->seen.unproven += !result->proven;
	a->failed |= acks_add(&a->acks, a->run->number, result);
	cs_result_free(result);
	ask_proof(a, index, answered_ns);
}

/* At any phase of heartbeats and announcements: somewhere within each of its periods. */
static void *ask_all(void *arg)
{
	const uint64_t period_ns = COSIGNED_ASKERS * NS_PER_S / COSIGNED_RATE;
	struct asker *a = arg;

	for (uint64_t at = a->run->begin_ns; at < a->run->end_ns; at += period_ns) {
		uint64_t due = at + schedule_random(&a->seed) % period_ns;

		if (due >= a->run->end_ns)
			break;
		clock_sleep_until(due);
		ask(a);
	}
	return NULL;
}

static int start(struct cosigned_run *r, const char *trust_path, uint64_t seed)
{
	char reason[256];

	if (validate_policy(trust_path, &r->policy, reason, sizeof reason))
		return fail(reason);
	for (; r->n_started < COSIGNED_ASKERS; r->n_started++) {
		struct asker *a = &r->askers[r->n_started];

		a->run = r;
		a->seed = seed + r->n_started;
		a->result = calloc(1, sizeof *a->result);
		if (!a->result || pthread_create(&a->thread, NULL, ask_all, a)) {
			free(a->result);
			return fail("no memory");
		}
	}
	return 0;
}

/* What its askers saw becomes the part's. */
static int gather(struct cosigned_run *r, struct acks *acks)
{
	int err = 0;

	for (unsigned i = 0; i < r->n_started; i++) {
		struct asker *a = &r->askers[i];
		struct cosigned_part *p = r->part;

		pthread_join(a->thread, NULL);
		histogram_merge(&p->proof, &a->seen.proof);
		histogram_merge(&p->decide, &a->seen.decide);
		for (int code = 0; code < LOAD_CODES; code++)
			p->errors[code] += a->seen.errors[code];
		p->n_errors += a->seen.n_errors;
		p->late += a->seen.late;
		p->refuted += a->seen.refuted;
		p->unproven += a->seen.unproven;
		if (a->failed || acks_append(acks, &a->acks))
			err = -1;
		acks_free(&a->acks);
		free(a->result);
	}
	return err ? fail("no memory") : 0;
}

static void run_free(struct cosigned_run *r)
{
	verify_policy_free(r->policy);
	free(r);
}

int cosigned_begin(struct cosigned *k, struct cosigned_part *part, struct cluster *c, unsigned client, double warmup_s,
                   double seconds, unsigned subjects, uint64_t seed)
{
	struct cosigned_run *r = calloc(1, sizeof *r);
	struct acks none = {0};

	if (!r)
		return fail("no memory");
	memset(part, 0, sizeof *part);
	r->part = part;
	r->client = c->clients[client];
	r->number = client;
	r->subjects = subjects;
	r->begin_ns = clock_ns() + (uint64_t)(warmup_s * (double)NS_PER_S);
	r->end_ns = r->begin_ns + (uint64_t)(seconds * (double)NS_PER_S);
	k->run = r;
	if (start(r, c->description.trust_path, seed) == 0)
		return 0;
	r->end_ns = 0;
	gather(r, &none);
	acks_free(&none);
	run_free(r);
	k->run = NULL;
	return -1;
}

int cosigned_end(struct cosigned *k, struct acks *acks)
{
	int err = gather(k->run, acks);

	run_free(k->run);
	k->run = NULL;
	return err;
}
