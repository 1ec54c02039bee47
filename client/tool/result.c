/* An answer of the cluster, for people and as JSON. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "client/tool/result.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "client/tool/files.h"
#include "client/tool/json.h"
#include "client/tool/text.h"
#include "client/tool/tool.h"
#include "ledger/note.h"

#define SAVED_SIZE_MAX (1u << 20) /* A reply is at most this long on the wire; saved ones are a few KiB. */

static void add_reasons(json_t *o, const cs_result *r)
{
	json_t *rules = json_array(), *reasons = json_array(), *signals = json_array();

	for (size_t i = 0; i < r->n_rules; i++)
		json_array_append_new(rules, json_string(r->rules[i]));
	for (size_t i = 0; i < r->n_reasons; i++)
		json_array_append_new(
		        reasons, json_pack("{s:s, s:s}", "user", r->reasons_user[i], "admin", r->reasons_admin[i]));
	for (size_t i = 0; i < r->n_signals; i++)
		json_array_append_new(signals,
		                      json_pack("{s:s, s:I, s:i}", "name", r->signals[i].name, "value",
		                                (json_int_t)r->signals[i].value, "weight", (int)r->signals[i].weight));
	json_object_set_new(o, "rules", rules);
	json_object_set_new(o, "reasons", reasons);
	json_object_set_new(o, "signals", signals);
}

static void add_challenge(json_t *o, const cs_result *r)
{
	json_t *methods = json_array();
	char time[TEXT_TIME_SIZE];

	for (size_t i = 0; i < r->challenge.n_methods; i++)
		json_array_append_new(methods, json_string(r->challenge.methods[i]));
	text_time(r->challenge.expiry_ms, time);
	json_object_set_new(o, "challenge",
	                    json_pack("{s:o, s:I, s:s, s:s, s:o}", "nonce", json_bytes(r->challenge.nonce, 32),
	                              "expiry_ms", (json_int_t)r->challenge.expiry_ms, "expiry", time, "level",
	                              r->challenge.level, "methods", methods));
}

static json_t *attribute_json(const struct cs_attribute *a)
{
	return a->type == CS_STRING    ? json_string(a->string)
	       : a->type == CS_BOOLEAN ? json_boolean(a->integer)
	                               : json_integer(a->integer);
}

static void add_obligations(json_t *o, const cs_result *r)
{
	json_t *list = json_array();

	for (size_t i = 0; i < r->n_obligations; i++) {
		const struct cs_obligation *b = &r->obligations[i];
		json_t *properties = json_object();
		for (size_t k = 0; k < b->n_properties; k++)
			json_object_set_new(properties, b->properties[k].name, attribute_json(&b->properties[k]));
		json_array_append_new(
		        list, json_pack("{s:s, s:s, s:o}", "type", b->type, "id", b->id, "properties", properties));
	}
	json_object_set_new(o, "obligations", list);
}

static void add_wait(json_t *o, const cs_result *r)
{
	json_t *needs = json_array();

	for (size_t i = 0; i < r->wait.n_needs; i++) {
		json_t *from = json_array();
		for (size_t k = 0; k < r->wait.needs[i].n_from; k++)
			json_array_append_new(from, json_string(r->wait.needs[i].from[k]));
		json_array_append_new(needs, json_pack("{s:i, s:i, s:o}", "needed", (int)r->wait.needs[i].needed,
		                                       "have", (int)r->wait.needs[i].have, "from", from));
	}
	json_object_set_new(o, "wait",
	                    json_pack("{s:I, s:I, s:o}", "not_before_ms", (json_int_t)r->wait.not_before_ms,
	                              "expiry_ms", (json_int_t)r->wait.expiry_ms, "needs", needs));
}

static void add_proof(json_t *o, const cs_result *r)
{
	json_t *hashes = json_array();

	for (size_t i = 0; i < r->n_proof; i++)
		json_array_append_new(hashes, json_bytes(r->proof[i], 32));
	json_object_set_new(o, "proof",
	                    json_pack("{s:s, s:b, s:I, s:o, s:o, s:o, s:s%}", "status",
	                              r->proven ? "leader's claim, checked" : "not checked", "checked", (int)r->proven,
	                              "tree_size", (json_int_t)r->tree_size, "leaf", json_bytes(r->leaf, r->leaf_size),
	                              "body", json_bytes(r->body, r->body_size), "hashes", hashes, "checkpoint",
	                              r->checkpoint, r->checkpoint_size));
}

