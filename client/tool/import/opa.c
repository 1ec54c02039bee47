/* Reader of Open Policy Agent's decision logs: lines of its console log, or arrays as it uploads them. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/tool/import/format.h"
#include "client/tool/import/jsonlist.h"
#include "client/tool/import/mapping.h"

/*
 * OPA's manual, "Decision Logs": decision_id, input, result, timestamp, path, requested_by, …. What input holds is the
 * application's: these are AuthZEN's names and those of OPA's own examples; --map has others.
 */
#define OPA_MAP                                                                                                        \
	"subject=input.subject.id|input.subject|input.user.id|input.user.name|input.user|input.principal.id|input."    \
	"principal,subject.type=input.subject.type,actor=input.actor.id|input.actor,actor.type=input.actor.type,"      \
	"action=input.action.name|input.action.id|input.action|input.operation|input.method,"                          \
	"resource=input.resource.id|input.resource.name|input.resource|input.path|input.object,"                       \
	"resource.type=input.resource.type,time=timestamp,allowed=result.allow|result.allowed|result.decision|result," \
	"ip=input.context.ip|input.ip|input.source_ip|input.source_address,device=input.context.device|input.device,"  \
	"user_agent=input.context.user_agent|input.user_agent,context.path=path|query,context.event_id=decision_id"

/* --- paths --- */

static const json_t *step(const json_t *at, const char *name, size_t len)
{
	char *end;

	if (json_is_array(at)) {
		unsigned long long i = strtoull(name, &end, 10);

		return end == name + len && len ? json_array_get(at, (size_t)i) : NULL;
	}
	return json_object_getn(at, name, len);
}

/* RFC 6901: "/a~1b/0". */
static const json_t *by_pointer(const json_t *at, const char *s)
{
	char name[MAPPING_SOURCE_SIZE];

	while (at && *s == '/') {
		size_t n = 0;

		for (s++; *s && *s != '/'; s++)
			if (*s == '~' && (s[1] == '0' || s[1] == '1'))
				name[n++] = *++s == '1' ? '/' : '~';
			else
				name[n++] = *s;
		at = step(at, name, n);
	}
	return at;
}

/* "input.user.roles.0". */
static const json_t *by_dots(const json_t *at, const char *s)
{
	while (at && *s) {
		size_t n = strcspn(s, ".");

		at = step(at, s, n);
		s += n + (s[n] == '.');
	}
	return at;
}

/* A path as OPA's examples have it: ["finance", "salary", "alice"] is finance/salary/alice. */
static bool join(const json_t *array, struct mapping_value *ret)
{
	const json_t *item;
	size_t i, n = 0, len;

	json_array_foreach(array, i, item)
	{
		len = json_string_length(item);
		if (!json_is_string(item) || n + len + 2 > sizeof ret->buffer)
			return false;
		if (i)
			ret->buffer[n++] = '/';
		memcpy(ret->buffer + n, json_string_value(item), len);
		n += len;
	}
	ret->buffer[n] = 0;
	return n > 0;
}

static void get(const void *record, const char *source, struct mapping_value *ret)
{
	const json_t *v = *source == '/' ? by_pointer(record, source) : by_dots(record, source);

	ret->text = ret->buffer;
	if (json_is_string(v) && json_string_length(v)) {
		ret->type = MAPPING_TEXT;
		ret->text = json_string_value(v);
	} else if (json_is_integer(v)) {
		ret->type = MAPPING_INTEGER;
		ret->integer = json_integer_value(v);
		snprintf(ret->buffer, sizeof ret->buffer, "%" PRId64, ret->integer);
	} else if (json_is_real(v)) {
		ret->type = MAPPING_TEXT;
		snprintf(ret->buffer, sizeof ret->buffer, "%.17g", json_real_value(v));
	} else if (json_is_boolean(v)) {
		ret->type = MAPPING_BOOLEAN;
		ret->integer = json_is_true(v);
		snprintf(ret->buffer, sizeof ret->buffer, "%s", ret->integer ? "true" : "false");
	} else if (json_is_array(v) && join(v, ret)) {
		ret->type = MAPPING_TEXT;
	} else {
		ret->text = "";
	}
}

/* --- records --- */

static enum past_kind read_record(struct reading *r, const struct mapping *m, const char *bytes, size_t len)
{
	json_error_t where;
	json_t *record = json_loadb(bytes, len, 0, &where);
	enum past_kind kind;

	if (!record) {
		snprintf(r->reason, sizeof r->reason, "column %d: %s", where.column, where.text);
		return PAST_BAD;
	}
	/* OPA's console has lines of other kinds between. */
	kind = json_is_object(record) && (json_object_get(record, "decision_id") || json_object_get(record, "input"))
	               ? mapping_event(m, &r->when, get, record, &r->event, r->reason)
	               : PAST_OTHER;
	json_decref(record);
	return kind;
}

static void read_array(struct reading *r, const struct mapping *m)
{
	const char *element;
	enum input_got got;
	bool go_on = true;
	size_t len;

	while (go_on && (got = jsonlist_next(r->in, &element, &len)) != INPUT_END && !reading_broken(r, got)) {
		if (got == INPUT_LONG)
			go_on = reading_bad(r, "longer than %u bytes", INPUT_LINE_SIZE_MAX);
		else
			go_on = reading_take(r, read_record(r, m, element, len));
	}
}

static void read_lines(struct reading *r, const struct mapping *m)
{
	bool go_on = true;
	char *line;
	size_t len;

	while (go_on && reading_line(r, &line, &len))
		if (line[strspn(line, " \t")])
			go_on = reading_take(r, read_record(r, m, line, len));
}

void opa_read_log(struct reading *r)
{
	struct mapping *m = calloc(1, sizeof *m);
	bool ok = m && mapping_parse(m, OPA_MAP, r->reason);
	char item[PAST_TYPE_SIZE + 2 + MAPPING_SOURCE_SIZE];

	for (unsigned i = 0; ok && i < r->mapping->n; i++) {
		const struct mapping_item *of = &r->mapping->items[i];

		snprintf(item, sizeof item, "%s%s%s", of->key, of->constant ? "==" : "=", of->source);
		ok = mapping_parse(m, item, r->reason);
	}
	if (!ok)
		reading_fail(r, "%s", m ? r->reason : "out of memory");
	else if (jsonlist_begins(r->in))
		read_array(r, m);
	else
		read_lines(r, m);
	free(m);
}
