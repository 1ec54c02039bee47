/* Private fields of an entry for people and programs: canonical msgpack to text and to JSON with names. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "client/tool/fieldview.h"

#include <inttypes.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>

#include "client/countersign.h"
#include "client/tool/json.h"
#include "client/tool/text.h"
#include "ledger/bundle.h"
#include "ledger/bytes.h"
#include "ledger/entry.h"
#include "ledger/note.h"
#include "node/decide/command_reads.h"
#include "node/decide/signals.h"

/* Names for the elements of a field's array; '*' before them: for each of its rows. */
static const struct {
	unsigned kind;
	const char *names[7];
} shapes[] = {
        {FIELD_SUBJECT, {"type", "id"}},
        {FIELD_ACTOR, {"type", "id"}},
        {FIELD_RESOURCE, {"type", "id"}},
        {FIELD_DELEGATION, {"*", "type", "id"}},
        {FIELD_LOCATION, {"region", "country"}},
        {FIELD_SIGNALS, {"*", "id", "value", "weight"}},
        {FIELD_REASONS, {"*", "user", "admin"}},
        {FIELD_CLIENT, {"name", "request_id"}},
        {FIELD_CHALLENGE, {"nonce", "expiry_ms", "level", "methods"}},
        {FIELD_SOURCE, {"format", "file", "sha256", "position", "time_ms"}},
        {FIELD_SUBJECT_CHAIN, {"previous", "count"}},
        {FIELD_ACTOR_CHAIN, {"previous", "count"}},
        {FIELD_APPROVER_CHAIN, {"previous", "count"}},
        {FIELD_LOOKUP, {"*", "field", "text"}},
        {FIELD_PLACE, {"country", "network", "latitude_e4", "longitude_e4", "city_built_s", "network_built_s"}},
};

const char *fieldview_name(unsigned kind)
{
	static char name[32];

	snprintf(name, sizeof name, "%s", field_kind_text(kind));
	for (char *c = name; *c; c++)
		if (*c == ' ')
			*c = '_';
	return name;
}

/* The reader bounds depth and number of values, so this recursion ends. */
static json_t *value(struct reader *r)
{
	const char *s = NULL;
	const uint8_t *b = NULL;
	size_t len = 0;
	uint32_t n = 0;
	int64_t i = 0;
	bool v = false;
	json_t *list;

	switch (reader_peek(r)) {
	case VALUE_BOOL:
		reader_bool(r, &v);
		return json_boolean(v);
	case VALUE_INT:
		reader_int(r, &i);
		return json_integer(i);
	case VALUE_STR:
		reader_str(r, LIMIT_ENTRY_SIZE_MAX, &s, &len);
		return s ? json_stringn(s, len) : json_null();
	case VALUE_BIN:
		reader_bin(r, LIMIT_ENTRY_SIZE_MAX, &b, &len);
		return b || !len ? json_bytes(b, len) : json_null();
	case VALUE_ARRAY:
		list = json_array();
		reader_array(r, LIMIT_MSGPACK_NODES_MAX, &n);
		for (uint32_t k = 0; k < n && !r->err; k++)
			json_array_append_new(list, value(r));
		return list;
	case VALUE_NIL:
		reader_nil(r);
		return json_null();
	case VALUE_NONE:
		break;
	}
	return json_null();
}

json_t *fieldview_value(const uint8_t *bytes, size_t len)
{
	struct reader r;
	json_t *o;

	reader_init(&r, bytes, len);
	o = value(&r);
	if (!reader_end(&r))
		return o;
	json_decref(o);
	return json_null();
}

/* Takes over list: an object if it has as many elements as there are names. */
static json_t *named(json_t *list, const char *const *names)
{
	size_t n = 0;
	json_t *o;

	while (names[n])
		n++;
	if (!json_is_array(list) || json_array_size(list) != n)
		return list;
	o = json_object();
	for (size_t i = 0; i < n; i++)
		json_object_set(o, names[i], json_array_get(list, i));
	json_decref(list);
	return o;
}

/* Takes over list. */
static json_t *named_rows(json_t *list, const char *const *names)
{
	json_t *rows;
	json_t *row;
	size_t i;

	if (!json_is_array(list))
		return list;
	rows = json_array();
	json_array_foreach(list, i, row)
	{
		json_array_append_new(rows, named(json_incref(row), names));
	}
	json_decref(list);
	return rows;
}

/* Request ids and files' hashes are written in hex everywhere else. */
static json_t *in_hex(json_t *o)
{
	static const char *const names[] = {"request_id", "sha256"};
	uint8_t bytes[32];
	char hex[2 * sizeof bytes + 1];
	size_t n;

	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		const char *s = json_string_value(json_object_get(o, names[i]));

		if (!s || base64_decode(s, strlen(s), bytes, sizeof bytes, &n))
			continue;
		sodium_bin2hex(hex, sizeof hex, bytes, n);
		json_object_set_new(o, names[i], json_string(hex));
	}
	return o;
}

