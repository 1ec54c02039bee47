/* The nodes of a cluster as they see themselves, asked one by one. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "client/tool/nodes.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client/tool/nodekeys.h"
#include "client/tool/text.h"

#define LAG_MAX    1000 /* Entries; under load a follower is some batches behind at every moment. */
#define ROOM_SHORT 2    /* SPACE_SHORT of node/space.h: a leader orders nothing. */

static uint64_t number(const json_t *object, const char *name)
{
	json_int_t v = json_integer_value(json_object_get(object, name));

	return v < 0 ? 0 : (uint64_t)v;
}

static void string(const json_t *object, const char *name, char *ret, size_t cap)
{
	const char *s = json_string_value(json_object_get(object, name));

	text_safe(s ? s : "", s ? strlen(s) : 0, ret, cap);
}

static void clear(struct nodes_view *v)
{
	json_decref(v->json);
	json_decref(v->keys);
	memset(v, 0, sizeof *v);
}

static void details(struct nodes_view *v)
{
	const json_t *cosigners = json_object_get(v->json, "cosigners"), *one;
	size_t i, len = 0;

	v->detailed = json_is_array(cosigners);
	v->disk_free = number(v->json, "disk_free_bytes");
	v->log_bytes = number(v->json, "log_bytes");
	v->ledger_bytes = number(v->json, "ledger_bytes");
	v->map_free = number(v->json, "map_free_bytes");
	v->room = number(v->json, "room");
	v->checkpoint_s = number(v->json, "checkpoint_s");
	v->now_ms = number(v->json, "now_ms");
	v->voters = number(v->json, "voters");
	const json_t *scrub = json_object_get(v->json, "scrub");
	v->scrubs = json_is_object(scrub);
	v->scrubbing = json_is_true(json_object_get(scrub, "running"));
	v->scrub_ended_ms = number(scrub, "ended_ms");
	v->scrub_done = number(scrub, "done_bytes");
	v->scrub_whole = number(scrub, "whole_bytes");
	v->scrub_rate = number(scrub, "rate_bytes_per_s");
	v->found = number(scrub, "found");
	v->repaired = number(scrub, "repaired");
	v->refused = number(scrub, "refused");
	json_array_foreach(cosigners, i, one) if (len < sizeof v->cosigners) len +=
	        (size_t)snprintf(v->cosigners + len, sizeof v->cosigners - len, "%s%lld", i ? " " : "",
	                         (long long)json_integer_value(one));
}

static void ask(cs_client *client, const struct cluster_file *c, unsigned i, struct nodes_view *v)
{
	char *text = NULL;

	clear(v);
	v->id = c->nodes[i].id;
	snprintf(v->url, sizeof v->url, "%s", c->nodes[i].url);
	v->err = cs_status(client, v->id, &text);
	if (v->err)
		return;
	v->json = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
	free(text);
	if (!json_is_object(v->json)) {
		v->err = CS_E_MALFORMED;
		return;
	}
	v->leader = number(v->json, "leader_id");
	v->term = number(v->json, "term");
	v->size = number(v->json, "size");
	v->stored = number(v->json, "stored_size");
	v->cosigned = number(v->json, "cosigned_size");
	v->raft_last = number(v->json, "raft_last");
	v->raft_commit = number(v->json, "raft_commit");
	v->raft_applied = number(v->json, "raft_applied");
	v->pending = number(v->json, "pending");
	v->uptime_ms = number(v->json, "uptime_ms");
	string(v->json, "version", v->version, sizeof v->version);
	details(v);
	string(v->json, "role", v->role, sizeof v->role);
	string(v->json, "health", v->health, sizeof v->health);
	if (cs_keys(client, v->id, &text) == 0) {
		v->keys = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
		free(text);
	}
}

struct question {
	cs_client *client;
	const struct cluster_file *cluster;
	unsigned i;
	struct nodes_view *view;
};

static void *ask_thread(void *context)
{
	const struct question *q = context;

	ask(q->client, q->cluster, q->i, q->view);
	return NULL;
}

