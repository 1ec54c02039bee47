/* A thread that waits for pages of entries, so that whoever shows them never hangs in a call. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLIENT_TOOL_WATCHPULL_H
#define CLIENT_TOOL_WATCHPULL_H

#include <stdbool.h>
#include <stdint.h>

#include "client/countersign.h"

struct watchpull;

struct watchpage {
	cs_page *page; /* The taker's, cs_page_free; NULL: err. */
	char *pending; /* The answer to the first question has it: cs_pending's JSON, malloc'ed; NULL: it was not told.
	                */
	int err;
	char text[256]; /* Of err: the library's own. */
};

/* client: borrowed. wake_fd: an eventfd that is written when a page is there. 0 or an errno value. */
int watchpull_open(cs_client *client, int wake_fd, struct watchpull **ret);
/* The first question: how long is the ledger (one entry comes along), and what waits? */
void watchpull_start(struct watchpull *p);
/* One question at a time. wait_ms: how long the cluster waits for an entry that is not there yet. */
void watchpull_ask(struct watchpull *p, uint64_t first, unsigned count, unsigned wait_ms);
/* False: the answer is not there yet, or was taken. */
bool watchpull_take(struct watchpull *p, struct watchpage *ret);
/* Closes the client too: that ends a question that is out. */
void watchpull_close(struct watchpull *p);

#endif
