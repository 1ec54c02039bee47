/* Asking: decisions, imports, answers to challenges, checks. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "client/client_internal.h"
#include "ledger/errors.h"
#include "node/decide/command.h"
#include "node/wire/textfile.h"

#define REQUEST_BODY_MAX                                                                                               \
	(REQUEST_STR_SIZE_MAX * (7 + 2 * REQUEST_CONTEXT_MAX) + 512) /* Every string at its longest.                   \
	                                                              */
#define SOURCE_SIZE_MAX (2 * REQUEST_STR_SIZE_MAX + 128)

static struct text text_of(const char *s)
{
	/* One more than is allowed, so that the encoder refuses what is too long, and what has no end is not read. */
	return (struct text){.s = s, .len = s == NULL ? 0 : strnlen(s, REQUEST_STR_SIZE_MAX + 1)};
}

static int named_compare(const void *a, const void *b)
{
	const struct named_value *x = a, *y = b;
	size_t n = x->name.len < y->name.len ? x->name.len : y->name.len;
	int c = n == 0 ? 0 : memcmp(x->name.s, y->name.s, n);

	return c != 0 ? c : (x->name.len > y->name.len) - (x->name.len < y->name.len);
}

static int context_fill(struct request *r, const struct cs_request *q)
{
	if (q->n_attributes > REQUEST_CONTEXT_MAX) {
		last_error_set("a request has at most %d attributes", REQUEST_CONTEXT_MAX);
		return CS_ERR_TOO_LARGE;
	}
	r->n_context = (unsigned)q->n_attributes;
	for (size_t i = 0; i < q->n_attributes; i++) {
		const struct cs_attribute *a = &q->attributes[i];
		struct named_value *v = &r->context[i];
		*v = (struct named_value){.name = text_of(a->name), .integer = a->integer};
		if (a->type == CS_STRING) {
			v->type = VALUE_STR;
			v->str = text_of(a->string == NULL ? "" : a->string);
		} else if (a->type == CS_INTEGER) {
			v->type = VALUE_INT;
		} else if (a->type == CS_BOOLEAN) {
			v->type = VALUE_BOOL;
			v->integer = a->integer != 0;
		} else {
			last_error_set("attribute \"%.64s\" has no known type", a->name == NULL ? "" : a->name);
			return CS_ERR_INVALID;
		}
	}
	qsort(r->context, r->n_context, sizeof(r->context[0]), named_compare);
	return CS_OK;
}

static int chain_fill(struct request *r, const struct cs_request *q)
{
	if (q->n_via >= REQUEST_ACTORS_MAX || (q->n_via > 0 && q->actor_id == NULL)) {
		last_error_set("a chain has at most %d actors, and somebody who acts", REQUEST_ACTORS_MAX);
		return CS_ERR_INVALID;
	}
	r->n_via = (unsigned)q->n_via;
	for (size_t i = 0; i < q->n_via; i++)
		r->via[i] = (struct typed){text_of(q->via[i].type), text_of(q->via[i].id)};
	return CS_OK;
}

int request_fill(const struct cs_request *q, void *buf, size_t cap, size_t *ret_len)
{
	struct request r = {
	        .subject_type = text_of(q->subject_type),
	        .subject_id = text_of(q->subject_id),
	        .actor_type = text_of(q->actor_type),
	        .actor_id = text_of(q->actor_id),
	        .action = text_of(q->action),
	        .resource_type = text_of(q->resource_type),
	        .resource_id = text_of(q->resource_id),
	};
	int err = context_fill(&r, q);
	if (err == CS_OK)
		err = chain_fill(&r, q);
	if (err < 0)
		return err;
	err = request_encode(&r, buf, cap, ret_len);
	if (err < 0)
		last_error_set("the request: %s (strings have 1 to %d bytes of UTF-8, attributes' names occur once)",
		               err_text(err), REQUEST_STR_SIZE_MAX);
	return err;
}

static int decide_call(cs_client *c, const struct cs_request *q, struct call **ret, size_t *ret_len)
{
	struct call *call;

	int err = call_new(c, WIRE_DECIDE, REQUEST_BODY_MAX, &call);
	if (err < 0)
		return err;
	call->number = !sodium_is_zero(q->id, sizeof(q->id)); /* Asked before, perhaps. */
	if (call->number)
		memcpy(call->request.id, q->id, sizeof(q->id));
	err = request_fill(q, call->body, call->body_cap, ret_len);
	if (err < 0)
		call_drop(call);
	else
		*ret = call;
	return err;
}

