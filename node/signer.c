/* Signs checkpoints and cosignatures; refuses a second root for a size and a smaller size. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "node/signer.h"

#include <inttypes.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ledger/errors.h"
#include "node/signer_record.h"

#define KEYS_MAX 16 /* Of each place that one process ever signs with. */

/* One key with the newest (size, root) that it has signed. */
struct signing {
	struct note_key key;
	uint8_t *secret; /* sodium_malloc: guarded, locked, wiped when freed. NULL: this node does not have it. */
	uint64_t size;
	struct hash root;
	int any;
	int slot; /* Of the record; -1: it has none. */
};

struct place {
	struct signing keys[KEYS_MAX];
	unsigned n;
	struct signing *current, *before; /* before: NULL, or signs up to a size as well. */
	uint64_t since, until;
};

struct signer {
	char origin[LIMIT_ORIGIN_SIZE_MAX + 1], name[LIMIT_KEY_NAME_SIZE_MAX + 1];
	struct place places[SIGNER_PLACES];
	bool recorded; /* There is a record: what it does not know does not sign. */
	struct signer_record record;
};

static struct signing *find(struct place *p, const uint8_t pub[32])
{
	for (unsigned i = 0; i < p->n; i++)
		if (memcmp(p->keys[i].key.pub, pub, 32) == 0)
			return &p->keys[i];
	return NULL;
}

/* What the record has of it; it may have begun after it was opened. */
static void look_up(struct signer *s, struct signing *k)
{
	k->slot = s->recorded ? signer_record_find(&s->record, k->key.pub) : -1;
	if (k->slot < 0 || s->record.slots[k->slot].size == 0)
		return;
	k->size = s->record.slots[k->slot].size;
	k->root = s->record.slots[k->slot].root;
	k->any = 1;
}

static int take_secret(struct signing *k, const uint8_t seed[32])
{
	uint8_t pub[32];

	if (!seed || k->secret)
		return 0;
	k->secret = sodium_malloc(crypto_sign_SECRETKEYBYTES);
	if (!k->secret)
		return CS_ERR_NOMEM;
	crypto_sign_seed_keypair(pub, k->secret, seed);
	return 0;
}

static int get(struct signer *s, enum signer_place place, const struct signer_key *k, struct signing **ret)
{
	struct place *p = &s->places[place];
	struct signing *found = find(p, k->pub);
	int err;

	*ret = found;
	if (found)
		return take_secret(found, k->seed);
	if (p->n == KEYS_MAX)
		return CS_ERR_TOO_LARGE;
	found = &p->keys[p->n];
	err = place == SIGNER_LOG ? note_key_init(&found->key, s->origin, NOTE_KEY_ED25519, k->pub)
	                          : note_key_init(&found->key, s->name, NOTE_KEY_COSIGNATURE, k->pub);
	if (!err)
		err = take_secret(found, k->seed);
	if (err)
		return err;
	look_up(s, found);
	p->n++;
	*ret = found;
	return 0;
}

int signer_use(struct signer *s, enum signer_place place, const struct signer_key *current, uint64_t since,
               const struct signer_key *before, uint64_t until)
{
	struct place *p = &s->places[place];
	struct signing *now, *old = NULL;
	int err = get(s, place, current, &now);

	if (!err && before)
		err = get(s, place, before, &old);
	if (err)
		return err;
	p->current = now;
	p->before = old;
	p->since = since;
	p->until = until;
	return 0;
}

int signer_new(const char *origin, uint64_t node_id, const uint8_t log_seed[32], const uint8_t cosigner_seed[32],
               struct signer **ret)
{
	const uint8_t *seeds[SIGNER_PLACES] = {[SIGNER_LOG] = log_seed, [SIGNER_COSIGNER] = cosigner_seed};
	struct signer *s = calloc(1, sizeof *s);
	int err = 0;

	if (!s)
		return CS_ERR_NOMEM;
	s->record.fd = -1;
	snprintf(s->origin, sizeof s->origin, "%s", origin);
	snprintf(s->name, sizeof s->name, "%s/node-%" PRIu64, origin, node_id);
	for (unsigned i = 0; i < SIGNER_PLACES && !err; i++) {
		uint8_t pub[32], sk[crypto_sign_SECRETKEYBYTES];
		const struct signer_key k = {pub, seeds[i]};

		crypto_sign_seed_keypair(pub, sk, seeds[i]);
		sodium_memzero(sk, sizeof sk);
		err = signer_use(s, (enum signer_place)i, &k, 0, NULL, 0);
	}
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
	for (unsigned i = 0; i < SIGNER_PLACES; i++)
		for (unsigned k = 0; k < s->places[i].n; k++)
			sodium_free(s->places[i].keys[k].secret);
	signer_record_close(&s->record);
	free(s);
}

/* --- the record --- */

int signer_record_open(struct signer *s, const char *path, bool fresh, char *ret_text)
{
	int err = signer_record_read(&s->record, path, fresh, ret_text);

	if (err == CS_ERR_NOT_FOUND) /* Lost: a new one, that knows none of the keys there are. */
		err = signer_record_read(&s->record, path, true, ret_text);
	if (err)
		return err;
	s->recorded = true;
	for (unsigned i = 0; i < SIGNER_PLACES && !err; i++)
		for (unsigned k = 0; k < s->places[i].n && !err; k++) {
			struct signing *key = &s->places[i].keys[k];
			int slot;

			if (fresh && signer_record_find(&s->record, key->key.pub) < 0)
				err = signer_record_add(&s->record, key->key.pub, &slot);
			look_up(s, key);
		}
	if (err)
		snprintf(ret_text, 256, "%.200s: it cannot be written", path);
	return err;
}

