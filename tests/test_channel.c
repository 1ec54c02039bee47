/* The channel: handshakes, golden bytes, hostile frames, the replay window, replies bound to their requests. */
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

#include "ledger/bytes.h"
#include "node/wire/channel_test.h"

#define ORIGIN    "example.org/cluster-0011223344556677"
#define NODE      UINT64_C(2)
#define SESSION   UINT64_C(0x0102030405060708)
#define TIMESTAMP UINT64_C(1700000000000000000)
#define NOW       UINT64_C(5000000000)

/* Keys 11…, 22…; ephemeral keys 33…, 44…; "request" and its "reply". */
#define GOLDEN_INIT                                                                                                    \
	"01010100000000000000027b0d47d93427f8311160781c7c733fd89f88970aef490d8aa0ee19a4cb"                             \
	"8a1b14f31e61f1ad41ce5ef4e146599ce06ec36a41e3a8a8d892d9990d48ef867722440b8f77f880"                             \
	"46ce202474528419f8462ff00f0703e969e5c8aae2df6ee2123f63cf0d949198d35128"
#define GOLDEN_ACCEPT                                                                                                  \
	"02ff2ee45601ec1b67310c7790404585ae697331eee1c1f8cf2419731c1fff3e6b229e25bf5db890"                             \
	"6eb7a417b4f53fb6846a65bb75eb66c4f5"
#define GOLDEN_DATA  "0301020304050607080000000000000000e8a90a7004c2c993d2b8ee318b59ed3854b76f47a1aff7"
#define GOLDEN_REPLY "0301020304050607080000000000000000b95fa365426f00d6db56e771f095d581b8ff15c5b5"

struct pair {
	struct channel_keypair client, node;
	struct channel_session a, b; /* a: initiator's, b: responder's. */
};

static void pair_keys(struct pair *p)
{
	uint8_t secret[32];

	memset(secret, 0x11, sizeof secret);
	assert_int_equal(channel_keypair_from_secret(&p->client, secret), 0);
	memset(secret, 0x22, sizeof secret);
	assert_int_equal(channel_keypair_from_secret(&p->node, secret), 0);
}

static void pair_connect(struct pair *p)
{
	struct channel_initiator i;
	struct channel_responder r;
	uint8_t init[CHANNEL_INIT_SIZE], accept[CHANNEL_ACCEPT_SIZE];

	pair_keys(p);
	assert_int_equal(channel_initiate(&i, &p->client, p->node.pub, CHANNEL_CLIENT, NODE, ORIGIN, TIMESTAMP, init),
	                 0);
	assert_int_equal(channel_respond(&r, &p->node, CHANNEL_CLIENT, NODE, ORIGIN, init, sizeof init), 0);
	assert_memory_equal(r.peer, p->client.pub, CHANNEL_KEY_SIZE);
	assert_true(r.timestamp_ns == TIMESTAMP);
	assert_int_equal(channel_accept(&r, SESSION, NOW, accept, &p->b), 0);
	assert_int_equal(channel_finish(&i, accept, sizeof accept, NOW, &p->a), 0);
}

static int is_zero(const void *p, size_t len)
{
	return sodium_is_zero(p, len);
}

static void test_session(void **state)
{
	struct pair p;
	uint8_t frame[64], *plain;
	size_t len;

	(void)state;
	pair_connect(&p);
	assert_true(p.a.id == SESSION && p.b.id == SESSION);
	assert_memory_equal(p.a.send_key, p.b.recv_key, 32);
	assert_memory_equal(p.a.recv_key, p.b.send_key, 32);
	assert_memory_not_equal(p.a.send_key, p.a.recv_key, 32);
	assert_memory_equal(p.a.peer, p.node.pub, 32);
	assert_memory_equal(p.b.peer, p.client.pub, 32);
	assert_true(p.a.confirmed);
	assert_false(p.b.confirmed);
	assert_int_equal(channel_seal(&p.a, NULL, "hello", 5, frame), 0);
	assert_int_equal(channel_open(&p.b, NULL, frame, 5 + CHANNEL_OVERHEAD, &plain, &len), 0);
	assert_true(p.b.confirmed);
	assert_int_equal(len, 5);
	assert_memory_equal(plain, "hello", 5);
	assert_false(channel_session_spent(&p.a, NOW + CHANNEL_SESSION_S_MAX * UINT64_C(1000000000) - 1));
	assert_true(channel_session_spent(&p.a, NOW + CHANNEL_SESSION_S_MAX * UINT64_C(1000000000)));
	channel_session_wipe(&p.a);
	assert_true(is_zero(&p.a, sizeof p.a));
}

