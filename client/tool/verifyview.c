/* What the verifier found, for people; and the trust policy that it goes by. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "client/tool/verifyview.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/tool/files.h"
#include "client/tool/text.h"
#include "client/tool/tool.h"

int verifyview_policy(const char *command, const char *path, struct verify_policy **ret)
{
	char reason[256] = "", *text = NULL;
	size_t size;
	int err = files_read(path, VERIFY_POLICY_SIZE_MAX, &text, &size);

	if (err)
		return tool_fail(VERIFY_UNDECIDED, command, "%s: %s", path, strerror(err));
	err = verify_policy_parse(text, size, ret, reason, sizeof reason);
	free(text);
	return err ? tool_fail(VERIFY_UNDECIDED, command, "%s: %s", path, *reason ? reason : cs_strerror(err)) : 0;
}

const char *verifyview_outcome(const struct verify_result *r)
{
	static const char *const words[] = {"verified", "refuted", "could not tell"};

	return words[r->outcome];
}

void verifyview_print(const struct verify_result *r)
{
	static const char *const marks[] = {"held", "BAD", "not checked"};
	static const enum text_tint tints[] = {TINT_GREEN, TINT_RED, TINT_YELLOW};
	static const enum text_tint mark_tints[] = {TINT_NONE, TINT_RED, TINT_YELLOW};

	for (unsigned i = 0; i < r->n_lines; i++)
		printf("%s%-12s%s %s\n", text_on(stdout, mark_tints[r->lines[i].mark]), marks[r->lines[i].mark],
		       text_off(stdout), r->lines[i].text);
	if (r->has_bad_index)
		printf("%-12s %" PRIu64 "\n", "bad entry", r->bad_index);
	if (*r->expected)
		printf("%-12s %s\n%-12s %s\n", "expected", r->expected, "found", r->found);
	printf("%s%s%s: %s\n", text_on(stdout, tints[r->outcome]), verifyview_outcome(r), text_off(stdout), r->reason);
}
