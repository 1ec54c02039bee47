/* What a request shows of each feature of a profile. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <sodium.h>
#include <string.h>

#include "node/decide/codec.h"
#include "node/decide/profile.h"

#define ADDRESS_SIZE   16
#define V4_PREFIX      (12 + 3) /* /24, the usual allocation to one site. */
#define V6_PREFIX      6        /* /48, the same for IPv6 (RFC 6177). */
#define VALUE_SIZE_MAX (2 * REQUEST_STR_SIZE_MAX + 2)

uint64_t observed_value(uint8_t tag, const void *bytes, size_t len)
{
	uint8_t in[1 + VALUE_SIZE_MAX], out[crypto_generichash_BYTES_MIN];
	uint64_t v;

	in[0] = tag;
	memcpy(in + 1, bytes, len);
	crypto_generichash(out, sizeof(out), in, 1 + len, NULL, 0);
	v = get_u64be(out);
	return v != 0 ? v : 1;
}

/* Dotted decimal of exactly four numbers (RFC 3986 IPv4address): our own, for libraries differ in what they take. */
static bool parse_v4(const char *s, size_t len, uint8_t ret[4])
{
	const char *end = s + len;

	for (unsigned i = 0; i < 4; i++) {
		unsigned v = 0, digits = 0;
		for (; s < end && *s >= '0' && *s <= '9' && digits < 3; s++, digits++)
			v = v * 10 + (unsigned)(*s - '0');
		if (digits == 0 || v > 255 || (i < 3 && (s == end || *s++ != '.')))
			return false;
		ret[i] = (uint8_t)v;
	}
	return s == end;
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

/* One group of hexadecimal digits; returns how many characters it has, 0 if none. */
static size_t parse_group(const char *s, const char *end, uint8_t ret[2])
{
	unsigned v = 0;
	size_t n = 0;

	for (; n < 4 && s + n < end && hex_digit(s[n]) >= 0; n++)
		v = v << 4 | (unsigned)hex_digit(s[n]);
	put_u16be(ret, (uint16_t)v);
	return n;
}

/* RFC 4291 2.2, without zones. */
static bool parse_v6(const char *s, size_t len, uint8_t ret[ADDRESS_SIZE])
{
	const char *end = s + len;
	uint8_t a[ADDRESS_SIZE] = {0};
	size_t n = 0, gap = SIZE_MAX;

	if (len >= 2 && s[0] == ':' && s[1] == ':') {
		gap = 0;
		s += 2;
	}
	while (s < end && n < ADDRESS_SIZE) {
		if (n <= ADDRESS_SIZE - 4 && parse_v4(s, (size_t)(end - s), a + n)) {
			n += 4;
			s = end;
			break;
		}
		size_t digits = parse_group(s, end, a + n);
		if (digits == 0)
			return false;
		n += 2;
		s += digits;
		if (s == end)
			break;
		if (*s++ != ':' || s == end)
			return false;
		if (*s == ':') {
			if (gap != SIZE_MAX)
				return false;
			gap = n;
			s++;
		}
	}
	if (s != end || (gap == SIZE_MAX ? n != ADDRESS_SIZE : n > ADDRESS_SIZE - 2))
		return false;
	memset(ret, 0, ADDRESS_SIZE);
	if (gap == SIZE_MAX)
		gap = n;
	memcpy(ret, a, gap);
	memcpy(ret + ADDRESS_SIZE - (n - gap), a + gap, n - gap);
	return true;
}

static void observe_address(struct observation *o, struct text ip)
{
	static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff}; /* ::ffff:0:0/96 */
	uint8_t a[ADDRESS_SIZE] = {0};

	if (parse_v4(ip.s, ip.len, a + 12)) {
		memcpy(a, mapped, sizeof(mapped));
	} else if (!parse_v6(ip.s, ip.len, a)) {
		o->value[FEATURE_ADDRESS] = observed_value(FEATURE_ADDRESS, ip.s, ip.len);
		o->value[FEATURE_NETWORK] =
		        observed_value(FEATURE_NETWORK, ip.s, ip.len); /* No address: its own network. */
		return;
	}
	o->value[FEATURE_ADDRESS] = observed_value(FEATURE_ADDRESS, a, sizeof(a));
	bool v4 = memcmp(a, mapped, sizeof(mapped)) == 0;
	o->value[FEATURE_NETWORK] = observed_value(FEATURE_NETWORK, a, v4 ? V4_PREFIX : V6_PREFIX);
}

static void observe_actor(struct observation *o, const struct request *r)
{
	uint8_t both[VALUE_SIZE_MAX];

	memcpy(both, r->actor_type.s, r->actor_type.len);
	both[r->actor_type.len] = 0; /* No text holds NUL: the pair cannot be cut elsewhere. */
	memcpy(both + r->actor_type.len + 1, r->actor_id.s, r->actor_id.len);
	o->value[FEATURE_ACTOR] = observed_value(FEATURE_ACTOR, both, r->actor_type.len + 1 + r->actor_id.len);
}

void observe(struct observation *ret, const struct request *r)
{
	static const struct {
		struct text name;
		enum feature feature;
	} known[] = {{{"device", 6}, FEATURE_DEVICE},
	             {{"user_agent", 10}, FEATURE_AGENT},
	             {{"country", 7}, FEATURE_COUNTRY},
	             {{"region", 6}, FEATURE_REGION}};

	memset(ret, 0, sizeof(*ret));
	for (unsigned i = 0; i < r->n_context; i++) {
		const struct named_value *v = &r->context[i];
		if (v->type != VALUE_STR || v->str.len == 0)
			continue;
		if (text_is(v->name, "ip"))
			observe_address(ret, v->str);
		for (unsigned k = 0; k < sizeof(known) / sizeof(known[0]); k++)
			if (v->name.len == known[k].name.len && memcmp(v->name.s, known[k].name.s, v->name.len) == 0)
				ret->value[known[k].feature] =
				        observed_value((uint8_t)known[k].feature, v->str.s, v->str.len);
	}
	if (r->actor_id.len > 0)
		observe_actor(ret, r);
	ret->value[FEATURE_ACTION] = observed_value(FEATURE_ACTION, r->action.s, r->action.len);
}
