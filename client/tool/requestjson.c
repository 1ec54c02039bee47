/* A request in JSON, as AuthZEN writes one: subject, action, resource, context; `act` in the subject says who acts. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "client/tool/json.h"
#include "client/tool/request.h"

#define REQUEST_FILE_SIZE_MAX (1 << 20)

struct place {
	const char *command, *path;
};

static int copy(const struct place *at, const char *what, const json_t *v, char *ret, size_t cap)
{
	const char *s = json_string_value(v);

	if (!s || !*s || strlen(s) >= cap)
		return tool_fail(EXIT_USAGE, at->command, "%s: %s: a text of 1 to %zu bytes is wanted", at->path, what,
		                 cap - 1);
	memcpy(ret, s, strlen(s) + 1);
	return 0;
}

/* What would be passed over is refused: whoever wrote it means something by it. known ends with NULL. */
static int only(const struct place *at, const char *what, const json_t *o, const char *const *known)
{
	const char *name;
	json_t *v;

	if (!json_is_object(o))
		return tool_fail(EXIT_USAGE, at->command, "%s: %s: an object is wanted", at->path, what);
	json_object_foreach((json_t *)o, name, v)
	{
		const char *const *k = known;
		while (*k && strcmp(name, *k) != 0)
			k++;
		if (!*k)
			return tool_fail(EXIT_USAGE, at->command, "%s: %s: unknown member \"%.40s\"", at->path, what,
			                 name);
	}
	return 0;
}

static int read_typed(const struct place *at, const char *what, const json_t *o, char type[TOOL_TYPE_SIZE],
                      char id[TOOL_ID_SIZE])
{
	static const char *const known[] = {"type", "id", "act", NULL};
	char text[64];
	int code = only(at, what, o, known);

	snprintf(text, sizeof text, "%s.type", what);
	if (!code)
		code = copy(at, text, json_object_get(o, "type"), type, TOOL_TYPE_SIZE);
	snprintf(text, sizeof text, "%s.id", what);
	return code ? code : copy(at, text, json_object_get(o, "id"), id, TOOL_ID_SIZE);
}

/*
 * RFC 8693, 4.1: the outermost `act` is who acts now; those nested in it acted before, and it acts for them: the chain
 * from the outside to the subject.
 */
static int read_act(const struct place *at, const json_t *act, struct request_owned *ret)
{
	struct cs_request *r = &ret->request;
	int code = 0;

	if (!act)
		return 0;
	code = read_typed(at, "act", act, ret->actor_type, ret->actor_id);
	r->actor_type = ret->actor_type;
	r->actor_id = ret->actor_id;
	r->via = ret->via;
	while (!code && (act = json_object_get(act, "act"))) {
		size_t n = r->n_via;
		if (n == REQUEST_VIA_MAX)
			return tool_fail(EXIT_USAGE, at->command, "%s: act: more than %d actors", at->path,
			                 REQUEST_VIA_MAX + 1);
		code = read_typed(at, "act", act, ret->via_types[n], ret->via_ids[n]);
		ret->via[n] = (struct cs_typed){ret->via_types[n], ret->via_ids[n]};
		r->n_via++;
	}
	return code;
}

/* The document lives as long as the request: texts of attributes point into it. */
static int read_context(const struct place *at, const json_t *context, struct request_owned *ret)
{
	struct cs_request *r = &ret->request;
	const char *name;
	json_t *v;

	if (context && !json_is_object(context))
		return tool_fail(EXIT_USAGE, at->command, "%s: context: an object is wanted", at->path);
	json_object_foreach((json_t *)context, name, v)
	{
		struct cs_attribute *a = &ret->attributes[r->n_attributes];
		if (r->n_attributes == OPTION_LIST_MAX)
			return tool_fail(EXIT_USAGE, at->command, "%s: context: more than %d attributes", at->path,
			                 OPTION_LIST_MAX);
		*a = (struct cs_attribute){.name = name, .string = json_string_value(v)};
		if (json_is_string(v)) {
			a->type = CS_STRING;
		} else if (json_is_integer(v)) {
			a->type = CS_INTEGER;
			a->integer = json_integer_value(v);
		} else if (json_is_boolean(v)) {
			a->type = CS_BOOLEAN;
			a->integer = json_is_true(v);
		} else {
			return tool_fail(EXIT_USAGE, at->command,
			                 "%s: context: %s is neither a text, a whole number, true nor false", at->path,
			                 name);
		}
		r->n_attributes++;
	}
	r->attributes = ret->attributes;
	return 0;
}

int request_read_json(const char *command, const char *path, struct request_owned *ret)
{
	static const char *const members[] = {"subject", "action", "resource", "context", NULL}, *const of_action[] = {
	                                                                                                 "name", NULL};
	const struct place at = {command, path};
	struct cs_request *r = &ret->request;
	const json_t *subject;
	int code;

	memset(ret, 0, sizeof *ret);
	code = json_read(command, path, REQUEST_FILE_SIZE_MAX, &ret->json);
	if (code)
		return code;
	subject = json_object_get(ret->json, "subject");
	r->subject_type = ret->subject_type;
	r->subject_id = ret->subject_id;
	r->resource_type = ret->resource_type;
	r->resource_id = ret->resource_id;
	r->action = ret->action;
	code = only(&at, "the request", ret->json, members);
	if (!code)
		code = only(&at, "action", json_object_get(ret->json, "action"), of_action);
	if (!code)
		code = read_typed(&at, "subject", subject, ret->subject_type, ret->subject_id);
	if (!code)
		code = read_act(&at, json_object_get(subject, "act"), ret);
	if (!code)
		code = copy(&at, "action.name", json_object_get(json_object_get(ret->json, "action"), "name"),
		            ret->action, sizeof ret->action);
	if (!code)
		code = read_typed(&at, "resource", json_object_get(ret->json, "resource"), ret->resource_type,
		                  ret->resource_id);
	return code ? code : read_context(&at, json_object_get(ret->json, "context"), ret);
}

void request_close(struct request_owned *r)
{
	json_decref(r->json);
	r->json = NULL;
}
