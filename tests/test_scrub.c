/* Every byte of a small store flipped: the scrubber names it, or FLIPS.md says why it is harmless. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "ledger/bytes.h"
#include "ledger/errors.h"
#include "ledger/scrub.h"
#include "ledger/tree.h"
#include "node/scrubber_internal.h"
#include "tests/flip_regions.h"
#include "tests/store_kit.h"
#include "tests/verify_fixture.h"

#define NOTE_SIZE (FIXTURE_ENTRIES - 1)

static struct fixture fixture;
static struct scrubber node; /* For its check of signatures; it has no thread. */
static struct scrub scrub;
static struct store_head head;
static struct image image;
static unsigned found;
static char found_text[128];

/* --- a small store --- */

static void store_fill(struct store *s)
{
	static char large[3000]; /* It has pages of its own. */
	const char *const values[] = {"the state's head", "a subject", large};
	struct store_entry e[FIXTURE_ENTRIES];
	struct store_record records[3];
	uint8_t keys[3][9];
	char note[LIMIT_NOTE_SIZE_MAX];

	memset(large, 'x', sizeof large - 1);
	for (unsigned i = 0; i < FIXTURE_ENTRIES; i++)
		e[i] = (struct store_entry){.leaf = fixture.entry[i].leaf,
		                            .body = fixture.entry[i].body,
		                            .leaf_len = (uint32_t)fixture.entry[i].leaf_len,
		                            .body_len = (uint32_t)fixture.entry[i].body_len,
		                            .leaf_hash = fixture.entry[i].hash};
	size_t len = fixture_checkpoint(&fixture, NOTE_SIZE, (struct fixture_signers){.logs = 1, .cosigners = 7}, note);
	/* In two commits, so that there are pages that were freed. */
	for (unsigned part = 0; part < 2; part++) {
		assert_int_equal(store_begin(s), 0);
		assert_int_equal(store_append(s, part * 6, e + part * 6, part ? FIXTURE_ENTRIES - 6 : 6), 0);
		assert_int_equal(store_applied(s, 10 + part, 2), 0);
		if (part)
			assert_int_equal(store_put_checkpoint(s, NOTE_SIZE, note, len), 0);
		assert_int_equal(store_put_meta(s, "fetched", "\0\0\0\0\0\0\0\7", 8), 0);
		assert_int_equal(store_commit(s), 0);
		for (unsigned i = 0; i < 3; i++) {
			keys[i][0] = i ? 'S' : 'H';
			put_u64be(keys[i] + 1, i);
			records[i] = (struct store_record){.key = keys[i],
			                                   .value = values[i],
			                                   .key_len = 9,
			                                   .value_len = (uint32_t)strlen(values[i])};
		}
		assert_int_equal(store_write_state(s, records, 2 + part, 10 + part, 2), 0);
	}
}

static int setup(void **state)
{
	(void)state;
	fixture_init(&fixture);
	assert_int_equal(store_kit_folder_make(NULL), 0);
	struct store *s = store_kit_writer_open();
	store_fill(s);
	store_head(s, &head);
	store_close(s);
	pthread_mutex_init(&node.lock, NULL);
	node.o.origin = FIXTURE_ORIGIN;
	node.keys_whole = true;
	for (unsigned i = 0; i < FIXTURE_NODES; i++) {
		memcpy(node.keys[node.n_keys++], fixture.log[i].key.pub, 32);
		memcpy(node.keys[node.n_keys++], fixture.cosigner[i].key.pub, 32);
	}
	char path[512];
	store_kit_file_path(path, sizeof path, "data.mdb");
	image_read(&image, path);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	image_free(&image);
	fixture_free(&fixture);
	return store_kit_folder_remove(NULL);
}

/* --- scrubbing it from memory --- */

static void on_found(void *ctx, const struct scrub_find *f)
{
	(void)ctx;
	if (!found++)
		scrub_find_text(f, found_text, sizeof found_text);
}

