/* What a node says of the members' keys, read within its bounds. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "client/client_internal.h"
#include "ledger/bytes.h"
#include "ledger/errors.h"
#include "node/decide/keys.h"

int keys_reply_read(struct keys_reply *ret, const uint8_t *body, size_t len)
{
	struct keys_reply k = {0};
	struct reader r;
	uint32_t n = 0;

	reader_init(&r, body, len);
	reader_array_exact(&r, 5);
	reader_uint(&r, UINT64_MAX, &k.node);
	reader_uint(&r, UINT64_MAX, &k.size);
	reader_array(&r, KEYS_REPLY_MAX, &n);
	for (uint32_t i = 0; i < n && r.err == 0; i++) {
		struct key_told *t = &k.keys[k.n++];
		uint64_t place = 0;
		reader_array_exact(&r, 6);
		reader_uint(&r, NODE_ID_MAX, &t->node);
		reader_uint(&r, KEY_PLACE_NODE, &place);
		reader_bin_exact(&r, t->pub, 32);
		reader_uint(&r, UINT64_MAX, &t->index);
		t->has_before = !reader_nil(&r);
		if (t->has_before)
			reader_bin_exact(&r, t->before, 32);
		reader_uint(&r, UINT64_MAX, &t->until);
		t->place = (unsigned)place;
	}
	reader_bool(&r, &k.log_signs);
	reader_bool(&r, &k.cosigner_signs);
	int err = reader_end(&r);
	if (err == CS_OK)
		*ret = k;
	return err;
}
