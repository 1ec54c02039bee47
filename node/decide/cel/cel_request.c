/* The variables of a request, as values of the language. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "node/decide/cel/cel_request.h"

#include <string.h>

#include "node/decide/cel/cel_internal.h"
#include "node/decide/codec.h"

/* --- as the checker sees them --- */

static uint8_t pair_field(struct text name)
{
	return text_is(name, "type") || text_is(name, "id") ? CEL_STRING : CEL_ERROR;
}

static uint8_t signal_field(struct text name)
{
	for (unsigned id = 1; id <= SIGNAL_MAX; id++)
		if (signal_key(id) != NULL && text_is(name, signal_key(id)))
			return CEL_INT;
	return CEL_ERROR;
}

static uint8_t request_field(struct text name)
{
	static const char *const maps[] = {"subject", "actor", "resource", "context"};

	if (text_is(name, "action"))
		return CEL_STRING;
	if (text_is(name, "time"))
		return CEL_TIMESTAMP;
	for (size_t i = 0; i < sizeof(maps) / sizeof(maps[0]); i++)
		if (text_is(name, maps[i]))
			return CEL_MAP;
	return CEL_ERROR;
}

const struct cel_env *cel_request_env(void)
{
	static const struct cel_declaration declarations[] = {
#define VARIABLE_ROW(id, number, key, kind, of, field, bytes, count) {key, number, kind, of, field, bytes, count},
	        CEL_VARIABLE_LIST(VARIABLE_ROW)
#undef VARIABLE_ROW
	};
	static const struct cel_env env = {declarations, sizeof(declarations) / sizeof(declarations[0])};

	return &env;
}

/* --- as values --- */

static struct cel_value cstring(const char *s)
{
	return cel_string((struct text){s, strlen(s)});
}

static struct cel_value map_of(const struct cel_value *cells, uint32_t n)
{
	return (struct cel_value){.kind = CEL_MAP, .n = n, .as.cells = cells};
}

static struct cel_value pair(struct cel_value cells[4], struct text type, struct text id)
{
	cells[0] = cstring("type");
	cells[1] = cel_string(type);
	cells[2] = cstring("id");
	cells[3] = cel_string(id);
	return map_of(cells, 2);
}

static struct cel_value context(struct cel_request *q)
{
	const struct request *r = q->request;

	for (unsigned i = 0; i < r->n_context; i++) {
		const struct named_value *v = &r->context[i];
		q->context[2 * i] = cel_string(v->name);
		q->context[2 * i + 1] = v->type == VALUE_STR    ? cel_string(v->str)
		                        : v->type == VALUE_BOOL ? cel_bool(v->integer != 0)
		                                                : cel_int(v->integer);
	}
	return map_of(q->context, r->n_context);
}

/* All signals that there are: 0 where nothing was to be told. */
static struct cel_value signals(struct cel_request *q)
{
	uint32_t n = 0;

	for (unsigned id = 1; id <= SIGNAL_MAX; id++) {
		if (signal_key(id) == NULL)
			continue;
		q->signal[2 * n] = cstring(signal_key(id));
		q->signal[2 * n + 1] = cel_int(0);
		for (unsigned i = 0; i < q->signals->n; i++)
			if (q->signals->s[i].id == id)
				q->signal[2 * n + 1] = cel_int(q->signals->s[i].value);
		n++;
	}
	return map_of(q->signal, n);
}

static struct cel_value groups(struct cel_request *q)
{
	for (unsigned i = 0; i < q->n_groups; i++)
		q->group[i] = cel_string(q->groups[i]);
	return (struct cel_value){.kind = CEL_LIST, .n = q->n_groups, .as.cells = q->group};
}

static struct cel_value now(const struct cel_request *q)
{
	return cel_timestamp((int64_t)(q->now_ms / 1000), (uint32_t)(q->now_ms % 1000) * 1000000);
}

/* All of it as one map; it has no actor where nobody acts for the subject. */
static struct cel_value whole(struct cel_request *q)
{
	static const struct {
		const char *name;
		unsigned number;
	} fields[] = {{"subject", VARIABLE_SUBJECT}, {"action", VARIABLE_ACTION}, {"resource", VARIABLE_RESOURCE},
	              {"context", VARIABLE_CONTEXT}, {"time", VARIABLE_NOW},      {"actor", VARIABLE_ACTOR}};
	uint32_t n = sizeof(fields) / sizeof(fields[0]) - (q->request->actor_id.len == 0);

	for (uint32_t i = 0; i < n; i++) {
		q->whole[2 * i] = cstring(fields[i].name);
		q->whole[2 * i + 1] = cel_request_variable(q, fields[i].number);
	}
	return map_of(q->whole, n);
}

struct cel_value cel_request_variable(void *ctx, unsigned number)
{
	struct cel_request *q = ctx;
	const struct request *r = q->request;

	switch (number) {
	case VARIABLE_SUBJECT:
		return pair(q->pairs[0], r->subject_type, r->subject_id);
	case VARIABLE_ACTOR:
		return r->actor_id.len == 0 ? map_of(q->pairs[1], 0) : pair(q->pairs[1], r->actor_type, r->actor_id);
	case VARIABLE_ACTION:
		return cel_string(r->action);
	case VARIABLE_RESOURCE:
		return pair(q->pairs[2], r->resource_type, r->resource_id);
	case VARIABLE_CONTEXT:
		return context(q);
	case VARIABLE_SIGNALS:
		return signals(q);
	case VARIABLE_RISK:
		return cel_int(q->risk);
	case VARIABLE_NOW:
		return now(q);
	case VARIABLE_IMPORTED:
		return cel_bool(q->imported);
	case VARIABLE_GROUPS:
		return groups(q);
	case VARIABLE_REQUEST:
		return whole(q);
	default:
		return cel_fault(CEL_FAULT_VARIABLE);
	}
}
