/* What is wrong with a policy or a file of cases, shown in its own text; and what is legal but seldom meant. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "client/tool/policylint.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "client/tool/text.h"
#include "client/tool/tool.h"
#include "node/decide/decide.h"

#define EXCERPT_SIZE 200 /* Bytes of a line that are shown; a longer one is cut. */

/* Line number `line` (from 1) of the text; len 0: there is none, or it is empty. */
static struct text line_of(const char *text, size_t len, unsigned line)
{
	const char *end = text + len, *at = text;

	for (unsigned i = 1; i < line && at < end; i++) {
		const char *newline = memchr(at, '\n', (size_t)(end - at));
		at = newline ? newline + 1 : end;
	}
	const char *newline = memchr(at, '\n', (size_t)(end - at));
	size_t n = (size_t)((newline ? newline : end) - at);
	if (n && at[n - 1] == '\r')
		n--;
	return (struct text){at, n < EXCERPT_SIZE ? n : EXCERPT_SIZE};
}

/* Characters that one sees before the column, tabs as themselves so that the mark stands below. */
static void print_mark(struct text line, unsigned column)
{
	unsigned seen = 1;

	fputs("     | ", stderr);
	for (size_t i = 0; i < line.len && seen < column; i++) {
		if (((unsigned char)line.s[i] & 0xc0) == 0x80)
			continue; /* The rest of a character (UTF-8). */
		fputc(line.s[i] == '\t' ? '\t' : ' ', stderr);
		seen++;
	}
	fprintf(stderr, "%s^%s\n", text_on(stderr, TINT_RED), text_off(stderr));
}

/* What people often do at such a place. Returns their number. */
static unsigned place_hints(struct text line, const struct policy_error *where,
                            const char *ret[POLICYLINT_PLACE_HINT_MAX])
{
	unsigned n = 0;
	size_t indent = strspn(line.s, " \t");

	if (line.len && memchr(line.s, '\t', indent < line.len ? indent : line.len))
		ret[n++] = "YAML indents with spaces, not with tabs";
	if (strstr(where->text, "a mapping (key: value) is wanted"))
		ret[n++] = "a key needs a colon and a space before its value, and its own keys stand deeper than it";
	else if (strstr(where->text, "a list is wanted"))
		ret[n++] = "a list is [a, b], or lines that begin with \"- \"";
	else if (strstr(where->text, "whole number"))
		ret[n++] = "numbers are written plainly: no quotes, no fraction, no leading zero";
	else if (strstr(where->text, "a time with its unit"))
		ret[n++] = "the unit is part of the value, without a space: 90s, 5m";
	if (n < POLICYLINT_PLACE_HINT_MAX && line.len && memmem(line.s, line.len, ": *", 3))
		ret[n++] = "a value that begins with * needs quotes: in YAML it is an alias";
	return n;
}

int policylint_fail(const char *command, const char *path, const char *text, size_t len,
                    const struct policy_error *where)
{
	const char *hints[POLICYLINT_PLACE_HINT_MAX];
	char excerpt[EXCERPT_SIZE * 4 + 8];
	struct text line;

	if (!where->line)
		return tool_fail(EXIT_USAGE, command, "%s: %s", path, where->text);
	tool_fail(EXIT_USAGE, command, "%s:%u:%u: %s", path, where->line, where->column, where->text);
	line = line_of(text, len, where->line);
	text_safe(line.s, line.len, excerpt, sizeof excerpt);
	/* Tabs are no danger to a terminal, and would move the mark if they were spelt out. */
	if (line.len && memchr(line.s, '\t', line.len))
		snprintf(excerpt, sizeof excerpt, "%.*s", (int)line.len, line.s);
	fprintf(stderr, "%4u | %s\n", where->line, excerpt);
	if (where->column)
		print_mark(line, where->column);
	for (unsigned i = 0, n = place_hints(line, where, hints); i < n; i++)
		fprintf(stderr, "     = hint: %s\n", hints[i]);
	return EXIT_USAGE;
}

json_t *policylint_error_json(const char *path, const char *text, size_t len, const struct policy_error *where)
{
	const char *hints[POLICYLINT_PLACE_HINT_MAX];
	json_t *list = json_array(), *o;
	struct text line = line_of(text, len, where->line);

	for (unsigned i = 0, n = where->line ? place_hints(line, where, hints) : 0; i < n; i++)
		json_array_append_new(list, json_string(hints[i]));
	o = json_pack("{s:b, s:s, s:s, s:o}", "valid", false, "file", path, "error", where->text, "hints", list);
	if (where->line) {
		json_object_set_new(o, "line", json_integer(where->line));
		json_object_set_new(o, "column", json_integer(where->column));
		/* What is not UTF-8 has no place in JSON: then there is no excerpt. */
		json_object_set_new(o, "excerpt", json_stringn(line.s, line.len));
	}
	return o;
}

/* --- legal, but is it meant? --- */

static void hint(struct policylint *l, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void hint(struct policylint *l, const char *format, ...)
{
	va_list args;

	if (l->n == POLICYLINT_HINTS_MAX)
		return;
	va_start(args, format);
	vsnprintf(l->hints[l->n++], POLICYLINT_HINT_SIZE, format, args);
	va_end(args);
}

static bool any_verdict(const struct policy *p, unsigned verdict)
{
	for (unsigned i = 0; i < p->n_rules; i++)
		if (p->rules[i].verdict == verdict)
			return true;
	return false;
}

static void lint_rule(const struct rule *r, bool risk, struct policylint *l)
{
	const char *id = r->id.s;
	int n = (int)r->id.len;

	if (r->verdict == 0 && r->weight && !risk)
		hint(l, "rule \"%.*s\" adds to a risk that no rule looks at: no rule has the verdict risk", n, id);
	if (r->verdict == VERDICT_ALLOW)
		hint(l, "rule \"%.*s\" allows whatever the risk, unless a stronger rule matches too", n, id);
	if (r->has_challenge && (r->verdict == VERDICT_ALLOW || r->verdict == VERDICT_DENY))
		hint(l, "rule \"%.*s\" names a challenge: it counts only if another rule gives step_up", n, id);
	if (r->verdict == VERDICT_DENY && !r->reason_user.len)
		hint(l, "rule \"%.*s\" denies without a reason_user: nobody will be told why", n, id);
}

void policylint_policy(const struct policy *p, struct policylint *ret)
{
	bool risk = any_verdict(p, RULE_VERDICT_RISK);

	ret->n = 0;
	if (!risk)
		hint(ret, "no rule has the verdict risk: signals and thresholds never decide");
	if (risk && p->bias >= p->deny)
		hint(ret, "bias %" PRId32 " reaches deny %" PRId32 " before any signal", p->bias, p->deny);
	else if (risk && p->bias >= p->step_up)
		hint(ret, "bias %" PRId32 " reaches step_up %" PRId32 " before any signal: all must prove themselves",
		     p->bias, p->step_up);
	if (risk && p->bias + p->weights[SIGNAL_NEW_SUBJECT] < p->step_up)
		hint(ret, "whoever was never seen is allowed at once: bias and new_subject stay below step_up");
	if (p->valid_for_ms == 0)
		hint(ret, "valid_for is 0s: `check` will never say that an answer still stands");
	for (unsigned i = 0; i < p->n_rules; i++)
		lint_rule(&p->rules[i], risk, ret);
}
