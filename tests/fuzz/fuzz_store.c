/* Fuzzing: a store's file as the scrubber reads it, page by page, whatever is in it. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <string.h>

#include "ledger/errors.h"
#include "ledger/scrub.h"
#include "tests/fuzz/fuzz.h"

struct bytes {
	const uint8_t *bytes;
	size_t len;
};

static int source_read(void *ctx, uint64_t offset, void *buf, size_t len)
{
	const struct bytes *b = ctx;

	if (offset > b->len || len > b->len - offset)
		return CS_ERR_NOT_FOUND;
	memcpy(buf, b->bytes + offset, len);
	return CS_OK;
}

static void found(void *ctx, const struct scrub_find *f)
{
	char text[128];

	(void)ctx;
	scrub_find_text(f, text, sizeof text);
	FUZZ_DEMAND(f->what != SCRUB_NOTHING && strlen(text) > 0);
}

void fuzz_store(const uint8_t *bytes, size_t len)
{
	struct bytes b = {bytes, len};
	const struct pages_source source = {.read = source_read, .ctx = &b};
	static struct scrub s;

	memset(&s, 0, sizeof s);
	s.found = found;
	if (scrub_begin(&s, &source, 0, NULL) == 0 && s.head.size < 1 << 16)
		scrub_all(&s);
	scrub_end(&s);
}
