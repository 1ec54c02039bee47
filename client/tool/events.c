/* Past events out of an audit log's files: found, hashed, parsed, in order of time. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "client/tool/events.h"

#include <errno.h>
#include <fts.h>
#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/tool/cloudtrail.h"
#include "client/tool/files.h"
#include "client/tool/tool.h"
#include "ledger/hash.h"

static void add_bad(struct events *e, const char *path, int64_t position, const char *format, ...)
        __attribute__((format(printf, 4, 5)));
static void add_bad(struct events *e, const char *path, int64_t position, const char *format, ...)
{
	struct events_bad *b = &e->bad[e->n_bad];
	va_list args;

	if (e->n_bad++ >= EVENTS_BAD_MAX)
		return;
	va_start(args, format);
	b->path = strdup(path);
	if (vasprintf(&b->reason, format, args) < 0)
		b->reason = NULL;
	b->position = position;
	va_end(args);
}

/* --- which files --- */

static bool ends_in(const char *s, const char *end)
{
	size_t n = strlen(s), m = strlen(end);

	return n > m && !strcmp(s + n - m, end);
}

static int add_file(const char *command, struct events *e, const char *path)
{
	struct events_file *f;

	if (e->n_files == EVENTS_FILES_MAX)
		return tool_fail(EXIT_USAGE, command, "%s: more than %d files", path, EVENTS_FILES_MAX);
	if (!(e->n_files & (e->n_files - 1))) {
		f = reallocarray(e->files, e->n_files ? 2 * (size_t)e->n_files : 1, sizeof *f);
		if (!f)
			return tool_fail(EXIT_LOCAL, command, "out of memory");
		e->files = f;
	}
	f = &e->files[e->n_files];
	memset(f, 0, sizeof *f);
	f->path = strdup(path);
	if (!f->path)
		return tool_fail(EXIT_LOCAL, command, "out of memory");
	f->name = strrchr(f->path, '/') ? strrchr(f->path, '/') + 1 : f->path;
	e->n_files++;
	return 0;
}

static int by_name(const FTSENT **a, const FTSENT **b)
{
	return strcmp((*a)->fts_name, (*b)->fts_name);
}

static int visit(const char *command, struct events *e, const FTSENT *at)
{
	switch (at->fts_info) {
	case FTS_F:
		if (at->fts_level == FTS_ROOTLEVEL || ends_in(at->fts_path, ".json"))
			return add_file(command, e, at->fts_path);
		if (ends_in(at->fts_path, ".json.gz"))
			add_bad(e, at->fts_path, -1, "is compressed: gunzip it first");
		return 0;
	case FTS_DNR:
	case FTS_ERR:
	case FTS_NS:
		return tool_fail(EXIT_LOCAL, command, "%s: %s", at->fts_path, strerror(at->fts_errno));
	default:
		return 0;
	}
}

static int find_files(const char *command, struct events *e, char *const paths[])
{
	FTS *walk = fts_open(paths, FTS_PHYSICAL | FTS_COMFOLLOW | FTS_NOCHDIR, by_name);
	FTSENT *at;
	int code = 0;

	if (!walk)
		return tool_fail(EXIT_LOCAL, command, "%s: %s", paths[0], strerror(errno));
	while (!code && (at = fts_read(walk)))
		code = visit(command, e, at);
	fts_close(walk);
	return code;
}

/* --- what is in them --- */

/* Strings of one event, one behind another in its own memory. */
static const char *put(char **to, const char *s)
{
	char *start = *to;

	*to = stpcpy(start, s) + 1;
	return start;
}

static size_t strings_size(const struct cloudtrail_event *c)
{
	size_t n = strlen(c->subject_type) + strlen(c->subject_id) + strlen(c->actor_type) + strlen(c->actor_id) +
	           strlen(c->action) + strlen(c->resource_type) + strlen(c->resource_id) + 7;

	for (unsigned i = 0; i < c->n_attributes; i++)
		n += strlen(c->attributes[i].string) + 1;
	return n;
}

/* The same in one piece of memory that is as large as it must be. */
static struct event *pack(const struct cloudtrail_event *c)
{
	size_t attributes_size = c->n_attributes * sizeof(struct cs_attribute);
	struct event *e = calloc(1, sizeof *e + attributes_size + strings_size(c));
	struct cs_attribute *a;
	char *to;

