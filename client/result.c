/* Results: a proved reply taken apart, checked to be ours and proven, and laid out for the caller. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/client_internal.h"
#include "client/entry_view.h"
#include "ledger/entry.h"
#include "ledger/errors.h"
#include "ledger/note.h"
#include "ledger/proof.h"
#include "node/decide/command.h"
#include "node/decide/signals.h"

/* A result and all that it points to but what lies in the reply's message. */
struct owned_result {
	cs_result r; /* First: cs_result_free gets its address. */
	nng_msg *msg;
	size_t used, cap;
	_Alignas(8) uint8_t arena[];
};
/*
 * Arena for each byte of leaf and body: the smallest array element (1 byte) becomes a pointer of 8 bytes, and a string
 * of n bytes takes n + 1 and that pointer.
 */
#define ARENA_FACTOR 10
#define ARENA_SPARE  256 /* Alignment of each array. */

static void *arena_take(struct owned_result *o, size_t size)
{
	size_t at = (o->used + 7) / 8 * 8;

	assert(size <= o->cap && at <= o->cap - size);
	o->used = at + size;
	return o->arena + at;
}

/* The next string, NUL-terminated; "" after an error. */
static const char *take_string(struct owned_result *o, struct reader *r)
{
	const char *s = "";
	size_t len = 0;

	reader_str(r, LIMIT_BODY_SIZE_MAX, &s, &len);
	assert(len < o->cap - o->used);
	char *copy = (char *)o->arena + o->used;
	o->used += len + 1;
	memcpy(copy, s, len);
	copy[len] = '\0';
	return copy;
}

/* An array of strings. */
static const char *const *take_strings(struct owned_result *o, struct reader *r, size_t *ret_n)
{
	uint32_t n = 0;

	reader_array(r, LIMIT_MSGPACK_NODES_MAX, &n);
	const char **list = arena_take(o, n * sizeof(*list));
	for (uint32_t i = 0; i < n; i++)
		list[i] = take_string(o, r);
	*ret_n = n;
	return list;
}

/* --- private fields --- */

/* [[signal id, value, weight]…] */
static void signals_read(struct owned_result *o, struct reader *r)
{
	uint32_t n = 0;

	reader_array(r, LIMIT_MSGPACK_NODES_MAX, &n);
	struct cs_signal *list = arena_take(o, n * sizeof(*list));
	for (uint32_t i = 0; i < n; i++) {
		uint64_t id = 0;
		int64_t value = 0, weight = 0;
		reader_array_exact(r, 3);
		reader_uint(r, UINT32_MAX, &id);
		reader_int(r, &value);
		reader_int(r, &weight);
		const char *name = signal_key((unsigned)id);
		list[i] = (struct cs_signal){
		        .name = name == NULL ? "unknown" : name, .value = value, .weight = (int32_t)weight};
	}
	o->r.signals = list;
	o->r.n_signals = n;
}

/* [[for the user, for the administrator]…] */
static void reasons_read(struct owned_result *o, struct reader *r)
{
	uint32_t n = 0;

	reader_array(r, LIMIT_MSGPACK_NODES_MAX, &n);
	const char **user = arena_take(o, n * sizeof(*user)), **admin = arena_take(o, n * sizeof(*admin));
	for (uint32_t i = 0; i < n; i++) {
		reader_array_exact(r, 2);
		user[i] = take_string(o, r);
		admin[i] = take_string(o, r);
	}
	o->r.reasons_user = user;
	o->r.reasons_admin = admin;
	o->r.n_reasons = n;
}

/* [nonce bin 32, expiry ms, level, [method…]] */
static void challenge_read(struct owned_result *o, struct reader *r)
{
	reader_array_exact(r, 4);
	reader_bin_exact(r, o->r.challenge.nonce, sizeof(o->r.challenge.nonce));
	reader_uint(r, UINT64_MAX, &o->r.challenge.expiry_ms);
	o->r.challenge.level = take_string(o, r);
	o->r.challenge.methods = take_strings(o, r, &o->r.challenge.n_methods);
	o->r.has_challenge = r->err == 0;
}

/* A str, an integer or a boolean. */
static struct cs_attribute take_value(struct owned_result *o, struct reader *r)
{
	struct cs_attribute a = {.name = take_string(o, r)};
	bool b = false;

