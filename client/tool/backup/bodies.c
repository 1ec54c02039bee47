/* Bundles of sealed bodies in a backup, one beside each bundle of entries. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "client/tool/backup/bodies.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/tool/backup/seal.h"
#include "client/tool/backup/subject.h"
#include "ledger/errors.h"
#include "ledger/limits.h"

_Static_assert(BODIES_BUNDLE_MAX == (size_t)TREE_TILE_WIDTH * (1 + SEAL_OVERHEAD + LIMIT_BODY_SIZE_MAX),
               "a bundle of the largest bodies");

#define ENTRIES_FOLDER "tile/entries/"
#define NO_FIELDS      0x90 /* [], as a body. */

struct bodies {
	const char *origin;
	struct backupkeys *keys;
	size_t len;
	uint8_t bytes[];
};

void bodies_path(uint64_t n, unsigned width, char ret[TILEPATH_SIZE])
{
	char entries[TILEPATH_SIZE];

	tilepath(TILEPATH_ENTRIES, n, width, entries);
	snprintf(ret, TILEPATH_SIZE, "bodies/%s", entries + strlen(ENTRIES_FOLDER));
}

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
