/* Makes a new cluster: origin, ports, keys and genesis, then its folder. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "client/tool/newcluster.h"

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "client/tool/files.h"
#include "client/tool/keys.h"
#include "client/tool/text.h"
#include "client/tool/tool.h"
#include "client/tool/trustadd.h"
#include "ledger/errors.h"
#include "node/decide/command.h"

#define COMMAND  "init"
#define PORTS    2 /* Of each node: for clients, and for the other nodes. */
#define ADMIN    "admin"
#define LOOPBACK "127.0.0.1"

/* A loopback port that is free now; the socket that holds it, or -1. */
static int hold_free_port(uint16_t *ret)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof a;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -1;
	if (bind(fd, (struct sockaddr *)&a, sizeof a) || getsockname(fd, (struct sockaddr *)&a, &len)) {
		close(fd);
		return -1;
	}
	*ret = ntohs(a.sin_port);
	return fd;
}

/* All are held open together, so that the kernel gives none of them twice. */
static int choose_ports(const struct newcluster_settings *s, uint16_t ports[CLUSTER_NODES_MAX * PORTS])
{
	int fds[CLUSTER_NODES_MAX * PORTS];
	unsigned n = 0, n_ports = s->n_nodes * PORTS;
	int err = 0;

	if (s->base_port) {
		for (unsigned i = 0; i < n_ports; i++)
			ports[i] = (uint16_t)(s->base_port + i);
		return 0;
	}
	for (; n < n_ports && !err; n++) {
		fds[n] = hold_free_port(&ports[n]);
		if (fds[n] < 0)
			err = errno;
	}
	while (n)
		if (fds[--n] >= 0)
			close(fds[n]);
	return err ? tool_fail(EXIT_LOCAL, COMMAND, "no free port on %s: %s", LOOPBACK, strerror(err)) : 0;
}

static void make_node(struct newcluster *c, unsigned i, const uint16_t ports[PORTS])
{
	struct newcluster_node *n = &c->nodes[i];
	char name[LIMIT_KEY_NAME_SIZE_MAX + 1];
	uint8_t pub[32];
	int err;

	n->id = i + 1;
	snprintf(n->url, sizeof n->url, "tcp://%s:%u", LOOPBACK, ports[0]);
	snprintf(n->link, sizeof n->link, "%s:%u", LOOPBACK, ports[1]);
	snprintf(name, sizeof name, "node-%u", i + 1);
	keyfile_random(&n->keys, name, KEYS_NODE);
	err = keyfile_public(&n->keys, KEY_CHANNEL, n->channel_pub, NULL);
	assert(!err);
	err = keyfile_public(&n->keys, KEY_LOG, pub, NULL);
	assert(!err);
	err = note_key_init(&n->log_key, c->origin, NOTE_KEY_ED25519, pub);
	assert(!err);
	snprintf(name, sizeof name, "%s/node-%u", c->origin, i + 1);
	err = keyfile_public(&n->keys, KEY_COSIGNER, pub, NULL);
	assert(!err);
	err = note_key_init(&n->cosigner_key, name, NOTE_KEY_COSIGNATURE, pub);
	assert(!err);
}

void newcluster_admin_file(unsigned i, char ret[NEWCLUSTER_ADMIN_FILE_SIZE])
{
	if (i == 0)
		snprintf(ret, NEWCLUSTER_ADMIN_FILE_SIZE, ADMIN ".key");
	else
		snprintf(ret, NEWCLUSTER_ADMIN_FILE_SIZE, ADMIN "-%u.key", (i + 1) % 100);
}

static void inherit_admins(struct newcluster *c)
{
	const struct newcluster_heir *heir = c->settings.heir;

	snprintf(c->governance, sizeof c->governance, "%s", heir->governance);
	for (unsigned i = 0; i < heir->n_admins; i++) {
		struct newcluster_admin *a = &c->admins[i];

		snprintf(a->keys.name, sizeof a->keys.name, "%s", heir->admins[i].name);
		memcpy(a->channel_pub, heir->admins[i].channel_pub, sizeof a->channel_pub);
		memcpy(a->sign_pub, heir->admins[i].sign_pub, sizeof a->sign_pub);
	}
}

static void make_admins(struct newcluster *c)
{
	char name[24];
	int err;

	if (c->settings.heir) {
		inherit_admins(c);
		return;
	}
	if (c->settings.n_admins == 1)
		snprintf(c->governance, sizeof c->governance, "single");
	else
		snprintf(c->governance, sizeof c->governance, "%u of %u", c->settings.threshold, c->settings.n_admins);
	for (unsigned i = 0; i < c->settings.n_admins; i++) {
		struct newcluster_admin *a = &c->admins[i];

		if (i == 0)
			snprintf(name, sizeof name, ADMIN);
		else
			snprintf(name, sizeof name, ADMIN "-%u", i + 1);
		keyfile_random(&a->keys, name, KEYS_CLIENT);
		err = keyfile_public(&a->keys, KEY_CHANNEL, a->channel_pub, NULL);
		assert(!err);
		err = keyfile_public(&a->keys, KEY_SIGN, a->sign_pub, NULL);
		assert(!err);
	}
}

