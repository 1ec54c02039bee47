/* What su, login and whatever else opens sessions through PAM say. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <stdio.h>
#include <string.h>

#include "client/tool/import/login.h"

#define SERVICE_SIZE 33

/* Sessions of machines, and those whose own service has told already who came. */
static bool told_elsewhere(const char *service)
{
	static const char *const names[] = {"sshd", "sudo",         "sudo-i",  "cron",      "crond",
	                                    "atd",  "systemd-user", "runuser", "runuser-l", "polkit-1"};

	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		if (!strcmp(service, names[i]))
			return true;
	return false;
}

/* A name ends at "(uid=", at a space, or with the text. */
static size_t name_len(const char *s)
{
	return strcspn(s, "( ");
}

/*
 * Linux-PAM, pam_unix_sess.c: "pam_unix(SERVICE:session): session opened for user NAME[(uid=N)] by [NAME](uid=N)". su
 * is by whoever ran it; other services are by nobody but the one who came.
 */
static enum past_kind opened(const char *service, const char *s, struct past_event *e)
{
	const char *user = s, *by = strstr(s, " by ");
	size_t user_len = name_len(user), by_len = by ? name_len(by + 4) : 0;
	char action[SERVICE_SIZE + 8];
	bool su = !strcmp(service, "su") || !strcmp(service, "su-l");

	if (told_elsewhere(service) || !user_len)
		return PAST_OTHER;
	if (su && !by_len)
		return PAST_OTHER; /* A machine's: nobody is named. */
	if (su) {
		past_keep_part(by + 4, by_len, e->subject_id, sizeof e->subject_id);
		past_add_part(e, "run_as", user, user_len);
	} else {
		past_keep_part(user, user_len, e->subject_id, sizeof e->subject_id);
	}
	snprintf(action, sizeof action, "%s:session", service);
	past_keep(action, e->action, sizeof e->action);
	return PAST_EVENT;
}

static enum past_kind failed(char *reason, const char *what)
{
	snprintf(reason, PAST_REASON_SIZE, "%s", what);
	return PAST_FAILED;
}

enum past_kind session_read(const char *message, struct past_event *ret, char reason[PAST_REASON_SIZE])
{
	char service[SERVICE_SIZE];
	int n = 0;

	if (sscanf(message, "pam_unix(%32[^:)]:session): session opened for user %n", service, &n) == 1 && n)
		return opened(service, message + n, ret);
	if (!strncmp(message, "FAILED SU ", 10) || !strncmp(message, "FAILED su ", 10))
		return failed(reason, "su: refused");
	if (!strncmp(message, "FAILED LOGIN ", 13))
		return failed(reason, "login: failed");
	return PAST_OTHER;
}
