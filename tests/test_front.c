/* The front against a raw nng client: handshakes, replays, bounds, roles, many requests at once. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <netinet/in.h>
#include <setjmp.h>
#include <sodium.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>
#include <nng/nng.h>
#include <nng/protocol/reqrep0/req.h>

#include "ledger/errors.h"
#include "node/decide/command.h"
#include "node/front.h"
#include "node/wire/channel.h"
#include "tests/echo_node.h"

#define ORIGIN     "test-0123456789abcdef"
#define TIMEOUT_MS 10000 /* Only a broken front ever waits so long. */

static char folder[64], url[128], url_tcp[64];
static struct echo_node node;
static struct channel_keypair alice;
static uint64_t last_timestamp;

static void enroll_alice(uint32_t roles)
{
	struct front_principal p = {.id = 7, .roles = roles};

	memcpy(p.channel_pub, alice.pub, sizeof(p.channel_pub));
	assert_int_equal(front_set_principals(node.front, &p, 1), 0);
}

static int start(const struct front_options *o)
{
	if (sodium_init() < 0)
		return -1;
	snprintf(folder, sizeof(folder), "/tmp/cs-front-XXXXXX");
	if (mkdtemp(folder) == NULL)
		return -1;
	snprintf(url, sizeof(url), "ipc://%s/front", folder);
	if (channel_keypair_random(&alice) < 0 || echo_node_start(&node, 1, ORIGIN, url, o, NULL, NULL) < 0)
		return -1;
	enroll_alice(ROLE_DECIDE);
	return 0;
}

static int setup(void **state)
{
	(void)state;
	return start(NULL);
}

static int setup_small(void **state)
{
	const struct front_options o = {.contexts = 4, .sessions_max = 4, .handshakes_per_s = 100000};

	(void)state;
	return start(&o);
}

static int setup_crowd(void **state)
{
	const struct front_options o = {.contexts = 8};

	(void)state;
	return start(&o);
}

static int setup_slow(void **state)
{
	const struct front_options o = {.handshakes_per_s = 2};

	(void)state;
	return start(&o);
}

static int teardown(void **state)
{
	(void)state;
	echo_node_stop(&node);
	unlink(url + strlen("ipc://"));
	return rmdir(folder);
}

/* --- a raw client --- */

static nng_socket dial_url(const char *to)
{
	nng_socket s;

	assert_int_equal(nng_req0_open(&s), 0);
	assert_int_equal(nng_socket_set_ms(s, NNG_OPT_REQ_RESENDTIME, NNG_DURATION_INFINITE), 0);
	assert_int_equal(nng_socket_set_ms(s, NNG_OPT_RECVTIMEO, TIMEOUT_MS), 0);
	assert_int_equal(nng_dial(s, to, NULL, 0), 0);
	return s;
}

static nng_socket dial(void)
{
	return dial_url(url);
}

static nng_msg *message(const void *frame, size_t len)
{
	nng_msg *m;

	assert_int_equal(nng_msg_alloc(&m, 0), 0);
	assert_int_equal(nng_msg_append(m, frame, len), 0);
	return m;
}

static nng_msg *exchange(nng_socket s, const void *frame, size_t len)
{
	nng_msg *m = message(frame, len);

	assert_int_equal(nng_sendmsg(s, m, 0), 0);
	assert_int_equal(nng_recvmsg(s, &m, 0), 0);
	return m;
}

static void expect_refuse(nng_socket s, const void *frame, size_t len, int err)
{
	nng_msg *m = exchange(s, frame, len);
	const uint8_t *b = nng_msg_body(m);

	assert_int_equal(nng_msg_len(m), 2);
	assert_int_equal(b[0], CHANNEL_REFUSE);
	assert_int_equal(-(int)b[1], err);
	nng_msg_free(m);
}

static uint64_t timestamp(void)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	uint64_t v = (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
	last_timestamp = v > last_timestamp ? v : last_timestamp + 1;
	return last_timestamp;
}

/* Returns 0, or the error of a REFUSE. */
static int handshake(nng_socket s, const struct channel_keypair *self, struct channel_session *ret)
{
	struct channel_initiator hs;
	uint8_t init[CHANNEL_INIT_SIZE];

	assert_int_equal(channel_initiate(&hs, self, node.keys.pub, CHANNEL_CLIENT, 1, ORIGIN, timestamp(), init), 0);
	nng_msg *m = exchange(s, init, sizeof(init));
	const uint8_t *b = nng_msg_body(m);
	int err = nng_msg_len(m) == 2 && b[0] == CHANNEL_REFUSE ? -(int)b[1]
	                                                        : channel_finish(&hs, b, nng_msg_len(m), 0, ret);
	nng_msg_free(m);
	return err;
}

