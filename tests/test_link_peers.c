/* Links: closing amid a frame, peers that come, go and move. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "tests/link_kit.h"

#include <setjmp.h>
#include <sodium.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

/* Closing from within a callback, while the peer sends on. */
static void test_close_in_recv(void **state)
{
	struct node *a = *state, *b = a + 1;
	const struct link_part part = {"x", 1};

	link_kit_start_pair(a, b);
	b->close_on_recv = true;
	for (unsigned i = 0; i < 10; i++)
		assert_true(link_send(a->link, 2, &part, 1));
	while (!b->closed)
		uv_run(&link_kit_loop, UV_RUN_ONCE);
	b->link = NULL;
	assert_int_equal(b->frames, 1);
	while (a->up[2])
		uv_run(&link_kit_loop, UV_RUN_ONCE);
}

static void test_open_errors(void **state)
{
	struct node *a = *state, *b = a + 1;
	uint16_t ports[2];

	link_kit_pair(a, b, ports);
	assert_int_equal(link_kit_start_on(a, ports[0]), 0);
	assert_int_equal(link_kit_start_on(b, ports[0]), CS_ERR_EXISTS);
	b->peers[0].id = b->id;
	assert_int_equal(link_kit_start_on(b, ports[1]), CS_ERR_INVALID);
	b->n_peers = LINK_PEERS_MAX + 1;
	assert_int_equal(link_kit_start_on(b, ports[1]), CS_ERR_INVALID);
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

	link_kit_start_pair(a, b);
	link_kit_pair(a, c, ports);
	c->n_peers = 0;
	assert_int_equal(link_kit_start_on(c, ports[1]), 0);
	assert_int_equal(link_add_peer(a->link, &a->peers[1]), 0);
	assert_int_equal(link_add_peer(a->link, &a->peers[1]), CS_ERR_EXISTS);
	c->peers[0].port = link_port(a->link);
	assert_int_equal(link_add_peer(c->link, &c->peers[0]), 0);
	while (!a->up[3] || !c->up[1])
		uv_run(&link_kit_loop, UV_RUN_ONCE);
	assert_true(link_send(c->link, 1, &part, 1));
	while (a->frames == 0)
		uv_run(&link_kit_loop, UV_RUN_ONCE);
	assert_true(link_send(c->link, 1, &part, 1));
	link_remove_peer(a->link, 3);
	assert_false(link_send(a->link, 3, &part, 1));
	assert_false(link_up(a->link, 3));
	while (c->up[1]) /* Its stream to a ends; a's callback says nothing of it. */
		uv_run(&link_kit_loop, UV_RUN_ONCE);
	assert_true(a->up[3]);
	assert_int_equal(a->frames, 1);
	assert_int_equal(uv_timer_init(&link_kit_loop, &t), 0);
	t.data = &over;
	assert_int_equal(uv_timer_start(&t, link_kit_on_over, 300, 0), 0);
	while (!over)
		uv_run(&link_kit_loop, UV_RUN_ONCE);
	assert_false(c->up[1]);
	assert_true(a->up[2]); /* The others notice nothing. */
	a->up[3] = false;
	assert_int_equal(link_add_peer(a->link, &a->peers[1]), 0);
	while (!a->up[3] || !c->up[1])
		uv_run(&link_kit_loop, UV_RUN_ONCE);
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
	uint16_t port = link_kit_free_port();

	link_kit_start_pair(a, b);
	while (port == link_port(a->link) || port == link_port(b->link))
		port = link_kit_free_port();
	assert_int_equal(link_set_address(a->link, 2, "127.0.0.1", port), 0);
	assert_int_equal(link_set_address(a->link, 3, "127.0.0.1", port), CS_ERR_NOT_FOUND);
	assert_true(link_up(a->link, 2));
	link_kit_stop(b);
	assert_int_equal(link_kit_start_on(b, port), 0);
	while (!b->up[1] || a->ups < 2)
		uv_run(&link_kit_loop, UV_RUN_ONCE);
	assert_true(a->up[2]);
}

