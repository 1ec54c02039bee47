/* Which entries `countersign watch` shows. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "client/tool/watchfilter.h"

#include <errno.h>
#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>

#include "client/tool/alert.h"
#include "client/tool/fieldview.h"
#include "client/tool/tool.h"
#include "ledger/bytes.h"

#define FIELD_TEXT_SIZE 800 /* Type and id, each at most 256 bytes, where every byte may be written as \xNN: cut. */

static int parse_verdicts(const char *command, struct watchfilter *f)
{
	for (unsigned i = 0; i < f->verdicts.n; i++) {
		int verdict = CS_ALLOW;

		while (verdict <= CS_DENY && strcmp(cs_verdict_text(verdict), f->verdicts.items[i]) != 0)
			verdict++;
		if (verdict > CS_DENY)
			return tool_fail(EXIT_USAGE, command,
			                 "option --verdict: \"%s\" is none of: allow, step_up, defer, deny",
			                 f->verdicts.items[i]);
		f->verdict_set |= 1u << verdict;
	}
	return 0;
}

static int parse_kinds(const char *command, struct watchfilter *f)
{
	for (unsigned i = 0; i < f->kinds.n; i++) {
		f->kind_numbers[i] = entryview_kind(f->kinds.items[i]);
		if (!f->kind_numbers[i])
			return tool_fail(EXIT_USAGE, command, "option --kind: \"%s\" is none of: %s", f->kinds.items[i],
			                 entryview_kinds());
	}
	return 0;
}

static int parse_risk(const char *command, struct watchfilter *f)
{
	char *end = NULL;
	long v;

	if (!f->min_risk_text)
		return 0;
	errno = 0;
	v = strtol(f->min_risk_text, &end, 10);
	if (errno || end == f->min_risk_text || *end || v < -ALERT_RISK_MAX || v > ALERT_RISK_MAX)
		return tool_fail(EXIT_USAGE, command,
		                 "option --min-risk: \"%s\" is not a whole number of milli-logits from -%d to %d",
		                 f->min_risk_text, ALERT_RISK_MAX, ALERT_RISK_MAX);
	f->has_min_risk = true;
	f->min_risk = (int32_t)v;
	return 0;
}

int watchfilter_parse(const char *command, struct watchfilter *f)
{
	int code = parse_verdicts(command, f);

	if (!code)
		code = parse_kinds(command, f);
	return code ? code : parse_risk(command, f);
}

bool watchfilter_private(const struct watchfilter *f)
{
	return f->subjects.n || f->actions.n || f->resources.n;
}

static bool field_passes(const struct option_list *patterns, const struct entryview *v, unsigned kind)
{
	const struct field *f = body_find(v->fields, v->n_fields, kind);
	char text[FIELD_TEXT_SIZE];

	if (!patterns->n)
		return true;
	if (!f || fieldview_text(kind, f->value, f->value_len, text, sizeof text))
		return false;
	for (unsigned i = 0; i < patterns->n; i++)
		if (!fnmatch(patterns->items[i], text, 0))
			return true;
	return false;
}

static bool kind_passes(const struct watchfilter *f, unsigned kind)
{
	for (unsigned i = 0; i < f->kinds.n; i++)
		if (f->kind_numbers[i] == kind)
			return true;
	return !f->kinds.n;
}

static bool rule_passes(const struct option_list *rules, const struct entryview *v)
{
	struct reader r;
	uint32_t n = 0;

	if (!rules->n)
		return true;
	if (!v->rules)
		return false;
	reader_init(&r, v->rules, v->rules_len);
	reader_array(&r, LIMIT_MSGPACK_NODES_MAX, &n);
	for (uint32_t i = 0; i < n && !r.err; i++) {
		const char *s = "";
		size_t len = 0;

		reader_str(&r, LIMIT_ENTRY_SIZE_MAX, &s, &len);
		for (unsigned k = 0; k < rules->n; k++)
			if (strlen(rules->items[k]) == len && !memcmp(rules->items[k], s, len))
				return true;
	}
	return false;
}

bool watchfilter_passes(const struct watchfilter *f, const struct entryview *v, bool alert)
{
	return (alert || !f->alerts) && kind_passes(f, v->entry.kind) &&
	       (!f->verdict_set || f->verdict_set >> v->verdict & 1) &&
	       (!f->has_min_risk || (v->verdict && v->risk >= f->min_risk)) && rule_passes(&f->rules, v) &&
	       field_passes(&f->subjects, v, FIELD_SUBJECT) && field_passes(&f->actions, v, FIELD_ACTION) &&
	       field_passes(&f->resources, v, FIELD_RESOURCE);
}
