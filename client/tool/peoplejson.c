/* People from JSON: a list of objects, or what `people list --json` prints. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "client/tool/peoplefile.h"
#include "client/tool/tool.h"

struct place {
	const char *command, *path;
	unsigned record; /* From 1. */
};

static int fail(const struct place *at, const char *format, ...) __attribute__((format(printf, 2, 3)));
static int fail(const struct place *at, const char *format, ...)
{
	char text[512];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof text, format, args);
	va_end(args);
	return tool_fail(EXIT_USAGE, at->command, "%s: record %u: %s", at->path, at->record, text);
}

static int read_text(const struct place *at, const char *key, const json_t *v, const char **ret)
{
	if (!json_is_string(v))
		return fail(at, "%s: a text is wanted", key);
	*ret = json_string_value(v);
	return 0;
}

/* "user:ada" or {"type": "user", "id": "ada"}; null: nobody. The text is cut in place: the document is ours. */
static int read_typed(const struct place *at, const char *key, json_t *v, struct cs_typed *ret)
{
	const char *type = json_string_value(json_object_get(v, "type")),
	           *id = json_string_value(json_object_get(v, "id"));

	if (json_is_null(v))
		return 0;
	if (json_is_object(v) && type && id && json_object_size(v) == 2) {
		*ret = (struct cs_typed){type, id};
		return 0;
	}
	if (json_is_string(v) && peoplefile_typed((char *)json_string_value(v), ret))
		return 0;
	return fail(at, "%s: \"TYPE:ID\" is wanted, or an object with type and id", key);
}

static int read_groups(const struct place *at, const json_t *v, struct peoplefile_row *row)
{
	const json_t *one;
	size_t i;
	int code = 0;

	if (!json_is_array(v) || json_array_size(v) > PEOPLEFILE_GROUPS)
		return fail(at, "groups: a list of at most %d is wanted", PEOPLEFILE_GROUPS);
	json_array_foreach(v, i, one)
	{
		if (!code)
			code = read_text(at, "groups", one, &row->groups[row->person.n_groups++]);
	}
	return code;
}

static int read_acts_for(const struct place *at, const json_t *v, struct peoplefile_row *row)
{
	json_t *one;
	size_t i;
	int code = 0;

	if (!json_is_array(v) || json_array_size(v) > PEOPLEFILE_ACTS_FOR)
		return fail(at, "acts_for: a list of at most %d is wanted", PEOPLEFILE_ACTS_FOR);
	json_array_foreach(v, i, one)
	{
		if (!code)
			code = read_typed(at, "acts_for", one, &row->acts_for[row->person.n_acts_for++]);
	}
	return code;
}

static int read_member(const struct place *at, const char *key, json_t *v, struct peoplefile_row *row)
{
	struct cs_person *p = &row->person;

	if (!strcmp(key, "type"))
		return read_text(at, key, v, &p->type);
	if (!strcmp(key, "id"))
		return read_text(at, key, v, &p->id);
	if (!strcmp(key, "kind"))
		return read_text(at, key, v, &p->kind);
	if (!strcmp(key, "name"))
		return read_text(at, key, v, &p->name);
	if (!strcmp(key, "groups"))
		return read_groups(at, v, row);
	if (!strcmp(key, "owner"))
		return read_typed(at, key, v, &p->owner);
	if (!strcmp(key, "manager"))
		return read_typed(at, key, v, &p->manager);
	if (!strcmp(key, "acts_for"))
		return read_acts_for(at, v, row);
	if (!strcmp(key, "entry")) /* Of a list: when it last changed. Nothing to be set. */
		return 0;
	if (strcmp(key, "enabled") != 0)
		return fail(at, "unknown member \"%.40s\"", key);
	p->enabled = json_is_true(v);
	return json_is_boolean(v) ? 0 : fail(at, "enabled: true or false is wanted");
}

static int read_record(const struct place *at, json_t *o, struct peoplefile_row *row)
{
	const char *key;
	json_t *v;
	int code = 0;

	if (!json_is_object(o))
		return fail(at, "an object is wanted");
	row->line = at->record;
	json_object_foreach(o, key, v)
	{
		if (!code)
			code = read_member(at, key, v, row);
	}
	if (!code && !row->person.id)
		code = fail(at, "there is no id");
	if (!row->person.kind)
		row->person.kind = "user";
	if (!row->person.type)
		row->person.type = row->person.kind;
	return code;
}

int peoplejson_parse(const char *command, const char *path, struct peoplefile *f)
{
	json_t *list = json_is_object(f->json) ? json_object_get(f->json, "people") : f->json, *one;
	struct place at = {command, path, 0};
	size_t i;
	int code = 0;

	if (!json_is_array(list))
		return tool_fail(EXIT_USAGE, command, "%s: neither a list nor an object with \"people\"", path);
	json_array_foreach(list, i, one)
	{
		struct peoplefile_row *row = code ? NULL : peoplefile_add(f);
		at.record++;
		if (!code)
			code = row ? read_record(&at, one, row) : tool_fail(EXIT_LOCAL, command, "out of memory");
	}
	return code;
}