static void name_signals(json_t *rows)
{
	json_t *row;
	size_t i;

	json_array_foreach(rows, i, row)
	{
		json_int_t id = json_integer_value(json_object_get(row, "id"));
		const char *key = id > 0 && id <= SIGNAL_MAX ? signal_key((unsigned)id) : NULL;

		if (key)
			json_object_set_new(row, "name", json_string(key));
		if (key && *signal_unit((unsigned)id))
			json_object_set_new(row, "unit", json_string(signal_unit((unsigned)id)));
	}
}

/* [[name, value]…] to an object. */
static json_t *context(json_t *list)
{
	json_t *o = json_object(), *pair;
	size_t i;

	json_array_foreach(list, i, pair)
	{
		const char *name = json_string_value(json_array_get(pair, 0));

		if (name && json_array_size(pair) == 2)
			json_object_set(o, name, json_array_get(pair, 1));
	}
	json_decref(list);
	return o;
}

json_t *fieldview_json(unsigned kind, const uint8_t *bytes, size_t len)
{
	json_t *o = fieldview_value(bytes, len);

	if (kind == FIELD_CONTEXT)
		return context(o);
	for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
		if (shapes[i].kind != kind)
			continue;
		if (strcmp(shapes[i].names[0], "*") != 0)
			return in_hex(named(o, shapes[i].names));
		o = named_rows(o, shapes[i].names + 1);
		if (kind == FIELD_SIGNALS)
			name_signals(o);
		return o;
	}
	return o;
}

/* type:id, as the command line writes it. */
static int typed_text(const uint8_t *bytes, size_t len, char *buf, size_t cap)
{
	char text[600];
	const char *type = "", *id = "";
	size_t type_len = 0, id_len = 0;
	struct reader r;
	int err;

	reader_init(&r, bytes, len);
	reader_array_exact(&r, 2);
	reader_str(&r, 256, &type, &type_len);
	reader_str(&r, 256, &id, &id_len);
	err = reader_end(&r);
	if (err)
		return err;
	snprintf(text, sizeof text, "%.*s:%.*s", (int)type_len, type, (int)id_len, id);
	text_safe(text, strlen(text), buf, cap);
	return 0;
}

static int plain_text(const uint8_t *bytes, size_t len, char *buf, size_t cap)
{
	const char *s = "";
	size_t n = 0;
	struct reader r;
	int err;

	reader_init(&r, bytes, len);
	reader_str(&r, LIMIT_ENTRY_SIZE_MAX, &s, &n);
	err = reader_end(&r);
	if (!err)
		text_safe(s, n, buf, cap);
	return err;
}

static int signals_text(const uint8_t *bytes, size_t len, char *buf, size_t cap)
{
	struct reader r;
	uint32_t n = 0;
	size_t at = 0;

	reader_init(&r, bytes, len);
	reader_array(&r, SIGNAL_MAX, &n);
	*buf = 0;
	for (uint32_t i = 0; i < n && !r.err && at < cap; i++) {
		uint64_t id = 0;
		int64_t v = 0, weight = 0;
		const char *key;

		reader_array_exact(&r, 3);
		reader_uint(&r, 255, &id);
		reader_int(&r, &v);
		reader_int(&r, &weight);
		key = signal_key((unsigned)id);
		at += (size_t)snprintf(buf + at, cap - at, "%s%s %+lld", i ? ", " : "", key ? key : "unknown",
		                       (long long)weight);
	}
	return reader_end(&r);
}

/* Each on a line of its own. */
static int reasons_text(const uint8_t *bytes, size_t len, char *buf, size_t cap)
{
	struct reader r;
	uint32_t n = 0;
	size_t at = 0;

	reader_init(&r, bytes, len);
	reader_array(&r, LIMIT_MSGPACK_NODES_MAX, &n);
	*buf = 0;
	for (uint32_t i = 0; i < n && !r.err; i++) {
		reader_array_exact(&r, 2);
		for (int k = 0; k < 2 && !r.err; k++) {
			const char *s = "";
			size_t s_len = 0;
			char safe[256];

			reader_str(&r, LIMIT_BODY_SIZE_MAX, &s, &s_len);
			text_safe(s, s_len, safe, sizeof safe);
			if (s_len && at < cap)
				at += (size_t)snprintf(buf + at, cap - at, "%s%s", at ? "\n" : "", safe);
		}
	}
	return reader_end(&r);
}