/* Side by side: a node that is down costs a whole timeout, and must not cost it once more for each. */
void nodes_ask_all(cs_client *client, const struct cluster_file *c, struct nodes *ret)
{
	struct question questions[CLUSTER_NODES_MAX];
	pthread_t threads[CLUSTER_NODES_MAX];
	bool started[CLUSTER_NODES_MAX];

	ret->n = c->n_nodes;
	for (unsigned i = 0; i < c->n_nodes; i++) {
		questions[i] = (struct question){client, c, i, &ret->views[i]};
		started[i] = !pthread_create(&threads[i], NULL, ask_thread, &questions[i]);
		if (!started[i])
			ask_thread(&questions[i]);
	}
	for (unsigned i = 0; i < c->n_nodes; i++)
		if (started[i])
			pthread_join(threads[i], NULL);
}

void nodes_close(struct nodes *n)
{
	for (unsigned i = 0; i < n->n; i++)
		clear(&n->views[i]);
	n->n = 0;
}

const struct nodes_view *nodes_leader(const struct nodes *n)
{
	const struct nodes_view *leader = NULL;
	uint64_t term = 0;

	for (unsigned i = 0; i < n->n; i++)
		if (!n->views[i].err && n->views[i].term > term)
			term = n->views[i].term;
	/* A leader that was cut off does not know yet that a higher term has begun without it. */
	for (unsigned i = 0; i < n->n; i++)
		if (!n->views[i].err && n->views[i].term == term && !strcmp(n->views[i].role, "leader"))
			leader = &n->views[i];
	return leader;
}

static uint64_t largest(const struct nodes *n)
{
	uint64_t size = 0;

	for (unsigned i = 0; i < n->n; i++)
		if (!n->views[i].err && n->views[i].size > size)
			size = n->views[i].size;
	return size;
}

/* --- health --- */

/* Appends to a list of what is the matter. */
static void add(char *text, size_t cap, const char *format, ...) __attribute__((format(printf, 3, 4)));
static void add(char *text, size_t cap, const char *format, ...)
{
	size_t len = strlen(text);
	va_list args;

	if (len && len < cap)
		len += (size_t)snprintf(text + len, cap - len, "; ");
	va_start(args, format);
	if (len < cap)
		vsnprintf(text + len, cap - len, format, args);
	va_end(args);
}

static void complaints(const struct nodes *n, char *ret, size_t cap)
{
	uint64_t size = largest(n);

	*ret = 0;
	for (unsigned i = 0; i < n->n; i++) {
		const struct nodes_view *v = &n->views[i];
		if (v->err)
			add(ret, cap, "node %" PRIu64 " does not answer", v->id);
		else if (strcmp(v->health, "ok"))
			add(ret, cap, "node %" PRIu64 ": %s", v->id, v->health);
		else if (size - v->size > LAG_MAX)
			add(ret, cap, "node %" PRIu64 " is %" PRIu64 " entries behind", v->id, size - v->size);
	}
}

void nodes_health(const struct nodes *n, char *ret, size_t cap)
{
	const struct nodes_view *leader = nodes_leader(n);
	char what[1024];
	unsigned answer = 0;

	for (unsigned i = 0; i < n->n; i++)
		answer += !n->views[i].err;
	complaints(n, what, sizeof what);
	if (!leader)
		snprintf(ret, cap, "down: no node leads; %u of %u answer%s%s", answer, n->n, *what ? "; " : "", what);
	else if (strncmp(leader->health, "orders no", strlen("orders no")) == 0 || leader->room >= ROOM_SHORT)
		snprintf(ret, cap, "refusing: %s", what);
	else if (*what)
		snprintf(ret, cap, "degraded: %s", what);
	else
		snprintf(ret, cap, "ok");
}

static enum text_tint health_tint(const char *text)
{
	return !strcmp(text, "ok") ? TINT_GREEN : strncmp(text, "degraded", 8) ? TINT_RED : TINT_YELLOW;
}

/* --- for people --- */

static void cell_bytes(struct table *t, const struct nodes_view *v, uint64_t bytes, enum text_tint tint)
{
	if (v->detailed)
		table_cell(t, tint, "%" PRIu64 " MiB", bytes >> 20);
	else
		table_cell(t, TINT_DIM, "-");
}

