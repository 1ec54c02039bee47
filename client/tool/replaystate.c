/* A state's records, all at hand: their digest as it moves, and the file in which they wait for the next replay. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "client/tool/replaystate.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ledger/bytes.h"
#include "ledger/errors.h"

#define FILE_MAGIC      "countersign/state/v1\n"
#define FILE_HEAD_SIZE  (sizeof FILE_MAGIC - 1 + 8 + HASH_SIZE + HASH_SIZE + 8)
#define RECORD_SIZE_MAX (1u << 20) /* The largest of any build so far is 40 KiB. */
#define CAP_MIN         1024

/* --- the table --- */

static size_t place_of(const struct replaystate *r, const uint8_t key[REPLAYSTATE_KEY_SIZE])
{
	uint64_t h = (get_u64be(key + 1) * UINT64_C(0x9e3779b97f4a7c15)) ^ (key[0] * UINT64_C(0xff51afd7ed558ccd));
	size_t at = (size_t)(h >> 20) & (r->cap - 1);

	while (r->slots[at].value && memcmp(r->slots[at].key, key, REPLAYSTATE_KEY_SIZE) != 0)
		at = (at + 1) & (r->cap - 1);
	return at;
}

static int grow(struct replaystate *r)
{
	struct replaystate more = {.cap = r->cap ? 2 * r->cap : CAP_MIN, .n = r->n, .sum = r->sum};

	if (r->cap && r->n < r->cap / 4 * 3)
		return 0;
	more.slots = calloc(more.cap, sizeof *more.slots);
	if (!more.slots)
		return CS_ERR_NOMEM;
	for (size_t i = 0; i < r->cap; i++)
		if (r->slots[i].value)
			more.slots[place_of(&more, r->slots[i].key)] = r->slots[i];
	free(r->slots);
	*r = more;
	return 0;
}

/* What stands behind a place that becomes free moves up, so that no search ends before it. */
static void take_out(struct replaystate *r, size_t at)
{
	r->slots[at].value = NULL;
	r->n--;
	for (size_t i = (at + 1) & (r->cap - 1); r->slots[i].value; i = (i + 1) & (r->cap - 1)) {
		struct replay_record moved = r->slots[i];
		r->slots[i].value = NULL;
		r->slots[place_of(r, moved.key)] = moved;
	}
}

int replaystate_put(void *ctx, const void *key, size_t key_len, const void *value, size_t value_len)
{
	struct replaystate *r = ctx;
	uint8_t *copy = value_len ? malloc(value_len) : NULL;
	int err = key_len != REPLAYSTATE_KEY_SIZE ? CS_ERR_MALFORMED : grow(r);

	if (err || (value_len && !copy)) {
		free(copy);
		return err ? err : CS_ERR_NOMEM;
	}
	struct replay_record *slot = &r->slots[place_of(r, key)];
	if (slot->value) {
		multiset_remove(&r->sum, slot->key[0], slot->value, slot->len);
		free(slot->value);
	}
	if (!copy) {
		if (slot->value)
			take_out(r, (size_t)(slot - r->slots));
		return 0;
	}
	r->n += !slot->value;
	memcpy(copy, value, value_len);
	memcpy(slot->key, key, REPLAYSTATE_KEY_SIZE);
	slot->value = copy;
	slot->len = value_len;
	multiset_add(&r->sum, slot->key[0], copy, value_len);
	return 0;
}

void replaystate_close(struct replaystate *r)
{
	for (size_t i = 0; i < r->cap; i++)
		free(r->slots[i].value);
	free(r->slots);
	memset(r, 0, sizeof *r);
}

int replaystate_of_store(struct replaystate *ret, const struct store_view *view)
{
	return store_view_each_state(view, replaystate_put, ret);
}

/* --- out of it --- */

static int by_key(const void *a, const void *b)
{
	const struct replay_record *const *left = a, *const *right = b;

	return memcmp((*left)->key, (*right)->key, REPLAYSTATE_KEY_SIZE);
}

/* In order of their keys, as a store gives them: features come first. */
static const struct replay_record **sorted(const struct replaystate *r)
{
	const struct replay_record **list = calloc(r->n + 1, sizeof(struct replay_record *));
	size_t n = 0;

	for (size_t i = 0; list && i < r->cap; i++)
		if (r->slots[i].value)
			list[n++] = &r->slots[i];
	if (list)
		qsort(list, n, sizeof *list, by_key);
	return list;
}

int replaystate_each(const struct replaystate *r, state_record_fn f, void *ctx)
{
	const struct replay_record **list = sorted(r);
	int err = list ? 0 : CS_ERR_NOMEM;

	for (size_t i = 0; i < r->n && !err; i++)
		err = f(ctx, list[i]->key, REPLAYSTATE_KEY_SIZE, list[i]->value, list[i]->len);
	free(list);
	return err;
}

int replaystate_load(const struct replaystate *r, const void *genesis, size_t genesis_len, struct state **ret)
{
	const struct replay_record **list = sorted(r);
	struct state *s = NULL;
	int err = list ? state_new(NULL, &s) : CS_ERR_NOMEM;

	for (size_t i = 0; i < r->n && !err; i++)
		err = state_load(s, list[i]->key, REPLAYSTATE_KEY_SIZE, list[i]->value, list[i]->len);
	if (!err)
		err = state_loaded(s);
	if (!err)
		err = state_roster_genesis(s, genesis, genesis_len);
	free(list);
	if (err)
		state_free(s);
	else
		*ret = s;
	return err;
}

