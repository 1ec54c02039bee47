/* The members' keys as the nodes tell them: in force, or not yet; which gave way, and until which size. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "client/tool/nodekeys.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/tool/keys.h"
#include "client/tool/text.h"

static const char *const places[] = {"log", "cosigner", "channel"};

static const json_t *find(const json_t *keys, uint64_t node, const char *place)
{
	const json_t *list = json_object_get(keys, "keys"), *one;
	size_t i;

	json_array_foreach(list, i, one)
	{
		const char *at = json_string_value(json_object_get(one, "place"));

		if ((uint64_t)json_integer_value(json_object_get(one, "node")) == node && at && !strcmp(at, place))
			return one;
	}
	return NULL;
}

static const char *word(const json_t *o, const char *name)
{
	const char *s = json_string_value(json_object_get(o, name));

	return s ? s : "";
}

static bool has(const json_t *keys, uint64_t node, const char *place, const uint8_t pub[32])
{
	char text[KEYS_PUBLIC_TEXT_SIZE];

	keys_public_text(pub, text);
	return !strcmp(word(find(keys, node, place), "key"), text);
}

bool nodekeys_in_force(cs_client *client, uint64_t node, unsigned kinds, const struct cs_key_prepared *made)
{
	char *text = NULL;
	bool in_force = cs_keys(client, node, &text) == 0;
	json_t *keys = in_force ? json_loads(text, 0, NULL) : NULL;

	if (kinds & CS_KEY_LOG)
		in_force = in_force && has(keys, node, "log", made->log_pub) &&
		           json_is_true(json_object_get(keys, "log_signs"));
	if (kinds & CS_KEY_COSIGNER)
		in_force = in_force && has(keys, node, "cosigner", made->cosigner_pub) &&
		           json_is_true(json_object_get(keys, "cosigner_signs"));
	if (kinds & CS_KEY_CHANNEL)
		in_force = in_force && has(keys, node, "channel", made->channel_pub);
	json_decref(keys);
	free(text);
	return in_force;
}

void nodekeys_print_text(const char *json)
{
	static const char *const heads[] = {"NODE", "PLACE", "KEY", "ENTRY", "THE ONE BEFORE", "GOOD UP TO SIZE"};
	json_t *keys = json_loads(json, 0, NULL), *one;
	struct table t;
	size_t i;

	table_init(&t, 6, heads, 1u << 0 | 1u << 3 | 1u << 5);
	json_array_foreach(json_object_get(keys, "keys"), i, one)
	{
		table_cell(&t, TINT_NONE, "%" JSON_INTEGER_FORMAT, json_integer_value(json_object_get(one, "node")));
		table_cell(&t, TINT_NONE, "%s", word(one, "place"));
		table_cell(&t, TINT_NONE, "%s", word(one, "key"));
		table_cell(&t, TINT_NONE, "%" JSON_INTEGER_FORMAT, json_integer_value(json_object_get(one, "entry")));
		table_cell(&t, TINT_DIM, "%s", *word(one, "before") ? word(one, "before") : "-");
		if (*word(one, "before"))
			table_cell(&t, TINT_NONE, "%" JSON_INTEGER_FORMAT,
			           json_integer_value(json_object_get(one, "until")));
		else
			table_cell(&t, TINT_DIM, "-");
	}
	table_print(&t, stdout);
	table_close(&t);
	json_decref(keys);
}

void nodekeys_words(const json_t *keys, uint64_t node, char *ret, size_t cap)
{
	json_int_t size = json_integer_value(json_object_get(keys, "size"));
	size_t len = 0;

	*ret = 0;
	for (unsigned i = 0; i < sizeof places / sizeof places[0] && len < cap; i++) {
		const json_t *one = find(keys, node, places[i]);
		json_int_t until = json_integer_value(json_object_get(one, "until"));

		if (!*word(one, "before"))
			continue;
		len += (size_t)snprintf(ret + len, cap - len, "%s%s new since entry %" JSON_INTEGER_FORMAT,
		                        len ? ", " : "", places[i], json_integer_value(json_object_get(one, "entry")));
		if (until > size && len < cap)
			len += (size_t)snprintf(ret + len, cap - len,
			                        " (the old one up to size %" JSON_INTEGER_FORMAT ")", until);
	}
	if (len < cap && json_is_false(json_object_get(keys, "log_signs")))
		len += (size_t)snprintf(ret + len, cap - len, "%slog key does not sign", len ? ", " : "");
	if (len < cap && json_is_false(json_object_get(keys, "cosigner_signs")))
		snprintf(ret + len, cap - len, "%scosigner key does not sign", len ? ", " : "");
}
