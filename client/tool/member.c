/* countersign member: orders about the nodes of the cluster, signed by an administrator, and waiting for them. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "client/tool/memberfile.h"
#include "client/tool/text.h"
#include "client/tool/tool.h"

#define ASK_INTERVAL_MS 100
#define WAIT_MS_DEFAULT 60000 /* A node with nothing to fetch is whole in a second. */

struct work {
	const char *command;
	struct tool_access access;
	cs_client *client;
	struct memberview view;
	uint64_t wait_ms;
	bool yes, lost;
};

#define WORK_OPTIONS(w)                                                                                                \
	TOOL_ADMIN_OPTIONS(&(w)->access),                                                                              \
	{                                                                                                              \
		"wait-ms", OPTION_NUMBER, &(w)->wait_ms, "MS", "longest wait for it to be done (default: 60000)", 0,   \
		        3600000                                                                                        \
	}
#define YES_OPTION(w)                                                                                                  \
	{                                                                                                              \
		"yes", OPTION_FLAG, &(w)->yes, NULL, "although the cluster then survives fewer failures", 0, 0         \
	}
#define LOST_OPTION(w)                                                                                                 \
	{                                                                                                              \
		"lost", OPTION_FLAG, &(w)->lost, NULL, "although other voters are not whole: they are taken for lost", \
		        0, 0                                                                                           \
	}
#define END_OPTION                                                                                                     \
	{                                                                                                              \
		NULL, OPTION_FLAG, NULL, NULL, NULL, 0, 0                                                              \
	}

static int work_open(struct work *w)
{
	int err, code = tool_open(w->command, &w->access, 0, &w->client);

	if (code)
		return code;
	/* Of no consequence here if it fails; but where nodes came or moved, this client must know it. */
	cs_follow(w->client, NULL);
	err = memberview_ask(w->client, &w->view);
	if (err) {
		code = tool_failed_call(w->command, "the members", err);
		cs_close(w->client);
	}
	return code;
}

static int parse_node(const struct work *w, const char *text, uint64_t *ret)
{
	return tool_parse_index(text, ret) && *ret >= 1 && *ret <= NODE_ID_MAX
	               ? 0
	               : tool_fail(EXIT_USAGE, w->command, "\"%s\" is no node's id", text);
}

/* --- what it means for failures --- */

static unsigned survives(unsigned voters)
{
	return voters ? (voters - 1) / 2 : 0;
}

/* Says what so many voters mean; refuses without --yes where fewer failures are survived than before. */
static int weigh(const struct work *w, unsigned after)
{
	unsigned before = w->view.voters;

	if (after == 2)
		fprintf(stderr, "warning: of two voters both must work: either one's failure stops the cluster; "
		                "go on to three, or back to one\n");
	else if (after % 2 == 0)
		fprintf(stderr,
		        "warning: %u voters survive %u failures, as %u would: an even number brings nothing but more "
		        "that can fail\n",
		        after, survives(after), after - 1);
	if (survives(after) >= survives(before) || w->yes)
		return 0;
	return tool_fail(
	        EXIT_USAGE, w->command,
	        "with %u voters the cluster survives %u failures, with %u it survived %u: say --yes if that is "
	        "wanted",
	        after, survives(after), before, survives(before));
}

/* --- waiting --- */

static void nap(void)
{
	struct timespec t = {.tv_nsec = ASK_INTERVAL_MS * 1000000L};

	nanosleep(&t, NULL);
}

/* What is awaited of a node: its role in Raft (ROSTER_REMOVED: to be gone), or to be whole. */
static bool reached(const struct memberview *v, uint64_t id, unsigned role, bool whole)
{
	const struct memberview_node *n = memberview_find(v, id);

	if (!v->leads)
		return false;
	if (role == ROSTER_REMOVED)
		return !n && !*v->pending;
	return n && n->in_raft == role && (!whole || n->whole) && !*v->pending;
}

static void progress(const struct memberview *v, uint64_t id, const char *what)
{
	const struct memberview_node *n = memberview_find(v, id);
	char where[64] = "no leader answers";

	if (v->leads && n && !n->whole)
		snprintf(where, sizeof where, n->link_up ? "%" PRIu64 " entries of the log behind" : "not connected",
		         n->behind);
	else if (v->leads)
		snprintf(where, sizeof where, "%s", *v->pending ? v->pending : "a moment");
	fprintf(stderr, "\rwaiting for node %" PRIu64 " %s: %s\033[K", id, what, where);
}

