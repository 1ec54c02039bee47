/* The nodes of a cluster as they see themselves, asked one by one. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLIENT_TOOL_NODES_H
#define CLIENT_TOOL_NODES_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "client/countersign.h"
#include "client/tool/files.h"
#include "client/tool/tool.h"
#include "node/wire/keyfile.h"

struct nodes_view {
	uint64_t id;
	char url[WIRE_URL_SIZE_MAX];
	int err; /* Why it did not answer, or 0; the rest is then set. */
	char role[16];
	char health[64];
	uint64_t leader, term, size, stored, cosigned, raft_last, raft_commit, raft_applied, pending, uptime_ms;
	bool detailed; /* A node of an older version knows nothing of the rest. */
	uint64_t disk_free, log_bytes, ledger_bytes, map_free, room, checkpoint_s, now_ms, voters;
	bool scrubs; /* It has a scrubber; the next five are its. */
	bool scrubbing;
	uint64_t scrub_ended_ms, scrub_done, scrub_whole, scrub_rate, found, repaired, refused;
	char cosigners[64]; /* Their ids. */
	char version[32];
	json_t *json, *keys; /* The whole of its answer, and that of cs_keys (NULL: an older node); owned. */
};

struct nodes {
	unsigned n;
	struct nodes_view views[CLUSTER_NODES_MAX];
};

/* Asks every node of the cluster file, all at once. *ret is zeroed before the first time; later answers replace it. */
void nodes_ask_all(cs_client *client, const struct cluster_file *c, struct nodes *ret);
void nodes_close(struct nodes *n);
/* The node that says it leads, in the highest term that anybody named; NULL: none. */
const struct nodes_view *nodes_leader(const struct nodes *n);
/* In words: "ok", or "degraded: …", "refusing: …", "down: …" with what is the matter. */
void nodes_health(const struct nodes *n, char *ret, size_t cap);
void nodes_print(const struct nodes *n);
json_t *nodes_json(const struct nodes *n, const char *origin);

/*
 * Which cluster a command about its nodes means. dir: its folder, with the administrator's key in it if there is one
 * and no other is given; NULL: as the options say, or the environment. who borrows the paths. 0 or the exit code.
 */
struct nodes_paths {
	char cluster[FILES_PATH_SIZE], key[FILES_PATH_SIZE];
};
int nodes_choose(const char *command, const char *dir, struct tool_access *who, struct nodes_paths *paths);

#endif