/* A row of a node that did not answer: dashes from column 1 on, and the reason in the last one. */
static void cells_missing(struct table *t, const struct nodes_view *v, unsigned n)
{
	for (unsigned c = 2; c < n; c++)
		table_cell(t, TINT_DIM, "-");
	table_cell(t, TINT_RED, "%s", cs_strerror(v->err));
}

static void print_progress(const struct nodes *n)
{
	static const char *const heads[] = {"NODE",    "ROLE", "TERM", "LAST",     "COMMIT",
	                                    "APPLIED", "SIZE", "LAG",  "COSIGNED", "HEALTH"};
	uint64_t size = largest(n);
	struct table t;

	table_init(&t, 10, heads, 1u << 0 | 0x1fcu);
	for (unsigned i = 0; i < n->n; i++) {
		const struct nodes_view *v = &n->views[i];

		table_cell(&t, TINT_NONE, "%" PRIu64, v->id);
		if (v->err) {
			cells_missing(&t, v, 10);
			continue;
		}
		table_cell(&t, strcmp(v->role, "leader") ? TINT_NONE : TINT_GREEN, "%s", v->role);
		table_cell(&t, TINT_NONE, "%" PRIu64, v->term);
		table_cell(&t, TINT_NONE, "%" PRIu64, v->raft_last);
		table_cell(&t, TINT_NONE, "%" PRIu64, v->raft_commit);
		table_cell(&t, TINT_NONE, "%" PRIu64, v->raft_applied);
		table_cell(&t, TINT_NONE, "%" PRIu64, v->size);
		table_cell(&t, size > v->size ? TINT_YELLOW : TINT_NONE, "%" PRIu64, size - v->size);
		table_cell(&t, TINT_NONE, "%" PRIu64, v->cosigned);
		table_cell(&t, strcmp(v->health, "ok") ? TINT_RED : TINT_GREEN, "%s", v->health);
	}
	table_print(&t, stdout);
	table_close(&t);
}

static void print_sizes(const struct nodes *n)
{
	static const char *const heads[] = {"NODE",    "DISK FREE", "MAP FREE", "LOG",    "LEDGER",
	                                    "PENDING", "UP",        "VERSION",  "ADDRESS"};
	struct table t;

	table_init(&t, 9, heads, 0x7fu);
	for (unsigned i = 0; i < n->n; i++) {
		const struct nodes_view *v = &n->views[i];
		enum text_tint tint = v->room ? TINT_RED : TINT_NONE;

		table_cell(&t, TINT_NONE, "%" PRIu64, v->id);
		if (v->err) {
			for (unsigned c = 1; c < 8; c++)
				table_cell(&t, TINT_DIM, "-");
		} else {
			cell_bytes(&t, v, v->disk_free, tint);
			cell_bytes(&t, v, v->map_free, tint);
			cell_bytes(&t, v, v->log_bytes, TINT_NONE);
			cell_bytes(&t, v, v->ledger_bytes, TINT_NONE);
			table_cell(&t, TINT_NONE, "%" PRIu64, v->pending);
			table_cell(&t, TINT_NONE, "%" PRIu64 " s", v->uptime_ms / 1000);
			table_cell(&t, TINT_NONE, "%s", v->version);
		}
		table_cell(&t, TINT_NONE, "%s", v->url);
	}
	table_print(&t, stdout);
	table_close(&t);
}

/* A line a node: how old its last whole reading of the ledger is, how far the one under way, what was found. */
static void print_scrub(const struct nodes_view *v)
{
	printf("scrub: node %" PRIu64 " ", v->id);
	if (v->scrubbing)
		printf("reads, %" PRIu64 " of %" PRIu64 " MiB at %" PRIu64 " MiB/s; ", v->scrub_done >> 20,
		       v->scrub_whole >> 20, v->scrub_rate >> 20);
	if (v->scrub_ended_ms)
		printf("has read all %" PRIu64 " s ago", (v->now_ms - v->scrub_ended_ms) / 1000);
	else
		printf("has not read all since it started");
	printf("; damaged %" PRIu64 ", repaired %" PRIu64 ", %srefused %" PRIu64 "%s\n", v->found, v->repaired,
	       v->refused ? text_on(stdout, TINT_RED) : "", v->refused, v->refused ? text_off(stdout) : "");
}

