/* What is known of a subject from before: its profile and history, in few bytes while nobody looks at them. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODE_DECIDE_PAST_H
#define NODE_DECIDE_PAST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "node/decide/history.h"
#include "node/decide/profile.h"

struct past {
	struct profile profile;
	struct history history; /* Of policies of version 2. */
};

/* --- as bytes, in memory only (past_pack.c) --- */

/*
 * Free slots take a bit, numbers as many bytes as they need, times are counted back from the newest. A form of this
 * process's memory: it is in no record and on no wire, and may change with any build.
 * The bound is reached only by times and counts that no request leaves behind; tests/test_past.c shows what does.
 */
#define PAST_PACKED_MAX 1640
/* Returns how many bytes; 0: nothing is known of it. */
size_t past_pack(const struct past *p, uint8_t ret[PAST_PACKED_MAX]);
void past_unpack(struct past *ret, const uint8_t *bytes, size_t len); /* Of past_pack. */

/* --- kept (past.c) --- */

#define PAST_BLOCK_SIZE 64 /* A cache line. */
struct past_block {
	uint32_t next; /* Block + 1; 0: the last. */
	uint8_t bytes[PAST_BLOCK_SIZE - sizeof(uint32_t)];
};
#define PAST_BLOCKS_MAX ((PAST_PACKED_MAX + sizeof(((struct past_block *)0)->bytes) - 1) / (PAST_BLOCK_SIZE - 4))

/* A subject's, where it is kept. Zeroed: nothing is known. */
struct past_place {
	uint32_t first;  /* Block + 1; 0: none. */
	uint16_t len;    /* Packed. */
	uint16_t opened; /* Place in the window + 1; 0: only packed. */
};

/* Those in use, unpacked: a small deployment's whole, of a large one those who ask lately. */
#define PAST_WINDOW 512
struct past_open {
	struct past past;
	struct past_place *of; /* NULL: free. */
	bool changed;          /* The packed bytes are older. */
	bool recent;           /* Looked at since the hand came by. */
};

struct pasts {
	struct past_block *blocks;
	uint32_t n_blocks; /* Ever used. */
	uint32_t free;     /* First of the free ones + 1. */
	uint32_t n_used;
	struct past_open *window; /* PAST_WINDOW of them. */
	struct past_open *newest; /* Opened last. */
	uint32_t hand;
	struct past *spare;
	uint8_t *packed; /* PAST_PACKED_MAX bytes. */
};

/*
 * Room for the past of subjects_max subjects, whatever it is: nothing is allocated later. The memory is touched as it
 * fills. CS_ERR_NOMEM; pasts_free accepts what is half made.
 */
int pasts_new(struct pasts *ret, uint32_t subjects_max);
void pasts_free(struct pasts *w);
/*
 * To look at, and to change. A place must not move while it is in the window. The pointer is good until a second other
 * one is opened: a command opens its subject's only.
 */
const struct past *pasts_look(struct pasts *w, struct past_place *p);
struct past *pasts_change(struct pasts *w, struct past_place *p);
/* To look at once, which leaves the window as it is. Good until the next call. */
const struct past *pasts_glance(struct pasts *w, const struct past_place *p);
void pasts_forget(struct pasts *w, struct past_place *p); /* Nothing is known any more; what was is overwritten. */
size_t pasts_packed_size(struct pasts *w, const struct past_place *p); /* What it takes now. */

#endif
