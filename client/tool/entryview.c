/* An entry of the ledger with its opened fields, as JSON and in many lines for people. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "client/tool/entryview.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/entry_view.h"
#include "client/tool/fieldview.h"
#include "client/tool/json.h"
#include "client/tool/text.h"
#include "client/tool/tool.h"
#include "ledger/errors.h"
#include "ledger/note.h"

#define KINDS_TEXT_SIZE 1024

static int read_public(struct entryview *v)
{
	struct entry_view public_;
	int err = entry_view_read(&public_, &v->entry);

	if (err)
		return err;
	v->verdict = (int)public_.verdict;
	v->risk = public_.risk;
	v->released = public_.released;
	if (public_.has_rules)
		reader_skip(&public_.rules, &v->rules, &v->rules_len);
	return public_.has_rules ? public_.rules.err : 0;
}

int entryview_open(struct entryview *ret, const struct cs_entry *e)
{
	struct entryview v = {0};
	int err = entry_decode(&v.entry, e->leaf, e->leaf_size);

	if (err)
		return err;
	hash_leaf(&v.leaf_hash, e->leaf, e->leaf_size);
	if (e->body) {
		err = body_decode(v.fields, &v.n_fields, e->body, e->body_size);
		if (!err)
			err = body_check(&v.entry, v.fields, v.n_fields);
		if (err)
			return err;
		v.opened = true;
	}
	v.erased_fields = e->erased_fields;
	v.erased_by = e->erased_by;
	err = read_public(&v);
	if (!err)
		*ret = v;
	return err;
}

bool entryview_predecessor(const struct entryview *v, struct predecessor *ret)
{
	struct genesis g;

	if (v->entry.kind != ENTRY_GENESIS || genesis_decode(&g, v->entry.public_, v->entry.public_len) || !g.restored)
		return false;
	*ret = g.predecessor;
	return true;
}

static void add_predecessor(json_t *o, const struct entryview *v)
{
	struct predecessor p;

	if (entryview_predecessor(v, &p))
		json_object_set_new(o, "predecessor",
		                    json_pack("{s:s%, s:I, s:o, s:I, s:o}", "origin", p.origin.s, p.origin.len, "size",
		                              (json_int_t)p.size, "root", json_bytes(p.root, HASH_SIZE), "state_size",
		                              (json_int_t)p.state_size, "state_digest",
		                              json_bytes(p.digest, HASH_SIZE)));
}

static void print_predecessor(const struct entryview *v)
{
	char root[BASE64_HASH_SIZE], digest[BASE64_HASH_SIZE];
	struct predecessor p;

	if (!entryview_predecessor(v, &p))
		return;
	base64_encode(p.root, HASH_SIZE, root, sizeof root);
	base64_encode(p.digest, HASH_SIZE, digest, sizeof digest);
	printf("%-14s %.*s, of %" PRIu64 " entries, root %s\n%-14s of its first %" PRIu64 " entries, digest %s\n",
	       "carries on", (int)p.origin.len, p.origin.s, p.size, root, "its state", p.state_size, digest);
}

bool entryview_erased(const struct entryview *v, unsigned kind)
{
	return kind < 64 && v->erased_fields >> kind & 1 && !body_find(v->fields, v->n_fields, kind);
}

json_t *entryview_json(const struct entryview *v)
{
	json_t *fields = json_object(), *closed = json_array(), *erased = json_array(), *o;
	char time[TEXT_TIME_SIZE];

	text_time(v->entry.time_ms, time);
	for (unsigned i = 0; i < v->entry.n_fields; i++) {
		unsigned kind = v->entry.fields[i].kind;
		const struct field *f = body_find(v->fields, v->n_fields, kind);

		if (f)
			json_object_set_new(fields, fieldview_name(kind), fieldview_json(kind, f->value, f->value_len));
		else
			json_array_append_new(entryview_erased(v, kind) ? erased : closed,
			                      json_string(fieldview_name(kind)));
	}
	o = json_pack("{s:I, s:s, s:s, s:I}", "index", (json_int_t)v->entry.index, "kind",
	              entry_kind_text(v->entry.kind), "time", time, "time_ms", (json_int_t)v->entry.time_ms);
	if (v->verdict) {
		json_object_set_new(o, "verdict", json_string(cs_verdict_text(v->verdict)));
		json_object_set_new(o, "risk", json_integer(v->risk));
		json_object_set_new(o, "probability", json_real(text_probability(v->risk)));
		json_object_set_new(o, "rules", fieldview_value(v->rules, v->rules_len));
	}
	json_object_set_new(o, "public", fieldview_value(v->entry.public_, v->entry.public_len));
	json_object_set_new(o, "fields", fields);
	json_object_set_new(o, "closed", closed);
	add_predecessor(o, v);
	if (v->erased_fields)
		json_object_set_new(o, "erased_by", json_integer((json_int_t)v->erased_by));
	if (json_array_size(erased))
		json_object_set(o, "erased", erased);
	json_decref(erased);
	json_object_set_new(o, "prev", json_bytes(v->entry.prev.b, HASH_SIZE));
	json_object_set_new(o, "leaf_hash", json_bytes(v->leaf_hash.b, HASH_SIZE));
	return o;
}

bool entryview_number(const struct entryview *v, unsigned i, uint64_t *ret)
{
	const uint8_t *skipped;
	struct reader r;
	uint32_t n = 0;
	uint64_t number = 0;
	size_t len;

	reader_init(&r, v->entry.public_, v->entry.public_len);
	reader_array(&r, LIMIT_MSGPACK_NODES_MAX, &n);
	if (i >= n)
		return false;
	for (unsigned k = 0; k < i && !r.err; k++)
		reader_skip(&r, &skipped, &len);
	reader_uint(&r, UINT64_MAX, &number);
	if (r.err)
		return false;
	*ret = number;
	return true;
}

/* A field for eyes; "-" if it is not there or not open. */
static void field_text(const struct entryview *v, unsigned kind, char *buf, size_t cap)
{
	const struct field *f = body_find(v->fields, v->n_fields, kind);

	if (!f || fieldview_text(kind, f->value, f->value_len, buf, cap))
		snprintf(buf, cap, "-");
}

