/* Entries of the ledger one after the other: their chain unbroken, and where it ends proven. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLIENT_TOOL_POLICYWALK_H
#define CLIENT_TOOL_POLICYWALK_H

#include "client/tool/entryview.h"
#include "client/tool/tool.h"

struct policywalk {
	cs_client *client;
	const char *command; /* In messages. */
	uint64_t size;       /* Entries that the ledger has, as last heard. */
	bool leaves;         /* Bodies are not asked for: policies are public, and reading them is nobody's business. */
	/* Of the range walked last. */
	struct hash before; /* What its first entry calls the one before. */
	struct hash last;   /* Leaf hash of its last entry. */
	/* Progress on a terminal, once it takes long: entries to come in all, and seen so far. */
	uint64_t total, seen;
	uint64_t begun_ms, shown_ms;
};

/* 0, or the exit code after printing why. */
int policywalk_open(struct policywalk *ret, const char *command, cs_client *client);
/*
 * Each entry of [from, to), in order; one page is in memory at a time. f gives 0, or the exit code to end with. A break
 * of the chain is printed as an alarm.
 */
typedef int (*policywalk_fn)(void *ctx, const struct entryview *v, const struct cs_entry *raw);
int policywalk_range(struct policywalk *w, uint64_t from, uint64_t to, policywalk_fn f, void *ctx);
/* Proves that the entry with this index has this leaf hash; *ret_quorum: under a quorum's cosignatures. */
int policywalk_prove(struct policywalk *w, uint64_t index, const struct hash *leaf, bool *ret_quorum);
/* The leaf hash of a proven entry. */
int policywalk_proven(struct policywalk *w, uint64_t index, struct hash *ret, bool *ret_quorum);
/* The line of progress goes. */
void policywalk_end(struct policywalk *w);

#endif
