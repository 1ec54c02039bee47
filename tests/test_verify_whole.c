/* Tests of the verifier's walk over a whole ledger: every tile, older checkpoints, and what is missing or another. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "ledger/verify_whole.h"
#include "tests/verify_faults.h"
#include "tests/whole_kit.h"

/* One full tile of level 1, and an entry behind it. */
#define SIZE  (WIDTH * WIDTH + 1)
#define FIRST (WIDTH * (WIDTH - 1)) /* Of the entries that are there. */
#define WIDTH UINT64_C(256)

static const struct fixture_signers quorum = {.logs = 1, .cosigners = 3};
static struct fixture fixture;
static struct whole_ledger ledger;
static char note[LIMIT_NOTE_SIZE_MAX], old[LIMIT_NOTE_SIZE_MAX];
static struct verify_result result;
static struct verify_whole_options options;

/* What becomes of one tile: gone, of a wrong length, or the hash at this place another. */
static struct {
	enum { WELL, GONE, WRONG_LENGTH, ANOTHER_HASH } how;
	unsigned level;
	uint64_t n;
	unsigned at;
} fault;

static int setup(void **state)
{
	(void)state;
	fixture_init(&fixture);
	whole_make(&ledger, SIZE, FIRST);
	whole_note(&ledger, &fixture, SIZE, quorum, note);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	whole_free(&ledger);
	fixture_free(&fixture);
	return 0;
}

static int fresh(void **state)
{
	(void)state;
	memset(&options, 0, sizeof options);
	memset(&fault, 0, sizeof fault);
	return 0;
}

static enum verify_got tile(void *ctx, unsigned level, uint64_t n, unsigned width, uint8_t *ret)
{
	bool here = fault.how != WELL && fault.level == level && fault.n == n;

	(void)ctx;
	if (here && fault.how != ANOTHER_HASH)
		return fault.how == GONE ? VERIFY_GOT_NOT : VERIFY_GOT_BAD;
	whole_tile(&ledger, level, n, width, ret);
	if (here)
		ret[fault.at * VERIFY_HASH_SIZE] ^= 1;
	return VERIFY_GOT;
}

/* Hashes alone up to the last tiles, then the entries. */
static bool hashes_alone;

static bool walk(struct verify_whole *w)
{
	struct verify_bundled entries[WIDTH];

	for (uint64_t n = 0; n <= SIZE / WIDTH; n++) {
		unsigned width = n < WIDTH ? (unsigned)WIDTH : 1;

		for (unsigned i = 0; i < width && n * WIDTH >= FIRST; i++) {
			const struct whole_leaf *l = &ledger.leaves[n * WIDTH + i - FIRST];
			entries[i] = (struct verify_bundled){l->bytes, l->len};
		}
		if (!(hashes_alone || n * WIDTH < FIRST ? verify_whole_skip(w, width)
		                                        : verify_whole_entries(w, entries, width)))
			return false;
	}
	return true;
}

static enum verify_outcome whole(const char *checkpoint)
{
	struct verify_whole *w = calloc(1, sizeof *w);

	assert_non_null(w);
	w->tile = tile;
	w->options = &options;
	if (verify_whole_begin(w, fixture.policy, checkpoint, strlen(checkpoint), &result) && walk(w))
		verify_whole_end(w);
	free(w);
	return result.outcome;
}

/* --- the tests --- */

static struct {
	uint64_t entries, told, done;
} heard;

static void entry(void *ctx, const void *leaf, size_t len)
{
	assert_ptr_equal(ctx, &heard);
	assert_int_equal(len, ledger.leaves[heard.entries].len);
	assert_memory_equal(leaf, ledger.leaves[heard.entries].bytes, len);
	heard.entries++;
}

static void progress(void *ctx, uint64_t done, uint64_t size)
{
	assert_ptr_equal(ctx, &heard);
	assert_int_equal(size, SIZE);
	assert_true(done > heard.done);
	heard.done = done;
	heard.told++;
}

static void test_good(void **state)
{
	(void)state;
	assert_int_equal(whole(note), VERIFY_VERIFIED);
	assert_true(fixture_says(&result, VERIFY_MARK_HELD, "all 259 tiles: the hashes of these entries"));
	assert_true(fixture_says(&result, VERIFY_MARK_HELD, "the last 257 entries of them: canonical, chained"));
	memset(&heard, 0, sizeof heard);
	options = (struct verify_whole_options){
	        .entry = entry, .entry_ctx = &heard, .progress = progress, .progress_ctx = &heard};
	assert_int_equal(whole(note), VERIFY_VERIFIED);
	assert_int_equal(heard.entries, SIZE - FIRST);
	assert_int_equal(heard.told, WIDTH + 1);
	assert_int_equal(heard.done, SIZE);
}

