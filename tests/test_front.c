/* The front against a raw nng client: handshakes, replays, bounds, roles, many requests at once. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "tests/front_kit.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static void test_echo(void **state)
{
	struct channel_session x;
	struct front_stats st;
	nng_socket s = front_kit_dial();

	(void)state;
	assert_int_equal(front_kit_handshake(s, &front_kit_alice, &x), 0);
	for (unsigned i = 0; i < 100; i++)
		assert_int_equal(front_kit_ask_type(s, &x, WIRE_DECIDE), 0);
	front_stats(front_kit_node.front, &st);
	assert_int_equal(st.requests, 100);
	assert_int_equal(st.replies, 100);
	assert_int_equal(st.handshakes, 1);
	assert_int_equal(st.sessions, 1);
	nng_close(s);
}

static void test_wrong_keys(void **state)
{
	struct channel_session x;
	struct channel_keypair mallory;
	struct front_stats st;
	struct channel_initiator hs;
	uint8_t init[CHANNEL_INIT_SIZE];
	nng_socket s = front_kit_dial();

	(void)state;
	assert_int_equal(channel_keypair_random(&mallory), 0);
	assert_int_equal(front_kit_handshake(s, &mallory, &x), CS_ERR_UNAUTHENTICATED);
	/* Another cluster, another node, another role, another node key. */
	channel_initiate(&hs, &front_kit_alice, front_kit_node.keys.pub, CHANNEL_CLIENT, 1, "other-0123456789abcdef",
	                 front_kit_timestamp(), init);
	front_kit_expect_refuse(s, init, sizeof(init), CS_ERR_UNAUTHENTICATED);
	channel_initiate(&hs, &front_kit_alice, front_kit_node.keys.pub, CHANNEL_CLIENT, 2, ORIGIN,
	                 front_kit_timestamp(), init);
	front_kit_expect_refuse(s, init, sizeof(init), CS_ERR_UNAUTHENTICATED);
	channel_initiate(&hs, &front_kit_alice, front_kit_node.keys.pub, CHANNEL_NODE, 1, ORIGIN, front_kit_timestamp(),
	                 init);
	front_kit_expect_refuse(s, init, sizeof(init), CS_ERR_UNAUTHENTICATED);
	channel_initiate(&hs, &front_kit_alice, mallory.pub, CHANNEL_CLIENT, 1, ORIGIN, front_kit_timestamp(), init);
	front_kit_expect_refuse(s, init, sizeof(init), CS_ERR_UNAUTHENTICATED);
	channel_initiator_wipe(&hs);
	assert_int_equal(front_kit_handshake(s, &front_kit_alice, &x), 0);
	assert_int_equal(front_kit_ask_type(s, &x, WIRE_HELLO), 0);
	front_stats(front_kit_node.front, &st);
	assert_int_equal(st.refused_handshakes, 5);
	nng_close(s);
}

static void test_replayed_handshake(void **state)
{
	struct channel_initiator hs;
	uint8_t init[CHANNEL_INIT_SIZE];
	struct channel_session x;
	nng_socket s = front_kit_dial();

	(void)state;
	channel_initiate(&hs, &front_kit_alice, front_kit_node.keys.pub, CHANNEL_CLIENT, 1, ORIGIN,
	                 front_kit_timestamp(), init);
	nng_msg *m = front_kit_exchange(s, init, sizeof(init));
	assert_int_equal(channel_finish(&hs, nng_msg_body(m), nng_msg_len(m), 0, &x), 0);
	nng_msg_free(m);
	front_kit_expect_refuse(s, init, sizeof(init), CS_ERR_EXPIRED);
	/* A principals' change forgets no timestamps. */
	front_kit_enroll_alice(ROLE_DECIDE);
	front_kit_expect_refuse(s, init, sizeof(init), CS_ERR_EXPIRED);
	assert_int_equal(front_kit_ask_type(s, &x, WIRE_HELLO), 0);
	nng_close(s);
}

