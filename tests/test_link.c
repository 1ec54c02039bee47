/* Links between nodes over real sockets of this machine: up and down, keys, large frames, floods, garbage. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <netinet/tcp.h>
#include <setjmp.h>
#include <sodium.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <cmocka.h>

#include "ledger/bytes.h"
#include "node/link_internal.h"

#define ORIGIN     "example.org/link-0011223344556677"
#define NODES      3
#define GIVE_UP_MS 20000 /* A test that waits this long has failed. */

struct node {
	uint64_t id;
	struct link *link;
	struct channel_keypair keys;
	struct link_peer peers[NODES];
	unsigned n_peers, ups, downs;
	bool up[NODES + 1];
	uint64_t frames, bytes, last_from;
	uint8_t *last;
	size_t last_len;
	bool echo, close_on_recv, closed;
	uint64_t pongs;
};

static uv_loop_t loop;
static uv_timer_t watchdog;

static void on_give_up(uv_timer_t *t)
{
	(void)t;
	fail_msg("nothing happened for %d ms", GIVE_UP_MS);
}

static void on_done(void *ctx)
{
	((struct node *)ctx)->closed = true;
}

static void on_recv(void *ctx, uint64_t from, uint8_t *frame, size_t len)
{
	struct node *n = ctx;
	const struct link_part part = {frame, len};

	n->frames++;
	n->bytes += len;
	n->last_from = from;
	n->last = realloc(n->last, len);
	assert_non_null(n->last);
	memcpy(n->last, frame, len);
	n->last_len = len;
	frame[0] ^= 0xff; /* Writable. */
	frame[0] ^= 0xff;
	if (n->echo)
		assert_true(link_send(n->link, from, &part, 1));
	if (n->close_on_recv) {
		n->close_on_recv = false;
		link_close(n->link, on_done, n);
	}
}

static void on_state(void *ctx, uint64_t peer, bool up)
{
	struct node *n = ctx;

	assert_true(n->up[peer] != up); /* Each change is told once. */
	assert_true(link_up(n->link, peer) == up);
	n->up[peer] = up;
	if (up)
		n->ups++;
	else
		n->downs++;
}

static int setup(void **state)
{
	struct node *nodes = calloc(NODES, sizeof *nodes);

	assert_non_null(nodes);
	assert_int_equal(uv_loop_init(&loop), 0);
	assert_int_equal(uv_timer_init(&loop, &watchdog), 0);
	assert_int_equal(uv_timer_start(&watchdog, on_give_up, GIVE_UP_MS, 0), 0);
	for (unsigned i = 0; i < NODES; i++) {
		nodes[i].id = i + 1;
		assert_int_equal(channel_keypair_random(&nodes[i].keys), 0);
	}
	*state = nodes;
	return 0;
}

static void stop(struct node *n)
{
	if (n->link == NULL)
		return;
	n->closed = false;
	link_close(n->link, on_done, n);
	while (!n->closed)
		uv_run(&loop, UV_RUN_ONCE);
	n->link = NULL;
	memset(n->up, 0, sizeof n->up);
}

static int teardown(void **state)
{
	struct node *nodes = *state;

	for (unsigned i = 0; i < NODES; i++) {
		stop(&nodes[i]);
		free(nodes[i].last);
	}
	uv_close((uv_handle_t *)&watchdog, NULL);
	uv_run(&loop, UV_RUN_DEFAULT);
	assert_int_equal(uv_loop_close(&loop), 0); /* No handle was left behind. */
	free(nodes);
	return 0;
}

/* A port that nobody has now, from below the range that the system itself hands out for connections. */
static uint16_t free_port(void)
{
	struct sockaddr_in any;
	uint16_t port;
	uv_tcp_t tcp;
	int rv;

	do {
		port = (uint16_t)(10000 + randombytes_uniform(20000));
		assert_int_equal(uv_ip4_addr("127.0.0.1", port, &any), 0);
		assert_int_equal(uv_tcp_init(&loop, &tcp), 0);
		rv = uv_tcp_bind(&tcp, (struct sockaddr *)&any, 0);
		if (rv == 0)
			rv = uv_listen((uv_stream_t *)&tcp, 1, NULL); /* libuv tells of a port in use only here. */
		uv_close((uv_handle_t *)&tcp, NULL);
		uv_run(&loop, UV_RUN_NOWAIT);
	} while (rv != 0);
	return port;
}

