/* A ledger in memory as large as wanted, its tiles and its checkpoints: for the verifier of whole ledgers. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_WHOLE_KIT_H
#define TESTS_WHOLE_KIT_H

#include <stdint.h>

#include "ledger/hash.h"
#include "tests/verify_fixture.h"

#define WHOLE_LEAF_SIZE_MAX 160

struct whole_leaf {
	uint8_t bytes[WHOLE_LEAF_SIZE_MAX], body[WHOLE_LEAF_SIZE_MAX];
	size_t len, body_len;
};

struct whole_ledger {
	uint64_t size, first; /* Entries before the first are hashes only, of nothing. */
	struct hash *hashes;
	struct whole_leaf *leaves; /* From first on; every third has a private field. */
	struct hash *above[2];     /* Hashes of the tiles of levels 1 and 2. */
};

void whole_make(struct whole_ledger *l, uint64_t size, uint64_t first);
void whole_free(struct whole_ledger *l);
/* A tile's hashes, of levels 0 to 2. */
void whole_tile(const struct whole_ledger *l, unsigned level, uint64_t n, unsigned width, uint8_t *ret);
/* A checkpoint of the ledger's first `size` entries, by the fixture's keys. */
size_t whole_note(const struct whole_ledger *l, const struct fixture *f, uint64_t size, struct fixture_signers by,
                  char note[LIMIT_NOTE_SIZE_MAX]);

#endif
