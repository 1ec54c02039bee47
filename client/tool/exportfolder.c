/* A folder in the form of C2SP tlog-tiles as `countersign export` grows it: never replaced before it is checked. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "client/tool/exportfolder.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>

#include "client/tool/exportfile.h"
#include "ledger/bytes.h"
#include "ledger/entry.h"
#include "ledger/errors.h"
#include "ledger/path.h"
#include "ledger/tilepath.h"
#include "ledger/tree.h"

#define WHY_SIZE        512
#define BUNDLE_SIZE_MAX ((size_t)TREE_TILE_WIDTH * (2 + LIMIT_ENTRY_SIZE_MAX)) /* 16 MiB */

struct exportfolder {
	int fd;
	uint64_t from;
	struct tree *tree;
	struct hash last_leaf;
	uint64_t time_ms;
	bool has_time;
	uint64_t old_size;
	uint32_t old_log_key;
	char origin[LIMIT_ORIGIN_SIZE_MAX + 1]; /* Of the checkpoint that is there, or "". */
	uint8_t *bundle;                        /* BUNDLE_SIZE_MAX: of the entries since the last full one. */
	size_t bundle_len;
	unsigned bundle_n;
	uint8_t *left; /* BUNDLE_SIZE_MAX: what an interrupted run left. */
	exportfolder_written_fn written;
	void *written_ctx;
	char why[WHY_SIZE];
};

const char *exportfolder_why(const struct exportfolder *f)
{
	return f->why;
}

uint64_t exportfolder_size(const struct exportfolder *f)
{
	return tree_size(f->tree);
}

void exportfolder_root(struct exportfolder *f, struct hash *ret)
{
	tree_root(f->tree, ret);
}

void exportfolder_watch(struct exportfolder *f, exportfolder_written_fn fn, void *ctx)
{
	f->written = fn;
	f->written_ctx = ctx;
}

uint64_t exportfolder_old(const struct exportfolder *f, uint32_t *ret_log_key)
{
	*ret_log_key = f->old_log_key;
	return f->old_size;
}

static int bad(struct exportfolder *f, int err, const char *what, const char *text)
{
	snprintf(f->why, sizeof f->why, "%s: %s", what, text);
	return err;
}

static int put(struct exportfolder *f, unsigned level, uint64_t n, unsigned width, const void *bytes, size_t len)
{
	char path[TILEPATH_SIZE];

	tilepath(level, n, width, path);
	int err = exportfile_write(f->fd, path, bytes, len);
	if (err)
		return bad(f, CS_ERR_IO, path, strerror(err));
	if (f->written)
		f->written(f->written_ctx, path, bytes, len);
	return CS_OK;
}

static int tile_full(void *ctx, unsigned level, uint64_t n, const struct hash *hashes)
{
	return put(ctx, level, n, TREE_TILE_WIDTH, hashes, sizeof *hashes * TREE_TILE_WIDTH);
}

static int tile_read(void *ctx, unsigned level, uint64_t n, unsigned width, struct hash *out)
{
	struct exportfolder *f = ctx;
	char path[TILEPATH_SIZE];
	size_t len;

	tilepath(level, n, width, path);
	int err = exportfile_read(f->fd, path, (uint8_t *)out, sizeof *out * width, &len);
	if (err || len != sizeof *out * width)
		return bad(f, CS_ERR_DAMAGED, path, err ? strerror(err) : "too short");
	return CS_OK;
}

const char *exportfolder_origin(const struct exportfolder *f)
{
	return f->origin;
}

/* --- what is there already --- */

/* The partial bundle at the old edge: its entries must have the hashes in the tile at its side. */
static int edge_load(struct exportfolder *f)
{
	const struct hash *hashes;
	char path[TILEPATH_SIZE];
	unsigned width;
	uint64_t n;
	size_t at = 0;
	struct hash h;

	tree_partial(f->tree, 0, &n, &width, &hashes);
	if (width == 0)
		return CS_OK;
	f->bundle_n = width;
	if ((n + 1) * TREE_TILE_WIDTH <= f->from)
		return CS_OK;
	tilepath(TILEPATH_ENTRIES, n, width, path);
	int err = exportfile_read(f->fd, path, f->bundle, BUNDLE_SIZE_MAX, &f->bundle_len);
	if (err)
		return bad(f, CS_ERR_DAMAGED, path, strerror(err));
	for (unsigned i = 0; i < width; i++) {
		size_t left = f->bundle_len - at, len = left < 2 ? 0 : get_u16be(f->bundle + at);

		if (left < 2 || len > left - 2)
			return bad(f, CS_ERR_DAMAGED, path, "too short");
		hash_leaf(&h, f->bundle + at + 2, len);
		if (!hash_equal(&h, &hashes[i]))
			return bad(f, CS_ERR_DAMAGED, path, "an entry's hash is not the one in its tile");
		at += 2 + len;
	}
	return at == f->bundle_len ? CS_OK : bad(f, CS_ERR_DAMAGED, path, "too long");
}