int cs_decide(cs_client *client, const struct cs_request *request, cs_result **ret)
{
	struct call *call;
	size_t len;
	void *result;

	int err = decide_call(client, request, &call, &len);
	if (err == CS_OK)
		err = call_wait(call, len, result_convert, &result);
	if (err == CS_OK)
		*ret = result;
	return err;
}

int cs_decide_async(cs_client *client, const struct cs_request *request, cs_callback callback, void *context)
{
	struct call *call;
	size_t len;

	int err = decide_call(client, request, &call, &len);
	if (err == CS_OK)
		call_start(call, len, result_convert, result_deliver, (call_user)callback, context);
	return err;
}

int cs_import_async(cs_client *client, const struct cs_request *request, const struct cs_source *source,
                    cs_callback callback, void *context)
{
	uint8_t inner[REQUEST_BODY_MAX];
	struct import i = {
	        .event_time_ms = source->event_time_ms,
	        .format = text_of(source->format),
	        .file = text_of(source->file),
	        .file_hash = source->file_hash,
	        .position = source->position,
	        .request = inner,
	};
	struct call *call;
	size_t len;

	int err = call_new(client, WIRE_IMPORT, REQUEST_BODY_MAX + SOURCE_SIZE_MAX, &call);
	if (err < 0)
		return err;
	if (!sodium_is_zero(request->id, sizeof(request->id)))
		memcpy(call->request.id, request->id, sizeof(request->id));
	err = request_fill(request, inner, sizeof(inner), &i.request_len);
	if (err == CS_OK && (err = import_encode(&i, call->body, call->body_cap, &len)) < 0)
		last_error_set("the source of an import: %s", err_text(err));
	if (err < 0)
		call_drop(call);
	else
		call_start(call, len, result_convert, result_deliver, (call_user)callback, context);
	return err;
}

/* --- answers --- */

int cs_answer_sign(const char *device_key_file, const char *origin, uint64_t challenge_index, const uint8_t digest[32],
                   const uint8_t nonce[32], uint64_t expiry_ms, char ret_credential[65], uint8_t ret_signature[64])
{
	struct keyfile k;
	struct hash d;
	uint8_t message[ANSWER_MESSAGE_SIZE_MAX], pub[32], sk[64];
	char text[TEXTFILE_ERROR_SIZE];

	if (strnlen(origin, LIMIT_ORIGIN_SIZE_MAX + 1) > LIMIT_ORIGIN_SIZE_MAX) {
		last_error_set("the origin is over %d bytes", LIMIT_ORIGIN_SIZE_MAX);
		return CS_E_INVALID;
	}
	int err = keyfile_read(device_key_file, &k, text);
	if (err < 0) {
		last_error_set("%s", text);
		return err;
	}
	err = keyfile_public(&k, KEY_SIGN, pub, sk);
	if (err < 0) {
		last_error_set("%s: there is no sign key in it", device_key_file);
	} else {
		memcpy(d.b, digest, HASH_SIZE);
		size_t len = answer_message(message, origin, challenge_index, &d, nonce, expiry_ms);
		crypto_sign_detached(ret_signature, NULL, message, len, sk);
		memcpy(ret_credential, k.name, sizeof(k.name));
		sodium_memzero(sk, sizeof(sk));
	}
	keyfile_wipe(&k);
	return err;
}

int cs_answer(cs_client *client, uint64_t challenge_index, const char *credential, const uint8_t signature[64],
              cs_result **ret)
{
	const struct answer a = {
	        .challenge = challenge_index,
	        .method = {.s = "ed25519", .len = 7},
	        .credential = text_of(credential),
	        .evidence = signature,
	        .evidence_len = 64,
	};
	struct call *call;
	size_t len;
	void *result;

	int err = call_new(client, WIRE_ANSWER, SOURCE_SIZE_MAX, &call);
	if (err < 0)
		return err;
	err = answer_encode(&a, call->body, call->body_cap, &len);
	if (err < 0) {
		last_error_set("the answer: %s", err_text(err));
		call_drop(call);
		return err;
	}
	call->number = challenge_index;
	err = call_wait(call, len, result_convert, &result);
	if (err == CS_OK)
		*ret = result;
	return err;
}

/* --- checks --- */

