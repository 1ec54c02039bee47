/* A node's status, as JSON. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

#include "client/client_internal.h"
#include "ledger/errors.h"

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

static int leader_convert(struct call *call, const struct wire_reply *reply, nng_msg *msg, void **ret_result,
                          char *text)
{
	struct wire_status s;

	(void)text;
	int err = wire_status_decode(&s, reply->body, reply->body_len);
	nng_msg_free(msg);
	int leader = err == CS_OK && s.leader_id != 0 ? node_by_id(call->client, s.leader_id) : -1;
	/* Of nodes that the cluster file names: who names one only means that one. */
	*ret_result =
	        leader < 0 || (unsigned)leader >= call->client->cluster.n_nodes ? NULL : &call->client->nodes[leader];
	return err;
}

int cs_find_leader(cs_client *client, unsigned wait_ms)
{
	struct call *call;
	size_t len;
	void *found;

	int err = read_call(client, WIRE_STATUS, 0, NULL, &call, &len);
	if (err < 0)
		return err;
	call->timeout_ms = wait_ms < client->timeout_ms ? wait_ms : client->timeout_ms;
	err = call_wait(call, len, leader_convert, &found);
	if (err == CS_OK && found == NULL)
		return CS_E_NOT_READY;
	if (err < 0)
		return err;
	unsigned leader = (unsigned)((struct node *)found - client->nodes);
	atomic_store(&client->leader, leader);
	atomic_store(&client->nearby, leader);
	return CS_OK;
}

int cs_status(cs_client *client, uint64_t node_id, char **ret_json)
{
	int pinned = node_id == 0 ? -1 : node_by_id(client, node_id);

	if (node_id != 0 && pinned < 0) {
		last_error_set("node %llu is not in the cluster file", (unsigned long long)node_id);
		return CS_E_NOT_FOUND;
	}
	int err = status_ask(client, pinned, 1, ret_json);
	/* An older node knows of no details. */
	return err == CS_ERR_MALFORMED ? status_ask(client, pinned, 0, ret_json) : err;
}
