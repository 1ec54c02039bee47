/* A request as the command line gives it. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "client/tool/request.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static int parse_typed(const char *command, const char *option, const char *text, char *ret_type, char *ret_id)
{
	if (!text)
		return tool_fail(EXIT_USAGE, command, "option --%s TYPE:ID is missing", option);
	if (!tool_split_typed(text, ret_type, ret_id))
		return tool_fail(EXIT_USAGE, command,
		                 "option --%s: \"%s\" is not TYPE:ID (type up to 64 bytes, id up to 256)", option,
		                 text);
	return 0;
}

/* "true", "false" or a whole number. */
static bool parse_literal(const char *text, struct cs_attribute *a)
{
	char *end;
	long long v;

	if (!strcmp(text, "true") || !strcmp(text, "false")) {
		a->type = CS_BOOLEAN;
		a->integer = *text == 't';
		return true;
	}
	if (!*text || strspn(text, "-0123456789") != strlen(text))
		return false;
	errno = 0;
	v = strtoll(text, &end, 10);
	if (errno || *end)
		return false;
	a->type = CS_INTEGER;
	a->integer = v;
	return true;
}

static int parse_attribute(const char *command, const char *text, char name[TOOL_ID_SIZE], struct cs_attribute *a)
{
	const char *equals = strchr(text, '=');
	size_t len = equals ? (size_t)(equals - text) : 0;
	bool literal = len && equals[-1] == ':';

	len -= literal;
	if (!len || len >= TOOL_ID_SIZE)
		return tool_fail(EXIT_USAGE, command, "option --context: \"%s\" is neither NAME=VALUE nor NAME:=VALUE",
		                 text);
	memcpy(name, text, len);
	name[len] = 0;
	a->name = name;
	if (!literal) {
		a->type = CS_STRING;
		a->string = equals + 1;
		if (strlen(a->string) >= TOOL_ID_SIZE)
			return tool_fail(EXIT_USAGE, command,
			                 "option --context: the value of %s is longer than 256 bytes", name);
	} else if (!parse_literal(equals + 1, a)) {
		return tool_fail(EXIT_USAGE, command,
		                 "option --context: %s: \"%s\" is neither a whole number, true nor false", name,
		                 equals + 1);
	}
	return 0;
}

int request_parse_context(const char *command, const struct option_list *list, struct request_owned *ret)
{
	for (unsigned i = 0; i < list->n; i++) {
		int code = parse_attribute(command, list->items[i], ret->names[i], &ret->attributes[i]);

		if (code)
			return code;
		for (unsigned k = 0; k < i; k++)
			if (!strcmp(ret->names[k], ret->names[i]))
				return tool_fail(EXIT_USAGE, command, "option --context: %s is given twice",
				                 ret->names[i]);
	}
	ret->request.n_attributes = list->n;
	ret->request.attributes = ret->attributes;
	return 0;
}

static int parse_via(const char *command, const struct request_words *w, struct request_owned *ret)
{
	if (w->via.n && !w->actor)
		return tool_fail(EXIT_USAGE, command, "option --via: says for whom --actor acts, which is missing");
	if (w->via.n > REQUEST_VIA_MAX)
		return tool_fail(EXIT_USAGE, command, "option --via: at most %d", REQUEST_VIA_MAX);
	for (unsigned i = 0; i < w->via.n; i++) {
		int code = parse_typed(command, "via", w->via.items[i], ret->via_types[i], ret->via_ids[i]);
		if (code)
			return code;
		ret->via[i] = (struct cs_typed){ret->via_types[i], ret->via_ids[i]};
	}
	ret->request.n_via = w->via.n;
	ret->request.via = ret->via;
	return 0;
}

int request_parse(const char *command, const struct request_words *w, struct request_owned *ret)
{
	struct cs_request *r = &ret->request;
	int code;

	memset(ret, 0, sizeof *ret);
	code = parse_typed(command, "subject", w->subject, ret->subject_type, ret->subject_id);
	if (!code && w->actor)
		code = parse_typed(command, "actor", w->actor, ret->actor_type, ret->actor_id);
	if (!code)
		code = parse_via(command, w, ret);
	if (!code)
		code = parse_typed(command, "resource", w->resource, ret->resource_type, ret->resource_id);
	if (!code && !w->action)
		code = tool_fail(EXIT_USAGE, command, "option --action NAME is missing");
	if (!code && strlen(w->action) >= TOOL_ID_SIZE)
		code = tool_fail(EXIT_USAGE, command, "option --action: longer than 256 bytes");
	if (!code && w->id && !tool_parse_request_id(w->id, r->id))
		code = tool_fail(EXIT_USAGE, command, "option --id: \"%s\" is not 32 hex digits", w->id);
	if (code)
		return code;
	r->subject_type = ret->subject_type;
	r->subject_id = ret->subject_id;
	r->actor_type = w->actor ? ret->actor_type : NULL;
	r->actor_id = w->actor ? ret->actor_id : NULL;
	r->action = w->action;
	r->resource_type = ret->resource_type;
	r->resource_id = ret->resource_id;
	return request_parse_context(command, &w->context, ret);
}
