/* An entry of systemd's journal, from whichever form it came: the fields that matter, and whom to believe. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLIENT_TOOL_IMPORT_JOURNAL_H
#define CLIENT_TOOL_IMPORT_JOURNAL_H

#include <stddef.h>

#include "client/tool/import/login.h"

#define JOURNAL_MESSAGE_SIZE 8192 /* sudo ends a line far earlier; what is longer is cut. */
#define JOURNAL_VALUE_SIZE   257

/* X(member, field's name, size); systemd.journal-fields(7). */
#define JOURNAL_FIELDS(X)                                                                                              \
	X(message, "MESSAGE", JOURNAL_MESSAGE_SIZE)                                                                    \
	X(identifier, "SYSLOG_IDENTIFIER", JOURNAL_VALUE_SIZE)                                                         \
	X(comm, "_COMM", JOURNAL_VALUE_SIZE)                                                                           \
	X(exe, "_EXE", JOURNAL_VALUE_SIZE)                                                                             \
	X(uid, "_UID", JOURNAL_VALUE_SIZE)                                                                             \
	X(host, "_HOSTNAME", JOURNAL_VALUE_SIZE)                                                                       \
	X(realtime, "__REALTIME_TIMESTAMP", JOURNAL_VALUE_SIZE)

struct journal_entry {
#define JOURNAL_MEMBER(member, name, size) char member[size];
	JOURNAL_FIELDS(JOURNAL_MEMBER)
#undef JOURNAL_MEMBER
};

/* Takes a field if it is one of these; the first of several of one name counts. */
void journal_field(struct journal_entry *e, const char *name, size_t name_len, const char *value, size_t len);
/*
 * The entry as a past event. Anybody may write "Accepted publickey …" into the journal under any SYSLOG_IDENTIFIER:
 * only what journald itself says of the writer is believed, that it was root (_UID), or a program of the system (_EXE).
 */
enum past_kind journal_read(const struct journal_entry *e, struct past_event *ret, char reason[PAST_REASON_SIZE]);

#endif
