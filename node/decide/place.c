/* A place's bytes. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "node/decide/place.h"

#include <string.h>

#include "ledger/errors.h"
#include "node/decide/codec.h"
#include "node/decide/fixed.h"
#include "node/decide/state.h"

#define PLACE_ELEMENTS 6

static void write_uint_or_nil(struct writer *w, uint64_t v)
{
	if (v != 0)
		writer_uint(w, v);
	else
		writer_nil(w);
}

void place_write(struct writer *w, const struct place *p)
{
	writer_array(w, PLACE_ELEMENTS);
	if (p->country[0] != 0)
		writer_str(w, p->country, sizeof(p->country));
	else
		writer_nil(w);
	write_uint_or_nil(w, p->network);
	if (p->has_position) {
		writer_int(w, p->latitude);
		writer_int(w, p->longitude);
	} else {
		writer_nil(w);
		writer_nil(w);
	}
	write_uint_or_nil(w, p->city_built_s);
	write_uint_or_nil(w, p->network_built_s);
}

static void malformed(struct reader *r)
{
	if (r->err == 0)
		r->err = CS_ERR_MALFORMED;
}

static void read_country(struct reader *r, char ret[2])
{
	struct text t = {0};

	if (reader_nil(r))
		return;
	codec_text(r, 2, 2, &t);
	if (r->err != 0)
		return;
	for (unsigned i = 0; i < 2; i++)
		if (t.s[i] < 'A' || t.s[i] > 'Z')
			malformed(r);
	memcpy(ret, t.s, 2);
}

static uint64_t read_uint_or_nil(struct reader *r, uint64_t max)
{
	uint64_t v = 0;

	if (reader_nil(r))
		return 0;
	reader_uint(r, max, &v);
	if (v == 0)
		malformed(r); /* Nil is the one way to say so. */
	return v;
}

static int32_t read_degrees(struct reader *r, int32_t max)
{
	int64_t v = 0;

	reader_int(r, &v);
	if (v < -max || v > max)
		malformed(r);
	return (int32_t)v;
}

void place_read(struct reader *r, struct place *ret)
{
	*ret = (struct place){.looked = true};
	reader_array_exact(r, PLACE_ELEMENTS);
	read_country(r, ret->country);
	ret->network = (uint32_t)read_uint_or_nil(r, UINT32_MAX);
	ret->has_position = !reader_nil(r);
	if (ret->has_position) {
		ret->latitude = read_degrees(r, FIXED_LATITUDE_MAX);
		ret->longitude = read_degrees(r, FIXED_LONGITUDE_MAX);
	} else if (!reader_nil(r)) {
		malformed(r);
	}
	ret->city_built_s = read_uint_or_nil(r, PLACE_TIME_S_MAX);
	ret->network_built_s = read_uint_or_nil(r, PLACE_TIME_S_MAX);
}

int place_facts_decode(struct place *ret, const void *facts, size_t len)
{
	struct place p = {0};
	struct reader r;
	uint32_t n = 0;

	reader_init(&r, facts, len);
	reader_array(&r, 1, &n);
	if (n == 1)
		place_read(&r, &p);
	int err = reader_end(&r);
	if (err == 0)
		*ret = p;
	return err;
}

void place_facts_write(struct writer *w, const struct place *p)
{
	writer_array(w, p != NULL);
	if (p != NULL)
		place_write(w, p);
}

bool place_wanted(const struct state *s, unsigned command_type, const void *payload, size_t len, const char **ret,
                  size_t *ret_len)
{
	struct request q;
	struct import i = {.request = payload, .request_len = len};

	if (!state_feature(s, FEATURE_DECISIONS) || s->policy->version < POLICY_VERSION_2)
		return false;
	if (command_type != COMMAND_DECIDE && (command_type != COMMAND_IMPORT || import_decode(&i, payload, len) != 0))
		return false;
	if (request_decode(&q, i.request, i.request_len) != 0)
		return false;
	const struct named_value *ip = request_context(&q, "ip");
	if (ip == NULL || ip->type != VALUE_STR)
		return false;
	*ret = ip->str.s;
	*ret_len = ip->str.len;
	return true;
}
