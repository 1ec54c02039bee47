/* How far the scrubber is, on the wire. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <assert.h>
#include <string.h>

#include "ledger/errors.h"
#include "node/wire/messages.h"

/* In the order of struct wire_scrub. */
#define NUMBERS(s)                                                                                                     \
	&(s)->rate, &(s)->running, &(s)->passes, &(s)->asked, &(s)->begun_ms, &(s)->ended_ms, &(s)->took_ms,           \
	        &(s)->done, &(s)->whole, &(s)->found, &(s)->repaired, &(s)->refused
#define FIELDS    13 /* The numbers and the array of texts. */
#define LATER_MAX 64 /* With what later versions may add behind. */

void wire_scrub_write(struct writer *w, const struct wire_scrub *s)
{
	const uint64_t *const numbers[] = {NUMBERS(s)};

	static_assert(sizeof numbers / sizeof *numbers == FIELDS - 1, "one each");
	writer_array(w, FIELDS);
	for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
		writer_uint(w, *numbers[i]);
	writer_array(w, s->n_texts);
	for (unsigned i = 0; i < s->n_texts; i++)
		writer_str(w, s->texts[i], strnlen(s->texts[i], sizeof s->texts[i] - 1));
}

void wire_scrub_read(struct reader *r, struct wire_scrub *ret)
{
	uint64_t *const numbers[] = {NUMBERS(ret)};
	uint32_t n = 0, n_texts = 0;
	const uint8_t *bytes;
	const char *text;
	size_t len;

	reader_array(r, LATER_MAX, &n);
	if (r->err == 0 && n < FIELDS)
		r->err = CS_ERR_MALFORMED;
	for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
		reader_uint(r, UINT64_MAX, numbers[i]);
	reader_array(r, WIRE_SCRUB_TEXTS_MAX, &n_texts);
	for (uint32_t i = 0; i < n_texts && reader_str(r, WIRE_SCRUB_TEXT_SIZE - 1, &text, &len) == 0; i++) {
		memcpy(ret->texts[i], text, len);
		ret->texts[i][len] = 0;
	}
	ret->n_texts = r->err == 0 ? n_texts : 0;
	for (; n > FIELDS && r->err == 0; n--)
		reader_skip(r, &bytes, &len);
}

int wire_scrub_encode(const struct wire_scrub *s, void *buf, size_t cap, size_t *ret_len)
{
	struct writer w;

	writer_init(&w, buf, cap);
	wire_scrub_write(&w, s);
	return writer_end(&w, ret_len);
}

int wire_scrub_decode(struct wire_scrub *ret, const void *bytes, size_t len)
{
	struct wire_scrub s = {0};
	struct reader r;

	reader_init(&r, bytes, len);
	wire_scrub_read(&r, &s);
	int err = reader_end(&r);
	if (!err)
		*ret = s;
	return err;
}
