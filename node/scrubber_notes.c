/* Signatures of stored checkpoints: every line is by a key that the ledger names, or once named. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <stdlib.h>
#include <string.h>

#include "ledger/bytes.h"
#include "ledger/entry.h"
#include "ledger/errors.h"
#include "ledger/tree.h"
#include "node/scrubber_internal.h"

#define KEY_SIZE           32
#define LOG_SIGNATURE      64 /* note.h */
#define COSIGNER_SIGNATURE 72
#define KIND_KEY_ROTATED   26 /* FORMAT.md; a build that does not know the kind carries it. */

/* --- keys --- */

static void add_key(struct scrubber *s, const uint8_t *key)
{
	pthread_mutex_lock(&s->lock);
	unsigned i = 0;
	while (i < s->n_keys && memcmp(s->keys[i], key, KEY_SIZE) != 0)
		i++;
	if (i == s->n_keys && s->n_keys < SCRUB_KEYS_MAX)
		memcpy(s->keys[s->n_keys++], key, KEY_SIZE);
	pthread_mutex_unlock(&s->lock);
}

/* Every byte string of 32 in these arrays: more than the keys of signers, which does no harm. */
static void scan(struct scrubber *s, struct reader *r, unsigned depth)
{
	const uint8_t *bytes;
	size_t len;
	uint32_t n = 0;

	if (depth > LIMIT_MSGPACK_DEPTH_MAX || reader_array(r, LIMIT_MSGPACK_NODES_MAX, &n))
		return;
	while (n-- > 0 && r->err == 0) {
		if (reader_peek(r) == VALUE_ARRAY)
			scan(s, r, depth + 1);
		else if (reader_peek(r) != VALUE_BIN)
			reader_skip(r, &bytes, &len);
		else if (reader_bin(r, LIMIT_ENTRY_SIZE_MAX, &bytes, &len) == 0 && len == KEY_SIZE)
			add_key(s, bytes);
	}
}

void scrubber_learn(void *ctx, uint64_t index, const void *leaf, size_t len)
{
	struct entry e;
	struct reader r;

	(void)index;
	if (entry_decode(&e, leaf, len) ||
	    (e.kind != ENTRY_GENESIS && e.kind != ENTRY_MEMBER && e.kind != KIND_KEY_ROTATED))
		return;
	reader_init(&r, e.public_, e.public_len);
	scan(ctx, &r, 1);
}

void scrubber_keys_whole(struct scrubber *s, bool whole)
{
	pthread_mutex_lock(&s->lock);
	s->keys_whole = whole;
	pthread_mutex_unlock(&s->lock);
}

/* --- lines --- */

/*
 * A line of a key that nobody here knows says nothing, and there may be such: a witness's. One that is wrong in a bit
 * is another matter: its signature is a known key's and its name or id is not, or the other way round.
 */
static const char *line_wrong(const struct note *whole, const struct note_signature *line,
                              const uint8_t (*keys)[KEY_SIZE], unsigned n_keys)
{
	const uint8_t type = line->len == LOG_SIGNATURE ? NOTE_KEY_ED25519 : NOTE_KEY_COSIGNATURE;
	struct note one = {.text = whole->text, .text_len = whole->text_len, .n_signatures = 1};
	char name[LIMIT_KEY_NAME_SIZE_MAX + 1];
	struct note_key k;

	if ((line->len != LOG_SIGNATURE && line->len != COSIGNER_SIGNATURE) || line->name_len > LIMIT_KEY_NAME_SIZE_MAX)
		return NULL;
	memcpy(name, line->name, line->name_len);
	name[line->name_len] = 0;
	for (unsigned i = 0; i < n_keys; i++) {
		if (note_key_init(&k, name, type, keys[i]))
			continue;
		bool named = k.id == line->id;
		one.signatures[0] = *line;
		one.signatures[0].id = k.id;
		bool signed_ = note_verify(&one, &k, NULL) == 0;
		if (named && signed_)
			return NULL;
		if (signed_)
			return "a signature's name or key id is not its key's";
		if (named)
			return "a signature does not verify";
	}
	return NULL;
}

/* Under a name of this cluster nobody signs but its nodes, whose keys the ledger has. */
static bool stranger(const struct scrubber *s, const struct note_signature *line, const uint8_t (*keys)[KEY_SIZE],
                     unsigned n_keys)
{
	const uint8_t type = line->len == LOG_SIGNATURE ? NOTE_KEY_ED25519 : NOTE_KEY_COSIGNATURE;
	char name[LIMIT_KEY_NAME_SIZE_MAX + 1];
	size_t len = strlen(s->o.origin);
	struct note_key k;

	if (line->name_len < len || line->name_len > LIMIT_KEY_NAME_SIZE_MAX ||
	    memcmp(line->name, s->o.origin, len) != 0 || (line->name_len > len && line->name[len] != '/'))
		return false;
	memcpy(name, line->name, line->name_len);
	name[line->name_len] = 0;
	for (unsigned i = 0; i < n_keys; i++)
		if (note_key_init(&k, name, type, keys[i]) == 0 && k.id == line->id)
			return false;
	return true;
}

const char *scrubber_signatures(void *ctx, const struct note *n)
{
	struct scrubber *s = ctx;
	uint8_t(*keys)[KEY_SIZE] = malloc(sizeof s->keys);
	const char *why = NULL;
	unsigned n_keys;
	bool whole;

	if (!keys)
		return NULL;
	pthread_mutex_lock(&s->lock);
	n_keys = s->n_keys;
	whole = s->keys_whole && n_keys < SCRUB_KEYS_MAX;
	memcpy(keys, s->keys, n_keys * sizeof *keys);
	pthread_mutex_unlock(&s->lock);
	for (unsigned i = 0; i < n->n_signatures && !why; i++) {
		why = line_wrong(n, &n->signatures[i], (const uint8_t(*)[KEY_SIZE])keys, n_keys);
		if (!why && whole && stranger(s, &n->signatures[i], (const uint8_t(*)[KEY_SIZE])keys, n_keys))
			why = "a signature is by a key that no node has";
	}
	free(keys);
	return why;
}

static const char *root_wrong(struct scrubber *s, const struct checkpoint *c)
{
	struct store_view *v;
	struct tree_tiles tiles;
	struct store_head head;
	struct hash root;
	int err = store_view_open(s->o.store, &v);

	if (err)
		return "the store cannot be read";
	store_view_head(v, &head);
	store_view_tiles_checked(v, &tiles);
	err = c->size > head.size ? CS_ERR_NOT_FOUND : tiles_root(&tiles, c->size, &root);
	store_view_close(v);
	return !err && hash_equal(&root, &c->root) ? NULL : "it has not the tree's root";
}

const char *scrubber_note_wrong(struct scrubber *s, uint64_t size, const void *text, size_t len)
{
	struct checkpoint c;
	struct note n;

	if (note_parse(&n, text, len) || checkpoint_parse(&c, n.text, n.text_len) || c.size != size ||
	    strcmp(c.origin, s->o.origin) != 0)
		return "it is another one";
	const char *why = scrubber_signatures(s, &n);
	return why ? why : root_wrong(s, &c);
}
