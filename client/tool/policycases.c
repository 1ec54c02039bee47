/* A file of cases for `policy test`: read and checked whole, with the line of each thing that is expected. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "client/tool/policycases_read.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/tool/policymoment.h"
#include "client/tool/policyrequest.h"
#include "ledger/errors.h"
#include "node/decide/codec.h"

#define START_MS      UINT64_C(1767603600000) /* Monday 2026-01-05, 09:00 UTC: where a file names no `start`. */
#define SIGNAL_VALUE  100000
#define CASES_VERSION 1

/* Room for one more in an array that doubles. */
void *cases_grow(struct compile *c, void *array, unsigned n, size_t size)
{
	void *p = array;

	if (!(n & (n - 1)))
		p = reallocarray(array, n ? 2 * (size_t)n : 1, size);
	if (!p) {
		c->error->line = 0;
		snprintf(c->error->text, sizeof c->error->text, "%s", err_text(CS_ERR_NOMEM));
	}
	return p;
}

void cases_line(struct fy_node *key, unsigned *ret)
{
	unsigned column;

	yaml_place(key, ret, &column);
}

int cases_time(struct compile *c, struct fy_node *key, struct fy_node *value, uint64_t *ret)
{
	struct reading *r = reading_of(c);
	struct text t;
	int err = yaml_text(c, key, value, 1, 64, &t);
	uint64_t ms = 0;

	if (err)
		return err;
	if (t.s[0] == '+' && policymoment_span((struct text){t.s + 1, t.len - 1}, &ms))
		ms += r->clock_ms;
	else if (!policymoment_time(t, &ms))
		return yaml_fail(c, value,
		                 "a time is wanted here: 2026-01-05T09:00:00Z, or +5m, +2h, +3d after the one before");
	*ret = ms;
	return 0;
}

int cases_answer(struct compile *c, struct fy_node *key, struct fy_node *value, enum policycase_answer *ret)
{
	static const char *const names[] = {"none", "good", "wrong", "late"};
	struct text t;
	int err = yaml_text(c, key, value, 1, 16, &t);

	for (unsigned i = 0; !err && i < 4; i++)
		if (text_is(t, names[i])) {
			*ret = (enum policycase_answer)i;
			return 0;
		}
	return err ? err : yaml_fail(c, value, "unknown answer: good, wrong, late or none");
}

/* name: value, by the signals' names. */
int cases_signals(struct compile *c, struct fy_node *key, struct fy_node *value, struct signal_list *ret)
{
	struct fy_node_pair *pair;
	int64_t values[SIGNAL_MAX + 1] = {0};
	bool named[SIGNAL_MAX + 1] = {false};
	void *i = NULL;

	if (!value || !fy_node_is_mapping(value))
		return yaml_fail(c, key, "a mapping (signal: value) is wanted here");
	while ((pair = fy_node_mapping_iterate(value, &i))) {
		struct fy_node *at = fy_node_pair_key(pair);
		struct text name;
		unsigned id = 1;
		int err = yaml_text(c, key, at, 1, 64, &name);
		if (err)
			return err;
		while (id <= SIGNAL_MAX && !(signal_key(id) && text_is(name, signal_key(id))))
			id++;
		if (id > SIGNAL_MAX)
			return yaml_fail(c, at, "unknown signal \"%.*s\"", (int)name.len, name.s);
		if (named[id])
			return yaml_fail(c, at, "\"%s\" is there twice", signal_key(id));
		named[id] = true;
		err = yaml_int(c, at, fy_node_pair_value(pair), -SIGNAL_VALUE, SIGNAL_VALUE, &values[id]);
		if (err)
			return err;
	}
	ret->n = 0;
	for (unsigned id = 1; id <= SIGNAL_MAX; id++)
		if (named[id])
			ret->s[ret->n++] = (struct signal_value){id, (int32_t)values[id]};
	return 0;
}

/* --- a case --- */

struct case_reading {
	struct policycase *k;
	bool timed, history, met;
	struct fy_node *at; /* Its time is read last: it may count from the history's end. */
};

static int case_name(struct compile *c, struct fy_node *key, struct fy_node *value, void *target)
{
	return yaml_text(c, key, value, 1, 200, &((struct case_reading *)target)->k->name);
}

static int case_request(struct compile *c, struct fy_node *key, struct fy_node *value, void *target)
{
	return policyrequest_read(c, key, value, &((struct case_reading *)target)->k->request);
}

static int case_at(struct compile *c, struct fy_node *key, struct fy_node *value, void *target)
{
	struct case_reading *r = target;
	struct text t;

	r->timed = true;
	r->at = value;
	return yaml_text(c, key, value, 1, 64, &t);
}

static int case_signals(struct compile *c, struct fy_node *key, struct fy_node *value, void *target)
{
	struct policycase *k = ((struct case_reading *)target)->k;

	k->given = true;
	return cases_signals(c, key, value, &k->signals);
}

static int case_met(struct compile *c, struct fy_node *key, struct fy_node *value, void *target)
{
	struct case_reading *r = target;
	struct text t;
	int err = yaml_text(c, key, value, 1, 32, &t);

	r->met = true;
	if (err)
		return err;
	r->k->met = level_parse(t);
	return r->k->met ? 0 : yaml_fail(c, value, "unknown level \"%.*s\"", (int)t.len, t.s);
}

static int case_answer(struct compile *c, struct fy_node *key, struct fy_node *value, void *target)
{
	return cases_answer(c, key, value, &((struct case_reading *)target)->k->answer);
}

