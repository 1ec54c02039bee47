/* Reader of auth.log and secure: lines of syslog's, about doors. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "client/tool/import/authlog.h"

#include <stdio.h>
#include <string.h>

#include "client/tool/import/format.h"

/* The next word, and the space behind it. */
static const char *word(const char *s, char ret[AUTHLOG_NAME_SIZE])
{
	size_t n = strcspn(s, " ");

	past_keep_part(s, n, ret, AUTHLOG_NAME_SIZE);
	return s + n + (s[n] == ' ');
}

/* RFC 5424, 6.3: "-", or elements "[… "value" …]" in which \" \\ and \] are escaped. */
static const char *structured_data(const char *s)
{
	if (*s == '-')
		return s + 1;
	while (*s == '[') {
		bool quoted = false;

		for (s++; *s && (quoted || *s != ']'); s++) {
			if (*s == '\\' && s[1])
				s++;
			else if (*s == '"')
				quoted = !quoted;
		}
		s += *s == ']';
	}
	return s;
}

/* "host app procid msgid data message". */
static enum past_kind rest_of_5424(const char *s, struct authlog_line *ret)
{
	char skipped[AUTHLOG_NAME_SIZE];

	s = word(s, ret->host);
	s = word(s, ret->service);
	s = word(s, skipped);
	s = word(s, skipped);
	s = structured_data(s);
	s += *s == ' ';
	if (!strncmp(s, "\xef\xbb\xbf", 3)) /* Its mark of UTF-8. */
		s += 3;
	ret->line.message = s;
	return *s ? PAST_EVENT : PAST_OTHER;
}

/* "host service[pid]: message". */
static enum past_kind rest_of_3164(const char *s, struct authlog_line *ret)
{
	size_t n;

	s = word(s, ret->host);
	n = strcspn(s, "[: ");
	past_keep_part(s, n, ret->service, sizeof ret->service);
	s += n;
	if (*s == '[')
		s += strcspn(s, "]") + 1;
	if (strncmp(s, ": ", 2) != 0)
		return PAST_OTHER; /* "last message repeated 2 times", "-- MARK --" */
	ret->line.message = s + 2;
	return PAST_EVENT;
}

/* "<PRI>" and RFC 5424's version behind it. */
static const char *priority(const char *s, bool *ret_5424)
{
	int n = 0;
	unsigned number;

	*ret_5424 = false;
	if (*s != '<' || sscanf(s, "<%3u>%n", &number, &n) != 1 || !n)
		return s;
	*ret_5424 = !strncmp(s + n, "1 ", 2);
	return s + n + (*ret_5424 ? 2 : 0);
}

enum past_kind authlog_front(const char *s, struct when *w, struct authlog_line *ret, char reason[PAST_REASON_SIZE])
{
	bool is_5424;
	size_t n;

	s = priority(s, &is_5424);
	if (when_iso(s, w->utc_offset_s, &ret->line.time_ms, &n)) {
		s += n;
	} else if (when_syslog(s, w, &ret->line.time_ms)) {
		s += 15;
	} else {
		snprintf(reason, PAST_REASON_SIZE, "does not begin with a time: \"%.32s\"", s);
		return PAST_BAD;
	}
	s += *s == ' ';
	ret->line.host = ret->host;
	ret->line.service = ret->service;
	return is_5424 ? rest_of_5424(s, ret) : rest_of_3164(s, ret);
}

bool authlog_looks_like(const char *line)
{
	struct when w = {.year = 2000}; /* A leap year: any date of a line is one. */
	char reason[PAST_REASON_SIZE];
	struct authlog_line l;

	return authlog_front(line, &w, &l, reason) != PAST_BAD;
}

void authlog_read_log(struct reading *r)
{
	struct authlog_line front;
	enum past_kind kind;
	char *line;
	size_t len;
	bool go_on = true;

	while (go_on && reading_line(r, &line, &len)) {
		if (!len)
			kind = PAST_OTHER;
		else
			kind = authlog_front(line, &r->when, &front, r->reason);
		if (kind == PAST_EVENT)
			kind = login_read(&front.line, &r->event, r->reason);
		go_on = reading_take(r, kind);
	}
}
