/* Tests of the verifier's folders: files that are missing, malformed, too long, no files, or unreadable. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "ledger/verify_whole.h"
#include "tests/verify_faults.h"
#include "tests/whole_kit.h"

#define SIZE 258 /* A full tile, and two entries behind it. */

static struct fixture fixture;
static struct whole_ledger ledger;
static char folder[64];
static struct verify_result result;
static struct verify_whole_options options;

static int setup(void **state)
{
	(void)state;
	fixture_init(&fixture);
	whole_make(&ledger, SIZE, 0);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	whole_free(&ledger);
	fixture_free(&fixture);
	return 0;
}

/* --- a folder --- */

static const char *in_folder(const char *name)
{
	static char path[256];

	snprintf(path, sizeof path, "%s/%s", folder, name);
	return path;
}

static void file_put(const char *name, const void *bytes, size_t len)
{
	char *path = strdup(in_folder(name));

	assert_non_null(path);
	for (char *slash = path + strlen(folder); (slash = strchr(slash + 1, '/'));) {
		*slash = '\0';
		assert_true(mkdir(path, 0700) == 0 || errno == EEXIST);
		*slash = '/';
	}
	FILE *f = fopen(path, "w");
	assert_non_null(f);
	assert_int_equal(fwrite(bytes, 1, len, f), len);
	assert_int_equal(fclose(f), 0);
	free(path);
}

static void note_put(uint64_t size)
{
	char note[LIMIT_NOTE_SIZE_MAX];
	size_t len = whole_note(&ledger, &fixture, size, (struct fixture_signers){.logs = 1, .cosigners = 3}, note);

	file_put("checkpoint", note, len);
}

static void tile_put(unsigned level, uint64_t n, unsigned width)
{
	uint8_t hashes[VERIFY_TILE_WIDTH * VERIFY_HASH_SIZE];
	char path[VERIFY_TILE_PATH_SIZE];

	verify_tile_path((int)level, n, width, path);
	whole_tile(&ledger, level, n, width, hashes);
	file_put(path, hashes, (size_t)width * VERIFY_HASH_SIZE);
}

static void bundle_put(uint64_t n, unsigned width)
{
	static uint8_t bytes[VERIFY_TILE_WIDTH * (2 + WHOLE_LEAF_SIZE_MAX)];
	char path[VERIFY_TILE_PATH_SIZE];
	size_t len = 0;

	for (unsigned i = 0; i < width; i++) {
		const struct whole_leaf *l = &ledger.leaves[n * VERIFY_TILE_WIDTH + i];

		put_u16be(bytes + len, (uint16_t)l->len);
		memcpy(bytes + len + 2, l->bytes, l->len);
		len += 2 + l->len;
	}
	verify_tile_path(VERIFY_TILE_ENTRIES, n, width, path);
	file_put(path, bytes, len);
}

static int begin(void **state)
{
	(void)state;
	memset(&options, 0, sizeof options);
	snprintf(folder, sizeof folder, "/tmp/countersign-folder-XXXXXX");
	assert_non_null(mkdtemp(folder));
	note_put(SIZE);
	bundle_put(0, 256);
	bundle_put(1, 2);
	tile_put(0, 0, 256);
	tile_put(0, 1, 2);
	tile_put(1, 0, 1);
	return 0;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st, (void)type, (void)ftw;
	return remove(path);
}

