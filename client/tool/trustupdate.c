/* countersign trust update: the trust policy follows members and keys, as far as the quorum of before vouches. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client/tool/files.h"
#include "client/tool/text.h"
#include "client/tool/tool.h"
#include "client/tool/trustpath.h"
#include "client/tool/trustwalk.h"
#include "client/tool/verifywhole.h"
#include "ledger/verify_show.h"

#define ROUNDS_MAX 1024 /* Changes of keys, one after another, each under the policy of before. */

static const struct usage usage = {
        .command = "trust update",
        .arguments = "[PATH]",
        .about =
                "Carries a trust policy over to keys and members that came since it was written. PATH is where the\n"
                "ledger is read: an export folder, a node's folder, or a copy of its ledger (data.mdb), which holds "
                "the\n"
                "checkpoints of before as well; without it the cluster is asked. What an entry says counts only if it\n"
                "lies under a checkpoint that the quorum of the policy so far has cosigned; no key counts because it "
                "came\n"
                "with the data. Each change is told. The policy of before is kept as FILE.old. Where too much has\n"
                "changed the new policy must come as the first one did: from the ceremony sheet, or by hand.\n",
        .exits = "  0  up to date\n  1  refuted: something in the ledger is false; nothing was changed\n"
                 "  2  could not tell: the quorum of before does not vouch; nothing was changed\n" TOOL_EXIT_TEXT,
        .n_max = 1,
};

static int parse(const char *path, const char *text, struct verify_policy **ret)
{
	char reason[256] = "";
	int err = verify_policy_parse(text, strlen(text), ret, reason, sizeof reason);

	return err ? tool_fail(EXIT_USAGE, usage.command, "%s: %s", path, *reason ? reason : cs_strerror(err)) : 0;
}

/* The same without comments: to be compared. NULL: no memory, or none that can be understood. */
static char *meaning(const char *text)
{
	struct verify_policy *p;
	char reason[256], *ret = NULL;
	size_t len;

	if (verify_policy_parse(text, strlen(text), &p, reason, sizeof reason))
		return NULL;
	FILE *f = open_memstream(&ret, &len);
	if (f) {
		verify_policy_write(p, f);
		if (fclose(f)) {
			free(ret);
			ret = NULL;
		}
	}
	verify_policy_free(p);
	return ret;
}

/* --- in words --- */

static void tell_line(const char *line, size_t len, bool added)
{
	char safe[512];

	text_safe(line, len, safe, sizeof safe);
	if (!strncmp(line, "log ", 4))
		printf("%s as a log key: %s\n", added ? "counts from now on" : "counts no more", safe + 4);
	else if (!strncmp(line, "witness ", 8))
		printf("%s as a cosigner: %s\n", added ? "counts from now on" : "counts no more", safe + 8);
	else if (!strncmp(line, "group ", 6))
		printf("%s as a quorum: %s\n", added ? "counts from now on" : "counts no more", safe + 6);
	else if (!strncmp(line, "#countersign: ", 14))
		printf("%s: %s\n", added ? "sizes that a key is good for" : "no more said", safe + 14);
	else
		printf("%s: %s\n", added ? "new" : "gone", safe);
}

/* Lines of a that b has not. */
static unsigned tell_lines(const char *a, const char *b, bool added)
{
	unsigned n = 0;

	for (const char *p = a, *end; *p; p = end + (*end == '\n')) {
		char line[2048];

		end = p + strcspn(p, "\n");
		if (snprintf(line, sizeof line, "%.*s\n", (int)(end - p), p) < (int)sizeof line &&
		    trust_has_line(b, line))
			continue;
		tell_line(p, (size_t)(end - p), added);
		n++;
	}
	return n;
}

static int finish(const char *path, const char *before, const char *after, bool print_only)
{
	char *old = meaning(before), *new = meaning(after), kept[FILES_PATH_SIZE];
	int code = 0, err = 0;

	if (!old || !new) {
		code = tool_fail(EXIT_LOCAL, usage.command, "%s", old ? "the policy cannot follow" : "out of memory");
	} else if (!strcmp(old, new)) {
		printf("%s is up to date\n", path);
	} else {
		tell_lines(old, new, false);
		tell_lines(new, old, true);
		if (print_only) {
			printf("\n%s", after);
		} else if (snprintf(kept, sizeof kept, "%s.old", path) >= (int)sizeof kept) {
			code = tool_fail(EXIT_USAGE, usage.command, "%s: the path is too long", path);
		} else {
			unlink(kept);
			if (link(path, kept) || (err = files_replace(path, after, strlen(after), 0644)))
				code = tool_fail(EXIT_LOCAL, usage.command, "%s: %s", path,
				                 strerror(err ? err : errno));
			else
				printf("%s is up to date now; the one before is %s\n", path, kept);
		}
	}
	free(old);
	free(new);
	return code;
}

