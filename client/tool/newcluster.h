/* A new cluster: its keys, its genesis, and the files that nodes, clients and auditors start from. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLIENT_TOOL_NEWCLUSTER_H
#define CLIENT_TOOL_NEWCLUSTER_H

#include <stddef.h>
#include <stdint.h>

#include "client/tool/options.h"
#include "ledger/hash.h"
#include "ledger/note.h"
#include "node/decide/command.h"
#include "node/wire/keyfile.h"

#define NEWCLUSTER_NAME_SIZE_MAX 100 /* With "-", 16 hex digits and "/node-7" a key name still fits. */

#define NEWCLUSTER_ADMINS_MAX 16 /* As many as an order takes signatures. */

/* What a cluster that carries on another ledger takes over from it; its administrators keep their keys. */
struct newcluster_heir {
	struct predecessor predecessor;
	uint64_t time_ms_min; /* Of the state's newest entry: the genesis is not older. */
	char governance[32];
	unsigned n_admins;
	struct {
		const char *name;
		uint8_t channel_pub[32], sign_pub[32];
	} admins[NEWCLUSTER_ADMINS_MAX];
};

struct newcluster_settings {
	const char *dir;
	const char *name;
	unsigned n_nodes;
	uint16_t base_port; /* 0: ask the kernel for free ones. */
	unsigned election_timeout_ms, heartbeat_ms;
	const char *log_level;
	const char *policy_source; /* YAML. */
	size_t policy_source_len;
	const uint8_t *policy_compiled;
	size_t policy_compiled_len;
	unsigned n_admins, threshold;       /* So many of them sign an order. */
	const struct newcluster_heir *heir; /* NULL: a new ledger. */
	/* Verifier keys that the trust policy asks for, all of them, beside the nodes'. */
	struct option_list witnesses;
};

struct newcluster_node {
	uint64_t id;
	char url[64], link[64];
	struct keyfile keys;
	uint8_t channel_pub[32];
	struct note_key log_key, cosigner_key;
};

struct newcluster {
	struct newcluster_settings settings;
	char origin[LIMIT_ORIGIN_SIZE_MAX + 1];
	uint64_t time_ms;
	struct newcluster_node nodes[CLUSTER_NODES_MAX];
	char governance[32];
	struct newcluster_admin {
		struct keyfile keys;
		uint8_t channel_pub[32], sign_pub[32];
	} admins[NEWCLUSTER_ADMINS_MAX];
	uint8_t *genesis; /* The payload of the genesis command; malloc'ed. */
	size_t genesis_len;
	struct hash genesis_hash; /* Leaf hash of entry 0. */
	char *sheet;              /* The ceremony sheet, after newcluster_write. */
};

/* Name, number of nodes, ports, times, log level: 0, or the exit code after printing what is wrong. */
int newcluster_check(const char *command, const struct newcluster_settings *s);
/* Makes origin, ports, keys and genesis in memory. 0, or the exit code after printing why. *ret is zeroed first. */
int newcluster_make(const struct newcluster_settings *s, struct newcluster *ret);
/* Creates the folder and every file. 0, or the exit code after printing why. */
int newcluster_write(struct newcluster *c);
/* Wipes and frees; fine after a failed make. */
void newcluster_close(struct newcluster *c);

/* The ceremony sheet: what must reach others by a way that nobody between can change. malloc'ed; NULL: no memory. */
char *ceremony_sheet(const struct newcluster *c);
/* Trust policy (C2SP tlog-policy): log keys, each node as a witness, a majority of them as quorum. malloc'ed. */
char *trust_policy(const struct newcluster *c);
/* Name of an administrator's key file: "admin.key", "admin-2.key", … */
#define NEWCLUSTER_ADMIN_FILE_SIZE 16
void newcluster_admin_file(unsigned i, char ret[NEWCLUSTER_ADMIN_FILE_SIZE]);
/* A node's settings file. malloc'ed. */
char *node_settings(const struct newcluster *c, unsigned i);

#endif