static int case_history(struct compile *c, struct fy_node *key, struct fy_node *value, void *target)
{
	struct case_reading *r = target;
	struct policycases *f = reading_of(c)->cases;
	struct fy_node *item;
	void *i = NULL;
	int err = 0;

	r->history = true;
	if (!value || !fy_node_is_sequence(value))
		return yaml_fail(c, key, "a list is wanted here");
	r->k->first_event = f->n_events;
	while (!err && (item = fy_node_sequence_iterate(value, &i)))
		err = cases_event(c, key, item);
	r->k->n_events = f->n_events - r->k->first_event;
	return err;
}

static int case_expected(struct compile *c, struct fy_node *key, struct fy_node *value, void *target)
{
	return cases_expect(c, key, value, ((struct case_reading *)target)->k);
}

static int case_whole(struct reading *r, struct fy_node *node, struct case_reading *k)
{
	if (k->k->given && (k->history || k->k->answer))
		return yaml_fail(&r->c, node, "signals that are given need no history and no answer");
	if (!k->k->given && k->met)
		return yaml_fail(&r->c, node, "\"met\" goes with signals that are given; with a history, \"answer\"");
	k->k->at_ms = r->clock_ms + CASES_STEP_MS;
	int err = k->timed ? cases_time(&r->c, node, k->at, &k->k->at_ms) : 0;
	if (!err && k->k->at_ms < r->clock_ms)
		return yaml_fail(&r->c, k->at, "its time lies before what came before it");
	return err;
}

static int read_case(struct compile *c, struct fy_node *key, struct fy_node *node)
{
	static const struct yaml_key keys[] = {{"name", case_name, YAML_REQUIRED},
	                                       {"request", case_request, YAML_REQUIRED},
	                                       {"at", case_at, 0},
	                                       {"signals", case_signals, 0},
	                                       {"met", case_met, 0},
	                                       {"answer", case_answer, 0},
	                                       {"history", case_history, 0},
	                                       {"expect", case_expected, YAML_REQUIRED},
	                                       {NULL, NULL, 0}};
	struct reading *r = reading_of(c);
	struct policycases *f = r->cases;
	struct policycase *grown = cases_grow(c, f->cases, f->n_cases, sizeof *grown);

	if (!grown)
		return CS_ERR_NOMEM;
	f->cases = grown;
	struct case_reading k = {.k = &f->cases[f->n_cases++]};
	memset(k.k, 0, sizeof *k.k);
	cases_line(node, &k.k->line);
	r->clock_ms = f->start_ms;
	int err = yaml_mapping(c, fy_node_is_mapping(node) ? node : key, node, keys, &k);
	return err ? err : case_whole(r, node, &k);
}

/* --- the file --- */

static int top_version(struct compile *c, struct fy_node *key, struct fy_node *value, void *target)
{
	int64_t v;

	(void)target;
	return yaml_int(c, key, value, CASES_VERSION, CASES_VERSION, &v);
}

static int top_policy(struct compile *c, struct fy_node *key, struct fy_node *value, void *target)
{
	return yaml_text(c, key, value, 1, 1024, &((struct policycases *)target)->policy);
}

static int top_start(struct compile *c, struct fy_node *key, struct fy_node *value, void *target)
{
	struct policycases *f = target;

	if (f->n_cases)
		return yaml_fail(c, key, "\"start\" comes before \"cases\"");
	return cases_time(c, key, value, &f->start_ms);
}

static int top_cases(struct compile *c, struct fy_node *key, struct fy_node *value, void *target)
{
	struct policycases *f = target;
	struct fy_node *item;
	void *i = NULL;
	int err = 0;

	if (!value || !fy_node_is_sequence(value))
		return yaml_fail(c, key, "a list is wanted here");
	while (!err && (item = fy_node_sequence_iterate(value, &i)))
		err = read_case(c, key, item);
	if (!err && !f->n_cases)
		return yaml_fail(c, key, "no case is in it");
	return err;
}

static int read_document(struct reading *r)
{
	static const struct yaml_key keys[] = {{"version", top_version, YAML_REQUIRED},
	                                       {"policy", top_policy, 0},
	                                       {"start", top_start, 0},
	                                       {"people", cases_people, 0},
	                                       {"cases", top_cases, YAML_REQUIRED},
	                                       {NULL, NULL, 0}};
	struct fy_node *root = fy_document_root(r->cases->doc);

	r->cases->start_ms = r->clock_ms = START_MS;
	return yaml_mapping(&r->c, root, root, keys, r->cases);
}

int policycases_parse(const char *yaml, size_t len, struct policycases *ret, struct policy_error *ret_error)
{
	struct policycases f = {.scratch = calloc(1, sizeof *f.scratch)};
	struct reading r = {.c = {.p = f.scratch, .error = ret_error}, .cases = &f};
	int err;

	memset(ret_error, 0, sizeof *ret_error);
	err = f.scratch ? yaml_document(yaml, len, &f.doc, ret_error) : CS_ERR_NOMEM;
	if (!err)
		err = read_document(&r);
	if (err) {
		if (!ret_error->text[0])
			snprintf(ret_error->text, sizeof ret_error->text, "%s", err_text(err));
		policycases_close(&f);
		return err;
	}
	*ret = f;
	return 0;
}

void policycases_close(struct policycases *c)
{
	fy_document_destroy(c->doc);
	free(c->cases);
	free(c->events);
	free(c->people);
	free(c->texts);
	free(c->scratch);
	memset(c, 0, sizeof *c);
}
