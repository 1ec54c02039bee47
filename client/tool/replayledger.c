/* The ledger that is replayed: a node's store, live or a copy, entry by entry. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "client/tool/replayledger.h"

#include <stdlib.h>
#include <string.h>

#include "client/tool/tool.h"
#include "ledger/errors.h"

#define RENEW_ENTRIES 4096 /* An old view keeps pages from being used again. */
#define UNDECIDED     2

int replayledger_open(const char *command, const char *folder, struct replayledger *ret)
{
	struct store_head head;
	int err;

	memset(ret, 0, sizeof *ret);
	err = store_open(folder, &(struct store_options){.read_only = true}, &ret->store);
	if (!err)
		err = store_view_open(ret->store, &ret->view);
	if (err) {
		replayledger_close(ret);
		return tool_fail(UNDECIDED, command, "%s: the store cannot be opened: %s", folder, err_text(err));
	}
	store_view_head(ret->view, &head);
	ret->size = head.size;
	return 0;
}

void replayledger_close(struct replayledger *l)
{
	free(l->digests);
	if (l->view)
		store_view_close(l->view);
	store_close(l->store);
	memset(l, 0, sizeof *l);
}

static int leaf_at(struct replayledger *l, uint64_t index, struct replay_entry *ret)
{
	const void *leaf;
	int err = store_view_entry(l->view, index, &leaf, &ret->leaf_len);

	if (!err)
		err = entry_decode(&ret->e, leaf, ret->leaf_len);
	if (err)
		return err;
	ret->leaf = leaf;
	return ret->e.index == index ? 0 : CS_ERR_REFUTED;
}

int replayledger_go_on(struct replayledger *l)
{
	return ++l->read % RENEW_ENTRIES == 0 ? store_view_renew(l->view) : 0;
}

int replayledger_entry(struct replayledger *l, uint64_t index, struct replay_entry *ret)
{
	const void *body;
	int err = leaf_at(l, index, ret);

	if (err)
		return err;
	hash_leaf(&ret->hash, ret->leaf, ret->leaf_len);
	ret->n_fields = 0;
	err = store_view_body(l->view, index, &body, &ret->body_len);
	ret->erased = err == CS_ERR_ERASED;
	if (ret->erased)
		return 0;
	ret->body = body;
	if (!err && ret->body_len)
		err = body_decode(ret->fields, &ret->n_fields, body, ret->body_len);
	if (!err)
		err = body_check(&ret->e, ret->fields, ret->n_fields);
	ret->erased = ret->n_fields < ret->e.n_fields;
	return err;
}

static int digest_add(struct replayledger *l, const struct replay_entry *e)
{
	struct replay_digest d = {.index = e->e.index};
	struct reader r;

	reader_init(&r, e->e.public_, e->e.public_len);
	reader_array_exact(&r, 3);
	reader_uint(&r, d.index, &d.size);
	reader_bin_exact(&r, d.digest.b, HASH_SIZE);
	if (r.err || (l->n_digests && d.size <= l->digests[l->n_digests - 1].size))
		return CS_ERR_MALFORMED;
	if (l->n_digests == l->cap_digests) {
		size_t cap = l->cap_digests ? 2 * l->cap_digests : 64;
		struct replay_digest *more = realloc(l->digests, cap * sizeof *more);
		if (!more)
			return CS_ERR_NOMEM;
		l->digests = more;
		l->cap_digests = cap;
	}
	l->digests[l->n_digests++] = d;
	return 0;
}

int replayledger_digests(struct replayledger *l, uint64_t to,
                         void (*progress)(void *ctx, uint64_t done, uint64_t total), void *ctx, uint64_t *ret_index)
{
	struct replay_entry *e = malloc(sizeof *e);
	int err = e ? 0 : CS_ERR_NOMEM;

	for (uint64_t i = 0; i < to && !err; i++) {
		*ret_index = i;
		err = replayledger_go_on(l);
		if (!err)
			err = leaf_at(l, i, e);
		if (!err && e->e.kind == ENTRY_STATE_DIGEST)
			err = digest_add(l, e);
		if (i % RENEW_ENTRIES == 0)
			progress(ctx, i, to);
	}
	free(e);
	return err;
}

const struct replay_digest *replayledger_digest_after(const struct replayledger *l, uint64_t size)
{
	size_t low = 0, high = l->n_digests;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (l->digests[middle].size < size)
			low = middle + 1;
		else
			high = middle;
	}
	return low < l->n_digests ? &l->digests[low] : NULL;
}

const struct replay_digest *replayledger_digest(const struct replayledger *l, uint64_t size)
{
	const struct replay_digest *d = replayledger_digest_after(l, size);

	return d && d->size == size ? d : NULL;
}
