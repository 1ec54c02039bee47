/* Writes canonical msgpack into a bounded buffer. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "ledger/bytes.h"

#include <msgpack.h>
#include <string.h>

#include "ledger/errors.h"

void writer_init(struct writer *w, void *buf, size_t cap)
{
	*w = (struct writer){.base = buf, .cap = cap};
}

static void fail(struct writer *w, int err)
{
	if (w->err == 0)
		w->err = err;
}

void writer_raw(struct writer *w, const void *b, size_t len)
{
	if (w->err != 0)
		return;
	if (len > w->cap - w->len) {
		fail(w, CS_ERR_TOO_LARGE);
		return;
	}
	if (len > 0)
		memcpy(w->base + w->len, b, len);
	w->len += len;
}

/* msgpack-c's write callback: longer forms are packed by it. */
static int append(void *ctx, const char *bytes, size_t len)
{
	struct writer *w = ctx;

	writer_raw(w, bytes, len);
	return w->err;
}

static msgpack_packer packer_of(struct writer *w)
{
	msgpack_packer pk;

	msgpack_packer_init(&pk, w, append);
	return pk;
}

/* What takes one byte in front is put there at once: nearly all that a decision writes. */
static bool put_head(struct writer *w, uint8_t b)
{
	if (w->err != 0 || w->len == w->cap)
		return false;
	w->base[w->len++] = b;
	return true;
}

void writer_array(struct writer *w, uint32_t n)
{
	if (n <= 0x0f && put_head(w, (uint8_t)(0x90 | n)))
		return;
	msgpack_packer pk = packer_of(w);

	msgpack_pack_array(&pk, n);
}

void writer_uint(struct writer *w, uint64_t v)
{
	if (v <= 0x7f && put_head(w, (uint8_t)v))
		return;
	msgpack_packer pk = packer_of(w);

	msgpack_pack_uint64(&pk, v);
}

void writer_int(struct writer *w, int64_t v)
{
	if (v >= -32 && v <= 0x7f && put_head(w, (uint8_t)v))
		return;
	msgpack_packer pk = packer_of(w);

	msgpack_pack_int64(&pk, v);
}

void writer_bool(struct writer *w, bool v)
{
	msgpack_packer pk = packer_of(w);

	if (v)
		msgpack_pack_true(&pk);
	else
		msgpack_pack_false(&pk);
}

void writer_nil(struct writer *w)
{
	msgpack_packer pk = packer_of(w);

	msgpack_pack_nil(&pk);
}

void writer_str(struct writer *w, const char *s, size_t len)
{
	if (len > UINT32_MAX) { /* msgpack specification: str 32 is the longest form. */
		fail(w, CS_ERR_TOO_LARGE);
		return;
	}
	if (!utf8_valid(s, len)) {
		fail(w, CS_ERR_MALFORMED);
		return;
	}
	if (len > 0x1f || !put_head(w, (uint8_t)(0xa0 | len))) {
		msgpack_packer pk = packer_of(w);
		msgpack_pack_str(&pk, len);
	}
	writer_raw(w, s, len);
}

void writer_cstr(struct writer *w, const char *s)
{
	writer_str(w, s, strlen(s));
}

void writer_bin(struct writer *w, const void *b, size_t len)
{
	if (len > UINT32_MAX) { /* msgpack specification: bin 32 is the longest form. */
		fail(w, CS_ERR_TOO_LARGE);
		return;
	}
	if (w->cap - w->len > 2 && len <= UINT8_MAX && put_head(w, 0xc4)) {
		put_head(w, (uint8_t)len);
	} else {
		msgpack_packer pk = packer_of(w);
		msgpack_pack_bin(&pk, len);
	}
	writer_raw(w, b, len);
}

int writer_end(const struct writer *w, size_t *ret_len)
{
	if (w->err == 0)
		*ret_len = w->len;
	return w->err;
}