/* Who knows most of checkpoints: the leader, else whoever has the newest. */
static const struct nodes_view *newest_checkpoint(const struct nodes *n)
{
	const struct nodes_view *best = nodes_leader(n);

	for (unsigned i = 0; i < n->n; i++)
		if (!n->views[i].err && (!best || (best->cosigned < n->views[i].cosigned)))
			best = &n->views[i];
	return best;
}

static uint64_t checkpoint_age_ms(const struct nodes_view *v)
{
	return v->now_ms > v->checkpoint_s * 1000 ? v->now_ms - v->checkpoint_s * 1000 : 0;
}

/* Nothing, as long as all keys are those that they began with. */
static void print_keys(const struct nodes *n)
{
	for (unsigned i = 0; i < n->n; i++) {
		char words[300] = "";

		nodekeys_words(n->views[i].keys, n->views[i].id, words, sizeof words);
		if (*words)
			printf("%skeys of node %" PRIu64 ": %s\n", i ? "" : "\n", n->views[i].id, words);
	}
}

void nodes_print(const struct nodes *n)
{
	const struct nodes_view *leader = nodes_leader(n), *v = newest_checkpoint(n);
	char health[1200];

	nodes_health(n, health, sizeof health);
	printf("health: %s%s%s\n", text_on(stdout, health_tint(health)), health, text_off(stdout));
	if (leader)
		printf("leader: node %" PRIu64 " in term %" PRIu64 "\n", leader->id, leader->term);
	if (v && v->detailed && v->checkpoint_s)
		printf("checkpoint: %" PRIu64 " entries, cosigned by %s of %" PRIu64 " voters, %" PRIu64 " s old\n",
		       v->cosigned, v->cosigners, v->voters, checkpoint_age_ms(v) / 1000);
	putchar('\n');
	print_progress(n);
	putchar('\n');
	print_sizes(n);
	putchar('\n');
	for (unsigned i = 0; i < n->n; i++)
		if (!n->views[i].err && n->views[i].scrubs)
			print_scrub(&n->views[i]);
	print_keys(n);
}

json_t *nodes_json(const struct nodes *n, const char *origin)
{
	json_t *list = json_array();
	uint64_t size = largest(n);
	const struct nodes_view *leader = nodes_leader(n), *v = newest_checkpoint(n);
	char health[1200];

	for (unsigned i = 0; i < n->n; i++) {
		const struct nodes_view *one = &n->views[i];
		json_t *o = json_pack("{s:I, s:s}", "node", (json_int_t)one->id, "url", one->url);

		if (one->err) {
			json_object_set_new(o, "error", json_string(cs_strerror(one->err)));
		} else {
			json_object_set_new(o, "lag", json_integer((json_int_t)(size - one->size)));
			json_object_set(o, "status", one->json);
			if (one->keys)
				json_object_set(o, "keys", one->keys);
		}
		json_array_append_new(list, o);
	}
	nodes_health(n, health, sizeof health);
	json_t *whole = json_pack("{s:s, s:I, s:s, s:o}", "origin", origin, "leader",
	                          (json_int_t)(leader ? leader->id : 0), "health", health, "nodes", list);
	if (v && v->detailed && v->checkpoint_s)
		json_object_set_new(whole, "checkpoint",
		                    json_pack("{s:I, s:I, s:O}", "size", (json_int_t)v->cosigned, "age_ms",
		                              (json_int_t)checkpoint_age_ms(v), "cosigners",
		                              json_object_get(v->json, "cosigners")));
	return whole;
}

int nodes_choose(const char *command, const char *dir, struct tool_access *who, struct nodes_paths *paths)
{
	if (!dir) {
		who->cluster = who->cluster ? who->cluster : getenv("COUNTERSIGN_CLUSTER");
		return 0;
	}
	if (who->cluster)
		return tool_fail(EXIT_USAGE, command, "DIR and --cluster exclude each other");
	if (!files_join(paths->cluster, dir, "cluster.yaml") || !files_join(paths->key, dir, "admin.key"))
		return tool_fail(EXIT_USAGE, command, "%s: the path is too long", dir);
	who->cluster = paths->cluster;
	if (!who->key && access(paths->key, F_OK) == 0)
		who->key = paths->key;
	return 0;
}