static size_t seal(struct channel_session *x, const void *plain, size_t len, uint8_t *frame)
{
	assert_int_equal(channel_seal(x, NULL, plain, len, frame), 0);
	return len + CHANNEL_OVERHEAD;
}

/* Sends plain bytes; the reply's envelope is in *ret, its memory in *ret_msg. */
static void ask(nng_socket s, struct channel_session *x, const void *plain, size_t len, struct wire_reply *ret,
                nng_msg **ret_msg)
{
	uint8_t *frame = malloc(len + CHANNEL_OVERHEAD), *back;
	size_t n = seal(x, plain, len, frame), back_len;

	*ret_msg = exchange(s, frame, n);
	assert_int_equal(channel_open(x, frame, nng_msg_body(*ret_msg), nng_msg_len(*ret_msg), &back, &back_len), 0);
	assert_int_equal(wire_reply_decode(ret, back, back_len), 0);
	free(frame);
}

static size_t request(uint8_t *buf, size_t cap, unsigned type, const void *body, size_t body_len)
{
	struct wire_request r = {.type = type, .deadline_ms = 1000, .body = body, .body_len = body_len};
	size_t len;

	randombytes_buf(r.id, sizeof(r.id));
	assert_int_equal(wire_request_encode(&r, buf, cap, &len), 0);
	return len;
}

static int ask_type(nng_socket s, struct channel_session *x, unsigned type)
{
	static const uint8_t body[] = {0x92, 0x01, 0x02}; /* [1, 2] */
	uint8_t plain[128];
	struct wire_reply r;
	nng_msg *m;

	ask(s, x, plain, request(plain, sizeof(plain), type, body, sizeof(body)), &r, &m);
	if (r.err == 0) {
		assert_int_equal(r.body_len, sizeof(body));
		assert_memory_equal(r.body, body, sizeof(body));
	} else {
		assert_true(r.text[0] != '\0');
	}
	nng_msg_free(m);
	return r.err;
}

/* --- tests --- */

static void test_echo(void **state)
{
	struct channel_session x;
	struct front_stats st;
	nng_socket s = dial();

	(void)state;
	assert_int_equal(handshake(s, &alice, &x), 0);
	for (unsigned i = 0; i < 100; i++)
		assert_int_equal(ask_type(s, &x, WIRE_DECIDE), 0);
	front_stats(node.front, &st);
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
	nng_socket s = dial();

	(void)state;
	assert_int_equal(channel_keypair_random(&mallory), 0);
	assert_int_equal(handshake(s, &mallory, &x), CS_ERR_UNAUTHENTICATED);
	/* Another cluster, another node, another role, another node key. */
	channel_initiate(&hs, &alice, node.keys.pub, CHANNEL_CLIENT, 1, "other-0123456789abcdef", timestamp(), init);
	expect_refuse(s, init, sizeof(init), CS_ERR_UNAUTHENTICATED);
	channel_initiate(&hs, &alice, node.keys.pub, CHANNEL_CLIENT, 2, ORIGIN, timestamp(), init);
	expect_refuse(s, init, sizeof(init), CS_ERR_UNAUTHENTICATED);
	channel_initiate(&hs, &alice, node.keys.pub, CHANNEL_NODE, 1, ORIGIN, timestamp(), init);
	expect_refuse(s, init, sizeof(init), CS_ERR_UNAUTHENTICATED);
	channel_initiate(&hs, &alice, mallory.pub, CHANNEL_CLIENT, 1, ORIGIN, timestamp(), init);
	expect_refuse(s, init, sizeof(init), CS_ERR_UNAUTHENTICATED);
	channel_initiator_wipe(&hs);
	assert_int_equal(handshake(s, &alice, &x), 0);
	assert_int_equal(ask_type(s, &x, WIRE_HELLO), 0);
	front_stats(node.front, &st);
	assert_int_equal(st.refused_handshakes, 5);
	nng_close(s);
}

