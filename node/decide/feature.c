/* The features that this build has, by number and by name. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "node/decide/feature.h"

#include <string.h>

#include "node/decide/codec.h"

static const struct {
	const char *name, *about;
} features[] = {
#define FEATURE_ROW(id, number, text, what) [number] = {text, what},
        FEATURE_SWITCHES(FEATURE_ROW)
#undef FEATURE_ROW
};

#define N_FEATURES (sizeof(features) / sizeof(*features))
_Static_assert(N_FEATURES <= FEATURE_NUMBER_MAX + 1, "each has a bit");

uint64_t feature_all(void)
{
	uint64_t all = 0;

	for (unsigned i = 1; i < N_FEATURES; i++)
		if (features[i].name != NULL)
			all |= FEATURE_BIT(i);
	return all;
}

const char *feature_name(unsigned number)
{
	return number < N_FEATURES ? features[number].name : NULL;
}

const char *feature_about(unsigned number)
{
	return number < N_FEATURES ? features[number].about : NULL;
}

unsigned feature_find(struct text name)
{
	for (unsigned i = 1; i < N_FEATURES; i++)
		if (features[i].name != NULL && text_is(name, features[i].name))
			return i;
	return 0;
}

bool feature_name_valid(struct text name)
{
	for (size_t i = 0; i < name.len; i++)
		if (!((name.s[i] >= 'a' && name.s[i] <= 'z') || (name.s[i] >= '0' && name.s[i] <= '9') ||
		      name.s[i] == '-'))
			return false;
	return name.len > 0 && name.len <= FEATURE_NAME_SIZE_MAX;
}

bool feature_build_valid(struct text build)
{
	for (size_t i = 0; i < build.len; i++)
		if (build.s[i] <= 0x20 || build.s[i] >= 0x7f || build.s[i] == '"' || build.s[i] == '\\')
			return false;
	return build.len > 0 && build.len <= FEATURE_BUILD_SIZE_MAX;
}
