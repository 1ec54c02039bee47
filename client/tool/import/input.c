/* A log's bytes: unpacked if they are gzip's, hashed, given out by lines, pieces, or whole. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "client/tool/import/input.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include <zlib.h>

#include "ledger/hash.h"

#define RAW_SIZE    65536
#define BUFFER_SIZE (INPUT_LINE_SIZE_MAX + RAW_SIZE)
#define GZIP_WINDOW (15 + 16) /* zlib's word for: a gzip header, the largest window. */

struct input {
	int fd;               /* -1: the bytes of memory. */
	const uint8_t *bytes; /* What is left of them. */
	size_t n_bytes;
	uint64_t written_ms;
	struct hasher hash;
	uint8_t raw[RAW_SIZE]; /* As stored; raw_at to raw_n is not unpacked yet. */
	size_t raw_at, raw_n;
	bool raw_end;
	bool looked; /* Whether it is gzip's is known. */
	bool gzip;
	bool inside;  /* In the middle of a gzip member. */
	bool padding; /* Behind the last one. */
	z_stream z;
	char *buffer; /* BUFFER_SIZE, and one for a NUL; at to n is not given out yet. */
	size_t at, n;
	bool end, broken;
	char why[INPUT_WHY_SIZE];
};

/* --- bytes as they are stored --- */

static enum input_got broken(struct input *in, const char *why)
{
	in->broken = true;
	snprintf(in->why, sizeof in->why, "%s", why);
	return INPUT_BROKEN;
}

static ssize_t read_some(struct input *in, uint8_t *to, size_t cap)
{
	ssize_t got = (ssize_t)(in->n_bytes < cap ? in->n_bytes : cap);

	if (in->fd < 0) {
		memcpy(to, in->bytes, (size_t)got);
		in->bytes += got;
		in->n_bytes -= (size_t)got;
		return got;
	}
	do
		got = read(in->fd, to, cap);
	while (got < 0 && errno == EINTR);
	return got;
}

/* More raw bytes, once all before are used: as many as fit, so that what a pipe brings first is no word's half. */
static bool read_raw(struct input *in)
{
	in->raw_at = in->raw_n = 0;
	while (in->raw_n < sizeof in->raw && !in->raw_end) {
		ssize_t got = read_some(in, in->raw + in->raw_n, sizeof in->raw - in->raw_n);

		in->raw_end = got <= 0;
		if (got < 0)
			broken(in, strerror(errno));
		else
			in->raw_n += (size_t)got;
	}
	return in->raw_n > 0;
}

/* --- unpacking --- */

/* RFC 1952: members follow each other; what is no member after one is padding, as gzip(1) takes it. */
static void unpack(struct input *in)
{
	int code;

	if (!in->inside) {
		in->padding = in->padding || in->raw[in->raw_at] != 0x1f;
		if (in->padding) {
			in->raw_at = in->raw_n;
			return;
		}
		inflateReset(&in->z);
		in->inside = true;
	}
	in->z.next_in = in->raw + in->raw_at;
	in->z.avail_in = (uInt)(in->raw_n - in->raw_at);
	in->z.next_out = (Bytef *)in->buffer + in->n;
	in->z.avail_out = (uInt)(BUFFER_SIZE - in->n);
	code = inflate(&in->z, Z_NO_FLUSH);
	in->raw_at = in->raw_n - in->z.avail_in;
	in->n = BUFFER_SIZE - in->z.avail_out;
	if (code == Z_STREAM_END)
		in->inside = false;
	else if (code != Z_OK && code != Z_BUF_ERROR)
		broken(in, in->z.msg ? in->z.msg : "is not what gzip makes");
}

static void copy(struct input *in)
{
	size_t n = in->raw_n - in->raw_at, room = BUFFER_SIZE - in->n;

	n = n < room ? n : room;
	memcpy(in->buffer + in->n, in->raw + in->raw_at, n);
	in->raw_at += n;
	in->n += n;
}

static void look(struct input *in)
{
	in->looked = true;
	in->gzip = in->raw_n >= 2 && in->raw[0] == 0x1f && in->raw[1] == 0x8b;
	if (in->gzip && inflateInit2(&in->z, GZIP_WINDOW) != Z_OK) {
		in->gzip = false;
		broken(in, "out of memory");
	}
}

/* Some more bytes behind those that wait, or the end. */
static void fill_some(struct input *in)
{
	size_t had = in->n;

	if (in->raw_at == in->raw_n && (in->raw_end || !read_raw(in))) {
		if (in->inside && !in->broken)
			broken(in, "ends in the middle of what gzip packed");
		in->end = true;
		return;
	}
	if (!in->looked)
		look(in);
	if (in->gzip)
		unpack(in);
	else if (!in->broken)
		copy(in);
	hasher_update(&in->hash, in->buffer + had, in->n - had);
}

/* Goes on until want bytes wait to be given out, or no more come. */
static void fill(struct input *in, size_t want)
{
	if (in->n - in->at >= want)
		return;
	memmove(in->buffer, in->buffer + in->at, in->n - in->at);
	in->n -= in->at;
	in->at = 0;
	while (in->n < want && !in->end && !in->broken)
		fill_some(in);
}

/* --- giving out --- */

static enum input_got ended(const struct input *in)
{
	return in->broken ? INPUT_BROKEN : INPUT_END;
}

/* Passes over the rest of a line that is too long. */
static enum input_got pass_line(struct input *in)
{
	char *newline;

