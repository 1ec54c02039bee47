/* What the core gives the writer: entries of one batch, state records of one index, each in memory of its own. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODE_ENTRIES_H
#define NODE_ENTRIES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ledger/store.h"

/* What one applied Raft entry brings to the ledger: entries with their leaf and body bytes, in memory of its own. */
struct entries {
	struct entries *next;
	uint64_t index, term; /* Of the Raft entry. */
	uint64_t first;       /* Ledger index of entries[0]. */
	unsigned n, n_max;
	bool fetched;      /* Came by catch-up: its index (0: none yet) was not applied through Raft. */
	size_t bytes, cap; /* Of data. */
	uint64_t pushed_ns;
	uint8_t *data;
	struct store_entry *entries;
	struct store_erasure *erasures; /* What had been erased of them where they were fetched. NULL: nothing. */
	size_t n_erasures;
};
/* Room for n_max entries; data grows by doubling as entries are added. NULL: out of memory. */
struct entries *entries_new(uint64_t index, uint64_t term, uint64_t first, unsigned n_max);
/* Copies one entry in. The pointers in entries are valid only after entries_seal. CS_ERR_NOMEM. */
int entries_add(struct entries *b, const void *leaf, size_t leaf_len, const void *body, size_t body_len,
                const struct hash *leaf_hash);
/* Notes one erasure of an entry that was added. CS_ERR_NOMEM. */
int entries_erased(struct entries *b, const struct store_erasure *e);
/* Fixes the pointers of entries into data: no entries_add afterwards. */
void entries_seal(struct entries *b);
void entries_free(struct entries *b);

/* State records taken at one Raft index, as length-prefixed keys and values in one block. */
struct state_block {
	struct state_block *next;
	uint64_t index, term;
	bool sync;
	bool whole;    /* All records of the state: they take the place of what is stored. */
	uint8_t *data; /* Keys and values one after the other; records hold offsets until they are written. */
	size_t bytes, cap;
	struct store_record *records;
	size_t n, n_cap;
};
struct state_block *state_block_new(uint64_t index, uint64_t term);
/* A state_record_fn (node/decide/decide.h); ctx is the block. */
int state_block_add(void *ctx, const void *key, size_t key_len, const void *value, size_t value_len);
/* Memory for so many bytes of keys and values at once, instead of by doubling. CS_ERR_NOMEM. */
int state_block_reserve(struct state_block *b, size_t bytes);
/* Fixes the pointers of records into data: no state_block_add afterwards. */
void state_block_seal(struct state_block *b);
void state_block_free(struct state_block *b);

#endif
