/* The clients' messages: round trips, every truncation, flipped bytes, bounds, what must be refused. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <setjmp.h>
#include <sodium.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "ledger/errors.h"
#include "node/wire/messages.h"

static const uint8_t body[] = {0x92, 0x01, 0xa1, 'x'}; /* [1, "x"] */
static uint8_t buf[WIRE_REPLY_SIZE_MAX + 64];

typedef int (*decode_fn)(const uint8_t *bytes, size_t len);

/* A copy of exactly len bytes, so that a sanitizer sees one byte read too far. */
static int decode_tight(decode_fn decode, const uint8_t *bytes, size_t len)
{
	uint8_t *copy = malloc(len > 0 ? len : 1);
	int rv;

	assert_non_null(copy);
	memcpy(copy, bytes, len);
	rv = decode(copy, len);
	free(copy);
	return rv;
}

/* Truncations and a surplus byte are refused; any single changed byte is read without harm. */
static void attack(decode_fn decode, size_t len)
{
	assert_int_equal(decode_tight(decode, buf, len), 0);
	for (size_t n = 0; n < len; n++)
		assert_true(decode_tight(decode, buf, n) < 0);
	buf[len] = 0xc0;
	assert_true(decode_tight(decode, buf, len + 1) < 0);
	for (size_t i = 0; i < len; i++) {
		uint8_t old = buf[i];

		for (unsigned v = 0; v < 256; v++) {
			buf[i] = (uint8_t)v;
			(void)decode_tight(decode, buf, len);
		}
		buf[i] = old;
	}
}

static int decode_request(const uint8_t *bytes, size_t len)
{
	struct wire_request r;

	return wire_request_decode(&r, bytes, len);
}

static int decode_reply(const uint8_t *bytes, size_t len)
{
	struct wire_reply r;

	return wire_reply_decode(&r, bytes, len);
}

static int decode_proved(const uint8_t *bytes, size_t len)
{
	struct wire_proved p;

	return wire_proved_decode(&p, bytes, len);
}

static int decode_status(const uint8_t *bytes, size_t len)
{
	struct wire_status s;

	return wire_status_decode(&s, bytes, len);
}

static void test_request(void **state)
{
	struct wire_request q = {.type = WIRE_DECIDE, .deadline_ms = 250, .body = body, .body_len = sizeof body};
	struct wire_request back;
	size_t len;

	(void)state;
	wire_request_id(q.id, UINT64_C(0x0123456789ab));
	assert_true(wire_request_id_time(q.id) == UINT64_C(0x0123456789ab));
	assert_int_equal(wire_request_encode(&q, buf, sizeof buf, &len), 0);
	assert_int_equal(wire_request_decode(&back, buf, len), 0);
	assert_memory_equal(back.id, q.id, sizeof q.id);
	assert_int_equal(back.type, WIRE_DECIDE);
	assert_int_equal(back.deadline_ms, 250);
	assert_int_equal(back.body_len, sizeof body);
	assert_memory_equal(back.body, body, sizeof body);
	attack(decode_request, len);
}

static void test_request_bounds(void **state)
{
	static const uint8_t scalar[] = {0x01}, wide[] = {0x92, 0xcc, 0x01, 0xa1, 'x'}, cut[] = {0x92, 0x01};
	struct wire_request q = {.type = 200, .deadline_ms = 1, .body = body, .body_len = sizeof body}, back;
	size_t len;

	(void)state;
	assert_int_equal(wire_request_encode(&q, buf, sizeof buf, &len), CS_ERR_INVALID);
	q.type = WIRE_HELLO;
	q.deadline_ms = WIRE_DEADLINE_MS_MAX + 1;
	assert_int_equal(wire_request_encode(&q, buf, sizeof buf, &len), CS_ERR_INVALID);
	q.deadline_ms = WIRE_DEADLINE_MS_MAX;
	assert_int_equal(wire_request_encode(&q, buf, 10, &len), CS_ERR_TOO_LARGE);
	assert_int_equal(wire_request_encode(&q, buf, sizeof buf, &len), 0);
	buf[1] = WIRE_VERSION + 1;
	assert_int_equal(wire_request_decode(&back, buf, len), CS_ERR_MALFORMED);
	buf[1] = WIRE_VERSION;
	buf[20] = 99; /* The type: after array 1, version 1, bin 2 + 16. */
	assert_int_equal(wire_request_decode(&back, buf, len), CS_ERR_MALFORMED);
	assert_int_equal(wire_request_decode(&back, buf, WIRE_REQUEST_SIZE_MAX + 1), CS_ERR_TOO_LARGE);
	q.body = scalar; /* Not an array. */
	q.body_len = sizeof scalar;
	assert_int_equal(wire_request_encode(&q, buf, sizeof buf, &len), 0);
	assert_int_equal(wire_request_decode(&back, buf, len), CS_ERR_MALFORMED);
	q.body = wide; /* Not the shortest form. */
	q.body_len = sizeof wide;
	assert_int_equal(wire_request_encode(&q, buf, sizeof buf, &len), 0);
	assert_int_equal(wire_request_decode(&back, buf, len), CS_ERR_MALFORMED);
	q.body = cut;
	q.body_len = sizeof cut;
	assert_int_equal(wire_request_encode(&q, buf, sizeof buf, &len), 0);
	assert_int_equal(wire_request_decode(&back, buf, len), CS_ERR_MALFORMED);
}