static int await(struct work *w, uint64_t id, unsigned role, bool whole, const char *what)
{
	uint64_t begin = text_clock_ms();
	bool tty = isatty(STDERR_FILENO);

	if (tool_keeps_orders()) /* Nothing was ordered yet. */
		return 0;
	for (;;) {
		if (memberview_ask(w->client, &w->view))
			w->view.leads = false;
		if (reached(&w->view, id, role, whole))
			break;
		if (tty)
			progress(&w->view, id, what);
		if (text_clock_ms() - begin >= w->wait_ms)
			return tool_fail(EXIT_UNREACHABLE, w->command,
			                 "%snode %" PRIu64 " is not yet %s; see `countersign member list`",
			                 tty ? "\n" : "", id, what);
		nap();
	}
	if (tty)
		fprintf(stderr, "\r\033[K");
	printf("node %" PRIu64 " is %s\n", id, what);
	return 0;
}

/* --- orders --- */

static int done(const struct work *w, uint64_t id, const char *what, int err, cs_result **result)
{
	char text[64];

	snprintf(text, sizeof text, "node %" PRIu64 "%s", id, what);
	if (err)
		return tool_failed_call(w->command, text, err);
	printf("%s: entry %" PRIu64 "\n", text, (*result)->index);
	cs_result_free(*result);
	return 0;
}

static int order_add(struct work *w, const struct memberfile *m)
{
	struct cs_member member = {.id = m->id,
	                           .url = m->url,
	                           .link = m->link,
	                           .log_pub = m->log_pub,
	                           .cosigner_pub = m->cosigner_pub,
	                           .channel_pub = m->channel_pub};
	cs_result *result = NULL;
	int code = done(w, m->id, " added as a spare", cs_member_add(w->client, &member, &result), &result);

	return code ? code : await(w, m->id, ROSTER_SPARE, true, "whole");
}

static int order_role(struct work *w, uint64_t id, bool voter)
{
	const struct memberview_node *node = memberview_find(&w->view, id);
	cs_result *result = NULL;
	int code = 0;

	if (voter && node && node->role == ROSTER_SPARE)
		code = await(w, id, ROSTER_SPARE, true, "whole");
	if (!code)
		code = done(w, id, voter ? " to vote" : " to vote no more",
		            cs_member_role(w->client, id, voter, w->lost, &result), &result);
	return code ? code : await(w, id, voter ? ROSTER_VOTER : ROSTER_SPARE, false, voter ? "a voter" : "a spare");
}

static int order_remove(struct work *w, uint64_t id)
{
	cs_result *result = NULL;
	int code = done(w, id, " to be removed", cs_member_remove(w->client, id, w->lost, &result), &result);

	return code ? code : await(w, id, ROSTER_REMOVED, false, "removed");
}

static int add_run(int argc, char **argv)
{
	static const struct usage usage = {
	        .command = "member add",
	        .arguments = "FILE",
	        .about = "Adds a node that `member prepare` made; FILE is \"" MEMBERFILE_NAME
	                 "\" in its folder, and the node runs. It becomes\n"
	                 "a spare, fetches the ledger, and once whole a voter (not with --spare). --key is the\n"
	                 "administrator's; each step is an entry of the ledger.\n",
	        .exits = "  0  it is a voter (with --spare: whole)\n" TOOL_EXIT_TEXT,
	        .n_min = 1,
	        .n_max = 1,
	};
	struct work w = {
	        .command = usage.command, .access.timeout_ms = TOOL_TIMEOUT_MS_DEFAULT, .wait_ms = WAIT_MS_DEFAULT};
	bool spare = false;
	const struct option options[] = {
	        WORK_OPTIONS(&w),
	        {"spare", OPTION_FLAG, &spare, NULL, "leave it a spare: it has the ledger and does not vote", 0, 0},
	        END_OPTION,
	};
	struct memberfile m;
	unsigned n;
	int code = options_parse(&usage, options, argc, argv, &n);

	if (code != OPTIONS_GO_ON)
		return code;
	code = memberfile_read(usage.command, argv[0], false, &m);
	if (!code)
		code = work_open(&w);
	if (code)
		return code;
	if (!spare)
		weigh(&w, w.view.voters + 1);
	code = order_add(&w, &m);
	if (!code && !spare)
		code = order_role(&w, m.id, true);
	cs_close(w.client);
	return code;
}