static void test_replayed_handshake(void **state)
{
	struct channel_initiator hs;
	uint8_t init[CHANNEL_INIT_SIZE];
	struct channel_session x;
	nng_socket s = dial();

	(void)state;
	channel_initiate(&hs, &alice, node.keys.pub, CHANNEL_CLIENT, 1, ORIGIN, timestamp(), init);
	nng_msg *m = exchange(s, init, sizeof(init));
	assert_int_equal(channel_finish(&hs, nng_msg_body(m), nng_msg_len(m), 0, &x), 0);
	nng_msg_free(m);
	expect_refuse(s, init, sizeof(init), CS_ERR_EXPIRED);
	/* A principals' change forgets no timestamps. */
	enroll_alice(ROLE_DECIDE);
	expect_refuse(s, init, sizeof(init), CS_ERR_EXPIRED);
	assert_int_equal(ask_type(s, &x, WIRE_HELLO), 0);
	nng_close(s);
}

static void test_replayed_data(void **state)
{
	struct channel_session x;
	uint8_t plain[128], frame[256], copy[256];
	struct front_stats st;
	nng_socket s = dial();

	(void)state;
	assert_int_equal(handshake(s, &alice, &x), 0);
	size_t n = seal(&x, plain, request(plain, sizeof(plain), WIRE_HELLO, "\x90", 1), frame);
	memcpy(copy, frame, n);
	nng_msg_free(exchange(s, frame, n));
	expect_refuse(s, copy, n, CS_ERR_UNAUTHENTICATED);
	/* Any bit changed: session, nonce, text, tag. */
	for (size_t i = 1; i < n; i++) {
		n = seal(&x, plain, request(plain, sizeof(plain), WIRE_HELLO, "\x90", 1), frame);
		frame[i] ^= 1;
		expect_refuse(s, frame, n, CS_ERR_UNAUTHENTICATED);
	}
	assert_int_equal(ask_type(s, &x, WIRE_HELLO), 0);
	front_stats(node.front, &st);
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
	nng_socket s = dial();

	(void)state;
	for (size_t i = 0; i < sizeof(frames) / sizeof(frames[0]); i++)
		for (size_t len = 0; len < 33; len += 8)
			expect_refuse(s, frames[i], len, CS_ERR_MALFORMED);
	/* Long enough, but of no session. */
	expect_refuse(s, frames[3], 40, CS_ERR_UNAUTHENTICATED);
	front_stats(node.front, &st);
	assert_int_equal(st.malformed, 30);
	assert_int_equal(handshake(s, &alice, &x), 0);
	assert_int_equal(ask_type(s, &x, WIRE_HELLO), 0);
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
	nng_socket s = dial();

	(void)state;
	assert_int_equal(handshake(s, &alice, &x), 0);
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
		ask(s, &x, plain, good_len, &r, &m);
		assert_int_equal(r.err, CS_ERR_MALFORMED);
		if (strstr(r.text, bad[i].text) == NULL)
			fail_msg("envelope %zu: \"%s\" does not say \"%s\"", i, r.text, bad[i].text);
		assert_int_equal(memcmp(r.id, id, 16) == 0, bad[i].has_id);
		nng_msg_free(m);
	}
	for (size_t len = 0; len < good_len; len++) {
		ask(s, &x, good, len, &r, &m);
		assert_int_equal(r.err, CS_ERR_MALFORMED);
		nng_msg_free(m);
	}
	good[good_len] = 0;
	ask(s, &x, good, good_len + 1, &r, &m);
	assert_non_null(strstr(r.text, "after the envelope"));
	nng_msg_free(m);
	ask(s, &x, good, good_len, &r, &m);
	assert_int_equal(r.err, 0);
	nng_msg_free(m);
	nng_close(s);
}

