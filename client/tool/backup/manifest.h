/* The manifest of a backup: what belongs to it, by hash, signed by who made it. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLIENT_TOOL_BACKUP_MANIFEST_H
#define CLIENT_TOOL_BACKUP_MANIFEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "client/tool/backup/keys.h"
#include "client/tool/backup/out.h"
#include "ledger/hash.h"
#include "ledger/limits.h"
#include "node/wire/keyfile.h"

#define MANIFEST_NAME     "manifest"
#define MANIFEST_SIZE_MAX 4096
#define MANIFEST_FORMAT   "countersign/backup/v1"

/* What each run writes anew, under names with its number: what the manifest does not name does not belong to it. */
enum manifest_file { MANIFEST_CHECKPOINT, MANIFEST_STATE, MANIFEST_FILES, MANIFEST_N };

struct manifest {
	uint64_t generation; /* From 1. */
	char origin[LIMIT_ORIGIN_SIZE_MAX + 1];
	uint64_t size; /* Of the checkpoint. */
	struct hash root;
	uint64_t state_size; /* Entries that the state is of; at most size. */
	uint64_t state_index, state_term;
	uint8_t keys[BACKUPKEYS_ID_SIZE];
	uint64_t made_ms;
	struct {
		struct hash hash;
		uint64_t len;
	} files[MANIFEST_N];
	char signer[65]; /* A principal's name. */
	uint8_t signature[64];
};

/* checkpoint.7, state.7, files.7 */
void manifest_file_name(enum manifest_file f, uint64_t generation, char ret[BACKUPOUT_NAME_SIZE]);
/* Signs with the key file's signing key, and writes the text. 0; CS_ERR_INVALID: it has no such key. */
int manifest_encode(struct manifest *m, const struct keyfile *signer, char ret[MANIFEST_SIZE_MAX], size_t *ret_len);
/* Exactly what encode writes, or CS_ERR_MALFORMED. */
int manifest_decode(struct manifest *ret, const char *text, size_t len);
bool manifest_signed_by(const struct manifest *m, const uint8_t sign_pub[32]);

#endif
