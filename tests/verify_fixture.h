/* A small ledger in memory with keys of its own: entries, checkpoints signed by anybody, proofs, bundles, a policy. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_VERIFY_FIXTURE_H
#define TESTS_VERIFY_FIXTURE_H

#include <stdbool.h>

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
	struct fixture_key other;                   /* Another log's, other.example/log. */
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
/* Any checkpoint, of whatever it says. */
size_t fixture_sign(const struct fixture *f, const struct checkpoint *c, struct fixture_signers by,
                    char note[LIMIT_NOTE_SIZE_MAX]);
/* The whole proof text of an entry under a note of that size. */
size_t fixture_proof(const struct fixture *f, uint64_t index, uint64_t size, const char *note,
                     char proof[FORMAT_PROOF_SIZE_MAX]);
/* A bundle with those of the entry's fields whose kind is in kinds (bit k: kind k). Freed by the caller. */
char *fixture_bundle(const struct fixture *f, uint64_t index, uint64_t kinds, const char *proof, size_t *ret_len);
/* The same with its proof under a checkpoint of that size, by the first log key and these cosigners. */
char *fixture_proven(const struct fixture *f, uint64_t index, uint64_t size, unsigned cosigners, uint64_t kinds);

/* A policy's text from one in which L1 L2 L3 stand for the logs' vkeys, W1 W2 W3 for the cosigners', WO for the
 * witness's, LO for the other log's. */
void fixture_policy_text(const struct fixture *f, const char *template, char *buf, size_t size);
/* The vkey whose public key is this number, big-endian; good for three further calls. */
const char *fixture_vkey(const char *name, uint8_t type, uint32_t number);
struct verify_policy *fixture_policy_of(const struct fixture *f, const char *template);
/* Whether a line of this mark holds these words. */
bool fixture_says(const struct verify_result *r, enum verify_mark mark, const char *part);
/* Fails the test if it is another outcome, or these words are not in its reason. */
void fixture_outcome(const struct verify_result *r, enum verify_outcome outcome, const char *reason);

#endif