/* Four signatures cost more than all the rest: as long as the note is what it was, they are what they were. */
static const char *signatures(void *ctx, const struct note *n)
{
	static const char *verdict;
	static char last[LIMIT_NOTE_SIZE_MAX];
	static size_t last_len;
	const struct note_signature *line = &n->signatures[n->n_signatures - 1];
	size_t len = (size_t)(line->name + line->name_len + 104 - n->text);

	if (len != last_len || memcmp(last, n->text, len) != 0) {
		verdict = scrubber_signatures(ctx, n);
		memcpy(last, n->text, len);
		last_len = len;
	}
	return verdict;
}

/* True: something is named. */
static bool scrubbed(uint64_t txn_id)
{
	const struct pages_source source = {.read = image_source, .ctx = &image};

	found = 0;
	scrub.origin = FIXTURE_ORIGIN;
	scrub.found = on_found;
	scrub.signatures = signatures;
	scrub.ctx = &node;
	int err = scrub_begin(&scrub, &source, txn_id, &head);
	if (!err)
		err = scrub_all(&scrub);
	scrub_end(&scrub);
	assert_int_not_equal(err, CS_ERR_NOMEM);
	return err || found;
}

static void test_whole(void **state)
{
	(void)state;
	if (scrubbed(image.txn_id))
		fail_msg("a sound store: %s", found_text);
}

static void fail_place(size_t at, size_t bit)
{
	char around[3 * 32 + 1];

	for (size_t i = 0; i < 32; i++)
		snprintf(around + 3 * i, 4, "%02x ", image.bytes[at - 16 + i]);
	fail_msg("byte %zu (page %zu, offset %zu), bit %zu: nothing is named; from 16 bytes before: %s", at,
	         at / image.page_size, at % image.page_size, bit, around);
}

/*
 * With every byte, one bit of it, another one from byte to byte; CS_FLIP_BITS=all: each. What is not named must be in a
 * place that FLIPS.md lists, and each place that it lists must be met.
 */
static void test_flips(void **state)
{
	const char *mode = getenv("CS_FLIP_BITS");
	bool all = mode && strcmp(mode, "all") == 0;
	unsigned long named[REGIONS] = {0}, harmless[REGIONS] = {0};

	(void)state;
	image_regions(&image);
	for (size_t bit = 0; bit < image.len * 8; bit++) {
		size_t at = bit / 8;
		if (image.region[at] == REGION_FREE || (!all && bit % 8 != at % 8))
			continue; /* A page that nothing leads to is not read. */
		image.bytes[at] ^= (uint8_t)(1u << bit % 8);
		bool hit = scrubbed(image.txn_id);
		image.bytes[at] ^= (uint8_t)(1u << bit % 8);
		named[image.region[at]] += hit;
		harmless[image.region[at]] += !hit;
		if (!hit && image.region[at] == REGION_READ)
			fail_place(at, bit % 8);
	}
	for (unsigned r = 0; r < REGIONS; r++)
		print_message("%-18s named %7lu, not named %7lu\n", region_name(r), named[r], harmless[r]);
	assert_true(named[REGION_READ] > 10000 / (all ? 1 : 8));
}

/* FLIPS.md's table has exactly the places of this file, in their order. */
static void test_list(void **state)
{
	char path[1024], line[2048];
	unsigned r = REGION_READ + 1;

	(void)state;
	snprintf(path, sizeof path, "%s/tests/FLIPS.md", getenv("srcdir") ? getenv("srcdir") : ".");
	FILE *f = fopen(path, "re");
	assert_non_null(f);
	while (fgets(line, sizeof line, f)) {
		char want[64];
		if (strncmp(line, "| ", 2) != 0 || strncmp(line, "| place", 7) == 0)
			continue;
		assert_true(r < REGIONS);
		snprintf(want, sizeof want, "| %s |", region_name(r));
		if (strncmp(line, want, strlen(want)) != 0)
			fail_msg("FLIPS.md: \"%s\" stands where \"%s\" belongs", line, region_name(r));
		r++;
	}
	fclose(f);
	assert_int_equal(r, REGIONS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_whole),
	        cmocka_unit_test(test_flips),
	        cmocka_unit_test(test_list),
	};

	return cmocka_run_group_tests_name("scrub", tests, setup, teardown);
}
