/* Files and paths of the tool: read whole with a bound, written whole and never over another. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "client/tool/files.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

bool files_join(char ret[FILES_PATH_SIZE], const char *dir, const char *name)
{
	int n = snprintf(ret, FILES_PATH_SIZE, "%s/%s", dir, name);

	return n > 0 && n < FILES_PATH_SIZE;
}

bool files_join_node(char ret[FILES_PATH_SIZE], const char *dir, uint64_t node_id, const char *name)
{
	int n = snprintf(ret, FILES_PATH_SIZE, "%s/node-%" PRIu64 "%s%s", dir, node_id, *name ? "/" : "", name);

	return n > 0 && n < FILES_PATH_SIZE;
}

static int read_all(int fd, char *buf, size_t cap, size_t *ret_size)
{
	size_t n = 0;
	ssize_t got;

	while (n < cap) {
		got = read(fd, buf + n, cap - n);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return errno;
		if (got == 0)
			break;
		n += (size_t)got;
	}
	*ret_size = n;
	return 0;
}

int files_read(const char *path, size_t size_max, char **ret, size_t *ret_size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC), err = 0;
	char *buf = NULL;
	struct stat st;
	size_t n = 0;

	if (fd < 0)
		return errno;
	if (fstat(fd, &st))
		err = errno;
	else if (!S_ISREG(st.st_mode))
		err = S_ISDIR(st.st_mode) ? EISDIR : EINVAL;
	else if ((uint64_t)st.st_size > size_max)
		err = EFBIG;
	if (err)
		goto out;
	/* One byte more than the size found, to see a file that grew meanwhile; one for the NUL. */
	buf = malloc((size_t)st.st_size + 2);
	if (!buf) {
		err = ENOMEM;
		goto out;
	}
	err = read_all(fd, buf, (size_t)st.st_size + 1, &n);
	if (!err && n > (size_t)st.st_size)
		err = EBUSY;
	if (err)
		goto out;
	buf[n] = 0;
	*ret = buf;
	*ret_size = n;
	buf = NULL;
out:
	free(buf);
	close(fd);
	return err;
}

int files_write(const char *path, const void *bytes, size_t size, mode_t mode)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode), err = 0;
	size_t done = 0;
	ssize_t n;

	if (fd < 0)
		return errno;
	while (!err && done < size) {
		n = write(fd, (const char *)bytes + done, size - done);
		if (n >= 0)
			done += (size_t)n;
		else if (errno != EINTR)
			err = errno;
	}
	if (!err && fsync(fd))
		err = errno;
	if (close(fd) && !err)
		err = errno;
	if (err)
		unlink(path);
	return err;
}

int files_replace(const char *path, const void *bytes, size_t size, mode_t mode)
{
	char temporary[FILES_PATH_SIZE];
	int n = snprintf(temporary, sizeof temporary, "%s.new", path), err;

	if (n < 0 || (size_t)n >= sizeof temporary)
		return ENAMETOOLONG;
	unlink(temporary); /* Left by a run that died. */
	err = files_write(temporary, bytes, size, mode);
	if (!err && rename(temporary, path)) {
		err = errno;
		unlink(temporary);
	}
	return err;
}

bool files_empty_folder(const char *path)
{
	DIR *d = opendir(path);
	const struct dirent *e;
	bool empty = true;

	if (!d)
		return errno == ENOENT;
	while (empty && (e = readdir(d)))
		empty = !strcmp(e->d_name, ".") || !strcmp(e->d_name, "..");
	closedir(d);
	if (!empty)
		errno = ENOTEMPTY;
	return empty;
}
