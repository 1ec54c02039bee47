/* Commands and the clients' bodies in them, read and written: no state, the client library links this too. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "node/decide/command.h"

#include <string.h>

#include "ledger/errors.h"
#include "ledger/limits.h"
#include "node/decide/codec.h"

#define COMMAND_SIZE_MAX (1u << 17) /* A payload of one client message (64 KiB) and its frame, twice over. */
#define METHOD_SIZE_MAX  32
#define ANSWER_DOMAIN    "countersign/answer/v1"

const char *role_text(uint32_t bit)
{
	switch (bit) {
	case ROLE_DECIDE:
		return "decide";
	case ROLE_IMPORT:
		return "import";
	case ROLE_AUDIT:
		return "audit";
	case ROLE_ADMINISTER:
		return "administer";
	case ROLE_DEVICE:
		return "device";
	case ROLE_NODE:
		return "node";
	case ROLE_APPROVE:
		return "approve";
	case ROLE_SIGNAL:
		return "signal";
	case ROLE_WITNESS:
		return "witness";
	default:
		return NULL;
	}
}

/* --- pieces that several bodies share --- */

void codec_text(struct reader *r, size_t len_min, size_t len_max, struct text *ret)
{
	const char *s = NULL;
	size_t len = 0;

	if (reader_str(r, len_max, &s, &len) != 0)
		return;
	if (len < len_min) {
		r->err = CS_ERR_MALFORMED;
		return;
	}
	ret->s = s;
	ret->len = len;
}

void codec_array(struct reader *r, const uint8_t **ret, size_t *ret_len)
{
	if (r->err == 0 && reader_peek(r) != VALUE_ARRAY)
		r->err = CS_ERR_MALFORMED;
	reader_skip(r, ret, ret_len);
}

void codec_fixed(struct reader *r, size_t len, const uint8_t **ret)
{
	const uint8_t *bytes = NULL;
	size_t found = 0;

	if (reader_bin(r, len, &bytes, &found) != 0)
		return;
	if (found != len)
		r->err = CS_ERR_MALFORMED;
	else
		*ret = bytes;
}

void codec_fixed_or_nil(struct reader *r, size_t len, const uint8_t **ret)
{
	if (!reader_nil(r))
		codec_fixed(r, len, ret);
}

bool codec_is_array(const void *bytes, size_t len)
{
	struct reader r;
	const uint8_t *start = NULL;
	size_t start_len = 0;

	reader_init(&r, bytes, len);
	codec_array(&r, &start, &start_len);
	return reader_end(&r) == 0;
}

void codec_write_text(struct writer *w, struct text t)
{
	writer_str(w, t.s, t.len);
}

void codec_write_pair(struct writer *w, struct text type, struct text id)
{
	writer_array(w, 2);
	codec_write_text(w, type);
	codec_write_text(w, id);
}

void codec_pair(struct reader *r, struct text *ret_type, struct text *ret_id)
{
	reader_array_exact(r, 2);
	codec_text(r, 1, REQUEST_STR_SIZE_MAX, ret_type);
	codec_text(r, 1, REQUEST_STR_SIZE_MAX, ret_id);
}

/* --- the command --- */

int command_encode(const struct command *c, void *buf, size_t cap, size_t *ret_len)
{
	struct writer w;

	if (!codec_is_array(c->payload, c->payload_len) || !codec_is_array(c->facts, c->facts_len))
		return CS_ERR_INVALID;
	writer_init(&w, buf, cap);
	writer_array(&w, 7);
	writer_uint(&w, COMMAND_VERSION);
	writer_uint(&w, c->type);
	writer_uint(&w, c->principal);
	writer_bin(&w, c->seed, SEED_SIZE);
	writer_bin(&w, c->request_id, REQUEST_ID_SIZE);
	writer_raw(&w, c->payload, c->payload_len);
	writer_raw(&w, c->facts, c->facts_len);
	return writer_end(&w, ret_len);
}

int command_decode(struct command *ret, const void *bytes, size_t len)
{
	struct command c = {0};
	struct reader r;
	uint64_t version = 0, type = 0;

	if (len > COMMAND_SIZE_MAX)
		return CS_ERR_TOO_LARGE;
	reader_init(&r, bytes, len);
	reader_array_exact(&r, 7);
	reader_uint(&r, UINT64_MAX, &version);
	if (r.err == 0 && version != COMMAND_VERSION)
		return CS_ERR_VERSION;
	reader_uint(&r, UINT8_MAX, &type);
	reader_uint(&r, UINT64_MAX, &c.principal);
	codec_fixed(&r, SEED_SIZE, &c.seed);
	codec_fixed(&r, REQUEST_ID_SIZE, &c.request_id);
	codec_array(&r, &c.payload, &c.payload_len);
	codec_array(&r, &c.facts, &c.facts_len);
	if (reader_end(&r) != 0)
		return r.err;
	c.type = (unsigned)type;
	*ret = c;
	return 0;
}

