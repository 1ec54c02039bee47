/* countersign order: orders that several administrators sign, each with their own key, offline if they like. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client/tool/orderfile.h"
#include "client/tool/result.h"
#include "client/tool/text.h"
#include "client/tool/tool.h"

#define VALID_HOURS_DEFAULT 24
#define VALID_HOURS_MAX     (30 * 24)
#define HOUR_MS             UINT64_C(3600000)

/* --- make --- */

struct making {
	json_t *file;
	bool failed;
};

static void keep(void *context, const struct cs_order *order)
{
	struct making *m = context;

	m->failed |= !orderfile_add(m->file, order);
}

static const struct tool_command makers[] = {
        {"policy", "of `policy set`", policy_run},
        {"enroll", "of `enroll`", enroll_run},
        {"remove", "of `remove`", remove_run},
        {"people", "of `people import`, `people disable`, …", people_run},
        {"member", "of `member add`, `member promote`, …", member_run},
        {"feature", "of `feature enable`", feature_run},
        {"governance", "of `governance set`", governance_run},
        {"grant", "of `grant revoke`", grant_run},
        {"credential", "of `credential revoke`", credential_run},
        {"erase", "of `erase`", erase_run},
        {"hold", "of `hold set`, `hold lift`", hold_run},
        {"retention", "of `retention set`", retention_run},
        {"key", "of `key rotate`", key_run},
        {NULL, NULL, NULL},
};

static int make_help(int code)
{
	printf("Usage: countersign order make COMMAND... -o ORDER\n\n"
	       "Runs a command of administrators, which signs and sends nothing: its orders are written to the new "
	       "file\n"
	       "ORDER instead, for `order sign` and `order submit`. `policy FILE` stands for `policy set FILE`.\n\n"
	       "Commands:\n");
	for (const struct tool_command *c = makers; c->name; c++)
		printf("  %-14s %s\n", c->name, c->summary);
	printf("\nExit codes:\n  0  written\n" TOOL_EXIT_TEXT);
	return code;
}

/* Takes "-o FILE" out of the words. */
static const char *take_output(int *argc, char **argv)
{
	const char *path = NULL;
	int n = 0;

	for (int i = 0; i < *argc; i++) {
		if ((!strcmp(argv[i], "-o") || !strcmp(argv[i], "--output")) && i + 1 < *argc)
			path = argv[++i];
		else
			argv[n++] = argv[i];
	}
	*argc = n;
	return path;
}

static int make_run(int argc, char **argv)
{
	static const char command[] = "order make";
	static char set[] = "set", *words[64];
	const struct tool_command *c = makers;
	const char *path = take_output(&argc, argv);
	struct making m = {0};
	int n = 0, code;

	if (!argc || !strcmp(argv[0], "--help"))
		return make_help(argc ? 0 : EXIT_USAGE);
	if (!path)
		return tool_fail(EXIT_USAGE, command, "-o ORDER is missing: the file to be written");
	if (argc >= 60)
		return tool_fail(EXIT_USAGE, command, "too many words");
	while (c->name && strcmp(c->name, argv[0]) != 0)
		c++;
	if (!c->name)
		return tool_fail(EXIT_USAGE, command, "\"%s\" makes no order (see: countersign order make --help)",
		                 argv[0]);
	if (c->run == policy_run && argc > 1 && strcmp(argv[1], "set") != 0)
		words[n++] = set;
	for (int i = 1; i < argc; i++)
		words[n++] = argv[i];
	m.file = orderfile_new();
	tool_keep_orders(keep, &m);
	code = c->run(n, words);
	if (!code && m.failed)
		code = tool_fail(EXIT_LOCAL, command, "out of memory, or governance changed meanwhile");
	if (!code && !orderfile_count(m.file))
		printf("there is nothing to be ordered: no file was written\n");
	else if (!code)
		code = orderfile_write(command, path, m.file, false);
	if (!code && orderfile_count(m.file))
		printf("%s: %zu order%s, signed by nobody yet\nNext, each administrator: countersign order sign %s "
		       "--key KEYFILE\n",
		       path, orderfile_count(m.file), orderfile_count(m.file) > 1 ? "s" : "", path);
	json_decref(m.file);
	return code;
}

/* --- show --- */

