/* What a backup seals under a subject's key: bodies of entries, records of the state. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLIENT_TOOL_BACKUP_SEAL_H
#define CLIENT_TOOL_BACKUP_SEAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "client/tool/backup/keys.h"

/*
 * A sealed piece: key's id 16 | length u32 of what follows | nonce 24 | XChaCha20-Poly1305 (IETF) of the bytes, with
 * the context as additional data. The nonce is BLAKE2b-192 of context and bytes, keyed with a hash of the key: the same
 * piece is sealed to the same bytes again, so a run that goes on writes nothing anew, and no nonce comes twice with
 * other bytes.
 */
#define SEAL_OVERHEAD (BACKUPKEYS_ID_SIZE + 4 + 24 + 16)

/* What binds a piece to its place: purpose ‖ 00 ‖ origin ‖ 00 ‖ number u64be. */
#define SEAL_CONTEXT_SIZE_MAX 192
struct seal_context {
	uint8_t bytes[SEAL_CONTEXT_SIZE_MAX];
	size_t len;
};
void seal_context(struct seal_context *ret, const char *purpose, const char *origin, uint64_t number);

/* ret has room for len + SEAL_OVERHEAD; returns how many bytes it wrote. */
size_t seal_write(uint8_t *ret, const struct backupkey *k, const struct seal_context *c, const void *bytes, size_t len);

enum seal_got { SEAL_OPENED, SEAL_KEY_GONE, SEAL_BAD };
/*
 * Takes the piece at *p off, up to end, and opens it into ret (cap bytes). SEAL_KEY_GONE: *p is behind it all the same.
 * SEAL_BAD: cut off, too large, or not what was sealed.
 */
enum seal_got seal_read(const uint8_t **p, const uint8_t *end, const struct backupkeys *keys,
                        const struct seal_context *c, uint8_t *ret, size_t cap, size_t *ret_len);

#endif
