/* countersign trust: the trust policy, in words and as other tools read it. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/tool/files.h"
#include "client/tool/result.h"
#include "client/tool/tool.h"
#include "client/tool/trustadd.h"
#include "client/tool/trustpath.h"
#include "ledger/verify_show.h"
#include "node/wire/keyfile.h"
#include "node/wire/textfile.h"

static const struct usage show_usage = {
        .command = "trust show",
        .arguments = "",
        .about = "Prints a trust policy: whose signatures count, in words and as C2SP tlog-policy, which other tools\n"
                 "read: the keys of logs and of cosigners, and how many of them it takes. The file is that of --trust, "
                 "or\n"
                 "the one that the cluster file names. Compare its keys with the printed ceremony sheet. With "
                 "--witness it is shown as it would be if the quorum asked\n"
                 "for that party's cosignature as well: put what is printed into a file.\n",
        .exits = "  0  shown\n  4  the policy cannot be understood\n  8  it cannot be read\n",
};

int trust_path(const char *command, const char *trust, const char *cluster, char ret[FILES_PATH_SIZE])
{
	struct cluster_file *file;
	char text[TEXTFILE_ERROR_SIZE] = "";
	int code = 0;

	if (trust) {
		snprintf(ret, FILES_PATH_SIZE, "%s", trust);
		return 0;
	}
	if (!cluster)
		cluster = getenv("COUNTERSIGN_CLUSTER");
	if (!cluster || !*cluster)
		return tool_fail(EXIT_USAGE, command,
		                 "neither --trust FILE nor --cluster FILE, nor COUNTERSIGN_CLUSTER");
	file = malloc(sizeof *file);
	if (!file || cluster_file_read(cluster, file, text))
		code = tool_fail(EXIT_LOCAL, command, "%s", *text ? text : "out of memory");
	else
		snprintf(ret, FILES_PATH_SIZE, "%s", file->trust_path);
	free(file);
	return code;
}

static int show_json(const struct verify_policy *p, const char *path, const char *words, const char *policy)
{
	char vkey[VERIFY_VKEY_SIZE];
	const char *designated = verify_policy_designated(p, NULL, vkey);
	unsigned need, of;

	verify_policy_count(p, &need, &of);
	return result_dump(show_usage.command,
	                   json_pack("{s:s, s:s, s:s, s:i, s:i, s:s?}", "file", path, "words", words, "policy", policy,
	                             "quorum_need", (int)need, "quorum_of", (int)of, "designated", designated),
	                   true);
}

static int show(const struct verify_policy *p, const char *path, bool json)
{
	char *words = NULL, *policy = NULL;
	size_t words_len, policy_len;
	FILE *w = open_memstream(&words, &words_len), *t = open_memstream(&policy, &policy_len);
	int code;

	if (w)
		verify_policy_words(p, w);
	if (t)
		verify_policy_write(p, t);
	bool good = w && t;
	if (w && fclose(w))
		good = false;
	if (t && fclose(t))
		good = false;
	if (!good) {
		code = tool_fail(EXIT_LOCAL, show_usage.command, "out of memory");
	} else if (json) {
		code = show_json(p, path, words, policy);
	} else {
		/* As comments: what is printed is a policy as a whole. */
		for (char *line = strtok(words, "\n"); line; line = strtok(NULL, "\n"))
			printf("# %s\n", line);
		fputs(policy, stdout);
		code = 0;
	}
	free(words);
	free(policy);
	return code;
}

/* Replaces the policy's text. */
static int add_witnesses(char **text, size_t *size, const char *path, const struct option_list *vkeys, unsigned need)
{
	char why[256] = "", *more = trustadd_witnesses(*text, vkeys, need, why);

	free(*text);
	*text = more;
	*size = more ? strlen(more) : 0;
	return more ? 0 : tool_fail(EXIT_USAGE, show_usage.command, "%s, with --witness: %s", path, why);
}

static int trust_show_run(int argc, char **argv)
{
	const char *trust = NULL, *cluster = NULL;
	struct option_list witnesses = {0};
	uint64_t need = 0;
	bool json = false;
	const struct option options[] = {
	        {"trust", OPTION_TEXT, &trust, "FILE", "the trust policy (default: the cluster file's)", 0, 0},
	        {"cluster", OPTION_TEXT, &cluster, "FILE", "the cluster file (default: $COUNTERSIGN_CLUSTER)", 0, 0},
	        {"witness", OPTION_LIST, &witnesses, "VKEY",
	         "a witness's verifier key that the quorum is to ask for too", 0, 0},
	        {"need", OPTION_NUMBER, &need, "K", "so many of these witnesses (default: all)", 1, OPTION_LIST_MAX},
	        {"json", OPTION_FLAG, &json, NULL, "as JSON", 0, 0},
	        {NULL, OPTION_FLAG, NULL, NULL, NULL, 0, 0},
	};
	char path[FILES_PATH_SIZE], reason[256] = "", *text = NULL;
	struct verify_policy *policy = NULL;
	size_t size = 0;
	unsigned n;
	int err, code = options_parse(&show_usage, options, argc, argv, &n);

	if (code == OPTIONS_GO_ON)
		code = trust_path(show_usage.command, trust, cluster, path);
	else
		return code;
	if (code)
		return code;
	if (need && !witnesses.n)
		return tool_fail(EXIT_USAGE, show_usage.command,
		                 "option --need: of which witnesses? give --witness VKEY");
	err = files_read(path, VERIFY_POLICY_SIZE_MAX, &text, &size);
	if (err)
		return tool_fail(EXIT_LOCAL, show_usage.command, "%s: %s", path, strerror(err));
	code = witnesses.n ? add_witnesses(&text, &size, path, &witnesses, need ? (unsigned)need : witnesses.n) : 0;
	if (code)
		return code;
	err = verify_policy_parse(text, size, &policy, reason, sizeof reason);
	free(text);
	if (err)
		return tool_fail(EXIT_USAGE, show_usage.command, "%s: %s", path, *reason ? reason : cs_strerror(err));
	code = show(policy, path, json);
	verify_policy_free(policy);
	return code;
}

static const struct tool_command commands[] = {
        {"show", "whose signatures count", trust_show_run},
        {"update", "follow new keys and members, as far as the quorum so far vouches", trustupdate_run},
        {NULL, NULL, NULL},
};

int trust_run(int argc, char **argv)
{
	return tool_group("trust", commands, argc, argv);
}
