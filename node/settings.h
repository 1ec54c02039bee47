/* A node's settings: YAML, every key checked, unknown keys refused with line and column. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODE_SETTINGS_H
#define NODE_SETTINGS_H

#include <stdint.h>

#include "ledger/hash.h"
#include "ledger/limits.h"
#include "node/front.h"
#include "node/link.h"
#include "node/wire/limits.h"

#define SETTINGS_PATH_SIZE_MAX 4096

/* See countersignd.yaml(5) for each key's meaning. Paths are resolved against the file's folder. */
struct settings {
	uint64_t node;
	char origin[LIMIT_ORIGIN_SIZE_MAX + 1];
	char genesis_path[SETTINGS_PATH_SIZE_MAX];
	struct hash genesis_hash;
	char keys_path[SETTINGS_PATH_SIZE_MAX];
	char data_path[SETTINGS_PATH_SIZE_MAX];
	unsigned n_urls;
	char urls[FRONT_URLS_MAX][WIRE_URL_SIZE_MAX];
	char link_host[WIRE_URL_SIZE_MAX];
	uint16_t link_port;
	unsigned n_peers;
	struct settings_peer {
		uint64_t id;
		char host[WIRE_URL_SIZE_MAX];
		uint16_t port;
		char url[WIRE_URL_SIZE_MAX];
		uint8_t channel_pub[32];
	} peers[LINK_PEERS_MAX];
	unsigned election_timeout_ms, heartbeat_ms;
	unsigned batch_commands_max;   /* Commands in one Raft entry. */
	unsigned contexts;             /* Requests in flight at once. */
	unsigned snapshot_entries;     /* Raft entries between snapshots; half as many are kept behind one. */
	unsigned state_digest_entries; /* Ledger entries between state digests; 0: none (node/core/digest.h). */
	uint64_t map_size;             /* LMDB's address space, bytes. */
	uint64_t disk_reserve;         /* Bytes to be left free for the data folder: node/space.h. */
	/*
	 * The scrubber (node/scrubber.h): bytes a second, 0: there is none; hours from one pass's begin to the next
	 * one's.
	 */
	uint64_t scrub_rate;
	unsigned scrub_interval_h;
	/* Databases of addresses (node/geo.h); "": none. */
	char geo_city_path[SETTINGS_PATH_SIZE_MAX], geo_network_path[SETTINGS_PATH_SIZE_MAX];
	int log_level;
};

/* Reads and checks the file. Error: *ret untouched, and text (512 bytes) names file, line, column and cause. */
int settings_read(const char *path, struct settings *ret, char *ret_text);

#endif
