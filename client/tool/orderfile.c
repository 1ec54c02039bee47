/* A file of orders: read, written, signed. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "client/tool/orderfile.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "client/tool/files.h"
#include "client/tool/json.h"
#include "client/tool/tool.h"
#include "ledger/note.h"

json_t *orderfile_new(void)
{
	return json_pack("{s:s, s:[]}", "format", ORDERFILE_FORMAT, "orders");
}

bool orderfile_add(json_t *file, const struct cs_order *order)
{
	const json_t *origin = json_object_get(file, "origin"), *governance = json_object_get(file, "governance");

	if (!origin) {
		json_object_set_new(file, "origin", json_string(order->origin));
		json_object_set_new(file, "governance", json_integer((json_int_t)order->governance));
	} else if (strcmp(json_string_value(origin), order->origin) != 0 ||
	           json_integer_value(governance) != (json_int_t)order->governance) {
		return false;
	}
	return !json_array_append_new(json_object_get(file, "orders"),
	                              json_pack("{s:i, s:o, s:[]}", "type", (int)order->type, "elements",
	                                        json_bytes(order->elements, order->size), "signatures"));
}

static const json_t *at(const json_t *file, size_t i)
{
	return json_array_get(json_object_get(file, "orders"), i);
}

size_t orderfile_count(const json_t *file)
{
	return json_array_size(json_object_get(file, "orders"));
}

bool orderfile_order(const json_t *file, size_t i, uint8_t *elements, struct cs_order *ret)
{
	const json_t *o = at(file, i), *type = json_object_get(o, "type");
	const char *text = json_string_value(json_object_get(o, "elements"));
	struct cs_order order = {.elements = elements,
	                         .origin = json_string_value(json_object_get(file, "origin")),
	                         .governance = (uint64_t)json_integer_value(json_object_get(file, "governance"))};

	if (!text || !order.origin || !json_is_integer(type) || json_integer_value(type) < 0 ||
	    json_integer_value(type) > 255 ||
	    base64_decode(text, strlen(text), elements, ORDERFILE_ELEMENTS_MAX, &order.size))
		return false;
	order.type = (unsigned)json_integer_value(type);
	*ret = order;
	return true;
}

static bool read_signature(const json_t *o, struct cs_signature *ret)
{
	const char *name = json_string_value(json_object_get(o, "name")),
	           *text = json_string_value(json_object_get(o, "signature"));
	size_t n = 0;

	if (!name || strlen(name) >= sizeof ret->name || !text ||
	    base64_decode(text, strlen(text), ret->signature, sizeof ret->signature, &n) || n != sizeof ret->signature)
		return false;
	strcpy(ret->name, name);
	ret->sequence = (uint64_t)json_integer_value(json_object_get(o, "sequence"));
	ret->expiry_ms = (uint64_t)json_integer_value(json_object_get(o, "expiry_ms"));
	return true;
}

bool orderfile_signatures(const json_t *file, size_t i, struct cs_signature ret[ORDERFILE_SIGNATURES_MAX],
                          size_t *ret_n)
{
	const json_t *list = json_object_get(at(file, i), "signatures");

	*ret_n = json_array_size(list);
	if (*ret_n > ORDERFILE_SIGNATURES_MAX)
		return false;
	for (size_t k = 0; k < *ret_n; k++)
		if (!read_signature(json_array_get(list, k), &ret[k]))
			return false;
	return true;
}

void orderfile_sign(json_t *file, size_t i, const struct cs_signature *s)
{
	json_t *list = json_object_get(at(file, i), "signatures");
	json_t *o = json_pack("{s:s, s:I, s:I, s:o}", "name", s->name, "sequence", (json_int_t)s->sequence, "expiry_ms",
	                      (json_int_t)s->expiry_ms, "signature", json_bytes(s->signature, sizeof s->signature));

	for (size_t k = 0; k < json_array_size(list); k++) {
		const char *name = json_string_value(json_object_get(json_array_get(list, k), "name"));
		if (name && !strcmp(name, s->name)) {
			json_array_set_new(list, k, o);
			return;
		}
	}
	json_array_append_new(list, o);
}

bool orderfile_entry(const json_t *file, size_t i, uint64_t *ret)
{
	const json_t *entry = json_object_get(at(file, i), "entry");

	*ret = (uint64_t)json_integer_value(entry);
	return json_is_integer(entry);
}

void orderfile_submitted(json_t *file, size_t i, uint64_t entry)
{
	json_object_set_new((json_t *)at(file, i), "entry", json_integer((json_int_t)entry));
}

int orderfile_read(const char *command, const char *path, json_t **ret)
{
	json_t *file;
	const char *format;
	int code = json_read(command, path, ORDERFILE_SIZE_MAX, &file);

	if (code)
		return code;
	format = json_string_value(json_object_get(file, "format"));
	if (!format || strcmp(format, ORDERFILE_FORMAT) != 0 || !orderfile_count(file)) {
		json_decref(file);
		return tool_fail(EXIT_USAGE, command, "%s: is no file of orders (%s)", path, ORDERFILE_FORMAT);
	}
	*ret = file;
	return 0;
}

int orderfile_write(const char *command, const char *path, const json_t *file, bool replace)
{
	char *text = json_dumps(file, JSON_INDENT(1));
	int err = ENOMEM;

	if (text)
		err = replace ? files_replace(path, text, strlen(text), 0644)
		              : files_write(path, text, strlen(text), 0644);
	free(text);
	return err ? tool_fail(EXIT_LOCAL, command, "%s: %s", path, strerror(err)) : 0;
}
