/* The log wiped: no byte of what was written before is left in any file of it, crashes and full disks come between. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "node/disk/sector.h"
#include "tests/disk_kit.h"

#define BIG   (300u << 10) /* Five of them fill a segment. */
#define PROBE 64           /* Bytes of an entry that are searched for: the first of it, within a sector. */
#define SMALL 200

static struct kit k;

static int setup(void **state)
{
	(void)state;
	kit_init(&k, false);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	memset(&kit_faults, 0, sizeof kit_faults);
	kit_free(&k);
	return 0;
}

/* In whichever file. */
static bool found(uint64_t index, uint32_t len)
{
	static uint8_t bytes[BIG];
	struct kit_folder f;
	bool is = false;

	kit_fill(bytes, index, 1, len);
	kit_save(&k, &f);
	for (unsigned i = 0; i < f.n; i++)
		is |= memmem(f.files[i].bytes, f.files[i].len, bytes, PROBE) != NULL;
	kit_folder_free(&f);
	return is;
}

static void turn(void)
{
	uv_run(&k.loop, UV_RUN_NOWAIT);
}

/* As a node does it: entries come, one is cut behind, a snapshot is taken above it. */
static void wipe(void)
{
	raft_index cut;

	disk_wipe(k.disk);
	while (!disk_wipe_index(k.disk, &cut)) {
		kit_add(&k, 1, 1, SMALL);
		turn();
	}
	kit_add(&k, 1, 2, SMALL);
	kit_put(&k, kit_last(&k), 1, (unsigned)(kit_last(&k) - cut));
	while (!disk_wiped(k.disk))
		turn();
}

/* Entry 3 lies within one sector: the search finds it as long as it is there. */
static void begin(void)
{
	kit_start(&k);
	kit_bootstrap(&k);
	assert_int_equal(k.io.set_term(&k.io, 1), 0);
	kit_add(&k, 1, 4, SMALL);
	assert_true(found(3, SMALL));
}

static void nothing_is_left(void **state)
{
	(void)state;
	begin();
	wipe();
	assert_false(found(3, SMALL));
	kit_restart(&k);
	kit_add(&k, 1, 3, SMALL);
	/* And again, in a log that goes on. */
	uint64_t last = kit_last(&k);
	wipe();
	assert_false(found(last, SMALL));
	kit_restart(&k);
}

/* Segments that were retired before, kept to be used again, or used again already: all hold what they held. */
static void used_segments_too(void **state)
{
	(void)state;
	begin();
	for (unsigned i = 0; i < 40; i++) {
		kit_add(&k, 1, 1, BIG);
		if (i % 6 == 5)
			kit_put(&k, kit_last(&k), 1, 2);
	}
	assert_true(found(kit_last(&k) - 20, BIG) || found(kit_last(&k) - 10, BIG) || found(3, SMALL));
	uint64_t last = kit_last(&k);
	wipe();
	for (uint64_t i = 2; i <= last; i++)
		assert_false(found(i, i <= 5 ? SMALL : BIG));
	kit_restart(&k);
	for (unsigned i = 0; i < 12; i++)
		kit_add(&k, 1, 1, BIG);
	kit_restart(&k);
}

/* The process ends in the middle: what was there is there, whole; the next one asks anew. */
static void ends_at_any_time(void **state)
{
	raft_index cut;

	(void)state;
	for (unsigned turns = 0; turns < 12; turns++) {
		if (turns == 0)
			begin();
		disk_wipe(k.disk);
		for (unsigned i = 0; i < turns; i++) {
			kit_add(&k, 1, 1, SMALL);
			turn();
		}
		if (disk_wipe_index(k.disk, &cut) && kit_last(&k) > cut && turns % 2)
			kit_put(&k, kit_last(&k), 1, (unsigned)(kit_last(&k) - cut));
		kit_restart(&k);
	}
	uint64_t last = kit_last(&k);
	wipe();
	for (uint64_t i = 2; i <= last; i++)
		assert_false(found(i, SMALL));
	kit_restart(&k);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {T(nothing_is_left), T(used_segments_too), T(ends_at_any_time)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
