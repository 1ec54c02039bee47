/* Preloaded into a program: makes chosen calls fail, of our own code and of libraft and LMDB. */
/* SPDX-License-Identifier: Apache-2.0 */
#undef _FORTIFY_SOURCE /* With it clang's headers define read and fread inline: they are ours here. */
#include <config.h>

#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

/*
 * COUNTERSIGN_FAULT=CLASS:ERRNO:N[:COUNT[:PATH]]
 *   CLASS   alloc; io: all of the following; open (and mkdir, rename, unlink), read, write, sync
 *   ERRNO   a number
 *   N       the first call that fails, from 1
 *   COUNT   how many fail, default 1; 0: all from then on
 *   PATH    only of files whose path holds this text; the kernel's AIO is refused then, so that writes are calls
 * COUNTERSIGN_FAULT_WHEN=FILE    not before this file is there
 * COUNTERSIGN_FAULT_RANGE=FROM-TO  only reads and writes that touch these bytes of a file (TO itself is not one of
 * them) COUNTERSIGN_FAULT_REPORT=FILE gets a line for each call that was made to fail, up to LINES_MAX.
 *
 * Calls count only if they come from the program itself, libcountersign, libraft or LMDB, and I/O only on regular files
 * and folders above stderr: what nng, libuv, libsodium and libc do for themselves is theirs. libraft's kernel AIO and
 * LMDB's mapped reads are no calls and cannot be made to fail here.
 */

#define LINES_MAX   100
#define OBJECTS_MAX 16

enum class { CLASS_ALLOC = 1, CLASS_OPEN = 2, CLASS_READ = 4, CLASS_WRITE = 8, CLASS_SYNC = 16, CLASS_IO = 30 };

static struct {
	bool armed;
	unsigned classes;
	int error;
	unsigned long first, count;
	const char *path, *when;
	unsigned long from, to; /* Of the range; to 0: any. */
	int report;
	struct {
		uintptr_t begin, end;
	} objects[OBJECTS_MAX];
	unsigned n_objects;
} plan;
static atomic_ulong calls;
static _Thread_local bool inside; /* A call of our own. */

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t n, size_t size);
void *__libc_realloc(void *p, size_t size);
void *__libc_memalign(size_t alignment, size_t size);

/* --- which calls --- */

static int note_object(struct dl_phdr_info *info, size_t size, void *ctx)
{
	static const char *const ours[] = {"libcountersign", "libraft", "liblmdb"};
	bool mine = info->dlpi_name[0] == 0; /* The program. */

	(void)size, (void)ctx;
	for (unsigned i = 0; i < sizeof ours / sizeof *ours; i++)
		mine = mine || strstr(info->dlpi_name, ours[i]);
	for (unsigned i = 0; mine && i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *ph = &info->dlpi_phdr[i];
		if (ph->p_type != PT_LOAD || !(ph->p_flags & PF_X) || plan.n_objects == OBJECTS_MAX)
			continue;
		plan.objects[plan.n_objects].begin = info->dlpi_addr + ph->p_vaddr;
		plan.objects[plan.n_objects++].end = info->dlpi_addr + ph->p_vaddr + ph->p_memsz;
	}
	return 0;
}

static void usage(const char *text)
{
	fprintf(stderr, "faults_preload: not understood: %s\n", text);
	_exit(99);
}

static void parse(const char *text)
{
	static const struct {
		const char *name;
		unsigned classes;
	} names[] = {{"alloc", CLASS_ALLOC}, {"io", CLASS_IO},       {"open", CLASS_OPEN},
	             {"read", CLASS_READ},   {"write", CLASS_WRITE}, {"sync", CLASS_SYNC}};
	char name[16];
	int at = 0;

	plan.count = 1;
	if (sscanf(text, "%15[a-z]:%d:%lu%n", name, &plan.error, &plan.first, &at) < 3)
		usage(text);
	for (unsigned i = 0; i < sizeof names / sizeof *names; i++)
		if (strcmp(names[i].name, name) == 0)
			plan.classes = names[i].classes;
	if (text[at] == ':') {
		char *end;
		plan.count = strtoul(text + at + 1, &end, 10);
		plan.path = *end == ':' ? end + 1 : NULL;
	}
	if (!plan.classes || plan.first == 0)
		usage(text);
}

