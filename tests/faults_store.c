/* Faults in this process: LMDB's calls, and the file calls that only the store makes. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <dirent.h>
#include <errno.h>
#include <lmdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/faults.h"

int faults_lmdb = EIO;

/* WRAP(kind, what it gives when it fails, type, name, parameters, arguments) */
#define WRAP(kind, failed, type, name, parameters, arguments)                                                          \
	type __real_##name parameters;                                                                                 \
	type __wrap_##name parameters;                                                                                 \
	type __wrap_##name parameters                                                                                  \
	{                                                                                                              \
		return faults_take(kind, #name) ? failed : __real_##name arguments;                                    \
	}
#define LMDB(name, parameters, arguments) WRAP(FAULTS_LMDB, faults_lmdb, int, name, parameters, arguments)

LMDB(mdb_env_create, (MDB_env * *env), (env))
LMDB(mdb_env_set_maxdbs, (MDB_env * env, MDB_dbi n), (env, n))
LMDB(mdb_env_set_maxreaders, (MDB_env * env, unsigned n), (env, n))
LMDB(mdb_env_set_mapsize, (MDB_env * env, size_t size), (env, size))
LMDB(mdb_env_set_flags, (MDB_env * env, unsigned flags, int on), (env, flags, on))
LMDB(mdb_env_info, (MDB_env * env, MDB_envinfo *ret), (env, ret))
LMDB(mdb_env_stat, (MDB_env * env, MDB_stat *ret), (env, ret))
LMDB(mdb_reader_check, (MDB_env * env, int *ret), (env, ret))
LMDB(mdb_txn_begin, (MDB_env * env, MDB_txn *parent, unsigned flags, MDB_txn **ret), (env, parent, flags, ret))
LMDB(mdb_txn_renew, (MDB_txn * txn), (txn))
LMDB(mdb_stat, (MDB_txn * txn, MDB_dbi db, MDB_stat *ret), (txn, db, ret))
LMDB(mdb_get, (MDB_txn * txn, MDB_dbi db, MDB_val *key, MDB_val *value), (txn, db, key, value))
LMDB(mdb_put, (MDB_txn * txn, MDB_dbi db, MDB_val *key, MDB_val *value, unsigned flags), (txn, db, key, value, flags))
LMDB(mdb_del, (MDB_txn * txn, MDB_dbi db, MDB_val *key, MDB_val *value), (txn, db, key, value))
LMDB(mdb_drop, (MDB_txn * txn, MDB_dbi db, int del), (txn, db, del))
LMDB(mdb_cursor_open, (MDB_txn * txn, MDB_dbi db, MDB_cursor **ret), (txn, db, ret))
LMDB(mdb_cursor_get, (MDB_cursor * cursor, MDB_val *key, MDB_val *value, MDB_cursor_op op), (cursor, key, value, op))

bool faults_other_handles;

int __real_mdb_dbi_open(MDB_txn *txn, const char *name, unsigned flags, MDB_dbi *ret);
int __wrap_mdb_dbi_open(MDB_txn *txn, const char *name, unsigned flags, MDB_dbi *ret);
int __wrap_mdb_dbi_open(MDB_txn *txn, const char *name, unsigned flags, MDB_dbi *ret)
{
	if (faults_take(FAULTS_LMDB, "mdb_dbi_open"))
		return faults_lmdb;
	if (faults_other_handles && name && strcmp(name, "meta") == 0) {
		faults_other_handles = false;
		__real_mdb_dbi_open(txn, "entries", flags, ret);
	}
	return __real_mdb_dbi_open(txn, name, flags, ret);
}

/* Nothing here is about power cuts: no wait for the disk. */
int __real_mdb_env_open(MDB_env *env, const char *path, unsigned flags, mdb_mode_t mode);
int __wrap_mdb_env_open(MDB_env *env, const char *path, unsigned flags, mdb_mode_t mode);
int __wrap_mdb_env_open(MDB_env *env, const char *path, unsigned flags, mdb_mode_t mode)
{
	return faults_take(FAULTS_LMDB, "mdb_env_open") ? faults_lmdb
	                                                : __real_mdb_env_open(env, path, flags | MDB_NOSYNC, mode);
}

int __wrap_mdb_env_sync(MDB_env *env, int force);
int __wrap_mdb_env_sync(MDB_env *env, int force)
{
	(void)env, (void)force;
	return faults_take(FAULTS_LMDB, "mdb_env_sync") ? faults_lmdb : 0;
}

/* A commit that fails has freed its transaction. */
int __real_mdb_txn_commit(MDB_txn *txn);
int __wrap_mdb_txn_commit(MDB_txn *txn);
int __wrap_mdb_txn_commit(MDB_txn *txn)
{
	if (!faults_take(FAULTS_LMDB, "mdb_txn_commit"))
		return __real_mdb_txn_commit(txn);
	mdb_txn_abort(txn);
	return faults_lmdb;
}

WRAP(FAULTS_ALLOC, NULL, void *, aligned_alloc, (size_t align, size_t size), (align, size))
WRAP(FAULTS_IO, -1, ssize_t, pread, (int fd, void *buf, size_t n, off_t at), (fd, buf, n, at))
WRAP(FAULTS_IO, -1, ssize_t, __pread_chk, (int fd, void *buf, size_t n, off_t at, size_t cap), (fd, buf, n, at, cap))
WRAP(FAULTS_IO, -1, int, stat, (const char *path, struct stat *ret), (path, ret))
WRAP(FAULTS_IO, -1, int, flock, (int fd, int op), (fd, op))
WRAP(FAULTS_IO, NULL, DIR *, opendir, (const char *path), (path))
WRAP(FAULTS_IO, -1, int, renameat2, (int from_fd, const char *from, int to_fd, const char *to, unsigned flags),
     (from_fd, from, to_fd, to, flags))
