/* countersign watch: follows the ledger by index, so that nothing is missed. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "client/tool/entryview.h"
#include "client/tool/result.h"
#include "client/tool/text.h"
#include "client/tool/tool.h"

#define PAGE_ENTRIES 256
#define RETRY_MS     500 /* Between tries while nobody answers; an election takes about as long. */

static const struct usage usage = {
        .command = "watch",
        .arguments = "",
        .about = "Prints each entry as it is committed, from now on or from an index on, until it is interrupted. It "
                 "goes\n"
                 "on by index after a change of leader or a lost connection, so that no entry is missed; that the "
                 "chain\n"
                 "of entries is unbroken is checked.\n",
        .exits = "  0  interrupted, or --count was reached\n" TOOL_EXIT_TEXT,
};

static volatile sig_atomic_t interrupted;

static void on_interrupt(int signal)
{
	(void)signal;
	interrupted = 1;
}

struct watch {
	struct tool_access access;
	uint64_t from, count, wait_ms;
	const char *kind_text;
	unsigned kind;
	bool json;
	bool has_last; /* The entry before `from` was seen: its leaf hash. */
	struct hash last;
	bool cut_off;
};

#define FROM_UNSET UINT64_MAX

static int take(struct watch *w, const struct cs_entry *e)
{
	struct entryview v;
	int err = entryview_open(&v, e);

	if (!err && (v.entry.index != w->from || (w->has_last && !hash_equal(&v.entry.prev, &w->last))))
		err = CS_E_REFUTED;
	if (err)
		return tool_fail(EXIT_REFUTED, usage.command,
		                 "ALARM: entry %" PRIu64 " does not continue the chain: %s", w->from, cs_strerror(err));
	w->last = v.leaf_hash;
	w->has_last = true;
	w->from++;
	if (w->kind && v.entry.kind != w->kind)
		return 0;
	if (w->json)
		err = result_dump(usage.command, entryview_json(&v), false);
	else
		entryview_print(&v);
	fflush(stdout);
	if (w->count && !--w->count)
		interrupted = 1;
	return err || ferror(stdout) ? EXIT_LOCAL : 0;
}

static void pause_ms(long ms)
{
	struct timespec t = {.tv_nsec = ms * 1000000};

	nanosleep(&t, NULL);
}

/* What passes with time is waited for; anything else ends the watch. */
static int trouble(struct watch *w, int err)
{
	if (tool_exit_of(err) != EXIT_UNREACHABLE)
		return tool_failed_call(usage.command, "reading", err);
	if (!w->cut_off)
		fprintf(stderr, "countersign watch: %s; trying again until somebody answers\n", cs_strerror(err));
	w->cut_off = true;
	pause_ms(RETRY_MS);
	return 0;
}

static int find_start(cs_client *client, struct watch *w)
{
	cs_page *page = NULL;
	int err;

	if (w->from != FROM_UNSET)
		return 0;
	err = cs_entries(client, 0, 1, 0, &page);
	if (err)
		return tool_failed_call(usage.command, "reading", err);
	w->from = page->size;
	cs_page_free(page);
	return 0;
}

static int follow(cs_client *client, struct watch *w)
{
	int code = find_start(client, w);

	while (!code && !interrupted) {
		cs_page *page = NULL;
		int err = cs_entries(client, w->from, PAGE_ENTRIES, (unsigned)w->wait_ms, &page);

		if (err) {
			code = trouble(w, err);
			continue;
		}
		if (w->cut_off)
			fprintf(stderr, "countersign watch: back, at entry %" PRIu64 "\n", w->from);
		w->cut_off = false;
		for (size_t i = 0; i < page->n && !code && !interrupted; i++)
			code = take(w, &page->entries[i]);
		cs_page_free(page);
	}
	return code;
}

int watch_run(int argc, char **argv)
{
	struct watch w = {.access.timeout_ms = TOOL_TIMEOUT_MS_DEFAULT, .from = FROM_UNSET, .wait_ms = 2000};
	const struct option options[] = {
	        TOOL_ACCESS_OPTIONS(&w.access),
	        {"from", OPTION_NUMBER, &w.from, "N", "first index (default: the next new entry)", 0, INT64_MAX},
	        {"count", OPTION_NUMBER, &w.count, "M", "end after so many lines", 1, INT64_MAX},
	        {"kind", OPTION_TEXT, &w.kind_text, "KIND", "only this kind: decision, imported, policy-set, …", 0, 0},
	        {"json", OPTION_FLAG, &w.json, NULL, "one JSON object a line", 0, 0},
	        {NULL, OPTION_FLAG, NULL, NULL, NULL, 0, 0},
	};
	struct sigaction action = {.sa_handler = on_interrupt};
	cs_client *client;
	unsigned n;
	int code = options_parse(&usage, options, argc, argv, &n);

	if (code != OPTIONS_GO_ON)
		return code;
	w.kind = w.kind_text ? entryview_kind(w.kind_text) : 0;
	if (w.kind_text && !w.kind)
		return tool_fail(EXIT_USAGE, usage.command, "option --kind: \"%s\" is none of: %s", w.kind_text,
		                 entryview_kinds());
	code = tool_open(usage.command, &w.access, 0, &client);
	if (code)
		return code;
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	code = follow(client, &w);
	cs_close(client);
	return code;
}
