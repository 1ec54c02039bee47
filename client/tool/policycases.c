/* A file of cases for `policy test`: read and checked whole, with the line of each thing that is expected. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "client/tool/policycases.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/tool/policymoment.h"
#include "client/tool/policyrequest.h"
#include "ledger/errors.h"
#include "node/decide/codec.h"
#include "node/decide/policy_yaml.h"

#define START_MS      UINT64_C(1767603600000) /* Monday 2026-01-05, 09:00 UTC: where a file names no `start`. */
#define STEP_MS       UINT64_C(60000)         /* Between things that name no time. */
#define TIMES_MAX     10000
#define SIGNAL_VALUE  100000
#define CASES_VERSION 1

const char *const policycase_expect_keys[EXPECT_N] = {
#define EXPECT_KEY(name, key) key,
        EXPECT_LIST(EXPECT_KEY)
#undef EXPECT_KEY
};

/* The file that is being read; what the keys' functions get begins with it. */
struct reading {
	struct compile c; /* First: a key's function is given this. */
	struct policycases *cases;
	uint64_t clock_ms; /* Of the last thing that was read. */
	uint64_t played;
};

static struct reading *reading_of(struct compile *c)
{
	return (struct reading *)(void *)c;
}

/* Room for one more in an array that doubles. */
static void *grow(struct compile *c, void *array, unsigned n, size_t size)
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

/* --- small values --- */

static int read_time(struct compile *c, struct fy_node *key, struct fy_node *value, uint64_t *ret)
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

static int read_answer(struct compile *c, struct fy_node *key, struct fy_node *value, enum policycase_answer *ret)
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
static int read_signals(struct compile *c, struct fy_node *key, struct fy_node *value, struct signal_list *ret)
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

static int add_text(struct compile *c, struct fy_node *key, struct fy_node *value)
{
	struct policycases *f = reading_of(c)->cases;
	struct text *grown = grow(c, f->texts, f->n_texts, sizeof *grown);

	if (!grown)
		return CS_ERR_NOMEM;
	f->texts = grown;
	return yaml_text(c, key, value, 1, 512, &f->texts[f->n_texts++]);
}

static int read_texts(struct compile *c, struct fy_node *key, struct fy_node *value, struct span *ret)
{
	struct policycases *f = reading_of(c)->cases;
	unsigned first = f->n_texts;
	struct fy_node *item;
	void *i = NULL;
	int err = 0;

	if (value && fy_node_is_sequence(value)) {
		while (!err && (item = fy_node_sequence_iterate(value, &i)))
			err = add_text(c, key, item);
	} else {
		err = add_text(c, key, value);
	}
	if (!err && f->n_texts > UINT16_MAX)
		return yaml_fail(c, key, "too many texts in one file: at most %d", UINT16_MAX);
	*ret = (struct span){(uint16_t)first, (uint16_t)(f->n_texts - first)};
	return err;
}

/* --- what is expected --- */

static void note_line(struct fy_node *key, unsigned *ret)
{
	unsigned column;

	yaml_place(key, ret, &column);
}

static int expect_verdict(struct compile *c, struct fy_node *key, struct fy_node *value, void *target)
{
	struct policycase *k = target;
	struct text t;
	int err = yaml_text(c, key, value, 1, 16, &t);

	if (err)
		return err;
	for (unsigned v = VERDICT_ALLOW; v <= VERDICT_DENY; v++)
		if (text_is(t, verdict_text(v)))
			k->verdict = v;
	note_line(key, &k->lines[EXPECT_VERDICT]);
	return k->verdict ? 0 : yaml_fail(c, value, "unknown verdict: allow, step_up, defer or deny");
}

