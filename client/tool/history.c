/* countersign history: one person's whole history, asked for, walked back, verified and written as one file. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client/tool/audit.h"
#include "client/tool/disclose.h"
#include "client/tool/entryline.h"
#include "client/tool/entryview.h"
#include "client/tool/result.h"
#include "ledger/bundle.h"

static const struct usage usage = {
        .command = "history",
        .arguments = "",
        .about = "Everything about one person, newest first: all entries of a subject, all in which an actor acted, or "
                 "all\n"
                 "that an approver said. The cluster first logs that the history was asked for, by whom and why: that "
                 "entry\n"
                 "heads the person's own chain, which is then walked back, link by link and count by count, to its "
                 "first\n"
                 "entry, each entry proven under one checkpoint of the trust policy's quorum. --bundle keeps all of it "
                 "in one\n"
                 "file, which `countersign verify` checks offline: an entry left out, added or changed is refuted.\n"
                 "Whoever gets the file sees the fields in it. Needs the audit role.\n",
        .exits = "  0  complete up to the entry that the ledger made of the question, and proven\n"
                 "  1  ALARM: a link, a count, a field or a proof is false\n"
                 "  2  could not tell: the leader's claim only, or a link is erased\n" TOOL_EXIT_TEXT,
};

struct words {
	struct tool_access access;
	const char *subject, *actor, *approver, *reason, *bundle, *disclose, *trust;
	bool json;
};

struct walk {
	struct auditcluster cluster;
	const struct words *w;
	enum cs_whose whose;
	char type[TOOL_TYPE_SIZE], id[TOOL_ID_SIZE];
	uint64_t fields; /* That are shown. */
	struct verify_history *verifier;
	struct verify_result *result;
	FILE *file; /* NULL: none is written. */
	uint64_t head, size;
};

static const char *whose_text(enum cs_whose whose)
{
	return whose == CS_SUBJECT ? "subject" : whose == CS_ACTOR ? "actor" : "approver";
}

static unsigned chain_field(enum cs_whose whose)
{
	return whose == CS_SUBJECT ? FIELD_SUBJECT_CHAIN : whose == CS_ACTOR ? FIELD_ACTOR_CHAIN : FIELD_APPROVER_CHAIN;
}

/* A line to the verifier, which sees just what the file has, and to the file. Frees it. */
static int line(struct walk *k, char *text)
{
	bool goes_on = verify_history_line(k->verifier, text, strlen(text));
	bool written = !k->file || fprintf(k->file, "%s\n", text) >= 0;
	int err = errno;

	free(text);
	if (!written)
		return tool_fail(EXIT_LOCAL, usage.command, "%s: %s", k->w->bundle, strerror(err));
	return goes_on ? 0 : k->result->outcome == VERIFY_REFUTED ? (int)AUDIT_ALARM : (int)AUDIT_UNDECIDED;
}

/* How many entries the head says that there are. */
static uint64_t count_of(const struct walk *k, const struct cs_entry *head)
{
	const struct field *f;
	const uint8_t *skipped;
	struct entryview v;
	uint64_t count = 0;
	struct reader r;
	size_t len;

	if (entryview_open(&v, head))
		return 1; /* The verifier says what is wrong with it. */
	f = body_find(v.fields, v.n_fields, chain_field(k->whose));
	if (!f)
		return 1;
	reader_init(&r, f->value, f->value_len);
	reader_array_exact(&r, 2);
	reader_skip(&r, &skipped, &len);
	reader_uint(&r, INT64_MAX - 1, &count);
	return count + 1;
}

static int print(const struct walk *k, const struct cs_entry *e)
{
	struct entryview v;

	if (entryview_open(&v, e))
		return 0; /* The verifier has refuted it by now. */
	v.n_fields = disclose_filter(v.fields, v.n_fields, k->fields);
	if (k->w->json)
		return result_dump(usage.command, entryview_json(&v), false);
	entryline_print(&v, NULL);
	return 0;
}