static int damaged(const char *command, const char *path, size_t i)
{
	return tool_fail(EXIT_USAGE, command, "%s: order %zu is damaged", path, i + 1);
}

static void print_signatures(const struct cs_signature *s, size_t n)
{
	char time[TEXT_TIME_SIZE], name[80];

	for (size_t i = 0; i < n; i++) {
		text_safe(s[i].name, strlen(s[i].name), name, sizeof name);
		text_time(s[i].expiry_ms, time);
		printf("  signed by %s, good until %s%s\n", name, time,
		       s[i].expiry_ms < text_now_ms() ? " (EXPIRED)" : "");
	}
	if (!n)
		printf("  signed by nobody\n");
}

/* In words, all of it: nobody signs what nobody can read. */
static int print_orders(const char *command, const char *path, const json_t *file)
{
	static uint8_t elements[ORDERFILE_ELEMENTS_MAX];
	struct cs_signature s[ORDERFILE_SIGNATURES_MAX];
	struct cs_order o;
	uint64_t entry;
	char *words;
	size_t n;

	for (size_t i = 0; i < orderfile_count(file); i++) {
		if (!orderfile_order(file, i, elements, &o) || !orderfile_signatures(file, i, s, &n))
			return damaged(command, path, i);
		if (i == 0)
			printf("cluster %s, governance version %" PRIu64 "\n\n", o.origin, o.governance);
		int err = cs_order_words(&o, &words);
		if (err)
			return tool_fail(EXIT_USAGE, command, "%s: order %zu: %s", path, i + 1, cs_last_error());
		printf("order %zu: %s", i + 1, words);
		free(words);
		print_signatures(s, n);
		if (orderfile_entry(file, i, &entry))
			printf("  submitted: entry %" PRIu64 "\n", entry);
	}
	return 0;
}

static int show_order_run(int argc, char **argv)
{
	static const struct usage usage = {
	        .command = "order show",
	        .arguments = "ORDER",
	        .about = "Shows in words what a file of orders would do, and who has signed.\n",
	        .exits = "  0  shown\n" TOOL_EXIT_TEXT,
	        .n_min = 1,
	        .n_max = 1,
	};
	const struct option options[] = {{NULL, OPTION_FLAG, NULL, NULL, NULL, 0, 0}};
	json_t *file;
	unsigned n;
	int code = options_parse(&usage, options, argc, argv, &n);

	if (code != OPTIONS_GO_ON)
		return code;
	code = orderfile_read(usage.command, argv[0], &file);
	if (code)
		return code;
	code = print_orders(usage.command, argv[0], file);
	json_decref(file);
	return code;
}

/* --- sign --- */

static bool confirmed(void)
{
	char line[16];

	printf("\nSign this? Type yes: ");
	fflush(stdout);
	return fgets(line, sizeof line, stdin) && !strcmp(line, "yes\n");
}

static int sign(const char *command, const char *path, json_t *file, const char *key, uint64_t hours)
{
	static uint8_t elements[ORDERFILE_ELEMENTS_MAX];
	struct cs_signature s;
	struct cs_order o;

	for (size_t i = 0; i < orderfile_count(file); i++) {
		uint64_t entry;
		if (orderfile_entry(file, i, &entry))
			continue;
		if (!orderfile_order(file, i, elements, &o))
			return damaged(command, path, i);
		int err = cs_order_sign(key, &o, hours * HOUR_MS, &s);
		if (err)
			return tool_failed_call(command, path, err);
		orderfile_sign(file, i, &s);
	}
	return 0;
}

