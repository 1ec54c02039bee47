/* countersign audit: one visit. All entries since the last one are read, checked, and folded into the same tree. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client/tool/auditvisit_internal.h"
#include "client/tool/files.h"
#include "client/tool/text.h"

#define PROGRESS_ENTRIES 256
#define SHOW_MS          250

static const struct usage usage = {
        .command = "audit",
        .arguments = "",
        .about = "An auditor's visit. Reads every entry since the last visit, checks each, and folds them into the "
                 "tree that\n"
                 "the state file holds: a past that was rewritten, rolled back or forked does not lead to a checkpoint "
                 "that\n"
                 "the trust policy's quorum has cosigned. Private fields are checked and reported where they are open\n"
                 "(keys with the audit role). The state is written when all held, whole or not at all.\n"
                 "`countersign audit compare` holds two auditors' states against each other.\n",
        .exits = "  0  all was checked and held, under a quorum's cosignatures\n"
                 "  1  ALARM: the ledger contradicts itself, its past, or its signatures\n"
                 "  2  the leader's claim only, or something could not be checked\n" TOOL_EXIT_TEXT,
};

static int alarm_at(struct visit *v, uint64_t index, const char *format, ...) __attribute__((format(printf, 3, 4)));
static int alarm_at(struct visit *v, uint64_t index, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(v->reason, sizeof v->reason, format, args);
	va_end(args);
	v->status = AUDIT_ALARM;
	v->has_bad = index != UINT64_MAX;
	v->bad = index;
	return AUDIT_ALARM;
}

static int no_answer(struct visit *v, const char *what, int err)
{
	if (err == CS_E_REFUTED)
		return alarm_at(v, UINT64_MAX, "%.400s", cs_last_error());
	return tool_failed_call(usage.command, what, err);
}

/* Is what the last visit has seen still there? ret_size: the ledger's, as the node that answers has it. */
static int reach(struct visit *v, uint64_t *ret_size)
{
	cs_page *page = NULL;
	uint64_t seen = v->state.fold.size;
	struct auditproof p;
	char text[256];
	int err = cs_leaves(v->cluster.source.client, seen ? seen - 1 : 0, 1, AUDIT_WAIT_MS, &page), code;
	size_t n;

	if (err)
		return no_answer(v, "reading", err);
	*ret_size = page->size;
	n = page->n;
	cs_page_free(page);
	if (n)
		return 0;
	/* A node that lags is no rollback: nobody else may have the entry either. */
	enum auditproof_ask ask = auditproof_ask(&v->cluster.source, seen ? seen - 1 : 0, &p, text, &code);
	auditproof_close(&p);
	if (ask != AUDITPROOF_MISSING)
		return ask == AUDITPROOF_FALSE ? alarm_at(v, UINT64_MAX, "%s", text)
		                               : tool_fail(EXIT_UNREACHABLE, usage.command,
		                                           "entry %" PRIu64 ": the node that answers lags", seen - 1);
	return alarm_at(v, *ret_size,
	                "ROLLED BACK: the cluster shows %" PRIu64 " entries, and a quorum had cosigned %" PRIu64
	                " at an earlier visit; entry %" PRIu64 " is the first that is missing",
	                *ret_size, seen, *ret_size);
}

static int ask_within(struct visit *v, uint64_t index, unsigned wait_ms, struct auditproof *ret)
{
	struct auditsource source = v->cluster.source;
	char text[256];
	int err;

	source.wait_ms = wait_ms;
	switch (auditproof_ask(&source, index, ret, text, &err)) {
	case AUDITPROOF_GOT:
		v->status = AUDIT_HELD;
		return 0;
	case AUDITPROOF_CLAIM:
		v->status = AUDIT_UNDECIDED;
		snprintf(v->reason, sizeof v->reason, "%s", text);
		return 0;
	case AUDITPROOF_FALSE:
		return alarm_at(v, UINT64_MAX, "%s", text);
	case AUDITPROOF_MISSING:
		return tool_fail(AUDIT_UNDECIDED, usage.command,
		                 "no checkpoint covers entry %" PRIu64 " yet: could not tell", index);
	case AUDITPROOF_FAILED:
		break;
	}
	return tool_failed_call(usage.command, "proving", err);
}

static int ask(struct visit *v, uint64_t index, struct auditproof *ret)
{
	return ask_within(v, index, v->cluster.source.wait_ms, ret);
}

/*
 * The newest entries may lack a cosignature that the policy asks for, as of a witness that comes by once an hour: then
 * this visit goes as far as a checkpoint has it. No wait here: what nodes keep they have.
 */
static int ask_covered(struct visit *v, uint64_t size)
{
	struct auditproof covered;
	int code = ask(v, size - 1, &v->proof);

	if (code || v->status != AUDIT_UNDECIDED || v->state.fold.size + 1 >= size)
		return code;
	code = ask_within(v, v->state.fold.size, 0, &covered);
	if (code || v->status != AUDIT_HELD) {
		auditproof_close(&covered);
		return code;
	}
	auditproof_close(&v->proof);
	v->proof = covered;
	v->n_beyond = size > covered.size ? size - covered.size : 0;
	return 0;
}

