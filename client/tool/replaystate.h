/* A state's records, all at hand: their digest as it moves, and the file in which they wait for the next replay. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLIENT_TOOL_REPLAYSTATE_H
#define CLIENT_TOOL_REPLAYSTATE_H

#include <stddef.h>
#include <stdint.h>

#include "ledger/multiset.h"
#include "ledger/store.h"
#include "node/decide/decide.h"

#define REPLAYSTATE_KEY_SIZE 9

/* One record. */
struct replay_record {
	uint8_t key[REPLAYSTATE_KEY_SIZE];
	uint8_t *value; /* Owned; NULL: the place is free. */
	size_t len;
};

struct replaystate {
	struct replay_record *slots; /* Open addressing; cap is a power of two, never more than 3/4 full. */
	size_t n, cap;
	struct multiset sum;
};

void replaystate_close(struct replaystate *r);
/* As a state_record_fn, ctx being the replaystate: a record set, or (value NULL) gone. CS_ERR_NOMEM, CS_ERR_MALFORMED.
 */
int replaystate_put(void *ctx, const void *key, size_t key_len, const void *value, size_t value_len);
/* All of them, ascending by key; whatever f returns but 0 ends it. CS_ERR_NOMEM. */
int replaystate_each(const struct replaystate *r, state_record_fn f, void *ctx);
/* A state out of the records; payload: of the genesis. CS_ERR_DAMAGED, CS_ERR_VERSION, CS_ERR_NOMEM. */
int replaystate_load(const struct replaystate *r, const void *genesis, size_t genesis_len, struct state **ret);
/* All of a store's own, as written back last. */
int replaystate_of_store(struct replaystate *ret, const struct store_view *view);

/*
 * The file: "countersign/state/v1\n", then entries of the ledger u64be, leaf hash of the last, digest; number of
 * records u64be; for each its key, length of its value u32be, value; ascending by key. It never replaces another
 * file. 0 or an errno value.
 */
int replaystate_save(const struct replaystate *r, const struct state_head *head, const char *path);
/* CS_ERR_IO (errno says why), CS_ERR_MALFORMED, CS_ERR_DAMAGED: its records have not the digest that it says. */
int replaystate_read(struct replaystate *ret, const char *path, struct state_head *ret_head);
/* Its entries and their last leaf alone. CS_ERR_IO, CS_ERR_MALFORMED. */
int replaystate_head(const char *path, struct state_head *ret);

#endif
