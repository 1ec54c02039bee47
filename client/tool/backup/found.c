/* A new cluster out of a backup: its folders, its genesis, and in each node's store entry 0 and the state. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "client/tool/backup/found.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "client/tool/backup/restorestore.h"
#include "client/tool/files.h"
#include "client/tool/tool.h"
#include "ledger/errors.h"

/* --- what is inherited --- */

static void add_administrator(void *ctx, const struct principal *p)
{
	struct newcluster_heir *h = ctx;

	if (p->removed || !(p->roles & ROLE_ADMINISTER) || !p->has_channel || !p->has_sign ||
	    h->n_admins == NEWCLUSTER_ADMINS_MAX)
		return;
	h->admins[h->n_admins].name = p->name;
	memcpy(h->admins[h->n_admins].channel_pub, p->channel_pub, 32);
	memcpy(h->admins[h->n_admins].sign_pub, p->sign_pub, 32);
	h->n_admins++;
}

static int inherit(struct backupread *r, struct newcluster_settings *s, struct newcluster_heir *h)
{
	const struct state *state = carry_state(r->carry);
	struct state_head head;

	*h = (struct newcluster_heir){.predecessor = {.origin = {r->manifest.origin, strlen(r->manifest.origin)},
	                                              .size = r->manifest.size,
	                                              .state_size = r->manifest.state_size,
	                                              .root = r->manifest.root.b,
	                                              .digest = r->digest.b}};
	state_head(state, &head);
	h->time_ms_min = head.time_ms;
	state_each_principal(state, add_administrator, h);
	if (h->n_admins == 0)
		return tool_fail(RESTORE_REFUTED, r->command, "%s: nobody in its state could administer the cluster",
		                 r->dir);
	s->heir = h;
	s->n_admins = h->n_admins;
	s->threshold = governance_largest(state_thresholds(state));
	if (s->n_admins == 1)
		snprintf(h->governance, sizeof h->governance, "single");
	else
		snprintf(h->governance, sizeof h->governance, "%u of %u", s->threshold, s->n_admins);
	s->policy_source = (const char *)r->facts.source;
	s->policy_source_len = r->facts.source_len;
	s->policy_compiled = r->facts.compiled;
	s->policy_compiled_len = r->facts.compiled_len;
	return 0;
}

/* --- the stores --- */

static int write_stores(struct backupread *r, const struct newcluster *c, const uint8_t *leaf, size_t leaf_len)
{
	struct genesis g;
	struct state *state = NULL;
	char text[160] = "", path[FILES_PATH_SIZE];
	struct restorestore *store = NULL;
	int err = genesis_decode(&g, c->genesis, c->genesis_len), code = 0;

	if (!err)
		err = carry_found(r->carry, &g, &c->genesis_hash, &state, text);
	if (err)
		return tool_fail(EXIT_LOCAL, r->command, "the new state: %s", *text ? text : err_text(err));
	err = restorestore_new(state, leaf, leaf_len, &c->genesis_hash, &store);
	state_free(state);
	if (err)
		return tool_fail(EXIT_LOCAL, r->command, "the new state: %s", err_text(err));
	for (unsigned i = 0; i < c->settings.n_nodes && !code; i++) {
		if (!files_join_node(path, c->settings.dir, c->nodes[i].id, "data/ledger"))
			code = tool_fail(EXIT_USAGE, r->command, "%s: the path is too long", c->settings.dir);
		else if (mkdir(path, 0700))
			code = tool_fail(EXIT_LOCAL, r->command, "%s: %s", path, strerror(errno));
		else if ((err = restorestore_write(store, path)))
			code = tool_fail(EXIT_LOCAL, r->command, "%s: %s", path, err_text(err));
	}
	restorestore_free(store);
	return code;
}

static int make(struct backupread *r, struct newcluster *c)
{
	uint8_t *leaf = malloc(LIMIT_ENTRY_SIZE_MAX);
	struct hash hash;
	size_t len;
	int code = leaf ? newcluster_write(c) : tool_fail(EXIT_LOCAL, r->command, "out of memory");

	if (!code && genesis_leaf(c->genesis, c->genesis_len, leaf, LIMIT_ENTRY_SIZE_MAX, &len, &hash))
		code = tool_fail(EXIT_LOCAL, r->command, "the genesis entry cannot be made");
	if (!code)
		code = write_stores(r, c, leaf, len);
	free(leaf);
	return code;
}

int found_cluster(struct backupread *r, struct newcluster_settings *s)
{
	struct newcluster *c = malloc(sizeof *c);
	struct newcluster_heir *h = malloc(sizeof *h);
	int code = c && h ? inherit(r, s, h) : tool_fail(EXIT_LOCAL, r->command, "out of memory");

	if (!code) {
		code = newcluster_make(s, c);
		if (!code)
			code = make(r, c);
		if (!code)
			fputs(c->sheet, stdout);
		else
			fprintf(stderr, "%s is incomplete: remove it before trying again.\n", s->dir);
		newcluster_close(c);
	}
	free(c);
	free(h);
	return code;
}