static int take(struct walk *k, const struct cs_history_entry *e)
{
	struct field fields[LIMIT_FIELD_COUNT_MAX];
	struct hash hashes[LIMIT_PROOF_HASHES_MAX];
	unsigned n = 0;
	char *text;
	int err = e->entry.body_size ? body_decode(fields, &n, e->entry.body, e->entry.body_size) : 0, code;

	if (e->n_hashes)
		memcpy(hashes, e->hashes, e->n_hashes * HASH_SIZE);
	n = disclose_filter(fields, n, k->fields);
	if (!err)
		err = bundle_history_entry(e->entry.leaf, e->entry.leaf_size, fields, n, hashes, (unsigned)e->n_hashes,
		                           &text);
	if (err)
		return tool_fail(AUDIT_ALARM, usage.command,
		                 "ALARM: an entry came that is none, or not with its fields: %s", cs_strerror(err));
	code = line(k, text);
	return code ? code : print(k, &e->entry);
}

static int begin(struct walk *k, const cs_history_page *page)
{
	char *text = NULL;
	int err;

	k->size = page->size;
	if (!page->n)
		return tool_fail(AUDIT_ALARM, usage.command, "ALARM: entry %" PRIu64 " did not come", k->head);
	err = bundle_history_head(whose_text(k->whose), count_of(k, &page->entries[0].entry), page->checkpoint,
	                          page->checkpoint_size, &text);
	return err ? tool_fail(EXIT_LOCAL, usage.command, "the checkpoint: %s", cs_strerror(err)) : line(k, text);
}

static int walk(struct walk *k)
{
	uint64_t at = k->head;
	bool more = true;
	int code = 0;

	while (!code && more) {
		cs_history_page *page = NULL;
		int err = cs_history(k->cluster.source.client, k->head, at, k->size, AUDIT_WAIT_MS, &page);

		if (err)
			return tool_failed_call(usage.command, "reading", err);
		if (at == k->head)
			code = begin(k, page);
		for (size_t i = 0; i < page->n && !code; i++)
			code = take(k, &page->entries[i]);
		more = page->more && page->n;
		if (more && page->next >= at)
			code = tool_fail(AUDIT_ALARM, usage.command, "ALARM: the chain does not go back");
		at = page->next;
		cs_history_page_free(page);
	}
	return code;
}

/* --- before and after --- */

static int request(struct walk *k)
{
	cs_result *r = NULL;
	int err = cs_history_request(k->cluster.source.client, k->whose, k->whose == CS_APPROVER ? NULL : k->type,
	                             k->id, k->w->reason, &r);

	if (err)
		return tool_failed_call(usage.command, "asking", err);
	k->head = r->index;
	cs_result_free(r);
	return 0;
}

static int open_bundle(struct walk *k)
{
	int fd = k->w->bundle ? open(k->w->bundle, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600) : -1;

	if (!k->w->bundle)
		return 0;
	if (fd >= 0)
		k->file = fdopen(fd, "w");
	return k->file ? 0 : tool_fail(EXIT_LOCAL, usage.command, "%s: %s", k->w->bundle, strerror(errno));
}

/* Whole and on the disk, or not there. */
static int close_bundle(struct walk *k, int code)
{
	int err = 0;

	if (!k->file)
		return code;
	if (!code && (fflush(k->file) || fsync(fileno(k->file))))
		err = errno;
	if (fclose(k->file) && !code && !err)
		err = errno;
	if (code || err)
		unlink(k->w->bundle);
	return err ? tool_fail(EXIT_LOCAL, usage.command, "%s: %s", k->w->bundle, strerror(err)) : code;
}

static void say(const struct walk *k)
{
	const struct verify_result *r = k->result;

	fflush(stdout);
	for (unsigned i = 0; i < r->n_lines; i++)
		if (r->lines[i].mark != VERIFY_MARK_HELD || i + 2 >= r->n_lines)
			fprintf(stderr, "%s\n", r->lines[i].text);
	fprintf(stderr, "%s%s\n", r->outcome == VERIFY_REFUTED ? "ALARM: " : "", r->reason);
}

/* What could not be told is kept: the file says no more than it shows. */
static int conclude(struct walk *k, int code)
{
	verify_history_end(k->verifier);
	k->verifier = NULL;
	int outcome = (int)k->result->outcome;
	if (code && code != outcome)
		return close_bundle(k, code);
	say(k);
	code = close_bundle(k, outcome == VERIFY_REFUTED ? outcome : 0);
	return code ? code : outcome;
}

