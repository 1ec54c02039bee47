/* Segment files: made, renamed, listed, read. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "node/disk/segment.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "ledger/errors.h"

#define PREFIX        "segment-"
#define TEMPORARY     "preparing"
#define FILL_SIZE     (64u << 10) /* Written at once while filling: a log's write waits behind no more than that. */
#define READ_TRIES    3           /* Of a block that the disk gives an error for: it may be a passing one. */
#define FILL_PAUSE_NS 2000000     /* Between two of them: 8 MiB take 0.3 s. */

static int fail(void)
{
	return errno == ENOSPC || errno == EDQUOT ? CS_ERR_DISK_FULL : CS_ERR_IO;
}

void segment_name(char name[SEGMENT_NAME_SIZE], uint64_t number)
{
	snprintf(name, SEGMENT_NAME_SIZE, PREFIX "%016" PRIx64, number);
}

static int write_all(int fd, const uint8_t *p, size_t len, uint64_t offset)
{
	while (len > 0) {
		ssize_t n = pwrite(fd, p, len, (off_t)offset);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return fail();
		p += n;
		len -= (size_t)n;
		offset += (uint64_t)n;
	}
	return 0;
}

/*
 * Past the page cache: what is saved up there goes to the disk all at once in the end, or with a flush after each
 * piece, which the log's own writes wait for.
 */
static int open_to_fill(const struct segment_place *p, const char *name, int flags)
{
	int fd = openat(p->dir_fd, name, O_RDWR | O_DIRECT | O_CLOEXEC | flags, 0600);

	if (fd < 0 && errno == EINVAL) /* As tmpfs says. */
		fd = openat(p->dir_fd, name, O_RDWR | O_CLOEXEC | flags, 0600);
	return fd;
}

static void pause_filling(void)
{
	static const struct timespec t = {.tv_nsec = FILL_PAUSE_NS};

	nanosleep(&t, NULL);
}

/* Blank sectors from..to of the segment into fd, in pieces. */
static int fill(const struct segment_place *p, int fd, uint64_t number, uint32_t from, uint32_t to,
                const atomic_bool *hurry)
{
	uint8_t *buf = aligned_alloc(BLOCK_SIZE, FILL_SIZE);
	int err = buf ? 0 : CS_ERR_NOMEM;

	if (buf)
		memset(buf, 0, FILL_SIZE);
	while (from < to && !err) {
		uint32_t n = to - from < FILL_SIZE / SECTOR_SIZE ? to - from : FILL_SIZE / SECTOR_SIZE;
		for (uint32_t i = 0; i < n; i++) {
			struct sector s = {.seq = number * p->sectors + from + i, .of = 1};
			sector_seal(buf + (size_t)i * SECTOR_SIZE, p->key, &s);
		}
		err = write_all(fd, buf, (size_t)n * SECTOR_SIZE, (uint64_t)from * SECTOR_SIZE);
		from += n;
		if (!err && hurry && !atomic_load(hurry))
			pause_filling();
	}
	free(buf);
	if (!err && fdatasync(fd))
		err = fail();
	return err;
}

static int make(const struct segment_place *p, uint64_t number, const char *name, const atomic_bool *hurry)
{
	int fd = open_to_fill(p, TEMPORARY, O_CREAT | O_TRUNC);
	int err;

	if (fd < 0)
		return fail();
	err = posix_fallocate(fd, 0, (off_t)segment_size(p));
	if (err) {
		errno = err;
		err = fail();
	}
	/*
	 * Written, not only allocated: a synced write into blocks that were never written has to change the file's
	 * extents too, which costs as much again (measured on ext4: 174 against 107 µs).
	 */
	if (!err)
		err = fill(p, fd, number, 0, p->sectors, hurry);
	if (!err && fsync(fd))
		err = fail();
	posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
	close(fd);
	if (!err && renameat(p->dir_fd, TEMPORARY, p->dir_fd, name))
		err = fail();
	if (err)
		unlinkat(p->dir_fd, TEMPORARY, 0);
	return err;
}

int segment_prepare(const struct segment_place *p, uint64_t number, uint64_t retired, const atomic_bool *hurry)
{
	char name[SEGMENT_NAME_SIZE], old[SEGMENT_NAME_SIZE];
	int err = 0;

	segment_name(name, number);
	if (retired) {
		segment_name(old, retired);
		if (renameat(p->dir_fd, old, p->dir_fd, name))
			err = fail();
	} else {
		err = make(p, number, name, hurry);
	}
	if (!err && fsync(p->dir_fd))
		err = fail();
	return err;
}

