/* Reading: pages of entries, proofs as bundles, checkpoints. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "client/client_internal.h"
#include "ledger/bundle.h"
#include "ledger/entry.h"
#include "ledger/errors.h"
#include "ledger/proof.h"
#include "ledger/store.h"

#define PROVE_ROUND_MS 200 /* A node waits so long at a time: the policy may have followed the members by then. */
#define PROVE_PAUSE_MS 20  /* Between two questions that the node answered at once. */

#define BODY_MAX 64

_Static_assert(sizeof(((cs_page *)0)->entries) / sizeof(struct cs_entry) == WIRE_PAGE_ENTRIES_MAX, "a page's entries");

int read_call(cs_client *c, unsigned type, unsigned n, const uint64_t *numbers, struct call **ret, size_t *ret_len)
{
	struct writer w;

	int err = call_new(c, type, BODY_MAX, ret);
	if (err < 0)
		return err;
	writer_init(&w, (*ret)->body, (*ret)->body_cap);
	writer_array(&w, n);
	for (unsigned i = 0; i < n; i++)
		writer_uint(&w, numbers[i]);
	return writer_end(&w, ret_len);
}

/* --- pages --- */

/* [[entry that erased, fields]…]: the last one counts for people, all of the fields for everybody. */
static void erased_read(struct reader *r, struct cs_entry *e)
{
	uint64_t fields = 0;
	uint32_t n = 0;

	reader_array(r, STORE_ERASURES_MAX, &n);
	for (uint32_t i = 0; i < n && r->err == CS_OK; i++) {
		reader_array_exact(r, 2);
		reader_uint(r, UINT64_MAX, &e->erased_by);
		reader_uint(r, UINT64_MAX, &fields);
		e->erased_fields |= fields;
	}
}

static int page_read(struct reader *r, cs_page *page)
{
	uint32_t n;

	reader_array_exact(r, 2);
	reader_uint(r, UINT64_MAX, &page->size);
	if (reader_array(r, WIRE_PAGE_ENTRIES_MAX, &n) < 0)
		return r->err;
	for (uint32_t i = 0; i < n; i++) {
		struct cs_entry *e = &page->entries[i];
		uint32_t parts = 0;
		reader_array(r, 3, &parts);
		reader_bin(r, LIMIT_ENTRY_SIZE_MAX, &e->leaf, &e->leaf_size);
		if (!reader_nil(r))
			reader_bin(r, LIMIT_BODY_SIZE_MAX, &e->body, &e->body_size);
		if (parts == 3)
			erased_read(r, e);
		else if (parts != 2 && r->err == CS_OK)
			r->err = CS_ERR_MALFORMED;
	}
	page->n = n;
	return reader_end(r);
}

static int page_convert(struct call *call, const struct wire_reply *reply, nng_msg *msg, void **ret_result, char *text)
{
	cs_page *page = calloc(1, sizeof(*page));
	struct reader r;

	(void)call;
	(void)text;
	if (page == NULL) {
		nng_msg_free(msg);
		return CS_ERR_NOMEM;
	}
	page->owned = msg;
	reader_init(&r, reply->body, reply->body_len);
	int err = page_read(&r, page);
	if (err < 0)
		cs_page_free(page);
	else
		*ret_result = page;
	return err;
}

/* node_id 0: any. leaves: without bodies. */
static int entries(cs_client *client, uint64_t node_id, uint64_t first, unsigned count, unsigned wait_ms, bool leaves,
                   cs_page **ret)
{
	if (count > WIRE_PAGE_ENTRIES_MAX)
		count = WIRE_PAGE_ENTRIES_MAX;
	if (wait_ms > WIRE_DEADLINE_MS_MAX)
		wait_ms = WIRE_DEADLINE_MS_MAX;
	const uint64_t numbers[] = {first, count, wait_ms, 0};
	struct call *call;
	size_t len;
	void *result;
	int pinned;

	int err = node_pin(client, node_id, &pinned);
	if (err == CS_OK)
		err = read_call(client, WIRE_ENTRIES, leaves ? 4 : 3, numbers, &call, &len);
	if (err < 0)
		return err;
	call->pinned = pinned;
	call->wait_ms = wait_ms;
	err = call_wait(call, len, page_convert, &result);
	if (err == CS_OK)
		*ret = result;
	return err;
}

int cs_entries_of(cs_client *client, uint64_t node_id, uint64_t first, unsigned count, unsigned wait_ms, cs_page **ret)
{
	return entries(client, node_id, first, count, wait_ms, false, ret);
}

int cs_entries(cs_client *client, uint64_t first, unsigned count, unsigned wait_ms, cs_page **ret)
{
	return entries(client, 0, first, count, wait_ms, false, ret);
}

int cs_leaves(cs_client *client, uint64_t first, unsigned count, unsigned wait_ms, cs_page **ret)
{
	int err = entries(client, 0, first, count, wait_ms, true, ret);

	/* A node of an older build, which logs nothing of what is read: the bodies are left aside here. */
	if (err == CS_ERR_MALFORMED)
		err = entries(client, 0, first, count, wait_ms, false, ret);
	for (size_t i = 0; err == CS_OK && i < (*ret)->n; i++) {
		(*ret)->entries[i].body = NULL;
		(*ret)->entries[i].body_size = 0;
	}
	return err;
}

