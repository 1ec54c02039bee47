/* A long file of a backup: written in pieces under another name, hashed, synced, renamed; and read back. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "client/tool/backup/out.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define TEMPORARY ".part" /* One at a time: the folder has one writer. */
#define PIECE     65536

int backupout_open(struct backupout *o, int dir, const char *name)
{
	int fd = openat(dir, TEMPORARY, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);

	memset(o, 0, sizeof *o);
	o->dir = dir;
	snprintf(o->name, sizeof o->name, "%s", name);
	hasher_init(&o->hasher);
	if (fd < 0)
		return o->err = errno;
	o->file = fdopen(fd, "w");
	if (!o->file) {
		o->err = errno;
		close(fd);
	}
	return o->err;
}

void backupout_write(struct backupout *o, const void *bytes, size_t len)
{
	if (o->err)
		return;
	if (len > 0 && fwrite(bytes, 1, len, o->file) != len)
		o->err = errno ? errno : EIO;
	hasher_update(&o->hasher, bytes, len);
	o->len += len;
}

void backupout_drop(struct backupout *o)
{
	if (!o->file)
		return;
	fclose(o->file);
	o->file = NULL;
	unlinkat(o->dir, TEMPORARY, 0);
}

int backupout_close(struct backupout *o, struct hash *ret, uint64_t *ret_len)
{
	if (!o->err && (fflush(o->file) || fsync(fileno(o->file))))
		o->err = errno;
	if (o->err) {
		backupout_drop(o);
		return o->err;
	}
	fclose(o->file);
	o->file = NULL;
	if (renameat(o->dir, TEMPORARY, o->dir, o->name))
		return o->err = errno;
	hasher_final(&o->hasher, ret);
	*ret_len = o->len;
	return 0;
}

FILE *backupout_read(int dir, const char *path)
{
	int fd = openat(dir, path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	FILE *f = fd >= 0 ? fdopen(fd, "r") : NULL;

	if (fd >= 0 && !f)
		close(fd);
	return f;
}

int backupout_hash(int dir, const char *path, struct hash *ret, uint64_t *ret_len)
{
	uint8_t piece[PIECE];
	FILE *f = backupout_read(dir, path);
	struct hasher h;
	size_t n;

	if (!f)
		return errno;
	hasher_init(&h);
	*ret_len = 0;
	while ((n = fread(piece, 1, sizeof piece, f)) > 0) {
		hasher_update(&h, piece, n);
		*ret_len += n;
	}
	int err = ferror(f) ? EIO : 0;
	fclose(f);
	hasher_final(&h, ret);
	return err;
}

int backupout_sync_name(const char *path)
{
	char *folder = strdup(path), *slash = folder ? strrchr(folder, '/') : NULL;
	int err = ENOMEM, fd;

	if (!folder)
		return err;
	if (slash)
		slash[slash == folder] = 0;
	fd = open(slash ? folder : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	free(folder);
	if (fd < 0)
		return errno;
	err = fsync(fd) ? errno : 0;
	close(fd);
	return err;
}
