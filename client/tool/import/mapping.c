/* --map: which column or path of a record is whose part of a request. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "client/tool/import/mapping.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* --- the option --- */

static const char *const parts[] = {"subject",  "subject.type",  "actor", "actor.type", "action",
                                    "resource", "resource.type", "time",  "allowed"};
static const char *const attributes[] = {"ip", "device", "user_agent", "session", "region", "country", "amount", "mfa"};

static bool one_of(const char *key, const char *const names[], size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (!strcmp(key, names[i]))
			return true;
	return false;
}

static bool is_part(const char *key)
{
	return one_of(key, parts, sizeof parts / sizeof *parts);
}

/* The attribute's name that a key means; NULL: it means none. */
static const char *attribute_of(const char *key)
{
	if (!strncmp(key, "context.", 8) && key[8])
		return key + 8;
	return one_of(key, attributes, sizeof attributes / sizeof *attributes) ? key : NULL;
}

const struct mapping_item *mapping_find(const struct mapping *m, const char *key)
{
	for (unsigned i = 0; i < m->n; i++)
		if (!strcmp(m->items[i].key, key))
			return &m->items[i];
	return NULL;
}

static bool parse_item(struct mapping *m, const char *s, size_t len, char *reason)
{
	const char *equals = memchr(s, '=', len);
	size_t key_len = equals ? (size_t)(equals - s) : 0, source_len = equals ? len - key_len - 1 : 0;
	struct mapping_item *item;
	char key[PAST_TYPE_SIZE];
	bool constant = source_len && equals[1] == '=';

	source_len -= constant;
	if (!key_len || key_len >= sizeof key || !source_len || source_len >= MAPPING_SOURCE_SIZE) {
		snprintf(reason, PAST_REASON_SIZE, "\"%.*s\" is not KEY=SOURCE or KEY==TEXT", len < 64 ? (int)len : 64,
		         s);
		return false;
	}
	memcpy(key, s, key_len);
	key[key_len] = 0;
	if (!is_part(key) && !attribute_of(key)) {
		snprintf(reason, PAST_REASON_SIZE,
		         "\"%.40s\" is none of subject, actor, resource (each also with .type), action, time, allowed, "
		         "ip, device, user_agent, session, region, country, amount, mfa, context.NAME",
		         key);
		return false;
	}
	item = (struct mapping_item *)mapping_find(m, key);
	if (!item && m->n == MAPPING_ITEMS_MAX) {
		snprintf(reason, PAST_REASON_SIZE, "more than %d keys", MAPPING_ITEMS_MAX);
		return false;
	}
	item = item ? item : &m->items[m->n++];
	memcpy(item->key, key, sizeof key);
	memcpy(item->source, equals + 1 + constant, source_len);
	item->source[source_len] = 0;
	item->constant = constant;
	return true;
}

bool mapping_parse(struct mapping *m, const char *text, char reason[PAST_REASON_SIZE])
{
	for (;;) {
		size_t len = strcspn(text, ",");

		if (!parse_item(m, text, len, reason))
			return false;
		if (!text[len])
			return true;
		text += len + 1;
	}
}

bool mapping_complete(const struct mapping *m, char reason[PAST_REASON_SIZE])
{
	static const char *const needed[] = {"subject", "action", "resource", "time"};

	for (size_t i = 0; i < sizeof needed / sizeof *needed; i++)
		if (!mapping_find(m, needed[i])) {
			snprintf(reason, PAST_REASON_SIZE, "--map names no source for %s", needed[i]);
			return false;
		}
	return true;
}

/* --- a record --- */

struct source {
	const struct mapping *mapping;
	mapping_get get;
	const void *record;
};

/* The value of a key, "" where there is none. */
static const char *value_of(const struct source *from, const struct mapping_item *item, struct mapping_value *v)
{
	char one[MAPPING_SOURCE_SIZE];
	const char *s = item ? item->source : "";

	*v = (struct mapping_value){.type = MAPPING_NONE, .text = ""};
	if (item && item->constant) {
		v->type = MAPPING_TEXT;
		v->text = item->source;
		return v->text;
	}
	while (*s && v->type == MAPPING_NONE) {
		size_t n = strcspn(s, "|");

		memcpy(one, s, n);
		one[n] = 0;
		from->get(from->record, one, v);
		s += n + (s[n] == '|');
	}
	return v->text;
}

static const char *value(const struct source *from, const char *key, struct mapping_value *v)
{
	return value_of(from, mapping_find(from->mapping, key), v);
}

static enum past_kind bad(char *reason, const char *what, const char *text)
{
	snprintf(reason, PAST_REASON_SIZE, "%s \"%.60s\"", what, text);
	return PAST_BAD;
}

