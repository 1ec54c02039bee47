/* What doors of a machine say in its log: each service's words to its own reader. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "client/tool/import/login.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define REPEATED_MAX 1000000 /* A line that says more is not believed. */

/* OpenSSH 9.8 moved the work of a connection into programs of their own. */
static bool is_sshd(const char *service)
{
	return !strcmp(service, "sshd") || !strcmp(service, "sshd-session") || !strcmp(service, "sshd-auth");
}

static enum past_kind read_one(const char *service, const char *message, struct past_event *e, char *reason)
{
	if (is_sshd(service))
		return sshd_read(message, e, reason);
	if (!strcmp(service, "sudo"))
		return sudo_read(message, e, reason);
	return session_read(message, e, reason);
}

/* rsyslog's "message repeated 2 times: [ Failed password for … ]". */
static const char *repeated(const char *message, char *copy, size_t cap, unsigned *ret_times)
{
	unsigned times;
	int n = 0;
	size_t len;

	if (sscanf(message, "message repeated %7u times: [ %n", &times, &n) != 1 || !n || times > REPEATED_MAX)
		return message;
	len = strlen(message + n);
	if (!len || message[n + (int)len - 1] != ']' || len > cap)
		return message;
	memcpy(copy, message + n, len - 1);
	copy[len - 1] = 0;
	*ret_times = times;
	return copy;
}

enum past_kind login_read(const struct login_line *l, struct past_event *ret, char reason[PAST_REASON_SIZE])
{
	char copy[1024];
	unsigned times = 0;
	const char *message = repeated(l->message, copy, sizeof copy, &times);
	enum past_kind kind;

	memset(ret, 0, sizeof *ret);
	kind = read_one(l->service, message, ret, reason);
	ret->times = times;
	if (kind != PAST_EVENT)
		return kind;
	ret->time_ms = l->time_ms;
	past_keep("user", ret->subject_type, sizeof ret->subject_type);
	past_keep("host", ret->resource_type, sizeof ret->resource_type);
	past_keep(*l->host ? l->host : "localhost", ret->resource_id, sizeof ret->resource_id);
	past_add_text(ret, "service", l->service);
	return PAST_EVENT;
}