	switch (reader_peek(r)) {
	case VALUE_STR:
		a.type = CS_STRING;
		a.string = take_string(o, r);
		break;
	case VALUE_BOOL:
		a.type = CS_BOOLEAN;
		reader_bool(r, &b);
		a.integer = b;
		break;
	default:
		a.type = CS_INTEGER;
		reader_int(r, &a.integer);
	}
	return a;
}

/* [[type, id]…], or with properties [[type, id, [[name, value]…]]…] */
static int obligations_read(struct owned_result *o, struct reader *r)
{
	uint32_t n = 0;

	reader_array(r, LIMIT_MSGPACK_NODES_MAX, &n);
	struct cs_obligation *list = arena_take(o, n * sizeof(*list));
	for (uint32_t i = 0; i < n; i++) {
		struct cs_obligation *b = &list[i];
		uint32_t elements = 0, n_properties = 0;
		reader_array(r, 3, &elements);
		b->type = take_string(o, r);
		b->id = take_string(o, r);
		if (elements == 3)
			reader_array(r, LIMIT_MSGPACK_NODES_MAX, &n_properties);
		struct cs_attribute *properties = arena_take(o, n_properties * sizeof(*properties));
		for (uint32_t k = 0; k < n_properties; k++) {
			reader_array_exact(r, 2);
			properties[k] = take_value(o, r);
		}
		b->properties = properties;
		b->n_properties = n_properties;
	}
	o->r.obligations = list;
	o->r.n_obligations = n;
	return r->err;
}

/* [nil or [not before ms or nil, expiry ms, [[needed, have, [name…]]…]], nil or the approval] */
static void approval_read(struct owned_result *o, struct reader *r)
{
	const uint8_t *skipped;
	uint64_t needed = 0, have = 0;
	size_t len;
	uint32_t n = 0;

	reader_array_exact(r, 2);
	o->r.waits = !reader_nil(r);
	if (o->r.waits) {
		reader_array_exact(r, 3);
		if (!reader_nil(r))
			reader_uint(r, UINT64_MAX, &o->r.wait.not_before_ms);
		reader_uint(r, UINT64_MAX, &o->r.wait.expiry_ms);
		reader_array(r, LIMIT_MSGPACK_NODES_MAX, &n);
	}
	struct cs_need *needs = arena_take(o, n * sizeof(*needs));
	for (uint32_t i = 0; i < n; i++) {
		reader_array_exact(r, 3);
		reader_uint(r, UINT32_MAX, &needed);
		reader_uint(r, UINT32_MAX, &have);
		needs[i] = (struct cs_need){.needed = (unsigned)needed, .have = (unsigned)have};
		needs[i].from = take_strings(o, r, &needs[i].n_from);
	}
	o->r.wait.needs = needs;
	o->r.wait.n_needs = n;
	reader_skip(r, &skipped, &len);
}

static int fields_read(struct owned_result *o, const struct field *fields, unsigned n)
{
	static const struct {
		unsigned kind;
		void (*read)(struct owned_result *o, struct reader *r);
	} readers[] = {
	        {FIELD_SIGNALS, signals_read},
	        {FIELD_REASONS, reasons_read},
	        {FIELD_CHALLENGE, challenge_read},
	        {FIELD_APPROVAL, approval_read},
	};

	for (unsigned i = 0; i < sizeof(readers) / sizeof(readers[0]); i++) {
		const struct field *f = body_find(fields, n, readers[i].kind);
		struct reader r;
		if (f == NULL)
			continue;
		reader_init(&r, f->value, f->value_len);
		readers[i].read(o, &r);
		int err = reader_end(&r);
		if (err < 0)
			return err;
	}
	return CS_OK;
}

/* --- checks --- */

static int alarm_text(char *text, const char *what)
{
	snprintf(text, TEXT_SIZE, "ALARM: %s", what);
	return CS_ERR_REFUTED;
}

/* The reply's proof: the body opens the leaf, the leaf is in the tree, the tree's root is signed. */
static int proof_check(const struct call *call, const struct wire_proved *p, const struct entry *e,
                       const struct field *fields, unsigned n_fields, uint64_t *ret_size, char *text)
{
	struct hash leaf, root;
	cs_client *c = call->client;

	if (body_check(e, fields, n_fields) < 0)
		return alarm_text(text, "a private field of the reply does not open its commitment in the entry");
	int err = trust_checkpoint(&c->trust, c->cluster.origin, p->checkpoint, p->checkpoint_len, ret_size, &root,
	                           NULL, text);
	if (err < 0)
		return err;
	hash_leaf(&leaf, p->leaf, p->leaf_len);
	if (proof_inclusion_check(e->index, *ret_size, &leaf, p->proof, p->n_proof, &root) < 0)
		return alarm_text(text, "the entry is not in the tree that the reply's checkpoint signs");
	return CS_OK;
}

