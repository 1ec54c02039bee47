/* countersign key: new keys for nodes and principals, ordered; which keys there are. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "client/tool/keys.h"
#include "client/tool/nodekeys.h"
#include "client/tool/text.h"
#include "client/tool/tool.h"
#include "node/decide/command.h"

#define OVERLAP_DEFAULT     100000
#define CHANNEL_OVERLAP_MIN 1000 /* Entries between two orders of one command. */
#define WAIT_MS_DEFAULT     30000
#define ASK_INTERVAL_MS     50
#define OVERLAP_MAX         INT64_C(1099511627776) /* 2^40, as KEY_OVERLAP_MAX. */

static const struct usage rotate_usage = {
        .command = "key rotate",
        .arguments = "[NODE]",
        .about = "Puts new keys in the places of old ones. Of a node: the node makes them (--log, --cosigner, "
                 "--channel;\n"
                 "default: all three), each is ordered, and the command waits until the node signs with them. Of "
                 "anybody\n"
                 "else, by --name: a new key file is made with --new-key, or the public halves come with --sign-pub "
                 "and\n"
                 "--channel-pub; of an administrator it takes as many signatures as making one. --key is the\n"
                 "administrator's. Keys are good for sizes of the tree: an old one up to the size of its order plus\n"
                 "--overlap. Whoever is offline for longer than that needs `countersign trust update`.\n",
        .exits = "  0  in force\n" TOOL_EXIT_TEXT,
        .n_min = 0,
        .n_max = 1,
};

struct work {
	struct tool_access access;
	cs_client *client;
	uint64_t node, overlap, wait_ms;
	uint64_t index; /* Of the last order's entry. */
	bool log, cosigner, channel, sign;
	const char *name, *new_key, *sign_pub, *channel_pub;
};

static int order(struct work *w, const char *place, const uint8_t pub[32], uint64_t overlap)
{
	struct cs_key key = {.place = place, .node = w->node, .name = w->name, .pub = pub, .overlap = overlap};
	char whose[96], text[KEYS_PUBLIC_TEXT_SIZE];
	cs_result *result = NULL;

	if (w->name)
		snprintf(whose, sizeof whose, "%s", w->name);
	else
		snprintf(whose, sizeof whose, "node %" PRIu64, w->node);
	int err = cs_key_rotate(w->client, &key, &result);
	if (err)
		return tool_failed_call(rotate_usage.command, whose, err);
	w->index = result->index;
	keys_public_text(pub, text);
	printf("%s: %s key %s: entry %" PRIu64 "; the old one is good up to size %" PRIu64 "\n", whose,
	       strcmp(place, "client") ? place : "channel", text, result->index, result->index + overlap);
	cs_result_free(result);
	return 0;
}

/* --- nodes --- */

static int await(struct work *w, unsigned kinds, const struct cs_key_prepared *made)
{
	const struct timespec nap = {.tv_nsec = ASK_INTERVAL_MS * 1000000L};
	uint64_t begin = text_clock_ms();
	char *bundle = NULL;
	bool quorum = false;

	if (tool_keeps_orders()) /* Nothing was ordered yet. */
		return 0;
	/* Once a quorum has cosigned the new keys' entries, by old keys yet, whoever was away can follow to them. */
	if (cs_prove(w->client, w->index, (unsigned)w->wait_ms, &bundle, &quorum) || !quorum)
		fprintf(stderr, "countersign key rotate: warning: no quorum has cosigned the new keys yet\n");
	free(bundle);
	while (!nodekeys_in_force(w->client, w->node, kinds, made)) {
		if (text_clock_ms() - begin >= w->wait_ms)
			return tool_fail(EXIT_UNREACHABLE, rotate_usage.command,
			                 "node %" PRIu64 " does not sign with them yet; see `countersign key list`",
			                 w->node);
		nanosleep(&nap, NULL);
	}
	printf("node %" PRIu64 " signs with %s\n", w->node,
	       kinds == CS_KEY_CHANNEL ? "the keys that it had, and is known by the new one" : "them");
	return 0;
}

static int rotate_node(struct work *w)
{
	struct cs_key_prepared made;
	unsigned kinds;
	int code = 0;

	if (!w->log && !w->cosigner && !w->channel)
		w->log = w->cosigner = w->channel = true;
	kinds = (w->log ? CS_KEY_LOG : 0) | (w->cosigner ? CS_KEY_COSIGNER : 0) | (w->channel ? CS_KEY_CHANNEL : 0);
	int err = cs_key_prepare(w->client, w->node, kinds, &made);
	if (err)
		return tool_failed_call(rotate_usage.command, "making keys at the node", err);
	/* The log key first: a node that has lost its signer's record can answer for nothing before. */
	if (w->log)
		code = order(w, "log", made.log_pub, w->overlap);
	if (!code && w->cosigner)
		code = order(w, "cosigner", made.cosigner_pub, w->overlap);
	if (!code && w->channel)
		code = order(w, "channel", made.channel_pub, w->overlap);
	return code ? code : await(w, kinds, &made);
}

/* --- anybody else --- */

static int public_of(const char *option, const char *text, uint8_t ret[32])
{
	return keys_parse_public(text, ret) ? 0
	                                    : tool_fail(EXIT_USAGE, rotate_usage.command,
	                                                "option --%s: is not the base64 of 32 bytes", option);
}