/* Nobody connects to a passive peer, until it comes by itself. */
static void test_passive(void **state)
{
	struct node *a = *state, *b = a + 1;
	uint16_t ports[2];

	link_kit_pair(a, b, ports);
	assert_int_equal(link_kit_start_on(a, ports[0]), 0);
	link_set_passive(a->link, 2, true);
	while (a->link->peers[0]->state != LINK_WAITING)
		uv_run(&link_kit_loop, UV_RUN_ONCE);
	assert_false(uv_is_active((uv_handle_t *)&a->link->peers[0]->timer));
	assert_int_equal(link_kit_start_on(b, ports[1]), 0);
	while (!a->up[2] || !b->up[1])
		uv_run(&link_kit_loop, UV_RUN_ONCE);
	link_kit_stop(b);
	while (a->up[2])
		uv_run(&link_kit_loop, UV_RUN_ONCE);
	assert_int_equal(a->link->peers[0]->state, LINK_WAITING);
	assert_false(uv_is_active((uv_handle_t *)&a->link->peers[0]->timer));
	link_set_passive(a->link, 2, false);
	assert_int_equal(link_kit_start_on(b, ports[1]), 0);
	while (!a->up[2] || !b->up[1])
		uv_run(&link_kit_loop, UV_RUN_ONCE);
}

static const struct link_in *stream_of(const struct node *n, unsigned peer)
{
	return n->link->peers[peer]->in;
}

/* A peer that learns of a new key ends what was opened by the old one, and connects by the new one. */
static void test_new_key(void **state)
{
	struct node *a = *state, *b = a + 1;
	struct channel_keys keys = {.n = 2, .list = {[1] = b->keys}};

	link_kit_start_pair(a, b);
	assert_int_equal(channel_keypair_random(&keys.list[0]), 0);
	/* The peer may know before the node itself does, if that has the key already. */
	struct channel_keys next = {.n = 2, .list = {b->keys, keys.list[0]}};
	link_set_keys(b->link, &next);
	assert_int_equal(link_set_peer_key(a->link, 7, keys.list[0].pub, NULL), CS_ERR_NOT_FOUND);
	assert_int_equal(link_set_peer_key(a->link, 2, keys.list[0].pub, b->keys.pub), 0);
	while (!a->up[2] || a->ups < 2 || stream_of(a, 0) == NULL || stream_of(a, 0)->state != LINK_IN_OPEN)
		uv_run(&link_kit_loop, UV_RUN_ONCE);
	assert_memory_equal(a->link->peers[0]->session.peer, keys.list[0].pub, CHANNEL_KEY_SIZE);
	assert_memory_equal(stream_of(a, 0)->session.peer, b->keys.pub, CHANNEL_KEY_SIZE);
	/* It learns of it, and the overlap ends: what was opened by the old key is no more. */
	link_set_keys(b->link, &keys);
	assert_int_equal(link_set_peer_key(a->link, 2, keys.list[0].pub, NULL), 0);
	while (stream_of(a, 0) == NULL || stream_of(a, 0)->state != LINK_IN_OPEN || !b->up[1])
		uv_run(&link_kit_loop, UV_RUN_ONCE);
	assert_memory_equal(stream_of(a, 0)->session.peer, keys.list[0].pub, CHANNEL_KEY_SIZE);
	assert_int_equal(link_set_peer_key(a->link, 2, keys.list[0].pub, NULL), 0);
	assert_true(link_up(a->link, 2));
}

/* A member that was away while keys changed is reached by the one that it knows. */
static void test_was_away(void **state)
{
	struct node *a = *state, *b = a + 1;
	struct channel_keys keys = {.n = 3, .list = {[2] = b->keys}};
	uint16_t ports[2];

	link_kit_pair(a, b, ports);
	for (unsigned i = 0; i < 2; i++)
		assert_int_equal(channel_keypair_random(&keys.list[i]), 0);
	b->keys = keys.list[0];
	assert_int_equal(link_kit_start_on(b, ports[1]), 0);
	link_set_keys(b->link, &keys);
	assert_int_equal(link_kit_start_on(a, ports[0]), 0);
	while (!a->up[2] || !b->up[1] || stream_of(a, 0) == NULL)
		uv_run(&link_kit_loop, UV_RUN_ONCE);
	assert_memory_equal(stream_of(a, 0)->session.peer, keys.list[2].pub, CHANNEL_KEY_SIZE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        LINK_TEST(test_close_in_recv), LINK_TEST(test_open_errors), LINK_TEST(test_add_remove),
	        LINK_TEST(test_move),          LINK_TEST(test_passive),     LINK_TEST(test_new_key),
	        LINK_TEST(test_was_away),
	};

	if (sodium_init() < 0)
		return 1;
	return cmocka_run_group_tests_name("link_peers", tests, NULL, NULL);
}
