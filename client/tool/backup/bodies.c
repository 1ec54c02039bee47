/* Bundles of sealed bodies in a backup, one beside each bundle of entries. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "client/tool/backup/bodies.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/tool/backup/out.h"
#include "client/tool/backup/seal.h"
#include "client/tool/backup/subject.h"
#include "ledger/bytes.h"
#include "ledger/errors.h"
#include "ledger/limits.h"

_Static_assert(BODIES_BUNDLE_MAX == (size_t)TREE_TILE_WIDTH * (1 + SEAL_OVERHEAD + LIMIT_BODY_SIZE_MAX),
               "a bundle of the largest bodies");

#define ENTRIES_FOLDER "tile/entries/"
#define BODIES_FOLDER  "bodies/"
#define NO_FIELDS      0x90 /* [], as a body. */

struct bodies {
	const char *origin;
	struct backupkeys *keys;
	size_t len;
	uint8_t bytes[];
};

void bodies_path(uint64_t n, unsigned width, uint64_t generation, char ret[TILEPATH_SIZE])
{
	char entries[TILEPATH_SIZE];

	tilepath(TILEPATH_ENTRIES, n, width, entries);
	snprintf(ret, TILEPATH_SIZE, BODIES_FOLDER "%.60s.%" PRIu64, entries + strlen(ENTRIES_FOLDER), generation);
}

/* --- which are there --- */

/* Digits of tile numbers: x001/x234/067. */
static bool path_number(const char **path, uint64_t *ret)
{
	uint64_t n = 0;

	for (;;) {
		bool more = **path == 'x';
		const char *p = *path + more;

		if (strspn(p, "0123456789") < 3 || n > UINT64_MAX / 1000 - 1)
			return false;
		n = n * 1000 + (uint64_t)((p[0] - '0') * 100 + (p[1] - '0') * 10 + (p[2] - '0'));
		*path = p + 3;
		if (!more)
			break;
		if (*(*path)++ != '/')
			return false;
	}
	*ret = n;
	return true;
}

/* Its own name again, or it is none. */
bool bodies_parse(const char *path, uint64_t *ret_n, unsigned *ret_width, uint64_t *ret_generation)
{
	const char *p = path + strlen(BODIES_FOLDER);
	char again[TILEPATH_SIZE];

	*ret_width = TREE_TILE_WIDTH;
	if (strncmp(path, BODIES_FOLDER, strlen(BODIES_FOLDER)) != 0 || !path_number(&p, ret_n))
		return false;
	if (strncmp(p, ".p/", 3) == 0) {
		*ret_width = (unsigned)strtoul(p + 3, NULL, 10);
		p += 3 + strspn(p + 3, "0123456789");
	}
	if (*p != '.' || *ret_width == 0 || *ret_width > TREE_TILE_WIDTH)
		return false;
	*ret_generation = strtoull(p + 1, NULL, 10);
	bodies_path(*ret_n, *ret_width, *ret_generation, again);
	return *ret_generation > 0 && strcmp(path, again) == 0;
}

/* 0; ENOMEM; -1: none of ours, or beyond the last one. */
static int map_add(struct bodiesmap *m, const char *path, uint64_t size)
{
	uint64_t n, generation;
	unsigned width;

	if (!bodies_parse(path, &n, &width, &generation) || n > size / TREE_TILE_WIDTH)
		return -1;
	if (n >= m->n) {
		uint64_t *more = realloc(m->generations, (n + 1) * sizeof *more);

		if (!more)
			return ENOMEM;
		memset(more + m->n, 0, (n + 1 - m->n) * sizeof *more);
		m->generations = more;
		m->n = n + 1;
		m->width = width;
	}
	m->generations[n] = generation;
	return 0;
}