static void test_oversized(void **state)
{
	struct channel_session x;
	struct wire_reply r;
	struct front_stats st;
	nng_socket s = dial();
	nng_msg *m;
	static uint8_t big[1 << 20], body[WIRE_REQUEST_SIZE_MAX];

	(void)state;
	assert_int_equal(handshake(s, &alice, &x), 0);
	/* The largest that fits. */
	struct writer w;
	size_t len;
	writer_init(&w, body, sizeof(body));
	writer_array(&w, 1);
	writer_bin(&w, big, WIRE_REQUEST_SIZE_MAX - 64);
	assert_int_equal(writer_end(&w, &len), 0);
	ask(s, &x, big, request(big, sizeof(big), WIRE_DECIDE, body, len), &r, &m);
	assert_int_equal(r.err, 0);
	assert_int_equal(r.body_len, len);
	nng_msg_free(m);
	/* One byte too many for an envelope, not for nng: refused in words. */
	memset(big, 0, sizeof(big));
	ask(s, &x, big, WIRE_REQUEST_SIZE_MAX + 1, &r, &m);
	assert_int_equal(r.err, CS_ERR_TOO_LARGE);
	nng_msg_free(m);
	front_stats(node.front, &st);
	assert_int_equal(st.too_large, 1);
	/* Far too many: nng closes that pipe, and the front goes on with others. */
	m = message(big, sizeof(big));
	assert_int_equal(nng_sendmsg(s, m, 0), 0);
	assert_int_not_equal(nng_recvmsg(s, &m, 0), 0);
	nng_close(s);
	s = dial();
	assert_int_equal(ask_type(s, &x, WIRE_HELLO), 0);
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
	nng_socket s = dial();

	(void)state;
	assert_int_equal(handshake(s, &alice, &x), 0);
	for (size_t k = 0; k < sizeof(roles) / sizeof(roles[0]); k++) {
		enroll_alice(roles[k]); /* Takes effect in the open session. */
		for (size_t i = 0; i < sizeof(needs) / sizeof(needs[0]); i++) {
			bool may = needs[i].roles == UINT32_MAX || (needs[i].roles & roles[k]) != 0;
			assert_int_equal(ask_type(s, &x, needs[i].type), may ? 0 : CS_ERR_NOT_PERMITTED);
		}
	}
	nng_close(s);
}

static void test_removed_key(void **state)
{
	struct channel_session x;
	uint8_t plain[128], frame[256];
	nng_socket s = dial();
	nng_msg *m;

	(void)state;
	assert_int_equal(handshake(s, &alice, &x), 0);
	assert_int_equal(ask_type(s, &x, WIRE_DECIDE), 0);
	/* Removed while its request is out: no answer for it, and nothing later. */
	echo_node_hold(&node, true);
	size_t n = seal(&x, plain, request(plain, sizeof(plain), WIRE_HELLO, "\x90", 1), frame);
	assert_int_equal(nng_sendmsg(s, message(frame, n), 0), 0);
	echo_node_await(&node, 1);
	assert_int_equal(front_set_principals(node.front, NULL, 0), 0);
	echo_node_hold(&node, false);
	assert_int_equal(nng_recvmsg(s, &m, 0), 0);
	assert_int_equal(((uint8_t *)nng_msg_body(m))[0], CHANNEL_REFUSE);
	nng_msg_free(m);
	n = seal(&x, plain, request(plain, sizeof(plain), WIRE_HELLO, "\x90", 1), frame);
	expect_refuse(s, frame, n, CS_ERR_UNAUTHENTICATED);
	assert_int_equal(handshake(s, &alice, &x), CS_ERR_UNAUTHENTICATED);
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
	size_t len = request(plain, sizeof(plain), WIRE_DECIDE, "\x90", 1);
	memcpy(f->id, plain + 4, 16);
	size_t n = seal(x, plain, len, frame);
	memcpy(f->header, frame, sizeof(f->header));
	nng_aio_set_msg(f->aio, message(frame, n));
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
	nng_socket s = dial();

	(void)state;
	assert_int_equal(handshake(s, &alice, &x), 0);
	echo_node_hold(&node, true);
	for (unsigned i = 0; i < FLIGHT; i++)
		flight_send(s, &x, &out[i]);
	echo_node_await(&node, FLIGHT);
	echo_node_hold(&node, false);
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
	nng_socket a = dial(), b = dial();

	(void)state;
	assert_int_equal(channel_keypair_random(&bob), 0);
	memcpy(p[0].channel_pub, alice.pub, sizeof(p[0].channel_pub));
	memcpy(p[1].channel_pub, bob.pub, sizeof(p[1].channel_pub));
	assert_int_equal(front_set_principals(node.front, p, 2), 0);
	assert_int_equal(handshake(a, &alice, &xa), 0);
	assert_int_equal(handshake(b, &bob, &xb), 0);
	echo_node_hold(&node, true);
	for (unsigned i = 0; i < CROWD / 2; i++)
		flight_send(a, &xa, &out[i]);
	echo_node_await(&node, CROWD / 2);
	for (unsigned i = 0; i < 10 * CROWD; i++) {
		flight_send(a, &xa, &more);
		flight_await(&xa, &more, &r);
		assert_int_equal(r.err, CS_ERR_OVERLOADED);
		assert_true(r.retry_ms > 0);
		assert_non_null(strstr(r.text, "nothing was logged"));
	}
	flight_send(b, &xb, &other);
	echo_node_await(&node, CROWD / 2 + 1);
	echo_node_hold(&node, false);
	flight_await(&xb, &other, &r);
	assert_int_equal(r.err, 0);
	for (unsigned i = 0; i < CROWD / 2; i++) {
		flight_await(&xa, &out[i], &r);
		assert_int_equal(r.err, 0);
	}
	/* What is answered counts no more. */
	for (unsigned i = 0; i < 3 * CROWD; i++)
		assert_int_equal(ask_type(a, &xa, WIRE_DECIDE), 0);
	front_stats(node.front, &st);
	assert_int_equal(st.crowded, 10 * CROWD);
	nng_close(a);
	nng_close(b);
}

