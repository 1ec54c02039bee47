/* Preloaded into a node: a power cut in a write or before a sync, and mapped pages that cannot be read any more. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

/*
 * POWER_TEAR=PATH    the first write to a file whose path holds PATH: its first half is made (of its sectors, or of its
 *                    bytes if it has only one), then the process is killed
 * POWER_LOSE=N:PATH  at the N-th sync of such a file all that was written to it and not synced is undone, and the
 * process is killed; a write to a file that is opened O_DSYNC is a sync: nothing of it is made POWER_MAP=FROM-TO:PATH
 * pages FROM to TO - 1 of such a file's mapping cannot be read any more: SIGBUS, as for EIO COUNTERSIGN_FAULT_WHEN=FILE
 * not before this file is there COUNTERSIGN_FAULT_REPORT=FILE  gets a line when it happens
 *
 * The kernel's AIO is refused for such files, so that the node writes them by calls that are seen here.
 */

#define SECTOR     512
#define WRITES_MAX 65536 /* Unsynced writes that can be undone: a commit has far fewer. */

enum { TEAR = 1, LOSE, MAP };

static struct {
	int kind;
	const char *path, *when, *report;
	unsigned long n, from, to;
} plan;

/* What stood where a write that is not synced yet has been made. */
static struct undo {
	int fd;
	off_t at, size;
	size_t len;
	uint8_t *bytes;
} undos[WRITES_MAX];
static size_t n_undos;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

#define EXPORT __attribute__((visibility("default")))
#define REAL(type, name)                                                                                               \
	static __typeof__(type) real;                                                                                  \
	if (!real)                                                                                                     \
	real = (type)dlsym(RTLD_NEXT, name)

static bool on_path(int fd)
{
	char link[64], target[4096];

	snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
	ssize_t n = readlink(link, target, sizeof target - 1);
	target[n > 0 ? n : 0] = 0;
	return plan.path && strstr(target, plan.path);
}

static bool due(int kind, int fd)
{
	return plan.kind == kind && on_path(fd) && (!plan.when || access(plan.when, F_OK) == 0);
}

static void report(const char *what)
{
	int fd = plan.report ? open(plan.report, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600) : -1;

	if (fd >= 0 && dprintf(fd, "%s\n", what) < 0)
		_exit(98);
	if (fd >= 0)
		close(fd);
}

__attribute__((noreturn)) static void power_cut(const char *what)
{
	report(what);
	syscall(SYS_kill, getpid(), SIGKILL);
	for (;;)
		pause();
}

/* --- the calls --- */

static ssize_t real_pwrite(int fd, const void *buf, size_t n, off_t at)
{
	REAL(ssize_t(*)(int, const void *, size_t, off_t), "pwrite");
	return real(fd, buf, n, at);
}

static void tear(int fd, const uint8_t *buf, size_t n, off_t at)
{
	size_t half = n > SECTOR ? n / 2 - n / 2 % SECTOR : n / 2;

	if (n > SECTOR && half == 0)
		half = SECTOR;
	if (real_pwrite(fd, buf, half, at) != (ssize_t)half)
		_exit(97);
	power_cut("tear");
}

/* Locked. */
static void undo_all(void)
{
	while (n_undos > 0) {
		struct undo *u = &undos[--n_undos];
		if (real_pwrite(u->fd, u->bytes, u->len, u->at) != (ssize_t)u->len || ftruncate(u->fd, u->size))
			_exit(97);
	}
}

static void remember(int fd, size_t n, off_t at)
{
	struct undo *u = &undos[n_undos];
	struct stat st;

	if (n_undos == WRITES_MAX || fstat(fd, &st))
		_exit(96);
	u->bytes = malloc(n);
	if (!u->bytes)
		_exit(96);
	ssize_t len = pread(fd, u->bytes, n, at);
	u->fd = fd;
	u->at = at;
	u->size = st.st_size;
	u->len = len > 0 ? (size_t)len : 0;
	n_undos++;
}

/* Undone: a sync of the file comes, and it is the N-th. */
static void lose(const char *what)
{
	if (--plan.n == 0) {
		undo_all();
		power_cut(what);
	}
}

/* Before a write; with what is to be written in one piece. */
static void before_write(int fd, const void *buf, size_t n, off_t at)
{
	int flags = fcntl(fd, F_GETFL);

	if (due(TEAR, fd))
		tear(fd, buf, n, at);
	if (plan.kind != LOSE || !on_path(fd))
		return;
	pthread_mutex_lock(&lock);
	if (flags & O_DSYNC) {
		if (due(LOSE, fd))
			lose("lose a write");
	} else {
		remember(fd, n, at);
	}
	pthread_mutex_unlock(&lock);
}

