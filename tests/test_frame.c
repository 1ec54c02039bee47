/* Frames between nodes: round trips, every truncation, every length at its largest, lies in a configuration. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "ledger/bytes.h"
#include "node/core/frame.h"

static struct frame_parts parts;

/* The parts in one piece of exactly their length, so that a sanitizer sees one byte read too far. */
static uint8_t *flatten(size_t *ret_len)
{
	uint8_t *all = malloc(parts.len > 0 ? parts.len : 1);
	size_t at = 0;

	assert_non_null(all);
	for (unsigned i = 0; i < parts.n; i++) {
		memcpy(all + at, parts.parts[i].base, parts.parts[i].len);
		at += parts.parts[i].len;
	}
	assert_int_equal(at, parts.len);
	*ret_len = at;
	return all;
}

static int decode_copy(const uint8_t *bytes, size_t len, struct frame *ret)
{
	uint8_t *copy = malloc(len > 0 ? len : 1);
	int rv;

	assert_non_null(copy);
	memcpy(copy, bytes, len);
	rv = frame_decode(copy, len, ret);
	free(copy); /* Pointers of our own frames dangle now: only attacks use this. */
	return rv;
}

/* Whatever is changed, decoding neither reads outside nor leaks; what is cut or too long is refused. */
static void attack(const uint8_t *bytes, size_t len)
{
	static const uint8_t values[] = {0x00, 0x01, 0x07, 0x7f, 0x80, 0xff};
	uint8_t *evil = malloc(len + 1);
	struct frame f;

	assert_non_null(evil);
	for (size_t n = 0; n < len; n++)
		assert_true(decode_copy(bytes, n, &f) < 0);
	memcpy(evil, bytes, len);
	evil[len] = 0;
	assert_true(decode_copy(evil, len + 1, &f) < 0);
	for (size_t i = 0; i < len; i++) {
		for (size_t v = 0; v < sizeof values; v++) {
			evil[i] = values[v];
			if (decode_copy(evil, len, &f) == 0)
				frame_free(&f);
		}
		evil[i] = bytes[i];
		if (i + 4 > len)
			continue;
		memset(evil + i, 0xff, 4); /* Every length field, wherever it is, at its largest. */
		if (decode_copy(evil, len, &f) == 0)
			frame_free(&f);
		memcpy(evil + i, bytes + i, 4);
	}
	free(evil);
}

/* Encodes, attacks, decodes; the caller frees *ret_bytes and the frame. */
static void round_trip(const struct raft_message *m, struct frame *ret, uint8_t **ret_bytes)
{
	size_t len;

	assert_int_equal(frame_encode_raft(m, &parts), 0);
	*ret_bytes = flatten(&len);
	attack(*ret_bytes, len);
	assert_int_equal(frame_decode(*ret_bytes, len, ret), 0);
	assert_int_equal(ret->raft.type, m->type);
	frame_set_sender(ret, 3, "c:3");
	assert_int_equal(ret->raft.server_id, 3);
	assert_string_equal(ret->raft.server_address, "c:3");
}

static void test_append_entries(void **state)
{
	uint8_t one[16], two[8];
	struct raft_configuration conf;
	struct raft_buffer change;
	struct raft_message m = {.type = RAFT_IO_APPEND_ENTRIES};
	struct raft_append_entries *got;
	struct frame f;
	uint8_t *bytes;

	(void)state;
	memset(one, 0xaa, sizeof one);
	memset(two, 0xbb, sizeof two);
	raft_configuration_init(&conf);
	assert_int_equal(raft_configuration_add(&conf, 1, "tcp://[::1]:7001", RAFT_VOTER), 0);
	assert_int_equal(raft_configuration_add(&conf, 2, "b", RAFT_SPARE), 0);
	assert_int_equal(raft_configuration_encode(&conf, &change), 0);
	raft_configuration_close(&conf);
	struct raft_entry entries[] = {
	        {.term = 5, .type = RAFT_COMMAND, .buf = {one, sizeof one}},
	        {.term = 6, .type = RAFT_BARRIER, .buf = {two, sizeof two}},
	        {.term = 6, .type = RAFT_COMMAND, .buf = {NULL, 0}},
	        {.term = 7, .type = RAFT_CHANGE, .buf = change},
	};
	m.append_entries = (struct raft_append_entries){7, 10, 5, 9, entries, 4};
	round_trip(&m, &f, &bytes);
	assert_ptr_equal(parts.parts[1].base, one); /* No copy. */
	got = &f.raft.append_entries;
	assert_true(got->term == 7 && got->prev_log_index == 10 && got->prev_log_term == 5 && got->leader_commit == 9);
	assert_int_equal(got->n_entries, 4);
	for (unsigned i = 0; i < 4; i++) {
		assert_true(got->entries[i].term == entries[i].term);
		assert_int_equal(got->entries[i].type, entries[i].type);
		assert_int_equal(got->entries[i].buf.len, entries[i].buf.len);
		assert_ptr_equal(got->entries[i].batch, got->entries[0].batch);
		if (entries[i].buf.len > 0)
			assert_memory_equal(got->entries[i].buf.base, entries[i].buf.base, entries[i].buf.len);
	}
	assert_ptr_equal(got->entries[0].buf.base, got->entries[0].batch);
	assert_null(got->entries[2].buf.base);
	frame_free(&f);
	free(bytes);
	raft_free(change.base);
}

