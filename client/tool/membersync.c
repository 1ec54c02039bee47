/* countersign member sync: brings a cluster file and its trust policy up to date with the ledger's members. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client/tool/files.h"
#include "client/tool/memberfile.h"
#include "client/tool/tool.h"
#include "node/wire/keyfile.h"

static const struct usage usage = {
        .command = "member sync",
        .arguments = "",
        .about =
                "Follows the members: each change is fetched with its proof, and believed only if the trust policy so\n"
                "far verifies it, quorum included. Then the cluster file and the trust policy beside it are replaced "
                "by\n"
                "ones that name today's members, and the old ones are kept as FILE.old. --trust prints the policy and\n"
                "writes nothing. Clients follow by themselves while they run; auditors do this after each change, "
                "while\n"
                "enough of the nodes that they trust are still there to vouch for the new ones.\n",
        .exits = "  0  up to date\n" TOOL_EXIT_TEXT,
};

static int keep_old(const char *path)
{
	char old[FILES_PATH_SIZE];

	if (snprintf(old, sizeof old, "%s.old", path) >= (int)sizeof old)
		return tool_fail(EXIT_USAGE, usage.command, "%s: the path is too long", path);
	unlink(old);
	return link(path, old) ? tool_fail(EXIT_LOCAL, usage.command, "%s: %s", old, strerror(errno)) : 0;
}

/* cluster_file_write never overwrites: beside it first, then over it. */
static int replace_cluster(const char *path, struct cluster_file *c, const struct memberview *v)
{
	char beside[FILES_PATH_SIZE], text[256] = "";
	const char *slash = strrchr(path, '/');
	size_t folder = slash ? (size_t)(slash - path + 1) : 0;
	int code;

	/* It lies beside the file, as a rule: named so, the folder can be moved. */
	if (folder && !strncmp(c->trust_path, path, folder))
		memmove(c->trust_path, c->trust_path + folder, strlen(c->trust_path + folder) + 1);
	c->n_nodes = v->n;
	for (unsigned i = 0; i < v->n; i++) {
		c->nodes[i].id = v->nodes[i].id;
		snprintf(c->nodes[i].url, sizeof c->nodes[i].url, "%s", v->nodes[i].url);
		memcpy(c->nodes[i].channel_pub, v->nodes[i].channel_pub, 32);
	}
	if (snprintf(beside, sizeof beside, "%s.new", path) >= (int)sizeof beside)
		return tool_fail(EXIT_USAGE, usage.command, "%s: the path is too long", path);
	unlink(beside);
	if (cluster_file_write(beside, c, text))
		return tool_fail(EXIT_LOCAL, usage.command, "%s", text);
	code = keep_old(path);
	if (!code && rename(beside, path))
		code = tool_fail(EXIT_LOCAL, usage.command, "%s: %s", path, strerror(errno));
	return code;
}

static int replace_trust(const char *path, const char *policy)
{
	int code = keep_old(path), err = code ? 0 : files_replace(path, policy, strlen(policy), 0644);

	return err ? tool_fail(EXIT_LOCAL, usage.command, "%s: %s", path, strerror(err)) : code;
}

static int write_files(const char *path, struct cluster_file *c, const struct memberview *v, const char *policy)
{
	int code = replace_trust(c->trust_path, policy);

	if (!code)
		code = replace_cluster(path, c, v);
	if (!code) {
		printf("%s and %s name %u members", path, c->trust_path, v->n);
		if (v->version)
			printf(", as of entry %" PRIu64, v->version - 1);
		putchar('\n');
	}
	return code;
}

static int sync_files(cs_client *client, const char *path, bool print_only)
{
	struct cluster_file c;
	struct memberview v;
	char text[256] = "", *policy = NULL;
	int err, code;

	if (cluster_file_read(path, &c, text))
		return tool_fail(EXIT_USAGE, usage.command, "%s", text);
	err = cs_follow(client, &policy);
	if (!err)
		err = memberview_ask(client, &v);
	if (err)
		code = tool_failed_call(usage.command, "following the members", err);
	else if (print_only)
		code = fputs(policy, stdout) < 0 ? EXIT_LOCAL : 0;
	else
		code = write_files(path, &c, &v, policy);
	free(policy);
	return code;
}

int membersync_run(int argc, char **argv)
{
	struct tool_access access = {.timeout_ms = TOOL_TIMEOUT_MS_DEFAULT};
	bool print_only = false;
	const struct option options[] = {
	        TOOL_ACCESS_OPTIONS(&access),
	        {"trust", OPTION_FLAG, &print_only, NULL, "print the new trust policy, write nothing", 0, 0},
	        {NULL, OPTION_FLAG, NULL, NULL, NULL, 0, 0},
	};
	cs_client *client;
	unsigned n;
	int code = options_parse(&usage, options, argc, argv, &n);

	if (code != OPTIONS_GO_ON)
		return code;
	code = tool_open(usage.command, &access, 0, &client);
	if (code)
		return code;
	code = sync_files(client, access.cluster ? access.cluster : getenv("COUNTERSIGN_CLUSTER"), print_only);
	cs_close(client);
	return code;
}
