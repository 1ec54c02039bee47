/* --disclose: which private fields are shown. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "client/tool/disclose.h"

#include <stdio.h>
#include <string.h>

#include "client/tool/tool.h"

#define NAMES_TEXT_SIZE 1024

static const struct {
	unsigned kind;
	const char *text;
} kinds[] = {
#define KIND_ROW(name, number, text) {number, text},
        FIELD_KIND_LIST(KIND_ROW)
#undef KIND_ROW
};
#define N_KINDS (sizeof kinds / sizeof *kinds)

static bool same(const char *given, size_t len, const char *text)
{
	if (len != strlen(text))
		return false;
	for (size_t i = 0; i < len; i++)
		if (given[i] != text[i] && !((given[i] == '-' || given[i] == '_') && text[i] == ' '))
			return false;
	return true;
}

static const char *names(void)
{
	static char text[NAMES_TEXT_SIZE];
	size_t n = 0;

	for (size_t i = 0; i < N_KINDS && n < sizeof text; i++)
		n += (size_t)snprintf(text + n, sizeof text - n, "%s%s", i ? ", " : "", kinds[i].text);
	return text;
}

int disclose_parse(const char *command, const char *text, uint64_t *ret)
{
	*ret = !strcmp(text, "all") ? DISCLOSE_ALL : 0;
	if (*ret || !strcmp(text, "none"))
		return 0;
	for (const char *s = text, *end; s; s = *end ? end + 1 : NULL) {
		uint64_t before = *ret;

		end = s + strcspn(s, ",");
		for (size_t i = 0; i < N_KINDS; i++)
			if (same(s, (size_t)(end - s), kinds[i].text))
				*ret |= UINT64_C(1) << kinds[i].kind;
		if (*ret == before)
			return tool_fail(
			        EXIT_USAGE, command,
			        "option --disclose: \"%.*s\" is no field, or there twice; fields are: %s, or none",
			        (int)(end - s), s, names());
	}
	return 0;
}

unsigned disclose_filter(struct field *fields, unsigned n, uint64_t wanted)
{
	unsigned kept = 0;

	for (unsigned i = 0; i < n; i++)
		if (wanted == DISCLOSE_ALL || (fields[i].kind < 64 && wanted >> fields[i].kind & 1))
			fields[kept++] = fields[i];
	return kept;
}
