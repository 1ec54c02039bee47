/* What `countersign watch` has seen, in numbers: rate, verdicts, alerts, what is waiting; and the line that says so. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLIENT_TOOL_WATCHCOUNT_H
#define CLIENT_TOOL_WATCHCOUNT_H

#include <stdbool.h>
#include <stdint.h>

#include "client/countersign.h"
#include "client/tool/entryview.h"

#define WATCHCOUNT_RATE_S    10   /* The rate is that of so many seconds. */
#define WATCHCOUNT_OPEN_MAX  8192 /* Open requests that are kept in mind; beyond, the oldest are forgotten. */
#define WATCHCOUNT_TEXT_SIZE 256

/* Requests that wait for something, by index of the entry that began it. */
struct watchopen {
	unsigned n;
	bool cut; /* Some were forgotten: there are more. */
	struct {
		uint64_t index, expiry_ms; /* 0: none that is known. */
	} rows[WATCHCOUNT_OPEN_MAX];
};

struct watchcount {
	uint64_t seen, alerts;
	uint64_t verdicts[CS_DENY + 1];
	struct watchopen challenges, deferred;
	uint64_t start_s;
	struct {
		uint64_t second, n;
	} rate[WATCHCOUNT_RATE_S];
};

/* clock_ms: of the clock that never steps. */
void watchcount_init(struct watchcount *c, uint64_t clock_ms);
void watchcount_add(struct watchcount *c, const struct entryview *v, bool alert, uint64_t clock_ms);
/* Waits since before the first entry that is added. */
void watchcount_waits(struct watchcount *c, uint64_t index);
/* now_ms: wall clock; what has expired by it is open no more. */
void watchcount_text(struct watchcount *c, uint64_t clock_ms, uint64_t now_ms, char ret[WATCHCOUNT_TEXT_SIZE]);

#endif
