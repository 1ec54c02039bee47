/* countersign show: reads entries of the ledger. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <inttypes.h>
#include <stdio.h>

#include "client/tool/entryline.h"
#include "client/tool/entryview.h"
#include "client/tool/result.h"
#include "client/tool/tool.h"

#define BEHIND_MS    1000 /* A node that lags is given so long to have the entry. */
#define PAGE_ENTRIES 256  /* As many as one page of the library holds. */

static const struct usage usage = {
        .command = "show",
        .arguments = "[INDEX]",
        .about = "Prints entries: one with all its fields, or a line for each of a range (default: the last 20). "
                 "Private\n"
                 "fields are open to keys with the audit role; each is held against its commitment in the entry. That\n"
                 "the entries are the ledger's is the node's word here: `countersign prove` gives proofs.\n",
        .exits = "  0  printed\n" TOOL_EXIT_TEXT,
        .n_max = 1,
};

struct words {
	struct tool_access access;
	uint64_t from, count, last;
	const char *kind;
	bool json;
};

#define FROM_UNSET UINT64_MAX

static int open_entry(const struct cs_entry *e, uint64_t index, struct entryview *v)
{
	int err = entryview_open(v, e);

	if (!err && v->entry.index != index)
		err = CS_E_REFUTED;
	return err ? tool_fail(EXIT_REFUTED, usage.command,
	                       "entry %" PRIu64 ": what came is not this entry, or its fields do not open it: %s",
	                       index, cs_strerror(err))
	           : 0;
}

static int print_one(cs_client *client, uint64_t index, bool json)
{
	struct entryview v;
	cs_page *page = NULL;
	int err = cs_entries(client, index, 1, BEHIND_MS, &page), code;

	if (err)
		return tool_failed_call(usage.command, "reading", err);
	if (!page->n)
		code = tool_fail(EXIT_REFUSED, usage.command, "there is no entry %" PRIu64 ": the ledger has %" PRIu64,
		                 index, page->size);
	else
		code = open_entry(&page->entries[0], index, &v);
	if (!code && json)
		code = result_dump(usage.command, entryview_json(&v), true);
	else if (!code)
		entryview_print_long(&v);
	cs_page_free(page);
	return code;
}

static int print_page(const cs_page *page, uint64_t first, uint64_t most, unsigned kind, bool json)
{
	int code = 0;

	for (size_t i = 0; i < page->n && i < most && !code; i++) {
		struct entryview v;

		code = open_entry(&page->entries[i], first + i, &v);
		if (code || (kind && v.entry.kind != kind))
			continue;
		if (json)
			code = result_dump(usage.command, entryview_json(&v), false);
		else
			entryline_print(&v, NULL);
	}
	return code;
}

/* size: as far as is known; another node may answer this time, one that lags. */
static int print_range(cs_client *client, uint64_t first, uint64_t count, uint64_t size, unsigned kind, bool json)
{
	int code = 0;

	while (count && !code) {
		bool behind = first < size;
		cs_page *page = NULL;
		unsigned n_asked = count < PAGE_ENTRIES ? (unsigned)count : PAGE_ENTRIES;
		int err = cs_entries(client, first, n_asked, behind ? BEHIND_MS : 0, &page);
		size_t n;

		if (err)
			return tool_failed_call(usage.command, "reading", err);
		n = page->n;
		size = page->size > size ? page->size : size;
		code = print_page(page, first, count, kind, json);
		cs_page_free(page);
		if (!n && behind && first < size)
			return tool_fail(EXIT_UNREACHABLE, usage.command,
			                 "entries from %" PRIu64 " on: the node that answers lags", first);
		if (!n && first >= size)
			break;
		first += n;
		count -= n < count ? n : count;
	}
	return code;
}

/* The ledger's size, as the node that answers has it. */
static int ledger_size(cs_client *client, uint64_t *ret)
{
	cs_page *page = NULL;
	int err = cs_leaves(client, 0, 1, 0, &page);

	if (err)
		return tool_failed_call(usage.command, "reading", err);
	*ret = page->size;
	cs_page_free(page);
	return 0;
}

static int show_range(cs_client *client, const struct words *w, unsigned kind)
{
	uint64_t size = 0, last = w->last ? w->last : 20;
	int code;

	code = ledger_size(client, &size);
	if (code)
		return code;
	if (w->from != FROM_UNSET)
		return print_range(client, w->from, w->count ? w->count : 20, size, kind, w->json);
	return print_range(client, size > last ? size - last : 0, last, size, kind, w->json);
}

int show_run(int argc, char **argv)
{
	struct words w = {.access.timeout_ms = TOOL_TIMEOUT_MS_DEFAULT, .from = FROM_UNSET};
	const struct option options[] = {
	        TOOL_ACCESS_OPTIONS(&w.access),
	        {"from", OPTION_NUMBER, &w.from, "N", "first index of a range", 0, INT64_MAX},
	        {"count", OPTION_NUMBER, &w.count, "M", "how many from there (default: 20)", 1, INT64_MAX},
	        {"last", OPTION_NUMBER, &w.last, "M", "the newest M", 1, INT64_MAX},
	        {"kind", OPTION_TEXT, &w.kind, "KIND", "only this kind of the range: decision, imported, policy-set, …",
	         0, 0},
	        {"json", OPTION_FLAG, &w.json, NULL, "as JSON; of a range one object a line", 0, 0},
	        {NULL, OPTION_FLAG, NULL, NULL, NULL, 0, 0},
	};
	uint64_t index = 0;
	cs_client *client;
	unsigned n, kind;
	int code = options_parse(&usage, options, argc, argv, &n);

	if (code != OPTIONS_GO_ON)
		return code;
	if (n && !tool_parse_index(argv[0], &index))
		return tool_fail(EXIT_USAGE, usage.command, "\"%s\" is not the index of an entry", argv[0]);
	if ((n != 0) + (w.from != FROM_UNSET) + (w.last != 0) > 1 || (w.count && w.from == FROM_UNSET) || (n && w.kind))
		return tool_fail(EXIT_USAGE, usage.command, "give INDEX, or --from N [--count M], or --last M");
	kind = w.kind ? entryview_kind(w.kind) : 0;
	if (w.kind && !kind)
		return tool_fail(EXIT_USAGE, usage.command, "option --kind: \"%s\" is none of: %s", w.kind,
		                 entryview_kinds());
	code = tool_open_newest(usage.command, &w.access, &client);
	if (code)
		return code;
	code = n ? print_one(client, index, w.json) : show_range(client, &w, kind);
	cs_close(client);
	return code;
}
