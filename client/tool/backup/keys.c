/* The keys of a backup, one a subject, in a small file apart: a key that is gone takes what it sealed with it. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "client/tool/backup/keys.h"

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "client/tool/backup/out.h"
#include "ledger/errors.h"

#define MAGIC       "countersign/backup-keys/v1\n"
#define MAGIC_SIZE  (sizeof MAGIC - 1)
#define HEAD_SIZE   (MAGIC_SIZE + BACKUPKEYS_ID_SIZE)
#define CHECK_SIZE  16
#define RECORD_SIZE (32 + BACKUPKEYS_ID_SIZE + 32 + CHECK_SIZE)
#define RECORDS_MAX (UINT32_C(1) << 26) /* 6 GiB: nobody has so many subjects; a longer file is none of ours. */

struct record {
	uint8_t subject[32];
	struct backupkey k;
	uint8_t check[CHECK_SIZE];
};
_Static_assert(sizeof(struct record) == RECORD_SIZE, "the file's records are these bytes");

struct backupkeys {
	char *path;
	int fd;
	uint8_t file_id[BACKUPKEYS_ID_SIZE];
	struct record *records;
	size_t n, cap, n_stored;      /* The rest are to be synced. */
	uint32_t *by_subject, *by_id; /* Open addressing: position + 1, or 0. */
	size_t slots;                 /* Of each: a power of two, at least twice as many as records. */
};

const uint8_t *backupkeys_file_id(const struct backupkeys *k)
{
	return k->file_id;
}

size_t backupkeys_count(const struct backupkeys *k)
{
	return k->n;
}

static void record_check(const struct backupkeys *k, const struct record *r, uint8_t ret[CHECK_SIZE])
{
	crypto_generichash(ret, CHECK_SIZE, r->subject, RECORD_SIZE - CHECK_SIZE, k->file_id, sizeof k->file_id);
}

/* --- tables: subjects' keys are hashes, ids are random --- */

static size_t first_slot(const uint8_t *key, size_t slots)
{
	uint64_t v;

	memcpy(&v, key, sizeof v);
	return (size_t)(v & (slots - 1));
}

static void enter(uint32_t *table, size_t slots, const uint8_t *key, size_t at)
{
	size_t s = first_slot(key, slots);

	while (table[s])
		s = (s + 1) & (slots - 1);
	table[s] = (uint32_t)at + 1;
}

static bool tables_make(struct backupkeys *k, size_t slots)
{
	uint32_t *by_subject = calloc(slots, sizeof *by_subject), *by_id = calloc(slots, sizeof *by_id);

	if (!by_subject || !by_id) {
		free(by_subject);
		free(by_id);
		return false;
	}
	free(k->by_subject);
	free(k->by_id);
	k->by_subject = by_subject;
	k->by_id = by_id;
	k->slots = slots;
	for (size_t i = 0; i < k->n; i++) {
		enter(by_subject, slots, k->records[i].subject, i);
		enter(by_id, slots, k->records[i].k.id, i);
	}
	return true;
}

/* Room for one more; what held keys is wiped before it is given back. */
static bool grow(struct backupkeys *k)
{
	if (k->n == k->cap) {
		size_t cap = k->cap ? 2 * k->cap : 1024;
		struct record *more = calloc(cap, sizeof *more);

		if (!more)
			return false;
		if (k->n)
			memcpy(more, k->records, k->n * sizeof *more);
		if (k->records)
			sodium_memzero(k->records, k->cap * sizeof *more);
		free(k->records);
		k->records = more;
		k->cap = cap;
	}
	return 2 * (k->n + 1) <= k->slots || tables_make(k, k->slots ? 2 * k->slots : 4096);
}

static void add(struct backupkeys *k, const struct record *r)
{
	k->records[k->n] = *r;
	enter(k->by_subject, k->slots, r->subject, k->n);
	enter(k->by_id, k->slots, r->k.id, k->n);
	k->n++;
}

size_t backupkeys_place(const struct backupkeys *k, const uint8_t id[BACKUPKEYS_ID_SIZE])
{
	for (size_t s = k->slots ? first_slot(id, k->slots) : 0; k->slots && k->by_id[s]; s = (s + 1) & (k->slots - 1))
		if (!memcmp(k->records[k->by_id[s] - 1].k.id, id, BACKUPKEYS_ID_SIZE))
			return k->by_id[s] - 1;
	return SIZE_MAX;
}

void backupkeys_id(const struct backupkeys *k, size_t place, uint8_t ret_id[BACKUPKEYS_ID_SIZE],
                   uint8_t ret_subject[32])
{
	memcpy(ret_id, k->records[place].k.id, BACKUPKEYS_ID_SIZE);
	memcpy(ret_subject, k->records[place].subject, 32);
}

