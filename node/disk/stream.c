/* Puts a write together: records over the rooms of its sectors, then the trailers. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <assert.h>
#include <string.h>

#include "node/disk/disk_internal.h"

void stream_begin(struct stream *s, uint32_t sectors_max)
{
	s->sectors_max = sectors_max;
	s->len = 0;
}

bool stream_fits(const struct stream *s, size_t len)
{
	return len <= (size_t)s->sectors_max * SECTOR_ROOM - s->len;
}

static void put(struct stream *s, const void *bytes, size_t len)
{
	const uint8_t *p = bytes;

	while (len > 0) {
		size_t in = s->len % SECTOR_ROOM, n = SECTOR_ROOM - in;
		n = len < n ? len : n;
		memcpy(s->buf + s->len / SECTOR_ROOM * SECTOR_SIZE + in, p, n);
		s->len += n;
		p += n;
		len -= n;
	}
}

void stream_record(struct stream *s, const struct record *r)
{
	uint8_t head[RECORD_HEAD_SIZE];

	assert(stream_fits(s, RECORD_HEAD_SIZE + r->len));
	record_head(head, r);
	put(s, head, sizeof head);
	put(s, r->bytes, r->len);
}

uint32_t stream_end(struct stream *s, const struct segment_place *p, uint64_t number, uint32_t at,
                    const struct sector *what)
{
	uint32_t used = (uint32_t)((s->len + SECTOR_ROOM - 1) / SECTOR_ROOM);
	uint32_t n = (used + BLOCK_SECTORS - 1) / BLOCK_SECTORS * BLOCK_SECTORS;
	struct sector t = *what;
	size_t in = s->len % SECTOR_ROOM;

	assert(n > 0 && n <= s->sectors_max);
	if (in)
		memset(s->buf + (size_t)(used - 1) * SECTOR_SIZE + in, 0, SECTOR_ROOM - in);
	for (uint32_t i = used; i < n; i++)
		memset(s->buf + (size_t)i * SECTOR_SIZE, 0, SECTOR_ROOM);
	t.of = (uint16_t)n;
	for (uint32_t i = 0; i < n; i++) {
		t.seq = number * p->sectors + at + i;
		t.at = (uint16_t)i;
		sector_seal(s->buf + (size_t)i * SECTOR_SIZE, p->key, &t);
	}
	return n;
}
