/* What version 2 of a policy says of verdicts that wait and of grants: written and taken apart. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "node/decide/policy_verdicts.h"

#include "ledger/errors.h"
#include "node/decide/codec.h"
#include "node/decide/command_verdicts.h"
#include "node/decide/decide.h"

static void malformed(struct reader *r)
{
	if (r->err == 0)
		r->err = CS_ERR_MALFORMED;
}

static uint64_t read_ms(struct reader *r, uint64_t min, uint64_t max)
{
	uint64_t v = 0;

	reader_uint(r, max, &v);
	if (v < min)
		malformed(r);
	return v;
}

/* A list of patterns, at least one. */
static struct span read_patterns(struct reader *r, struct policy *p, unsigned max)
{
	struct span s = policy_read_values(r, p);

	if (s.n == 0 || s.n > max)
		malformed(r);
	for (unsigned i = s.first; i < (unsigned)s.first + s.n; i++)
		if (p->values[i].type != VALUE_STR)
			malformed(r);
	return s;
}

/* --- rules --- */

/* nil, or [until ms], or [needed, [name or pattern…], expires ms] */
void policy_write_defer(struct writer *w, const struct policy *p, const struct rule *r)
{
	const struct rule_defer *d = &r->defer;

	if (d->until_ms > 0) {
		writer_array(w, 1);
		writer_uint(w, d->until_ms);
	} else if (d->needed > 0) {
		writer_array(w, 3);
		writer_uint(w, d->needed);
		policy_write_values(w, p, d->from);
		writer_uint(w, d->expires_ms);
	} else {
		writer_nil(w);
	}
}

void policy_read_defer(struct reader *r, struct policy *p, struct rule *ret)
{
	struct rule_defer *d = &ret->defer;
	uint32_t n = 0;

	if (!reader_nil(r)) {
		reader_array(r, 3, &n);
		if (n == 1) {
			d->until_ms = read_ms(r, POLICY_WAIT_MS_MIN, POLICY_WAIT_MS_MAX);
		} else if (n == 3) {
			d->needed = (unsigned)read_ms(r, 1, POLICY_APPROVALS_MAX);
			d->from = read_patterns(r, p, POLICY_APPROVERS_MAX);
			d->expires_ms = read_ms(r, POLICY_WAIT_MS_MIN, POLICY_WAIT_MS_MAX);
		} else {
			malformed(r);
		}
	}
	/* A verdict that waits for nothing, or a wait that is no verdict. */
	if ((ret->verdict == VERDICT_DEFER) != (n > 0))
		malformed(r);
}

/* nil, or [ms, [action pattern…], [resource pattern…], bound to the session, bound to the device] */
void policy_write_grant(struct writer *w, const struct policy *p, const struct rule *r)
{
	const struct rule_grant *g = &r->grant;

	if (!g->set) {
		writer_nil(w);
		return;
	}
	writer_array(w, 5);
	writer_uint(w, g->for_ms);
	policy_write_values(w, p, g->actions);
	policy_write_values(w, p, g->resources);
	writer_bool(w, g->session);
	writer_bool(w, g->device);
}

void policy_read_grant(struct reader *r, struct policy *p, struct rule *ret)
{
	struct rule_grant *g = &ret->grant;

	g->set = !reader_nil(r);
	if (!g->set)
		return;
	reader_array_exact(r, 5);
	g->for_ms = read_ms(r, POLICY_WAIT_MS_MIN, POLICY_GRANT_MS_MAX);
	g->actions = read_patterns(r, p, POLICY_VALUES_MAX);
	g->resources = read_patterns(r, p, POLICY_VALUES_MAX);
	reader_bool(r, &g->session);
	reader_bool(r, &g->device);
}

/* --- the policy's own --- */

/* nil, or [[name or pattern…], within ms] of break-glass */
void policy_write_approvals(struct writer *w, const struct policy *p)
{
	if (p->break_glass.from.n == 0) {
		writer_nil(w);
		return;
	}
	writer_array(w, 2);
	policy_write_values(w, p, p->break_glass.from);
	writer_uint(w, p->break_glass.within_ms);
}

void policy_read_approvals(struct reader *r, struct policy *p)
{
	if (reader_nil(r))
		return;
	reader_array_exact(r, 2);
	p->break_glass.from = read_patterns(r, p, POLICY_APPROVERS_MAX);
	p->break_glass.within_ms = read_ms(r, POLICY_WAIT_MS_MIN, POLICY_WAIT_MS_MAX);
}

/* nil (the defaults), or [risk from which grants end, level of outside signals from which they do] */
void policy_write_grants(struct writer *w, const struct policy *p)
{
	if (p->grants.revoke_risk == p->deny && p->grants.revoke_outside == OUTSIDE_HIGH) {
		writer_nil(w);
		return;
	}
	writer_array(w, 2);
	writer_int(w, p->grants.revoke_risk);
	writer_uint(w, p->grants.revoke_outside);
}

void policy_read_grants(struct reader *r, struct policy *p)
{
	int64_t risk = p->deny;
	uint64_t level = OUTSIDE_HIGH;

	if (!reader_nil(r)) {
		reader_array_exact(r, 2);
		reader_int(r, &risk);
		reader_uint(r, OUTSIDE_HIGH, &level);
		if (risk < -POLICY_RISK_MAX || risk > POLICY_RISK_MAX || level < OUTSIDE_MEDIUM)
			malformed(r);
	}
	p->grants.revoke_risk = (int32_t)risk;
	p->grants.revoke_outside = (unsigned)level;
}

/* --- obligations --- */

void policy_write_properties(struct writer *w, const struct policy *p, const struct obligation *o)
{
	writer_array(w, o->properties.n / 2u);
	for (unsigned i = 0; i + 1 < o->properties.n; i += 2) {
		writer_array(w, 2);
		policy_write_value(w, &p->values[o->properties.first + i]);
		policy_write_value(w, &p->values[o->properties.first + i + 1]);
	}
}

void policy_read_properties(struct reader *r, struct policy *p, struct obligation *ret)
{
	uint32_t n = 0;

	reader_array(r, POLICY_PROPERTIES_MAX, &n);
	ret->properties.first = (uint16_t)p->n_values;
	for (uint32_t i = 0; i < n && r->err == 0; i++) {
		struct span pair = policy_read_values(r, p);
		if (pair.n != 2 || p->values[pair.first].type != VALUE_STR || p->values[pair.first].str.len == 0)
			malformed(r);
	}
	ret->properties.n = (uint16_t)(2 * n);
}
