/* Frames between nodes, outgoing: encoders that copy neither entries nor snapshots. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "node/core/frame.h"

#include <assert.h>
#include <string.h>

#include "ledger/bytes.h"

/* Writes the head. The largest layout of each type fits by construction of struct frame_parts. */
struct head {
	uint8_t *p;
};

static void put8(struct head *h, uint8_t v)
{
	*h->p++ = v;
}

static void put32(struct head *h, uint32_t v)
{
	put_u32be(h->p, v);
	h->p += 4;
}

static void put64(struct head *h, uint64_t v)
{
	put_u64be(h->p, v);
	h->p += 8;
}

static struct head head_start(struct frame_parts *out, enum frame_type type)
{
	struct head h = {out->head};

	out->n = 1;
	out->len = 0;
	put8(&h, (uint8_t)type);
	return h;
}

static void part_add(struct frame_parts *out, const void *base, size_t len)
{
	if (len == 0)
		return;
	out->parts[out->n++] = (struct link_part){base, len};
	out->len += len;
}

static int head_end(struct frame_parts *out, const struct head *h)
{
	size_t len = (size_t)(h->p - out->head);

	assert(len <= sizeof out->head);
	out->parts[0] = (struct link_part){out->head, len};
	out->len += len;
	return out->len <= LINK_FRAME_SIZE_MAX ? 0 : CS_ERR_TOO_LARGE;
}

static int encode_append_entries(const struct raft_append_entries *a, struct frame_parts *out)
{
	struct head h = head_start(out, FRAME_APPEND_ENTRIES);

	if (a->n_entries > FRAME_ENTRIES_MAX)
		return CS_ERR_TOO_LARGE;
	put64(&h, a->term);
	put64(&h, a->prev_log_index);
	put64(&h, a->prev_log_term);
	put64(&h, a->leader_commit);
	put32(&h, a->n_entries);
	for (unsigned i = 0; i < a->n_entries; i++) {
		const struct raft_entry *e = &a->entries[i];

		if (e->buf.len > LINK_FRAME_SIZE_MAX)
			return CS_ERR_TOO_LARGE;
		if (e->buf.len % FRAME_ENTRY_ALIGN != 0)
			return CS_ERR_INVALID;
		put64(&h, e->term);
		put8(&h, (uint8_t)e->type);
		put32(&h, (uint32_t)e->buf.len);
		part_add(out, e->buf.base, e->buf.len);
	}
	return head_end(out, &h);
}

static int encode_install_snapshot(const struct raft_install_snapshot *s, struct frame_parts *out)
{
	struct head h = head_start(out, FRAME_INSTALL_SNAPSHOT);
	struct raft_buffer conf;

	if (s->data.len > LINK_FRAME_SIZE_MAX || s->conf.n > FRAME_SERVERS_MAX)
		return CS_ERR_TOO_LARGE;
	if (s->conf.n == 0)
		return CS_ERR_INVALID;
	if (raft_configuration_encode(&s->conf, &conf) != 0)
		return CS_ERR_NOMEM;
	if (conf.len > FRAME_CONFIGURATION_SIZE_MAX) {
		raft_free(conf.base);
		return CS_ERR_TOO_LARGE;
	}
	put64(&h, s->term);
	put64(&h, s->last_index);
	put64(&h, s->last_term);
	put64(&h, s->conf_index);
	put32(&h, (uint32_t)conf.len);
	memcpy(h.p, conf.base, conf.len);
	h.p += conf.len;
	raft_free(conf.base);
	put32(&h, (uint32_t)s->data.len);
	part_add(out, s->data.base, s->data.len);
	return head_end(out, &h);
}

static int encode_append_entries_result(const struct raft_append_entries_result *r, struct frame_parts *out)
{
	struct head h = head_start(out, FRAME_APPEND_ENTRIES_RESULT);

	put64(&h, r->term);
	put64(&h, r->rejected);
	put64(&h, r->last_log_index);
	return head_end(out, &h);
}

static int encode_request_vote(const struct raft_request_vote *v, struct frame_parts *out)
{
	struct head h = head_start(out, FRAME_REQUEST_VOTE);

	put64(&h, v->term);
	put64(&h, v->last_log_index);
	put64(&h, v->last_log_term);
	put8(&h,
	     (uint8_t)((v->disrupt_leader ? FRAME_VOTE_DISRUPT_LEADER : 0) | (v->pre_vote ? FRAME_VOTE_PRE_VOTE : 0)));
	return head_end(out, &h);
}

static int encode_request_vote_result(const struct raft_request_vote_result *r, struct frame_parts *out)
{
	struct head h = head_start(out, FRAME_REQUEST_VOTE_RESULT);

	put64(&h, r->term);
	put8(&h, r->vote_granted);
	put8(&h, r->pre_vote == raft_tribool_true ? 1 : 0);
	return head_end(out, &h);
}

static int encode_timeout_now(const struct raft_timeout_now *t, struct frame_parts *out)
{
	struct head h = head_start(out, FRAME_TIMEOUT_NOW);

	put64(&h, t->term);
	put64(&h, t->last_log_index);
	put64(&h, t->last_log_term);
	return head_end(out, &h);
}