static void describe_genesis(const struct newcluster *c, struct genesis *g)
{
	*g = (struct genesis){
	        .origin = {c->origin, strlen(c->origin)},
	        .governance = {c->governance, strlen(c->governance)},
	        .time_ms = c->time_ms,
	        .n_admins = c->settings.n_admins,
	        .n_nodes = c->settings.n_nodes,
	        .policy_source = (const uint8_t *)c->settings.policy_source,
	        .policy_source_len = c->settings.policy_source_len,
	        .policy_compiled = c->settings.policy_compiled,
	        .policy_compiled_len = c->settings.policy_compiled_len,
	        .restored = c->settings.heir != NULL,
	};
	if (g->restored)
		g->predecessor = c->settings.heir->predecessor;
	for (unsigned i = 0; i < c->settings.n_admins; i++) {
		g->admins[i].name = (struct text){c->admins[i].keys.name, strlen(c->admins[i].keys.name)};
		g->admins[i].channel_pub = c->admins[i].channel_pub;
		g->admins[i].sign_pub = c->admins[i].sign_pub;
	}
	for (unsigned i = 0; i < c->settings.n_nodes; i++) {
		const struct newcluster_node *n = &c->nodes[i];

		g->nodes[i].id = n->id;
		g->nodes[i].url = (struct text){n->url, strlen(n->url)};
		g->nodes[i].log_pub = n->log_key.pub;
		g->nodes[i].cosigner_pub = n->cosigner_key.pub;
		g->nodes[i].channel_pub = n->channel_pub;
	}
}

static int make_genesis(struct newcluster *c)
{
	uint8_t *leaf = malloc(LIMIT_ENTRY_SIZE_MAX);
	struct genesis g;
	size_t leaf_len;
	int err = CS_ERR_NOMEM;

	describe_genesis(c, &g);
	c->genesis = malloc(LIMIT_ENTRY_SIZE_MAX);
	if (leaf && c->genesis)
		err = genesis_encode(&g, c->genesis, LIMIT_ENTRY_SIZE_MAX, &c->genesis_len);
	if (!err)
		err = genesis_leaf(c->genesis, c->genesis_len, leaf, LIMIT_ENTRY_SIZE_MAX, &leaf_len, &c->genesis_hash);
	free(leaf);
	return err ? tool_fail(EXIT_USAGE, COMMAND, "the genesis entry: %s", err_text(err)) : 0;
}

int newcluster_make(const struct newcluster_settings *s, struct newcluster *ret)
{
	uint16_t ports[CLUSTER_NODES_MAX * PORTS];
	uint8_t random[8];
	char hex[2 * sizeof random + 1];
	int code;

	memset(ret, 0, sizeof *ret);
	ret->settings = *s;
	code = choose_ports(s, ports);
	if (code)
		return code;
	randombytes_buf(random, sizeof random);
	sodium_bin2hex(hex, sizeof hex, random, sizeof random);
	snprintf(ret->origin, sizeof ret->origin, "%s-%s", s->name, hex);
	ret->time_ms = text_now_ms();
	if (s->heir && ret->time_ms < s->heir->time_ms_min)
		ret->time_ms = s->heir->time_ms_min;
	for (unsigned i = 0; i < s->n_nodes; i++)
		make_node(ret, i, ports + (size_t)i * PORTS);
	make_admins(ret);
	return make_genesis(ret);
}

static int make_folder(const char *path, mode_t mode)
{
	return mkdir(path, mode) && errno != EEXIST ? tool_fail(EXIT_LOCAL, COMMAND, "%s: %s", path, strerror(errno))
	                                            : 0;
}

static int write_file(const char *path, const void *bytes, size_t size, mode_t mode)
{
	int err = bytes ? files_write(path, bytes, size, mode) : ENOMEM;

	return err ? tool_fail(EXIT_LOCAL, COMMAND, "%s: %s", path, strerror(err)) : 0;
}

/* Takes over text. */
static int write_text(const char *dir, const char *name, char *text)
{
	char path[FILES_PATH_SIZE];
	int code = EXIT_LOCAL;

	if (files_join(path, dir, name))
		code = write_file(path, text, text ? strlen(text) : 0, 0644);
	free(text);
	return code;
}