static int decode_many(const uint8_t *bytes, size_t len)
{
	struct wire_part parts[WIRE_MANY_MAX];
	struct wire_request r, inner;
	unsigned n = 0;

	int err = wire_request_decode(&r, bytes, len);
	if (err == 0)
		err = wire_many_decode(parts, &n, r.body, r.body_len);
	for (unsigned i = 0; err == 0 && i < n; i++)
		err = wire_request_decode(&inner, parts[i].bytes, parts[i].len);
	return err;
}

static void test_many(void **state)
{
	static const uint8_t one[] = {0x91, 0xc4, 0x00}, short_bin[] = {0x92, 0xc4, 0x00, 0xc4, 0x01},
	                     text[] = {0x92, 0xa0, 0xa0}, nested[] = {0x92, 0xc4, 0x00, 0x91, 0xc4, 0x00};
	static uint8_t big[300];
	static const uint32_t deadlines[] = {0, 127, 128, 255, 256, WIRE_DEADLINE_MS_MAX};
	struct wire_part parts[WIRE_MANY_MAX];
	struct wire_request q = {.type = WIRE_CHECK, .body = body, .body_len = sizeof body}, back, inner;
	struct writer w;
	unsigned n;
	size_t len;

	(void)state;
	/* Every width of a deadline and of a bin's length. */
	writer_init(&w, buf, sizeof buf);
	wire_many_begin(&w, (const uint8_t *)"0123456789abcdef", 500, 12);
	writer_init(&w, big, sizeof big);
	writer_array(&w, 1);
	writer_bin(&w, buf, 256);
	size_t big_len = w.len;
	writer_init(&w, buf, sizeof buf);
	wire_many_begin(&w, (const uint8_t *)"0123456789abcdef", 500, 12);
	for (unsigned i = 0; i < 12; i++) {
		q.deadline_ms = deadlines[i % 6];
		q.body = i < 6 ? body : big;
		q.body_len = i < 6 ? sizeof body : big_len;
		wire_many_add(&w, &q);
	}
	assert_int_equal(writer_end(&w, &len), 0);
	assert_int_equal(wire_request_decode(&back, buf, len), 0);
	assert_int_equal(back.type, WIRE_MANY);
	assert_int_equal(wire_many_decode(parts, &n, back.body, back.body_len), 0);
	assert_int_equal(n, 12);
	for (unsigned i = 0; i < n; i++) {
		assert_int_equal(wire_request_decode(&inner, parts[i].bytes, parts[i].len), 0);
		assert_int_equal(inner.deadline_ms, deadlines[i % 6]);
		assert_int_equal(inner.body_len, i < 6 ? sizeof body : big_len);
	}
	writer_init(&w, buf, sizeof buf);
	wire_many_begin(&w, (const uint8_t *)"0123456789abcdef", 500, 2);
	q.body = body;
	q.body_len = sizeof body;
	wire_many_add(&w, &q);
	wire_many_add(&w, &q);
	assert_int_equal(writer_end(&w, &len), 0);
	attack(decode_many, len);
	/* What is not 2 to 64 whole bins. */
	assert_int_equal(wire_many_decode(parts, &n, one, sizeof one), CS_ERR_MALFORMED);
	assert_int_equal(wire_many_decode(parts, &n, "\x90", 1), CS_ERR_MALFORMED);
	assert_int_equal(wire_many_decode(parts, &n, short_bin, sizeof short_bin), CS_ERR_MALFORMED);
	assert_int_equal(wire_many_decode(parts, &n, text, sizeof text), CS_ERR_MALFORMED);
	assert_int_equal(wire_many_decode(parts, &n, nested, sizeof nested), CS_ERR_MALFORMED);
	writer_init(&w, buf, sizeof buf);
	writer_array(&w, WIRE_MANY_MAX + 1);
	for (unsigned i = 0; i <= WIRE_MANY_MAX; i++)
		writer_bin(&w, "", 0);
	assert_int_equal(wire_many_decode(parts, &n, buf, w.len), CS_ERR_TOO_LARGE);
	assert_int_equal(wire_many_decode(parts, &n, "\xdd\xff\xff\xff\xff", 5), CS_ERR_TOO_LARGE);
}

