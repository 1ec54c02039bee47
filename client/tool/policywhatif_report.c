/* What `policy what-if` found, for people and as JSON, with what it cannot know. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>

#include "client/tool/policywhatif.h"
#include "client/tool/result.h"
#include "client/tool/text.h"

static const char *const kind_names[TALLY_KINDS] = {"decisions", "answers", "imported events, which permit nothing"};
static const char *const kind_keys[TALLY_KINDS] = {"decisions", "answers", "imported"};

/* What was done, and what that leaves out. */
static const char *const recorded_limits[] = {
        "Signals are as they were recorded; weights, rules, thresholds and sensitive actions are the new policy's.",
        "What profiles would have learned under it, and so later signals, is not in this: see --history.",
        "Velocities were counted against the rates of then.", NULL};
static const char *const history_limits[] = {
        "Signals are derived again: all of the past was played through decide with the new policy in place.",
        "People are taken to ask the same again, and to answer challenges as they did.", NULL};

static const char *const *limits(const struct whatif *w)
{
	return w->history ? history_limits : recorded_limits;
}

static bool bothers(unsigned verdict)
{
	return verdict == VERDICT_STEP_UP || verdict == VERDICT_DEFER || verdict == VERDICT_DENY;
}

/* --- what is left out: one list for both forms --- */

struct gap {
	const char *key, *text;
	uint64_t n;
};
#define GAPS 7

static void gaps(const struct whatif *w, struct gap ret[GAPS])
{
	const struct gap all[GAPS] = {
	        {"closed", "entries without private fields (erased, or this key lacks the role audit): not looked at",
	         w->closed},
	        {"erased", "entries of whose request a part is erased: not looked at", w->erased},
	        {"unasked", "answers to challenges that would not have been given", w->unasked},
	        {"assumed", "proofs that nobody was asked for then, taken as good (--unanswered: as not given)",
	         w->assumed},
	        {"granted", "verdicts in which a grant counted: taken as then", w->granted},
	        {"refused", "requests refused when they were played", w->refused},
	        {"unplayed",
	         "entries of other kinds (approvals, ends of waiting, grants, signals from outside, people): not "
	         "looked at",
	         w->unplayed},
	};

	for (unsigned i = 0; i < GAPS; i++)
		ret[i] = all[i];
}

/* --- for people --- */

static void print_verdicts(const struct whatif *w, enum tally_kind kind)
{
	static const char *const heads[] = {"then", "now", ""};
	uint64_t total = policytally_total(&w->tally, kind);
	struct table t;

	if (!total)
		return;
	printf("\n%" PRIu64 " of %" PRIu64 " %s would come out otherwise (%.1f %%)\n",
	       policytally_changed(&w->tally, kind), total, kind_names[kind],
	       100.0 * (double)policytally_changed(&w->tally, kind) / (double)total);
	table_init(&t, 3, heads, 1u << 2);
	for (unsigned from = 1; from < TALLY_VERDICTS; from++)
		for (unsigned to = 1; to < TALLY_VERDICTS; to++) {
			uint64_t n = w->tally.verdicts[kind][from][to];
			if (!n)
				continue;
			table_cell(&t, TINT_NONE, "%s", verdict_text(from));
			table_cell(&t, from == to ? TINT_NONE : text_verdict_tint((int)to), "%s", verdict_text(to));
			table_cell(&t, from == to ? TINT_DIM : TINT_NONE, "%" PRIu64, n);
		}
	table_print(&t, stdout);
	table_close(&t);
}

static void print_people(const struct whatif *w)
{
	printf("\n%zu people%s\n", w->tally.n_people,
	       w->tally.people_full ? " are told apart, there are more: the counts are the least" : "");
	for (unsigned v = 1; v < TALLY_VERDICTS; v++)
		if (bothers(v) && w->tally.gain[v])
			printf("%8" PRIu64 " would see a %s for something that did not get it\n", w->tally.gain[v],
			       verdict_text(v));
	for (unsigned v = 1; v < TALLY_VERDICTS; v++)
		if (bothers(v) && w->tally.lose[v])
			printf("%8" PRIu64 " would no longer see a %s for something that got it\n", w->tally.lose[v],
			       verdict_text(v));
}

