/* Links: garbage, replays, floods, silence, and whoever holds a stream without a word. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "tests/link_kit.h"

#include <setjmp.h>
#include <sodium.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "ledger/bytes.h"

/* A stranger on the port. */
struct stranger {
	uv_tcp_t tcp;
	uv_connect_t connect;
	const uint8_t *bytes;
	size_t len;
	uint64_t heard;
	bool connected, ended, closed;
	char buf[256];
};

static void on_stranger_closed(uv_handle_t *h)
{
	((struct stranger *)h->data)->closed = true;
}

static void on_stranger_alloc(uv_handle_t *h, size_t suggested, uv_buf_t *ret)
{
	struct stranger *s = h->data;

	(void)suggested;
	*ret = uv_buf_init(s->buf, sizeof s->buf);
}

static void on_stranger_read(uv_stream_t *h, ssize_t n, const uv_buf_t *buf)
{
	struct stranger *s = h->data;

	(void)buf;
	if (n > 0)
		s->heard += (uint64_t)n;
	if (n < 0 && !s->ended) {
		s->ended = true;
		uv_close((uv_handle_t *)&s->tcp, on_stranger_closed);
	}
}

static void on_stranger_connected(uv_connect_t *req, int status)
{
	struct stranger *s = req->data;
	uv_buf_t buf = uv_buf_init((char *)(uintptr_t)s->bytes, (unsigned)s->len);

	assert_int_equal(status, 0);
	s->connected = true;
	if (s->len > 0)
		assert_int_equal(uv_try_write((uv_stream_t *)&s->tcp, &buf, 1), (int)s->len);
	assert_int_equal(uv_read_start((uv_stream_t *)&s->tcp, on_stranger_alloc, on_stranger_read), 0);
}

static void stranger_start(struct stranger *s, uint16_t port, const void *bytes, size_t len)
{
	struct sockaddr_in to;

	memset(s, 0, sizeof *s);
	s->bytes = bytes;
	s->len = len;
	s->tcp.data = s->connect.data = s;
	assert_int_equal(uv_ip4_addr("127.0.0.1", port, &to), 0);
	assert_int_equal(uv_tcp_init(&link_kit_loop, &s->tcp), 0);
	assert_int_equal(uv_tcp_connect(&s->connect, &s->tcp, (struct sockaddr *)&to, on_stranger_connected), 0);
}

static void test_garbage(void **state)
{
	struct node *a = *state, *b = a + 1;
	uint8_t frame[4 + CHANNEL_INIT_SIZE], noise[4096];
	struct channel_initiator hs;
	struct channel_keypair nobody;
	struct stranger s;
	uint16_t port;

	link_kit_start_pair(a, b);
	port = link_port(b->link);
	assert_int_equal(channel_keypair_random(&nobody), 0);
	for (unsigned kind = 0; kind < 8; kind++) {
		size_t len = sizeof frame;

		put_u32be(frame, CHANNEL_INIT_SIZE);
		assert_int_equal(channel_initiate(&hs, &nobody, b->keys.pub, CHANNEL_NODE, 2, ORIGIN, 1, frame + 4), 0);
		channel_initiator_wipe(&hs);
		randombytes_buf(noise, sizeof noise);
		switch (kind) {
		case 0: /* A right handshake of a key that nobody knows. */
			break;
		case 1: /* Of a known key without its secret. */
			randombytes_buf(frame + 4 + 11, CHANNEL_INIT_SIZE - 11);
			break;
		case 2: /* Lengths. */
			put_u32be(frame, UINT32_MAX);
			break;
		case 3:
			put_u32be(frame, 0);
			break;
		case 4:
			put_u32be(frame, CHANNEL_INIT_SIZE + 1);
			break;
		case 5: /* DATA without a session. */
			frame[4] = CHANNEL_DATA;
			break;
		case 6: /* Another node is meant. */
			frame[4 + 10] ^= 1;
			break;
		default:
			break;
		}
		stranger_start(&s, port, kind == 7 ? noise : frame, kind == 7 ? sizeof noise : len);
		while (!s.closed)
			uv_run(&link_kit_loop, UV_RUN_ONCE);
		assert_int_equal(s.heard, 0); /* A stranger learns nothing. */
	}
	assert_int_equal(a->downs + b->downs, 0);
	assert_true(link_send(a->link, 2, &(struct link_part){"x", 1}, 1));
	while (b->frames == 0)
		uv_run(&link_kit_loop, UV_RUN_ONCE);
}

