/* countersign search: entries by who, what, when and how it was decided. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/tool/entryline.h"
#include "client/tool/entryview.h"
#include "client/tool/import/when.h"
#include "client/tool/result.h"
#include "client/tool/text.h"
#include "client/tool/tool.h"

#define LIMIT_DEFAULT 50
#define PAGE_HITS     256

static const struct usage usage = {
        .command = "search",
        .arguments = "",
        .about = "Prints the entries for which all holds that is asked, newest first: a line each, beginning with the\n"
                 "index; `countersign prove INDEX` proves one. A text with '*' at its end stands for all that begin "
                 "so.\n"
                 "At the end of a page it says where to go on (--cursor); entries that are added meanwhile make none "
                 "come\n"
                 "twice or be left out. The ledger gets an entry that says who searched for what. Needs the audit "
                 "role.\n",
        .exits = "  0  something was found\n  1  nothing was found\n" TOOL_EXIT_TEXT,
};

struct words {
	struct tool_access access;
	struct option_list kinds, verdicts;
	const char *by[CS_FILTERS_MAX], *since, *until;
	uint64_t limit, cursor;
	bool oldest_first, json;
};

static const char *const by_names[] = {"subject", "actor", "action", "resource", "device", "address", "client"};
#define N_BY         (sizeof by_names / sizeof *by_names)
#define CURSOR_UNSET UINT64_MAX

/* --- what is asked --- */

static int parse_kinds(const struct words *w, struct cs_search *s)
{
	for (unsigned i = 0; i < w->kinds.n; i++) {
		unsigned kind = entryview_kind(w->kinds.items[i]);

		if (!kind || kind > 63)
			return tool_fail(EXIT_USAGE, usage.command, "option --kind: \"%s\" is none of: %s",
			                 w->kinds.items[i], entryview_kinds());
		s->kinds |= UINT64_C(1) << kind;
	}
	return 0;
}

static int parse_verdicts(const struct words *w, struct cs_search *s)
{
	for (unsigned i = 0; i < w->verdicts.n; i++) {
		int verdict = CS_ALLOW;

		while (verdict <= CS_DENY && strcmp(cs_verdict_text(verdict), w->verdicts.items[i]) != 0)
			verdict++;
		if (verdict > CS_DENY)
			return tool_fail(EXIT_USAGE, usage.command,
			                 "option --verdict: \"%s\" is none of: allow, step_up, defer, deny",
			                 w->verdicts.items[i]);
		s->verdicts |= UINT64_C(1) << verdict;
	}
	return 0;
}

/* "90m": so long ago. */
static bool parse_ago(const char *text, uint64_t *ret_ms)
{
	static const struct {
		char unit;
		uint64_t ms;
	} units[] = {{'s', 1000}, {'m', 60000}, {'h', 3600000}, {'d', 86400000}};
	char *end = NULL;
	unsigned long long n = strtoull(text, &end, 10);
	uint64_t now = text_now_ms();

	if (*text < '0' || *text > '9' || n > UINT32_MAX || strlen(end) != 1)
		return false;
	for (unsigned i = 0; i < sizeof units / sizeof *units; i++)
		if (*end == units[i].unit) {
			*ret_ms = n * units[i].ms < now ? now - n * units[i].ms : 1;
			return true;
		}
	return false;
}

static int parse_time(const char *option, const char *text, const char *day_end, uint64_t *ret_ms)
{
	char whole[48];

	if (!text || parse_ago(text, ret_ms))
		return 0;
	snprintf(whole, sizeof whole, "%.24s%s", text, strlen(text) == 10 ? day_end : "");
	if (strlen(text) <= 24 && when_iso(whole, 0, ret_ms, NULL) && *ret_ms)
		return 0;
	return tool_fail(
	        EXIT_USAGE, usage.command,
	        "option --%s: \"%s\" is no time like 2026-03-01, 2026-03-01T12:00:00Z (UTC) or 90m (so long ago)",
	        option, text);
}

static int fill(const struct words *w, struct cs_search *s)
{
	int code = parse_kinds(w, s);

	if (!code)
		code = parse_verdicts(w, s);
	if (!code)
		code = parse_time("since", w->since, "T00:00:00Z", &s->since_ms);
	if (!code)
		code = parse_time("until", w->until, "T23:59:59.999Z", &s->until_ms);
	for (size_t i = 0; i < N_BY && !code; i++) {
		if (!w->by[i])
			continue;
		if (!*w->by[i])
			return tool_fail(EXIT_USAGE, usage.command, "option --%s is empty", by_names[i]);
		s->filters[s->n_filters++] = (struct cs_filter){by_names[i], w->by[i]};
	}
	s->newest_first = !w->oldest_first;
	s->has_cursor = w->cursor != CURSOR_UNSET;
	s->cursor = w->cursor;
	return code;
}

