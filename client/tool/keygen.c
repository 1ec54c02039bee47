/* countersign keygen: makes a key file and prints its public halves. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <sodium.h>
#include <stdio.h>
#include <string.h>

#include "client/tool/keys.h"
#include "client/tool/tool.h"

static const struct usage usage = {
        .command = "keygen",
        .arguments = "FILE",
        .about = "Makes a key file (mode 0600; an existing file is never overwritten) and prints its public keys.\n"
                 "A client's file holds a channel key and a signing key; a device's a signing key only; a witness's a "
                 "channel\n"
                 "key and the key that it cosigns with, whose verifier key goes into trust policies. The name is the "
                 "one\n"
                 "that the principal or credential is enrolled under.\n",
        .exits = "  0  made\n" TOOL_EXIT_TEXT,
        .n_min = 1,
        .n_max = 1,
};

int keygen_run(int argc, char **argv)
{
	const char *name = NULL;
	bool device = false, client = false, witness = false;
	const struct option options[] = {
	        {"name", OPTION_TEXT, &name, "NAME", "the principal's name, up to 64 bytes", 0, 0},
	        {"client", OPTION_FLAG, &client, NULL, "a client, administrator or auditor (default)", 0, 0},
	        {"device", OPTION_FLAG, &device, NULL, "a subject's device: signs answers to challenges", 0, 0},
	        {"witness", OPTION_FLAG, &witness, NULL, "a witness: cosigns checkpoints (countersign monitor)", 0, 0},
	        {NULL, OPTION_FLAG, NULL, NULL, NULL, 0, 0},
	};
	struct keyfile k;
	unsigned n;
	int code = options_parse(&usage, options, argc, argv, &n);

	if (code != OPTIONS_GO_ON)
		return code;
	if (!name)
		return tool_fail(EXIT_USAGE, usage.command, "option --name NAME is missing");
	if (device + client + witness > 1)
		return tool_fail(EXIT_USAGE, usage.command, "--device, --client and --witness exclude each other");
	code = keys_create(usage.command, argv[0], name,
	                   device    ? KEYS_DEVICE
	                   : witness ? KEYS_WITNESS
	                             : KEYS_CLIENT,
	                   &k);
	if (code)
		return code;
	printf("made     %s\n", argv[0]);
	keys_print(&k);
	keyfile_wipe(&k);
	return EXIT_DONE;
}
