/* Signs checkpoints and cosignatures; refuses a second root for a size and a smaller size. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "node/signer.h"

#include <inttypes.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ledger/errors.h"

/* One key with the newest (size, root) that it has signed. */
struct signing {
	struct note_key key;
	uint8_t *secret; /* sodium_malloc: guarded, locked, wiped when freed. */
	uint64_t size;
	struct hash root;
	int any;
};

struct signer {
	char origin[LIMIT_ORIGIN_SIZE_MAX + 1];
	struct signing log, cosigner;
};

static int signing_init(struct signing *k, const char *name, uint8_t type, const uint8_t seed[32])
{
	uint8_t pub[32];

	k->secret = sodium_malloc(crypto_sign_SECRETKEYBYTES);
	if (!k->secret)
		return CS_ERR_NOMEM;
	crypto_sign_seed_keypair(pub, k->secret, seed);
	return note_key_init(&k->key, name, type, pub);
}

int signer_new(const char *origin, uint64_t node_id, const uint8_t log_seed[32], const uint8_t cosigner_seed[32],
               struct signer **ret)
{
	char name[LIMIT_KEY_NAME_SIZE_MAX + 1];
	struct signer *s = calloc(1, sizeof *s);
	int err;

	if (!s)
		return CS_ERR_NOMEM;
	snprintf(s->origin, sizeof s->origin, "%s", origin);
	snprintf(name, sizeof name, "%s/node-%" PRIu64, origin, node_id);
	err = signing_init(&s->log, origin, NOTE_KEY_ED25519, log_seed);
	if (!err)
		err = signing_init(&s->cosigner, name, NOTE_KEY_COSIGNATURE, cosigner_seed);
	if (err) {
		signer_free(s);
		return err;
	}
	*ret = s;
	return 0;
}

void signer_free(struct signer *s)
{
	if (!s)
		return;
	sodium_free(s->log.secret);
	sodium_free(s->cosigner.secret);
	free(s);
}

static int signing_allows(const struct signing *k, uint64_t size, const struct hash *root)
{
	if (!k->any || size > k->size)
		return 1;
	return size == k->size && hash_equal(root, &k->root);
}

static void signing_record(struct signing *k, uint64_t size, const struct hash *root)
{
	k->size = size;
	k->root = *root;
	k->any = 1;
}

/* The note's text, which both keys sign. */
static int text_of(const struct signer *s, uint64_t size, const struct hash *root, char *buf, size_t cap,
                   size_t *ret_len)
{
	struct checkpoint c = {.size = size, .root = *root};

	memcpy(c.origin, s->origin, sizeof c.origin);
	return checkpoint_format(&c, buf, cap, ret_len);
}

int signer_sign(struct signer *s, uint64_t size, const struct hash *root, char *buf, size_t cap, size_t *ret_len)
{
	size_t text_len, len;
	int err;

	if (!signing_allows(&s->log, size, root))
		return CS_ERR_DIVERGED;
	err = text_of(s, size, root, buf, cap, &text_len);
	if (err)
		return err;
	if (text_len + 2 > cap)
		return CS_ERR_TOO_LARGE;
	buf[text_len] = '\n'; /* The blank line between text and signatures. */
	len = text_len + 1;
	/* note_sign reads the text, which lies in the same buffer in front of where it writes. */
	err = note_sign(&s->log.key, s->log.secret, buf, text_len, buf, cap, &len);
	if (err)
		return err;
	signing_record(&s->log, size, root);
	*ret_len = len;
	return 0;
}

int signer_cosign(struct signer *s, uint64_t size, const struct hash *root, uint64_t time_s, char *buf, size_t cap,
                  size_t *ret_len)
{
	char text[LIMIT_NOTE_SIZE_MAX];
	size_t text_len, len = 0;
	int err;

	if (!signing_allows(&s->cosigner, size, root))
		return CS_ERR_DIVERGED;
	err = text_of(s, size, root, text, sizeof text, &text_len);
	if (!err)
		err = note_cosign(&s->cosigner.key, s->cosigner.secret, time_s, text, text_len, buf, cap, &len);
	if (err)
		return err;
	signing_record(&s->cosigner, size, root);
	*ret_len = len;
	return 0;
}

const struct note_key *signer_log_key(const struct signer *s)
{
	return &s->log.key;
}

const struct note_key *signer_cosigner_key(const struct signer *s)
{
	return &s->cosigner.key;
}
