/* Payload of a Raft snapshot: where the ledger stands at an index, and neither its entries nor its state. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "node/core/snapshot.h"

#include <string.h>

#include "ledger/bytes.h"
#include "ledger/errors.h"

static const uint8_t magic[8] = {'C', 'S', 'S', '2', 0, 0, 0, 0};
static const uint8_t magic_1[8] = {'C', 'S', 'S', '1', 0, 0, 0, 0};

bool snapshot_has_digest(const struct snapshot *s)
{
	static const struct hash none;

	return memcmp(&s->digest, &none, sizeof none) != 0;
}

size_t snapshot_encode(const struct snapshot *s, uint8_t ret[SNAPSHOT_SIZE])
{
	bool digest = snapshot_has_digest(s);

	memcpy(ret, digest ? magic : magic_1, sizeof magic);
	put_u64be(ret + 8, s->index);
	put_u64be(ret + 16, s->term);
	put_u64be(ret + 24, s->size);
	memcpy(ret + 32, s->root.b, HASH_SIZE);
	memcpy(ret + 64, s->last_leaf.b, HASH_SIZE);
	if (!digest)
		return SNAPSHOT_SIZE_1;
	memcpy(ret + 96, s->digest.b, HASH_SIZE);
	return SNAPSHOT_SIZE;
}

int snapshot_decode(struct snapshot *ret, const void *bytes, size_t len)
{
	const uint8_t *p = bytes;

	if (len >= 4 && memcmp(p, magic, 3) == 0 && p[3] > magic[3] && p[3] <= '9')
		return CS_ERR_VERSION;
	if (len == SNAPSHOT_SIZE && memcmp(p, magic, sizeof magic) == 0)
		memcpy(ret->digest.b, p + 96, HASH_SIZE);
	else if (len == SNAPSHOT_SIZE_1 && memcmp(p, magic_1, sizeof magic_1) == 0)
		memset(&ret->digest, 0, sizeof ret->digest);
	else
		return CS_ERR_MALFORMED;
	ret->index = get_u64be(p + 8);
	ret->term = get_u64be(p + 16);
	ret->size = get_u64be(p + 24);
	memcpy(ret->root.b, p + 32, HASH_SIZE);
	memcpy(ret->last_leaf.b, p + 64, HASH_SIZE);
	return 0;
}
