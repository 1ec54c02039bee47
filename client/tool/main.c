/* The tool `countersign`: names its commands and hands over to one of them. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <errno.h>
#include <jansson.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/tool/tool.h"
#include "ledger/verify.h"

static const struct tool_command commands[] = {
        {"init", "make a new cluster's keys, settings and ceremony sheet", init_run},
        {"cluster", "start, stop and look at a cluster on this machine", cluster_run},
        {"member", "add, remove, replace and move the cluster's nodes", member_run},
        {"feature", "what the nodes' builds can, and switching it on", feature_run},
        {"key", "new keys for nodes and principals", key_run},
        {"keygen", "make a key file", keygen_run},
        {"enroll", "enrol a principal or a device", enroll_run},
        {"remove", "end an enrolment", remove_run},
        {"credential", "people's security keys, codes and accounts", credential_run},
        {"policy", "check or set the policy", policy_run},
        {"people", "users, service accounts and agents, and whom they act for", people_run},
        {"group", "the groups that people are in", group_run},
        {"governance", "how many administrators an order takes", governance_run},
        {"order", "orders that several administrators sign", order_run},
        {"decide", "ask whether an action may go ahead", decide_run},
        {"answer", "answer a challenge", answer_run},
        {"pending", "list what waits for approvers or a time", pending_run},
        {"approve", "approve or refuse what waits, or break the glass", approve_run},
        {"wait", "follow a decision that waits to its end", wait_run},
        {"grants", "list the grants that stand", grants_run},
        {"grant", "end grants", grant_run},
        {"signal", "tell what another system has noticed", signal_run},
        {"check", "ask whether an earlier answer still stands", check_run},
        {"show", "read entries of the ledger", show_run},
        {"watch", "follow the ledger as it grows", watch_run},
        {"prove", "write the proof of an entry to a file", prove_run},
        {"verify", "check such a file, an export or a ledger offline, trusting no server", verify_run},
        {"replay", "decide a ledger once more, from its signals and from history", replay_run},
        {"trust", "whose signatures count", trust_run},
        {"backup", "copy a ledger, its private fields and the state, out of a node in use", backup_run},
        {"restore", "make a cluster out of a backup, under a new origin", restore_run},
        {"export", "write the ledger as a folder that other tools check", export_run},
        {"audit", "check all that is new, and that the past stayed what it was", audit_run},
        {"monitor", "follow a cluster for an independent party: check, cosign, raise alarms", monitor_run},
        {"history", "one person's whole history, complete and proven", history_run},
        {"search", "find entries by subject, resource, action, verdict, time", search_run},
        {"erase", "erase what is private, for good", erase_run},
        {"hold", "legal holds: what is not erased", hold_run},
        {"retention", "how long private fields are kept", retention_run},
        {"import", "put past events of an audit log through the policy", import_run},
        {NULL, NULL, NULL},
};

static void print_table(const struct tool_command *table)
{
	for (const struct tool_command *c = table; c->name; c++)
		printf("  %-14s %s\n", c->name, c->summary);
}

static const struct tool_command *find(const struct tool_command *table, const char *name)
{
	for (const struct tool_command *c = table; c->name; c++)
		if (!strcmp(c->name, name))
			return c;
	return NULL;
}

static bool is_help(const char *word)
{
	return !strcmp(word, "--help") || !strcmp(word, "-h") || !strcmp(word, "help");
}

int tool_group(const char *group, const struct tool_command *table, int argc, char **argv)
{
	const struct tool_command *c;

	if (argc && !is_help(argv[0])) {
		c = find(table, argv[0]);
		if (!c)
			return tool_fail(EXIT_USAGE, group, "unknown subcommand \"%s\" (see: countersign help %s)",
			                 argv[0], group);
		return c->run(argc - 1, argv + 1);
	}
	printf("Usage: countersign %s SUBCOMMAND …\n\nSubcommands:\n", group);
	print_table(table);
	printf("\n`countersign %s SUBCOMMAND --help` explains one of them.\n", group);
	return argc ? EXIT_DONE : EXIT_USAGE;
}

static int help(int argc, char **argv)
{
	char dashes[] = "--help", *words[3] = {dashes, NULL, NULL};
	const struct tool_command *c;

	if (argc) {
		c = find(commands, argv[0]);
		if (!c)
			return tool_fail(EXIT_USAGE, NULL, "unknown command \"%s\" (see: countersign --help)", argv[0]);
		if (argc > 1) {
			words[0] = argv[1];
			words[1] = dashes;
		}
		return c->run(argc > 1 ? 2 : 1, words);
	}
	printf("Usage: countersign COMMAND [options] [arguments]\n\nCommands:\n");
	print_table(commands);
	printf("\n`countersign help COMMAND` explains one of them; countersign(1) explains all.\n\n"
	       "Exit codes: 0-3 belong to each command; for all of them:\n" TOOL_EXIT_TEXT);
	return EXIT_DONE;
}

static int run(int argc, char **argv)
{
	const struct tool_command *c;

	if (sodium_init() < 0)
		return tool_fail(EXIT_LOCAL, NULL, "libsodium cannot start");
	if (argc < 2) {
		help(0, NULL);
		return EXIT_USAGE;
	}
	if (is_help(argv[1]))
		return help(argc - 2, argv + 2);
	if (!strcmp(argv[1], "--version")) {
		printf("countersign %s\n", PACKAGE_VERSION);
		return EXIT_DONE;
	}
	c = find(commands, argv[1]);
	if (!c)
		return tool_fail(EXIT_USAGE, NULL, "unknown %s \"%s\" (see: countersign --help)",
		                 argv[1][0] == '-' ? "option" : "command", argv[1]);
	return c->run(argc - 2, argv + 2);
}

static int memory_code = EXIT_LOCAL;

/*
 * jansson 2.14 drops characters of a text when its memory is short, without a word: what it then gives must not be
 * taken for what was read or is written.
 */
static void *json_memory(size_t size)
{
	void *p = malloc(size);

	if (!p && size)
		exit(tool_fail(memory_code, NULL, "out of memory"));
	return p;
}

int main(int argc, char **argv)
{
	if (argc > 1 && !strcmp(argv[1], "verify"))
		memory_code = VERIFY_UNDECIDED;
	json_set_alloc_funcs(json_memory, free);
	int code = run(argc, argv);

	/* A report that a full disk cut short must not end in success. */
	if (fflush(stdout) || ferror(stdout))
		return tool_fail(EXIT_LOCAL, NULL, "standard output: %s", strerror(errno));
	return code;
}
