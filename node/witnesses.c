/* Witnesses from outside: what they have cosigned lately, checked, for the proofs of those who trust them. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "node/witnesses.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "ledger/errors.h"
#include "ledger/format.h"
#include "node/clock.h"

#define LINE_SIZE_MAX (LIMIT_KEY_NAME_SIZE_MAX + 128) /* Head, name, base64 of 76 bytes. */

struct line {
	enum { LINE_LOG, LINE_MEMBER, LINE_WITNESS } whose;
	uint64_t principal; /* Of a witness. */
	uint32_t id;        /* Key id; with the name it names a key. */
	uint64_t time_s;    /* Of a cosignature. */
	size_t len;
	char text[LINE_SIZE_MAX]; /* With its newline. */
};

/* A checkpoint and the lines under it, each of another key. */
struct kept {
	uint64_t size;
	size_t text_len;
	char text[LIMIT_ORIGIN_SIZE_MAX + 128];
	unsigned n_lines;
	struct line lines[LIMIT_NOTE_SIGNATURES_MAX];
};

/* Whose lines count. */
struct keys {
	struct witness list[WITNESSES_ENROLLED_MAX];
	unsigned n;
	struct witness_members members;
	bool set, members_set;
};

struct witnesses {
	const char *origin;
	pthread_mutex_t lock; /* Guards keys; never held while a signature is verified: the core waits for it. */
	struct keys keys;
	/* The reader's own. */
	struct board_note offer;
	uint64_t offered_ns;
	struct kept notes[WITNESSES_NOTES]; /* Largest size first; size 0: none. */
};

int witnesses_new(const char *origin, struct witnesses **ret)
{
	struct witnesses *w = calloc(1, sizeof *w);

	if (!w)
		return CS_ERR_NOMEM;
	w->origin = origin;
	pthread_mutex_init(&w->lock, NULL);
	*ret = w;
	return 0;
}

void witnesses_free(struct witnesses *w)
{
	if (!w)
		return;
	pthread_mutex_destroy(&w->lock);
	free(w);
}

void witnesses_set(struct witnesses *w, const struct witness *list, unsigned n)
{
	if (n > WITNESSES_ENROLLED_MAX)
		n = WITNESSES_ENROLLED_MAX;
	pthread_mutex_lock(&w->lock);
	if (n)
		memcpy(w->keys.list, list, n * sizeof *list);
	w->keys.n = n;
	w->keys.set = true;
	pthread_mutex_unlock(&w->lock);
}

void witnesses_set_members(struct witnesses *w, const struct witness_members *members)
{
	pthread_mutex_lock(&w->lock);
	w->keys.members = *members;
	w->keys.members_set = true;
	pthread_mutex_unlock(&w->lock);
}

bool witnesses_ready(struct witnesses *w)
{
	pthread_mutex_lock(&w->lock);
	bool ready = w->keys.set && w->keys.members_set;
	pthread_mutex_unlock(&w->lock);
	return ready;
}

/* --- the checkpoint that all are to cosign --- */

static const struct kept *kept_of(const struct witnesses *w, uint64_t size)
{
	for (unsigned i = 0; i < WITNESSES_NOTES; i++)
		if (w->notes[i].size == size && size)
			return &w->notes[i];
	return NULL;
}

static bool has_line(const struct kept *k, uint64_t principal)
{
	for (unsigned i = 0; k && i < k->n_lines; i++)
		if (k->lines[i].whose == LINE_WITNESS && k->lines[i].principal == principal)
			return true;
	return false;
}

/* Every enrolled witness has cosigned what was offered. */
static bool complete(struct witnesses *w)
{
	const struct kept *k = kept_of(w, w->offer.size);
	bool all = k != NULL;

	pthread_mutex_lock(&w->lock);
	for (unsigned i = 0; i < w->keys.n; i++)
		all = all && has_line(k, w->keys.list[i].principal);
	pthread_mutex_unlock(&w->lock);
	return all;
}

const struct board_note *witnesses_offer(struct witnesses *w, struct board *board, uint64_t now_ns)
{
	struct board_note newest;

	board_reached_note(board, &newest);
	if (newest.size > w->offer.size &&
	    (!w->offer.size || complete(w) || now_ns >= w->offered_ns + WITNESSES_ROUND_MS * NS_PER_MS)) {
		w->offer = newest;
		w->offered_ns = now_ns;
	}
	return &w->offer;
}

