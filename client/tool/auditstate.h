/* An auditor's state from visit to visit: what was checked so far, in one file that vouches for its own bytes. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLIENT_TOOL_AUDITSTATE_H
#define CLIENT_TOOL_AUDITSTATE_H

#include <stddef.h>
#include <stdint.h>

#include "ledger/hash.h"
#include "ledger/limits.h"
#include "ledger/verify.h"

#define AUDITSTATE_FORMAT          "countersign/audit/v1"
#define AUDITSTATE_LEVELS          63  /* A tree has at most 2^62 leaves. */
#define AUDITSTATE_VISITS_MAX      128 /* Roots kept to find where two histories part; the oldest are thinned out. */
#define AUDITSTATE_KINDS           256 /* Kinds of entries, by number. */
#define AUDITSTATE_GOVERNANCE_SIZE 33  /* "single", "K of N". */
/* Canonical msgpack with every table full, and the hash behind it. */
#define AUDITSTATE_SIZE_MAX 40960

struct auditvisit {
	uint64_t size, at_ms; /* Wall clock of the auditor. */
	struct hash root;
};

/* Holds no pointers. */
struct auditstate {
	char origin[LIMIT_ORIGIN_SIZE_MAX + 1];
	struct verify_fold fold; /* Of the entries checked. */
	uint64_t note_size;      /* The checkpoint's: the fold's size or more (--to-size). */
	size_t note_len;
	char note[LIMIT_NOTE_SIZE_MAX + 1]; /* Newest checkpoint that a quorum has cosigned. */
	char governance[AUDITSTATE_GOVERNANCE_SIZE];
	uint64_t n_kinds[AUDITSTATE_KINDS]; /* Entries by kind, since the first visit. */
	uint64_t n_verdicts[5];             /* Decisions by verdict. */
	unsigned n_visits;
	struct auditvisit visits[AUDITSTATE_VISITS_MAX]; /* Sizes ascend. */
};

/* Root of the tree so far. */
void auditstate_root(const struct auditstate *s, struct hash *ret);
/* Adds a visit that ends at the fold's size; a second one at the same size replaces the first. */
void auditstate_visited(struct auditstate *s, uint64_t at_ms);

/* Encoded into buf (AUDITSTATE_SIZE_MAX); 0 or an error. */
int auditstate_encode(const struct auditstate *s, uint8_t *buf, size_t *ret_len);
/* CS_ERR_MALFORMED with a reason (static): another format, another hash, or parts that contradict each other. */
int auditstate_decode(struct auditstate *ret, const void *bytes, size_t len, const char **ret_reason);
/* 0 or the exit code after a message. */
int auditstate_load(const char *command, const char *path, struct auditstate *ret, int *ret_there);
int auditstate_save(const char *command, const char *path, const struct auditstate *s);

#endif
