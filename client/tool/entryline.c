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
	else if (v->entry.kind == ENTRY_KEY)
		print_key(v);
	else if (!v->verdict && v->entry.kind != ENTRY_GENESIS)
		print_words(v);
	if (v->verdict && !v->opened)
		printf("  (private)");
	print_request(v);
	putchar('\n');
}
