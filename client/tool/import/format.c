/* The kinds of logs that can be imported, and which one a file is. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "client/tool/import/format.h"

#include <string.h>

#include "client/tool/import/authlog.h"

#define LOOK_SIZE 65536 /* Of a file's beginning. */

const struct format formats[] = {
#define FORMAT_ROW(reader, name, about) {name, about, reader##_read_log},
        FORMAT_LIST(FORMAT_ROW)
#undef FORMAT_ROW
                {NULL, NULL, NULL},
};

const struct format *format_named(const char *name)
{
	for (const struct format *f = formats; f->name; f++)
		if (!strcmp(f->name, name))
			return f;
	return NULL;
}

static bool has(const char *text, size_t len, const char *word)
{
	return memmem(text, len, word, strlen(word)) != NULL;
}

/* JSON of all three kinds: what only one of them has. */
static const char *kind_of_json(const char *text, size_t len)
{
	if (has(text, len, "\"__REALTIME_TIMESTAMP\""))
		return "journal-json";
	if (has(text, len, "\"Records\"") && (has(text, len, "\"eventTime\"") || !has(text, len, "\"decision_id\"")))
		return "cloudtrail";
	return has(text, len, "\"decision_id\"") ? "opa" : NULL;
}

const struct format *format_detect(struct input *in, bool mapped)
{
	char line[1024];
	const char *text, *name = NULL;
	size_t len, at = 0, end;

	if (input_peek(in, LOOK_SIZE, &text, &len) != INPUT_GOT || !len)
		return NULL;
	while (at < len && strchr(" \t\r\n", text[at]) && text[at])
		at++;
	for (end = at; end < len && text[end] != '\n' && end - at < sizeof line - 1; end++)
		line[end - at] = text[end];
	line[end - at] = 0;
	if (at < len && (text[at] == '{' || text[at] == '['))
		name = kind_of_json(text, len);
	else if (has(text, len, "__REALTIME_TIMESTAMP=") &&
	         line[strspn(line, "_ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789")] == '=')
		name = "journal-export";
	else if (authlog_looks_like(line))
		name = "authlog";
	else if (mapped)
		name = "csv";
	return name ? format_named(name) : NULL;
}