static void test_append_entries_empty(void **state)
{
	struct raft_message m = {.type = RAFT_IO_APPEND_ENTRIES};
	struct frame f;
	uint8_t *bytes;

	(void)state;
	m.append_entries = (struct raft_append_entries){.term = 1};
	round_trip(&m, &f, &bytes);
	assert_null(f.raft.append_entries.entries);
	assert_int_equal(f.raft.append_entries.n_entries, 0);
	frame_free(&f);
	free(bytes);
}

static void test_append_entries_bounds(void **state)
{
	static struct raft_entry entries[FRAME_ENTRIES_MAX + 1];
	struct raft_message m = {.type = RAFT_IO_APPEND_ENTRIES};
	uint8_t data[8] = {0}, *bytes;
	struct frame f;
	size_t len;

	(void)state;
	for (unsigned i = 0; i <= FRAME_ENTRIES_MAX; i++)
		entries[i] = (struct raft_entry){.term = i + 1, .type = RAFT_COMMAND, .buf = {data, 8}};
	m.append_entries = (struct raft_append_entries){
	        .term = FRAME_ENTRIES_MAX, .entries = entries, .n_entries = FRAME_ENTRIES_MAX};
	assert_int_equal(frame_encode_raft(&m, &parts), 0);
	bytes = flatten(&len);
	assert_int_equal(frame_decode(bytes, len, &f), 0);
	assert_int_equal(f.raft.append_entries.n_entries, FRAME_ENTRIES_MAX);
	frame_free(&f);
	put_u32be(bytes + 33, FRAME_ENTRIES_MAX + 1);
	assert_int_equal(frame_decode(bytes, len, &f), CS_ERR_TOO_LARGE);
	put_u32be(bytes + 33, FRAME_ENTRIES_MAX);
	put_u32be(bytes + 37 + 9, 7); /* The first entry's length: what it gives up goes to the second. */
	put_u32be(bytes + 50 + 9, 9);
	assert_int_equal(frame_decode(bytes, len, &f), CS_ERR_MALFORMED);
	put_u32be(bytes + 37 + 9, 8);
	put_u32be(bytes + 50 + 9, 8);
	bytes[37 + 8] = 0; /* The first entry's type. */
	assert_int_equal(frame_decode(bytes, len, &f), CS_ERR_MALFORMED);
	bytes[37 + 8] = RAFT_CHANGE; /* Its data is no configuration. */
	assert_int_equal(frame_decode(bytes, len, &f), CS_ERR_MALFORMED);
	bytes[37 + 8] = RAFT_COMMAND;
	put_u64be(bytes + 37, 0); /* Its term. */
	assert_int_equal(frame_decode(bytes, len, &f), CS_ERR_MALFORMED);
	put_u64be(bytes + 37, FRAME_ENTRIES_MAX + 1);
	assert_int_equal(frame_decode(bytes, len, &f), CS_ERR_MALFORMED);
	put_u64be(bytes + 37, FRAME_ENTRIES_MAX);
	put_u64be(bytes + 9, UINT64_MAX - FRAME_ENTRIES_MAX + 1); /* The previous index, and its term. */
	put_u64be(bytes + 17, 1);
	assert_int_equal(frame_decode(bytes, len, &f), CS_ERR_MALFORMED);
	put_u64be(bytes + 9, 5);
	assert_int_equal(frame_decode(bytes, len, &f), 0);
	frame_free(&f);
	put_u64be(bytes + 17, 0);
	assert_int_equal(frame_decode(bytes, len, &f), CS_ERR_MALFORMED);
	free(bytes);
	m.append_entries.n_entries++;
	assert_int_equal(frame_encode_raft(&m, &parts), CS_ERR_TOO_LARGE);
	m.append_entries.n_entries = 1;
	entries[0].buf.len = 7;
	assert_int_equal(frame_encode_raft(&m, &parts), CS_ERR_INVALID);
	entries[0].buf.len = LINK_FRAME_SIZE_MAX; /* Too large with its head. */
	assert_int_equal(frame_encode_raft(&m, &parts), CS_ERR_TOO_LARGE);
	entries[0].buf.len = SIZE_MAX;
	assert_int_equal(frame_encode_raft(&m, &parts), CS_ERR_TOO_LARGE);
	m.type = 77;
	assert_int_equal(frame_encode_raft(&m, &parts), CS_ERR_INVALID);
}