static int write_key(const char *dir, const char *name, const struct keyfile *k)
{
	char path[FILES_PATH_SIZE], text[256] = "";
	int err = CS_ERR_TOO_LARGE;

	if (files_join(path, dir, name))
		err = keyfile_write(path, k, text);
	return err ? tool_fail(EXIT_LOCAL, COMMAND, "%s", *text ? text : err_text(err)) : 0;
}

/*
 * The node's data folder, marked as fresh: countersignd begins a log only where it finds the mark, and takes it away. A
 * node whose disk was lost finds none, and does not begin again under an identity that has voted and signed before.
 */
static int write_data(const char *dir)
{
	char data[FILES_PATH_SIZE], path[FILES_PATH_SIZE];
	int code;

	if (!files_join(data, dir, "data") || !files_join(path, data, "fresh"))
		return tool_fail(EXIT_LOCAL, COMMAND, "%s: the path is too long", dir);
	code = make_folder(data, 0700);
	return code ? code : write_file(path, "", 0, 0600);
}

static int write_node(const struct newcluster *c, unsigned i)
{
	char dir[FILES_PATH_SIZE], path[FILES_PATH_SIZE];
	int code;

	if (!files_join_node(dir, c->settings.dir, c->nodes[i].id, "") || !files_join(path, dir, "genesis"))
		return tool_fail(EXIT_LOCAL, COMMAND, "%s: the path is too long", c->settings.dir);
	code = make_folder(dir, 0700);
	if (!code)
		code = write_key(dir, "node.key", &c->nodes[i].keys);
	if (!code)
		code = write_file(path, c->genesis, c->genesis_len, 0644);
	if (!code)
		code = write_text(dir, "countersignd.yaml", node_settings(c, i));
	if (!code)
		code = write_data(dir);
	return code;
}

static int write_trust(const struct newcluster *c)
{
	const struct option_list *witnesses = &c->settings.witnesses;
	char *text = trust_policy(c), why[256] = "", *more;

	if (text && witnesses->n) {
		more = trustadd_witnesses(text, witnesses, witnesses->n, why);
		free(text);
		if (!more)
			return tool_fail(EXIT_USAGE, COMMAND, "option --witness: %s", why);
		text = more;
	}
	return write_text(c->settings.dir, "trust.policy", text);
}

static int write_cluster_file(const struct newcluster *c)
{
	struct cluster_file f = {
	        .genesis = c->genesis_hash, .trust_path = "trust.policy", .n_nodes = c->settings.n_nodes};
	char path[FILES_PATH_SIZE], text[256] = "";
	int err = CS_ERR_TOO_LARGE;

	memcpy(f.origin, c->origin, sizeof f.origin);
	for (unsigned i = 0; i < f.n_nodes; i++) {
		f.nodes[i].id = c->nodes[i].id;
		snprintf(f.nodes[i].url, sizeof f.nodes[i].url, "%s", c->nodes[i].url);
		memcpy(f.nodes[i].channel_pub, c->nodes[i].channel_pub, 32);
	}
	if (files_join(path, c->settings.dir, "cluster.yaml"))
		err = cluster_file_write(path, &f, text);
	return err ? tool_fail(EXIT_LOCAL, COMMAND, "%s", *text ? text : err_text(err)) : 0;
}

int newcluster_write(struct newcluster *c)
{
	const char *dir = c->settings.dir;
	int code = make_folder(dir, 0755);

	for (unsigned i = 0; i < c->settings.n_nodes && !code; i++)
		code = write_node(c, i);
	for (unsigned i = 0; i < c->settings.n_admins && !c->settings.heir && !code; i++) {
		char name[NEWCLUSTER_ADMIN_FILE_SIZE];

		newcluster_admin_file(i, name);
		code = write_key(dir, name, &c->admins[i].keys);
	}
	if (!code)
		code = write_text(dir, "policy.yaml",
		                  strndup(c->settings.policy_source, c->settings.policy_source_len));
	if (!code)
		code = write_trust(c);
	if (!code)
		code = write_cluster_file(c);
	if (!code) {
		c->sheet = ceremony_sheet(c);
		code = write_text(dir, "ceremony-sheet.txt", c->sheet ? strdup(c->sheet) : NULL);
	}
	return code;
}

void newcluster_close(struct newcluster *c)
{
	for (unsigned i = 0; i < CLUSTER_NODES_MAX; i++)
		keyfile_wipe(&c->nodes[i].keys);
	for (unsigned i = 0; i < NEWCLUSTER_ADMINS_MAX; i++)
		keyfile_wipe(&c->admins[i].keys);
	free(c->genesis);
	free(c->sheet);
	c->genesis = NULL;
	c->sheet = NULL;
}