/* A recorded handshake of a's is dropped the second time, and the one that took it can go no further. */
static void test_replay(void **state)
{
	struct node *a = *state, *b = a + 1;
	uint8_t frame[4 + CHANNEL_INIT_SIZE + 4 + CHANNEL_OVERHEAD];
	struct channel_initiator hs;
	struct stranger first, second;
	uint16_t ports[2];

	link_kit_pair(a, b, ports);
	assert_int_equal(link_kit_start_on(b, ports[1]), 0);
	put_u32be(frame, CHANNEL_INIT_SIZE);
	assert_int_equal(channel_initiate(&hs, &a->keys, b->keys.pub, CHANNEL_NODE, 2, ORIGIN, 1000, frame + 4), 0);
	channel_initiator_wipe(&hs);
	memset(frame + 4 + CHANNEL_INIT_SIZE, 0, 4 + CHANNEL_OVERHEAD);
	put_u32be(frame + 4 + CHANNEL_INIT_SIZE, CHANNEL_OVERHEAD);
	frame[4 + CHANNEL_INIT_SIZE + 4] = CHANNEL_DATA;
	stranger_start(&first, ports[1], frame, sizeof frame);
	while (!first.closed)
		uv_run(&link_kit_loop, UV_RUN_ONCE);
	stranger_start(&second, ports[1], frame, sizeof frame);
	while (!second.closed)
		uv_run(&link_kit_loop, UV_RUN_ONCE);
	assert_int_equal(second.heard, 0);
	assert_int_equal(b->frames, 0);
	assert_int_equal(link_kit_start_on(a, ports[0]), 0); /* Today is after 1000 ns: the real a is taken. */
	while (!a->up[2] || !b->up[1])
		uv_run(&link_kit_loop, UV_RUN_ONCE);
}

/* Whoever has not confirmed its session may not name a length, though its handshake was right. */
static void test_unconfirmed_length(void **state)
{
	struct node *a = *state, *b = a + 1;
	uint8_t frame[4 + CHANNEL_INIT_SIZE + 4];
	struct channel_initiator hs;
	struct stranger s;
	uint16_t ports[2];

	link_kit_pair(a, b, ports);
	assert_int_equal(link_kit_start_on(b, ports[1]), 0);
	put_u32be(frame, CHANNEL_INIT_SIZE);
	assert_int_equal(channel_initiate(&hs, &a->keys, b->keys.pub, CHANNEL_NODE, 2, ORIGIN, 1, frame + 4), 0);
	channel_initiator_wipe(&hs);
	put_u32be(frame + 4 + CHANNEL_INIT_SIZE, LINK_FRAME_SIZE_MAX);
	stranger_start(&s, ports[1], frame, sizeof frame);
	while (!s.closed) {
		uv_run(&link_kit_loop, UV_RUN_ONCE);
		if (b->link->ins != NULL)
			assert_true(b->link->ins->large == NULL && b->link->ins->regular == NULL);
	}
}

