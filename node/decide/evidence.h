/* Evidence taken out of the state: a proof and all that is needed to verify it, on any thread. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODE_DECIDE_EVIDENCE_H
#define NODE_DECIDE_EVIDENCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "node/decide/command.h"

struct evidence {
	unsigned method;              /* enum method (policy_form.h); 0: nothing that could be verified. */
	uint64_t credential, version; /* Which one, as of which entry: decide refuses if it has moved since. */
	uint8_t message[ANSWER_MESSAGE_SIZE_MAX]; /* What the proof must speak of. */
	size_t message_len;
	uint8_t key[32]; /* Ed25519. */
	size_t offered_len;
	uint8_t offered[EVIDENCE_SIZE_MAX];
	bool verified; /* What came out. */
};

/* Ed25519 (RFC 8032) by libsodium. Sets verified. */
void evidence_verify_ed25519(struct evidence *e);

#define EVIDENCE_FACTS_SIZE_MAX 64
/* The facts of an answer, from what came out. */
int evidence_facts(const struct evidence *e, uint8_t *buf, size_t cap, size_t *ret_len);

#endif
