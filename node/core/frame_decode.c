/* Frames between nodes, incoming: the bounded decoder that stands before libraft. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "node/core/frame.h"

#include <string.h>

#include "ledger/bytes.h"

#define ENTRY_HEADER_SIZE    (8 + 1 + 4)
#define CONFIGURATION_FORMAT 1 /* libraft 0.15, configuration.c: the one encoding it has. */

/* A pull reader of plain integers. The first error sticks; what is read after it is zero. */
struct cursor {
	const uint8_t *p;
	size_t left;
	int err;
};

static const uint8_t *take(struct cursor *c, size_t n)
{
	const uint8_t *p = c->p;

	if (c->err == 0 && n > c->left)
		c->err = CS_ERR_MALFORMED;
	if (c->err != 0)
		return NULL;
	c->p += n;
	c->left -= n;
	return p;
}

static uint8_t take8(struct cursor *c, uint8_t max)
{
	const uint8_t *p = take(c, 1);

	if (p != NULL && *p > max)
		c->err = CS_ERR_MALFORMED;
	return c->err == 0 ? *p : 0;
}

static uint32_t take32(struct cursor *c, uint32_t max)
{
	const uint8_t *p = take(c, 4);

	if (p != NULL && get_u32be(p) > max)
		c->err = CS_ERR_TOO_LARGE;
	return c->err == 0 ? get_u32be(p) : 0;
}

static uint64_t take64(struct cursor *c)
{
	const uint8_t *p = take(c, 8);

	return p != NULL ? get_u64be(p) : 0;
}

static uint64_t take64le(struct cursor *c)
{
	const uint8_t *p = take(c, 8);
	uint64_t v = 0;

	for (unsigned i = 0; p != NULL && i < 8; i++)
		v |= (uint64_t)p[i] << (8 * i);
	return v;
}

static int cursor_end(const struct cursor *c)
{
	if (c->err != 0)
		return c->err;
	return c->left == 0 ? 0 : CS_ERR_MALFORMED;
}

/*
 * One server of a configuration: id u64le, address with its NUL, role u8. raft_configuration_add refuses an id or an
 * address that is there twice.
 */
static void take_server(struct cursor *c, struct raft_configuration *conf)
{
	uint64_t id = take64le(c);
	size_t span = c->left <= FRAME_ADDRESS_SIZE_MAX ? c->left : FRAME_ADDRESS_SIZE_MAX + 1;
	const uint8_t *nul = c->err == 0 ? memchr(c->p, '\0', span) : NULL;
	const char *address;
	uint8_t role;
	int rv;

	if (nul == NULL || nul == c->p || id == 0) {
		c->err = CS_ERR_MALFORMED;
		return;
	}
	address = (const char *)take(c, (size_t)(nul - c->p) + 1);
	role = take8(c, RAFT_SPARE);
	if (c->err != 0)
		return;
	rv = raft_configuration_add(conf, id, address, role);
	if (rv != 0)
		c->err = rv == RAFT_NOMEM ? CS_ERR_NOMEM : CS_ERR_MALFORMED;
}

/*
 * libraft's encoding of a configuration (raft_configuration_encode): format u8, n u64le, servers, and up to 7 bytes of
 * anything, since libraft does not clear its padding.
 */
static int configuration_decode(const uint8_t *bytes, size_t len, struct raft_configuration *ret)
{
	struct cursor c = {bytes, len, 0};
	uint64_t n;

	raft_configuration_init(ret);
	if (take8(&c, UINT8_MAX) != CONFIGURATION_FORMAT)
		return CS_ERR_MALFORMED;
	n = take64le(&c);
	if (c.err != 0 || n == 0)
		return CS_ERR_MALFORMED;
	if (n > FRAME_SERVERS_MAX)
		return CS_ERR_TOO_LARGE;
	for (uint64_t i = 0; i < n && c.err == 0; i++)
		take_server(&c, ret);
	if (c.err == 0 && c.left >= FRAME_ENTRY_ALIGN)
		c.err = CS_ERR_MALFORMED;
	if (c.err != 0)
		raft_configuration_close(ret);
	return c.err;
}

static int check_change(const uint8_t *bytes, size_t len)
{
	struct raft_configuration conf;
	int rv = configuration_decode(bytes, len, &conf);

	if (rv == 0)
		raft_configuration_close(&conf);
	return rv;
}

/* A term of something in the log of a leader of `term`: libraft and the guard take 0 for "not there". */
static bool term_fits(raft_term of, raft_term term)
{
	return of > 0 && of <= term;
}