static void add_peer(struct node *n, const struct node *peer, uint16_t port)
{
	struct link_peer *p = &n->peers[n->n_peers++];

	*p = (struct link_peer){.id = peer->id, .host = "127.0.0.1", .port = port};
	memcpy(p->channel_pub, peer->keys.pub, sizeof p->channel_pub);
}

static int start_on(struct node *n, uint16_t port)
{
	struct link_options o = {.loop = &loop,
	                         .node_id = n->id,
	                         .origin = ORIGIN,
	                         .listen_host = "127.0.0.1",
	                         .listen_port = port,
	                         .keys = n->keys,
	                         .peers = n->peers,
	                         .n_peers = n->n_peers,
	                         .recv = on_recv,
	                         .state = on_state,
	                         .ctx = n};

	return link_open(&o, &n->link);
}

/* Two nodes that know each other; *ret_ports: theirs. Not started. */
static void pair(struct node *a, struct node *b, uint16_t ret_ports[2])
{
	ret_ports[0] = free_port();
	do
		ret_ports[1] = free_port();
	while (ret_ports[1] == ret_ports[0]);
	add_peer(a, b, ret_ports[1]);
	add_peer(b, a, ret_ports[0]);
}

static void start_pair(struct node *a, struct node *b)
{
	uint16_t ports[2];

	pair(a, b, ports);
	assert_int_equal(start_on(a, ports[0]), 0);
	assert_int_equal(start_on(b, ports[1]), 0);
	assert_int_equal(link_port(a->link), ports[0]);
	while (!a->up[b->id] || !b->up[a->id])
		uv_run(&loop, UV_RUN_ONCE);
}

static void test_connect(void **state)
{
	struct node *a = *state, *b = a + 1;
	const struct link_part parts[] = {{"one ", 4}, {NULL, 0}, {"two", 3}};

	start_pair(a, b);
	assert_true(link_send(a->link, 2, parts, 3));
	assert_true(link_send(b->link, 1, parts, 1));
	assert_false(link_send(a->link, 9, parts, 1)); /* Nobody. */
	assert_false(link_send(a->link, 1, parts, 1)); /* Ourselves. */
	while (b->frames == 0 || a->frames == 0)
		uv_run(&loop, UV_RUN_ONCE);
	assert_int_equal(b->last_from, 1);
	assert_int_equal(b->last_len, 7);
	assert_memory_equal(b->last, "one two", 7);
	assert_int_equal(a->last_len, 4);
	assert_int_equal(a->ups, 1);
	assert_int_equal(a->downs, 0);
}

static void test_three(void **state)
{
	struct node *n = *state;
	const struct link_part part = {"x", 1};
	uint16_t ports[NODES];

	for (unsigned i = 0; i < NODES; i++)
		ports[i] = free_port();
	for (unsigned i = 0; i < NODES; i++) {
		for (unsigned j = 0; j < NODES; j++)
			if (i != j)
				add_peer(&n[i], &n[j], ports[j]);
		assert_int_equal(start_on(&n[i], ports[i]), 0);
	}
	while (n[0].ups + n[1].ups + n[2].ups < NODES * (NODES - 1))
		uv_run(&loop, UV_RUN_ONCE);
	for (unsigned i = 0; i < NODES; i++)
		for (unsigned j = 0; j < NODES; j++)
			if (i != j)
				assert_true(link_send(n[i].link, n[j].id, &part, 1));
	while (n[0].frames + n[1].frames + n[2].frames < NODES * (NODES - 1))
		uv_run(&loop, UV_RUN_ONCE);
	for (unsigned i = 0; i < NODES; i++)
		assert_int_equal(n[i].frames, NODES - 1);
}

