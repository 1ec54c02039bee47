/* How far a long piece of work is: one line on a terminal, written over again. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLIENT_TOOL_PROGRESS_H
#define CLIENT_TOOL_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

/* Zeroed but for the first two. */
struct progress {
	const char *what, *unit; /* "verified", "entries". */
	uint64_t began_ms, shown_ms, first;
	bool shown;
};

void progress_show(void *progress, uint64_t done, uint64_t total); /* Nothing where stderr is no terminal. */
void progress_end(struct progress *p);                             /* Takes the line away. */

#endif