/* Checks the headers and the data of n entries of a leader's message of this term without believing a length. */
static int check_entries(struct cursor headers, struct cursor data, uint32_t n, raft_term term)
{
	for (uint32_t i = 0; i < n; i++) {
		raft_term of;
		uint8_t type;
		const uint8_t *bytes;
		uint32_t len;

		of = take64(&headers);
		type = take8(&headers, RAFT_CHANGE);
		len = take32(&headers, LINK_FRAME_SIZE_MAX);
		bytes = take(&data, len);
		if (headers.err != 0)
			return headers.err;
		if (type < RAFT_COMMAND || len % FRAME_ENTRY_ALIGN != 0 || !term_fits(of, term))
			return CS_ERR_MALFORMED;
		if (bytes != NULL && type == RAFT_CHANGE) {
			int rv = check_change(bytes, len);

			if (rv != 0)
				return rv;
		}
	}
	return cursor_end(&data);
}

/* The entries and one batch with all their data, as libraft releases them: the batch goes with its last entry. */
static int build_entries(struct cursor headers, const uint8_t *data, size_t len, struct raft_append_entries *ret)
{
	struct raft_entry *entries = raft_malloc(ret->n_entries * sizeof *entries);
	uint8_t *batch = raft_malloc(len > 0 ? len : FRAME_ENTRY_ALIGN);

	if (entries == NULL || batch == NULL) {
		raft_free(entries);
		raft_free(batch);
		return CS_ERR_NOMEM;
	}
	memcpy(batch, data, len);
	len = 0;
	for (unsigned i = 0; i < ret->n_entries; i++) {
		struct raft_entry *e = &entries[i];

		e->term = take64(&headers);
		e->type = take8(&headers, UINT8_MAX);
		e->buf.len = take32(&headers, UINT32_MAX);
		e->buf.base = e->buf.len > 0 ? batch + len : NULL;
		e->batch = batch;
		len += e->buf.len;
	}
	ret->entries = entries;
	return 0;
}

static int decode_append_entries(struct cursor *c, struct raft_append_entries *ret)
{
	struct raft_append_entries a = {0};
	struct cursor headers, data;
	int rv;

	a.term = take64(c);
	a.prev_log_index = take64(c);
	a.prev_log_term = take64(c);
	a.leader_commit = take64(c);
	a.n_entries = take32(c, FRAME_ENTRIES_MAX);
	headers = *c;
	if (take(c, a.n_entries * (size_t)ENTRY_HEADER_SIZE) == NULL)
		return c->err;
	data = *c;
	if (a.prev_log_index > UINT64_MAX - a.n_entries ||
	    (a.prev_log_index > 0 && !term_fits(a.prev_log_term, a.term)))
		return CS_ERR_MALFORMED;
	rv = check_entries(headers, data, a.n_entries, a.term);
	if (rv == 0 && a.n_entries > 0)
		rv = build_entries(headers, data.p, data.left, &a);
	if (rv == 0)
		*ret = a;
	return rv;
}

static int decode_install_snapshot(struct cursor *c, struct raft_install_snapshot *ret)
{
	struct raft_install_snapshot s = {0};
	const uint8_t *conf, *data;
	uint32_t conf_len;
	int rv;

	s.term = take64(c);
	s.last_index = take64(c);
	s.last_term = take64(c);
	s.conf_index = take64(c);
	conf_len = take32(c, FRAME_CONFIGURATION_SIZE_MAX);
	conf = take(c, conf_len);
	s.data.len = take32(c, LINK_FRAME_SIZE_MAX);
	data = take(c, s.data.len);
	rv = cursor_end(c);
	if (rv != 0)
		return rv;
	if (s.last_index == 0 || !term_fits(s.last_term, s.term))
		return CS_ERR_MALFORMED;
	rv = configuration_decode(conf, conf_len, &s.conf);
	if (rv != 0)
		return rv;
	s.data.base = raft_malloc(s.data.len > 0 ? s.data.len : 1);
	if (s.data.base == NULL) {
		raft_configuration_close(&s.conf);
		return CS_ERR_NOMEM;
	}
	memcpy(s.data.base, data, s.data.len);
	*ret = s;
	return 0;
}

static int decode_raft(struct cursor *c, enum frame_type type, struct raft_message *m)
{
	uint8_t flags;

	switch (type) {
	case FRAME_APPEND_ENTRIES:
		m->type = RAFT_IO_APPEND_ENTRIES;
		return decode_append_entries(c, &m->append_entries);
	case FRAME_APPEND_ENTRIES_RESULT:
		m->type = RAFT_IO_APPEND_ENTRIES_RESULT;
		m->append_entries_result.term = take64(c);
		m->append_entries_result.rejected = take64(c);
		m->append_entries_result.last_log_index = take64(c);
		return cursor_end(c);
	case FRAME_REQUEST_VOTE:
		m->type = RAFT_IO_REQUEST_VOTE;
		m->request_vote.term = take64(c);
		m->request_vote.last_log_index = take64(c);
		m->request_vote.last_log_term = take64(c);
		flags = take8(c, FRAME_VOTE_DISRUPT_LEADER | FRAME_VOTE_PRE_VOTE);
		m->request_vote.disrupt_leader = (flags & FRAME_VOTE_DISRUPT_LEADER) != 0;
		m->request_vote.pre_vote = (flags & FRAME_VOTE_PRE_VOTE) != 0;
		return cursor_end(c);
	case FRAME_REQUEST_VOTE_RESULT:
		m->type = RAFT_IO_REQUEST_VOTE_RESULT;
		m->request_vote_result.term = take64(c);
		m->request_vote_result.vote_granted = take8(c, 1) != 0;
		m->request_vote_result.pre_vote = take8(c, 1) != 0 ? raft_tribool_true : raft_tribool_false;
		return cursor_end(c);
	case FRAME_INSTALL_SNAPSHOT:
		m->type = RAFT_IO_INSTALL_SNAPSHOT;
		return decode_install_snapshot(c, &m->install_snapshot);
	default:
		m->type = RAFT_IO_TIMEOUT_NOW;
		m->timeout_now.term = take64(c);
		m->timeout_now.last_log_index = take64(c);
		m->timeout_now.last_log_term = take64(c);
		return cursor_end(c);
	}
}

