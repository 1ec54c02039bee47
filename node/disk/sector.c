/* Sealing and reading one sector of the log. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "node/disk/sector.h"

#include <sodium.h>
#include <string.h>

#include "ledger/bytes.h"

#define FORMAT  1
#define SUM_AT  (SECTOR_SIZE - crypto_shorthash_BYTES)
#define HEAD_AT SECTOR_ROOM

_Static_assert(crypto_shorthash_KEYBYTES == SECTOR_KEY_SIZE, "the key is SipHash's");
_Static_assert(SUM_AT == HEAD_AT + 56, "the trailer's fields fill it");

void sector_seal(uint8_t p[SECTOR_SIZE], const uint8_t key[SECTOR_KEY_SIZE], const struct sector *s)
{
	uint8_t *t = p + HEAD_AT;

	put_u64be(t, s->seq);
	put_u64be(t + 8, s->write);
	put_u16be(t + 16, s->at);
	put_u16be(t + 18, s->of);
	put_u32be(t + 20, FORMAT);
	put_u64be(t + 24, s->last_index);
	put_u64be(t + 32, s->last_term);
	put_u64be(t + 40, s->first_index);
	put_u64be(t + 48, s->prev_first);
	crypto_shorthash(p + SUM_AT, p, SUM_AT, key);
}

enum sector_kind sector_read(const uint8_t p[SECTOR_SIZE], const uint8_t key[SECTOR_KEY_SIZE], uint64_t number,
                             uint32_t n, uint32_t at, struct sector *ret)
{
	const uint8_t *t = p + HEAD_AT;
	uint8_t sum[crypto_shorthash_BYTES];
	struct sector s;

	crypto_shorthash(sum, p, SUM_AT, key);
	if (memcmp(sum, p + SUM_AT, sizeof sum) != 0 || get_u32be(t + 20) != FORMAT)
		return SECTOR_BAD;
	s.seq = get_u64be(t);
	s.write = get_u64be(t + 8);
	s.at = get_u16be(t + 16);
	s.of = get_u16be(t + 18);
	s.last_index = get_u64be(t + 24);
	s.last_term = get_u64be(t + 32);
	s.first_index = get_u64be(t + 40);
	s.prev_first = get_u64be(t + 48);
	*ret = s;
	if (s.seq % n != at || s.seq / n > number || s.at >= s.of || s.at > at || (uint32_t)(s.of - s.at) > n - at)
		return SECTOR_STRAY;
	return s.write != 0 && s.seq / n == number ? SECTOR_WRITTEN : SECTOR_OLD;
}