int bodiesmap_load(struct bodiesmap *m, int dir, const char *list, uint64_t size)
{
	FILE *f = backupout_read(dir, list);
	char line[2 * HASH_SIZE + 2 + TILEPATH_SIZE + 2];
	int err = f ? 0 : errno;

	while (!err && fgets(line, sizeof line, f)) {
		size_t len = strcspn(line, "\n");

		line[len] = 0;
		if (len > 2 * HASH_SIZE + 2 && !strncmp(line + 2 * HASH_SIZE + 2, BODIES_FOLDER, strlen(BODIES_FOLDER)))
			err = map_add(m, line + 2 * HASH_SIZE + 2, size);
	}
	if (f)
		fclose(f);
	return err;
}

void bodiesmap_free(struct bodiesmap *m)
{
	free(m->generations);
	memset(m, 0, sizeof *m);
}

uint64_t bodiesmap_generation(const struct bodiesmap *m, uint64_t n)
{
	return n < m->n ? m->generations[n] : 0;
}

/* --- bundles --- */

struct bodies *bodies_new(const char *origin, struct backupkeys *keys)
{
	struct bodies *b = malloc(sizeof *b + BODIES_BUNDLE_MAX);

	if (b)
		*b = (struct bodies){.origin = origin, .keys = keys};
	return b;
}

void bodies_free(struct bodies *b)
{
	free(b);
}

void bodies_clear(struct bodies *b)
{
	b->len = 0;
}

const void *bodies_bytes(const struct bodies *b, size_t *ret_len)
{
	*ret_len = b->len;
	return b->bytes;
}

int bodies_add(struct bodies *b, uint64_t index, const void *body, size_t len)
{
	const struct backupkey *k;
	struct seal_context c;
	uint8_t subject[32];

	assert(len <= LIMIT_BODY_SIZE_MAX);
	if (!body) {
		b->bytes[b->len++] = 'e';
		return 0;
	}
	if (len == 0 || (len == 1 && *(const uint8_t *)body == NO_FIELDS)) {
		b->bytes[b->len++] = 'n';
		return 0;
	}
	subject_of_body(body, len, subject);
	k = backupkeys_of(b->keys, subject);
	if (!k)
		return CS_ERR_NOMEM;
	seal_context(&c, BODIES_PURPOSE, b->origin, index);
	b->bytes[b->len++] = 's';
	b->len += seal_write(b->bytes + b->len, k, &c, body, len);
	return 0;
}

enum bodies_got bodies_next(const uint8_t **p, const uint8_t *end, const struct backupkeys *keys, const char *origin,
                            uint64_t index, uint8_t *ret, size_t *ret_len)
{
	struct seal_context c;

	if (*p == end)
		return BODIES_BAD;
	switch (*(*p)++) {
	case 'e':
		return BODIES_ERASED;
	case 'n':
		return BODIES_NONE;
	case 's':
		break;
	default:
		return BODIES_BAD;
	}
	seal_context(&c, BODIES_PURPOSE, origin, index);
	switch (seal_read(p, end, keys, &c, ret, LIMIT_BODY_SIZE_MAX, ret_len)) {
	case SEAL_OPENED:
		return BODIES_BODY;
	case SEAL_KEY_GONE:
		return BODIES_KEY_GONE;
	case SEAL_BAD:
		break;
	}
	return BODIES_BAD;
}

enum bodies_got bodies_skip(const uint8_t **p, const uint8_t *end, const uint8_t **ret_id)
{
	const uint8_t *piece = *p + 1;

	if (*p == end || (**p != 'e' && **p != 'n' && **p != 's'))
		return BODIES_BAD;
	if (*(*p)++ != 's')
		return piece[-1] == 'e' ? BODIES_ERASED : BODIES_NONE;
	if (end - piece < BACKUPKEYS_ID_SIZE + 4)
		return BODIES_BAD;
	size_t len = get_u32be(piece + BACKUPKEYS_ID_SIZE);
	if (len > (size_t)(end - piece) - BACKUPKEYS_ID_SIZE - 4)
		return BODIES_BAD;
	*ret_id = piece;
	*p = piece + BACKUPKEYS_ID_SIZE + 4 + len;
	return BODIES_BODY;
}
