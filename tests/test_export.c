/* Whole ledgers, written as folders and checked as folders and as stores: sizes, interruptions, every bit flipped. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

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

#include "client/tool/exportfile.h"
#include "client/tool/exportfolder.h"
#include "ledger/bytes.h"
#include "ledger/errors.h"
#include "ledger/store.h"
#include "ledger/tilepath.h"
#include "ledger/verify_whole.h"
#include "tests/vectors.h"
#include "tests/verify_fixture.h"

static struct fixture fixture;
static char top[256], folder[512];
static struct verify_result result;
static struct verify_whole_options options;

static int setup(void **state)
{
	const char *tmp = getenv("TMPDIR");

	(void)state;
	fixture_init(&fixture);
	snprintf(top, sizeof top, "%s/countersign-export.XXXXXX", tmp ? tmp : "/tmp");
	assert_non_null(mkdtemp(top));
	return 0;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st, (void)type, (void)ftw;
	return remove(path);
}

static int teardown(void **state)
{
	(void)state;
	nftw(top, remove_one, 16, FTW_DEPTH | FTW_PHYS);
	fixture_free(&fixture);
	return 0;
}

/* A folder of its own for each test. */
static void folder_new(const char *name)
{
	snprintf(folder, sizeof folder, "%s/%s", top, name);
	memset(&options, 0, sizeof options);
}

/* --- a ledger as large as wanted --- */

struct source {
	struct tree *tree;
	struct hash last;
	uint64_t size;
};

/* The next entry's bytes; borrowed until the one after. */
static const uint8_t *source_next(struct source *s, size_t *ret_len)
{
	static uint8_t leaf[LIMIT_ENTRY_SIZE_MAX], body[LIMIT_BODY_SIZE_MAX];
	static struct entry_builder b;
	static const uint8_t seed[SEED_SIZE];
	size_t body_len;

	entry_builder_init(&b, s->size, s->size == 0 ? ENTRY_GENESIS : ENTRY_TICK, 1700000000000 + s->size, &s->last,
	                   seed);
	writer_array(&b.public_, 1);
	writer_uint(&b.public_, s->size);
	assert_int_equal(entry_builder_finish(&b, leaf, ret_len, body, &body_len), 0);
	hash_leaf(&s->last, leaf, *ret_len);
	assert_int_equal(tree_append(s->tree, &s->last), 0);
	s->size++;
	return leaf;
}

static void source_init(struct source *s)
{
	const struct tree_tiles none = {0};

	memset(s, 0, sizeof *s);
	assert_int_equal(tree_new(&none, &s->tree), 0);
}

static size_t sign(const struct checkpoint *c, unsigned cosigners, char note[LIMIT_NOTE_SIZE_MAX])
{
	char text[512];
	size_t text_len, len;

	assert_int_equal(checkpoint_format(c, text, sizeof text, &text_len), 0);
	memcpy(note, text, text_len);
	note[text_len] = '\n';
	len = text_len + 1;
	assert_int_equal(
	        note_sign(&fixture.log[0].key, fixture.log[0].sk, text, text_len, note, LIMIT_NOTE_SIZE_MAX, &len), 0);
	for (unsigned i = 0; i < cosigners; i++)
		assert_int_equal(note_cosign(&fixture.cosigner[i].key, fixture.cosigner[i].sk, 1700000001, text,
		                             text_len, note, LIMIT_NOTE_SIZE_MAX, &len),
		                 0);
	note[len] = '\0';
	return len;
}

static size_t source_note(struct source *s, char note[LIMIT_NOTE_SIZE_MAX], struct checkpoint *ret)
{
	*ret = (struct checkpoint){.origin = FIXTURE_ORIGIN, .size = s->size};
	tree_root(s->tree, &ret->root);
	return sign(ret, 2, note);
}

static struct exportfolder *open_folder(uint64_t from)
{
	struct exportfolder *f;
	char why[512];

	if (exportfolder_open(folder, EXPORTFILE_CHECKPOINT, from, &f, why, sizeof why))
		fail_msg("%s", why);
	return f;
}

