/* POSIX calls of node code on the simulated disk, with its delays and its faults. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "tests/sim/file.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>

#include "tests/sim/drive.h"
#include "tests/sim/faults.h"
#include "tests/sim/os.h"

#define FD_FIRST (1 << 20)
#define FDS_MAX  1024

struct file {
	struct drive *disk;
	struct inode *inode; /* NULL: free. */
	struct process *process;
	int flags;
	uint64_t at;
};

struct folder_stream {
	int fd;
	unsigned n;
	struct dirent entry;
};

static struct file files[FDS_MAX];

static int fail(int err)
{
	errno = err;
	return -1;
}

static struct file *file_of(int fd)
{
	assert(fd >= FD_FIRST && fd < FD_FIRST + FDS_MAX && files[fd - FD_FIRST].inode);
	return &files[fd - FD_FIRST];
}

/* The disk and the path below its root; at: the folder that a relative path begins at. */
static struct drive *disk_of(int dir, const char **path, struct inode **ret_at)
{
	*ret_at = NULL;
	if (**path != '/') {
		const struct file *f = file_of(dir);
		*ret_at = f->inode;
		return f->disk;
	}
	assert(strncmp(*path, FILE_PREFIX, strlen(FILE_PREFIX)) == 0);
	*path += strlen(FILE_PREFIX);
	struct drive *d = faults_drive((unsigned)(**path - '0'));
	*path += 1;
	*path += **path == '/';
	return d;
}

static int file_new(struct drive *d, struct inode *i, int flags)
{
	for (int k = 0; k < FDS_MAX; k++) {
		if (files[k].inode)
			continue;
		files[k] = (struct file){.disk = d, .inode = i, .process = os_process(), .flags = flags};
		return FD_FIRST + k;
	}
	return fail(EMFILE);
}

int __wrap_openat(int dir, const char *path, int flags, ...)
{
	struct inode *at, *i;
	struct drive *d = disk_of(dir, &path, &at);
	const char *name;
	struct inode *folder = drive_folder(d, at, path, &name);

	i = drive_find(d, at, path);
	if (i && flags & O_CREAT && flags & O_EXCL)
		return fail(EEXIST);
	if (i && flags & O_DIRECTORY && !inode_is_folder(i))
		return fail(ENOTDIR);
	if (!i && (!folder || !(flags & O_CREAT)))
		return fail(ENOENT);
	if (!i && d->faults.full)
		return fail(faults_full(d));
	if (!i)
		inode_link(folder, name, i = inode_new(false));
	else if (flags & O_TRUNC)
		inode_resize(i, 0);
	return file_new(d, i, flags);
}

int __wrap_open(const char *path, int flags, ...)
{
	return __wrap_openat(AT_FDCWD, path, flags);
}

int __wrap_close(int fd)
{
	if (fd < FD_FIRST)
		return __real_close(fd);
	struct file *f = file_of(fd);
	inode_unlock(f->inode, f);
	f->inode = NULL;
	return 0;
}

void file_process_ended(struct process *p)
{
	for (int k = 0; k < FDS_MAX; k++) {
		if (!files[k].inode || files[k].process != p)
			continue;
		/* A synced write is one system call: a process that is killed in it ends when it is through. */
		if (files[k].flags & O_DSYNC && !files[k].disk->faults.lies && !files[k].disk->cut)
			inode_synced(files[k].inode);
		inode_unlock(files[k].inode, &files[k]);
		files[k].inode = NULL;
	}
}

/* --- contents --- */

ssize_t __wrap_pread(int fd, void *buf, size_t len, off_t at)
{
	const struct file *f = file_of(fd);
	uint64_t size = inode_size(f->inode);

	if (inode_is_folder(f->inode))
		return fail(EISDIR);
	if (faults_read(f->disk))
		return fail(EIO);
	if ((uint64_t)at >= size)
		return 0;
	if (len > size - (uint64_t)at)
		len = (size_t)(size - (uint64_t)at);
	inode_read(f->inode, buf, len, (uint64_t)at);
	return (ssize_t)len;
}

/* The write is in the cache at once, and on the disk when the call returns; between, a power cut may tear it. */
static ssize_t write_at(struct file *f, const void *buf, size_t len, uint64_t at)
{
	struct drive *d = f->disk;
	struct inode *i = f->inode;
	int err;

	if (d->faults.full && at + len > inode_size(i))
		return fail(faults_full(d));
	err = faults_write(d);
	if (err) {
		inode_write_torn(i, buf, len, at);
		return fail(err);
	}
	if (faults_misdirect(d, i, &at, len))
		os_note(d->node, "a write of %zu bytes was misdirected", len);
	inode_write(i, buf, len, at);
	if (!(f->flags & (O_DSYNC | O_SYNC)))
		return (ssize_t)len;
	faults_sleep(d);
	if (!d->faults.lies)
		inode_synced_range(i, at, at + len);
	return (ssize_t)len;
}

