/* Payload of a Raft snapshot: where the ledger stands at an index, and neither its entries nor its state. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODE_CORE_SNAPSHOT_H
#define NODE_CORE_SNAPSHOT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ledger/hash.h"

/*
 * "CSS2" | zero u32 | Raft index u64 | term u64 | ledger size u64 | root 32 | last leaf 32 | digest of the state 32
 * (ledger/multiset.h). Entries and state are in LMDB, durable up to this index before the snapshot is written (guard
 * 6). "CSS1", without the digest, is what versions before wrote, and what is written where the feature `digest` is not
 * on.
 */
#define SNAPSHOT_SIZE   128
#define SNAPSHOT_SIZE_1 96

struct snapshot {
	uint64_t index, term; /* Of Raft. */
	uint64_t size;        /* Entries in the ledger. */
	struct hash root, last_leaf;
	struct hash digest; /* Of the state. */
};

bool snapshot_has_digest(const struct snapshot *s);
size_t snapshot_encode(const struct snapshot *s, uint8_t ret[SNAPSHOT_SIZE]);
/* CS_ERR_MALFORMED; CS_ERR_VERSION: of a later build, "CSS3" to "CSS9". */
int snapshot_decode(struct snapshot *ret, const void *bytes, size_t len);

#endif
