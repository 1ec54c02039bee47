/* What was erased since the backup that is there: keys of subjects are destroyed, bundles written anew. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client/tool/backup/folder_internal.h"
#include "client/tool/backup/subject.h"
#include "client/tool/exportfile.h"
#include "ledger/bytes.h"
#include "ledger/entry.h"
#include "ledger/errors.h"
#include "node/decide/command_erase.h"

struct pass {
	struct backupfolder *f;
	const struct backupsource *s;
	bool wanted;
	uint64_t erased_end; /* Entries below it may have been a subject's that was erased; 0: none was. */
	size_t n_keys;
	uint8_t *gone, *live; /* By a key's place: it sealed a body of an entry below erased_end that is gone; that is
	                         there. */
	uint8_t *bundle;      /* BODIES_BUNDLE_MAX: as it is in the backup. */
	size_t bundle_len;
	char path[TILEPATH_SIZE];
};

/* --- what the entries say --- */

static uint64_t number_at(const struct entry *e, unsigned at)
{
	const uint8_t *skipped;
	struct reader r;
	uint64_t v = 0;
	uint32_t n;
	size_t len;

	reader_init(&r, e->public_, e->public_len);
	reader_array(&r, LIMIT_MSGPACK_NODES_MAX, &n);
	for (unsigned i = 0; i < at; i++)
		reader_skip(&r, &skipped, &len);
	reader_uint(&r, UINT64_MAX, &v);
	return r.err ? 0 : v;
}

static bool entry_at(const struct pass *p, uint64_t index, struct entry *ret)
{
	const void *leaf;
	size_t len;

	return index < p->s->checkpoint.size && store_view_entry(p->s->view, index, &leaf, &len) == 0 &&
	       entry_decode(ret, leaf, len) == 0;
}

/* Nodes erase after the order, and say so: each such word is a reason to look again. */
static void look(struct pass *p)
{
	for (uint64_t i = p->f->old.size; i < p->s->checkpoint.size; i++) {
		struct entry e;
		uint64_t order = i;

		if (!entry_at(p, i, &e) || (e.kind != ENTRY_ERASED && e.kind != ENTRY_ERASURE_DONE))
			continue;
		p->wanted = true;
		if (e.kind == ENTRY_ERASURE_DONE)
			order = number_at(&e, 1);
		if (entry_at(p, order, &e) && e.kind == ENTRY_ERASED && number_at(&e, 0) == ERASE_SUBJECT &&
		    order > p->erased_end)
			p->erased_end = order;
	}
}

/* --- bundle by bundle --- */

static int read_bundle(struct pass *p, uint64_t n)
{
	uint64_t generation = bodiesmap_generation(&p->f->bundles, n), left = p->f->old.size - n * TREE_TILE_WIDTH;
	unsigned width = left < TREE_TILE_WIDTH ? (unsigned)left : TREE_TILE_WIDTH;

	bodies_path(n, width, generation, p->path);
	int err = exportfile_read(p->f->fd, p->path, p->bundle, BODIES_BUNDLE_MAX, &p->bundle_len);
	if (!err && store_view_renew(p->s->view))
		err = EIO;
	return err ? backupfolder_bad(p->f, CS_ERR_IO, p->path, strerror(err)) : 0;
}

/* Whether the body is still there, and the subject's. */
static bool is_live(const struct pass *p, uint64_t index, const uint8_t subject[32])
{
	const void *body;
	uint8_t now[32];
	size_t len;

	if (store_view_body(p->s->view, index, &body, &len))
		return false;
	subject_of_body(body, len, now);
	return memcmp(now, subject, 32) == 0;
}

static int count_bundle(struct pass *p, uint64_t n)
{
	static const uint8_t nobody[32];
	const uint8_t *at = p->bundle, *end = p->bundle + p->bundle_len, *id;
	uint8_t own[BACKUPKEYS_ID_SIZE], subject[32];

	for (uint64_t i = n * TREE_TILE_WIDTH; at < end && i < p->erased_end; i++) {
		enum bodies_got got = bodies_skip(&at, end, &id);

		if (got == BODIES_BAD)
			return backupfolder_bad(p->f, CS_ERR_IO, p->path,
			                        "is no bundle of sealed bodies: begin another backup");
		size_t place = got == BODIES_BODY ? backupkeys_place(p->f->keys, id) : SIZE_MAX;
		if (place >= p->n_keys)
			continue;
		backupkeys_id(p->f->keys, place, own, subject);
		if (memcmp(subject, nobody, 32) == 0)
			continue;
		*(is_live(p, i, subject) ? &p->live[place] : &p->gone[place]) = 1;
	}
	return 0;
}

static int destroy_keys(struct pass *p)
{
	uint8_t(*ids)[BACKUPKEYS_ID_SIZE] = calloc(p->n_keys + 1, sizeof *ids), subject[32];
	size_t n = 0;
	int err = 0;

	if (!ids)
		return backupfolder_bad(p->f, CS_ERR_NOMEM, p->s->path, "out of memory");
	for (size_t i = 0; i < p->n_keys; i++)
		if (p->gone[i] && !p->live[i])
			backupkeys_id(p->f->keys, i, ids[n++], subject);
	for (size_t i = 0; i < n && !err; i++)
		err = backupkeys_destroy(p->f->keys, ids[i]);
	free(ids);
	return err ? backupfolder_bad(p->f, CS_ERR_IO, "the file of keys", strerror(err)) : 0;
}

