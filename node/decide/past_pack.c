/* The past of a subject in few bytes, and back: exact, whatever the numbers are. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <assert.h>
#include <string.h>

#include "ledger/bytes.h"
#include "node/decide/past.h"

#define DAY_MS    UINT64_C(86400000)
#define HOUR_MS   UINT64_C(3600000)
#define MINUTE_MS UINT64_C(60000)

/*
 * X(member, type, base): numbers of a past, those of most subjects first. As the distance from its base, in bytes of 7
 * bits, lowest first; 0 takes one bit in a map. The first two are what the bases follow from.
 */
#define NUMBER_LIST(X)                                                                                                 \
	X(profile.rate.time_ms, uint64_t, 0)                                                                           \
	X(profile.import_rate.time_ms, uint64_t, 0)                                                                    \
	X(profile.last_ms, uint64_t, b.ms)                                                                             \
	X(profile.trained, uint32_t, 0)                                                                                \
	X(profile.imported, uint32_t, 0)                                                                               \
	X(profile.rate.value, uint32_t, 0)                                                                             \
	X(profile.import_rate.value, uint32_t, 0)                                                                      \
	X(profile.failures.time_ms, uint64_t, b.ms)                                                                    \
	X(profile.failures.value, uint32_t, 0)                                                                         \
	X(profile.hour_trained, uint32_t, b.hour)                                                                      \
	X(profile.hour_imported, uint32_t, b.hour)                                                                     \
	X(profile.gain_day[0], uint32_t, b.day)                                                                        \
	X(profile.gain_day[1], uint32_t, b.day)                                                                        \
	X(profile.gain_day[2], uint32_t, b.day)                                                                        \
	X(profile.gain_day[3], uint32_t, b.day)                                                                        \
	X(profile.gain_day[4], uint32_t, b.day)                                                                        \
	X(profile.gain_day[5], uint32_t, b.day)                                                                        \
	X(profile.gain_day[6], uint32_t, b.day)                                                                        \
	X(profile.gain_day[7], uint32_t, b.day)                                                                        \
	X(history.begun, bool, 0)                                                                                      \
	X(history.fell, uint32_t, 0)                                                                                   \
	X(history.rates[0].time_ms, uint64_t, b.ms)                                                                    \
	X(history.rates[0].value, uint64_t, 0)                                                                         \
	X(history.rates[1].time_ms, uint64_t, b.ms)                                                                    \
	X(history.rates[1].value, uint64_t, 0)                                                                         \
	X(history.place_ms, uint64_t, b.ms)                                                                            \
	X(history.latitude, int32_t, 0)                                                                                \
	X(history.longitude, int32_t, 0)                                                                               \
	X(history.proof_ms, uint64_t, b.ms)                                                                            \
	X(history.amounts.n, uint32_t, 0)                                                                              \
	X(history.amounts.mean, int64_t, 0)                                                                            \
	X(history.amounts.deviation, int64_t, 0)                                                                       \
	X(history.gain_day[0], uint32_t, b.day)                                                                        \
	X(history.gain_day[1], uint32_t, b.day)                                                                        \
	X(history.gain_day[2], uint32_t, b.day)                                                                        \
	X(history.gain_day[3], uint32_t, b.day)

#define NUMBER_ONE(member, type, base) +1
#define NUMBERS                        (0 NUMBER_LIST(NUMBER_ONE))
#define NUMBERS_MAP_SIZE               ((NUMBERS + 7) / 8)
#define PROFILE_MAP_SIZE               ((PROFILE_SLOTS + 7) / 8)
#define TRACE_MAP_SIZE                 ((TRACE_SLOTS + 7) / 8)
#define HOURS_MAP_SIZE                 (PROFILE_HOURS / 8)
#define HOURS_SPARSE_MAX               (PROFILE_HOURS - HOURS_MAP_SIZE) /* From there on all of them take less. */
#define HOURS_ALL                      0x80 /* In the byte whose lower bits are the sessions that there are. */
#define VAR64_MAX                      10
#define VAR32_MAX                      5
#define VAR17_MAX                      3
_Static_assert(FEATURE_COUNT == 8 && TRACE_COUNT == 4 && RATE_COUNT == 2, "NUMBER_LIST has each");
_Static_assert(SESSION_SLOTS <= 7 && PROFILE_HOURS % 8 == 0, "maps");
_Static_assert(PAST_PACKED_MAX >= NUMBERS_MAP_SIZE + NUMBERS * VAR64_MAX + PROFILE_MAP_SIZE +
                                          PROFILE_SLOTS * (8 + VAR32_MAX + VAR17_MAX) + TRACE_MAP_SIZE +
                                          TRACE_SLOTS * (4 + VAR32_MAX + VAR17_MAX) + 1 + PROFILE_HOURS +
                                          SESSION_SLOTS * (8 + VAR32_MAX),
               "the bound");

/* What times are counted from. */
struct bases {
	uint64_t ms, minute, hour, day;
};

