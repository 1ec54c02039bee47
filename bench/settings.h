/* What was asked for on the command line. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BENCH_SETTINGS_H
#define BENCH_SETTINGS_H

#include <stdbool.h>
#include <stdint.h>

#include "bench/load.h"

enum { EXIT_GOOD = 0, EXIT_NOT_GOOD = 1, EXIT_WRONG_USAGE = 2, EXIT_NOT_RUN = 3 };

struct settings {
	const char *cluster, *key, *folder, *json;
	bool quick, curve, keep, stalls, cosigned, kinds[LOAD_KINDS];
	double seconds, warmup;
	unsigned outstanding[4], n_outstanding;
	unsigned failover; /* Kills; 0: another measurement. */
	bool silent;
	unsigned connections, subjects, disk_n, echo_n, raft_n;
	uint64_t seed;
};

/* -1: go on; else the exit status: help was printed, or what is wrong. Strings are argv's. */
int settings_parse(struct settings *s, int argc, char **argv);

#endif
