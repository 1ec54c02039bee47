/* Repair's giving side: the entries of our own log, for another whose log is damaged. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <stdlib.h>
#include <string.h>

#include "ledger/bytes.h"
#include "node/core/core_internal.h"
#include "node/core/repair.h"
#include "node/disk/record.h"

#define GIVE_SIZE (256u << 10) /* Entries beyond the first go only up to this: a heartbeat behind it waits less. */

/* The giver's entry at index, from libraft's memory or, while its own log is being repaired, from what was read. */
static bool own_entry(struct core *c, raft_index index, struct record *ret)
{
	struct record r = {.kind = RECORD_ENTRY, .index = index};

	if (c->repair) {
		const struct slot *s = scan_slot(disk_scan(c->log), index);
		if (!s || s->state != SLOT_WHOLE)
			return false;
		r.term = s->term;
		r.type = s->type;
		r.bytes = s->base;
		r.len = s->len;
	} else {
		const struct raft_entry *e = guard_log_entry(c->guard, index);
		if (!e || index > guard_stored(c->guard))
			return false;
		r.term = e->term;
		r.type = (uint8_t)e->type;
		r.bytes = e->buf.base;
		r.len = (uint32_t)e->buf.len;
	}
	*ret = r;
	return true;
}

static raft_index own_last(struct core *c)
{
	return c->repair ? scan_last(disk_scan(c->log)) : guard_stored(c->guard);
}

/* Entries from index on, as many as go into a chunk; returns the index after them. */
static raft_index give_entries(struct core *c, raft_index index, raft_index last, uint8_t *buf, size_t *len)
{
	struct record r;

	for (; index <= last; index++) {
		if (!own_entry(c, index, &r))
			continue;
		if (*len > REPAIR_HEAD_SIZE && *len + RECORD_HEAD_SIZE + r.len > GIVE_SIZE)
			return index;
		if (*len + RECORD_HEAD_SIZE + r.len > FRAME_CHUNK_SIZE_MAX)
			continue;
		record_head(buf + *len, &r);
		memcpy(buf + *len + RECORD_HEAD_SIZE, r.bytes, r.len);
		*len += RECORD_HEAD_SIZE + r.len;
	}
	return index;
}

void repair_give(struct core *c, uint64_t to, const struct frame_fetch *f)
{
	raft_index last = own_last(c), next;
	struct frame reply = {.type = FRAME_CHUNK, .chunk = {.kind = REPAIR_KIND_LOG, .from = f->from}};
	uint8_t *buf = malloc(FRAME_CHUNK_SIZE_MAX);
	size_t len = REPAIR_HEAD_SIZE;

	if (!buf)
		return; /* It asks again. */
	next = give_entries(c, f->from, last, buf, &len);
	put_u32be(buf, c->repair || disk_lost_term(c->log) ? REPAIR_FLAG_LOST : 0);
	put_u32be(buf + 4, 0);
	put_u64be(buf + 8, disk_snapshot_index(c->log));
	put_u64be(buf + 16, disk_snapshot_term(c->log));
	put_u64be(buf + 24, last);
	put_u64be(buf + 32, next <= last ? next : 0);
	reply.chunk.bytes = buf;
	reply.chunk.len = len;
	peers_send(c, to, &reply);
	free(buf);
}