static void test_small(void **state)
{
	struct raft_message m = {.type = RAFT_IO_APPEND_ENTRIES_RESULT};
	struct frame f;
	uint8_t *bytes;

	(void)state;
	m.append_entries_result = (struct raft_append_entries_result){1, 2, UINT64_MAX};
	round_trip(&m, &f, &bytes);
	assert_true(f.raft.append_entries_result.term == 1 && f.raft.append_entries_result.rejected == 2);
	assert_true(f.raft.append_entries_result.last_log_index == UINT64_MAX);
	free(bytes);
	m.type = RAFT_IO_REQUEST_VOTE;
	m.request_vote = (struct raft_request_vote){4, 99, 5, 6, true, false};
	round_trip(&m, &f, &bytes);
	assert_true(f.raft.request_vote.term == 4 && f.raft.request_vote.last_log_index == 5);
	assert_true(f.raft.request_vote.last_log_term == 6 && f.raft.request_vote.disrupt_leader);
	assert_false(f.raft.request_vote.pre_vote);
	assert_true(f.raft.request_vote.candidate_id == 3); /* Whoever it claims to be: the channel's principal. */
	free(bytes);
	m.type = RAFT_IO_REQUEST_VOTE_RESULT;
	m.request_vote_result = (struct raft_request_vote_result){8, true, raft_tribool_true};
	round_trip(&m, &f, &bytes);
	assert_true(f.raft.request_vote_result.term == 8 && f.raft.request_vote_result.vote_granted);
	assert_int_equal(f.raft.request_vote_result.pre_vote, raft_tribool_true);
	free(bytes);
	m.request_vote_result.pre_vote = raft_tribool_false;
	round_trip(&m, &f, &bytes);
	assert_int_equal(f.raft.request_vote_result.pre_vote, raft_tribool_false);
	free(bytes);
	m.type = RAFT_IO_TIMEOUT_NOW;
	m.timeout_now = (struct raft_timeout_now){1, 2, 3};
	round_trip(&m, &f, &bytes);
	assert_true(f.raft.timeout_now.term == 1 && f.raft.timeout_now.last_log_index == 2);
	assert_true(f.raft.timeout_now.last_log_term == 3);
	free(bytes);
}

