/* Planted bugs, each at a seam that the linker gives; and signatures that are remembered, for speed. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "tests/sim/plant.h"

#include <sodium.h>
#include <string.h>

#include "ledger/store.h"
#include "node/decide/apply.h"
#include "tests/sim/os.h"
#include "tests/sim/store_env.h"
#include "tests/sim/swarm.h"

#define REMEMBERED 65536
#define SIGNED     1024

static bool skip_duplicate, false_digest, revoke_ignored, erase_forgets;
static uint8_t remembered[REMEMBERED][16];
static struct made {
	uint8_t key[16], sig[64];
} made[SIGNED];

int __wrap_check_request_id(const struct state *s, uint64_t now_ms, uint64_t principal,
                            const uint8_t id[REQUEST_ID_SIZE], const struct hash *hash, struct recorded *ret_recorded,
                            const struct refusal *why);
int __real_check_request_id(const struct state *s, uint64_t now_ms, uint64_t principal,
                            const uint8_t id[REQUEST_ID_SIZE], const struct hash *hash, struct recorded *ret_recorded,
                            const struct refusal *why);
void __wrap_credential_drop(struct state *s, struct credential_slot *c, uint64_t index);
void __real_credential_drop(struct state *s, struct credential_slot *c, uint64_t index);
int __wrap_store_erase(struct store *s, const struct store_erasure *e, size_t n, uint64_t *ret_changed);
int __real_store_erase(struct store *s, const struct store_erasure *e, size_t n, uint64_t *ret_changed);
int __wrap_state_digest_encode(const struct state_digest *d, void *buf, size_t cap, size_t *ret_len);
int __real_state_digest_encode(const struct state_digest *d, void *buf, size_t cap, size_t *ret_len);
int __wrap_crypto_sign_verify_detached(const unsigned char *sig, const unsigned char *m, unsigned long long len,
                                       const unsigned char *pub);
int __real_crypto_sign_verify_detached(const unsigned char *sig, const unsigned char *m, unsigned long long len,
                                       const unsigned char *pub);
int __wrap_crypto_sign_detached(unsigned char *sig, unsigned long long *ret_len, const unsigned char *m,
                                unsigned long long len, const unsigned char *sk);
int __real_crypto_sign_detached(unsigned char *sig, unsigned long long *ret_len, const unsigned char *m,
                                unsigned long long len, const unsigned char *sk);

bool plant(const char *name)
{
	if (strcmp(name, "ack-before-sync") == 0)
		swarm.disk.lies = true;
	else if (strcmp(name, "applied-apart") == 0)
		env_applied_apart = true;
	else if (strcmp(name, "skip-duplicate") == 0)
		skip_duplicate = true;
	else if (strcmp(name, "false-digest") == 0)
		false_digest = true;
	else if (strcmp(name, "revoke-ignored") == 0)
		revoke_ignored = true;
	else if (strcmp(name, "erase-forgets") == 0)
		erase_forgets = true;
	else
		return false;
	return true;
}

void __wrap_credential_drop(struct state *s, struct credential_slot *c, uint64_t index)
{
	if (!revoke_ignored)
		__real_credential_drop(s, c, index);
}

/* Some replicas, and there what would be erased last. */
int __wrap_store_erase(struct store *s, const struct store_erasure *e, size_t n, uint64_t *ret_changed)
{
	return __real_store_erase(s, e, erase_forgets && os_process()->id % 2 ? n - 1 : n, ret_changed);
}

int __wrap_check_request_id(const struct state *s, uint64_t now_ms, uint64_t principal,
                            const uint8_t id[REQUEST_ID_SIZE], const struct hash *hash, struct recorded *ret_recorded,
                            const struct refusal *why)
{
	int err = __real_check_request_id(s, now_ms, principal, id, hash, ret_recorded, why);

	return err == CS_ERR_EXISTS && skip_duplicate ? 0 : err;
}

/* A leader that tells another state than it has. */
int __wrap_state_digest_encode(const struct state_digest *d, void *buf, size_t cap, size_t *ret_len)
{
	struct state_digest told = *d;

	told.digest.b[0] ^= false_digest;
	return __real_state_digest_encode(&told, buf, cap, ret_len);
}

/* --- signatures --- */

/* Key, signature and message in short, to ret_key; where that is remembered. */
static uint8_t *place_of(uint8_t ret_key[16], const uint8_t *sig, const uint8_t *m, size_t len, const uint8_t *pub)
{
	crypto_generichash_state h;
	uint16_t slot;

	crypto_generichash_init(&h, NULL, 0, 16);
	crypto_generichash_update(&h, pub, 32);
	crypto_generichash_update(&h, sig, 64);
	crypto_generichash_update(&h, m, len);
	crypto_generichash_final(&h, ret_key, 16);
	memcpy(&slot, ret_key, sizeof slot);
	return remembered[slot];
}

/* The same note is verified by every node: whether a signature is good does not change. */
int __wrap_crypto_sign_verify_detached(const unsigned char *sig, const unsigned char *m, unsigned long long len,
                                       const unsigned char *pub)
{
	uint8_t key[16], *at = place_of(key, sig, m, len, pub);

	if (memcmp(at, key, sizeof key) == 0)
		return 0;
	if (__real_crypto_sign_verify_detached(sig, m, len, pub))
		return -1;
	memcpy(at, key, sizeof key);
	return 0;
}

/* What was made by the key's other half is good; who is asked again for the same gets the same: Ed25519 has no chance.
 */
int __wrap_crypto_sign_detached(unsigned char *sig, unsigned long long *ret_len, const unsigned char *m,
                                unsigned long long len, const unsigned char *sk)
{
	static const uint8_t unsigned_[64];
	uint8_t key[16], *at;
	struct made *before;

	place_of(key, unsigned_, m, len, sk + 32);
	before = &made[(key[0] | key[1] << 8) % SIGNED];
	if (memcmp(before->key, key, sizeof key) == 0) {
		memcpy(sig, before->sig, sizeof before->sig);
		if (ret_len)
			*ret_len = sizeof before->sig;
		return 0;
	}
	if (__real_crypto_sign_detached(sig, ret_len, m, len, sk))
		return -1;
	memcpy(before->key, key, sizeof key);
	memcpy(before->sig, sig, sizeof before->sig);
	at = place_of(key, sig, m, len, sk + 32);
	memcpy(at, key, sizeof key);
	return 0;
}
