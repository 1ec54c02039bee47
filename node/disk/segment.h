/* Segments: the log's files, of one size, filled before use so that a write never waits for the file system. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODE_DISK_SEGMENT_H
#define NODE_DISK_SEGMENT_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "node/disk/sector.h"

#define SEGMENT_NAME_SIZE 32

/* Where a log's segments are, and what they are like. */
struct segment_place {
	int dir_fd;
	uint8_t key[SECTOR_KEY_SIZE];
	uint32_t sectors; /* In each: a multiple of BLOCK_SECTORS. */
};

static inline uint64_t segment_size(const struct segment_place *p)
{
	return (uint64_t)p->sectors * SECTOR_SIZE;
}

void segment_name(char name[SEGMENT_NAME_SIZE], uint64_t number);
/*
 * Makes the segment `number` ready: renames a retired one, whose sectors are of a lower number (retired 0: none), or
 * writes a new file of blank sectors: with pauses, so that the log's own writes find the disk free, until *hurry is
 * true; without any if hurry is NULL. Durable with its name when it returns. Any thread. CS_ERR_IO, CS_ERR_DISK_FULL,
 * CS_ERR_NOMEM.
 */
int segment_prepare(const struct segment_place *p, uint64_t number, uint64_t retired, const atomic_bool *hurry);
/*
 * Opens for synced writes; past the page cache where the file system allows it, which *ret_direct tells: buffers and
 * offsets are then multiples of BLOCK_SIZE. Returns the descriptor, or CS_ERR_IO.
 */
int segment_open(const struct segment_place *p, uint64_t number, bool *ret_direct);
int segment_remove(const struct segment_place *p, uint64_t number);
/* The numbers of all segments in the folder, rising; *ret is malloc'ed. Removes what an interrupted prepare left. */
int segment_list(const struct segment_place *p, uint64_t **ret, unsigned *ret_n);
/*
 * Reads a whole segment into buf (segment_size bytes). What the file is too short for is zeros there, and so is a block
 * that the disk cannot read: those are counted in *ret_unreadable, and the first is at byte *ret_at. CS_ERR_IO.
 */
int segment_read(const struct segment_place *p, uint64_t number, uint8_t *buf, unsigned *ret_unreadable,
                 uint64_t *ret_at);
/* Makes the sectors from..to (not included) of a segment blank again, durably. */
int segment_blank(const struct segment_place *p, uint64_t number, uint32_t from, uint32_t to);
/* All of them, of a segment that is not in use: what it was made of is gone. hurry as in segment_prepare. */
int segment_fill(const struct segment_place *p, uint64_t number, const atomic_bool *hurry);

#endif
