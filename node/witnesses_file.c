/* The file of what witnesses have cosigned: read at the start, each note looked at anew; written when one is added. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "node/witnesses_file.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ledger/errors.h"
#include "node/log.h"

#define MAGIC         "countersign/witnessed/v1\n"
#define PATH_SIZE_MAX 4096

/* A decimal number and a newline at *at; SIZE_MAX: none that is good. */
static size_t length_at(const char *bytes, size_t len, size_t *at)
{
	size_t n = 0, from = *at;

	for (; *at < len && bytes[*at] >= '0' && bytes[*at] <= '9' && n <= LIMIT_NOTE_SIZE_MAX; ++*at)
		n = 10 * n + (size_t)(bytes[*at] - '0');
	if (*at == from || *at == len || bytes[(*at)++] != '\n' || n > LIMIT_NOTE_SIZE_MAX)
		return SIZE_MAX;
	return n;
}

unsigned witnesses_file_parse(const char *bytes, size_t len, struct board_note ret[WITNESSES_NOTES])
{
	size_t at = sizeof MAGIC - 1;
	unsigned n = 0;

	if (len < at || memcmp(bytes, MAGIC, at) != 0)
		return 0;
	while (n < WITNESSES_NOTES && at < len) {
		size_t note = length_at(bytes, len, &at);

		if (note == SIZE_MAX || note > len - at)
			break;
		ret[n].size = 0;
		ret[n].len = note;
		memcpy(ret[n++].text, bytes + at, note);
		at += note;
	}
	return n;
}

void witnesses_file_open(struct witnesses_file *f, const char *path)
{
	char *bytes = malloc(WITNESSES_FILE_SIZE_MAX);
	int fd = path ? open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW) : -1;
	ssize_t len = fd >= 0 && bytes ? pread(fd, bytes, WITNESSES_FILE_SIZE_MAX, 0) : 0;

	f->path = path;
	f->failed = false;
	f->n = len > 0 ? witnesses_file_parse(bytes, (size_t)len, f->notes) : 0;
	if (path && (len < 0 || (fd < 0 && errno != ENOENT)))
		log_warning("what witnesses have cosigned cannot be read: they will bring it again path=%s: %s", path,
		            strerror(errno));
	if (fd >= 0)
		close(fd);
	free(bytes);
}

void witnesses_file_give(struct witnesses_file *f, struct witnesses *w,
                         int (*root)(void *ctx, uint64_t size, struct hash *ret), void *ctx)
{
	unsigned left = 0;

	if (!f->n || !witnesses_ready(w))
		return;
	for (unsigned i = 0; i < f->n; i++) {
		struct witness_note n;
		struct hash own;
		int err = witnesses_read(w, WITNESSES_NOBODY, f->notes[i].text, f->notes[i].len, &n);

		if (!err)
			err = root(ctx, n.checkpoint.size, &own);
		if (!err)
			err = witnesses_keep(w, &n, &own);
		if (err == CS_ERR_NOT_READY)
			f->notes[left++] = f->notes[i];
		else if (err)
			log_warning("what witnesses had cosigned is not taken from the file: path=%s: %s", f->path,
			            err_text(err));
	}
	f->n = left;
}

static size_t format(const struct witnesses *w, char *buf)
{
	struct board_note note;
	size_t len = sizeof MAGIC - 1;

	memcpy(buf, MAGIC, len);
	for (unsigned i = 0; witnesses_note(w, i, &note); i++) {
		len += (size_t)snprintf(buf + len, 8, "%zu\n", note.len);
		memcpy(buf + len, note.text, note.len);
		len += note.len;
	}
	return len;
}

/* 0 or an errno value. */
static int replace(const char *path, const char *bytes, size_t len)
{
	char fresh[PATH_SIZE_MAX];
	int fd, err = 0;

	if (snprintf(fresh, sizeof fresh, "%s.new", path) >= (int)sizeof fresh)
		return ENAMETOOLONG;
	fd = open(fresh, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return errno;
	ssize_t n = pwrite(fd, bytes, len, 0);
	if (n != (ssize_t)len)
		err = n < 0 ? errno : ENOSPC;
	if (close(fd) && !err)
		err = errno;
	if (!err && rename(fresh, path))
		err = errno;
	if (err)
		unlink(fresh);
	return err;
}

void witnesses_file_save(struct witnesses_file *f, const struct witnesses *w)
{
	char *buf = f->path ? malloc(WITNESSES_FILE_SIZE_MAX) : NULL;
	int err = !f->path ? 0 : !buf ? ENOMEM : replace(f->path, buf, format(w, buf));

	if (err && !f->failed)
		log_warning("what witnesses have cosigned is kept in memory only: path=%s: %s", f->path, strerror(err));
	f->failed = err != 0;
	free(buf);
}