static void test_install_snapshot(void **state)
{
	struct raft_message m = {.type = RAFT_IO_INSTALL_SNAPSHOT};
	struct raft_install_snapshot *s = &m.install_snapshot, *got;
	char address[FRAME_ADDRESS_SIZE_MAX + 2], data[] = "frontier";
	struct frame f;
	uint8_t *bytes;

	(void)state;
	memset(s, 0, sizeof *s);
	s->term = 3;
	s->last_index = 100;
	s->last_term = 2;
	s->conf_index = 90;
	s->data = (struct raft_buffer){data, sizeof data};
	assert_int_equal(frame_encode_raft(&m, &parts), CS_ERR_INVALID); /* libraft never has an empty one. */
	memset(address, 'a', sizeof address);
	address[FRAME_ADDRESS_SIZE_MAX] = '\0';
	for (unsigned i = 0; i < FRAME_SERVERS_MAX; i++) {
		address[0] = (char)('0' + i);
		assert_int_equal(raft_configuration_add(&s->conf, i + 1, address, RAFT_VOTER), 0);
	}
	round_trip(&m, &f, &bytes);
	got = &f.raft.install_snapshot;
	assert_true(got->term == 3 && got->last_index == 100 && got->last_term == 2 && got->conf_index == 90);
	assert_int_equal(got->conf.n, FRAME_SERVERS_MAX);
	assert_true(got->conf.servers[6].id == 7);
	assert_string_equal(got->conf.servers[6].address, address);
	assert_int_equal(got->data.len, sizeof data);
	assert_memory_equal(got->data.base, data, sizeof data);
	frame_free(&f);
	put_u64be(bytes + 17, 0); /* The last entry's term: nothing would take the snapshot for new. */
	assert_int_equal(frame_decode(bytes, parts.len, &f), CS_ERR_MALFORMED);
	put_u64be(bytes + 17, 4);
	assert_int_equal(frame_decode(bytes, parts.len, &f), CS_ERR_MALFORMED);
	put_u64be(bytes + 17, 3);
	put_u64be(bytes + 9, 0);
	assert_int_equal(frame_decode(bytes, parts.len, &f), CS_ERR_MALFORMED);
	free(bytes);
	assert_int_equal(raft_configuration_add(&s->conf, 8, "h", RAFT_VOTER), 0);
	assert_int_equal(frame_encode_raft(&m, &parts), CS_ERR_TOO_LARGE);
	raft_configuration_close(&s->conf);
	raft_configuration_init(&s->conf);
	address[FRAME_ADDRESS_SIZE_MAX] = 'a';
	address[FRAME_ADDRESS_SIZE_MAX + 1] = '\0';
	assert_int_equal(raft_configuration_add(&s->conf, 1, address, RAFT_VOTER), 0);
	assert_int_equal(frame_encode_raft(&m, &parts), 0); /* The reader refuses what is too long for it. */
	bytes = flatten(&(size_t){0});
	assert_int_equal(frame_decode(bytes, parts.len, &f), CS_ERR_MALFORMED);
	free(bytes);
	raft_configuration_close(&s->conf);
}

/* One RAFT_CHANGE entry with these bytes, padded to 8. */
static int decode_change(const uint8_t *conf, size_t len)
{
	uint8_t frame[37 + 13 + 256] = {FRAME_APPEND_ENTRIES};
	size_t padded = (len + 7) / 8 * 8;
	struct frame f;
	int rv;

	put_u64be(frame + 1, 1);
	put_u32be(frame + 33, 1);
	put_u64be(frame + 37, 1);
	frame[37 + 8] = RAFT_CHANGE;
	put_u32be(frame + 37 + 9, (uint32_t)padded);
	memcpy(frame + 50, conf, len);
	rv = decode_copy(frame, 50 + padded, &f);
	if (rv == 0)
		frame_free(&f);
	return rv;
}

static void test_configuration(void **state)
{
	/* Format, n, then id, address, role. */
	uint8_t conf[] = {1, 2,   0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0,   0, 0, 0,
	                  0, 'a', 0, 1, 2, 0, 0, 0, 0, 0, 0, 0, 'b', 0, 1};
	static const struct {
		size_t at;
		uint8_t value;
		int err;
	} lies[] = {
	        {0, 2, CS_ERR_MALFORMED},    /* Format. */
	        {1, 0, CS_ERR_MALFORMED},    /* No server. */
	        {1, 3, CS_ERR_MALFORMED},    /* More than there are. */
	        {1, 1, CS_ERR_MALFORMED},    /* Fewer: 8 bytes and more are left over. */
	        {8, 0x80, CS_ERR_TOO_LARGE}, /* 2^63 servers. */
	        {9, 0, CS_ERR_MALFORMED},    /* Id 0. */
	        {20, 1, CS_ERR_MALFORMED},   /* The same id. */
	        {28, 'a', CS_ERR_MALFORMED}, /* The same address. */
	        {17, 0, CS_ERR_MALFORMED},   /* No address. */
	        {19, 3, CS_ERR_MALFORMED},   /* No such role. */
	};

	(void)state;
	assert_int_equal(decode_change(conf, sizeof conf), 0);
	for (size_t i = 0; i < sizeof lies / sizeof *lies; i++) {
		uint8_t old = conf[lies[i].at];

		conf[lies[i].at] = lies[i].value;
		assert_int_equal(decode_change(conf, sizeof conf), lies[i].err);
		conf[lies[i].at] = old;
	}
	for (size_t n = 0; n < sizeof conf; n += 8)
		assert_int_equal(decode_change(conf, n), CS_ERR_MALFORMED);
}

static void own_round_trip(const struct frame *f, struct frame *ret, uint8_t **ret_bytes)
{
	size_t len;

	assert_int_equal(frame_encode(f, &parts), 0);
	*ret_bytes = flatten(&len);
	attack(*ret_bytes, len);
	memset(ret, 0, sizeof *ret);
	assert_int_equal(frame_decode(*ret_bytes, len, ret), 0);
	assert_int_equal(ret->type, f->type);
	frame_set_sender(ret, 3, "c:3"); /* Nothing to do for our own frames. */
}