static void print_rules(const struct whatif *w)
{
	static const char *const heads[] = {"rule",       "matched then", "now",     "to allow",
	                                    "to step_up", "to defer",     "to deny", "no longer"};
	struct table t;

	if (!w->tally.n_rules)
		return;
	printf("\nBy rule: what it matches, and how many of those would come out otherwise\n");
	table_init(&t, 8, heads, 0xfe);
	for (unsigned i = 0; i < w->tally.n_rules; i++) {
		const struct tally_rule *r = &w->tally.rules[i];
		table_cell(&t, TINT_NONE, "%s", r->id);
		table_cell(&t, TINT_NONE, "%" PRIu64, r->then);
		table_cell(&t, TINT_NONE, "%" PRIu64, r->now);
		for (unsigned v = 1; v < TALLY_VERDICTS; v++)
			table_cell(&t, r->changed[v] ? text_verdict_tint((int)v) : TINT_DIM, "%" PRIu64, r->changed[v]);
		table_cell(&t, TINT_DIM, "%" PRIu64, r->gone);
	}
	table_print(&t, stdout);
	table_close(&t);
	if (w->tally.rules_full)
		printf("and more rules than are told apart\n");
}

static void print_top(const char *what, const struct tally_top *top)
{
	if (!top->n)
		return;
	printf("\nThe riskiest that would be %s\n", what);
	for (unsigned i = 0; i < top->n; i++) {
		const struct tally_change *c = &top->list[i];
		char time[TEXT_TIME_SIZE];
		text_time(c->time_ms, time);
		printf("%8" PRIu64 "  %s  %s -> %s%s%s  risk %" PRId32 " -> %" PRId32 "  %s%s%s  %s  %s\n", c->index,
		       time, verdict_text(c->from), text_on(stdout, text_verdict_tint((int)c->to)), verdict_text(c->to),
		       text_off(stdout), c->risk_from, c->risk_to, c->subject, *c->actor ? " by " : "", c->actor,
		       c->action, c->resource);
	}
}

static void print_gaps(const struct whatif *w)
{
	struct gap list[GAPS];

	gaps(w, list);
	putchar('\n');
	for (unsigned i = 0; i < GAPS; i++)
		if (list[i].n)
			printf("%8" PRIu64 " %s\n", list[i].n, list[i].text);
	if (w->refused)
		printf("         the first was refused so: %s\n", w->refusal);
	for (const char *const *l = limits(w); *l; l++)
		printf("%s\n", *l);
}

static void print(const struct whatif *w)
{
	printf("Entries %" PRIu64 " to %" PRIu64 " under %s; the chain up to there is %s.\n", w->from, w->to - 1,
	       w->policy_name, w->quorum ? "proven, cosigned by a quorum" : "proven by the leader's claim only");
	for (unsigned k = 0; k < TALLY_KINDS; k++)
		print_verdicts(w, (enum tally_kind)k);
	print_people(w);
	print_rules(w);
	print_top("stricter", &w->tally.stricter);
	print_top("weaker", &w->tally.weaker);
	print_gaps(w);
}

/* --- as JSON --- */

static json_t *verdicts_json(const struct whatif *w, enum tally_kind kind)
{
	json_t *list = json_array();

	for (unsigned from = 1; from < TALLY_VERDICTS; from++)
		for (unsigned to = 1; to < TALLY_VERDICTS; to++)
			if (w->tally.verdicts[kind][from][to])
				json_array_append_new(list, json_pack("{s:s, s:s, s:I}", "then", verdict_text(from),
				                                      "now", verdict_text(to), "count",
				                                      (json_int_t)w->tally.verdicts[kind][from][to]));
	return json_pack("{s:I, s:I, s:o}", "total", (json_int_t)policytally_total(&w->tally, kind), "changed",
	                 (json_int_t)policytally_changed(&w->tally, kind), "verdicts", list);
}