/* --- the file --- */

static bool write_record(FILE *f, const struct replay_record *r)
{
	uint8_t len[4];

	put_u32be(len, (uint32_t)r->len);
	return fwrite(r->key, REPLAYSTATE_KEY_SIZE, 1, f) == 1 && fwrite(len, sizeof len, 1, f) == 1 &&
	       fwrite(r->value, r->len, 1, f) == 1;
}

static bool write_all(FILE *f, const struct replaystate *r, const struct state_head *head)
{
	const struct replay_record **list = sorted(r);
	uint8_t bytes[FILE_HEAD_SIZE], *p = bytes;
	struct hash digest;
	bool ok;

	multiset_digest(&r->sum, &digest);
	memcpy(p, FILE_MAGIC, sizeof FILE_MAGIC - 1);
	p += sizeof FILE_MAGIC - 1;
	put_u64be(p, head->size);
	memcpy(p + 8, head->last_leaf.b, HASH_SIZE);
	memcpy(p + 8 + HASH_SIZE, digest.b, HASH_SIZE);
	put_u64be(p + 8 + 2 * HASH_SIZE, r->n);
	if (!list)
		errno = ENOMEM;
	ok = list && fwrite(bytes, sizeof bytes, 1, f) == 1;
	for (size_t i = 0; i < r->n && ok; i++)
		ok = write_record(f, list[i]);
	free(list);
	return ok && fflush(f) == 0 && fsync(fileno(f)) == 0;
}

int replaystate_save(const struct replaystate *r, const struct state_head *head, const char *path)
{
	/* It tells of people as much as a node's store does: for its owner's eyes. */
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600), err = 0;
	FILE *f = fd < 0 ? NULL : fdopen(fd, "wb");

	if (!f) {
		err = errno;
		if (fd >= 0)
			close(fd);
		return err;
	}
	if (!write_all(f, r, head))
		err = errno ? errno : EIO;
	if (fclose(f) && !err)
		err = errno;
	if (err)
		unlink(path);
	return err;
}

static int read_record(FILE *f, struct replaystate *r, uint8_t *value)
{
	uint8_t head[REPLAYSTATE_KEY_SIZE + 4];

	if (fread(head, sizeof head, 1, f) != 1)
		return CS_ERR_MALFORMED;
	uint32_t len = get_u32be(head + REPLAYSTATE_KEY_SIZE);
	if (len == 0 || len > RECORD_SIZE_MAX || fread(value, len, 1, f) != 1)
		return CS_ERR_MALFORMED;
	return replaystate_put(r, head, REPLAYSTATE_KEY_SIZE, value, len);
}

static int read_head(FILE *f, uint8_t bytes[FILE_HEAD_SIZE], struct state_head *ret)
{
	const uint8_t *p = bytes + sizeof FILE_MAGIC - 1;

	if (fread(bytes, FILE_HEAD_SIZE, 1, f) != 1 || memcmp(bytes, FILE_MAGIC, sizeof FILE_MAGIC - 1) != 0)
		return CS_ERR_MALFORMED;
	ret->size = get_u64be(p);
	memcpy(ret->last_leaf.b, p + 8, HASH_SIZE);
	return 0;
}

static int read_all(FILE *f, struct replaystate *r, struct state_head *head)
{
	uint8_t bytes[FILE_HEAD_SIZE], *p = bytes + sizeof FILE_MAGIC - 1, *value = malloc(RECORD_SIZE_MAX);
	struct hash digest;
	int err = value ? read_head(f, bytes, head) : CS_ERR_NOMEM;

	uint64_t n = err ? 0 : get_u64be(p + 8 + 2 * HASH_SIZE);
	for (uint64_t i = 0; i < n && !err; i++)
		err = read_record(f, r, value);
	free(value);
	if (!err && (fgetc(f) != EOF || r->n != n))
		err = CS_ERR_MALFORMED;
	if (err)
		return err;
	multiset_digest(&r->sum, &digest);
	return memcmp(digest.b, p + 8 + HASH_SIZE, HASH_SIZE) == 0 ? 0 : CS_ERR_DAMAGED;
}

int replaystate_read(struct replaystate *ret, const char *path, struct state_head *ret_head)
{
	FILE *f = fopen(path, "rbe");

	*ret_head = (struct state_head){0};
	if (!f)
		return CS_ERR_IO;
	int err = read_all(f, ret, ret_head);
	if (ferror(f))
		err = CS_ERR_IO;
	fclose(f);
	return err;
}

int replaystate_head(const char *path, struct state_head *ret)
{
	uint8_t bytes[FILE_HEAD_SIZE];
	FILE *f = fopen(path, "rbe");

	*ret = (struct state_head){0};
	if (!f)
		return CS_ERR_IO;
	int err = read_head(f, bytes, ret);
	if (ferror(f))
		err = CS_ERR_IO;
	fclose(f);
	return err;
}