static void test_types(void **state)
{
	(void)state;
	assert_string_equal(wire_type_text(WIRE_DECIDE), "decide");
	assert_string_equal(wire_type_text(WIRE_STATUS), "status");
	assert_null(wire_type_text(0));
	assert_null(wire_type_text(255));
}

static void test_reply(void **state)
{
	struct wire_reply p = {.id = "0123456789abcde", .body = body, .body_len = sizeof body}, back;
	size_t len;

	(void)state;
	assert_int_equal(wire_reply_encode(&p, buf, sizeof buf, &len), 0);
	assert_int_equal(wire_reply_decode(&back, buf, len), 0);
	assert_int_equal(back.err, 0);
	assert_memory_equal(back.id, p.id, sizeof p.id);
	assert_int_equal(back.body_len, sizeof body);
	assert_memory_equal(back.body, body, sizeof body);
	attack(decode_reply, len);
	assert_int_equal(wire_reply_decode(&back, buf, WIRE_REPLY_SIZE_MAX + 1), CS_ERR_TOO_LARGE);
}

static void test_reply_error(void **state)
{
	struct wire_reply p = {.err = CS_ERR_NOT_LEADER, .text = "not the leader", .leader_url = "tcp://[::1]:7000"};
	struct wire_reply back;
	size_t len;

	(void)state;
	p.retry_ms = 5;
	assert_int_equal(wire_reply_encode(&p, buf, sizeof buf, &len), 0);
	assert_int_equal(wire_reply_decode(&back, buf, len), 0);
	assert_int_equal(back.err, CS_ERR_NOT_LEADER);
	assert_string_equal(back.text, p.text);
	assert_string_equal(back.leader_url, p.leader_url);
	assert_int_equal(back.retry_ms, 5);
	assert_null(back.body);
	attack(decode_reply, len);
	p.leader_url[0] = '\0';
	assert_int_equal(wire_reply_encode(&p, buf, sizeof buf, &len), 0);
	assert_int_equal(wire_reply_decode(&back, buf, len), 0);
	assert_string_equal(back.leader_url, "");
	memset(p.text, 'x', sizeof p.text); /* No NUL at all: cut, not overrun. */
	assert_int_equal(wire_reply_encode(&p, buf, sizeof buf, &len), 0);
	assert_int_equal(wire_reply_decode(&back, buf, len), 0);
	assert_int_equal(strlen(back.text), sizeof back.text - 1);
	p.err = 1;
	assert_int_equal(wire_reply_encode(&p, buf, sizeof buf, &len), CS_ERR_INVALID);
	p.err = -256;
	assert_int_equal(wire_reply_encode(&p, buf, sizeof buf, &len), CS_ERR_INVALID);
}

