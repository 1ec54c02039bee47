/* Puts events in order of time within bounded memory: sorted runs in a temporary file, merged as they are taken. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "client/tool/import/sorter.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client/tool/import/packed.h"

#define CURSOR_SIZE 65536 /* Of a run, read at once. A packed event has at most PACKED_SIZE_MAX. */
_Static_assert(PACKED_SIZE_MAX <= CURSOR_SIZE, "an event fits a cursor");

/* A run while it is merged: bytes of it that are in memory, and where the rest is in the file. */
struct cursor {
	uint8_t *bytes;
	size_t at, n;
	off_t next, end;
	struct packed_key key; /* Of the event at `at`. */
};

struct sorter {
	uint8_t *memory;
	size_t used, cap;
	uint32_t *places; /* Where each event begins in memory. */
	size_t n, n_cap;
	int fd; /* -1: no run was written. */
	off_t written;
	off_t ends[SORTER_RUNS_MAX];
	unsigned n_runs;
	size_t taken;           /* Without runs: of those in memory. */
	struct cursor *cursors; /* A heap, the earliest first. */
	unsigned n_cursors;
};

struct sorter *sorter_new(size_t memory_max)
{
	struct sorter *s = calloc(1, sizeof *s);

	if (!s)
		return NULL;
	s->fd = -1;
	s->cap = memory_max > PACKED_SIZE_MAX ? memory_max : PACKED_SIZE_MAX;
	s->memory = malloc(s->cap);
	if (!s->memory) {
		free(s);
		return NULL;
	}
	return s;
}

/* --- runs --- */

static int by_key(const void *a, const void *b, void *memory)
{
	const uint8_t *bytes = memory;
	struct packed_key x = packed_key(bytes + *(const uint32_t *)a), y = packed_key(bytes + *(const uint32_t *)b);

	return packed_compare(&x, &y);
}

static void sort(struct sorter *s)
{
	if (s->n)
		qsort_r(s->places, s->n, sizeof *s->places, by_key, s->memory);
}

