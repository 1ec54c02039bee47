/* Catch-up's bytes as a peer sends them: pieces of records and of entries, every length bounded before it is used. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODE_CORE_CATCHUP_BYTES_H
#define NODE_CORE_CATCHUP_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ledger/store.h"
#include "node/decide/decide.h"

/*
 * Calls f for each record (key length u32 | value length u32 | key | value) until it fails, and returns its error;
 * CS_ERR_MALFORMED unless the records are whole.
 */
int catchup_each_record(const uint8_t *bytes, size_t len, state_record_fn f, void *ctx);

/* No record of a state is longer, headers included: what a piece may break off in is bounded by it. */
#define CATCHUP_RECORD_SIZE_MAX 65536u
/* Length of the whole records that bytes begin with; CS_ERR_MALFORMED if the next one is too long to ever be whole. */
int catchup_whole_records(const uint8_t *bytes, size_t len, size_t *ret);

/*
 * An entry on its way: leaf length u32 | body length u32 | leaf | body; of a body of which something was erased the
 * length's highest bit is set, and there follow: number of erasures u32 | (entry that erased u64 | fields u64)…
 */
#define CATCHUP_ERASURES UINT32_C(0x80000000)
struct catchup_entry {
	const uint8_t *leaf, *body, *erasures; /* Borrowed. */
	size_t leaf_len, body_len;
	unsigned n_erasures; /* At most STORE_ERASURES_MAX. */
};
struct store_erasure catchup_erasure(const struct catchup_entry *e, unsigned i, uint64_t index);
/* Takes the first entry off *bytes; false if what is left is not a whole one within the ledger's bounds. */
bool catchup_take_entry(const uint8_t **bytes, size_t *len, struct catchup_entry *ret);

#endif
