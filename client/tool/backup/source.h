/* What a backup is made of: a node's store, read as any other process may, at one moment. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLIENT_TOOL_BACKUP_SOURCE_H
#define CLIENT_TOOL_BACKUP_SOURCE_H

#include <stdbool.h>
#include <stdint.h>

#include "ledger/note.h"
#include "ledger/store.h"
#include "ledger/verify.h"

struct backupsource {
	const char *command; /* For messages. */
	const char *path;
	const struct verify_policy *trust;
	struct store *store;
	struct store_view *view;
	/* The moment, after backupsource_choose: */
	uint64_t state_size, state_index, state_term;
	struct hash state_last_leaf;
	struct checkpoint
	        checkpoint; /* A quorum's, of the state's entries and the few that came while it was cosigned. */
	char note[LIMIT_NOTE_SIZE_MAX];
	size_t note_len;
};

/* path: a node's folder, or its ledger's. 0 or the exit code after a message. */
int backupsource_open(struct backupsource *s, const char *path);
void backupsource_close(struct backupsource *s); /* A zeroed one is fine. */
/*
 * Finds a state and a checkpoint that belong together: the state as last written back, with all that was decided when
 * this was called (a node writes it within seconds), and a stored checkpoint over all its entries that a quorum by
 * the trust policy has cosigned; between the two nothing but decisions and their like. Waits up to wait_ms for such,
 * and then does without the first condition. The view then stands at that moment, until it is renewed. 0 or the exit
 * code.
 */
int backupsource_choose(struct backupsource *s, uint64_t wait_ms);
/* Whether the state has an auditor or administrator with this signing key: a restore takes no one else's word. */
bool backupsource_knows(const struct backupsource *s, const uint8_t sign_pub[32]);

#endif
