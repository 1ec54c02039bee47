/* What sshd, sudo, su and other doors of a machine say in its log, as past events. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLIENT_TOOL_IMPORT_LOGIN_H
#define CLIENT_TOOL_IMPORT_LOGIN_H

#include "client/tool/import/event.h"

struct login_line {
	const char *service; /* Who says it: "sshd". */
	const char *host;
	const char *message; /* One line, without time, host and service. */
	uint64_t time_ms;
};

/*
 * Reads what a door says (countersign(1), IMPORT). All results but PAST_OTHER leave a reason's room filled where one is
 * needed: of PAST_FAILED from a small set of texts.
 */
enum past_kind login_read(const struct login_line *l, struct past_event *ret, char reason[PAST_REASON_SIZE]);

/* The single doors, by message; the rest of *ret is set by login_read. */
enum past_kind sshd_read(const char *message, struct past_event *ret, char reason[PAST_REASON_SIZE]);
enum past_kind sudo_read(const char *message, struct past_event *ret, char reason[PAST_REASON_SIZE]);
/* pam_unix's sessions of all others, su's and login's own refusals. */
enum past_kind session_read(const char *message, struct past_event *ret, char reason[PAST_REASON_SIZE]);

#endif
