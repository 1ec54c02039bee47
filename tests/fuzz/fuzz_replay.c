/* Fuzzing's inputs once through their targets: for compilers without libFuzzer, and for `make check`. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <dirent.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/fuzz/fuzz.h"

#define INPUT_SIZE_MAX (1u << 20)

static unsigned inputs;

/* In a block of exactly its length, so that a sanitizer sees one byte read too far. */
static void replay_file(fuzz_fn one, const char *path)
{
	static uint8_t buf[INPUT_SIZE_MAX];
	FILE *f = fopen(path, "re");

	if (!f) {
		perror(path);
		exit(2);
	}
	size_t len = fread(buf, 1, sizeof buf, f);
	fclose(f);
	uint8_t *bytes = malloc(len > 0 ? len : 1);
	FUZZ_DEMAND(bytes);
	memcpy(bytes, buf, len);
	fprintf(stderr, "%s\n", path);
	one(bytes, len);
	free(bytes);
	inputs++;
}

static void replay_folder(const char *name, fuzz_fn one)
{
	const char *top = getenv("srcdir");
	char folder[4096], path[4352];
	struct dirent *d;
	unsigned before = inputs;

	snprintf(folder, sizeof folder, "%s/tests/fuzz/corpus/%s", top ? top : ".", name);
	DIR *dir = opendir(folder);
	while (dir && (d = readdir(dir))) {
		snprintf(path, sizeof path, "%s/%s", folder, d->d_name);
		if (d->d_name[0] != '.')
			replay_file(one, path);
	}
	if (dir)
		closedir(dir);
	if (inputs == before) {
		fprintf(stderr, "%s: no inputs\n", folder);
		exit(2);
	}
}

/* Without words: the whole corpus of the source. NAME FILE…: these inputs through this target. */
int main(int argc, char **argv)
{
	if (sodium_init() < 0)
		return 2;
	fuzz_fn one = argc > 2 ? fuzz_target(argv[1]) : NULL;
	if (argc > 1 && !one) {
		fprintf(stderr, "usage: %s [TARGET FILE…]\n", argv[0]);
		return 2;
	}
	for (int i = 2; i < argc; i++)
		replay_file(one, argv[i]);
	if (argc == 1) {
#define FUZZ_REPLAY(name, size_max) replay_folder(#name, fuzz_##name);
		FUZZ_LIST(FUZZ_REPLAY)
#undef FUZZ_REPLAY
	}
	printf("%u inputs\n", inputs);
	return 0;
}
