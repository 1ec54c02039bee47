/* What the ledger keeps: erasures, holds, retention, and how far the nodes are with them. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <jansson.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/client_internal.h"
#include "client/order.h"
#include "ledger/entry.h"
#include "ledger/errors.h"
#include "node/decide/codec.h"
#include "node/decide/command_erase.h"
#include "node/decide/roster.h"

/* A request's string that is too long stays so, for the encoder to refuse. */
static struct text text_of(const char *s, size_t len_max)
{
	struct text text = {s, s ? strnlen(s, len_max + 1) : 0};

	return text;
}

static int invalid(const char *what)
{
	last_error_set("%s", what);
	return CS_ERR_INVALID;
}

/* --- orders --- */

static int send_erase(cs_client *client, struct erase_order *o, cs_result **ret)
{
	uint8_t elements[ORDER_BODY_MAX], blind[32];
	struct order_signatures signatures;
	struct call *call;
	size_t len = 0;

	if (o->reason.len == 0)
		return invalid("an erasure needs a reason");
	int err = call_new(client, WIRE_ERASE, ORDER_BODY_MAX, &call);
	if (err < 0)
		return err;
	randombytes_buf(blind, sizeof(blind));
	o->blind = blind;
	err = erase_order_encode_signed(o, elements, sizeof(elements), &len);
	if (err == CS_OK)
		err = order_sign(client, COMMAND_ERASE, elements, len, &o->admin, &signatures);
	if (err == CS_OK && (err = erase_order_encode(o, call->body, call->body_cap, &len)) < 0)
		last_error_set("the order: %s", err_text(err));
	sodium_memzero(blind, sizeof(blind));
	return order_send(call, err, len, ret);
}

int cs_erase_subject(cs_client *client, const char *subject_type, const char *subject_id, const char *reason,
                     cs_result **ret)
{
	struct erase_order o = {.target = ERASE_SUBJECT,
	                        .subject_type = text_of(subject_type, REQUEST_STR_SIZE_MAX),
	                        .subject_id = text_of(subject_id, REQUEST_STR_SIZE_MAX),
	                        .fields = ERASE_FIELDS_ALL,
	                        .reason = text_of(reason, ERASE_REASON_SIZE_MAX)};

	if (o.subject_type.len == 0 || o.subject_id.len == 0)
		return invalid("a subject has a type and an id");
	return send_erase(client, &o, ret);
}

int cs_erase_entry(cs_client *client, uint64_t index, uint64_t fields, const char *reason, cs_result **ret)
{
	struct erase_order o = {.target = ERASE_ENTRY,
	                        .index = index,
	                        .fields = fields,
	                        .reason = text_of(reason, ERASE_REASON_SIZE_MAX)};

	return fields == 0 ? invalid("no field is named") : send_erase(client, &o, ret);
}

static int send_hold(cs_client *client, struct hold_order *o, cs_result **ret)
{
	uint8_t elements[ORDER_BODY_MAX];
	struct order_signatures signatures;
	struct call *call;
	size_t len = 0;

	if (o->reason.len == 0)
		return invalid("the order needs a reason");
	int err = call_new(client, WIRE_HOLD, ORDER_BODY_MAX, &call);
	if (err < 0)
		return err;
	err = hold_order_encode_signed(o, elements, sizeof(elements), &len);
	if (err == CS_OK)
		err = order_sign(client, COMMAND_HOLD, elements, len, &o->admin, &signatures);
	if (err == CS_OK && (err = hold_order_encode(o, call->body, call->body_cap, &len)) < 0)
		last_error_set("the order: %s", err_text(err));
	return order_send(call, err, len, ret);
}

int cs_hold_set(cs_client *client, const char *subject_type, const char *subject_id, const char *reason,
                cs_result **ret)
{
	struct hold_order o = {.action = HOLD_SET,
	                       .subject_type = text_of(subject_type, REQUEST_STR_SIZE_MAX),
	                       .subject_id = text_of(subject_id, REQUEST_STR_SIZE_MAX),
	                       .reason = text_of(reason, ERASE_REASON_SIZE_MAX)};

	if (o.subject_type.len == 0 || o.subject_id.len == 0)
		return invalid("a subject has a type and an id");
	return send_hold(client, &o, ret);
}

int cs_hold_lift(cs_client *client, uint64_t index, const char *reason, cs_result **ret)
{
	struct hold_order o = {.action = HOLD_LIFT, .index = index, .reason = text_of(reason, ERASE_REASON_SIZE_MAX)};

	return send_hold(client, &o, ret);
}

int cs_retention_set(cs_client *client, unsigned kind, uint64_t keep_ms, const char *reason, cs_result **ret)
{
	struct hold_order o = {.action = HOLD_RETENTION,
	                       .kind = kind,
	                       .keep_ms = keep_ms,
	                       .reason = text_of(reason, ERASE_REASON_SIZE_MAX)};

	if (keep_ms != 0 && (keep_ms < RETENTION_MS_MIN || keep_ms > RETENTION_MS_MAX))
		return invalid("entries are kept for a second to a hundred years, or for ever");
	return send_hold(client, &o, ret);
}

