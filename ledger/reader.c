/* Reads canonical msgpack from bytes that nobody vouches for. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "ledger/bytes.h"

#include <assert.h>
#include <string.h>

#include "ledger/errors.h"
#include "ledger/limits.h"

_Static_assert(sizeof(((struct reader *)0)->open) / sizeof(uint32_t) == LIMIT_MSGPACK_DEPTH_MAX + 1,
               "one counter per open array and one for the document");

/* The first bytes of a value, decoded. */
struct head {
	enum value_type type;
	bool negative; /* Of an integer: the value is (int64_t)n. */
	uint64_t n;    /* Integer, boolean, elements of an array, bytes of str or bin. */
};

void reader_init(struct reader *r, const void *bytes, size_t len)
{
	static const uint8_t nothing[1];
	const uint8_t *start = bytes != NULL ? bytes : nothing;

	*r = (struct reader){.pos = start, .end = start + len, .open = {1}};
}

static int fail(struct reader *r, int err)
{
	assert(r->err == 0); /* After the first error nothing is read. */
	return r->err = err;
}

static size_t left(const struct reader *r)
{
	return (size_t)(r->end - r->pos);
}

/* msgpack specification, "Formats": what each first byte announces; VALUE_NONE: nothing that is read here. */
static const uint8_t types[256] = {
        [0x00 ... 0x7f] = VALUE_INT, [0x90 ... 0x9f] = VALUE_ARRAY, [0xa0 ... 0xbf] = VALUE_STR,
        [0xc0] = VALUE_NIL,          [0xc2 ... 0xc3] = VALUE_BOOL,  [0xc4 ... 0xc6] = VALUE_BIN,
        [0xcc ... 0xd3] = VALUE_INT, [0xd9 ... 0xdb] = VALUE_STR,   [0xdc ... 0xdd] = VALUE_ARRAY,
        [0xe0 ... 0xff] = VALUE_INT,
};

enum value_type reader_peek(const struct reader *r)
{
	if (r->err != 0 || r->open[r->depth] == 0 || r->pos == r->end)
		return VALUE_NONE;
	return types[*r->pos];
}

/* Big-endian unsigned integer of size bytes; false if they are not there. */
static bool take_be(struct reader *r, unsigned size, uint64_t *ret)
{
	uint64_t v = 0;

	if (left(r) < size)
		return false;
	for (unsigned i = 0; i < size; i++)
		v = v << 8 | *r->pos++;
	*ret = v;
	return true;
}

/* Number that follows first byte b in 1 << log2_size bytes; min is the least that no shorter form can hold. */
static int take_number(struct reader *r, unsigned log2_size, uint64_t min, uint64_t *ret)
{
	if (!take_be(r, 1u << log2_size, ret) || *ret < min)
		return fail(r, CS_ERR_MALFORMED);
	return 0;
}

static int take_int(struct reader *r, uint8_t b, struct head *h)
{
	static const uint64_t uint_min[4] = {0x80, 0x100, 0x10000, 0x100000000};
	static const int64_t int_max[4] = {-33, INT8_MIN - 1, INT16_MIN - 1, (int64_t)INT32_MIN - 1};
	unsigned log2_size = b & 3;
	unsigned shift = 64 - (8u << log2_size);

	if (b <= 0x7f) {
		h->n = b;
	} else if (b >= 0xe0) {
		h->negative = true;
		h->n = (uint64_t)(int64_t)(int8_t)b;
	} else if (b <= 0xcf) {
		return take_number(r, log2_size, uint_min[log2_size], &h->n);
	} else {
		if (!take_be(r, 1u << log2_size, &h->n))
			return fail(r, CS_ERR_MALFORMED);
		h->negative = true;
		h->n = (uint64_t)((int64_t)(h->n << shift) >> shift);
		/* A value that is not negative has an unsigned form, and that one is the canonical. */
		if ((int64_t)h->n > int_max[log2_size])
			return fail(r, CS_ERR_MALFORMED);
	}
	return 0;
}

