/* The folder of a backup as it grows: an export, sealed bodies, the state, and a manifest that makes it one. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "client/tool/backup/folder.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "client/tool/backup/folder_internal.h"
#include "client/tool/backup/state.h"
#include "client/tool/exportfile.h"
#include "client/tool/text.h"
#include "ledger/entry.h"
#include "ledger/errors.h"

const char *backupfolder_why(const struct backupfolder *f)
{
	return f->why;
}

uint64_t backupfolder_old_size(const struct backupfolder *f)
{
	return f->has_old ? f->old.size : 0;
}

uint64_t backupfolder_begin(const struct backupfolder *f)
{
	uint64_t old = backupfolder_old_size(f);

	return old - old % TREE_TILE_WIDTH;
}

int backupfolder_bad(struct backupfolder *f, int err, const char *what, const char *text)
{
	snprintf(f->why, sizeof f->why, "%s: %s", what, text);
	return err;
}

/* The exporting half says what and where by itself. */
static int leaves_failed(struct backupfolder *f, int err)
{
	if (err)
		snprintf(f->why, sizeof f->why, "%s", exportfolder_why(f->leaves));
	return err;
}

/* --- opening --- */

static int manifest_read(struct backupfolder *f, struct manifest *ret, bool *ret_there)
{
	char text[MANIFEST_SIZE_MAX];
	size_t len;
	int err = exportfile_read(f->fd, MANIFEST_NAME, (uint8_t *)text, sizeof text, &len);

	*ret_there = err == 0;
	if (err == ENOENT)
		return 0;
	if (err)
		return backupfolder_bad(f, CS_ERR_IO, MANIFEST_NAME, strerror(err));
	return manifest_decode(ret, text, len)
	               ? backupfolder_bad(f, CS_ERR_MALFORMED, MANIFEST_NAME, "is no manifest of a backup")
	               : 0;
}