/* A number, or [from, to]. */
static int expect_risk(struct compile *c, struct fy_node *key, struct fy_node *value, void *target)
{
	struct policycase *k = target;
	int64_t ends[2] = {0};
	struct fy_node *item;
	unsigned n = 0;
	void *i = NULL;
	int err = 0;

	note_line(key, &k->lines[EXPECT_RISK]);
	if (!value || !fy_node_is_sequence(value)) {
		err = yaml_int(c, key, value, -POLICY_RISK_MAX, POLICY_RISK_MAX, &k->risk_min);
		k->risk_max = k->risk_min;
		return err;
	}
	while (!err && (item = fy_node_sequence_iterate(value, &i))) {
		if (n == 2)
			return yaml_fail(c, item, "a risk is one number, or [from, to]");
		err = yaml_int(c, key, item, -POLICY_RISK_MAX, POLICY_RISK_MAX, &ends[n++]);
	}
	if (!err && (n != 2 || ends[0] > ends[1]))
		return yaml_fail(c, key, "a risk is one number, or [from, to]");
	k->risk_min = ends[0];
	k->risk_max = ends[1];
	return err;
}

static int expect_texts(struct compile *c, struct fy_node *key, struct fy_node *value, void *target)
{
	struct policycase *k = target;
	struct text name = {0};

	name.s = fy_node_get_scalar(key, &name.len);
	for (unsigned e = 0; e < EXPECT_N; e++)
		if (text_is(name, policycase_expect_keys[e])) {
			note_line(key, &k->lines[e]);
			return read_texts(c, key, value, &k->texts[e]);
		}
	return yaml_fail(c, key, "unknown key");
}

static int expect_challenge(struct compile *c, struct fy_node *key, struct fy_node *value, void *target)
{
	struct policycase *k = target;
	int err = yaml_text(c, key, value, 1, 64, &k->level);

	note_line(key, &k->lines[EXPECT_CHALLENGE]);
	return err;
}

static int expect_expires(struct compile *c, struct fy_node *key, struct fy_node *value, void *target)
{
	struct policycase *k = target;

	note_line(key, &k->lines[EXPECT_EXPIRES]);
	return yaml_duration(c, key, value, POLICY_CHALLENGE_MS_MIN, POLICY_CHALLENGE_MS_MAX, &k->expires_ms);
}

static int expect_signals(struct compile *c, struct fy_node *key, struct fy_node *value, void *target)
{
	struct policycase *k = target;

	note_line(key, &k->lines[EXPECT_SIGNALS]);
	return read_signals(c, key, value, &k->expect_signals);
}

static int case_expect(struct compile *c, struct fy_node *key, struct fy_node *value, void *target)
{
	static const struct yaml_key keys[] = {{"verdict", expect_verdict, 0}, {"risk", expect_risk, 0},
	                                       {"rules", expect_texts, 0},     {"rules_include", expect_texts, 0},
	                                       {"reasons", expect_texts, 0},   {"challenge", expect_challenge, 0},
	                                       {"expires", expect_expires, 0}, {"obligations", expect_texts, 0},
	                                       {"signals", expect_signals, 0}, {NULL, NULL, 0}};
	const struct policycase *k = target;
	int err = yaml_mapping(c, key, value, keys, target);

	for (unsigned e = 0; !err && e < EXPECT_N; e++)
		if (k->lines[e])
			return 0;
	return err ? err : yaml_fail(c, key, "nothing is expected: give at least a verdict");
}

/* --- what came before --- */

struct item {
	struct policycase_event e;
	bool asked, timed, spaced;
};

static int item_request(struct compile *c, struct fy_node *key, struct fy_node *value, void *target)
{
	struct item *t = target;

	t->asked = true;
	return policyrequest_read(c, key, value, &t->e.request);
}

static int item_import(struct compile *c, struct fy_node *key, struct fy_node *value, void *target)
{
	struct item *t = target;

	t->e.import = true;
	return policyrequest_read(c, key, value, &t->e.request);
}

static int item_at(struct compile *c, struct fy_node *key, struct fy_node *value, void *target)
{
	struct item *t = target;

	t->timed = true;
	return read_time(c, key, value, &t->e.at_ms);
}

static int item_times(struct compile *c, struct fy_node *key, struct fy_node *value, void *target)
{
	struct item *t = target;
	int64_t n = 1;
	int err = yaml_int(c, key, value, 1, TIMES_MAX, &n);

	t->e.times = (unsigned)n;
	return err;
}

