/* The settings of a new cluster, checked before anything is made. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <string.h>

#include "client/tool/newcluster.h"
#include "client/tool/tool.h"
#include "ledger/note.h"

static bool name_ok(const char *name)
{
	size_t n = strlen(name);

	return n >= 1 && n <= NEWCLUSTER_NAME_SIZE_MAX &&
	       strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_") == n &&
	       name[0] != '-' && name[0] != '.';
}

int newcluster_check(const char *command, const struct newcluster_settings *s)
{
	static const char *const levels[] = {"error", "warning", "info", "debug"};
	bool level_ok = false;

	if (!name_ok(s->name))
		return tool_fail(
		        EXIT_USAGE, command,
		        "option --name: \"%s\": 1 to %d letters, digits and . _ - are allowed, with a letter or "
		        "digit first",
		        s->name, NEWCLUSTER_NAME_SIZE_MAX);
	if (s->n_nodes % 2 == 0)
		return tool_fail(
		        EXIT_USAGE, command,
		        "option --nodes: %u: an even number survives no more failures than one less; take 1, 3, 5 "
		        "or 7",
		        s->n_nodes);
	for (unsigned i = 0; i < s->witnesses.n; i++) {
		const char *vkey = s->witnesses.items[i];
		struct note_key k;

		if (note_key_parse(&k, vkey, strlen(vkey)) || k.type != NOTE_KEY_COSIGNATURE)
			return tool_fail(EXIT_USAGE, command,
			                 "option --witness: \"%s\" is not the verifier key of a witness", vkey);
	}
	if (s->base_port && s->base_port + s->n_nodes * 2 - 1 > 65535)
		return tool_fail(EXIT_USAGE, command,
		                 "option --base-port: %u nodes take two ports each from there, which passes 65535",
		                 s->n_nodes);
	if (s->heartbeat_ms * 3 > s->election_timeout_ms)
		return tool_fail(EXIT_USAGE, command,
		                 "option --election-timeout-ms: must be at least three times --heartbeat-ms");
	for (size_t i = 0; i < sizeof levels / sizeof *levels; i++)
		level_ok |= !strcmp(levels[i], s->log_level);
	if (!level_ok)
		return tool_fail(EXIT_USAGE, command,
		                 "option --log-level: \"%s\" is none of error, warning, info, debug", s->log_level);
	return 0;
}