/* The cluster's tree must begin with the one that the last visit has folded. */
static int hold_past(struct visit *v)
{
	const struct auditstate *s = &v->state;
	struct auditrange r;
	struct auditproof p;
	struct hash root;
	int code = ask(v, s->fold.size - 1, &p);

	auditstate_root(s, &root);
	if (!code && !hash_equal(&root, &p.root)) {
		auditproof_narrow(&v->cluster.source, s, &p, &r);
		auditwalk_hex(s->fold.last_leaf, v->expected);
		auditwalk_hex(p.leaf.b, v->found);
		code = alarm_at(v, r.high - 1,
		                "%s: the cluster's first %" PRIu64 " entries are not those of the last visit; entries "
		                "before %" PRIu64 " are the same, the first that differs is one of %" PRIu64
		                " to %" PRIu64 ", and entry %" PRIu64 " is known to",
		                p.size == s->fold.size ? "FORKED at equal size" : "REWRITTEN", s->fold.size, r.low,
		                r.low, r.high - 1, r.high - 1);
	}
	auditproof_close(&p);
	return code;
}

/* How far this visit goes, and the proof that shows it. */
static int aim(struct visit *v, uint64_t to_size)
{
	uint64_t size = 0;
	int code = reach(v, &size);

	if (!code && v->state.fold.size)
		code = hold_past(v);
	if (code)
		return code;
	if (to_size && (to_size > size || to_size < v->state.fold.size))
		return tool_fail(EXIT_USAGE, usage.command,
		                 "option --to-size: the ledger has %" PRIu64 " entries, and %" PRIu64
		                 " are checked already",
		                 size, v->state.fold.size);
	size = size < v->state.fold.size ? v->state.fold.size : size;
	v->target = to_size ? to_size : size;
	if (!v->target)
		return tool_fail(EXIT_UNREACHABLE, usage.command, "the ledger has no entry yet");
	if (to_size)
		return ask(v, v->target - 1, &v->proof);
	code = ask_covered(v, v->target);
	if (!code)
		v->target = v->proof.size;
	return code;
}

static void progress(struct visit *v, uint64_t size)
{
	uint64_t now_ms = text_clock_ms(), done = size - v->last.fold.size, all = v->target - v->last.fold.size;

	if (now_ms < v->begun_ms + SHOW_MS || now_ms < v->shown_ms + SHOW_MS || !isatty(STDERR_FILENO))
		return;
	v->shown_ms = now_ms;
	fprintf(stderr, "\r\033[K%" PRIu64 " of %" PRIu64 " entries (%.0f %%), %.0f a second", done, all,
	        all ? 100.0 * (double)done / (double)all : 100.0,
	        1000.0 * (double)done / (double)(now_ms - v->begun_ms));
	fflush(stderr);
}

static bool taken(struct auditwalk *w, const struct entryview *view, const struct verify_fold *fold)
{
	struct visit *v = w->ctx;

	v->n_unknown += !entryview_kind_known(view->entry.kind);
	auditfacts_add(v->facts, &v->state, view);
	if (fold->size % PROGRESS_ENTRIES == 0)
		progress(v, fold->size);
	return true;
}

static int read_on(struct visit *v)
{
	struct auditwalk w = {.source = &v->cluster.source,
	                      .genesis = &v->cluster.file.genesis,
	                      .state = &v->state,
	                      .taken = taken,
	                      .ctx = v,
	                      .result = v->result};
	struct auditwalk_target target = {.size = v->target,
	                                  .root = v->target == v->proof.size ? v->proof.size_root : v->proof.root,
	                                  .note = v->proof.note,
	                                  .note_len = v->proof.note_len};
	int err = 0;

	v->begun_ms = text_clock_ms();
	enum auditwalk_end end = auditwalk_run(&w, &target, &err);
	if (v->shown_ms)
		fputs("\r\033[K", stderr);
	switch (end) {
	case AUDITWALK_ALARM:
		memcpy(v->expected, w.expected, sizeof v->expected);
		memcpy(v->found, w.found, sizeof v->found);
		return alarm_at(v, w.has_bad ? w.bad : UINT64_MAX, "%s", w.reason);
	case AUDITWALK_LAGS:
		return tool_fail(EXIT_UNREACHABLE, usage.command,
		                 "the node that answers has not all of %" PRIu64 " entries yet: it lags", v->target);
	case AUDITWALK_FAILED:
		return no_answer(v, "reading", err);
	case AUDITWALK_DONE:
		break;
	}
	return 0;
}

static int check(struct visit *v, uint64_t to_size)
{
	int code = aim(v, to_size);

	if (!code)
		code = read_on(v);
	if (code)
		return code;
	v->state.note_size = v->proof.size;
	v->state.note_len = v->proof.note_len;
	memcpy(v->state.note, v->proof.note, v->state.note_len + 1);
	auditstate_visited(&v->state, text_now_ms());
	return 0;
}

