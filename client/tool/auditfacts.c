/* What an audit tells of the entries that it has read: counts, times, subjects; in bounded memory. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/tool/auditfacts_internal.h"
#include "client/tool/fieldview.h"
#include "ledger/bytes.h"

#define WIDTH_MS_MIN       1000
#define ANSWER_CHALLENGE   6 /* Places among an answer's public fields (FORMAT.md). */
#define ANSWER_OUTCOME     7
#define ANSWER_OUTCOME_MAX 3
#define FNV_BASIS          UINT64_C(14695981039346656037)
#define FNV_PRIME          UINT64_C(1099511628211)

struct auditfacts *auditfacts_new(void)
{
	struct auditfacts *f = calloc(1, sizeof *f);
	bool whole = f != NULL;

	if (f) {
		f->subjects = calloc(AUDITFACTS_SUBJECTS, sizeof *f->subjects);
		f->challenges = calloc(AUDITFACTS_CHALLENGES, sizeof *f->challenges);
		whole = f->subjects && f->challenges;
		for (unsigned i = 0; i < AUDIT_CHANGES; i++)
			whole &= (f->changes[i] = json_array()) != NULL;
	}
	if (whole)
		return f;
	auditfacts_free(f);
	return NULL;
}

void auditfacts_free(struct auditfacts *f)
{
	if (!f)
		return;
	for (unsigned i = 0; i < AUDIT_CHANGES; i++)
		json_decref(f->changes[i]);
	free(f->subjects);
	free(f->challenges);
	free(f);
}

/* --- over time --- */

static void join_buckets(struct auditfacts *f)
{
	for (unsigned i = 0; i < AUDITFACTS_BUCKETS; i++) {
		struct bucket b = {{0}};

		for (unsigned k = 2 * i; k < 2 * i + 2 && k < AUDITFACTS_BUCKETS; k++)
			for (unsigned j = 0; j < 5; j++)
				b.n[j] += f->buckets[k].n[j];
		f->buckets[i] = b;
	}
	f->width_ms *= 2;
}

static void add_time(struct auditfacts *f, const struct entryview *v)
{
	if (!f->width_ms) {
		f->width_ms = WIDTH_MS_MIN;
		f->begin_ms = v->entry.time_ms - v->entry.time_ms % WIDTH_MS_MIN;
	}
	while ((v->entry.time_ms - f->begin_ms) / f->width_ms >= AUDITFACTS_BUCKETS)
		join_buckets(f);
	if (v->entry.kind == ENTRY_DECISION)
		f->buckets[(v->entry.time_ms - f->begin_ms) / f->width_ms].n[v->verdict]++;
}

static void add_gap(struct auditfacts *f, const struct entryview *v)
{
	struct gap g = {v->entry.time_ms - f->last_ms, v->entry.index, f->last_ms};
	unsigned at = f->n_gaps;

	if (!f->n)
		return;
	while (at > 0 && f->gaps[at - 1].ms < g.ms)
		at--;
	if (at == AUDITFACTS_TOP)
		return;
	if (f->n_gaps < AUDITFACTS_TOP)
		f->n_gaps++;
	memmove(&f->gaps[at + 1], &f->gaps[at], (f->n_gaps - at - 1) * sizeof g);
	f->gaps[at] = g;
}

/* --- step-ups --- */

static void add_slow(struct auditfacts *f, const struct slow *s)
{
	unsigned at = f->n_slowest;

	while (at > 0 && f->slowest[at - 1].ms < s->ms)
		at--;
	if (at == AUDITFACTS_TOP)
		return;
	if (f->n_slowest < AUDITFACTS_TOP)
		f->n_slowest++;
	memmove(&f->slowest[at + 1], &f->slowest[at], (f->n_slowest - at - 1) * sizeof *s);
	f->slowest[at] = *s;
}

/* The first element of an answer's evidence. */
static void method_name(const struct entryview *v, char ret[40])
{
	const struct field *e = body_find(v->fields, v->n_fields, FIELD_EVIDENCE);
	const char *s = "";
	struct reader r;
	uint32_t n = 0;
	size_t len = 0;

	snprintf(ret, 40, "not open");
	if (!e)
		return;
	reader_init(&r, e->value, e->value_len);
	reader_array(&r, 8, &n);
	if (!reader_str(&r, 39, &s, &len) && len)
		snprintf(ret, 40, "%.*s", (int)len, s);
}

static void add_method(struct auditfacts *f, const char *name, uint64_t outcome)
{
	for (unsigned i = 0; i < AUDITFACTS_METHODS; i++) {
		struct method *m = &f->methods[i];

		if (!*m->name)
			snprintf(m->name, sizeof m->name, "%s", name);
		if (strcmp(m->name, name) != 0)
			continue;
		m->outcomes[outcome <= ANSWER_OUTCOME_MAX ? outcome : 0]++;
		return;
	}
}