/* --- from a ledger at hand --- */

/* One round: what the policy verifies, and what follows from that. *ret: the policy then. */
static int step(const char *path, const char *ledger, const char *text, char **ret, struct verify_result *r)
{
	struct trustwalk *walk = malloc(sizeof *walk);
	struct verify_policy *policy = NULL;
	int code = walk ? parse(path, text, &policy) : tool_fail(EXIT_LOCAL, usage.command, "out of memory");

	if (!code) {
		trustwalk_ledger(policy, ledger, walk, r);
		if (r->outcome != VERIFY_VERIFIED)
			code = (int)r->outcome;
		else if (!walk->begun || walk->broken || strcmp(walk->origin, r->origin) != 0)
			code = tool_fail(VERIFY_UNDECIDED, usage.command,
			                 "%s: its entries from genesis on are needed, and these could not be followed",
			                 ledger);
		else if (!(*ret = trust_rewrite(text, r->origin, &walk->roster, &walk->changes)))
			code = tool_fail(EXIT_LOCAL, usage.command, "out of memory");
	}
	verify_policy_free(policy);
	free(walk);
	return code;
}

static bool same_meaning(const char *a, const char *b)
{
	char *x = meaning(a), *y = meaning(b);
	bool same = x && y && !strcmp(x, y);

	free(x);
	free(y);
	return same;
}

/* Again and again: what the keys of one round vouch for may bring those of the next. */
static int update_from(const char *path, const char *ledger, const char *before, bool print_only)
{
	struct verify_result *r = malloc(sizeof *r);
	char *text = strdup(before), *next = NULL;
	int code = r && text ? 0 : tool_fail(EXIT_LOCAL, usage.command, "out of memory");

	for (unsigned round = 0; !code && round < ROUNDS_MAX; round++) {
		code = step(path, ledger, text, &next, r);
		if (code == VERIFY_REFUTED || code == VERIFY_UNDECIDED)
			tool_fail(code, usage.command,
			          "%s: nothing there counts by the trust policy so far: %s; nothing was changed",
			          ledger, r->reason);
		if (code || same_meaning(text, next))
			break;
		printf("by the checkpoint of size %" PRIu64 ", which the quorum of the policy so far has cosigned:\n",
		       r->size);
		free(text);
		text = next;
		next = NULL;
	}
	if (!code)
		code = finish(path, before, text, print_only);
	free(text);
	free(next);
	free(r);
	return code;
}

/* --- from the cluster --- */

static int update_live(const char *path, const struct tool_access *access, const char *before, bool print_only)
{
	char *after = NULL;
	cs_client *client;
	int code = tool_open(usage.command, access, 0, &client);

	if (code)
		return code;
	int err = cs_follow(client, &after);
	if (err == CS_E_UNDECIDED)
		code = tool_fail(VERIFY_UNDECIDED, usage.command,
		                 "the cluster's newest checkpoint is not one that the quorum of the policy so far has "
		                 "cosigned: %s; try a node's ledger, which holds older ones",
		                 cs_last_error());
	else if (err)
		code = tool_failed_call(usage.command, "following the members", err);
	else
		code = finish(path, before, after, print_only);
	free(after);
	cs_close(client);
	return code;
}

int trustupdate_run(int argc, char **argv)
{
	struct tool_access access = {.timeout_ms = TOOL_TIMEOUT_MS_DEFAULT};
	const char *trust = NULL;
	bool print_only = false;
	const struct option options[] = {
	        TOOL_ACCESS_OPTIONS(&access),
	        {"trust", OPTION_TEXT, &trust, "FILE", "the trust policy (default: the cluster file's; with PATH)", 0,
	         0},
	        {"print", OPTION_FLAG, &print_only, NULL, "print the new policy, write nothing", 0, 0},
	        {NULL, OPTION_FLAG, NULL, NULL, NULL, 0, 0},
	};
	char path[FILES_PATH_SIZE], *text = NULL;
	size_t size;
	unsigned n;
	int code = options_parse(&usage, options, argc, argv, &n);

	if (code != OPTIONS_GO_ON)
		return code;
	if (!n && trust)
		return tool_fail(EXIT_USAGE, usage.command,
		                 "--trust is for an update from PATH: a cluster goes by its file");
	if (n && !verifywhole_is(argv[0]))
		return tool_fail(EXIT_USAGE, usage.command, "%s is no whole ledger", argv[0]);
	code = trust_path(usage.command, trust, access.cluster, path);
	if (code)
		return code;
	int err = files_read(path, VERIFY_POLICY_SIZE_MAX, &text, &size);
	if (err)
		return tool_fail(EXIT_LOCAL, usage.command, "%s: %s", path, strerror(err));
	code = n ? update_from(path, argv[0], text, print_only) : update_live(path, &access, text, print_only);
	free(text);
	return code;
}