static void test_replayed_data(void **state)
{
	struct channel_session x;
	uint8_t plain[128], frame[256], copy[256];
	struct front_stats st;
	nng_socket s = front_kit_dial();

	(void)state;
	assert_int_equal(front_kit_handshake(s, &front_kit_alice, &x), 0);
	size_t n = front_kit_seal(&x, plain, front_kit_request(plain, sizeof(plain), WIRE_HELLO, "\x90", 1), frame);
	memcpy(copy, frame, n);
	nng_msg_free(front_kit_exchange(s, frame, n));
	front_kit_expect_refuse(s, copy, n, CS_ERR_UNAUTHENTICATED);
	/* Any bit changed: session, nonce, text, tag. */
	for (size_t i = 1; i < n; i++) {
		n = front_kit_seal(&x, plain, front_kit_request(plain, sizeof(plain), WIRE_HELLO, "\x90", 1), frame);
		frame[i] ^= 1;
		front_kit_expect_refuse(s, frame, n, CS_ERR_UNAUTHENTICATED);
	}
	assert_int_equal(front_kit_ask_type(s, &x, WIRE_HELLO), 0);
	front_stats(front_kit_node.front, &st);
	assert_int_equal(st.unauthenticated, n);
	assert_int_equal(st.requests, 2);
	nng_close(s);
}

static void test_malformed_frames(void **state)
{
	static const uint8_t frames[][40] = {{0},   {CHANNEL_INIT}, {CHANNEL_ACCEPT}, {CHANNEL_DATA}, {CHANNEL_REFUSE},
	                                     {0xff}};
	struct front_stats st;
	struct channel_session x;
	nng_socket s = front_kit_dial();

	(void)state;
	for (size_t i = 0; i < sizeof(frames) / sizeof(frames[0]); i++)
		for (size_t len = 0; len < 33; len += 8)
			front_kit_expect_refuse(s, frames[i], len, CS_ERR_MALFORMED);
	/* Long enough, but of no session. */
	front_kit_expect_refuse(s, frames[3], 40, CS_ERR_UNAUTHENTICATED);
	front_stats(front_kit_node.front, &st);
	assert_int_equal(st.malformed, 30);
	assert_int_equal(front_kit_handshake(s, &front_kit_alice, &x), 0);
	assert_int_equal(front_kit_ask_type(s, &x, WIRE_HELLO), 0);
	nng_close(s);
}

static void test_malformed_envelopes(void **state)
{
	uint8_t id[16] = {9}, good[64];
	size_t good_len;
	struct writer w;
	struct wire_reply r;
	nng_msg *m;
	struct channel_session x;
	nng_socket s = front_kit_dial();

	(void)state;
	assert_int_equal(front_kit_handshake(s, &front_kit_alice, &x), 0);
	writer_init(&w, good, sizeof(good));
	writer_array(&w, 5);
	writer_uint(&w, 1);
	writer_bin(&w, id, 16);
	writer_uint(&w, WIRE_HELLO);
	writer_uint(&w, 1000);
	writer_array(&w, 0);
	assert_int_equal(writer_end(&w, &good_len), 0);
	const struct {
		size_t at;
		uint8_t byte;
		const char *text;
		bool has_id;
	} bad[] = {
	        {0, 0x94, "array of 5", false}, {1, 0x02, "version", false},        {1, 0x90, "version", false},
	        {2, 0xc0, "request id", false}, {20, 0x7f, "type", true},           {20, 0x90, "type", true},
	        {21, 0x90, "deadline", true},   {good_len - 1, 0xc0, "body", true}, {good_len - 1, 0x92, "body", true},
	};
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		uint8_t plain[64];
		memcpy(plain, good, good_len);
		plain[bad[i].at] = bad[i].byte;
		front_kit_ask(s, &x, plain, good_len, &r, &m);
		assert_int_equal(r.err, CS_ERR_MALFORMED);
		if (strstr(r.text, bad[i].text) == NULL)
			fail_msg("envelope %zu: \"%s\" does not say \"%s\"", i, r.text, bad[i].text);
		assert_int_equal(memcmp(r.id, id, 16) == 0, bad[i].has_id);
		nng_msg_free(m);
	}
	for (size_t len = 0; len < good_len; len++) {
		front_kit_ask(s, &x, good, len, &r, &m);
		assert_int_equal(r.err, CS_ERR_MALFORMED);
		nng_msg_free(m);
	}
	good[good_len] = 0;
	front_kit_ask(s, &x, good, good_len + 1, &r, &m);
	assert_non_null(strstr(r.text, "after the envelope"));
	nng_msg_free(m);
	front_kit_ask(s, &x, good, good_len, &r, &m);
	assert_int_equal(r.err, 0);
	nng_msg_free(m);
	nng_close(s);
}

