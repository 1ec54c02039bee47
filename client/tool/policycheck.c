/* countersign policy check: compiles a policy file here, and says what in it is wrong or seldom meant. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <errno.h>
#include <inttypes.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/tool/files.h"
#include "client/tool/policycommands.h"
#include "client/tool/policyfile.h"
#include "client/tool/policylint.h"
#include "client/tool/result.h"
#include "client/tool/text.h"
#include "client/tool/tool.h"
#include "ledger/errors.h"

static const struct usage usage = {
        .command = "policy check",
        .arguments = "FILE",
        .about =
                "Compiles a policy file here, without asking the cluster, and prints its hash as the ledger will name\n"
                "it. Errors are named with line and column, and shown. Of a valid policy it says what is legal but\n"
                "seldom meant.\n",
        .exits = "  0  it is a valid policy\n" TOOL_EXIT_TEXT,
        .n_min = 1,
        .n_max = 1,
};

static void hash_hex(const struct policyfile *p, char ret[2 * HASH_SIZE + 1])
{
	struct hash h;

	hash_bytes(&h, p->compiled, p->compiled_len);
	sodium_bin2hex(ret, 2 * HASH_SIZE + 1, h.b, sizeof h.b);
}

static void print_valid(const char *path, const struct policyfile *p, const struct policylint *l)
{
	char hex[2 * HASH_SIZE + 1];

	hash_hex(p, hex);
	printf("%s: valid, %zu bytes compiled, hash %s\n", path, p->compiled_len, hex);
	for (unsigned i = 0; i < l->n; i++)
		printf("%shint:%s %s\n", text_on(stdout, TINT_YELLOW), text_off(stdout), l->hints[i]);
}

static int dump_valid(const char *path, const struct policyfile *p, const struct policylint *l)
{
	char hex[2 * HASH_SIZE + 1];
	json_t *hints = json_array();

	hash_hex(p, hex);
	for (unsigned i = 0; i < l->n; i++)
		json_array_append_new(hints, json_string(l->hints[i]));
	return result_dump(usage.command,
	                   json_pack("{s:b, s:s, s:s, s:I, s:I, s:o}", "valid", true, "file", path, "hash", hex,
	                             "source_bytes", (json_int_t)p->source_len, "compiled_bytes",
	                             (json_int_t)p->compiled_len, "hints", hints),
	                   true);
}

static int report(const char *path, const struct policyfile *p, bool json)
{
	struct policylint *l = malloc(sizeof *l);
	struct policy *policy = malloc(sizeof *policy);
	int code = 0, err = l && policy ? policy_load(policy, p->compiled, p->compiled_len) : CS_ERR_NOMEM;

	if (err) {
		code = tool_fail(EXIT_LOCAL, usage.command, "%s: %s", path, err_text(err));
	} else {
		policylint_policy(policy, l);
		if (json)
			code = dump_valid(path, p, l);
		else
			print_valid(path, p, l);
	}
	free(policy);
	free(l);
	return code;
}

/* The error as JSON on standard output; its exit code all the same. */
static int dump_error(const char *path, const struct policyfile *p, const struct policy_error *where)
{
	int code = result_dump(usage.command, policylint_error_json(path, p->source, p->source_len, where), true);

	return code ? code : EXIT_USAGE;
}

int policycheck_run(int argc, char **argv)
{
	bool json = false;
	const struct option options[] = {{"json", OPTION_FLAG, &json, NULL, "as JSON", 0, 0},
	                                 {NULL, OPTION_FLAG, NULL, NULL, NULL, 0, 0}};
	struct policy_error where;
	struct policyfile p;
	unsigned n;
	int code = options_parse(&usage, options, argc, argv, &n);

	if (code != OPTIONS_GO_ON)
		return code;
	code = policyfile_read(usage.command, argv[0], &p);
	if (code)
		return code;
	int err = policyfile_compile(&p, &where);
	if (err && json)
		code = dump_error(argv[0], &p, &where);
	else if (err)
		code = policylint_fail(usage.command, argv[0], p.source, p.source_len, &where);
	else
		code = report(argv[0], &p, json);
	policyfile_close(&p);
	return code;
}
