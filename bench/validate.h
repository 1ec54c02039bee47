/* After the load: is every acknowledged decision really in the ledger, and does its proof hold? */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BENCH_VALIDATE_H
#define BENCH_VALIDATE_H

#include <stdbool.h>
#include <stdint.h>

#include "bench/cluster.h"
#include "bench/load.h"
#include "ledger/verify.h"

struct validation {
	bool good;
	char reason[512];      /* Why not. */
	uint64_t entries;      /* Of the ledger, all read and hashed again, the chain among them. */
	uint64_t acknowledged; /* Decisions … */
	uint64_t found;        /* … whose very bytes stand at their index, under a root that a quorum cosigned. */
	uint64_t bundles;      /* Proofs fetched one by one and verified offline. */
	double seconds;
};

/* The trust policy in a file; verify_policy_free ends it. 0, or -1 and why. */
int validate_policy(const char *path, struct verify_policy **ret, char *ret_reason, size_t cap);

/* Sorts acks by index. bundles_max: how many proofs are fetched, spread evenly. 0, or -1: not good. */
int validate_run(struct cluster *c, struct acks *acks, unsigned bundles_max, struct validation *ret);

#endif
