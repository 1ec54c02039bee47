/* A node's store as a restored ledger begins with it: entry 0, and the state behind it. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "client/tool/backup/restorestore.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "ledger/errors.h"
#include "ledger/store.h"
#include "node/decide/state_carry.h"

struct restorestore {
	struct store_entry genesis;
	uint8_t no_fields;
	struct store_record *records;
	size_t n, cap;
};

static int take(void *ctx, const void *key, size_t key_len, const void *value, size_t value_len)
{
	struct restorestore *r = ctx;
	uint8_t *bytes;

	if (!value)
		return 0;
	if (r->n == r->cap) {
		size_t cap = r->cap ? 2 * r->cap : 1024;
		struct store_record *more = realloc(r->records, cap * sizeof *more);

		if (!more)
			return CS_ERR_NOMEM;
		r->records = more;
		r->cap = cap;
	}
	bytes = malloc(key_len + value_len);
	if (!bytes)
		return CS_ERR_NOMEM;
	memcpy(bytes, key, key_len);
	memcpy(bytes + key_len, value, value_len);
	r->records[r->n++] = (struct store_record){
	        .key = bytes, .key_len = (uint32_t)key_len, .value = bytes + key_len, .value_len = (uint32_t)value_len};
	return 0;
}

int restorestore_new(struct state *s, const uint8_t *leaf, size_t leaf_len, const struct hash *leaf_hash,
                     struct restorestore **ret)
{
	struct restorestore *r = calloc(1, sizeof *r);
	int err = CS_ERR_NOMEM;

	if (r) {
		r->no_fields = 0x90; /* [] */
		r->genesis = (struct store_entry){.leaf = leaf,
		                                  .leaf_len = (uint32_t)leaf_len,
		                                  .body = &r->no_fields,
		                                  .body_len = 1,
		                                  .leaf_hash = *leaf_hash};
		err = state_take_dirty(s, take, r);
	}
	if (err) {
		restorestore_free(r);
		return err;
	}
	*ret = r;
	return 0;
}

void restorestore_free(struct restorestore *r)
{
	if (!r)
		return;
	for (size_t i = 0; i < r->n; i++) {
		sodium_memzero((void *)(uintptr_t)r->records[i].value, r->records[i].value_len);
		free((void *)(uintptr_t)r->records[i].key);
	}
	free(r->records);
	free(r);
}

int restorestore_write(const struct restorestore *r, const char *folder)
{
	struct store_options o = {.create = true};
	struct store *s;
	int err = store_open(folder, &o, &s);

	if (err)
		return err;
	err = store_begin(s);
	if (!err) {
		store_append(s, 0, &r->genesis, 1);
		store_applied(s, RESTORED_INDEX, RESTORED_TERM);
		err = store_commit(s);
	}
	if (!err)
		err = store_replace_state(s, r->records, r->n, RESTORED_INDEX, RESTORED_TERM);
	if (!err)
		err = store_sync(s);
	store_close(s);
	return err;
}
