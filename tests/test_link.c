/* Links between nodes over real sockets of this machine: up and down, names, keys, sizes, full queues. */
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

static void test_connect(void **state)
{
	struct node *a = *state, *b = a + 1;
	const struct link_part parts[] = {{"one ", 4}, {NULL, 0}, {"two", 3}};

	link_kit_start_pair(a, b);
	assert_true(link_send(a->link, 2, parts, 3));
	assert_true(link_send(b->link, 1, parts, 1));
	assert_false(link_send(a->link, 9, parts, 1)); /* Nobody. */
	assert_false(link_send(a->link, 1, parts, 1)); /* Ourselves. */
	while (b->frames == 0 || a->frames == 0)
		uv_run(&link_kit_loop, UV_RUN_ONCE);
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
		ports[i] = link_kit_free_port();
	for (unsigned i = 0; i < NODES; i++) {
		for (unsigned j = 0; j < NODES; j++)
			if (i != j)
				link_kit_add_peer(&n[i], &n[j], ports[j]);
		assert_int_equal(link_kit_start_on(&n[i], ports[i]), 0);
	}
	while (n[0].ups + n[1].ups + n[2].ups < NODES * (NODES - 1))
		uv_run(&link_kit_loop, UV_RUN_ONCE);
	for (unsigned i = 0; i < NODES; i++)
		for (unsigned j = 0; j < NODES; j++)
			if (i != j)
				assert_true(link_send(n[i].link, n[j].id, &part, 1));
	while (n[0].frames + n[1].frames + n[2].frames < NODES * (NODES - 1))
		uv_run(&link_kit_loop, UV_RUN_ONCE);
	for (unsigned i = 0; i < NODES; i++)
		assert_int_equal(n[i].frames, NODES - 1);
}

/* A name instead of a number; a peer on a name that nobody has does not disturb. */
static void test_names(void **state)
{
	struct node *a = *state, *b = a + 1;
	uint16_t ports[2];

	link_kit_pair(a, b, ports);
	a->peers[0].host = "localhost";
	link_kit_add_peer(a, a + 2, 1);
	a->peers[1].host = "nobody.invalid";
	assert_int_equal(link_kit_start_on(a, ports[0]), 0);
	assert_int_equal(link_kit_start_on(b, ports[1]), 0);
	while (!a->up[2] || !b->up[1])
		uv_run(&link_kit_loop, UV_RUN_ONCE);
	assert_false(link_up(a->link, 3));
}

/* b expects another key than a has, and a third knows b's key but is not known: neither gets a stream. */
static void test_wrong_key(void **state)
{
	struct node *a = *state, *b = a + 1, *c = a + 2;
	uint16_t ports[2], third = link_kit_free_port();
	bool over = false;
	uv_timer_t timer;

	link_kit_pair(a, b, ports);
	b->peers[0].channel_pub[0] ^= 1;
	link_kit_add_peer(c, b, ports[1]);
	assert_int_equal(link_kit_start_on(a, ports[0]), 0);
	assert_int_equal(link_kit_start_on(b, ports[1]), 0);
	assert_int_equal(link_kit_start_on(c, third), 0);
	timer.data = &over;
	assert_int_equal(uv_timer_init(&link_kit_loop, &timer), 0);
	assert_int_equal(uv_timer_start(&timer, link_kit_on_over, 8 * LINK_RETRY_MS_MIN, 0),
	                 0); /* Three attempts of each. */
	while (!over)
		uv_run(&link_kit_loop, UV_RUN_ONCE);
	assert_int_equal(a->ups + b->ups + c->ups, 0);
	assert_false(link_send(a->link, 2, &(struct link_part){"x", 1}, 1));
	/* With the right key it comes up after all. */
	link_kit_stop(b);
	memcpy(b->peers[0].channel_pub, a->keys.pub, CHANNEL_KEY_SIZE);
	assert_int_equal(link_kit_start_on(b, ports[1]), 0);
	while (!a->up[2] || !b->up[1])
		uv_run(&link_kit_loop, UV_RUN_ONCE);
	assert_int_equal(c->ups, 0);
}

static void test_reconnect(void **state)
{
	struct node *a = *state, *b = a + 1;
	const struct link_part part = {"again", 5};
	uint16_t ports[2];

	link_kit_pair(a, b, ports);
	assert_int_equal(link_kit_start_on(a, ports[0]), 0);
	for (unsigned round = 1; round <= 5; round++) {
		assert_int_equal(link_kit_start_on(b, ports[1]), 0);
		while (!a->up[2] || !b->up[1])
			uv_run(&link_kit_loop, UV_RUN_ONCE);
		assert_true(link_send(a->link, 2, &part, 1));
		assert_true(link_send(b->link, 1, &part, 1));
		while (b->frames < round || a->frames < round)
			uv_run(&link_kit_loop, UV_RUN_ONCE);
		link_kit_stop(b);
		while (a->up[2])
			uv_run(&link_kit_loop, UV_RUN_ONCE);
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
	link_kit_start_pair(a, b);
	for (unsigned i = 0; i < sizeof sizes / sizeof *sizes; i++) {
		const struct link_part parts[] = {{data, sizes[i] / 2}, {data + sizes[i] / 2, sizes[i] - sizes[i] / 2}};

		assert_true(link_send(a->link, 2, parts, 2));
		while (b->frames < i + 1)
			uv_run(&link_kit_loop, UV_RUN_ONCE);
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

	link_kit_start_pair(a, b);
	for (unsigned i = 0; i < n; i++) {
		const struct link_part part = {data, 1 + i % sizeof data};

		data[0] = (uint8_t)i;
		assert_true(link_send(a->link, 2, &part, 1));
	}
	for (unsigned i = 0; i < n; i++)
		while (b->frames < i + 1)
			uv_run(&link_kit_loop, UV_RUN_ONCE);
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

	link_kit_start_pair(a, b);
	while (link_send(a->link, 2, &part, 1))
		assert_true(++sent < 1000);
	assert_true(sent >= LINK_QUEUE_BYTES_MAX / (sizeof data + 100));
	assert_true(link_up(a->link, 2)); /* Dropped, not broken. */
	while (b->frames < sent)
		uv_run(&link_kit_loop, UV_RUN_ONCE);
	assert_true(link_send(a->link, 2, &part, 1));
	while (b->frames < sent + 1)
		uv_run(&link_kit_loop, UV_RUN_ONCE);
	assert_int_equal(b->bytes, (uint64_t)(sent + 1) * sizeof data);
	assert_int_equal(a->downs, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        LINK_TEST(test_connect),   LINK_TEST(test_three), LINK_TEST(test_names), LINK_TEST(test_wrong_key),
	        LINK_TEST(test_reconnect), LINK_TEST(test_sizes), LINK_TEST(test_burst), LINK_TEST(test_queue_full),
	};

	if (sodium_init() < 0)
		return 1;
	return cmocka_run_group_tests_name("link", tests, NULL, NULL);
}