int signer_record_begin(struct signer *s, const uint8_t pub[32])
{
	int slot;

	return !s->recorded || signer_record_find(&s->record, pub) >= 0 ? 0 : signer_record_add(&s->record, pub, &slot);
}

int signer_sync(const struct signer *s)
{
	return !s->recorded || fdatasync(s->record.fd) == 0 ? 0 : CS_ERR_IO;
}

uint64_t signer_recorded_size(const struct signer *s)
{
	uint64_t most = 0;

	for (int i = 0; s->recorded && i < SIGNER_RECORD_SLOTS; i++)
		if (s->record.slots[i].used && s->record.slots[i].size > most)
			most = s->record.slots[i].size;
	return most;
}

static bool is_ready(const struct signer *s, const struct signing *k)
{
	return k && k->secret && (!s->recorded || k->slot >= 0);
}

bool signer_ready(const struct signer *s, enum signer_place place)
{
	return is_ready(s, s->places[place].current);
}

/* --- signing --- */

static int signing_allows(const struct signing *k, uint64_t size, const struct hash *root)
{
	if (!k->any || size > k->size)
		return 1;
	return size == k->size && hash_equal(root, &k->root);
}

/* Before the signature is made: what was recorded and not signed does no harm, the other way round it would. */
static int signing_record(struct signer *s, struct signing *k, uint64_t size, const struct hash *root)
{
	if (k->any && k->size == size)
		return 0;
	if (s->recorded && signer_record_put(&s->record, k->slot, size, root))
		return CS_ERR_IO;
	k->size = size;
	k->root = *root;
	k->any = 1;
	return 0;
}

/* The note's text, which both keys sign. */
static int text_of(const struct signer *s, uint64_t size, const struct hash *root, char *buf, size_t cap,
                   size_t *ret_len)
{
	struct checkpoint c = {.size = size, .root = *root};

	memcpy(c.origin, s->origin, sizeof c.origin);
	return checkpoint_format(&c, buf, cap, ret_len);
}

/* What is signed, and when. */
struct signed_text {
	uint64_t size, time_s;
	const struct hash *root;
	const char *text;
	size_t len;
};

/* One line, by one key. */
static int line(struct signer *s, enum signer_place place, struct signing *k, const struct signed_text *t, char *buf,
                size_t cap, size_t *len)
{
	if (!is_ready(s, k))
		return CS_ERR_NOT_PERMITTED;
	if (!signing_allows(k, t->size, t->root))
		return CS_ERR_DIVERGED;
	int err = signing_record(s, k, t->size, t->root);
	if (err)
		return err;
	return place == SIGNER_LOG ? note_sign(&k->key, k->secret, t->text, t->len, buf, cap, len)
	                           : note_cosign(&k->key, k->secret, t->time_s, t->text, t->len, buf, cap, len);
}

/* The line of the key that this size is the current one's for, which there must be; and of the one before, if it may.
 */
static int lines(struct signer *s, enum signer_place place, const struct signed_text *t, char *buf, size_t cap,
                 size_t *len)
{
	struct place *p = &s->places[place];
	bool early = t->size < p->since; /* An announcement of before the change. */
	int err = line(s, place, early ? p->before : p->current, t, buf, cap, len);

	if (!err && !early && p->before && t->size <= p->until && is_ready(s, p->before) &&
	    signing_allows(p->before, t->size, t->root))
		err = line(s, place, p->before, t, buf, cap, len);
	return err;
}

int signer_sign(struct signer *s, uint64_t size, const struct hash *root, char *buf, size_t cap, size_t *ret_len)
{
	struct signed_text t = {.size = size, .root = root, .text = buf};
	size_t len;
	int err = text_of(s, size, root, buf, cap, &t.len);

	if (err)
		return err;
	if (t.len + 2 > cap)
		return CS_ERR_TOO_LARGE;
	buf[t.len] = '\n'; /* The blank line between text and signatures. */
	len = t.len + 1;
	/* note_sign reads the text, which lies in the same buffer in front of where it writes. */
	err = lines(s, SIGNER_LOG, &t, buf, cap, &len);
	if (!err)
		*ret_len = len;
	return err;
}

static int lines_alone(struct signer *s, enum signer_place place, struct signed_text t, char *buf, size_t cap,
                       size_t *ret_len)
{
	char text[LIMIT_NOTE_SIZE_MAX];
	size_t len = 0;
	int err = text_of(s, t.size, t.root, text, sizeof text, &t.len);

	t.text = text;
	if (!err)
		err = lines(s, place, &t, buf, cap, &len);
	if (!err)
		*ret_len = len;
	return err;
}

int signer_cosign(struct signer *s, uint64_t size, const struct hash *root, uint64_t time_s, char *buf, size_t cap,
                  size_t *ret_len)
{
	const struct signed_text t = {.size = size, .time_s = time_s, .root = root};

	return lines_alone(s, SIGNER_COSIGNER, t, buf, cap, ret_len);
}

int signer_sign_too(struct signer *s, uint64_t size, const struct hash *root, char *buf, size_t cap, size_t *ret_len)
{
	const struct signed_text t = {.size = size, .root = root};

	return lines_alone(s, SIGNER_LOG, t, buf, cap, ret_len);
}

const struct note_key *signer_log_key(const struct signer *s)
{
	return &s->places[SIGNER_LOG].current->key;
}

const struct note_key *signer_cosigner_key(const struct signer *s)
{
	return &s->places[SIGNER_COSIGNER].current->key;
}
