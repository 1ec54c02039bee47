/* POSIX names for node code: made, renamed, removed and listed; what is asked of files and disks. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>

#include "tests/sim/drive.h"
#include "tests/sim/faults.h"
#include "tests/sim/file_internal.h"
#include "tests/sim/os.h"

struct folder_stream {
	int fd;
	unsigned n;
	struct dirent entry;
};

int __wrap_unlinkat(int dir, const char *path, int flags)
{
	struct inode *at;
	struct drive *d = file_disk(dir, &path, &at);
	const char *name;
	struct inode *folder = drive_folder(d, at, path, &name);
	int err = folder ? inode_unlink(folder, name) : ENOENT;

	(void)flags;
	return err ? file_fail(err) : 0;
}

int __wrap_unlink(const char *path)
{
	return __wrap_unlinkat(AT_FDCWD, path, 0);
}

int __wrap_renameat(int from_dir, const char *from, int to_dir, const char *to)
{
	struct inode *from_at, *to_at;
	struct drive *d = file_disk(from_dir, &from, &from_at);
	struct drive *to_disk = file_disk(to_dir, &to, &to_at);
	const char *name, *new_name;
	struct inode *a = drive_folder(d, from_at, from, &name), *b = drive_folder(to_disk, to_at, to, &new_name);
	int err = a && b ? inode_rename(a, name, b, new_name) : ENOENT;

	return err ? file_fail(err) : 0;
}

/* Of two names in one folder that change places: nobody else calls it. */
int __wrap_renameat2(int from_dir, const char *from, int to_dir, const char *to, unsigned flags)
{
	struct inode *from_at, *to_at;
	struct drive *d = file_disk(from_dir, &from, &from_at);
	struct drive *to_disk = file_disk(to_dir, &to, &to_at);
	const char *name, *other;
	struct inode *folder = drive_folder(d, from_at, from, &name);
	int err;

	assert(flags == RENAME_EXCHANGE && folder && folder == drive_folder(to_disk, to_at, to, &other));
	err = inode_exchange(folder, name, other);
	return err ? file_fail(err) : 0;
}

int __wrap_rmdir(const char *path)
{
	const char *below = path;
	struct inode *at;
	struct drive *d = file_disk(AT_FDCWD, &below, &at);
	const struct inode *i = drive_find(d, at, below);

	return i && inode_name(i, 0) ? file_fail(ENOTEMPTY) : __wrap_unlink(path);
}

/* Nobody else is on this machine. */
int __wrap_fchmod(int fd, mode_t mode)
{
	(void)fd, (void)mode;
	return 0;
}

int __wrap_rename(const char *from, const char *to)
{
	return __wrap_renameat(AT_FDCWD, from, AT_FDCWD, to);
}

int __wrap_mkdirat(int dir, const char *path, mode_t mode)
{
	struct inode *at;
	struct drive *d = file_disk(dir, &path, &at);
	const char *name;
	struct inode *folder = drive_folder(d, at, path, &name);

	(void)mode;
	if (drive_find(d, at, path))
		return file_fail(EEXIST);
	if (!folder)
		return file_fail(ENOENT);
	if (d->faults.full)
		return file_fail(faults_full(d));
	inode_link(folder, name, inode_new(true));
	return 0;
}

int __wrap_mkdir(const char *path, mode_t mode)
{
	return __wrap_mkdirat(AT_FDCWD, path, mode);
}

int __wrap_faccessat(int dir, const char *path, int mode, int flags)
{
	struct stat st;

	(void)mode;
	return __wrap_fstatat(dir, path, &st, flags);
}

int __wrap_access(const char *path, int mode)
{
	return __wrap_faccessat(AT_FDCWD, path, mode, 0);
}

static int stat_of(const struct inode *i, struct stat *ret)
{
	memset(ret, 0, sizeof *ret);
	ret->st_mode = inode_is_folder(i) ? S_IFDIR | 0700 : S_IFREG | 0600;
	ret->st_size = (off_t)inode_size(i);
	ret->st_blksize = DISK_PAGE;
	return 0;
}

int __wrap_fstatat(int dir, const char *path, struct stat *ret, int flags)
{
	struct inode *at;
	struct drive *d = file_disk(dir, &path, &at);
	const struct inode *i = drive_find(d, at, path);

	(void)flags;
	return i ? stat_of(i, ret) : file_fail(ENOENT);
}

int __wrap_stat(const char *path, struct stat *ret)
{
	return __wrap_fstatat(AT_FDCWD, path, ret, 0);
}

int __wrap_fstat(int fd, struct stat *ret)
{
	return stat_of(file_of(fd)->inode, ret);
}

static int space_of(const struct drive *d, struct statvfs *ret)
{
	memset(ret, 0, sizeof *ret);
	ret->f_bsize = ret->f_frsize = DISK_PAGE;
	ret->f_blocks = 1u << 20;
	ret->f_bfree = ret->f_bavail = d->faults.full ? 0 : 1u << 19;
	return 0;
}

int __wrap_statvfs(const char *path, struct statvfs *ret)
{
	struct inode *at;

	return space_of(file_disk(AT_FDCWD, &path, &at), ret);
}

int __wrap_fstatvfs(int fd, struct statvfs *ret)
{
	return space_of(file_of(fd)->disk, ret);
}

int __wrap_flock(int fd, int operation)
{
	struct file *f = file_of(fd);

	if (operation & LOCK_UN) {
		inode_unlock(f->inode, f);
		return 0;
	}
	assert(operation & LOCK_NB);
	return inode_lock(f->inode, f) == f ? 0 : file_fail(EWOULDBLOCK);
}

/* --- folders --- */

DIR *__wrap_fdopendir(int fd)
{
	struct folder_stream *s = calloc(1, sizeof *s);

	assert(s && inode_is_folder(file_of(fd)->inode));
	s->fd = fd;
	return (DIR *)s;
}

DIR *__wrap_opendir(const char *path)
{
	int fd = __wrap_open(path, O_RDONLY | O_DIRECTORY);

	return fd < 0 ? NULL : __wrap_fdopendir(fd);
}

struct dirent *__wrap_readdir(DIR *d)
{
	struct folder_stream *s = (struct folder_stream *)d;
	const struct file *f = file_of(s->fd);
	const char *name = inode_name(f->inode, s->n++);

	if (!name)
		return NULL;
	strcpy(s->entry.d_name, name);
	s->entry.d_type = DT_REG;
	return &s->entry;
}

int __wrap_dirfd(DIR *d)
{
	return ((struct folder_stream *)d)->fd;
}

int __wrap_closedir(DIR *d)
{
	struct folder_stream *s = (struct folder_stream *)d;
	int fd = s->fd;

	free(s);
	return __wrap_close(fd);
}
