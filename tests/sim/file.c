/* POSIX calls of node code on the simulated disk, with its delays and its faults. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "tests/sim/file_internal.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "tests/sim/drive.h"
#include "tests/sim/faults.h"
#include "tests/sim/os.h"

#define FD_FIRST (1 << 20)
#define FDS_MAX  1024

static struct file files[FDS_MAX];

int file_fail(int err)
{
	errno = err;
	return -1;
}

struct file *file_of(int fd)
{
	assert(fd >= FD_FIRST && fd < FD_FIRST + FDS_MAX && files[fd - FD_FIRST].inode);
	return &files[fd - FD_FIRST];
}

struct drive *file_disk(int dir, const char **path, struct inode **ret_at)
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
	return file_fail(EMFILE);
}

int __wrap_openat(int dir, const char *path, int flags, ...)
{
	struct inode *at, *i;
	struct drive *d = file_disk(dir, &path, &at);
	const char *name;
	struct inode *folder = drive_folder(d, at, path, &name);

	i = drive_find(d, at, path);
	if (i && flags & O_CREAT && flags & O_EXCL)
		return file_fail(EEXIST);
	if (i && flags & O_DIRECTORY && !inode_is_folder(i))
		return file_fail(ENOTDIR);
	if (!i && (!folder || !(flags & O_CREAT)))
		return file_fail(ENOENT);
	if (!i && d->faults.full)
		return file_fail(faults_full(d));
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
		return file_fail(EISDIR);
	if (faults_read(f->disk))
		return file_fail(EIO);
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
		return file_fail(faults_full(d));
	err = faults_write(d);
	if (err) {
		inode_write_torn(i, buf, len, at);
		return file_fail(err);
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
		return file_fail(EIO);
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

	return err ? file_fail(err) : 0;
}
