/* Lists: what waits, and the grants that stand, as JSON. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <jansson.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "client/client_internal.h"
#include "ledger/errors.h"
#include "node/decide/codec.h"
#include "node/decide/command_verdicts.h"
#include "node/decide/decide.h"
#include "node/decide/policy_form.h"

static json_t *number(struct reader *r)
{
	uint64_t v = 0;

	if (reader_nil(r))
		return json_null();
	reader_uint(r, INT64_MAX, &v);
	return json_integer((json_int_t)v);
}

static json_t *boolean(struct reader *r)
{
	bool b = false;

	reader_bool(r, &b);
	return json_boolean(b);
}

static json_t *string(struct reader *r)
{
	struct text t = {"", 0};

	codec_text(r, 0, REQUEST_STR_SIZE_MAX, &t);
	return json_stringn(t.s, t.len);
}

static json_t *typed(struct text type, struct text id)
{
	return json_pack("{s:s%, s:s%}", "type", type.s, type.len, "id", id.s, id.len);
}

/* --- requests --- */

static json_t *context_json(const struct request *q)
{
	json_t *o = json_object();

	for (unsigned i = 0; i < q->n_context; i++) {
		const struct named_value *v = &q->context[i];
		json_t *value = v->type == VALUE_STR    ? json_stringn(v->str.s, v->str.len)
		                : v->type == VALUE_BOOL ? json_boolean(v->integer)
		                                        : json_integer(v->integer);
		char name[REQUEST_STR_SIZE_MAX + 1];
		memcpy(name, v->name.s, v->name.len);
		name[v->name.len] = 0;
		json_object_set_new(o, name, value);
	}
	return o;
}

static json_t *request_json(const struct request *q)
{
	json_t *o = json_object(), *via = json_array();

	json_object_set_new(o, "subject", typed(q->subject_type, q->subject_id));
	if (q->actor_id.len > 0)
		json_object_set_new(o, "actor", typed(q->actor_type, q->actor_id));
	for (unsigned i = 0; i < q->n_via; i++)
		json_array_append_new(via, typed(q->via[i].type, q->via[i].id));
	if (q->n_via > 0)
		json_object_set(o, "via", via);
	json_decref(via);
	json_object_set_new(o, "action", json_stringn(q->action.s, q->action.len));
	json_object_set_new(o, "resource", typed(q->resource_type, q->resource_id));
	json_object_set_new(o, "context", context_json(q));
	return o;
}

/* --- what waits --- */

/* What is shown and what is signed are one: the digest is made here, of the request as it came. */
static void add_request(struct reader *r, json_t *o)
{
	const uint8_t *bytes = NULL, *blind = NULL;
	char hex[2 * HASH_SIZE + 1];
	struct hash digest;
	struct request q;
	size_t len = 0;

	reader_bin(r, REQUEST_SIZE_MAX, &bytes, &len);
	codec_fixed(r, 32, &blind);
	if (r->err != 0)
		return;
	if (request_decode(&q, bytes, len) != 0) {
		r->err = CS_ERR_MALFORMED;
		return;
	}
	request_digest(&digest, blind, bytes, len);
	sodium_bin2hex(hex, sizeof(hex), digest.b, HASH_SIZE);
	json_object_set_new(o, "request", request_json(&q));
	json_object_set_new(o, "digest", json_string(hex));
}

/* [[needed, have, [name or pattern…]]…] */
static json_t *needs_json(struct reader *r)
{
	json_t *list = json_array();
	uint32_t n = 0;

	reader_array(r, POLICY_RULES_MAX, &n);
	for (uint32_t i = 0; i < n && r->err == 0; i++) {
		json_t *o = json_object(), *from = json_array();
		uint32_t n_from = 0;
		reader_array_exact(r, 3);
		json_object_set_new(o, "needed", number(r));
		json_object_set_new(o, "have", number(r));
		reader_array(r, POLICY_APPROVERS_MAX, &n_from);
		for (uint32_t k = 0; k < n_from && r->err == 0; k++)
			json_array_append_new(from, string(r));
		json_object_set_new(o, "from", from);
		json_array_append_new(list, o);
	}
	return list;
}

/* [[approver, what was said, index]…] */
static json_t *votes_json(struct reader *r)
{
	json_t *list = json_array();
	uint32_t n = 0;

	reader_array(r, LIMIT_MSGPACK_NODES_MAX, &n);
	for (uint32_t i = 0; i < n && r->err == 0; i++) {
		json_t *o = json_object();
		uint64_t say = 0;
		reader_array_exact(r, 3);
		json_object_set_new(o, "approver", string(r));
		reader_uint(r, UINT8_MAX, &say);
		json_object_set_new(o, "said", json_string(say_text((unsigned)say)));
		json_object_set_new(o, "index", number(r));
		json_array_append_new(list, o);
	}
	return list;
}

