/* Stands between the log and the kernel, and says no where a test wants it. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "tests/disk_faults.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/aio_abi.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define BLOCK 4096

struct kit_faults kit_faults;

ssize_t __real_pread(int fd, void *buf, size_t n, off_t at);
ssize_t __wrap_pread(int fd, void *buf, size_t n, off_t at);
ssize_t __wrap___pread_chk(int fd, void *buf, size_t n, off_t at, size_t room);
ssize_t __real_pwrite(int fd, const void *buf, size_t n, off_t at);
ssize_t __wrap_pwrite(int fd, const void *buf, size_t n, off_t at);
int __real_openat(int dir, const char *path, int flags, ...);
int __wrap_openat(int dir, const char *path, int flags, ...);
int __real_posix_fallocate(int fd, off_t at, off_t n);
int __wrap_posix_fallocate(int fd, off_t at, off_t n);
long __real_syscall(long number, ...);
long __wrap_syscall(long number, ...);

static bool is_named(int fd, const char *name)
{
	char link[64], path[256];
	ssize_t n;

	snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
	n = readlink(link, path, sizeof path - 1);
	if (n < 0)
		return false;
	path[n] = 0;
	return strstr(path, name) != NULL;
}

/* As the kernel: what is before the bad block is read, and the next call fails. */
ssize_t __wrap_pread(int fd, void *buf, size_t n, off_t at)
{
	off_t bad = (off_t)(kit_faults.read_at / BLOCK * BLOCK);

	if (!kit_faults.read_name || !is_named(fd, kit_faults.read_name))
		return __real_pread(fd, buf, n, at);
	if (kit_faults.read_all || (at >= bad && at < bad + BLOCK)) {
		errno = EIO;
		return -1;
	}
	if (at < bad && at + (off_t)n > bad)
		n = (size_t)(bad - at);
	return __real_pread(fd, buf, n, at);
}

/* As a fortified build calls it. */
ssize_t __wrap___pread_chk(int fd, void *buf, size_t n, off_t at, size_t room)
{
	(void)room;
	return __wrap_pread(fd, buf, n, at);
}

ssize_t __wrap_pwrite(int fd, const void *buf, size_t n, off_t at)
{
	if ((fcntl(fd, F_GETFL) & O_DSYNC) && is_named(fd, "/segment-")) {
		kit_faults.n_thread_writes++;
		if (kit_faults.write_error) {
			errno = kit_faults.write_error;
			return -1;
		}
	}
	return __real_pwrite(fd, buf, n, at);
}

int __wrap_openat(int dir, const char *path, int flags, ...)
{
	va_list ap;
	int mode;

	va_start(ap, flags);
	mode = flags & O_CREAT ? va_arg(ap, int) : 0;
	va_end(ap);
	if ((flags & O_DIRECT) && kit_faults.no_direct) {
		errno = EINVAL;
		return -1;
	}
	return __real_openat(dir, path, flags, mode);
}

int __wrap_posix_fallocate(int fd, off_t at, off_t n)
{
	return kit_faults.fallocate_error ? kit_faults.fallocate_error : __real_posix_fallocate(fd, at, n);
}

static long submit(long aio, long n, struct iocb **list)
{
	struct iocb *one = list[0];

	kit_faults.n_submitted++;
	if (kit_faults.aio_short)
		one->aio_nbytes = one->aio_nbytes / 2 / BLOCK * BLOCK;
	return __real_syscall(SYS_io_submit, aio, n, list);
}

long __wrap_syscall(long number, ...)
{
	long a[5], rv;
	va_list ap;

	va_start(ap, number);
	for (unsigned i = 0; i < 5; i++)
		a[i] = va_arg(ap, long);
	va_end(ap);
	if (number == SYS_io_setup && kit_faults.no_aio) {
		errno = ENOSYS;
		return -1;
	}
	if (number == SYS_io_submit)
		return submit(a[0], a[1], (struct iocb **)a[2]);
	rv = __real_syscall(number, a[0], a[1], a[2], a[3], a[4]);
	if (number == SYS_io_getevents && rv == 1 && kit_faults.aio_error)
		((struct io_event *)a[3])->res = -kit_faults.aio_error;
	return rv;
}
