/* What an erasure takes from one entry: by whom its fields name, by its kind and age, and by what holds keep. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <string.h>

#include "ledger/entry.h"
#include "node/decide/erasure.h"
#include "node/decide/state.h"

/* [type, id] anywhere in the value, however deep: subject, actor, chains of actors, people and whom they act for. */
static bool named_in_value(const struct field *f, named_fn fn, void *ctx)
{
	uint8_t key[HASH_SIZE];
	struct reader r;

	reader_init(&r, f->value, f->value_len);
	while (r.err == 0 && reader_peek(&r) != VALUE_NONE) {
		const uint8_t *skipped;
		struct text type, id;
		uint32_t elements = 0;
		size_t len;

		if (reader_peek(&r) != VALUE_ARRAY) {
			reader_skip(&r, &skipped, &len);
			continue;
		}
		reader_array(&r, LIMIT_MSGPACK_NODES_MAX, &elements);
		if (elements != 2 || reader_peek(&r) != VALUE_STR)
			continue;
		reader_str(&r, LIMIT_BODY_SIZE_MAX, &type.s, &type.len);
		if (reader_peek(&r) != VALUE_STR)
			continue;
		reader_str(&r, LIMIT_BODY_SIZE_MAX, &id.s, &id.len);
		if (r.err != 0 || type.len > REQUEST_STR_SIZE_MAX || id.len > REQUEST_STR_SIZE_MAX)
			continue;
		subject_key(key, type, id);
		if (!fn(ctx, f->kind, key))
			return false;
	}
	return true;
}

void erasure_named(const void *body, size_t body_len, named_fn f, void *ctx)
{
	struct field fields[LIMIT_FIELD_COUNT_MAX];
	unsigned n = 0;

	if (body_len == 0 || body_decode(fields, &n, body, body_len) != 0)
		return;
	for (unsigned i = 0; i < n; i++)
		if (!named_in_value(&fields[i], f, ctx))
			return;
}

/* --- what goes --- */

struct of_subject {
	const uint8_t *key;
	uint64_t fields;
};

static bool see_subject(void *ctx, unsigned kind, const uint8_t key[HASH_SIZE])
{
	struct of_subject *x = ctx;

	if (memcmp(key, x->key, HASH_SIZE) != 0)
		return true;
	x->fields |= kind == FIELD_SUBJECT ? ERASE_FIELDS_ALL : ERASE_FIELD(kind);
	return kind != FIELD_SUBJECT;
}

/*
 * An entry of the subject's own loses all. Where another's entry names it, what names it goes, and with it what would
 * confirm a guess of it: the blind of the request's digest, an administrator's signature over a list of people.
 */
static uint64_t fields_of_subject(const struct erasure *e, const void *body, size_t body_len)
{
	struct of_subject x = {.key = e->subject};

	erasure_named(body, body_len, see_subject, &x);
	if (x.fields != 0)
		x.fields |= ERASE_FIELD(FIELD_BLIND) | ERASE_FIELD(FIELD_EVIDENCE);
	if (x.fields & (ERASE_FIELD(FIELD_ACTOR) | ERASE_FIELD(FIELD_DELEGATION)))
		x.fields |= ERASE_FIELD(FIELD_ACTOR_CHAIN);
	return x.fields;
}

/* --- what stays --- */

struct holding {
	const struct keeping *keeping;
	uint64_t erasure;
	bool held;
};

static bool see_hold(void *ctx, unsigned kind, const uint8_t key[HASH_SIZE])
{
	struct holding *x = ctx;

	(void)kind;
	x->held = keeping_held(x->keeping, key, x->erasure) != NULL;
	return !x->held;
}

uint64_t erasure_fields(const struct keeping *k, const struct erasure *e, const void *leaf, size_t leaf_len,
                        const void *body, size_t body_len, bool *ret_held)
{
	struct holding holding = {.keeping = k, .erasure = e->index};
	struct entry entry;
	uint64_t fields;

	*ret_held = false;
	if (body_len == 0 || entry_decode(&entry, leaf, leaf_len) != 0 || entry.index < e->first ||
	    entry.index >= e->end)
		return 0;
	switch (e->target) {
	case ERASE_SUBJECT:
		fields = fields_of_subject(e, body, body_len);
		break;
	case ERASE_ENTRY:
		fields = e->fields;
		break;
	default:
		fields = entry.kind == e->kind && entry.time_ms <= e->cutoff_ms ? ERASE_FIELDS_ALL : 0;
	}
	if (fields != 0)
		erasure_named(body, body_len, see_hold, &holding);
	*ret_held = holding.held;
	return holding.held ? 0 : fields;
}
