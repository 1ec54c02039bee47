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

static bool skip_duplicate, false_digest, revoke_ignored, erase_forgets;
static uint8_t remembered[REMEMBERED][16];

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

/* The same note is verified by every node: whether a signature is good does not change. */
int __wrap_crypto_sign_verify_detached(const unsigned char *sig, const unsigned char *m, unsigned long long len,
                                       const unsigned char *pub)
{
	crypto_generichash_state h;
	uint8_t key[16];
	uint16_t slot;
	int rv;

	crypto_generichash_init(&h, NULL, 0, sizeof key);
	crypto_generichash_update(&h, pub, 32);
	crypto_generichash_update(&h, sig, 64);
	crypto_generichash_update(&h, m, len);
	crypto_generichash_final(&h, key, sizeof key);
	memcpy(&slot, key, sizeof slot);
	if (memcmp(remembered[slot], key, sizeof key) == 0)
		return 0;
	rv = __real_crypto_sign_verify_detached(sig, m, len, pub);
	if (rv == 0)
		memcpy(remembered[slot], key, sizeof key);
	return rv;
}
