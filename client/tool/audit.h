/* What the commands of `countersign audit` share: files read, the cluster opened, the report made. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLIENT_TOOL_AUDIT_H
#define CLIENT_TOOL_AUDIT_H

#include <jansson.h>

#include "client/tool/auditproof.h"
#include "client/tool/tool.h"
#include "node/wire/keyfile.h"

#define AUDIT_WAIT_MS 5000 /* For an entry, or for the cosignatures of a quorum. */
/* Exit codes of an audit's own; the others are those of tool.h. */
enum audit_exit { AUDIT_HELD = 0, AUDIT_ALARM = 1, AUDIT_UNDECIDED = 2 };

/* The cluster as an auditor meets it: its file, the policy that is trusted, a connection. */
struct auditcluster {
	struct cluster_file file;
	struct verify_policy *policy;
	const char *trust; /* Path of the policy. */
	struct auditsource source;
};
/* trust NULL: the cluster file's own. 0 or the exit code after a message; close in each case. */
int auditcluster_open(const char *command, const struct tool_access *access, const char *trust,
                      struct auditcluster *ret);
void auditcluster_close(struct auditcluster *c);

int auditvisit_run(int argc, char **argv);
int auditcompare_run(int argc, char **argv);

/* The report's object (auditvisit_report.c) as text on stdout, and as a page on its own. */
void auditreport_print(const json_t *report);
/* malloc'ed; NULL: no memory. */
char *audithtml_make(const json_t *report, size_t *ret_size);

#endif