/* Length of str, bin or array, in the shortest form that holds it. */
static int take_length(struct reader *r, uint8_t b, struct head *h)
{
	switch (b) {
	case 0xc4:
		return take_number(r, 0, 0, &h->n);
	case 0xd9:
		return take_number(r, 0, 32, &h->n);
	case 0xc5:
	case 0xda:
		return take_number(r, 1, 0x100, &h->n);
	case 0xdc:
		return take_number(r, 1, 16, &h->n);
	case 0xc6:
	case 0xdb:
	case 0xdd:
		return take_number(r, 2, 0x10000, &h->n);
	default:
		h->n = h->type == VALUE_ARRAY ? b & 0x0f : b & 0x1f;
		return 0;
	}
}

/*
 * Reads the head of the next value. After it the payload of a str or bin, or the elements of an array, follow. *ret is
 * filled member by member: copied whole, just after it was written in parts, it cost a tenth of a decision.
 */
static int take_head(struct reader *r, struct head *ret)
{
	uint8_t b;

	ret->type = reader_peek(r);
	ret->negative = false;
	ret->n = 0;
	if (r->err != 0)
		return r->err;
	if (ret->type == VALUE_NONE)
		return fail(r, CS_ERR_MALFORMED);
	if (++r->nodes > LIMIT_MSGPACK_NODES_MAX)
		return fail(r, CS_ERR_TOO_LARGE);
	b = *r->pos++;
	if (ret->type == VALUE_INT)
		take_int(r, b, ret);
	else if (ret->type == VALUE_BOOL)
		ret->n = b & 1;
	else if (ret->type != VALUE_NIL)
		take_length(r, b, ret);
	return r->err;
}

static int take_typed(struct reader *r, enum value_type type, struct head *ret)
{
	int err = take_head(r, ret);

	if (err == 0 && ret->type != type)
		err = fail(r, CS_ERR_MALFORMED);
	return err;
}

/* Counts a value as read, and closes the arrays of which it was the last. */
static void count(struct reader *r)
{
	r->open[r->depth]--;
	while (r->depth > 0 && r->open[r->depth] == 0)
		r->depth--;
}

static int enter(struct reader *r, uint64_t n)
{
	if (n > left(r)) /* An element takes a byte at least. */
		return fail(r, CS_ERR_MALFORMED);
	if (r->depth == LIMIT_MSGPACK_DEPTH_MAX)
		return fail(r, CS_ERR_TOO_LARGE);
	if (n == 0) {
		count(r);
		return 0;
	}
	r->open[r->depth]--;
	r->open[++r->depth] = (uint32_t)n;
	return 0;
}

int reader_array(struct reader *r, uint32_t n_max, uint32_t *ret_n)
{
	struct head h;

	if (take_typed(r, VALUE_ARRAY, &h) != 0)
		return r->err;
	if (h.n > n_max)
		return fail(r, CS_ERR_TOO_LARGE);
	if (enter(r, h.n) != 0)
		return r->err;
	*ret_n = (uint32_t)h.n;
	return 0;
}

int reader_array_exact(struct reader *r, uint32_t n)
{
	struct head h;

	if (take_typed(r, VALUE_ARRAY, &h) != 0)
		return r->err;
	if (h.n != n)
		return fail(r, CS_ERR_MALFORMED);
	return enter(r, h.n);
}

int reader_uint(struct reader *r, uint64_t max, uint64_t *ret)
{
	struct head h;

	if (take_typed(r, VALUE_INT, &h) != 0)
		return r->err;
	if (h.negative)
		return fail(r, CS_ERR_MALFORMED);
	if (h.n > max)
		return fail(r, CS_ERR_TOO_LARGE);
	count(r);
	*ret = h.n;
	return 0;
}

int reader_int(struct reader *r, int64_t *ret)
{
	struct head h;

	if (take_typed(r, VALUE_INT, &h) != 0)
		return r->err;
	if (!h.negative && h.n > INT64_MAX)
		return fail(r, CS_ERR_TOO_LARGE);
	count(r);
	*ret = (int64_t)h.n;
	return 0;
}

int reader_bool(struct reader *r, bool *ret)
{
	struct head h;

	if (take_typed(r, VALUE_BOOL, &h) != 0)
		return r->err;
	count(r);
	*ret = h.n != 0;
	return 0;
}

/* The payload of a str or bin whose head was read. */
static int take_payload(struct reader *r, const struct head *h, const uint8_t **ret)
{
	if (h->n > left(r))
		return fail(r, CS_ERR_MALFORMED);
	if (h->type == VALUE_STR && !utf8_valid(r->pos, (size_t)h->n))
		return fail(r, CS_ERR_MALFORMED);
	*ret = r->pos;
	r->pos += h->n;
	count(r);
	return 0;
}

