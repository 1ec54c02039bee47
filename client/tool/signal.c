/* countersign signal: tells the cluster what another system has noticed. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <string.h>

#include "client/tool/result.h"
#include "client/tool/tool.h"

static const struct usage usage = {
        .command = "signal",
        .arguments = "EVENT",
        .about = "Sends a signal from outside about a subject, named as OpenID's CAEP names it; --key has the role "
                 "signal.\n"
                 "It ends the grants that it concerns at once, and counts as risk from then on.\n"
                 "  session-revoked         [--session S] (all of the subject's if none is given)\n"
                 "  risk-level-change       --level LOW|MEDIUM|HIGH [--session S | --device D] (else the user)\n"
                 "  credential-change       [--credential NAME] (any if none is given)\n"
                 "  assurance-level-change  --level LOW|MEDIUM|HIGH [--session S]\n",
        .exits = "  0  sent\n" TOOL_EXIT_TEXT,
        .n_min = 1,
        .n_max = 1,
};

/* Follows from what is named. */
static const char *about_of(const struct cs_event *e)
{
	if (!strcmp(e->name, "session-revoked") || e->session)
		return "SESSION";
	return e->device ? "DEVICE" : "USER";
}

int signal_run(int argc, char **argv)
{
	struct tool_access access = {.timeout_ms = TOOL_TIMEOUT_MS_DEFAULT};
	char type[TOOL_TYPE_SIZE], id[TOOL_ID_SIZE];
	struct cs_event e = {0};
	const char *subject = NULL;
	bool json = false;
	const struct option options[] = {
	        TOOL_ACCESS_OPTIONS(&access),
	        {"subject", OPTION_TEXT, &subject, "TYPE:ID", "whom it is about", 0, 0},
	        {"session", OPTION_TEXT, &e.session, "S", "of the subject", 0, 0},
	        {"device", OPTION_TEXT, &e.device, "D", "of the subject", 0, 0},
	        {"credential", OPTION_TEXT, &e.credential, "NAME", "of the subject", 0, 0},
	        {"level", OPTION_TEXT, &e.level, "LEVEL", "LOW, MEDIUM or HIGH", 0, 0},
	        {"reason", OPTION_TEXT, &e.reason, "TEXT", "why", 0, 0},
	        {"json", OPTION_FLAG, &json, NULL, "as JSON", 0, 0},
	        {NULL, OPTION_FLAG, NULL, NULL, NULL, 0, 0},
	};
	cs_result *result = NULL;
	cs_client *client;
	unsigned n;
	int err, code = options_parse(&usage, options, argc, argv, &n);

	if (code != OPTIONS_GO_ON)
		return code;
	if (!subject || !tool_split_typed(subject, type, id))
		return tool_fail(EXIT_USAGE, usage.command, "option --subject TYPE:ID is missing or is none");
	e.name = argv[0];
	e.subject_type = type;
	e.subject_id = id;
	e.about = about_of(&e);
	code = tool_open(usage.command, &access, 0, &client);
	if (code)
		return code;
	err = cs_event_send(client, &e, &result);
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
