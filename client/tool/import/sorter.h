/* Puts events in order of time within bounded memory: sorted runs in a temporary file, merged as they are taken. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLIENT_TOOL_IMPORT_SORTER_H
#define CLIENT_TOOL_IMPORT_SORTER_H

#include <stdint.h>

#include "client/tool/import/event.h"

#define SORTER_MEMORY   (64u << 20) /* Of events before a run is written: some 100,000 of them. */
#define SORTER_RUNS_MAX 1024        /* Merged at once, through 64 KiB each: 64 GiB of events. */

struct sorter;

/* An event on its way to the cluster; request points into its own memory. */
struct event {
	uint64_t time_ms, position; /* Position in its file, from 0. */
	unsigned file;
	struct cs_request request;
};

/* memory_max: SORTER_MEMORY, less in tests. NULL: out of memory. */
struct sorter *sorter_new(size_t memory_max);
/* 0 or an errno value; ENOSPC, EFBIG: the temporary file ($TMPDIR, /var/tmp) has no room, or the runs are too many. */
int sorter_add(struct sorter *s, const struct past_event *e, unsigned file, uint64_t position);
/* No more are added: the taking begins. 0 or an errno value. */
int sorter_finish(struct sorter *s);
/*
 * The next event by time; what happened in the same millisecond comes in the order of files and positions. *ret is to
 * be freed; NULL: that was all. 0 or an errno value.
 */
int sorter_take(struct sorter *s, struct event **ret);
void sorter_close(struct sorter *s); /* NULL is fine. */

#endif