const struct backupkey *backupkeys_find(const struct backupkeys *k, const uint8_t id[BACKUPKEYS_ID_SIZE])
{
	size_t place = backupkeys_place(k, id);

	return place == SIZE_MAX ? NULL : &k->records[place].k;
}

const struct backupkey *backupkeys_of(struct backupkeys *k, const uint8_t subject[32])
{
	struct record r;

	for (size_t s = k->slots ? first_slot(subject, k->slots) : 0; k->slots && k->by_subject[s];
	     s = (s + 1) & (k->slots - 1))
		if (!memcmp(k->records[k->by_subject[s] - 1].subject, subject, 32))
			return &k->records[k->by_subject[s] - 1].k;
	if (!grow(k))
		return NULL;
	memcpy(r.subject, subject, sizeof r.subject);
	randombytes_buf(r.k.id, sizeof r.k.id);
	randombytes_buf(r.k.key, sizeof r.k.key);
	record_check(k, &r, r.check);
	add(k, &r);
	sodium_memzero(&r, sizeof r);
	return &k->records[k->n - 1].k;
}

/* --- the file --- */

static int write_at(int fd, const void *bytes, size_t len, off_t at)
{
	const uint8_t *p = bytes;

	while (len > 0) {
		ssize_t n = pwrite(fd, p, len, at);

		if (n < 0 && errno != EINTR)
			return errno;
		p += n > 0 ? n : 0;
		at += n > 0 ? n : 0;
		len -= n > 0 ? (size_t)n : 0;
	}
	return 0;
}

static int read_at(int fd, void *bytes, size_t len, off_t at)
{
	uint8_t *p = bytes;

	while (len > 0) {
		ssize_t n = pread(fd, p, len, at);

		if (n == 0)
			return EIO;
		if (n < 0 && errno != EINTR)
			return errno;
		p += n > 0 ? n : 0;
		at += n > 0 ? n : 0;
		len -= n > 0 ? (size_t)n : 0;
	}
	return 0;
}

static off_t place_of(size_t record)
{
	return (off_t)(HEAD_SIZE + record * RECORD_SIZE);
}

int backupkeys_sync(struct backupkeys *k)
{
	int err;

	if (k->n == k->n_stored)
		return 0;
	err = write_at(k->fd, k->records + k->n_stored, (k->n - k->n_stored) * RECORD_SIZE, place_of(k->n_stored));
	if (!err && fsync(k->fd))
		err = errno;
	if (!err)
		k->n_stored = k->n;
	return err;
}

static int write_whole(const struct backupkeys *k, int fd)
{
	int err = write_at(fd, MAGIC, MAGIC_SIZE, 0);

	if (!err)
		err = write_at(fd, k->file_id, sizeof k->file_id, MAGIC_SIZE);
	if (!err)
		err = write_at(fd, k->records, k->n * RECORD_SIZE, place_of(0));
	return !err && fsync(fd) ? errno : err;
}

static void overwrite(int fd, size_t len)
{
	static const uint8_t zeros[RECORD_SIZE];

	for (size_t at = 0; at < len; at += sizeof zeros)
		if (write_at(fd, zeros, len - at < sizeof zeros ? len - at : sizeof zeros, (off_t)at))
			return;
	fsync(fd);
}