/* --- many requests in one message --- */

static size_t many_begin(struct writer *w, uint8_t *buf, size_t cap, unsigned n)
{
	writer_init(w, buf, cap);
	wire_many_begin(w, (const uint8_t *)"fedcba9876543210", 1000, n);
	return w->len;
}

static void many_add(struct writer *w, uint8_t number, unsigned type, const void *body, size_t len)
{
	struct wire_request r = {.id = {number}, .type = type, .deadline_ms = 1000, .body = body, .body_len = len};

	wire_many_add(w, &r);
}

/* Sends it; the parts of its reply. */
static unsigned many_ask(nng_socket s, struct channel_session *x, const struct writer *w, struct wire_reply *ret,
                         nng_msg **ret_msg)
{
	struct wire_part parts[WIRE_MANY_MAX];
	struct wire_reply whole;
	unsigned n;

	assert_int_equal(w->err, 0);
	ask(s, x, w->base, w->len, &whole, ret_msg);
	assert_int_equal(whole.err, 0);
	assert_memory_equal(whole.id, "fedcba9876543210", 16);
	assert_int_equal(wire_many_decode(parts, &n, whole.body, whole.body_len), 0);
	for (unsigned i = 0; i < n; i++)
		assert_int_equal(wire_reply_decode(&ret[i], parts[i].bytes, parts[i].len), 0);
	return n;
}

/* Answers the jobs of a message only when all are there, the last one first, every third with an error. */
static void answer_backwards(void *ctx, struct job *j)
{
	static struct job *kept;
	static unsigned n;
	const unsigned *all = ctx;

	j->next = kept;
	kept = j;
	if (++n < *all)
		return;
	n = 0;
	while (kept != NULL) {
		struct job *next = kept->next;
		if (kept->request.id[0] % 3 == 0)
			job_error(kept, CS_ERR_NOT_LEADER, "elsewhere", "tcp://other:1", 7);
		else
			job_reply(kept, kept->request.body, kept->request.body_len);
		kept = next;
	}
}

static void test_many(void **state)
{
	static uint8_t plain[WIRE_REQUEST_SIZE_MAX];
	static struct wire_reply r[WIRE_MANY_MAX];
	static unsigned all;
	struct channel_session x;
	struct front_stats st;
	struct writer w;
	nng_socket s = dial();
	nng_msg *m;

	(void)state;
	node.answer = answer_backwards;
	node.ctx = &all;
	assert_int_equal(handshake(s, &alice, &x), 0);
	for (all = WIRE_MANY_MIN; all <= WIRE_MANY_MAX; all += 31) {
		many_begin(&w, plain, sizeof(plain), all);
		for (unsigned i = 0; i < all; i++) {
			const uint8_t body[] = {0x91, (uint8_t)i};
			many_add(&w, (uint8_t)i, i % 2 == 0 ? WIRE_DECIDE : WIRE_CHECK, body, sizeof(body));
		}
		assert_int_equal(many_ask(s, &x, &w, r, &m), all);
		for (unsigned i = 0; i < all; i++) {
			assert_int_equal(r[i].id[0], i);
			assert_int_equal(r[i].err, i % 3 == 0 ? CS_ERR_NOT_LEADER : 0);
			if (i % 3 == 0)
				assert_string_equal(r[i].leader_url, "tcp://other:1");
			else
				assert_int_equal(r[i].body[1], i);
		}
		nng_msg_free(m);
	}
	front_stats(node.front, &st);
	assert_int_equal(st.requests, 2 + 33 + 64);
	assert_int_equal(st.replies, 2 + 33 + 64);
	nng_close(s);
}

