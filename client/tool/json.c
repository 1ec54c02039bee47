/* JSON files within bounds, and bytes in JSON. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "client/tool/json.h"

#include <stdlib.h>
#include <string.h>

#include "client/tool/files.h"
#include "client/tool/tool.h"
#include "ledger/note.h"

json_t *json_bytes(const void *bytes, size_t size)
{
	size_t cap = (size + 2) / 3 * 4 + 1;
	char *text = malloc(cap);
	json_t *o = NULL;

	if (text && !base64_encode(bytes, size, text, cap))
		o = json_string(text);
	free(text);
	return o;
}

int json_read(const char *command, const char *path, size_t size_max, json_t **ret)
{
	json_error_t where;
	char *text = NULL;
	size_t size;
	json_t *o;
	int err = files_read(path, size_max, &text, &size);

	if (err)
		return tool_fail(EXIT_LOCAL, command, "%s: %s", path, strerror(err));
	o = json_loadb(text, size, JSON_REJECT_DUPLICATES, &where);
	free(text);
	if (!o)
		return tool_fail(EXIT_USAGE, command, "%s:%d:%d: %s", path, where.line, where.column, where.text);
	*ret = o;
	return 0;
}
