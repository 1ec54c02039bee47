/* countersign policy show: the policy in force at an entry, or all that ever were. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <inttypes.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client/tool/json.h"
#include "client/tool/policyat.h"
#include "client/tool/policycommands.h"
#include "client/tool/result.h"
#include "client/tool/text.h"
#include "client/tool/tool.h"
#include "ledger/errors.h"
#include "node/decide/policy_form.h"

static const struct usage usage = {
        .command = "policy show",
        .arguments = "",
        .about = "Prints the policy in force now, or at an entry of the ledger (--at): where it was set, by whom, its\n"
                 "hash, and its text. The entry asked about is proven, and the chain of hashes followed back from it "
                 "to\n"
                 "the one that set the policy, so that none in between can have been left out.\n",
        .exits = "  0  printed\n" TOOL_EXIT_TEXT,
};

struct words {
	struct tool_access access;
	uint64_t at;
	bool source, compiled, list, json;
};

/* Is the compiled form that the nodes obey what this build makes of the text that people read? */
static const char *compiled_words(const struct policyfile *p)
{
	struct policyfile own = {.source = p->source, .source_len = p->source_len};
	struct policy_error where;
	int err = policyfile_compile(&own, &where);
	bool same = !err && own.compiled_len == p->compiled_len && !memcmp(own.compiled, p->compiled, p->compiled_len);

	free(own.compiled);
	return same  ? "that of the text"
	       : err ? "of another build: this one does not take the text"
	             : "NOT what this build makes of the text";
}

static void hash_hex(const struct policyat *p, char ret[2 * HASH_SIZE + 1])
{
	sodium_bin2hex(ret, 2 * HASH_SIZE + 1, p->hash.b, sizeof p->hash.b);
}

static json_t *to_json(const struct policyat *p)
{
	char hex[2 * HASH_SIZE + 1], time[TEXT_TIME_SIZE];

	hash_hex(p, hex);
	text_time(p->time_ms, time);
	return json_pack("{s:s, s:I, s:s, s:s, s:I, s:s, s:I, s:I}", "hash", hex, "index", (json_int_t)p->index, "kind",
	                 entry_kind_text(p->kind), "time", time, "time_ms", (json_int_t)p->time_ms, "by", p->by,
	                 "source_bytes", (json_int_t)p->file.source_len, "compiled_bytes",
	                 (json_int_t)p->file.compiled_len);
}

static int dump_one(const struct policyat *p)
{
	json_t *o = to_json(p);

	json_object_set_new(o, "at", json_integer((json_int_t)p->at));
	json_object_set_new(o, "proven", json_string(p->quorum ? "cosigned by a quorum" : "the leader's claim only"));
	json_object_set_new(o, "compiled_is", json_string(compiled_words(&p->file)));
	json_object_set_new(o, "source", json_stringn(p->file.source, p->file.source_len));
	json_object_set_new(o, "compiled", json_bytes(p->file.compiled, p->file.compiled_len));
	return result_dump(usage.command, o, true);
}

static void print_one(const struct policyat *p)
{
	char hex[2 * HASH_SIZE + 1], time[TEXT_TIME_SIZE];

	hash_hex(p, hex);
	text_time(p->time_ms, time);
	printf("# in force at entry %" PRIu64 " (%s)\n# set by %s in entry %" PRIu64 " (%s), %s\n# hash %s\n"
	       "# compiled form: %s\n",
	       p->at, p->quorum ? "proven, cosigned by a quorum" : "proven by the leader's claim only", p->by, p->index,
	       entry_kind_text(p->kind), time, hex, compiled_words(&p->file));
	fwrite(p->file.source, 1, p->file.source_len, stdout);
}