static struct bases bases_of(const struct past *p)
{
	uint64_t asked = p->profile.rate.time_ms, imported = p->profile.import_rate.time_ms;
	uint64_t ms = asked > imported ? asked : imported;

	return (struct bases){ms, ms / MINUTE_MS, ms / HOUR_MS + 1, ms / DAY_MS + 1};
}

static uint8_t *put_var(uint8_t *at, uint64_t v)
{
	for (; v >= 0x80; v >>= 7)
		*at++ = (uint8_t)(v | 0x80);
	*at++ = (uint8_t)v;
	return at;
}

static const uint8_t *get_var(const uint8_t *at, uint64_t *ret)
{
	uint64_t v = *at & 0x7f;

	for (unsigned shift = 7; *at++ & 0x80; shift += 7)
		v |= (uint64_t)(*at & 0x7f) << shift;
	*ret = v;
	return at;
}

/* Small distances either way are small numbers. */
static uint64_t folded(uint64_t v, uint64_t base)
{
	uint64_t off = v - base;

	return off << 1 ^ (off >> 63 ? UINT64_MAX : 0);
}

static uint64_t unfolded(uint64_t f, uint64_t base)
{
	return base + (f >> 1 ^ (f & 1 ? UINT64_MAX : 0));
}

/* Bits i of maps. */
static void map_set(uint8_t *map, unsigned i)
{
	map[i / 8] = (uint8_t)(map[i / 8] | 1u << i % 8);
}

static bool map_has(const uint8_t *map, unsigned i)
{
	return map[i / 8] >> i % 8 & 1;
}

/* --- numbers --- */

static uint8_t *pack_numbers(uint8_t *at, const struct past *p, const struct bases *bases)
{
	const struct bases b = *bases;
	uint8_t *map = at;
	unsigned i = 0;

	memset(map, 0, NUMBERS_MAP_SIZE);
	at += NUMBERS_MAP_SIZE;
#define NUMBER_PACK(member, type, base)                                                                                \
	if (p->member != 0) {                                                                                          \
		map_set(map, i);                                                                                       \
		at = put_var(at, folded((uint64_t)p->member, base));                                                   \
	}                                                                                                              \
	i++;
	NUMBER_LIST(NUMBER_PACK)
#undef NUMBER_PACK
	return at;
}

static const uint8_t *unpack_numbers(const uint8_t *at, struct past *p, struct bases *ret)
{
	struct bases b = {0};
	const uint8_t *map = at;
	uint64_t v;
	unsigned i = 0;

	at += NUMBERS_MAP_SIZE;
#define NUMBER_UNPACK(member, type, base)                                                                              \
	if (map_has(map, i)) {                                                                                         \
		at = get_var(at, &v);                                                                                  \
		p->member = (type)unfolded(v, base);                                                                   \
	}                                                                                                              \
	if (++i == 2)                                                                                                  \
		b = bases_of(p);
	NUMBER_LIST(NUMBER_UNPACK)
#undef NUMBER_UNPACK
	*ret = b;
	return at;
}

/* --- values that were seen --- */

/* How long ago, and what profile.h says of uses and imported. */
static uint8_t *put_use(uint8_t *at, const struct bases *b, uint32_t last_min, unsigned uses, unsigned imported)
{
	assert(imported <= 1);
	at = put_var(at, (uint32_t)b->minute - last_min);
	return put_var(at, uses << 1 | imported);
}

static const uint8_t *get_use(const uint8_t *at, const struct bases *b, uint32_t *last_min, uint16_t *uses,
                              uint16_t *imported)
{
	uint64_t ago, use;

	at = get_var(get_var(at, &ago), &use);
	*last_min = (uint32_t)b->minute - (uint32_t)ago;
	*uses = (uint16_t)(use >> 1);
	*imported = use & 1;
	return at;
}

static uint8_t *pack_slots(uint8_t *at, const struct profile *p, const struct bases *b)
{
	uint8_t *map = at;

	memset(map, 0, PROFILE_MAP_SIZE);
	at += PROFILE_MAP_SIZE;
	for (unsigned i = 0; i < PROFILE_SLOTS; i++) {
		const struct slot *s = &p->slots[i];
		if (s->value == 0 && s->last_min == 0 && s->uses == 0 && s->imported == 0)
			continue;
		map_set(map, i);
		memcpy(at, &s->value, sizeof(s->value));
		at = put_use(at + sizeof(s->value), b, s->last_min, s->uses, s->imported);
	}
	return at;
}

static const uint8_t *unpack_slots(const uint8_t *at, struct profile *p, const struct bases *b)
{
	const uint8_t *map = at;

	at += PROFILE_MAP_SIZE;
	for (unsigned i = 0; i < PROFILE_SLOTS; i++) {
		struct slot *s = &p->slots[i];
		if (!map_has(map, i))
			continue;
		memcpy(&s->value, at, sizeof(s->value));
		at = get_use(at + sizeof(s->value), b, &s->last_min, &s->uses, &s->imported);
	}
	return at;
}

