/* Structured log lines to stderr. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "node/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define LINE_SIZE_MAX 2048 /* A longer line is cut: one write, no allocation. */

static enum log_level level_max = LOG_LEVEL_INFO;
static unsigned long long node_id;

void log_set_level(enum log_level level)
{
	level_max = level;
}

void log_set_node(unsigned long long id)
{
	node_id = id;
}

static const struct {
	const char *text;
	enum log_level level;
} level_texts[] = {
        {"error", LOG_LEVEL_ERROR},
        {"warning", LOG_LEVEL_WARNING},
        {"info", LOG_LEVEL_INFO},
        {"debug", LOG_LEVEL_DEBUG},
};

int log_level_parse(const char *text)
{
	for (size_t i = 0; i < sizeof level_texts / sizeof *level_texts; i++)
		if (strcmp(level_texts[i].text, text) == 0)
			return (int)level_texts[i].level;
	return -1;
}

static const char *level_text(enum log_level level)
{
	for (size_t i = 0; i < sizeof level_texts / sizeof *level_texts; i++)
		if (level_texts[i].level == level)
			return level_texts[i].text;
	return "?";
}

/* Under journald (JOURNAL_STREAM is set) it stamps lines itself and wants "<severity>" in front: sd-daemon(3). */
static int line_head(char *buf, size_t cap, enum log_level level)
{
	struct timespec now;
	struct tm utc;

	if (getenv("JOURNAL_STREAM"))
		return snprintf(buf, cap, "<%d>node=%llu ", (int)level, node_id);
	clock_gettime(CLOCK_REALTIME, &now);
	gmtime_r(&now.tv_sec, &utc);
	return snprintf(buf, cap, "%04d-%02d-%02dT%02d:%02d:%02d.%03ldZ %s node=%llu ", utc.tm_year + 1900,
	                utc.tm_mon + 1, utc.tm_mday, utc.tm_hour, utc.tm_min, utc.tm_sec, now.tv_nsec / 1000000,
	                level_text(level), node_id);
}

void log_line(enum log_level level, const char *format, ...)
{
	char line[LINE_SIZE_MAX];
	va_list ap;
	int head, n;
	size_t len;

	if (level > level_max)
		return;
	head = line_head(line, sizeof line, level);
	va_start(ap, format);
	n = vsnprintf(line + head, sizeof line - (size_t)head, format, ap);
	va_end(ap);
	if (n < 0)
		return;
	len = (size_t)head + (size_t)n;
	if (len > sizeof line - 1)
		len = sizeof line - 1;
	line[len] = '\n'; /* In the place of the NUL: the line is written by length. */
	/* Nothing can be done about a log that cannot be written; the node's work does not depend on it. */
	if (write(STDERR_FILENO, line, len + 1) < 0)
		return;
}
