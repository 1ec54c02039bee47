/* Batches: the payload of one Raft entry, the commands that are ordered together. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODE_CORE_BATCH_H
#define NODE_CORE_BATCH_H

#include <stddef.h>
#include <stdint.h>

#include "ledger/hash.h"
#include "node/decide/command.h"
#include "node/wire/limits.h"

#define BATCH_COMMANDS_MAX 256 /* The tree proves up to one tile of new leaves from memory. */
#define BATCH_COMMAND_SIZE_MAX                                                                                         \
	(WIRE_REQUEST_SIZE_MAX + 1024) /* A request's body, its envelope and the leader's facts. */
#define BATCH_SIZE_MAX (1u << 20)      /* Bytes of one batch: what one synced write and one frame carry well. */

/*
 * Layout, integers big-endian: "CSB1" | node u32 | time ms u64 | ledger size u64 | root 32 | count u32 | length u32 of
 * what follows | count times (length u32 | command) | zero bytes up to a multiple of 8 (libraft: guard 5).
 * size and root are those that the batch extends: a node that differs stops (consensus.md: Signing).
 */
#define BATCH_HEADER_SIZE 64

struct batch_writer {
	uint8_t *base;
	size_t len, cap;
	uint32_t count;
};

struct batch {
	uint32_t node;
	uint64_t time_ms;
	uint64_t size;
	struct hash root;
	uint32_t count;
	const uint8_t *pos, *end; /* Of the commands not yet taken. */
};

/* buf of BATCH_SIZE_MAX bytes. */
void batch_begin(struct batch_writer *w, void *buf, size_t cap);
/* Room left for one more command, 0 if the batch is full; and where to encode it. */
size_t batch_room(const struct batch_writer *w, uint8_t **ret);
/* The command of len bytes that was encoded there is part of the batch. */
void batch_add(struct batch_writer *w, size_t len);
/* Fills in the header and pads; returns the whole length. */
size_t batch_end(struct batch_writer *w, uint32_t node, uint64_t time_ms, uint64_t size, const struct hash *root);

/*
 * CS_ERR_MALFORMED unless every length fits and the padding is zero; CS_ERR_VERSION: of a later build, "CSB2" to
 * "CSB9". Points into bytes.
 */
int batch_decode(struct batch *ret, const void *bytes, size_t len);
/* The next command; only after batch_decode has accepted the whole, and at most count times. */
void batch_next(struct batch *b, const uint8_t **ret, size_t *ret_len);

#endif
