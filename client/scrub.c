/* The scrubber of a node: how far it is, and a pass asked for. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <jansson.h>

#include "client/client_internal.h"
#include "ledger/errors.h"

json_t *scrub_json(const struct wire_scrub *s)
{
	const struct {
		const char *name;
		uint64_t value;
	} numbers[] = {
	        {"rate_bytes_per_s", s->rate}, {"passes", s->passes},     {"asked", s->asked},
	        {"begun_ms", s->begun_ms},     {"ended_ms", s->ended_ms}, {"took_ms", s->took_ms},
	        {"done_bytes", s->done},       {"whole_bytes", s->whole}, {"found", s->found},
	        {"repaired", s->repaired},     {"refused", s->refused},
	};
	json_t *j = json_object(), *texts = json_array();
	bool whole = json_object_set_new(j, "running", json_boolean(s->running)) == 0;

	for (unsigned i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
		whole &= json_object_set_new(j, numbers[i].name, json_integer((json_int_t)numbers[i].value)) == 0;
	for (unsigned i = 0; i < s->n_texts; i++)
		whole &= json_array_append_new(texts, json_string(s->texts[i])) == 0;
	whole &= json_object_set_new(j, "damaged", texts) == 0;
	if (whole)
		return j;
	json_decref(j);
	return NULL;
}

static int scrub_convert(struct call *call, const struct wire_reply *reply, nng_msg *msg, void **ret_result, char *text)
{
	struct wire_scrub s;
	json_t *j;

	(void)call;
	(void)text;
	int err = wire_scrub_decode(&s, reply->body, reply->body_len);
	nng_msg_free(msg);
	if (err < 0)
		return err;
	j = scrub_json(&s);
	*ret_result = j == NULL ? NULL : json_dumps(j, JSON_COMPACT);
	json_decref(j);
	return *ret_result == NULL ? CS_ERR_NOMEM : CS_OK;
}

int cs_scrub(cs_client *client, uint64_t node_id, bool begin, char **ret_json)
{
	int pinned = node_by_id(client, node_id);
	struct writer w;
	struct call *call;
	void *result;

	if (pinned < 0) {
		last_error_set("node %llu is not in the cluster file", (unsigned long long)node_id);
		return CS_E_NOT_FOUND;
	}
	int err = call_new(client, WIRE_SCRUB, 16, &call);
	if (err < 0)
		return err;
	call->pinned = pinned;
	writer_init(&w, call->body, call->body_cap);
	writer_array(&w, 1);
	writer_uint(&w, begin);
	err = call_wait(call, w.len, scrub_convert, &result);
	if (err == CS_OK)
		*ret_json = result;
	return err;
}
