/* Past events as bytes: how they wait in memory and in a temporary file until their turn. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLIENT_TOOL_IMPORT_PACKED_H
#define CLIENT_TOOL_IMPORT_PACKED_H

#include <stddef.h>
#include <stdint.h>

#include "client/tool/import/event.h"

struct event;

/* By which events are sorted. */
struct packed_key {
	uint64_t time_ms, position;
	uint32_t file;
};

#define PACKED_HEAD_SIZE                                                                                               \
	26 /* size u32, time u64, position u64, file u32, attributes u8, actor u8; the host's order.                   \
	    */
/* Seven strings, and of each attribute its type, its name, and its string or integer. */
#define PACKED_SIZE_MAX                                                                                                \
	(PACKED_HEAD_SIZE + 4 * PAST_TEXT_SIZE + 3 * PAST_TYPE_SIZE +                                                  \
	 PAST_ATTRIBUTES_MAX * (1 + PAST_TYPE_SIZE + PAST_TEXT_SIZE))

/* Writes at most PACKED_SIZE_MAX bytes; returns how many. */
size_t packed_write(const struct past_event *e, unsigned file, uint64_t position, uint8_t *ret);
/* Of bytes that packed_write made; of size at least PACKED_HEAD_SIZE. */
size_t packed_size(const uint8_t *bytes);
struct packed_key packed_key(const uint8_t *bytes);
int packed_compare(const struct packed_key *a, const struct packed_key *b);
/* The event in one piece of memory, to be freed; NULL: out of memory. */
struct event *packed_read(const uint8_t *bytes);

#endif
