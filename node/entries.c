/* Gathers entries and state records in growing blocks. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "node/entries.h"

#include <stdlib.h>
#include <string.h>

#include "ledger/errors.h"

struct entries *entries_new(uint64_t index, uint64_t term, uint64_t first, unsigned n_max)
{
	struct entries *b = calloc(1, sizeof *b);

	if (!b)
		return NULL;
	*b = (struct entries){.index = index, .term = term, .first = first, .n_max = n_max};
	if (n_max && !(b->entries = calloc(n_max, sizeof *b->entries))) {
		free(b);
		return NULL;
	}
	return b;
}

static int entries_reserve(struct entries *b, size_t more)
{
	size_t cap = b->cap ? b->cap : 4096;
	uint8_t *data;

	while (cap - b->bytes < more)
		cap *= 2;
	if (cap == b->cap)
		return 0;
	data = realloc(b->data, cap);
	if (!data)
		return CS_ERR_NOMEM;
	b->data = data;
	b->cap = cap;
	return 0;
}

int entries_add(struct entries *b, const void *leaf, size_t leaf_len, const void *body, size_t body_len,
                const struct hash *leaf_hash)
{
	struct store_entry *e;

	if (b->n == b->n_max)
		return CS_ERR_TOO_LARGE;
	if (entries_reserve(b, leaf_len + body_len))
		return CS_ERR_NOMEM;
	memcpy(b->data + b->bytes, leaf, leaf_len);
	memcpy(b->data + b->bytes + leaf_len, body, body_len);
	b->bytes += leaf_len + body_len;
	e = &b->entries[b->n++];
	e->leaf_len = (uint32_t)leaf_len;
	e->body_len = (uint32_t)body_len;
	e->leaf_hash = *leaf_hash;
	return 0;
}

void entries_seal(struct entries *b)
{
	size_t at = 0;

	for (unsigned i = 0; i < b->n; i++) {
		struct store_entry *e = &b->entries[i];
		e->leaf = b->data + at;
		e->body = b->data + at + e->leaf_len;
		at += (size_t)e->leaf_len + e->body_len;
	}
}

int entries_erased(struct entries *b, const struct store_erasure *e)
{
	/* By doubling: few entries have one, and of those that have, most have one. */
	if ((b->n_erasures & (b->n_erasures - 1)) == 0) {
		size_t cap = b->n_erasures ? 2 * b->n_erasures : 1;
		struct store_erasure *more = realloc(b->erasures, cap * sizeof *more);
		if (!more)
			return CS_ERR_NOMEM;
		b->erasures = more;
	}
	b->erasures[b->n_erasures++] = *e;
	return 0;
}

void entries_free(struct entries *b)
{
	if (!b)
		return;
	free(b->data);
	free(b->entries);
	free(b->erasures);
	free(b);
}

/* --- state blocks --- */

struct state_block *state_block_new(uint64_t index, uint64_t term)
{
	struct state_block *b = calloc(1, sizeof *b);

	if (b)
		*b = (struct state_block){.index = index, .term = term};
	return b;
}

static int grow(void **p, size_t *cap, size_t need, size_t unit, size_t start)
{
	size_t c = *cap ? *cap : start;
	void *q;

	while (c < need)
		c *= 2;
	if (c == *cap)
		return 0;
	q = realloc(*p, c * unit);
	if (!q)
		return CS_ERR_NOMEM;
	*p = q;
	*cap = c;
	return 0;
}

int state_block_add(void *ctx, const void *key, size_t key_len, const void *value, size_t value_len)
{
	struct state_block *b = ctx;

	if (grow((void **)&b->data, &b->cap, b->bytes + key_len + value_len, 1, 65536) ||
	    grow((void **)&b->records, &b->n_cap, b->n + 1, sizeof *b->records, 256))
		return CS_ERR_NOMEM;
	memcpy(b->data + b->bytes, key, key_len);
	if (value_len)
		memcpy(b->data + b->bytes + key_len, value, value_len);
	b->bytes += key_len + value_len;
	b->records[b->n++] = (struct store_record){.key_len = (uint32_t)key_len, .value_len = (uint32_t)value_len};
	return 0;
}

int state_block_reserve(struct state_block *b, size_t bytes)
{
	return grow((void **)&b->data, &b->cap, bytes, 1, bytes ? bytes : 1);
}

void state_block_seal(struct state_block *b)
{
	size_t at = 0;

	for (size_t i = 0; i < b->n; i++) {
		struct store_record *r = &b->records[i];
		r->key = b->data + at;
		r->value = r->value_len ? b->data + at + r->key_len : NULL;
		at += (size_t)r->key_len + r->value_len;
	}
}

void state_block_free(struct state_block *b)
{
	if (!b)
		return;
	free(b->data);
	free(b->records);
	free(b);
}
