/* countersign credential: enrols, revokes and lists people's credentials. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <jansson.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/tool/credentialorder.h"
#include "client/tool/result.h"
#include "client/tool/text.h"
#include "client/tool/tool.h"
#include "node/wire/keyfile.h"

/* --- list --- */

static const struct usage list_usage = {
        .command = "credential list",
        .arguments = "",
        .about =
                "Lists credentials of all subjects, and what is pinned for them, by name; never what is in them. Needs "
                "the\nrole audit or administer.\n",
        .exits = "  0  listed\n" TOOL_EXIT_TEXT,
};

static void print(const char *json)
{
	static const char *const heads[] = {"NAME", "KIND", "SUBJECT", "SINCE ENTRY", "FAILURES"};
	json_t *list = json_loads(json, 0, NULL), *o;
	struct table t;
	size_t i;

	table_init(&t, 5, heads, 1u << 3 | 1u << 4);
	json_array_foreach(list, i, o)
	{
		const char *type = json_string_value(json_object_get(o, "subject_type"));
		table_cell(&t, TINT_NONE, "%s", json_string_value(json_object_get(o, "name")));
		table_cell(&t, TINT_NONE, "%s", json_string_value(json_object_get(o, "kind")));
		if (type)
			table_cell(&t, TINT_NONE, "%s:%s", type, json_string_value(json_object_get(o, "subject_id")));
		else
			table_cell(&t, TINT_DIM, "-");
		table_cell(&t, TINT_NONE, "%lld", json_integer_value(json_object_get(o, "since")));
		if (json_is_true(json_object_get(o, "locked")))
			table_cell(&t, TINT_RED, "locked");
		else
			table_cell(&t, TINT_NONE, "%lld", json_integer_value(json_object_get(o, "failures")));
	}
	table_print(&t, stdout);
	table_close(&t);
	json_decref(list);
}

static int list_run(int argc, char **argv)
{
	struct tool_access access = {.timeout_ms = TOOL_TIMEOUT_MS_DEFAULT};
	bool json = false;
	const struct option options[] = {
	        TOOL_ACCESS_OPTIONS(&access),
	        {"json", OPTION_FLAG, &json, NULL, "as JSON", 0, 0},
	        {NULL, OPTION_FLAG, NULL, NULL, NULL, 0, 0},
	};
	cs_client *client;
	char *text = NULL;
	unsigned n;
	int code = options_parse(&list_usage, options, argc, argv, &n);

	if (code != OPTIONS_GO_ON)
		return code;
	code = tool_open_newest(list_usage.command, &access, &client);
	if (code)
		return code;
	int err = cs_credentials(client, &text);
	if (err)
		code = tool_failed_call(list_usage.command, "the credentials", err);
	else if (json)
		puts(text);
	else
		print(text);
	free(text);
	cs_close(client);
	return code;
}

/* --- challenge --- */

static const struct usage challenge_usage = {
        .command = "credential challenge",
        .arguments = "",
        .about = "Prints the challenge that a security key must be registered with under this name for this subject, "
                 "in\n"
                 "base64url: for navigator.credentials.create(). Asks nobody.\n",
        .exits = "  0  printed\n" TOOL_EXIT_TEXT,
};

static int challenge_run(int argc, char **argv)
{
	const char *path = NULL, *name = NULL, *subject = NULL;
	const struct option options[] = {
	        {"cluster", OPTION_TEXT, &path, "FILE", "the cluster file (default: $COUNTERSIGN_CLUSTER)", 0, 0},
	        {"name", OPTION_TEXT, &name, "NAME", "the credential's name", 0, 0},
	        {"subject", OPTION_TEXT, &subject, "TYPE:ID", "whose it is", 0, 0},
	        {NULL, OPTION_FLAG, NULL, NULL, NULL, 0, 0},
	};
	char type[TOOL_TYPE_SIZE], id[TOOL_ID_SIZE], text[256] = "", challenge[44];
	struct cluster_file cluster;
	unsigned n;
	int code = options_parse(&challenge_usage, options, argc, argv, &n);

	if (code != OPTIONS_GO_ON)
		return code;
	if (!name || !subject || !tool_split_typed(subject, type, id))
		return tool_fail(EXIT_USAGE, challenge_usage.command, "--name NAME and --subject TYPE:ID are wanted");
	if (!path)
		path = getenv("COUNTERSIGN_CLUSTER");
	if (!path)
		return tool_fail(EXIT_USAGE, challenge_usage.command, "option --cluster FILE is missing");
	if (cluster_file_read(path, &cluster, text))
		return tool_fail(EXIT_USAGE, challenge_usage.command, "%s", text);
	if (cs_register_challenge(cluster.origin, name, type, id, challenge))
		return tool_fail(EXIT_USAGE, challenge_usage.command, "%s", cs_last_error());
	puts(challenge);
	return 0;
}

/* --- revoke --- */

static const struct usage revoke_usage = {
        .command = "credential revoke",
        .arguments = "NAME",
        .about = "Ends a credential at once, signed with the administrator's key (--key). Or as the person's own "
                 "order:\n"
                 "with --request FILE it asks for a decision and saves it; after `countersign answer --challenge "
                 "FILE`,\n"
                 "--allowed FILE carries it out.\n",
        .exits = "  0  revoked, or allowed already\n  1  deny\n  2  step_up: answer it\n" TOOL_EXIT_TEXT,
        .n_min = 1,
        .n_max = 1,
};

static int revoke(cs_client *client, const char *name, const char *reason, const struct order_words *w)
{
	struct order_saved saved = {0};
	cs_result *result = NULL;
	int code = w->allowed ? order_load(revoke_usage.command, w->allowed, &saved) : 0;
	int err = code ? 0
	               : cs_credential_revoke(client, name, w->allowed ? saved.reason : reason,
	                                      w->allowed ? &saved.request : NULL, &result);

	if (!code && err)
		code = tool_failed_call(revoke_usage.command, name, err);
	else if (!code && w->json)
		code = result_dump(revoke_usage.command, result_json(result), true);
	else if (!code)
		result_print_done(result, name);
	cs_result_free(result);
	order_saved_free(&saved);
	return code;
}

static int revoke_run(int argc, char **argv)
{
	struct tool_access access = {.timeout_ms = TOOL_TIMEOUT_MS_DEFAULT};
	struct order_words w = {0};
	const char *reason = "";
	const struct option options[] = {
	        TOOL_ADMIN_OPTIONS(&access),
	        {"reason", OPTION_TEXT, &reason, "TEXT", "why; private", 0, 0},
	        ORDER_OPTIONS(&w),
	        {NULL, OPTION_FLAG, NULL, NULL, NULL, 0, 0},
	};
	cs_client *client;
	unsigned n;
	int code = options_parse(&revoke_usage, options, argc, argv, &n);

	if (code != OPTIONS_GO_ON)
		return code;
	code = tool_open(revoke_usage.command, &access, 0, &client);
	if (code)
		return code;
	if (w.request)
		code = order_ask_revoke(revoke_usage.command, client, argv[0], reason, &w);
	else
		code = revoke(client, argv[0], reason, &w);
	cs_close(client);
	return code;
}

int credential_run(int argc, char **argv)
{
	static const struct tool_command commands[] = {
	        {"enroll", "enrol a security key, a TOTP secret, an OIDC account, or what is pinned for them",
	         credentialenroll_run},
	        {"revoke", "end one at once", revoke_run},
	        {"list", "whose are enrolled", list_run},
	        {"challenge", "what a security key must be registered with", challenge_run},
	        {NULL, NULL, NULL},
	};

	return tool_group("credential", commands, argc, argv);
}