static enum verify_outcome outcome(void)
{
	verify_folder(fixture.policy, folder, &options, &result);
	return result.outcome;
}

static bool has(const char *path)
{
	char whole[1024];
	struct stat st;

	snprintf(whole, sizeof whole, "%s/%s", folder, path);
	return stat(whole, &st) == 0;
}

/* --- the tests --- */

/* tlog-tiles: "tile/0/x001/x234/067". Both who write and who verify. */
static void test_paths(void **state)
{
	static const struct {
		unsigned level;
		uint64_t n;
		unsigned width;
		const char *path;
	} rows[] = {
	        {0, 0, 256, "tile/0/000"},
	        {0, 1234067, 256, "tile/0/x001/x234/067"},
	        {1, 255, 1, "tile/1/255.p/1"},
	        {7, 999, 255, "tile/7/999.p/255"},
	        {2, 1000, 256, "tile/2/x001/000"},
	        {TILEPATH_ENTRIES, 273, 112, "tile/entries/273.p/112"},
	        {TILEPATH_ENTRIES, UINT64_MAX, 256, "tile/entries/x018/x446/x744/x073/x709/x551/615"},
	};
	char path[TILEPATH_SIZE], verified[VERIFY_TILE_PATH_SIZE];

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		tilepath(rows[i].level, rows[i].n, rows[i].width, path);
		assert_string_equal(path, rows[i].path);
		verify_tile_path(rows[i].level == TILEPATH_ENTRIES ? VERIFY_TILE_ENTRIES : (int)rows[i].level,
		                 rows[i].n, rows[i].width, verified);
		assert_string_equal(verified, rows[i].path);
	}
}

/* One folder, grown to each size in turn; each is verified alone and against the checkpoint before it. */
static void test_sizes(void **state)
{
	static const struct {
		uint64_t size;
		const char *there, *gone;
	} rows[] = {
	        {1, "tile/entries/000.p/1", "tile/1/000.p/0"},
	        {255, "tile/0/000.p/255", "tile/0/000.p/1"},
	        {256, "tile/1/000.p/1", "tile/entries/000.p"},
	        {257, "tile/entries/001.p/1", "tile/2"},
	        {65536, "tile/1/000", "tile/1/000.p"},
	        {65537, "tile/2/000.p/1", "tile/0/255.p"},
	        {70000, "tile/entries/273.p/112", "tile/entries/256.p"},
	        {70000, "tile/1/001.p/17", "tile/entries/256.p"},
	};
	char note[LIMIT_NOTE_SIZE_MAX], old[LIMIT_NOTE_SIZE_MAX] = "";
	struct checkpoint c;
	struct source s;
	const uint8_t *leaf;
	size_t len;

	(void)state;
	folder_new("sizes");
	source_init(&s);
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct exportfolder *f = open_folder(0);
		assert_int_equal(exportfolder_size(f), s.size);
		while (s.size < rows[i].size) {
			leaf = source_next(&s, &len);
			assert_int_equal(exportfolder_append(f, leaf, len), 0);
		}
		len = source_note(&s, note, &c);
		assert_int_equal(exportfolder_finish(f, &c, note, len), 0);
		exportfolder_close(f);
		assert_true(has(rows[i].there));
		assert_false(has(rows[i].gone));
		options.old = *old ? old : NULL;
		options.old_len = strlen(old);
		if (outcome() != VERIFY_VERIFIED)
			fail_msg("size %llu: %s", (unsigned long long)rows[i].size, result.reason);
		assert_int_equal(result.size, rows[i].size);
		memcpy(old, note, len + 1);
	}
	/* A bundle is gone: without being told so, the verifier cannot tell. */
	char path[1024];
	snprintf(path, sizeof path, "%s/tile/entries/005", folder);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(outcome(), VERIFY_UNDECIDED);
	options.from = 6 * 256;
	assert_int_equal(outcome(), VERIFY_VERIFIED);
	tree_free(s.tree);
}