EXPORT ssize_t pwrite(int fd, const void *buf, size_t n, off_t at)
{
	before_write(fd, buf, n, at);
	return real_pwrite(fd, buf, n, at);
}

EXPORT ssize_t pwritev(int fd, const struct iovec *v, int n, off_t at)
{
	REAL(ssize_t(*)(int, const struct iovec *, int, off_t), "pwritev");
	off_t to = at;

	if (plan.kind == LOSE || plan.kind == TEAR)
		for (int i = 0; i < n; to += (off_t)v[i++].iov_len)
			before_write(fd, v[i].iov_base, v[i].iov_len, to);
	return real(fd, v, n, at);
}

static void before_sync(int fd)
{
	if (plan.kind != LOSE || !on_path(fd))
		return;
	pthread_mutex_lock(&lock);
	if (due(LOSE, fd))
		lose("lose what is not synced");
	pthread_mutex_unlock(&lock);
}

static void after_sync(int fd)
{
	if (plan.kind != LOSE || !on_path(fd))
		return;
	pthread_mutex_lock(&lock);
	while (n_undos > 0)
		free(undos[--n_undos].bytes);
	pthread_mutex_unlock(&lock);
}

#define SYNC(name)                                                                                                     \
	EXPORT int name(int fd)                                                                                        \
	{                                                                                                              \
		REAL(int (*)(int), #name);                                                                             \
		before_sync(fd);                                                                                       \
		int rv = real(fd);                                                                                     \
		after_sync(fd);                                                                                        \
		return rv;                                                                                             \
	}
SYNC(fsync)
SYNC(fdatasync)

/* io_setup: the node's log is then written by a thread. */
EXPORT long syscall(long number, ...)
{
	long x[6];
	va_list ap;
	REAL(long (*)(long, ...), "syscall");

	va_start(ap, number);
	for (int i = 0; i < 6; i++)
		x[i] = va_arg(ap, long);
	va_end(ap);
	if (number == SYS_io_setup && plan.kind) {
		errno = ENOSYS;
		return -1;
	}
	return real(number, x[0], x[1], x[2], x[3], x[4], x[5]);
}

/* --- mapped pages --- */

static struct {
	uint8_t *at;
	size_t len;
} map;

/* In their place pages of an empty file: beyond its end, which the kernel answers as it answers a read error. */
static void *take_pages(void *arg)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE), from = plan.from * page, len = plan.to * page - from;
	int fd = memfd_create("unreadable", MFD_CLOEXEC);

	(void)arg;
	while (plan.when && access(plan.when, F_OK) != 0)
		nanosleep(&(struct timespec){.tv_nsec = 2000000}, NULL);
	if (from + len > map.len)
		len = map.len - from;
	report("map");
	const void *there = fd < 0 ? MAP_FAILED : mmap(map.at + from, len, PROT_READ, MAP_SHARED | MAP_FIXED, fd, 0);
	if (there == MAP_FAILED)
		_exit(97);
	return NULL;
}

EXPORT void *mmap(void *at, size_t len, int prot, int flags, int fd, off_t offset)
{
	void *p = (void *)syscall(SYS_mmap, at, len, (long)prot, (long)flags, (long)fd, offset);
	pthread_t thread;

	if (plan.kind != MAP || map.at || p == MAP_FAILED || fd < 0 || !on_path(fd))
		return p;
	map.at = p;
	map.len = len;
	if (!plan.when)
		take_pages(NULL);
	else if (pthread_create(&thread, NULL, take_pages, NULL))
		_exit(97);
	return p;
}

__attribute__((constructor)) static void begin(void)
{
	const char *tear_text = getenv("POWER_TEAR"), *lose_text = getenv("POWER_LOSE"),
	           *map_text = getenv("POWER_MAP");
	int at = 0;

	plan.when = getenv("COUNTERSIGN_FAULT_WHEN");
	plan.report = getenv("COUNTERSIGN_FAULT_REPORT");
	if (tear_text) {
		plan.path = tear_text;
		plan.kind = TEAR;
	} else if (lose_text && sscanf(lose_text, "%lu:%n", &plan.n, &at) == 1 && at) {
		plan.path = lose_text + at;
		plan.kind = LOSE;
	} else if (map_text && sscanf(map_text, "%lu-%lu:%n", &plan.from, &plan.to, &at) == 2 && at) {
		plan.path = map_text + at;
		plan.kind = MAP;
	} else {
		fputs("power_preload: not understood\n", stderr);
		_exit(99);
	}
}