static void print_lines(const char *label, char *text)
{
	for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n"), label = "")
		printf("%-14s %s\n", label, line);
}

void entryview_print_long(const struct entryview *v)
{
	char time[TEXT_TIME_SIZE], text[4096];

	text_time(v->entry.time_ms, time);
	printf("%-14s %" PRIu64 "\n%-14s %s\n%-14s %s\n", "entry", v->entry.index, "kind",
	       entry_kind_text(v->entry.kind), "time", time);
	if (v->released)
		printf("%-14s %sBREAK-GLASS: two approvers released it, whatever the policy says%s\n", "ALERT",
		       text_on(stdout, TINT_RED), text_off(stdout));
	if (v->verdict) {
		printf("%-14s %s%s%s\n", "verdict", text_on(stdout, text_verdict_tint(v->verdict)),
		       cs_verdict_text(v->verdict), text_off(stdout));
		printf("%-14s %" PRId32 " milli-logits (%.1f %%)\n", "risk", v->risk, 100 * text_probability(v->risk));
		if (!fieldview_text(0, v->rules, v->rules_len, text, sizeof text))
			printf("%-14s %s\n", "rules", text);
	}
	print_predecessor(v);
	for (unsigned i = 0; i < v->entry.n_fields; i++) {
		unsigned kind = v->entry.fields[i].kind;

		if (entryview_erased(v, kind))
			snprintf(text, sizeof text, "(erased at entry %" PRIu64 ")", v->erased_by);
		else if (!body_find(v->fields, v->n_fields, kind))
			snprintf(text, sizeof text, "(private)");
		else
			field_text(v, kind, text, sizeof text);
		print_lines(field_kind_text(kind), text);
	}
}

static const struct {
	unsigned kind;
	const char *text;
} kinds[] = {
#define KIND_ROW(name, number, text) {number, text},
        ENTRY_KIND_LIST(KIND_ROW)
#undef KIND_ROW
};

/* "policy-set" is "policy set". */
static bool same_kind(const char *given, const char *text)
{
	for (; *given && *text; given++, text++)
		if (*given != *text && !(*given == '-' && *text == ' '))
			return false;
	return *given == *text;
}

bool entryview_kind_known(unsigned kind)
{
	for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
		if (kinds[i].kind == kind)
			return true;
	return false;
}

unsigned entryview_kind(const char *text)
{
	uint64_t number;

	for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
		if (same_kind(text, kinds[i].text))
			return kinds[i].kind;
	/* A kind of a later build has a number only. */
	return tool_parse_index(text, &number) && number <= ENTRY_KIND_MAX ? (unsigned)number : 0;
}

const char *entryview_kinds(void)
{
	static char text[KINDS_TEXT_SIZE];
	size_t n = 0;

	for (size_t i = 0; i < sizeof kinds / sizeof *kinds && n < sizeof text; i++)
		n += (size_t)snprintf(text + n, sizeof text - n, "%s%s", i ? ", " : "", kinds[i].text);
	return text;
}
