/* What happened before the request of a case, out of YAML. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "client/tool/policycases_read.h"
#include "client/tool/policymoment.h"
#include "client/tool/policyrequest.h"
#include "ledger/errors.h"

#define TIMES_MAX 10000

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
	return cases_time(c, key, value, &t->e.at_ms);
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
	return cases_answer(c, key, value, &((struct item *)target)->e.answer);
}

/* The times of an item, and where the clock stands after it. */
static int item_clock(struct reading *r, struct fy_node *at, struct item *t)
{
	if (!t->timed)
		t->e.at_ms = r->clock_ms + CASES_STEP_MS;
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

int cases_event(struct compile *c, struct fy_node *key, struct fy_node *node)
{
	static const struct yaml_key keys[] = {
	        {"request", item_request, 0}, {"import", item_import, 0}, {"at", item_at, 0}, {"times", item_times, 0},
	        {"every", item_every, 0},     {"answer", item_answer, 0}, {NULL, NULL, 0}};
	struct reading *r = reading_of(c);
	struct policycases *f = r->cases;
	struct item t = {.e = {.times = 1, .every_ms = CASES_STEP_MS}};
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
	grown = cases_grow(c, f->events, f->n_events, sizeof *grown);
	if (!grown)
		return CS_ERR_NOMEM;
	f->events = grown;
	cases_line(node, &t.e.line);
	f->events[f->n_events++] = t.e;
	return 0;
}