static int show_one(cs_client *client, const struct words *w)
{
	struct policyat p;
	int code;

	if (w->compiled && isatty(STDOUT_FILENO))
		return tool_fail(EXIT_USAGE, usage.command, "--compiled gives bytes: send them to a file or a pipe");
	code = policyat_find(usage.command, client, w->at, &p);
	if (code)
		return code;
	if (w->json)
		code = dump_one(&p);
	else if (w->compiled)
		fwrite(p.file.compiled, 1, p.file.compiled_len, stdout);
	else if (w->source)
		fwrite(p.file.source, 1, p.file.source_len, stdout);
	else
		print_one(&p);
	policyat_close(&p);
	return code;
}

/* --- all that ever were --- */

struct list {
	const struct words *w;
	unsigned n;
};

static int list_entry(void *ctx, const struct entryview *v, const struct cs_entry *raw)
{
	struct list *l = ctx;
	char hex[2 * HASH_SIZE + 1], time[TEXT_TIME_SIZE];
	struct policyat p;
	int code = 0, err;

	(void)raw;
	if (v->entry.kind != ENTRY_GENESIS && v->entry.kind != ENTRY_POLICY_SET)
		return 0;
	err = policyat_read(&p, v);
	if (err)
		return tool_fail(EXIT_REFUTED, usage.command,
		                 "entry %" PRIu64 ", which sets a policy, cannot be read: %s", v->entry.index,
		                 err_text(err));
	l->n++;
	hash_hex(&p, hex);
	text_time(p.time_ms, time);
	if (l->w->json)
		code = result_dump(usage.command, to_json(&p), false);
	else
		printf("%8" PRIu64 "  %s  %.16s  %6zu bytes  %s\n", p.index, time, hex, p.file.source_len, p.by);
	policyat_close(&p);
	return code;
}

static int list_all(cs_client *client, const struct words *w)
{
	struct list l = {.w = w};
	struct policywalk walk;
	bool quorum = false;
	int code = policywalk_open(&walk, usage.command, client);
	uint64_t to = walk.size;

	if (code)
		return code;
	if (w->at != POLICYAT_CURRENT && w->at < to)
		to = w->at + 1;
	walk.total = to;
	walk.leaves = true;
	code = policywalk_range(&walk, 0, to, list_entry, &l);
	if (!code)
		code = policywalk_prove(&walk, to - 1, &walk.last, &quorum);
	policywalk_end(&walk);
	if (!code)
		fprintf(stderr, "%u in the chain of entries 0 to %" PRIu64 ", %s\n", l.n, to - 1,
		        quorum ? "proven, cosigned by a quorum" : "proven by the leader's claim only");
	return code;
}

int policyshow_run(int argc, char **argv)
{
	struct words w = {.access.timeout_ms = TOOL_TIMEOUT_MS_DEFAULT, .at = POLICYAT_CURRENT};
	const struct option options[] = {
	        TOOL_ACCESS_OPTIONS(&w.access),
	        {"at", OPTION_NUMBER, &w.at, "INDEX", "the one in force at this entry (default: the newest)", 0,
	         INT64_MAX},
	        {"source", OPTION_FLAG, &w.source, NULL, "its text alone, byte for byte", 0, 0},
	        {"compiled", OPTION_FLAG, &w.compiled, NULL, "the compiled form, whose SHA-256 is the hash", 0, 0},
	        {"list", OPTION_FLAG, &w.list, NULL, "a line for each that ever was in force, up to there", 0, 0},
	        {"json", OPTION_FLAG, &w.json, NULL, "as JSON; a list as one object a line", 0, 0},
	        {NULL, OPTION_FLAG, NULL, NULL, NULL, 0, 0},
	};
	cs_client *client;
	unsigned n;
	int code = options_parse(&usage, options, argc, argv, &n);

	if (code != OPTIONS_GO_ON)
		return code;
	if (w.source + w.compiled + w.list > 1 || (w.json && (w.source || w.compiled)))
		return tool_fail(EXIT_USAGE, usage.command,
		                 "give at most one of --source, --compiled and --list (--json: none, or --list)");
	code = tool_open_newest(usage.command, &w.access, &client);
	if (code)
		return code;
	code = w.list ? list_all(client, &w) : show_one(client, &w);
	cs_close(client);
	return code;
}