static void test_own(void **state)
{
	struct frame f, g;
	uint8_t *bytes;

	(void)state;
	f = (struct frame){.type = FRAME_ANNOUNCE, .announce = {.size = 7, .note = "note\n", .note_len = 5}};
	memset(f.announce.root.b, 0x5a, HASH_SIZE);
	own_round_trip(&f, &g, &bytes);
	assert_true(g.announce.size == 7 && g.announce.note_len == 5);
	assert_memory_equal(g.announce.root.b, f.announce.root.b, HASH_SIZE);
	assert_memory_equal(g.announce.note, "note\n", 5);
	free(bytes);
	f = (struct frame){.type = FRAME_COSIGNATURE, .cosignature = {8, "line", 4}};
	own_round_trip(&f, &g, &bytes);
	assert_true(g.cosignature.size == 8 && g.cosignature.line_len == 4);
	assert_memory_equal(g.cosignature.line, "line", 4);
	free(bytes);
	f = (struct frame){.type = FRAME_HELLO, .hello = {FRAME_VERSION, 9, UINT64_MAX}};
	own_round_trip(&f, &g, &bytes);
	assert_true(g.hello.version == FRAME_VERSION && g.hello.cosigned_size == 9);
	assert_true(g.hello.applied_size == UINT64_MAX);
	free(bytes);
	/* Of another version only the version can be read. */
	static const uint8_t later[] = {FRAME_HELLO, 0, 0, 0, FRAME_VERSION + 1, 'x'};
	assert_int_equal(decode_copy(later, sizeof later, &g), 0);
	assert_true(g.hello.version == FRAME_VERSION + 1 && g.hello.cosigned_size == 0);
	f = (struct frame){.type = FRAME_FEATURES, .features = {UINT64_MAX, "0.1.0", 5}};
	own_round_trip(&f, &g, &bytes);
	assert_true(g.features.have == UINT64_MAX && g.features.build_len == 5);
	free(bytes);
	f = (struct frame){.type = FRAME_FETCH, .fetch = {1, 2, FRAME_FETCH_COUNT_MAX}};
	own_round_trip(&f, &g, &bytes);
	assert_true(g.fetch.kind == 1 && g.fetch.from == 2 && g.fetch.count == FRAME_FETCH_COUNT_MAX);
	free(bytes);
	f = (struct frame){.type = FRAME_ROSTER, .roster = {(const uint8_t *)"roster", 6}};
	own_round_trip(&f, &g, &bytes);
	assert_int_equal(g.roster.len, 6);
	assert_memory_equal(g.roster.bytes, "roster", 6);
	free(bytes);
	f = (struct frame){.type = FRAME_REMOVED, .removed = {77}};
	own_round_trip(&f, &g, &bytes);
	assert_int_equal(g.removed.version, 77);
	free(bytes);
	f = (struct frame){.type = FRAME_CHUNK, .chunk = {1, 2, (const uint8_t *)"abc", 3}};
	own_round_trip(&f, &g, &bytes);
	assert_true(g.chunk.kind == 1 && g.chunk.from == 2 && g.chunk.len == 3);
	assert_memory_equal(g.chunk.bytes, "abc", 3);
	free(bytes);
	f = (struct frame){.type = FRAME_PROBE, .read = {.term = 3, .number = UINT64_MAX}};
	own_round_trip(&f, &g, &bytes);
	assert_true(g.read.term == 3 && g.read.number == UINT64_MAX);
	free(bytes);
	f = (struct frame){.type = FRAME_ECHO, .read = {.term = 4, .number = 5}};
	own_round_trip(&f, &g, &bytes);
	assert_true(g.read.term == 4 && g.read.number == 5);
	free(bytes);
	f = (struct frame){.type = FRAME_ASK, .read = {.number = 6}};
	own_round_trip(&f, &g, &bytes);
	assert_true(g.read.number == 6);
	free(bytes);
	f = (struct frame){.type = FRAME_TOLD, .read = {.number = 7, .index = 8}};
	own_round_trip(&f, &g, &bytes);
	assert_true(g.read.number == 7 && g.read.index == 8);
	free(bytes);
	f = (struct frame){.type = FRAME_CLOCK, .clock = {UINT64_MAX - 1}};
	own_round_trip(&f, &g, &bytes);
	assert_true(g.clock.wall_ms == UINT64_MAX - 1);
	free(bytes);
	f = (struct frame){.type = FRAME_READINGS, .readings = {{1, 2, 3}, (const uint8_t *)"\x92\x90\x90", 3}};
	own_round_trip(&f, &g, &bytes);
	assert_true(g.readings.id[2] == 3 && g.readings.len == 3 && g.readings.bytes[0] == 0x92);
	free(bytes);
	f = (struct frame){.type = FRAME_ROOM, .room = {FRAME_ROOM_LEVEL_MAX, 1, 5, UINT64_MAX}};
	own_round_trip(&f, &g, &bytes);
	assert_true(g.room.level == FRAME_ROOM_LEVEL_MAX && g.room.what == 1 && g.room.free == 5);
	assert_true(g.room.size == UINT64_MAX);
	bytes[1]++;
	assert_int_not_equal(frame_decode(bytes, 19, &g), 0);
	bytes[1]--;
	bytes[2]++;
	assert_int_not_equal(frame_decode(bytes, 19, &g), 0);
	free(bytes);
}

