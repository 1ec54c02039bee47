/* Administrators' commands, read and written: enrolment, removal, policy, members, features; what is signed. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <string.h>

#include "ledger/errors.h"
#include "ledger/limits.h"
#include "node/decide/codec.h"
#include "node/decide/command.h"
#include "node/decide/feature.h"
#include "node/decide/policy.h"
#include "node/decide/roster.h"

#define ADMIN_DOMAIN "countersign/admin/v1"
#define SIG_SIZE     64

size_t admin_message(uint8_t ret[ADMIN_MESSAGE_SIZE_MAX], const char *origin, uint64_t governance,
                     unsigned command_type, uint64_t sequence, uint64_t expiry_ms, const void *signed_elements,
                     size_t len)
{
	_Static_assert(sizeof(ADMIN_DOMAIN) + LIMIT_ORIGIN_SIZE_MAX + 1 + 8 + 1 + 8 + 8 + HASH_SIZE <=
	                       ADMIN_MESSAGE_SIZE_MAX,
	               "the longest origin fits");
	uint8_t *p = ret + codec_domain(ret, ADMIN_DOMAIN, origin);
	struct hash h;

	put_u64be(p, governance);
	p[8] = (uint8_t)command_type;
	put_u64be(p + 9, sequence);
	put_u64be(p + 17, expiry_ms);
	hash_bytes(&h, signed_elements, len);
	memcpy(p + 25, h.b, HASH_SIZE);
	return (size_t)(p + 25 + HASH_SIZE - ret);
}

static void signature_write(struct writer *w, struct text name, uint64_t sequence, uint64_t expiry_ms,
                            const uint8_t *signature)
{
	writer_array(w, 4);
	codec_write_text(w, name);
	writer_uint(w, sequence);
	writer_uint(w, expiry_ms);
	writer_bin(w, signature, SIG_SIZE);
}

void admin_signature_write(struct writer *w, const struct admin_signature *a)
{
	if (a->n_more > 0)
		writer_array(w, a->n_more + 1);
	signature_write(w, a->name, a->sequence, a->expiry_ms, a->signature);
	for (unsigned i = 0; i < a->n_more; i++)
		signature_write(w, a->more[i].name, a->more[i].sequence, a->more[i].expiry_ms, a->more[i].signature);
}

static void signature_read(struct reader *r, struct admin_further *ret)
{
	codec_text(r, 1, PRINCIPAL_NAME_SIZE_MAX, &ret->name);
	reader_uint(r, UINT64_MAX, &ret->sequence);
	reader_uint(r, UINT64_MAX, &ret->expiry_ms);
	codec_fixed(r, SIG_SIZE, &ret->signature);
}

/* Ordered by name: one set of signatures has one encoding, and nobody is in it twice. */
static void signatures_read(struct reader *r, struct admin_signature *ret)
{
	struct admin_further one = {0};
	uint32_t n = 0;

	reader_array(r, ADMIN_SIGNATURES_MAX, &n);
	bool many = reader_peek(r) == VALUE_ARRAY;
	if (r->err == 0 && (many ? n < 2 : n != 4))
		r->err = CS_ERR_MALFORMED;
	if (many)
		reader_array_exact(r, 4);
	signature_read(r, &one);
	ret->name = one.name;
	ret->sequence = one.sequence;
	ret->expiry_ms = one.expiry_ms;
	ret->signature = one.signature;
	for (uint32_t i = 1; many && i < n && r->err == 0; i++) {
		struct admin_further *next = &ret->more[i - 1];
		reader_array_exact(r, 4);
		signature_read(r, next);
		if (r->err == 0 && text_compare(one.name, next->name) >= 0)
			r->err = CS_ERR_MALFORMED;
		one = *next;
	}
	ret->n_more = many ? n - 1 : 0;
}

int codec_signed_end(struct reader *r, const uint8_t *start, const uint8_t **ret_signed, size_t *ret_len,
                     struct admin_signature *ret)
{
	const uint8_t *end = r->pos;

	signatures_read(r, ret);
	if (reader_end(r) != 0)
		return r->err;
	*ret_signed = start;
	*ret_len = (size_t)(end - start);
	return 0;
}

void codec_write_key_or_nil(struct writer *w, const uint8_t *key)
{
	if (key != NULL)
		writer_bin(w, key, CODEC_KEY_SIZE);
	else
		writer_nil(w);
}

/* --- enrolment --- */

static void enrolment_write(struct writer *w, const struct enrolment *e)
{
	codec_write_text(w, e->name);
	writer_uint(w, e->roles);
	codec_write_key_or_nil(w, e->channel_pub);
	codec_write_key_or_nil(w, e->sign_pub);
	if (e->subject_id.len > 0)
		codec_write_pair(w, e->subject_type, e->subject_id);
	else
		writer_nil(w);
}