static void add_answer(struct auditfacts *f, const struct entryview *v)
{
	uint64_t challenge = 0, outcome = 0;
	struct challenge *c;
	char name[40];

	if (!entryview_number(v, ANSWER_CHALLENGE, &challenge) || !entryview_number(v, ANSWER_OUTCOME, &outcome))
		return;
	method_name(v, name);
	add_method(f, name, outcome);
	c = &f->challenges[challenge % AUDITFACTS_CHALLENGES];
	if (c->index != challenge || !challenge) {
		f->n_untimed++;
		return;
	}
	f->n_answered += !c->answered;
	c->answered = true;
	add_slow(f, &(struct slow){v->entry.time_ms - c->time_ms, challenge, v->entry.index, outcome});
}

/* --- subjects --- */

static struct subject *find_subject(struct auditfacts *f, const char *text)
{
	uint64_t h = FNV_BASIS;

	for (const char *c = text; *c; c++)
		h = (h ^ (uint8_t)*c) * FNV_PRIME;
	for (unsigned i = 0; i < 64; i++) {
		struct subject *s = &f->subjects[(h + i) % AUDITFACTS_SUBJECTS];

		if (!*s->text) {
			snprintf(s->text, sizeof s->text, "%s", text);
			s->risk_max = INT32_MIN;
			f->n_subjects++;
			return s;
		}
		if (!strcmp(s->text, text))
			return s;
	}
	return NULL;
}

static void add_subject(struct auditfacts *f, const struct entryview *v)
{
	const struct field *e = body_find(v->fields, v->n_fields, FIELD_SUBJECT);
	char text[SUBJECT_TEXT_SIZE] = "";
	struct subject *s;

	if (!e || fieldview_text(FIELD_SUBJECT, e->value, e->value_len, text, sizeof text) || !*text)
		return;
	s = find_subject(f, text);
	if (!s) {
		f->n_crowded++;
		return;
	}
	s->n++;
	s->n_verdicts[v->verdict]++;
	if (v->risk > s->risk_max)
		s->risk_max = v->risk;
}

/* --- every entry --- */

static void add_fields(struct auditfacts *f, const struct entryview *v)
{
	f->n_fields += v->entry.n_fields;
	f->n_opened += v->n_fields;
	f->n_closed += v->entry.n_fields && !v->n_fields;
	for (unsigned i = 0; i < v->entry.n_fields; i++) {
		unsigned kind = v->entry.fields[i].kind;

		if (!body_find(v->fields, v->n_fields, kind))
			f->n_unread[kind < AUDITFACTS_FIELDS ? kind : 0]++;
	}
}

static void add_change(struct auditfacts *f, const struct entryview *v)
{
	enum audit_change sort;
	char words[512];

	if (!auditchange_words(v, &sort, words, sizeof words))
		return;
	if (f->n_changes[sort]++ < AUDITFACTS_CHANGES_MAX)
		json_array_append_new(f->changes[sort],
		                      json_pack("{s:I, s:I, s:s}", "index", (json_int_t)v->entry.index, "time_ms",
		                                (json_int_t)v->entry.time_ms, "text", words));
}

void auditfacts_count(struct auditstate *state, const struct entryview *v)
{
	state->n_kinds[v->entry.kind]++;
	auditchange_governance(v, state->governance);
	if (v->entry.kind == ENTRY_DECISION)
		state->n_verdicts[v->verdict]++;
}

void auditfacts_add(struct auditfacts *f, struct auditstate *state, const struct entryview *v)
{
	const struct entry *e = &v->entry;

	if (!f->n) {
		f->first = e->index;
		f->first_ms = e->time_ms;
	}
	add_gap(f, v);
	add_time(f, v);
	add_fields(f, v);
	add_change(f, v);
	f->n++;
	f->last_ms = e->time_ms;
	f->n_kinds[e->kind]++;
	auditfacts_count(state, v);
	if (e->kind == ENTRY_ANSWER)
		add_answer(f, v);
	if (e->kind == ENTRY_IMPORTED)
		f->n_imported[v->verdict]++;
	if (e->kind != ENTRY_DECISION)
		return;
	f->n_verdicts[v->verdict]++;
	add_subject(f, v);
	if (v->verdict == CS_STEP_UP) {
		f->n_challenges++;
		f->challenges[e->index % AUDITFACTS_CHALLENGES] = (struct challenge){e->index, e->time_ms, false};
	}
}