static json_t *waiting_json(struct reader *r)
{
	json_t *o = json_object();
	uint64_t verdict = 0;

	reader_array_exact(r, 11);
	json_object_set_new(o, "index", number(r));
	json_object_set_new(o, "newest", number(r));
	reader_uint(r, CS_DENY, &verdict);
	json_object_set_new(o, "verdict", json_string(cs_verdict_text((int)verdict)));
	json_object_set_new(o, "made_ms", number(r));
	json_object_set_new(o, "expiry_ms", number(r));
	json_object_set_new(o, "not_before_ms", number(r));
	json_object_set_new(o, "client", string(r));
	add_request(r, o);
	json_object_set_new(o, "needs", needs_json(r));
	json_object_set_new(o, "said", votes_json(r));
	return o;
}

static json_t *grant_json(struct reader *r)
{
	json_t *o = json_object();
	uint64_t level = 0;

	reader_array_exact(r, 9);
	json_object_set_new(o, "index", number(r));
	json_object_set_new(o, "made_ms", number(r));
	json_object_set_new(o, "expiry_ms", number(r));
	reader_uint(r, UINT8_MAX, &level);
	json_object_set_new(o, "level", level > 0 ? json_string(level_text((unsigned)level)) : json_null());
	json_object_set_new(o, "approved", boolean(r));
	json_object_set_new(o, "session_bound", boolean(r));
	json_object_set_new(o, "device_bound", boolean(r));
	json_object_set_new(o, "rule", string(r));
	json_object_set_new(o, "client", string(r));
	return o;
}

/* --- pages of them --- */

struct page {
	json_t *list;
	bool more;
	uint64_t last; /* Index of the last one. */
};

static int page_convert(struct call *call, const struct wire_reply *reply, nng_msg *msg, void **ret_result, char *text)
{
	struct page *p = calloc(1, sizeof(*p));
	struct reader r;
	uint64_t skipped = 0;
	uint32_t n = 0;

	(void)text;
	if (p == NULL) {
		nng_msg_free(msg);
		return CS_ERR_NOMEM;
	}
	p->list = json_array();
	reader_init(&r, reply->body, reply->body_len);
	reader_array_exact(&r, 4);
	reader_uint(&r, UINT64_MAX, &skipped);
	reader_uint(&r, UINT64_MAX, &skipped);
	reader_bool(&r, &p->more);
	reader_array(&r, LIMIT_MSGPACK_NODES_MAX, &n);
	for (uint32_t i = 0; i < n && r.err == 0; i++) {
		json_t *o = call->request.type == WIRE_PENDING ? waiting_json(&r) : grant_json(&r);
		p->last = (uint64_t)json_integer_value(json_object_get(o, "index"));
		json_array_append_new(p->list, o);
	}
	int err = reader_end(&r);
	nng_msg_free(msg);
	if (err == CS_OK) {
		*ret_result = p;
		return CS_OK;
	}
	json_decref(p->list);
	free(p);
	return err;
}

static int page_get(cs_client *client, unsigned type, uint64_t after, struct text subject_type, struct text subject_id,
                    struct page **ret)
{
	struct call *call;
	struct writer w;
	void *result;

	int err = call_new(client, type, 2 * REQUEST_STR_SIZE_MAX + 64, &call);
	if (err < 0)
		return err;
	writer_init(&w, call->body, call->body_cap);
	writer_array(&w, type == WIRE_PENDING ? 2 : 3);
	writer_uint(&w, after);
	if (type == WIRE_GRANTS && subject_id.len > 0)
		codec_write_pair(&w, subject_type, subject_id);
	else if (type == WIRE_GRANTS)
		writer_nil(&w);
	writer_uint(&w, 0);
	if (w.err < 0) {
		call_drop(call);
		return w.err;
	}
	err = call_wait(call, w.len, page_convert, &result);
	if (err == CS_OK)
		*ret = result;
	return err;
}

static int list_get(cs_client *client, unsigned type, struct text subject_type, struct text subject_id, char **ret_json)
{
	json_t *all = json_array();
	uint64_t after = 0;
	bool more = true;
	int err = CS_OK;

	while (err == CS_OK && more) {
		struct page *p = NULL;
		err = page_get(client, type, after, subject_type, subject_id, &p);
		if (err < 0)
			break;
		json_array_extend(all, p->list);
		more = p->more;
		after = p->last;
		json_decref(p->list);
		free(p);
	}
	if (err == CS_OK && (*ret_json = json_dumps(all, JSON_COMPACT)) == NULL)
		err = CS_ERR_NOMEM;
	json_decref(all);
	return err;
}

int cs_pending(cs_client *client, char **ret_json)
{
	const struct text none = {0};

	return list_get(client, WIRE_PENDING, none, none, ret_json);
}

int cs_grants(cs_client *client, const char *subject_type, const char *subject_id, char **ret_json)
{
	struct text type = {subject_type, subject_type != NULL ? strnlen(subject_type, REQUEST_STR_SIZE_MAX + 1) : 0};
	struct text id = {subject_id, subject_id != NULL ? strnlen(subject_id, REQUEST_STR_SIZE_MAX + 1) : 0};

	if (type.len > REQUEST_STR_SIZE_MAX || id.len > REQUEST_STR_SIZE_MAX || (id.len > 0) != (type.len > 0)) {
		last_error_set("a subject has a type and an id of at most %d bytes", REQUEST_STR_SIZE_MAX);
		return CS_ERR_INVALID;
	}
	return list_get(client, WIRE_GRANTS, type, id, ret_json);
}
