/* Order within a subject: an event waits while another one of its subject is on its way. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLIENT_TOOL_IMPORT_LANES_H
#define CLIENT_TOOL_IMPORT_LANES_H

#include <stdbool.h>
#include <stdint.h>

#include "client/tool/import/sorter.h"

/*
 * A profile learns from its own subject's events only, so that their order is what a verdict depends on. Two subjects
 * of one hash share a lane, which costs nothing but time.
 */
#define LANES_MAX      1024 /* One for each event in flight. */
#define LANES_HELD_MAX 4096 /* Events that wait: so far is looked ahead for other subjects' (some 4 MiB). */

struct lanes {
	unsigned n, n_held;
	struct lane {
		uint64_t subject;     /* Hash of its type and id. */
		unsigned first, last; /* Places of those that wait, plus 1; 0: none. */
	} lanes[LANES_MAX];
	struct held {
		struct event *event;
		unsigned next; /* In the lane, or in the list of free places; plus 1. */
	} held[LANES_HELD_MAX];
	unsigned unused; /* First free place, plus 1. */
};

void lanes_init(struct lanes *l);
/* True: the event may go, and its lane is busy from now on. False: it waits, and is the lanes' until lanes_leave. */
bool lanes_enter(struct lanes *l, struct event *e);
/* No place to wait: nothing more may enter. */
bool lanes_full(const struct lanes *l);
/* An event of this subject has come to its end. The next one of its lane, which is to be sent now, or NULL. */
struct event *lanes_leave(struct lanes *l, const struct event *e);
/* Frees those that wait. */
void lanes_close(struct lanes *l);

#endif