static void typed(const struct source *from, const char *key, const char *otherwise, char ret[PAST_TYPE_SIZE])
{
	struct mapping_value v;
	const char *type = value(from, key, &v);

	past_keep(*type ? type : otherwise, ret, PAST_TYPE_SIZE);
}

/* 1: true, 0: false, -1: neither. */
static int truth(const struct mapping_value *v)
{
	static const char *const yes[] = {"true", "yes", "1", "allow", "allowed", "success", "permit", "ok"};
	static const char *const no[] = {"false", "no", "0", "deny", "denied", "failure", "failed", "error"};

	if (v->type == MAPPING_BOOLEAN || v->type == MAPPING_INTEGER)
		return v->integer == 0 || v->integer == 1 ? (int)v->integer : -1;
	for (size_t i = 0; i < sizeof yes / sizeof *yes; i++) {
		if (!strcasecmp(v->text, yes[i]))
			return 1;
		if (!strcasecmp(v->text, no[i]))
			return 0;
	}
	return -1;
}

static bool whole_number(const struct mapping_value *v, int64_t *ret)
{
	char *end;

	if (v->type == MAPPING_INTEGER) {
		*ret = v->integer;
		return true;
	}
	errno = 0;
	*ret = strtoll(v->text, &end, 10);
	return !errno && end != v->text && !*end;
}

static enum past_kind take_attribute(struct past_event *e, const char *name, const struct mapping_value *v,
                                     char *reason)
{
	int64_t number;

	if (v->type == MAPPING_NONE || !*v->text)
		return PAST_EVENT;
	if (!strcmp(name, "mfa")) {
		if (truth(v) < 0)
			return bad(reason, "mfa is neither true nor false:", v->text);
		past_add_boolean(e, name, truth(v));
	} else if (!strcmp(name, "amount")) {
		if (!whole_number(v, &number))
			return bad(reason, "amount is no whole number:", v->text);
		past_add_integer(e, name, number);
	} else if (!strcmp(name, "ip")) {
		past_add_source(e, v->text);
	} else if (v->type == MAPPING_INTEGER) {
		past_add_integer(e, name, v->integer);
	} else if (v->type == MAPPING_BOOLEAN) {
		past_add_boolean(e, name, v->integer);
	} else {
		past_add_text(e, name, v->text);
	}
	return PAST_EVENT;
}

static enum past_kind take_context(const struct source *from, struct past_event *e, char *reason)
{
	enum past_kind kind = PAST_EVENT;
	struct mapping_value v;

	for (unsigned i = 0; i < from->mapping->n && kind == PAST_EVENT; i++) {
		const char *name = attribute_of(from->mapping->items[i].key);

		if (!name)
			continue;
		value_of(from, &from->mapping->items[i], &v);
		kind = take_attribute(e, name, &v, reason);
	}
	return kind;
}

/* Who did what to which; a record that leaves one out is bad. */
static enum past_kind take_parts(const struct source *from, struct past_event *e, char *reason)
{
	static const char *const needed[] = {"subject", "action", "resource"};
	char *const to[] = {e->subject_id, e->action, e->resource_id};
	struct mapping_value v;

	for (size_t i = 0; i < sizeof needed / sizeof *needed; i++) {
		if (!*value(from, needed[i], &v)) {
			snprintf(reason, PAST_REASON_SIZE, "nothing where the %s should be", needed[i]);
			return PAST_BAD;
		}
		past_keep(v.text, to[i], PAST_TEXT_SIZE);
	}
	typed(from, "subject.type", "user", e->subject_type);
	typed(from, "resource.type", "resource", e->resource_type);
	if (*value(from, "actor", &v)) {
		past_keep(v.text, e->actor_id, sizeof e->actor_id);
		typed(from, "actor.type", "agent", e->actor_type);
	}
	return PAST_EVENT;
}

enum past_kind mapping_event(const struct mapping *m, const struct when *w, mapping_get get, const void *record,
                             struct past_event *ret, char reason[PAST_REASON_SIZE])
{
	struct source from = {m, get, record};
	struct mapping_value v;
	enum past_kind kind;

	memset(ret, 0, sizeof *ret);
	if (!when_any(value(&from, "time", &v), w, &ret->time_ms))
		return bad(reason, "not a time:", v.text);
	kind = take_parts(&from, ret, reason);
	if (kind == PAST_EVENT)
		kind = take_context(&from, ret, reason);
	if (kind != PAST_EVENT || !mapping_find(m, "allowed"))
		return kind;
	value(&from, "allowed", &v);
	if (truth(&v) == 1)
		return PAST_EVENT;
	snprintf(reason, PAST_REASON_SIZE, truth(&v) == 0 ? "denied" : "not clearly allowed");
	return PAST_FAILED;
}
