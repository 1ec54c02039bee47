/* The kinds of logs that can be imported, and which one a file is. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLIENT_TOOL_IMPORT_FORMAT_H
#define CLIENT_TOOL_IMPORT_FORMAT_H

#include "client/tool/import/reading.h"

/* X(reader, name, what it is). The name stands in each entry's source. */
#define FORMAT_LIST(X)                                                                                                 \
	X(cloudtrail, "cloudtrail", "AWS CloudTrail's files")                                                          \
	X(authlog, "authlog", "auth.log, secure: sshd, sudo, su, logins, as syslog writes them")                       \
	X(journal_export, "journal-export", "the same from journalctl -o export")                                      \
	X(journal_json, "journal-json", "the same from journalctl -o json")                                            \
	X(opa, "opa", "Open Policy Agent's decision logs")                                                             \
	X(csv, "csv", "tables with a header row; needs --map")

#define FORMAT_DECLARE(reader, name, about) void reader##_read_log(struct reading *r);
FORMAT_LIST(FORMAT_DECLARE)
#undef FORMAT_DECLARE

struct format {
	const char *name, *about;
	void (*read)(struct reading *r);
};
extern const struct format formats[]; /* Ended by a NULL name. */

/* NULL: none has this name. */
const struct format *format_named(const char *name);
/* By the file's first bytes. mapped: a mapping was given, so that it may be a table. NULL: like none of them. */
const struct format *format_detect(struct input *in, bool mapped);

#endif