static void test_oversized(void **state)
{
	struct channel_session x;
	struct wire_reply r;
	struct front_stats st;
	nng_socket s = front_kit_dial();
	nng_msg *m;
	static uint8_t big[1 << 20], body[WIRE_REQUEST_SIZE_MAX];

	(void)state;
	assert_int_equal(front_kit_handshake(s, &front_kit_alice, &x), 0);
	/* The largest that fits. */
	struct writer w;
	size_t len;
	writer_init(&w, body, sizeof(body));
	writer_array(&w, 1);
	writer_bin(&w, big, WIRE_REQUEST_SIZE_MAX - 64);
	assert_int_equal(writer_end(&w, &len), 0);
	front_kit_ask(s, &x, big, front_kit_request(big, sizeof(big), WIRE_DECIDE, body, len), &r, &m);
	assert_int_equal(r.err, 0);
	assert_int_equal(r.body_len, len);
	nng_msg_free(m);
	/* One byte too many for an envelope, not for nng: refused in words. */
	memset(big, 0, sizeof(big));
	front_kit_ask(s, &x, big, WIRE_REQUEST_SIZE_MAX + 1, &r, &m);
	assert_int_equal(r.err, CS_ERR_TOO_LARGE);
	nng_msg_free(m);
	front_stats(front_kit_node.front, &st);
	assert_int_equal(st.too_large, 1);
	/* Far too many: nng closes that pipe, and the front goes on with others. */
	m = front_kit_message(big, sizeof(big));
	assert_int_equal(nng_sendmsg(s, m, 0), 0);
	assert_int_not_equal(nng_recvmsg(s, &m, 0), 0);
	nng_close(s);
	s = front_kit_dial();
	assert_int_equal(front_kit_ask_type(s, &x, WIRE_HELLO), 0);
	nng_close(s);
}

static void test_roles(void **state)
{
	static const struct {
		unsigned type;
		uint32_t roles;
	} needs[] = {
	        {WIRE_DECIDE, ROLE_DECIDE},
	        {WIRE_ANSWER, ROLE_DECIDE},
	        {WIRE_CHECK, ROLE_DECIDE},
	        {WIRE_IMPORT, ROLE_IMPORT},
	        {WIRE_ENROLL, ROLE_ADMINISTER},
	        {WIRE_REMOVE, ROLE_ADMINISTER},
	        {WIRE_POLICY_SET, ROLE_ADMINISTER},
	        {WIRE_ENTRIES, ROLE_AUDIT | ROLE_DECIDE},
	        {WIRE_PROVE, ROLE_AUDIT | ROLE_DECIDE},
	        {WIRE_CONSISTENCY, ROLE_AUDIT | ROLE_DECIDE},
	        {WIRE_CHECKPOINT, ROLE_AUDIT | ROLE_DECIDE},
	        {WIRE_STATUS, UINT32_MAX},
	        {WIRE_HELLO, UINT32_MAX},
	};
	static const uint32_t roles[] = {0,           ROLE_DECIDE, ROLE_IMPORT, ROLE_AUDIT, ROLE_ADMINISTER,
	                                 ROLE_DEVICE, ROLE_NODE};
	struct channel_session x;
	nng_socket s = front_kit_dial();

	(void)state;
	assert_int_equal(front_kit_handshake(s, &front_kit_alice, &x), 0);
	for (size_t k = 0; k < sizeof(roles) / sizeof(roles[0]); k++) {
		front_kit_enroll_alice(roles[k]); /* Takes effect in the open session. */
		for (size_t i = 0; i < sizeof(needs) / sizeof(needs[0]); i++) {
			bool may = needs[i].roles == UINT32_MAX || (needs[i].roles & roles[k]) != 0;
			assert_int_equal(front_kit_ask_type(s, &x, needs[i].type), may ? 0 : CS_ERR_NOT_PERMITTED);
		}
	}
	nng_close(s);
}

