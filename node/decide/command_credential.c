/* Orders to enrol and to revoke credentials, read and written. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "ledger/errors.h"
#include "node/decide/codec.h"
#include "node/decide/credential.h"

static void authority_write(struct writer *w, const struct authority *a)
{
	if (a->by_admin) {
		admin_signature_write(w, &a->admin);
		return;
	}
	writer_array(w, 2);
	writer_bin(w, a->request_id, REQUEST_ID_SIZE);
	writer_raw(w, a->request, a->request_len);
}

/* The last element of an order: what remains must be just that. */
static int authority_end(struct reader *r, struct authority *ret)
{
	struct request q;
	struct reader ahead = *r;
	const uint8_t *skipped;
	uint32_t n = 0;
	size_t len;

	reader_array(&ahead, ADMIN_SIGNATURES_MAX, &n);
	ret->by_admin = reader_peek(&ahead) != VALUE_BIN;
	if (ret->by_admin)
		return codec_signed_end(r, r->pos, &skipped, &len, &ret->admin);
	reader_array_exact(r, 2);
	codec_fixed(r, REQUEST_ID_SIZE, &ret->request_id);
	codec_array(r, &ret->request, &ret->request_len);
	int err = reader_end(r);
	return err != 0 ? err : request_decode(&q, ret->request, ret->request_len);
}

static void subject_write(struct writer *w, struct text type, struct text id)
{
	if (id.len > 0)
		codec_write_pair(w, type, id);
	else
		writer_nil(w);
}

int credential_order_encode_signed(const struct credential_order *o, void *buf, size_t cap, size_t *ret_len)
{
	struct writer w;
	struct hash h;

	if (o->data_hash != NULL)
		h = *o->data_hash;
	else
		hash_bytes(&h, o->data, o->data_len);
	writer_init(&w, buf, cap);
	codec_write_text(&w, o->name);
	writer_uint(&w, o->kind);
	subject_write(&w, o->subject_type, o->subject_id);
	writer_bin(&w, h.b, HASH_SIZE);
	return writer_end(&w, ret_len);
}

int credential_order_encode(const struct credential_order *o, void *buf, size_t cap, size_t *ret_len)
{
	struct writer w;

	writer_init(&w, buf, cap);
	writer_array(&w, 5);
	codec_write_text(&w, o->name);
	writer_uint(&w, o->kind);
	subject_write(&w, o->subject_type, o->subject_id);
	writer_bin(&w, o->data, o->data_len);
	authority_write(&w, &o->authority);
	return writer_end(&w, ret_len);
}

int credential_order_decode(struct credential_order *ret, const void *bytes, size_t len)
{
	struct credential_order o = {0};
	struct reader r;
	uint64_t kind = 0;

	reader_init(&r, bytes, len);
	reader_array_exact(&r, 5);
	codec_text(&r, 1, PRINCIPAL_NAME_SIZE_MAX, &o.name);
	reader_uint(&r, UINT8_MAX, &kind);
	if (!reader_nil(&r)) {
		reader_array_exact(&r, 2);
		codec_text(&r, 1, SUBJECT_TYPE_SIZE_MAX, &o.subject_type);
		codec_text(&r, 1, REQUEST_STR_SIZE_MAX, &o.subject_id);
	}
	reader_bin(&r, CREDENTIAL_DATA_SIZE_MAX, &o.data, &o.data_len);
	int err = authority_end(&r, &o.authority);
	if (err != 0)
		return err;
	o.kind = (unsigned)kind;
	if (!credential_data_valid(o.kind, o.data, o.data_len))
		return CS_ERR_MALFORMED;
	*ret = o;
	return 0;
}

int credential_revocation_encode_signed(const struct credential_revocation *v, void *buf, size_t cap, size_t *ret_len)
{
	struct writer w;

	writer_init(&w, buf, cap);
	codec_write_text(&w, v->name);
	codec_write_text(&w, v->reason);
	return writer_end(&w, ret_len);
}

int credential_revocation_encode(const struct credential_revocation *v, void *buf, size_t cap, size_t *ret_len)
{
	struct writer w;

	writer_init(&w, buf, cap);
	writer_array(&w, 3);
	codec_write_text(&w, v->name);
	codec_write_text(&w, v->reason);
	authority_write(&w, &v->authority);
	return writer_end(&w, ret_len);
}

int credential_revocation_decode(struct credential_revocation *ret, const void *bytes, size_t len)
{
	struct credential_revocation v = {0};
	struct reader r;

	reader_init(&r, bytes, len);
	reader_array_exact(&r, 3);
	codec_text(&r, 1, PRINCIPAL_NAME_SIZE_MAX, &v.name);
	codec_text(&r, 0, REMOVAL_REASON_SIZE_MAX, &v.reason);
	int err = authority_end(&r, &v.authority);
	if (err == 0)
		*ret = v;
	return err;
}