int segment_open(const struct segment_place *p, uint64_t number, bool *ret_direct)
{
	char name[SEGMENT_NAME_SIZE];
	int fd;

	segment_name(name, number);
	fd = openat(p->dir_fd, name, O_RDWR | O_DSYNC | O_DIRECT | O_CLOEXEC);
	*ret_direct = fd >= 0;
	if (fd < 0 && errno == EINVAL) /* As tmpfs says. */
		fd = openat(p->dir_fd, name, O_RDWR | O_DSYNC | O_CLOEXEC);
	if (fd < 0)
		return CS_ERR_IO;
	return fd;
}

int segment_remove(const struct segment_place *p, uint64_t number)
{
	char name[SEGMENT_NAME_SIZE];

	segment_name(name, number);
	return unlinkat(p->dir_fd, name, 0) ? CS_ERR_IO : 0;
}

static bool parse_name(const char *name, uint64_t *ret)
{
	char again[SEGMENT_NAME_SIZE];

	if (sscanf(name, PREFIX "%16" SCNx64, ret) != 1 || *ret == 0)
		return false;
	segment_name(again, *ret);
	return strcmp(name, again) == 0;
}

static int compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

int segment_list(const struct segment_place *p, uint64_t **ret, unsigned *ret_n)
{
	int fd = openat(p->dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	uint64_t *list = NULL, number;
	unsigned n = 0;

	if (!dir) {
		if (fd >= 0)
			close(fd);
		return CS_ERR_IO;
	}
	errno = 0;
	for (struct dirent *e; (e = readdir(dir));) {
		if (!parse_name(e->d_name, &number))
			continue;
		uint64_t *more = realloc(list, (n + 1) * sizeof *list);
		if (!more) {
			free(list);
			closedir(dir);
			return CS_ERR_NOMEM;
		}
		list = more;
		list[n++] = number;
	}
	closedir(dir);
	if (unlinkat(p->dir_fd, TEMPORARY, 0) && errno != ENOENT) {
		free(list);
		return CS_ERR_IO;
	}
	if (n)
		qsort(list, n, sizeof *list, compare);
	*ret = list;
	*ret_n = n;
	return 0;
}

int segment_read(const struct segment_place *p, uint64_t number, uint8_t *buf, unsigned *ret_unreadable,
                 uint64_t *ret_at)
{
	char name[SEGMENT_NAME_SIZE];
	uint64_t at = 0, first = 0;
	unsigned unreadable = 0, tries = 0;
	int fd;

	segment_name(name, number);
	fd = openat(p->dir_fd, name, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return CS_ERR_IO;
	memset(buf, 0, segment_size(p));
	while (at < segment_size(p)) {
		ssize_t n = pread(fd, buf + at, segment_size(p) - at, (off_t)at);
		if (n == 0)
			break;
		if (n > 0) {
			at += (uint64_t)n;
			tries = 0;
		} else if (errno == EIO && ++tries < READ_TRIES) {
			continue;
		} else if (errno == EIO) {
			tries = 0;
			if (unreadable++ == 0)
				first = at;
			at = at / BLOCK_SIZE * BLOCK_SIZE + BLOCK_SIZE;
		} else if (errno != EINTR) {
			close(fd);
			return CS_ERR_IO;
		}
	}
	/* It is written past the page cache from now on: what was read here would only be in the way. */
	posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
	close(fd);
	*ret_unreadable = unreadable;
	*ret_at = first;
	return 0;
}

static int fill_file(const struct segment_place *p, uint64_t number, uint32_t from, uint32_t to,
                     const atomic_bool *hurry)
{
	char name[SEGMENT_NAME_SIZE];
	int fd, err;

	segment_name(name, number);
	fd = openat(p->dir_fd, name, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return CS_ERR_IO;
	err = fill(p, fd, number, from, to, hurry);
	posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
	close(fd);
	return err;
}

int segment_blank(const struct segment_place *p, uint64_t number, uint32_t from, uint32_t to)
{
	return fill_file(p, number, from, to, NULL);
}

int segment_fill(const struct segment_place *p, uint64_t number, const atomic_bool *hurry)
{
	return fill_file(p, number, 0, p->sectors, hurry);
}
