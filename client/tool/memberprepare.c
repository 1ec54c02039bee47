/* countersign member prepare: makes the folder of a node that is to join a cluster. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "client/tool/files.h"
#include "client/tool/keys.h"
#include "client/tool/memberfile.h"
#include "client/tool/tool.h"
#include "ledger/entry.h"
#include "ledger/errors.h"

static const struct usage usage = {
        .command = "member prepare",
        .arguments = "FOLDER",
        .about = "Makes the folder of a node that is to join: its keys, its settings, the genesis, and the file\n"
                 "\"" MEMBERFILE_NAME
                 "\" that an administrator gives to `member add`. Asks the cluster for the genesis,\n"
                 "which is checked against the cluster file, and for the members that the node will talk to. Then\n"
                 "start the node (countersignd --config FOLDER/countersignd.yaml) and add it. A node that lost its "
                 "disk\n"
                 "joins as a new one like this: under a new id, with new keys (`member replace`).\n",
        .exits = "  0  the folder is there\n" TOOL_EXIT_TEXT,
        .n_min = 1,
        .n_max = 1,
};

struct preparation {
	const char *dir;
	struct cluster_file cluster;
	struct memberview members;
	struct memberfile file;
	struct keyfile keys;
	uint8_t *genesis;
	size_t genesis_len;
	uint64_t election_ms, heartbeat_ms;
};

/* Entry 0, whose leaf hash the cluster file names: nobody can slip in another. */
static int fetch_genesis(cs_client *client, struct preparation *p)
{
	struct entry e;
	struct hash h;
	cs_page *page;
	int code = 0, err = cs_leaves(client, 0, 1, 2000, &page);

	if (err)
		return tool_failed_call(usage.command, "the genesis", err);
	if (page->n == 1)
		hash_leaf(&h, page->entries[0].leaf, page->entries[0].leaf_size);
	if (page->n != 1 || !hash_equal(&h, &p->cluster.genesis) ||
	    entry_decode(&e, page->entries[0].leaf, page->entries[0].leaf_size) ||
	    !(p->genesis = malloc(e.public_len))) {
		code = tool_fail(EXIT_REFUTED, usage.command, "entry 0 is not the genesis that the cluster file names");
	} else {
		memcpy(p->genesis, e.public_, e.public_len);
		p->genesis_len = e.public_len;
	}
	cs_page_free(page);
	return code;
}

static int make_keys(struct preparation *p)
{
	char name[32];

	snprintf(name, sizeof name, "node-%" PRIu64, p->file.id);
	keyfile_random(&p->keys, name, KEYS_NODE);
	if (keyfile_public(&p->keys, KEY_LOG, p->file.log_pub, NULL) ||
	    keyfile_public(&p->keys, KEY_COSIGNER, p->file.cosigner_pub, NULL) ||
	    keyfile_public(&p->keys, KEY_CHANNEL, p->file.channel_pub, NULL))
		return tool_fail(EXIT_LOCAL, usage.command, "keys cannot be made");
	return 0;
}

static char *settings(const struct preparation *p)
{
	char key[KEYS_PUBLIC_TEXT_SIZE], *text = NULL;
	size_t size;
	FILE *f = open_memstream(&text, &size);

	if (!f)
		return NULL;
	keys_public_text(p->cluster.genesis.b, key);
	fprintf(f,
	        "# Settings of node %" PRIu64
	        "; paths are relative to this file. peers are whom it talks to until it has\n"
	        "# the ledger, which names all members.\n"
	        "node: %" PRIu64
	        "\norigin: \"%s\"\ngenesis: genesis\ngenesis_hash: \"%s\"\nkeys: node.key\ndata: data\n"
	        "listen: [\"%s\"]\nlink: \"%s\"\npeers:\n",
	        p->file.id, p->file.id, p->cluster.origin, key, p->file.url, p->file.link);
	for (unsigned i = 0; i < p->members.n && i + 1 < ROSTER_NODES_MAX; i++) {
		const struct memberview_node *n = &p->members.nodes[i];
		keys_public_text(n->channel_pub, key);
		fprintf(f, "  - {id: %" PRIu64 ", link: \"%s\", url: \"%s\", channel: \"%s\"}\n", n->id, n->link,
		        n->url, key);
	}
	fprintf(f, "election_timeout_ms: %" PRIu64 "\nheartbeat_ms: %" PRIu64 "\n", p->election_ms, p->heartbeat_ms);
	if (fclose(f)) {
		free(text);
		return NULL;
	}
	return text;
}

static int write_one(const char *dir, const char *name, const void *bytes, size_t len, mode_t mode)
{
	char path[FILES_PATH_SIZE];
	int err = !bytes ? ENOMEM : files_join(path, dir, name) ? files_write(path, bytes, len, mode) : ENAMETOOLONG;

	return err ? tool_fail(EXIT_LOCAL, usage.command, "%s/%s: %s", dir, name, strerror(err)) : 0;
}

static int write_text(const char *dir, const char *name, char *text)
{
	int code = write_one(dir, name, text, text ? strlen(text) : 0, 0644);

	free(text);
	return code;
}

