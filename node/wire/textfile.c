/* Small files of text: read whole and bounded, created once and never overwritten. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "node/wire/textfile.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ledger/errors.h"

void textfile_error(char *ret_text, const char *format, ...)
{
	va_list ap;

	if (ret_text == NULL)
		return;
	va_start(ap, format);
	vsnprintf(ret_text, TEXTFILE_ERROR_SIZE, format, ap);
	va_end(ap);
}

static int error_errno(const char *path, char *ret_text)
{
	int e = errno;

	textfile_error(ret_text, "%s: %s", path, strerror(e));
	switch (e) {
	case ENOENT:
		return CS_ERR_NOT_FOUND;
	case EEXIST:
		return CS_ERR_EXISTS;
	case EACCES:
	case EPERM:
		return CS_ERR_NOT_PERMITTED;
	case ENOSPC:
	case EDQUOT:
		return CS_ERR_DISK_FULL;
	default:
		return CS_ERR_IO;
	}
}

/* What fstat tells before a byte is read. */
static int stat_check(const char *path, int fd, bool secret, size_t cap, char *ret_text)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return error_errno(path, ret_text);
	if (!S_ISREG(st.st_mode)) {
		textfile_error(ret_text, "%s: not a regular file", path);
		return CS_ERR_IO;
	}
	if (secret && (st.st_mode & (S_IRWXG | S_IRWXO)) != 0) {
		textfile_error(ret_text, "%s: mode %04o lets group or others at it; it must be 0600", path,
		               (unsigned)(st.st_mode & 07777));
		return CS_ERR_NOT_PERMITTED;
	}
	if ((size_t)st.st_size > cap) {
		textfile_error(ret_text, "%s: larger than %zu bytes", path, cap);
		return CS_ERR_TOO_LARGE;
	}
	return CS_OK;
}

int textfile_read(const char *path, bool secret, char *buf, size_t cap, size_t *ret_len, char *ret_text)
{
	size_t len = 0;

	/* O_NONBLOCK: a FIFO in the file's place must not hang us before stat_check refuses it. */
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	if (fd < 0)
		return error_errno(path, ret_text);
	int err = stat_check(path, fd, secret, cap, ret_text);
	while (err == CS_OK && len < cap) {
		ssize_t n = read(fd, buf + len, cap - len);
		if (n == 0)
			break;
		if (n > 0)
			len += (size_t)n;
		else if (errno != EINTR)
			err = error_errno(path, ret_text);
	}
	close(fd);
	if (err == CS_OK)
		*ret_len = len;
	return err;
}

/* The new name is on the disk only when its folder is. */
static int folder_sync(const char *path, char *ret_text)
{
	char folder[PATH_MAX];
	const char *slash = strrchr(path, '/');
	size_t len = slash == NULL ? 1 : slash == path ? 1 : (size_t)(slash - path);

	if (len >= sizeof(folder)) {
		textfile_error(ret_text, "%s: the path is too long", path);
		return CS_ERR_INVALID;
	}
	memcpy(folder, slash == NULL ? "." : path, len);
	folder[len] = '\0';
	int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return error_errno(folder, ret_text);
	int err = fsync(fd) == 0 ? CS_OK : error_errno(folder, ret_text);
	close(fd);
	return err;
}

int textfile_create(const char *path, mode_t mode, const char *text, size_t len, char *ret_text)
{
	int err = CS_OK;
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, mode);

	if (fd < 0)
		return error_errno(path, ret_text);
	for (size_t done = 0; err == CS_OK && done < len;) {
		ssize_t n = write(fd, text + done, len - done);
		if (n >= 0)
			done += (size_t)n;
		else if (errno != EINTR)
			err = error_errno(path, ret_text);
	}
	/* fchmod: the umask must not take away what the mode says, nor must a wider one matter. */
	if (err == CS_OK && (fchmod(fd, mode) < 0 || fsync(fd) < 0))
		err = error_errno(path, ret_text);
	if (close(fd) < 0 && err == CS_OK)
		err = error_errno(path, ret_text);
	if (err == CS_OK)
		err = folder_sync(path, ret_text);
	if (err < 0)
		unlink(path);
	return err;
}
