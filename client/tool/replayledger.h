/* The ledger that is replayed: a node's store, live or a copy, entry by entry. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLIENT_TOOL_REPLAYLEDGER_H
#define CLIENT_TOOL_REPLAYLEDGER_H

#include <stdbool.h>

#include "ledger/entry.h"
#include "ledger/store.h"

/* A state digest among the entries. */
struct replay_digest {
	uint64_t size, index; /* Entries that the state is made of; the digest's own. */
	struct hash digest;
};

struct replayledger {
	struct store *store;
	struct store_view *view;
	uint64_t size, read;           /* Entries at the beginning; how many were read with this view. */
	struct replay_digest *digests; /* Ascending. */
	size_t n_digests, cap_digests;
};

/* Bytes are good until the next replayledger_go_on. */
struct replay_entry {
	struct entry e;
	struct hash hash; /* Of its leaf. */
	const uint8_t *leaf, *body;
	size_t leaf_len, body_len;
	struct field fields[LIMIT_FIELD_COUNT_MAX];
	unsigned n_fields;
	bool erased; /* Not all of its fields are there. */
};

/* Prints why not; 0 or the exit code. */
int replayledger_open(const char *command, const char *folder, struct replayledger *ret);
void replayledger_close(struct replayledger *l);
/* Before each entry of a walk: lets go of pages now and then. */
int replayledger_go_on(struct replayledger *l);
/*
 * CS_ERR_NOT_FOUND, CS_ERR_MALFORMED; CS_ERR_REFUTED: a field does not open its commitment, or it is not the entry of
 * that index.
 */
int replayledger_entry(struct replayledger *l, uint64_t index, struct replay_entry *ret);
/* Reads all leaves up to `to` for the digests among them. CS_ERR_*, *ret_index the entry. */
int replayledger_digests(struct replayledger *l, uint64_t to,
                         void (*progress)(void *ctx, uint64_t done, uint64_t total), void *ctx, uint64_t *ret_index);
/* The one about so many entries; NULL. */
const struct replay_digest *replayledger_digest(const struct replayledger *l, uint64_t size);
/* The first that is about at least so many; NULL. */
const struct replay_digest *replayledger_digest_after(const struct replayledger *l, uint64_t size);

#endif