static void test_removed_key(void **state)
{
	struct channel_session x;
	uint8_t plain[128], frame[256];
	nng_socket s = front_kit_dial();
	nng_msg *m;

	(void)state;
	assert_int_equal(front_kit_handshake(s, &front_kit_alice, &x), 0);
	assert_int_equal(front_kit_ask_type(s, &x, WIRE_DECIDE), 0);
	/* Removed while its request is out: no answer for it, and nothing later. */
	echo_node_hold(&front_kit_node, true);
	size_t n = front_kit_seal(&x, plain, front_kit_request(plain, sizeof(plain), WIRE_HELLO, "\x90", 1), frame);
	assert_int_equal(nng_sendmsg(s, front_kit_message(frame, n), 0), 0);
	echo_node_await(&front_kit_node, 1);
	assert_int_equal(front_set_principals(front_kit_node.front, NULL, 0), 0);
	echo_node_hold(&front_kit_node, false);
	assert_int_equal(nng_recvmsg(s, &m, 0), 0);
	assert_int_equal(((uint8_t *)nng_msg_body(m))[0], CHANNEL_REFUSE);
	nng_msg_free(m);
	n = front_kit_seal(&x, plain, front_kit_request(plain, sizeof(plain), WIRE_HELLO, "\x90", 1), frame);
	front_kit_expect_refuse(s, frame, n, CS_ERR_UNAUTHENTICATED);
	assert_int_equal(front_kit_handshake(s, &front_kit_alice, &x), CS_ERR_UNAUTHENTICATED);
	nng_close(s);
}

#define FLIGHT 64
#define CROWD  8 /* Contexts of a small front. */

struct flight {
	nng_ctx ctx;
	nng_aio *aio;
	uint8_t header[CHANNEL_DATA_HEADER_SIZE];
	uint8_t id[16];
};

static void flight_send(nng_socket s, struct channel_session *x, struct flight *f)
{
	uint8_t plain[128], frame[256];

	assert_int_equal(nng_ctx_open(&f->ctx, s), 0);
	assert_int_equal(nng_aio_alloc(&f->aio, NULL, NULL), 0);
	size_t len = front_kit_request(plain, sizeof(plain), WIRE_DECIDE, "\x90", 1);
	memcpy(f->id, plain + 4, 16);
	size_t n = front_kit_seal(x, plain, len, frame);
	memcpy(f->header, frame, sizeof(f->header));
	nng_aio_set_msg(f->aio, front_kit_message(frame, n));
	nng_ctx_send(f->ctx, f->aio);
	nng_aio_wait(f->aio);
	assert_int_equal(nng_aio_result(f->aio), 0);
	nng_aio_set_timeout(f->aio, TIMEOUT_MS);
	nng_ctx_recv(f->ctx, f->aio);
}

static void flight_await(struct channel_session *x, struct flight *f, struct wire_reply *ret)
{
	uint8_t *back;
	size_t back_len;

	nng_aio_wait(f->aio);
	assert_int_equal(nng_aio_result(f->aio), 0);
	nng_msg *m = nng_aio_get_msg(f->aio);
	assert_int_equal(channel_open(x, f->header, nng_msg_body(m), nng_msg_len(m), &back, &back_len), 0);
	assert_int_equal(wire_reply_decode(ret, back, back_len), 0);
	assert_memory_equal(ret->id, f->id, 16);
	nng_msg_free(m);
	nng_ctx_close(f->ctx);
	nng_aio_free(f->aio);
}

static void test_many_in_flight(void **state)
{
	static struct flight out[FLIGHT];
	struct channel_session x;
	struct wire_reply r;
	nng_socket s = front_kit_dial();

	(void)state;
	assert_int_equal(front_kit_handshake(s, &front_kit_alice, &x), 0);
	echo_node_hold(&front_kit_node, true);
	for (unsigned i = 0; i < FLIGHT; i++)
		flight_send(s, &x, &out[i]);
	echo_node_await(&front_kit_node, FLIGHT);
	echo_node_hold(&front_kit_node, false);
	for (unsigned i = 0; i < FLIGHT; i++)
		flight_await(&x, &out[i], &r);
	nng_close(s);
}

