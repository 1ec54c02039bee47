/* An entry of systemd's journal as a past event. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "client/tool/import/journal.h"

#include <stdio.h>
#include <string.h>

#include "client/tool/import/when.h"

void journal_field(struct journal_entry *e, const char *name, size_t name_len, const char *value, size_t len)
{
#define JOURNAL_TAKE(member, field, size)                                                                              \
	if (name_len == sizeof field - 1 && !memcmp(name, field, name_len) && !*e->member)                             \
		past_keep_part(value, len, e->member, sizeof e->member);
	JOURNAL_FIELDS(JOURNAL_TAKE)
#undef JOURNAL_TAKE
}

/* Only root puts programs there. */
static bool of_the_system(const char *exe)
{
	static const char *const folders[] = {"/usr/", "/bin/", "/sbin/", "/lib/", "/nix/store/", "/run/wrappers/"};

	if (!strncmp(exe, "/usr/local/", 11) || strstr(exe, "/../"))
		return false;
	for (size_t i = 0; i < sizeof folders / sizeof *folders; i++)
		if (!strncmp(exe, folders[i], strlen(folders[i])))
			return true;
	return false;
}

/* sudo, su and sshd-session by the program's own name. */
static bool is_program(const char *exe, const char *service)
{
	const char *base = strrchr(exe, '/');

	return base && !strncmp(base + 1, service, strlen(service)) && of_the_system(exe);
}

enum past_kind journal_read(const struct journal_entry *e, struct past_event *ret, char reason[PAST_REASON_SIZE])
{
	const char *service = *e->identifier ? e->identifier : e->comm;
	struct login_line line = {.service = service, .host = e->host, .message = e->message};
	struct when w = {.pattern = "us"};
	enum past_kind kind;

	if (!when_any(e->realtime, &w, &line.time_ms)) {
		snprintf(reason, PAST_REASON_SIZE, "__REALTIME_TIMESTAMP \"%.40s\" is no time", e->realtime);
		return PAST_BAD;
	}
	kind = login_read(&line, ret, reason);
	if (kind == PAST_EVENT && strcmp(e->uid, "0") != 0 && !is_program(e->exe, service)) {
		snprintf(reason, PAST_REASON_SIZE, "journal: said in a door's name by another program");
		return PAST_FAILED;
	}
	return kind;
}
