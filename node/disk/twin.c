/* Reading and writing a record that is kept twice. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "node/disk/twin.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ledger/bytes.h"
#include "ledger/errors.h"

/* A file: "CSTW" | format u32 | generation u64 | length u32 | zero u32 | bytes | BLAKE2b-256 of all before. */
#define MAGIC     UINT32_C(0x43535457)
#define HEAD_SIZE 24
#define HASH_SIZE 32
#define FILE_SIZE ((HEAD_SIZE + TWIN_SIZE_MAX + HASH_SIZE + 4095) / 4096 * 4096)

enum copy { COPY_NONE, COPY_WHOLE, COPY_DAMAGED, COPY_FOREIGN, COPY_UNREADABLE };

/* What one file holds; its generation and bytes go to *ret and to file's head. file has FILE_SIZE bytes. */
static enum copy check(const uint8_t *file, size_t len, uint64_t *ret_generation, size_t *ret_len)
{
	uint8_t hash[HASH_SIZE];
	size_t n;

	if (len == 0)
		return COPY_NONE;
	if (len < HEAD_SIZE + HASH_SIZE || get_u32be(file) != MAGIC)
		return COPY_DAMAGED;
	n = get_u32be(file + 16);
	if (n > len - HEAD_SIZE - HASH_SIZE || get_u32be(file + 20) != 0)
		return COPY_DAMAGED;
	crypto_generichash(hash, sizeof hash, file, HEAD_SIZE + n, NULL, 0);
	if (memcmp(hash, file + HEAD_SIZE + n, sizeof hash) != 0)
		return COPY_DAMAGED;
	/* Head and hash are alike in all formats, so that another one is told from damage. */
	if (get_u32be(file + 4) != TWIN_FORMAT)
		return COPY_FOREIGN;
	*ret_generation = get_u64be(file + 8);
	*ret_len = n;
	return COPY_WHOLE;
}

static int read_file(int fd, uint8_t *file, size_t *ret_len)
{
	size_t len = 0;

	while (len < FILE_SIZE) {
		ssize_t n = pread(fd, file + len, FILE_SIZE - len, (off_t)len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return CS_ERR_IO;
		if (n == 0)
			break;
		len += (size_t)n;
	}
	*ret_len = len;
	return 0;
}

static int write_copy(const struct twin *t, int fd)
{
	size_t len = HEAD_SIZE + t->len + HASH_SIZE, done = 0;
	uint8_t *file = malloc(len);
	int error = 0;

	if (!file)
		return CS_ERR_NOMEM;
	put_u32be(file, MAGIC);
	put_u32be(file + 4, TWIN_FORMAT);
	put_u64be(file + 8, t->generation);
	put_u32be(file + 16, (uint32_t)t->len);
	put_u32be(file + 20, 0);
	memcpy(file + HEAD_SIZE, t->bytes, t->len);
	crypto_generichash(file + HEAD_SIZE + t->len, HASH_SIZE, file, HEAD_SIZE + t->len, NULL, 0);
	while (done < len) {
		ssize_t n = pwrite(fd, file + done, len - done, (off_t)done);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0) {
			error = n < 0 ? errno : ENOSPC;
			break;
		}
		done += (size_t)n;
	}
	free(file);
	return !error ? 0 : error == ENOSPC || error == EDQUOT ? CS_ERR_DISK_FULL : CS_ERR_IO;
}

static int open_files(struct twin *t, int dir_fd, const char *name)
{
	for (int i = 0; i < 2; i++) {
		char path[64];
		snprintf(path, sizeof path, "%s-%d", name, i + 1);
		t->fds[i] = openat(dir_fd, path, O_RDWR | O_CREAT | O_DSYNC | O_CLOEXEC, 0600);
		if (t->fds[i] < 0)
			return CS_ERR_IO;
	}
	return fsync(dir_fd) ? CS_ERR_IO : 0;
}

/* The newest whole copy into t; the other is made like it. */
static int choose(struct twin *t, uint8_t *file, bool (*fits)(const uint8_t *bytes, size_t len))
{
	enum copy copies[2];
	uint64_t generation = 0, generations[2] = {0, 0};
	size_t len, n = 0;
	int err = 0;

	for (int i = 0; i < 2; i++) {
		if (read_file(t->fds[i], file, &len)) {
			copies[i] = COPY_UNREADABLE; /* Writing it again may cure it. */
			continue;
		}
		copies[i] = check(file, len, &generation, &n);
		if (copies[i] == COPY_FOREIGN) {
			t->format = get_u32be(file + 4);
			return CS_ERR_VERSION;
		}
		if (copies[i] != COPY_WHOLE || n > TWIN_SIZE_MAX || (fits && !fits(file + HEAD_SIZE, n)))
			continue;
		generations[i] = generation;
		if (generation <= t->generation)
			continue;
		t->generation = generation;
		t->len = n;
		memcpy(t->bytes, file + HEAD_SIZE, n);
	}
	/* The first write of all was torn: the second copy has not been begun. */
	if (t->generation == 0)
		return copies[0] != COPY_UNREADABLE && copies[1] == COPY_NONE ? 0 : CS_ERR_DAMAGED;
	for (int i = 0; i < 2 && !err; i++) {
		if (generations[i] == t->generation)
			continue;
		t->mended = true;
		err = write_copy(t, t->fds[i]);
	}
	return err;
}

int twin_open(struct twin *t, int dir_fd, const char *name, bool (*fits)(const uint8_t *bytes, size_t len))
{
	uint8_t *file = malloc(FILE_SIZE);
	int err;

	memset(t, 0, sizeof *t);
	t->fds[0] = t->fds[1] = -1;
	if (!file)
		return CS_ERR_NOMEM;
	err = open_files(t, dir_fd, name);
	if (!err)
		err = choose(t, file, fits);
	free(file);
	if (err)
		twin_close(t);
	return err;
}

int twin_write(struct twin *t, const void *bytes, size_t len)
{
	int err;

	assert(len <= TWIN_SIZE_MAX);
	t->generation++;
	t->len = len;
	memcpy(t->bytes, bytes, len);
	err = write_copy(t, t->fds[0]);
	return err ? err : write_copy(t, t->fds[1]);
}

void twin_close(struct twin *t)
{
	for (int i = 0; i < 2; i++) {
		if (t->fds[i] > 0)
			close(t->fds[i]);
		t->fds[i] = -1;
	}
}
