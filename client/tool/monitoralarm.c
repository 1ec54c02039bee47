/* A monitor's alarms: kept in a file of its folder until somebody has acknowledged them. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "client/tool/monitoralarm.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "client/tool/text.h"
#include "client/tool/tool.h"

#define FILE_SIZE_MAX (16 << 20) /* MONITORALARM_MAX alarms with their acknowledgements take a quarter of it. */

static const struct {
	const char *word;
	bool grave;
} kinds[MONITORALARM_KINDS] = {
#define MONITORALARM_ROW(name, word, grave) [name] = {word, grave},
        MONITORALARM_LIST(MONITORALARM_ROW)
#undef MONITORALARM_ROW
};

const char *monitoralarm_word(enum monitoralarm_kind kind)
{
	return kinds[kind].word;
}

bool monitoralarm_is_grave(enum monitoralarm_kind kind)
{
	return kinds[kind].grave;
}

/* --- what is said --- */

static void say(const char *journal, const char *format, va_list args)
{
	char text[1024], time[TEXT_TIME_SIZE];

	vsnprintf(text, sizeof text, format, args);
	text_time(text_now_ms(), time);
	/* journald stamps lines itself and wants the severity in front: sd-daemon(3). */
	if (getenv("JOURNAL_STREAM"))
		fprintf(stderr, "%s%s\n", journal, text);
	else
		fprintf(stderr, "%s %s\n", time, text);
	fflush(stderr);
}

static void say_loud(const char *format, ...) __attribute__((format(printf, 1, 2)));
static void say_loud(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	say("<1>", format, args);
	va_end(args);
}

void monitor_say(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	say("<5>", format, args);
	va_end(args);
}

void monitoralarm_say(const struct monitoralarm *a)
{
	if (a->node)
		say_loud("ALARM %u %s node=%" PRIu64 " size=%" PRIu64 ": %s", a->id, kinds[a->kind].word, a->node,
		         a->size, a->text);
	else
		say_loud("ALARM %u %s size=%" PRIu64 ": %s", a->id, kinds[a->kind].word, a->size, a->text);
}

json_t *monitoralarm_json(const struct monitoralarm *a)
{
	return json_pack("{s:i, s:s, s:b, s:I, s:I, s:I, s:s, s:b}", "id", (int)a->id, "kind", kinds[a->kind].word,
	                 "grave", kinds[a->kind].grave, "node", (json_int_t)a->node, "size", (json_int_t)a->size,
	                 "at_ms", (json_int_t)a->at_ms, "text", a->text, "acknowledged", a->acknowledged);
}

/* --- the file: an object a line, of an alarm or of an acknowledgement --- */

static bool read_alarm(const json_t *o, struct monitoralarm *ret)
{
	const char *word = json_string_value(json_object_get(o, "kind")),
	           *text = json_string_value(json_object_get(o, "text"));
	json_int_t id = json_integer_value(json_object_get(o, "id"));
	unsigned kind = 0;

	while (word && kind < MONITORALARM_KINDS && strcmp(kinds[kind].word, word) != 0)
		kind++;
	if (!word || !text || kind == MONITORALARM_KINDS || id < 1 || id > MONITORALARM_MAX)
		return false;
	*ret = (struct monitoralarm){.id = (unsigned)id,
	                             .kind = (enum monitoralarm_kind)kind,
	                             .node = (uint64_t)json_integer_value(json_object_get(o, "node")),
	                             .size = (uint64_t)json_integer_value(json_object_get(o, "size")),
	                             .at_ms = (uint64_t)json_integer_value(json_object_get(o, "at_ms"))};
	text_safe(text, strlen(text), ret->text, sizeof ret->text);
	return true;
}

static bool read_line(struct monitoralarms *a, const char *line, size_t len)
{
	json_t *o = json_loadb(line, len, JSON_REJECT_DUPLICATES, NULL);
	json_int_t acknowledged = json_integer_value(json_object_get(o, "acknowledged_id"));
	struct monitoralarm alarm;
	bool good = true;

	if (!o)
		return true; /* What a crash has cut off: that alarm was raised again if it still held. */
	if (acknowledged >= 1 && (uint64_t)acknowledged <= a->n) {
		a->n_open -= !a->list[acknowledged - 1].acknowledged;
		a->list[acknowledged - 1].acknowledged = true;
	} else if (a->n < MONITORALARM_MAX && read_alarm(o, &alarm) && alarm.id == a->n + 1) {
		a->list[a->n++] = alarm;
		a->n_open++;
	} else {
		good = false;
	}
	json_decref(o);
	return good;
}

