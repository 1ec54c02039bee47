/* The front of a line of syslog's: time, host, who says it. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLIENT_TOOL_IMPORT_AUTHLOG_H
#define CLIENT_TOOL_IMPORT_AUTHLOG_H

#include <stdbool.h>

#include "client/tool/import/login.h"
#include "client/tool/import/when.h"

#define AUTHLOG_NAME_SIZE 257 /* Of hosts and services; longer ones are cut as a request's strings. */

struct authlog_line {
	struct login_line line;
	char host[AUTHLOG_NAME_SIZE], service[AUTHLOG_NAME_SIZE];
};

/*
 * Reads "Nov  3 14:05:09 host sshd[123]: message" (RFC 3164), the same with a time as RFC 3339 has it, and RFC 5424's
 * "<38>1 time host app procid msgid [data] message"; each with "<PRI>" in front or without. PAST_EVENT: *ret is filled,
 * and borrows from s. PAST_OTHER: nobody is named who says it.
 */
enum past_kind authlog_front(const char *s, struct when *w, struct authlog_line *ret, char reason[PAST_REASON_SIZE]);
/* Does a log that begins with this line look like syslog's? */
bool authlog_looks_like(const char *line);

#endif
