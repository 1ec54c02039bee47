/* What a bundle discloses, rendered anew from the values that its entry commits to. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "client/tool/bundleview.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/tool/entryview.h"
#include "client/tool/fieldview.h"
#include "ledger/bundle.h"
#include "ledger/note.h"

static unsigned kind_of(const char *name)
{
	for (unsigned kind = 1; kind <= FIELD_KIND_MAX; kind++)
		if (name && !strcmp(field_kind_text(kind), name))
			return kind;
	return 0;
}

/* malloc'ed bytes of a base64 member. */
static uint8_t *bytes_of(const json_t *o, const char *name, size_t *ret_len)
{
	const char *s = json_string_value(json_object_get(o, name));
	size_t cap = s ? strlen(s) / 4 * 3 + 3 : 0;
	uint8_t *bytes = s ? malloc(cap) : NULL;

	if (bytes && base64_decode(s, strlen(s), bytes, cap, ret_len)) {
		free(bytes);
		return NULL;
	}
	return bytes;
}

static bool text_is_of(const json_t *field, unsigned kind, const uint8_t *value, size_t len)
{
	const char *text = json_string_value(json_object_get(field, "text"));
	char own[FORMAT_FIELD_TEXT_SIZE_MAX + 1];

	return !text || (!bundle_field_text(kind, value, len, own, sizeof own) && !strcmp(own, text));
}

bool bundleview_read(const char *json, size_t size, json_t **ret_fields, char ret_bad_text[BUNDLEVIEW_NAME_SIZE])
{
	json_t *root = json_loadb(json, size, JSON_REJECT_DUPLICATES, NULL), *fields = json_object();
	const json_t *field;
	bool ok = root && fields;
	size_t i;

	*ret_bad_text = 0;
	json_array_foreach(json_object_get(root, "fields"), i, field)
	{
		const char *name = json_string_value(json_object_get(field, "kind"));
		unsigned kind = kind_of(name);
		size_t len = 0;
		uint8_t *value = bytes_of(field, "value", &len);

		ok = ok && kind && value;
		if (ok && !text_is_of(field, kind, value, len) && !*ret_bad_text)
			snprintf(ret_bad_text, BUNDLEVIEW_NAME_SIZE, "%s", name);
		if (ok)
			json_object_set_new(fields, fieldview_name(kind), fieldview_json(kind, value, len));
		free(value);
	}
	json_decref(root);
	if (ok)
		*ret_fields = fields;
	else
		json_decref(fields);
	return ok;
}

void bundleview_print(const char *json, size_t size)
{
	json_t *root = json_loadb(json, size, JSON_REJECT_DUPLICATES, NULL), *list = json_object_get(root, "fields");
	uint8_t *values[LIMIT_FIELD_COUNT_MAX] = {NULL};
	struct entryview v;
	struct cs_entry e = {0};
	const json_t *field;
	uint8_t *leaf = bytes_of(root, "entry", &e.leaf_size);
	size_t i;

	e.leaf = leaf;
	if (leaf && !entryview_open(&v, &e)) {
		json_array_foreach(list, i, field)
		{
			if (i == LIMIT_FIELD_COUNT_MAX)
				break;
			values[i] = bytes_of(field, "value", &v.fields[i].value_len);
			v.fields[i].value = values[i];
			v.fields[i].kind = kind_of(json_string_value(json_object_get(field, "kind")));
			v.n_fields += values[i] && v.n_fields == i;
		}
		v.opened = true;
		entryview_print_long(&v);
	}
	for (i = 0; i < LIMIT_FIELD_COUNT_MAX; i++)
		free(values[i]);
	free(leaf);
	json_decref(root);
}