/* The size that a checkpoint names, unverified. */
static int size_read(const struct wire_proved *p, uint64_t *ret)
{
	struct note n;
	struct checkpoint c;

	int err = note_parse(&n, p->checkpoint, p->checkpoint_len);
	if (err == CS_OK)
		err = checkpoint_parse(&c, n.text, n.text_len);
	if (err == CS_OK)
		*ret = c.size;
	return err;
}

/* --- the whole --- */

static int result_fill(struct call *call, struct owned_result *o, const struct wire_proved *p, char *text)
{
	struct entry e;
	struct entry_view v;
	struct field fields[LIMIT_FIELD_COUNT_MAX];
	unsigned n_fields;
	cs_result *r = &o->r;

	int err = entry_decode(&e, p->leaf, p->leaf_len);
	if (err == CS_OK)
		err = body_decode(fields, &n_fields, p->body, p->body_len);
	if (err == CS_OK)
		err = entry_view_read(&v, &e);
	if (err < 0)
		return err;
	if (!call->client->skip_proof) {
		err = proof_check(call, p, &e, fields, n_fields, &r->tree_size, text);
		r->proven = err == CS_OK;
	} else {
		err = size_read(p, &r->tree_size);
	}
	if (err == CS_OK)
		err = entry_view_ours(&v, &e, fields, n_fields, &call->request, call->number, text);
	if (err < 0)
		return err;
	r->index = e.index;
	r->kind = entry_kind_text(e.kind);
	r->time_ms = e.time_ms;
	r->verdict = (int)v.verdict;
	r->risk = v.risk;
	memcpy(r->digest, v.digest.b, sizeof(r->digest));
	if (v.has_rules)
		r->rules = take_strings(o, &v.rules, &r->n_rules);
	if (v.has_rules && v.rules.err == 0)
		v.rules.err = obligations_read(o, &v.obligations);
	return v.has_rules && v.rules.err < 0 ? v.rules.err : fields_read(o, fields, n_fields);
}

int result_convert(struct call *call, const struct wire_reply *reply, nng_msg *msg, void **ret_result, char *text)
{
	struct wire_proved p;

	int err = wire_proved_decode(&p, reply->body, reply->body_len);
	size_t cap = err < 0 ? 0 : ARENA_FACTOR * (p.leaf_len + p.body_len) + p.n_proof * HASH_SIZE + ARENA_SPARE;
	struct owned_result *o = err < 0 ? NULL : malloc(sizeof(*o) + cap);
	if (o == NULL) {
		nng_msg_free(msg);
		return err < 0 ? err : CS_ERR_NOMEM;
	}
	memset(o, 0, sizeof(*o));
	o->msg = msg;
	o->cap = cap;
	cs_result *r = &o->r;
	memcpy(r->request_id, call->request.id, sizeof(r->request_id));
	r->leaf = p.leaf;
	r->leaf_size = p.leaf_len;
	r->body = p.body;
	r->body_size = p.body_len;
	r->checkpoint = p.checkpoint;
	r->checkpoint_size = p.checkpoint_len;
	r->n_proof = p.n_proof;
	r->proof = memcpy(arena_take(o, p.n_proof * sizeof(p.proof[0])), p.proof, p.n_proof * sizeof(p.proof[0]));
	r->proof_bytes = p.leaf_len + p.n_proof * sizeof(p.proof[0]) + p.checkpoint_len;
	err = result_fill(call, o, &p, text);
	if (err < 0)
		cs_result_free(r);
	else
		*ret_result = r;
	return err;
}

void result_deliver(call_user user, void *user_ctx, int code, void *result)
{
	((cs_callback)user)(user_ctx, code, result);
}

void cs_result_free(cs_result *result)
{
	struct owned_result *o = (struct owned_result *)result;

	if (o == NULL)
		return;
	nng_msg_free(o->msg);
	free(o);
}
