/* countersign policy what-if: the ledger's past under another policy. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "client/tool/policywhatif.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/tool/policycommands.h"
#include "client/tool/policysource.h"
#include "client/tool/tool.h"
#include "ledger/errors.h"

static const struct usage usage = {
        .command = "policy what-if",
        .arguments = "POLICY",
        .about = "Reads the ledger's past and says which of its verdicts would be others under a new policy: by "
                 "verdict,\n"
                 "by rule, how many people would see a step_up, a defer or a deny that they did not see, and the\n"
                 "riskiest changes. Needs the audit role, for what was asked is private. The verdicts are made anew\n"
                 "from the signals as recorded; with --history the signals too, by playing all of the past, from the\n"
                 "first entry on, through the very code that nodes run, with the new policy in "
                 "place.\n" POLICYSOURCE_TEXT,
        .exits =
                "  0  nothing would change\n  1  something would\n  2  no decision could be looked at\n" TOOL_EXIT_TEXT,
        .n_min = 1,
        .n_max = 1,
};

#define FROM_UNSET  UINT64_MAX
#define TOP_DEFAULT 10

struct words {
	struct tool_access access;
	uint64_t from, to, top;
	bool history, unanswered, json;
};

static int prepare(struct whatif *w, uint64_t top)
{
	int err;

	w->policy = malloc(sizeof *w->policy);
	w->pending = malloc(WHATIF_PENDING_MAX * sizeof *w->pending);
	err = w->policy && w->pending ? policytally_open(&w->tally, (unsigned)top) : CS_ERR_NOMEM;
	if (!err)
		err = policy_load(w->policy, w->file->compiled, w->file->compiled_len);
	return err ? tool_fail(EXIT_LOCAL, w->command, "%s: %s", w->policy_name, err_text(err)) : 0;
}

static int replay(struct whatif *w, struct policywalk *walk)
{
	uint64_t first = w->history ? 0 : w->from;
	int code;

	walk->total = w->to - first;
	code = policywalk_range(walk, first, w->to, whatif_entry, w);
	if (!code)
		code = policywalk_prove(walk, w->to - 1, &walk->last, &w->quorum);
	policywalk_end(walk);
	return code;
}

static int bounds(struct whatif *w, const struct words *o, const struct policywalk *walk)
{
	w->from = o->from == FROM_UNSET ? 0 : o->from;
	w->to = o->to == FROM_UNSET || o->to >= walk->size ? walk->size : o->to + 1;
	if (w->from >= walk->size)
		return tool_fail(EXIT_REFUSED, w->command, "there is no entry %" PRIu64 ": the ledger has %" PRIu64,
		                 w->from, walk->size);
	if (w->from >= w->to)
		return tool_fail(EXIT_USAGE, w->command, "--from %" PRIu64 " lies behind --to %" PRIu64, w->from,
		                 o->to);
	return 0;
}

static int run(cs_client *client, const struct words *o, const char *name, const struct policyfile *p)
{
	struct whatif *w = calloc(1, sizeof *w);
	struct policywalk walk;
	int code = w ? policywalk_open(&walk, usage.command, client)
	             : tool_fail(EXIT_LOCAL, usage.command, "out of memory");

	if (!code) {
		w->command = usage.command;
		w->policy_name = name;
		w->file = p;
		w->history = o->history;
		w->unanswered = o->unanswered;
		code = bounds(w, o, &walk);
	}
	if (!code)
		code = prepare(w, o->top);
	if (!code)
		code = replay(w, &walk);
	if (!code) {
		policytally_sort(&w->tally);
		code = whatif_report(w, o->json);
	}
	if (!code && !policytally_total(&w->tally, TALLY_DECISION) && w->closed + w->erased)
		code = 2;
	else if (!code)
		code = policytally_changed(&w->tally, TALLY_DECISION) + policytally_changed(&w->tally, TALLY_ANSWER) +
		               w->unasked !=
		       0;
	if (w) {
		policylab_close(w->lab);
		policytally_close(&w->tally);
		free(w->policy);
		free(w->pending);
		free(w);
	}
	return code;
}

int policywhatif_run(int argc, char **argv)
{
	struct words w = {
	        .access.timeout_ms = TOOL_TIMEOUT_MS_DEFAULT, .from = FROM_UNSET, .to = FROM_UNSET, .top = TOP_DEFAULT};
	const struct option options[] = {
	        TOOL_ACCESS_OPTIONS(&w.access),
	        {"from", OPTION_NUMBER, &w.from, "N", "count from this entry on (default: 0)", 0, INT64_MAX},
	        {"to", OPTION_NUMBER, &w.to, "N", "up to this entry (default: the newest)", 0, INT64_MAX},
	        {"history", OPTION_FLAG, &w.history, NULL, "derive the signals again, from the first entry on", 0, 0},
	        {"unanswered", OPTION_FLAG, &w.unanswered, NULL,
	         "with --history: what is newly asked stays unanswered (default: answered well)", 0, 0},
	        {"top", OPTION_NUMBER, &w.top, "N", "list so many of the riskiest each way (default: 10)", 0,
	         TALLY_TOP_MAX},
	        {"json", OPTION_FLAG, &w.json, NULL, "as JSON", 0, 0},
	        {NULL, OPTION_FLAG, NULL, NULL, NULL, 0, 0},
	};
	struct policyfile p = {0};
	cs_client *client = NULL;
	unsigned n;
	int code = options_parse(&usage, options, argc, argv, &n);

	if (code != OPTIONS_GO_ON)
		return code;
	if (w.unanswered && !w.history)
		return tool_fail(EXIT_USAGE, usage.command, "--unanswered goes with --history");
	code = policysource_load(usage.command, argv[0], &w.access, &client, &p);
	if (!code && !client)
		code = tool_open(usage.command, &w.access, 0, &client);
	if (!code)
		code = run(client, &w, argv[0], &p);
	policyfile_close(&p);
	cs_close(client);
	return code;
}