static int write_report(const json_t *o, const char *json_path, const char *html_path)
{
	char *text = json_path ? json_dumps(o, JSON_INDENT(2)) : NULL, *html;
	size_t size;
	int err = 0;

	if (json_path)
		err = text ? files_replace(json_path, text, strlen(text), 0600) : ENOMEM;
	free(text);
	if (err)
		return tool_fail(EXIT_LOCAL, usage.command, "%s: %s", json_path, strerror(err));
	if (!html_path)
		return 0;
	html = audithtml_make(o, &size);
	err = html ? files_replace(html_path, html, size, 0600) : ENOMEM;
	free(html);
	return err ? tool_fail(EXIT_LOCAL, usage.command, "%s: %s", html_path, strerror(err)) : 0;
}

/* A state under keys that the policy does not know, or another's, is no past to go on from. */
static int load(struct visit *v, const char *path)
{
	int there, code = auditstate_load(usage.command, path, &v->state, &there);

	if (code || !there)
		return code;
	if (strcmp(v->state.origin, v->cluster.file.origin) != 0)
		return tool_fail(EXIT_USAGE, usage.command,
		                 "%s: refused: it is the state of another ledger, %s, and this is %s", path,
		                 v->state.origin, v->cluster.file.origin);
	verify_checkpoint(v->cluster.policy, v->state.note, v->state.note_len, v->result);
	if (v->result->outcome == VERIFY_REFUTED)
		return tool_fail(EXIT_USAGE, usage.command, "%s: refused: its checkpoint does not hold: %s", path,
		                 v->result->reason);
	v->last = v->state;
	return 0;
}

static int conclude(struct visit *v, const char *path)
{
	if (v->status == AUDIT_HELD && v->n_unknown) {
		v->status = AUDIT_UNDECIDED;
		snprintf(v->reason, sizeof v->reason,
		         "%" PRIu64
		         " entries are of kinds that this build does not know: what they say was not looked at",
		         v->n_unknown);
		return auditstate_save(usage.command, path, &v->state);
	}
	if (v->status != AUDIT_HELD)
		return 0;
	snprintf(v->reason, sizeof v->reason,
	         "entries %" PRIu64 " to %" PRIu64 " were checked, each one, and continue %s", v->last.fold.size,
	         v->state.fold.size - 1, v->last.fold.size ? "what the last visit saw" : "the genesis");
	if (v->last.fold.size == v->state.fold.size)
		snprintf(v->reason, sizeof v->reason,
		         "nothing new: all %" PRIu64 " entries are those of the last visit", v->state.fold.size);
	return auditstate_save(usage.command, path, &v->state);
}

static int run(struct visit *v, const char *path, uint64_t to_size, const char *json_path, const char *html_path)
{
	int code = load(v, path), err;
	json_t *o;

	if (code)
		return code;
	snprintf(v->state.origin, sizeof v->state.origin, "%s", v->cluster.file.origin);
	code = check(v, to_size);
	/* Without an answer there is nothing to report. */
	if (code && v->status != AUDIT_ALARM)
		return code;
	code = conclude(v, path);
	o = auditvisit_report(v);
	auditreport_print(o);
	err = write_report(o, json_path, html_path);
	json_decref(o);
	if (v->status == AUDIT_ALARM)
		return AUDIT_ALARM;
	return code ? code : err ? err : v->status;
}

int auditvisit_run(int argc, char **argv)
{
	struct tool_access access = {.timeout_ms = 10000};
	const char *trust = NULL, *state = NULL, *html = NULL, *json = NULL;
	uint64_t to_size = 0;
	const struct option options[] = {
	        TOOL_ACCESS_OPTIONS(&access),
	        {"state", OPTION_TEXT, &state, "FILE", "what was checked so far; made by the first visit", 0, 0},
	        {"trust", OPTION_TEXT, &trust, "POLICY", "whose signatures count (default: the cluster file's policy)",
	         0, 0},
	        {"report", OPTION_TEXT, &html, "FILE.html", "the report as one page, to read and to print", 0, 0},
	        {"json", OPTION_TEXT, &json, "FILE", "the report as JSON", 0, 0},
	        {"to-size", OPTION_NUMBER, &to_size, "N", "the first N entries only", 1, INT64_MAX},
	        {NULL, OPTION_FLAG, NULL, NULL, NULL, 0, 0},
	};
	unsigned n;
	int code = options_parse(&usage, options, argc, argv, &n);

	if (code != OPTIONS_GO_ON)
		return code;
	if (!state)
		return tool_fail(EXIT_USAGE, usage.command,
		                 "option --state FILE is missing: what one visit saw, the next one needs");
	struct visit *v = calloc(1, sizeof *v);
	if (v) {
		v->facts = auditfacts_new();
		v->result = calloc(1, sizeof *v->result);
	}
	if (!v || !v->facts || !v->result)
		code = tool_fail(EXIT_LOCAL, usage.command, "out of memory");
	else
		code = auditcluster_open(usage.command, &access, trust, &v->cluster);
	if (!code)
		code = run(v, state, to_size, json, html);
	if (v) {
		auditcluster_close(&v->cluster);
		auditproof_close(&v->proof);
		auditfacts_free(v->facts);
		free(v->result);
	}
	free(v);
	return code;
}