static void test_many_mixed(void **state)
{
	static uint8_t plain[WIRE_REQUEST_SIZE_MAX];
	static struct wire_reply r[WIRE_MANY_MAX];
	struct channel_session x;
	struct front_stats st;
	struct writer w;
	nng_socket s = dial();
	nng_msg *m;

	(void)state; /* What is wrong with one is nothing to the others. */
	assert_int_equal(handshake(s, &alice, &x), 0);
	many_begin(&w, plain, sizeof(plain), 8);
	many_add(&w, 1, WIRE_DECIDE, "\x90", 1);
	writer_bin(&w, "", 0);
	writer_bin(&w, "\x95\x01\xff", 3);
	many_add(&w, 4, WIRE_IMPORT, "\x90", 1); /* Not within her roles. */
	many_add(&w, 5, WIRE_HELLO, "\x90", 1);
	many_add(&w, 6, WIRE_MANY, "\x92\xc4\x00\xc4\x00", 5);
	many_add(&w, 7, WIRE_DECIDE, "\x92\x01", 2); /* Cut within its body. */
	many_add(&w, 8, WIRE_CHECK, "\x90", 1);
	assert_int_equal(many_ask(s, &x, &w, r, &m), 8);
	static const int errors[] = {0,
	                             CS_ERR_MALFORMED,
	                             CS_ERR_MALFORMED,
	                             CS_ERR_NOT_PERMITTED,
	                             CS_ERR_MALFORMED,
	                             CS_ERR_MALFORMED,
	                             CS_ERR_MALFORMED,
	                             0};
	for (unsigned i = 0; i < 8; i++)
		assert_int_equal(r[i].err, errors[i]);
	assert_non_null(strstr(r[3].text, "role import"));
	assert_non_null(strstr(r[5].text, "may be one of many"));
	assert_int_equal(r[6].id[0], 7);
	nng_msg_free(m);
	front_stats(node.front, &st);
	assert_int_equal(st.requests, 2);
	assert_int_equal(st.malformed, 5);
	nng_close(s);
}

static void test_many_refused(void **state)
{
	static uint8_t plain[WIRE_REQUEST_SIZE_MAX + 64];
	struct channel_session x;
	struct front_stats st;
	struct wire_reply r;
	struct writer w;
	nng_socket s = dial();
	nng_msg *m;

	(void)state; /* As a whole: nothing of it is done. */
	assert_int_equal(handshake(s, &alice, &x), 0);
	for (unsigned n = 0; n <= WIRE_MANY_MAX + 1; n += n == 1 ? WIRE_MANY_MAX : 1) {
		many_begin(&w, plain, sizeof(plain), n);
		for (unsigned i = 0; i < n; i++)
			many_add(&w, 1, WIRE_DECIDE, "\x90", 1);
		ask(s, &x, plain, w.len, &r, &m);
		assert_int_equal(r.err, n > WIRE_MANY_MAX ? CS_ERR_TOO_LARGE : CS_ERR_MALFORMED);
		nng_msg_free(m);
	}
	many_begin(&w, plain, sizeof(plain), 2);
	many_add(&w, 1, WIRE_DECIDE, "\x90", 1);
	writer_uint(&w, 7); /* Not a bin. */
	ask(s, &x, plain, w.len, &r, &m);
	assert_int_equal(r.err, CS_ERR_MALFORMED);
	nng_msg_free(m);
	ask(s, &x, plain, WIRE_REQUEST_SIZE_MAX + 1, &r, &m);
	assert_int_equal(r.err, CS_ERR_TOO_LARGE);
	nng_msg_free(m);
	front_stats(node.front, &st);
	assert_int_equal(st.requests, 0);
	nng_close(s);
}

/* 300 KiB for each: only three have room in one reply. */
static void answer_big(void *ctx, struct job *j)
{
	static uint8_t big[300 << 10];
	struct writer w;

	(void)ctx;
	writer_init(&w, big, sizeof(big));
	writer_array(&w, 1);
	static const uint8_t zeros[(300 << 10) - 16];
	writer_bin(&w, zeros, sizeof(zeros));
	job_reply(j, big, w.len);
}

