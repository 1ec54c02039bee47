/* A policy by what the command line calls it: a file, or where in the ledger it is. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "client/tool/policysource.h"

#include <string.h>

static int from_ledger(const char *command, uint64_t at, const struct tool_access *access, cs_client **client,
                       struct policyfile *ret)
{
	struct policyat p;
	int code = *client ? 0 : tool_open(command, access, 0, client);

	if (!code)
		code = policyat_find(command, *client, at, &p);
	if (!code)
		*ret = p.file;
	return code;
}

int policysource_load(const char *command, const char *word, const struct tool_access *access, cs_client **client,
                      struct policyfile *ret)
{
	uint64_t at;

	if (*word != '@')
		return policyfile_load(command, word, ret);
	if (!strcmp(word, "@default"))
		return policyfile_load(command, NULL, ret);
	if (!strcmp(word, "@current"))
		return from_ledger(command, POLICYAT_CURRENT, access, client, ret);
	if (!tool_parse_index(word + 1, &at))
		return tool_fail(EXIT_USAGE, command,
		                 "\"%s\" is neither @INDEX, @current nor @default (a file of that name: ./%s)", word,
		                 word);
	return from_ledger(command, at, access, client, ret);
}