/* What runs that were interrupted have left, and what the manifest names no more. */
static void clean(const struct backupfolder *f, uint64_t generation)
{
	char keep[MANIFEST_N][BACKUPOUT_NAME_SIZE];
	int fd = openat(f->fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fd >= 0 ? fdopendir(fd) : NULL;
	const struct dirent *e;

	if (!d) {
		exportfile_close(fd);
		return;
	}
	for (unsigned i = 0; i < MANIFEST_N; i++)
		manifest_file_name((enum manifest_file)i, generation, keep[i]);
	while ((e = readdir(d)))
		for (unsigned i = 0; i < MANIFEST_N; i++) {
			size_t stem = strcspn(keep[i], ".") + 1;
			const char *number = e->d_name + stem;

			if (!strncmp(e->d_name, keep[i], stem) && *number && strcmp(e->d_name, keep[i]) != 0 &&
			    strspn(number, "0123456789") == strlen(number))
				unlinkat(f->fd, e->d_name, 0);
		}
	closedir(d);
}

static int open_leaves(struct backupfolder *f, const char *dir)
{
	char name[BACKUPOUT_NAME_SIZE] = EXPORTFILE_CHECKPOINT, list[BACKUPOUT_NAME_SIZE];
	struct manifest now;
	bool there;

	if (!f->has_old && faccessat(f->fd, EXPORTFILE_CHECKPOINT, F_OK, 0) == 0)
		return backupfolder_bad(f, CS_ERR_INVALID, dir, "holds an export, not a backup: name another folder");
	if (f->has_old)
		manifest_file_name(MANIFEST_CHECKPOINT, f->old.generation, name);
	if (f->has_old) {
		manifest_file_name(MANIFEST_FILES, f->old.generation, list);
		if (bodiesmap_load(&f->bundles, f->fd, list, f->old.size))
			return backupfolder_bad(f, CS_ERR_IO, list,
			                        "is no list of a backup's files: begin another backup");
	}
	int err = exportfolder_open(dir, name, 0, &f->leaves, f->why, sizeof f->why);
	if (!err)
		err = manifest_read(f, &now, &there); /* Under the lock. */
	if (!err && (there != f->has_old || (there && now.generation != f->old.generation)))
		return backupfolder_bad(f, CS_ERR_EXISTS, dir, "another backup has just ended: try again");
	return err;
}

static int open_all(struct backupfolder *f, const char *dir)
{
	int err;

	if (mkdir(dir, 0700) && errno != EEXIST)
		return backupfolder_bad(f, CS_ERR_IO, dir, strerror(errno));
	f->fd = exportfile_folder(dir);
	if (f->fd < 0)
		return backupfolder_bad(f, CS_ERR_IO, dir, strerror(errno));
	err = manifest_read(f, &f->old, &f->has_old);
	if (!err && f->has_old && memcmp(f->old.keys, backupkeys_file_id(f->keys), BACKUPKEYS_ID_SIZE) != 0)
		return backupfolder_bad(f, CS_ERR_INVALID, dir, "its keys are in another file than --keys names");
	return err ? err : open_leaves(f, dir);
}

int backupfolder_open(const char *dir, struct backupkeys *keys, struct backupfolder **ret, char *ret_why,
                      size_t why_size)
{
	struct backupfolder *f = calloc(1, sizeof *f);
	int err;

	snprintf(ret_why, why_size, "out of memory");
	if (!f)
		return CS_ERR_NOMEM;
	f->fd = -1;
	f->keys = keys;
	err = open_all(f, dir);
	if (err) {
		snprintf(ret_why, why_size, "%s", f->why);
		backupfolder_close(f);
		return err;
	}
	*ret = f;
	return 0;
}

void backupfolder_close(struct backupfolder *f)
{
	if (!f)
		return;
	backupout_drop(&f->list);
	bodiesmap_free(&f->bundles);
	free(f->again);
	exportfolder_close(f->leaves);
	bodies_free(f->bodies);
	exportfile_close(f->fd);
	free(f);
}

/* --- growing --- */

bool backupfolder_current(const struct backupfolder *f, const struct backupsource *s)
{
	return f->has_old && !strcmp(f->old.origin, s->checkpoint.origin) && f->old.size == s->checkpoint.size &&
	       f->old.state_index == s->state_index;
}

int backupfolder_keys_sync(struct backupfolder *f)
{
	int err = backupkeys_sync(f->keys);

	return err ? backupfolder_bad(f, CS_ERR_IO, "the file of keys", strerror(err)) : 0;
}

static int write_state(struct backupfolder *f, const struct backupsource *s)
{
	char name[BACKUPOUT_NAME_SIZE];
	struct backupout o;
	int err, code;

	manifest_file_name(MANIFEST_STATE, f->made.generation, name);
	code = backupout_open(&o, f->fd, name);
	if (code)
		return backupfolder_bad(f, CS_ERR_IO, name, strerror(code));
	err = backupstate_write(s, f->keys, &o);
	if (err == CS_ERR_DAMAGED)
		backupfolder_bad(f, err, s->path,
		                 "ALARM: the state's records are not those whose digest was stored with them");
	else if (err)
		backupfolder_bad(f, err, name, o.err ? strerror(o.err) : err_text(err));
	if (!err)
		err = backupfolder_keys_sync(f);
	if (err) {
		backupout_drop(&o);
		return err;
	}
	code = backupout_close(&o, &f->made.files[MANIFEST_STATE].hash, &f->made.files[MANIFEST_STATE].len);
	return code ? backupfolder_bad(f, CS_ERR_IO, name, strerror(code)) : 0;
}

static int write_checkpoint(struct backupfolder *f, const struct backupsource *s)
{
	char name[BACKUPOUT_NAME_SIZE];
	int code;

	manifest_file_name(MANIFEST_CHECKPOINT, f->made.generation, name);
	code = exportfile_write(f->fd, name, s->note, s->note_len);
	hash_bytes(&f->made.files[MANIFEST_CHECKPOINT].hash, s->note, s->note_len);
	f->made.files[MANIFEST_CHECKPOINT].len = s->note_len;
	return code ? backupfolder_bad(f, CS_ERR_IO, name, strerror(code)) : 0;
}

static void listed(void *ctx, const char *path, const void *bytes, size_t len)
{
	struct backupfolder *f = ctx;

	backuplist_add(&f->list, path, bytes, len);
}

static int begin_list(struct backupfolder *f)
{
	char name[BACKUPOUT_NAME_SIZE], old[BACKUPOUT_NAME_SIZE];
	int code;

	manifest_file_name(MANIFEST_FILES, f->made.generation, name);
	code = backupout_open(&f->list, f->fd, name);
	if (code)
		return backupfolder_bad(f, CS_ERR_IO, name, strerror(code));
	exportfolder_watch(f->leaves, listed, f);
	if (!f->has_old)
		return 0;
	manifest_file_name(MANIFEST_FILES, f->old.generation, old);
	code = backuplist_copy(&f->list, old, &f->old.files[MANIFEST_FILES].hash, again_written, f);
	if (!code)
		again_list(f);
	return code ? backupfolder_bad(f, CS_ERR_IO, old,
	                               code < 0 ? "is not the file that the manifest names: begin another backup"
	                                        : strerror(code))
	            : 0;
}

int backupfolder_start(struct backupfolder *f, const struct backupsource *s)
{
	int err;

	if (f->has_old && strcmp(f->old.origin, s->checkpoint.origin) != 0)
		return backupfolder_bad(f, CS_ERR_INVALID, "the folder holds a backup of another ledger",
		                        f->old.origin);
	if (f->has_old && (f->old.size > s->checkpoint.size || f->old.state_index > s->state_index))
		return backupfolder_bad(f, CS_ERR_INVALID, s->path,
		                        "this node lags: the backup that is there is of later");
	f->made = (struct manifest){.generation = f->old.generation + 1,
	                            .size = s->checkpoint.size,
	                            .root = s->checkpoint.root,
	                            .state_size = s->state_size,
	                            .state_index = s->state_index,
	                            .state_term = s->state_term,
	                            .made_ms = text_now_ms()};
	memcpy(f->made.origin, s->checkpoint.origin, sizeof f->made.origin);
	memcpy(f->made.keys, backupkeys_file_id(f->keys), sizeof f->made.keys);
	clean(f, f->old.generation);
	f->bodies = bodies_new(f->made.origin, f->keys);
	if (!f->bodies)
		return backupfolder_bad(f, CS_ERR_NOMEM, s->path, "out of memory");
	err = write_state(f, s);
	if (!err)
		err = write_checkpoint(f, s);
	return err ? err : begin_list(f);
}

int backupfolder_check_body(struct backupfolder *f, uint64_t index, const void *leaf, size_t leaf_len, const void *body,
                            size_t body_len)
{
	struct field fields[LIMIT_FIELD_COUNT_MAX];
	char what[64];
	struct entry e;
	unsigned n = 0;

	if (!body || body_len == 0)
		return 0;
	if (!entry_decode(&e, leaf, leaf_len) && !body_decode(fields, &n, body, body_len) && !body_check(&e, fields, n))
		return 0;
	snprintf(what, sizeof what, "ALARM: entry %" PRIu64, index);
	return backupfolder_bad(f, CS_ERR_REFUTED, what,
	                        "its private fields do not open its commitments: the node's store is damaged");
}

static int flush_bodies(struct backupfolder *f, uint64_t n, unsigned width)
{
	char path[TILEPATH_SIZE];
	size_t len;
	const void *bytes = bodies_bytes(f->bodies, &len);
	int err = backupfolder_keys_sync(f), code;

	if (err)
		return err;
	bodies_path(n, width, f->made.generation, path);
	code = exportfile_write(f->fd, path, bytes, len);
	if (code)
		return backupfolder_bad(f, CS_ERR_IO, path, strerror(code));
	backuplist_add(&f->list, path, bytes, len);
	bodies_clear(f->bodies);
	return 0;
}

int backupfolder_append(struct backupfolder *f, uint64_t index, const void *leaf, size_t leaf_len, const void *body,
                        size_t body_len)
{
	int err = backupfolder_check_body(f, index, leaf, leaf_len, body, body_len);

	if (!err && index >= backupfolder_old_size(f))
		err = leaves_failed(f, exportfolder_append(f->leaves, leaf, leaf_len));
	if (!err && bodies_add(f->bodies, index, body, body_len))
		err = backupfolder_bad(f, CS_ERR_NOMEM, "the file of keys", "out of memory");
	if (!err && (index + 1) % TREE_TILE_WIDTH == 0)
		err = flush_bodies(f, index / TREE_TILE_WIDTH, TREE_TILE_WIDTH);
	return err;
}

static int write_manifest(struct backupfolder *f, const struct keyfile *signer)
{
	char text[MANIFEST_SIZE_MAX], name[BACKUPOUT_NAME_SIZE];
	size_t len;
	int code = backupout_close(&f->list, &f->made.files[MANIFEST_FILES].hash, &f->made.files[MANIFEST_FILES].len);

	manifest_file_name(MANIFEST_FILES, f->made.generation, name);
	if (code)
		return backupfolder_bad(f, CS_ERR_IO, name, strerror(code));
	if (manifest_encode(&f->made, signer, text, &len))
		return backupfolder_bad(f, CS_ERR_INVALID, MANIFEST_NAME, "it cannot be signed");
	code = exportfile_sync(f->fd) ? errno : exportfile_write(f->fd, MANIFEST_NAME, text, len);
	return code ? backupfolder_bad(f, CS_ERR_IO, MANIFEST_NAME, strerror(code)) : 0;
}

/* Partial bundles of before, and of runs that were interrupted; and those that were written anew. */
static void stale_bodies(const struct backupfolder *f)
{
	uint64_t last = f->made.size / TREE_TILE_WIDTH;
	unsigned width = (unsigned)(f->made.size % TREE_TILE_WIDTH);
	char path[TILEPATH_SIZE], kept[40];

	again_stale(f);
	snprintf(kept, sizeof kept, "%u.%" PRIu64, width, f->made.generation);
	for (uint64_t n = backupfolder_old_size(f) / TREE_TILE_WIDTH; n <= last; n++) {
		bodies_path(n, 1, f->made.generation, path);
		exportfile_remove_partials(f->fd, path, n == last && width ? kept : NULL);
	}
}

int backupfolder_finish(struct backupfolder *f, const struct backupsource *s, const struct keyfile *signer)
{
	unsigned width = (unsigned)(f->made.size % TREE_TILE_WIDTH);
	int err = width ? flush_bodies(f, f->made.size / TREE_TILE_WIDTH, width) : 0;

	if (!err)
		err = leaves_failed(f, exportfolder_edges(f->leaves, &s->checkpoint));
	if (!err)
		err = write_manifest(f, signer);
	if (err)
		return err;
	stale_bodies(f);
	clean(f, f->made.generation);
	/* For those who read it as an export; the manifest does not need it. */
	return leaves_failed(f, exportfolder_settle(f->leaves, s->note, s->note_len));
}