static void hex_of(char *ret, const uint8_t *b, size_t len)
{
	sodium_bin2hex(ret, 2 * len + 1, b, len);
}

/* The bytes are for ever: a change here is a change of the protocol's version. */
static void test_golden(void **state)
{
	static const char *const want[] = {GOLDEN_INIT, GOLDEN_ACCEPT, GOLDEN_DATA, GOLDEN_REPLY};
	struct channel_initiator i;
	struct channel_responder r;
	struct pair p;
	uint8_t frame[CHANNEL_INIT_SIZE], accept[CHANNEL_ACCEPT_SIZE], e[32], data[64], reply[64];
	char hex[2 * CHANNEL_INIT_SIZE + 1];

	(void)state;
	pair_keys(&p);
	memset(e, 0x33, sizeof e);
	assert_int_equal(
	        channel_initiate_with(&i, &p.client, p.node.pub, CHANNEL_CLIENT, NODE, ORIGIN, TIMESTAMP, e, frame), 0);
	hex_of(hex, frame, sizeof frame);
	assert_string_equal(hex, want[0]);
	assert_int_equal(channel_respond(&r, &p.node, CHANNEL_CLIENT, NODE, ORIGIN, frame, sizeof frame), 0);
	memset(e, 0x44, sizeof e);
	assert_int_equal(channel_accept_with(&r, SESSION, NOW, e, accept, &p.b), 0);
	assert_true(is_zero(&r, sizeof r));
	hex_of(hex, accept, sizeof accept);
	assert_string_equal(hex, want[1]);
	assert_int_equal(channel_finish(&i, accept, sizeof accept, NOW, &p.a), 0);
	assert_true(is_zero(&i, sizeof i));
	assert_int_equal(channel_seal(&p.a, NULL, "request", 7, data), 0);
	hex_of(hex, data, 7 + CHANNEL_OVERHEAD);
	assert_string_equal(hex, want[2]);
	assert_int_equal(channel_seal(&p.b, data, "reply", 5, reply), 0);
	hex_of(hex, reply, 5 + CHANNEL_OVERHEAD);
	assert_string_equal(hex, want[3]);
}

