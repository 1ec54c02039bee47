/* Fuzzing: the list of targets by name, and how an input that must not be is reported. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/fuzz/fuzz.h"

void fuzz_fail(const char *file, int line, const char *what)
{
	fprintf(stderr, "%s:%d: does not hold: %s\n", file, line, what);
	abort();
}

fuzz_fn fuzz_target(const char *name)
{
#define FUZZ_FIND(target, size_max)                                                                                    \
	if (strcmp(name, #target) == 0)                                                                                \
		return fuzz_##target;
	FUZZ_LIST(FUZZ_FIND)
#undef FUZZ_FIND
	return NULL;
}
