/* What the commands share: messages, the connection to the cluster, and the small formats of the command line. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "client/tool/tool.h"

#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct {
	cs_order_keeper keeper;
	void *context;
} orders;

void tool_keep_orders(cs_order_keeper keeper, void *context)
{
	orders.keeper = keeper;
	orders.context = context;
}

bool tool_keeps_orders(void)
{
	return orders.keeper != NULL;
}

/* Who signs beside the client's own key, or that nobody does here. */
#define FIND_LEADER_MS 500

static int prepare_orders(const char *command, const struct tool_access *a, cs_client *client)
{
	int err = orders.keeper ? cs_orders_keep(client, orders.keeper, orders.context) : 0;

	for (unsigned i = 0; i < a->sign_with.n && !err; i++)
		err = cs_sign_with(client, a->sign_with.items[i]);
	return err ? tool_fail(EXIT_USAGE, command, "option --sign-with: %s", cs_last_error()) : 0;
}

int tool_open(const char *command, const struct tool_access *a, unsigned in_flight_max, cs_client **ret)
{
	const char *cluster = a->cluster ? a->cluster : getenv("COUNTERSIGN_CLUSTER");
	const char *key = a->key ? a->key : getenv("COUNTERSIGN_KEY");
	char text[512] = "";
	struct cs_options options = {
	        .cluster_file = cluster,
	        .key_file = key,
	        .timeout_ms = (unsigned)a->timeout_ms,
	        .in_flight_max = in_flight_max,
	        .skip_proof = a->skip_proof,
	        .ordered = a->ordered,
	};
	int err;

	if (!cluster || !*cluster)
		return tool_fail(EXIT_USAGE, command, "no cluster: give --cluster FILE or set COUNTERSIGN_CLUSTER");
	if (!key || !*key)
		return tool_fail(EXIT_USAGE, command, "no key: give --key FILE or set COUNTERSIGN_KEY");
	err = cs_open(&options, ret, text, sizeof text);
	if (err)
		return tool_fail(err == CS_E_NOMEM || err == CS_E_IO || err == CS_E_NOT_FOUND ? EXIT_LOCAL : EXIT_USAGE,
		                 command, "%s", *text ? text : cs_strerror(err));
	err = prepare_orders(command, a, *ret);
	if (err)
		cs_close(*ret);
	return err;
}

int tool_open_newest(const char *command, const struct tool_access *a, cs_client **ret)
{
	int code = tool_open(command, a, 0, ret);

	/* Without a leader the nodes still have what they have. */
	if (!code)
		cs_find_leader(*ret, FIND_LEADER_MS);
	return code;
}

int tool_exit_of(int code)
{
	switch (code) {
	case 0:
		return EXIT_DONE;
	case CS_E_NOMEM:
	case CS_E_IO:
		return EXIT_LOCAL;
	case CS_E_NO_QUORUM:
	case CS_E_OVERLOADED:
	case CS_E_TIMEOUT:
	case CS_E_UNREACHABLE:
	case CS_E_NOT_READY:
	case CS_E_NOT_LEADER:
		return EXIT_UNREACHABLE;
	case CS_E_REFUTED:
	case CS_E_DIVERGED:
		return EXIT_REFUTED;
	default:
		return EXIT_REFUSED;
	}
}

int tool_failed_call(const char *command, const char *what, int code)
{
	const char *detail = cs_last_error(), *text = cs_strerror(code);

	if (code == CS_E_KEPT)
		return 0;
	if (!*detail || !strcmp(detail, text))
		return tool_fail(tool_exit_of(code), command, "%s: %s", what, text);
	if (code == CS_E_NOT_PERMITTED) /* What is lacking says it all. */
		return tool_fail(tool_exit_of(code), command, "%s: %s", what, detail);
	return tool_fail(tool_exit_of(code), command, "%s: %s (%s)", what, text, detail);
}

bool tool_split_typed(const char *text, char ret_type[TOOL_TYPE_SIZE], char ret_id[TOOL_ID_SIZE])
{
	const char *colon = strchr(text, ':');
	size_t type_len = colon ? (size_t)(colon - text) : 0, id_len = colon ? strlen(colon + 1) : 0;

	if (!type_len || type_len >= TOOL_TYPE_SIZE || !id_len || id_len >= TOOL_ID_SIZE)
		return false;
	memcpy(ret_type, text, type_len);
	ret_type[type_len] = 0;
	memcpy(ret_id, colon + 1, id_len + 1);
	return true;
}

bool tool_parse_request_id(const char *text, uint8_t ret[16])
{
	uint8_t id[16];
	size_t n = 0;
	const char *end = NULL;

	if (sodium_hex2bin(id, sizeof id, text, strlen(text), "-", &n, &end) || n != sizeof id || *end)
		return false;
	memcpy(ret, id, sizeof id);
	return true;
}

void tool_format_request_id(const uint8_t id[16], char ret[TOOL_REQUEST_ID_TEXT_SIZE])
{
	sodium_bin2hex(ret, TOOL_REQUEST_ID_TEXT_SIZE, id, 16);
}

bool tool_parse_index(const char *text, uint64_t *ret)
{
	unsigned long long v;

	if (!*text || strlen(text) > 20 || strspn(text, "0123456789") != strlen(text))
		return false;
	errno = 0;
	v = strtoull(text, NULL, 10);
	if (errno)
		return false;
	*ret = v;
	return true;
}