json_t *result_json(const cs_result *r)
{
	char id[TOOL_REQUEST_ID_TEXT_SIZE], time[TEXT_TIME_SIZE];
	json_t *o;

	tool_format_request_id(r->request_id, id);
	text_time(r->time_ms, time);
	o = json_pack("{s:s, s:I, s:s, s:s, s:I}", "request_id", id, "index", (json_int_t)r->index, "kind", r->kind,
	              "time", time, "time_ms", (json_int_t)r->time_ms);
	if (r->verdict) {
		json_object_set_new(o, "verdict", json_string(cs_verdict_text(r->verdict)));
		json_object_set_new(o, "permitted", json_boolean(r->verdict == CS_ALLOW));
		json_object_set_new(o, "risk", json_integer(r->risk));
		json_object_set_new(o, "probability", json_real(text_probability(r->risk)));
		add_reasons(o, r);
		json_object_set_new(o, "digest", json_bytes(r->digest, 32));
	}
	if (r->verdict)
		add_obligations(o, r);
	if (r->waits)
		add_wait(o, r);
	if (r->has_challenge)
		add_challenge(o, r);
	add_proof(o, r);
	return o;
}

static void print_line(const char *label, const char *text)
{
	char safe[1024];

	text_safe(text, strlen(text), safe, sizeof safe);
	printf("%-10s %s\n", label, safe);
}

/* Two lines for each: what the person is told, if anything, and what the log says. */
static void print_reasons(const cs_result *r)
{
	const char *label = "reasons";

	for (size_t i = 0; i < r->n_reasons; i++)
		for (int for_admin = 0; for_admin < 2; for_admin++) {
			const char *text = for_admin ? r->reasons_admin[i] : r->reasons_user[i];

			if (!*text)
				continue;
			print_line(label, text);
			label = "";
		}
}

static void print_why(const cs_result *r)
{
	for (size_t i = 0; i < r->n_rules; i++)
		print_line(i ? "" : "rules", r->rules[i]);
	print_reasons(r);
	for (size_t i = 0; i < r->n_signals; i++) {
		char name[64];

		text_safe(r->signals[i].name, strlen(r->signals[i].name), name, sizeof name);
		printf("%-10s %-22s %+6" PRId32 "   value %" PRId64 "\n", i ? "" : "signals", name,
		       r->signals[i].weight, r->signals[i].value);
	}
}

static void print_challenge(const cs_result *r)
{
	char time[TEXT_TIME_SIZE], nonce[64], level[64], method[64];

	base64_encode(r->challenge.nonce, 32, nonce, sizeof nonce);
	text_time(r->challenge.expiry_ms, time);
	text_safe(r->challenge.level, strlen(r->challenge.level), level, sizeof level);
	printf("%-10s level %s, until %s, by", "challenge", level, time);
	for (size_t i = 0; i < r->challenge.n_methods; i++) {
		text_safe(r->challenge.methods[i], strlen(r->challenge.methods[i]), method, sizeof method);
		printf("%s %s", i ? "," : "", method);
	}
	printf("\n%-10s nonce %s\n", "", nonce);
}

static void print_obligations(const cs_result *r)
{
	for (size_t i = 0; i < r->n_obligations; i++) {
		const struct cs_obligation *b = &r->obligations[i];
		char type[80], id[80], name[80], value[300];
		text_safe(b->type, strlen(b->type), type, sizeof type);
		text_safe(b->id, strlen(b->id), id, sizeof id);
		printf("%-10s %s %s", i ? "" : "oblige", type, id);
		for (size_t k = 0; k < b->n_properties; k++) {
			const struct cs_attribute *a = &b->properties[k];
			text_safe(a->name, strlen(a->name), name, sizeof name);
			if (a->type == CS_STRING)
				text_safe(a->string, strlen(a->string), value, sizeof value);
			else
				snprintf(value, sizeof value, "%" PRId64, a->integer);
			printf("%s%s=%s", k ? ", " : " ", name, value);
		}
		printf("\n");
	}
}

static void print_wait(const cs_result *r)
{
	char time[TEXT_TIME_SIZE], from[300];

	for (size_t i = 0; i < r->wait.n_needs; i++) {
		const struct cs_need *n = &r->wait.needs[i];
		printf("%-10s for approvals, %u of %u are there, from", "waits", n->have, n->needed);
		for (size_t k = 0; k < n->n_from; k++) {
			text_safe(n->from[k], strlen(n->from[k]), from, sizeof from);
			printf("%s %s", k ? "," : "", from);
		}
		printf("\n");
	}
	if (r->wait.not_before_ms) {
		text_time(r->wait.not_before_ms, time);
		printf("%-10s until %s\n", "waits", time);
	}
	text_time(r->wait.expiry_ms, time);
	printf("%-10s else deny, %s\n", "", time);
}