	if (!e)
		return NULL;
	a = (struct cs_attribute *)(e + 1);
	to = (char *)(e + 1) + attributes_size;
	e->time_ms = c->time_ms;
	e->request.subject_type = put(&to, c->subject_type);
	e->request.subject_id = put(&to, c->subject_id);
	if (*c->actor_id) {
		e->request.actor_type = put(&to, c->actor_type);
		e->request.actor_id = put(&to, c->actor_id);
	}
	e->request.action = put(&to, c->action);
	e->request.resource_type = put(&to, c->resource_type);
	e->request.resource_id = put(&to, c->resource_id);
	for (unsigned i = 0; i < c->n_attributes; i++) {
		a[i].name = c->attributes[i].name;
		a[i].type = c->attributes[i].type;
		a[i].integer = c->attributes[i].integer;
		a[i].string = a[i].type == CS_STRING ? put(&to, c->attributes[i].string) : NULL;
	}
	e->request.n_attributes = c->n_attributes;
	e->request.attributes = a;
	return e;
}

static int add_event(const char *command, struct events *e, struct event *event)
{
	size_t cap = e->cap ? 2 * e->cap : 4096;
	struct event **list;

	if (event && e->n == e->cap) {
		list = reallocarray(e->list, cap, sizeof *list);
		if (list) {
			e->list = list;
			e->cap = cap;
		}
	}
	if (!event || e->n == e->cap) {
		free(event);
		return tool_fail(EXIT_LOCAL, command, "out of memory");
	}
	if (e->n == EVENTS_MAX) {
		free(event);
		return tool_fail(EXIT_USAGE, command, "more than %d events: import fewer files at once", EVENTS_MAX);
	}
	e->list[e->n++] = event;
	return 0;
}

static int take_records(const char *command, struct events *e, unsigned file, const json_t *records)
{
	char reason[CLOUDTRAIL_REASON_SIZE];
	struct cloudtrail_event parsed;
	const json_t *record;
	struct event *event;
	size_t i;
	int code = 0;

	json_array_foreach(records, i, record)
	{
		if (!cloudtrail_read(record, &parsed, reason)) {
			add_bad(e, e->files[file].path, (int64_t)i, "%s", reason);
			continue;
		}
		event = pack(&parsed);
		if (event) {
			event->file = file;
			event->position = i;
		}
		code = add_event(command, e, event);
		if (code)
			break;
	}
	return code;
}

static int read_file(const char *command, struct events *e, unsigned file)
{
	struct events_file *f = &e->files[file];
	char *text = NULL;
	json_error_t where;
	json_t *root, *records;
	struct hash h;
	size_t size;
	int err = files_read(f->path, EVENTS_FILE_SIZE_MAX, &text, &size), code = 0;

	if (err) {
		add_bad(e, f->path, -1, "%s", strerror(err));
		return 0;
	}
	hash_bytes(&h, text, size);
	memcpy(f->hash, h.b, sizeof f->hash);
	root = json_loadb(text, size, JSON_REJECT_DUPLICATES, &where);
	free(text);
	records = json_object_get(root, "Records");
	if (!root)
		add_bad(e, f->path, -1, "line %d, column %d: %s", where.line, where.column, where.text);
	else if (!json_is_array(records))
		add_bad(e, f->path, -1, "holds no array \"Records\": not a CloudTrail log");
	else
		code = take_records(command, e, file, records);
	json_decref(root);
	return code;
}

/* By time; what happened in the same second stays in the order of files and positions. */
static int by_time(const void *a, const void *b)
{
	const struct event *x = *(struct event *const *)a, *y = *(struct event *const *)b;

	if (x->time_ms != y->time_ms)
		return x->time_ms < y->time_ms ? -1 : 1;
	if (x->file != y->file)
		return x->file < y->file ? -1 : 1;
	return x->position < y->position ? -1 : x->position > y->position;
}

int events_read(const char *command, char *const paths[], unsigned n_paths, struct events *ret)
{
	char **ended = calloc((size_t)n_paths + 1, sizeof *ended);
	int code;

	memset(ret, 0, sizeof *ret);
	if (!ended)
		return tool_fail(EXIT_LOCAL, command, "out of memory");
	memcpy(ended, paths, n_paths * sizeof *ended);
	code = find_files(command, ret, ended);
	free(ended);
	for (unsigned i = 0; i < ret->n_files && !code; i++)
		code = read_file(command, ret, i);
	if (ret->n)
		qsort(ret->list, ret->n, sizeof *ret->list, by_time);
	if (code)
		events_close(ret);
	return code;
}

void events_close(struct events *e)
{
	for (size_t i = 0; i < e->n; i++)
		free(e->list[i]);
	for (unsigned i = 0; i < e->n_files; i++)
		free(e->files[i].path);
	for (size_t i = 0; i < e->n_bad && i < EVENTS_BAD_MAX; i++) {
		free(e->bad[i].path);
		free(e->bad[i].reason);
	}
	free(e->list);
	free(e->files);
	memset(e, 0, sizeof *e);
}