static void test_many_overflow(void **state)
{
	static uint8_t plain[4096];
	static struct wire_reply r[WIRE_MANY_MAX];
	struct channel_session x;
	struct writer w;
	nng_socket s = dial();
	nng_msg *m;

	(void)state;
	node.answer = answer_big;
	assert_int_equal(handshake(s, &alice, &x), 0);
	many_begin(&w, plain, sizeof(plain), 6);
	for (unsigned i = 0; i < 6; i++)
		many_add(&w, (uint8_t)i, WIRE_DECIDE, "\x90", 1);
	assert_int_equal(many_ask(s, &x, &w, r, &m), 6);
	for (unsigned i = 0; i < 6; i++) {
		assert_int_equal(r[i].err, i < 3 ? 0 : CS_ERR_TOO_LARGE);
		assert_int_equal(r[i].id[0], i);
	}
	nng_msg_free(m);
	nng_close(s);
}

static void test_many_hostile(void **state)
{
	uint8_t good[256], plain[256];
	struct channel_session x;
	struct wire_reply r;
	struct writer w;
	nng_socket s = dial();
	nng_msg *m;

	(void)state; /* Any byte changed: some answer, and the next is served. */
	assert_int_equal(handshake(s, &alice, &x), 0);
	many_begin(&w, good, sizeof(good), 3);
	for (unsigned i = 0; i < 3; i++)
		many_add(&w, (uint8_t)i, WIRE_DECIDE, "\x91\x01", 2);
	for (size_t at = 0; at < w.len; at++)
		for (unsigned bit = 0; bit < 8; bit++) {
			memcpy(plain, good, w.len);
			plain[at] ^= (uint8_t)(1u << bit);
			ask(s, &x, plain, w.len, &r, &m);
			nng_msg_free(m);
		}
	assert_int_equal(ask_type(s, &x, WIRE_HELLO), 0);
	nng_close(s);
}

static void test_full_table(void **state)
{
	struct channel_keypair keys[6];
	struct front_principal p[6];
	struct channel_session x[6], own[4];
	struct front_stats st;
	uint8_t plain[128], frame[256];
	nng_socket s = dial();

	(void)state; /* Four sessions at once, two of one key. */
	for (unsigned i = 0; i < 6; i++) {
		assert_int_equal(channel_keypair_random(&keys[i]), 0);
		p[i] = (struct front_principal){.id = i + 1, .roles = ROLE_DECIDE};
		memcpy(p[i].channel_pub, keys[i].pub, 32);
	}
	assert_int_equal(front_set_principals(node.front, p, 6), 0);
	for (unsigned i = 0; i < 4; i++)
		assert_int_equal(handshake(s, &keys[i], &x[i]), 0);
	for (unsigned i = 4; i > 0; i--) /* 3 is now the longest idle one. */
		assert_int_equal(ask_type(s, &x[i - 1], WIRE_HELLO), 0);
	assert_int_equal(handshake(s, &keys[4], &x[4]), 0);
	size_t n = seal(&x[3], plain, request(plain, sizeof(plain), WIRE_HELLO, "\x90", 1), frame);
	expect_refuse(s, frame, n, CS_ERR_UNAUTHENTICATED);
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(ask_type(s, &x[i], WIRE_HELLO), 0);
	assert_int_equal(ask_type(s, &x[4], WIRE_HELLO), 0);
	/* One key cannot take the others' places: its third session costs it its first. */
	for (unsigned i = 0; i < 4; i++) {
		assert_int_equal(handshake(s, &keys[5], &own[i]), 0);
		assert_int_equal(ask_type(s, &own[i], WIRE_HELLO), 0);
	}
	front_stats(node.front, &st);
	assert_int_equal(st.sessions, 4);
	assert_int_equal(ask_type(s, &x[2], WIRE_HELLO), 0);
	assert_int_equal(ask_type(s, &x[4], WIRE_HELLO), 0);
	nng_close(s);
}

/* Connects and leaves at once; over TCP with a FIN, then a RST. */
static void stranger(const struct sockaddr *address, socklen_t len)
{
	const struct linger linger = {.l_onoff = 1};
	int fd = socket(address->sa_family, SOCK_STREAM, 0);

	assert_true(fd >= 0);
	assert_int_equal(connect(fd, address, len), 0);
	shutdown(fd, SHUT_WR);
	setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
	close(fd);
}

