/* The record kept twice: one copy torn, damaged, unreadable or gone does no harm; the loss of both is told. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "ledger/errors.h"
#include "node/disk/twin.h"
#include "tests/disk_kit.h"

#define LEN 300

static struct kit k; /* For its folder. */
static struct twin t;
static int dir = -1;
static const char *const names[] = {"it-1", "it-2"};

static int setup(void **state)
{
	(void)state;
	kit_init(&k, false);
	dir = open(k.dir, O_RDONLY | O_DIRECTORY);
	return dir < 0;
}

static int teardown(void **state)
{
	(void)state;
	twin_close(&t);
	close(dir);
	memset(&kit_faults, 0, sizeof kit_faults);
	kit_free(&k);
	return 0;
}

static void write_value(unsigned value, size_t len)
{
	uint8_t bytes[LEN];

	kit_fill(bytes, value, 1, LEN);
	assert_int_equal(twin_write(&t, bytes, len), 0);
}

static void holds(unsigned value, size_t len)
{
	uint8_t want[LEN];

	kit_fill(want, value, 1, LEN);
	assert_int_equal(t.len, len);
	assert_memory_equal(t.bytes, want, len);
}

static int reopen(void)
{
	twin_close(&t);
	return twin_open(&t, dir, "it", NULL);
}

/* Folders before and after a write: what a crash within it mixes. */
static void two_folders(struct kit_folder *before, struct kit_folder *after)
{
	assert_int_equal(reopen(), 0);
	write_value(1, LEN);
	kit_save(&k, before);
	write_value(2, LEN - 40);
	kit_save(&k, after);
	twin_close(&t);
}

static void comes_back(void **state)
{
	(void)state;
	assert_int_equal(reopen(), 0);
	assert_int_equal(t.generation, 0);
	assert_int_equal(reopen(), 0);
	assert_int_equal(t.generation, 0);
	for (unsigned i = 1; i < 10; i++) {
		write_value(i, LEN - 8 * i);
		assert_int_equal(reopen(), 0);
		assert_false(t.mended);
		assert_int_equal(t.generation, i);
		holds(i, LEN - 8 * i);
	}
}

static void the_first_write_may_be_torn(void **state)
{
	struct kit_folder f;

	(void)state;
	assert_int_equal(reopen(), 0);
	write_value(1, LEN);
	kit_save(&k, &f);
	for (size_t n = 0; n < kit_file(&f, "it-1")->len; n++) {
		kit_write_file(&k, "it-1", kit_file(&f, "it-1")->bytes, n);
		kit_write_file(&k, "it-2", "", 0);
		assert_int_equal(reopen(), 0);
		assert_int_equal(t.generation, 0);
	}
	kit_folder_free(&f);
}

static bool is_short(const uint8_t *bytes, size_t len)
{
	(void)bytes;
	return len < LEN;
}

/* A newer record of another twin, written to the wrong file: it must not take the place of the right copy. */
static void another_twins_record_is_no_copy(void **state)
{
	struct kit_folder f;

	(void)state;
	assert_int_equal(reopen(), 0);
	write_value(1, LEN - 8);
	kit_save(&k, &f);
	write_value(2, LEN);
	kit_write_file(&k, "it-2", kit_file(&f, "it-2")->bytes, kit_file(&f, "it-2")->len);
	twin_close(&t);
	assert_int_equal(twin_open(&t, dir, "it", is_short), 0);
	assert_true(t.mended);
	assert_int_equal(t.generation, 1);
	holds(1, LEN - 8);
	kit_folder_free(&f);
}

/* At any byte, which is more than a disk does: the one before or the new one. */
static void a_torn_write_leaves_the_one_or_the_other(void **state)
{
	struct kit_folder before, after;

	(void)state;
	two_folders(&before, &after);
	for (unsigned which = 0; which < 2; which++) {
		struct kit_file *old = kit_file(&before, names[which]), *new = kit_file(&after, names[which]);
		uint8_t *mix = malloc(old->len);
		assert_non_null(mix);
		for (size_t n = 0; n <= new->len; n++) {
			memcpy(mix, old->bytes, old->len);
			memcpy(mix, new->bytes, n);
			kit_restore(&k, which ? &after : &before);
			kit_write_file(&k, names[which], mix, old->len);
			assert_int_equal(reopen(), 0);
			bool is_new = memcmp(mix, new->bytes, new->len) == 0,
			     is_old = memcmp(mix, old->bytes, old->len) == 0;
			if (which == 0 && !is_new)
				holds(1, LEN);
			else
				holds(2, LEN - 40);
			assert_int_equal(t.mended, which == 0 ? !is_old : !is_new);
			assert_int_equal(reopen(), 0);
			assert_false(t.mended); /* Both are whole again. */
		}
		free(mix);
	}
	kit_folder_free(&before);
	kit_folder_free(&after);
}

