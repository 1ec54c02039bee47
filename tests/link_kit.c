/* What tests of links share. */
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

uv_loop_t link_kit_loop;
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

int link_kit_setup(void **state)
{
	struct node *nodes = calloc(NODES, sizeof *nodes);

	assert_non_null(nodes);
	assert_int_equal(uv_loop_init(&link_kit_loop), 0);
	assert_int_equal(uv_timer_init(&link_kit_loop, &watchdog), 0);
	assert_int_equal(uv_timer_start(&watchdog, on_give_up, GIVE_UP_MS, 0), 0);
	for (unsigned i = 0; i < NODES; i++) {
		nodes[i].id = i + 1;
		assert_int_equal(channel_keypair_random(&nodes[i].keys), 0);
	}
	*state = nodes;
	return 0;
}

void link_kit_stop(struct node *n)
{
	if (n->link == NULL)
		return;
	n->closed = false;
	link_close(n->link, on_done, n);
	while (!n->closed)
		uv_run(&link_kit_loop, UV_RUN_ONCE);
	n->link = NULL;
	memset(n->up, 0, sizeof n->up);
}

int link_kit_teardown(void **state)
{
	struct node *nodes = *state;

	for (unsigned i = 0; i < NODES; i++) {
		link_kit_stop(&nodes[i]);
		free(nodes[i].last);
	}
	uv_close((uv_handle_t *)&watchdog, NULL);
	uv_run(&link_kit_loop, UV_RUN_DEFAULT);
	assert_int_equal(uv_loop_close(&link_kit_loop), 0); /* No handle was left behind. */
	free(nodes);
	return 0;
}

/* A port that nobody has now, from below the range that the system itself hands out for connections. */
uint16_t link_kit_free_port(void)
{
	struct sockaddr_in any;
	uint16_t port;
	uv_tcp_t tcp;
	int rv;

	do {
		port = (uint16_t)(10000 + randombytes_uniform(20000));
		assert_int_equal(uv_ip4_addr("127.0.0.1", port, &any), 0);
		assert_int_equal(uv_tcp_init(&link_kit_loop, &tcp), 0);
		rv = uv_tcp_bind(&tcp, (struct sockaddr *)&any, 0);
		if (rv == 0)
			rv = uv_listen((uv_stream_t *)&tcp, 1, NULL); /* libuv tells of a port in use only here. */
		uv_close((uv_handle_t *)&tcp, NULL);
		uv_run(&link_kit_loop, UV_RUN_NOWAIT);
	} while (rv != 0);
	return port;
}

void link_kit_add_peer(struct node *n, const struct node *peer, uint16_t port)
{
	struct link_peer *p = &n->peers[n->n_peers++];

	*p = (struct link_peer){.id = peer->id, .host = "127.0.0.1", .port = port};
	memcpy(p->channel_pub, peer->keys.pub, sizeof p->channel_pub);
}

int link_kit_start_on(struct node *n, uint16_t port)
{
	struct link_options o = {.loop = &link_kit_loop,
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
void link_kit_pair(struct node *a, struct node *b, uint16_t ret_ports[2])
{
	ret_ports[0] = link_kit_free_port();
	do
		ret_ports[1] = link_kit_free_port();
	while (ret_ports[1] == ret_ports[0]);
	link_kit_add_peer(a, b, ret_ports[1]);
	link_kit_add_peer(b, a, ret_ports[0]);
}

void link_kit_start_pair(struct node *a, struct node *b)
{
	uint16_t ports[2];

	link_kit_pair(a, b, ports);
	assert_int_equal(link_kit_start_on(a, ports[0]), 0);
	assert_int_equal(link_kit_start_on(b, ports[1]), 0);
	assert_int_equal(link_port(a->link), ports[0]);
	while (!a->up[b->id] || !b->up[a->id])
		uv_run(&link_kit_loop, UV_RUN_ONCE);
}

void link_kit_on_over(uv_timer_t *t)
{
	*(bool *)t->data = true;
	uv_close((uv_handle_t *)t, NULL);
}
