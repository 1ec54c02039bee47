/* How soon behind a decision's answer a quorum's proof of it is to be had: a few samples beside a load. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BENCH_COSIGNED_H
#define BENCH_COSIGNED_H

#include <stdint.h>

#include "bench/cluster.h"
#include "bench/histogram.h"
#include "bench/load.h"
#include "ledger/verify.h"

#define COSIGNED_RATE         20                 /* Decisions a second of the probe's own. */
#define COSIGNED_ASKERS       4                  /* Each a fourth of them: one that waits long keeps no other. */
#define COSIGNED_WAIT_MS      5000               /* Longer than that none is waited for. */
#define COSIGNED_IDLE_GOAL_NS UINT64_C(20000000) /* Goals, from the answer: at idle each one, */
#define COSIGNED_LOAD_GOAL_NS UINT64_C(5000000)  /* under load 99 of 100. */

/* What one run of the probe saw. Zero bytes: none yet. */
struct cosigned_part {
	struct histogram proof;  /* From a decision's answer until the proof is here and holds: a quorum's. */
	struct histogram decide; /* The same decisions, from the time sent until the answer. */
	uint64_t late;           /* Not had in COSIGNED_WAIT_MS: only the leader's claim. */
	uint64_t errors[LOAD_CODES], n_errors; /* By code, negated; of decisions and of proofs. */
	uint64_t refuted;                      /* Proofs that did not hold offline. */
	uint64_t unproven;                     /* Answers of decisions without a proof that held. */
};

struct cosigned {
	struct cosigned_part idle, load;
	double load_rate; /* Decisions a second that the load beside it was to bring. */
	struct cosigned_run *run;
};

/*
 * Begins to ask, from warmup_s on for that many seconds, over the client with this number, which nobody else uses. part
 * is one of k's. 0, or -1 having said why.
 */
int cosigned_begin(struct cosigned *k, struct cosigned_part *part, struct cluster *c, unsigned client, double warmup_s,
                   double seconds, unsigned subjects, uint64_t seed);
/* Waits for the end, and adds what was acknowledged to acks. 0, or -1 having said why. */
int cosigned_end(struct cosigned *k, struct acks *acks);

#endif
