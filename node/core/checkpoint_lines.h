/* Signature lines of checkpoints: put together within the bounds of a note, and held against a member's keys. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODE_CORE_CHECKPOINT_LINES_H
#define NODE_CORE_CHECKPOINT_LINES_H

#include "node/core/core_internal.h"

unsigned lines_signatures(const struct board_note *n); /* How many signature lines it has. */
/* The announced note with the lines gathered so far, as many as readers take; 0 if it does not fit. */
size_t lines_whole(const struct core *c, char *buf, size_t cap);
/* One of the two keys has signed (type 0: there is none), and neither badly. */
bool lines_either(const struct note *n, const struct note_key keys[2]);
/*
 * The lines from that one on are all this member's, and good: another's, and bad, would spoil the note for everybody.
 * (That its cosigner key has signed lines_either says.)
 */
bool lines_only_by(const struct note *n, unsigned from, const struct note_key log[2],
                   const struct note_key cosigner[2]);

#endif
