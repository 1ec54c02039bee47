/* countersign policy: checks a policy file, sets it, or shows the built-in one. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <sodium.h>
#include <stdio.h>

#include "client/tool/policyfile.h"
#include "client/tool/result.h"
#include "client/tool/tool.h"
#include "ledger/hash.h"
#include "node/decide/policy.h"

static const struct usage check_usage = {
        .command = "policy check",
        .arguments = "FILE",
        .about =
                "Compiles a policy file here, without asking the cluster, and prints its hash as the ledger will name\n"
                "it. Errors are named with line and column.\n",
        .exits = "  0  it is a valid policy\n" TOOL_EXIT_TEXT,
        .n_min = 1,
        .n_max = 1,
};

static void print_hash(const char *path, const struct policyfile *p)
{
	char hex[2 * HASH_SIZE + 1];
	struct hash h;

	hash_bytes(&h, p->compiled, p->compiled_len);
	sodium_bin2hex(hex, sizeof hex, h.b, sizeof h.b);
	printf("%s: valid, %zu bytes compiled, hash %s\n", path, p->compiled_len, hex);
}

static int check_file_run(int argc, char **argv)
{
	const struct option options[] = {{NULL, OPTION_FLAG, NULL, NULL, NULL, 0, 0}};
	struct policyfile p;
	unsigned n;
	int code = options_parse(&check_usage, options, argc, argv, &n);

	if (code != OPTIONS_GO_ON)
		return code;
	code = policyfile_load(check_usage.command, argv[0], &p);
	if (code)
		return code;
	print_hash(argv[0], &p);
	policyfile_close(&p);
	return 0;
}

static const struct usage set_usage = {
        .command = "policy set",
        .arguments = "FILE",
        .about = "Compiles a policy file and makes it the cluster's, signed with the administrator's key (--key). It "
                 "is\n"
                 "in force from its own entry in the ledger on.\n",
        .exits = "  0  it is in force\n" TOOL_EXIT_TEXT,
        .n_min = 1,
        .n_max = 1,
};

static int set(cs_client *client, const char *path, const struct policyfile *p, bool json)
{
	char text[512] = "";
	cs_result *result = NULL;
	int code = 0, err = cs_policy_set(client, p->source, p->source_len, &result, text, sizeof text);

	if (err && *text)
		return tool_fail(tool_exit_of(err), set_usage.command, "%s: %s", path, text);
	if (err)
		return tool_failed_call(set_usage.command, path, err);
	if (json)
		code = result_dump(set_usage.command, result_json(result), true);
	else
		result_print_done(result, path);
	cs_result_free(result);
	return code;
}

static int set_run(int argc, char **argv)
{
	struct tool_access access = {.timeout_ms = TOOL_TIMEOUT_MS_DEFAULT};
	bool json = false;
	const struct option options[] = {
	        TOOL_ACCESS_OPTIONS(&access),
	        {"json", OPTION_FLAG, &json, NULL, "as JSON", 0, 0},
	        {NULL, OPTION_FLAG, NULL, NULL, NULL, 0, 0},
	};
	struct policyfile p;
	cs_client *client;
	unsigned n;
	int code = options_parse(&set_usage, options, argc, argv, &n);

	if (code != OPTIONS_GO_ON)
		return code;
	code = policyfile_load(set_usage.command, argv[0], &p);
	if (code)
		return code;
	code = tool_open(set_usage.command, &access, 0, &client);
	if (!code) {
		code = set(client, argv[0], &p, json);
		cs_close(client);
	}
	policyfile_close(&p);
	return code;
}

static const struct usage default_usage = {
        .command = "policy show-default",
        .arguments = "",
        .about = "Prints the policy that `countersign init` starts with: a commented example to begin from.\n",
        .exits = "  0  printed\n" TOOL_EXIT_TEXT,
};

static int default_run(int argc, char **argv)
{
	const struct option options[] = {{NULL, OPTION_FLAG, NULL, NULL, NULL, 0, 0}};
	unsigned n;
	int code = options_parse(&default_usage, options, argc, argv, &n);

	if (code != OPTIONS_GO_ON)
		return code;
	fputs(policy_default_yaml(), stdout);
	return 0;
}

int policy_run(int argc, char **argv)
{
	static const struct tool_command commands[] = {
	        {"check", "check a policy file here", check_file_run},
	        {"set", "make it the cluster's policy", set_run},
	        {"show-default", "print the policy that init starts with", default_run},
	        {NULL, NULL, NULL},
	};

	return tool_group("policy", commands, argc, argv);
}