/* 0: flipped bit, 1: zeroed, 2: cut off, 3: emptied, 4: gone, 5: of another record. */
static void damage(const struct kit_folder *f, const char *name, unsigned how, size_t at)
{
	struct kit_file *file = kit_file((struct kit_folder *)f, name);
	uint8_t *bytes = malloc(file->len);

	assert_non_null(bytes);
	memcpy(bytes, file->bytes, file->len);
	bytes[at] ^= (uint8_t)(1u << at % 8);
	if (how == 1)
		memset(bytes, 0, file->len);
	if (how == 5)
		memset(bytes, 'x', file->len);
	if (how == 4)
		kit_remove_file(&k, name);
	else
		kit_write_file(&k, name, bytes, how == 2 ? at : how == 3 ? 0 : file->len);
	free(bytes);
}

static void one_copy_is_enough(void **state)
{
	struct kit_folder f;

	(void)state;
	assert_int_equal(reopen(), 0);
	write_value(1, LEN);
	write_value(2, LEN);
	kit_save(&k, &f);
	for (unsigned which = 0; which < 2; which++) {
		for (unsigned how = 0; how < 6; how++) {
			for (size_t at = 0; at < kit_file(&f, "it-1")->len; at += how == 0 || how == 2 ? 1 : 1000) {
				damage(&f, names[which], how, at);
				assert_int_equal(reopen(), 0);
				holds(2, LEN);
				assert_true(t.mended);
				twin_close(&t);
				kit_expect_folder(&k, &f);
			}
		}
	}
	kit_folder_free(&f);
}

static void both_damaged_is_told(void **state)
{
	struct kit_folder f;

	(void)state;
	assert_int_equal(reopen(), 0);
	write_value(1, LEN);
	kit_save(&k, &f);
	for (unsigned how = 0; how < 6; how++) {
		damage(&f, "it-1", how, 50);
		damage(&f, "it-2", 0, 60);
		assert_int_equal(reopen(), CS_ERR_DAMAGED);
	}
	kit_folder_free(&f);
}

static void an_older_copy_is_not_taken(void **state)
{
	struct kit_folder before, after;

	(void)state;
	two_folders(&before, &after);
	for (unsigned which = 0; which < 2; which++) {
		kit_write_file(&k, names[which], kit_file(&before, names[which])->bytes,
		               kit_file(&before, names[which])->len);
		assert_int_equal(reopen(), 0);
		holds(2, LEN - 40);
		assert_true(t.mended);
	}
	kit_folder_free(&before);
	kit_folder_free(&after);
}

static void a_copy_that_cannot_be_read_is_written_again(void **state)
{
	(void)state;
	assert_int_equal(reopen(), 0);
	write_value(1, LEN);
	for (unsigned which = 0; which < 2; which++) {
		kit_faults.read_name = names[which];
		kit_faults.read_all = true;
		assert_int_equal(reopen(), 0);
		holds(1, LEN);
		assert_true(t.mended);
	}
	kit_faults.read_name = "/it-";
	assert_int_equal(reopen(), CS_ERR_DAMAGED);
	/* Nor is one that cannot be read taken for one that was never written. */
	kit_write_file(&k, "it-2", "", 0);
	kit_faults.read_name = "it-1";
	assert_int_equal(reopen(), CS_ERR_DAMAGED);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
	        T(comes_back),
	        T(the_first_write_may_be_torn),
	        T(another_twins_record_is_no_copy),
	        T(a_torn_write_leaves_the_one_or_the_other),
	        T(one_copy_is_enough),
	        T(both_damaged_is_told),
	        T(an_older_copy_is_not_taken),
	        T(a_copy_that_cannot_be_read_is_written_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