/* A name instead of a number; a peer on a name that nobody has does not disturb. */
static void test_names(void **state)
{
	struct node *a = *state, *b = a + 1;
	uint16_t ports[2];

	pair(a, b, ports);
	a->peers[0].host = "localhost";
	add_peer(a, a + 2, 1);
	a->peers[1].host = "nobody.invalid";
	assert_int_equal(start_on(a, ports[0]), 0);
	assert_int_equal(start_on(b, ports[1]), 0);
	while (!a->up[2] || !b->up[1])
		uv_run(&loop, UV_RUN_ONCE);
	assert_false(link_up(a->link, 3));
}

static void on_over(uv_timer_t *t)
{
	*(bool *)t->data = true;
	uv_close((uv_handle_t *)t, NULL);
}

/* b expects another key than a has, and a third knows b's key but is not known: neither gets a stream. */
static void test_wrong_key(void **state)
{
	struct node *a = *state, *b = a + 1, *c = a + 2;
	uint16_t ports[2], third = free_port();
	bool over = false;
	uv_timer_t timer;

	pair(a, b, ports);
	b->peers[0].channel_pub[0] ^= 1;
	add_peer(c, b, ports[1]);
	assert_int_equal(start_on(a, ports[0]), 0);
	assert_int_equal(start_on(b, ports[1]), 0);
	assert_int_equal(start_on(c, third), 0);
	timer.data = &over;
	assert_int_equal(uv_timer_init(&loop, &timer), 0);
	assert_int_equal(uv_timer_start(&timer, on_over, 8 * LINK_RETRY_MS_MIN, 0), 0); /* Three attempts of each. */
	while (!over)
		uv_run(&loop, UV_RUN_ONCE);
	assert_int_equal(a->ups + b->ups + c->ups, 0);
	assert_false(link_send(a->link, 2, &(struct link_part){"x", 1}, 1));
	/* With the right key it comes up after all. */
	stop(b);
	memcpy(b->peers[0].channel_pub, a->keys.pub, CHANNEL_KEY_SIZE);
	assert_int_equal(start_on(b, ports[1]), 0);
	while (!a->up[2] || !b->up[1])
		uv_run(&loop, UV_RUN_ONCE);
	assert_int_equal(c->ups, 0);
}

static void test_reconnect(void **state)
{
	struct node *a = *state, *b = a + 1;
	const struct link_part part = {"again", 5};
	uint16_t ports[2];

	pair(a, b, ports);
	assert_int_equal(start_on(a, ports[0]), 0);
	for (unsigned round = 1; round <= 5; round++) {
		assert_int_equal(start_on(b, ports[1]), 0);
		while (!a->up[2] || !b->up[1])
			uv_run(&loop, UV_RUN_ONCE);
		assert_true(link_send(a->link, 2, &part, 1));
		assert_true(link_send(b->link, 1, &part, 1));
		while (b->frames < round || a->frames < round)
			uv_run(&loop, UV_RUN_ONCE);
		stop(b);
		while (a->up[2])
			uv_run(&loop, UV_RUN_ONCE);
		assert_false(link_send(a->link, 2, &part, 1));
		assert_int_equal(a->downs, round);
	}
}

/* From one byte over all the sizes where buffers change to the largest; in order, whole, and mixed. */
static void test_sizes(void **state)
{
	static const size_t sizes[] = {
	        1, 61, 62, 63, 119, 120, 1000, 65535, 65536, 65537, 65600, 1 << 20, 100, LINK_FRAME_SIZE_MAX, 7};
	static uint8_t data[LINK_FRAME_SIZE_MAX];
	struct node *a = *state, *b = a + 1;

	for (size_t i = 0; i < sizeof data; i++)
		data[i] = (uint8_t)(i * 31 + i / 253);
	start_pair(a, b);
	for (unsigned i = 0; i < sizeof sizes / sizeof *sizes; i++) {
		const struct link_part parts[] = {{data, sizes[i] / 2}, {data + sizes[i] / 2, sizes[i] - sizes[i] / 2}};

		assert_true(link_send(a->link, 2, parts, 2));
		while (b->frames < i + 1)
			uv_run(&loop, UV_RUN_ONCE);
		assert_int_equal(b->last_len, sizes[i]);
		assert_memory_equal(b->last, data, sizes[i]);
	}
	const struct link_part too_large[] = {{data, LINK_FRAME_SIZE_MAX}, {data, 1}};
	const struct link_part overflow[] = {{data, 2}, {data, SIZE_MAX}};
	assert_false(link_send(a->link, 2, too_large, 2));
	assert_false(link_send(a->link, 2, overflow, 2));
	assert_true(link_up(a->link, 2));
}

