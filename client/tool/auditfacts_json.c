/* What an audit has found, as the object that every form of the report is made from. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <string.h>

#include "client/tool/auditfacts_internal.h"
#include "client/tool/fieldview.h"

static json_t *number(uint64_t n)
{
	return json_integer(n > INT64_MAX ? INT64_MAX : (json_int_t)n);
}

static json_t *verdicts(const uint64_t n[5])
{
	json_t *o = json_object();

	for (int v = CS_ALLOW; v <= CS_DENY; v++)
		json_object_set_new(o, cs_verdict_text(v), number(n[v]));
	return o;
}

static json_t *timeline(const struct auditfacts *f)
{
	json_t *list = json_array();
	uint64_t used = f->width_ms ? (f->last_ms - f->begin_ms) / f->width_ms + 1 : 0;

	for (uint64_t i = 0; i < used && i < AUDITFACTS_BUCKETS; i++)
		json_array_append_new(list, verdicts(f->buckets[i].n));
	return json_pack("{s:o, s:o, s:o}", "begin_ms", number(f->begin_ms), "width_ms", number(f->width_ms), "buckets",
	                 list);
}

static json_t *step_ups(const struct auditfacts *f)
{
	json_t *list = json_array();

	for (unsigned i = 0; i < AUDITFACTS_METHODS && *f->methods[i].name; i++) {
		const struct method *m = &f->methods[i];

		json_array_append_new(list, json_pack("{s:s, s:o, s:o, s:o, s:o}", "method", m->name, "met",
		                                      number(m->outcomes[1]), "failed", number(m->outcomes[2]), "late",
		                                      number(m->outcomes[3]), "other", number(m->outcomes[0])));
	}
	return json_pack("{s:o, s:o, s:o, s:o, s:o}", "challenges", number(f->n_challenges), "answered",
	                 number(f->n_answered), "unanswered", number(f->n_challenges - f->n_answered),
	                 "answers_to_earlier", number(f->n_untimed), "methods", list);
}

static json_t *slowest(const struct auditfacts *f)
{
	static const char *const outcomes[] = {"other", "met", "failed", "late"};
	json_t *list = json_array();

	for (unsigned i = 0; i < f->n_slowest; i++) {
		const struct slow *s = &f->slowest[i];

		json_array_append_new(list, json_pack("{s:o, s:o, s:o, s:s}", "ms", number(s->ms), "challenge",
		                                      number(s->challenge), "answer", number(s->answer), "outcome",
		                                      outcomes[s->outcome <= 3 ? s->outcome : 0]));
	}
	return list;
}

static json_t *gaps(const struct auditfacts *f)
{
	json_t *list = json_array();

	for (unsigned i = 0; i < f->n_gaps; i++)
		json_array_append_new(list, json_pack("{s:o, s:o, s:o}", "ms", number(f->gaps[i].ms), "before_entry",
		                                      number(f->gaps[i].index), "from_ms", number(f->gaps[i].from_ms)));
	return list;
}

static int riskier(const struct subject *a, const struct subject *b)
{
	if (a->risk_max != b->risk_max)
		return a->risk_max > b->risk_max;
	return a->n_verdicts[CS_DENY] != b->n_verdicts[CS_DENY] ? a->n_verdicts[CS_DENY] > b->n_verdicts[CS_DENY]
	                                                        : strcmp(a->text, b->text) < 0;
}

static json_t *subjects(const struct auditfacts *f)
{
	const struct subject *top[AUDITFACTS_TOP + 1];
	json_t *list = json_array();
	unsigned n = 0;

	for (unsigned i = 0; i < AUDITFACTS_SUBJECTS; i++) {
		unsigned at = n;

		if (!*f->subjects[i].text)
			continue;
		for (; at > 0 && riskier(&f->subjects[i], top[at - 1]); at--)
			top[at] = top[at - 1];
		top[at] = &f->subjects[i];
		n = n < AUDITFACTS_TOP ? n + 1 : n;
	}
	for (unsigned i = 0; i < n; i++)
		json_array_append_new(list, json_pack("{s:s, s:o, s:i, s:o}", "subject", top[i]->text, "decisions",
		                                      number(top[i]->n), "risk_max", (int)top[i]->risk_max, "verdicts",
		                                      verdicts(top[i]->n_verdicts)));
	return json_pack("{s:o, s:o, s:o}", "seen", number(f->n_subjects), "not_told_apart", number(f->n_crowded),
	                 "riskiest", list);
}

static json_t *changes(const struct auditfacts *f)
{
	static const struct {
		const char *key, *title;
	} sorts[] = {
#define SORT_ROW(name, key, title) {key, title},
	        AUDITFACTS_CHANGE_LIST(SORT_ROW)
#undef SORT_ROW
	};
	json_t *list = json_array();

	for (unsigned i = 0; i < AUDIT_CHANGES; i++)
		json_array_append_new(list,
		                      json_pack("{s:s, s:s, s:o, s:O}", "sort", sorts[i].key, "title", sorts[i].title,
		                                "count", number(f->n_changes[i]), "entries", f->changes[i]));
	return list;
}

static json_t *unread(const struct auditfacts *f)
{
	json_t *fields = json_object();

	for (unsigned i = 0; i < AUDITFACTS_FIELDS; i++)
		if (f->n_unread[i])
			json_object_set_new(fields, i ? fieldview_name(i) : "of_a_later_build", number(f->n_unread[i]));
	return json_pack("{s:o, s:o, s:o, s:o, s:o}", "fields", number(f->n_fields), "opened", number(f->n_opened),
	                 "not_read", number(f->n_fields - f->n_opened), "entries_closed", number(f->n_closed),
	                 "by_field", fields);
}

json_t *auditfacts_json(const struct auditfacts *f)
{
	json_t *kinds = json_array(), *o;

	for (unsigned i = 0; i < AUDITSTATE_KINDS; i++)
		if (f->n_kinds[i])
			json_array_append_new(kinds, json_pack("{s:s, s:i, s:o}", "kind", entry_kind_text(i), "number",
			                                       (int)i, "count", number(f->n_kinds[i])));
	o = json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "entries", number(f->n), "from", number(f->first),
	              "first_ms", number(f->first_ms), "last_ms", number(f->last_ms), "kinds", kinds, "verdicts",
	              verdicts(f->n_verdicts), "imported", verdicts(f->n_imported));
	json_object_set_new(o, "timeline", timeline(f));
	json_object_set_new(o, "step_ups", step_ups(f));
	json_object_set_new(o, "subjects", subjects(f));
	json_object_set_new(o, "slowest", slowest(f));
	json_object_set_new(o, "gaps", gaps(f));
	json_object_set_new(o, "changes", changes(f));
	json_object_set_new(o, "private", unread(f));
	return o;
}
