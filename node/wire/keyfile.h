/* Key files and the cluster file: what a node, a client or an auditor is given to start with. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODE_WIRE_KEYFILE_H
#define NODE_WIRE_KEYFILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ledger/hash.h"
#include "ledger/limits.h"
#include "node/wire/limits.h"

/*
 * A key file: text, mode 0600 (refused if group or others may read it), at most 4 KiB:
 *   countersign-key/v1
 *   name NAME
 *   channel BASE64   (X25519 secret, 32 bytes)
 *   sign BASE64      (Ed25519 seed, 32 bytes: administrators, devices)
 *   log BASE64       (Ed25519 seed: a node's log key)
 *   cosigner BASE64  (Ed25519 seed: a node's cosigner key)
 * Each kind at most once; unknown lines are refused.
 */
enum key_kind { KEY_CHANNEL, KEY_SIGN, KEY_LOG, KEY_COSIGNER, KEY_KINDS };

struct keyfile {
	char name[65];
	bool has[KEY_KINDS];
	uint8_t secret[KEY_KINDS][32]; /* Wiped by keyfile_wipe. */
};
/* Errors name file, line and cause in ret_text (256 bytes). */
int keyfile_read(const char *path, struct keyfile *ret, char *ret_text);
/* Creates the file 0600; never overwrites (CS_ERR_EXISTS). */
int keyfile_write(const char *path, const struct keyfile *k, char *ret_text);
void keyfile_wipe(struct keyfile *k);
/* Fills in fresh random secrets for the kinds named by a mask of 1 << kind. */
void keyfile_random(struct keyfile *k, const char *name, unsigned kinds);
/* Public halves: X25519 for KEY_CHANNEL, Ed25519 for the others; sk64: libsodium's secret key (may be NULL). */
int keyfile_public(const struct keyfile *k, enum key_kind kind, uint8_t ret_pub[32], uint8_t ret_sk64[64]);

/*
 * The cluster file, public, YAML; written by `countersign init`:
 *   origin: acme-0123456789abcdef
 *   genesis: BASE64             # leaf hash of entry 0
 *   trust: trust.policy         # tlog-policy file, path relative to this file
 *   nodes:
 *     - {id: 1, url: "tcp://127.0.0.1:7101", channel: BASE64}
 * Unknown keys are refused with line and column. cluster_file_write takes a trust_path that is absolute, lies in the
 * file's folder, or is a bare name (beside the file).
 */
#define CLUSTER_NODES_MAX 7
struct cluster_file {
	char origin[LIMIT_ORIGIN_SIZE_MAX + 1];
	struct hash genesis;
	char trust_path[4096]; /* Absolute or relative to the working folder: resolved. */
	unsigned n_nodes;
	struct {
		uint64_t id;
		char url[WIRE_URL_SIZE_MAX];
		uint8_t channel_pub[32];
	} nodes[CLUSTER_NODES_MAX];
};
int cluster_file_read(const char *path, struct cluster_file *ret, char *ret_text);
int cluster_file_write(const char *path, const struct cluster_file *c, char *ret_text); /* CS_ERR_EXISTS. */

#endif