static int write_all(struct preparation *p)
{
	char path[FILES_PATH_SIZE], data[FILES_PATH_SIZE], text[256] = "";
	int code = 0;

	if (!files_join(path, p->dir, "node.key") || !files_join(data, p->dir, "data"))
		return tool_fail(EXIT_USAGE, usage.command, "%s: the path is too long", p->dir);
	if ((mkdir(p->dir, 0700) && errno != EEXIST) || mkdir(data, 0700))
		return tool_fail(EXIT_LOCAL, usage.command, "%s: %s", p->dir, strerror(errno));
	if (keyfile_write(path, &p->keys, text))
		return tool_fail(EXIT_LOCAL, usage.command, "%s", text);
	code = write_one(p->dir, "genesis", p->genesis, p->genesis_len, 0644);
	if (!code)
		code = write_text(p->dir, "countersignd.yaml", settings(p));
	if (!code)
		code = write_text(p->dir, MEMBERFILE_NAME, memberfile_text(&p->file));
	/* The mark by which countersignd begins with an empty log, once: see data/fresh of `countersign init`. */
	return code ? code : write_one(data, "join", "", 0, 0600);
}

static int prepare(cs_client *client, struct preparation *p)
{
	int err = memberview_ask(client, &p->members), code;

	if (err)
		return tool_failed_call(usage.command, "the members", err);
	if (!p->file.id)
		p->file.id = p->members.highest_id + 1;
	code = fetch_genesis(client, p);
	if (!code)
		code = make_keys(p);
	if (!code)
		code = write_all(p);
	if (!code)
		printf("node %" PRIu64 " is prepared in %s\n"
		       "Next: start it, countersignd --config %s/countersignd.yaml\n"
		       "Then: countersign member add %s/" MEMBERFILE_NAME "\n",
		       p->file.id, p->dir, p->dir, p->dir);
	return code;
}

static int check(const char *url, const char *link, struct preparation *p)
{
	char host[ROSTER_URL_SIZE];
	uint16_t port;

	if (!url || !link)
		return tool_fail(EXIT_USAGE, usage.command, "option --%s is missing",
		                 url ? "link HOST:PORT" : "url URL");
	if ((strncmp(url, "tcp://", 6) != 0 && strncmp(url, "ipc://", 6) != 0) || strpbrk(url, "\"\\ "))
		return tool_fail(EXIT_USAGE, usage.command, "option --url: must begin with tcp:// or ipc://");
	if (!roster_link_parse(link, strlen(link), host, &port))
		return tool_fail(EXIT_USAGE, usage.command, "option --link: \"%s\" is not HOST:PORT", link);
	if (snprintf(p->file.url, sizeof p->file.url, "%s", url) >= (int)sizeof p->file.url)
		return tool_fail(EXIT_USAGE, usage.command, "option --url: is too long");
	snprintf(p->file.link, sizeof p->file.link, "%s", link);
	if (!files_empty_folder(p->dir))
		return tool_fail(EXIT_USAGE, usage.command, "%s: %s", p->dir,
		                 errno == ENOTEMPTY ? "is not empty; nothing was changed" : strerror(errno));
	return 0;
}

int memberprepare_run(int argc, char **argv)
{
	struct tool_access access = {.timeout_ms = TOOL_TIMEOUT_MS_DEFAULT};
	struct preparation p = {.election_ms = 300, .heartbeat_ms = 50};
	const char *url = NULL, *link = NULL, *cluster;
	const struct option options[] = {
	        TOOL_ACCESS_OPTIONS(&access),
	        {"id", OPTION_NUMBER, &p.file.id, "N", "its id, never used before (default: the next)", 1, NODE_ID_MAX},
	        {"url", OPTION_TEXT, &url, "URL", "where clients reach it: tcp://HOST:PORT", 0, 0},
	        {"link", OPTION_TEXT, &link, "HOST:PORT", "where the other nodes reach it", 0, 0},
	        {"election-timeout-ms", OPTION_NUMBER, &p.election_ms, "MS", "as the other nodes' (default: 300)", 50,
	         60000},
	        {"heartbeat-ms", OPTION_NUMBER, &p.heartbeat_ms, "MS", "as the other nodes' (default: 50)", 5, 10000},
	        {NULL, OPTION_FLAG, NULL, NULL, NULL, 0, 0},
	};
	cs_client *client;
	char text[256] = "";
	unsigned n;
	int code = options_parse(&usage, options, argc, argv, &n);

	if (code != OPTIONS_GO_ON)
		return code;
	p.dir = argv[0];
	code = check(url, link, &p);
	if (!code)
		code = tool_open(usage.command, &access, 0, &client);
	if (code)
		return code;
	cluster = access.cluster ? access.cluster : getenv("COUNTERSIGN_CLUSTER");
	if (cluster_file_read(cluster, &p.cluster, text))
		code = tool_fail(EXIT_USAGE, usage.command, "%s", text);
	else
		code = prepare(client, &p);
	cs_close(client);
	keyfile_wipe(&p.keys);
	free(p.genesis);
	return code;
}