static int sign_run(int argc, char **argv)
{
	static const struct usage usage = {
	        .command = "order sign",
	        .arguments = "ORDER",
	        .about =
	                "Shows in words what the orders of the file would do, asks, and signs each with your key: the\n"
	                "signature is added to the file. No cluster is asked: it works on a machine without a "
	                "network.\n"
	                "Orders are void once governance has changed, or you have signed and submitted something "
	                "later.\n",
	        .exits = "  0  signed\n  1  not signed: you did not say yes\n" TOOL_EXIT_TEXT,
	        .n_min = 1,
	        .n_max = 1,
	};
	const char *key = getenv("COUNTERSIGN_KEY");
	uint64_t hours = VALID_HOURS_DEFAULT;
	bool yes = false;
	const struct option options[] = {
	        {"key", OPTION_TEXT, &key, "FILE", "your key file (default: $COUNTERSIGN_KEY)", 0, 0},
	        {"valid-hours", OPTION_NUMBER, &hours, "N", "how long it may be submitted (default: 24)", 1,
	         VALID_HOURS_MAX},
	        {"yes", OPTION_FLAG, &yes, NULL, "do not ask", 0, 0},
	        {NULL, OPTION_FLAG, NULL, NULL, NULL, 0, 0},
	};
	json_t *file;
	unsigned n;
	int code = options_parse(&usage, options, argc, argv, &n);

	if (code != OPTIONS_GO_ON)
		return code;
	if (!key || !*key)
		return tool_fail(EXIT_USAGE, usage.command, "no key: give --key FILE or set COUNTERSIGN_KEY");
	code = orderfile_read(usage.command, argv[0], &file);
	if (code)
		return code;
	code = print_orders(usage.command, argv[0], file);
	if (!code && !yes && !confirmed())
		code = tool_fail(1, usage.command, "not signed");
	if (!code)
		code = sign(usage.command, argv[0], file, key, hours);
	if (!code)
		code = orderfile_write(usage.command, argv[0], file, true);
	if (!code)
		printf("%s: signed\n", argv[0]);
	json_decref(file);
	return code;
}

/* --- submit --- */

/* One after another, each noted in the file: what is in the ledger is not sent again. */
static int submit(const char *command, cs_client *client, const char *path, json_t *file)
{
	static uint8_t elements[ORDERFILE_ELEMENTS_MAX];
	struct cs_signature s[ORDERFILE_SIGNATURES_MAX];
	struct cs_order o;
	char what[64];
	int code = 0;

	for (size_t i = 0; i < orderfile_count(file) && !code; i++) {
		cs_result *result = NULL;
		uint64_t entry;
		size_t n;
		snprintf(what, sizeof what, "order %zu", i + 1);
		if (orderfile_entry(file, i, &entry)) {
			printf("%s: is entry %" PRIu64 " already\n", what, entry);
			continue;
		}
		if (!orderfile_order(file, i, elements, &o) || !orderfile_signatures(file, i, s, &n))
			return damaged(command, path, i);
		int err = cs_order_submit(client, &o, s, n, &result);
		if (err)
			return tool_failed_call(command, what, err);
		result_print_done(result, what);
		orderfile_submitted(file, i, result->index);
		cs_result_free(result);
		code = orderfile_write(command, path, file, true);
	}
	return code;
}

static int submit_run(int argc, char **argv)
{
	static const struct usage usage = {
	        .command = "order submit",
	        .arguments = "ORDER",
	        .about = "Sends the orders of the file with all their signatures. --key is of any administrator: it "
	                 "opens "
	                 "the\nchannel, and signs nothing.\n",
	        .exits = "  0  all are in the ledger\n" TOOL_EXIT_TEXT,
	        .n_min = 1,
	        .n_max = 1,
	};
	struct tool_access access = {.timeout_ms = TOOL_TIMEOUT_MS_DEFAULT};
	const struct option options[] = {
	        TOOL_ACCESS_OPTIONS(&access),
	        {NULL, OPTION_FLAG, NULL, NULL, NULL, 0, 0},
	};
	cs_client *client;
	json_t *file;
	unsigned n;
	int code = options_parse(&usage, options, argc, argv, &n);

	if (code != OPTIONS_GO_ON)
		return code;
	code = orderfile_read(usage.command, argv[0], &file);
	if (code)
		return code;
	code = tool_open(usage.command, &access, 0, &client);
	if (!code) {
		code = submit(usage.command, client, argv[0], file);
		cs_close(client);
	}
	json_decref(file);
	return code;
}

int order_run(int argc, char **argv)
{
	static const struct tool_command commands[] = {
	        {"make", "write an order to a file instead of sending it", make_run},
	        {"show", "say what a file of orders would do, and who has signed", show_order_run},
	        {"sign", "read it, and sign it with your key, offline", sign_run},
	        {"submit", "send it with all its signatures", submit_run},
	        {NULL, NULL, NULL},
	};

	return tool_group("order", commands, argc, argv);
}