/* A peer's newer stream takes the place of its older one, and only once it is confirmed. */
static void test_newer_stream(void **state)
{
	struct node *a = *state, *b = a + 1;
	uint8_t frame[4 + CHANNEL_INIT_SIZE], confirm[4 + CHANNEL_OVERHEAD];
	uv_buf_t buf = uv_buf_init((char *)confirm, sizeof confirm);
	struct channel_initiator hs;
	struct channel_session session;
	struct stranger s;

	link_kit_start_pair(a, b);
	put_u32be(frame, CHANNEL_INIT_SIZE);
	assert_int_equal(channel_initiate(&hs, &a->keys, b->keys.pub, CHANNEL_NODE, 2, ORIGIN,
	                                  a->link->timestamp_ns + 1, frame + 4),
	                 0);
	stranger_start(&s, link_port(b->link), frame, sizeof frame);
	while (s.heard < 4 + CHANNEL_ACCEPT_SIZE)
		uv_run(&link_kit_loop, UV_RUN_ONCE);
	assert_int_equal(channel_finish(&hs, (uint8_t *)s.buf + 4, CHANNEL_ACCEPT_SIZE, 0, &session), 0);
	assert_true(link_send(a->link, 2, &(struct link_part){"x", 1}, 1)); /* The older one still counts. */
	while (b->frames == 0)
		uv_run(&link_kit_loop, UV_RUN_ONCE);
	put_u32be(confirm, CHANNEL_OVERHEAD);
	assert_int_equal(channel_seal(&session, NULL, "", 0, confirm + 4), 0);
	assert_int_equal(uv_try_write((uv_stream_t *)&s.tcp, &buf, 1), (int)sizeof confirm);
	while (a->downs == 0)
		uv_run(&link_kit_loop, UV_RUN_ONCE);
	while (!s.closed || a->ups < 2) /* And a, connecting again, takes its place in turn. */
		uv_run(&link_kit_loop, UV_RUN_ONCE);
}

/* A node that waits for its next attempt, however long, connects when the peer connects to it. */
static void test_hurry(void **state)
{
	struct node *a = *state, *b = a + 1;
	struct link_out *p;
	uint16_t ports[2];

	link_kit_pair(a, b, ports);
	assert_int_equal(link_kit_start_on(a, ports[0]), 0);
	p = a->link->peers[0];
	while (p->state != LINK_WAITING)
		uv_run(&link_kit_loop, UV_RUN_ONCE);
	assert_int_equal(uv_timer_start(&p->timer, p->timer.timer_cb, 2 * GIVE_UP_MS, 0), 0);
	assert_int_equal(link_kit_start_on(b, ports[1]), 0);
	while (!a->up[2] || !b->up[1])
		uv_run(&link_kit_loop, UV_RUN_ONCE);
}

/* More silent strangers than there is room for: the oldest are closed, and the peer still gets in. */
static void test_flood(void **state)
{
	enum { N = 3 * LINK_INBOUND_MAX(1) };
	struct node *a = *state, *b = a + 1;
	struct stranger *s = calloc(N, sizeof *s);
	uint16_t ports[2];
	unsigned open = 0;

	assert_non_null(s);
	link_kit_pair(a, b, ports);
	assert_int_equal(link_kit_start_on(b, ports[1]), 0);
	for (unsigned i = 0; i < N; i++) {
		stranger_start(&s[i], ports[1], NULL, 0);
		while (!s[i].connected)
			uv_run(&link_kit_loop, UV_RUN_ONCE);
	}
	while (!s[N - LINK_INBOUND_MAX(1) - 1].closed)
		uv_run(&link_kit_loop, UV_RUN_ONCE);
	for (unsigned i = 0; i < N; i++)
		open += !s[i].closed;
	assert_int_equal(open, LINK_INBOUND_MAX(1));
	assert_int_equal(link_kit_start_on(a, ports[0]), 0);
	while (!a->up[2] || !b->up[1])
		uv_run(&link_kit_loop, UV_RUN_ONCE);
	link_kit_stop(b);
	for (unsigned i = 0; i < N; i++)
		while (!s[i].closed)
			uv_run(&link_kit_loop, UV_RUN_ONCE);
	free(s);
}

