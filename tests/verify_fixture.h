/* A small ledger in memory with keys of its own: entries, checkpoints signed by anybody, proofs, bundles, a policy. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_VERIFY_FIXTURE_H
#define TESTS_VERIFY_FIXTURE_H

#include "ledger/bundle.h"
#include "ledger/note.h"
#include "ledger/verify.h"

#define FIXTURE_ENTRIES 13
#define FIXTURE_NODES   3
#define FIXTURE_ORIGIN  "example-00112233aabbccdd"

struct fixture_key {
	struct note_key key;
	uint8_t sk[64];
	char vkey[320];
};

struct fixture_entry {
	uint8_t *leaf, *body;
	size_t leaf_len, body_len;
	struct hash hash;
};

struct fixture {
	struct fixture_key log[FIXTURE_NODES];      /* All under FIXTURE_ORIGIN. */
	struct fixture_key cosigner[FIXTURE_NODES]; /* FIXTURE_ORIGIN/node-N. */
	struct fixture_key witness;                 /* outside.example/witness. */
	struct fixture_key stranger;                /* Under FIXTURE_ORIGIN, but in nobody's policy. */
	struct fixture_entry entry[FIXTURE_ENTRIES];
	struct verify_policy *policy; /* Quorum: 2 of the 3 cosigners. */
};

void fixture_init(struct fixture *f);
void fixture_free(struct fixture *f);
struct verify_policy *fixture_policy(const struct fixture *f, const char *quorum_lines); /* All keys, these lines. */
void fixture_root(const struct fixture *f, uint64_t size, struct hash *ret);

/* Whose lines a checkpoint carries: bits of log and cosigner keys. */
struct fixture_signers {
	unsigned logs, cosigners;
	bool witness, stranger;
};
/* A signed checkpoint of the first `size` entries; NUL-terminated; returns its length. */
size_t fixture_checkpoint(const struct fixture *f, uint64_t size, struct fixture_signers by,
                          char note[LIMIT_NOTE_SIZE_MAX]);
/* The whole proof text of an entry under a note of that size. */
size_t fixture_proof(const struct fixture *f, uint64_t index, uint64_t size, const char *note,
                     char proof[FORMAT_PROOF_SIZE_MAX]);
/* A bundle with those of the entry's fields whose kind is in kinds (bit k: kind k). Freed by the caller. */
char *fixture_bundle(const struct fixture *f, uint64_t index, uint64_t kinds, const char *proof, size_t *ret_len);

#endif