static int note_again(struct backupfolder *f, uint64_t n, const void *bytes, size_t len)
{
	struct again *more = realloc(f->again, (f->n_again + 1) * sizeof *more);

	if (!more)
		return backupfolder_bad(f, CS_ERR_NOMEM, "bodies", "out of memory");
	f->again = more;
	more[f->n_again].n = n;
	hash_bytes(&more[f->n_again++].hash, bytes, len);
	return 0;
}

/* As the node has it now; of full bundles only: the one at the edge is written anew in any case. */
static int write_again(struct pass *p, uint64_t n)
{
	const void *leaf, *body, *bytes;
	size_t leaf_len, body_len, len;
	int err = 0;

	bodies_clear(p->f->bodies);
	for (uint64_t i = n * TREE_TILE_WIDTH; i < (n + 1) * TREE_TILE_WIDTH && !err; i++) {
		body = NULL;
		body_len = 0;
		err = store_view_entry(p->s->view, i, &leaf, &leaf_len);
		if (!err && store_view_body(p->s->view, i, &body, &body_len) == CS_ERR_ERASED)
			body = NULL;
		if (err)
			return backupfolder_bad(p->f, err, p->s->path, err_text(err));
		err = backupfolder_check_body(p->f, i, leaf, leaf_len, body, body_len);
		if (!err)
			err = bodies_add(p->f->bodies, i, body, body_len);
	}
	bytes = bodies_bytes(p->f->bodies, &len);
	if (err || (len == p->bundle_len && memcmp(bytes, p->bundle, len) == 0))
		return err;
	err = backupfolder_keys_sync(p->f);
	if (err)
		return err;
	bodies_path(n, TREE_TILE_WIDTH, p->f->made.generation, p->path);
	int code = exportfile_write(p->f->fd, p->path, bytes, len);
	return code ? backupfolder_bad(p->f, CS_ERR_IO, p->path, strerror(code)) : note_again(p->f, n, bytes, len);
}

static int passes(struct pass *p)
{
	int err = 0;

	for (uint64_t n = 0; n * TREE_TILE_WIDTH < p->f->old.size && n * TREE_TILE_WIDTH < p->erased_end && !err; n++) {
		err = read_bundle(p, n);
		if (!err)
			err = count_bundle(p, n);
	}
	if (!err)
		err = destroy_keys(p);
	for (uint64_t n = 0; (n + 1) * TREE_TILE_WIDTH <= p->f->old.size && !err; n++) {
		err = read_bundle(p, n);
		if (!err)
			err = write_again(p, n);
	}
	bodies_clear(p->f->bodies);
	return err;
}

int backupfolder_again(struct backupfolder *f, const struct backupsource *s)
{
	struct pass p = {.f = f, .s = s, .n_keys = backupkeys_count(f->keys)};
	int err;

	if (!f->has_old || strcmp(f->old.origin, s->checkpoint.origin) != 0)
		return 0;
	look(&p);
	if (!p.wanted)
		return 0;
	f->made.generation = f->old.generation + 1;
	f->bodies = bodies_new(f->old.origin, f->keys);
	p.gone = calloc(p.n_keys + 1, 1);
	p.live = calloc(p.n_keys + 1, 1);
	p.bundle = malloc(BODIES_BUNDLE_MAX);
	err = f->bodies && p.gone && p.live && p.bundle ? passes(&p)
	                                                : backupfolder_bad(f, CS_ERR_NOMEM, s->path, "out of memory");
	free(p.gone);
	free(p.live);
	free(p.bundle);
	bodies_free(f->bodies);
	f->bodies = NULL;
	return err ? err : 1;
}

/* --- afterwards --- */

void again_list(struct backupfolder *f)
{
	char path[TILEPATH_SIZE];

	for (size_t i = 0; i < f->n_again; i++) {
		bodies_path(f->again[i].n, TREE_TILE_WIDTH, f->made.generation, path);
		backuplist_add_hash(&f->list, path, &f->again[i].hash);
	}
}

static void old_path(const struct backupfolder *f, size_t i, char ret[TILEPATH_SIZE])
{
	uint64_t n = f->again[i].n;

	bodies_path(n, TREE_TILE_WIDTH, bodiesmap_generation(&f->bundles, n), ret);
}

bool again_written(void *ctx, const char *path)
{
	const struct backupfolder *f = ctx;
	size_t low = 0, high = f->n_again;
	uint64_t n, generation;
	unsigned width;

	if (!bodies_parse(path, &n, &width, &generation))
		return false;
	while (low < high) { /* They ascend. */
		size_t i = low + (high - low) / 2;

		if (f->again[i].n == n)
			return generation == bodiesmap_generation(&f->bundles, n);
		if (n < f->again[i].n)
			high = i;
		else
			low = i + 1;
	}
	return false;
}

void again_stale(const struct backupfolder *f)
{
	char path[TILEPATH_SIZE];

	for (size_t i = 0; i < f->n_again; i++) {
		old_path(f, i, path);
		unlinkat(f->fd, path, 0);
	}
}
