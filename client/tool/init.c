/* countersign init: makes a new cluster's folder. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/tool/files.h"
#include "client/tool/newcluster.h"
#include "client/tool/policyfile.h"
#include "client/tool/tool.h"
#include "ledger/note.h"
#include "node/decide/policy_form.h"

static const struct usage usage = {
        .command = "init",
        .arguments = "DIR",
        .about = "Makes a new cluster: an origin that is used for ever, keys, genesis entry, one folder a node, the\n"
                 "cluster file for clients, the trust policy for auditors, an administrator's key, a policy to start\n"
                 "with, and a ceremony sheet. DIR must be empty or not exist. All nodes are on this machine's\n"
                 "loopback; to spread them, move their folders and change the addresses in the settings.\n",
        .exits = "  0  made\n" TOOL_EXIT_TEXT,
        .n_min = 1,
        .n_max = 1,
};

static void say_governance(const struct newcluster_settings *s)
{
	char last[NEWCLUSTER_ADMIN_FILE_SIZE];

	newcluster_admin_file(s->n_admins - 1, last);
	if (s->n_admins == 1)
		fprintf(stderr, "warning: governance is \"single\": %s/admin.key alone can change every rule\n",
		        s->dir);
	else if (s->threshold == 1)
		fprintf(stderr, "warning: any one of the %u administrators' keys alone can change every rule\n",
		        s->n_admins);
	if (s->n_admins > 1)
		printf("Give each of the %u administrators their own key, %s/admin.key to %s/%s, and keep none here.\n",
		       s->n_admins, s->dir, s->dir, last);
}

/* Several administrators, and how many of them an order takes. */
static int check_governance(const struct newcluster_settings *s)
{
	if (s->threshold > s->n_admins)
		return tool_fail(EXIT_USAGE, usage.command,
		                 "option --threshold: %u of %u administrators can never sign", s->threshold,
		                 s->n_admins);
	if (s->threshold > 1 && policy_version(s->policy_compiled, s->policy_compiled_len) < POLICY_VERSION_2)
		return tool_fail(EXIT_USAGE, usage.command,
		                 "option --threshold: governance by several needs a policy of version 2");
	return 0;
}

static int make(const struct newcluster_settings *s)
{
	struct newcluster *c = malloc(sizeof *c);
	int code;

	if (!c)
		return tool_fail(EXIT_LOCAL, usage.command, "out of memory");
	code = newcluster_make(s, c);
	if (!code) {
		code = newcluster_write(c);
		if (code)
			fprintf(stderr, "%s is incomplete: remove it before trying again.\n", s->dir);
	}
	if (!code) {
		fputs(c->sheet, stdout);
		printf("\nThe sheet is in %s/ceremony-sheet.txt, to be printed, compared and signed.\n"
		       "Next: countersign cluster up %s\n",
		       s->dir, s->dir);
		say_governance(s);
	}
	newcluster_close(c);
	free(c);
	return code;
}

int init_run(int argc, char **argv)
{
	const char *name = "countersign", *log_level = "info", *policy_path = NULL;
	struct option_list witnesses = {0};
	uint64_t nodes = 3, base_port = 0, election = 200, heartbeat = 40, admins = 1, threshold = 0;
	const struct option options[] = {
	        {"name", OPTION_TEXT, &name, "NAME", "the cluster's name; 16 random hex digits follow it", 0, 0},
	        {"nodes", OPTION_NUMBER, &nodes, "N", "1, 3, 5 or 7 (default: 3)", 1, CLUSTER_NODES_MAX},
	        {"base-port", OPTION_NUMBER, &base_port, "PORT", "first of two ports a node (default: free ones)", 1024,
	         65535},
	        {"policy", OPTION_TEXT, &policy_path, "FILE", "the policy to start with (default: a built-in one)", 0,
	         0},
	        {"admins", OPTION_NUMBER, &admins, "N", "administrators, each with a key file (default: 1)", 1,
	         NEWCLUSTER_ADMINS_MAX},
	        {"threshold", OPTION_NUMBER, &threshold, "K", "so many sign each order (default: more than half)", 1,
	         NEWCLUSTER_ADMINS_MAX},
	        {"witness", OPTION_LIST, &witnesses, "VKEY",
	         "an outside party whose cosignature the trust policy asks for too (countersign monitor)", 0, 0},
	        {"election-timeout-ms", OPTION_NUMBER, &election, "MS", "of the nodes (default: 200)", 50, 60000},
	        {"heartbeat-ms", OPTION_NUMBER, &heartbeat, "MS", "of the leader (default: 40)", 5, 10000},
	        {"log-level", OPTION_TEXT, &log_level, "LEVEL", "error, warning, info or debug (default: info)", 0, 0},
	        {NULL, OPTION_FLAG, NULL, NULL, NULL, 0, 0},
	};
	struct policyfile policy;
	struct newcluster_settings s;
	unsigned n;
	int code = options_parse(&usage, options, argc, argv, &n);

	if (code != OPTIONS_GO_ON)
		return code;
	s = (struct newcluster_settings){
	        .dir = argv[0],
	        .name = name,
	        .n_nodes = (unsigned)nodes,
	        .base_port = (uint16_t)base_port,
	        .election_timeout_ms = (unsigned)election,
	        .heartbeat_ms = (unsigned)heartbeat,
	        .log_level = log_level,
	        .n_admins = (unsigned)admins,
	        .witnesses = witnesses,
	        .threshold = (unsigned)(threshold ? threshold : admins / 2 + 1),
	};
	code = newcluster_check(usage.command, &s);
	if (!code && !files_empty_folder(s.dir))
		code = tool_fail(EXIT_USAGE, usage.command, "%s: %s", s.dir,
		                 errno == ENOTEMPTY ? "is not empty; nothing was changed" : strerror(errno));
	if (code)
		return code;
	code = policyfile_load(usage.command, policy_path, &policy);
	if (code)
		return code;
	s.policy_source = policy.source;
	s.policy_source_len = policy.source_len;
	s.policy_compiled = policy.compiled;
	s.policy_compiled_len = policy.compiled_len;
	code = check_governance(&s);
	if (!code)
		code = make(&s);
	policyfile_close(&policy);
	return code;
}