static void test_strangers(void **state)
{
	struct sockaddr_un un = {.sun_family = AF_UNIX};
	struct channel_session x;

	(void)state; /* nng 1.5.2 alone accepts nobody after the first of them (front_sendmsg.c). */
	assert_true(strlen(url) < sizeof(un.sun_path));
	strcpy(un.sun_path, url + strlen("ipc://"));
	for (unsigned i = 0; i < 20; i++) {
		stranger((const struct sockaddr *)&un, sizeof(un));
		nng_socket s = dial();
		assert_int_equal(handshake(s, &alice, &x), 0);
		assert_int_equal(ask_type(s, &x, WIRE_HELLO), 0);
		nng_close(s);
	}
}

static void test_strangers_tcp(void **state)
{
	struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
	socklen_t len = sizeof(in);
	struct channel_session x;
	struct echo_node tcp;
	struct front_principal p = {.id = 7, .roles = ROLE_DECIDE};

	(void)state;
	int fd = socket(AF_INET, SOCK_STREAM, 0); /* A free port. */
	assert_int_equal(bind(fd, (const struct sockaddr *)&in, len), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&in, &len), 0);
	close(fd);
	snprintf(url_tcp, sizeof(url_tcp), "tcp://127.0.0.1:%u", ntohs(in.sin_port));
	assert_int_equal(
	        echo_node_start(&tcp, 1, ORIGIN, url_tcp, &(struct front_options){.keys = node.keys}, NULL, NULL), 0);
	memcpy(p.channel_pub, alice.pub, sizeof(p.channel_pub));
	assert_int_equal(front_set_principals(tcp.front, &p, 1), 0);
	for (unsigned i = 0; i < 20; i++) {
		stranger((const struct sockaddr *)&in, sizeof(in));
		nng_socket s = dial_url(url_tcp);
		assert_int_equal(handshake(s, &alice, &x), 0);
		assert_int_equal(ask_type(s, &x, WIRE_HELLO), 0);
		nng_close(s);
	}
	echo_node_stop(&tcp);
}

static void test_handshake_rate(void **state)
{
	struct channel_session x;
	struct front_stats st;
	unsigned accepted = 0;
	nng_socket s = dial();

	(void)state; /* Two a second, half of it for one address. */
	for (unsigned i = 0; i < 20; i++) {
		int err = handshake(s, &alice, &x);
		assert_true(err == 0 || err == CS_ERR_OVERLOADED);
		accepted += err == 0;
	}
	assert_in_range(accepted, 1, 19);
	front_stats(node.front, &st);
	assert_int_equal(st.handshakes, accepted);
	assert_int_equal(st.refused_handshakes, 20 - accepted);
	assert_int_equal(ask_type(s, &x, WIRE_HELLO), 0);
	nng_close(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test_setup_teardown(test_echo, setup, teardown),
	        cmocka_unit_test_setup_teardown(test_wrong_keys, setup, teardown),
	        cmocka_unit_test_setup_teardown(test_replayed_handshake, setup, teardown),
	        cmocka_unit_test_setup_teardown(test_replayed_data, setup, teardown),
	        cmocka_unit_test_setup_teardown(test_malformed_frames, setup, teardown),
	        cmocka_unit_test_setup_teardown(test_malformed_envelopes, setup, teardown),
	        cmocka_unit_test_setup_teardown(test_oversized, setup, teardown),
	        cmocka_unit_test_setup_teardown(test_roles, setup, teardown),
	        cmocka_unit_test_setup_teardown(test_removed_key, setup, teardown),
	        cmocka_unit_test_setup_teardown(test_many_in_flight, setup, teardown),
	        cmocka_unit_test_setup_teardown(test_share_of_contexts, setup_crowd, teardown),
	        cmocka_unit_test_setup_teardown(test_many, setup, teardown),
	        cmocka_unit_test_setup_teardown(test_many_mixed, setup, teardown),
	        cmocka_unit_test_setup_teardown(test_many_refused, setup, teardown),
	        cmocka_unit_test_setup_teardown(test_many_overflow, setup, teardown),
	        cmocka_unit_test_setup_teardown(test_many_hostile, setup, teardown),
	        cmocka_unit_test_setup_teardown(test_full_table, setup_small, teardown),
	        cmocka_unit_test_setup_teardown(test_strangers, setup, teardown),
	        cmocka_unit_test_setup_teardown(test_strangers_tcp, setup, teardown),
	        cmocka_unit_test_setup_teardown(test_handshake_rate, setup_slow, teardown),
	};

	int failed = cmocka_run_group_tests_name("front", tests, NULL, NULL);
	nng_fini(); /* Waits for what nng frees on a thread of its own, so that a leak checker finds no leak. */
	return failed;
}