void result_print(const cs_result *r)
{
	char time[TEXT_TIME_SIZE], id[TOOL_REQUEST_ID_TEXT_SIZE];

	text_time(r->time_ms, time);
	tool_format_request_id(r->request_id, id);
	printf("%-10s %s%s%s\n", "verdict", text_on(stdout, text_verdict_tint(r->verdict)), cs_verdict_text(r->verdict),
	       text_off(stdout));
	printf("%-10s %" PRId32 " milli-logits (%.1f %%)\n", "risk", r->risk, 100 * text_probability(r->risk));
	print_why(r);
	print_obligations(r);
	if (r->waits)
		print_wait(r);
	if (r->has_challenge)
		print_challenge(r);
	printf("%-10s %" PRIu64 ", %s, %s\n", "entry", r->index, r->kind, time);
	if (r->proven)
		printf("%-10s the leader's claim, checked: its signed checkpoint of %" PRIu64
		       " entries covers the entry\n",
		       "proof", r->tree_size);
	else
		printf("%-10s not checked\n", "proof");
	printf("%-10s %s\n", "request", id);
}

void result_print_done(const cs_result *r, const char *what)
{
	char time[TEXT_TIME_SIZE];

	text_time(r->time_ms, time);
	printf("%s: entry %" PRIu64 ", %s, %s\n", what, r->index, r->kind, time);
}

int result_dump(const char *command, json_t *o, bool indent)
{
	int err = o ? json_dumpf(o, stdout, indent ? JSON_INDENT(2) : JSON_COMPACT) : -1;

	json_decref(o);
	if (err)
		return tool_fail(EXIT_LOCAL, command, "out of memory, or standard output is closed");
	putchar('\n');
	return 0;
}

int result_save(const char *command, const char *path, const json_t *o)
{
	char *text = o ? json_dumps(o, JSON_INDENT(2)) : NULL;
	int err = text ? files_write(path, text, strlen(text), 0600) : ENOMEM;

	free(text);
	return err ? tool_fail(EXIT_LOCAL, command, "%s: %s", path, strerror(err)) : 0;
}

void result_dump_error(int code)
{
	json_t *o = json_pack("{s:b, s:{s:i, s:s, s:s}}", "permitted", 0, "error", "code", code, "text",
	                      cs_strerror(code), "detail", cs_last_error());

	if (o && !json_dumpf(o, stdout, JSON_INDENT(2)))
		putchar('\n');
	json_decref(o);
}

int result_exit(int verdict)
{
	switch (verdict) {
	case CS_ALLOW:
		return 0;
	case CS_STEP_UP:
		return 2;
	case CS_DEFER:
		return 3;
	default:
		return 1;
	}
}

static bool get_bytes32(const json_t *o, const char *name, uint8_t ret[32])
{
	const char *s = json_string_value(json_object_get(o, name));
	size_t n;

	return s && !base64_decode(s, strlen(s), ret, 32, &n) && n == 32;
}

int result_load_challenge(const char *command, const char *path, struct result_challenge *ret)
{
	struct result_challenge c = {0};
	const json_t *index, *expiry, *challenge;
	json_t *o = NULL;
	int code = json_read(command, path, SAVED_SIZE_MAX, &o);

	if (code)
		return code;
	index = json_object_get(o, "index");
	challenge = json_object_get(o, "challenge");
	expiry = json_object_get(challenge, "expiry_ms");
	if (!json_is_object(challenge))
		code = tool_fail(EXIT_USAGE, command,
		                 "%s: holds no challenge: save a step_up with `decide --save FILE`", path);
	else if (!json_is_integer(index) || json_integer_value(index) < 0 || !json_is_integer(expiry) ||
	         json_integer_value(expiry) < 0 || !get_bytes32(challenge, "nonce", c.nonce) ||
	         !get_bytes32(o, "digest", c.digest))
		code = tool_fail(EXIT_USAGE, command,
		                 "%s: index, digest, challenge.nonce or challenge.expiry_ms is missing or wrong", path);
	if (!code) {
		c.index = (uint64_t)json_integer_value(index);
		c.expiry_ms = (uint64_t)json_integer_value(expiry);
		*ret = c;
	}
	json_decref(o);
	return code;
}
