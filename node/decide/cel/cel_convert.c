/* CEL's conversions between types (langdef.md, Types and Conversions). */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <stdio.h>
#include <string.h>

#include "node/decide/cel/cel_internal.h"
#include "node/decide/codec.h"

/* Decimal digits and nothing else; false: too many, none, or something else. */
static bool digits(struct text t, uint64_t *ret)
{
	uint64_t v = 0;

	for (size_t i = 0; i < t.len; i++) {
		if (t.s[i] < '0' || t.s[i] > '9' || __builtin_mul_overflow(v, 10, &v) ||
		    __builtin_add_overflow(v, (uint64_t)(t.s[i] - '0'), &v))
			return false;
	}
	*ret = v;
	return t.len > 0;
}

static struct cel_value to_int(const struct cel_value *a)
{
	uint64_t v;

	switch (a->kind) {
	case CEL_INT:
		return *a;
	case CEL_UINT:
		return a->as.u <= INT64_MAX ? cel_int((int64_t)a->as.u) : cel_fault(CEL_FAULT_RANGE);
	case CEL_TIMESTAMP:
		return cel_int(a->as.i);
	case CEL_STRING: {
		bool minus = a->n > 0 && a->as.s[0] == '-', plus = a->n > 0 && a->as.s[0] == '+';
		struct text t = {a->as.s + (minus || plus), a->n - (minus || plus)};
		if (!digits(t, &v) || v > (uint64_t)INT64_MAX + minus)
			return cel_fault(CEL_FAULT_CONVERSION);
		return cel_int(minus ? (int64_t)(0 - v) : (int64_t)v);
	}
	default:
		return cel_fault(CEL_FAULT_OVERLOAD);
	}
}

static struct cel_value to_uint(const struct cel_value *a)
{
	struct cel_value v = {.kind = CEL_UINT};

	switch (a->kind) {
	case CEL_UINT:
		return *a;
	case CEL_INT:
		v.as.i = a->as.i;
		return a->as.i >= 0 ? v : cel_fault(CEL_FAULT_RANGE);
	case CEL_STRING:
		return digits((struct text){a->as.s, a->n}, &v.as.u) ? v : cel_fault(CEL_FAULT_CONVERSION);
	default:
		return cel_fault(CEL_FAULT_OVERLOAD);
	}
}

static struct cel_value to_string(struct cel_run *r, const struct cel_value *a)
{
	char text[CEL_TIME_TEXT_MAX];
	size_t len = 0;

	switch (a->kind) {
	case CEL_STRING:
		return *a;
	case CEL_BYTES:
		return !cel_spend(r, a->n / 16)  ? cel_fault(CEL_FAULT_COST)
		       : cel_utf8(a->as.s, a->n) ? cel_string((struct text){a->as.s, a->n})
		                                 : cel_fault(CEL_FAULT_UTF8);
	case CEL_BOOL:
		return cel_string(a->as.b ? (struct text){"true", 4} : (struct text){"false", 5});
	case CEL_INT:
		len = (size_t)snprintf(text, sizeof(text), "%lld", (long long)a->as.i);
		break;
	case CEL_UINT:
		len = (size_t)snprintf(text, sizeof(text), "%llu", (unsigned long long)a->as.u);
		break;
	case CEL_TIMESTAMP:
	case CEL_DURATION:
		len = cel_time_text(a, text);
		break;
	default:
		return cel_fault(CEL_FAULT_OVERLOAD);
	}
	char *bytes = cel_bytes(r, len);
	if (bytes == NULL)
		return cel_fault(CEL_FAULT_ROOM);
	memcpy(bytes, text, len);
	return cel_string((struct text){bytes, len});
}

static struct cel_value to_bool(const struct cel_value *a)
{
	static const char *const yes[] = {"true", "True", "TRUE", "t", "1"}, *const no[] = {"false", "False", "FALSE",
	                                                                                    "f", "0"};

	if (a->kind == CEL_BOOL)
		return *a;
	if (a->kind != CEL_STRING)
		return cel_fault(CEL_FAULT_OVERLOAD);
	for (unsigned i = 0; i < sizeof(yes) / sizeof(yes[0]); i++) {
		struct text t = {a->as.s, a->n};
		if (text_is(t, yes[i]) || text_is(t, no[i]))
			return cel_bool(text_is(t, yes[i]));
	}
	return cel_fault(CEL_FAULT_CONVERSION);
}

static struct cel_value to_timestamp(struct cel_run *r, const struct cel_value *a)
{
	if (a->kind == CEL_TIMESTAMP)
		return *a;
	if (a->kind == CEL_INT)
		return cel_timestamp(a->as.i, 0);
	if (a->kind != CEL_STRING)
		return cel_fault(CEL_FAULT_OVERLOAD);
	return cel_spend(r, a->n / 16) ? cel_time_parse((struct text){a->as.s, a->n}) : cel_fault(CEL_FAULT_COST);
}

static struct cel_value to_duration(struct cel_run *r, const struct cel_value *a)
{
	if (a->kind == CEL_DURATION)
		return *a;
	if (a->kind != CEL_STRING)
		return cel_fault(CEL_FAULT_OVERLOAD);
	return cel_spend(r, a->n / 16) ? cel_duration_parse((struct text){a->as.s, a->n}) : cel_fault(CEL_FAULT_COST);
}

struct cel_value cel_convert(struct cel_run *r, enum cel_op op, const struct cel_value *a)
{
	struct cel_value v = *a;

	switch (op) {
	case OP_TO_INT:
		return to_int(a);
	case OP_TO_UINT:
		return to_uint(a);
	case OP_TO_STRING:
		return to_string(r, a);
	case OP_TO_BYTES:
		v.kind = CEL_BYTES;
		return a->kind == CEL_BYTES || a->kind == CEL_STRING ? v : cel_fault(CEL_FAULT_OVERLOAD);
	case OP_TO_BOOL:
		return to_bool(a);
	case OP_TO_TYPE:
		return (struct cel_value){.kind = CEL_TYPE, .as.u = a->kind};
	case OP_TO_DYN:
		return v;
	case OP_TO_TIMESTAMP:
		return to_timestamp(r, a);
	case OP_TO_DURATION:
		return to_duration(r, a);
	default:
		return cel_fault(CEL_FAULT_OVERLOAD);
	}
}
