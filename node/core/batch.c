/* Encodes and decodes batches of commands. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "node/core/batch.h"

#include <assert.h>
#include <string.h>

#include "ledger/bytes.h"
#include "ledger/errors.h"

static const uint8_t magic[4] = {'C', 'S', 'B', '1'};

void batch_begin(struct batch_writer *w, void *buf, size_t cap)
{
	*w = (struct batch_writer){.base = buf, .len = BATCH_HEADER_SIZE, .cap = cap - 8}; /* 8: the padding. */
}

size_t batch_room(const struct batch_writer *w, uint8_t **ret)
{
	if (w->count == BATCH_COMMANDS_MAX || w->cap - w->len < 4 + BATCH_COMMAND_SIZE_MAX)
		return 0;
	*ret = w->base + w->len + 4;
	return BATCH_COMMAND_SIZE_MAX;
}

void batch_add(struct batch_writer *w, size_t len)
{
	assert(len <= BATCH_COMMAND_SIZE_MAX);
	put_u32be(w->base + w->len, (uint32_t)len);
	w->len += 4 + len;
	w->count++;
}

size_t batch_end(struct batch_writer *w, uint32_t node, uint64_t time_ms, uint64_t size, const struct hash *root)
{
	uint8_t *p = w->base;

	memcpy(p, magic, 4);
	put_u32be(p + 4, node);
	put_u64be(p + 8, time_ms);
	put_u64be(p + 16, size);
	memcpy(p + 24, root->b, HASH_SIZE);
	put_u32be(p + 56, w->count);
	put_u32be(p + 60, (uint32_t)(w->len - BATCH_HEADER_SIZE));
	while (w->len % 8)
		w->base[w->len++] = 0;
	return w->len;
}

static int check_commands(const struct batch *b)
{
	const uint8_t *p = b->pos;

	for (uint32_t i = 0; i < b->count; i++) {
		if (b->end - p < 4)
			return CS_ERR_MALFORMED;
		uint32_t len = get_u32be(p);
		p += 4;
		if (len > BATCH_COMMAND_SIZE_MAX || len > (size_t)(b->end - p))
			return CS_ERR_MALFORMED;
		p += len;
	}
	return p == b->end ? 0 : CS_ERR_MALFORMED;
}

int batch_decode(struct batch *ret, const void *bytes, size_t len)
{
	const uint8_t *p = bytes;
	struct batch b;

	if (len >= 4 && memcmp(p, magic, 3) == 0 && p[3] > magic[3] && p[3] <= '9')
		return CS_ERR_VERSION;
	if (len < BATCH_HEADER_SIZE || len % 8 || memcmp(p, magic, 4) != 0)
		return CS_ERR_MALFORMED;
	b.node = get_u32be(p + 4);
	b.time_ms = get_u64be(p + 8);
	b.size = get_u64be(p + 16);
	memcpy(b.root.b, p + 24, HASH_SIZE);
	b.count = get_u32be(p + 56);
	size_t body = get_u32be(p + 60);
	if (b.count > BATCH_COMMANDS_MAX || body > len - BATCH_HEADER_SIZE || len - BATCH_HEADER_SIZE - body >= 8)
		return CS_ERR_MALFORMED;
	b.pos = p + BATCH_HEADER_SIZE;
	b.end = b.pos + body;
	for (const uint8_t *q = b.end; q < p + len; q++)
		if (*q)
			return CS_ERR_MALFORMED;
	if (check_commands(&b))
		return CS_ERR_MALFORMED;
	*ret = b;
	return 0;
}

void batch_next(struct batch *b, const uint8_t **ret, size_t *ret_len)
{
	assert(b->end - b->pos >= 4);
	*ret_len = get_u32be(b->pos);
	*ret = b->pos + 4;
	b->pos += 4 + *ret_len;
}
