/* Witnesses from outside: what they have cosigned lately, checked, for the proofs of those who trust them. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODE_WITNESSES_H
#define NODE_WITNESSES_H

#include <stdbool.h>
#include <stdint.h>

#include "ledger/note.h"
#include "node/board.h"

/*
 * A node's own, in no log and no ledger: in memory, and in a file for the time after a restart (witnesses_file.h); what
 * is lost all the same each witness hands over again. Nothing that comes from a witness is believed: a line is kept if
 * a key that is enrolled, or a member's, has signed it, and the note if its root is this node's own.
 */
#define WITNESSES_MAX          8    /* Lines of them in a note; with a log's and seven members' it has 16. */
#define WITNESSES_ENROLLED_MAX 32   /* Known at once; whoever is enrolled beyond that is told so. */
#define WITNESSES_NOTES        4    /* Sizes kept: those who trust several need them all at one. */
#define WITNESSES_ROUND_MS     1000 /* So long all are asked to cosign the same checkpoint. */

struct witness {
	uint64_t principal;
	struct note_key key; /* Cosignature, under the principal's name. */
};

/* Members as they sign; majority: of cosigners, for a note to be kept. */
struct witness_members {
	unsigned n, majority;
	struct {
		struct note_key log_key, cosigner_key;
	} list[WIRE_COSIGNERS_MAX];
};

struct witnesses;

int witnesses_new(const char *origin, struct witnesses **ret); /* origin: borrowed. */
void witnesses_free(struct witnesses *w);                      /* NULL is fine. */

/* Any thread; both replace what was set before. n above WITNESSES_ENROLLED_MAX: the first so many. */
void witnesses_set(struct witnesses *w, const struct witness *list, unsigned n);
void witnesses_set_members(struct witnesses *w, const struct witness_members *members);

bool witnesses_ready(struct witnesses *w); /* Both were set. */

/* The rest: one thread, the reader's. */

/*
 * The checkpoint that witnesses are to cosign: the newest of the board whose entries this node has; but the same one
 * for a round, or until all have cosigned it. size 0: none yet.
 */
const struct board_note *witnesses_offer(struct witnesses *w, struct board *board, uint64_t now_ns);

/* A note that a witness has handed over, taken apart. Points into its bytes. */
struct witness_note {
	struct note note;
	struct checkpoint checkpoint;
	uint64_t principal; /* Who handed it over. */
};
#define WITNESSES_NOBODY 0 /* It was kept here before: some witness has signed it. Principals are numbered from 1. */
/* CS_ERR_MALFORMED, or CS_ERR_REFUTED: not a note, or of another ledger. */
int witnesses_read(const struct witnesses *w, uint64_t principal, const char *note, size_t len,
                   struct witness_note *ret);
/*
 * Keeps it. root: this node's own at its size. CS_ERR_DIVERGED: it has another root under good signatures.
 * CS_ERR_REFUTED: a known key's line does not verify. CS_ERR_UNDECIDED: no majority of members, or its bringer has not
 * signed. CS_ERR_NOT_PERMITTED: no witness of this id. CS_ERR_OVERLOADED: WITNESSES_MAX others have signed it.
 */
int witnesses_keep(struct witnesses *w, const struct witness_note *n, const struct hash *root);

/* The newest note that covers entry index and that at least need of the keys with these ids have cosigned. */
bool witnesses_find(const struct witnesses *w, uint64_t index, unsigned need, const uint32_t *ids, unsigned n_ids,
                    struct board_note *ret);
/* Note i of those that are kept, largest size first; false: there are no more. */
bool witnesses_note(const struct witnesses *w, unsigned i, struct board_note *ret);
uint64_t witnesses_kept(const struct witnesses *w, uint64_t principal); /* Largest size with its line; 0: none. */

#endif