int enrolment_encode_signed(const struct enrolment *e, void *buf, size_t cap, size_t *ret_len)
{
	struct writer w;

	writer_init(&w, buf, cap);
	enrolment_write(&w, e);
	return writer_end(&w, ret_len);
}

int enrolment_encode(const struct enrolment *e, void *buf, size_t cap, size_t *ret_len)
{
	struct writer w;

	writer_init(&w, buf, cap);
	writer_array(&w, 6);
	enrolment_write(&w, e);
	admin_signature_write(&w, &e->admin);
	return writer_end(&w, ret_len);
}

int enrolment_decode(struct enrolment *ret, const void *bytes, size_t len)
{
	struct enrolment e = {0};
	struct reader r;
	uint64_t roles = 0;
	int err;

	reader_init(&r, bytes, len);
	reader_array_exact(&r, 6);
	const uint8_t *start = r.pos;
	codec_text(&r, 1, PRINCIPAL_NAME_SIZE_MAX, &e.name);
	reader_uint(&r, UINT32_MAX, &roles);
	codec_fixed_or_nil(&r, CODEC_KEY_SIZE, &e.channel_pub);
	codec_fixed_or_nil(&r, CODEC_KEY_SIZE, &e.sign_pub);
	if (!reader_nil(&r)) {
		reader_array_exact(&r, 2);
		codec_text(&r, 1, SUBJECT_TYPE_SIZE_MAX, &e.subject_type);
		codec_text(&r, 1, REQUEST_STR_SIZE_MAX, &e.subject_id);
	}
	err = codec_signed_end(&r, start, &e.signed_elements, &e.signed_len, &e.admin);
	if (err != 0)
		return err;
	e.roles = (uint32_t)roles;
	*ret = e;
	return 0;
}

/* --- removal --- */

static void removal_write(struct writer *w, const struct removal *r)
{
	codec_write_text(w, r->name);
	codec_write_text(w, r->reason);
}

int removal_encode_signed(const struct removal *r, void *buf, size_t cap, size_t *ret_len)
{
	struct writer w;

	writer_init(&w, buf, cap);
	removal_write(&w, r);
	return writer_end(&w, ret_len);
}

int removal_encode(const struct removal *r, void *buf, size_t cap, size_t *ret_len)
{
	struct writer w;

	writer_init(&w, buf, cap);
	writer_array(&w, 3);
	removal_write(&w, r);
	admin_signature_write(&w, &r->admin);
	return writer_end(&w, ret_len);
}

int removal_decode(struct removal *ret, const void *bytes, size_t len)
{
	struct removal m = {0};
	struct reader r;
	int err;

	reader_init(&r, bytes, len);
	reader_array_exact(&r, 3);
	const uint8_t *start = r.pos;
	codec_text(&r, 1, PRINCIPAL_NAME_SIZE_MAX, &m.name);
	codec_text(&r, 0, REMOVAL_REASON_SIZE_MAX, &m.reason);
	err = codec_signed_end(&r, start, &m.signed_elements, &m.signed_len, &m.admin);
	if (err == 0)
		*ret = m;
	return err;
}

/* --- policy --- */

static void policy_set_write(struct writer *w, const struct policy_set *p)
{
	writer_bin(w, p->source, p->source_len);
	writer_bin(w, p->compiled, p->compiled_len);
}

int policy_set_encode_signed(const struct policy_set *p, void *buf, size_t cap, size_t *ret_len)
{
	struct writer w;

	writer_init(&w, buf, cap);
	policy_set_write(&w, p);
	return writer_end(&w, ret_len);
}

int policy_set_encode(const struct policy_set *p, void *buf, size_t cap, size_t *ret_len)
{
	struct writer w;

	writer_init(&w, buf, cap);
	writer_array(&w, 3);
	policy_set_write(&w, p);
	admin_signature_write(&w, &p->admin);
	return writer_end(&w, ret_len);
}

int policy_set_decode(struct policy_set *ret, const void *bytes, size_t len)
{
	struct policy_set p = {0};
	struct reader r;
	int err;

	reader_init(&r, bytes, len);
	reader_array_exact(&r, 3);
	const uint8_t *start = r.pos;
	reader_bin(&r, POLICY_SOURCE_SIZE_MAX, &p.source, &p.source_len);
	reader_bin(&r, POLICY_COMPILED_SIZE_MAX, &p.compiled, &p.compiled_len);
	err = codec_signed_end(&r, start, &p.signed_elements, &p.signed_len, &p.admin);
	if (err == 0)
		err = policy_sizes(p.source_len, p.compiled, p.compiled_len);
	if (err == 0)
		*ret = p;
	return err;
}