/* Handshakes are counted before any DH: above the burst they are dropped unread. */
static void test_handshake_limit(void **state)
{
	struct node *a = *state, *b = a + 1;
	uint8_t frame[4 + CHANNEL_INIT_SIZE];
	struct channel_initiator hs;
	uint16_t ports[2];
	unsigned answered = 0;
	uint64_t start = uv_hrtime();
	uint64_t elapsed_ms;

	link_kit_pair(a, b, ports);
	b->peers[0].port = 1; /* So that b does not connect to a. */
	assert_int_equal(link_kit_start_on(b, ports[1]), 0);
	put_u32be(frame, CHANNEL_INIT_SIZE);
	for (unsigned i = 0; i < 4 * LINK_HANDSHAKES_BURST; i++) {
		struct stranger s;

		assert_int_equal(
		        channel_initiate(&hs, &a->keys, b->keys.pub, CHANNEL_NODE, 2, ORIGIN, i + 1, frame + 4), 0);
		channel_initiator_wipe(&hs);
		stranger_start(&s, ports[1], frame, sizeof frame);
		while (!s.closed && s.heard == 0)
			uv_run(&link_kit_loop, UV_RUN_ONCE);
		if (s.heard > 0) {
			answered++;
			uv_close((uv_handle_t *)&s.tcp, on_stranger_closed);
		}
		while (!s.closed)
			uv_run(&link_kit_loop, UV_RUN_ONCE);
	}
	elapsed_ms = (uv_hrtime() - start) / 1000000 + 1;
	assert_true(answered >= LINK_HANDSHAKES_BURST);
	assert_true(answered <= LINK_HANDSHAKES_BURST + elapsed_ms * LINK_HANDSHAKES_PER_S / 1000 + 1);
}

/* A session that has sent all its messages ends, and a new one follows at once. */
static void test_spent(void **state)
{
	struct node *a = *state, *b = a + 1;
	const struct link_part part = {"x", 1};

	link_kit_start_pair(a, b);
	a->link->peers[0]->session.send_nonce = CHANNEL_MESSAGES_MAX - 1;
	assert_true(link_send(a->link, 2, &part, 1));
	assert_false(link_send(a->link, 2, &part, 1));
	assert_false(link_up(a->link, 2));
	assert_int_equal(a->link->peers[0]->retry_ms, 0);
	while (a->ups < 2)
		uv_run(&link_kit_loop, UV_RUN_ONCE);
	assert_int_equal(a->downs, 1);
	assert_true(link_send(a->link, 2, &part, 1));
	while (b->frames < 2)
		uv_run(&link_kit_loop, UV_RUN_ONCE);
}

/* A vanished peer is the kernel's to notice: it must have been told how soon, on both ends of a stream. */
static void test_silence(void **state)
{
	struct node *a = *state, *b = a + 1;
	const uv_tcp_t *ends[2];

	link_kit_start_pair(a, b);
	while (b->link->peers[0]->in == NULL)
		uv_run(&link_kit_loop, UV_RUN_ONCE);
	ends[0] = &a->link->peers[0]->tcp;
	ends[1] = &b->link->peers[0]->in->tcp;
	for (unsigned i = 0; i < 2; i++) {
		int silence_ms = 0, idle_s = 0, nodelay = 0;
		socklen_t len = sizeof silence_ms;
		uv_os_fd_t fd;

		assert_int_equal(uv_fileno((const uv_handle_t *)ends[i], &fd), 0);
		assert_int_equal(getsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &silence_ms, &len), 0);
		assert_int_equal(getsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle_s, &len), 0);
		assert_int_equal(getsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &nodelay, &len), 0);
		assert_int_equal(silence_ms, LINK_SILENCE_MS);
		assert_true(idle_s * 1000 < LINK_SILENCE_MS);
		assert_int_not_equal(nodelay, 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        LINK_TEST(test_garbage),         LINK_TEST(test_replay), LINK_TEST(test_unconfirmed_length),
	        LINK_TEST(test_newer_stream),    LINK_TEST(test_hurry),  LINK_TEST(test_flood),
	        LINK_TEST(test_handshake_limit), LINK_TEST(test_spent),  LINK_TEST(test_silence),
	};

	if (sodium_init() < 0)
		return 1;
	return cmocka_run_group_tests_name("link_hostile", tests, NULL, NULL);
}
