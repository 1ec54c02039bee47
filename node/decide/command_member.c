/* Orders about members and features, and what a leader says of its build. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <string.h>

#include "ledger/errors.h"
#include "node/decide/codec.h"
#include "node/decide/command.h"
#include "node/decide/feature.h"
#include "node/decide/roster.h"

/* --- members --- */

#define MEMBER_ELEMENTS 10

static void member_order_write(struct writer *w, const struct member_order *m)
{
	writer_uint(w, m->action);
	writer_uint(w, m->id);
	writer_uint(w, m->role);
	codec_write_text(w, m->url);
	codec_write_text(w, m->link);
	codec_write_key_or_nil(w, m->log_pub);
	codec_write_key_or_nil(w, m->cosigner_pub);
	codec_write_key_or_nil(w, m->channel_pub);
	writer_bool(w, m->lost);
}

int member_order_encode_signed(const struct member_order *m, void *buf, size_t cap, size_t *ret_len)
{
	struct writer w;

	writer_init(&w, buf, cap);
	member_order_write(&w, m);
	return writer_end(&w, ret_len);
}

int member_order_encode(const struct member_order *m, void *buf, size_t cap, size_t *ret_len)
{
	struct writer w;

	writer_init(&w, buf, cap);
	writer_array(&w, MEMBER_ELEMENTS);
	member_order_write(&w, m);
	admin_signature_write(&w, &m->admin);
	return writer_end(&w, ret_len);
}

/* Each action has what it needs and nothing else, so that a signature means one thing. */
static bool member_order_shaped(const struct member_order *m)
{
	bool keys = m->log_pub != NULL && m->cosigner_pub != NULL && m->channel_pub != NULL;
	bool no_keys = m->log_pub == NULL && m->cosigner_pub == NULL && m->channel_pub == NULL;
	bool places = m->url.len > 0 && m->link.len > 0, no_places = m->url.len == 0 && m->link.len == 0;

	switch (m->action) {
	case MEMBER_ADD:
		return keys && places && m->role == ROSTER_SPARE && !m->lost;
	case MEMBER_ROLE:
		return no_keys && no_places && (m->role == ROSTER_VOTER || m->role == ROSTER_SPARE);
	case MEMBER_REMOVE:
		return no_keys && no_places && m->role == ROSTER_REMOVED;
	case MEMBER_ADDRESS:
		return no_keys && places && m->role == ROSTER_REMOVED && !m->lost;
	default:
		return false;
	}
}

int member_order_decode(struct member_order *ret, const void *bytes, size_t len)
{
	struct member_order m = {0};
	struct reader r;
	uint64_t action = 0, role = 0;
	int err;

	reader_init(&r, bytes, len);
	reader_array_exact(&r, MEMBER_ELEMENTS);
	const uint8_t *start = r.pos;
	reader_uint(&r, UINT8_MAX, &action);
	reader_uint(&r, NODE_ID_MAX, &m.id);
	reader_uint(&r, UINT8_MAX, &role);
	codec_text(&r, 0, NODE_URL_SIZE_MAX, &m.url);
	codec_text(&r, 0, NODE_URL_SIZE_MAX, &m.link);
	codec_fixed_or_nil(&r, CODEC_KEY_SIZE, &m.log_pub);
	codec_fixed_or_nil(&r, CODEC_KEY_SIZE, &m.cosigner_pub);
	codec_fixed_or_nil(&r, CODEC_KEY_SIZE, &m.channel_pub);
	reader_bool(&r, &m.lost);
	err = codec_signed_end(&r, start, &m.signed_elements, &m.signed_len, &m.admin);
	if (err != 0)
		return err;
	m.action = (unsigned)action;
	m.role = (unsigned)role;
	if (m.id == 0 || !member_order_shaped(&m))
		return CS_ERR_MALFORMED;
	*ret = m;
	return 0;
}

/* --- features --- */

int feature_order_encode_signed(const struct feature_order *o, void *buf, size_t cap, size_t *ret_len)
{
	struct writer w;

	writer_init(&w, buf, cap);
	codec_write_text(&w, o->name);
	return writer_end(&w, ret_len);
}

int feature_order_encode(const struct feature_order *o, void *buf, size_t cap, size_t *ret_len)
{
	struct writer w;

	writer_init(&w, buf, cap);
	writer_array(&w, 2);
	codec_write_text(&w, o->name);
	admin_signature_write(&w, &o->admin);
	return writer_end(&w, ret_len);
}

int feature_order_decode(struct feature_order *ret, const void *bytes, size_t len)
{
	struct feature_order o = {0};
	struct reader r;
	int err;

	reader_init(&r, bytes, len);
	reader_array_exact(&r, 2);
	const uint8_t *start = r.pos;
	codec_text(&r, 1, FEATURE_NAME_SIZE_MAX, &o.name);
	err = codec_signed_end(&r, start, &o.signed_elements, &o.signed_len, &o.admin);
	if (err != 0)
		return err;
	if (!feature_name_valid(o.name))
		return CS_ERR_MALFORMED;
	*ret = o;
	return 0;
}

int build_encode(const struct build *b, void *buf, size_t cap, size_t *ret_len)
{
	struct writer w;

	writer_init(&w, buf, cap);
	writer_array(&w, 2);
	writer_uint(&w, b->node);
	codec_write_text(&w, b->version);
	return writer_end(&w, ret_len);
}

int build_decode(struct build *ret, const void *bytes, size_t len)
{
	struct build b = {0};
	struct reader r;

	reader_init(&r, bytes, len);
	reader_array_exact(&r, 2);
	reader_uint(&r, NODE_ID_MAX, &b.node);
	codec_text(&r, 1, FEATURE_BUILD_SIZE_MAX, &b.version);
	if (reader_end(&r) != 0)
		return r.err;
	if (b.node == 0 || !feature_build_valid(b.version))
		return CS_ERR_MALFORMED;
	*ret = b;
	return 0;
}
