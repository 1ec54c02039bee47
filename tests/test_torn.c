/* What a crash leaves of the log: each pattern of sectors; what was torn is cut off, and never comes back. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "ledger/errors.h"
#include "node/disk/sector.h"
#include "tests/disk_kit.h"

#define BIG (300u << 10) /* Five of them fill a segment. */

static struct kit k;

static int setup(void **state)
{
	(void)state;
	kit_init(&k, true);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	memset(&kit_faults, 0, sizeof kit_faults);
	kit_free(&k);
	return 0;
}

/* The log before its last write and after it; its sectors. */
struct last {
	struct kit_folder before, after;
	char name[32];
	uint32_t at, n;
	struct kit_entry entry;
};

static bool same(const struct last *l, uint32_t sector)
{
	struct kit_file *a = kit_file((struct kit_folder *)&l->before, l->name);
	struct kit_file *b = kit_file((struct kit_folder *)&l->after, l->name);

	return memcmp(a->bytes + (size_t)sector * SECTOR_SIZE, b->bytes + (size_t)sector * SECTOR_SIZE, SECTOR_SIZE) ==
	       0;
}

/* One more entry, and its write's place. The next segment may have been prepared by then, or not: that is put aside. */
static void last_write(struct last *l, uint64_t number, uint32_t len)
{
	kit_restart(&k);
	kit_close(&k);
	kit_save(&k, &l->before);
	kit_start(&k);
	kit_add(&k, 5, 1, len);
	kit_close(&k);
	kit_save(&k, &l->after);
	kit_segment(l->name, number);
	l->entry = k.model[--k.n];
	for (l->at = 0; same(l, l->at);)
		l->at++;
	for (l->n = 0;
	     (size_t)(l->at + l->n) * SECTOR_SIZE < kit_file(&l->after, l->name)->len && !same(l, l->at + l->n);)
		l->n++;
	assert_int_equal(l->at % BLOCK_SECTORS, 0);
	assert_int_equal(l->n % BLOCK_SECTORS, 0);
}

static void last_free(struct last *l)
{
	kit_folder_free(&l->before);
	kit_folder_free(&l->after);
}

/* Which sectors of the write reached the disk. */
enum pattern { ONE_NEW, ONE_OLD, PREFIX, SUFFIX, EVEN, ODD, PATTERNS };

static bool is_new(enum pattern p, uint32_t j, uint32_t i)
{
	switch (p) {
	case ONE_NEW:
		return i == j;
	case ONE_OLD:
		return i != j;
	case PREFIX:
		return i < j;
	case SUFFIX:
		return i >= j;
	case EVEN:
		return i % 2 == 0;
	default:
		return i % 2 == 1;
	}
}

static unsigned mix(const struct last *l, enum pattern p, uint32_t j, uint8_t *bytes)
{
	const struct kit_file *old = kit_file((struct kit_folder *)&l->before, l->name);
	const struct kit_file *new = kit_file((struct kit_folder *)&l->after, l->name);
	unsigned n = 0;

	memcpy(bytes, old->bytes, old->len);
	for (uint32_t i = 0; i < l->n; i++) {
		size_t at = (size_t)(l->at + i) * SECTOR_SIZE;
		if (!is_new(p, j, i))
			continue;
		memcpy(bytes + at, new->bytes + at, SECTOR_SIZE);
		n++;
	}
	return n;
}

/* After a crash: nothing acknowledged is lost, the torn write is gone for good, and the log goes on. */
static void crash_once(const struct last *l, enum pattern p, uint32_t j, uint8_t *bytes)
{
	unsigned n = mix(l, p, j, bytes);
	struct disk_status status;

	kit_restore(&k, &l->before);
	kit_write_file(&k, l->name, bytes, kit_file((struct kit_folder *)&l->before, l->name)->len);
	if (n == l->n)
		k.model[k.n++] = l->entry; /* All of it arrived: it was never acknowledged, but may be there. */
	kit_start(&k);
	disk_status(k.disk, &status);
	assert_int_equal(status.torn, n > 0 && n < l->n);
	kit_add(&k, 6, 1, 8); /* Shorter than what was torn: its rest must not be seen behind it. */
	kit_restart(&k);
	disk_status(k.disk, &status);
	assert_false(status.torn);
	kit_add(&k, 6, 1, 20000);
	kit_restart(&k);
	kit_close(&k);
	k.n -= n == l->n ? 3 : 2;
}

static void crash_everywhere(const struct last *l, uint32_t step)
{
	uint8_t *bytes = malloc(kit_file((struct kit_folder *)&l->before, l->name)->len);

	assert_non_null(bytes);
	for (uint32_t j = 0; j < l->n; j += step)
		for (enum pattern p = 0; p < PATTERNS; p++)
			if (p < EVEN || j == 0)
				crash_once(l, p, j, bytes);
	free(bytes);
}

