/* countersign policy set: makes a policy file the cluster's, once it compiles and its cases come out as expected. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <stdio.h>

#include "client/tool/policycommands.h"
#include "client/tool/policyfile.h"
#include "client/tool/policytest.h"
#include "client/tool/result.h"
#include "client/tool/tool.h"

static const struct usage usage = {
        .command = "policy set",
        .arguments = "FILE",
        .about = "Compiles a policy file and makes it the cluster's, signed with the administrator's key (--key). It "
                 "is\n"
                 "in force from its own entry in the ledger on. With --cases those are played under it first, and it "
                 "is\n"
                 "sent only if all come out as expected. One that is wrong never replaces the one in force.\n",
        .exits = "  0  it is in force (--dry-run: it would be sent)\n  1  a case did not come out as expected: not "
                 "sent\n"
                 "  2  a case could not be played: not sent\n" TOOL_EXIT_TEXT,
        .n_min = 1,
        .n_max = 1,
};

struct words {
	struct tool_access access;
	const char *cases;
	bool dry_run, json;
};

static int set(cs_client *client, const char *path, const struct policyfile *p, bool json)
{
	char text[512] = "";
	cs_result *result = NULL;
	int code = 0, err = cs_policy_set(client, p->source, p->source_len, &result, text, sizeof text);

	if (err && *text)
		return tool_fail(tool_exit_of(err), usage.command, "%s: %s", path, text);
	if (err)
		return tool_failed_call(usage.command, path, err);
	if (json)
		code = result_dump(usage.command, result_json(result), true);
	else
		result_print_done(result, path);
	cs_result_free(result);
	return code;
}

/* Standard output is the answer's where it is JSON: then cases are silent unless they fail. */
static int play_cases(const struct words *w, const char *path, const struct policyfile *p)
{
	struct policytest t;
	int code = policytest_load(usage.command, w->cases, &t);

	if (code)
		return code;
	code = policytest_play(usage.command, &t, p, path, w->json ? POLICYTEST_QUIET : POLICYTEST_TEXT);
	policytest_close(&t);
	if (code == 1 || code == 2)
		tool_fail(code, usage.command, "%s: its cases in %s did not come out as expected: not set", path,
		          w->cases);
	return code;
}

static int send(const struct words *w, const char *path, const struct policyfile *p)
{
	cs_client *client;
	int code = tool_open(usage.command, &w->access, 0, &client);

	if (code)
		return code;
	code = set(client, path, p, w->json);
	cs_close(client);
	return code;
}

int policyset_run(int argc, char **argv)
{
	struct words w = {.access.timeout_ms = TOOL_TIMEOUT_MS_DEFAULT};
	const struct option options[] = {
	        TOOL_ADMIN_OPTIONS(&w.access),
	        {"cases", OPTION_TEXT, &w.cases, "FILE", "play these first; not set unless all are as expected", 0, 0},
	        {"dry-run", OPTION_FLAG, &w.dry_run, NULL, "do all but send it", 0, 0},
	        {"json", OPTION_FLAG, &w.json, NULL, "as JSON", 0, 0},
	        {NULL, OPTION_FLAG, NULL, NULL, NULL, 0, 0},
	};
	struct policyfile p;
	unsigned n;
	int code = options_parse(&usage, options, argc, argv, &n);

	if (code != OPTIONS_GO_ON)
		return code;
	code = policyfile_load(usage.command, argv[0], &p);
	if (code)
		return code;
	if (w.cases)
		code = play_cases(&w, argv[0], &p);
	if (!code && w.dry_run)
		fprintf(stderr, "%s: valid%s; not sent (--dry-run)\n", argv[0],
		        w.cases ? ", its cases are as expected" : "");
	else if (!code)
		code = send(&w, argv[0], &p);
	policyfile_close(&p);
	return code;
}