__attribute__((constructor)) static void begin(void)
{
	const char *text = getenv("COUNTERSIGN_FAULT"), *report = getenv("COUNTERSIGN_FAULT_REPORT");
	const char *range = getenv("COUNTERSIGN_FAULT_RANGE");

	plan.report = -1;
	if (!text)
		return;
	parse(text);
	plan.when = getenv("COUNTERSIGN_FAULT_WHEN");
	if (range && sscanf(range, "%lu-%lu", &plan.from, &plan.to) != 2)
		usage(range);
	dl_iterate_phdr(note_object, NULL);
	inside = true;
	if (report)
		plan.report = open(report, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	inside = false;
	plan.armed = true;
}

/* What failed, and who had called it: object and offset in it, for addr2line. */
static void report(const char *what, unsigned long n, const void *caller)
{
	static atomic_uint lines;
	char line[256];
	Dl_info info;

	if (plan.report < 0 || atomic_fetch_add(&lines, 1) >= LINES_MAX || !dladdr(caller, &info))
		return;
	const char *slash = strrchr(info.dli_fname, '/');
	int len = snprintf(line, sizeof line, "%s %lu %.64s+0x%zx\n", what, n, slash ? slash + 1 : info.dli_fname,
	                   (size_t)((const char *)caller - (const char *)info.dli_fbase));
	if (write(plan.report, line, (size_t)len) != len)
		_exit(98);
}

static bool on_path(int fd, const char *path)
{
	char link[64], target[4096];

	if (!plan.path)
		return true;
	if (!path) {
		snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
		ssize_t n = readlink(link, target, sizeof target - 1);
		target[n > 0 ? n : 0] = 0;
		path = target;
	}
	return strstr(path, plan.path) != NULL;
}

static bool on_file(int fd, const char *path)
{
	struct stat st;

	return path || (fd > STDERR_FILENO && fstat(fd, &st) == 0 && (S_ISREG(st.st_mode) || S_ISDIR(st.st_mode)));
}

/* Whether this call must fail; then errno is set. fd or path: what it is about, of I/O. */
static bool fails(unsigned class, const char *what, const void *caller, int fd, const char *path)
{
	uintptr_t at = (uintptr_t)caller;
	bool mine = false;

	if (!plan.armed || inside || !(plan.classes & class))
		return false;
	for (unsigned i = 0; i < plan.n_objects && !mine; i++)
		mine = at >= plan.objects[i].begin && at < plan.objects[i].end;
	if (!mine)
		return false;
	inside = true;
	bool counts = class == CLASS_ALLOC || (on_file(fd, path) && on_path(fd, path));
	counts = counts && (!plan.when || access(plan.when, F_OK) == 0);
	unsigned long n = counts ? atomic_fetch_add(&calls, 1) + 1 : 0;
	bool fail = n >= plan.first && (plan.count == 0 || n < plan.first + plan.count);
	if (fail)
		report(what, n, caller);
	inside = false;
	if (fail)
		errno = plan.error;
	return fail;
}

/* The same of n bytes at a place. */
static bool fails_at(unsigned class, const char *what, const void *caller, int fd, off_t at, size_t n)
{
	bool beside = plan.to && ((unsigned long)at >= plan.to || (unsigned long)at + n <= plan.from);

	return !beside && fails(class, what, caller, fd, NULL);
}

static size_t sum(const struct iovec *v, int n)
{
	size_t len = 0;

	while (n-- > 0)
		len += v[n].iov_len;
	return len;
}

/* --- the calls --- */

#define CALLER __builtin_return_address(0)
#define REAL(type, name)                                                                                               \
	static __typeof__(type) real;                                                                                  \
	if (!real)                                                                                                     \
	real = (type)dlsym(RTLD_NEXT, name)
#define EXPORT __attribute__((visibility("default")))

#define ALLOC_FAILS(what) fails(CLASS_ALLOC, what, CALLER, -1, NULL)

EXPORT void *malloc(size_t size)
{
	return ALLOC_FAILS("malloc") ? NULL : __libc_malloc(size);
}

EXPORT void *calloc(size_t n, size_t size)
{
	return ALLOC_FAILS("calloc") ? NULL : __libc_calloc(n, size);
}

EXPORT void *realloc(void *p, size_t size)
{
	return ALLOC_FAILS("realloc") ? NULL : __libc_realloc(p, size);
}

EXPORT void *aligned_alloc(size_t alignment, size_t size)
{
	return ALLOC_FAILS("aligned_alloc") ? NULL : __libc_memalign(alignment, size);
}

EXPORT int posix_memalign(void **ret, size_t alignment, size_t size)
{
	void *p = ALLOC_FAILS("posix_memalign") ? NULL : __libc_memalign(alignment, size);

	if (p)
		*ret = p;
	return p ? 0 : ENOMEM;
}

EXPORT char *strdup(const char *s)
{
	size_t len = strlen(s) + 1;
	char *p = ALLOC_FAILS("strdup") ? NULL : __libc_malloc(len);

	return p ? memcpy(p, s, len) : NULL;
}

typedef int (*open_fn)(const char *path, int flags, ...);
#define OPEN(name)                                                                                                     \
	EXPORT int name(const char *path, int flags, ...)                                                              \
	{                                                                                                              \
		va_list ap;                                                                                            \
		mode_t mode;                                                                                           \
		REAL(open_fn, #name);                                                                                  \
		va_start(ap, flags);                                                                                   \
		mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(ap, mode_t) : 0;                                         \
		va_end(ap);                                                                                            \
		return fails(CLASS_OPEN, #name, CALLER, -1, path) ? -1 : real(path, flags, mode);                      \
	}
OPEN(open)
OPEN(open64)

EXPORT int openat(int folder, const char *path, int flags, ...)
{
	va_list ap;
	mode_t mode;
	REAL(int (*)(int, const char *, int, ...), "openat");
	va_start(ap, flags);
	mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(ap, mode_t) : 0;
	va_end(ap);
	return fails(CLASS_OPEN, "openat", CALLER, -1, path) ? -1 : real(folder, path, flags, mode);
}

EXPORT FILE *fopen(const char *path, const char *mode)
{
	REAL(FILE * (*)(const char *, const char *), "fopen");
	return fails(CLASS_OPEN, "fopen", CALLER, -1, path) ? NULL : real(path, mode);
}

EXPORT int mkdir(const char *path, mode_t mode)
{
	REAL(int (*)(const char *, mode_t), "mkdir");
	return fails(CLASS_OPEN, "mkdir", CALLER, -1, path) ? -1 : real(path, mode);
}

EXPORT int rename(const char *from, const char *to)
{
	REAL(int (*)(const char *, const char *), "rename");
	return fails(CLASS_OPEN, "rename", CALLER, -1, from) ? -1 : real(from, to);
}

EXPORT int unlink(const char *path)
{
	REAL(int (*)(const char *), "unlink");
	return fails(CLASS_OPEN, "unlink", CALLER, -1, path) ? -1 : real(path);
}

/* A call on a descriptor that gives -1. */
#define ON_FD(class, type, name, parameters, arguments)                                                                \
	EXPORT type name parameters                                                                                    \
	{                                                                                                              \
		REAL(type(*) parameters, #name);                                                                       \
		return fails(class, #name, CALLER, fd, NULL) ? -1 : real arguments;                                    \
	}
/* The same at a place. */
#define ON_FD_AT(class, type, name, parameters, arguments, len)                                                        \
	EXPORT type name parameters                                                                                    \
	{                                                                                                              \
		REAL(type(*) parameters, #name);                                                                       \
		return fails_at(class, #name, CALLER, fd, (off_t)at, len) ? -1 : real arguments;                       \
	}
ON_FD(CLASS_READ, ssize_t, read, (int fd, void *buf, size_t n), (fd, buf, n))
ON_FD_AT(CLASS_READ, ssize_t, pread, (int fd, void *buf, size_t n, off_t at), (fd, buf, n, at), n)
ON_FD_AT(CLASS_READ, ssize_t, pread64, (int fd, void *buf, size_t n, off64_t at), (fd, buf, n, at), n)
ON_FD_AT(CLASS_READ, ssize_t, preadv, (int fd, const struct iovec *v, int n, off_t at), (fd, v, n, at), sum(v, n))
ON_FD(CLASS_WRITE, ssize_t, write, (int fd, const void *buf, size_t n), (fd, buf, n))
ON_FD_AT(CLASS_WRITE, ssize_t, pwrite, (int fd, const void *buf, size_t n, off_t at), (fd, buf, n, at), n)
ON_FD_AT(CLASS_WRITE, ssize_t, pwrite64, (int fd, const void *buf, size_t n, off64_t at), (fd, buf, n, at), n)
ON_FD(CLASS_WRITE, ssize_t, writev, (int fd, const struct iovec *v, int n), (fd, v, n))
ON_FD_AT(CLASS_WRITE, ssize_t, pwritev, (int fd, const struct iovec *v, int n, off_t at), (fd, v, n, at), sum(v, n))
ON_FD_AT(CLASS_WRITE, ssize_t, pwritev2, (int fd, const struct iovec *v, int n, off_t at, int flags),
         (fd, v, n, at, flags), sum(v, n))
ON_FD(CLASS_WRITE, int, ftruncate, (int fd, off_t size), (fd, size))
ON_FD(CLASS_WRITE, int, ftruncate64, (int fd, off64_t size), (fd, size))
ON_FD(CLASS_WRITE, int, fallocate, (int fd, int mode, off_t at, off_t size), (fd, mode, at, size))
ON_FD(CLASS_SYNC, int, fsync, (int fd), (fd))
ON_FD(CLASS_SYNC, int, fdatasync, (int fd), (fd))

EXPORT int posix_fallocate(int fd, off_t at, off_t size)
{
	REAL(int (*)(int, off_t, off_t), "posix_fallocate");
	return fails(CLASS_WRITE, "posix_fallocate", CALLER, fd, NULL) ? plan.error : real(fd, at, size);
}

/* io_submit is not counted: with a path, its writes become calls that are. */
EXPORT long syscall(long number, ...)
{
	long x[6];
	va_list ap;
	REAL(long (*)(long, ...), "syscall");

	va_start(ap, number);
	for (int i = 0; i < 6; i++)
		x[i] = va_arg(ap, long);
	va_end(ap);
	if (number == SYS_io_setup && plan.armed && plan.path) {
		errno = ENOSYS;
		return -1;
	}
	return real(number, x[0], x[1], x[2], x[3], x[4], x[5]);
}

EXPORT size_t fread(void *buf, size_t size, size_t n, FILE *f)
{
	REAL(size_t(*)(void *, size_t, size_t, FILE *), "fread");
	if (!fails(CLASS_READ, "fread", CALLER, fileno(f), NULL))
		return real(buf, size, n, f);
	/* As a failed read inside would leave it: the error is seen by ferror. */
	f->_flags |= 0x20; /* _IO_ERR_SEEN, glibc's libio.h. */
	return 0;
}

/* Fortified builds call these; glibc's headers declare them only there. */
EXPORT ssize_t __read_chk(int fd, void *buf, size_t n, size_t cap);
EXPORT ssize_t __pread_chk(int fd, void *buf, size_t n, off_t at, size_t cap);
EXPORT size_t __fread_chk(void *buf, size_t cap, size_t size, size_t n, FILE *f);
EXPORT int __open_2(const char *path, int flags);
ON_FD(CLASS_READ, ssize_t, __read_chk, (int fd, void *buf, size_t n, size_t cap), (fd, buf, n, cap))
ON_FD_AT(CLASS_READ, ssize_t, __pread_chk, (int fd, void *buf, size_t n, off_t at, size_t cap), (fd, buf, n, at, cap),
         n)
EXPORT size_t __fread_chk(void *buf, size_t cap, size_t size, size_t n, FILE *f)
{
	REAL(size_t(*)(void *, size_t, size_t, size_t, FILE *), "__fread_chk");
	if (!fails(CLASS_READ, "fread", CALLER, fileno(f), NULL))
		return real(buf, cap, size, n, f);
	f->_flags |= 0x20;
	return 0;
}
EXPORT int __open_2(const char *path, int flags)
{
	REAL(int (*)(const char *, int), "__open_2");
	return fails(CLASS_OPEN, "open", CALLER, -1, path) ? -1 : real(path, flags);
}