static void begin(void)
{
	kit_start(&k);
	assert_int_equal(k.io.set_term(&k.io, 9), 0);
}

static void a_torn_write_of_one_block(void **state)
{
	struct last l;

	(void)state;
	begin();
	kit_add(&k, 5, 10, 700);
	last_write(&l, 1, 100);
	assert_int_equal(l.n, 8);
	crash_everywhere(&l, 1);
	last_free(&l);
}

static void a_torn_write_of_many_blocks(void **state)
{
	struct last l;

	(void)state;
	begin();
	kit_add(&k, 5, 10, 700);
	last_write(&l, 1, 9000);
	assert_int_equal(l.n, 24);
	crash_everywhere(&l, 1);
	last_free(&l);
}

static void the_first_write_of_all_torn(void **state)
{
	struct last l;

	(void)state;
	begin();
	last_write(&l, 1, 100);
	assert_int_equal(l.at, 0);
	crash_everywhere(&l, 1);
	last_free(&l);
}

static void a_torn_write_at_a_segment_s_begin(void **state)
{
	struct last l;

	(void)state;
	begin();
	for (unsigned i = 0; i < 5; i++)
		kit_add(&k, 5, 1, BIG);
	while (kit_count_segments(&k) < 2)
		uv_run(&k.loop, UV_RUN_NOWAIT);
	last_write(&l, 2, BIG);
	assert_int_equal(l.at, 0);
	crash_everywhere(&l, 97);
	last_free(&l);
}

/* What was there before is not blank, but of the file's earlier life. */
static void a_torn_write_in_a_segment_used_again(void **state)
{
	struct last l;
	uint64_t number = 0;

	(void)state;
	k.trailing = 1;
	begin();
	for (unsigned round = 0; round < 4; round++) {
		for (unsigned i = 0; i < 8; i++)
			kit_add(&k, 5, 1, BIG);
		kit_put(&k, kit_last(&k), 5, 1);
		kit_restart(&k);
	}
	kit_close(&k);
	assert_int_equal(kit_open(&k), 0);
	number = disk_scan(k.disk)->number;
	assert_true(number >= 5);
	kit_load(&k);
	last_write(&l, number, 9000);
	assert_int_equal(l.n, 24);
	crash_everywhere(&l, 5);
	last_free(&l);
}

/* Blanking what was torn is a write too: each sector of it may be blank already, or not yet. */
static void a_crash_while_what_was_torn_is_made_blank(void **state)
{
	struct last l;
	struct kit_folder blanked;
	uint8_t *torn = malloc(DISK_SEGMENT_SIZE_MIN);

	(void)state;
	begin();
	kit_add(&k, 5, 10, 700);
	last_write(&l, 1, 9000);
	for (enum pattern tear = ONE_OLD; tear <= EVEN; tear += EVEN - ONE_OLD) {
		mix(&l, tear, 5, torn);
		kit_restore(&k, &l.before);
		kit_write_file(&k, l.name, torn, DISK_SEGMENT_SIZE_MIN);
		kit_start(&k);
		kit_close(&k);
		kit_save(&k, &blanked);
		struct last again = {.before = l.before, .after = blanked, .at = l.at, .n = l.n};
		struct kit_file *base = kit_file(&again.before, l.name);
		uint8_t *old = base->bytes;
		memcpy(again.name, l.name, sizeof again.name);
		base->bytes = torn;
		uint8_t *bytes = malloc(DISK_SEGMENT_SIZE_MIN);
		for (uint32_t j = 0; j < l.n; j += 5) {
			for (enum pattern p = 0; p < (j == 0 ? PATTERNS : EVEN); p++) {
				mix(&again, p, j, bytes);
				kit_restore(&k, &l.before);
				kit_write_file(&k, l.name, bytes, DISK_SEGMENT_SIZE_MIN);
				kit_start(&k);
				kit_add(&k, 6, 1, 8);
				kit_restart(&k);
				kit_close(&k);
				k.n--;
			}
		}
		free(bytes);
		base->bytes = old;
		kit_folder_free(&blanked);
	}
	free(torn);
	last_free(&l);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
	        T(a_torn_write_of_one_block),
	        T(a_torn_write_of_many_blocks),
	        T(the_first_write_of_all_torn),
	        T(a_torn_write_at_a_segment_s_begin),
	        T(a_torn_write_in_a_segment_used_again),
	        T(a_crash_while_what_was_torn_is_made_blank),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
