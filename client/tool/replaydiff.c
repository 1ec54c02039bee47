/* The first entry that differs: both derivations side by side, as JSON. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/tool/fieldview.h"
#include "client/tool/replay.h"
#include "ledger/bundle.h"

/* {"verdict", "risk", "rules", "signals": [{"id", "value", "weight"}]} */
static json_t *derivation(const struct policyresult *p)
{
	json_t *rules = json_array(), *signals = json_array();

	for (unsigned i = 0; i < p->n_rules; i++)
		json_array_append_new(rules, json_stringn(p->rules[i].s, p->rules[i].len));
	for (unsigned i = 0; i < p->n_signals; i++) {
		const char *key = signal_key(p->signals[i].id);
		json_array_append_new(signals, json_pack("{s:s, s:I, s:I}", "id", key ? key : "unknown", "value",
		                                         (json_int_t)p->signals[i].value, "weight",
		                                         (json_int_t)p->signals[i].weight));
	}
	return json_pack("{s:s, s:i, s:o, s:o}", "verdict", verdict_text(p->verdict), "risk", (int)p->risk, "rules",
	                 rules, "signals", signals);
}

static json_t *difference(unsigned level, const struct replay_entry *e, const char *what)
{
	return json_pack("{s:i, s:I, s:s, s:s}", "level", (int)level, "entry", (json_int_t)e->e.index, "kind",
	                 entry_kind_text(e->e.kind), "what", what);
}

json_t *replaydiff_verdict(const struct replay_entry *e, const struct replayverdict *v)
{
	json_t *o = difference(1, e, v->what);

	if (o) {
		json_object_set_new(o, "ours", derivation(&v->ours));
		json_object_set_new(o, "ledger", derivation(&v->theirs));
	}
	return o;
}

json_t *replaydiff_plain(unsigned level, uint64_t index, const char *kind, const char *what, const char *ours,
                         const char *ledger)
{
	return json_pack("{s:i, s:I, s:s, s:s, s:[{s:s, s:s, s:s}]}", "level", (int)level, "entry", (json_int_t)index,
	                 "kind", kind, "what", what, "parts", "part", what, "ours", ours, "ledger", ledger);
}

/* --- entries --- */

struct side {
	struct entry e;
	struct field fields[LIMIT_FIELD_COUNT_MAX];
	unsigned n_fields;
};

static bool open_side(struct side *s, const struct decide_out *out)
{
	return entry_decode(&s->e, out->leaf, out->leaf_len) == 0 &&
	       body_decode(s->fields, &s->n_fields, out->body, out->body_len) == 0;
}

static void add_part(json_t *parts, const char *part, const char *ours, const char *ledger)
{
	json_array_append_new(parts, json_pack("{s:s, s:s, s:s}", "part", part, "ours", ours, "ledger", ledger));
}

/* A field's or the public fields' value for eyes; "-": not there. */
static void value_text(unsigned kind, const void *value, size_t len, char *ret, size_t cap)
{
	if (!value || bundle_field_text(kind, value, len, ret, cap))
		snprintf(ret, cap, "-");
}

static bool field_differs(const struct field *a, const struct field *b)
{
	return !a != !b || (a && (a->value_len != b->value_len || memcmp(a->value, b->value, a->value_len) != 0));
}

static void add_fields(json_t *parts, const struct side *ours, const struct replay_entry *e)
{
	char part[64], a[FORMAT_FIELD_TEXT_SIZE_MAX + 1], b[FORMAT_FIELD_TEXT_SIZE_MAX + 1];

	for (unsigned kind = 1; kind <= FIELD_KIND_MAX; kind++) {
		const struct field *x = body_find(ours->fields, ours->n_fields, kind),
		                   *y = body_find(e->fields, e->n_fields, kind);
		if (!field_differs(x, y))
			continue;
		snprintf(part, sizeof part, "%s", fieldview_name(kind));
		value_text(kind, x ? x->value : NULL, x ? x->value_len : 0, a, sizeof a);
		value_text(kind, y ? y->value : NULL, y ? y->value_len : 0, b, sizeof b);
		add_part(parts, part, a, b);
	}
}

static json_t *parts_of(const struct side *ours, const struct replay_entry *e)
{
	char a[FORMAT_FIELD_TEXT_SIZE_MAX + 1], b[FORMAT_FIELD_TEXT_SIZE_MAX + 1];
	json_t *parts = json_array();

	if (ours->e.index != e->e.index || ours->e.time_ms != e->e.time_ms || !hash_equal(&ours->e.prev, &e->e.prev))
		add_part(parts, "place", "as the entry before says", "another index, time or entry before");
	if (ours->e.kind != e->e.kind)
		add_part(parts, "kind", entry_kind_text(ours->e.kind), entry_kind_text(e->e.kind));
	if (ours->e.public_len != e->e.public_len || memcmp(ours->e.public_, e->e.public_, e->e.public_len) != 0) {
		value_text(0, ours->e.public_, ours->e.public_len, a, sizeof a);
		value_text(0, e->e.public_, e->e.public_len, b, sizeof b);
		add_part(parts, "public", a, b);
	}
	add_fields(parts, ours, e);
	return parts;
}

static void add_derivation(json_t *o, const char *name, const struct entry *e, const struct field *fields, unsigned n)
{
	struct policyresult *p = malloc(sizeof *p);

	if (p && policyresult_of_entry(p, e, fields, n) == 0)
		json_object_set_new(o, name, derivation(p));
	free(p);
}

/* What of a verdict differs first, in the order in which it is derived. */
static const char *what_differs(const json_t *o)
{
	static const char *const order[] = {"signals", "risk", "rules", "verdict"};
	const json_t *ours = json_object_get(o, "ours"), *ledger = json_object_get(o, "ledger");

	for (unsigned i = 0; ours && ledger && i < sizeof order / sizeof order[0]; i++)
		if (!json_equal(json_object_get(ours, order[i]), json_object_get(ledger, order[i])))
			return order[i];
	const char *part = json_string_value(json_object_get(json_array_get(json_object_get(o, "parts"), 0), "part"));
	return part ? part : "bytes";
}

json_t *replaydiff_entry(const struct replay_entry *e, const struct decide_out *out, const char *why)
{
	struct side *ours = calloc(1, sizeof *ours);
	json_t *o = ours ? difference(2, e, "entry") : NULL;

	if (o && out && open_side(ours, out)) {
		add_derivation(o, "ours", &ours->e, ours->fields, ours->n_fields);
		json_object_set_new(o, "parts", parts_of(ours, e));
	}
	if (o)
		add_derivation(o, "ledger", &e->e, e->fields, e->n_fields);
	if (o && why)
		json_object_set_new(o, "refused", json_string(why));
	if (o && out)
		json_object_set_new(o, "what", json_string(what_differs(o)));
	free(ours);
	return o;
}