/* --- imports --- */

int import_encode(const struct import *i, void *buf, size_t cap, size_t *ret_len)
{
	struct writer w;
	struct request q;
	int err = request_decode(&q, i->request, i->request_len);

	if (err != 0)
		return err;
	writer_init(&w, buf, cap);
	writer_array(&w, 3);
	writer_uint(&w, i->event_time_ms);
	writer_array(&w, 4);
	codec_write_text(&w, i->format);
	codec_write_text(&w, i->file);
	writer_bin(&w, i->file_hash, HASH_SIZE);
	writer_uint(&w, i->position);
	writer_raw(&w, i->request, i->request_len);
	return writer_end(&w, ret_len);
}

int import_decode(struct import *ret, const void *bytes, size_t len)
{
	struct import i = {0};
	struct request q;
	struct reader r;
	int err;

	reader_init(&r, bytes, len);
	reader_array_exact(&r, 3);
	reader_uint(&r, UINT64_MAX, &i.event_time_ms);
	reader_array_exact(&r, 4);
	codec_text(&r, 1, IMPORT_FORMAT_SIZE_MAX, &i.format);
	codec_text(&r, 1, REQUEST_STR_SIZE_MAX, &i.file);
	codec_fixed(&r, HASH_SIZE, &i.file_hash);
	reader_uint(&r, UINT64_MAX, &i.position);
	codec_array(&r, &i.request, &i.request_len);
	if (reader_end(&r) != 0)
		return r.err;
	err = request_decode(&q, i.request, i.request_len);
	if (err == 0)
		*ret = i;
	return err;
}

/* --- answers --- */

int answer_encode(const struct answer *a, void *buf, size_t cap, size_t *ret_len)
{
	struct writer w;

	if (a->evidence_len > EVIDENCE_SIZE_MAX)
		return CS_ERR_TOO_LARGE;
	writer_init(&w, buf, cap);
	writer_array(&w, 4);
	writer_uint(&w, a->challenge);
	codec_write_text(&w, a->method);
	codec_write_text(&w, a->credential);
	writer_bin(&w, a->evidence, a->evidence_len);
	return writer_end(&w, ret_len);
}

int answer_decode(struct answer *ret, const void *bytes, size_t len)
{
	struct answer a = {0};
	struct reader r;

	reader_init(&r, bytes, len);
	reader_array_exact(&r, 4);
	reader_uint(&r, UINT64_MAX, &a.challenge);
	codec_text(&r, 1, METHOD_SIZE_MAX, &a.method);
	codec_text(&r, 1, PRINCIPAL_NAME_SIZE_MAX, &a.credential);
	reader_bin(&r, EVIDENCE_SIZE_MAX, &a.evidence, &a.evidence_len);
	if (reader_end(&r) != 0)
		return r.err;
	*ret = a;
	return 0;
}

size_t codec_domain(uint8_t *ret, const char *domain, const char *origin)
{
	size_t domain_size = strlen(domain) + 1, origin_len = strnlen(origin, LIMIT_ORIGIN_SIZE_MAX);

	memcpy(ret, domain, domain_size);
	memcpy(ret + domain_size, origin, origin_len);
	ret[domain_size + origin_len] = 0;
	return domain_size + origin_len + 1;
}

size_t answer_message(uint8_t ret[ANSWER_MESSAGE_SIZE_MAX], const char *origin, uint64_t challenge,
                      const struct hash *digest, const uint8_t nonce[32], uint64_t expiry_ms)
{
	_Static_assert(sizeof(ANSWER_DOMAIN) + LIMIT_ORIGIN_SIZE_MAX + 1 + 8 + HASH_SIZE + 32 + 8 <=
	                       ANSWER_MESSAGE_SIZE_MAX,
	               "the longest origin fits");
	uint8_t *p = ret + codec_domain(ret, ANSWER_DOMAIN, origin);

	put_u64be(p, challenge);
	memcpy(p + 8, digest->b, HASH_SIZE);
	memcpy(p + 8 + HASH_SIZE, nonce, 32);
	put_u64be(p + 8 + HASH_SIZE + 32, expiry_ms);
	return (size_t)(p + 8 + HASH_SIZE + 32 + 8 - ret);
}