/* Each kind of fault in a tile that only hashes are read of, one with entries, one above, and the edge above that. */
static void test_tiles(void **state)
{
	static const struct {
		unsigned level;
		uint64_t n;
		const char *path, *another; /* How another hash is found out. */
		uint64_t first, bad;        /* Leaves: of the tile, of its hash 3, or 0 of a tile of one. */
		unsigned width;
	} rows[] = {
	        {0, 7, "tile/0/007", "tile/1/000: hash 7 is not that of the entries from 1792 on", 7 * 256, 7 * 256,
	         256},
	        {0, 255, "tile/0/255", "entry 65283: its hash is not the one in its tile", FIRST, FIRST + 3, 256},
	        {1, 0, "tile/1/000", "tile/1/000: hash 3 is not that of the entries from 768 on", 0, 768, 256},
	        {2, 0, "tile/2/000.p/1", "tile/2/000.p/1: hash 0 is not that of the entries from 0 on", 0, 0, 1},
	};
	char reason[128];

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		fault.level = rows[i].level;
		fault.n = rows[i].n;
		fault.at = rows[i].width > 1 ? 3 : 0;
		fault.how = GONE;
		snprintf(reason, sizeof reason, "%s is missing, or cannot be read", rows[i].path);
		assert_int_equal(whole(note), VERIFY_UNDECIDED);
		fixture_outcome(&result, VERIFY_UNDECIDED, reason);
		fault.how = WRONG_LENGTH;
		snprintf(reason, sizeof reason, "%s: not %u hashes", rows[i].path, rows[i].width);
		assert_int_equal(whole(note), VERIFY_REFUTED);
		fixture_outcome(&result, VERIFY_REFUTED, reason);
		assert_true(result.has_bad_index);
		assert_int_equal(result.bad_index, rows[i].first);
		fault.how = ANOTHER_HASH;
		assert_int_equal(whole(note), VERIFY_REFUTED);
		fixture_outcome(&result, VERIFY_REFUTED, rows[i].another);
		assert_int_equal(result.bad_index, rows[i].bad);
	}
	/* The tile above is full with the last of the hashes. */
	hashes_alone = true;
	fault.level = 1;
	fault.at = 3;
	assert_int_equal(whole(note), VERIFY_REFUTED);
	fixture_outcome(&result, VERIFY_REFUTED, rows[2].another);
	fault.how = WELL;
	assert_int_equal(whole(note), VERIFY_VERIFIED);
	assert_true(fixture_says(&result, VERIFY_MARK_UNCHECKED, "entries 0 to 65536: their hashes only"));
	hashes_alone = false;
}

static size_t sign_as(const char *origin, uint64_t size, struct fixture_signers by)
{
	struct checkpoint c = {.size = size};

	strcpy(c.origin, origin);
	memset(&c.root, 7, sizeof c.root);
	if (size == 0)
		hash_empty(&c.root);
	return fixture_sign(&fixture, &c, by, old);
}

/* An older checkpoint from which it has grown: where hashes are read, where entries are, and at either end. */
static void test_older(void **state)
{
	static const uint64_t sizes[] = {0, 1, 256, 300, FIRST, FIRST + 100, SIZE};

	(void)state;
	options.old = old;
	for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
		options.old_len = whole_note(&ledger, &fixture, sizes[i], quorum, old);
		assert_int_equal(whole(note), VERIFY_VERIFIED);
		assert_true(fixture_says(&result, VERIFY_MARK_HELD, "consistency: grown from the older checkpoint"));
		if (sizes[i] == 0)
			continue;
		options.old_len = sign_as(FIXTURE_ORIGIN, sizes[i], quorum);
		assert_int_equal(whole(note), VERIFY_REFUTED);
		fixture_outcome(&result, VERIFY_REFUTED,
		                "it has not grown from the older checkpoint: the root at size");
		assert_memory_equal(result.expected, "07070707", 8);
	}
}

