/* countersign replay: a ledger's decisions once more, from what it commits to and from history. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "client/tool/replay.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/tool/progress.h"
#include "client/tool/tool.h"
#include "client/tool/verifyview.h"
#include "client/tool/verifywhole.h"
#include "ledger/errors.h"

static const struct usage usage = {
        .command = "replay",
        .arguments = "LEDGER",
        .about = "Decides a ledger once more: a node's folder or a copy of its ledger (data.mdb), which may be in use. "
                 "First\n"
                 "each verdict, from the signals that its entry commits to, by the policy that the ledger had in force "
                 "then;\n"
                 "second each signal, by playing all of history, from the first entry on, through the very code that "
                 "nodes\n"
                 "run: every entry must come out again, byte for byte. The first one that differs is named, with both\n"
                 "derivations. What is erased cannot be played: --state goes on behind it, from a state whose digest "
                 "the\n"
                 "ledger has as an entry, and what lies between is said. A ledger that was restored begins from "
                 "another one's "
                 "state:\n"
                 "--before names that one, whose entries must have the root that the genesis names. --trust checks "
                 "chain, tree and private fields "
                 "first,\n"
                 "as `countersign verify --bodies` does; without it that is said to be unchecked.\n",
        .exits = "  0  the same\n"
                 "  1  something differs, or the ledger is refuted\n"
                 "  2  could not tell: fields are missing, or nothing proves the state that it began "
                 "from\n" TOOL_EXIT_TEXT,
        .n_min = 1,
        .n_max = 1,
};

#define PROGRESS_ENTRIES 256

struct words {
	const char *trust, *state, *save;
	struct option_list before;
	uint64_t from, to, level;
	bool json;
};

static int no_memory(void)
{
	return tool_fail(EXIT_LOCAL, usage.command, "out of memory");
}

/* --- chain and tree --- */

static int verify_first(struct replay *r, const char *trust, struct verify_result *result)
{
	struct verify_policy *policy = NULL;
	struct progress progress = {.what = "verified", .unit = "entries"};
	const struct verify_whole_options options = {
	        .bodies = true, .progress = progress_show, .progress_ctx = &progress};
	int code = verifyview_policy(usage.command, trust, &policy);

	if (code)
		return code;
	verify_store(policy, r->folder, &options, result);
	progress_end(&progress);
	verify_policy_free(policy);
	r->verified = result;
	return 0;
}

/* --- the walk --- */

static int plain(struct replay *r, uint64_t index, const char *what, const char *ours, const char *ledger)
{
	r->difference = replaydiff_plain(0, index, entry_kind_text(r->entry.e.kind), what, ours, ledger);
	return r->difference ? 0 : no_memory();
}

/* The entry at hand, where the ones before it lead. */
static int read_entry(struct replay *r, uint64_t index)
{
	static const struct hash none;
	int err = replayledger_go_on(&r->ledger);

	if (!err)
		err = replayledger_entry(&r->ledger, index, &r->entry);
	if (err == CS_ERR_REFUTED)
		return plain(r, index, "private fields", "each opens its commitment", "one does not, or another index");
	if (err == CS_ERR_MALFORMED)
		return plain(r, index, "form", "canonical", "malformed");
	if (err)
		return tool_fail(REPLAY_UNDECIDED, usage.command, "entry %" PRIu64 " cannot be read: %s", index,
		                 err_text(err));
	if (!hash_equal(&r->entry.e.prev, index ? &r->last : &none))
		return plain(r, index, "chain", "the entry before it", "another entry");
	return 0;
}

static int level_1(struct replay *r)
{
	enum replayverdict_outcome outcome = REPLAYVERDICT_NONE;
	int err = replayverdict_follow(&r->verdicts, &r->entry);

	if (!err && r->entry.e.index >= r->from)
		err = replayverdict_entry(&r->verdicts, &r->entry, &outcome);
	else if (!err)
		return 0;
	if (err == CS_ERR_NOMEM)
		return no_memory();
	if (err)
		return plain(r, r->entry.e.index, "form", "as its kind has it", err_text(err));
	r->n_same += outcome == REPLAYVERDICT_SAME;
	r->n_none += outcome == REPLAYVERDICT_NONE;
	r->n_erased += outcome == REPLAYVERDICT_ERASED;
	if (outcome == REPLAYVERDICT_DIFFERS) {
		r->difference = replaydiff_verdict(&r->entry, &r->verdicts);
		return r->difference ? 0 : no_memory();
	}
	return 0;
}