/* Every truncation, every flipped bit, and one byte too many. */
static void test_init_hostile(void **state)
{
	struct channel_initiator i;
	struct channel_responder r;
	struct pair p;
	uint8_t frame[CHANNEL_INIT_SIZE + 1] = {0};

	(void)state;
	pair_keys(&p);
	assert_int_equal(channel_initiate(&i, &p.client, p.node.pub, CHANNEL_NODE, NODE, ORIGIN, TIMESTAMP, frame), 0);
	for (size_t len = 0; len < CHANNEL_INIT_SIZE; len++)
		assert_int_equal(channel_respond(&r, &p.node, CHANNEL_NODE, NODE, ORIGIN, frame, len),
		                 CS_ERR_MALFORMED);
	assert_int_equal(channel_respond(&r, &p.node, CHANNEL_NODE, NODE, ORIGIN, frame, sizeof frame),
	                 CS_ERR_MALFORMED);
	for (size_t bit = 0; bit < 8 * CHANNEL_INIT_SIZE; bit++) {
		frame[bit / 8] ^= (uint8_t)(1u << bit % 8);
		/* RFC 7748, 5: the top bit of a public key is ignored by X25519, but not by the handshake's hash. */
		assert_true(channel_respond(&r, &p.node, CHANNEL_NODE, NODE, ORIGIN, frame, CHANNEL_INIT_SIZE) < 0);
		frame[bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
	assert_int_equal(channel_respond(&r, &p.node, CHANNEL_NODE, NODE, ORIGIN, frame, CHANNEL_INIT_SIZE), 0);
	channel_responder_wipe(&r);
	channel_initiator_wipe(&i);
}

static void test_accept_hostile(void **state)
{
	struct channel_initiator i, spare;
	struct channel_responder r;
	struct pair p;
	uint8_t init[CHANNEL_INIT_SIZE], frame[CHANNEL_ACCEPT_SIZE + 1] = {0};

	(void)state;
	pair_keys(&p);
	assert_int_equal(channel_initiate(&i, &p.client, p.node.pub, CHANNEL_NODE, NODE, ORIGIN, TIMESTAMP, init), 0);
	assert_int_equal(channel_respond(&r, &p.node, CHANNEL_NODE, NODE, ORIGIN, init, sizeof init), 0);
	assert_int_equal(channel_accept(&r, SESSION, NOW, frame, &p.b), 0);
	for (size_t len = 0; len <= sizeof frame; len++) {
		if (len == CHANNEL_ACCEPT_SIZE)
			continue;
		spare = i;
		assert_int_equal(channel_finish(&spare, frame, len, NOW, &p.a), CS_ERR_MALFORMED);
		assert_true(is_zero(&spare, sizeof spare));
	}
	for (size_t bit = 0; bit < 8 * CHANNEL_ACCEPT_SIZE; bit++) {
		spare = i;
		frame[bit / 8] ^= (uint8_t)(1u << bit % 8);
		assert_true(channel_finish(&spare, frame, CHANNEL_ACCEPT_SIZE, NOW, &p.a) < 0);
		frame[bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
	assert_int_equal(channel_finish(&i, frame, CHANNEL_ACCEPT_SIZE, NOW, &p.a), 0);
}

/* Another node, role, cluster or key than the initiator meant: refused. */
static void test_prologue(void **state)
{
	struct channel_initiator i;
	struct channel_responder r;
	struct pair p;
	uint8_t frame[CHANNEL_INIT_SIZE], other[CHANNEL_INIT_SIZE];
	char origin[200];

	(void)state;
	pair_keys(&p);
	assert_int_equal(channel_initiate(&i, &p.client, p.node.pub, CHANNEL_NODE, NODE, ORIGIN, TIMESTAMP, frame), 0);
	assert_int_equal(channel_respond(&r, &p.node, CHANNEL_NODE, NODE + 1, ORIGIN, frame, sizeof frame),
	                 CS_ERR_UNAUTHENTICATED);
	assert_int_equal(channel_respond(&r, &p.node, CHANNEL_CLIENT, NODE, ORIGIN, frame, sizeof frame),
	                 CS_ERR_UNAUTHENTICATED);
	assert_int_equal(channel_respond(&r, &p.node, CHANNEL_NODE, NODE, "another", frame, sizeof frame),
	                 CS_ERR_UNAUTHENTICATED);
	assert_int_equal(channel_respond(&r, &p.client, CHANNEL_NODE, NODE, ORIGIN, frame, sizeof frame),
	                 CS_ERR_UNAUTHENTICATED);
	/* The header's role and node id changed on the way to what the responder expects. */
	memcpy(other, frame, sizeof other);
	other[2] = CHANNEL_CLIENT;
	assert_int_equal(channel_respond(&r, &p.node, CHANNEL_CLIENT, NODE, ORIGIN, other, sizeof other),
	                 CS_ERR_UNAUTHENTICATED);
	memcpy(other, frame, sizeof other);
	put_u64be(other + 3, NODE + 1);
	assert_int_equal(channel_respond(&r, &p.node, CHANNEL_NODE, NODE + 1, ORIGIN, other, sizeof other),
	                 CS_ERR_UNAUTHENTICATED);
	memset(origin, 'x', sizeof origin);
	origin[sizeof origin - 1] = '\0';
	assert_int_equal(channel_initiate(&i, &p.client, p.node.pub, CHANNEL_NODE, NODE, origin, TIMESTAMP, frame),
	                 CS_ERR_INVALID);
	channel_initiator_wipe(&i);
}

/* Points of small order would make the shared secret zero, known to everybody. */
static void test_small_order(void **state)
{
	static const uint8_t points[][32] = {
	        {0}, {1}, {0xec, [1 ... 30] = 0xff, 0x7f}, {0xed, [1 ... 30] = 0xff, 0x7f}};
	struct channel_initiator i;
	struct channel_responder r;
	struct pair p;
	uint8_t frame[CHANNEL_INIT_SIZE];

	(void)state;
	pair_keys(&p);
	assert_int_equal(channel_initiate(&i, &p.client, p.node.pub, CHANNEL_NODE, NODE, ORIGIN, TIMESTAMP, frame), 0);
	channel_initiator_wipe(&i);
	for (size_t k = 0; k < sizeof points / sizeof *points; k++) {
		memcpy(frame + 11, points[k], 32);
		assert_int_equal(channel_respond(&r, &p.node, CHANNEL_NODE, NODE, ORIGIN, frame, sizeof frame),
		                 CS_ERR_UNAUTHENTICATED);
		assert_int_equal(
		        channel_initiate(&i, &p.client, points[k], CHANNEL_NODE, NODE, ORIGIN, TIMESTAMP, frame),
		        CS_ERR_UNAUTHENTICATED);
		assert_true(is_zero(&i, sizeof i));
	}
}

static void test_data_hostile(void **state)
{
	struct pair p;
	uint8_t frame[8 + CHANNEL_OVERHEAD], copy[sizeof frame], *plain = NULL;
	struct channel_session before;
	size_t len = 77;

	(void)state;
	pair_connect(&p);
	assert_int_equal(channel_seal(&p.a, NULL, "12345678", 8, frame), 0);
	before = p.b;
	for (size_t n = 0; n < sizeof frame; n++) {
		memcpy(copy, frame, n);
		assert_int_equal(channel_open(&p.b, NULL, copy, n, &plain, &len),
		                 n < CHANNEL_OVERHEAD ? CS_ERR_MALFORMED : CS_ERR_UNAUTHENTICATED);
	}
	for (size_t bit = 0; bit < 8 * sizeof frame; bit++) {
		memcpy(copy, frame, sizeof copy);
		copy[bit / 8] ^= (uint8_t)(1u << bit % 8);
		assert_true(channel_open(&p.b, NULL, copy, sizeof copy, &plain, &len) < 0);
	}
	assert_null(plain);
	assert_int_equal(len, 77);
	assert_memory_equal(&before, &p.b, sizeof before); /* Forgeries moved nothing. */
	assert_int_equal(channel_open(&p.a, NULL, frame, sizeof frame, &plain, &len), CS_ERR_UNAUTHENTICATED);
}

static int deliver(struct pair *p, uint64_t nonce)
{
	uint8_t frame[CHANNEL_OVERHEAD + 1], *plain;
	size_t len;

	p->a.send_nonce = nonce;
	assert_int_equal(channel_seal(&p->a, NULL, "x", 1, frame), 0);
	return channel_open(&p->b, NULL, frame, sizeof frame, &plain, &len);
}

static void test_window(void **state)
{
	const uint64_t w = CHANNEL_REPLAY_WIDTH;
	struct pair p;

	(void)state;
	pair_connect(&p);
	assert_int_equal(deliver(&p, 0), 0);
	assert_int_equal(deliver(&p, 0), CS_ERR_UNAUTHENTICATED);
	assert_int_equal(deliver(&p, w), 0); /* 0 is now just outside. */
	assert_int_equal(deliver(&p, 0), CS_ERR_UNAUTHENTICATED);
	assert_int_equal(deliver(&p, 1), 0); /* The oldest inside. */
	assert_int_equal(deliver(&p, 1), CS_ERR_UNAUTHENTICATED);
	for (uint64_t n = w - 1; n > 1; n--)
		assert_int_equal(deliver(&p, n), 0);
	for (uint64_t n = 0; n <= w; n++)
		assert_int_equal(deliver(&p, n), CS_ERR_UNAUTHENTICATED);
	assert_int_equal(deliver(&p, 10 * w + 5), 0); /* A leap empties the window. */
	assert_int_equal(deliver(&p, 9 * w + 5), CS_ERR_UNAUTHENTICATED);
	for (uint64_t n = 9 * w + 6; n < 10 * w + 5; n++)
		assert_int_equal(deliver(&p, n), 0);
}

/* A window of bits against a plain list of what was taken. */
static void test_window_random(void **state)
{
	static uint8_t taken[20000];
	uint64_t newest = 0; /* Highest taken, plus one. */
	struct pair p;

	(void)state;
	memset(taken, 0, sizeof taken);
	pair_connect(&p);
	for (unsigned i = 0; i < 6000; i++) {
		uint64_t low = newest > 3000 ? newest - 3000 : 0;
		uint64_t n = low + randombytes_uniform(3002);
		bool fresh = n + CHANNEL_REPLAY_WIDTH >= newest && !taken[n];

		if (n >= sizeof taken)
			continue;
		assert_int_equal(deliver(&p, n), fresh ? 0 : CS_ERR_UNAUTHENTICATED);
		if (fresh) {
			taken[n] = 1;
			newest = n + 1 > newest ? n + 1 : newest;
		}
	}
}

static void test_spent(void **state)
{
	struct pair p;
	uint8_t frame[CHANNEL_OVERHEAD], forged[CHANNEL_OVERHEAD], *plain;
	size_t len;

	(void)state;
	pair_connect(&p);
	assert_int_equal(deliver(&p, CHANNEL_MESSAGES_MAX - 1), 0);
	assert_true(p.a.send_nonce == CHANNEL_MESSAGES_MAX);
	assert_true(channel_session_spent(&p.a, NOW));
	assert_int_equal(channel_seal(&p.a, NULL, "", 0, frame), CS_ERR_EXPIRED);
	/* A peer that goes on all the same is not heard, though its tag is right. */
	forged[0] = CHANNEL_DATA;
	put_u64be(forged + 1, SESSION);
	put_u64be(forged + 9, CHANNEL_MESSAGES_MAX);
	noise_encrypt(p.a.send_key, CHANNEL_MESSAGES_MAX, forged, 17, "", 0, forged + 17);
	assert_int_equal(channel_open(&p.b, NULL, forged, sizeof forged, &plain, &len), CS_ERR_UNAUTHENTICATED);
}

/* A reply opens only as the answer to the very request that it answers. */
static void test_reply(void **state)
{
	struct pair p;
	uint8_t one[CHANNEL_OVERHEAD + 1], two[CHANNEL_OVERHEAD + 1], reply[CHANNEL_OVERHEAD + 2], copy[sizeof reply];
	uint8_t *plain;
	uint64_t id;
	size_t len;

	(void)state;
	pair_connect(&p);
	assert_int_equal(channel_seal(&p.a, NULL, "1", 1, one), 0);
	assert_int_equal(channel_seal(&p.a, NULL, "2", 1, two), 0);
	memcpy(reply + CHANNEL_DATA_HEADER_SIZE, "ok", 2); /* In place. */
	assert_int_equal(channel_seal(&p.b, one, reply + CHANNEL_DATA_HEADER_SIZE, 2, reply), 0);
	memcpy(copy, reply, sizeof copy);
	assert_int_equal(channel_open(&p.a, two, copy, sizeof copy, &plain, &len), CS_ERR_UNAUTHENTICATED);
	memcpy(copy, reply, sizeof copy);
	assert_int_equal(channel_open(&p.a, NULL, copy, sizeof copy, &plain, &len), CS_ERR_UNAUTHENTICATED);
	assert_int_equal(channel_frame_type(reply, sizeof reply), CHANNEL_DATA);
	assert_int_equal(channel_frame_type(reply, 0), 0);
	assert_int_equal(channel_frame_session(reply, sizeof reply, &id), 0);
	assert_true(id == SESSION);
	assert_int_equal(channel_frame_session(reply, CHANNEL_OVERHEAD - 1, &id), CS_ERR_MALFORMED);
	assert_int_equal(channel_open(&p.a, one, reply, sizeof reply, &plain, &len), 0);
	assert_memory_equal(plain, "ok", 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_session),       cmocka_unit_test(test_golden),
	        cmocka_unit_test(test_init_hostile),  cmocka_unit_test(test_accept_hostile),
	        cmocka_unit_test(test_prologue),      cmocka_unit_test(test_small_order),
	        cmocka_unit_test(test_data_hostile),  cmocka_unit_test(test_window),
	        cmocka_unit_test(test_window_random), cmocka_unit_test(test_spent),
	        cmocka_unit_test(test_reply),
	};

	if (sodium_init() < 0)
		return 1;
	return cmocka_run_group_tests_name("channel", tests, NULL, NULL);
}