void cs_page_free(cs_page *page)
{
	if (page == NULL)
		return;
	nng_msg_free(page->owned);
	free(page);
}

/* --- proofs --- */

/* [quorum, leaf, body or nil, [hash…], checkpoint] */
int proof_reply_read(const struct wire_reply *reply, struct proof_reply *ret)
{
	struct reader r;
	uint32_t n = 0;

	memset(ret, 0, sizeof(*ret));
	reader_init(&r, reply->body, reply->body_len);
	reader_array_exact(&r, 5);
	reader_bool(&r, &ret->quorum);
	reader_bin(&r, LIMIT_ENTRY_SIZE_MAX, &ret->p.leaf, &ret->p.leaf_len);
	if (!reader_nil(&r))
		reader_bin(&r, LIMIT_BODY_SIZE_MAX, &ret->p.body, &ret->p.body_len);
	reader_array(&r, LIMIT_PROOF_HASHES_MAX, &n);
	for (uint32_t i = 0; i < n; i++)
		reader_bin_exact(&r, ret->p.proof[i].b, HASH_SIZE);
	reader_str(&r, LIMIT_NOTE_SIZE_MAX, &ret->p.checkpoint, &ret->p.checkpoint_len);
	ret->p.n_proof = n;
	return reader_end(&r);
}

/* Nothing is handed out as a proof that the asker's own trust policy would refute. */
static int proof_check(struct call *call, struct proof_reply *pr, char *text)
{
	struct hash root, leaf;
	struct entry e;
	uint64_t size;

	if (entry_decode(&e, pr->p.leaf, pr->p.leaf_len) < 0 || e.index != call->number) {
		snprintf(text, TEXT_SIZE, "ALARM: the proof is of another entry than %llu",
		         (unsigned long long)call->number);
		return CS_ERR_REFUTED;
	}
	if (call->client->skip_proof)
		return CS_OK;
	int err = trust_checkpoint(&call->client->trust, call->client->cluster.origin, pr->p.checkpoint,
	                           pr->p.checkpoint_len, &size, &root, &pr->quorum, text);
	if (err < 0)
		return err;
	hash_leaf(&leaf, pr->p.leaf, pr->p.leaf_len);
	err = proof_inclusion_check(e.index, size, &leaf, pr->p.proof, pr->p.n_proof, &root);
	if (err < 0)
		snprintf(text, TEXT_SIZE, "ALARM: the inclusion proof of entry %llu does not hold",
		         (unsigned long long)e.index);
	return err;
}

struct bundle {
	char *json;
	bool quorum;
};

/* Whatever a node gives: no field is handed on that was not to be shown. */
static unsigned fields_kept(struct field *fields, unsigned n, uint64_t kinds)
{
	unsigned kept = 0;

	for (unsigned i = 0; i < n; i++)
		if (kinds == UINT64_MAX || (fields[i].kind < 64 && (kinds >> fields[i].kind & 1) != 0))
			fields[kept++] = fields[i];
	return kept;
}

static int bundle_make(struct call *call, const struct wire_reply *reply, struct bundle *ret, char *text)
{
	struct proof_reply pr;
	struct field fields[LIMIT_FIELD_COUNT_MAX];
	unsigned n_fields = 0;
	size_t len;

	int err = proof_reply_read(reply, &pr);
	if (err == CS_OK)
		err = proof_check(call, &pr, text);
	if (err == CS_OK && pr.p.body != NULL)
		err = body_decode(fields, &n_fields, pr.p.body, pr.p.body_len);
	if (err < 0)
		return err;
	n_fields = fields_kept(fields, n_fields, call->fields);
	char *proof = malloc(FORMAT_PROOF_SIZE_MAX);
	if (proof == NULL)
		return CS_ERR_NOMEM;
	err = bundle_proof_text(call->number, pr.p.proof, pr.p.n_proof, pr.p.checkpoint, pr.p.checkpoint_len, proof,
	                        FORMAT_PROOF_SIZE_MAX, &len);
	if (err == CS_OK)
		err = bundle_write(pr.p.leaf, pr.p.leaf_len, fields, n_fields, proof, len, &ret->json, &len);
	free(proof);
	ret->quorum = pr.quorum;
	return err;
}

static int bundle_convert(struct call *call, const struct wire_reply *reply, nng_msg *msg, void **ret_result,
                          char *text)
{
	struct bundle *b = calloc(1, sizeof(*b));

	int err = b == NULL ? CS_ERR_NOMEM : bundle_make(call, reply, b, text);
	nng_msg_free(msg);
	if (err < 0)
		free(b);
	else
		*ret_result = b;
	return err;
}

