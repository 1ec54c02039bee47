/* One entry of a bundle with what it discloses, taken apart. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "client/tool/bundleentry.h"

#include <stdlib.h>
#include <string.h>

#include "ledger/note.h"
#include "node/decide/codec.h"

static unsigned kind_of(const char *name)
{
	for (unsigned kind = 1; kind <= FIELD_KIND_MAX; kind++)
		if (name && !strcmp(field_kind_text(kind), name))
			return kind;
	return 0;
}

/* malloc'ed bytes of a base64 member. */
static uint8_t *bytes_of(const json_t *o, const char *name, size_t *ret_len)
{
	const char *s = json_string_value(json_object_get(o, name));
	size_t cap = s ? strlen(s) / 4 * 3 + 3 : 0;
	uint8_t *bytes = s ? malloc(cap) : NULL;

	if (bytes && base64_decode(s, strlen(s), bytes, cap, ret_len)) {
		free(bytes);
		return NULL;
	}
	return bytes;
}

bool bundleentry_open(struct bundleentry *ret, const json_t *doc)
{
	const json_t *field;
	size_t len = 0, i;
	uint8_t *leaf = bytes_of(doc, "entry", &len);

	memset(ret, 0, sizeof *ret);
	ret->owned[LIMIT_FIELD_COUNT_MAX] = leaf;
	if (!leaf || entry_decode(&ret->e, leaf, len) != 0)
		return false;
	json_array_foreach(json_object_get(doc, "fields"), i, field)
	{
		if (i == LIMIT_FIELD_COUNT_MAX)
			return false;
		struct field *f = &ret->fields[i];
		f->kind = kind_of(json_string_value(json_object_get(field, "kind")));
		uint8_t *value = bytes_of(field, "value", &f->value_len);
		ret->owned[i] = value;
		f->value = value;
		if (!value || !f->kind)
			return false;
		ret->n_fields++;
	}
	return true;
}

void bundleentry_close(struct bundleentry *b)
{
	for (unsigned i = 0; i <= LIMIT_FIELD_COUNT_MAX; i++)
		free(b->owned[i]);
	memset(b, 0, sizeof *b);
}

/* At element i of the public fields; false: there are not so many. */
static bool public_at(const struct bundleentry *b, unsigned i, struct reader *r)
{
	const uint8_t *skipped;
	uint32_t n = 0;
	size_t len;

	reader_init(r, b->e.public_, b->e.public_len);
	reader_array(r, LIMIT_MSGPACK_NODES_MAX, &n);
	for (unsigned k = 0; k < i && k < n; k++)
		reader_skip(r, &skipped, &len);
	return i < n && !r->err;
}

bool bundleentry_number(const struct bundleentry *b, unsigned i, uint64_t *ret)
{
	struct reader r;

	return public_at(b, i, &r) && reader_uint(&r, UINT64_MAX, ret) == 0;
}

bool bundleentry_text(const struct bundleentry *b, unsigned i, struct text *ret)
{
	struct reader r;

	if (!public_at(b, i, &r))
		return false;
	codec_text(&r, 0, LIMIT_ENTRY_SIZE_MAX, ret);
	return r.err == 0;
}

bool bundleentry_bin(const struct bundleentry *b, unsigned i, size_t len, const uint8_t **ret)
{
	struct reader r;

	if (!public_at(b, i, &r))
		return false;
	codec_fixed(&r, len, ret);
	return r.err == 0;
}
