/* The command that an entry came of, put together again out of leaf, body, and the state that it met. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLIENT_TOOL_REPLAYCOMMAND_H
#define CLIENT_TOOL_REPLAYCOMMAND_H

#include "client/tool/policyrequest.h"
#include "client/tool/replayledger.h"
#include "node/decide/decide.h"
#include "node/decide/evidence.h"

#define REPLAYCOMMAND_SIZE_MAX (1 << 17) /* As large as a command can be. */

/*
 * A TOTP credential's sealed secrets are in no entry: whoever has a node's state may find them there. True: *ret is
 * what hashes to h.
 */
typedef bool (*replaycommand_sealed_fn)(void *ctx, struct text name, const struct hash *h, const uint8_t **ret,
                                        size_t *ret_len);

struct replaycommand {
	struct replayledger *ledger; /* Orders that a step-up allowed name an earlier entry. */
	replaycommand_sealed_fn sealed;
	void *sealed_ctx;
	/* Set by replaycommand_make. */
	uint8_t bytes[REPLAYCOMMAND_SIZE_MAX]; /* For decide_again, at the entry's time. */
	size_t len;
	struct recall recall; /* Its fields are those of the entry. */
	struct hash sealed_hash;
	bool stands_in; /* The sealed data could not be found: the state is not the ledger's to the byte. */
	char why[160];  /* An error's. */
	/* Work. */
	uint8_t payload[LIMIT_ENTRY_SIZE_MAX + LIMIT_BODY_SIZE_MAX], facts[EVIDENCE_FACTS_SIZE_MAX],
	        request[REQUEST_SIZE_MAX];
	struct policyrequest asked;
	struct replay_entry earlier;
	struct evidence evidence;
};

/*
 * All of the entry's fields must be there. CS_ERR_VERSION: of a kind that this build does not know. CS_ERR_MALFORMED:
 * its fields are not of the form of its kind. CS_ERR_ERASED: an earlier entry that is needed has lost fields.
 */
int replaycommand_make(struct replaycommand *c, const struct state *s, const struct replay_entry *e);

#endif