/* asked NULL: for all fields that this key may open. */
static int prove_once(cs_client *client, uint64_t index, unsigned wait_ms, bool whole, const uint64_t *asked,
                      uint64_t fields, char **ret_bundle, bool *ret_quorum)
{
	struct call *call;
	size_t len;
	void *result;

	int err = call_new(client, WIRE_PROVE, PROVE_BODY_MAX, &call);
	if (err < 0)
		return err;
	err = prove_body(client, index, wait_ms, whole, asked, call->body, call->body_cap, &len);
	if (err < 0) {
		call_drop(call);
		return err;
	}
	call->wait_ms = wait_ms;
	call->number = index;
	call->fields = fields;
	err = call_wait(call, len, bundle_convert, &result);
	if (err < 0)
		return err;
	struct bundle *b = result;
	*ret_bundle = b->json;
	*ret_quorum = b->quorum;
	free(b);
	return CS_OK;
}

/* The node waits for the policy's own quorum; one that cannot, as it is no plain number of keys, answers at once. */
static int prove_again(cs_client *client, uint64_t index, uint64_t left_ms, const uint64_t *asked, uint64_t fields,
                       char **ret_bundle, bool *ret_quorum)
{
	const struct timespec pause = {.tv_nsec = PROVE_PAUSE_MS * 1000000L};
	uint64_t began = clock_mono_ns();

	follow_hurry(client);
	int err = prove_once(client, index, (unsigned)(left_ms < PROVE_ROUND_MS ? left_ms : PROVE_ROUND_MS), true,
	                     asked, fields, ret_bundle, ret_quorum);
	if (err == CS_OK && !*ret_quorum && clock_mono_ns() - began < PROVE_PAUSE_MS * NS_PER_MS)
		nanosleep(&pause, NULL);
	return err;
}

/*
 * A quorum of the members need not be one of our trust policy: others sign within a moment, or a key is new, and the
 * policy has yet to follow.
 */
static int prove(cs_client *client, uint64_t index, unsigned wait_ms, const uint64_t *asked, uint64_t fields,
                 char **ret_bundle, bool *ret_quorum)
{
	if (wait_ms > WIRE_DEADLINE_MS_MAX)
		wait_ms = WIRE_DEADLINE_MS_MAX;
	uint64_t until = clock_mono_ns() + wait_ms * NS_PER_MS;
	int err = prove_once(client, index, wait_ms, false, asked, fields, ret_bundle, ret_quorum);

	for (uint64_t now; err == CS_OK && !*ret_quorum && (now = clock_mono_ns()) < until;) {
		free(*ret_bundle);
		*ret_bundle = NULL;
		err = prove_again(client, index, (until - now) / NS_PER_MS, asked, fields, ret_bundle, ret_quorum);
	}
	return err;
}

int cs_prove(cs_client *client, uint64_t index, unsigned wait_ms, char **ret_bundle, bool *ret_quorum)
{
	return prove(client, index, wait_ms, NULL, UINT64_MAX, ret_bundle, ret_quorum);
}

int cs_prove_fields(cs_client *client, uint64_t index, unsigned wait_ms, uint64_t fields, char **ret_bundle,
                    bool *ret_quorum)
{
	int err = prove(client, index, wait_ms, &fields, fields, ret_bundle, ret_quorum);

	/* A node of an older build gives all of them: the others are left out here. */
	return err == CS_ERR_MALFORMED ? prove(client, index, wait_ms, NULL, fields, ret_bundle, ret_quorum) : err;
}

/* --- checkpoints --- */

static int note_read(struct call *call, const struct wire_reply *reply, struct bundle *ret, char *text)
{
	struct reader r;
	const char *note;
	size_t len;
	uint64_t size;
	struct hash root;

	reader_init(&r, reply->body, reply->body_len);
	reader_array_exact(&r, 2);
	reader_bool(&r, &ret->quorum);
	reader_str(&r, LIMIT_NOTE_SIZE_MAX, &note, &len);
	int err = reader_end(&r);
	if (err == CS_OK && !call->client->skip_proof)
		err = trust_checkpoint(&call->client->trust, call->client->cluster.origin, note, len, &size, &root,
		                       &ret->quorum, text);
	if (err < 0)
		return err;
	ret->json = malloc(len + 1);
	if (ret->json == NULL)
		return CS_ERR_NOMEM;
	memcpy(ret->json, note, len);
	ret->json[len] = '\0';
	return CS_OK;
}

static int note_convert(struct call *call, const struct wire_reply *reply, nng_msg *msg, void **ret_result, char *text)
{
	struct bundle *b = calloc(1, sizeof(*b));

	int err = b == NULL ? CS_ERR_NOMEM : note_read(call, reply, b, text);
	nng_msg_free(msg);
	if (err < 0)
		free(b);
	else
		*ret_result = b;
	return err;
}

int cs_checkpoint(cs_client *client, char **ret_note, bool *ret_quorum)
{
	struct call *call;
	size_t len;
	void *result;

	int err = read_call(client, WIRE_CHECKPOINT, 0, NULL, &call, &len);
	if (err == CS_OK)
		err = call_wait(call, len, note_convert, &result);
	if (err < 0)
		return err;
	struct bundle *b = result;
	*ret_note = b->json;
	*ret_quorum = b->quorum;
	free(b);
	return CS_OK;
}