static const uint8_t *take_tail(struct cursor *c, uint32_t len_max, size_t *ret_len)
{
	*ret_len = take32(c, len_max);
	return take(c, *ret_len);
}

static int decode_own(struct cursor *c, struct frame *f)
{
	const uint8_t *root, *id;

	switch (f->type) {
	case FRAME_ANNOUNCE:
		f->announce.size = take64(c);
		root = take(c, HASH_SIZE);
		if (root != NULL)
			memcpy(f->announce.root.b, root, HASH_SIZE);
		f->announce.note = (const char *)take_tail(c, LIMIT_NOTE_SIZE_MAX, &f->announce.note_len);
		return cursor_end(c);
	case FRAME_COSIGNATURE:
		f->cosignature.size = take64(c);
		f->cosignature.line = (const char *)take_tail(c, FRAME_COSIGNATURE_SIZE_MAX, &f->cosignature.line_len);
		return cursor_end(c);
	case FRAME_HELLO:
		f->hello.version = take32(c, UINT32_MAX);
		if (c->err == 0 && f->hello.version != FRAME_VERSION)
			return 0; /* The rest is that version's own. */
		f->hello.cosigned_size = take64(c);
		f->hello.applied_size = take64(c);
		return cursor_end(c);
	case FRAME_FETCH:
		f->fetch.kind = take8(c, UINT8_MAX);
		f->fetch.from = take64(c);
		f->fetch.count = take32(c, FRAME_FETCH_COUNT_MAX);
		return cursor_end(c);
	case FRAME_ROSTER:
		f->roster.bytes = take_tail(c, FRAME_ROSTER_SIZE_MAX, &f->roster.len);
		return cursor_end(c);
	case FRAME_REMOVED:
		f->removed.version = take64(c);
		return cursor_end(c);
	case FRAME_CHUNK:
		f->chunk.kind = take8(c, UINT8_MAX);
		f->chunk.from = take64(c);
		f->chunk.bytes = take_tail(c, FRAME_CHUNK_SIZE_MAX, &f->chunk.len);
		return cursor_end(c);
	case FRAME_PROBE:
	case FRAME_ECHO:
		f->read.term = take64(c);
		f->read.number = take64(c);
		return cursor_end(c);
	case FRAME_ASK:
		f->read.number = take64(c);
		return cursor_end(c);
	case FRAME_TOLD:
		f->read.number = take64(c);
		f->read.index = take64(c);
		return cursor_end(c);
	case FRAME_ROOM:
		f->room.level = take8(c, FRAME_ROOM_LEVEL_MAX);
		f->room.what = take8(c, 1);
		f->room.free = take64(c);
		f->room.size = take64(c);
		return cursor_end(c);
	case FRAME_CLOCK:
		f->clock.wall_ms = take64(c);
		return cursor_end(c);
	case FRAME_FEATURES:
		f->features.have = take64(c);
		f->features.build = (const char *)take_tail(c, FRAME_BUILD_SIZE_MAX, &f->features.build_len);
		return cursor_end(c);
	case FRAME_READINGS:
		id = take(c, sizeof f->readings.id);
		if (id != NULL)
			memcpy(f->readings.id, id, sizeof f->readings.id);
		f->readings.bytes = take_tail(c, FRAME_READINGS_SIZE_MAX, &f->readings.len);
		return cursor_end(c);
	default:
		return CS_ERR_VERSION;
	}
}

int frame_decode(uint8_t *bytes, size_t len, struct frame *ret)
{
	struct cursor c = {bytes, len, 0};
	struct frame f;
	int rv;

	if (len > LINK_FRAME_SIZE_MAX)
		return CS_ERR_TOO_LARGE;
	memset(&f, 0, sizeof f);
	f.type = take8(&c, UINT8_MAX);
	if (c.err != 0)
		return c.err;
	if (f.type >= FRAME_APPEND_ENTRIES && f.type <= FRAME_TIMEOUT_NOW)
		rv = decode_raft(&c, f.type, &f.raft);
	else
		rv = decode_own(&c, &f);
	if (rv == 0)
		*ret = f;
	return rv;
}