static int rotate_principal(struct work *w)
{
	uint8_t sign[32], channel[32];
	bool has_sign = w->sign_pub != NULL, has_channel = w->channel_pub != NULL;
	struct keyfile k;
	int code = 0;

	if (w->new_key) {
		has_sign = w->sign || !w->channel;
		has_channel = w->channel || !w->sign;
		code = keys_create(rotate_usage.command, w->new_key, w->name,
		                   (has_sign ? 1u << KEY_SIGN : 0) | (has_channel ? 1u << KEY_CHANNEL : 0), &k);
		if (code)
			return code;
		if (has_sign)
			keyfile_public(&k, KEY_SIGN, sign, NULL);
		if (has_channel)
			keyfile_public(&k, KEY_CHANNEL, channel, NULL);
		keyfile_wipe(&k);
	} else {
		if (has_sign)
			code = public_of("sign-pub", w->sign_pub, sign);
		if (!code && has_channel)
			code = public_of("channel-pub", w->channel_pub, channel);
	}
	/*
	 * The signing key last: without an overlap the old one signs nothing after it. It may be our own keys that
	 * change: the second order comes by the old channel yet.
	 */
	if (!code && has_channel)
		code = order(w, "client", channel,
		             has_sign && w->overlap < CHANNEL_OVERLAP_MIN ? CHANNEL_OVERLAP_MIN : w->overlap);
	if (!code && has_sign)
		code = order(w, "sign", sign, w->overlap);
	return code;
}

static int check(const struct work *w, unsigned n)
{
	const char *what = NULL;

	if ((w->name != NULL) == (n == 1))
		what = "whose keys? give NODE, or --name NAME";
	else if (n == 1 && (w->new_key || w->sign_pub || w->channel_pub || w->sign))
		what = "a node makes its keys itself: --log, --cosigner and --channel are for it";
	else if (n == 0 && (w->log || w->cosigner))
		what = "--log and --cosigner are for nodes";
	else if (n == 0 && !w->new_key && !w->sign_pub && !w->channel_pub)
		what = "no keys: give --new-key FILE, or --sign-pub and --channel-pub";
	else if (w->new_key && (w->sign_pub || w->channel_pub))
		what = "--new-key makes the keys: --sign-pub and --channel-pub do not fit";
	return what ? tool_fail(EXIT_USAGE, rotate_usage.command, "%s", what) : 0;
}

static int rotate_run(int argc, char **argv)
{
	struct work w = {
	        .access.timeout_ms = TOOL_TIMEOUT_MS_DEFAULT, .overlap = OVERLAP_DEFAULT, .wait_ms = WAIT_MS_DEFAULT};
	const struct option options[] = {
	        TOOL_ADMIN_OPTIONS(&w.access),
	        {"log", OPTION_FLAG, &w.log, NULL, "the node's log key", 0, 0},
	        {"cosigner", OPTION_FLAG, &w.cosigner, NULL, "the node's cosigner key", 0, 0},
	        {"channel", OPTION_FLAG, &w.channel, NULL, "the channel key (of a node, or in --new-key)", 0, 0},
	        {"sign", OPTION_FLAG, &w.sign, NULL, "in --new-key: the signing key (default: both)", 0, 0},
	        {"name", OPTION_TEXT, &w.name, "NAME", "of this principal: an administrator, client, approver, device",
	         0, 0},
	        {"new-key", OPTION_TEXT, &w.new_key, "FILE", "make the key file of the principal's new keys", 0, 0},
	        {"sign-pub", OPTION_TEXT, &w.sign_pub, "KEY", "its new signing key, in base64", 0, 0},
	        {"channel-pub", OPTION_TEXT, &w.channel_pub, "KEY", "its new channel key, in base64", 0, 0},
	        {"overlap", OPTION_NUMBER, &w.overlap, "N",
	         "so many entries the old key is good for yet (default: 100000; 0: none)", 0, OVERLAP_MAX},
	        {"wait", OPTION_NUMBER, &w.wait_ms, "MS", "longest wait for the node (default: 30000)", 1, 3600000},
	        {NULL, OPTION_FLAG, NULL, NULL, NULL, 0, 0},
	};
	unsigned n;
	int code = options_parse(&rotate_usage, options, argc, argv, &n);

	if (code != OPTIONS_GO_ON)
		return code;
	code = check(&w, n);
	if (!code && n == 1 && (!tool_parse_index(argv[0], &w.node) || w.node < 1 || w.node > NODE_ID_MAX))
		code = tool_fail(EXIT_USAGE, rotate_usage.command, "\"%s\" is no node's id", argv[0]);
	if (!code)
		code = tool_open(rotate_usage.command, &w.access, 0, &w.client);
	if (code)
		return code;
	cs_follow(w.client, NULL); /* Of no consequence here if it fails; but a node may have come since. */
	code = w.name ? rotate_principal(&w) : rotate_node(&w);
	cs_close(w.client);
	return code;
}

/* --- list --- */

static const struct usage list_usage = {
        .command = "key list",
        .arguments = "",
        .about = "Shows the members' keys as one node knows them: which entry brought each (0: genesis), and up to\n"
                 "which size of the tree the one before it is good.\n",
        .exits = "  0  shown\n" TOOL_EXIT_TEXT,
};

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
	int err = cs_keys(client, 0, &text);
	if (err)
		code = tool_failed_call(list_usage.command, "the keys", err);
	else if (json)
		puts(text);
	else
		nodekeys_print_text(text);
	free(text);
	cs_close(client);
	return code;
}

int key_run(int argc, char **argv)
{
	static const struct tool_command commands[] = {
	        {"rotate", "new keys in the places of old ones", rotate_run},
	        {"list", "which keys the members have", list_run},
	        {NULL, NULL, NULL},
	};

	return tool_group("key", commands, argc, argv);
}
