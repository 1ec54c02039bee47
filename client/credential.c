/* Orders about credentials: an administrator's, or the person's own after a step-up for just that; the list. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <inttypes.h>
#include <jansson.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "client/client_internal.h"
#include "client/order.h"
#include "ledger/errors.h"
#include "node/decide/credential.h"

#define ORDER_MAX (CREDENTIAL_DATA_SIZE_MAX + REQUEST_SIZE_MAX + 2048)
#define PAGE      256

static struct text text_of(const char *s, size_t len_max)
{
	return (struct text){.s = s, .len = s == NULL ? 0 : strnlen(s, len_max + 1)};
}

static int order_fill(const struct cs_credential *c, struct credential_order *ret)
{
	*ret = (struct credential_order){.name = text_of(c->name, PRINCIPAL_NAME_SIZE_MAX),
	                                 .kind = credential_kind_parse(text_of(c->kind, 32)),
	                                 .subject_type = text_of(c->subject_type, SUBJECT_TYPE_SIZE_MAX),
	                                 .subject_id = text_of(c->subject_id, REQUEST_STR_SIZE_MAX),
	                                 .data = c->data,
	                                 .data_len = c->size};
	if (ret->kind != 0 && ret->name.len > 0 && ret->name.len <= PRINCIPAL_NAME_SIZE_MAX &&
	    ret->subject_type.len <= SUBJECT_TYPE_SIZE_MAX && ret->subject_id.len <= REQUEST_STR_SIZE_MAX)
		return CS_OK;
	last_error_set("a credential has a name, a kind (webauthn, totp, oidc, oidc-issuer, attestation-root), and for "
	               "the first three a subject");
	return CS_E_INVALID;
}

static void hash_hex(const uint8_t *elements, size_t len, char ret[65])
{
	struct hash h;

	hash_bytes(&h, elements, len);
	sodium_bin2hex(ret, 65, h.b, HASH_SIZE);
}

int cs_credential_hash(const struct cs_credential *credential, char ret[65])
{
	uint8_t elements[CREDENTIAL_SIGNED_SIZE_MAX];
	struct credential_order o;
	size_t len = 0;

	int err = order_fill(credential, &o);
	if (err == CS_OK)
		err = credential_order_encode_signed(&o, elements, sizeof(elements), &len);
	if (err == CS_OK)
		hash_hex(elements, len, ret);
	return err;
}

int cs_revocation_hash(const char *name, const char *reason, char ret[65])
{
	uint8_t elements[REMOVAL_REASON_SIZE_MAX + CREDENTIAL_SIGNED_SIZE_MAX];
	struct credential_revocation v = {.name = text_of(name, PRINCIPAL_NAME_SIZE_MAX),
	                                  .reason = text_of(reason, REMOVAL_REASON_SIZE_MAX)};
	size_t len = 0;

	int err = credential_revocation_encode_signed(&v, elements, sizeof(elements), &len);
	if (err == CS_OK)
		hash_hex(elements, len, ret);
	return err;
}

/* Room for what an order's authority points to. */
struct authority_room {
	struct order_signatures signatures;
	uint8_t request[REQUEST_SIZE_MAX];
};

static int authorise(cs_client *client, unsigned type, const uint8_t *elements, size_t len,
                     const struct cs_request *allowed, struct authority_room *room, struct authority *ret)
{
	if (allowed == NULL && type == COMMAND_CREDENTIAL_ENROL && orders_kept(client)) {
		last_error_set("an enrolment cannot be kept: its order names only the hash of what is enrolled");
		return CS_ERR_INVALID;
	}
	if (allowed == NULL) {
		ret->by_admin = true;
		return order_sign(client, type, elements, len, &ret->admin, &room->signatures);
	}
	ret->request_id = allowed->id;
	ret->request = room->request;
	return request_fill(allowed, room->request, sizeof(room->request), &ret->request_len);
}

int cs_credential_enroll(cs_client *client, const struct cs_credential *credential, const struct cs_request *allowed,
                         cs_result **ret)
{
	uint8_t elements[CREDENTIAL_SIGNED_SIZE_MAX];
	struct authority_room room;
	struct credential_order o;
	struct call *call;
	size_t len = 0;

	int err = order_fill(credential, &o);
	if (err == CS_OK)
		err = call_new(client, WIRE_CREDENTIAL_ENROL, ORDER_MAX, &call);
	if (err < 0)
		return err;
	err = credential_order_encode_signed(&o, elements, sizeof(elements), &len);
	if (err == CS_OK)
		err = authorise(client, COMMAND_CREDENTIAL_ENROL, elements, len, allowed, &room, &o.authority);
	if (err == CS_OK && (err = credential_order_encode(&o, call->body, call->body_cap, &len)) < 0)
		last_error_set("the enrolment: %s", err_text(err));
	return order_send(call, err, len, ret);
}