/* One that is no newer one's, of another ledger, unreadable, false, or not vouched for. */
static void test_older_refused(void **state)
{
	struct verify_whole *w = calloc(1, sizeof *w);

	(void)state;
	assert_non_null(w);
	options.old = old;
	options.old_len = sign_as(FIXTURE_ORIGIN, SIZE + 1, quorum);
	assert_int_equal(whole(note), VERIFY_UNDECIDED);
	fixture_outcome(&result, VERIFY_UNDECIDED,
	                "the older checkpoint is of a larger size: this ledger is not newer");
	assert_string_equal(result.expected, "65538");
	assert_string_equal(result.found, "65537");
	options.old_len = sign_as("other.example/log", 5, quorum);
	assert_int_equal(whole(note), VERIFY_UNDECIDED);
	fixture_outcome(&result, VERIFY_UNDECIDED, "the older checkpoint is of another ledger");
	options.old_len = sign_as("o\xE2\x80\xAE", 5, quorum); /* It is no text to be shown. */
	assert_int_equal(whole(note), VERIFY_UNDECIDED);
	fixture_outcome(&result, VERIFY_UNDECIDED, "the older checkpoint: checkpoint: an origin that this verifier");
	strcpy(old, "no note");
	options.old_len = strlen(old);
	assert_int_equal(whole(note), VERIFY_REFUTED);
	fixture_outcome(&result, VERIFY_REFUTED, "the older checkpoint: checkpoint: not a signed note");
	options.old_len = whole_note(&ledger, &fixture, 300, (struct fixture_signers){.logs = 1}, old);
	assert_int_equal(whole(note), VERIFY_UNDECIDED);
	fixture_outcome(&result, VERIFY_UNDECIDED, "grown from the older checkpoint, which is its signer's claim only");
	/* Both are claims only. */
	char claim[LIMIT_NOTE_SIZE_MAX];
	whole_note(&ledger, &fixture, SIZE, (struct fixture_signers){.logs = 1}, claim);
	assert_int_equal(whole(claim), VERIFY_UNDECIDED);
	fixture_outcome(&result, VERIFY_UNDECIDED, "the leader's claim only");
	/* What is looked at first is the newer one. */
	assert_int_equal(whole("no note"), VERIFY_REFUTED);
	fixture_outcome(&result, VERIFY_REFUTED, "checkpoint: not a signed note");
	w->tile = tile;
	w->options = &options;
	verify_faults_arm("malloc", 1, ENOMEM);
	assert_false(verify_whole_begin(w, fixture.policy, note, strlen(note), &result));
	assert_true(verify_faults_disarm());
	fixture_outcome(&result, VERIFY_UNDECIDED, "out of memory");
	assert_true(w->audit.stopped);
	free(w);
}

/* Under keys that were retired since, it counts by the consistency that the walk shows. */
static void test_older_retired(void **state)
{
	struct verify_policy *kept = fixture.policy;

	(void)state;
	fixture.policy = fixture_policy_of(&fixture, "log L1\nwitness n1 W1\nquorum n1\n"
	                                             "#countersign: retired witness n1 W2 0 400\n");
	options.old = old;
	options.old_len = whole_note(&ledger, &fixture, 300, (struct fixture_signers){.logs = 1, .cosigners = 2}, old);
	assert_int_equal(whole(note), VERIFY_VERIFIED);
	assert_true(fixture_says(&result, VERIFY_MARK_HELD, "of size 300: under keys that were retired since"));
	verify_policy_free(fixture.policy);
	fixture.policy = kept;
}

static void test_split(void **state)
{
	static const struct {
		const char *bytes;
		size_t len;
		unsigned n;
		bool good;
	} rows[] = {
	        {"", 0, 0, true},       {"\0\1x\0\2yz", 7, 2, true}, {"\0\0", 2, 1, true},
	        {"", 0, 1, false},      {"\0", 1, 1, false},         {"\0\1", 2, 1, false},
	        {"\1\0x", 3, 1, false}, {"\0\1x", 3, 2, false},      {"\0\1xy", 4, 1, false},
	};
	struct verify_bundled entries[2];

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
		if (verify_bundle_split((const uint8_t *)rows[i].bytes, rows[i].len, rows[i].n, entries) !=
		    rows[i].good)
			fail_msg("row %zu", i);
	assert_true(verify_bundle_split((const uint8_t *)rows[1].bytes, rows[1].len, 2, entries));
	assert_int_equal(entries[1].len, 2);
	assert_memory_equal(entries[1].p, "yz", 2);
}

static void test_paths(void **state)
{
	char path[VERIFY_TILE_PATH_SIZE];

	(void)state;
	verify_tile_path(0, 1234067, 256, path);
	assert_string_equal(path, "tile/0/x001/x234/067");
	verify_tile_path(VERIFY_TILE_ENTRIES, 0, 255, path);
	assert_string_equal(path, "tile/entries/000.p/255");
	verify_tile_path(VERIFY_TILE_ENTRIES, UINT64_MAX, 256, path);
	assert_string_equal(path, "tile/entries/x018/x446/x744/x073/x709/x551/615");
}

#define FRESH(test) cmocka_unit_test_setup(test, fresh)

int main(void)
{
	const struct CMUnitTest tests[] = {
	        FRESH(test_good),          FRESH(test_tiles), FRESH(test_older), FRESH(test_older_refused),
	        FRESH(test_older_retired), FRESH(test_split), FRESH(test_paths),
	};

	return cmocka_run_group_tests_name("whole ledgers", tests, setup, teardown);
}
