/* Room on the disk and in the map: levels, where they begin and end, and what is said of them. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "ledger/errors.h"
#include "node/space.h"

#define MIB UINT64_C(1048576)

static enum space_what what;

static enum space_level disk(uint64_t free_mib, enum space_level before)
{
	struct space s = {.disk_free = free_mib * MIB,
	                  .disk_size = 40960 * MIB,
	                  .map_free = 65536 * MIB,
	                  .map_size = 65536 * MIB};

	return space_level(&s, 512 * MIB, 0, before, &what);
}

static void levels_of_the_disk(void **state)
{
	(void)state;
	assert_int_equal(disk(40000, SPACE_PLENTY), SPACE_PLENTY);
	assert_int_equal(disk(512, SPACE_PLENTY), SPACE_PLENTY);
	assert_int_equal(disk(511, SPACE_PLENTY), SPACE_LOW);
	assert_int_equal(disk(256, SPACE_PLENTY), SPACE_LOW);
	assert_int_equal(disk(255, SPACE_PLENTY), SPACE_SHORT);
	assert_int_equal(disk(127, SPACE_PLENTY), SPACE_FULL);
	assert_int_equal(disk(0, SPACE_LOW), SPACE_FULL);
	assert_int_equal(what, SPACE_DISK);
}

/* A level ends an eighth of the reserve above where it began. */
static void levels_do_not_flap(void **state)
{
	(void)state;
	assert_int_equal(disk(512, SPACE_LOW), SPACE_LOW);
	assert_int_equal(disk(575, SPACE_LOW), SPACE_LOW);
	assert_int_equal(disk(576, SPACE_LOW), SPACE_PLENTY);
	assert_int_equal(disk(300, SPACE_SHORT), SPACE_SHORT);
	assert_int_equal(disk(320, SPACE_SHORT), SPACE_LOW);
	assert_int_equal(disk(191, SPACE_FULL), SPACE_FULL);
	assert_int_equal(disk(192, SPACE_FULL), SPACE_SHORT);
	assert_int_equal(disk(40000, SPACE_FULL), SPACE_PLENTY);
}

static void levels_of_the_map(void **state)
{
	struct space s = {
	        .disk_free = 40000 * MIB, .disk_size = 40960 * MIB, .map_free = 2 * MIB, .map_size = 16 * MIB};
	char text[128];

	(void)state;
	/* Of a small map an eighth is kept, not half a gigabyte. */
	assert_int_equal(space_level(&s, 512 * MIB, 0, SPACE_PLENTY, &what), SPACE_PLENTY);
	/* What is on its way to it counts, twice. */
	assert_int_equal(space_level(&s, 512 * MIB, MIB / 4, SPACE_PLENTY, &what), SPACE_LOW);
	assert_int_equal(what, SPACE_MAP);
	space_text(&s, 512 * MIB, what, text, sizeof text);
	assert_non_null(strstr(text, "2 MiB free of 16, 2 kept (map_size_mib)"));
	assert_int_equal(space_level(&s, 512 * MIB, 100 * MIB, SPACE_PLENTY, &what), SPACE_FULL);
	/* The scarcer one is named. */
	s.map_free = MIB;
	s.disk_free = 500 * MIB;
	assert_int_equal(space_level(&s, 512 * MIB, MIB / 8, SPACE_PLENTY, &what), SPACE_SHORT);
	assert_int_equal(what, SPACE_MAP);
	s.disk_free = 10 * MIB;
	assert_int_equal(space_level(&s, 512 * MIB, 0, SPACE_PLENTY, &what), SPACE_FULL);
	assert_int_equal(what, SPACE_DISK);
	space_text(&s, 512 * MIB, what, text, sizeof text);
	assert_non_null(strstr(text, "10 MiB free of 40960, 512 kept in reserve"));
}

static void measures_what_is_there(void **state)
{
	const struct store_options o = {.map_size = 4 * MIB, .create = true};
	char folder[] = "/tmp/test-space-XXXXXX", path[64];
	struct space s = {0};
	struct store *store;

	(void)state;
	assert_non_null(mkdtemp(folder));
	assert_int_equal(store_open(folder, &o, &store), 0);
	assert_int_equal(space_measure(folder, store, &s), 0);
	assert_true(s.disk_size > 0 && s.disk_free <= s.disk_size);
	assert_int_equal(s.map_size, 4 * MIB);
	assert_true(s.map_free > 3 * MIB);
	snprintf(path, sizeof path, "%s/none", folder);
	assert_int_equal(space_measure(path, store, &s), CS_ERR_IO);
	store_close(store);
	snprintf(path, sizeof path, "%s/data.mdb", folder);
	unlink(path);
	snprintf(path, sizeof path, "%s/lock.mdb", folder);
	unlink(path);
	rmdir(folder);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(levels_of_the_disk),
	        cmocka_unit_test(levels_do_not_flap),
	        cmocka_unit_test(levels_of_the_map),
	        cmocka_unit_test(measures_what_is_there),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