/* 0, ENOENT or another errno value; EILSEQ: it is not what a monitor writes. */
static int load(struct monitoralarms *a)
{
	char path[FILES_PATH_SIZE], *text = NULL;
	size_t size = 0;
	int err = files_join(path, a->dir, MONITORALARM_FILE) ? files_read(path, FILE_SIZE_MAX, &text, &size)
	                                                      : ENAMETOOLONG;

	if (err)
		return err;
	a->n = a->n_open = 0;
	a->file_size = size;
	for (char *p = text, *end; !err && (end = memchr(p, '\n', size - (size_t)(p - text))); p = end + 1)
		if (end > p && !read_line(a, p, (size_t)(end - p)))
			err = EILSEQ;
	free(text);
	return err;
}

int monitoralarms_open(const char *command, const char *dir, struct monitoralarms *ret)
{
	*ret = (struct monitoralarms){.dir = dir, .list = calloc(MONITORALARM_MAX, sizeof *ret->list)};
	if (!ret->list)
		return tool_fail(EXIT_LOCAL, command, "out of memory");
	int err = load(ret);
	return !err || err == ENOENT ? 0
	                             : tool_fail(EXIT_LOCAL, command, "%s/" MONITORALARM_FILE ": %s", dir,
	                                         err == EILSEQ ? "not as a monitor writes it" : strerror(err));
}

void monitoralarms_refresh(struct monitoralarms *a)
{
	char path[FILES_PATH_SIZE];
	struct stat st;

	if (files_join(path, a->dir, MONITORALARM_FILE) && !stat(path, &st) && (uint64_t)st.st_size != a->file_size)
		load(a);
}

void monitoralarms_close(struct monitoralarms *a)
{
	free(a->list);
	a->list = NULL;
}

/* 0 or an errno value. Takes o over. */
static int append(struct monitoralarms *a, json_t *o)
{
	char path[FILES_PATH_SIZE], *text = json_dumps(o, JSON_COMPACT), *line = NULL;
	int fd, n, err = 0;

	json_decref(o);
	if (!text || !files_join(path, a->dir, MONITORALARM_FILE))
		return ENOMEM;
	/* A line that a crash has cut off ends here; empty lines mean nothing. */
	n = asprintf(&line, "\n%s\n", text);
	free(text);
	if (n < 0)
		return ENOMEM;
	a->file_size += (uint64_t)n;
	fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	if (fd < 0 || write(fd, line, (size_t)n) != n || fsync(fd))
		err = errno ? errno : EIO;
	if (fd >= 0)
		close(fd);
	free(line);
	return err;
}

bool monitoralarms_stands(const struct monitoralarms *a, enum monitoralarm_kind kind, uint64_t node)
{
	for (unsigned i = 0; i < a->n; i++)
		if (!a->list[i].acknowledged && a->list[i].kind == kind && a->list[i].node == node)
			return true;
	return false;
}

const struct monitoralarm *monitoralarms_raise(struct monitoralarms *a, const struct monitoralarm *alarm)
{
	struct monitoralarm *kept;
	int err;

	if (monitoralarms_stands(a, alarm->kind, alarm->node))
		return NULL;
	if (a->n == MONITORALARM_MAX) {
		say_loud("ALARM, and %d are kept already: %s: %s", MONITORALARM_MAX, kinds[alarm->kind].word,
		         alarm->text);
		return NULL;
	}
	kept = &a->list[a->n];
	*kept = *alarm;
	kept->id = ++a->n;
	kept->at_ms = text_now_ms();
	kept->acknowledged = false;
	text_safe(alarm->text, strlen(alarm->text), kept->text, sizeof kept->text);
	a->n_open++;
	monitoralarm_say(kept);
	err = append(a, monitoralarm_json(kept));
	if (err)
		say_loud("%s/" MONITORALARM_FILE ": %s: the alarm is not kept", a->dir, strerror(err));
	return kept;
}

const struct monitoralarm *monitoralarms_grave(const struct monitoralarms *a)
{
	for (unsigned i = 0; i < a->n; i++)
		if (!a->list[i].acknowledged && kinds[a->list[i].kind].grave)
			return &a->list[i];
	return NULL;
}

int monitoralarms_acknowledge(const char *command, struct monitoralarms *a, unsigned id, unsigned *ret_n)
{
	*ret_n = 0;
	if (id > a->n)
		return tool_fail(EXIT_USAGE, command, "there is no alarm %u", id);
	for (unsigned i = 0; i < a->n; i++) {
		if ((id && a->list[i].id != id) || a->list[i].acknowledged)
			continue;
		int err = append(a, json_pack("{s:i, s:I}", "acknowledged_id", (int)a->list[i].id, "at_ms",
		                              (json_int_t)text_now_ms()));
		if (err)
			return tool_fail(EXIT_LOCAL, command, "%s/" MONITORALARM_FILE ": %s", a->dir, strerror(err));
		a->list[i].acknowledged = true;
		a->n_open--;
		++*ret_n;
	}
	return 0;
}
