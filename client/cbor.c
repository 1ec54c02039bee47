/* CBOR of definite lengths, passed over or taken apart. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "client/cbor.h"

#include <string.h>

#define DEPTH_MAX   8
#define MEMBERS_MAX 32
#define AAGUID_END  53 /* rpIdHash 32, flags 1, counter 4, AAGUID 16: then the credential id's length. */
#define FLAG_AT     0x40

enum major { MAJOR_UINT, MAJOR_NEGATIVE, MAJOR_BYTES, MAJOR_TEXT, MAJOR_ARRAY, MAJOR_MAP, MAJOR_TAG, MAJOR_OTHER };

struct cbor {
	const uint8_t *pos, *end;
};

static bool head(struct cbor *c, enum major *ret, uint64_t *ret_value)
{
	if (c->pos == c->end)
		return false;
	unsigned first = *c->pos++, more = first & 31;
	size_t n = more < 24 ? 0 : more > 27 ? SIZE_MAX : (size_t)1 << (more - 24);
	uint64_t v = more;

	if (n > (size_t)(c->end - c->pos))
		return false; /* Cut off, or of indefinite length. */
	for (size_t i = 0; i < n; i++)
		v = (i == 0 ? 0 : v << 8) | *c->pos++;
	*ret = (enum major)(first >> 5);
	*ret_value = v;
	return true;
}

static bool take(struct cbor *c, uint64_t len, const uint8_t **ret)
{
	if (len > (uint64_t)(c->end - c->pos))
		return false;
	*ret = c->pos;
	c->pos += len;
	return true;
}

static bool skip(struct cbor *c, unsigned depth)
{
	enum major m;
	uint64_t v;
	const uint8_t *bytes;

	if (depth == DEPTH_MAX || !head(c, &m, &v))
		return false;
	if (m == MAJOR_BYTES || m == MAJOR_TEXT)
		return take(c, v, &bytes);
	if (m == MAJOR_TAG)
		return skip(c, depth + 1);
	if (m != MAJOR_ARRAY && m != MAJOR_MAP)
		return true;
	if (v > MEMBERS_MAX)
		return false;
	for (uint64_t i = 0; i < (m == MAJOR_MAP ? 2 * v : v); i++)
		if (!skip(c, depth + 1))
			return false;
	return true;
}

static bool member(struct cbor *c, struct attestation_object *ret)
{
	const uint8_t *key, *start;
	enum major m;
	uint64_t n, v;

	if (!head(c, &m, &n) || m != MAJOR_TEXT || !take(c, n, &key))
		return false;
	if (n == 7 && memcmp(key, "attStmt", 7) == 0) {
		start = c->pos;
		ret->statement = start;
		if (!skip(c, 0))
			return false;
		ret->statement_len = (size_t)(c->pos - start);
		return true;
	}
	if (!head(c, &m, &v) || (m != MAJOR_TEXT && m != MAJOR_BYTES) || !take(c, v, &start))
		return false;
	if (n == 3 && memcmp(key, "fmt", 3) == 0 && m == MAJOR_TEXT) {
		ret->format = (const char *)start;
		ret->format_len = (size_t)v;
	} else if (n == 8 && memcmp(key, "authData", 8) == 0 && m == MAJOR_BYTES) {
		ret->auth_data = start;
		ret->auth_data_len = (size_t)v;
	} else {
		return false;
	}
	return true;
}

bool attestation_object_read(struct attestation_object *ret, const uint8_t *bytes, size_t len)
{
	struct cbor c = {bytes, bytes + len};
	enum major m;
	uint64_t n;

	memset(ret, 0, sizeof(*ret));
	if (len == 0 || !head(&c, &m, &n) || m != MAJOR_MAP || n != 3)
		return false;
	for (unsigned i = 0; i < 3; i++)
		if (!member(&c, ret))
			return false;
	return c.pos == c.end && ret->format != NULL && ret->statement != NULL && ret->auth_data != NULL;
}

bool auth_data_algorithm(const uint8_t *bytes, size_t len, int64_t *ret)
{
	struct cbor c;
	enum major m;
	uint64_t n, key, value;

	if (len < AAGUID_END + 2 || !(bytes[32] & FLAG_AT))
		return false;
	size_t id_len = (size_t)bytes[AAGUID_END] << 8 | bytes[AAGUID_END + 1];
	if (id_len > len - AAGUID_END - 2)
		return false;
	c = (struct cbor){bytes + AAGUID_END + 2 + id_len, bytes + len};
	if (!head(&c, &m, &n) || m != MAJOR_MAP || n > MEMBERS_MAX)
		return false;
	for (uint64_t i = 0; i < n; i++) {
		if (!head(&c, &m, &key) || (m != MAJOR_UINT && m != MAJOR_NEGATIVE))
			return false;
		if (m != MAJOR_UINT || key != 3) {
			if (!skip(&c, 0))
				return false;
			continue;
		}
		if (!head(&c, &m, &value) || value > INT16_MAX || (m != MAJOR_UINT && m != MAJOR_NEGATIVE))
			return false;
		*ret = m == MAJOR_UINT ? (int64_t)value : -1 - (int64_t)value;
		return true;
	}
	return false;
}
