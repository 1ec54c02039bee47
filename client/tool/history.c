/* countersign history: one subject's entries, walked back by the chain that each commits to, and proven. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "client/tool/audit.h"
#include "client/tool/entryline.h"
#include "client/tool/entryview.h"
#include "client/tool/files.h"
#include "node/decide/decide.h"

#define PAGE_ENTRIES 256 /* As many as one page of the library holds. */

static const struct usage usage = {
        .command = "history",
        .arguments = "",
        .about = "One subject's entries, newest first: from the newest that is found, back by the subject's own chain, "
                 "whose\n"
                 "links and counts are checked. Each entry is proven under a checkpoint of the trust policy's quorum; "
                 "with\n"
                 "--out each proof is a bundle of its own, for `countersign verify`. Needs the audit role.\n",
        .exits = "  0  the chain is unbroken, and every entry of it proven\n"
                 "  1  ALARM: a link, a count, a field or a proof is false\n"
                 "  2  could not tell: the leader's claim only, or a field is closed or erased\n" TOOL_EXIT_TEXT,
};

struct walk {
	struct auditcluster cluster;
	char type[TOOL_TYPE_SIZE], id[TOOL_ID_SIZE];
	const char *out;
	uint64_t n;
	bool claim;
};

/* One link: what the entry says of the one before it. */
struct link {
	bool first; /* There is none before it. */
	uint64_t previous, count;
};

static bool is_subject(const struct entryview *v, const struct walk *w)
{
	const struct field *f = body_find(v->fields, v->n_fields, FIELD_SUBJECT);
	const char *type = "", *id = "";
	size_t type_len = 0, id_len = 0;
	struct reader r;

	if (!f)
		return false;
	reader_init(&r, f->value, f->value_len);
	reader_array_exact(&r, 2);
	reader_str(&r, TOOL_TYPE_SIZE, &type, &type_len);
	reader_str(&r, TOOL_ID_SIZE, &id, &id_len);
	return !reader_end(&r) && type_len == strlen(w->type) && !memcmp(type, w->type, type_len) &&
	       id_len == strlen(w->id) && !memcmp(id, w->id, id_len);
}

static bool read_link(const struct entryview *v, struct link *ret)
{
	const struct field *f = body_find(v->fields, v->n_fields, FIELD_SUBJECT_CHAIN);
	struct reader r;

	*ret = (struct link){0};
	if (!f)
		return false;
	reader_init(&r, f->value, f->value_len);
	reader_array_exact(&r, 2);
	ret->first = reader_nil(&r);
	if (!ret->first)
		reader_uint(&r, UINT64_MAX, &ret->previous);
	reader_uint(&r, UINT64_MAX, &ret->count);
	return !reader_end(&r);
}

/* The newest entry in a page's range that is the subject's; false: none. */
static bool newest_in(const cs_page *page, uint64_t first, uint64_t end, const struct walk *w, uint64_t *ret)
{
	bool found = false;

	for (size_t i = 0; i < page->n && first + i < end; i++) {
		struct entryview v;
		struct link link;

		if (entryview_open(&v, &page->entries[i]) || !is_subject(&v, w) || !read_link(&v, &link))
			continue;
		*ret = first + i;
		found = true;
	}
	return found;
}

static int find_newest(struct walk *w, uint64_t *ret, uint64_t *ret_size)
{
	uint64_t end = 0;
	cs_page *page = NULL;
	int err = cs_entries(w->cluster.source.client, 0, 1, 0, &page);

	if (err)
		return tool_failed_call(usage.command, "reading", err);
	end = *ret_size = page->size;
	cs_page_free(page);
	while (end > 0) {
		uint64_t first = end > PAGE_ENTRIES ? end - PAGE_ENTRIES : 0, at = first;
		bool found = false;

		/* Large entries make a page of fewer: the rest of the range comes with the next. */
		while (at < end) {
			err = cs_entries(w->cluster.source.client, at, (unsigned)(end - at), AUDIT_WAIT_MS, &page);
			if (err)
				return tool_failed_call(usage.command, "reading", err);
			size_t n = page->n;
			found |= newest_in(page, at, end, w, ret);
			cs_page_free(page);
			if (!n)
				return tool_fail(EXIT_UNREACHABLE, usage.command,
				                 "entries from %" PRIu64 " on: the node that answers lags", at);
			at += n;
		}
		if (found)
			return 0;
		end = first;
	}
	return tool_fail(EXIT_REFUSED, usage.command,
	                 "no entry of %s:%s is in the ledger, or its fields are not open to this key", w->type, w->id);
}

