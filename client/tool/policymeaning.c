/* What a policy means, statement by statement: defaults stated, whatever order and form it was written in. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "client/tool/policymeaning.h"

#include <inttypes.h>
#include <sodium.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ledger/errors.h"
#include "node/decide/command_verdicts.h"
#include "node/decide/policy_when.h"

#define VALUE_SIZE_MAX 4096 /* The longest are an obligation's properties. */
#define PATH_SIZE_MAX  640  /* "rules.", an id, "match.context.", an attribute's name. */

/* Where statements go: what is before their own names, and whose they are. */
struct place_of {
	struct meaning *m;
	const struct policy *p;
	char path[PATH_SIZE_MAX];
	int rule;
};

static struct statement *add(const struct place_of *at, const char *name, const char *value)
{
	struct meaning *m = at->m;

	if (m->n == m->cap) {
		unsigned cap = m->cap ? 2 * m->cap : 256;
		struct statement *more = reallocarray(m->all, cap, sizeof *more);
		if (!more) {
			m->err = CS_ERR_NOMEM;
			return NULL;
		}
		m->all = more;
		m->cap = cap;
	}
	struct statement s = {.rule = at->rule, .value = value ? strdup(value) : NULL};
	if (asprintf(&s.path, "%s%s", at->path, name) < 0)
		s.path = NULL;
	if (!s.path || (value && !s.value)) {
		free(s.path);
		free(s.value);
		m->err = CS_ERR_NOMEM;
		return NULL;
	}
	m->all[m->n] = s;
	return &m->all[m->n++];
}

static struct statement *state(const struct place_of *at, const char *name, const char *format, ...)
        __attribute__((format(printf, 3, 4)));
static struct statement *state(const struct place_of *at, const char *name, const char *format, ...)
{
	char value[VALUE_SIZE_MAX];
	va_list args;

	va_start(args, format);
	vsnprintf(value, sizeof value, format, args);
	va_end(args);
	return add(at, name, value);
}

/* A list's item. */
static void item(const struct place_of *at, const char *name, const char *value)
{
	struct statement *s = add(at, name, value);

	if (s)
		s->listed = true;
}

static struct place_of below(const struct place_of *at, struct text name)
{
	struct place_of b = *at;
	size_t n = strlen(b.path);

	snprintf(b.path + n, sizeof b.path - n, "%.*s.", (int)name.len, name.s);
	return b;
}

static struct place_of below_key(const struct place_of *at, const char *name)
{
	return below(at, (struct text){name, strlen(name)});
}

/* --- values --- */

static void number(const struct place_of *at, const char *name, int64_t v)
{
	state(at, name, "%" PRId64, v);
}

/* In the largest unit that says it whole. */
static void duration(const struct place_of *at, const char *name, uint64_t ms)
{
	if (ms % 60000 == 0 && ms)
		state(at, name, "%" PRIu64 "m", ms / 60000);
	else if (ms % 1000 == 0)
		state(at, name, "%" PRIu64 "s", ms / 1000);
	else
		state(at, name, "%" PRIu64 "ms", ms);
}

static size_t quote(char *ret, size_t cap, struct text t)
{
	size_t n = 0;

	if (cap < 2 * t.len + 3)
		return 0;
	ret[n++] = '"';
	for (size_t i = 0; i < t.len; i++) {
		if (t.s[i] == '"' || t.s[i] == '\\')
			ret[n++] = '\\';
		ret[n++] = t.s[i];
	}
	ret[n++] = '"';
	ret[n] = 0;
	return n;
}

static size_t value_text(char *ret, size_t cap, const struct policy_value *v)
{
	if (v->type == VALUE_STR)
		return quote(ret, cap, v->str);
	int n = v->type == VALUE_BOOL ? snprintf(ret, cap, "%s", v->integer ? "true" : "false")
	                              : snprintf(ret, cap, "%" PRId64, v->integer);
	return n > 0 && (size_t)n < cap ? (size_t)n : 0;
}

static void values(const struct place_of *at, const char *name, struct span s)
{
	char value[VALUE_SIZE_MAX];

	for (unsigned i = 0; i < s.n; i++) {
		value_text(value, sizeof value, &at->p->values[s.first + i]);
		item(at, name, value);
	}
}

static void text(const struct place_of *at, const char *name, struct text t)
{
	char value[VALUE_SIZE_MAX];

	quote(value, sizeof value, t);
	add(at, name, value);
}

