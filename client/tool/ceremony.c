/* Texts that `countersign init` writes: ceremony sheet, trust policy, nodes' settings. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <assert.h>
#include <inttypes.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/tool/keys.h"
#include "client/tool/newcluster.h"
#include "client/tool/text.h"

#define VKEY_SIZE (LIMIT_KEY_NAME_SIZE_MAX + 64) /* Name, '+', 8 hex digits, '+', base64 of 33 bytes. */

static void vkey(const struct note_key *k, char ret[VKEY_SIZE])
{
	int err = note_key_format(k, ret, VKEY_SIZE);

	assert(!err);
}

/* Closes a memory stream: the text, or NULL if memory ran out on the way. */
static char *finish(FILE *f, char **text)
{
	bool bad = ferror(f);

	if (fclose(f) || bad) {
		free(*text);
		return NULL;
	}
	return *text;
}

char *trust_policy(const struct newcluster *c)
{
	unsigned n = c->settings.n_nodes;
	char line[VKEY_SIZE], *text = NULL;
	size_t size;
	FILE *f = open_memstream(&text, &size);

	if (!f)
		return NULL;
	fprintf(f, "# Whom to trust about %s: any node's log key, and a majority of the nodes as cosigners.\n",
	        c->origin);
	fprintf(f, "# Against nodes that collude, add a witness of someone else.\n");
	for (unsigned i = 0; i < n; i++) {
		vkey(&c->nodes[i].log_key, line);
		fprintf(f, "log %s\n", line);
	}
	for (unsigned i = 0; i < n; i++) {
		vkey(&c->nodes[i].cosigner_key, line);
		fprintf(f, "witness node-%" PRIu64 " %s\n", c->nodes[i].id, line);
	}
	fprintf(f, "group nodes %u", n / 2 + 1);
	for (unsigned i = 0; i < n; i++)
		fprintf(f, " node-%" PRIu64, c->nodes[i].id);
	fprintf(f, "\nquorum nodes\n");
	return finish(f, &text);
}

char *node_settings(const struct newcluster *c, unsigned i)
{
	const struct newcluster_node *me = &c->nodes[i];
	char key[KEYS_PUBLIC_TEXT_SIZE], *text = NULL;
	size_t size;
	FILE *f = open_memstream(&text, &size);

	if (!f)
		return NULL;
	keys_public_text(c->genesis_hash.b, key);
	fprintf(f,
	        "# Settings of node %" PRIu64 "; paths are relative to this file.\n"
	        "node: %" PRIu64
	        "\norigin: \"%s\"\ngenesis: genesis\ngenesis_hash: \"%s\"\nkeys: node.key\ndata: data\n"
	        "listen: [\"%s\"]\nlink: \"%s\"\n",
	        me->id, me->id, c->origin, key, me->url, me->link);
	fprintf(f, c->settings.n_nodes > 1 ? "peers:\n" : "peers: []\n");
	for (unsigned k = 0; k < c->settings.n_nodes; k++) {
		const struct newcluster_node *p = &c->nodes[k];

		if (k == i)
			continue;
		keys_public_text(p->channel_pub, key);
		fprintf(f, "  - {id: %" PRIu64 ", link: \"%s\", url: \"%s\", channel: \"%s\"}\n", p->id, p->link,
		        p->url, key);
	}
	fprintf(f, "election_timeout_ms: %u\nheartbeat_ms: %u\nlog_level: %s\n", c->settings.election_timeout_ms,
	        c->settings.heartbeat_ms, c->settings.log_level);
	return finish(f, &text);
}

static void sheet_nodes(FILE *f, const struct newcluster *c)
{
	char line[VKEY_SIZE], key[KEYS_PUBLIC_TEXT_SIZE];

	for (unsigned i = 0; i < c->settings.n_nodes; i++) {
		const struct newcluster_node *n = &c->nodes[i];

		fprintf(f, "\nNode %" PRIu64 "      %s (links: %s)\n", n->id, n->url, n->link);
		vkey(&n->log_key, line);
		fprintf(f, "  log       %s\n", line);
		vkey(&n->cosigner_key, line);
		fprintf(f, "  cosigner  %s\n", line);
		keys_public_text(n->channel_pub, key);
		fprintf(f, "  channel   %s\n", key);
	}
	for (unsigned i = 0; i < c->settings.n_admins; i++) {
		const struct newcluster_admin *a = &c->admins[i];

		fprintf(f, "\nAdministrator \"%s\"\n", a->keys.name);
		keys_public_text(a->sign_pub, key);
		fprintf(f, "  sign      %s\n", key);
		keys_public_text(a->channel_pub, key);
		fprintf(f, "  channel   %s\n", key);
	}
}

static void sheet_governance(FILE *f, const struct newcluster *c)
{
	if (c->settings.n_admins == 1)
		fprintf(f,
		        "one administrator's signature is enough. Whoever has that key can change\n"
		        "            every rule; give it to a person, not to a machine, and keep it off the nodes.\n");
	else
		fprintf(f,
		        "every order takes %u of these administrators' signatures. Give each key to\n"
		        "            another person, none to a machine, and keep them off the nodes.\n",
		        c->settings.threshold);
}

static void sheet_predecessor(FILE *f, const struct newcluster *c)
{
	const struct predecessor *p = c->settings.heir ? &c->settings.heir->predecessor : NULL;
	char root[KEYS_PUBLIC_TEXT_SIZE], digest[2 * HASH_SIZE + 1];

	if (!p)
		return;
	keys_public_text(p->root, root);
	sodium_bin2hex(digest, sizeof digest, p->digest, HASH_SIZE);
	fprintf(f,
	        "\nCarries on  %.*s\n"
	        "  size      %" PRIu64 "\n"
	        "  root      %s\n"
	        "  state     of its first %" PRIu64 " entries, digest %s\n"
	        "Proofs of before are checked with the trust policy of before: nobody signs for that origin again.\n",
	        (int)p->origin.len, p->origin.s, p->size, root, p->state_size, digest);
}

char *ceremony_sheet(const struct newcluster *c)
{
	char when[TEXT_TIME_SIZE], hash[KEYS_PUBLIC_TEXT_SIZE], hex[2 * HASH_SIZE + 1], *text = NULL;
	struct hash policy;
	size_t size;
	FILE *f = open_memstream(&text, &size);

	if (!f)
		return NULL;
	text_time(c->time_ms, when);
	keys_public_text(c->genesis_hash.b, hash);
	hash_bytes(&policy, c->settings.policy_compiled, c->settings.policy_compiled_len);
	sodium_bin2hex(hex, sizeof hex, policy.b, sizeof policy.b);
	fprintf(f,
	        "COUNTERSIGN CEREMONY SHEET\n\n"
	        "Origin      %s\n"
	        "Genesis     %s  (leaf hash of entry 0)\n"
	        "Policy      %s  (SHA-256 of its compiled form)\n"
	        "Made        %s by countersign %s\n"
	        "Governance  %s: ",
	        c->origin, hash, hex, when, PACKAGE_VERSION, c->governance);
	sheet_governance(f, c);
	sheet_predecessor(f, c);
	sheet_nodes(f, c);
	fprintf(f,
	        "\nWho has seen these values made, and compared them with the files that were handed out, signs here.\n"
	        "Believe no copy of a key that came another way.\n");
	for (int i = 0; i < 3; i++)
		fprintf(f, "\nName ______________________  Date ____________  Signature ______________________\n");
	return finish(f, &text);
}
