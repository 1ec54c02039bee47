/* countersign audit: an auditor's visits to a ledger, and auditors held against each other. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "client/tool/audit.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "client/tool/files.h"
#include "node/wire/textfile.h"

static int read_trust(const char *command, const char *path, struct verify_policy **ret)
{
	char reason[256] = "", *text = NULL;
	size_t size;
	int err = files_read(path, VERIFY_POLICY_SIZE_MAX, &text, &size);

	if (err)
		return tool_fail(EXIT_USAGE, command, "%s: %s", path, strerror(err));
	err = verify_policy_parse(text, size, ret, reason, sizeof reason);
	free(text);
	return err ? tool_fail(EXIT_USAGE, command, "%s: %s", path, *reason ? reason : cs_strerror(err)) : 0;
}

int auditcluster_open(const char *command, const struct tool_access *access, const char *trust,
                      struct auditcluster *ret)
{
	const char *path = access->cluster ? access->cluster : getenv("COUNTERSIGN_CLUSTER");
	char text[TEXTFILE_ERROR_SIZE];
	int code;

	memset(ret, 0, sizeof *ret);
	/* Opening says what is missing. */
	code = tool_open(command, access, 0, &ret->source.client);
	if (code)
		return code;
	if (cluster_file_read(path, &ret->file, text))
		return tool_fail(EXIT_USAGE, command, "%s", text);
	ret->trust = trust ? trust : ret->file.trust_path;
	code = read_trust(command, ret->trust, &ret->policy);
	ret->source.command = command;
	ret->source.policy = ret->policy;
	ret->source.wait_ms = AUDIT_WAIT_MS;
	return code;
}

void auditcluster_close(struct auditcluster *c)
{
	cs_close(c->source.client);
	verify_policy_free(c->policy);
}

int audit_run(int argc, char **argv)
{
	static const struct tool_command subcommands[] = {
	        {"compare", "two auditors' states, or one and a node, held against each other", auditcompare_run},
	        {NULL, NULL, NULL},
	};

	/* A visit is what `audit` is; only the comparison has a name. */
	if (argc && !strcmp(argv[0], "compare"))
		return tool_group("audit", subcommands, argc, argv);
	return auditvisit_run(argc, argv);
}
