/* Another checkpoint of the same ledger, which a backup must not contradict. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLIENT_TOOL_BACKUP_SHOWN_H
#define CLIENT_TOOL_BACKUP_SHOWN_H

#include <stdbool.h>
#include <stdint.h>

#include "ledger/note.h"
#include "ledger/verify.h"

struct shown {
	bool there;
	const char *path; /* Borrowed. */
	struct checkpoint checkpoint;
	int folder; /* A newer export or backup, whose tiles tell its root at any smaller size; -1: a file alone. */
};

/*
 * path: a checkpoint, the state of an auditor (`countersign audit`), or a folder with checkpoint and tiles. Its
 * signatures count by the trust policy: a log key's at least. 0 or the exit code after a message.
 */
int shown_open(const char *command, const char *path, const struct verify_policy *trust, struct shown *ret);
void shown_close(struct shown *s); /* A zeroed one is fine if there is none. */
/*
 * Root of its first size entries. 0; CS_ERR_NOT_FOUND: it cannot tell (a file alone, of another size);
 * CS_ERR_REFUTED: the folder's tiles do not lead to its checkpoint.
 */
int shown_root(const struct shown *s, uint64_t size, struct hash *ret);
/*
 * How many of its entries from `from` on erase a subject. CS_ERR_NOT_FOUND: a file alone cannot tell; CS_ERR_IO,
 * CS_ERR_MALFORMED.
 */
int shown_erasures(const struct shown *s, uint64_t from, uint64_t *ret);

#endif
