/* People from CSV (RFC 4180): a line of column names, then one person a line. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "client/tool/peoplefile.h"
#include "client/tool/tool.h"

/* X(name, text) */
#define COLUMNS(X)                                                                                                     \
	X(COLUMN_TYPE, "type")                                                                                         \
	X(COLUMN_ID, "id")                                                                                             \
	X(COLUMN_KIND, "kind")                                                                                         \
	X(COLUMN_NAME, "name")                                                                                         \
	X(COLUMN_ENABLED, "enabled")                                                                                   \
	X(COLUMN_GROUPS, "groups")                                                                                     \
	X(COLUMN_OWNER, "owner")                                                                                       \
	X(COLUMN_MANAGER, "manager")                                                                                   \
	X(COLUMN_ACTS_FOR, "acts_for")

enum column {
#define COLUMN_ENUM(name, text) name,
	COLUMNS(COLUMN_ENUM)
#undef COLUMN_ENUM
	        COLUMNS_N
};
static const char *const names[COLUMNS_N] = {
#define COLUMN_NAME_OF(name, text) text,
        COLUMNS(COLUMN_NAME_OF)
#undef COLUMN_NAME_OF
};

struct csv {
	const char *command, *path;
	char *at, *end;    /* What is still to be read. */
	const char *start; /* Of the line, for columns. */
	unsigned line;     /* From 1. */
	unsigned field_line, field_column;
	bool last; /* The field just read ended its record. */
};

static int fail(const struct csv *c, const char *format, ...) __attribute__((format(printf, 2, 3)));
static int fail(const struct csv *c, const char *format, ...)
{
	char text[512];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof text, format, args);
	va_end(args);
	return tool_fail(EXIT_USAGE, c->command, "%s:%u:%u: %s", c->path, c->field_line, c->field_column, text);
}

/* Behind a field: a comma, or the line's end. */
static int field_end(struct csv *c, char *field_end_)
{
	char *at = c->at;

	c->last = at == c->end || *at != ',';
	if (at < c->end && *at == ',') {
		c->at = at + 1;
	} else if (at < c->end) {
		if (*at == '\r' && at + 1 < c->end && at[1] == '\n')
			at++;
		if (*at != '\n')
			return fail(c, "there is something behind the closing quotation mark");
		c->at = at + 1;
		c->start = c->at;
		c->line++;
	}
	*field_end_ = 0;
	return 0;
}

/* Cuts the next field out in place, its quotation marks taken off. */
static int field(struct csv *c, char **ret)
{
	char *from = c->at, *to;

	c->field_line = c->line;
	c->field_column = (unsigned)(c->at - c->start) + 1;
	*ret = from;
	if (from == c->end || *from != '"') {
		while (c->at < c->end && *c->at != ',' && *c->at != '\n' && *c->at != '\r')
			if (*c->at++ == '"')
				return fail(c, "a quotation mark within a field that does not begin with one");
		to = c->at;
		return field_end(c, to);
	}
	for (to = from, from++; from < c->end; from++) {
		if (*from == '"' && (from + 1 == c->end || from[1] != '"')) {
			c->at = from + 1;
			return field_end(c, to);
		}
		from += *from == '"';
		if (*from == '\n') {
			c->line++;
			c->start = from + 1;
		}
		*to++ = *from;
	}
	return fail(c, "the quotation mark is never closed");
}

static char *trim(char *s)
{
	size_t n;

	s += strspn(s, " \t");
	n = strlen(s);
	while (n && (s[n - 1] == ' ' || s[n - 1] == '\t'))
		s[--n] = 0;
	return s;
}

static int read_enabled(const struct csv *c, const char *text, bool *ret)
{
	static const char *const yes[] = {"", "true", "yes", "1", "enabled", "active"}, *const no[] = {"false", "no",
	                                                                                               "0", "disabled",
	                                                                                               "inactive"};

	for (size_t i = 0; i < sizeof yes / sizeof *yes; i++)
		if (!strcasecmp(text, yes[i]))
			return 0;
	for (size_t i = 0; i < sizeof no / sizeof *no; i++)
		if (!strcasecmp(text, no[i])) {
			*ret = false;
			return 0;
		}
	return fail(c, "enabled: \"%.40s\" is neither true nor false", text);
}

static int read_typed(const struct csv *c, const char *column, char *text, struct cs_typed *ret)
{
	if (!*text || (strcmp(text, "*") != 0 && peoplefile_typed(text, ret)))
		return 0;
	return fail(c, "%s: \"%.80s\" is not TYPE:ID", column, text);
}

