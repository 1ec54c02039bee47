/* Records: what the payload of a write says, one after the other. See LOG.md. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODE_DISK_RECORD_H
#define NODE_DISK_RECORD_H

#include <stddef.h>
#include <stdint.h>

enum record_kind {
	RECORD_END = 0,      /* Zero bytes up to the end of the write. */
	RECORD_ENTRY = 1,    /* A Raft entry, right after the log's last. */
	RECORD_TRUNCATE = 2, /* Entries from index on are no longer part of the log. */
	RECORD_RESET = 3,    /* The log is empty, and goes on after index: a snapshot was installed. term: of index. */
};

#define RECORD_INDEX_MAX                                                                                               \
	(UINT64_C(1) << 62) /* No cluster gets there: what is above is nonsense, not to be added to.                   \
	                     */

/* length u32 | kind u8 | type u8 | zero u16 | index u64 | term u64 | length bytes; integers big-endian. */
#define RECORD_HEAD_SIZE 24

struct record {
	enum record_kind kind;
	uint8_t type; /* ENTRY: enum raft_entry_type. */
	uint64_t index, term;
	const uint8_t *bytes;
	uint32_t len;
};

void record_head(uint8_t p[RECORD_HEAD_SIZE], const struct record *r);
/*
 * The record at *p, which is moved behind it; bytes points into the payload. 1: *ret is one; 0: no more;
 * CS_ERR_MALFORMED.
 */
int record_next(const uint8_t **p, const uint8_t *end, struct record *ret);

#endif
