/* Fuzzing: the list of targets by name. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <string.h>

#include "tests/fuzz/fuzz.h"

fuzz_fn fuzz_target(const char *name)
{
#define FUZZ_FIND(target, size_max)                                                                                    \
	if (strcmp(name, #target) == 0)                                                                                \
		return fuzz_##target;
	FUZZ_LIST(FUZZ_FIND)
#undef FUZZ_FIND
	return NULL;
}
