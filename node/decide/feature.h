/* Features: what all replicas begin to do at one index, when every member's build can; and which build leads. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODE_DECIDE_FEATURE_H
#define NODE_DECIDE_FEATURE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "node/decide/command.h"

/*
 * Changes of what decide gives, or of what is stored, that an older build cannot follow: each has a name, is switched
 * on by an administrator's command, and is on from that entry on, for ever. Numbers and names are never used again.
 * X(name, number, text, what it is)
 */
#define FEATURE_SWITCHES(X)                                                                                            \
	X(FEATURE_BUILDS, 1, "builds", "the ledger names the build of each leader that decides")                       \
	X(FEATURE_DIGEST, 2, "digest", "snapshots of the log carry the state's digest")                                \
	X(FEATURE_DECISIONS, 3, "decisions", "policies of version 2 and all that they can ask for")                    \
	X(FEATURE_RECORDS, 4, "records", "orders about the ledger itself: who read it, holds, erasures, new keys")

enum feature_switch {
#define FEATURE_ENUM(name, number, text, about) name = number,
	FEATURE_SWITCHES(FEATURE_ENUM)
#undef FEATURE_ENUM
};

#define FEATURE_NEWER_TEXT "the cluster switched on the feature %.*s at entry %llu, which this build does not have"
#define FEATURE_NUMBER_MAX 63 /* One bit each, in frames and status. */
#define FEATURE_BIT(n)     (UINT64_C(1) << (n))

uint64_t feature_all(void);                 /* A bit for each that this build has. */
const char *feature_name(unsigned number);  /* NULL: not of this build. */
const char *feature_about(unsigned number); /* NULL, too. */
unsigned feature_find(struct text name);    /* 0: not of this build. */
bool feature_name_valid(struct text name);  /* 1 to FEATURE_NAME_SIZE_MAX of a-z 0-9 - */
bool feature_build_valid(struct text build);

/* What is switched on, as the ledger has it. */
struct feature_state {
	uint64_t on;                            /* Their bits. */
	uint64_t since[FEATURE_NUMBER_MAX + 1]; /* Index of the entry that switched it on. */
	char build[FEATURE_BUILD_SIZE_MAX + 1]; /* FEATURE_BUILDS: of who led last; "": nobody has said yet. */
};

#endif
