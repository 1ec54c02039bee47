/* What sudo says of commands: who ran what, as whom; who was refused. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <stdio.h>
#include <string.h>

#include "client/tool/import/login.h"

/*
 * sudoers(5), LOG FORMAT: "USER : [REASON ; ][HOST=… ; ]TTY=… ; [CHROOT=… ; ]PWD=… ; USER=… ; [GROUP=… ; ][TSID=… ;
 * ][ENV=… ; ]COMMAND=…". COMMAND is last, and may hold anything.
 */

static enum past_kind failed(char *reason, const char *s, size_t len)
{
	static const struct {
		const char *words, *text;
	} causes[] = {
	        {"incorrect password attempt", "sudo: wrong password"},
	        {"command not allowed", "sudo: command not allowed"},
	        {"NOT in sudoers", "sudo: user not in sudoers"},
	        {"a password is required", "sudo: no password given"},
	        {"not allowed", "sudo: not allowed"},
	};
	const char *text = "sudo: refused";

	for (size_t i = sizeof causes / sizeof *causes; i-- > 0;)
		if (memmem(s, len, causes[i].words, strlen(causes[i].words)))
			text = causes[i].text;
	snprintf(reason, PAST_REASON_SIZE, "%s", text);
	return PAST_FAILED;
}

/* "NAME=value" of capital letters; returns the value, NULL: it is a reason in words. */
static const char *value_of(const char *s, size_t len, size_t *ret_name_len)
{
	size_t n = strspn(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZ_");

	*ret_name_len = n;
	return n && n < len && s[n] == '=' ? s + n + 1 : NULL;
}

static void take_command(struct past_event *e, const char *command)
{
	char action[5 + PAST_TEXT_SIZE], program[PAST_TEXT_SIZE];

	past_keep_part(command, strcspn(command, " "), program, sizeof program);
	snprintf(action, sizeof action, "sudo:%s", program);
	past_keep(action, e->action, sizeof e->action);
	past_add_text(e, "command", command);
}

static void take_part(struct past_event *e, const char *name, size_t name_len, const char *value, size_t len)
{
	static const struct {
		const char *theirs, *ours;
	} names[] = {
	        {"USER", "run_as"}, {"TTY", "tty"}, {"PWD", "cwd"}, {"GROUP", "run_as_group"}, {"CHROOT", "chroot"}};

	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		if (strlen(names[i].theirs) == name_len && !strncmp(name, names[i].theirs, name_len))
			past_add_part(e, names[i].ours, value, len);
}

enum past_kind sudo_read(const char *message, struct past_event *ret, char reason[PAST_REASON_SIZE])
{
	const char *s = message + strspn(message, " "), *user = s, *colon = strstr(s, " : "), *refusal = NULL;
	size_t refusal_len = 0;

	if (!colon || colon == user || memchr(user, ' ', (size_t)(colon - user)) || !strncmp(colon + 3, "(command ", 9))
		return PAST_OTHER;
	past_keep_part(user, (size_t)(colon - user), ret->subject_id, sizeof ret->subject_id);
	for (s = colon + 3; *s;) {
		const char *end = strstr(s, " ; "), *value;
		size_t len = end ? (size_t)(end - s) : strlen(s), name_len;

		value = value_of(s, len, &name_len);
		if (value && name_len == 7 && !strncmp(s, "COMMAND", 7)) {
			if (refusal)
				return failed(reason, refusal, refusal_len);
			take_command(ret, value);
			return PAST_EVENT;
		}
		if (value)
			take_part(ret, s, name_len, value, len - name_len - 1);
		else if (!refusal) {
			refusal = s;
			refusal_len = len;
		}
		s += len + (end ? 3 : 0);
	}
	return PAST_OTHER; /* A warning: no command is named. */
}
