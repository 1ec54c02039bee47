/* Reader of journalctl -o export: systemd's Journal Export Format. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <stdlib.h>
#include <string.h>

#include "client/tool/import/format.h"
#include "client/tool/import/journal.h"

/*
 * JOURNAL_EXPORT_FORMATS of systemd: an entry is its fields, one behind another, and an empty line. A field is
 * "NAME=value\n", or, when its value is no plain text, "NAME\n", the value's size as 64 bits little-endian, the value,
 * and "\n".
 */

#define NAME_SIZE 65 /* Names have at most 64 bytes. */

static uint64_t little_endian(const uint8_t b[8])
{
	uint64_t v = 0;

	for (unsigned i = 8; i-- > 0;)
		v = v << 8 | b[i];
	return v;
}

/* The value behind a name alone. */
static enum input_got read_binary(struct reading *r, struct journal_entry *e, const char *name, size_t name_len)
{
	const uint8_t *bytes;
	uint64_t size, kept;
	enum input_got got = input_bytes(r->in, 8, &bytes);

	if (got != INPUT_GOT)
		return got;
	size = little_endian(bytes);
	kept = size < JOURNAL_MESSAGE_SIZE ? size : JOURNAL_MESSAGE_SIZE;
	got = input_bytes(r->in, (size_t)kept, &bytes);
	if (got != INPUT_GOT)
		return got;
	journal_field(e, name, name_len, (const char *)bytes, (size_t)kept);
	got = input_skip(r->in, size - kept);
	if (got != INPUT_GOT)
		return got;
	got = input_bytes(r->in, 1, &bytes);
	return got == INPUT_GOT && *bytes != '\n' ? INPUT_LONG : got;
}

/* True: the file cannot be read on. */
static bool read_field(struct reading *r, struct journal_entry *e, const char *line, size_t len)
{
	const char *equals = memchr(line, '=', len);
	char name[NAME_SIZE];
	enum input_got got;

	if (equals) {
		journal_field(e, line, (size_t)(equals - line), equals + 1, len - (size_t)(equals + 1 - line));
		return false;
	}
	if (len >= sizeof name || strspn(line, "_ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789") != len) {
		reading_fail(r, "entry %llu: not a field's name: \"%.32s\"", (unsigned long long)r->position, line);
		return true;
	}
	memcpy(name, line, len + 1);
	got = read_binary(r, e, name, len);
	if (reading_broken(r, got))
		return true;
	if (got != INPUT_GOT)
		reading_fail(r, "entry %llu: field %s is shorter or longer than it says",
		             (unsigned long long)r->position, name);
	return got != INPUT_GOT;
}

void journal_export_read_log(struct reading *r)
{
	struct journal_entry *e = calloc(1, sizeof *e);
	bool inside = false, ended = !e;
	enum input_got got;
	char *line;
	size_t len;

	if (!e)
		reading_fail(r, "out of memory");
	while (!ended && (got = input_line(r->in, &line, &len)) != INPUT_END && !reading_broken(r, got)) {
		if (got == INPUT_LONG) { /* A field of a megabyte is none of those that matter. */
			inside = true;
		} else if (len) {
			inside = true;
			ended = read_field(r, e, line, len);
		} else if (inside) {
			ended = !reading_take(r, journal_read(e, &r->event, r->reason));
			memset(e, 0, sizeof *e);
			inside = false;
		}
	}
	if (inside && !ended)
		reading_take(r, journal_read(e, &r->event, r->reason));
	free(e);
}
