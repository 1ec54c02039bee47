/* Whose signatures count for a backup: the trust policy that is named, or the cluster file's. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "client/tool/backup/trust.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/tool/files.h"
#include "node/wire/keyfile.h"
#include "node/wire/textfile.h"

static int read_policy(const char *command, const char *path, struct verify_policy **ret)
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

int trust_open(const char *command, const struct tool_access *access, const char *path, struct verify_policy **ret)
{
	const char *cluster = access->cluster ? access->cluster : getenv("COUNTERSIGN_CLUSTER");
	char text[TEXTFILE_ERROR_SIZE] = "";
	struct cluster_file *file;
	int code;

	if (path)
		return read_policy(command, path, ret);
	if (!cluster || !*cluster)
		return tool_fail(EXIT_USAGE, command,
		                 "option --trust POLICY is missing, and there is no cluster file to name one");
	file = malloc(sizeof *file);
	if (!file)
		return tool_fail(EXIT_LOCAL, command, "out of memory");
	if (cluster_file_read(cluster, file, text))
		code = tool_fail(EXIT_USAGE, command, "%s", text);
	else
		code = read_policy(command, file->trust_path, ret);
	free(file);
	return code;
}