int reader_str(struct reader *r, size_t len_max, const char **ret, size_t *ret_len)
{
	struct head h;
	const uint8_t *payload;

	if (take_typed(r, VALUE_STR, &h) != 0)
		return r->err;
	if (h.n > len_max)
		return fail(r, CS_ERR_TOO_LARGE);
	if (take_payload(r, &h, &payload) != 0)
		return r->err;
	*ret = (const char *)payload;
	*ret_len = (size_t)h.n;
	return 0;
}

int reader_bin(struct reader *r, size_t len_max, const uint8_t **ret, size_t *ret_len)
{
	struct head h;

	if (take_typed(r, VALUE_BIN, &h) != 0)
		return r->err;
	if (h.n > len_max)
		return fail(r, CS_ERR_TOO_LARGE);
	if (take_payload(r, &h, ret) != 0)
		return r->err;
	*ret_len = (size_t)h.n;
	return 0;
}

int reader_bin_exact(struct reader *r, uint8_t *ret, size_t len)
{
	struct head h;
	const uint8_t *payload;

	if (take_typed(r, VALUE_BIN, &h) != 0)
		return r->err;
	if (h.n != len)
		return fail(r, CS_ERR_MALFORMED);
	if (take_payload(r, &h, &payload) != 0)
		return r->err;
	memcpy(ret, payload, len);
	return 0;
}

bool reader_nil(struct reader *r)
{
	struct head h;

	return reader_peek(r) == VALUE_NIL && take_head(r, &h) == 0 && (count(r), true);
}

/* One value, or the head of one array. */
static int skip_head(struct reader *r)
{
	struct head h;
	const uint8_t *payload;

	if (take_head(r, &h) != 0)
		return r->err;
	if (h.type == VALUE_ARRAY)
		return enter(r, h.n);
	if (h.type == VALUE_STR || h.type == VALUE_BIN)
		return take_payload(r, &h, &payload);
	count(r);
	return 0;
}

/* True and the bytes that it takes if it is a short text. */
static bool short_text(const uint8_t *p, size_t n, size_t *ret_len)
{
	size_t head = *p == 0xd9 ? 2 : 1, len;

	if (*p > 0xd9 || n < head)
		return false;
	len = head == 2 ? p[1] : *p & 0x1f;
	if (len > n - head || (head == 2 && len < 32) || !utf8_valid(p + head, len))
		return false;
	*ret_len = head + len;
	return true;
}

/* The forms that most values have, at once. False: another, or wrong; nothing is read. */
static bool skip_short(struct reader *r)
{
	size_t len = 1;
	uint32_t n;

	if (r->pos == r->end || r->open[r->depth] == 0 || r->nodes >= LIMIT_MSGPACK_NODES_MAX)
		return false;
	switch (types[*r->pos]) {
	case VALUE_INT:
		if (*r->pos > 0x7f && *r->pos < 0xe0)
			return false;
		break;
	case VALUE_STR:
		if (!short_text(r->pos, left(r), &len))
			return false;
		break;
	case VALUE_ARRAY:
		n = *r->pos & 0x0f;
		if (*r->pos > 0x9f || n >= left(r) || r->depth == LIMIT_MSGPACK_DEPTH_MAX)
			return false;
		if (n == 0)
			break;
		r->pos++;
		r->nodes++;
		r->open[r->depth]--;
		r->open[++r->depth] = n;
		return true;
	case VALUE_NIL:
	case VALUE_BOOL:
		break;
	default:
		return false;
	}
	r->pos += len;
	r->nodes++;
	count(r);
	return true;
}

int reader_skip(struct reader *r, const uint8_t **ret, size_t *ret_len)
{
	const uint8_t *start = r->pos;
	unsigned depth = r->depth;

	do {
		if (r->err == 0 && skip_short(r))
			continue;
		if (skip_head(r) != 0)
			return r->err;
	} while (r->depth > depth);
	*ret = start;
	*ret_len = (size_t)(r->pos - start);
	return 0;
}

int reader_end(struct reader *r)
{
	if (r->err == 0 && (r->open[0] != 0 || r->depth != 0 || r->pos != r->end))
		fail(r, CS_ERR_MALFORMED);
	return r->err;
}