/* A file without a name: it is gone with the process, however that ends. */
static int temporary(void)
{
	const char *folder = getenv("TMPDIR");
	int fd;

	folder = folder && *folder ? folder : "/var/tmp";
	fd = open(folder, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	if (fd < 0 && (errno == EOPNOTSUPP || errno == EISDIR || errno == ENOENT)) {
		char path[4096];

		if (snprintf(path, sizeof path, "%s/countersign-XXXXXX", folder) >= (int)sizeof path)
			return -1;
		fd = mkostemp(path, O_CLOEXEC);
		if (fd >= 0)
			unlink(path);
	}
	return fd;
}

static int write_all(int fd, const uint8_t *bytes, size_t n)
{
	while (n) {
		ssize_t done = write(fd, bytes, n);

		if (done < 0 && errno == EINTR)
			continue;
		if (done < 0)
			return errno;
		bytes += done;
		n -= (size_t)done;
	}
	return 0;
}

static int write_run(struct sorter *s)
{
	uint8_t *out = malloc(CURSOR_SIZE);
	size_t held = 0;
	int err = out ? 0 : ENOMEM;

	if (!err && s->n_runs == SORTER_RUNS_MAX)
		err = EFBIG;
	if (!err && s->fd < 0 && (s->fd = temporary()) < 0)
		err = errno;
	sort(s);
	for (size_t i = 0; i < s->n && !err; i++) {
		const uint8_t *e = s->memory + s->places[i];
		size_t size = packed_size(e);

		if (held + size > CURSOR_SIZE) {
			err = write_all(s->fd, out, held);
			held = 0;
		}
		memcpy(out + held, e, size);
		held += size;
		s->written += (off_t)size;
	}
	if (!err)
		err = write_all(s->fd, out, held);
	if (!err)
		s->ends[s->n_runs++] = s->written;
	s->used = s->n = 0;
	free(out);
	return err;
}

int sorter_add(struct sorter *s, const struct past_event *e, unsigned file, uint64_t position)
{
	uint32_t *places;
	int err = s->cap - s->used < PACKED_SIZE_MAX ? write_run(s) : 0;

	if (err)
		return err;
	if (s->n == s->n_cap) {
		size_t cap = s->n_cap ? 2 * s->n_cap : 1024;

		places = reallocarray(s->places, cap, sizeof *places);
		if (!places)
			return ENOMEM;
		s->places = places;
		s->n_cap = cap;
	}
	s->places[s->n++] = (uint32_t)s->used;
	s->used += packed_write(e, file, position, s->memory + s->used);
	return 0;
}

/* --- merging --- */

/* Has the cursor's next event whole in memory; *ret_end: the run has none left. */
static int advance(struct sorter *s, struct cursor *c, bool *ret_end)
{
	size_t left = c->n - c->at, want = CURSOR_SIZE - left;
	ssize_t got = 0;

	if (left < PACKED_HEAD_SIZE || packed_size(c->bytes + c->at) > left) {
		memmove(c->bytes, c->bytes + c->at, left);
		if ((off_t)want > c->end - c->next)
			want = (size_t)(c->end - c->next);
		if (want) {
			do
				got = pread(s->fd, c->bytes + left, want, c->next);
			while (got < 0 && errno == EINTR);
		}
		if (got < 0)
			return errno;
		c->at = 0;
		c->n = left + (size_t)got;
		c->next += got;
	}
	*ret_end = c->n == c->at;
	if (*ret_end)
		return 0;
	if (c->n - c->at < PACKED_HEAD_SIZE || packed_size(c->bytes + c->at) > c->n - c->at)
		return EIO; /* The file is shorter than what was written. */
	c->key = packed_key(c->bytes + c->at);
	return 0;
}

static bool earlier(const struct sorter *s, unsigned i, unsigned k)
{
	return packed_compare(&s->cursors[i].key, &s->cursors[k].key) < 0;
}

static void sink(struct sorter *s, unsigned i)
{
	for (;;) {
		unsigned first = i;

		for (unsigned k = 2 * i + 1; k <= 2 * i + 2 && k < s->n_cursors; k++)
			if (earlier(s, k, first))
				first = k;
		if (first == i)
			return;
		struct cursor c = s->cursors[i];
		s->cursors[i] = s->cursors[first];
		s->cursors[first] = c;
		i = first;
	}
}

int sorter_finish(struct sorter *s)
{
	int err = 0;

	if (!s->n_runs) {
		sort(s);
		return 0;
	}
	if (s->n)
		err = write_run(s);
	free(s->memory);
	s->memory = NULL;
	s->cursors = calloc(s->n_runs, sizeof *s->cursors);
	if (!s->cursors)
		return ENOMEM;
	for (unsigned i = 0; i < s->n_runs && !err; i++) {
		struct cursor *c = &s->cursors[s->n_cursors++];
		bool end;

		*c = (struct cursor){.next = i ? s->ends[i - 1] : 0, .end = s->ends[i], .bytes = malloc(CURSOR_SIZE)};
		err = c->bytes ? advance(s, c, &end) : ENOMEM;
	}
	for (unsigned i = s->n_cursors / 2; i-- > 0 && !err;)
		sink(s, i);
	return err;
}

static int take_merged(struct sorter *s, struct event **ret)
{
	struct cursor *first = s->cursors;
	bool end;
	int err;

	if (!s->n_cursors)
		return 0;
	*ret = packed_read(first->bytes + first->at);
	if (!*ret)
		return ENOMEM;
	first->at += packed_size(first->bytes + first->at);
	err = advance(s, first, &end);
	if (err) {
		free(*ret);
		*ret = NULL;
		return err;
	}
	if (end) {
		free(first->bytes);
		*first = s->cursors[--s->n_cursors];
	}
	sink(s, 0);
	return 0;
}

int sorter_take(struct sorter *s, struct event **ret)
{
	*ret = NULL;
	if (s->n_runs)
		return take_merged(s, ret);
	if (s->taken == s->n)
		return 0;
	*ret = packed_read(s->memory + s->places[s->taken]);
	s->taken += *ret != NULL;
	return *ret ? 0 : ENOMEM;
}

void sorter_close(struct sorter *s)
{
	if (!s)
		return;
	for (unsigned i = 0; i < s->n_cursors; i++)
		free(s->cursors[i].bytes);
	if (s->fd >= 0)
		close(s->fd);
	free(s->cursors);
	free(s->places);
	free(s->memory);
	free(s);
}