static void methods(const struct place_of *at, const char *name, unsigned bits)
{
	char list[256] = "";
	size_t n = 0;

#define METHOD_ADD(method, bit, key, level)                                                                            \
	if ((bits & (bit)) && n < sizeof list)                                                                         \
		n += (size_t)snprintf(list + n, sizeof list - n, "%s%s", n ? ", " : "", key);
	METHOD_LIST(METHOD_ADD)
#undef METHOD_ADD
	add(at, name, list);
}

static void challenge(const struct place_of *at, const struct policy_challenge *c)
{
	struct place_of b = below_key(at, "challenge");

	add(&b, "level", level_text(c->level));
	methods(&b, "methods", c->methods);
	duration(&b, "expires", c->expiry_ms);
}

/* --- a rule --- */

static const char *match_key(unsigned target)
{
	switch (target) {
#define MATCH_CASE(name, number, key)                                                                                  \
	case number:                                                                                                   \
		return key;
		MATCH_LIST(MATCH_CASE)
#undef MATCH_CASE
	default:
		return "unknown";
	}
}

static void conditions(const struct place_of *at, const struct rule *r)
{
	struct place_of match = below_key(at, "match"), context = below_key(&match, "context");
	char name[REQUEST_STR_SIZE_MAX + 1];

	for (unsigned i = 0; i < r->conditions.n; i++) {
		const struct condition *c = &at->p->conditions[r->conditions.first + i];
		snprintf(name, sizeof name, "%.*s", (int)c->name.len, c->name.len ? c->name.s : "");
		if (c->target == MATCH_CONTEXT)
			values(&context, name, c->values);
		else
			values(&match, match_key(c->target), c->values);
	}
}

/* Two texts that come to one program say the same. */
static void when(const struct place_of *at, const struct rule *r)
{
	uint8_t bytes[2 * CEL_SOURCE_SIZE_MAX + 16];
	char hex[2 * HASH_SIZE + 1];
	struct statement *s;
	struct writer w;
	struct hash h;

	if (!r->has_when)
		return;
	writer_init(&w, bytes, sizeof bytes);
	policy_write_when(&w, at->p, r);
	hash_bytes(&h, bytes, w.len);
	sodium_bin2hex(hex, sizeof hex, h.b, sizeof h.b);
	s = add(at, "when", NULL);
	if (s && !(s->equal = strdup(hex)))
		at->m->err = CS_ERR_NOMEM;
}

static const char *verdict_key(unsigned verdict)
{
	return verdict == RULE_VERDICT_RISK ? "risk" : verdict == 0 ? "none" : verdict_text(verdict);
}

static void obligation(const struct place_of *at, const struct obligation *o)
{
	char value[VALUE_SIZE_MAX];
	size_t n = (size_t)snprintf(value, sizeof value, "{type: %.*s, id: ", (int)o->type.len, o->type.s);

	n += quote(value + n, sizeof value - n, o->id);
	for (unsigned i = 0; i + 1 < o->properties.n && n < sizeof value; i += 2) {
		const struct policy_value *v = &at->p->values[o->properties.first + i];
		n += (size_t)snprintf(value + n, sizeof value - n, "%s", i ? ", " : ", properties: {");
		n += value_text(value + n, sizeof value - n, v);
		n += (size_t)snprintf(value + n, sizeof value - n, ": ");
		n += value_text(value + n, sizeof value - n, v + 1);
	}
	snprintf(value + n, sizeof value - n, "%s", o->properties.n ? "}}" : "}");
	item(at, "obligations", value);
}

static void defer(const struct place_of *at, const struct rule_defer *d)
{
	struct place_of b = below_key(at, "defer"), approvals = below_key(&b, "approvals");

	if (d->until_ms)
		duration(&b, "until", d->until_ms);
	if (!d->needed)
		return;
	number(&approvals, "needed", d->needed);
	values(&approvals, "from", d->from);
	duration(&approvals, "expires", d->expires_ms);
}

static void grant(const struct place_of *at, const struct rule_grant *g)
{
	struct place_of b = below_key(at, "grant"), scope = below_key(&b, "scope");

	if (!g->set)
		return;
	duration(&b, "for", g->for_ms);
	values(&scope, "action", g->actions);
	values(&scope, "resource", g->resources);
	state(&b, "bind", "[%s%s%s]", g->session ? "session" : "", g->session && g->device ? ", " : "",
	      g->device ? "device" : "");
}