static int end(void **state)
{
	(void)state;
	return nftw(folder, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static void expect(enum verify_outcome outcome, const char *reason)
{
	verify_folder(fixture.policy, folder, &options, &result);
	fixture_outcome(&result, outcome, reason);
}

/* --- tests --- */

static void test_good(void **state)
{
	(void)state;
	expect(VERIFY_VERIFIED, "size 258");
	assert_true(fixture_says(&result, VERIFY_MARK_HELD, "all 258 entries: canonical, chained"));
	note_put(256);
	expect(VERIFY_VERIFIED, "size 256");
	note_put(0);
	expect(VERIFY_VERIFIED, "size 0");
	note_put(SIZE);
	assert_int_equal(unlink(in_folder("tile/entries/000")), 0);
	expect(VERIFY_UNDECIDED, "tile/entries/000 is missing, or cannot be read");
	options.from = 255; /* The bundle has one that is asked for. */
	expect(VERIFY_UNDECIDED, "tile/entries/000 is missing, or cannot be read");
	options.from = 256;
	expect(VERIFY_VERIFIED, "size 258");
	assert_true(fixture_says(&result, VERIFY_MARK_UNCHECKED, "entries 0 to 255: their hashes only"));
}

static void test_checkpoint(void **state)
{
	static char large[LIMIT_NOTE_SIZE_MAX + 1];

	(void)state;
	memset(large, 'x', sizeof large);
	file_put("checkpoint", large, LIMIT_NOTE_SIZE_MAX);
	expect(VERIFY_REFUTED, "checkpoint: not a signed note");
	file_put("checkpoint", large, LIMIT_NOTE_SIZE_MAX + 1);
	expect(VERIFY_UNDECIDED, "checkpoint: larger than this verifier takes");
	assert_int_equal(unlink(in_folder("checkpoint")), 0);
	expect(VERIFY_UNDECIDED, "checkpoint is missing, or cannot be read");
	/* Not followed out of the folder, and not waited for. */
	assert_int_equal(symlink("/etc/hostname", in_folder("checkpoint")), 0);
	expect(VERIFY_UNDECIDED, "checkpoint is missing, or cannot be read");
	assert_int_equal(unlink(in_folder("checkpoint")), 0);
	assert_int_equal(mkfifo(in_folder("checkpoint"), 0600), 0);
	expect(VERIFY_UNDECIDED, "checkpoint is missing, or cannot be read");
	assert_int_equal(unlink(in_folder("checkpoint")), 0);
	assert_int_equal(mkdir(in_folder("checkpoint"), 0700), 0);
	expect(VERIFY_UNDECIDED, "checkpoint is missing, or cannot be read");
	strcpy(folder + strlen(folder), "/tile/0/000"); /* No folder. */
	expect(VERIFY_UNDECIDED, "the folder cannot be opened");
	folder[strlen(folder) - strlen("/tile/0/000")] = '\0';
}

static void test_tiles(void **state)
{
	uint8_t many[VERIFY_TILE_WIDTH * VERIFY_HASH_SIZE + 1] = {0};

	(void)state;
	file_put("tile/0/001.p/2", many, 3 * VERIFY_HASH_SIZE);
	expect(VERIFY_REFUTED, "tile/0/001.p/2: not 2 hashes");
	assert_int_equal(result.bad_index, 256);
	file_put("tile/0/001.p/2", many, 0);
	expect(VERIFY_REFUTED, "tile/0/001.p/2: not 2 hashes");
	assert_int_equal(unlink(in_folder("tile/0/001.p/2")), 0);
	expect(VERIFY_UNDECIDED, "tile/0/001.p/2 is missing, or cannot be read");
	whole_tile(&ledger, 0, 0, 256, many);
	file_put("tile/0/000", many, sizeof many);
	expect(VERIFY_REFUTED, "tile/0/000: not 256 hashes");
	assert_int_equal(result.bad_index, 0);
	options.from = 256;
	expect(VERIFY_REFUTED, "tile/0/000: not 256 hashes");
}

static void test_bundles(void **state)
{
	const struct whole_leaf *l = &ledger.leaves[256];
	uint8_t bytes[2 * (2 + WHOLE_LEAF_SIZE_MAX) + 1] = {0};

	(void)state;
	/* One entry, three, and one that is another's. */
	put_u16be(bytes, (uint16_t)l[0].len);
	memcpy(bytes + 2, l[0].bytes, l[0].len);
	file_put("tile/entries/001.p/2", bytes, 2 + l[0].len);
	expect(VERIFY_REFUTED, "tile/entries/001.p/2: not 2 entries, each behind its length");
	assert_int_equal(result.bad_index, 256);
	file_put("tile/entries/001.p/2", bytes, 2 + l[0].len + 4);
	expect(VERIFY_REFUTED, "tile/entries/001.p/2: not 2 entries, each behind its length");
	file_put("tile/entries/001.p/2", bytes, 2 + l[0].len + 2);
	expect(VERIFY_REFUTED, "entry 257: its hash is not the one in its tile");
	/* Longer than any two entries. */
	int fd = open(in_folder("tile/entries/001.p/2"), O_WRONLY | O_CLOEXEC);
	assert_int_equal(ftruncate(fd, 2 * (2 + LIMIT_ENTRY_SIZE_MAX) + 1), 0);
	close(fd);
	expect(VERIFY_REFUTED, "tile/entries/001.p/2: not 2 entries, each behind its length");
}

/* What the disk, or the machine, cannot give is no refutation. */
static void test_faults(void **state)
{
	static const struct {
		const char *function;
		unsigned n;
		int error;
		const char *reason;
	} rows[] = {
	        {"calloc", 1, ENOMEM, "out of memory"},
	        {"malloc", 1, ENOMEM, "out of memory"},
	        {"fstat", 1, EIO, "checkpoint is missing, or cannot be read"},
	        {"fstat", 2, EIO, "tile/entries/000 is missing, or cannot be read"},
	        {"read", 1, EIO, "checkpoint is missing, or cannot be read"},
	        {"read", 2, EIO, "checkpoint is missing, or cannot be read"}, /* At its end. */
	        {"read", 3, EIO, "tile/entries/000 is missing, or cannot be read"},
	        {"read", 5, EIO, "tile/0/000 is missing, or cannot be read"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		verify_faults_arm(rows[i].function, rows[i].n, rows[i].error);
		expect(VERIFY_UNDECIDED, rows[i].reason);
		assert_true(verify_faults_disarm());
	}
	char kept = folder[5];
	folder[5] = '?';
	verify_faults_arm("calloc", 1, ENOMEM);
	expect(VERIFY_UNDECIDED, "out of memory"); /* And no folder either. */
	assert_true(verify_faults_disarm());
	folder[5] = kept;
	expect(VERIFY_VERIFIED, "size 258");
}

#define IN_FOLDER(test) cmocka_unit_test_setup_teardown(test, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
	        IN_FOLDER(test_good),    IN_FOLDER(test_checkpoint), IN_FOLDER(test_tiles),
	        IN_FOLDER(test_bundles), IN_FOLDER(test_faults),
	};

	return cmocka_run_group_tests_name("folders", tests, setup, teardown);
}