/* Items of a field that holds several, with semicolons between them. */
static char *next_item(char **rest)
{
	char *item;

	while ((item = strsep(rest, ";"))) {
		item = trim(item);
		if (*item)
			return item;
	}
	return NULL;
}

static int read_groups(const struct csv *c, char *text, struct peoplefile_row *row)
{
	char *item;

	while ((item = next_item(&text))) {
		if (row->person.n_groups == PEOPLEFILE_GROUPS)
			return fail(c, "groups: more than %d", PEOPLEFILE_GROUPS);
		row->groups[row->person.n_groups++] = item;
	}
	return 0;
}

static int read_acts_for(const struct csv *c, char *text, struct peoplefile_row *row)
{
	char *item;

	while ((item = next_item(&text))) {
		if (row->person.n_acts_for == PEOPLEFILE_ACTS_FOR)
			return fail(c, "acts_for: more than %d (a group counts as one)", PEOPLEFILE_ACTS_FOR);
		if (!peoplefile_typed(item, &row->acts_for[row->person.n_acts_for++]))
			return fail(c, "acts_for: \"%.80s\" is neither TYPE:ID, group:NAME nor *", item);
	}
	return 0;
}

static int set(const struct csv *c, enum column column, char *text, struct peoplefile_row *row)
{
	struct cs_person *p = &row->person;

	text = trim(text);
	switch (column) {
	case COLUMN_TYPE:
		p->type = *text ? text : NULL;
		return 0;
	case COLUMN_ID:
		p->id = text;
		return *text ? 0 : fail(c, "the id is empty");
	case COLUMN_KIND:
		p->kind = *text ? text : NULL;
		return 0;
	case COLUMN_NAME:
		p->name = text;
		return 0;
	case COLUMN_ENABLED:
		return read_enabled(c, text, &p->enabled);
	case COLUMN_GROUPS:
		return read_groups(c, text, row);
	case COLUMN_OWNER:
		return read_typed(c, "owner", text, &p->owner);
	case COLUMN_MANAGER:
		return read_typed(c, "manager", text, &p->manager);
	case COLUMN_ACTS_FOR:
		return read_acts_for(c, text, row);
	case COLUMNS_N:
		break;
	}
	return 0;
}

/* Which column stands where. */
struct head {
	unsigned n;
	enum column columns[COLUMNS_N];
};

static int read_head(struct csv *c, struct head *ret)
{
	bool seen[COLUMNS_N] = {false};
	char *name;
	int code;

	ret->n = 0;
	do {
		unsigned i = 0;
		code = field(c, &name);
		if (code)
			return code;
		name = trim(name);
		while (i < COLUMNS_N && strcasecmp(name, names[i]) != 0)
			i++;
		if (i == COLUMNS_N)
			return fail(c,
			            "unknown column \"%.40s\": type, id, kind, name, enabled, groups, owner, "
			            "manager, acts_for",
			            name);
		if (seen[i])
			return fail(c, "the column %s is there twice", names[i]);
		seen[i] = true;
		ret->columns[ret->n++] = (enum column)i;
	} while (!c->last);
	return seen[COLUMN_ID] ? 0 : fail(c, "there is no column \"id\"");
}

static int read_row(struct csv *c, const struct head *h, struct peoplefile_row *row)
{
	unsigned n = 0;
	char *text;
	int code;

	row->line = c->line;
	do {
		code = field(c, &text);
		if (!code && n == h->n)
			code = fail(c, "more fields than the %u columns", h->n);
		if (!code)
			code = set(c, h->columns[n++], text, row);
		if (code)
			return code;
	} while (!c->last);
	if (n < h->n)
		return fail(c, "only %u of the %u columns: %s is missing", n, h->n, names[h->columns[n]]);
	if (!row->person.kind)
		row->person.kind = "user";
	if (!row->person.type)
		row->person.type = row->person.kind;
	return 0;
}

int peoplecsv_parse(const char *command, const char *path, struct peoplefile *f, char *text, size_t size)
{
	static const char mark[] = "\xef\xbb\xbf"; /* Spreadsheets begin UTF-8 with it. */
	struct csv c = {.command = command, .path = path, .at = text, .end = text + size, .line = 1};
	struct head head;
	int code;

	if (!strncmp(text, mark, strlen(mark)))
		c.at += strlen(mark);
	c.start = c.at;
	code = read_head(&c, &head);
	while (!code && c.at < c.end) {
		struct peoplefile_row *row;
		if (*c.at == '\n' || *c.at == '\r') { /* An empty line. */
			c.line += *c.at == '\n';
			c.start = ++c.at;
			continue;
		}
		row = peoplefile_add(f);
		code = row ? read_row(&c, &head, row) : tool_fail(EXIT_LOCAL, command, "out of memory");
	}
	return code;
}
