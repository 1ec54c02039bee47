/* The verifier's own reading of leaves: canonical msgpack, the fixed order of a leaf, names of kinds. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "ledger/verify_internal.h"

#include <string.h>

enum item_type { ITEM_UINT, ITEM_NEGATIVE, ITEM_NIL, ITEM_BOOL, ITEM_STR, ITEM_BIN, ITEM_ARRAY };

struct item {
	enum item_type type;
	uint64_t n; /* Value of ITEM_UINT; elements of an array; length of str and bin. */
	const uint8_t *data;
};

/* Where we are in a document, and how many values it may still hold. */
struct cursor {
	struct verify_slice rest;
	unsigned nodes_left;
};

static bool be_take(struct cursor *c, unsigned bytes, uint64_t *ret)
{
	uint64_t v = 0;

	if (c->rest.len < bytes)
		return false;
	for (unsigned i = 0; i < bytes; i++)
		v = v << 8 | c->rest.p[i];
	c->rest.p += bytes;
	c->rest.len -= bytes;
	*ret = v;
	return true;
}

/* The two's complement of `bytes` bytes must be negative and must not fit the next shorter form. */
static bool negative_ok(unsigned bytes, uint64_t raw)
{
	static const int64_t below[] = {[1] = -32, [2] = INT8_MIN, [4] = INT16_MIN, [8] = INT32_MIN};
	unsigned bits = 8 * bytes;
	int64_t v = bits == 64 || !(raw >> (bits - 1)) ? (int64_t)raw : (int64_t)(raw | UINT64_MAX << bits);

	return v < below[bytes];
}

/* The msgpack specification's long forms: first byte, bytes of length or value, least value that needs the form. */
static bool item_long(struct cursor *c, uint8_t first, struct item *it)
{
	static const struct {
		uint8_t first, bytes;
		enum item_type type;
		uint64_t least;
	} forms[] = {
	        {0xcc, 1, ITEM_UINT, 0x80},       {0xcd, 2, ITEM_UINT, 0x100},  {0xce, 4, ITEM_UINT, 0x10000},
	        {0xcf, 8, ITEM_UINT, 1ull << 32}, {0xd0, 1, ITEM_NEGATIVE, 0},  {0xd1, 2, ITEM_NEGATIVE, 0},
	        {0xd2, 4, ITEM_NEGATIVE, 0},      {0xd3, 8, ITEM_NEGATIVE, 0},  {0xd9, 1, ITEM_STR, 32},
	        {0xda, 2, ITEM_STR, 0x100},       {0xdb, 4, ITEM_STR, 0x10000}, {0xc4, 1, ITEM_BIN, 0},
	        {0xc5, 2, ITEM_BIN, 0x100},       {0xc6, 4, ITEM_BIN, 0x10000}, {0xdc, 2, ITEM_ARRAY, 16},
	        {0xdd, 4, ITEM_ARRAY, 0x10000},
	};

	for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++) {
		if (forms[i].first != first)
			continue;
		it->type = forms[i].type;
		if (!be_take(c, forms[i].bytes, &it->n))
			return false;
		return it->type == ITEM_NEGATIVE ? negative_ok(forms[i].bytes, it->n) : it->n >= forms[i].least;
	}
	return false; /* Floats, maps, extension types, C1. */
}

static bool item_take(struct cursor *c, struct item *it)
{
	uint64_t first;

	if (c->nodes_left == 0 || !be_take(c, 1, &first))
		return false;
	c->nodes_left--;
	*it = (struct item){.type = ITEM_UINT, .n = first};
	if (first >= 0xe0) {
		it->type = ITEM_NEGATIVE;
	} else if (first >= 0xa0 && first <= 0xbf) {
		*it = (struct item){.type = ITEM_STR, .n = first & 0x1f};
	} else if (first >= 0x90 && first <= 0x9f) {
		*it = (struct item){.type = ITEM_ARRAY, .n = first & 0x0f};
	} else if (first == 0xc0) {
		it->type = ITEM_NIL;
	} else if (first == 0xc2 || first == 0xc3) {
		it->type = ITEM_BOOL;
	} else if (first > 0x7f && !item_long(c, (uint8_t)first, it)) {
		return false;
	}
	if (it->type != ITEM_STR && it->type != ITEM_BIN)
		return true;
	if (it->n > c->rest.len)
		return false;
	it->data = c->rest.p;
	c->rest.p += it->n;
	c->rest.len -= (size_t)it->n;
	return it->type == ITEM_BIN || verify_utf8((struct verify_slice){it->data, (size_t)it->n});
}

/* A whole value that lies inside `depth` arrays. */
static bool value_skip(struct cursor *c, unsigned depth)
{
	struct item it;

	if (!item_take(c, &it))
		return false;
	if (it.type != ITEM_ARRAY)
		return true;
	if (depth >= LIMIT_MSGPACK_DEPTH_MAX)
		return false;
	for (uint64_t i = 0; i < it.n; i++)
		if (!value_skip(c, depth + 1))
			return false;
	return true;
}