static int role_run(const struct usage *usage, bool voter, int argc, char **argv)
{
	struct work w = {
	        .command = usage->command, .access.timeout_ms = TOOL_TIMEOUT_MS_DEFAULT, .wait_ms = WAIT_MS_DEFAULT};
	const struct option promote_options[] = {WORK_OPTIONS(&w), END_OPTION};
	const struct option demote_options[] = {WORK_OPTIONS(&w), YES_OPTION(&w), LOST_OPTION(&w), END_OPTION};
	uint64_t id = 0;
	unsigned n;
	int code = options_parse(usage, voter ? promote_options : demote_options, argc, argv, &n);

	if (code != OPTIONS_GO_ON)
		return code;
	code = parse_node(&w, argv[0], &id);
	if (!code)
		code = work_open(&w);
	if (code)
		return code;
	code = weigh(&w, voter ? w.view.voters + 1 : w.view.voters - 1);
	if (!code)
		code = order_role(&w, id, voter);
	cs_close(w.client);
	return code;
}

static int promote_run(int argc, char **argv)
{
	static const struct usage usage = {
	        .command = "member promote",
	        .arguments = "NODE",
	        .about = "Makes a spare a voter, once it is whole. --key is the administrator's.\n",
	        .exits = "  0  it is a voter\n" TOOL_EXIT_TEXT,
	        .n_min = 1,
	        .n_max = 1,
	};

	return role_run(&usage, true, argc, argv);
}

static int demote_run(int argc, char **argv)
{
	static const struct usage usage = {
	        .command = "member demote",
	        .arguments = "NODE",
	        .about =
	                "Makes a voter a spare: it keeps the ledger and does not vote. A leader hands over first. Not\n"
	                "while another voter is not whole (--lost: those are taken for lost).\n",
	        .exits = "  0  it is a spare\n" TOOL_EXIT_TEXT,
	        .n_min = 1,
	        .n_max = 1,
	};

	return role_run(&usage, false, argc, argv);
}

static int member_remove_run(int argc, char **argv)
{
	static const struct usage usage = {
	        .command = "member remove",
	        .arguments = "NODE",
	        .about = "Removes a node for ever: its id and keys never come back. A leader hands over first; the "
	                 "node\n"
	                 "stops by itself (exit status 5). Not while another voter is not whole (--lost: those are "
	                 "taken\n"
	                 "for lost).\n",
	        .exits = "  0  it is removed\n" TOOL_EXIT_TEXT,
	        .n_min = 1,
	        .n_max = 1,
	};
	struct work w = {
	        .command = usage.command, .access.timeout_ms = TOOL_TIMEOUT_MS_DEFAULT, .wait_ms = WAIT_MS_DEFAULT};
	const struct option options[] = {WORK_OPTIONS(&w), YES_OPTION(&w), LOST_OPTION(&w), END_OPTION};
	const struct memberview_node *node;
	uint64_t id = 0;
	unsigned n;
	int code = options_parse(&usage, options, argc, argv, &n);

	if (code != OPTIONS_GO_ON)
		return code;
	code = parse_node(&w, argv[0], &id);
	if (!code)
		code = work_open(&w);
	if (code)
		return code;
	node = memberview_find(&w.view, id);
	if (node && node->role == ROSTER_VOTER)
		code = weigh(&w, w.view.voters - 1);
	if (!code)
		code = order_remove(&w, id);
	cs_close(w.client);
	return code;
}

/* The new one is whole before the old one goes, and votes right after: the voters are never more than they were. */
static int replace(struct work *w, uint64_t old, const struct memberfile *m)
{
	const struct memberview_node *node = memberview_find(&w->view, old);
	bool voted = node && node->role == ROSTER_VOTER;
	int code;

	if (!node)
		return tool_fail(EXIT_REFUSED, w->command, "node %" PRIu64 " is not a member", old);
	if (tool_keeps_orders())
		return tool_fail(EXIT_USAGE, w->command,
		                 "each of its orders waits for the one before: make them of add, remove and promote");
	code = memberview_find(&w->view, m->id) ? await(w, m->id, ROSTER_SPARE, true, "whole") : order_add(w, m);
	if (!code)
		code = order_remove(w, old);
	return code || !voted ? code : order_role(w, m->id, true);
}