static void test_own_bounds(void **state)
{
	static uint8_t big[FRAME_CHUNK_SIZE_MAX + 1];
	struct frame f = {.type = FRAME_CHUNK, .chunk = {0, 0, big, FRAME_CHUNK_SIZE_MAX}}, g;
	uint8_t *bytes;
	size_t len;

	(void)state;
	assert_int_equal(frame_encode(&f, &parts), 0);
	bytes = flatten(&len);
	assert_int_equal(frame_decode(bytes, len, &g), 0);
	free(bytes);
	f.chunk.len++;
	assert_int_equal(frame_encode(&f, &parts), CS_ERR_TOO_LARGE);
	f = (struct frame){.type = FRAME_ANNOUNCE,
	                   .announce = {.note = (char *)big, .note_len = LIMIT_NOTE_SIZE_MAX + 1}};
	assert_int_equal(frame_encode(&f, &parts), CS_ERR_TOO_LARGE);
	f = (struct frame){.type = FRAME_COSIGNATURE, .cosignature = {0, (char *)big, FRAME_COSIGNATURE_SIZE_MAX + 1}};
	assert_int_equal(frame_encode(&f, &parts), CS_ERR_TOO_LARGE);
	f = (struct frame){.type = FRAME_ROSTER, .roster = {big, FRAME_ROSTER_SIZE_MAX + 1}};
	assert_int_equal(frame_encode(&f, &parts), CS_ERR_TOO_LARGE);
	f = (struct frame){.type = FRAME_READINGS, .readings = {{0}, big, FRAME_READINGS_SIZE_MAX + 1}};
	assert_int_equal(frame_encode(&f, &parts), CS_ERR_TOO_LARGE);
	f = (struct frame){.type = FRAME_FEATURES, .features = {0, (char *)big, FRAME_BUILD_SIZE_MAX + 1}};
	assert_int_equal(frame_encode(&f, &parts), CS_ERR_TOO_LARGE);
	f = (struct frame){.type = FRAME_FETCH, .fetch = {0, 0, FRAME_FETCH_COUNT_MAX + 1}};
	assert_int_equal(frame_encode(&f, &parts), CS_ERR_TOO_LARGE);
	f = (struct frame){.type = FRAME_APPEND_ENTRIES};
	assert_int_equal(frame_encode(&f, &parts), CS_ERR_INVALID);
	for (unsigned type = 0; type < 256; type++) {
		uint8_t one = (uint8_t)type;

		bool ours = (type >= FRAME_APPEND_ENTRIES && type <= FRAME_TIMEOUT_NOW) ||
		            (type >= FRAME_ANNOUNCE && type <= FRAME_TOLD) || type == FRAME_ROOM ||
		            type == FRAME_CLOCK || type == FRAME_ROSTER || type == FRAME_REMOVED ||
		            type == FRAME_FEATURES || type == FRAME_READINGS;

		assert_int_equal(decode_copy(&one, 1, &g), ours ? CS_ERR_MALFORMED : CS_ERR_VERSION);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_append_entries),
	        cmocka_unit_test(test_append_entries_empty),
	        cmocka_unit_test(test_append_entries_bounds),
	        cmocka_unit_test(test_small),
	        cmocka_unit_test(test_install_snapshot),
	        cmocka_unit_test(test_configuration),
	        cmocka_unit_test(test_own),
	        cmocka_unit_test(test_own_bounds),
	};

	return cmocka_run_group_tests_name("frame", tests, NULL, NULL);
}