static int last_leaf_load(struct exportfolder *f)
{
	struct hash hashes[TREE_TILE_WIDTH];
	uint64_t last = f->old_size - 1;
	unsigned width = (unsigned)(f->old_size % TREE_TILE_WIDTH);

	int err = tile_read(f, 0, last / TREE_TILE_WIDTH, width ? width : TREE_TILE_WIDTH, hashes);
	if (!err)
		f->last_leaf = hashes[last % TREE_TILE_WIDTH];
	return err;
}

static int old_load(struct exportfolder *f, const char *checkpoint)
{
	char text[LIMIT_NOTE_SIZE_MAX];
	struct checkpoint c;
	struct hash root;
	struct note n;
	size_t len;

	int err = exportfile_read(f->fd, checkpoint, (uint8_t *)text, sizeof text, &len);
	if (err == ENOENT)
		return CS_OK;
	if (err)
		return bad(f, CS_ERR_IO, checkpoint, strerror(err));
	if (note_parse(&n, text, len) || checkpoint_parse(&c, n.text, n.text_len))
		return bad(f, CS_ERR_DAMAGED, checkpoint, "not a checkpoint");
	for (unsigned i = 0; i < n.n_signatures; i++)
		if (n.signatures[i].name_len == strlen(c.origin) &&
		    !memcmp(n.signatures[i].name, c.origin, n.signatures[i].name_len))
			f->old_log_key = n.signatures[i].id;
	f->old_size = c.size;
	memcpy(f->origin, c.origin, sizeof f->origin);
	err = c.size > TREE_SIZE_MAX ? CS_ERR_DAMAGED : tree_load(f->tree, c.size);
	if (err)
		return f->why[0] ? err : bad(f, err, checkpoint, "its tiles cannot be read");
	tree_root(f->tree, &root);
	if (!hash_equal(&root, &c.root))
		return bad(f, CS_ERR_DAMAGED, checkpoint, "the tiles in the folder do not lead to its root");
	err = c.size > 0 ? last_leaf_load(f) : CS_OK;
	return err ? err : edge_load(f);
}

int exportfolder_open(const char *dir, const char *checkpoint, uint64_t from, struct exportfolder **ret, char *ret_why,
                      size_t why_size)
{
	struct exportfolder *f = calloc(1, sizeof *f);
	struct tree_tiles tiles = {.read = tile_read, .full = tile_full, .ctx = f};
	int err = CS_ERR_NOMEM;

	snprintf(ret_why, why_size, "out of memory");
	if (!f)
		return err;
	f->from = from;
	f->bundle = malloc(BUNDLE_SIZE_MAX);
	f->left = malloc(BUNDLE_SIZE_MAX);
	f->fd = exportfile_folder(dir);
	if (f->fd < 0)
		err = bad(f, CS_ERR_IO, dir, strerror(errno));
	else if (flock(f->fd, LOCK_EX | LOCK_NB))
		err = bad(f, CS_ERR_EXISTS, dir, "another process writes to this folder");
	else if (f->bundle && f->left)
		err = tree_new(&tiles, &f->tree);
	if (!err)
		err = old_load(f, checkpoint);
	if (err) {
		if (f->why[0])
			snprintf(ret_why, why_size, "%s", f->why);
		exportfolder_close(f);
		return err;
	}
	*ret = f;
	return CS_OK;
}

void exportfolder_close(struct exportfolder *f)
{
	if (!f)
		return;
	exportfile_close(f->fd);
	tree_free(f->tree);
	free(f->bundle);
	free(f->left);
	free(f);
}

/* --- growing --- */

static int bundle_full(struct exportfolder *f, uint64_t n)
{
	bool wanted = (n + 1) * TREE_TILE_WIDTH > f->from;
	int err = wanted ? put(f, TILEPATH_ENTRIES, n, TREE_TILE_WIDTH, f->bundle, f->bundle_len) : CS_OK;

	f->bundle_len = 0;
	f->bundle_n = 0;
	return err;
}

int exportfolder_append(struct exportfolder *f, const uint8_t *leaf, size_t len)
{
	uint64_t index = tree_size(f->tree);
	struct entry e;
	struct hash h;
	char what[40];

	snprintf(what, sizeof what, "entry %" PRIu64, index);
	if (entry_decode(&e, leaf, len) || e.index != index)
		return bad(f, CS_ERR_REFUTED, what, "what came is not this entry");
	if (memcmp(e.prev.b, f->last_leaf.b, HASH_SIZE) != 0)
		return bad(f, CS_ERR_REFUTED, what, "it is not chained to the one before it, as the folder has it");
	if (f->has_time && e.time_ms < f->time_ms)
		return bad(f, CS_ERR_REFUTED, what, "its time goes back");
	put_u16be(f->bundle + f->bundle_len, (uint16_t)len);
	memcpy(f->bundle + f->bundle_len + 2, leaf, len);
	f->bundle_len += 2 + len;
	f->bundle_n++;
	hash_leaf(&h, leaf, len);
	f->last_leaf = h;
	f->time_ms = e.time_ms;
	f->has_time = true;
	/* The entries first: a tile that is there has its entries. */
	int err = f->bundle_n == TREE_TILE_WIDTH ? bundle_full(f, index / TREE_TILE_WIDTH) : CS_OK;
	if (!err)
		err = tree_append(f->tree, &h);
	return err && !f->why[0] ? bad(f, err, what, err_text(err)) : err;
}