static int check_convert(struct call *call, const struct wire_reply *reply, nng_msg *msg, void **ret_result, char *text)
{
	struct cs_check_result *c = calloc(1, sizeof(*c));
	struct reader r;
	uint64_t verdict = 0;

	(void)call;
	(void)text;
	if (c == NULL) {
		nng_msg_free(msg);
		return CS_ERR_NOMEM;
	}
	reader_init(&r, reply->body, reply->body_len);
	reader_array_exact(&r, 6);
	reader_bool(&r, &c->stands);
	reader_uint(&r, CS_DENY, &verdict);
	reader_uint(&r, UINT64_MAX, &c->index);
	reader_uint(&r, UINT64_MAX, &c->time_ms);
	reader_uint(&r, UINT64_MAX, &c->size);
	reader_uint(&r, UINT64_MAX, &c->stale_ms);
	c->verdict = (int)verdict;
	int err = reader_end(&r);
	nng_msg_free(msg);
	if (err < 0)
		free(c);
	else
		*ret_result = c;
	return err;
}

static void check_deliver(call_user user, void *user_ctx, int code, void *result)
{
	((cs_check_callback)user)(user_ctx, code, result);
	free(result);
}

int cs_check_grant(cs_client *client, const struct cs_request *request, unsigned stale_ms_max,
                   struct cs_check_result *ret)
{
	uint8_t bytes[REQUEST_BODY_MAX];
	struct call *call;
	struct writer w;
	size_t len;
	void *result;

	int err = request_fill(request, bytes, sizeof(bytes), &len);
	if (err == CS_OK)
		err = call_new(client, WIRE_CHECK, REQUEST_BODY_MAX + 16, &call);
	if (err < 0)
		return err;
	call->anywhere = stale_ms_max > 0;
	writer_init(&w, call->body, call->body_cap);
	writer_array(&w, stale_ms_max > 0 ? 2 : 1);
	writer_raw(&w, bytes, len);
	if (stale_ms_max > 0)
		writer_uint(&w, stale_ms_max);
	err = call_wait(call, w.len, check_convert, &result);
	if (err < 0)
		return err;
	*ret = *(struct cs_check_result *)result;
	free(result);
	return CS_OK;
}

/* stale_ms_max 0: linearizable. */
static int check_call(cs_client *c, const uint8_t request_id[16], unsigned stale_ms_max, struct call **ret,
                      size_t *ret_len)
{
	struct writer w;

	int err = call_new(c, WIRE_CHECK, 32, ret);
	if (err < 0)
		return err;
	(*ret)->anywhere = stale_ms_max > 0;
	writer_init(&w, (*ret)->body, (*ret)->body_cap);
	writer_array(&w, stale_ms_max > 0 ? 2 : 1);
	writer_bin(&w, request_id, WIRE_REQUEST_ID_SIZE);
	if (stale_ms_max > 0)
		writer_uint(&w, stale_ms_max);
	return writer_end(&w, ret_len);
}

static int check_wait(cs_client *client, const uint8_t request_id[16], unsigned stale_ms_max,
                      struct cs_check_result *ret)
{
	struct call *call;
	size_t len;
	void *result;

	int err = check_call(client, request_id, stale_ms_max, &call, &len);
	if (err == CS_OK)
		err = call_wait(call, len, check_convert, &result);
	if (err < 0)
		return err;
	*ret = *(struct cs_check_result *)result;
	free(result);
	return CS_OK;
}

static int check_start(cs_client *client, const uint8_t request_id[16], unsigned stale_ms_max,
                       cs_check_callback callback, void *context)
{
	struct call *call;
	size_t len;

	int err = check_call(client, request_id, stale_ms_max, &call, &len);
	if (err == CS_OK)
		call_start(call, len, check_convert, check_deliver, (call_user)callback, context);
	return err;
}

int cs_check(cs_client *client, const uint8_t request_id[16], struct cs_check_result *ret)
{
	return check_wait(client, request_id, 0, ret);
}

int cs_check_async(cs_client *client, const uint8_t request_id[16], cs_check_callback callback, void *context)
{
	return check_start(client, request_id, 0, callback, context);
}

int cs_check_local(cs_client *client, const uint8_t request_id[16], unsigned stale_ms_max, struct cs_check_result *ret)
{
	return check_wait(client, request_id, stale_ms_max > 0 ? stale_ms_max : 1, ret);
}

int cs_check_local_async(cs_client *client, const uint8_t request_id[16], unsigned stale_ms_max,
                         cs_check_callback callback, void *context)
{
	return check_start(client, request_id, stale_ms_max > 0 ? stale_ms_max : 1, callback, context);
}
