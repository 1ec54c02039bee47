/* What a replay found, for people and as JSON; and the exit code that follows. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "client/tool/replay.h"
#include "client/tool/result.h"
#include "client/tool/text.h"
#include "client/tool/verifyview.h"

/* Entries of the range that history was not played through. */
static uint64_t unplayed(const struct replay *r)
{
	uint64_t n = 0;

	for (unsigned i = 0; i < r->n_spans; i++) {
		uint64_t first = r->spans[i].first > r->from ? r->spans[i].first : r->from;
		if (!r->spans[i].played && r->spans[i].end > first)
			n += r->spans[i].end - first;
	}
	return n;
}

static bool state_unproven(const struct replay *r)
{
	return r->from_state && !r->proven_by;
}

static enum replay_outcome outcome_alone(const struct replay *r, const char **ret_why)
{
	if (r->difference) {
		*ret_why = "an entry differs";
		return REPLAY_DIFFERS;
	}
	if (r->verified && r->verified->outcome == VERIFY_REFUTED) {
		*ret_why = "the ledger is refuted";
		return REPLAY_DIFFERS;
	}
	*ret_why = r->n_erased         ? "private fields are missing"
	           : unplayed(r)       ? "history could not be played through all of it"
	           : state_unproven(r) ? "no digest in the ledger proves the state that it began from"
	           : r->verified && r->verified->outcome != 0 ? "chain and tree could not be told"
	                                                      : NULL;
	if (*ret_why)
		return REPLAY_UNDECIDED;
	*ret_why =
	        r->level > 1 ? "every entry came out again, byte for byte" : "every verdict follows from its signals";
	return REPLAY_SAME;
}

/* With those before it: nothing of a ledger is the same again that rests on another one which is not. */
static enum replay_outcome outcome_of(const struct replay *r, const char **ret_why)
{
	const char *before;
	enum replay_outcome ours = outcome_alone(r, ret_why),
	                    theirs = r->before ? outcome_of(r->before, &before) : ours;

	if (theirs == ours || ours == REPLAY_DIFFERS || theirs == REPLAY_SAME)
		return ours;
	*ret_why = theirs == REPLAY_DIFFERS ? "the ledger that it carries on differs"
	                                    : "of the ledger that it carries on it could not be told";
	return theirs;
}

static const char *const outcome_words[] = {"same", "differs", "could not tell"};

/* --- for people --- */

static void print_side(const char *label, const json_t *o)
{
	const json_t *signal, *rule;
	size_t i;

	if (!o)
		return;
	printf("%-12s %s, risk %" PRId64 ", rules", label, json_string_value(json_object_get(o, "verdict")),
	       (int64_t)json_integer_value(json_object_get(o, "risk")));
	json_array_foreach(json_object_get(o, "rules"), i, rule) printf(" %s", json_string_value(rule));
	putchar('\n');
	json_array_foreach(json_object_get(o, "signals"), i, signal)
	        printf("%-12s   %-24s value %" PRId64 ", weight %+" PRId64 "\n", "",
	               json_string_value(json_object_get(signal, "id")),
	               (int64_t)json_integer_value(json_object_get(signal, "value")),
	               (int64_t)json_integer_value(json_object_get(signal, "weight")));
}

static void print_difference(const json_t *d)
{
	const char *refused = json_string_value(json_object_get(d, "refused"));
	const json_t *part;
	size_t i;

	printf("%sDIFFERS%s      entry %" PRId64 ", %s: %s\n", text_on(stdout, TINT_RED), text_off(stdout),
	       (int64_t)json_integer_value(json_object_get(d, "entry")), json_string_value(json_object_get(d, "kind")),
	       json_string_value(json_object_get(d, "what")));
	print_side("ours", json_object_get(d, "ours"));
	if (refused)
		printf("%-12s no entry: %s\n", "ours", refused);
	print_side("the ledger", json_object_get(d, "ledger"));
	json_array_foreach(json_object_get(d, "parts"), i, part) printf(
	        "%-12s %s\n%-12s   ours        %s\n%-12s   the ledger  %s\n", "part",
	        json_string_value(json_object_get(part, "part")), "", json_string_value(json_object_get(part, "ours")),
	        "", json_string_value(json_object_get(part, "ledger")));
}

static void print_verified(const struct replay *r)
{
	if (r->carried_on)
		printf("%-12s its root up to there is %sthe one that the genesis which carries it on names\n", "tree",
		       r->root_holds ? "" : "not found to be ");
	else if (!r->verified)
		printf("%-12s chain, tree and private fields against a checkpoint (--trust POLICY)\n", "not checked");
	else
		printf("%-12s %s: chain, tree and private fields: %s\n", "verify", verifyview_outcome(r->verified),
		       r->verified->reason);
}

static void print_level_1(const struct replay *r)
{
	const struct replayverdict *v = &r->verdicts;

	printf("%-12s %" PRIu64 " follow from their signals and the policy of their time; %" PRIu64
	       " entries have none\n",
	       "verdicts", r->n_same, r->n_none);
	if (v->n_waited + v->n_granted + v->n_proven_lately)
		printf("%-12s of them %" PRIu64 " rest on approvals or time, %" PRIu64 " on grants, %" PRIu64
		       " on proofs of lately: that those\n%-12s were there is for history to tell\n",
		       "", v->n_waited, v->n_granted, v->n_proven_lately, "");
	if (r->n_erased)
		printf("%-12s %" PRIu64 " verdicts: private fields are erased\n", "not checked", r->n_erased);
}

