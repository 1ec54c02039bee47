/* One line about an entry, for people. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "client/tool/entryline.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "client/tool/fieldview.h"
#include "client/tool/text.h"
#include "ledger/bytes.h"
#include "node/decide/command.h"
#include "node/decide/command_erase.h"
#include "node/decide/command_reads.h"
#include "node/decide/keys.h"
#include "node/decide/roster.h"

#define WORDS_MAX 2 /* Of a kind's public fields: a name and what belongs to it; more would hide them. */

static void print_field(const struct entryview *v, unsigned kind, const char *before)
{
	const struct field *f = body_find(v->fields, v->n_fields, kind);
	char text[128];

	if (f && !fieldview_text(kind, f->value, f->value_len, text, sizeof text))
		printf("%s%s", before, text);
}

/* " by agent:planner for agent:deployer": who acts, and for whom of those between it and the subject. */
static void print_actors(const struct entryview *v)
{
	const struct field *f = body_find(v->fields, v->n_fields, FIELD_DELEGATION);
	const char *type = "", *id = "", *before = " by ";
	size_t type_len = 0, id_len = 0;
	char text[600], safe[128];
	struct reader r;
	uint32_t n = 0;

	if (!f) {
		print_field(v, FIELD_ACTOR, before);
		return;
	}
	reader_init(&r, f->value, f->value_len);
	reader_array(&r, REQUEST_ACTORS_MAX, &n);
	for (; n > 0 && !r.err; n--, before = " for ") {
		reader_array_exact(&r, 2);
		reader_str(&r, REQUEST_STR_SIZE_MAX, &type, &type_len);
		reader_str(&r, REQUEST_STR_SIZE_MAX, &id, &id_len);
		snprintf(text, sizeof text, "%.*s:%.*s", (int)type_len, type, (int)id_len, id);
		text_safe(text, strlen(text), safe, sizeof safe);
		printf("%s%s", before, safe);
	}
}

/* Of a decision: each has its place, so that the eye finds it. */
static void print_request(const struct entryview *v)
{
	print_field(v, FIELD_SUBJECT, "  ");
	print_actors(v);
	print_field(v, FIELD_ACTION, "  ");
	print_field(v, FIELD_RESOURCE, "  ");
}

/* Names and versions among the public fields: they tell most about a kind, also about one of a later build. */
static void print_words(const struct entryview *v)
{
	struct reader r;
	uint32_t n = 0;
	unsigned words = 0;

	reader_init(&r, v->entry.public_, v->entry.public_len);
	reader_array(&r, LIMIT_MSGPACK_NODES_MAX, &n);
	for (uint32_t i = 0; i < n && !r.err && words < WORDS_MAX; i++) {
		const uint8_t *skipped;
		const char *s = NULL;
		char safe[96];
		size_t len;

		if (reader_peek(&r) != VALUE_STR) {
			reader_skip(&r, &skipped, &len);
			continue;
		}
		reader_str(&r, LIMIT_ENTRY_SIZE_MAX, &s, &len);
		if (!s || !len)
			continue;
		text_safe(s, len, safe, sizeof safe);
		printf("  %s", safe);
		words++;
	}
}

/* [action, node id, role, …] */
static void print_member(const struct entryview *v)
{
	uint64_t action = 0, id = 0, role = 0;

	if (!entryview_number(v, 0, &action) || !entryview_number(v, 1, &id) || !entryview_number(v, 2, &role))
		return;
	printf("  node %" PRIu64 " %s", id,
	       action == MEMBER_ADD                            ? "is added as a spare"
	       : action == MEMBER_ROLE && role == ROSTER_VOTER ? "becomes a voter"
	       : action == MEMBER_ROLE                         ? "becomes a spare"
	       : action == MEMBER_REMOVE                       ? "is removed"
	       : action == MEMBER_ADDRESS                      ? "has new addresses"
	                                                       : "changes");
}

/* [place, id, name, …] */
static void print_key(const struct entryview *v)
{
	uint64_t place = 0;

	if (entryview_number(v, 0, &place))
		printf("  %s key of", key_place_text((unsigned)(place <= KEY_PLACE_MAX ? place : 0)));
	print_words(v);
}

/* [how many were set, disabled, enabled, removed, …] */
static void print_people(const struct entryview *v)
{
	static const char *const words[] = {"set", "disabled", "enabled", "removed"};
	const char *before = "  ";
	uint64_t n;

	for (unsigned i = 0; i < sizeof words / sizeof *words; i++) {
		if (!entryview_number(v, i, &n) || !n)
			continue;
		printf("%s%" PRIu64 " %s", before, n, words[i]);
		before = ", ";
	}
}

/* [whose, …]: the fields say of whom, where they are open. */
static void print_history(const struct entryview *v)
{
	uint64_t whose = 0;
	const char *text =
	        entryview_number(v, 0, &whose) && whose < UINT8_MAX ? history_whose_text((unsigned)whose) : NULL;

	printf("  of %s", text ? text : "somebody");
	print_field(v, FIELD_APPROVER, "  ");
}