static int save(const struct walk *w, uint64_t index, const char *bundle)
{
	char name[40], path[FILES_PATH_SIZE];
	int err;

	if (!w->out)
		return 0;
	snprintf(name, sizeof name, "%" PRIu64 ".json", index);
	err = files_join(path, w->out, name) ? files_write(path, bundle, strlen(bundle), 0600) : ENAMETOOLONG;
	return err ? tool_fail(EXIT_LOCAL, usage.command, "%s/%s: %s", w->out, name, strerror(err)) : 0;
}

/* The leaf that came is the one that the ledger has. */
static int prove(struct walk *w, uint64_t index, const struct hash *leaf)
{
	struct auditproof p;
	char *bundle = NULL;
	bool quorum, ok;
	int err = cs_prove(w->cluster.source.client, index, AUDIT_WAIT_MS, &bundle, &quorum), code = 0;

	if (err == CS_E_REFUTED)
		return tool_fail(AUDIT_ALARM, usage.command, "%s", cs_last_error());
	if (err)
		return tool_failed_call(usage.command, "proving", err);
	ok = auditproof_read(&p, w->cluster.policy, bundle, index) && hash_equal(&p.leaf, leaf);
	if (!ok)
		code = tool_fail(AUDIT_ALARM, usage.command, "ALARM: entry %" PRIu64 ": its proof does not hold",
		                 index);
	else if (p.result->outcome != VERIFY_VERIFIED)
		w->claim = true;
	auditproof_close(&p);
	if (!code)
		code = save(w, index, bundle);
	free(bundle);
	return code;
}

/* expected: the count that the entry after this one leaves for it; NULL: it is the newest. */
static int take(struct walk *w, uint64_t index, const uint64_t *expected, struct link *ret)
{
	struct entryview v;
	cs_page *page = NULL;
	int err = cs_entries(w->cluster.source.client, index, 1, AUDIT_WAIT_MS, &page), code = 0;

	if (err)
		return tool_failed_call(usage.command, "reading", err);
	err = page->n ? entryview_open(&v, &page->entries[0]) : CS_E_NOT_FOUND;
	if (err || v.entry.index != index)
		code = tool_fail(AUDIT_ALARM, usage.command, "ALARM: entry %" PRIu64 ": %s", index,
		                 err ? cs_strerror(err) : "another one came");
	else if (v.erased_fields && (entryview_erased(&v, FIELD_SUBJECT) || entryview_erased(&v, FIELD_SUBJECT_CHAIN)))
		code = tool_fail(AUDIT_UNDECIDED, usage.command,
		                 "entry %" PRIu64 ": its subject or its link was erased at entry %" PRIu64
		                 ": the chain cannot be followed further back",
		                 index, v.erased_by);
	else if (!body_find(v.fields, v.n_fields, FIELD_SUBJECT) || !read_link(&v, ret))
		code = tool_fail(AUDIT_UNDECIDED, usage.command,
		                 "entry %" PRIu64 ": its subject or its link is erased, or not open: could not go on",
		                 index);
	else if (!is_subject(&v, w) ||
	         (ret->first                      ? ret->count != 0
	          : ret->previous < STATE_EARLIER ? ret->previous >= index
	                                          : ret->count == 0) ||
	         (expected && ret->count != *expected))
		code = tool_fail(AUDIT_ALARM, usage.command,
		                 "ALARM: entry %" PRIu64
		                 ": the subject's chain is broken: another subject, link or count",
		                 index);
	if (!code)
		code = prove(w, index, &v.leaf_hash);
	if (!code) {
		entryline_print(&v, NULL);
		w->n++;
	}
	cs_page_free(page);
	return code;
}