/* --- what is found --- */

static int print(const struct words *w, const cs_hits *hits)
{
	int code = 0;

	for (size_t i = 0; i < hits->n && !code; i++) {
		struct entryview v;
		int err = entryview_open(&v, &hits->entries[i]);

		if (err)
			return tool_fail(EXIT_REFUTED, usage.command,
			                 "an entry that came is none, or its fields do not open it: %s",
			                 cs_strerror(err));
		if (w->json)
			code = result_dump(usage.command, entryview_json(&v), false);
		else
			entryline_print(&v, NULL);
	}
	return code;
}

static int end(const struct words *w, const struct cs_search *s, uint64_t found, uint64_t size)
{
	int code = found ? 0 : 1;

	if (w->json) {
		json_t *next = s->has_cursor ? json_integer((json_int_t)s->cursor) : json_null();
		int failed = result_dump(usage.command,
		                         json_pack("{s:I, s:I, s:o}", "found", (json_int_t)found, "size",
		                                   (json_int_t)size, "cursor", next),
		                         false);
		return failed ? failed : code;
	}
	fflush(stdout);
	if (s->has_cursor)
		fprintf(stderr, "%" PRIu64 " found so far; to go on: --cursor %" PRIu64 "\n", found, s->cursor);
	else
		fprintf(stderr, "%" PRIu64 " found among the ledger's %" PRIu64 " entries\n", found, size);
	return code;
}

static int search(cs_client *client, const struct words *w, struct cs_search *s)
{
	uint64_t found = 0, size = 0;
	bool more = true;
	int code = 0;

	while (more && found < w->limit && !code) {
		uint64_t left = w->limit - found;
		cs_hits *hits = NULL;
		int err;

		s->hits_max = left < PAGE_HITS ? (unsigned)left : PAGE_HITS;
		err = cs_search(client, s, &hits);
		if (err)
			return tool_failed_call(usage.command, "searching", err);
		code = print(w, hits);
		found += hits->n;
		size = hits->size;
		more = s->has_cursor = hits->more;
		s->cursor = hits->cursor;
		cs_hits_free(hits);
	}
	return code ? code : end(w, s, found, size);
}

int search_run(int argc, char **argv)
{
	struct words w = {.access.timeout_ms = 10000, .limit = LIMIT_DEFAULT, .cursor = CURSOR_UNSET};
	struct cs_search s = {.hits_max = 1};
	const struct option options[] = {
	        TOOL_ACCESS_OPTIONS(&w.access),
	        {"subject", OPTION_TEXT, &w.by[0], "TYPE:ID", "of this subject", 0, 0},
	        {"actor", OPTION_TEXT, &w.by[1], "TYPE:ID", "in which this actor acted", 0, 0},
	        {"action", OPTION_TEXT, &w.by[2], "ACTION", "of this action", 0, 0},
	        {"resource", OPTION_TEXT, &w.by[3], "TYPE:ID", "on this resource", 0, 0},
	        {"device", OPTION_TEXT, &w.by[4], "DEVICE", "from this device", 0, 0},
	        {"address", OPTION_TEXT, &w.by[5], "ADDRESS", "from this address", 0, 0},
	        {"client", OPTION_TEXT, &w.by[6], "NAME", "that this client asked for", 0, 0},
	        {"verdict", OPTION_LIST, &w.verdicts, "VERDICT", "allow, step_up, defer or deny", 0, 0},
	        {"kind", OPTION_LIST, &w.kinds, "KIND", "of this kind: decision, approval, read, …", 0, 0},
	        {"since", OPTION_TEXT, &w.since, "TIME",
	         "from then on: 2026-03-01, 2026-03-01T12:00:00Z (UTC), or 90m, 12h, 7d ago", 0, 0},
	        {"until", OPTION_TEXT, &w.until, "TIME", "up to then; a day with all of it", 0, 0},
	        {"oldest-first", OPTION_FLAG, &w.oldest_first, NULL, "from the beginning on", 0, 0},
	        {"limit", OPTION_NUMBER, &w.limit, "N", "so many at most (default: 50)", 1, INT64_MAX},
	        {"cursor", OPTION_NUMBER, &w.cursor, "INDEX", "go on where the search before ended", 0, INT64_MAX},
	        {"json", OPTION_FLAG, &w.json, NULL,
	         "one object a line; the last one says how many were found, and the cursor", 0, 0},
	        {NULL, OPTION_FLAG, NULL, NULL, NULL, 0, 0},
	};
	cs_client *client;
	unsigned n;
	int code = options_parse(&usage, options, argc, argv, &n);

	if (code != OPTIONS_GO_ON)
		return code;
	code = fill(&w, &s);
	if (!code)
		code = tool_open_newest(usage.command, &w.access, &client);
	if (code)
		return code;
	code = search(client, &w, &s);
	cs_close(client);
	return code;
}
