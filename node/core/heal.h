/* Healing: damaged records of this node's ledger, fetched from the other members one by one, while all goes on. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODE_CORE_HEAL_H
#define NODE_CORE_HEAL_H

#include <stdbool.h>
#include <stdint.h>

#include "node/core/frame.h"
#include "node/scrubber.h"

struct core;

/*
 * Kinds of FETCH and CHUNK, beside those of catch-up and repair. An answer without bytes: the giver has it not, or
 * damaged. ENTRY answers the leaf of the entry `from`; BODY [1, private fields], or [0] where the entry has none any
 * more; TILE of the tile `from`, level in its highest byte, `count` hashes; CHECKPOINT the note of the size `from`.
 */
enum { HEAL_ENTRY = 16, HEAL_BODY = 17, HEAL_TILE = 18, HEAL_CHECKPOINT = 19 };

#define HEAL_TILE_SHIFT 56

/* What is asked for now: one thing at a time. */
struct healing {
	bool busy;
	struct scrub_item item;
	uint64_t peer, asked_ns;
	struct frame_fetch asked;
};

bool heal_kind(unsigned kind);
void heal_step(struct core *c); /* Asks for the next thing, if there is one. */
void heal_beat(struct core *c); /* Asks somebody else when nothing came for a while. */
void heal_chunk(struct core *c, uint64_t from, const struct frame_chunk *ch);
/* The giver's side; on the loop, from pages that are most often in memory: it is asked for seldom. */
void heal_fetch(struct core *c, uint64_t from, const struct frame_fetch *f);

#endif
