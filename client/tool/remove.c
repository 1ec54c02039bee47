/* countersign remove: ends a principal's enrolment, signed by an administrator. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "client/tool/result.h"
#include "client/tool/tool.h"

static const struct usage usage = {
        .command = "remove",
        .arguments = "NAME",
        .about = "Ends the enrolment of a principal or device at once; its name stays taken. --key is the\n"
                 "administrator's. The reason goes into the ledger.\n",
        .exits = "  0  removed\n" TOOL_EXIT_TEXT,
        .n_min = 1,
        .n_max = 1,
};

int remove_run(int argc, char **argv)
{
	struct tool_access access = {.timeout_ms = TOOL_TIMEOUT_MS_DEFAULT};
	const char *reason = NULL;
	bool json = false;
	const struct option options[] = {
	        TOOL_ADMIN_OPTIONS(&access),
	        {"reason", OPTION_TEXT, &reason, "TEXT", "why, up to 256 bytes", 0, 0},
	        {"json", OPTION_FLAG, &json, NULL, "as JSON", 0, 0},
	        {NULL, OPTION_FLAG, NULL, NULL, NULL, 0, 0},
	};
	cs_result *result = NULL;
	cs_client *client;
	unsigned n;
	int err, code = options_parse(&usage, options, argc, argv, &n);

	if (code != OPTIONS_GO_ON)
		return code;
	if (!reason)
		return tool_fail(EXIT_USAGE, usage.command, "option --reason TEXT is missing");
	code = tool_open(usage.command, &access, 0, &client);
	if (code)
		return code;
	err = cs_remove(client, argv[0], reason, &result);
	if (err)
		code = tool_failed_call(usage.command, argv[0], err);
	else if (json)
		code = result_dump(usage.command, result_json(result), true);
	else
		result_print_done(result, argv[0]);
	cs_result_free(result);
	cs_close(client);
	return code;
}