/* Many frames at once, more than a socket takes: all arrive, in order. */
static void test_burst(void **state)
{
	static uint8_t data[3000];
	struct node *a = *state, *b = a + 1;
	unsigned n = 3000;

	start_pair(a, b);
	for (unsigned i = 0; i < n; i++) {
		const struct link_part part = {data, 1 + i % sizeof data};

		data[0] = (uint8_t)i;
		assert_true(link_send(a->link, 2, &part, 1));
	}
	for (unsigned i = 0; i < n; i++)
		while (b->frames < i + 1)
			uv_run(&loop, UV_RUN_ONCE);
	assert_int_equal(b->frames, n);
	assert_int_equal(b->last[0], (uint8_t)(n - 1));
	assert_int_equal(b->bytes, (uint64_t)n * (n + 1) / 2);
}

/* The loop does not turn, so nothing leaves: the queue fills to its bound, then frames are dropped; then it drains. */
static void test_queue_full(void **state)
{
	static uint8_t data[100000];
	struct node *a = *state, *b = a + 1;
	const struct link_part part = {data, sizeof data};
	unsigned sent = 0;

	start_pair(a, b);
	while (link_send(a->link, 2, &part, 1))
		assert_true(++sent < 1000);
	assert_true(sent >= LINK_QUEUE_BYTES_MAX / (sizeof data + 100));
	assert_true(link_up(a->link, 2)); /* Dropped, not broken. */
	while (b->frames < sent)
		uv_run(&loop, UV_RUN_ONCE);
	assert_true(link_send(a->link, 2, &part, 1));
	while (b->frames < sent + 1)
		uv_run(&loop, UV_RUN_ONCE);
	assert_int_equal(b->bytes, (uint64_t)(sent + 1) * sizeof data);
	assert_int_equal(a->downs, 0);
}

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
	assert_int_equal(uv_tcp_init(&loop, &s->tcp), 0);
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

	start_pair(a, b);
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
			uv_run(&loop, UV_RUN_ONCE);
		assert_int_equal(s.heard, 0); /* A stranger learns nothing. */
	}
	assert_int_equal(a->downs + b->downs, 0);
	assert_true(link_send(a->link, 2, &(struct link_part){"x", 1}, 1));
	while (b->frames == 0)
		uv_run(&loop, UV_RUN_ONCE);
}

/* A recorded handshake of a's is dropped the second time, and the one that took it can go no further. */
static void test_replay(void **state)
{
	struct node *a = *state, *b = a + 1;
	uint8_t frame[4 + CHANNEL_INIT_SIZE + 4 + CHANNEL_OVERHEAD];
	struct channel_initiator hs;
	struct stranger first, second;
	uint16_t ports[2];

	pair(a, b, ports);
	assert_int_equal(start_on(b, ports[1]), 0);
	put_u32be(frame, CHANNEL_INIT_SIZE);
	assert_int_equal(channel_initiate(&hs, &a->keys, b->keys.pub, CHANNEL_NODE, 2, ORIGIN, 1000, frame + 4), 0);
	channel_initiator_wipe(&hs);
	memset(frame + 4 + CHANNEL_INIT_SIZE, 0, 4 + CHANNEL_OVERHEAD);
	put_u32be(frame + 4 + CHANNEL_INIT_SIZE, CHANNEL_OVERHEAD);
	frame[4 + CHANNEL_INIT_SIZE + 4] = CHANNEL_DATA;
	stranger_start(&first, ports[1], frame, sizeof frame);
	while (!first.closed)
		uv_run(&loop, UV_RUN_ONCE);
	stranger_start(&second, ports[1], frame, sizeof frame);
	while (!second.closed)
		uv_run(&loop, UV_RUN_ONCE);
	assert_int_equal(second.heard, 0);
	assert_int_equal(b->frames, 0);
	assert_int_equal(start_on(a, ports[0]), 0); /* Today is after 1000 ns: the real a is taken. */
	while (!a->up[2] || !b->up[1])
		uv_run(&loop, UV_RUN_ONCE);
}

