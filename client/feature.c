/* Features: an administrator's order to switch one on, and which ones the members' builds have. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "client/client_internal.h"
#include "client/order.h"
#include "ledger/errors.h"
#include "node/decide/feature.h"

#define ORDER_MAX      8192 /* With every signature that it may have. */
#define ABOUT_SIZE_MAX 128  /* What a feature is, in words. */

int cs_feature_enable(cs_client *client, const char *name, cs_result **ret)
{
	struct feature_order o = {.name = {name, strnlen(name, FEATURE_NAME_SIZE_MAX + 1)}};
	uint8_t elements[ORDER_MAX];
	struct order_signatures signatures;
	struct call *call;
	size_t len = 0;

	if (!feature_name_valid(o.name)) {
		last_error_set("\"%.*s\" is no feature's name", (int)o.name.len, name);
		return CS_ERR_INVALID;
	}
	int err = call_new(client, WIRE_FEATURE, ORDER_MAX, &call);
	if (err < 0)
		return err;
	err = feature_order_encode_signed(&o, elements, sizeof(elements), &len);
	if (err == CS_OK)
		err = order_sign(client, COMMAND_FEATURE, elements, len, &o.admin, &signatures);
	if (err == CS_OK && (err = feature_order_encode(&o, call->body, call->body_cap, &len)) < 0)
		last_error_set("the order: %s", err_text(err));
	return order_send(call, err, len, ret);
}

/* --- who has which --- */

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

json_t *feature_names_json(uint64_t bits)
{
	json_t *list = json_array();
	char unknown[16];

	for (unsigned i = 1; i <= FEATURE_NUMBER_MAX; i++) {
		if (!(bits & FEATURE_BIT(i)))
			continue;
		snprintf(unknown, sizeof(unknown), "#%u", i); /* Of a later build than this tool's. */
		json_array_append_new(list, json_string(feature_name(i) != NULL ? feature_name(i) : unknown));
	}
	return list;
}

/* [number, name, what it is, index of its entry or nil] */
static json_t *feature_json(struct reader *r)
{
	json_t *o = json_object();

	reader_array_exact(r, 4);
	json_object_set_new(o, "number", read_number(r));
	json_object_set_new(o, "name", read_string(r, FEATURE_NAME_SIZE_MAX));
	json_object_set_new(o, "about", read_string(r, ABOUT_SIZE_MAX));
	json_object_set_new(o, "since", r->err == 0 && reader_nil(r) ? json_null() : read_number(r));
	return o;
}

/* [node id, build or "", features of it] */
static json_t *build_json(struct reader *r)
{
	json_t *o = json_object();
	uint64_t bits = 0;

	reader_array_exact(r, 3);
	json_object_set_new(o, "id", read_number(r));
	json_object_set_new(o, "build", read_string(r, FEATURE_BUILD_SIZE_MAX));
	reader_uint(r, UINT64_MAX, &bits);
	json_object_set_new(o, "features", feature_names_json(bits));
	return o;
}

static char *features_json(const uint8_t *body, size_t len)
{
	json_t *j = json_object(), *features = json_array(), *members = json_array();
	bool leads = false;
	uint32_t n = 0;
	struct reader r;
	char *text = NULL;

	reader_init(&r, body, len);
	reader_array_exact(&r, 4);
	json_object_set_new(j, "node", read_number(&r));
	reader_bool(&r, &leads);
	json_object_set_new(j, "leads", json_boolean(leads));
	reader_array(&r, FEATURE_NUMBER_MAX, &n);
	while (r.err == 0 && n-- > 0)
		json_array_append_new(features, feature_json(&r));
	n = 0;
	reader_array(&r, ROSTER_NODES_MAX, &n);
	while (r.err == 0 && n-- > 0)
		json_array_append_new(members, build_json(&r));
	json_object_set_new(j, "features", features);
	json_object_set_new(j, "members", members);
	if (reader_end(&r) == 0)
		text = json_dumps(j, JSON_COMPACT);
	json_decref(j);
	return text;
}

static int features_convert(struct call *call, const struct wire_reply *reply, nng_msg *msg, void **ret_result,
                            char *text)
{
	(void)call;
	(void)text;
	char *json = features_json(reply->body, reply->body_len);
	nng_msg_free(msg);
	*ret_result = json;
	return json == NULL ? CS_ERR_MALFORMED : CS_OK;
}

int cs_features(cs_client *client, uint64_t node_id, char **ret_json)
{
	struct call *call;
	struct writer w;
	void *result;
	int pinned, err = node_pin(client, node_id, &pinned);

	if (err == CS_OK)
		err = call_new(client, WIRE_FEATURES, 16, &call);
	if (err < 0)
		return err;
	call->pinned = pinned;
	writer_init(&w, call->body, call->body_cap);
	writer_array(&w, 0);
	err = call_wait(call, w.len, features_convert, &result);
	if (err == CS_OK)
		*ret_json = result;
	return err;
}
