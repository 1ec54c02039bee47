/* What tests of links share: nodes in one process, on one loop, over real sockets. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_LINK_KIT_H
#define TESTS_LINK_KIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

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

extern uv_loop_t link_kit_loop;

int link_kit_setup(void **state);
void link_kit_stop(struct node *n);
int link_kit_teardown(void **state);
uint16_t link_kit_free_port(void);
void link_kit_add_peer(struct node *n, const struct node *peer, uint16_t port);
int link_kit_start_on(struct node *n, uint16_t port);
void link_kit_pair(struct node *a, struct node *b, uint16_t ret_ports[2]);
void link_kit_start_pair(struct node *a, struct node *b);
void link_kit_on_over(uv_timer_t *t);

#define LINK_TEST(f) cmocka_unit_test_setup_teardown(f, link_kit_setup, link_kit_teardown)

#endif
