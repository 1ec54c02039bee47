/* Sectors of the log: 512 bytes that each say what they are, so that a torn write is told from damage. See LOG.md. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODE_DISK_SECTOR_H
#define NODE_DISK_SECTOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SECTOR_SIZE         512 /* What a disk writes whole or not at all. */
#define SECTOR_TRAILER_SIZE 64
#define SECTOR_ROOM         (SECTOR_SIZE - SECTOR_TRAILER_SIZE) /* Payload bytes. */
#define SECTOR_KEY_SIZE     16                                  /* Of the log: sectors of other logs are foreign. */
#define BLOCK_SIZE          4096                                /* Writes begin and end at multiples of this. */
#define BLOCK_SECTORS       (BLOCK_SIZE / SECTOR_SIZE)

/* What a sector's trailer says. */
struct sector {
	uint64_t seq;        /* Its place in the whole log: segment number times sectors in a segment, plus its own. */
	uint64_t write;      /* Number of the write that it is part of, from 1; 0: blank, never written. */
	uint16_t at, of;     /* Which sector of the write, of how many. */
	uint64_t last_index; /* Last entry of the log after this write: Raft index and term. */
	uint64_t last_term;
	uint64_t first_index; /* The lowest index that this write adds, cuts off or replaces; 0: all. */
	uint64_t prev_first;  /* The same of the write before: a write that is wholly lost can still be told. */
};

enum sector_kind {
	SECTOR_WRITTEN, /* Holds what was last written at this place. */
	SECTOR_OLD,     /* Exactly what was there before: blank, or of the file's life under a lower number. */
	SECTOR_STRAY,   /* Whole, but of another place: as bad as damage here, and a witness of its write. */
	SECTOR_BAD,     /* None of these: damage. */
};

/* Completes the sector at p, whose first SECTOR_ROOM bytes are the payload. */
void sector_seal(uint8_t p[SECTOR_SIZE], const uint8_t key[SECTOR_KEY_SIZE], const struct sector *s);
/*
 * What is at p, found as sector `at` of the segment `number` of n sectors. *ret is set unless SECTOR_BAD.
 */
enum sector_kind sector_read(const uint8_t p[SECTOR_SIZE], const uint8_t key[SECTOR_KEY_SIZE], uint64_t number,
                             uint32_t n, uint32_t at, struct sector *ret);

#endif