/* Whoever asks for more contexts than are left to all others is refused at once; the others are served. */
static void test_share_of_contexts(void **state)
{
	struct flight out[CROWD], more, other;
	struct channel_session xa, xb;
	struct channel_keypair bob;
	struct front_principal p[2] = {{.id = 7, .roles = ROLE_DECIDE}, {.id = 8, .roles = ROLE_DECIDE}};
	struct front_stats st;
	struct wire_reply r;
	nng_socket a = front_kit_dial(), b = front_kit_dial();

	(void)state;
	assert_int_equal(channel_keypair_random(&bob), 0);
	memcpy(p[0].channel_pub, front_kit_alice.pub, sizeof(p[0].channel_pub));
	memcpy(p[1].channel_pub, bob.pub, sizeof(p[1].channel_pub));
	assert_int_equal(front_set_principals(front_kit_node.front, p, 2), 0);
	assert_int_equal(front_kit_handshake(a, &front_kit_alice, &xa), 0);
	assert_int_equal(front_kit_handshake(b, &bob, &xb), 0);
	echo_node_hold(&front_kit_node, true);
	for (unsigned i = 0; i < CROWD / 2; i++)
		flight_send(a, &xa, &out[i]);
	echo_node_await(&front_kit_node, CROWD / 2);
	for (unsigned i = 0; i < 10 * CROWD; i++) {
		flight_send(a, &xa, &more);
		flight_await(&xa, &more, &r);
		assert_int_equal(r.err, CS_ERR_OVERLOADED);
		assert_true(r.retry_ms > 0);
		assert_non_null(strstr(r.text, "nothing was logged"));
	}
	flight_send(b, &xb, &other);
	echo_node_await(&front_kit_node, CROWD / 2 + 1);
	echo_node_hold(&front_kit_node, false);
	flight_await(&xb, &other, &r);
	assert_int_equal(r.err, 0);
	for (unsigned i = 0; i < CROWD / 2; i++) {
		flight_await(&xa, &out[i], &r);
		assert_int_equal(r.err, 0);
	}
	/* What is answered counts no more. */
	for (unsigned i = 0; i < 3 * CROWD; i++)
		assert_int_equal(front_kit_ask_type(a, &xa, WIRE_DECIDE), 0);
	front_stats(front_kit_node.front, &st);
	assert_int_equal(st.crowded, 10 * CROWD);
	nng_close(a);
	nng_close(b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test_setup_teardown(test_echo, front_kit_setup, front_kit_teardown),
	        cmocka_unit_test_setup_teardown(test_wrong_keys, front_kit_setup, front_kit_teardown),
	        cmocka_unit_test_setup_teardown(test_replayed_handshake, front_kit_setup, front_kit_teardown),
	        cmocka_unit_test_setup_teardown(test_replayed_data, front_kit_setup, front_kit_teardown),
	        cmocka_unit_test_setup_teardown(test_malformed_frames, front_kit_setup, front_kit_teardown),
	        cmocka_unit_test_setup_teardown(test_malformed_envelopes, front_kit_setup, front_kit_teardown),
	        cmocka_unit_test_setup_teardown(test_oversized, front_kit_setup, front_kit_teardown),
	        cmocka_unit_test_setup_teardown(test_roles, front_kit_setup, front_kit_teardown),
	        cmocka_unit_test_setup_teardown(test_removed_key, front_kit_setup, front_kit_teardown),
	        cmocka_unit_test_setup_teardown(test_many_in_flight, front_kit_setup, front_kit_teardown),
	        cmocka_unit_test_setup_teardown(test_share_of_contexts, front_kit_setup_crowd, front_kit_teardown),
	};

	int failed = cmocka_run_group_tests_name("front", tests, NULL, NULL);
	nng_fini(); /* Waits for what nng frees on a thread of its own, so that a leak checker finds no leak. */
	return failed;
}
