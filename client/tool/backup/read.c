/* A backup read back: every file against its hash, every entry against the tree, every body against its entry. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "client/tool/backup/read.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client/tool/backup/bodies.h"
#include "client/tool/backup/list.h"
#include "client/tool/exportfile.h"
#include "client/tool/progress.h"
#include "client/tool/tool.h"
#include "ledger/bytes.h"
#include "ledger/errors.h"

#define LEAVES_BUNDLE_MAX ((size_t)TREE_TILE_WIDTH * (2 + LIMIT_ENTRY_SIZE_MAX))

int backupread_refuted(const struct backupread *r, const char *what, const char *text)
{
	return tool_fail(RESTORE_REFUTED, r->command, "%s/%s: %s", r->dir, what, text);
}

int backupread_unreadable(const struct backupread *r, const char *what, int err)
{
	return tool_fail(RESTORE_UNDECIDED, r->command, "%s/%s: %s", r->dir, what, strerror(err));
}

/* --- manifest, checkpoint, keys --- */

static int read_manifest(struct backupread *r)
{
	char text[MANIFEST_SIZE_MAX];
	size_t len;
	int err = exportfile_read(r->fd, MANIFEST_NAME, (uint8_t *)text, sizeof text, &len);

	if (err == ENOENT)
		return tool_fail(RESTORE_UNDECIDED, r->command, "%s: is no backup, or its first one was not finished",
		                 r->dir);
	if (err)
		return backupread_unreadable(r, MANIFEST_NAME, err);
	return manifest_decode(&r->manifest, text, len)
	               ? backupread_refuted(r, MANIFEST_NAME, "is no manifest of a backup")
	               : 0;
}

static int check_own_files(struct backupread *r)
{
	char name[BACKUPOUT_NAME_SIZE];
	struct hash found;
	uint64_t len;

	for (unsigned i = 0; i < MANIFEST_N; i++) {
		manifest_file_name((enum manifest_file)i, r->manifest.generation, name);
		int err = backupout_hash(r->fd, name, &found, &len);

		if (err)
			return backupread_unreadable(r, name, err);
		if (len != r->manifest.files[i].len || !hash_equal(&found, &r->manifest.files[i].hash))
			return backupread_refuted(r, name,
			                          "is not the file that the manifest names: damaged, or changed");
	}
	return 0;
}

static int check_checkpoint(struct backupread *r)
{
	struct verify_result *result = malloc(sizeof *result);
	char name[BACKUPOUT_NAME_SIZE];
	struct checkpoint c;
	struct note n;
	int code = 0, err;

	if (!result)
		return tool_fail(EXIT_LOCAL, r->command, "out of memory");
	manifest_file_name(MANIFEST_CHECKPOINT, r->manifest.generation, name);
	err = exportfile_read(r->fd, name, (uint8_t *)r->note, sizeof r->note, &r->note_len);
	if (err)
		code = backupread_unreadable(r, name, err);
	else
		verify_checkpoint(r->trust, r->note, r->note_len, result);
	if (!code && result->outcome != VERIFY_VERIFIED)
		code = tool_fail((int)result->outcome, r->command, "%s/%s: the checkpoint: %s", r->dir, name,
		                 result->reason);
	if (!code && (note_parse(&n, r->note, r->note_len) || checkpoint_parse(&c, n.text, n.text_len) ||
	              strcmp(c.origin, r->manifest.origin) != 0 || c.size != r->manifest.size ||
	              !hash_equal(&c.root, &r->manifest.root)))
		code = backupread_refuted(r, MANIFEST_NAME, "names another checkpoint than the one that is there");
	free(result);
	return code;
}

