/* A replay under way: what was asked for, what came out so far. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLIENT_TOOL_REPLAY_H
#define CLIENT_TOOL_REPLAY_H

#include <jansson.h>

#include "client/tool/options.h"
#include "client/tool/replaycommand.h"
#include "client/tool/replayledger.h"
#include "client/tool/replaystate.h"
#include "client/tool/replayverdict.h"
#include "ledger/tree.h"
#include "ledger/verify_whole.h"
#include "node/decide/state_carry.h"

enum replay_outcome { REPLAY_SAME = 0, REPLAY_DIFFERS = 1, REPLAY_UNDECIDED = 2 }; /* The exit codes. */

#define REPLAY_SPANS_MAX 8 /* Played, erased, played from the state that was given, erased. */
#define REPLAY_WHY_SIZE  192

/* Entries that history was played through, or could not be. */
struct replay_span {
	uint64_t first, end;
	bool played;
	char why[REPLAY_WHY_SIZE]; /* Not played. */
};

/* What was asked for of all ledgers together: one that was restored, and those that it carries on. */
struct replay_befores {
	const struct option_list *paths;
	uint32_t used; /* A bit each: of some ledger's genesis. */
	const char *state;
	bool state_taken; /* It is of one of those before. */
};
_Static_assert(OPTION_LIST_MAX <= 32, "a bit for each");

struct replay {
	const char *command;
	char folder[4096];
	struct replay_befores *befores;
	struct replay *before; /* The ledger that this one carries on, played; owned. NULL: none was given. */
	/* Asked for. */
	uint64_t from, to; /* to: one past the last. */
	unsigned level;    /* 1: verdicts only. */
	const char *state_path, *save_path;

	struct replayledger ledger;
	struct replay_entry entry;            /* At hand. */
	struct hash last;                     /* Leaf hash of the one before it. */
	const struct verify_result *verified; /* Of the store's chain and tree; NULL: not looked at. */

	/* Level 1. */
	struct replayverdict verdicts;
	uint64_t n_same, n_none, n_erased;

	/* Level 2. */
	struct state *s; /* As of the entry at hand; NULL: not known. */
	struct replaystate records;
	struct replaycommand *c;
	struct decide_out *out;
	unsigned n_spans;
	struct replay_span spans[REPLAY_SPANS_MAX];
	bool from_state; /* It began, or went on, from the state that was given. */
	bool exact;      /* The state is the ledger's to the byte: digests can be held against it. */
	uint64_t n_digests, n_digests_passed; /* Held; not comparable. */
	uint64_t proven_by;       /* from_state: the first digest's entry that the state led to; 0: none yet. */
	struct replaystate given; /* The state of state_path. */
	struct state_head given_head;
	struct state *stored; /* The store's own state, once it was asked for what is in no entry. */
	bool saved;
	uint64_t saved_size;

	/* Of one that another carries on. */
	bool carried_on, root_holds;
	uint64_t keep_size;  /* The state behind so many entries is kept for the other. */
	struct hash root;    /* Of the first `to` entries, as the other's genesis names it. */
	struct tree *tree;   /* Of those that were read. */
	struct carry *carry; /* That state, carried over; NULL: not yet, or not known. */
	struct hash carried; /* Its digest. */

	/* The first that differs; NULL. {"level", "entry", "kind", "what", "ours", "ledger", "parts"} */
	json_t *difference;
};

/* replay.c: all but the report, of a ledger that is open. 0, or the exit code. */
int replay_play(struct replay *r);
void replay_close(struct replay *r); /* Half-made ones are fine; not the memory of r itself. */

/* replaybefore.c. Those that give an int: 0, or the exit code. */
int replaybefore_play(struct replay *r); /* The ledger before r's, if it is among those given. */
void replaybefore_close(struct replay *r);
int replaybefore_leaf(struct replay *r); /* The entry at hand was read. */
int replaybefore_keep(struct replay *r); /* The state is as of keep_size entries. */
int replaybefore_end(struct replay *r);
/* Why a genesis that carries on another ledger cannot be played; NULL: it can. */
const char *replaybefore_obstacle(const struct replay *r);
/* Makes r's state that behind the genesis at hand; or sets r->difference, or says why it cannot. */
int replaybefore_found(struct replay *r, const char **ret_obstacle);

/* replayfold.c: level 2. 0, or the exit code. */
int replayfold_open(struct replay *r);
void replayfold_close(struct replay *r);
int replayfold_entry(struct replay *r); /* The entry at hand. */
int replayfold_end(struct replay *r);

/* replaydiff.c: what differs, as JSON. */
json_t *replaydiff_verdict(const struct replay_entry *e, const struct replayverdict *v);
/* out NULL: no entry came of it, why says why not. */
json_t *replaydiff_entry(const struct replay_entry *e, const struct decide_out *out, const char *why);
json_t *replaydiff_plain(unsigned level, uint64_t index, const char *kind, const char *what, const char *ours,
                         const char *ledger);

/* replayreport.c. Gives the exit code. */
int replayreport(const struct replay *r, bool json);

#endif
