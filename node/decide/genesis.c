/* Genesis, read and written, and the leaf that it becomes: `init` and every node get the same bytes from here. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <stdlib.h>
#include <string.h>

#include "ledger/errors.h"
#include "ledger/limits.h"
#include "node/decide/codec.h"
#include "node/decide/command.h"
#include "node/decide/policy.h"

#define KEY_SIZE            32
#define URL_SIZE_MAX        NODE_URL_SIZE_MAX
#define GOVERNANCE_SIZE_MAX 32

#define PREDECESSOR_ELEMENTS 5
#define PREDECESSOR_SIZE_MAX (STATE_EARLIER - 1) /* Its entries have numbers in the new state. */

static void write_predecessor(struct writer *w, const struct genesis *g)
{
	const struct predecessor *p = &g->predecessor;

	if (!g->restored) {
		writer_nil(w);
		return;
	}
	writer_array(w, PREDECESSOR_ELEMENTS);
	codec_write_text(w, p->origin);
	writer_uint(w, p->size);
	writer_bin(w, p->root, HASH_SIZE);
	writer_uint(w, p->state_size);
	writer_bin(w, p->digest, HASH_SIZE);
}

int genesis_encode(const struct genesis *g, void *buf, size_t cap, size_t *ret_len)
{
	struct writer w;
	struct genesis check;
	size_t len;
	int err;

	if (g->n_admins > GENESIS_ADMINS_MAX || g->n_nodes > GENESIS_NODES_MAX)
		return CS_ERR_TOO_LARGE;
	writer_init(&w, buf, cap);
	writer_array(&w, 8);
	codec_write_text(&w, g->origin);
	writer_uint(&w, g->time_ms);
	codec_write_text(&w, g->governance);
	writer_array(&w, g->n_admins);
	for (unsigned i = 0; i < g->n_admins; i++) {
		writer_array(&w, 3);
		codec_write_text(&w, g->admins[i].name);
		writer_bin(&w, g->admins[i].channel_pub, KEY_SIZE);
		writer_bin(&w, g->admins[i].sign_pub, KEY_SIZE);
	}
	writer_array(&w, g->n_nodes);
	for (unsigned i = 0; i < g->n_nodes; i++) {
		writer_array(&w, 5);
		writer_uint(&w, g->nodes[i].id);
		codec_write_text(&w, g->nodes[i].url);
		writer_bin(&w, g->nodes[i].log_pub, KEY_SIZE);
		writer_bin(&w, g->nodes[i].cosigner_pub, KEY_SIZE);
		writer_bin(&w, g->nodes[i].channel_pub, KEY_SIZE);
	}
	writer_bin(&w, g->policy_source, g->policy_source_len);
	writer_bin(&w, g->policy_compiled, g->policy_compiled_len);
	write_predecessor(&w, g);
	err = writer_end(&w, &len);
	if (err == 0 && genesis_decode(&check, buf, len) != 0)
		err = CS_ERR_INVALID;
	if (err == 0)
		*ret_len = len;
	return err;
}

static void read_admins(struct reader *r, struct genesis *g)
{
	uint32_t n = 0;

	reader_array(r, GENESIS_ADMINS_MAX, &n);
	for (uint32_t i = 0; i < n && r->err == 0; i++) {
		reader_array_exact(r, 3);
		codec_text(r, 1, PRINCIPAL_NAME_SIZE_MAX, &g->admins[i].name);
		codec_fixed(r, KEY_SIZE, &g->admins[i].channel_pub);
		codec_fixed(r, KEY_SIZE, &g->admins[i].sign_pub);
	}
	g->n_admins = n;
}

static void read_nodes(struct reader *r, struct genesis *g)
{
	uint32_t n = 0;

	reader_array(r, GENESIS_NODES_MAX, &n);
	for (uint32_t i = 0; i < n && r->err == 0; i++) {
		reader_array_exact(r, 5);
		reader_uint(r, NODE_ID_MAX, &g->nodes[i].id);
		codec_text(r, 1, URL_SIZE_MAX, &g->nodes[i].url);
		codec_fixed(r, KEY_SIZE, &g->nodes[i].log_pub);
		codec_fixed(r, KEY_SIZE, &g->nodes[i].cosigner_pub);
		codec_fixed(r, KEY_SIZE, &g->nodes[i].channel_pub);
	}
	g->n_nodes = n;
}

static void read_predecessor(struct reader *r, struct genesis *g)
{
	struct predecessor *p = &g->predecessor;

	g->restored = r->err == 0 && !reader_nil(r);
	if (!g->restored)
		return;
	reader_array_exact(r, PREDECESSOR_ELEMENTS);
	codec_text(r, 1, LIMIT_ORIGIN_SIZE_MAX, &p->origin);
	reader_uint(r, PREDECESSOR_SIZE_MAX, &p->size);
	codec_fixed(r, HASH_SIZE, &p->root);
	reader_uint(r, p->size, &p->state_size);
	codec_fixed(r, HASH_SIZE, &p->digest);
	if (r->err == 0 && (p->state_size == 0 || text_compare(p->origin, g->origin) == 0))
		r->err = CS_ERR_MALFORMED; /* Nobody begins again under the origin of before. */
}

int genesis_decode(struct genesis *ret, const void *bytes, size_t len)
{
	struct genesis g = {0};
	struct reader r;

	reader_init(&r, bytes, len);
	reader_array_exact(&r, 8);
	codec_text(&r, 1, LIMIT_ORIGIN_SIZE_MAX, &g.origin);
	reader_uint(&r, UINT64_MAX, &g.time_ms);
	codec_text(&r, 1, GOVERNANCE_SIZE_MAX, &g.governance);
	read_admins(&r, &g);
	read_nodes(&r, &g);
	reader_bin(&r, POLICY_SOURCE_SIZE_MAX, &g.policy_source, &g.policy_source_len);
	reader_bin(&r, POLICY_COMPILED_SIZE_MAX, &g.policy_compiled, &g.policy_compiled_len);
	read_predecessor(&r, &g);
	if (reader_end(&r) != 0)
		return r.err;
	if (g.n_admins == 0 || g.n_nodes == 0)
		return CS_ERR_MALFORMED;
	if (policy_sizes(g.policy_source_len, g.policy_compiled, g.policy_compiled_len) != 0)
		return CS_ERR_TOO_LARGE;
	*ret = g;
	return 0;
}

int genesis_leaf(const void *payload, size_t len, uint8_t *leaf, size_t cap, size_t *ret_len, struct hash *ret_hash)
{
	static const struct hash none;
	static const uint8_t no_seed[SEED_SIZE]; /* No private fields: no salt is ever made from it. */
	struct genesis g;
	int err = genesis_decode(&g, payload, len);

	if (err != 0)
		return err;
	if (cap < LIMIT_ENTRY_SIZE_MAX)
		return CS_ERR_INVALID;
	struct {
		struct entry_builder builder;
		uint8_t body[LIMIT_BODY_SIZE_MAX];
	} *work = malloc(sizeof(*work));
	if (work == NULL)
		return CS_ERR_NOMEM;
	size_t leaf_len, body_len;
	entry_builder_init(&work->builder, 0, ENTRY_GENESIS, g.time_ms, &none, no_seed);
	writer_raw(&work->builder.public_, payload, len);
	err = entry_builder_finish(&work->builder, leaf, &leaf_len, work->body, &body_len);
	free(work);
	if (err != 0)
		return err;
	hash_leaf(ret_hash, leaf, leaf_len);
	*ret_len = leaf_len;
	return 0;
}
