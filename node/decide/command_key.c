/* The order that puts a new key in an old one's place, read and written. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "ledger/errors.h"
#include "node/decide/codec.h"
#include "node/decide/keys.h"

#define ORDER_ELEMENTS 6
#define KEY_SIZE       32

const char *key_place_text(unsigned place)
{
	static const char *const texts[] = {
#define KEY_PLACE_TEXT(name, number, text) [number] = text,
	        KEY_PLACES(KEY_PLACE_TEXT)
#undef KEY_PLACE_TEXT
	};

	return place >= 1 && place <= KEY_PLACE_MAX ? texts[place] : "unknown";
}

static void order_write(struct writer *w, const struct key_order *o)
{
	writer_uint(w, o->place);
	writer_uint(w, o->node);
	codec_write_text(w, o->name);
	writer_bin(w, o->pub, KEY_SIZE);
	writer_uint(w, o->overlap);
}

int key_order_encode_signed(const struct key_order *o, void *buf, size_t cap, size_t *ret_len)
{
	struct writer w;

	writer_init(&w, buf, cap);
	order_write(&w, o);
	return writer_end(&w, ret_len);
}

int key_order_encode(const struct key_order *o, void *buf, size_t cap, size_t *ret_len)
{
	struct writer w;

	writer_init(&w, buf, cap);
	writer_array(&w, ORDER_ELEMENTS);
	order_write(&w, o);
	admin_signature_write(&w, &o->admin);
	return writer_end(&w, ret_len);
}

int key_order_decode(struct key_order *ret, const void *bytes, size_t len)
{
	struct key_order o = {0};
	struct reader r;
	uint64_t place = 0;

	reader_init(&r, bytes, len);
	reader_array_exact(&r, ORDER_ELEMENTS);
	const uint8_t *start = r.pos;
	reader_uint(&r, KEY_PLACE_MAX, &place);
	reader_uint(&r, NODE_ID_MAX, &o.node);
	codec_text(&r, 0, PRINCIPAL_NAME_SIZE_MAX, &o.name);
	codec_fixed(&r, KEY_SIZE, &o.pub);
	reader_uint(&r, KEY_OVERLAP_MAX, &o.overlap);
	int err = codec_signed_end(&r, start, &o.signed_elements, &o.signed_len, &o.admin);
	if (err != 0)
		return err;
	o.place = (unsigned)place;
	/* A node by its number, anybody else by name: a signature means one thing. */
	bool node = place >= KEY_PLACE_LOG && place <= KEY_PLACE_NODE;
	if (place == 0 || (o.node != 0) != node || (o.name.len > 0) == node)
		return CS_ERR_MALFORMED;
	*ret = o;
	return 0;
}