int cs_credential_revoke(cs_client *client, const char *name, const char *reason, const struct cs_request *allowed,
                         cs_result **ret)
{
	uint8_t elements[REMOVAL_REASON_SIZE_MAX + CREDENTIAL_SIGNED_SIZE_MAX];
	struct credential_revocation v = {.name = text_of(name, PRINCIPAL_NAME_SIZE_MAX),
	                                  .reason = text_of(reason, REMOVAL_REASON_SIZE_MAX)};
	struct authority_room room;
	struct call *call;
	size_t len = 0;

	int err = call_new(client, WIRE_CREDENTIAL_REVOKE, ORDER_MAX, &call);
	if (err < 0)
		return err;
	err = credential_revocation_encode_signed(&v, elements, sizeof(elements), &len);
	if (err == CS_OK)
		err = authorise(client, COMMAND_CREDENTIAL_REVOKE, elements, len, allowed, &room, &v.authority);
	if (err == CS_OK && (err = credential_revocation_encode(&v, call->body, call->body_cap, &len)) < 0)
		last_error_set("the revocation: %s", err_text(err));
	return order_send(call, err, len, ret);
}

/* --- the list --- */

static json_t *read_string(struct reader *r, size_t len_max)
{
	const char *s = "";
	size_t len = 0;

	reader_str(r, len_max, &s, &len);
	return json_stringn(s, len);
}

static json_t *read_number(struct reader *r)
{
	uint64_t v = 0;

	reader_uint(r, INT64_MAX, &v);
	return json_integer((json_int_t)v);
}

static json_t *credential_json(struct reader *r)
{
	json_t *o = json_object();
	bool locked = false;

	reader_array_exact(r, 7);
	json_object_set_new(o, "name", read_string(r, PRINCIPAL_NAME_SIZE_MAX));
	json_object_set_new(o, "kind", read_string(r, 32));
	if (!reader_nil(r)) {
		reader_array_exact(r, 2);
		json_object_set_new(o, "subject_type", read_string(r, SUBJECT_TYPE_SIZE_MAX));
		json_object_set_new(o, "subject_id", read_string(r, REQUEST_STR_SIZE_MAX));
	}
	json_object_set_new(o, "since", read_number(r));
	json_object_set_new(o, "counter", read_number(r));
	json_object_set_new(o, "failures", read_number(r));
	reader_bool(r, &locked);
	json_object_set_new(o, "locked", json_boolean(locked));
	return o;
}

static int page_convert(struct call *call, const struct wire_reply *reply, nng_msg *msg, void **ret_result, char *text)
{
	json_t *list = json_array();
	struct reader r;
	uint32_t n = 0;

	(void)call;
	(void)text;
	reader_init(&r, reply->body, reply->body_len);
	reader_array_exact(&r, 1);
	reader_array(&r, PAGE, &n);
	for (uint32_t i = 0; i < n && r.err == 0; i++)
		json_array_append_new(list, credential_json(&r));
	int err = reader_end(&r);
	nng_msg_free(msg);
	if (err < 0)
		json_decref(list);
	else
		*ret_result = list;
	return err;
}

static int fetch_page(cs_client *client, const char *after, json_t **ret)
{
	struct call *call;
	struct writer w;
	void *result;

	int err = call_new(client, WIRE_CREDENTIALS, 128, &call);
	if (err < 0)
		return err;
	writer_init(&w, call->body, call->body_cap);
	writer_array(&w, 2);
	writer_cstr(&w, after);
	writer_uint(&w, PAGE);
	err = call_wait(call, w.len, page_convert, &result);
	if (err == CS_OK)
		*ret = result;
	return err;
}

int cs_credentials(cs_client *client, char **ret_json)
{
	json_t *all = json_array(), *page = NULL;
	char after[PRINCIPAL_NAME_SIZE_MAX + 1] = "";
	size_t n = PAGE;
	int err = CS_OK;

	while (n == PAGE && err == CS_OK) {
		err = fetch_page(client, after, &page);
		if (err < 0)
			break;
		n = json_array_size(page);
		const char *last = json_string_value(json_object_get(json_array_get(page, n > 0 ? n - 1 : 0), "name"));
		if (n > 0 && last != NULL)
			strcpy(after, last);
		json_array_extend(all, page);
		json_decref(page);
	}
	if (err == CS_OK && (*ret_json = json_dumps(all, JSON_COMPACT)) == NULL)
		err = CS_ERR_NOMEM;
	json_decref(all);
	return err;
}
