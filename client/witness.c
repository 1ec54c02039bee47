/* Witnesses: what they are offered and bring, and how a proof under their cosignatures is asked for. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <stdlib.h>
#include <string.h>

#include "client/client_internal.h"
#include "ledger/errors.h"

#define HEAD_MAX 64 /* Of a request, before the note in it. */

int prove_body(cs_client *c, uint64_t index, uint64_t wait_ms, bool whole, const uint64_t *fields, void *buf,
               size_t cap, size_t *ret_len)
{
	uint32_t ids[WIRE_WITNESSES_MAX];
	unsigned n = 0, need = c->skip_proof ? 0 : trust_needs(&c->trust, c->cluster.origin, whole, ids, &n);
	struct writer w;

	writer_init(&w, buf, cap);
	writer_array(&w, (need > 0 ? 4u : 2u) + (fields != NULL));
	writer_uint(&w, index);
	writer_uint(&w, wait_ms);
	if (need > 0) {
		writer_uint(&w, need);
		writer_array(&w, n);
		for (unsigned i = 0; i < n; i++)
			writer_uint(&w, ids[i]);
	}
	if (fields != NULL)
		writer_uint(&w, *fields);
	return writer_end(&w, ret_len);
}

struct offer {
	char *note;
	uint64_t kept;
};

static int offer_convert(struct call *call, const struct wire_reply *reply, nng_msg *msg, void **ret_result, char *text)
{
	struct offer *o = calloc(1, sizeof(*o));
	const char *note = NULL;
	struct reader r;
	size_t len = 0;

	(void)call;
	(void)text;
	reader_init(&r, reply->body, reply->body_len);
	reader_array_exact(&r, 2);
	if (!reader_nil(&r))
		reader_str(&r, LIMIT_NOTE_SIZE_MAX, &note, &len);
	if (o != NULL)
		reader_uint(&r, UINT64_MAX, &o->kept);
	int err = o == NULL ? CS_ERR_NOMEM : reader_end(&r);
	if (err == CS_OK && note != NULL && (o->note = strndup(note, len)) == NULL)
		err = CS_ERR_NOMEM;
	nng_msg_free(msg);
	if (err < 0)
		free(o);
	else
		*ret_result = o;
	return err;
}

int cs_witness(cs_client *client, uint64_t node_id, uint64_t after, unsigned wait_ms, const char *cosigned,
               char **ret_note, uint64_t *ret_kept)
{
	struct call *call;
	struct writer w;
	size_t len;
	void *result;
	int pinned;

	if (wait_ms > WIRE_DEADLINE_MS_MAX)
		wait_ms = WIRE_DEADLINE_MS_MAX;
	int err = node_pin(client, node_id, &pinned);
	if (err == CS_OK)
		err = call_new(client, WIRE_WITNESS, HEAD_MAX + LIMIT_NOTE_SIZE_MAX, &call);
	if (err < 0)
		return err;
	writer_init(&w, call->body, call->body_cap);
	writer_array(&w, 3);
	writer_uint(&w, after);
	writer_uint(&w, wait_ms);
	if (cosigned != NULL)
		writer_cstr(&w, cosigned);
	else
		writer_nil(&w);
	err = writer_end(&w, &len);
	if (err < 0) {
		call_drop(call);
		return err;
	}
	call->pinned = pinned;
	call->wait_ms = wait_ms;
	err = call_wait(call, len, offer_convert, &result);
	if (err < 0)
		return err;
	struct offer *o = result;
	*ret_note = o->note;
	*ret_kept = o->kept;
	free(o);
	return CS_OK;
}