/* A run that ends before its checkpoint leaves the folder good, and what it wrote is used by the next. */
static void test_interrupted(void **state)
{
	char note[LIMIT_NOTE_SIZE_MAX];
	struct checkpoint c;
	struct source s;
	const uint8_t *leaf;
	bool taken;
	size_t len;

	(void)state;
	folder_new("interrupted");
	source_init(&s);
	struct exportfolder *f = open_folder(0);
	while (s.size < 100) {
		leaf = source_next(&s, &len);
		assert_int_equal(exportfolder_append(f, leaf, len), 0);
	}
	len = source_note(&s, note, &c);
	assert_int_equal(exportfolder_finish(f, &c, note, len), 0);
	exportfolder_close(f);
	f = open_folder(0);
	while (s.size < 700) {
		leaf = source_next(&s, &len);
		assert_int_equal(exportfolder_append(f, leaf, len), 0);
	}
	exportfolder_close(f); /* Two full bundles are behind the checkpoint of 100. */
	assert_int_equal(outcome(), VERIFY_VERIFIED);
	assert_int_equal(result.size, 100);
	f = open_folder(0);
	assert_int_equal(exportfolder_size(f), 100);
	exportfolder_close(f);

	/* Anew, without the checkpoint: both are taken up. */
	char path[1024];
	snprintf(path, sizeof path, "%s/checkpoint", folder);
	assert_int_equal(unlink(path), 0);
	f = open_folder(0);
	assert_int_equal(exportfolder_resume(f, 700, &taken), 0);
	assert_true(taken);
	assert_int_equal(exportfolder_resume(f, 700, &taken), 0);
	assert_true(taken);
	assert_int_equal(exportfolder_resume(f, 700, &taken), 0);
	assert_false(taken);
	assert_int_equal(exportfolder_size(f), 512);
	/* An entry of another ledger does not follow, and a root that is another writes no checkpoint. */
	leaf = source_next(&s, &len);
	assert_int_equal(exportfolder_append(f, leaf, len), CS_ERR_REFUTED);
	c.size = 512;
	assert_int_equal(exportfolder_finish(f, &c, note, len), CS_ERR_REFUTED);
	assert_false(has("checkpoint"));
	exportfolder_close(f);
	tree_free(s.tree);
}

/* The fixture's ledger in a folder; `cosigners` lines beside the log's. */
static size_t fixture_folder(const char *name, uint64_t size, unsigned cosigners, char note[LIMIT_NOTE_SIZE_MAX])
{
	struct checkpoint c = {.origin = FIXTURE_ORIGIN, .size = size};
	size_t len;

	folder_new(name);
	struct exportfolder *f = open_folder(0);
	for (uint64_t i = 0; i < size; i++)
		assert_int_equal(exportfolder_append(f, fixture.entry[i].leaf, fixture.entry[i].leaf_len), 0);
	fixture_root(&fixture, size, &c.root);
	len = sign(&c, cosigners, note);
	assert_int_equal(exportfolder_finish(f, &c, note, len), 0);
	exportfolder_close(f);
	return len;
}

/* Flips each bit of a file; returns how often it was verified all the same. */
static unsigned flip_file(const char *name, bool cosignatures_too)
{
	char path[1024];
	unsigned harmless = 0;
	uint8_t byte;

	snprintf(path, sizeof path, "%s/%s", folder, name);
	int fd = open(path, O_RDWR | O_CLOEXEC);
	assert_true(fd >= 0);
	off_t size = lseek(fd, 0, SEEK_END);
	assert_true(size > 0);
	for (off_t bit = 0; bit < size * 8; bit++) {
		assert_int_equal(pread(fd, &byte, 1, bit / 8), 1);
		uint8_t flipped = (uint8_t)(byte ^ 1 << bit % 8);
		assert_int_equal(pwrite(fd, &flipped, 1, bit / 8), 1);
		if (outcome() == VERIFY_VERIFIED) {
			/* The one harmless case: a spare cosigner's line becomes an unknown key's, and one less has
			 * cosigned. */
			assert_true(cosignatures_too && result.n_cosignatures == FIXTURE_NODES - 1);
			harmless++;
		} else if (!cosignatures_too && strcmp(name, "checkpoint") != 0) {
			assert_int_equal(result.outcome, VERIFY_REFUTED);
			assert_true(result.has_bad_index);
		}
		assert_int_equal(pwrite(fd, &byte, 1, bit / 8), 1);
	}
	close(fd);
	assert_int_equal(outcome(), VERIFY_VERIFIED);
	return harmless;
}

