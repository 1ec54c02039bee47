/* countersign prove: writes an entry's proof, cosigned by a quorum, to a file for offline verification. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/tool/files.h"
#include "client/tool/tool.h"

static const struct usage usage = {
        .command = "prove",
        .arguments = "INDEX",
        .about = "Writes one file with the entry, the fields that are open to you and its inclusion proof, under the\n"
                 "newest checkpoint that a quorum has cosigned. `countersign verify` checks it without any server.\n"
                 "Whoever gets the file sees those fields.\n",
        .exits = "  0  written, cosigned by a quorum\n  2  written, but it is the leader's claim only\n" TOOL_EXIT_TEXT,
        .n_min = 1,
        .n_max = 1,
};

static int prove(cs_client *client, uint64_t index, uint64_t wait_ms, const char *path)
{
	char *bundle = NULL, what[40];
	bool quorum = false;
	int err = cs_prove(client, index, (unsigned)wait_ms, &bundle, &quorum);

	snprintf(what, sizeof what, "entry %" PRIu64, index);
	if (err)
		return tool_failed_call(usage.command, what, err);
	if (path)
		err = files_write(path, bundle, strlen(bundle), 0644);
	else
		puts(bundle);
	free(bundle);
	if (err)
		return tool_fail(EXIT_LOCAL, usage.command, "%s: %s", path, strerror(err));
	fprintf(stderr, "%s: %s%s%s\n", what,
	        quorum ? "cosigned by a quorum" : "the leader's claim only, no quorum cosigned it yet",
	        path ? ", written to " : "", path ? path : "");
	return quorum ? 0 : 2;
}

int prove_run(int argc, char **argv)
{
	struct tool_access access = {.timeout_ms = 10000};
	const char *path = NULL;
	uint64_t wait_ms = 2000, index;
	const struct option options[] = {
	        TOOL_ACCESS_OPTIONS(&access),
	        {"out", OPTION_TEXT, &path, "FILE", "where to (a new file; default: standard output)", 0, 0},
	        {"wait", OPTION_NUMBER, &wait_ms, "MS", "longest wait for cosignatures (default: 2000)", 0, 60000},
	        {NULL, OPTION_FLAG, NULL, NULL, NULL, 0, 0},
	};
	cs_client *client;
	unsigned n;
	int code = options_parse(&usage, options, argc, argv, &n);

	if (code != OPTIONS_GO_ON)
		return code;
	if (!tool_parse_index(argv[0], &index))
		return tool_fail(EXIT_USAGE, usage.command, "\"%s\" is not the index of an entry", argv[0]);
	code = tool_open(usage.command, &access, 0, &client);
	if (code)
		return code;
	code = prove(client, index, wait_ms, path);
	cs_close(client);
	return code;
}
