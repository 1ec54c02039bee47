/* Past events out of logs: files found, hashed, read by their format's reader, in order of time. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "client/tool/import/events.h"

#include <errno.h>
#include <fts.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/tool/tool.h"

/* --- what a reader hands over --- */

static void add_bad(struct events *e, unsigned file, int64_t position, uint64_t line, const char *reason)
{
	struct events_bad *b = &e->bad[e->n_bad];

	if (e->n_bad++ >= EVENTS_BAD_MAX)
		return;
	b->path = strdup(e->files[file].path);
	b->reason = strdup(reason);
	b->position = position;
	b->line = line;
}

static void add_failed(struct events *e, const char *reason, unsigned times)
{
	unsigned i = 0;

	while (i < e->n_failed && strcmp(e->failed[i].reason, reason) != 0)
		i++;
	if (i == EVENTS_FAILED_MAX)
		i--; /* The last one stands for the rest. */
	if (i == e->n_failed) {
		memcpy(e->failed[i].reason, reason, sizeof e->failed[i].reason);
		e->n_failed++;
	}
	e->failed[i].n += times ? times : 1;
}

bool reading_take(struct reading *r, enum past_kind kind)
{
	struct events *e = r->to;
	uint64_t position = r->position++;

	switch (kind) {
	case PAST_EVENT:
		e->err = sorter_add(e->sorter, &r->event, r->file, position);
		e->files[r->file].events += !e->err;
		e->n += !e->err;
		break;
	case PAST_FAILED:
		add_failed(e, r->reason, r->event.times);
		break;
	case PAST_OTHER:
		e->n_other++;
		break;
	case PAST_BAD:
		add_bad(e, r->file, (int64_t)position, r->line, r->reason);
		break;
	}
	if (e->how->progress && !(position & 0xfff))
		e->how->progress(r->file, e->n_files, e->n);
	return !e->err;
}

bool reading_bad(struct reading *r, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(r->reason, sizeof r->reason, format, args);
	va_end(args);
	return reading_take(r, PAST_BAD);
}

void reading_fail(struct reading *r, const char *format, ...)
{
	char reason[2 * PAST_REASON_SIZE];
	va_list args;

	va_start(args, format);
	vsnprintf(reason, sizeof reason, format, args);
	va_end(args);
	add_bad(r->to, r->file, -1, 0, reason);
}

bool reading_broken(struct reading *r, enum input_got got)
{
	if (got == INPUT_BROKEN)
		reading_fail(r, "%s", input_why(r->in));
	return got == INPUT_BROKEN;
}

bool reading_line(struct reading *r, char **ret, size_t *ret_len)
{
	enum input_got got;

	for (;;) {
		got = input_line(r->in, ret, ret_len);
		if (got == INPUT_END || reading_broken(r, got))
			return false;
		r->line++;
		if (got == INPUT_GOT)
			return true;
		if (!reading_bad(r, "longer than %u bytes", INPUT_LINE_SIZE_MAX))
			return false;
	}
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
	if (!strcmp(path, "-"))
		f->name = "stdin";
	e->n_files++;
	return 0;
}

static int by_name(const FTSENT **a, const FTSENT **b)
{
	return strcmp((*a)->fts_name, (*b)->fts_name);
}

/* Of a folder's files those that its owner may have meant. */
static bool is_wanted(const struct events *e, const FTSENT *at)
{
	if (at->fts_level == FTS_ROOTLEVEL)
		return true;
	if (*at->fts_name == '.')
		return false;
	if (!e->how->format || strcmp(e->how->format->name, "cloudtrail") != 0)
		return true;
	return ends_in(at->fts_name, ".json") || ends_in(at->fts_name, ".json.gz");
}

static int visit(const char *command, struct events *e, const FTSENT *at)
{
	switch (at->fts_info) {
	case FTS_DEFAULT: /* A pipe, given by its name. */
	case FTS_F:
		return is_wanted(e, at) ? add_file(command, e, at->fts_path) : 0;
	case FTS_DNR:
	case FTS_ERR:
	case FTS_NS:
		return tool_fail(EXIT_LOCAL, command, "%s: %s", at->fts_path, strerror(at->fts_errno));
	default:
		return 0;
	}
}