static void rule(const struct place_of *rules, int n)
{
	const struct rule *r = &rules->p->rules[n];
	struct place_of at = below(rules, r->id);

	at.rule = n;
	conditions(&at, r);
	when(&at, r);
	number(&at, "weight", r->weight);
	add(&at, "verdict", verdict_key(r->verdict));
	if (r->has_challenge)
		challenge(&at, &r->challenge);
	for (unsigned i = 0; i < r->obligations.n; i++)
		obligation(&at, &rules->p->obligations[r->obligations.first + i]);
	text(&at, "reason_user", r->reason_user);
	text(&at, "reason_admin", r->reason_admin);
	defer(&at, &r->defer);
	grant(&at, &r->grant);
}

/* --- the whole --- */

static void weights(const struct place_of *at)
{
	struct place_of b = below_key(at, "weights");

	for (unsigned id = 1; id <= SIGNAL_MAX; id++)
		if (signal_key(id) && (id < SIGNAL_OUTSIDE_1 || id > SIGNAL_OUTSIDE_8))
			number(&b, signal_key(id), at->p->weights[id]);
}

static void signals(const struct place_of *at)
{
	const struct signal_policy *s = &at->p->signals;
	struct place_of b = below_key(at, "signals"), outside = below_key(&b, "outside");
	char name[REQUEST_STR_SIZE_MAX + 1];

#define PARAMETER_STATE(parameter, key, kind, least, most, fallback)                                                   \
	if ((kind) == PARAMETER_TIME)                                                                                  \
		duration(&b, key, s->parameter);                                                                       \
	else                                                                                                           \
		number(&b, key, (int64_t)s->parameter);
	SIGNAL_PARAMETER_LIST(PARAMETER_STATE)
#undef PARAMETER_STATE
	for (unsigned i = 0; i < s->n_outside; i++) {
		snprintf(name, sizeof name, "%.*s", (int)s->outside[i].len, s->outside[i].s);
		number(&outside, name, at->p->weights[SIGNAL_OUTSIDE_1 + i]);
	}
}

static void levels(const struct place_of *at)
{
	struct place_of b = below_key(at, "levels");

	for (unsigned i = 0; i < at->p->n_levels; i++) {
		const struct policy_level *l = &at->p->levels[i];
		struct place_of one = below(&b, l->name);
		add(&one, "level", level_text(l->level));
		methods(&one, "methods", l->methods);
		duration(&one, "max_age", l->max_age_ms);
	}
}

/* What only version 2 has. Grants end at the threshold of deny unless it says otherwise. */
static void further(const struct place_of *at)
{
	const struct policy *p = at->p;
	struct place_of grants = below_key(at, "grants"), glass = below_key(at, "break_glass");

	levels(at);
	signals(at);
	if (p->grants.revoke_risk == p->deny)
		add(&grants, "revoke_risk", "thresholds.deny");
	else
		number(&grants, "revoke_risk", p->grants.revoke_risk);
	add(&grants, "revoke_outside", outside_level_text(p->grants.revoke_outside));
	if (p->break_glass.from.n == 0)
		return;
	values(&glass, "from", p->break_glass.from);
	duration(&glass, "within", p->break_glass.within_ms);
}

void meaning_of(struct meaning *ret, const struct policy *p)
{
	struct place_of at = {.m = ret, .p = p, .rule = -1}, rates = below_key(&at, "rates"),
	                thresholds = below_key(&at, "thresholds"), rules = below_key(&at, "rules");

	memset(ret, 0, sizeof *ret);
	number(&at, "version", p->version);
	text(&at, "name", p->name);
	number(&at, "bias", p->bias);
	number(&thresholds, "step_up", p->step_up);
	number(&thresholds, "deny", p->deny);
	duration(&at, "valid_for", p->valid_for_ms);
	challenge(&at, &p->challenge);
	number(&rates, "subject", p->subject_rate);
	number(&rates, "client", p->client_rate);
	weights(&at);
	values(&at, "sensitive", p->sensitive);
	if (p->version != POLICY_VERSION_1)
		further(&at);
	for (unsigned i = 0; i < p->n_rules; i++)
		rule(&rules, (int)i);
}

void meaning_close(struct meaning *m)
{
	for (unsigned i = 0; i < m->n; i++) {
		free(m->all[i].path);
		free(m->all[i].value);
		free(m->all[i].equal);
	}
	free(m->all);
	memset(m, 0, sizeof *m);
}

bool statement_same(const struct statement *a, const struct statement *b)
{
	const char *x = a->equal ? a->equal : a->value, *y = b->equal ? b->equal : b->value;

	return x && y && !strcmp(a->path, b->path) && !strcmp(x, y);
}
