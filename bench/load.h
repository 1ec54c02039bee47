/* One load on a cluster: questions on a schedule, or as fast as answers come, and what became of each. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BENCH_LOAD_H
#define BENCH_LOAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bench/cluster.h"
#include "bench/histogram.h"
#include "bench/schedule.h"
#include "bench/stalls.h"
#include "ledger/hash.h"

enum load_kind {
	LOAD_DECIDE, /* A durable decision, its proof checked. */
	LOAD_CHECK,  /* Whether an earlier one still stands; linearizable. */
	LOAD_LOCAL,  /* The same from any node's own view. */
	LOAD_KINDS
};
const char *load_kind_name(enum load_kind kind); /* As in reports and on the command line. */

/* What local checks bound their views by: far above what nodes keep, so that hardly one is refused. */
#define LOAD_STALE_MS_MAX 1000

/* A decision that was acknowledged: to be found again in the ledger, and to be asked after. */
struct ack {
	uint8_t id[16];
	uint8_t client, verdict;
	uint64_t index;
	struct hash leaf;
};
struct acks {
	struct ack *list;
	size_t n, cap;
};
/* A decision's answer to this client's question; all of more. 0, or -1: no memory. */
int acks_add(struct acks *a, unsigned client, const cs_result *r);
int acks_append(struct acks *a, const struct acks *more);
void acks_free(struct acks *a);

struct load_plan {
	enum load_kind kind;
	unsigned outstanding;   /* Above 0: a closed loop of so many; its latencies hide waiting, and are named so. */
	double rate;            /* Else an open loop: arrivals a second … */
	enum arrivals arrivals; /* … spaced so. */
	unsigned n_clients;     /* Connections that the load is spread over. */
	double warmup_s, seconds;
	struct stalls *stalls; /* NULL; or told of each answer of an open loop, after it. */
	unsigned subjects;
	uint64_t seed;
};

#define LOAD_CODES 32 /* Error codes of the library lie below. */

struct load_outcome {
	struct histogram from_due;             /* Open loop: from the scheduled time. Closed loop: empty. */
	struct histogram from_sent;            /* From the time sent. */
	struct histogram lag;                  /* Open loop: how late requests were sent. */
	double seconds;                        /* Measured, without the warm-up. */
	uint64_t answered;                     /* In them. */
	double rate;                           /* answered / seconds */
	uint64_t verdicts[5];                  /* By enum cs_verdict. Checks: [0] the answer no longer stands. */
	uint64_t unsent;                       /* Open loop: given up, for the load ran far behind its schedule. */
	uint64_t errors[LOAD_CODES], n_errors; /* By code, negated; the warm-up's too. */
	uint64_t unproven;                     /* Answers without a proof that held. */
	uint64_t wrong;                        /* Checks that contradict the decision. */
	uint64_t proof_bytes;                  /* Sum over answers. */
	uint64_t nodes_cpu_ns, own_cpu_ns;     /* While measured. */
};

/*
 * Runs the load to its end: every question has its answer or its error. Acknowledged decisions are added to acks;
 * checks ask after those that are in it. 0, or -1 having said why.
 */
int load_run(struct cluster *c, const struct load_plan *plan, struct acks *acks, struct load_outcome *ret);

#endif
