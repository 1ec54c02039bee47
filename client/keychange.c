/* Keys change: orders that put a new key in an old one's place, keys made at their node, the keys there are. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <jansson.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "client/client_internal.h"
#include "client/order.h"
#include "ledger/errors.h"
#include "node/decide/keys.h"

#define BASE64_32 45 /* Base64 of 32 bytes and NUL. */

/* --- the order --- */

static int place_of(const struct cs_key *key)
{
	for (unsigned i = 1; i <= KEY_PLACE_MAX; i++)
		if (strcmp(key_place_text(i), key->place) == 0)
			return (int)i;
	last_error_set("\"%s\" is no place of a key", key->place);
	return CS_ERR_INVALID;
}

int cs_key_rotate(cs_client *client, const struct cs_key *key, cs_result **ret)
{
	uint8_t elements[ORDER_BODY_MAX];
	struct order_signatures signatures;
	struct call *call;
	size_t len = 0;
	int place = place_of(key);
	struct key_order o = {
	        .place = (unsigned)place,
	        .node = key->node,
	        .name = {key->name, key->name == NULL ? 0 : strnlen(key->name, PRINCIPAL_NAME_SIZE_MAX + 1)},
	        .pub = key->pub,
	        .overlap = key->overlap};

	int err = place < 0 ? place : call_new(client, WIRE_KEY, ORDER_BODY_MAX, &call);
	if (err < 0)
		return err;
	err = key_order_encode_signed(&o, elements, sizeof(elements), &len);
	if (err < 0)
		last_error_set("the order: %s", err_text(err));
	else
		err = order_sign(client, COMMAND_KEY, elements, len, &o.admin, &signatures);
	if (err == CS_OK && (err = key_order_encode(&o, call->body, call->body_cap, &len)) < 0)
		last_error_set("the order: %s", err_text(err));
	return order_send(call, err, len, ret);
}

/* --- made at the node --- */

struct prepared {
	uint64_t node;
	struct cs_key_prepared keys;
};

static int prepared_read(struct prepared *ret, const uint8_t *body, size_t len)
{
	struct reader r;
	uint32_t n = 0;

	memset(ret, 0, sizeof(*ret));
	reader_init(&r, body, len);
	reader_array_exact(&r, 2);
	reader_uint(&r, UINT64_MAX, &ret->node);
	reader_array(&r, 3, &n);
	for (uint32_t i = 0; i < n && r.err == 0; i++) {
		uint64_t place = 0;
		reader_array_exact(&r, 2);
		reader_uint(&r, KEY_PLACE_NODE, &place);
		uint8_t *pub = place == KEY_PLACE_LOG        ? ret->keys.log_pub
		               : place == KEY_PLACE_COSIGNER ? ret->keys.cosigner_pub
		                                             : ret->keys.channel_pub;
		reader_bin_exact(&r, pub, 32);
	}
	return reader_end(&r);
}

static int prepared_convert(struct call *call, const struct wire_reply *reply, nng_msg *msg, void **ret_result,
                            char *text)
{
	struct prepared *p = malloc(sizeof(*p));

	(void)call;
	(void)text;
	int err = p == NULL ? CS_ERR_NOMEM : prepared_read(p, reply->body, reply->body_len);
	nng_msg_free(msg);
	if (err == CS_OK)
		*ret_result = p;
	else
		free(p);
	return err;
}

static int pinned_call(cs_client *client, uint64_t node_id, unsigned type, struct call **ret)
{
	int pinned = node_id == 0 ? -1 : node_by_id(client, node_id);

	if (node_id != 0 && pinned < 0) {
		last_error_set("node %llu is not known", (unsigned long long)node_id);
		return CS_E_NOT_FOUND;
	}
	int err = call_new(client, type, 64, ret);
	if (err == CS_OK)
		(*ret)->pinned = pinned;
	return err;
}

int cs_key_prepare(cs_client *client, uint64_t node_id, unsigned kinds, struct cs_key_prepared *ret)
{
	static const unsigned places[] = {KEY_PLACE_LOG, KEY_PLACE_COSIGNER, KEY_PLACE_NODE};
	struct call *call;
	struct writer w;
	void *result;
	int err = pinned_call(client, node_id, WIRE_KEY_PREPARE, &call);

	if (err < 0)
		return err;
	writer_init(&w, call->body, call->body_cap);
	writer_array(&w, 1);
	writer_array(&w, (uint32_t)__builtin_popcount(kinds & 7));
	for (unsigned i = 0; i < 3; i++)
		if (kinds & (1u << i))
			writer_uint(&w, places[i]);
	err = call_wait(call, w.len, prepared_convert, &result);
	if (err < 0)
		return err;
	struct prepared *p = result;
	if (p->node != node_id) {
		last_error_set("node %llu answered for node %llu", (unsigned long long)p->node,
		               (unsigned long long)node_id);
		err = CS_E_REFUTED;
	} else {
		*ret = p->keys;
	}
	free(p);
	return err;
}

/* --- which there are --- */

static json_t *pub_json(const uint8_t pub[32])
{
	char text[BASE64_32];

	sodium_bin2base64(text, sizeof(text), pub, 32, sodium_base64_VARIANT_ORIGINAL);
	return json_string(text);
}

static json_t *told_json(const struct key_told *t)
{
	json_t *o = json_pack("{s:I, s:s, s:o, s:I}", "node", (json_int_t)t->node, "place", key_place_text(t->place),
	                      "key", pub_json(t->pub), "entry", (json_int_t)t->index);

	if (o != NULL && t->has_before) {
		json_object_set_new(o, "before", pub_json(t->before));
		json_object_set_new(o, "until", json_integer((json_int_t)t->until));
	}
	return o;
}

static int keys_convert(struct call *call, const struct wire_reply *reply, nng_msg *msg, void **ret_result, char *text)
{
	struct keys_reply *k = malloc(sizeof(*k));
	json_t *list = json_array(), *o = NULL;

	(void)call;
	(void)text;
	int err = k == NULL || list == NULL ? CS_ERR_NOMEM : keys_reply_read(k, reply->body, reply->body_len);
	nng_msg_free(msg);
	for (unsigned i = 0; err == CS_OK && i < k->n; i++)
		if (json_array_append_new(list, told_json(&k->keys[i])) != 0)
			err = CS_ERR_NOMEM;
	if (err == CS_OK)
		o = json_pack("{s:I, s:I, s:b, s:b, s:O}", "node", (json_int_t)k->node, "size", (json_int_t)k->size,
		              "log_signs", k->log_signs, "cosigner_signs", k->cosigner_signs, "keys", list);
	if (err == CS_OK && (*ret_result = o == NULL ? NULL : json_dumps(o, JSON_COMPACT)) == NULL)
		err = CS_ERR_NOMEM;
	json_decref(o);
	json_decref(list);
	free(k);
	return err;
}

int cs_keys(cs_client *client, uint64_t node_id, char **ret_json)
{
	struct call *call;
	struct writer w;
	void *result;
	int err = pinned_call(client, node_id, WIRE_KEYS, &call);

	if (err < 0)
		return err;
	writer_init(&w, call->body, call->body_cap);
	writer_array(&w, 0);
	err = call_wait(call, w.len, keys_convert, &result);
	if (err == CS_OK)
		*ret_json = result;
	return err;
}
