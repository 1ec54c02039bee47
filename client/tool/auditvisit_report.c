/* What an auditor's visit has found, as the object that text, JSON and page are made of. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "client/tool/auditvisit_internal.h"
#include "client/tool/json.h"
#include "client/tool/text.h"

static void line(json_t *list, const char *mark, const char *format, ...) __attribute__((format(printf, 3, 4)));
static void line(json_t *list, const char *mark, const char *format, ...)
{
	char text[256];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof text, format, args);
	va_end(args);
	json_array_append_new(list, json_pack("{s:s, s:s}", "mark", mark, "text", text));
}

/* The verifier's about the checkpoint, then what this visit adds; after an alarm its reason says the rest. */
static json_t *check_lines(const struct visit *v)
{
	static const char *const marks[] = {"held", "bad", "unchecked"};
	const struct verify_result *r = v->result;
	json_t *list = json_array();

	for (unsigned i = 0; i < r->n_lines; i++)
		line(list, marks[r->lines[i].mark], "%.250s", r->lines[i].text);
	if (v->status == AUDIT_ALARM)
		return list;
	if (v->last.fold.size)
		line(list, "held", "the %" PRIu64 " entries of the last visit are how this tree begins",
		     v->last.fold.size);
	if (v->last.fold.size < v->state.fold.size)
		line(list, "held",
		     "entries %" PRIu64 " to %" PRIu64
		     ": canonical, each in its place and chained to the one before, times "
		     "in order, private fields as committed",
		     v->last.fold.size, v->state.fold.size - 1);
	line(list, "held",
	     "the root over all %" PRIu64 " entries, as folded here, is what the checkpoint of size %" PRIu64 " covers",
	     v->state.fold.size, v->proof.size);
	if (v->n_beyond)
		line(list, "unchecked",
		     "%" PRIu64 " entries more, from %" PRIu64
		     " on, lack a cosignature that the trust policy asks for: the next visit reads them",
		     v->n_beyond, v->proof.size);
	if (v->n_unknown)
		line(list, "unchecked", "%" PRIu64 " entries are of kinds that this build does not know", v->n_unknown);
	return list;
}

static json_t *state_json(const struct auditstate *s)
{
	json_t *verdicts = json_object();
	char text[80];
	struct hash root;

	auditstate_root(s, &root);
	auditwalk_hex(root.b, text);
	for (int i = CS_ALLOW; i <= CS_DENY; i++)
		json_object_set_new(verdicts, cs_verdict_text(i), json_integer((json_int_t)s->n_verdicts[i]));
	return json_pack("{s:I, s:s, s:I, s:i, s:o}", "size", (json_int_t)s->fold.size, "root", text, "visited_ms",
	                 (json_int_t)(s->n_visits ? s->visits[s->n_visits - 1].at_ms : 0), "visits_kept",
	                 (int)s->n_visits, "verdicts", verdicts);
}

json_t *auditvisit_report(const struct visit *v)
{
	static const char *const outcomes[] = {"verified", "refuted", "could not tell"};
	json_t *o = json_pack("{s:s, s:s, s:i, s:s, s:s, s:s, s:s, s:I}", "format", "countersign/audit-report/v1",
	                      "outcome", outcomes[v->status], "status", v->status, "reason", v->reason, "origin",
	                      v->cluster.file.origin, "governance", v->state.governance, "trust", v->cluster.trust,
	                      "made_ms", (json_int_t)text_now_ms());

	json_object_set_new(o, "last_visit", v->last.fold.size ? state_json(&v->last) : json_null());
	json_object_set_new(o, "state", state_json(&v->state));
	json_object_set_new(o, "checkpoint_size", json_integer((json_int_t)v->proof.size));
	json_object_set_new(o, "entries_beyond", json_integer((json_int_t)v->n_beyond));
	json_object_set_new(o, "checkpoint", json_string(v->proof.note));
	json_object_set_new(o, "checks", check_lines(v));
	if (v->has_bad)
		json_object_set_new(o, "bad_index", json_integer((json_int_t)v->bad));
	if (*v->expected) {
		json_object_set_new(o, "expected", json_string(v->expected));
		json_object_set_new(o, "found", json_string(v->found));
	}
	json_object_set_new(o, "facts", auditfacts_json(v->facts));
	return o;
}