/* A chain that follows another entry as its first one begins behind an erasure, or not at all. */
static int erased_at(struct walk *w, uint64_t index, uint64_t erasure)
{
	struct entryview v;
	cs_page *page = NULL;
	int err = cs_entries(w->cluster.source.client, erasure, 1, AUDIT_WAIT_MS, &page), code = 0;

	if (err)
		return tool_failed_call(usage.command, "reading", err);
	err = page->n ? entryview_open(&v, &page->entries[0]) : CS_E_NOT_FOUND;
	if (err || v.entry.index != erasure || v.entry.kind != ENTRY_ERASED)
		code = tool_fail(AUDIT_ALARM, usage.command,
		                 "ALARM: entry %" PRIu64 ": it follows entry %" PRIu64
		                 " as the first, which erased nothing",
		                 index, erasure);
	if (!code)
		code = prove(w, erasure, &v.leaf_hash);
	cs_page_free(page);
	return code;
}

static int walk(struct walk *w)
{
	uint64_t index = 0, size = 0, expected = 0, begins_erased = 0;
	struct link link = {0};
	int code = find_newest(w, &index, &size);

	if (!code && w->out && mkdir(w->out, 0700))
		code = tool_fail(EXIT_LOCAL, usage.command, "%s: %s", w->out, strerror(errno));
	for (bool newest = true; !code; newest = false) {
		code = take(w, index, newest ? NULL : &expected, &link);
		if (code || link.first || link.previous >= STATE_EARLIER)
			break;
		if (!link.count) {
			code = erased_at(w, index, link.previous);
			begins_erased = link.previous;
			break;
		}
		index = link.previous;
		expected = link.count - 1;
	}
	if (code)
		return code;
	if (begins_erased)
		printf("The chain begins anew at entry %" PRIu64 ": what was before it was erased at entry %" PRIu64
		       ".\n",
		       index, begins_erased);
	else if (!link.first)
		printf("The chain goes on in the ledger before this one (see: show 0), at its entry %" PRIu64
		       ": %" PRIu64 " entries there\n",
		       link.previous % STATE_EARLIER, link.count);
	printf("%" PRIu64 " entries of %s:%s, one unbroken chain that begins at entry %" PRIu64 "\n"
	       "Not shown by it: that there is nothing older (a subject that was forgotten begins anew), nor anything "
	       "newer\n"
	       "than this among the %" PRIu64
	       " entries that were looked through: `countersign audit` shows that those are\n"
	       "the ledger's. The ledger has no \"history requested\" entry yet to close it.\n",
	       w->n, w->type, w->id, index, size);
	return w->claim ? tool_fail(AUDIT_UNDECIDED, usage.command, "the leader's claim only: no quorum cosigned it")
	                : 0;
}

int history_run(int argc, char **argv)
{
	struct tool_access access = {.timeout_ms = 10000};
	const char *subject = NULL, *trust = NULL;
	struct walk w = {.n = 0};
	const struct option options[] = {
	        TOOL_ACCESS_OPTIONS(&access),
	        {"subject", OPTION_TEXT, &subject, "TYPE:ID", "whose", 0, 0},
	        {"out", OPTION_TEXT, &w.out, "FOLDER", "a new folder for a bundle of each entry", 0, 0},
	        {"trust", OPTION_TEXT, &trust, "POLICY", "whose signatures count (default: the cluster file's policy)",
	         0, 0},
	        {NULL, OPTION_FLAG, NULL, NULL, NULL, 0, 0},
	};
	unsigned n;
	int code = options_parse(&usage, options, argc, argv, &n);

	if (code != OPTIONS_GO_ON)
		return code;
	if (!subject || !tool_split_typed(subject, w.type, w.id))
		return tool_fail(EXIT_USAGE, usage.command,
		                 "option --subject TYPE:ID is missing, or is not of that form");
	code = auditcluster_open(usage.command, &access, trust, &w.cluster);
	if (!code)
		code = walk(&w);
	auditcluster_close(&w.cluster);
	return code;
}
