/* libraft's encoding of a configuration, both ways. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "node/disk/configuration.h"

#include <stdint.h>
#include <string.h>

/* Format u8, count u64, then for each server id u64, address, NUL, role u8; little-endian (libraft, configuration.c).
 */
#define FORMAT    1
#define HEAD_SIZE 9
#define ID_SIZE   8

static uint64_t get_u64(const uint8_t *p)
{
	uint64_t v = 0;

	for (unsigned i = 0; i < 8; i++)
		v |= (uint64_t)p[i] << (8 * i);
	return v;
}

static void put_u64(uint8_t *p, uint64_t v)
{
	for (unsigned i = 0; i < 8; i++)
		p[i] = (uint8_t)(v >> (8 * i));
}

int configuration_decode(const void *bytes, size_t len, struct raft_configuration *ret)
{
	const uint8_t *p = bytes;
	const uint8_t *end = p + len;
	uint64_t n;
	int rv = 0;

	if (len < HEAD_SIZE || p[0] != FORMAT)
		return RAFT_MALFORMED;
	n = get_u64(p + 1);
	p += HEAD_SIZE;
	for (; n > 0 && rv == 0; n--) {
		const uint8_t *address = p + ID_SIZE;
		const uint8_t *nul = NULL;
		if ((size_t)(end - p) > ID_SIZE)
			nul = memchr(address, 0, (size_t)(end - address));
		if (nul == NULL || nul + 1 >= end)
			return RAFT_MALFORMED;
		rv = raft_configuration_add(ret, get_u64(p), (const char *)address, nul[1]);
		p = nul + 2;
	}
	return rv;
}

size_t configuration_size(const struct raft_configuration *c)
{
	size_t n = HEAD_SIZE;

	for (unsigned i = 0; i < c->n; i++)
		n += ID_SIZE + strlen(c->servers[i].address) + 2;
	return (n + 7) / 8 * 8;
}

void configuration_encode(const struct raft_configuration *c, void *buf)
{
	uint8_t *p = buf;

	memset(buf, 0, configuration_size(c));
	p[0] = FORMAT;
	put_u64(p + 1, c->n);
	p += HEAD_SIZE;
	for (unsigned i = 0; i < c->n; i++) {
		size_t len = strlen(c->servers[i].address) + 1;
		put_u64(p, c->servers[i].id);
		memcpy(p + ID_SIZE, c->servers[i].address, len);
		p[ID_SIZE + len] = (uint8_t)c->servers[i].role;
		p += ID_SIZE + len + 1;
	}
}