static int walk(struct replay *r)
{
	struct progress progress = {.what = "replayed", .unit = "entries"};
	int code = 0;

	for (uint64_t i = 0; i < r->to && !code && !r->difference; i++) {
		code = read_entry(r, i);
		if (!code && !r->difference)
			code = replaybefore_leaf(r);
		if (!code && !r->difference)
			code = level_1(r);
		if (!code && !r->difference && r->level > 1)
			code = replayfold_entry(r);
		r->last = r->entry.hash;
		if (i % PROGRESS_ENTRIES == 0)
			progress_show(&progress, i, r->to);
	}
	if (!code && r->level > 1)
		code = replayfold_end(r);
	if (!code)
		code = replaybefore_end(r);
	progress_end(&progress);
	return code;
}

static int find_digests(struct replay *r)
{
	struct progress progress = {.what = "looked through", .unit = "entries"};
	uint64_t index = 0;
	int err = replayledger_digests(&r->ledger, r->to, progress_show, &progress, &index);

	progress_end(&progress);
	return err ? tool_fail(REPLAY_UNDECIDED, usage.command, "entry %" PRIu64 " cannot be read: %s", index,
	                       err_text(err))
	           : 0;
}

/* --- the whole --- */

static int bounds(struct replay *r, const struct words *w)
{
	if (w->from >= r->ledger.size)
		return tool_fail(EXIT_USAGE, usage.command, "there is no entry %" PRIu64 ": the ledger has %" PRIu64,
		                 w->from, r->ledger.size);
	r->from = w->from;
	r->to = w->to >= r->ledger.size ? r->ledger.size : w->to + 1;
	return r->from < r->to ? 0
	                       : tool_fail(EXIT_USAGE, usage.command, "--from %" PRIu64 " lies behind --to %" PRIu64,
	                                   w->from, w->to);
}

int replay_play(struct replay *r)
{
	int code = replaybefore_play(r);

	if (!r->carried_on && !r->befores->state_taken)
		r->state_path = r->befores->state;
	if (!code)
		code = find_digests(r);
	if (!code && replayverdict_open(&r->verdicts))
		code = no_memory();
	if (!code && r->level > 1)
		code = replayfold_open(r);
	return code ? code : walk(r);
}

void replay_close(struct replay *r)
{
	replaybefore_close(r);
	json_decref(r->difference);
	replayfold_close(r);
	replayverdict_close(&r->verdicts);
	replayledger_close(&r->ledger);
}

static int run(struct replay *r, const struct words *w)
{
	int code = replayledger_open(usage.command, r->folder, &r->ledger);

	if (!code)
		code = bounds(r, w);
	if (!code)
		code = replay_play(r);
	if (!code)
		code = replayreport(r, w->json);
	replay_close(r);
	return code;
}

static int replay(const struct words *w, const char *path)
{
	struct replay_befores befores = {.paths = &w->before, .state = w->state};
	struct replay *r = calloc(1, sizeof *r);
	struct verify_result *result = calloc(1, sizeof *result);
	int code = r && result ? 0 : no_memory();

	if (!code && !verifywhole_store(path, r->folder))
		code = tool_fail(EXIT_USAGE, usage.command, "%s: no ledger of a node is there (data.mdb)", path);
	if (!code) {
		r->command = usage.command;
		r->level = (unsigned)w->level;
		r->save_path = w->save;
		r->befores = &befores;
		verifywhole_catch_damage();
		code = w->trust ? verify_first(r, w->trust, result) : 0;
	}
	if (!code)
		code = run(r, w);
	free(result);
	free(r);
	return code;
}

int replay_run(int argc, char **argv)
{
	struct words w = {.to = INT64_MAX, .level = 2};
	const struct option options[] = {
	        {"trust", OPTION_TEXT, &w.trust, "POLICY",
	         "check chain, tree and private fields first, by this trust policy", 0, 0},
	        {"from", OPTION_NUMBER, &w.from, "N", "what counts begins with this entry (default: 0)", 0, INT64_MAX},
	        {"to", OPTION_NUMBER, &w.to, "N", "and ends with this one (default: the newest)", 0, INT64_MAX},
	        {"level", OPTION_NUMBER, &w.level, "N", "1: verdicts from their signals only; 2: history too (default)",
	         1, 2},
	        {"before", OPTION_LIST, &w.before, "LEDGER",
	         "of a restored ledger: one that it carries on, to be played first (may be repeated)", 0, 0},
	        {"state", OPTION_TEXT, &w.state, "FILE", "go on from this state behind what is erased", 0, 0},
	        {"save-state", OPTION_TEXT, &w.save, "FILE",
	         "write the state of the last digest on the way, to go on from another time (a new file)", 0, 0},
	        {"json", OPTION_FLAG, &w.json, NULL, "as JSON", 0, 0},
	        {NULL, OPTION_FLAG, NULL, NULL, NULL, 0, 0},
	};
	unsigned n;
	int code = options_parse(&usage, options, argc, argv, &n);

	if (code != OPTIONS_GO_ON)
		return code;
	if (w.level == 1 && (w.state || w.save))
		return tool_fail(EXIT_USAGE, usage.command, "--state and --save-state are for --level 2");
	return replay(&w, argv[0]);
}