static bool uint_take(struct cursor *c, uint64_t max, uint64_t *ret)
{
	struct item it;

	if (!item_take(c, &it) || it.type != ITEM_UINT || it.n > max)
		return false;
	*ret = it.n;
	return true;
}

static bool hash_take(struct cursor *c, uint8_t ret[VERIFY_HASH_SIZE])
{
	struct item it;

	if (!item_take(c, &it) || it.type != ITEM_BIN || it.n != VERIFY_HASH_SIZE)
		return false;
	memcpy(ret, it.data, VERIFY_HASH_SIZE);
	return true;
}

static bool array_take(struct cursor *c, uint64_t min, uint64_t max, uint64_t *ret)
{
	struct item it;

	if (!item_take(c, &it) || it.type != ITEM_ARRAY || it.n < min || it.n > max)
		return false;
	*ret = it.n;
	return true;
}

static bool commitments_take(struct cursor *c, struct verify_leaf *leaf)
{
	uint64_t n, pair, kind, before = 0;

	if (!array_take(c, 0, LIMIT_FIELD_COUNT_MAX, &n))
		return false;
	for (uint64_t i = 0; i < n; i++, before = kind) {
		if (!array_take(c, 2, 2, &pair) || !uint_take(c, FIELD_KIND_MAX, &kind) || kind <= before ||
		    !hash_take(c, leaf->fields[i].commitment))
			return false;
		leaf->fields[i].kind = (unsigned)kind;
	}
	leaf->n_fields = (unsigned)n;
	return true;
}

bool verify_leaf_parse(struct verify_slice bytes, struct verify_leaf *ret, const char **ret_why)
{
	static const uint8_t zero[VERIFY_HASH_SIZE];
	struct cursor c = {.rest = bytes, .nodes_left = LIMIT_MSGPACK_NODES_MAX};
	struct verify_leaf leaf = {0};
	uint64_t n, version;

	*ret_why = "it is not a canonical leaf";
	if (bytes.len > LIMIT_ENTRY_SIZE_MAX || !array_take(&c, 7, 7, &n) || !uint_take(&c, UINT64_MAX, &version))
		return false;
	if (version != ENTRY_VERSION) {
		*ret_why = "its format version is not known";
		return false;
	}
	if (!uint_take(&c, UINT64_MAX, &leaf.index) || !uint_take(&c, ENTRY_KIND_MAX, &leaf.kind) || leaf.kind == 0 ||
	    !uint_take(&c, UINT64_MAX, &leaf.time_ms) || !hash_take(&c, leaf.prev))
		return false;
	leaf.public_.p = c.rest.p;
	if (c.rest.len == 0 || !((c.rest.p[0] & 0xf0) == 0x90 || c.rest.p[0] == 0xdc || c.rest.p[0] == 0xdd) ||
	    !value_skip(&c, 1))
		return false;
	leaf.public_.len = (size_t)(c.rest.p - leaf.public_.p);
	if (!commitments_take(&c, &leaf) || c.rest.len != 0)
		return false;
	if (leaf.index == 0 && memcmp(leaf.prev, zero, sizeof zero) != 0) {
		*ret_why = "it is the first, and names one before it";
		return false;
	}
	*ret = leaf;
	return true;
}

static const uint8_t *commitment_find(const struct verify_leaf *leaf, uint64_t kind)
{
	for (unsigned i = 0; i < leaf->n_fields; i++)
		if (leaf->fields[i].kind == kind)
			return leaf->fields[i].commitment;
	return NULL;
}

/* [kind, salt, value]: opens its commitment, or why not. */
static const char *body_field(struct cursor *c, const struct verify_leaf *leaf, uint64_t *before)
{
	struct item salt, value;
	uint64_t n, kind;
	uint8_t made[VERIFY_HASH_SIZE];

	if (!array_take(c, 3, 3, &n) || !uint_take(c, FIELD_KIND_MAX, &kind) || kind <= *before ||
	    !item_take(c, &salt) || salt.type != ITEM_BIN || salt.n != SALT_SIZE || !item_take(c, &value) ||
	    value.type != ITEM_BIN)
		return "its body is not canonical";
	*before = kind;
	const uint8_t *commitment = commitment_find(leaf, kind);
	if (!commitment)
		return "its body has a field that the leaf has no commitment to";
	verify_commitment((unsigned)kind, salt.data, (struct verify_slice){value.data, (size_t)value.n}, made);
	return memcmp(made, commitment, sizeof made) == 0 ? NULL : "a field of its body does not open its commitment";
}

