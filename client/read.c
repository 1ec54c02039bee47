/* Reading: pages of entries, proofs as bundles, checkpoints, a node's status. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "client/client_internal.h"
#include "ledger/bundle.h"
#include "ledger/entry.h"
#include "ledger/errors.h"
#include "ledger/proof.h"

#define PROVE_PAUSE_MS 20

#define BODY_MAX 64

_Static_assert(sizeof(((cs_page *)0)->entries) / sizeof(struct cs_entry) == WIRE_PAGE_ENTRIES_MAX, "a page's entries");

/* A call of up to three numbers: what reading needs. */
static int read_call(cs_client *c, unsigned type, unsigned n, const uint64_t *numbers, struct call **ret,
                     size_t *ret_len)
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

static int page_read(struct reader *r, cs_page *page)
{
	uint32_t n;

	reader_array_exact(r, 2);
	reader_uint(r, UINT64_MAX, &page->size);
	if (reader_array(r, WIRE_PAGE_ENTRIES_MAX, &n) < 0)
		return r->err;
	for (uint32_t i = 0; i < n; i++) {
		struct cs_entry *e = &page->entries[i];
		reader_array_exact(r, 2);
		reader_bin(r, LIMIT_ENTRY_SIZE_MAX, &e->leaf, &e->leaf_size);
		if (!reader_nil(r))
			reader_bin(r, LIMIT_BODY_SIZE_MAX, &e->body, &e->body_size);
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

int cs_entries(cs_client *client, uint64_t first, unsigned count, unsigned wait_ms, cs_page **ret)
{
	return cs_entries_of(client, 0, first, count, wait_ms, ret);
}

int cs_entries_of(cs_client *client, uint64_t node_id, uint64_t first, unsigned count, unsigned wait_ms, cs_page **ret)
{
	if (count > WIRE_PAGE_ENTRIES_MAX)
		count = WIRE_PAGE_ENTRIES_MAX;
	if (wait_ms > WIRE_DEADLINE_MS_MAX)
		wait_ms = WIRE_DEADLINE_MS_MAX;
	const uint64_t numbers[] = {first, count, wait_ms};
	struct call *call;
	size_t len;
	void *result;
	int pinned;

	int err = node_pin(client, node_id, &pinned);
	if (err == CS_OK)
		err = read_call(client, WIRE_ENTRIES, 3, numbers, &call, &len);
	if (err < 0)
		return err;
	call->pinned = pinned;
	call->wait_ms = wait_ms;
	err = call_wait(call, len, page_convert, &result);
	if (err == CS_OK)
		*ret = result;
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

static int prove_once(cs_client *client, uint64_t index, unsigned wait_ms, char **ret_bundle, bool *ret_quorum)
{
	struct call *call;
	size_t len;
	void *result;

	int err = call_new(client, WIRE_PROVE, PROVE_BODY_MAX, &call);
	if (err < 0)
		return err;
	err = prove_body(client, index, wait_ms, call->body, call->body_cap, &len);
	if (err < 0) {
		call_drop(call);
		return err;
	}
	call->wait_ms = wait_ms;
	call->number = index;
	err = call_wait(call, len, bundle_convert, &result);
	if (err < 0)
		return err;
	struct bundle *b = result;
	*ret_bundle = b->json;
	*ret_quorum = b->quorum;
	free(b);
	return CS_OK;
}

int cs_prove(cs_client *client, uint64_t index, unsigned wait_ms, char **ret_bundle, bool *ret_quorum)
{
	const struct timespec pause = {.tv_nsec = PROVE_PAUSE_MS * 1000000L};

	if (wait_ms > WIRE_DEADLINE_MS_MAX)
		wait_ms = WIRE_DEADLINE_MS_MAX;
	uint64_t until = clock_mono_ns() + wait_ms * NS_PER_MS;
	int err = prove_once(client, index, wait_ms, ret_bundle, ret_quorum);
	/*
	 * A quorum of the members need not be one of our trust policy: others sign within a moment, or a key is new,
	 * and the policy has yet to follow.
	 */
	while (err == CS_OK && !*ret_quorum && clock_mono_ns() < until) {
		free(*ret_bundle);
		*ret_bundle = NULL;
		follow_hurry(client);
		nanosleep(&pause, NULL);
		uint64_t now = clock_mono_ns();
		err = prove_once(client, index, now < until ? (unsigned)((until - now) / NS_PER_MS) : 0, ret_bundle,
		                 ret_quorum);
	}
	return err;
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

/* --- status --- */

/* False: memory was short, and something is missing. */
static bool details_json(json_t *j, const struct wire_details *d)
{
	bool whole = true;
	json_t *cosigners = json_array();
	const struct {
		const char *name;
		uint64_t value;
	} numbers[] = {
	        {"disk_free_bytes", d->disk_free},
	        {"disk_size_bytes", d->disk_size},
	        {"disk_reserve_bytes", d->disk_reserve},
	        {"map_free_bytes", d->map_free},
	        {"map_size_bytes", d->map_size},
	        {"ledger_bytes", d->ledger_bytes},
	        {"log_bytes", d->log_bytes},
	        {"room", d->room},
	        {"checkpoint_s", d->checkpoint_s},
	        {"now_ms", d->now_ms},
	        {"voters", d->voters},
	        {"geo_city_built_s", d->geo_city_s},
	        {"geo_network_built_s", d->geo_network_s},
	};

	for (unsigned i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
		whole &= 0 == json_object_set_new(j, numbers[i].name, json_integer((json_int_t)numbers[i].value));
	for (unsigned i = 0; i < d->n_cosigners; i++)
		whole &= 0 == json_array_append_new(cosigners, json_integer((json_int_t)d->cosigners[i]));
	whole &= json_object_set_new(j, "features", feature_names_json(d->features_have)) == 0;
	whole &= json_object_set_new(j, "features_on", feature_names_json(d->features_on)) == 0;
	if (d->scrub.rate > 0)
		whole &= json_object_set_new(j, "scrub", scrub_json(&d->scrub)) == 0;
	return json_object_set_new(j, "cosigners", cosigners) == 0 && whole;
}

static char *status_json(const struct wire_status *s)
{
	char root[2 * HASH_SIZE + 1];
	json_t *guards = json_array();
	bool whole = true;

	for (unsigned i = 0; i < HASH_SIZE; i++)
		snprintf(root + 2 * i, 3, "%02x", s->root.b[i]);
	for (unsigned i = 1; i < sizeof(s->guards) / sizeof(s->guards[0]); i++)
		whole &= json_array_append_new(guards, json_integer((json_int_t)s->guards[i])) == 0;
	json_t *j =
	        json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:o, s:s, s:s, s:s, s:s}", "node_id",
	                  (json_int_t)s->node_id, "leader_id", (json_int_t)s->leader_id, "term", (json_int_t)s->term,
	                  "raft_last", (json_int_t)s->raft_last, "raft_commit", (json_int_t)s->raft_commit,
	                  "raft_applied", (json_int_t)s->raft_applied, "size", (json_int_t)s->size, "stored_size",
	                  (json_int_t)s->stored_size, "cosigned_size", (json_int_t)s->cosigned_size, "pending",
	                  (json_int_t)s->pending, "uptime_ms", (json_int_t)s->uptime_ms, "guards", guards, "root", root,
	                  "role", s->role, "health", s->health, "version", s->version);
	if (j != NULL && s->detailed)
		whole &= details_json(j, &s->details);
	char *text = j == NULL || !whole ? NULL : json_dumps(j, JSON_COMPACT);
	json_decref(j);
	return text;
}

static int status_convert(struct call *call, const struct wire_reply *reply, nng_msg *msg, void **ret_result,
                          char *text)
{
	struct wire_status s;

	(void)call;
	(void)text;
	int err = wire_status_decode(&s, reply->body, reply->body_len);
	nng_msg_free(msg);
	if (err < 0)
		return err;
	*ret_result = status_json(&s);
	return *ret_result == NULL ? CS_ERR_NOMEM : CS_OK;
}

/* version 0: the status as it was at first. */
static int status_ask(cs_client *client, int pinned, uint64_t version, char **ret_json)
{
	struct call *call;
	size_t len;
	void *result;

	int err = read_call(client, WIRE_STATUS, version > 0, &version, &call, &len);
	if (err < 0)
		return err;
	call->pinned = pinned;
	err = call_wait(call, len, status_convert, &result);
	if (err == CS_OK)
		*ret_json = result;
	return err;
}

int cs_status(cs_client *client, uint64_t node_id, char **ret_json)
{
	int pinned, err = node_pin(client, node_id, &pinned);

	if (err == CS_OK)
		err = status_ask(client, pinned, 1, ret_json);
	/* An older node knows of no details. */
	return err == CS_ERR_MALFORMED ? status_ask(client, pinned, 0, ret_json) : err;
}
