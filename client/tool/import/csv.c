/* Reader of tables: RFC 4180 with a header row, and --map. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/tool/import/format.h"
#include "client/tool/import/mapping.h"

#define COLUMNS_MAX 256

/* A row: cells lie one behind another in text, each ended by a NUL. */
struct row {
	char *text; /* INPUT_LINE_SIZE_MAX and a NUL. */
	size_t len;
	unsigned n;
	char *cells[COLUMNS_MAX];
};

struct table {
	char delimiter;
	struct row header, row;
};

/* --- rows --- */

/* Whether the quotes of a text are all closed: "" within quotes opens and closes once more. */
static bool closed(const char *s, size_t len)
{
	bool quoted = false;

	for (size_t i = 0; i < len; i++)
		quoted ^= s[i] == '"';
	return !quoted;
}

/* The next row's text: as many lines as its quotes hold together. False: no more; after what could not be read, bad. */
static bool read_row(struct reading *r, struct row *ret, bool *ret_bad)
{
	char *line;
	size_t len;

	*ret_bad = false;
	ret->len = 0;
	for (;;) {
		if (!reading_line(r, &line, &len)) {
			*ret_bad = ret->len > 0;
			snprintf(r->reason, sizeof r->reason, "the file ends within quotes");
			return *ret_bad;
		}
		if (ret->len + len + 1 > INPUT_LINE_SIZE_MAX) {
			snprintf(r->reason, sizeof r->reason, "longer than %u bytes", INPUT_LINE_SIZE_MAX);
			*ret_bad = true;
			return true;
		}
		memcpy(ret->text + ret->len, line, len);
		ret->len += len;
		if (closed(ret->text, ret->len))
			break;
		ret->text[ret->len++] = '\n';
	}
	ret->text[ret->len] = 0;
	return true;
}

/* Takes the quotes off the cell at s, in place; returns where it ended, NULL: what is behind the quotes is no end. */
static char *unquote(char *s, char delimiter)
{
	char *to = s, *from = s + 1;

	for (; *from; from++) {
		if (*from == '"' && from[1] != '"')
			break;
		from += *from == '"';
		*to++ = *from;
	}
	if (*from != '"' || (from[1] && from[1] != delimiter))
		return NULL;
	*to = 0;
	return from + 1;
}

/* The end of the cell at s, which loses its quotes; NULL: reason says what is wrong. */
static char *cell_end(char *s, char delimiter, char *reason)
{
	char *end;

	if (*s == '"') {
		end = unquote(s, delimiter);
		if (!end)
			snprintf(reason, PAST_REASON_SIZE, "text behind closing quotes");
		return end;
	}
	end = strchrnul(s, delimiter);
	if (!memchr(s, '"', (size_t)(end - s)))
		return end;
	snprintf(reason, PAST_REASON_SIZE, "a quote in a cell that does not begin with one");
	return NULL;
}

static bool split(struct row *row, char delimiter, char *reason)
{
	char *s = row->text, *end, last;

	if (strlen(s) != row->len) {
		snprintf(reason, PAST_REASON_SIZE, "a NUL in the text");
		return false;
	}
	for (row->n = 0; row->n < COLUMNS_MAX; s = end + 1) {
		row->cells[row->n++] = s;
		end = cell_end(s, delimiter, reason);
		if (!end)
			return false;
		last = *end;
		*end = 0;
		if (!last)
			return true;
	}
	snprintf(reason, PAST_REASON_SIZE, "more than %d columns", COLUMNS_MAX);
	return false;
}

/* --- the header --- */

static char delimiter_of(const char *header)
{
	static const char candidates[] = ",;\t|";

	for (const char *c = candidates; *c; c++)
		if (strchr(header, *c))
			return *c;
	return ',';
}

static int column(const struct row *header, const char *name, size_t len)
{
	for (unsigned i = 0; i < header->n; i++)
		if (strlen(header->cells[i]) == len && !memcmp(header->cells[i], name, len))
			return (int)i;
	return -1;
}

/* Each column that the mapping names has to be there. */
static bool columns_there(struct reading *r, const struct row *header)
{
	for (unsigned i = 0; i < r->mapping->n; i++) {
		const struct mapping_item *item = &r->mapping->items[i];

		for (const char *s = item->source; *s && !item->constant;) {
			size_t n = strcspn(s, "|");

			if (column(header, s, n) < 0) {
				reading_fail(r, "no column \"%.*s\" in the header row", (int)(n < 64 ? n : 64), s);
				return false;
			}
			s += n + (s[n] == '|');
		}
	}
	return true;
}

static bool read_header(struct reading *r, struct table *t)
{
	bool bad;

	if (!read_row(r, &t->header, &bad) || bad) {
		reading_fail(r, "has no header row");
		return false;
	}
	if (!strncmp(t->header.text, "\xef\xbb\xbf", 3)) { /* What spreadsheets put in front of UTF-8. */
		t->header.len -= 3;
		memmove(t->header.text, t->header.text + 3, t->header.len + 1);
	}
	t->delimiter = delimiter_of(t->header.text);
	if (!split(&t->header, t->delimiter, r->reason)) {
		reading_fail(r, "header row: %s", r->reason);
		return false;
	}
	return columns_there(r, &t->header);
}

static void get(const void *record, const char *source, struct mapping_value *ret)
{
	const struct table *t = record;
	int i = column(&t->header, source, strlen(source));

	if (i < 0 || !*t->row.cells[i])
		return;
	ret->type = MAPPING_TEXT;
	ret->text = t->row.cells[i];
}

static bool take_row(struct reading *r, struct table *t)
{
	if (!split(&t->row, t->delimiter, r->reason))
		return reading_take(r, PAST_BAD);
	if (t->row.n != t->header.n)
		return reading_bad(r, "%u columns, the header row has %u", t->row.n, t->header.n);
	return reading_take(r, mapping_event(r->mapping, &r->when, get, t, &r->event, r->reason));
}

void csv_read_log(struct reading *r)
{
	struct table *t = calloc(1, sizeof *t);
	bool bad, go_on = true;

	if (t) {
		t->header.text = malloc(INPUT_LINE_SIZE_MAX + 1);
		t->row.text = malloc(INPUT_LINE_SIZE_MAX + 1);
	}
	if (!t || !t->header.text || !t->row.text)
		reading_fail(r, "out of memory");
	else if (!mapping_complete(r->mapping, r->reason))
		reading_fail(r, "%s", r->reason);
	else if (read_header(r, t))
		while (go_on && read_row(r, &t->row, &bad))
			if (bad || t->row.len)
				go_on = bad ? reading_take(r, PAST_BAD) : take_row(r, t);
	if (t) {
		free(t->header.text);
		free(t->row.text);
	}
	free(t);
}