bool verify_body_check(const struct verify_leaf *leaf, struct verify_slice body, unsigned *ret_missing,
                       const char **ret_why)
{
	struct cursor c = {.rest = body, .nodes_left = LIMIT_MSGPACK_NODES_MAX};
	uint64_t n = 0, before = 0;

	*ret_why = "its body is not canonical";
	if (body.len > LIMIT_BODY_SIZE_MAX || (body.len > 0 && !array_take(&c, 0, LIMIT_FIELD_COUNT_MAX, &n)))
		return false;
	for (uint64_t i = 0; i < n; i++) {
		const char *bad = body_field(&c, leaf, &before);

		if (bad) {
			*ret_why = bad;
			return false;
		}
	}
	if (c.rest.len != 0)
		return false;
	*ret_missing = leaf->n_fields - (unsigned)n; /* Each is of a kind of its own, and all of the leaf's. */
	return true;
}

bool verify_value_canonical(struct verify_slice value)
{
	struct cursor c = {.rest = value, .nodes_left = LIMIT_MSGPACK_NODES_MAX};

	return value_skip(&c, 0) && c.rest.len == 0;
}

bool verify_link_parse(struct verify_slice value, struct verify_link *ret)
{
	struct cursor c = {.rest = value, .nodes_left = LIMIT_MSGPACK_NODES_MAX};
	struct item it;
	uint64_t n;

	if (!array_take(&c, 2, 2, &n) || !item_take(&c, &it) || (it.type != ITEM_NIL && it.type != ITEM_UINT) ||
	    !uint_take(&c, UINT64_MAX, &ret->count) || c.rest.len != 0)
		return false;
	ret->has_previous = it.type == ITEM_UINT;
	ret->previous = ret->has_previous ? it.n : 0;
	return ret->has_previous || ret->count == 0;
}

bool verify_history_parse(const struct verify_leaf *leaf, uint64_t *ret_whose, bool *ret_nobody_forgotten)
{
	struct cursor c = {.rest = leaf->public_, .nodes_left = LIMIT_MSGPACK_NODES_MAX};
	struct item it;
	uint64_t n;

	if (leaf->kind != FORMAT_KIND_HISTORY || !array_take(&c, 2, LIMIT_FIELD_COUNT_MAX, &n) ||
	    !uint_take(&c, UINT8_MAX, ret_whose) || !item_take(&c, &it) || it.type != ITEM_BOOL)
		return false;
	*ret_nobody_forgotten = it.n == 0xc3;
	return true;
}

static size_t text_add(char *buf, size_t cap, size_t at, const struct item *it)
{
	size_t n = it->n < cap - 1 - at ? (size_t)it->n : cap - 1 - at;

	memcpy(buf + at, it->data, n);
	buf[at + n] = '\0';
	return at + n;
}

bool verify_person_text(struct verify_slice value, char *buf, size_t cap)
{
	struct cursor c = {.rest = value, .nodes_left = 3};
	struct item it, id;
	size_t at;

	if (!item_take(&c, &it))
		return false;
	if (it.type == ITEM_STR) {
		text_add(buf, cap, 0, &it);
		return c.rest.len == 0;
	}
	if (it.type != ITEM_ARRAY || it.n != 2 || !item_take(&c, &it) || it.type != ITEM_STR || !item_take(&c, &id) ||
	    id.type != ITEM_STR || c.rest.len != 0)
		return false;
	at = text_add(buf, cap, 0, &it);
	at = text_add(buf, cap, at, &(struct item){.n = 1, .data = (const uint8_t *)":"});
	text_add(buf, cap, at, &id);
	return true;
}

bool verify_approver_parse(struct verify_slice value, struct verify_slice *ret)
{
	struct cursor c = {.rest = value, .nodes_left = LIMIT_MSGPACK_NODES_MAX};
	struct item it;
	uint64_t n;

	if (!array_take(&c, 2, 2, &n) || !value_skip(&c, 1) || !array_take(&c, 1, LIMIT_FIELD_COUNT_MAX, &n))
		return false;
	ret->p = c.rest.p;
	if (!item_take(&c, &it) || it.type != ITEM_STR)
		return false;
	ret->len = (size_t)(c.rest.p - ret->p);
	return true;
}

/* Numbers of kinds are dense enough for a table with holes. */
#define KIND_ROW(name, number, text) [number] = text,
static const char *const entry_kinds[ENTRY_KIND_MAX + 1] = {ENTRY_KIND_LIST(KIND_ROW)};
static const char *const field_kinds[FIELD_KIND_MAX + 1] = {FIELD_KIND_LIST(KIND_ROW)};
#undef KIND_ROW

const char *verify_entry_kind_name(uint64_t kind)
{
	return kind <= ENTRY_KIND_MAX && entry_kinds[kind] ? entry_kinds[kind] : "unknown kind";
}

const char *verify_field_kind_name(unsigned kind)
{
	return kind <= FIELD_KIND_MAX && field_kinds[kind] ? field_kinds[kind] : "unknown kind";
}

unsigned verify_field_kind_of(const char *name)
{
	for (unsigned kind = 1; kind <= FIELD_KIND_MAX; kind++)
		if (field_kinds[kind] && strcmp(field_kinds[kind], name) == 0)
			return kind;
	return 0;
}
