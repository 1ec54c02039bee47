/* Catch-up's bytes as a peer sends them: pieces of records and of entries, every length bounded before it is used. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "node/core/catchup_bytes.h"

#include "ledger/bytes.h"
#include "ledger/errors.h"
#include "ledger/limits.h"

#define HEADER_SIZE  8
#define ERASURE_SIZE 16

int catchup_each_record(const uint8_t *bytes, size_t len, state_record_fn f, void *ctx)
{
	int err = 0;

	while (len > 0 && !err) {
		if (len < HEADER_SIZE)
			return CS_ERR_MALFORMED;
		size_t key_len = get_u32be(bytes), value_len = get_u32be(bytes + 4);
		bytes += HEADER_SIZE;
		len -= HEADER_SIZE;
		if (key_len > len || value_len > len - key_len)
			return CS_ERR_MALFORMED;
		err = f(ctx, bytes, key_len, bytes + key_len, value_len);
		bytes += key_len + value_len;
		len -= key_len + value_len;
	}
	return err;
}

int catchup_whole_records(const uint8_t *bytes, size_t len, size_t *ret)
{
	size_t at = 0;

	while (len - at >= HEADER_SIZE) {
		size_t key_len = get_u32be(bytes + at), value_len = get_u32be(bytes + at + 4);
		if (key_len > CATCHUP_RECORD_SIZE_MAX || value_len > CATCHUP_RECORD_SIZE_MAX ||
		    HEADER_SIZE + key_len + value_len > CATCHUP_RECORD_SIZE_MAX)
			return CS_ERR_MALFORMED;
		if (HEADER_SIZE + key_len + value_len > len - at)
			break;
		at += HEADER_SIZE + key_len + value_len;
	}
	*ret = at;
	return 0;
}

static bool take_erasures(const uint8_t *bytes, size_t len, struct catchup_entry *e)
{
	if (len < 4)
		return false;
	e->n_erasures = get_u32be(bytes);
	e->erasures = bytes + 4;
	return e->n_erasures > 0 && e->n_erasures <= STORE_ERASURES_MAX && e->n_erasures * ERASURE_SIZE <= len - 4;
}

bool catchup_take_entry(const uint8_t **bytes, size_t *len, struct catchup_entry *ret)
{
	if (*len < HEADER_SIZE)
		return false;
	size_t leaf_len = get_u32be(*bytes), body_len = get_u32be(*bytes + 4) & ~CATCHUP_ERASURES;
	bool erased = get_u32be(*bytes + 4) & CATCHUP_ERASURES;
	if (leaf_len > LIMIT_ENTRY_SIZE_MAX || body_len > LIMIT_BODY_SIZE_MAX ||
	    leaf_len + body_len > *len - HEADER_SIZE)
		return false;
	size_t whole = HEADER_SIZE + leaf_len + body_len;
	const uint8_t *leaf = *bytes + HEADER_SIZE;
	struct catchup_entry e = {.leaf = leaf, .leaf_len = leaf_len, .body = leaf + leaf_len, .body_len = body_len};
	if (erased && !take_erasures(*bytes + whole, *len - whole, &e))
		return false;
	whole += erased ? 4 + e.n_erasures * ERASURE_SIZE : 0;
	*ret = e;
	*bytes += whole;
	*len -= whole;
	return true;
}

struct store_erasure catchup_erasure(const struct catchup_entry *e, unsigned i, uint64_t index)
{
	const uint8_t *p = e->erasures + (size_t)i * ERASURE_SIZE;

	return (struct store_erasure){.index = index, .by = get_u64be(p), .fields = get_u64be(p + 8)};
}