static void test_every_bit(void **state)
{
	char note[LIMIT_NOTE_SIZE_MAX];

	(void)state;
	fixture_folder("bits", 4, 2, note);
	assert_int_equal(flip_file("tile/entries/000.p/4", false), 0);
	assert_int_equal(flip_file("tile/0/000.p/4", false), 0);
	assert_int_equal(flip_file("checkpoint", false), 0);
	/* With a third cosignature, where two are the quorum: its name and its key id may become another's. */
	fixture_folder("spare", 2, FIXTURE_NODES, note);
	unsigned harmless = flip_file("checkpoint", true);
	assert_true(harmless > 0);
	print_message("checkpoint with a spare cosignature: %u harmless bits, in its names and key ids\n", harmless);
}

static void test_refused(void **state)
{
	char note[LIMIT_NOTE_SIZE_MAX], path[1024];
	struct checkpoint c = {.origin = FIXTURE_ORIGIN, .size = 7};

	(void)state;
	size_t len = fixture_folder("refused", FIXTURE_ENTRIES, 2, note);
	/* An older checkpoint, signed and cosigned, of another ledger's root. */
	memset(c.root.b, 0x5a, sizeof c.root.b);
	char old[LIMIT_NOTE_SIZE_MAX];
	options.old = old;
	options.old_len = sign(&c, 2, old);
	assert_int_equal(outcome(), VERIFY_REFUTED);
	assert_non_null(strstr(result.reason, "has not grown"));
	/* One that only its signer vouches for. */
	fixture_root(&fixture, 7, &c.root);
	options.old_len = sign(&c, 0, old);
	assert_int_equal(outcome(), VERIFY_UNDECIDED);
	options.old_len = sign(&c, 2, old);
	assert_int_equal(outcome(), VERIFY_VERIFIED);
	options.old = NULL;
	/* The leader's claim alone is no verification. */
	c.size = FIXTURE_ENTRIES;
	fixture_root(&fixture, c.size, &c.root);
	len = sign(&c, 1, note);
	snprintf(path, sizeof path, "%s/checkpoint", folder);
	int fd = open(path, O_WRONLY | O_TRUNC | O_CLOEXEC);
	assert_int_equal(write(fd, note, len), len);
	close(fd);
	assert_int_equal(outcome(), VERIFY_UNDECIDED);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(outcome(), VERIFY_UNDECIDED);
	/* The tiles no longer give the root: not carried on. */
	fixture_folder("carried", 5, 2, note);
	snprintf(path, sizeof path, "%s/tile/0/000.p/5", folder);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	assert_int_equal(pwrite(fd, "x", 1, 40), 1);
	close(fd);
	struct exportfolder *f;
	assert_int_equal(exportfolder_open(folder, EXPORTFILE_CHECKPOINT, 0, &f, path, sizeof path), CS_ERR_DAMAGED);
}

/* A log that others have published: its tiles and bundles hold; that its entries are not ours is said of the first. */
static void test_published(void **state)
{
	static const char text[] =
	        "log example.com/log/testdata+33d7b496+AeHTu4Q3hEIMHNqc6fASMsq3rKNx280NI+oO5xCFkkSx\nquorum none\n";
	struct verify_policy *p;
	char reason[128];

	(void)state;
	folder_new("published");
	vectors_path(folder, sizeof folder, "tlog/log");
	assert_int_equal(verify_policy_parse(text, strlen(text), &p, reason, sizeof reason), 0);
	options.from = 256; /* Hashes only: tiles against the root. */
	verify_folder(p, folder, &options, &result);
	assert_int_equal(result.outcome, VERIFY_UNDECIDED);
	assert_non_null(strstr(result.reason, "the leader's claim only"));
	options.from = 0;
	verify_folder(p, folder, &options, &result);
	assert_int_equal(result.outcome, VERIFY_REFUTED);
	assert_int_equal(result.bad_index, 0);
	verify_policy_free(p);
}

