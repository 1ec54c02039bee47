/* Reads the log as a crash or damage has left it: what it holds, where it goes on, what is lost. See LOG.md. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODE_DISK_SCAN_H
#define NODE_DISK_SCAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "node/disk/segment.h"

#define SCAN_MISSING_MAX (1u << 20) /* Entries lost in one place: more than a log ever holds. */

/* What is known of the entry at one index. */
enum slot_state {
	SLOT_WHOLE,   /* Read back. */
	SLOT_SUSPECT, /* Read back, but a lost write after it may have replaced it. */
	SLOT_MISSING, /* Lost. */
};

struct slot {
	enum slot_state state;
	uint8_t type;
	uint32_t len;
	uint64_t term;
	void *base; /* raft_malloc'ed, NULL if missing. */
};

/* A segment that holds part of the log, and the highest index in it: it is retired when that is cut off. */
struct extent_of_log {
	uint64_t number, index_max;
};

struct scan {
	uint64_t first; /* Index of slots[0]; the last entry's is first + n - 1. */
	struct slot *slots;
	size_t n, cap;
	struct extent_of_log *segments; /* Rising numbers, one after the other. */
	unsigned n_segments;
	/* Where the next write goes: the last segment that was written to, or the first. */
	uint64_t number;
	uint32_t at;
	uint64_t next_write;
	uint64_t last_first; /* The lowest index that the last whole write touched. */
	unsigned n_torn;     /* 1: the last write was not finished, never acknowledged, and has been cut off. */
	/*
	 * Damage. Lost writes in the middle leave suspect and missing slots. A lost tail leaves none; the entry that it
	 * ended with is known if one of its sectors is whole (index 0: unknown). It may have replaced some of them.
	 */
	unsigned n_lost; /* Places where writes are lost. */
	bool tail_lost;
	uint64_t tail_index, tail_term;
	unsigned n_unreadable; /* Blocks that the disk gave an error for: taken for damaged ones. */
	char text[200];        /* The first place, in words. */
};

/*
 * Reads all segments of the place from the number `begin` on, and makes what an unfinished write left blank again; but
 * writes nothing if anything is lost. CS_ERR_IO, CS_ERR_NOMEM; CS_ERR_DAMAGED: whole sectors contradict each other,
 * which no crash and no damage explains, and ret->text says where.
 */
int scan_log(const struct segment_place *p, uint64_t begin, struct scan *ret);
void scan_free(struct scan *s); /* What has not been taken out of it. */

static inline uint64_t scan_last(const struct scan *s)
{
	return s->first + s->n - 1;
}
struct slot *scan_slot(struct scan *s, uint64_t index); /* NULL: outside. */
/* True if every entry is whole, and none is lost at the end. */
bool scan_whole(const struct scan *s);
/* Drops the entries from index on, or up to and with index. */
void scan_cut_back(struct scan *s, uint64_t index);
void scan_cut_front(struct scan *s, uint64_t index);
/* Puts an entry at index in the place of what is there, or at the end; base is taken over. CS_ERR_NOMEM,
 * CS_ERR_INVALID. */
int scan_put(struct scan *s, uint64_t index, const struct slot *slot);

#endif