static void test_proved(void **state)
{
	static struct wire_proved p, back;
	static const uint8_t leaf[] = {1, 2, 3}, fields[] = {4, 5};
	size_t len;

	(void)state;
	p.leaf = leaf;
	p.leaf_len = sizeof leaf;
	p.body = fields;
	p.body_len = sizeof fields;
	p.checkpoint = "origin\n1\n";
	p.checkpoint_len = 9;
	for (p.n_proof = 0; p.n_proof <= LIMIT_PROOF_HASHES_MAX; p.n_proof += 21) {
		randombytes_buf(p.proof, sizeof p.proof);
		assert_int_equal(wire_proved_encode(&p, buf, sizeof buf, &len), 0);
		assert_int_equal(wire_proved_decode(&back, buf, len), 0);
		assert_int_equal(back.n_proof, p.n_proof);
		assert_memory_equal(back.proof, p.proof, p.n_proof * sizeof *p.proof);
		assert_int_equal(back.leaf_len, sizeof leaf);
		assert_memory_equal(back.leaf, leaf, sizeof leaf);
		assert_int_equal(back.body_len, sizeof fields);
		assert_memory_equal(back.body, fields, sizeof fields);
		assert_int_equal(back.checkpoint_len, 9);
		assert_memory_equal(back.checkpoint, p.checkpoint, 9);
	}
	p.n_proof = LIMIT_PROOF_HASHES_MAX + 1;
	assert_int_equal(wire_proved_encode(&p, buf, sizeof buf, &len), CS_ERR_INVALID);
	p.n_proof = 2;
	assert_int_equal(wire_proved_encode(&p, buf, sizeof buf, &len), 0);
	attack(decode_proved, len);
}

static void test_status(void **state)
{
	struct wire_status s = {.node_id = 1,
	                        .leader_id = 3,
	                        .term = 7,
	                        .raft_last = UINT64_MAX,
	                        .raft_commit = 9,
	                        .raft_applied = 8,
	                        .size = 100,
	                        .stored_size = 90,
	                        .cosigned_size = 80,
	                        .pending = 4,
	                        .uptime_ms = 123456,
	                        .role = "leader",
	                        .health = "ok",
	                        .version = "0.1.0"};
	struct wire_status back;
	size_t len;

	(void)state;
	for (unsigned i = 1; i < 14; i++)
		s.guards[i] = 1000 * i;
	randombytes_buf(s.root.b, sizeof s.root.b);
	assert_int_equal(wire_status_encode(&s, buf, sizeof buf, &len), 0);
	assert_int_equal(wire_status_decode(&back, buf, len), 0);
	assert_memory_equal(&back, &s, sizeof s);
	attack(decode_status, len);
}

static void test_status_details(void **state)
{
	struct wire_status s = {.node_id = 1,
	                        .role = "follower",
	                        .health = "ok",
	                        .version = "0.1.0",
	                        .detailed = true,
	                        .details = {.disk_free = 1,
	                                    .disk_size = 2,
	                                    .disk_reserve = 3,
	                                    .map_free = 4,
	                                    .map_size = 5,
	                                    .ledger_bytes = 6,
	                                    .log_bytes = 7,
	                                    .room = 3,
	                                    .checkpoint_s = 8,
	                                    .now_ms = UINT64_MAX,
	                                    .voters = 7,
	                                    .n_cosigners = 7,
	                                    .cosigners = {1, 2, 3, 4, 5, 6, UINT64_MAX},
	                                    .features_have = UINT64_MAX,
	                                    .features_on = 2,
	                                    .geo_city_s = 1700000000,
	                                    .geo_network_s = UINT64_MAX}};
	struct wire_status back;
	struct writer w;
	size_t len;

	(void)state;
	assert_int_equal(wire_status_encode(&s, buf, sizeof buf, &len), 0);
	assert_int_equal(wire_status_decode(&back, buf, len), 0);
	assert_memory_equal(&back, &s, sizeof s);
	attack(decode_status, len);
	/* What a later version adds behind the rest is skipped. */
	buf[2]++;
	writer_init(&w, buf + len, sizeof buf - len);
	writer_cstr(&w, "what nobody knows yet");
	assert_int_equal(wire_status_decode(&back, buf, len + w.len), 0);
	assert_memory_equal(&back, &s, sizeof s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_request), cmocka_unit_test(test_request_bounds), cmocka_unit_test(test_types),
	        cmocka_unit_test(test_reply),   cmocka_unit_test(test_reply_error),    cmocka_unit_test(test_proved),
	        cmocka_unit_test(test_status),  cmocka_unit_test(test_status_details), cmocka_unit_test(test_many),
	};

	if (sodium_init() < 0)
		return 1;
	return cmocka_run_group_tests_name("messages", tests, NULL, NULL);
}
