/* Single facts out of an entry's opened fields, for whoever decides its request anew. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "client/tool/entryfacts.h"

#include <string.h>

#include "node/decide/codec.h"

bool entryfacts_all_there(const struct entry *e, const struct field *fields, unsigned n)
{
	for (unsigned i = 0; i < e->n_fields; i++) {
		unsigned kind = e->fields[i].kind;
		bool needed = kind != FIELD_BLIND && kind != FIELD_REASONS && kind != FIELD_CHALLENGE &&
		              kind != FIELD_SUBJECT_CHAIN && kind != FIELD_ACTOR_CHAIN && kind != FIELD_TEXT;
		if (needed && !body_find(fields, n, kind))
			return false;
	}
	return true;
}

struct text entryfacts_client(const struct field *fields, unsigned n, const uint8_t **ret_id)
{
	const struct field *f = body_find(fields, n, FIELD_CLIENT);
	struct text name = {"", 0}, none = {"", 0};
	const uint8_t *id = NULL;
	struct reader r;

	if (!f)
		return none;
	reader_init(&r, f->value, f->value_len);
	reader_array_exact(&r, 2);
	codec_text(&r, 1, PRINCIPAL_NAME_SIZE_MAX, &name);
	codec_fixed(&r, REQUEST_ID_SIZE, &id);
	if (reader_end(&r))
		return none;
	if (ret_id)
		*ret_id = id;
	return name;
}

/* [level, counter, the newest before, fell, by the leader, acr] */
static unsigned met_by_facts(const struct policy *p, const struct field *f)
{
	const struct policy_level *l;
	struct text acr = {"", 0};
	uint64_t level = 0, counter;
	struct reader r;
	bool flag;

	reader_init(&r, f->value, f->value_len);
	reader_array_exact(&r, 6);
	reader_uint(&r, UINT8_MAX, &level);
	reader_uint(&r, UINT64_MAX, &counter);
	reader_uint(&r, UINT64_MAX, &counter);
	reader_bool(&r, &flag);
	reader_bool(&r, &flag);
	codec_text(&r, 0, REQUEST_STR_SIZE_MAX, &acr);
	if (reader_end(&r))
		return 0;
	l = acr.len ? policy_level_find(p, acr) : NULL;
	return l ? l->level : acr.len ? LEVEL_POSSESSION : (unsigned)level;
}

unsigned entryfacts_met(const struct policy *p, const struct field *fields, unsigned n)
{
	const struct field *f = body_find(fields, n, FIELD_EVIDENCE),
	                   *facts = body_find(fields, n, FIELD_EVIDENCE_FACTS);
	struct text method = {"", 0};
	struct reader r;
	uint32_t parts = 0;

	if (facts)
		return met_by_facts(p, facts);
	if (!f)
		return 0;
	reader_init(&r, f->value, f->value_len);
	reader_array(&r, LIMIT_MSGPACK_NODES_MAX, &parts);
	codec_text(&r, 1, 64, &method);
	return r.err ? 0 : method_level(method_parse(method));
}

int entryfacts_parties(struct parties *ret, const struct request *q, const struct field *fields, unsigned n)
{
	const struct field *f = body_find(fields, n, FIELD_GROUPS);
	struct reader r;

	memset(ret, 0, sizeof *ret);
	if (!f)
		return 0;
	reader_init(&r, f->value, f->value_len);
	parties_read(&r, ret, q);
	return reader_end(&r);
}

/* [what opens, index of the grant that counted or nil, …] */
bool entryfacts_granted(const struct field *fields, unsigned n)
{
	const struct field *f = body_find(fields, n, FIELD_GRANT);
	const uint8_t *skipped;
	struct reader r;
	uint32_t parts = 0;
	size_t len;

	if (!f)
		return false;
	reader_init(&r, f->value, f->value_len);
	reader_array(&r, LIMIT_MSGPACK_NODES_MAX, &parts);
	reader_skip(&r, &skipped, &len);
	return reader_peek(&r) == VALUE_INT;
}