static int run(struct walk *k)
{
	int code = open_bundle(k);

	if (!code && verify_history_begin(k->cluster.policy, k->result, &k->verifier))
		code = tool_fail(EXIT_LOCAL, usage.command, "out of memory");
	if (!code)
		code = request(k);
	if (!code)
		return conclude(k, walk(k));
	code = close_bundle(k, code);
	verify_history_end(k->verifier);
	return code;
}

static int parse(struct walk *k, const struct words *w)
{
	const char *typed = w->subject ? w->subject : w->actor;
	int code = 0;

	if ((w->subject != NULL) + (w->actor != NULL) + (w->approver != NULL) != 1)
		return tool_fail(EXIT_USAGE, usage.command,
		                 "give one of --subject TYPE:ID, --actor TYPE:ID and --approver NAME");
	k->whose = w->subject ? CS_SUBJECT : w->actor ? CS_ACTOR : CS_APPROVER;
	if (typed && !tool_split_typed(typed, k->type, k->id))
		return tool_fail(EXIT_USAGE, usage.command, "option --%s: \"%s\" is not TYPE:ID", whose_text(k->whose),
		                 typed);
	if (w->approver && (!*w->approver || strlen(w->approver) >= sizeof k->id))
		return tool_fail(EXIT_USAGE, usage.command, "option --approver: \"%s\" is no name", w->approver);
	if (w->approver)
		strcpy(k->id, w->approver);
	k->fields = DISCLOSE_ALL;
	if (w->disclose)
		code = disclose_parse(usage.command, w->disclose, &k->fields);
	/* Without whom it is about, and the links, there is nothing to verify. */
	k->fields |= UINT64_C(1) << chain_field(k->whose);
	k->fields |= UINT64_C(1) << (k->whose == CS_SUBJECT ? FIELD_SUBJECT
	                             : k->whose == CS_ACTOR ? FIELD_ACTOR
	                                                    : FIELD_APPROVER);
	if (k->whose == CS_APPROVER)
		k->fields |= UINT64_C(1) << FIELD_APPROVAL;
	return code;
}

int history_run(int argc, char **argv)
{
	struct words w = {.access.timeout_ms = 10000};
	struct walk k = {.w = &w};
	const struct option options[] = {
	        TOOL_ACCESS_OPTIONS(&w.access),
	        {"subject", OPTION_TEXT, &w.subject, "TYPE:ID", "all about this subject", 0, 0},
	        {"actor", OPTION_TEXT, &w.actor, "TYPE:ID", "all in which this actor acted", 0, 0},
	        {"approver", OPTION_TEXT, &w.approver, "NAME", "all that this approver said", 0, 0},
	        {"reason", OPTION_TEXT, &w.reason, "TEXT",
	         "why it is asked for; kept with the entry, as a private field", 0, 0},
	        {"bundle", OPTION_TEXT, &w.bundle, "FILE",
	         "all of it in one file (a new one), for `countersign verify`", 0, 0},
	        {"disclose", OPTION_TEXT, &w.disclose, "FIELD,…",
	         "only these private fields, besides whom it is about and the links", 0, 0},
	        {"trust", OPTION_TEXT, &w.trust, "POLICY",
	         "whose signatures count (default: the cluster file's policy)", 0, 0},
	        {"json", OPTION_FLAG, &w.json, NULL, "entries as JSON, one object a line", 0, 0},
	        {NULL, OPTION_FLAG, NULL, NULL, NULL, 0, 0},
	};
	unsigned n;
	int code = options_parse(&usage, options, argc, argv, &n);

	if (code != OPTIONS_GO_ON)
		return code;
	code = parse(&k, &w);
	if (code)
		return code;
	code = auditcluster_open(usage.command, &w.access, w.trust, &k.cluster);
	k.result = malloc(sizeof *k.result);
	if (!code)
		code = k.result ? run(&k) : tool_fail(EXIT_LOCAL, usage.command, "out of memory");
	free(k.result);
	auditcluster_close(&k.cluster);
	return code;
}
