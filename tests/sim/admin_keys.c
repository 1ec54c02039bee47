/* The simulated administrators' orders about nodes' log and cosigner keys: made on the node, then put in force. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <string.h>

#include "node/decide/keys.h"
#include "tests/sim/admin_internal.h"
#include "tests/sim/os.h"

#define OVERLAP_MAX 64

static struct {
	uint64_t node; /* 0: none is made. */
	unsigned place;
	uint8_t pub[32];
} made;

static void ask_prepare(struct client *c)
{
	struct writer w;

	client_begin(c, WIRE_KEY_PREPARE);
	c->node = 1 + (unsigned)os_below(cluster.n);
	writer_init(&w, c->request.body, sizeof c->request.body);
	writer_array(&w, 1);
	writer_array(&w, 1);
	writer_uint(&w, os_chance(500000) ? KEY_PLACE_LOG : KEY_PLACE_COSIGNER);
	c->request.body_len = w.len;
	client_ask(c);
}

/* [node id, [[place, public half]…]] */
void admin_key_prepared(unsigned node, const uint8_t *body, size_t len)
{
	uint64_t place = 0;
	struct reader r;

	reader_init(&r, body, len);
	reader_array_exact(&r, 2);
	reader_uint(&r, UINT64_MAX, &made.node);
	reader_array_exact(&r, 1);
	reader_array_exact(&r, 2);
	reader_uint(&r, KEY_PLACE_NODE, &place);
	reader_bin_exact(&r, made.pub, sizeof made.pub);
	if (reader_end(&r))
		os_fail(node, "what it says of the key that it has made cannot be read");
	made.place = (unsigned)place;
}

bool admin_ask_key(struct client *c)
{
	struct key_order o = {.place = made.place, .node = made.node, .pub = made.pub};
	uint8_t elements[256];
	size_t len = 0;

	if (!made.node) {
		ask_prepare(c);
		return true;
	}
	made.node = 0;
	o.overlap = os_below(OVERLAP_MAX);
	client_begin(c, WIRE_KEY);
	admin_good(key_order_encode_signed(&o, elements, sizeof elements, &len));
	admin_sign(COMMAND_KEY, elements, len, &o.admin);
	admin_good(key_order_encode(&o, c->request.body, sizeof c->request.body, &c->request.body_len));
	client_ask(c);
	return true;
}