ssize_t __wrap_pwrite(int fd, const void *buf, size_t len, off_t at)
{
	return write_at(file_of(fd), buf, len, (uint64_t)at);
}

ssize_t __wrap_pwritev(int fd, const struct iovec *v, int n, off_t at)
{
	size_t len = 0, done = 0;
	uint8_t *all;
	ssize_t ret;

	for (int k = 0; k < n; k++)
		len += v[k].iov_len;
	all = malloc(len + 1);
	assert(all);
	for (int k = 0; k < n; k++) {
		memcpy(all + done, v[k].iov_base, v[k].iov_len);
		done += v[k].iov_len;
	}
	ret = write_at(file_of(fd), all, len, (uint64_t)at);
	free(all);
	return ret;
}

ssize_t __wrap_read(int fd, void *buf, size_t len)
{
	ssize_t n;

	if (fd < FD_FIRST)
		return __real_read(fd, buf, len);
	n = __wrap_pread(fd, buf, len, (off_t)file_of(fd)->at);
	if (n > 0)
		file_of(fd)->at += (uint64_t)n;
	return n;
}

ssize_t __wrap_write(int fd, const void *buf, size_t len)
{
	ssize_t n;

	if (fd < FD_FIRST)
		return __real_write(fd, buf, len);
	n = write_at(file_of(fd), buf, len, file_of(fd)->at);
	if (n > 0)
		file_of(fd)->at += (uint64_t)n;
	return n;
}

static int sync_file(int fd)
{
	const struct file *f = file_of(fd);
	struct inode *i = f->inode;

	if (faults_sync(f->disk))
		return fail(EIO);
	faults_sleep(f->disk);
	if (!f->disk->faults.lies)
		inode_synced(i);
	return 0;
}

int __wrap_fsync(int fd)
{
	return sync_file(fd);
}

int __wrap_fdatasync(int fd)
{
	return sync_file(fd);
}

int __wrap_ftruncate(int fd, off_t size)
{
	const struct file *f = file_of(fd);

	inode_resize(f->inode, (uint64_t)size);
	return 0;
}

int __wrap_posix_fallocate(int fd, off_t at, off_t len)
{
	const struct file *f = file_of(fd);
	uint64_t end = (uint64_t)(at + len);

	if (end <= inode_size(f->inode))
		return 0;
	if (f->disk->faults.full)
		return faults_full(f->disk);
	inode_resize(f->inode, end);
	return 0;
}

int __wrap_fallocate(int fd, int mode, off_t at, off_t len)
{
	int err = mode ? EOPNOTSUPP : __wrap_posix_fallocate(fd, at, len);

	return err ? fail(err) : 0;
}

/* --- names --- */

int __wrap_unlinkat(int dir, const char *path, int flags)
{
	struct inode *at;
	struct drive *d = disk_of(dir, &path, &at);
	const char *name;
	struct inode *folder = drive_folder(d, at, path, &name);
	int err = folder ? inode_unlink(folder, name) : ENOENT;

	(void)flags;
	return err ? fail(err) : 0;
}

int __wrap_unlink(const char *path)
{
	return __wrap_unlinkat(AT_FDCWD, path, 0);
}

int __wrap_renameat(int from_dir, const char *from, int to_dir, const char *to)
{
	struct inode *from_at, *to_at;
	struct drive *d = disk_of(from_dir, &from, &from_at);
	struct drive *to_disk = disk_of(to_dir, &to, &to_at);
	const char *name, *new_name;
	struct inode *a = drive_folder(d, from_at, from, &name), *b = drive_folder(to_disk, to_at, to, &new_name);
	int err = a && b ? inode_rename(a, name, b, new_name) : ENOENT;

	return err ? fail(err) : 0;
}

int __wrap_rename(const char *from, const char *to)
{
	return __wrap_renameat(AT_FDCWD, from, AT_FDCWD, to);
}

int __wrap_mkdirat(int dir, const char *path, mode_t mode)
{
	struct inode *at;
	struct drive *d = disk_of(dir, &path, &at);
	const char *name;
	struct inode *folder = drive_folder(d, at, path, &name);

	(void)mode;
	if (drive_find(d, at, path))
		return fail(EEXIST);
	if (!folder)
		return fail(ENOENT);
	if (d->faults.full)
		return fail(faults_full(d));
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
	struct drive *d = disk_of(dir, &path, &at);
	const struct inode *i = drive_find(d, at, path);

	(void)flags;
	return i ? stat_of(i, ret) : fail(ENOENT);
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

	return space_of(disk_of(AT_FDCWD, &path, &at), ret);
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
	return inode_lock(f->inode, f) == f ? 0 : fail(EWOULDBLOCK);
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
