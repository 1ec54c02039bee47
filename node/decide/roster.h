/* The roster: which nodes are members of the cluster, under which keys and addresses, as the ledger has it. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODE_DECIDE_ROSTER_H
#define NODE_DECIDE_ROSTER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "node/decide/command.h"

#define ROSTER_NODES_MAX   GENESIS_NODES_MAX /* Voters and spares together: each has a link to each. */
#define ROSTER_REMOVED_MAX 8    /* Removed nodes that are still told so when they come back; the oldest is forgotten. */
#define ROSTER_URL_SIZE    128  /* As on the wire, NUL included; links too. */
#define ROSTER_SIZE_MAX    8192 /* Encoded: 15 nodes of at most 430 bytes, and the ids. */

/* Public in entries, for ever. */
enum roster_role { ROSTER_REMOVED = 0, ROSTER_VOTER = 1, ROSTER_SPARE = 2 };
const char *roster_role_text(unsigned role); /* "voter", …; "unknown". */

struct roster_node {
	uint64_t id;
	unsigned role;
	char url[ROSTER_URL_SIZE];
	char link[ROSTER_URL_SIZE]; /* HOST:PORT; "": where the settings say (nodes of a genesis). */
	uint8_t log_pub[32], cosigner_pub[32], channel_pub[32];
	uint64_t added;   /* Index of the entry that brought it: 0 for a genesis' nodes. */
	uint64_t changed; /* Index of the entry that changed it last. */
};

struct roster {
	uint64_t version; /* Size of the ledger that brought the last change; 0: none since genesis. */
	uint64_t
	        voters_since; /* The same, of the last change of who votes: checkpoints above it need their majority. */
	unsigned n, n_removed;
	struct roster_node nodes[ROSTER_NODES_MAX];
	struct roster_node removed[ROSTER_REMOVED_MAX]; /* Oldest first. */
	uint8_t used[(NODE_ID_MAX + 8) / 8];            /* Ids that were ever given: none is given again. */
};

void roster_genesis(struct roster *ret, const struct genesis *g);
const struct roster_node *roster_find(const struct roster *r, uint64_t id);         /* NULL: no member. */
const struct roster_node *roster_find_removed(const struct roster *r, uint64_t id); /* NULL: not known as removed. */
bool roster_used(const struct roster *r, uint64_t id);
unsigned roster_voters(const struct roster *r);
/* The order is valid (check_member): carries it out as the entry at this index. */
void roster_change(struct roster *r, const struct member_order *m, uint64_t index);

/*
 * [version, voters since, [node…], [removed node…], used bin], a node being [id, role, url, link, log key, cosigner
 * key, channel key, added, changed]. In state records, in frames between nodes, in replies to clients.
 */
void roster_write(struct writer *w, const struct roster *r);
/* Checks every bound; sets the reader's error. */
void roster_read(struct reader *r, struct roster *ret);

/* HOST:PORT or [HOST]:PORT into its parts; host: ROSTER_URL_SIZE. */
bool roster_link_parse(const char *link, size_t len, char *ret_host, uint16_t *ret_port);

#endif