static void print_level_2(const struct replay *r)
{
	for (unsigned i = 0; i < r->n_spans; i++) {
		const struct replay_span *s = &r->spans[i];
		if (s->played)
			printf("%-12s entries %" PRIu64 "-%" PRIu64 ": each came out again, byte for byte\n", "history",
			       s->first, s->end - 1);
		else
			printf("%-12s entries %" PRIu64 "-%" PRIu64 ": not recomputed: entry %" PRIu64 ": %s\n",
			       "not checked", s->first, s->end - 1, s->first, s->why);
	}
	if (r->n_digests)
		printf("%-12s %" PRIu64 " state digests of the ledger are those of the state that came out\n",
		       "digests", r->n_digests);
	if (r->n_digests_passed)
		printf("%-12s %" PRIu64 " state digests: a sealed TOTP secret is in no entry, and not in this store\n",
		       "not checked", r->n_digests_passed);
	if (r->proven_by)
		printf("%-12s the state that was given is the one whose digest, or that of a later one from it, is "
		       "entry "
		       "%" PRIu64 "\n",
		       "state", r->proven_by);
	else if (r->from_state)
		printf("%-12s the state that was given: no digest in the ledger is of it, or behind it\n",
		       "not checked");
	if (r->saved)
		printf("%-12s written to %s: of %" PRIu64 " entries\n", "state", r->save_path, r->saved_size);
}

static void print(const struct replay *r, enum replay_outcome outcome, const char *why)
{
	static const enum text_tint tints[] = {TINT_GREEN, TINT_RED, TINT_YELLOW};
	const char *why_before;

	if (r->before) {
		enum replay_outcome before = outcome_of(r->before, &why_before);
		print(r->before, before, why_before);
		putchar('\n');
	}
	printf("%-12s %s, entries %" PRIu64 "-%" PRIu64 " of %" PRIu64 "\n", "ledger", r->folder, r->from, r->to - 1,
	       r->ledger.size);
	print_verified(r);
	print_level_1(r);
	if (r->level > 1)
		print_level_2(r);
	if (r->difference)
		print_difference(r->difference);
	printf("%s%s%s: %s\n", text_on(stdout, tints[outcome]), outcome_words[outcome], text_off(stdout), why);
}

/* --- as JSON --- */

static json_t *history_json(const struct replay *r)
{
	json_t *spans = json_array(), *o;

	for (unsigned i = 0; i < r->n_spans; i++) {
		const struct replay_span *s = &r->spans[i];
		json_t *span = json_pack("{s:I, s:I, s:b}", "from", (json_int_t)s->first, "to",
		                         (json_int_t)(s->end - 1), "recomputed", (int)s->played);
		if (!s->played)
			json_object_set_new(span, "why", json_string(s->why));
		json_array_append_new(spans, span);
	}
	o = json_pack("{s:o, s:I, s:I, s:s}", "spans", spans, "digests_held", (json_int_t)r->n_digests,
	              "digests_unchecked", (json_int_t)r->n_digests_passed, "began_from",
	              r->from_state ? "state" : "genesis");
	if (r->from_state)
		json_object_set_new(o, "state_proven_by",
		                    r->proven_by ? json_integer((json_int_t)r->proven_by) : json_null());
	if (r->saved)
		json_object_set_new(
		        o, "saved",
		        json_pack("{s:s, s:I}", "file", r->save_path, "entries", (json_int_t)r->saved_size));
	return o;
}

static json_t *to_json(const struct replay *r, enum replay_outcome outcome, const char *why)
{
	json_t *o =
	        json_pack("{s:s, s:i, s:s, s:{s:s, s:I, s:I, s:I}, s:{s:I, s:I, s:I, s:I, s:I}}", "outcome",
	                  outcome_words[outcome], "status", (int)outcome, "reason", why, "ledger", "folder", r->folder,
	                  "size", (json_int_t)r->ledger.size, "from", (json_int_t)r->from, "to",
	                  (json_int_t)(r->to - 1), "verdicts", "same", (json_int_t)r->n_same, "erased",
	                  (json_int_t)r->n_erased, "waited", (json_int_t)r->verdicts.n_waited, "granted",
	                  (json_int_t)r->verdicts.n_granted, "proven_lately", (json_int_t)r->verdicts.n_proven_lately);

	json_object_set_new(o, "verified",
	                    r->verified ? json_pack("{s:s, s:s}", "outcome", verifyview_outcome(r->verified), "reason",
	                                            r->verified->reason)
	                                : json_null());
	if (r->level > 1)
		json_object_set_new(o, "history", history_json(r));
	if (r->carried_on)
		json_object_set_new(o, "root_holds", json_boolean(r->root_holds));
	if (r->before) {
		enum replay_outcome theirs = outcome_of(r->before, &why);
		json_object_set_new(o, "before", to_json(r->before, theirs, why));
	}
	json_object_set(o, "difference", r->difference ? r->difference : json_null());
	return o;
}

int replayreport(const struct replay *r, bool json)
{
	const char *why;
	enum replay_outcome outcome = outcome_of(r, &why);
	int code = 0;

	if (json)
		code = result_dump(r->command, to_json(r, outcome, why), true);
	else
		print(r, outcome, why);
	return code ? code : (int)outcome;
}