/* [node, [[reader's id, name, what, first, last, reads, entries, fields]…]] */
static void print_reads(const struct entryview *v)
{
	const char *node = "", *name = "";
	size_t node_len = 0, name_len = 0;
	uint64_t first, last, reads, entries, skipped, what;
	char safe[96];
	struct reader r;
	uint32_t n = 0;

	reader_init(&r, v->entry.public_, v->entry.public_len);
	reader_array_exact(&r, 2);
	reader_str(&r, PRINCIPAL_NAME_SIZE_MAX, &node, &node_len);
	reader_array(&r, READ_ROWS_MAX, &n);
	for (uint32_t i = 0; i < n; i++) {
		first = last = reads = entries = what = 0;
		reader_array_exact(&r, 8);
		reader_uint(&r, UINT64_MAX, &skipped);
		reader_str(&r, PRINCIPAL_NAME_SIZE_MAX, &name, &name_len);
		reader_uint(&r, UINT8_MAX, &what);
		reader_uint(&r, UINT64_MAX, &first);
		reader_uint(&r, UINT64_MAX, &last);
		reader_uint(&r, UINT64_MAX, &reads);
		reader_uint(&r, UINT64_MAX, &entries);
		reader_uint(&r, UINT64_MAX, &skipped);
		if (r.err)
			return;
		text_safe(name, name_len, safe, sizeof safe);
		printf("%s %s: %s %" PRIu64 "-%" PRIu64 ", %" PRIu64 " opened", i ? ";" : " ",
		       name_len ? safe : "(gone)",
		       read_what_text((unsigned)what) ? read_what_text((unsigned)what) : "?", first, last, entries);
	}
	print_field(v, FIELD_LOOKUP, "  ");
}

static void print_hold(const struct entryview *v)
{
	uint64_t action = 0, index = 0, kind = 0, keep_ms = 0;

	if (!entryview_number(v, 0, &action) || !entryview_number(v, 1, &index) || !entryview_number(v, 2, &kind) ||
	    !entryview_number(v, 3, &keep_ms))
		return;
	if (action == HOLD_LIFT)
		printf("  of entry %" PRIu64 " lifted", index);
	else if (action == HOLD_RETENTION && keep_ms)
		printf("  retention of %s: %" PRIu64 " s", entry_kind_text((unsigned)kind), keep_ms / 1000);
	else if (action == HOLD_RETENTION)
		printf("  retention of %s: for ever", entry_kind_text((unsigned)kind));
	else
		printf("  set");
}

/* Of an erasure never whom it was about: the entry does not know. */
static void print_keeping(const struct entryview *v)
{
	uint64_t a = 0, b = 0, c = 0, d = 0;

	if (v->entry.kind == ENTRY_HOLD) {
		print_hold(v);
		return;
	}
	if (!entryview_number(v, 0, &a) || !entryview_number(v, 1, &b) || !entryview_number(v, 2, &c) ||
	    !entryview_number(v, 3, &d))
		return;
	if (v->entry.kind == ENTRY_ERASURE_DONE)
		printf("  node %" PRIu64 ": of entry %" PRIu64 ", %" PRIu64 " changed, %" PRIu64 " held", a, b, c, d);
	else if (a == ERASE_SUBJECT)
		printf("  all of one subject below entry %" PRIu64, c);
	else if (a == ERASE_ENTRY)
		printf("  of entry %" PRIu64, b);
	else
		printf("  %s from %" PRIu64 " to below %" PRIu64 ", by age", entry_kind_text((unsigned)d), b, c);
}

/* What kind of entry it is, or why it should be looked at. */
static void print_kind(const struct entryview *v, const struct alert *a)
{
	const char *off = a ? text_off(stdout) : "";

	if (a && a->loud)
		printf("  %sALERT: %s%s", text_on(stdout, TINT_RED), a->text, off);
	else if (a || v->entry.kind != ENTRY_DECISION)
		printf("  %s%s%s%s", a ? text_on(stdout, TINT_BOLD) : "", a ? "! " : "", entry_kind_text(v->entry.kind),
		       off);
	if (v->released && !(a && a->loud)) /* Never quiet, whoever asks. */
		printf("  %sBREAK-GLASS%s", text_on(stdout, TINT_RED), text_off(stdout));
	if (!entryview_kind_known(v->entry.kind))
		printf(" kind %u", v->entry.kind);
}

void entryline_print(const struct entryview *v, const struct alert *a)
{
	char time[TEXT_TIME_SIZE];

	text_time(v->entry.time_ms, time);
	printf("%8" PRIu64 "  %s", v->entry.index, time);
	if (v->verdict)
		printf("  %s%-7s%s  %5.1f %%", text_on(stdout, text_verdict_tint(v->verdict)),
		       cs_verdict_text(v->verdict), text_off(stdout), 100 * text_probability(v->risk));
	print_kind(v, a);
	if (v->entry.kind == ENTRY_MEMBER)
		print_member(v);
	else if (v->entry.kind == ENTRY_PEOPLE)
		print_people(v);
	else if (v->entry.kind == ENTRY_HISTORY)
		print_history(v);
	else if (v->entry.kind == ENTRY_READ)
		print_reads(v);
	else if (v->entry.kind == ENTRY_HOLD || v->entry.kind == ENTRY_ERASED || v->entry.kind == ENTRY_ERASURE_DONE)
		print_keeping(v);
	else if (v->entry.kind == ENTRY_KEY)
		print_key(v);
	else if (!v->verdict && v->entry.kind != ENTRY_GENESIS)
		print_words(v);
	if (v->erased_fields)
		printf("  (%serased at entry %" PRIu64 ")", v->opened ? "partly " : "", v->erased_by);
	else if (v->verdict && !v->opened)
		printf("  (private)");
	if (v->entry.kind != ENTRY_READ) /* Its lookup says whom it was about. */
		print_request(v);
	putchar('\n');
}
