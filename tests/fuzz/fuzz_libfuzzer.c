/* Fuzzing with libFuzzer: --list names the targets and the longest input of each, --target=NAME chooses one. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/fuzz/fuzz.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static fuzz_fn target;

/* libFuzzer leaves options that begin with two dashes to us. */
int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	static const char option[] = "--target=";

	for (int i = 1; i < *argc; i++) {
		const char *word = (*argv)[i];
		if (strcmp(word, "--list") == 0) {
#define FUZZ_PRINT(name, size_max) printf("%s %d\n", #name, size_max);
			FUZZ_LIST(FUZZ_PRINT)
#undef FUZZ_PRINT
			exit(0);
		}
		if (strncmp(word, option, strlen(option)) == 0)
			target = fuzz_target(word + strlen(option));
	}
	if (target == NULL) {
		fprintf(stderr, "--target=NAME is missing, or there is none of this name (--list)\n");
		exit(2);
	}
	return sodium_init() < 0 ? -1 : 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	target(bytes, len);
	return 0;
}
