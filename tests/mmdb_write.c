/* The writer: an IPv6 tree with records of 24 bits, IPv4 at ::/96, and the data that the node looks for. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "tests/mmdb_write.h"

#include <arpa/inet.h>
#include <assert.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Types of the format's data section. */
enum { MMDB_STRING = 2, MMDB_DOUBLE = 3, MMDB_U16 = 5, MMDB_U32 = 6, MMDB_MAP = 7, MMDB_U64 = 9, MMDB_ARRAY = 11 };
#define NODES_MAX 2048
#define SEPARATOR 16 /* Zero bytes between tree and data; they count in a record's number. */

struct out {
	uint8_t *b;
	size_t len;
};

static void put(struct out *o, const void *bytes, size_t len)
{
	assert(o->len + len <= MMDB_WRITE_SIZE_MAX);
	memcpy(o->b + o->len, bytes, len);
	o->len += len;
}

/* Sizes here are below 29: they fit the control byte. */
static void control(struct out *o, unsigned type, size_t size)
{
	uint8_t b[2] = {(uint8_t)(type < 8 ? type << 5 | size : size), (uint8_t)(type - 7)};

	assert(size < 29);
	put(o, b, type < 8 ? 1 : 2);
}

static void string(struct out *o, const char *s)
{
	control(o, MMDB_STRING, strlen(s));
	put(o, s, strlen(s));
}

static void number(struct out *o, unsigned type, unsigned size, uint64_t v)
{
	control(o, type, size);
	for (unsigned i = size; i-- > 0;)
		put(o, &(uint8_t){(uint8_t)(v >> (8 * i))}, 1);
}

static void real(struct out *o, double v)
{
	uint64_t bits;

	memcpy(&bits, &v, sizeof(bits));
	number(o, MMDB_DOUBLE, 8, bits);
}

static void network_data(struct out *o, const struct mmdb_network *n)
{
	bool place = n->latitude != 0 || n->longitude != 0;

	control(o, MMDB_MAP, (size_t)(n->country != NULL) + (size_t)place + (size_t)(n->as != 0));
	if (n->country != NULL) {
		string(o, "country");
		control(o, MMDB_MAP, 1);
		string(o, "iso_code");
		string(o, n->country);
	}
	if (place) {
		string(o, "location");
		control(o, MMDB_MAP, 2);
		string(o, "latitude");
		real(o, n->latitude);
		string(o, "longitude");
		real(o, n->longitude);
	}
	if (n->as != 0) {
		string(o, "autonomous_system_number");
		number(o, MMDB_U32, 4, n->as);
	}
}

static void metadata(struct out *o, uint32_t nodes, uint64_t built_s)
{
	put(o, "\xab\xcd\xefMaxMind.com", 14);
	control(o, MMDB_MAP, 9);
	string(o, "node_count");
	number(o, MMDB_U32, 4, nodes);
	string(o, "record_size");
	number(o, MMDB_U16, 2, 24);
	string(o, "ip_version");
	number(o, MMDB_U16, 2, 6);
	string(o, "database_type");
	string(o, "Countersign-Test");
	string(o, "languages");
	control(o, MMDB_ARRAY, 0);
	string(o, "binary_format_major_version");
	number(o, MMDB_U16, 2, 2);
	string(o, "binary_format_minor_version");
	number(o, MMDB_U16, 2, 0);
	string(o, "build_epoch");
	number(o, MMDB_U64, 8, built_s);
	string(o, "description");
	control(o, MMDB_MAP, 0);
}

/* A tree's nodes: each side another node's number, or a network's, or nothing. */
struct tree {
	struct {
		int node, network; /* -1: none. */
	} sides[NODES_MAX][2];
	unsigned n;
};

static unsigned node_new(struct tree *t)
{
	assert(t->n < NODES_MAX);
	for (unsigned i = 0; i < 2; i++)
		t->sides[t->n][i].node = t->sides[t->n][i].network = -1;
	return t->n++;
}

static void parse(const char *prefix, uint8_t ret[16], unsigned *ret_bits)
{
	char text[64];

	snprintf(text, sizeof(text), "%s", prefix);
	char *slash = strchr(text, '/');
	assert(slash != NULL);
	*slash = 0;
	*ret_bits = (unsigned)atoi(slash + 1);
	memset(ret, 0, 16);
	if (inet_pton(AF_INET6, text, ret) != 1) {
		assert(inet_pton(AF_INET, text, ret + 12) == 1);
		*ret_bits += 96;
	}
}

static void insert(struct tree *t, const char *prefix, int network)
{
	uint8_t a[16];
	unsigned bits, at = 0;

	parse(prefix, a, &bits);
	for (unsigned i = 0; i + 1 < bits; i++) {
		unsigned side = a[i / 8] >> (7 - i % 8) & 1;
		if (t->sides[at][side].node < 0) {
			int made = (int)node_new(t);
			t->sides[at][side].node = made;
		}
		at = (unsigned)t->sides[at][side].node;
	}
	bits--;
	t->sides[at][a[bits / 8] >> (7 - bits % 8) & 1].network = network;
}

size_t mmdb_write(uint8_t ret[MMDB_WRITE_SIZE_MAX], const struct mmdb_network *networks, unsigned n, uint64_t built_s)
{
	static struct tree t;
	static uint8_t data_bytes[MMDB_WRITE_SIZE_MAX];
	struct out o = {ret, 0}, data = {data_bytes, 0};
	size_t at[MMDB_NETWORKS_MAX];

	assert(n <= MMDB_NETWORKS_MAX);
	t.n = 0;
	node_new(&t);
	for (unsigned i = 0; i < n; i++) {
		at[i] = data.len;
		network_data(&data, &networks[i]);
		insert(&t, networks[i].prefix, (int)i);
	}
	for (unsigned i = 0; i < t.n; i++)
		for (unsigned side = 0; side < 2; side++) {
			int node = t.sides[i][side].node, network = t.sides[i][side].network;
			size_t v = network >= 0 ? t.n + SEPARATOR + at[network] : node >= 0 ? (size_t)node : t.n;
			put(&o, (uint8_t[]){(uint8_t)(v >> 16), (uint8_t)(v >> 8), (uint8_t)v}, 3);
		}
	put(&o, (uint8_t[SEPARATOR]){0}, SEPARATOR);
	put(&o, data.b, data.len);
	metadata(&o, t.n, built_s);
	return o.len;
}

void mmdb_write_file(const char *path, const struct mmdb_network *networks, unsigned n, uint64_t built_s)
{
	static uint8_t bytes[MMDB_WRITE_SIZE_MAX];
	size_t len = mmdb_write(bytes, networks, n, built_s);
	FILE *f = fopen(path, "we");

	assert(f != NULL);
	size_t written = fwrite(bytes, 1, len, f);
	int closed = fclose(f);
	assert(closed == 0 && written == len);
}