/* --- what comes from a witness --- */

int witnesses_read(const struct witnesses *w, uint64_t principal, const char *note, size_t len,
                   struct witness_note *ret)
{
	ret->principal = principal;
	if (note_parse(&ret->note, note, len) || checkpoint_parse(&ret->checkpoint, ret->note.text, ret->note.text_len))
		return CS_ERR_MALFORMED;
	return strcmp(ret->checkpoint.origin, w->origin) == 0 && ret->checkpoint.size ? 0 : CS_ERR_REFUTED;
}

/* The line of signature i as it stands in the note. */
static const char *line_of(const struct note *n, unsigned i, size_t *ret_len)
{
	const char *head = n->signatures[i].name - strlen(FORMAT_SIGNATURE_HEAD), *end = strchr(head, '\n') + 1;

	*ret_len = (size_t)(end - head);
	return head;
}

/* Adds this key's line if there is one. CS_ERR_REFUTED: it is bad. */
static int add_key(struct kept *k, const struct note *n, const struct note_key *key, const struct line *as)
{
	uint64_t time_s = 0;
	size_t len;
	int err = key->type ? note_verify(n, key, &time_s) : CS_ERR_NOT_FOUND;

	if (err)
		return err == CS_ERR_NOT_FOUND ? 0 : err;
	for (unsigned i = 0; i < n->n_signatures; i++) {
		const struct note_signature *s = &n->signatures[i];
		const char *text = line_of(n, i, &len);

		if (s->id != key->id || s->name_len != strlen(key->name) ||
		    memcmp(s->name, key->name, s->name_len) != 0 || len > LINE_SIZE_MAX ||
		    k->n_lines == LIMIT_NOTE_SIGNATURES_MAX)
			continue;
		struct line *l = &k->lines[k->n_lines++];
		*l = *as;
		l->id = key->id;
		l->time_s = time_s;
		l->len = len;
		memcpy(l->text, text, len);
		break;
	}
	return 0;
}

static unsigned count(const struct kept *k, int whose)
{
	unsigned n = 0;

	for (unsigned i = 0; i < k->n_lines; i++)
		n += (int)k->lines[i].whose == whose;
	return n;
}

/* The lines that verify, in order: a log's, members', witnesses'. */
static int verify(const struct keys *w, const struct witness_note *n, struct kept *ret)
{
	struct line as = {.whose = LINE_LOG};
	int err = 0;

	for (unsigned i = 0; i < w->members.n && !err && !ret->n_lines; i++)
		err = add_key(ret, &n->note, &w->members.list[i].log_key, &as);
	as.whose = LINE_MEMBER;
	for (unsigned i = 0; i < w->members.n && !err; i++)
		err = add_key(ret, &n->note, &w->members.list[i].cosigner_key, &as);
	as.whose = LINE_WITNESS;
	for (unsigned i = 0; i < w->n && !err; i++) {
		as.principal = w->list[i].principal;
		err = add_key(ret, &n->note, &w->list[i].key, &as);
	}
	return err;
}

static bool is_enrolled(const struct keys *w, uint64_t principal)
{
	for (unsigned i = 0; i < w->n; i++)
		if (w->list[i].principal == principal)
			return true;
	return false;
}

/* What is kept under this size, with the lines of both; a key's newer line counts. */
static int merge(struct kept *k, const struct kept *more)
{
	for (unsigned i = 0; i < more->n_lines; i++) {
		const struct line *l = &more->lines[i];
		unsigned at = 0;

		while (at < k->n_lines && (k->lines[at].whose != l->whose || k->lines[at].id != l->id))
			at++;
		if (at < k->n_lines) {
			if (l->time_s >= k->lines[at].time_s)
				k->lines[at] = *l;
			continue;
		}
		if (l->whose == LINE_LOG && count(k, LINE_LOG))
			continue; /* One is enough. */
		if (k->n_lines == LIMIT_NOTE_SIGNATURES_MAX ||
		    (l->whose == LINE_WITNESS && count(k, LINE_WITNESS) == WITNESSES_MAX))
			return CS_ERR_OVERLOADED;
		k->lines[k->n_lines++] = *l;
	}
	return 0;
}

