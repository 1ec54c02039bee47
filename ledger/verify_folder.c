/* The verifier's reading of a folder in the form of C2SP tlog-tiles. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "ledger/verify_whole.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ledger/verify_internal.h"

#define BUNDLED_SIZE_MAX ((size_t)2 + LIMIT_ENTRY_SIZE_MAX) /* An entry behind its length; 256 of them: 16 MiB. */

struct folder {
	int fd;
	uint8_t *bytes; /* Of the bundle that is being looked at: room for the widest that there is. */
	struct verify_bundled entries[VERIFY_TILE_WIDTH];
	struct verify_whole whole;
};

/* Reads a whole file of at most cap bytes; one that is larger comes out as cap + 1. */
static bool file_read(int dir, const char *name, uint8_t *ret, size_t cap, size_t *ret_len)
{
	struct stat st;
	size_t n = 0;
	ssize_t got = -1;
	int fd = openat(dir, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);

	if (fd < 0)
		return false;
	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode)) {
		do {
			got = read(fd, ret + n, cap - n);
			n += got > 0 ? (size_t)got : 0;
		} while (got > 0 && n < cap);
		if (got > 0 && (uint64_t)st.st_size > cap)
			n = cap + 1;
	}
	close(fd);
	*ret_len = n;
	return got >= 0;
}

static enum verify_got folder_tile(void *ctx, unsigned level, uint64_t n, unsigned width, uint8_t *ret)
{
	const struct folder *f = ctx;
	char path[VERIFY_TILE_PATH_SIZE];
	size_t len;

	verify_tile_path((int)level, n, width, path);
	if (!file_read(f->fd, path, ret, (size_t)VERIFY_TILE_WIDTH * VERIFY_HASH_SIZE, &len))
		return VERIFY_GOT_NOT;
	return len == (size_t)width * VERIFY_HASH_SIZE ? VERIFY_GOT : VERIFY_GOT_BAD;
}

static bool bundle_walk(struct folder *f, uint64_t n, unsigned width)
{
	struct verify_whole *w = &f->whole;
	char path[VERIFY_TILE_PATH_SIZE];
	size_t len, cap = width * BUNDLED_SIZE_MAX;

	if ((n + 1) * VERIFY_TILE_WIDTH <= w->options->from)
		return verify_whole_skip(w, width);
	verify_tile_path(VERIFY_TILE_ENTRIES, n, width, path);
	if (!file_read(f->fd, path, f->bytes, cap, &len))
		return verify_whole_missing(w, path);
	if (len > cap || !verify_bundle_split(f->bytes, len, width, f->entries)) {
		w->result->has_bad_index = true;
		w->result->bad_index = n * VERIFY_TILE_WIDTH;
		w->audit.stopped = true;
		return verify_refute(w->result, "%s: not %u entries, each behind its length", path, width);
	}
	return verify_whole_entries(w, f->entries, width);
}

static void folder_walk(struct folder *f, const struct verify_policy *p, struct verify_result *r)
{
	uint8_t note[LIMIT_NOTE_SIZE_MAX + 1];
	size_t len;

	if (!file_read(f->fd, "checkpoint", note, LIMIT_NOTE_SIZE_MAX, &len)) {
		verify_undecided(r, "checkpoint is missing, or cannot be read");
		return;
	}
	if (len > LIMIT_NOTE_SIZE_MAX) {
		verify_undecided(r, "checkpoint: larger than this verifier takes");
		return;
	}
	if (!verify_whole_begin(&f->whole, p, note, len, r))
		return;
	size_t widest = r->size < VERIFY_TILE_WIDTH ? (size_t)r->size : VERIFY_TILE_WIDTH;
	f->bytes = malloc(widest ? widest * BUNDLED_SIZE_MAX : 1);
	if (!f->bytes) {
		verify_undecided(r, "out of memory");
		return;
	}
	for (uint64_t n = 0; n <= r->size / VERIFY_TILE_WIDTH; n++) {
		uint64_t left = r->size - n * VERIFY_TILE_WIDTH;
		unsigned width = left < VERIFY_TILE_WIDTH ? (unsigned)left : VERIFY_TILE_WIDTH;

		if (width > 0 && !bundle_walk(f, n, width))
			return;
	}
	verify_whole_end(&f->whole);
}

void verify_folder(const struct verify_policy *p, const char *dir, const struct verify_whole_options *o,
                   struct verify_result *ret)
{
	struct folder *f = calloc(1, sizeof *f);
	int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	verify_result_init(ret);
	if (!f) {
		verify_undecided(ret, "out of memory");
	} else if (fd < 0) {
		verify_undecided(ret, "the folder cannot be opened");
	} else {
		f->fd = fd;
		f->whole.tile = folder_tile;
		f->whole.ctx = f;
		f->whole.options = o;
		folder_walk(f, p, ret);
	}
	if (fd >= 0)
		close(fd);
	if (f)
		free(f->bytes);
	free(f);
}
