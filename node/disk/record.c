/* Encoding and decoding the records of a write. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "node/disk/record.h"

#include "ledger/bytes.h"
#include "ledger/errors.h"

void record_head(uint8_t p[RECORD_HEAD_SIZE], const struct record *r)
{
	put_u32be(p, r->len);
	p[4] = (uint8_t)r->kind;
	p[5] = r->type;
	put_u16be(p + 6, 0);
	put_u64be(p + 8, r->index);
	put_u64be(p + 16, r->term);
}

int record_next(const uint8_t **p, const uint8_t *end, struct record *ret)
{
	const uint8_t *at = *p;
	struct record r;

	if (end - at < RECORD_HEAD_SIZE || at[4] == RECORD_END)
		return 0;
	r.len = get_u32be(at);
	r.kind = at[4];
	r.type = at[5];
	r.index = get_u64be(at + 8);
	r.term = get_u64be(at + 16);
	r.bytes = at + RECORD_HEAD_SIZE;
	if (r.kind > RECORD_RESET || r.index > RECORD_INDEX_MAX || (r.index == 0 && r.kind != RECORD_RESET) ||
	    r.len > (size_t)(end - r.bytes) || get_u16be(at + 6) != 0 || (r.kind != RECORD_ENTRY && r.len != 0))
		return CS_ERR_MALFORMED;
	*p = r.bytes + r.len;
	*ret = r;
	return 1;
}