/* Whole entries, each chained to the one before: else the file is as if it were not there. */
static bool left_good(const struct exportfolder *f, size_t size)
{
	uint64_t index = tree_size(f->tree);
	struct hash before = f->last_leaf;
	const uint8_t *p = f->left;
	struct entry e;

	for (unsigned i = 0; i < TREE_TILE_WIDTH; i++) {
		size_t len = size < 2 ? 0 : get_u16be(p);

		if (size < 2 || len > size - 2 || entry_decode(&e, p + 2, len) || e.index != index + i ||
		    memcmp(e.prev.b, before.b, HASH_SIZE) != 0)
			return false;
		hash_leaf(&before, p + 2, len);
		p += 2 + len;
		size -= 2 + len;
	}
	return size == 0;
}

int exportfolder_resume(struct exportfolder *f, uint64_t size, bool *ret_taken)
{
	uint64_t at = tree_size(f->tree);
	char path[TILEPATH_SIZE];
	size_t len;
	int err = CS_OK;

	*ret_taken = false;
	if (at % TREE_TILE_WIDTH || size - at < TREE_TILE_WIDTH)
		return CS_OK;
	tilepath(TILEPATH_ENTRIES, at / TREE_TILE_WIDTH, TREE_TILE_WIDTH, path);
	if (exportfile_read(f->fd, path, f->left, BUNDLE_SIZE_MAX, &len) || !left_good(f, len))
		return CS_OK;
	*ret_taken = true;
	const uint8_t *p = f->left;
	for (unsigned i = 0; i < TREE_TILE_WIDTH && !err; i++) {
		err = exportfolder_append(f, p + 2, get_u16be(p));
		p += 2 + (size_t)get_u16be(p);
	}
	return err;
}

static int edges_write(struct exportfolder *f)
{
	const struct hash *hashes;
	unsigned width;
	uint64_t n;
	int err = CS_OK;

	tree_partial(f->tree, 0, &n, &width, &hashes);
	if (width > 0 && (n + 1) * TREE_TILE_WIDTH > f->from)
		err = put(f, TILEPATH_ENTRIES, n, width, f->bundle, f->bundle_len);
	for (unsigned level = 0; level < TREE_TILE_LEVELS && !err; level++) {
		tree_partial(f->tree, level, &n, &width, &hashes);
		if (width > 0)
			err = put(f, level, n, width, hashes, sizeof *hashes * width);
	}
	return err;
}

/* Partial tiles from the old edge on, but for those of the new edge. */
static void stale_remove(const struct exportfolder *f)
{
	uint64_t size = tree_size(f->tree), old = f->old_size;
	char path[TILEPATH_SIZE], kept[16];

	for (unsigned level = 0; level < TREE_TILE_LEVELS && (size > 0 || old > 0); level++) {
		snprintf(kept, sizeof kept, "%u", (unsigned)(size % TREE_TILE_WIDTH));
		for (uint64_t n = old / TREE_TILE_WIDTH; n <= size / TREE_TILE_WIDTH; n++) {
			const char *keep = n == size / TREE_TILE_WIDTH && size % TREE_TILE_WIDTH ? kept : NULL;

			tilepath(level, n, 1, path);
			exportfile_remove_partials(f->fd, path, keep);
			tilepath(TILEPATH_ENTRIES, n, 1, path);
			if (level == 0)
				exportfile_remove_partials(f->fd, path, keep);
		}
		size /= TREE_TILE_WIDTH;
		old /= TREE_TILE_WIDTH;
	}
}

int exportfolder_edges(struct exportfolder *f, const struct checkpoint *c)
{
	struct hash root;

	tree_root(f->tree, &root);
	if (tree_size(f->tree) != c->size || !hash_equal(&root, &c->root))
		return bad(f, CS_ERR_REFUTED, "ALARM",
		           f->old_size > 0
		                   ? "the entries do not lead to the cosigned root: the folder, or what the node "
		                     "gave, is of another ledger. The folder's checkpoint stands as it was"
		                   : "the entries do not lead to the cosigned root. No checkpoint was written");
	int err = edges_write(f);
	if (!err && exportfile_sync(f->fd))
		err = bad(f, CS_ERR_IO, "sync", strerror(errno));
	return err;
}

int exportfolder_settle(struct exportfolder *f, const char *note, size_t note_len)
{
	int code = exportfile_write(f->fd, EXPORTFILE_CHECKPOINT, note, note_len);

	if (code)
		return bad(f, CS_ERR_IO, EXPORTFILE_CHECKPOINT, strerror(code));
	if (exportfile_sync(f->fd))
		return bad(f, CS_ERR_IO, "sync", strerror(errno));
	stale_remove(f);
	return CS_OK;
}

int exportfolder_finish(struct exportfolder *f, const struct checkpoint *c, const char *note, size_t note_len)
{
	int err = exportfolder_edges(f, c);

	return err ? err : exportfolder_settle(f, note, note_len);
}
