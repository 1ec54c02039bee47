/* The nodes of a cluster as they see themselves, asked one by one. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "client/tool/nodes.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/tool/text.h"

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
	memset(v, 0, sizeof *v);
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
	string(v->json, "role", v->role, sizeof v->role);
	string(v->json, "health", v->health, sizeof v->health);
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

void nodes_print(const struct nodes *n)
{
	static const char *const heads[] = {"NODE",   "ROLE",     "LEADER", "TERM",   "SIZE",
	                                    "STORED", "COSIGNED", "LAG",    "HEALTH", "ADDRESS"};
	uint64_t size = largest(n);
	struct table t;

	table_init(&t, 10, heads, 1u << 0 | 1u << 2 | 1u << 3 | 1u << 4 | 1u << 5 | 1u << 6 | 1u << 7);
	for (unsigned i = 0; i < n->n; i++) {
		const struct nodes_view *v = &n->views[i];

		table_cell(&t, TINT_NONE, "%" PRIu64, v->id);
		if (v->err) {
			for (unsigned c = 1; c < 8; c++)
				table_cell(&t, TINT_DIM, "-");
			table_cell(&t, TINT_RED, "%s", cs_strerror(v->err));
		} else {
			table_cell(&t, strcmp(v->role, "leader") ? TINT_NONE : TINT_GREEN, "%s", v->role);
			table_cell(&t, TINT_NONE, v->leader ? "%" PRIu64 : "-", v->leader);
			table_cell(&t, TINT_NONE, "%" PRIu64, v->term);
			table_cell(&t, TINT_NONE, "%" PRIu64, v->size);
			table_cell(&t, TINT_NONE, "%" PRIu64, v->stored);
			table_cell(&t, TINT_NONE, "%" PRIu64, v->cosigned);
			table_cell(&t, size > v->size ? TINT_YELLOW : TINT_NONE, "%" PRIu64, size - v->size);
			table_cell(&t, strcmp(v->health, "ok") ? TINT_RED : TINT_GREEN, "%s", v->health);
		}
		table_cell(&t, TINT_NONE, "%s", v->url);
	}
	table_print(&t, stdout);
	table_close(&t);
}

json_t *nodes_json(const struct nodes *n, const char *origin)
{
	json_t *list = json_array();
	uint64_t size = largest(n);
	const struct nodes_view *leader = nodes_leader(n);

	for (unsigned i = 0; i < n->n; i++) {
		const struct nodes_view *v = &n->views[i];
		json_t *o = json_pack("{s:I, s:s}", "node", (json_int_t)v->id, "url", v->url);

		if (v->err) {
			json_object_set_new(o, "error", json_string(cs_strerror(v->err)));
		} else {
			json_object_set_new(o, "lag", json_integer((json_int_t)(size - v->size)));
			json_object_set(o, "status", v->json);
		}
		json_array_append_new(list, o);
	}
	return json_pack("{s:s, s:I, s:o}", "origin", origin, "leader", (json_int_t)(leader ? leader->id : 0), "nodes",
	                 list);
}