	do {
		in->at = in->n;
		fill(in, 1);
		if (in->at == in->n)
			return in->broken ? INPUT_BROKEN : INPUT_LONG;
		newline = memchr(in->buffer + in->at, '\n', in->n - in->at);
	} while (!newline);
	in->at = (size_t)(newline - in->buffer) + 1;
	return INPUT_LONG;
}

enum input_got input_line(struct input *in, char **ret, size_t *ret_len)
{
	char *newline = memchr(in->buffer + in->at, '\n', in->n - in->at);
	size_t start, len;

	/* More comes in steps that double: a short line behind a long one is not looked through again and again. */
	for (size_t want = 4096; !newline; want *= 2) {
		size_t had = in->n - in->at;

		fill(in, want < INPUT_LINE_SIZE_MAX + 1 ? want : INPUT_LINE_SIZE_MAX + 1);
		newline = memchr(in->buffer + in->at + had, '\n', in->n - in->at - had);
		if (newline || in->n - in->at > INPUT_LINE_SIZE_MAX || in->end || in->broken)
			break;
	}
	start = in->at;
	len = newline ? (size_t)(newline - in->buffer) - start : in->n - start;
	if (in->broken)
		return INPUT_BROKEN;
	if (!newline && !len)
		return ended(in);
	if (len > INPUT_LINE_SIZE_MAX && !newline)
		return pass_line(in);
	in->at = start + len + (newline != NULL);
	if (len > INPUT_LINE_SIZE_MAX)
		return INPUT_LONG;
	if (len && in->buffer[start + len - 1] == '\r')
		len--;
	in->buffer[start + len] = 0;
	*ret = in->buffer + start;
	*ret_len = len;
	return INPUT_GOT;
}

enum input_got input_bytes(struct input *in, size_t n, const uint8_t **ret)
{
	fill(in, n);
	if (in->n - in->at < n)
		return ended(in);
	*ret = (const uint8_t *)in->buffer + in->at;
	in->at += n;
	return INPUT_GOT;
}

enum input_got input_skip(struct input *in, uint64_t n)
{
	while (n) {
		fill(in, 1);
		size_t have = in->n - in->at;

		if (!have)
			return ended(in);
		have = have < n ? have : (size_t)n;
		in->at += have;
		n -= have;
	}
	return INPUT_GOT;
}

enum input_got input_peek(struct input *in, size_t n, const char **ret, size_t *ret_len)
{
	fill(in, n);
	*ret = in->buffer + in->at;
	*ret_len = in->n - in->at < n ? in->n - in->at : n;
	return *ret_len || !in->broken ? INPUT_GOT : INPUT_BROKEN;
}

enum input_got input_all(struct input *in, size_t size_max, char **ret, size_t *ret_size)
{
	char *all = NULL, *more;
	size_t size = 0, have;

	for (;;) {
		fill(in, RAW_SIZE);
		have = in->n - in->at;
		if (in->broken || have > size_max - size) {
			free(all);
			return in->broken ? INPUT_BROKEN : INPUT_LONG;
		}
		more = realloc(all, size + have + 1);
		if (!more) {
			free(all);
			return broken(in, "out of memory");
		}
		all = more;
		memcpy(all + size, in->buffer + in->at, have);
		in->at += have;
		size += have;
		if (!have)
			break;
	}
	all[size] = 0;
	*ret = all;
	*ret_size = size;
	return INPUT_GOT;
}

const char *input_why(const struct input *in)
{
	return in->why;
}

uint64_t input_written_ms(const struct input *in)
{
	return in->written_ms;
}

/* --- opening and closing --- */

static struct input *new_input(int fd)
{
	struct input *in = calloc(1, sizeof *in);
	struct timespec now;

	if (in)
		in->buffer = malloc(BUFFER_SIZE + 1);
	if (!in || !in->buffer) {
		free(in);
		return NULL;
	}
	clock_gettime(CLOCK_REALTIME, &now);
	in->fd = fd;
	in->written_ms = (uint64_t)now.tv_sec * 1000;
	hasher_init(&in->hash);
	return in;
}

int input_open(const char *path, struct input **ret)
{
	bool standard = !strcmp(path, "-");
	int fd = standard ? dup(STDIN_FILENO) : open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY), err;
	struct input *in = NULL;
	struct stat st;

	if (fd < 0)
		return errno;
	err = fstat(fd, &st) ? errno : S_ISDIR(st.st_mode) ? EISDIR : 0;
	if (!err) {
		in = new_input(fd);
		err = in ? 0 : ENOMEM;
	}
	if (err) {
		close(fd);
		return err;
	}
	/* A file from the future tells nothing about years. */
	if (S_ISREG(st.st_mode) && st.st_mtim.tv_sec > 0 && (uint64_t)st.st_mtim.tv_sec * 1000 < in->written_ms)
		in->written_ms = (uint64_t)st.st_mtim.tv_sec * 1000 + 999;
	*ret = in;
	return 0;
}

int input_open_bytes(const void *bytes, size_t size, struct input **ret)
{
	struct input *in = new_input(-1);

	if (!in)
		return ENOMEM;
	in->bytes = bytes;
	in->n_bytes = size;
	*ret = in;
	return 0;
}

void input_close(struct input *in, uint8_t ret_hash[32])
{
	struct hash h;

	while (!in->end && !in->broken) {
		in->at = in->n;
		fill(in, 1);
	}
	hasher_final(&in->hash, &h);
	memcpy(ret_hash, h.b, sizeof h.b);
	if (in->gzip)
		inflateEnd(&in->z);
	if (in->fd >= 0)
		close(in->fd);
	free(in->buffer);
	free(in);
}