int backupread_open(struct backupread *r, const char *keys_path)
{
	char why[BACKUPKEYS_WHY_SIZE];
	int code;

	r->fd = open(r->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (r->fd < 0)
		return tool_fail(EXIT_USAGE, r->command, "%s: %s", r->dir, strerror(errno));
	code = read_manifest(r);
	if (!code)
		code = check_own_files(r);
	if (!code)
		code = check_checkpoint(r);
	if (code)
		return code;
	if (backupkeys_open(keys_path, false, &r->keys, why))
		return tool_fail(RESTORE_UNDECIDED, r->command, "%s", why);
	if (memcmp(backupkeys_file_id(r->keys), r->manifest.keys, BACKUPKEYS_ID_SIZE) != 0)
		return tool_fail(EXIT_USAGE, r->command, "%s: holds the keys of another backup", keys_path);
	return 0;
}

void backupread_close(struct backupread *r)
{
	exportfile_close(r->fd);
	backupkeys_close(r->keys);
	bodiesmap_free(&r->bundles);
	facts_free(&r->facts);
	carry_free(r->carry);
}

/* --- files --- */

struct copying {
	const struct backupread *r;
	struct progress progress;
	uint64_t n;
	int to; /* -1: nothing is copied. */
	int err;
	uint8_t *bytes;
};

static void good_file(void *ctx, const char *path)
{
	struct copying *c = ctx;
	size_t len;

	progress_show(&c->progress, ++c->n, 0);
	if (c->to < 0 || c->err || strncmp(path, "tile/", 5) != 0)
		return;
	c->err = exportfile_read(c->r->fd, path, c->bytes, LEAVES_BUNDLE_MAX, &len);
	if (!c->err)
		c->err = exportfile_write(c->to, path, c->bytes, len);
}

static int check_files(struct backupread *r, struct copying *c)
{
	char name[BACKUPOUT_NAME_SIZE], path[TILEPATH_SIZE];
	int err;

	manifest_file_name(MANIFEST_FILES, r->manifest.generation, name);
	bodiesmap_free(&r->bundles);
	if (bodiesmap_load(&r->bundles, r->fd, name, r->manifest.size))
		return backupread_refuted(r, name, "is no list of a backup's files");
	switch (backuplist_check(r->fd, name, good_file, c, path, &err)) {
	case LIST_GOOD:
		return 0;
	case LIST_MALFORMED:
		return backupread_refuted(r, name, "is no list of files");
	case LIST_UNREADABLE:
		return backupread_unreadable(r, path, err);
	case LIST_DIFFERS:
		break;
	}
	return backupread_refuted(r, path, "is not the file that the backup's list names: damaged, or changed");
}

int backupread_files(struct backupread *r, const char *archive)
{
	struct copying c = {.r = r, .to = -1, .progress = {.what = "checked", .unit = "files"}};
	int code = 0;

	if (archive) {
		c.bytes = malloc(LEAVES_BUNDLE_MAX);
		c.to = exportfile_folder(archive);
		if (!c.bytes || c.to < 0)
			code = tool_fail(EXIT_LOCAL, r->command, "%s: %s", archive, strerror(c.bytes ? errno : ENOMEM));
	}
	if (!code)
		code = check_files(r, &c);
	progress_end(&c.progress);
	if (!code && archive && !c.err)
		c.err = exportfile_write(c.to, EXPORTFILE_CHECKPOINT, r->note, r->note_len);
	if (!code && c.err)
		code = tool_fail(EXIT_LOCAL, r->command, "%s: %s", archive, strerror(c.err));
	exportfile_close(c.to);
	free(c.bytes);
	return code;
}

/* --- entries --- */

int backupread_compare(const struct backupread *r, const struct shown *s, uint64_t size, const struct hash *root)
{
	struct hash theirs;
	int err = shown_root(s, size, &theirs);

	if (err == CS_ERR_NOT_FOUND || (!err && hash_equal(root, &theirs)))
		return 0;
	if (err)
		return tool_fail(EXIT_USAGE, r->command, "%s: its tiles do not lead to its checkpoint", s->path);
	return tool_fail(RESTORE_REFUTED, r->command,
	                 "ALARM: %s contradicts the backup: its first %" PRIu64
	                 " entries have another root. There are two histories of %s",
	                 s->path, size, r->manifest.origin);
}

struct walk {
	struct backupread *r;
	const struct shown *shown;
	struct tree *tree;
	struct hash before;
	uint8_t *leaves, *bodies;
	char leaves_path[TILEPATH_SIZE], bodies_path[TILEPATH_SIZE];
	uint8_t body[LIMIT_BODY_SIZE_MAX];
};

static int check_shown(struct walk *w)
{
	const struct shown *s = w->shown;
	uint64_t size = tree_size(w->tree);
	struct hash own;

	if (!s->there || size != s->checkpoint.size)
		return 0;
	tree_root(w->tree, &own);
	return backupread_compare(w->r, s, size, &own);
}

static int take_body(struct walk *w, const struct entry *e, const uint8_t **p, const uint8_t *end)
{
	struct field fields[LIMIT_FIELD_COUNT_MAX];
	unsigned n;
	size_t len = 0;

	switch (bodies_next(p, end, w->r->keys, w->r->manifest.origin, e->index, w->body, &len)) {
	case BODIES_BAD:
		return backupread_refuted(w->r, w->bodies_path, "is no bundle of sealed bodies");
	case BODIES_NONE:
		return 0;
	case BODIES_ERASED:
		w->r->erased++;
		return 0;
	case BODIES_KEY_GONE:
		w->r->keys_gone++;
		return 0;
	case BODIES_BODY:
		break;
	}
	if (body_decode(fields, &n, w->body, len) || body_check(e, fields, n))
		return backupread_refuted(w->r, w->bodies_path,
		                          "private fields in it do not open the commitments of their entry");
	w->r->bodies++;
	return 0;
}

static int take_leaf(struct walk *w, const uint8_t *leaf, size_t len, const uint8_t **body, const uint8_t *bodies_end)
{
	uint64_t index = tree_size(w->tree);
	struct hash h;
	struct entry e;
	int code;

	if (entry_decode(&e, leaf, len) || e.index != index || !hash_equal(&e.prev, &w->before))
		return backupread_refuted(w->r, w->leaves_path,
		                          "an entry in it is malformed, or not chained to the one before");
	hash_leaf(&h, leaf, len);
	w->before = h;
	if (tree_append(w->tree, &h))
		return tool_fail(EXIT_LOCAL, w->r->command, "out of memory");
	code = take_body(w, &e, body, bodies_end);
	if (!code)
		code = check_shown(w);
	if (code || index >= w->r->manifest.state_size)
		return code;
	if (index + 1 == w->r->manifest.state_size)
		w->r->last_leaf = h;
	int err = facts_take(&w->r->facts, &e);
	return err ? tool_fail(err == CS_ERR_NOMEM ? EXIT_LOCAL : RESTORE_REFUTED, w->r->command,
	                       "entry %" PRIu64 ": %s", index, err_text(err))
	           : 0;
}

static int take_bundle(struct walk *w, uint64_t n, unsigned width)
{
	size_t leaves_len, bodies_len;
	int err, code = 0;

	tilepath(TILEPATH_ENTRIES, n, width, w->leaves_path);
	bodies_path(n, width, bodiesmap_generation(&w->r->bundles, n), w->bodies_path);
	err = exportfile_read(w->r->fd, w->leaves_path, w->leaves, LEAVES_BUNDLE_MAX, &leaves_len);
	if (err)
		return backupread_unreadable(w->r, w->leaves_path, err);
	err = exportfile_read(w->r->fd, w->bodies_path, w->bodies, BODIES_BUNDLE_MAX, &bodies_len);
	if (err)
		return backupread_unreadable(w->r, w->bodies_path, err);
	const uint8_t *p = w->leaves, *end = p + leaves_len, *body = w->bodies, *bodies_end = body + bodies_len;
	for (unsigned i = 0; i < width && !code; i++) {
		size_t left = (size_t)(end - p), len = left < 2 ? 0 : get_u16be(p);

		if (left < 2 || len > left - 2)
			return backupread_refuted(w->r, w->leaves_path, "is too short");
		code = take_leaf(w, p + 2, len, &body, bodies_end);
		p += 2 + len;
	}
	if (!code && p != end)
		return backupread_refuted(w->r, w->leaves_path, "is too long");
	return !code && body != bodies_end ? backupread_refuted(w->r, w->bodies_path, "is too long") : code;
}

static int take_all(struct walk *w)
{
	struct progress progress = {.what = "checked", .unit = "entries"};
	uint64_t size = w->r->manifest.size;
	struct hash root;
	int code = 0;

	for (uint64_t n = 0; n * TREE_TILE_WIDTH < size && !code; n++) {
		uint64_t left = size - n * TREE_TILE_WIDTH;

		code = take_bundle(w, n, left < TREE_TILE_WIDTH ? (unsigned)left : TREE_TILE_WIDTH);
		progress_show(&progress, tree_size(w->tree), size);
	}
	progress_end(&progress);
	if (code)
		return code;
	tree_root(w->tree, &root);
	return hash_equal(&root, &w->r->manifest.root)
	               ? 0
	               : backupread_refuted(w->r, "tile/entries", "the entries do not lead to the cosigned root");
}

int backupread_entries(struct backupread *r, const struct shown *shown)
{
	struct walk *w = calloc(1, sizeof *w);
	int code = EXIT_LOCAL;

	if (w) {
		w->r = r;
		w->shown = shown;
		w->leaves = malloc(LEAVES_BUNDLE_MAX);
		w->bodies = malloc(BODIES_BUNDLE_MAX);
	}
	if (!w || !w->leaves || !w->bodies || tree_new(&(struct tree_tiles){0}, &w->tree))
		tool_fail(EXIT_LOCAL, r->command, "out of memory");
	else
		code = take_all(w);
	if (w) {
		tree_free(w->tree);
		free(w->leaves);
		free(w->bodies);
	}
	free(w);
	return code;
}
