/* The elements of a JSON array one by one, however long the array is. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "client/tool/import/jsonlist.h"

#include <string.h>

#define STEP 4096 /* Looked at first; an element that is longer is looked at again in twice as much. */

/* Passes over space and commas; the byte behind, 0 at the end. */
static char next_byte(struct input *in)
{
	const char *s;
	const uint8_t *taken;
	size_t n;

	while (input_peek(in, 1, &s, &n) == INPUT_GOT && n && strchr(" \t\r\n,", *s) && *s)
		if (input_bytes(in, 1, &taken) != INPUT_GOT)
			return 0;
	return n ? *s : 0;
}

bool jsonlist_begins(struct input *in)
{
	const uint8_t *taken;

	return next_byte(in) == '[' && input_bytes(in, 1, &taken) == INPUT_GOT;
}

/* Where the element at s ends: before a comma or bracket of the list's own. len: not within these bytes. */
static size_t element_end(const char *s, size_t len)
{
	bool quoted = false;
	size_t depth = 0, i;

	for (i = 0; i < len; i++) {
		if (quoted && s[i] == '\\')
			i++;
		else if (s[i] == '"')
			quoted = !quoted;
		else if (!quoted && !depth && (s[i] == ',' || s[i] == ']'))
			return i;
		else if (!quoted && (s[i] == '{' || s[i] == '['))
			depth++;
		else if (!quoted && depth && (s[i] == '}' || s[i] == ']'))
			depth--;
	}
	return len;
}

enum input_got jsonlist_next(struct input *in, const char **ret, size_t *ret_len)
{
	char first = next_byte(in);
	enum input_got got = INPUT_GOT;
	const uint8_t *taken;
	const char *s = NULL;
	size_t len = 0, end = 0;

	if (!first || first == ']')
		return *input_why(in) ? INPUT_BROKEN : INPUT_END;
	for (size_t want = STEP; want <= INPUT_LINE_SIZE_MAX; want *= 2) {
		got = input_peek(in, want, &s, &len);
		end = element_end(s, len);
		if (got != INPUT_GOT || end < len || len < want)
			break;
	}
	if (got != INPUT_GOT || *input_why(in))
		return INPUT_BROKEN;
	if (end == len && len == INPUT_LINE_SIZE_MAX) {
		input_skip(in, UINT64_MAX);
		return INPUT_LONG;
	}
	got = input_bytes(in, end, &taken);
	*ret = (const char *)taken;
	*ret_len = end;
	return got;
}
