/* Reader of journalctl -o json: one object a line. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "client/tool/import/format.h"
#include "client/tool/import/journal.h"

/*
 * Values are strings; arrays of numbers where the bytes are no UTF-8 text; null where journalctl found them too large;
 * arrays of these where a field occurs more than once, of which the first counts.
 */
static void take_value(struct journal_entry *e, const char *name, const json_t *value)
{
	char bytes[JOURNAL_MESSAGE_SIZE];
	const json_t *item;
	size_t i, n = 0;

	if (json_is_array(value) && !json_is_integer(json_array_get(value, 0)))
		value = json_array_get(value, 0);
	if (json_is_string(value)) {
		journal_field(e, name, strlen(name), json_string_value(value), json_string_length(value));
		return;
	}
	json_array_foreach(value, i, item)
	{
		if (n < sizeof bytes)
			bytes[n++] = (char)json_integer_value(item);
	}
	if (n)
		journal_field(e, name, strlen(name), bytes, n);
}

static enum past_kind read_entry(struct reading *r, struct journal_entry *e, const char *line, size_t len)
{
	json_error_t where;
	json_t *root = json_loadb(line, len, JSON_REJECT_DUPLICATES, &where), *value;
	const char *name;

	if (!json_is_object(root)) {
		if (root)
			snprintf(r->reason, sizeof r->reason, "not an object");
		else
			snprintf(r->reason, sizeof r->reason, "column %d: %s", where.column, where.text);
		json_decref(root);
		return PAST_BAD;
	}
	memset(e, 0, sizeof *e);
	json_object_foreach(root, name, value) take_value(e, name, value);
	json_decref(root);
	return journal_read(e, &r->event, r->reason);
}

void journal_json_read_log(struct reading *r)
{
	struct journal_entry *e = malloc(sizeof *e);
	bool go_on = e != NULL;
	char *line;
	size_t len;

	if (!e)
		reading_fail(r, "out of memory");
	while (go_on && reading_line(r, &line, &len))
		if (len)
			go_on = reading_take(r, read_entry(r, e, line, len));
	free(e);
}