static uint8_t *pack_traces(uint8_t *at, const struct history *h, const struct bases *b)
{
	uint8_t *map = at;

	memset(map, 0, TRACE_MAP_SIZE);
	at += TRACE_MAP_SIZE;
	for (unsigned i = 0; i < TRACE_SLOTS; i++) {
		const struct trace *t = &h->traces[i];
		if (t->value == 0 && t->last_min == 0 && t->uses == 0 && t->imported == 0)
			continue;
		map_set(map, i);
		memcpy(at, &t->value, sizeof(t->value));
		at = put_use(at + sizeof(t->value), b, t->last_min, t->uses, t->imported);
	}
	return at;
}

static const uint8_t *unpack_traces(const uint8_t *at, struct history *h, const struct bases *b)
{
	const uint8_t *map = at;

	at += TRACE_MAP_SIZE;
	for (unsigned i = 0; i < TRACE_SLOTS; i++) {
		struct trace *t = &h->traces[i];
		if (!map_has(map, i))
			continue;
		memcpy(&t->value, at, sizeof(t->value));
		at = get_use(at + sizeof(t->value), b, &t->last_min, &t->uses, &t->imported);
	}
	return at;
}

/* --- hours and sessions --- */

static bool session_is(const struct session_slot *s)
{
	return s->id != 0 || s->network != 0 || s->last_min != 0;
}

static uint8_t *pack_rest(uint8_t *at, const struct past *p, const struct bases *b)
{
	uint8_t *flags = at++, *map = at;
	unsigned n = 0;

	*flags = 0;
	for (unsigned i = 0; i < PROFILE_HOURS; i++)
		n += p->profile.hours[i] != 0;
	if (n >= HOURS_SPARSE_MAX) {
		*flags = HOURS_ALL;
		memcpy(at, p->profile.hours, PROFILE_HOURS);
		at += PROFILE_HOURS;
	} else {
		memset(map, 0, HOURS_MAP_SIZE);
		at += HOURS_MAP_SIZE;
		for (unsigned i = 0; i < PROFILE_HOURS; i++) {
			if (p->profile.hours[i] == 0)
				continue;
			map_set(map, i);
			*at++ = p->profile.hours[i];
		}
	}
	for (unsigned i = 0; i < SESSION_SLOTS; i++) {
		const struct session_slot *s = &p->history.sessions[i];
		if (!session_is(s))
			continue;
		map_set(flags, i);
		memcpy(at, &s->id, sizeof(s->id));
		memcpy(at + sizeof(s->id), &s->network, sizeof(s->network));
		at = put_var(at + sizeof(s->id) + sizeof(s->network), (uint32_t)b->minute - s->last_min);
	}
	return at;
}

static const uint8_t *unpack_rest(const uint8_t *at, struct past *p, const struct bases *b)
{
	const uint8_t *flags = at++, *map = at;

	if (*flags & HOURS_ALL) {
		memcpy(p->profile.hours, at, PROFILE_HOURS);
		at += PROFILE_HOURS;
	} else {
		at += HOURS_MAP_SIZE;
		for (unsigned i = 0; i < PROFILE_HOURS; i++)
			if (map_has(map, i))
				p->profile.hours[i] = *at++;
	}
	for (unsigned i = 0; i < SESSION_SLOTS; i++) {
		struct session_slot *s = &p->history.sessions[i];
		uint64_t ago;
		if (!map_has(flags, i))
			continue;
		memcpy(&s->id, at, sizeof(s->id));
		memcpy(&s->network, at + sizeof(s->id), sizeof(s->network));
		at = get_var(at + sizeof(s->id) + sizeof(s->network), &ago);
		s->last_min = (uint32_t)b->minute - (uint32_t)ago;
	}
	return at;
}

/* --- the whole --- */

size_t past_pack(const struct past *p, uint8_t ret[PAST_PACKED_MAX])
{
	static const uint8_t nothing[sizeof(*p)];
	const struct bases b = bases_of(p);

	if (memcmp((const uint8_t *)p, nothing, sizeof(nothing)) == 0)
		return 0;
	uint8_t *at = pack_numbers(ret, p, &b);
	at = pack_slots(at, &p->profile, &b);
	at = pack_traces(at, &p->history, &b);
	at = pack_rest(at, p, &b);
	assert(at <= ret + PAST_PACKED_MAX);
	return (size_t)(at - ret);
}

void past_unpack(struct past *ret, const uint8_t *bytes, size_t len)
{
	const uint8_t *at = bytes;
	struct bases b;

	memset(ret, 0, sizeof(*ret));
	if (len == 0)
		return;
	at = unpack_numbers(at, ret, &b);
	at = unpack_slots(at, &ret->profile, &b);
	at = unpack_traces(at, &ret->history, &b);
	at = unpack_rest(at, ret, &b);
	assert(at == bytes + len);
}