static json_t *people_json(const struct whatif *w)
{
	json_t *gain = json_object(), *lose = json_object();

	for (unsigned v = 1; v < TALLY_VERDICTS; v++)
		if (bothers(v)) {
			json_object_set_new(gain, verdict_text(v), json_integer((json_int_t)w->tally.gain[v]));
			json_object_set_new(lose, verdict_text(v), json_integer((json_int_t)w->tally.lose[v]));
		}
	return json_pack("{s:I, s:b, s:o, s:o}", "total", (json_int_t)w->tally.n_people, "more", w->tally.people_full,
	                 "newly_see", gain, "no_longer_see", lose);
}

static json_t *rules_json(const struct whatif *w)
{
	json_t *list = json_array();

	for (unsigned i = 0; i < w->tally.n_rules; i++) {
		const struct tally_rule *r = &w->tally.rules[i];
		json_t *changed = json_object();
		for (unsigned v = 1; v < TALLY_VERDICTS; v++)
			if (r->changed[v])
				json_object_set_new(changed, verdict_text(v), json_integer((json_int_t)r->changed[v]));
		json_array_append_new(list, json_pack("{s:s, s:I, s:I, s:o, s:I}", "id", r->id, "then",
		                                      (json_int_t)r->then, "now", (json_int_t)r->now, "changed_to",
		                                      changed, "changed_and_gone", (json_int_t)r->gone));
	}
	return list;
}

static json_t *top_json(const struct tally_top *top)
{
	json_t *list = json_array();

	for (unsigned i = 0; i < top->n; i++) {
		const struct tally_change *c = &top->list[i];
		json_t *o = json_pack("{s:I, s:I, s:s, s:s, s:i, s:i, s:s, s:s, s:s}", "index", (json_int_t)c->index,
		                      "time_ms", (json_int_t)c->time_ms, "then", verdict_text(c->from), "now",
		                      verdict_text(c->to), "risk_then", (int)c->risk_from, "risk_now", (int)c->risk_to,
		                      "subject", c->subject, "action", c->action, "resource", c->resource);
		if (*c->actor)
			json_object_set_new(o, "actor", json_string(c->actor));
		json_array_append_new(list, o);
	}
	return list;
}

static int dump(const struct whatif *w)
{
	json_t *left = json_object(), *words = json_array(), *o;
	struct gap list[GAPS];

	gaps(w, list);
	for (unsigned i = 0; i < GAPS; i++)
		json_object_set_new(left, list[i].key, json_integer((json_int_t)list[i].n));
	for (const char *const *l = limits(w); *l; l++)
		json_array_append_new(words, json_string(*l));
	o = json_pack("{s:s, s:I, s:I, s:s, s:s}", "policy", w->policy_name, "from", (json_int_t)w->from, "to",
	              (json_int_t)(w->to - 1), "signals", w->history ? "derived again" : "as recorded", "proven",
	              w->quorum ? "cosigned by a quorum" : "the leader's claim only");
	for (unsigned k = 0; k < TALLY_KINDS; k++)
		json_object_set_new(o, kind_keys[k], verdicts_json(w, (enum tally_kind)k));
	json_object_set_new(o, "people", people_json(w));
	json_object_set_new(o, "rules", rules_json(w));
	json_object_set_new(o, "stricter", top_json(&w->tally.stricter));
	json_object_set_new(o, "weaker", top_json(&w->tally.weaker));
	json_object_set_new(o, "left_out", left);
	json_object_set_new(o, "limits", words);
	return result_dump(w->command, o, true);
}

int whatif_report(const struct whatif *w, bool json)
{
	if (json)
		return dump(w);
	print(w);
	return 0;
}