static int source_text(const uint8_t *bytes, size_t len, char *buf, size_t cap)
{
	const char *format = "", *file = "";
	size_t format_len = 0, file_len = 0;
	uint64_t position = 0, time_ms = 0;
	char time[TEXT_TIME_SIZE], text[800];
	const uint8_t *hash;
	size_t hash_len;
	struct reader r;
	int err;

	reader_init(&r, bytes, len);
	reader_array_exact(&r, 5);
	reader_str(&r, 256, &format, &format_len);
	reader_str(&r, 256, &file, &file_len);
	reader_bin(&r, 32, &hash, &hash_len);
	reader_uint(&r, UINT64_MAX, &position);
	reader_uint(&r, UINT64_MAX, &time_ms);
	err = reader_end(&r);
	if (err)
		return err;
	text_time(time_ms, time);
	snprintf(text, sizeof text, "%.*s of %s: %.*s, event %" PRIu64, (int)format_len, format, time, (int)file_len,
	         file, position);
	text_safe(text, strlen(text), buf, cap);
	return 0;
}

static int challenge_text(const uint8_t *bytes, size_t len, char *buf, size_t cap)
{
	uint8_t nonce[32];
	uint64_t expiry_ms = 0;
	const char *level = "";
	const uint8_t *methods = NULL;
	size_t level_len = 0, methods_len = 0;
	char time[TEXT_TIME_SIZE], list[128] = "", text[512];
	struct reader r;
	int err;

	reader_init(&r, bytes, len);
	reader_array_exact(&r, 4);
	reader_bin_exact(&r, nonce, sizeof nonce);
	reader_uint(&r, UINT64_MAX, &expiry_ms);
	reader_str(&r, 64, &level, &level_len);
	reader_skip(&r, &methods, &methods_len);
	err = reader_end(&r);
	if (!err)
		err = bundle_field_text(0, methods, methods_len, list, sizeof list);
	if (err)
		return err;
	text_time(expiry_ms, time);
	snprintf(text, sizeof text, "level %.*s, until %s, by %s", (int)level_len, level, time, list);
	text_safe(text, strlen(text), buf, cap);
	return 0;
}

static int chain_text(const uint8_t *bytes, size_t len, char *buf, size_t cap)
{
	uint64_t previous = 0, count = 0;
	struct reader r;
	bool first;

	reader_init(&r, bytes, len);
	reader_array_exact(&r, 2);
	first = reader_nil(&r);
	if (!first)
		reader_uint(&r, UINT64_MAX, &previous);
	reader_uint(&r, UINT64_MAX, &count);
	if (first)
		snprintf(buf, cap, "the first");
	else if (!count)
		snprintf(buf, cap, "the first since entry %" PRIu64 ", which erased those before", previous);
	else
		snprintf(buf, cap, "number %" PRIu64 ", after entry %" PRIu64, count + 1, previous);
	return reader_end(&r);
}

/* What a search looked for: "subject user:ada, action deploy*". */
static int lookup_text(const uint8_t *bytes, size_t len, char *buf, size_t cap)
{
	struct reader r;
	uint32_t n = 0;
	size_t at = 0;

	reader_init(&r, bytes, len);
	reader_array(&r, READ_LOOKUPS_MAX, &n);
	*buf = 0;
	for (uint32_t i = 0; i < n && !r.err && at < cap; i++) {
		char text[600];
		const uint8_t *value = NULL;
		size_t value_len = 0;
		uint64_t kind = 0;

		reader_array_exact(&r, 2);
		reader_uint(&r, FIELD_KIND_MAX, &kind);
		reader_skip(&r, &value, &value_len);
		if (r.err || (plain_text(value, value_len, text, sizeof text) &&
		              typed_text(value, value_len, text, sizeof text)))
			return CS_E_MALFORMED;
		at += (size_t)snprintf(buf + at, cap - at, "%s%s %s", i ? ", " : "", field_kind_text((unsigned)kind),
		                       text);
	}
	return reader_end(&r);
}

int fieldview_text(unsigned kind, const uint8_t *bytes, size_t len, char *buf, size_t cap)
{
	switch (kind) {
	case FIELD_SUBJECT:
	case FIELD_ACTOR:
	case FIELD_RESOURCE:
		return typed_text(bytes, len, buf, cap);
	case FIELD_ACTION:
	case FIELD_DEVICE:
	case FIELD_ADDRESS:
	case FIELD_TEXT:
	case FIELD_APPROVER:
		return plain_text(bytes, len, buf, cap);
	case FIELD_SIGNALS:
		return signals_text(bytes, len, buf, cap);
	case FIELD_REASONS:
		return reasons_text(bytes, len, buf, cap);
	case FIELD_SOURCE:
		return source_text(bytes, len, buf, cap);
	case FIELD_CHALLENGE:
		return challenge_text(bytes, len, buf, cap);
	case FIELD_SUBJECT_CHAIN:
	case FIELD_ACTOR_CHAIN:
	case FIELD_APPROVER_CHAIN:
		return chain_text(bytes, len, buf, cap);
	case FIELD_LOOKUP:
		return lookup_text(bytes, len, buf, cap);
	default:
		return bundle_field_text(kind, bytes, len, buf, cap);
	}
}
