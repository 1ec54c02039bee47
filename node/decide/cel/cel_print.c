/* CEL's values in the language's own syntax. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "node/decide/cel/cel_internal.h"

struct out {
	char *buf;
	size_t len, cap;
	bool whole;
};

static void put(struct out *o, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void put(struct out *o, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	int n = vsnprintf(o->buf + o->len, o->cap - o->len, format, args);
	va_end(args);
	if (n < 0 || (size_t)n >= o->cap - o->len) {
		o->buf[o->len] = 0;
		o->whole = false;
		return;
	}
	o->len += (size_t)n;
}

static void put_string(struct out *o, const struct cel_value *v)
{
	put(o, v->kind == CEL_BYTES ? "b\"" : "\"");
	for (uint32_t i = 0; i < v->n && o->whole; i++) {
		unsigned char c = (unsigned char)v->as.s[i];
		if (c == '"' || c == '\\')
			put(o, "\\%c", c);
		else if (c == '\n' || c == '\r' || c == '\t')
			put(o, "\\%c", c == '\n' ? 'n' : c == '\r' ? 'r' : 't');
		else if (c < 0x20 || c == 0x7f || (v->kind == CEL_BYTES && c >= 0x80))
			put(o, "\\x%02x", c);
		else
			put(o, "%c", c);
	}
	put(o, "\"");
}

static void put_value(struct out *o, const struct cel_value *v, unsigned depth)
{
	char text[CEL_TIME_TEXT_MAX];

	if (depth > CEL_DEPTH_MAX || !o->whole) {
		o->whole = false;
		return;
	}
	switch (v->kind) {
	case CEL_NULL:
		put(o, "null");
		break;
	case CEL_BOOL:
		put(o, v->as.b ? "true" : "false");
		break;
	case CEL_INT:
		put(o, "%lld", (long long)v->as.i);
		break;
	case CEL_UINT:
		put(o, "%lluu", (unsigned long long)v->as.u);
		break;
	case CEL_STRING:
	case CEL_BYTES:
		put_string(o, v);
		break;
	case CEL_LIST:
	case CEL_MAP:
		put(o, v->kind == CEL_LIST ? "[" : "{");
		for (uint32_t i = 0; i < v->n * (v->kind == CEL_MAP ? 2 : 1); i++) {
			put(o, "%s", i == 0 ? "" : v->kind == CEL_MAP && i % 2 != 0 ? ": " : ", ");
			put_value(o, &v->as.cells[i], depth + 1);
		}
		put(o, v->kind == CEL_LIST ? "]" : "}");
		break;
	case CEL_TYPE:
		put(o, "%s", cel_kind_text((unsigned)v->as.u));
		break;
	case CEL_TIMESTAMP:
	case CEL_DURATION:
		put(o, "%s(\"%.*s\")", v->kind == CEL_TIMESTAMP ? "timestamp" : "duration", (int)cel_time_text(v, text),
		    text);
		break;
	default:
		put(o, "error: %s", cel_fault_text((unsigned)v->as.u));
	}
}

bool cel_print(const struct cel_value *v, char *ret, size_t cap)
{
	struct out o = {ret, 0, cap, true};

	put_value(&o, v, 0);
	return o.whole;
}