/* The place of this size, or a new one in order; NULL: it is older than all that are kept. */
static struct kept *place(struct witnesses *w, uint64_t size)
{
	unsigned at = 0;

	while (at < WITNESSES_NOTES && w->notes[at].size > size)
		at++;
	if (at == WITNESSES_NOTES)
		return NULL;
	if (w->notes[at].size != size) {
		memmove(&w->notes[at + 1], &w->notes[at], (WITNESSES_NOTES - 1 - at) * sizeof *w->notes);
		w->notes[at] = (struct kept){.size = size};
	}
	return &w->notes[at];
}

/* A note that its bringer, a member's log key and a majority have signed; its lines. */
static int examine(const struct keys *keys, const struct witness_note *n, struct kept *ret)
{
	bool nobody = n->principal == WITNESSES_NOBODY;
	int err = nobody || is_enrolled(keys, n->principal) ? verify(keys, n, ret) : CS_ERR_NOT_PERMITTED;

	if (err)
		return err;
	return count(ret, LINE_LOG) && count(ret, LINE_MEMBER) >= keys->members.majority &&
	                       (nobody ? count(ret, LINE_WITNESS) > 0 : has_line(ret, n->principal))
	               ? 0
	               : CS_ERR_UNDECIDED;
}

int witnesses_keep(struct witnesses *w, const struct witness_note *n, const struct hash *root)
{
	struct kept *fresh = calloc(1, sizeof *fresh), *k = NULL;
	struct keys *keys = malloc(sizeof *keys);
	int err = fresh && keys ? 0 : CS_ERR_NOMEM;

	if (!err && n->note.text_len > sizeof fresh->text)
		err = CS_ERR_TOO_LARGE;
	if (!err) {
		pthread_mutex_lock(&w->lock);
		*keys = w->keys;
		pthread_mutex_unlock(&w->lock);
		err = examine(keys, n, fresh);
	}
	if (!err && !hash_equal(&n->checkpoint.root, root))
		err = CS_ERR_DIVERGED;
	if (!err)
		k = place(w, n->checkpoint.size);
	if (k) {
		k->text_len = n->note.text_len;
		memcpy(k->text, n->note.text, n->note.text_len);
		err = merge(k, fresh);
	}
	free(keys);
	free(fresh);
	return err;
}

/* --- for those who prove --- */

static void write_note(const struct kept *k, struct board_note *ret)
{
	ret->size = k->size;
	memcpy(ret->text, k->text, k->text_len);
	ret->text[k->text_len] = '\n';
	ret->len = k->text_len + 1;
	for (unsigned i = 0; i < k->n_lines && k->lines[i].len <= sizeof ret->text - ret->len; i++) {
		memcpy(ret->text + ret->len, k->lines[i].text, k->lines[i].len);
		ret->len += k->lines[i].len;
	}
}

bool witnesses_find(const struct witnesses *w, uint64_t index, unsigned need, const uint32_t *ids, unsigned n_ids,
                    struct board_note *ret)
{
	for (unsigned i = 0; i < WITNESSES_NOTES; i++) {
		const struct kept *k = &w->notes[i];
		unsigned have = 0;

		for (unsigned line = 0; line < k->n_lines; line++)
			for (unsigned id = 0; id < n_ids && k->lines[line].whose == LINE_WITNESS; id++)
				have += k->lines[line].id == ids[id];
		if (k->size <= index || have < need)
			continue;
		write_note(k, ret);
		return true;
	}
	return false;
}

bool witnesses_note(const struct witnesses *w, unsigned i, struct board_note *ret)
{
	if (i >= WITNESSES_NOTES || !w->notes[i].size)
		return false;
	write_note(&w->notes[i], ret);
	return true;
}

uint64_t witnesses_kept(const struct witnesses *w, uint64_t principal)
{
	for (unsigned i = 0; i < WITNESSES_NOTES; i++)
		if (has_line(&w->notes[i], principal))
			return w->notes[i].size;
	return 0;
}