static int find_in(const char *command, struct events *e, char *path)
{
	char *paths[] = {path, NULL};
	FTS *walk;
	FTSENT *at;
	int code = 0;

	if (!strcmp(path, "-"))
		return add_file(command, e, path);
	walk = fts_open(paths, FTS_PHYSICAL | FTS_COMFOLLOW | FTS_NOCHDIR, by_name);
	if (!walk)
		return tool_fail(EXIT_LOCAL, command, "%s: %s", path, strerror(errno));
	while (!code && (at = fts_read(walk)))
		code = visit(command, e, at);
	fts_close(walk);
	return code;
}

/* --- what is in them --- */

/* The same bytes as a file before: positions in it are the same events. */
static bool is_same(const struct events *e, unsigned file)
{
	for (unsigned i = 0; i < file; i++)
		if (!memcmp(e->files[i].hash, e->files[file].hash, sizeof e->files[i].hash))
			return true;
	return false;
}

static void read_log(struct events *e, struct reading *r)
{
	struct events_file *f = &e->files[r->file];
	const char *some;
	size_t n;

	r->when.latest_ms = input_written_ms(r->in);
	f->format = e->how->format ? e->how->format : format_detect(r->in, e->how->mapping.n > 0);
	if (f->format)
		f->format->read(r);
	else if (!reading_broken(r, input_peek(r->in, 1, &some, &n)) && n)
		reading_fail(r, "is like no log that is known: --format, or --map for a table");
	f->records = r->position;
}

static int read_file(const char *command, struct events *e, unsigned file)
{
	struct events_file *f = &e->files[file];
	struct reading *r = calloc(1, sizeof *r);
	int err;

	if (!r)
		return tool_fail(EXIT_LOCAL, command, "out of memory");
	*r = (struct reading){.to = e, .file = file, .when = e->how->when, .mapping = &e->how->mapping};
	err = input_open(f->path, &r->in);
	if (err) {
		reading_fail(r, "%s", strerror(err));
	} else {
		read_log(e, r);
		input_close(r->in, f->hash);
		f->same = f->records && is_same(e, file);
		if (f->same) {
			e->n -= f->events;
			reading_fail(r, "holds the same bytes as a file before it: left out");
		}
	}
	free(r);
	return e->err ? tool_fail(EXIT_LOCAL, command, "keeping the events of %s: %s", f->path, strerror(e->err)) : 0;
}

int events_read(const char *command, char *const paths[], unsigned n_paths, const struct events_how *how,
                struct events *ret)
{
	int code = 0;

	memset(ret, 0, sizeof *ret);
	ret->how = how;
	ret->sorter = sorter_new(how->memory_max ? how->memory_max : SORTER_MEMORY);
	if (!ret->sorter)
		return tool_fail(EXIT_LOCAL, command, "out of memory");
	for (unsigned i = 0; i < n_paths && !code; i++)
		code = find_in(command, ret, paths[i]);
	for (unsigned i = 0; i < ret->n_files && !code; i++)
		code = read_file(command, ret, i);
	ret->err = code ? 0 : sorter_finish(ret->sorter);
	if (ret->err)
		code = tool_fail(EXIT_LOCAL, command, "sorting %llu events: %s", (unsigned long long)ret->n,
		                 strerror(ret->err));
	if (code)
		events_close(ret);
	return code;
}

void events_close(struct events *e)
{
	for (unsigned i = 0; i < e->n_files; i++)
		free(e->files[i].path);
	for (size_t i = 0; i < e->n_bad && i < EVENTS_BAD_MAX; i++) {
		free(e->bad[i].path);
		free(e->bad[i].reason);
	}
	free(e->files);
	sorter_close(e->sorter);
	memset(e, 0, sizeof *e);
}
