/* The text of a trust policy, carried over to keys that took others' places and to members that came or went. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLIENT_TRUST_REWRITE_H
#define CLIENT_TRUST_REWRITE_H

#include <stdbool.h>
#include <stdint.h>

#include "node/decide/roster.h"

/* A key of a node that another took the place of, as an entry says (node/decide/keys.h). */
struct trust_change {
	unsigned place; /* KEY_PLACE_LOG or KEY_PLACE_COSIGNER; others are of no account. */
	uint64_t node;
	uint8_t before[32], now[32];
	uint64_t index; /* Of the entry. */
	uint64_t until; /* The last size that the one before is good for. */
};
#define TRUST_CHANGES_MAX 256

struct trust_changes {
	unsigned n;
	struct trust_change list[TRUST_CHANGES_MAX]; /* In the order of their entries. */
};
/* From a "key rotated" entry's public array; false: it is none of a node's, or malformed. */
bool trust_change_read(struct trust_change *ret, uint64_t index, const uint8_t *public_, size_t len);
/* The last one goes first if there is no room. */
void trust_change_add(struct trust_changes *c, const struct trust_change *change);

/*
 * The policy that means the same of this roster, in which these changes have been made: each key that was replaced
 * gives its line to the one that took its place, and is kept as a retired one with the sizes that it was good for
 * (ledger/verify.h). Of the form that `countersign init` writes, it is written anew for the roster's members; another's
 * keeps its witnesses and groups, and gets the log keys that it lacks. malloc'ed; NULL: no memory.
 */
char *trust_rewrite(const char *text, const char *origin, const struct roster *r, const struct trust_changes *changes);
bool trust_is_plain(const char *text);
/* Lines of the policy: a node's log key, and itself as a witness. */
#define TRUST_VKEY_SIZE (LIMIT_KEY_NAME_SIZE_MAX + 64)
#define TRUST_LINE_SIZE (TRUST_VKEY_SIZE + 32)
int trust_node_lines(const char *origin, const struct roster_node *n, char ret_log[TRUST_LINE_SIZE],
                     char ret_witness[TRUST_LINE_SIZE]);
bool trust_has_line(const char *text, const char *line);

#endif
