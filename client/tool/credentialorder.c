/* An order about a credential that a person gives for themselves: asked for, saved, answered, carried out. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "client/tool/credentialorder.h"

#include <jansson.h>
#include <sodium.h>
#include <string.h>

#include "client/tool/files.h"
#include "client/tool/json.h"
#include "client/tool/result.h"
#include "node/decide/credential.h"

#define SAVED_SIZE_MAX (1u << 20)

/* The request for just this order: the hash in its context is what binds it. */
static void fill_request(struct cs_request *q, struct cs_attribute attributes[2], const char *action, const char *type,
                         const char *id, const char *name, const char *hash, const char *device)
{
	attributes[0] = (struct cs_attribute){.name = "credential", .type = CS_STRING, .string = hash};
	attributes[1] = (struct cs_attribute){.name = "device", .type = CS_STRING, .string = device};
	q->subject_type = type;
	q->subject_id = id;
	q->action = action;
	q->resource_type = "credential";
	q->resource_id = name;
	q->n_attributes = device && *device ? 2 : 1;
	q->attributes = attributes;
}

static int ask(const char *command, cs_client *client, struct cs_request *q, json_t *order, const struct order_words *w)
{
	cs_result *result = NULL;
	json_t *o;

	cs_request_id(q->id);
	int err = cs_decide(client, q, &result);
	if (err) {
		json_decref(order);
		return tool_failed_call(command, "no decision, which means deny", err);
	}
	o = result_json(result);
	json_object_set_new(o, "order", order);
	int code = result_save(command, w->request, o);
	json_decref(o);
	if (!code && !w->json)
		result_print(result);
	if (!code && !w->json && result->verdict == CS_STEP_UP)
		printf("then       countersign answer --challenge %s …, and this command again with --allowed %s\n",
		       w->request, w->request);
	if (!code)
		code = result_exit(result->verdict);
	cs_result_free(result);
	return code;
}

static int split(const char *command, const struct order_words *w, char type[TOOL_TYPE_SIZE], char id[TOOL_ID_SIZE])
{
	if (!w->subject || !tool_split_typed(w->subject, type, id))
		return tool_fail(EXIT_USAGE, command, "option --subject TYPE:ID is missing, or is not that");
	return 0;
}

int order_ask_enroll(const char *command, cs_client *client, const struct cs_credential *c, const struct order_words *w)
{
	struct cs_attribute attributes[2];
	struct cs_request q = {0};
	char hash[65];

	if (!c->subject_id)
		return tool_fail(EXIT_USAGE, command, "what is pinned is nobody's: an administrator enrols it");
	if (cs_credential_hash(c, hash))
		return tool_fail(EXIT_USAGE, command, "%s", cs_last_error());
	fill_request(&q, attributes, CREDENTIAL_ENROL_ACTION, c->subject_type, c->subject_id, c->name, hash, w->device);
	return ask(command, client, &q,
	           json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:o}", "action", CREDENTIAL_ENROL_ACTION, "name",
	                     c->name, "kind", c->kind, "subject_type", c->subject_type, "subject_id", c->subject_id,
	                     "hash", hash, "device", w->device ? w->device : "", "data", json_bytes(c->data, c->size)),
	           w);
}

int order_ask_revoke(const char *command, cs_client *client, const char *name, const char *reason,
                     const struct order_words *w)
{
	char type[TOOL_TYPE_SIZE], id[TOOL_ID_SIZE], hash[65];
	struct cs_attribute attributes[2];
	struct cs_request q = {0};
	int code = split(command, w, type, id);

	if (code)
		return code;
	if (cs_revocation_hash(name, reason, hash))
		return tool_fail(EXIT_USAGE, command, "name or reason is too long");
	fill_request(&q, attributes, CREDENTIAL_REVOKE_ACTION, type, id, name, hash, w->device);
	return ask(command, client, &q,
	           json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s}", "action", CREDENTIAL_REVOKE_ACTION, "name", name,
	                     "subject_type", type, "subject_id", id, "hash", hash, "device", w->device ? w->device : "",
	                     "reason", reason),
	           w);
}

static const char *text_of(const json_t *o, const char *name)
{
	const char *s = json_string_value(json_object_get(o, name));

	return s ? s : "";
}

int order_load(const char *command, const char *path, struct order_saved *ret)
{
	json_t *o = NULL;
	int code = json_read(command, path, SAVED_SIZE_MAX, &o);
	const json_t *order = json_object_get(o, "order");
	const char *data = text_of(order, "data");

	if (code)
		return code;
	ret->json = o;
	if (!json_is_object(order) || !tool_parse_request_id(text_of(o, "request_id"), ret->request.id) ||
	    sodium_base642bin(ret->data, sizeof ret->data, data, strlen(data), NULL, &ret->credential.size, NULL,
	                      sodium_base64_VARIANT_ORIGINAL)) {
		order_saved_free(ret);
		return tool_fail(EXIT_USAGE, command, "%s: is not what --request saved", path);
	}
	ret->reason = text_of(order, "reason");
	ret->credential.name = text_of(order, "name");
	ret->credential.kind = text_of(order, "kind");
	ret->credential.subject_type = text_of(order, "subject_type");
	ret->credential.subject_id = text_of(order, "subject_id");
	ret->credential.data = ret->data;
	fill_request(&ret->request, ret->attributes, text_of(order, "action"), ret->credential.subject_type,
	             ret->credential.subject_id, ret->credential.name, text_of(order, "hash"),
	             text_of(order, "device"));
	return 0;
}

void order_saved_free(struct order_saved *s)
{
	json_decref(s->json);
	s->json = NULL;
}
