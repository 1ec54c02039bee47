/* Faults under the verifier: the linker gives our objects these functions in place of libc's and LMDB's. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "tests/verify_faults.h"

#include <errno.h>
#include <fcntl.h>
#include <lmdb.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static struct {
	const char *function; /* NULL: none. */
	bool every;
	unsigned left;
	int error;
	bool failed;
} armed;

void verify_faults_arm(const char *function, unsigned n, int error)
{
	armed.function = function;
	armed.every = n == 0;
	armed.left = n;
	armed.error = error;
	armed.failed = false;
}

bool verify_faults_disarm(void)
{
	armed.function = NULL;
	return armed.failed;
}

/* The error, or 0. */
static int fails(const char *function)
{
	if (armed.function == NULL || strcmp(armed.function, function) != 0)
		return 0;
	if (!armed.every && (armed.left == 0 || --armed.left > 0))
		return 0;
	armed.failed = true;
	errno = armed.error;
	return armed.error;
}

/* WRAP(what it gives when it fails, type, name, parameters, arguments) */
#define WRAP(failed, type, name, parameters, arguments)                                                                \
	type __real_##name parameters;                                                                                 \
	type __wrap_##name parameters;                                                                                 \
	type __wrap_##name parameters                                                                                  \
	{                                                                                                              \
		int error = fails(#name);                                                                              \
		return error ? (failed) : __real_##name arguments;                                                     \
	}

WRAP(NULL, void *, malloc, (size_t size), (size))
WRAP(NULL, void *, calloc, (size_t n, size_t size), (n, size))
WRAP(-1, int, fstat, (int fd, struct stat *st), (fd, st))
WRAP(-1, ssize_t, read, (int fd, void *buf, size_t n), (fd, buf, n))
WRAP(error, int, mdb_env_create, (MDB_env * *env), (env))
WRAP(error, int, mdb_env_set_maxdbs, (MDB_env * env, MDB_dbi n), (env, n))
WRAP(error, int, mdb_env_open, (MDB_env * env, const char *path, unsigned flags, mdb_mode_t mode),
     (env, path, flags, mode))
WRAP(error, int, mdb_txn_begin, (MDB_env * env, MDB_txn *parent, unsigned flags, MDB_txn **ret),
     (env, parent, flags, ret))
WRAP(error, int, mdb_txn_renew, (MDB_txn * txn), (txn))
WRAP(error, int, mdb_dbi_open, (MDB_txn * txn, const char *name, unsigned flags, MDB_dbi *ret), (txn, name, flags, ret))
WRAP(error, int, mdb_get, (MDB_txn * txn, MDB_dbi dbi, MDB_val *key, MDB_val *ret), (txn, dbi, key, ret))
WRAP(error, int, mdb_cursor_open, (MDB_txn * txn, MDB_dbi dbi, MDB_cursor **ret), (txn, dbi, ret))

/* glibc's read where the buffer's size is known; it fails as read. */
ssize_t __real___read_chk(int fd, void *buf, size_t n, size_t cap);
ssize_t __wrap___read_chk(int fd, void *buf, size_t n, size_t cap);
ssize_t __wrap___read_chk(int fd, void *buf, size_t n, size_t cap)
{
	return fails("read") ? -1 : __real___read_chk(fd, buf, n, cap);
}

/* The transaction is gone, whatever comes of it. */
int __real_mdb_txn_commit(MDB_txn *txn);
int __wrap_mdb_txn_commit(MDB_txn *txn);
int __wrap_mdb_txn_commit(MDB_txn *txn)
{
	int error = fails("mdb_txn_commit");

	if (!error)
		return __real_mdb_txn_commit(txn);
	mdb_txn_abort(txn);
	return error;
}