static int item_every(struct compile *c, struct fy_node *key, struct fy_node *value, void *target)
{
	struct item *t = target;
	struct text s;
	int err = yaml_text(c, key, value, 1, 32, &s);

	t->spaced = true;
	if (!err && !policymoment_span(s, &t->e.every_ms))
		return yaml_fail(c, value, "a time with its unit is wanted here: 30s, 5m, 2h, 1d");
	return err;
}

static int item_answer(struct compile *c, struct fy_node *key, struct fy_node *value, void *target)
{
	return read_answer(c, key, value, &((struct item *)target)->e.answer);
}

/* The times of an item, and where the clock stands after it. */
static int item_clock(struct reading *r, struct fy_node *at, struct item *t)
{
	if (!t->timed)
		t->e.at_ms = r->clock_ms + STEP_MS;
	if (t->spaced && t->e.times == 1)
		return yaml_fail(&r->c, at, "\"every\" needs \"times\"");
	if (!t->e.import && t->e.at_ms < r->clock_ms)
		return yaml_fail(&r->c, at, "its time lies before what came before it");
	uint64_t last_ms = t->e.at_ms + (t->e.times - 1) * t->e.every_ms;
	if (last_ms > r->clock_ms)
		r->clock_ms = last_ms;
	r->played += t->e.times;
	if (r->played > POLICYCASES_EVENTS_MAX)
		return yaml_fail(&r->c, at, "too much history in one file: at most %d requests",
		                 POLICYCASES_EVENTS_MAX);
	return 0;
}

static int read_item(struct compile *c, struct fy_node *key, struct fy_node *node)
{
	static const struct yaml_key keys[] = {
	        {"request", item_request, 0}, {"import", item_import, 0}, {"at", item_at, 0}, {"times", item_times, 0},
	        {"every", item_every, 0},     {"answer", item_answer, 0}, {NULL, NULL, 0}};
	struct reading *r = reading_of(c);
	struct policycases *f = r->cases;
	struct item t = {.e = {.times = 1, .every_ms = STEP_MS}};
	struct policycase_event *grown;
	int err = yaml_mapping(c, fy_node_is_mapping(node) ? node : key, node, keys, &t);

	if (!err && t.asked == t.e.import)
		return yaml_fail(c, node, "one of \"request\" and \"import\" is wanted here");
	if (!err && t.e.import && t.e.answer)
		return yaml_fail(c, node, "an import is not answered");
	if (!err)
		err = item_clock(r, node, &t);
	if (err)
		return err;
	grown = grow(c, f->events, f->n_events, sizeof *grown);
	if (!grown)
		return CS_ERR_NOMEM;
	f->events = grown;
	note_line(node, &t.e.line);
	f->events[f->n_events++] = t.e;
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
	return read_signals(c, key, value, &k->signals);
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
	return read_answer(c, key, value, &((struct case_reading *)target)->k->answer);
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
		err = read_item(c, key, item);
	r->k->n_events = f->n_events - r->k->first_event;
	return err;
}

static int case_expected(struct compile *c, struct fy_node *key, struct fy_node *value, void *target)
{
	return case_expect(c, key, value, ((struct case_reading *)target)->k);
}

static int case_whole(struct reading *r, struct fy_node *node, struct case_reading *k)
{
	if (k->k->given && (k->history || k->k->answer))
		return yaml_fail(&r->c, node, "signals that are given need no history and no answer");
	if (!k->k->given && k->met)
		return yaml_fail(&r->c, node, "\"met\" goes with signals that are given; with a history, \"answer\"");
	k->k->at_ms = r->clock_ms + STEP_MS;
	int err = k->timed ? read_time(&r->c, node, k->at, &k->k->at_ms) : 0;
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
	struct policycase *grown = grow(c, f->cases, f->n_cases, sizeof *grown);

	if (!grown)
		return CS_ERR_NOMEM;
	f->cases = grown;
	struct case_reading k = {.k = &f->cases[f->n_cases++]};
	memset(k.k, 0, sizeof *k.k);
	note_line(node, &k.k->line);
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
	return read_time(c, key, value, &f->start_ms);
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
	free(c->texts);
	free(c->scratch);
	memset(c, 0, sizeof *c);
}
