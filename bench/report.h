/* What was measured, as text for terminals and as JSON. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BENCH_REPORT_H
#define BENCH_REPORT_H

#include <stdbool.h>
#include <stdio.h>

#include "bench/cosigned.h"
#include "bench/failover.h"
#include "bench/floor.h"
#include "bench/load.h"
#include "bench/machine.h"
#include "bench/validate.h"

#define REPORT_STEPS_MAX 24

/* The floors, measured before the load and after it: disks and neighbours change their minds. */
struct floors {
	struct histogram disk[2], echo[2], raft[2];
	struct floor_crypto crypto;
};

struct step {
	char name[64];
	struct load_plan plan;
	struct load_outcome outcome;
};

struct report {
	struct machine machine;
	struct floors floors;
	unsigned n_nodes;
	bool quick;
	unsigned n_steps;
	struct step *steps[REPORT_STEPS_MAX];
	const struct stalls *stalls;     /* NULL: not looked for. */
	const struct cosigned *cosigned; /* NULL: likewise. */
	const struct failover *failover; /* NULL: leaders were left alone. */
	struct validation validation;
};

/*
 * What a kind is held against: the p50 of the echo, and for decisions that of libraft's commit on top. Both times'
 * samples together.
 */
uint64_t report_floor_ns(const struct report *r, enum load_kind kind);
/* The first step of this kind by one client in a closed loop; NULL: none. */
const struct step *report_one_client(const struct report *r, enum load_kind kind);
/* Highest rate of answers of a kind. */
double report_highest(const struct report *r, enum load_kind kind);

void report_print(const struct report *r, FILE *to);
/* 0, or -1 having said why. */
int report_write_json(const struct report *r, const char *path);

#endif
