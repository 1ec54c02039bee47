/* What a seed's process hands back. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_SIM_SIMULATE_H
#define TESTS_SIM_SIMULATE_H

#include <stdint.h>

#include "tests/sim/faults.h"
#include "tests/sim/records.h"

/* At most PIPE_BUF bytes, so that one write hands it over. */
struct result {
	uint64_t hash, simulated_ns, acked;
	uint64_t faults[FAULT_COUNT];
	uint64_t guards[14];
	uint32_t kinds[RECORDS_KINDS]; /* Entries of each kind in the ledger; and what came to be in it (records.h). */
	char text[512];                /* Why it failed; "": it did not. */
};

#endif