static int replace_run(int argc, char **argv)
{
	static const struct usage usage = {
	        .command = "member replace",
	        .arguments = "NODE FILE",
	        .about =
	                "Replaces a node that is lost, or is to go, by one that `member prepare` made and that runs: "
	                "the\n"
	                "new one is added as a spare; once it is whole the old one is removed, and the new one votes.\n"
	                "Also the way back for a node that lost its disk: as a new one, with a new id and new keys.\n",
	        .exits = "  0  the new one is in the old one's place\n" TOOL_EXIT_TEXT,
	        .n_min = 2,
	        .n_max = 2,
	};
	struct work w = {
	        .command = usage.command, .access.timeout_ms = TOOL_TIMEOUT_MS_DEFAULT, .wait_ms = WAIT_MS_DEFAULT};
	const struct option options[] = {WORK_OPTIONS(&w), LOST_OPTION(&w), END_OPTION};
	struct memberfile m;
	uint64_t id = 0;
	unsigned n;
	int code = options_parse(&usage, options, argc, argv, &n);

	if (code != OPTIONS_GO_ON)
		return code;
	code = parse_node(&w, argv[0], &id);
	if (!code)
		code = memberfile_read(usage.command, argv[1], false, &m);
	if (!code)
		code = work_open(&w);
	if (code)
		return code;
	code = replace(&w, id, &m);
	cs_close(w.client);
	return code;
}

static int address_run(int argc, char **argv)
{
	static const struct usage usage = {
	        .command = "member address",
	        .arguments = "NODE",
	        .about = "Tells the cluster where a node is from now on. Then change listen and link in the node's "
	                 "settings\n"
	                 "and restart it: the others connect to the new place when the old connection ends.\n",
	        .exits = "  0  it is in the ledger\n" TOOL_EXIT_TEXT,
	        .n_min = 1,
	        .n_max = 1,
	};
	struct work w = {.command = usage.command, .access.timeout_ms = TOOL_TIMEOUT_MS_DEFAULT};
	const char *url = NULL, *link = NULL;
	const struct option options[] = {
	        TOOL_ADMIN_OPTIONS(&w.access),
	        {"url", OPTION_TEXT, &url, "URL", "where clients reach it (default: as before)", 0, 0},
	        {"link", OPTION_TEXT, &link, "HOST:PORT", "where the other nodes reach it (default: as before)", 0, 0},
	        END_OPTION,
	};
	const struct memberview_node *node;
	cs_result *result = NULL;
	uint64_t id = 0;
	unsigned n;
	int code = options_parse(&usage, options, argc, argv, &n);

	if (code != OPTIONS_GO_ON)
		return code;
	if (!url && !link)
		return tool_fail(EXIT_USAGE, usage.command, "nothing to change: give --url, --link or both");
	code = parse_node(&w, argv[0], &id);
	if (!code)
		code = work_open(&w);
	if (code)
		return code;
	node = memberview_find(&w.view, id);
	if (!node)
		code = tool_fail(EXIT_REFUSED, w.command, "node %" PRIu64 " is not a member", id);
	else
		code = done(&w, id, " has moved",
		            cs_member_address(w.client, id, url ? url : node->url, link ? link : node->link, &result),
		            &result);
	cs_close(w.client);
	return code;
}

int member_run(int argc, char **argv)
{
	static const struct tool_command commands[] = {
	        {"list", "who the members are, and who is whole", memberlist_run},
	        {"prepare", "make the folder of a node that is to join", memberprepare_run},
	        {"add", "add a prepared node", add_run},
	        {"promote", "make a spare a voter", promote_run},
	        {"demote", "make a voter a spare", demote_run},
	        {"remove", "remove a node for ever", member_remove_run},
	        {"replace", "put a prepared node in another's place", replace_run},
	        {"address", "say where a node is from now on", address_run},
	        {"sync", "bring cluster file and trust policy up to date", membersync_run},
	        {NULL, NULL, NULL},
	};

	return tool_group("member", commands, argc, argv);
}
