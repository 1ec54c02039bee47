/* People in a file: which format, and what holds for both. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "client/tool/peoplefile.h"

#include <stdlib.h>
#include <string.h>

#include "client/tool/files.h"
#include "client/tool/json.h"
#include "client/tool/tool.h"

struct peoplefile_row *peoplefile_add(struct peoplefile *f)
{
	struct peoplefile_row **rows, *row;
	size_t cap = f->cap ? f->cap * 2 : 256;

	if (f->n == f->cap) {
		rows = realloc(f->rows, cap * sizeof *rows);
		if (!rows)
			return NULL;
		f->rows = rows;
		f->cap = cap;
	}
	row = calloc(1, sizeof *row);
	if (!row)
		return NULL;
	row->person.action = CS_PEOPLE_SET;
	row->person.enabled = true;
	row->person.name = "";
	row->person.groups = row->groups;
	row->person.acts_for = row->acts_for;
	f->rows[f->n++] = row;
	return row;
}

bool peoplefile_typed(char *text, struct cs_typed *ret)
{
	char *colon = strchr(text, ':');

	if (!strcmp(text, "*")) {
		*ret = (struct cs_typed){"*", "*"};
		return true;
	}
	if (!colon || colon == text || !colon[1])
		return false;
	*colon = 0;
	*ret = (struct cs_typed){text, colon + 1};
	return true;
}

static int by_who(const void *a, const void *b)
{
	const struct cs_person *x = &(*(struct peoplefile_row *const *)a)->person,
	                       *y = &(*(struct peoplefile_row *const *)b)->person;
	int order = strcmp(x->type, y->type);

	return order ? order : strcmp(x->id, y->id);
}

/* Each is somebody that the cluster would take, and somebody else. */
static int check(const char *command, const char *path, const struct peoplefile *f)
{
	const char *place = f->is_json ? "record " : "line ";
	struct peoplefile_row **sorted;
	int code = 0;

	for (size_t i = 0; i < f->n; i++) {
		const char *fault = cs_person_fault(&f->rows[i]->person);
		if (fault)
			return tool_fail(EXIT_USAGE, command, "%s: %s%u: %s", path, place, f->rows[i]->line, fault);
	}
	sorted = malloc((f->n + 1) * sizeof *sorted);
	if (!sorted)
		return tool_fail(EXIT_LOCAL, command, "out of memory");
	memcpy(sorted, f->rows, f->n * sizeof *sorted);
	qsort(sorted, f->n, sizeof *sorted, by_who);
	for (size_t i = 1; i < f->n && !code; i++)
		if (!by_who(&sorted[i - 1], &sorted[i]))
			code = tool_fail(EXIT_USAGE, command, "%s: %s%u: %s:%s is there already, at %s%u", path, place,
			                 sorted[i]->line > sorted[i - 1]->line ? sorted[i]->line : sorted[i - 1]->line,
			                 sorted[i]->person.type, sorted[i]->person.id, place,
			                 sorted[i]->line > sorted[i - 1]->line ? sorted[i - 1]->line : sorted[i]->line);
	free(sorted);
	return code;
}

static int read_csv(const char *command, const char *path, struct peoplefile *f)
{
	size_t size;
	int err = files_read(path, PEOPLEFILE_SIZE_MAX, &f->text, &size);

	if (err)
		return tool_fail(EXIT_LOCAL, command, "%s: %s", path, strerror(err));
	if (strlen(f->text) != size)
		return tool_fail(EXIT_USAGE, command, "%s: has a NUL byte: this is no text", path);
	return peoplecsv_parse(command, path, f, f->text, size);
}

int peoplefile_read(const char *command, const char *path, const char *format, struct peoplefile *ret)
{
	const char *dot = strrchr(path, '.');
	struct peoplefile f = {0};
	int code;

	if (!format)
		format = dot ? dot + 1 : "";
	if (!strcmp(format, "csv")) {
		code = read_csv(command, path, &f);
	} else if (!strcmp(format, "json")) {
		f.is_json = true;
		code = json_read(command, path, PEOPLEFILE_SIZE_MAX, &f.json);
		if (!code)
			code = peoplejson_parse(command, path, &f);
	} else {
		return tool_fail(EXIT_USAGE, command, "%s: neither .csv nor .json: say --format csv or json", path);
	}
	if (!code)
		code = check(command, path, &f);
	if (code)
		peoplefile_close(&f);
	else
		*ret = f;
	return code;
}

void peoplefile_close(struct peoplefile *f)
{
	for (size_t i = 0; i < f->n; i++)
		free(f->rows[i]);
	free(f->rows);
	free(f->text);
	json_decref(f->json);
	*f = (struct peoplefile){0};
}
