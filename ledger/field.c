/* Private fields: salts, commitments, bodies. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "ledger/entry.h"

#include <sodium.h>
#include <string.h>

#include "ledger/errors.h"

/* Its terminating NUL is hashed too: no other domain's text can be this one's beginning. */
static const char domain[] = FORMAT_FIELD_DOMAIN;

const char *field_kind_text(unsigned kind)
{
	switch (kind) {
#define FIELD_KIND_CASE(name, number, text)                                                                            \
	case number:                                                                                                   \
		return text;
		FIELD_KIND_LIST(FIELD_KIND_CASE)
#undef FIELD_KIND_CASE
	default:
		return "unknown";
	}
}

void field_commit(struct hash *ret, unsigned kind, const uint8_t salt[SALT_SIZE], const void *value, size_t len)
{
	uint8_t head[sizeof(domain) + 1 + SALT_SIZE];
	struct hasher h;

	memcpy(head, domain, sizeof(domain));
	head[sizeof(domain)] = (uint8_t)kind;
	memcpy(head + sizeof(domain) + 1, salt, SALT_SIZE);
	hasher_init(&h);
	hasher_update(&h, head, sizeof(head));
	hasher_update(&h, value, len);
	hasher_final(&h, ret);
}

void field_salts(uint8_t *ret, size_t len, const uint8_t seed[SEED_SIZE], uint64_t index)
{
	uint8_t nonce[crypto_stream_chacha20_IETF_NONCEBYTES] = {0};

	put_u64be(nonce, index);
	crypto_stream_chacha20_ietf(ret, len, nonce, seed);
}

/* One [kind, salt, value] of a body. */
static void field_decode(struct reader *r, struct field *ret)
{
	struct reader value;
	uint64_t kind = 0;
	const uint8_t *skipped;
	size_t skipped_len;

	reader_array_exact(r, 3);
	reader_uint(r, FIELD_KIND_MAX, &kind);
	reader_bin_exact(r, ret->salt, SALT_SIZE);
	reader_bin(r, LIMIT_BODY_SIZE_MAX, &ret->value, &ret->value_len);
	if (r->err != 0)
		return;
	ret->kind = (unsigned)kind;
	reader_init(&value, ret->value, ret->value_len);
	reader_skip(&value, &skipped, &skipped_len);
	r->err = reader_end(&value);
}

int body_decode(struct field ret[LIMIT_FIELD_COUNT_MAX], unsigned *ret_n, const void *bytes, size_t len)
{
	struct reader r;
	uint32_t n = 0;
	unsigned kind_before = 0;

	if (len > LIMIT_BODY_SIZE_MAX)
		return CS_ERR_TOO_LARGE;
	reader_init(&r, bytes, len);
	reader_array(&r, LIMIT_FIELD_COUNT_MAX, &n);
	for (uint32_t i = 0; i < n && r.err == 0; i++) {
		field_decode(&r, &ret[i]);
		if (r.err == 0 && ret[i].kind <= kind_before)
			return CS_ERR_MALFORMED;
		kind_before = ret[i].kind;
	}
	if (reader_end(&r) != 0)
		return r.err;
	*ret_n = n;
	return 0;
}

/* The commitment that the entry holds for a kind of field, or NULL. */
static const struct hash *commitment_find(const struct entry *e, unsigned kind)
{
	for (unsigned i = 0; i < e->n_fields; i++)
		if (e->fields[i].kind == kind)
			return &e->fields[i].commitment;
	return NULL;
}

int body_check(const struct entry *e, const struct field *fields, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		const struct hash *expected = commitment_find(e, fields[i].kind);
		struct hash found;

		field_commit(&found, fields[i].kind, fields[i].salt, fields[i].value, fields[i].value_len);
		if (expected == NULL || !hash_equal(expected, &found))
			return CS_ERR_REFUTED;
	}
	return 0;
}

const struct field *body_find(const struct field *fields, unsigned n, unsigned kind)
{
	for (unsigned i = 0; i < n; i++)
		if (fields[i].kind == kind)
			return &fields[i];
	return NULL;
}
