/* Verifying evidence by the libraries that know its method; on worker threads, never in decide. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODE_EVIDENCE_VERIFY_H
#define NODE_EVIDENCE_VERIFY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "node/decide/evidence.h"

/* What only this node has: to whom TOTP secrets are sealed. Borrowed. */
struct evidence_node {
	uint64_t id;
	const uint8_t *channel_pub, *channel_secret; /* 32 bytes each. */
	const struct evidence_key *others; /* Channel pairs that it had before: secrets may be sealed to them yet. */
	unsigned n_others;
};
#define EVIDENCE_KEYS_MAX 32
struct evidence_key {
	const uint8_t *pub, *secret;
};

/* Once, before the first verification and before threads. */
void evidence_init(void);
/* Sets e->found, and whatever is wrong says so in found.why. Any thread. */
void evidence_verify(struct evidence *e, const struct evidence_node *node);
/*
 * Verifies it again and compares with what another node found: false, if that node cannot have found it. True without
 * a look for what cannot be looked at again (TOTP).
 */
bool evidence_verify_again(struct evidence *e, const struct evidence_node *node);

#endif
