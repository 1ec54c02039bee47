/* countersign policy: hands over to its subcommands, and shows the built-in policy. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <stdio.h>

#include "client/tool/policycommands.h"
#include "client/tool/policytest.h"
#include "client/tool/tool.h"
#include "node/decide/policy.h"

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
	        {"check", "check a policy file here", policycheck_run},
	        {"test", "play a file of cases under a policy, here", policytest_run},
	        {"set", "make it the cluster's policy", policyset_run},
	        {"show", "print the policy in force, now or at an entry", policyshow_run},
	        {"diff", "what two policies differ in", policydiff_run},
	        {"what-if", "what the past would have been under another policy", policywhatif_run},
	        {"eval", "the value of an expression, as a condition sees it", policyeval_run},
	        {"show-default", "print the policy that init starts with", default_run},
	        {NULL, NULL, NULL},
	};

	return tool_group("policy", commands, argc, argv);
}
