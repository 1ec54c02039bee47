/* What sshd says of logins: who came in, from where, with which key; who did not. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <stdio.h>
#include <string.h>

#include "client/tool/import/login.h"

/*
 * auth.c of OpenSSH, auth_log(): "Accepted|Failed|Postponed|Partial METHOD for [invalid user ]USER from ADDRESS port N
 * ssh2[: KEY]", where KEY is "ED25519 SHA256:…", of a certificate followed by " ID … (serial …) CA …".
 */

static bool starts(const char **s, const char *word)
{
	size_t n = strlen(word);

	if (strncmp(*s, word, n) != 0)
		return false;
	*s += n;
	return true;
}

/* The key's fingerprint stays the same from login to login, as a device does. */
static void read_key(struct past_event *e, const char *s)
{
	size_t type = strcspn(s, " "), len;

	if (!s[type])
		return;
	past_add_part(e, "key_type", s, type);
	s += type + 1;
	len = strcspn(s, " ");
	if (!strncmp(s, "SHA256:", 7) || !strncmp(s, "MD5:", 4))
		past_add_part(e, "device", s, len);
	s += len;
	if (starts(&s, " ID "))
		past_add_part(e, "certificate", s, strcspn(s, " "));
}

/* "METHOD for USER from ADDRESS port N ssh2[: KEY]": names of users that exist have no " from " in them. */
static enum past_kind read_accepted(const char *s, struct past_event *e, char *reason)
{
	const char *user = strstr(s, " for "), *from = user ? strstr(user + 5, " from ") : NULL, *port;
	char address[128];
	unsigned number;
	int n = 0;

	port = from ? strstr(from + 6, " port ") : NULL;
	if (!port || from == user + 5 || port == from + 6 || sscanf(port, " port %5u%n", &number, &n) != 1 || !n ||
	    (port[n] && port[n] != ' ') || (size_t)(port - from - 6) >= sizeof address) {
		snprintf(reason, PAST_REASON_SIZE, "sshd: not \"METHOD for USER from ADDRESS port N\"");
		return PAST_BAD;
	}
	past_keep_part(user + 5, (size_t)(from - user - 5), e->subject_id, sizeof e->subject_id);
	past_keep("ssh:login", e->action, sizeof e->action);
	snprintf(address, sizeof address, "%.*s", (int)(port - from - 6), from + 6);
	address[strcspn(address, "%")] = 0; /* An interface's name behind a link-local address. */
	past_add_source(e, address);
	past_add_part(e, "method", s, (size_t)(user - s));
	s = port + n;
	if (starts(&s, " ssh2: "))
		read_key(e, s);
	return PAST_EVENT;
}

static enum past_kind failed(char *reason, const char *what)
{
	snprintf(reason, PAST_REASON_SIZE, "sshd: %s", what);
	return PAST_FAILED;
}

static enum past_kind read_failed(const char *s, char *reason)
{
	static const struct {
		const char *method, *text;
	} methods[] = {
	        {"password", "failed password"},
	        {"publickey", "failed publickey"},
	        {"keyboard-interactive", "failed keyboard-interactive"},
	        {"none", "asked without proof"},
	};
	const char *what = "failed, other methods";

	if (strstr(s, " for invalid user ") || strstr(s, " for illegal user "))
		return failed(reason, "failed, invalid user");
	for (size_t i = 0; i < sizeof methods / sizeof *methods; i++)
		if (!strncmp(s, methods[i].method, strlen(methods[i].method)))
			what = methods[i].text;
	return failed(reason, what);
}

enum past_kind sshd_read(const char *message, struct past_event *ret, char reason[PAST_REASON_SIZE])
{
	const char *s = message;

	if (starts(&s, "Accepted "))
		return read_accepted(s, ret, reason);
	if (starts(&s, "Failed "))
		return read_failed(s, reason);
	if (starts(&s, "Invalid user ") || starts(&s, "Illegal user "))
		return failed(reason, "invalid user");
	if (starts(&s, "error: PAM: "))
		return failed(reason, "failed, PAM");
	if (starts(&s, "User ") && strstr(s, " not allowed because "))
		return failed(reason, "user not allowed");
	return PAST_OTHER;
}
