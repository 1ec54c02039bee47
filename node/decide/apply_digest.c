/* State digests: what leader and followers have found the state to be becomes an entry, from which replay resumes. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <string.h>

#include "ledger/errors.h"
#include "node/decide/apply.h"
#include "node/decide/codec.h"

int state_digest_encode(const struct state_digest *d, void *buf, size_t cap, size_t *ret_len)
{
	struct writer w;

	writer_init(&w, buf, cap);
	writer_array(&w, 2);
	writer_uint(&w, d->size);
	writer_bin(&w, d->digest.b, HASH_SIZE);
	return writer_end(&w, ret_len);
}

int state_digest_decode(struct state_digest *ret, const void *bytes, size_t len)
{
	struct state_digest d = {0};
	struct reader r;

	reader_init(&r, bytes, len);
	reader_array_exact(&r, 2);
	reader_uint(&r, STATE_INDEX_MAX, &d.size);
	reader_bin_exact(&r, d.digest.b, HASH_SIZE);
	int err = reader_end(&r);
	if (err == 0)
		*ret = d;
	return err;
}

uint64_t state_digested(const struct state *s)
{
	return s->digested.size;
}

/*
 * The digest is the leader's word: replicas do not sum their states up here, for that takes as long as the state is
 * large. Each has its own, made by its writer, and stops where it differs (node/core/digest.c).
 */
int apply_state_digest(struct apply *a)
{
	struct state *s = a->s;
	struct state_digest d;
	int err = state_digest_decode(&d, a->c->payload, a->c->payload_len);

	if (err != 0)
		return refuse(&a->why, err, "the state digest: %s", err_text(err));
	if (!state_feature(s, FEATURE_RECORDS))
		return refuse(&a->why, CS_ERR_INVALID, "the state digest: the feature %s is not on",
		              feature_name(FEATURE_RECORDS));
	if (d.size > s->head.size)
		return refuse(&a->why, CS_ERR_INVALID, "the state digest: the ledger has not come so far");
	if (d.size <= s->digested.size)
		return refuse(&a->why, CS_ERR_EXISTS, "the state digest: the ledger has one of as many entries");
	struct writer *w = &entry_start(a, ENTRY_STATE_DIGEST)->public_;
	writer_array(w, 3);
	writer_uint(w, d.size);
	writer_bin(w, d.digest.b, HASH_SIZE);
	if (s->digested.size > 0)
		writer_uint(w, s->digested.index);
	else
		writer_nil(w);
	err = entry_finish(a);
	if (err != 0)
		return err;

	s->digested.size = d.size;
	s->digested.index = s->head.size;
	s->digested_dirty = true;
	entry_commit(a, 0, 0);
	return 0;
}
