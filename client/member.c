/* Members of the cluster: orders about them, signed by an administrator, and who they are. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <jansson.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "client/client_internal.h"
#include "client/order.h"
#include "ledger/errors.h"

#define ORDER_MAX  8192 /* With every signature that it may have. */
#define BASE64_32  45   /* Base64 of 32 bytes and NUL. */
#define STATES_MAX ROSTER_NODES_MAX

/* --- orders --- */

static struct text text_of(const char *s)
{
	return (struct text){.s = s, .len = s == NULL ? 0 : strnlen(s, NODE_URL_SIZE_MAX + 1)};
}

static int send_order(cs_client *c, struct member_order *m, cs_result **ret)
{
	uint8_t elements[ORDER_MAX];
	struct order_signatures signatures;
	struct call *call;
	size_t len = 0;

	int err = call_new(c, WIRE_MEMBER, ORDER_MAX, &call);
	if (err < 0)
		return err;
	err = member_order_encode_signed(m, elements, sizeof(elements), &len);
	if (err == CS_OK)
		err = order_sign(c, COMMAND_MEMBER, elements, len, &m->admin, &signatures);
	else
		last_error_set("the order: %s", err_text(err));
	if (err == CS_OK && (err = member_order_encode(m, call->body, call->body_cap, &len)) < 0)
		last_error_set("the order: %s", err_text(err));
	return order_send(call, err, len, ret);
}

int cs_member_add(cs_client *client, const struct cs_member *member, cs_result **ret)
{
	struct member_order m = {.action = MEMBER_ADD,
	                         .role = ROSTER_SPARE,
	                         .id = member->id,
	                         .url = text_of(member->url),
	                         .link = text_of(member->link),
	                         .log_pub = member->log_pub,
	                         .cosigner_pub = member->cosigner_pub,
	                         .channel_pub = member->channel_pub};

	return send_order(client, &m, ret);
}

int cs_member_role(cs_client *client, uint64_t id, bool voter, bool lost, cs_result **ret)
{
	struct member_order m = {
	        .action = MEMBER_ROLE, .role = voter ? ROSTER_VOTER : ROSTER_SPARE, .id = id, .lost = lost};

	return send_order(client, &m, ret);
}

int cs_member_remove(cs_client *client, uint64_t id, bool lost, cs_result **ret)
{
	struct member_order m = {.action = MEMBER_REMOVE, .id = id, .lost = lost};

	return send_order(client, &m, ret);
}

int cs_member_address(cs_client *client, uint64_t id, const char *url, const char *link, cs_result **ret)
{
	struct member_order m = {.action = MEMBER_ADDRESS, .id = id, .url = text_of(url), .link = text_of(link)};

	return send_order(client, &m, ret);
}

/* --- who they are --- */

/* [node id, leads, roster, [[id, role in Raft, whole, behind, link up]…], what is under way str] */
int members_reply_read(struct members_reply *ret, const uint8_t *body, size_t len)
{
	struct members_reply m = {0};
	struct reader r;
	const char *pending = "";
	size_t pending_len = 0;
	uint32_t n = 0;

	reader_init(&r, body, len);
	reader_array_exact(&r, 5);
	reader_uint(&r, UINT64_MAX, &m.node);
	reader_bool(&r, &m.leads);
	roster_read(&r, &m.roster);
	reader_array(&r, STATES_MAX, &n);
	for (uint32_t i = 0; i < n && r.err == 0; i++) {
		reader_array_exact(&r, 5);
		reader_uint(&r, UINT64_MAX, &m.states[i].id);
		reader_uint(&r, ROSTER_SPARE, &m.states[i].role);
		reader_bool(&r, &m.states[i].whole);
		reader_uint(&r, UINT64_MAX, &m.states[i].behind);
		reader_bool(&r, &m.states[i].link);
	}
	reader_str(&r, sizeof(m.pending) - 1, &pending, &pending_len);
	int err = reader_end(&r);
	if (err < 0)
		return err;
	if (n != m.roster.n)
		return CS_ERR_MALFORMED;
	memcpy(m.pending, pending, pending_len);
	*ret = m;
	return CS_OK;
}

static json_t *key_json(const uint8_t pub[32])
{
	char text[BASE64_32];

	sodium_bin2base64(text, sizeof(text), pub, 32, sodium_base64_VARIANT_ORIGINAL);
	return json_string(text);
}

static json_t *node_json(const struct roster_node *n)
{
	return json_pack("{s:I, s:s, s:s, s:s, s:o, s:o, s:o, s:I, s:I}", "id", (json_int_t)n->id, "role",
	                 roster_role_text(n->role), "url", n->url, "link", n->link, "log", key_json(n->log_pub),
	                 "cosigner", key_json(n->cosigner_pub), "channel", key_json(n->channel_pub), "added",
	                 (json_int_t)n->added, "changed", (json_int_t)n->changed);
}

static char *members_json(const struct members_reply *m)
{
	json_t *list = json_array(), *removed = json_array();
	bool whole = true;

	for (unsigned i = 0; i < m->roster.n; i++) {
		json_t *o = node_json(&m->roster.nodes[i]);
		whole &= 0 ==
		         json_object_set_new(o, "in_raft", json_string(roster_role_text((unsigned)m->states[i].role)));
		whole &= 0 == json_object_set_new(o, "whole", json_boolean(m->states[i].whole));
		whole &= 0 == json_object_set_new(o, "behind", json_integer((json_int_t)m->states[i].behind));
		whole &= 0 == json_object_set_new(o, "link_up", json_boolean(m->states[i].link));
		whole &= 0 == json_array_append_new(list, o);
	}
	for (unsigned i = 0; i < m->roster.n_removed; i++)
		whole &= 0 == json_array_append_new(removed, node_json(&m->roster.removed[i]));
	json_t *j =
	        json_pack("{s:I, s:b, s:I, s:I, s:s, s:o, s:o}", "node", (json_int_t)m->node, "leads", m->leads,
	                  "version", (json_int_t)m->roster.version, "voters_since", (json_int_t)m->roster.voters_since,
	                  "pending", m->pending, "members", list, "removed", removed);
	char *text = j == NULL || !whole ? NULL : json_dumps(j, JSON_COMPACT);
	json_decref(j);
	return text;
}

static int members_convert(struct call *call, const struct wire_reply *reply, nng_msg *msg, void **ret_result,
                           char *text)
{
	struct members_reply *m = malloc(sizeof(*m));

	(void)call;
	(void)text;
	int err = m == NULL ? CS_ERR_NOMEM : members_reply_read(m, reply->body, reply->body_len);
	nng_msg_free(msg);
	if (err == CS_OK && (*ret_result = members_json(m)) == NULL)
		err = CS_ERR_NOMEM;
	free(m);
	return err;
}

int cs_members(cs_client *client, uint64_t node_id, char **ret_json)
{
	struct call *call;
	struct writer w;
	void *result;
	int pinned, err = node_pin(client, node_id, &pinned);

	if (err == CS_OK)
		err = call_new(client, WIRE_MEMBERS, 16, &call);
	if (err < 0)
		return err;
	call->pinned = pinned;
	writer_init(&w, call->body, call->body_cap);
	writer_array(&w, 1);
	writer_uint(&w, 0);
	err = call_wait(call, w.len, members_convert, &result);
	if (err == CS_OK)
		*ret_json = result;
	return err;
}
