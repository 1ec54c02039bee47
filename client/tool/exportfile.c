/* Files of an export folder: read whole, written whole under another name, synced, renamed. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "client/tool/exportfile.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ledger/tilepath.h"
#include "ledger/tree.h"

#define TEMPORARY ".new" /* One is enough: the folder has one writer. */
#define PIECE     4096

int exportfile_folder(const char *dir)
{
	if (mkdir(dir, 0777) && errno != EEXIST)
		return -1;
	return open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

void exportfile_close(int fd)
{
	if (fd >= 0)
		close(fd);
}

int exportfile_sync(int fd)
{
	return syncfs(fd);
}

int exportfile_read(int fd, const char *path, uint8_t *ret, size_t cap, size_t *ret_len)
{
	int file = openat(fd, path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW), err = 0;
	uint8_t more;
	size_t n = 0;
	ssize_t got;

	if (file < 0)
		return errno;
	do {
		got = n < cap ? read(file, ret + n, cap - n) : read(file, &more, 1);
		if (got > 0 && n == cap)
			err = EFBIG;
		else if (got > 0)
			n += (size_t)got;
		else if (got < 0 && errno != EINTR)
			err = errno;
	} while (!err && got != 0);
	close(file);
	*ret_len = n;
	return err;
}

static bool same(int fd, const char *path, const uint8_t *bytes, size_t len)
{
	int file = openat(fd, path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	uint8_t piece[PIECE];
	struct stat st;
	size_t n = 0;
	ssize_t got = -1;

	if (file < 0)
		return false;
	if (fstat(file, &st) == 0 && (uint64_t)st.st_size == len)
		while ((got = read(file, piece, sizeof piece)) > 0 && (size_t)got <= len - n &&
		       memcmp(piece, bytes + n, (size_t)got) == 0)
			n += (size_t)got;
	close(file);
	return got == 0 && n == len;
}

static int folders_make(int fd, const char *path)
{
	char part[TILEPATH_SIZE];

	for (const char *slash = strchr(path, '/'); slash; slash = strchr(slash + 1, '/')) {
		snprintf(part, sizeof part, "%.*s", (int)(slash - path), path);
		if (mkdirat(fd, part, 0777) && errno != EEXIST)
			return errno;
	}
	return 0;
}

static int write_all(int file, const uint8_t *bytes, size_t len)
{
	while (len > 0) {
		ssize_t n = write(file, bytes, len);

		if (n < 0 && errno != EINTR)
			return errno;
		bytes += n > 0 ? n : 0;
		len -= n > 0 ? (size_t)n : 0;
	}
	return fsync(file) ? errno : 0;
}

int exportfile_write(int fd, const char *path, const void *bytes, size_t len)
{
	if (same(fd, path, bytes, len))
		return 0;
	int err = folders_make(fd, path);
	if (err)
		return err;
	int file = openat(fd, TEMPORARY, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0666);
	if (file < 0)
		return errno;
	err = write_all(file, bytes, len);
	if (close(file) && !err)
		err = errno;
	if (!err && renameat(fd, TEMPORARY, fd, path))
		err = errno;
	if (err)
		unlinkat(fd, TEMPORARY, 0);
	return err;
}

void exportfile_remove_partials(int fd, const char *partial, const char *keep)
{
	char path[TILEPATH_SIZE];
	const struct dirent *e;

	snprintf(path, sizeof path, "%s", partial);
	*strrchr(path, '/') = 0; /* The folder of the partials. */
	int folder = openat(fd, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (folder < 0)
		return;
	DIR *d = fdopendir(folder);
	if (!d) {
		close(folder);
		return;
	}
	while ((e = readdir(d)))
		if (e->d_name[0] >= '1' && e->d_name[0] <= '9' && (!keep || strcmp(e->d_name, keep) != 0))
			unlinkat(folder, e->d_name, 0);
	closedir(d);
	if (!keep)
		unlinkat(fd, path, AT_REMOVEDIR);
}