/* --- how far it is --- */

static json_t *read_numbers(struct reader *r, uint32_t max)
{
	json_t *list = json_array();
	uint64_t v = 0;
	uint32_t n = 0;

	reader_array(r, max, &n);
	for (uint32_t i = 0; i < n && r->err == 0; i++) {
		reader_uint(r, INT64_MAX, &v);
		json_array_append_new(list, json_integer((json_int_t)v));
	}
	return list;
}

static json_t *read_erasures(struct reader *r)
{
	static const char *const targets[] = {"", "subject", "entry", "retention"};
	json_t *list = json_array();
	uint64_t index = 0, target = 0;
	uint32_t n = 0;

	reader_array(r, UINT16_MAX, &n);
	for (uint32_t i = 0; i < n && r->err == 0; i++) {
		reader_array_exact(r, 3);
		reader_uint(r, INT64_MAX, &index);
		reader_uint(r, ERASE_RETENTION, &target);
		json_array_append_new(list, json_pack("{s:I, s:s, s:o}", "entry", (json_int_t)index, "target",
		                                      targets[target], "done", read_numbers(r, ROSTER_NODES_MAX)));
	}
	return list;
}

static bool has(const json_t *list, json_int_t number)
{
	const json_t *v;
	size_t i;

	json_array_foreach((json_t *)(uintptr_t)list, i, v) if (json_integer_value(v) == number) return true;
	return false;
}

/* Members that have not. */
static void add_missing(json_t *erasures, const json_t *members)
{
	json_t *o, *m;
	size_t i, k;

	json_array_foreach(erasures, i, o)
	{
		json_t *missing = json_array();
		json_array_foreach((json_t *)(uintptr_t)members, k, m)
		{
			if (!has(json_object_get(o, "done"), json_integer_value(m)))
				json_array_append(missing, m);
		}
		json_object_set_new(o, "missing", missing);
	}
}

static json_t *read_holds(struct reader *r)
{
	json_t *list = json_array();
	uint64_t index = 0, time_ms = 0;
	uint32_t n = 0;

	reader_array(r, UINT16_MAX, &n);
	for (uint32_t i = 0; i < n && r->err == 0; i++) {
		struct text type = {0}, id = {0};
		char subject[2 * REQUEST_STR_SIZE_MAX + 2];
		reader_array_exact(r, 4);
		reader_uint(r, INT64_MAX, &index);
		reader_uint(r, INT64_MAX, &time_ms);
		codec_text(r, 1, REQUEST_STR_SIZE_MAX, &type);
		codec_text(r, 1, REQUEST_STR_SIZE_MAX, &id);
		if (r->err != 0)
			break;
		snprintf(subject, sizeof(subject), "%.*s:%.*s", (int)type.len, type.s, (int)id.len, id.s);
		json_array_append_new(list, json_pack("{s:I, s:I, s:s}", "entry", (json_int_t)index, "time_ms",
		                                      (json_int_t)time_ms, "subject", subject));
	}
	return list;
}

static json_t *read_retentions(struct reader *r)
{
	json_t *list = json_array();
	uint64_t kind = 0, keep_ms = 0, swept = 0;
	uint32_t n = 0;

	reader_array(r, UINT16_MAX, &n);
	for (uint32_t i = 0; i < n && r->err == 0; i++) {
		reader_array_exact(r, 3);
		reader_uint(r, ENTRY_KIND_MAX, &kind);
		reader_uint(r, INT64_MAX, &keep_ms);
		reader_uint(r, INT64_MAX, &swept);
		json_array_append_new(list, json_pack("{s:s, s:I, s:I}", "kind", entry_kind_text((unsigned)kind),
		                                      "keep_ms", (json_int_t)keep_ms, "swept", (json_int_t)swept));
	}
	return list;
}

static int keeping_convert(struct call *call, const struct wire_reply *reply, nng_msg *msg, void **ret_result,
                           char *text)
{
	struct reader r;

	(void)call;
	(void)text;
	reader_init(&r, reply->body, reply->body_len);
	reader_array_exact(&r, 4);
	json_t *erasures = read_erasures(&r), *members = read_numbers(&r, ROSTER_NODES_MAX);
	json_t *holds = read_holds(&r), *retention = read_retentions(&r);
	int err = reader_end(&r);
	nng_msg_free(msg);
	add_missing(erasures, members);
	json_decref(members);
	json_t *o = json_pack("{s:o, s:o, s:o}", "erasures", erasures, "holds", holds, "retention", retention);
	if (err == CS_OK && (*ret_result = json_dumps(o, JSON_COMPACT)) == NULL)
		err = CS_ERR_NOMEM;
	json_decref(o);
	return err;
}

int cs_keeping(cs_client *client, char **ret_json)
{
	struct call *call;
	struct writer w;
	void *result;
	int err = call_new(client, WIRE_KEEPING, 16, &call);

	if (err < 0)
		return err;
	writer_init(&w, call->body, call->body_cap);
	writer_array(&w, 0);
	err = call_wait(call, w.len, keeping_convert, &result);
	if (err == CS_OK)
		*ret_json = result;
	return err;
}