/* Whoever has not confirmed its session may not name a length, though its handshake was right. */
static void test_unconfirmed_length(void **state)
{
	struct node *a = *state, *b = a + 1;
	uint8_t frame[4 + CHANNEL_INIT_SIZE + 4];
	struct channel_initiator hs;
	struct stranger s;
	uint16_t ports[2];

	pair(a, b, ports);
	assert_int_equal(start_on(b, ports[1]), 0);
	put_u32be(frame, CHANNEL_INIT_SIZE);
	assert_int_equal(channel_initiate(&hs, &a->keys, b->keys.pub, CHANNEL_NODE, 2, ORIGIN, 1, frame + 4), 0);
	channel_initiator_wipe(&hs);
	put_u32be(frame + 4 + CHANNEL_INIT_SIZE, LINK_FRAME_SIZE_MAX);
	stranger_start(&s, ports[1], frame, sizeof frame);
	while (!s.closed) {
		uv_run(&loop, UV_RUN_ONCE);
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

	start_pair(a, b);
	put_u32be(frame, CHANNEL_INIT_SIZE);
	assert_int_equal(channel_initiate(&hs, &a->keys, b->keys.pub, CHANNEL_NODE, 2, ORIGIN,
	                                  a->link->timestamp_ns + 1, frame + 4),
	                 0);
	stranger_start(&s, link_port(b->link), frame, sizeof frame);
	while (s.heard < 4 + CHANNEL_ACCEPT_SIZE)
		uv_run(&loop, UV_RUN_ONCE);
	assert_int_equal(channel_finish(&hs, (uint8_t *)s.buf + 4, CHANNEL_ACCEPT_SIZE, 0, &session), 0);
	assert_true(link_send(a->link, 2, &(struct link_part){"x", 1}, 1)); /* The older one still counts. */
	while (b->frames == 0)
		uv_run(&loop, UV_RUN_ONCE);
	put_u32be(confirm, CHANNEL_OVERHEAD);
	assert_int_equal(channel_seal(&session, NULL, "", 0, confirm + 4), 0);
	assert_int_equal(uv_try_write((uv_stream_t *)&s.tcp, &buf, 1), (int)sizeof confirm);
	while (a->downs == 0)
		uv_run(&loop, UV_RUN_ONCE);
	while (!s.closed || a->ups < 2) /* And a, connecting again, takes its place in turn. */
		uv_run(&loop, UV_RUN_ONCE);
}

/* A node that waits for its next attempt, however long, connects when the peer connects to it. */
static void test_hurry(void **state)
{
	struct node *a = *state, *b = a + 1;
	struct link_out *p;
	uint16_t ports[2];

	pair(a, b, ports);
	assert_int_equal(start_on(a, ports[0]), 0);
	p = a->link->peers[0];
	while (p->state != LINK_WAITING)
		uv_run(&loop, UV_RUN_ONCE);
	assert_int_equal(uv_timer_start(&p->timer, p->timer.timer_cb, 2 * GIVE_UP_MS, 0), 0);
	assert_int_equal(start_on(b, ports[1]), 0);
	while (!a->up[2] || !b->up[1])
		uv_run(&loop, UV_RUN_ONCE);
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
	pair(a, b, ports);
	assert_int_equal(start_on(b, ports[1]), 0);
	for (unsigned i = 0; i < N; i++) {
		stranger_start(&s[i], ports[1], NULL, 0);
		while (!s[i].connected)
			uv_run(&loop, UV_RUN_ONCE);
	}
	while (!s[N - LINK_INBOUND_MAX(1) - 1].closed)
		uv_run(&loop, UV_RUN_ONCE);
	for (unsigned i = 0; i < N; i++)
		open += !s[i].closed;
	assert_int_equal(open, LINK_INBOUND_MAX(1));
	assert_int_equal(start_on(a, ports[0]), 0);
	while (!a->up[2] || !b->up[1])
		uv_run(&loop, UV_RUN_ONCE);
	stop(b);
	for (unsigned i = 0; i < N; i++)
		while (!s[i].closed)
			uv_run(&loop, UV_RUN_ONCE);
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

	pair(a, b, ports);
	b->peers[0].port = 1; /* So that b does not connect to a. */
	assert_int_equal(start_on(b, ports[1]), 0);
	put_u32be(frame, CHANNEL_INIT_SIZE);
	for (unsigned i = 0; i < 4 * LINK_HANDSHAKES_BURST; i++) {
		struct stranger s;

		assert_int_equal(
		        channel_initiate(&hs, &a->keys, b->keys.pub, CHANNEL_NODE, 2, ORIGIN, i + 1, frame + 4), 0);
		channel_initiator_wipe(&hs);
		stranger_start(&s, ports[1], frame, sizeof frame);
		while (!s.closed && s.heard == 0)
			uv_run(&loop, UV_RUN_ONCE);
		if (s.heard > 0) {
			answered++;
			uv_close((uv_handle_t *)&s.tcp, on_stranger_closed);
		}
		while (!s.closed)
			uv_run(&loop, UV_RUN_ONCE);
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

	start_pair(a, b);
	a->link->peers[0]->session.send_nonce = CHANNEL_MESSAGES_MAX - 1;
	assert_true(link_send(a->link, 2, &part, 1));
	assert_false(link_send(a->link, 2, &part, 1));
	assert_false(link_up(a->link, 2));
	assert_int_equal(a->link->peers[0]->retry_ms, 0);
	while (a->ups < 2)
		uv_run(&loop, UV_RUN_ONCE);
	assert_int_equal(a->downs, 1);
	assert_true(link_send(a->link, 2, &part, 1));
	while (b->frames < 2)
		uv_run(&loop, UV_RUN_ONCE);
}

/* A vanished peer is the kernel's to notice: it must have been told how soon, on both ends of a stream. */
static void test_silence(void **state)
{
	struct node *a = *state, *b = a + 1;
	const uv_tcp_t *ends[2];

	start_pair(a, b);
	while (b->link->peers[0]->in == NULL)
		uv_run(&loop, UV_RUN_ONCE);
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

/* Closing from within a callback, while the peer sends on. */
static void test_close_in_recv(void **state)
{
	struct node *a = *state, *b = a + 1;
	const struct link_part part = {"x", 1};

	start_pair(a, b);
	b->close_on_recv = true;
	for (unsigned i = 0; i < 10; i++)
		assert_true(link_send(a->link, 2, &part, 1));
	while (!b->closed)
		uv_run(&loop, UV_RUN_ONCE);
	b->link = NULL;
	assert_int_equal(b->frames, 1);
	while (a->up[2])
		uv_run(&loop, UV_RUN_ONCE);
}

static void test_open_errors(void **state)
{
	struct node *a = *state, *b = a + 1;
	uint16_t ports[2];

	pair(a, b, ports);
	assert_int_equal(start_on(a, ports[0]), 0);
	assert_int_equal(start_on(b, ports[0]), CS_ERR_EXISTS);
	b->peers[0].id = b->id;
	assert_int_equal(start_on(b, ports[1]), CS_ERR_INVALID);
	b->n_peers = LINK_PEERS_MAX + 1;
	assert_int_equal(start_on(b, ports[1]), CS_ERR_INVALID);
	assert_null(b->link);
}

/* A peer that is added while the link is open; removed while it sends, it neither is heard nor gets in again. */
static void test_add_remove(void **state)
{
	struct node *a = *state, *b = a + 1, *c = a + 2;
	const struct link_part part = {"x", 1};
	uint16_t ports[2];
	bool over = false;
	uv_timer_t t;

	start_pair(a, b);
	pair(a, c, ports);
	c->n_peers = 0;
	assert_int_equal(start_on(c, ports[1]), 0);
	assert_int_equal(link_add_peer(a->link, &a->peers[1]), 0);
	assert_int_equal(link_add_peer(a->link, &a->peers[1]), CS_ERR_EXISTS);
	c->peers[0].port = link_port(a->link);
	assert_int_equal(link_add_peer(c->link, &c->peers[0]), 0);
	while (!a->up[3] || !c->up[1])
		uv_run(&loop, UV_RUN_ONCE);
	assert_true(link_send(c->link, 1, &part, 1));
	while (a->frames == 0)
		uv_run(&loop, UV_RUN_ONCE);
	assert_true(link_send(c->link, 1, &part, 1));
	link_remove_peer(a->link, 3);
	assert_false(link_send(a->link, 3, &part, 1));
	assert_false(link_up(a->link, 3));
	while (c->up[1]) /* Its stream to a ends; a's callback says nothing of it. */
		uv_run(&loop, UV_RUN_ONCE);
	assert_true(a->up[3]);
	assert_int_equal(a->frames, 1);
	assert_int_equal(uv_timer_init(&loop, &t), 0);
	t.data = &over;
	assert_int_equal(uv_timer_start(&t, on_over, 300, 0), 0);
	while (!over)
		uv_run(&loop, UV_RUN_ONCE);
	assert_false(c->up[1]);
	assert_true(a->up[2]); /* The others notice nothing. */
	a->up[3] = false;
	assert_int_equal(link_add_peer(a->link, &a->peers[1]), 0);
	while (!a->up[3] || !c->up[1])
		uv_run(&loop, UV_RUN_ONCE);
	for (uint64_t id = 10; a->link->n_peers < LINK_SLOTS_MAX; id++) {
		struct link_peer more = a->peers[1];
		more.id = id;
		assert_int_equal(link_add_peer(a->link, &more), 0);
	}
	a->peers[1].id = 9;
	assert_int_equal(link_add_peer(a->link, &a->peers[1]), CS_ERR_TOO_LARGE);
}

/* The stream that is up stays; after it has ended, the new address is connected to. */
static void test_move(void **state)
{
	struct node *a = *state, *b = a + 1;
	uint16_t port = free_port();

	start_pair(a, b);
	while (port == link_port(a->link) || port == link_port(b->link))
		port = free_port();
	assert_int_equal(link_set_address(a->link, 2, "127.0.0.1", port), 0);
	assert_int_equal(link_set_address(a->link, 3, "127.0.0.1", port), CS_ERR_NOT_FOUND);
	assert_true(link_up(a->link, 2));
	stop(b);
	assert_int_equal(start_on(b, port), 0);
	while (!b->up[1] || a->ups < 2)
		uv_run(&loop, UV_RUN_ONCE);
	assert_true(a->up[2]);
}

/* Nobody connects to a passive peer, until it comes by itself. */
static void test_passive(void **state)
{
	struct node *a = *state, *b = a + 1;
	uint16_t ports[2];

	pair(a, b, ports);
	assert_int_equal(start_on(a, ports[0]), 0);
	link_set_passive(a->link, 2, true);
	while (a->link->peers[0]->state != LINK_WAITING)
		uv_run(&loop, UV_RUN_ONCE);
	assert_false(uv_is_active((uv_handle_t *)&a->link->peers[0]->timer));
	assert_int_equal(start_on(b, ports[1]), 0);
	while (!a->up[2] || !b->up[1])
		uv_run(&loop, UV_RUN_ONCE);
	stop(b);
	while (a->up[2])
		uv_run(&loop, UV_RUN_ONCE);
	assert_int_equal(a->link->peers[0]->state, LINK_WAITING);
	assert_false(uv_is_active((uv_handle_t *)&a->link->peers[0]->timer));
	link_set_passive(a->link, 2, false);
	assert_int_equal(start_on(b, ports[1]), 0);
	while (!a->up[2] || !b->up[1])
		uv_run(&loop, UV_RUN_ONCE);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
	        TEST(test_connect),       TEST(test_three),   TEST(test_names),       TEST(test_wrong_key),
	        TEST(test_reconnect),     TEST(test_sizes),   TEST(test_burst),       TEST(test_queue_full),
	        TEST(test_garbage),       TEST(test_replay),  TEST(test_flood),       TEST(test_handshake_limit),
	        TEST(test_close_in_recv), TEST(test_spent),   TEST(test_silence),     TEST(test_unconfirmed_length),
	        TEST(test_newer_stream),  TEST(test_hurry),   TEST(test_open_errors), TEST(test_add_remove),
	        TEST(test_move),          TEST(test_passive),
	};

	if (sodium_init() < 0)
		return 1;
	return cmocka_run_group_tests_name("link", tests, NULL, NULL);
}
