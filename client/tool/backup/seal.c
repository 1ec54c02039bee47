/* What a backup seals under a subject's key: bodies of entries, records of the state. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "client/tool/backup/seal.h"

#include <assert.h>
#include <sodium.h>
#include <string.h>

#include "ledger/bytes.h"

#define NONCE_SIZE crypto_aead_xchacha20poly1305_ietf_NPUBBYTES
#define TAG_SIZE   crypto_aead_xchacha20poly1305_ietf_ABYTES
_Static_assert(SEAL_OVERHEAD == BACKUPKEYS_ID_SIZE + 4 + NONCE_SIZE + TAG_SIZE, "the sizes of the AEAD");

void seal_context(struct seal_context *ret, const char *purpose, const char *origin, uint64_t number)
{
	size_t n = strlen(purpose) + 1, m = strlen(origin) + 1;

	assert(n + m + 8 <= sizeof ret->bytes);
	memcpy(ret->bytes, purpose, n);
	memcpy(ret->bytes + n, origin, m);
	put_u64be(ret->bytes + n + m, number);
	ret->len = n + m + 8;
}

static void nonce_make(uint8_t ret[NONCE_SIZE], const struct backupkey *k, const struct seal_context *c,
                       const void *bytes, size_t len)
{
	static const char purpose[] = "countersign/backup-nonce/v1";
	crypto_generichash_state state;
	uint8_t key[32];

	crypto_generichash(key, sizeof key, (const uint8_t *)purpose, sizeof purpose, k->key, sizeof k->key);
	crypto_generichash_init(&state, key, sizeof key, NONCE_SIZE);
	crypto_generichash_update(&state, c->bytes, c->len);
	crypto_generichash_update(&state, bytes, len);
	crypto_generichash_final(&state, ret, NONCE_SIZE);
	sodium_memzero(key, sizeof key);
	sodium_memzero(&state, sizeof state);
}

size_t seal_write(uint8_t *ret, const struct backupkey *k, const struct seal_context *c, const void *bytes, size_t len)
{
	uint8_t *nonce = ret + BACKUPKEYS_ID_SIZE + 4;
	unsigned long long sealed;

	memcpy(ret, k->id, BACKUPKEYS_ID_SIZE);
	nonce_make(nonce, k, c, bytes, len);
	crypto_aead_xchacha20poly1305_ietf_encrypt(nonce + NONCE_SIZE, &sealed, bytes, len, c->bytes, c->len, NULL,
	                                           nonce, k->key);
	put_u32be(ret + BACKUPKEYS_ID_SIZE, (uint32_t)(NONCE_SIZE + sealed));
	return BACKUPKEYS_ID_SIZE + 4 + NONCE_SIZE + (size_t)sealed;
}

enum seal_got seal_read(const uint8_t **p, const uint8_t *end, const struct backupkeys *keys,
                        const struct seal_context *c, uint8_t *ret, size_t cap, size_t *ret_len)
{
	const uint8_t *id = *p, *nonce;
	unsigned long long opened;

	if (end - *p < BACKUPKEYS_ID_SIZE + 4)
		return SEAL_BAD;
	size_t len = get_u32be(id + BACKUPKEYS_ID_SIZE);
	nonce = id + BACKUPKEYS_ID_SIZE + 4;
	if (len > (size_t)(end - nonce) || len < NONCE_SIZE + TAG_SIZE || len - NONCE_SIZE - TAG_SIZE > cap)
		return SEAL_BAD;
	*p = nonce + len;
	const struct backupkey *k = backupkeys_find(keys, id);
	if (!k)
		return SEAL_KEY_GONE;
	if (crypto_aead_xchacha20poly1305_ietf_decrypt(ret, &opened, NULL, nonce + NONCE_SIZE, len - NONCE_SIZE,
	                                               c->bytes, c->len, nonce, k->key))
		return SEAL_BAD;
	*ret_len = (size_t)opened;
	return SEAL_OPENED;
}
