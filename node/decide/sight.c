/* What a request shows beyond its observation: for policies of version 2. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <string.h>

#include "node/decide/agent.h"
#include "node/decide/codec.h"
#include "node/decide/fixed.h"
#include "node/decide/history.h"
#include "node/decide/world.h"

/* Told apart from the features of an observation, which have the numbers below. */
enum { TAG_RESOURCE = 64, TAG_PROGRAM, TAG_SYSTEM, TAG_SESSION, TAG_GROUP };
_Static_assert((int)FEATURE_COUNT <= (int)TAG_RESOURCE, "tags are told apart");

static const struct named_value *of_type(const struct request *q, const char *name, enum value_type type)
{
	const struct named_value *v = request_context(q, name);

	return v != NULL && v->type == type ? v : NULL;
}

/* Of what is in a list of few, or is only ever compared with one's own: FNV-1a, 64 bits, which costs next to nothing.
 */
static uint64_t value_of_name(uint8_t tag, struct text t)
{
	uint64_t v = UINT64_C(14695981039346656037);

	for (size_t i = 0; i < t.len; i++)
		v = (v ^ (uint8_t)t.s[i]) * UINT64_C(1099511628211);
	return t.len > 0 ? world_pair(tag, v) : 0;
}

static uint64_t value_of_text(uint8_t tag, struct text t)
{
	return t.len > 0 ? observed_value(tag, t.s, t.len) : 0;
}

uint64_t group_value(struct text name)
{
	return observed_value(TAG_GROUP, name.s, name.len);
}

static void see_agent(struct sight *v, const struct request *q)
{
	const struct named_value *agent = of_type(q, "user_agent", VALUE_STR);
	struct agent a;

	if (agent == NULL)
		return;
	agent_parse(&a, agent->str);
	v->value[TRACE_PROGRAM] = value_of_name(TAG_PROGRAM, a.program);
	v->value[TRACE_SYSTEM] = value_of_name(TAG_SYSTEM, a.system);
}

static void see_resource(struct sight *v, const struct request *q)
{
	uint8_t both[2 * REQUEST_STR_SIZE_MAX + 1];

	memcpy(both, q->resource_type.s, q->resource_type.len);
	both[q->resource_type.len] = 0; /* No text holds NUL: the pair cannot be cut elsewhere. */
	memcpy(both + q->resource_type.len + 1, q->resource_id.s, q->resource_id.len);
	v->value[TRACE_RESOURCE] = observed_value(TAG_RESOURCE, both, q->resource_type.len + 1 + q->resource_id.len);
}

static bool degrees(const struct request *q, const char *name, int32_t max, int32_t *ret)
{
	const struct named_value *v = of_type(q, name, VALUE_INT);

	if (v == NULL || v->integer < -max || v->integer > max)
		return false;
	*ret = (int32_t)v->integer;
	return true;
}

/* Who asks may know better than a database of addresses: a device's own position goes first. */
static void see_position(struct sight *v, const struct request *q)
{
	v->has_position = degrees(q, "latitude", FIXED_LATITUDE_MAX, &v->latitude) &&
	                  degrees(q, "longitude", FIXED_LONGITUDE_MAX, &v->longitude);
	if (v->has_position || q->place == NULL || !q->place->has_position)
		return;
	v->has_position = true;
	v->latitude = q->place->latitude;
	v->longitude = q->place->longitude;
}

void sight_take(struct sight *ret, struct observation *o, const struct request *q)
{
	const struct named_value *amount = of_type(q, "amount", VALUE_INT), *session = of_type(q, "session", VALUE_STR);

	memset(ret, 0, sizeof(*ret));
	if (q->place != NULL && q->place->network != 0)
		ret->value[TRACE_ASN] = (uint64_t)q->place->network << 32 | 1;
	if (q->place != NULL && q->place->country[0] != 0 && o->value[FEATURE_COUNTRY] == 0)
		o->value[FEATURE_COUNTRY] =
		        observed_value(FEATURE_COUNTRY, q->place->country, sizeof(q->place->country));
	see_agent(ret, q);
	see_resource(ret, q);
	see_position(ret, q);
	if (session != NULL)
		ret->session = value_of_text(TAG_SESSION, session->str);
	if (amount != NULL) {
		ret->has_amount = true;
		ret->amount = amount->integer > AMOUNT_MAX    ? AMOUNT_MAX
		              : amount->integer < -AMOUNT_MAX ? -AMOUNT_MAX
		                                              : amount->integer;
	}
}