int frame_encode_raft(const struct raft_message *m, struct frame_parts *ret)
{
	switch (m->type) {
	case RAFT_IO_APPEND_ENTRIES:
		return encode_append_entries(&m->append_entries, ret);
	case RAFT_IO_APPEND_ENTRIES_RESULT:
		return encode_append_entries_result(&m->append_entries_result, ret);
	case RAFT_IO_REQUEST_VOTE:
		return encode_request_vote(&m->request_vote, ret);
	case RAFT_IO_REQUEST_VOTE_RESULT:
		return encode_request_vote_result(&m->request_vote_result, ret);
	case RAFT_IO_INSTALL_SNAPSHOT:
		return encode_install_snapshot(&m->install_snapshot, ret);
	case RAFT_IO_TIMEOUT_NOW:
		return encode_timeout_now(&m->timeout_now, ret);
	default:
		return CS_ERR_INVALID;
	}
}

/* A length and the bytes, as the last of a frame. */
static int tail(struct frame_parts *out, struct head *h, const void *base, size_t len, size_t len_max)
{
	if (len > len_max)
		return CS_ERR_TOO_LARGE;
	put32(h, (uint32_t)len);
	part_add(out, base, len);
	return head_end(out, h);
}

int frame_encode(const struct frame *f, struct frame_parts *ret)
{
	struct head h = head_start(ret, f->type);

	switch (f->type) {
	case FRAME_ANNOUNCE:
		put64(&h, f->announce.size);
		memcpy(h.p, f->announce.root.b, HASH_SIZE);
		h.p += HASH_SIZE;
		return tail(ret, &h, f->announce.note, f->announce.note_len, LIMIT_NOTE_SIZE_MAX);
	case FRAME_COSIGNATURE:
		put64(&h, f->cosignature.size);
		return tail(ret, &h, f->cosignature.line, f->cosignature.line_len, FRAME_COSIGNATURE_SIZE_MAX);
	case FRAME_HELLO:
		put32(&h, f->hello.version);
		put64(&h, f->hello.cosigned_size);
		put64(&h, f->hello.applied_size);
		return head_end(ret, &h);
	case FRAME_FETCH:
		if (f->fetch.count > FRAME_FETCH_COUNT_MAX)
			return CS_ERR_TOO_LARGE;
		put8(&h, f->fetch.kind);
		put64(&h, f->fetch.from);
		put32(&h, f->fetch.count);
		return head_end(ret, &h);
	case FRAME_ROSTER:
		return tail(ret, &h, f->roster.bytes, f->roster.len, FRAME_ROSTER_SIZE_MAX);
	case FRAME_REMOVED:
		put64(&h, f->removed.version);
		return head_end(ret, &h);
	case FRAME_CHUNK:
		put8(&h, f->chunk.kind);
		put64(&h, f->chunk.from);
		return tail(ret, &h, f->chunk.bytes, f->chunk.len, FRAME_CHUNK_SIZE_MAX);
	case FRAME_PROBE:
	case FRAME_ECHO:
		put64(&h, f->read.term);
		put64(&h, f->read.number);
		return head_end(ret, &h);
	case FRAME_ASK:
		put64(&h, f->read.number);
		return head_end(ret, &h);
	case FRAME_TOLD:
		put64(&h, f->read.number);
		put64(&h, f->read.index);
		return head_end(ret, &h);
	case FRAME_ROOM:
		put8(&h, f->room.level);
		put8(&h, f->room.what);
		put64(&h, f->room.free);
		put64(&h, f->room.size);
		return head_end(ret, &h);
	case FRAME_CLOCK:
		put64(&h, f->clock.wall_ms);
		return head_end(ret, &h);
	case FRAME_FEATURES:
		put64(&h, f->features.have);
		return tail(ret, &h, f->features.build, f->features.build_len, FRAME_BUILD_SIZE_MAX);
	case FRAME_READINGS:
		memcpy(h.p, f->readings.id, sizeof f->readings.id);
		h.p += sizeof f->readings.id;
		return tail(ret, &h, f->readings.bytes, f->readings.len, FRAME_READINGS_SIZE_MAX);
	default:
		return CS_ERR_INVALID;
	}
}

void frame_set_sender(struct frame *f, uint64_t from, const char *address)
{
	if (f->type > FRAME_TIMEOUT_NOW)
		return;
	f->raft.server_id = from;
	f->raft.server_address = address;
	if (f->type == FRAME_REQUEST_VOTE)
		f->raft.request_vote.candidate_id = from;
}

void frame_free(struct frame *f)
{
	if (f->type == FRAME_APPEND_ENTRIES && f->raft.append_entries.entries != NULL) {
		raft_free(f->raft.append_entries.entries[0].batch);
		raft_free(f->raft.append_entries.entries);
	} else if (f->type == FRAME_INSTALL_SNAPSHOT) {
		raft_configuration_close(&f->raft.install_snapshot.conf);
		raft_free(f->raft.install_snapshot.data.base);
	}
}
