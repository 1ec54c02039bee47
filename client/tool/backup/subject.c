/* Whom a piece of the ledger tells of: the one whose key seals it in a backup. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "client/tool/backup/subject.h"

#include <string.h>

#include "ledger/entry.h"
#include "node/decide/codec.h"
#include "node/decide/decide.h"
#include "node/decide/state_records.h"

static void of_typed(struct reader *r, struct text type, struct text id, uint8_t ret[32])
{
	if (!r->err && type.len > 0 && id.len > 0)
		subject_key(ret, type, id);
}

/* The elements before are passed over. */
static void skip(struct reader *r, unsigned n)
{
	const uint8_t *bytes;
	size_t len;

	for (unsigned i = 0; i < n; i++)
		reader_skip(r, &bytes, &len);
}

static void of_strings(struct reader *r, unsigned before, uint8_t ret[32])
{
	struct text type = {0}, id = {0};

	skip(r, before);
	codec_text(r, 0, REQUEST_STR_SIZE_MAX, &type);
	codec_text(r, 0, REQUEST_STR_SIZE_MAX, &id);
	of_typed(r, type, id, ret);
}

void subject_of_record(uint8_t kind, const void *value, size_t len, uint8_t ret[32])
{
	struct text type = {0}, id = {0};
	struct reader r;
	uint32_t n = 0;

	memset(ret, 0, 32);
	reader_init(&r, value, len);
	reader_array(&r, LIMIT_MSGPACK_NODES_MAX, &n);
	switch (kind) {
	case RECORD_SUBJECT: /* [key, …] */
		reader_bin_exact(&r, ret, 32);
		break;
	case RECORD_STANDING: /* [index, kind, principal, made, expiry, level, subject, …] */
		skip(&r, 6);
		reader_bin_exact(&r, ret, 32);
		break;
	case RECORD_PRINCIPAL: /* [id, name, roles, channel key, signing key, removed, type, id, …] */
		of_strings(&r, 6, ret);
		break;
	case RECORD_CREDENTIAL: /* [id, name, kind, type, id, …] */
		of_strings(&r, 3, ret);
		break;
	case RECORD_PERSON: /* [version, [[type, id], …]] */
		skip(&r, 1);
		reader_array(&r, LIMIT_MSGPACK_NODES_MAX, &n);
		codec_pair(&r, &type, &id);
		of_typed(&r, type, id, ret);
		break;
	default:
		break;
	}
	if (r.err)
		memset(ret, 0, 32);
}

void subject_of_body(const void *body, size_t len, uint8_t ret[32])
{
	struct field fields[LIMIT_FIELD_COUNT_MAX];
	struct text type = {0}, id = {0};
	const struct field *f;
	struct reader r;
	unsigned n;

	memset(ret, 0, 32);
	if (body_decode(fields, &n, body, len) || !(f = body_find(fields, n, FIELD_SUBJECT)))
		return;
	reader_init(&r, f->value, f->value_len);
	codec_pair(&r, &type, &id);
	of_typed(&r, type, id, ret);
}