/* --- stores --- */

static void store_make(char note[LIMIT_NOTE_SIZE_MAX])
{
	struct checkpoint c = {.origin = FIXTURE_ORIGIN, .size = FIXTURE_ENTRIES - 1};
	const struct store_options o = {.map_size = 1 << 20, .create = true};
	struct store_entry e[FIXTURE_ENTRIES];
	struct store *s;

	assert_int_equal(mkdir(folder, 0777), 0);
	assert_int_equal(store_open(folder, &o, &s), 0);
	for (unsigned i = 0; i < FIXTURE_ENTRIES; i++)
		e[i] = (struct store_entry){.leaf = fixture.entry[i].leaf,
		                            .body = fixture.entry[i].body,
		                            .leaf_len = (uint32_t)fixture.entry[i].leaf_len,
		                            .body_len = (uint32_t)fixture.entry[i].body_len,
		                            .leaf_hash = fixture.entry[i].hash};
	fixture_root(&fixture, c.size, &c.root);
	size_t len = sign(&c, 2, note);
	assert_int_equal(store_begin(s), 0);
	assert_int_equal(store_append(s, 0, e, FIXTURE_ENTRIES), 0);
	assert_int_equal(store_applied(s, 1, 1), 0);
	assert_int_equal(store_put_checkpoint(s, c.size, note, len), 0);
	assert_int_equal(store_commit(s), 0);
	store_close(s);
}

static enum verify_outcome store_outcome(void)
{
	verify_store(fixture.policy, folder, &options, &result);
	return result.outcome;
}

/* Flips bits of these bytes wherever they lie in the store's file; each must be found. */
static void flip_in_store(int fd, const void *bytes, size_t len, size_t step)
{
	static uint8_t file[1 << 20];
	ssize_t size = pread(fd, file, sizeof file, 0);
	const uint8_t *at = memmem(file, (size_t)size, bytes, len);

	assert_non_null(at);
	for (size_t bit = 0; bit < len * 8; bit += step) {
		off_t offset = at - file + (off_t)(bit / 8);
		uint8_t flipped = (uint8_t)(at[bit / 8] ^ 1 << bit % 8);

		assert_int_equal(pwrite(fd, &flipped, 1, offset), 1);
		if (store_outcome() == VERIFY_VERIFIED)
			fail_msg("bit %zu: %s", bit, result.reason);
		assert_int_equal(pwrite(fd, &at[bit / 8], 1, offset), 1);
	}
}

static void test_store(void **state)
{
	char note[LIMIT_NOTE_SIZE_MAX], path[1024];

	(void)state;
	folder_new("store");
	store_make(note);
	assert_int_equal(store_outcome(), VERIFY_VERIFIED);
	assert_int_equal(result.size, FIXTURE_ENTRIES - 1);
	options.bodies = true;
	assert_int_equal(store_outcome(), VERIFY_VERIFIED);
	snprintf(path, sizeof path, "%s/data.mdb", folder);
	int fd = open(path, O_RDWR | O_CLOEXEC);
	for (unsigned i = 0; i < FIXTURE_ENTRIES - 1; i += 5) {
		flip_in_store(fd, fixture.entry[i].leaf, fixture.entry[i].leaf_len, 3);
		flip_in_store(fd, fixture.entry[i].body, fixture.entry[i].body_len, 3);
	}
	flip_in_store(fd, fixture.entry[0].hash.b, HASH_SIZE, 1);
	flip_in_store(fd, note, strlen(note), 1);
	close(fd);
	assert_int_equal(store_outcome(), VERIFY_VERIFIED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_paths),     cmocka_unit_test(test_sizes),   cmocka_unit_test(test_interrupted),
	        cmocka_unit_test(test_every_bit), cmocka_unit_test(test_refused), cmocka_unit_test(test_published),
	        cmocka_unit_test(test_store),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