static int replace(struct backupkeys *k)
{
	size_t before = HEAD_SIZE + k->n_stored * RECORD_SIZE, len = strlen(k->path) + sizeof ".new";
	char *temporary = malloc(len);
	int fd, err = 0;

	if (!temporary)
		return ENOMEM;
	snprintf(temporary, len, "%s.new", k->path);
	unlink(temporary);
	fd = open(temporary, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		err = errno;
	if (!err && flock(fd, LOCK_EX | LOCK_NB))
		err = errno;
	if (!err)
		err = write_whole(k, fd);
	if (!err && rename(temporary, k->path))
		err = errno;
	if (err && fd >= 0) {
		unlink(temporary);
		close(fd);
	}
	free(temporary);
	if (err)
		return err;
	err = backupout_sync_name(k->path);
	overwrite(k->fd, before);
	close(k->fd);
	k->fd = fd;
	k->n_stored = k->n;
	return err;
}

int backupkeys_destroy(struct backupkeys *k, const uint8_t id[BACKUPKEYS_ID_SIZE])
{
	size_t at = backupkeys_place(k, id);

	if (at == SIZE_MAX)
		return 0;
	k->records[at] = k->records[--k->n];
	sodium_memzero(&k->records[k->n], sizeof k->records[k->n]);
	if (!tables_make(k, k->slots))
		return ENOMEM;
	return replace(k);
}

static int fail(char why[BACKUPKEYS_WHY_SIZE], int err, const char *path, const char *text)
{
	snprintf(why, BACKUPKEYS_WHY_SIZE, "%s: %s", path, text);
	return err;
}

static int load(struct backupkeys *k, size_t size, char why[BACKUPKEYS_WHY_SIZE])
{
	uint8_t head[HEAD_SIZE], check[CHECK_SIZE];
	struct record r;

	if (size < HEAD_SIZE || read_at(k->fd, head, HEAD_SIZE, 0) || memcmp(head, MAGIC, MAGIC_SIZE) != 0)
		return fail(why, CS_ERR_DAMAGED, k->path, "is not a file of a backup's keys");
	memcpy(k->file_id, head + MAGIC_SIZE, sizeof k->file_id);
	if ((size - HEAD_SIZE) / RECORD_SIZE > RECORDS_MAX)
		return fail(why, CS_ERR_DAMAGED, k->path, "is too large to be a file of a backup's keys");
	while (k->n < (size - HEAD_SIZE) / RECORD_SIZE) {
		int err = read_at(k->fd, &r, RECORD_SIZE, place_of(k->n));

		if (err)
			return fail(why, CS_ERR_IO, k->path, strerror(err));
		record_check(k, &r, check);
		if (sodium_memcmp(check, r.check, CHECK_SIZE)) {
			if (place_of(k->n + 1) + RECORD_SIZE > (off_t)size)
				break; /* The last one: a crash has cut it off. */
			return fail(why, CS_ERR_DAMAGED, k->path, "a key in it is damaged: put a whole copy back");
		}
		if (!grow(k))
			return fail(why, CS_ERR_NOMEM, k->path, "out of memory");
		add(k, &r);
	}
	sodium_memzero(&r, sizeof r);
	k->n_stored = k->n;
	return 0;
}

static int begin(struct backupkeys *k, char why[BACKUPKEYS_WHY_SIZE])
{
	int err;

	randombytes_buf(k->file_id, sizeof k->file_id);
	err = write_whole(k, k->fd);
	if (!err)
		err = backupout_sync_name(k->path);
	return err ? fail(why, CS_ERR_IO, k->path, strerror(err)) : 0;
}

/* Nothing, or what a crash has left of the beginning of such a file. */
static bool is_begun(const struct backupkeys *k, size_t size)
{
	uint8_t head[HEAD_SIZE];
	size_t n = size < MAGIC_SIZE ? size : MAGIC_SIZE;

	return size < HEAD_SIZE && read_at(k->fd, head, size, 0) == 0 && memcmp(head, MAGIC, n) == 0;
}

static int open_file(struct backupkeys *k, bool create, char why[BACKUPKEYS_WHY_SIZE])
{
	struct stat st;

	k->fd = open(k->path, (create ? O_RDWR | O_CREAT | O_NOFOLLOW : O_RDONLY) | O_CLOEXEC, 0600);
	if (k->fd < 0 || fstat(k->fd, &st))
		return fail(why, errno == ENOENT ? CS_ERR_NOT_FOUND : CS_ERR_IO, k->path, strerror(errno));
	if (!S_ISREG(st.st_mode))
		return fail(why, CS_ERR_DAMAGED, k->path, "is no file");
	if (st.st_mode & 077)
		return fail(why, CS_ERR_NOT_PERMITTED, k->path, "others may read it: chmod 600");
	if (flock(k->fd, (create ? LOCK_EX : LOCK_SH) | LOCK_NB))
		return fail(why, CS_ERR_EXISTS, k->path, "another backup uses it");
	return create && is_begun(k, (size_t)st.st_size) ? begin(k, why) : load(k, (size_t)st.st_size, why);
}

int backupkeys_open(const char *path, bool create, struct backupkeys **ret, char why[BACKUPKEYS_WHY_SIZE])
{
	struct backupkeys *k = calloc(1, sizeof *k);
	int err;

	if (!k)
		return fail(why, CS_ERR_NOMEM, path, "out of memory");
	k->fd = -1;
	k->path = strdup(path);
	err = k->path ? open_file(k, create, why) : fail(why, CS_ERR_NOMEM, path, "out of memory");
	if (err) {
		backupkeys_close(k);
		return err;
	}
	*ret = k;
	return 0;
}

void backupkeys_close(struct backupkeys *k)
{
	if (!k)
		return;
	if (k->records)
		sodium_memzero(k->records, k->cap * sizeof *k->records);
	if (k->fd >= 0)
		close(k->fd);
	free(k->records);
	free(k->by_subject);
	free(k->by_id);
	free(k->path);
	free(k);
}
