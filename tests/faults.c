/* Faults in this process: the linker gives our objects these functions in place of libc's and nng's. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "tests/faults.h"

#include <errno.h>
#include <fcntl.h>
#include <nng/nng.h>
#include <nng/protocol/reqrep0/req.h>
#include <sodium.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static atomic_uint armed;
static atomic_long left;
static const char *_Atomic hit;

void faults_arm(unsigned kinds, unsigned long n)
{
	atomic_store(&hit, NULL);
	atomic_store(&left, (long)n);
	atomic_store(&armed, kinds);
}

bool faults_disarm(void)
{
	atomic_store(&armed, 0);
	return atomic_load(&hit) != NULL;
}

const char *faults_hit(void)
{
	return atomic_load(&hit);
}

int faults_errno = EIO;
const char *faults_only;

static bool fails(unsigned kind, const char *name)
{
	if (!(atomic_load(&armed) & kind) || (faults_only && strcmp(name, faults_only) != 0) ||
	    atomic_fetch_sub(&left, 1) != 1)
		return false;
	atomic_store(&hit, name);
	errno = kind == FAULTS_ALLOC ? ENOMEM : faults_errno;
	return true;
}

bool faults_take(unsigned kind, const char *name)
{
	return fails(kind, name);
}

/* WRAP(kind, what it gives when it fails, type, name, parameters, arguments) */
#define WRAP(kind, failed, type, name, parameters, arguments)                                                          \
	type __real_##name parameters;                                                                                 \
	type __wrap_##name parameters;                                                                                 \
	type __wrap_##name parameters                                                                                  \
	{                                                                                                              \
		return fails(kind, #name) ? failed : __real_##name arguments;                                          \
	}

WRAP(FAULTS_ALLOC, NULL, void *, malloc, (size_t size), (size))
WRAP(FAULTS_ALLOC, NULL, void *, calloc, (size_t n, size_t size), (n, size))
WRAP(FAULTS_ALLOC, NULL, void *, realloc, (void *p, size_t size), (p, size))
WRAP(FAULTS_ALLOC, NULL, char *, strdup, (const char *s), (s))
WRAP(FAULTS_ALLOC, NULL, FILE *, open_memstream, (char **p, size_t *n), (p, n))
WRAP(FAULTS_ALLOC, NULL, void *, sodium_malloc, (size_t size), (size))
WRAP(FAULTS_ALLOC, NNG_ENOMEM, int, nng_msg_alloc, (nng_msg * *ret, size_t size), (ret, size))
WRAP(FAULTS_ALLOC, NNG_ENOMEM, int, nng_msg_append, (nng_msg * m, const void *p, size_t n), (m, p, n))
WRAP(FAULTS_ALLOC, NNG_ENOMEM, int, nng_aio_alloc, (nng_aio * *ret, void (*f)(void *), void *arg), (ret, f, arg))
WRAP(FAULTS_ALLOC, NNG_ENOMEM, int, nng_ctx_open, (nng_ctx * ret, nng_socket s), (ret, s))
WRAP(FAULTS_ALLOC, NNG_ENOMEM, int, nng_req0_open, (nng_socket * ret), (ret))
WRAP(FAULTS_ALLOC, NNG_ENOMEM, int, nng_dialer_create, (nng_dialer * ret, nng_socket s, const char *url), (ret, s, url))
WRAP(FAULTS_ALLOC, NNG_ENOMEM, int, nng_dialer_start, (nng_dialer d, int flags), (d, flags))

WRAP(FAULTS_IO, NULL, FILE *, fopen, (const char *path, const char *mode), (path, mode))
WRAP(FAULTS_IO, -1, ssize_t, read, (int fd, void *buf, size_t n), (fd, buf, n))
WRAP(FAULTS_IO, -1, ssize_t, __read_chk, (int fd, void *buf, size_t n, size_t cap), (fd, buf, n, cap))
WRAP(FAULTS_IO, -1, ssize_t, write, (int fd, const void *buf, size_t n), (fd, buf, n))
WRAP(FAULTS_IO, -1, int, fsync, (int fd), (fd))
WRAP(FAULTS_IO, -1, int, fdatasync, (int fd), (fd))
WRAP(FAULTS_IO, -1, int, rename, (const char *from, const char *to), (from, to))
WRAP(FAULTS_IO, -1, int, fstat, (int fd, struct stat *st), (fd, st))
WRAP(FAULTS_IO, -1, int, fchmod, (int fd, mode_t mode), (fd, mode))
WRAP(FAULTS_IO, -1, int, mkdir, (const char *path, mode_t mode), (path, mode))

int __real_open(const char *path, int flags, ...);
int __wrap_open(const char *path, int flags, ...);
int __wrap_open(const char *path, int flags, ...)
{
	va_list ap;

	va_start(ap, flags);
	mode_t mode = flags & O_CREAT ? va_arg(ap, mode_t) : 0;
	va_end(ap);
	return fails(FAULTS_IO, "open") ? -1 : __real_open(path, flags, mode);
}

size_t __real_fread(void *p, size_t size, size_t n, FILE *f);
size_t __wrap_fread(void *p, size_t size, size_t n, FILE *f);
size_t __wrap_fread(void *p, size_t size, size_t n, FILE *f)
{
	if (!fails(FAULTS_IO, "fread"))
		return __real_fread(p, size, n, f);
	f->_flags |= 0x20; /* glibc's libio.h, _IO_ERR_SEEN: what ferror tells. */
	return 0;
}

size_t __real___fread_chk(void *p, size_t cap, size_t size, size_t n, FILE *f);
size_t __wrap___fread_chk(void *p, size_t cap, size_t size, size_t n, FILE *f);
size_t __wrap___fread_chk(void *p, size_t cap, size_t size, size_t n, FILE *f)
{
	(void)cap;
	return __wrap_fread(p, size, n, f);
}

/* It closes the file even when it fails. */
int __real_fclose(FILE *f);
int __wrap_fclose(FILE *f);
int __wrap_fclose(FILE *f)
{
	bool fail = fails(FAULTS_IO, "fclose");
	int rv = __real_fclose(f);

	return fail ? EOF : rv;
}
