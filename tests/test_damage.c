/* What damage leaves of the log: it is told and named, not touched, and a new log takes the place of the old. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "ledger/errors.h"
#include "node/disk/record.h"
#include "node/disk/sector.h"
#include "tests/disk_kit.h"

#define BIG        (300u << 10) /* Five of them fill a segment. */
#define BLOCK      BLOCK_SIZE
#define BIG_BLOCKS (((BIG + RECORD_HEAD_SIZE + SECTOR_ROOM - 1) / SECTOR_ROOM + BLOCK_SECTORS - 1) / BLOCK_SECTORS)

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

static void begin(void)
{
	kit_start(&k);
	assert_int_equal(k.io.set_term(&k.io, 9), 0);
}

/* A log over four segments, single writes of BIG and a short one each; saved and closed. */
static struct kit_folder whole;
static uint64_t writes;

static void four_segments(void)
{
	begin();
	kit_add(&k, 3, 1, 100);
	while (kit_count_segments(&k) < 4)
		kit_add(&k, 4, 1, BIG);
	kit_add(&k, 5, 4, 100);
	kit_add(&k, 6, 1, 9000);
	kit_restart(&k);
	kit_close(&k);
	kit_save(&k, &whole);
}

static void forget(void)
{
	kit_folder_free(&whole);
}

/* Opens what was damaged: it must be told, and nothing changed by looking. */
static struct scan *look(void)
{
	struct kit_folder damaged;
	int err;

	kit_save(&k, &damaged);
	err = kit_open(&k);
	if (err)
		print_error("%s\n", k.text);
	assert_int_equal(err, 0);
	assert_true(disk_scan(k.disk)->n_lost > 0);
	kit_expect_folder(&k, &damaged);
	kit_folder_free(&damaged);
	return disk_scan(k.disk);
}

static void expect_text(const struct scan *s, uint64_t number, uint64_t byte)
{
	char name[32], want[120];

	kit_segment(name, number);
	snprintf(want, sizeof want, "in segment %s at byte %llu", name + strlen("segment-"), (unsigned long long)byte);
	if (!strstr(s->text, want))
		print_error("%s, not %s\n", s->text, want);
	assert_non_null(strstr(s->text, want));
}

/* What is left of the log is as it was; lo..hi are missing. */
static void expect_missing(struct scan *s, uint64_t lo, uint64_t hi)
{
	assert_false(s->tail_lost);
	assert_int_equal(s->first, k.first);
	assert_int_equal(scan_last(s), kit_last(&k));
	kit_expect_slots(&k, k.first, lo - 1);
	for (uint64_t i = lo; i <= hi; i++)
		assert_int_equal(scan_slot(s, i)->state, SLOT_MISSING);
	kit_expect_slots(&k, hi + 1, kit_last(&k));
	assert_false(scan_whole(s));
}

/* Puts back what was lost, as a peer would give it, and has the log written anew. */
static void repair(struct scan *s, uint64_t to)
{
	for (uint64_t i = k.first; i <= to; i++) {
		const struct kit_entry *e = &k.model[i - k.first];
		struct slot slot = {.state = SLOT_WHOLE, .type = RAFT_COMMAND, .len = e->len, .term = e->term};
		if (scan_slot(s, i) && scan_slot(s, i)->state == SLOT_WHOLE)
			continue;
		slot.base = raft_malloc(e->len);
		assert_non_null(slot.base);
		kit_fill(slot.base, i, e->term, e->len);
		assert_int_equal(scan_put(s, i, &slot), 0);
	}
	s->tail_lost = false;
	assert_true(scan_whole(s));
	assert_int_equal(disk_rewrite(k.disk), 0);
}

static void goes_on(void)
{
	kit_load(&k);
	kit_add(&k, 7, 2, 1000);
	kit_restart(&k);
	kit_restart(&k);
	kit_close(&k);
	k.n -= 2;
}

static uint8_t *copy_of(uint64_t number)
{
	char name[32];
	uint8_t *p = malloc(DISK_SEGMENT_SIZE_MIN);
	struct kit_file *f;

	kit_segment(name, number);
	f = kit_file(&whole, name);
	assert_non_null(f);
	assert_int_equal(f->len, DISK_SEGMENT_SIZE_MIN);
	memcpy(p, f->bytes, f->len);
	return p;
}

static void put_segment(uint64_t number, const uint8_t *bytes, size_t len)
{
	char name[32];

	kit_segment(name, number);
	kit_restore(&k, &whole);
	kit_write_file(&k, name, bytes, len);
}

/* As it was before the first write: those behind the log's end are blank, but of another place. */
static void blank(uint8_t *segment, uint64_t number, size_t i)
{
	struct sector sector = {.seq = number * (DISK_SEGMENT_SIZE_MIN / SECTOR_SIZE) + i, .of = 1};
	const struct kit_file *meta = kit_file(&whole, "metadata-1");

	memset(segment + i * SECTOR_SIZE, 0, SECTOR_SIZE);
	sector_seal(segment + i * SECTOR_SIZE, meta->bytes + 24 + 8, &sector);
}

/* Where in segment 1 the second write begins: the first has one block. */
enum { SECOND = BLOCK };

static void a_flipped_bit_in_the_middle(void **state)
{
	uint8_t *p;

	(void)state;
	four_segments();
	for (unsigned bit = 0; bit < SECTOR_SIZE * 8; bit += 331) { /* Payload, trailer, sum. */
		p = copy_of(1);
		p[SECOND + 3 * SECTOR_SIZE + bit / 8] ^= (uint8_t)(1u << bit % 8);
		put_segment(1, p, DISK_SEGMENT_SIZE_MIN);
		struct scan *s = look();
		assert_int_equal(s->n_lost, 1);
		expect_text(s, 1, SECOND);
		expect_missing(s, 2, 2);
		if (bit % 5 == 0) {
			repair(s, kit_last(&k));
			goes_on();
		} else {
			kit_close(&k);
		}
		free(p);
	}
	forget();
}

static void a_zeroed_sector_in_the_middle(void **state)
{
	uint8_t *p;

	(void)state;
	four_segments();
	p = copy_of(2);
	memset(p, 0, SECTOR_SIZE);
	put_segment(2, p, DISK_SEGMENT_SIZE_MIN);
	struct scan *s = look();
	expect_text(s, 2, 0);
	uint64_t lost = 1;
	while (scan_slot(s, lost)->state != SLOT_MISSING)
		lost++;
	expect_missing(s, lost, lost);
	repair(s, kit_last(&k));
	goes_on();
	free(p);
	forget();
}

/* All sectors of a write: it is only known by its number that there was one. */
static void a_write_wiped_out_in_the_middle(void **state)
{
	uint8_t *p;

	(void)state;
	four_segments();
	p = copy_of(1);
	memset(p + SECOND, 0xff, BIG_BLOCKS * BLOCK);
	put_segment(1, p, DISK_SEGMENT_SIZE_MIN);
	struct scan *s = look();
	expect_text(s, 1, SECOND);
	expect_missing(s, 2, 2);
	repair(s, kit_last(&k));
	goes_on();
	free(p);
	forget();
}

/* It has replaced entries that are still there, in the writes before it: which they are, its other sectors tell. */
static void a_lost_write_that_replaced_entries(void **state)
{
	(void)state;
	for (unsigned wiped = 0; wiped < 2; wiped++) {
		begin();
		kit_add(&k, 3, 10, 100);
		kit_close(&k);
		assert_int_equal(kit_open(&k), 0);
		size_t at = (size_t)disk_scan(k.disk)->at * SECTOR_SIZE;
		kit_load(&k);
		kit_truncate(&k, 7);
		kit_add(&k, 4, 6, 100);
		kit_add(&k, 4, 1, 100);
		kit_restart(&k);
		kit_close(&k);
		kit_save(&k, &whole);
		uint8_t *p = copy_of(1);
		memset(p + at, 0, wiped ? BLOCK : SECTOR_SIZE);
		put_segment(1, p, DISK_SEGMENT_SIZE_MIN);
		struct scan *s = look();
		expect_text(s, 1, at);
		kit_expect_slots(&k, 1, 6);
		for (uint64_t i = 7; i <= 10; i++) { /* Of the old term. */
			assert_int_equal(scan_slot(s, i)->state, SLOT_SUSPECT);
			assert_int_equal(scan_slot(s, i)->term, 3);
		}
		for (uint64_t i = 11; i <= 12; i++)
			assert_int_equal(scan_slot(s, i)->state, SLOT_MISSING);
		kit_expect_slots(&k, 13, 13);
		repair(s, 13);
		goes_on();
		free(p);
		forget();
		kit_free(&k);
		kit_init(&k, true);
	}
}

/* The log's first write, with nothing before it that it could be missed by. */
static void the_first_write_wiped_out(void **state)
{
	uint8_t *p;

	(void)state;
	four_segments();
	p = copy_of(1);
	memset(p, 0, BLOCK);
	put_segment(1, p, DISK_SEGMENT_SIZE_MIN);
	struct scan *s = look();
	expect_text(s, 1, 0);
	assert_int_equal(s->first, 1);
	assert_int_equal(s->slots[0].state, SLOT_MISSING);
	kit_expect_slots(&k, 2, kit_last(&k));
	repair(s, kit_last(&k));
	goes_on();
	free(p);
	forget();
}

static void a_write_that_went_elsewhere(void **state)
{
	uint8_t *one, *two;

	(void)state;
	four_segments();
	one = copy_of(1);
	two = copy_of(2);
	/* A sector of segment 1 at another place of it; of another segment at the same place; of a later one. */
	for (unsigned how = 0; how < 3; how++) {
		uint8_t *p = copy_of(how == 1 ? 2 : 1);
		memcpy(p + SECOND, how == 0 ? one : how == 1 ? one + SECOND : two + SECOND, SECTOR_SIZE);
		put_segment(how == 1 ? 2 : 1, p, DISK_SEGMENT_SIZE_MIN);
		struct scan *s = look();
		assert_int_equal(s->n_lost, 1);
		assert_false(s->tail_lost);
		repair(s, kit_last(&k));
		goes_on();
		free(p);
	}
	free(one);
	free(two);
	forget();
}

static void sectors_of_another_log(void **state)
{
	static struct kit other;
	struct kit_folder folder;
	char name[32];

	(void)state;
	kit_init(&other, true);
	kit_start(&other);
	assert_int_equal(other.io.set_term(&other.io, 9), 0);
	kit_add(&other, 3, 1, 100);
	for (unsigned i = 0; i < 6; i++)
		kit_add(&other, 4, 1, BIG);
	kit_close(&other);
	kit_save(&other, &folder);
	four_segments();
	kit_segment(name, 1);
	put_segment(1, kit_file(&folder, name)->bytes, DISK_SEGMENT_SIZE_MIN);
	struct scan *s = look();
	expect_text(s, 1, 0);
	assert_int_equal(s->slots[0].state, SLOT_MISSING);
	repair(s, kit_last(&k));
	goes_on();
	kit_folder_free(&folder);
	kit_free(&other);
	forget();
}

static void a_file_cut_short(void **state)
{
	uint8_t *p;

	(void)state;
	four_segments();
	p = copy_of(1);
	for (unsigned how = 0; how < 3; how++) {
		put_segment(1, p, how == 0 ? 0 : how == 1 ? SECOND + 100 * BLOCK + 77 : SECOND);
		struct scan *s = look();
		expect_text(s, 1, how == 0 ? 0 : how == 1 ? SECOND + BIG_BLOCKS * BLOCK : SECOND);
		assert_false(s->tail_lost);
		repair(s, kit_last(&k));
		goes_on();
	}
	free(p);
	forget();
}

static void a_segment_deleted(void **state)
{
	char name[32];

	(void)state;
	four_segments();
	for (uint64_t number = 1; number <= 2; number++) {
		kit_restore(&k, &whole);
		kit_segment(name, number);
		kit_remove_file(&k, name);
		struct scan *s = look();
		assert_false(s->tail_lost);
		if (number == 1) {
			assert_non_null(strstr(s->text, "begins at index"));
		} else {
			assert_non_null(strstr(s->text, "missing"));
			expect_text(s, 2, 0);
		}
		repair(s, kit_last(&k));
		goes_on();
	}
	forget();
}

/* Where the log's last write is: three blocks. The segment depends on when the others were prepared. */
static size_t tail(uint64_t *ret_number)
{
	assert_int_equal(kit_open(&k), 0);
	size_t at = (size_t)disk_scan(k.disk)->at * SECTOR_SIZE - 3 * BLOCK;
	*ret_number = disk_scan(k.disk)->number;
	writes = disk_scan(k.disk)->next_write;
	kit_close(&k);
	return at;
}

/* The one that was written to last; what came after it is there, and blank. */
static void the_last_segment_deleted(void **state)
{
	uint64_t number;
	char name[32];

	(void)state;
	four_segments();
	for (tail(&number); kit_count_segments(&k) < number + 1; tail(&number)) {
		kit_start(&k);
		kit_add(&k, 6, 1, 9000);
		kit_close(&k);
	}
	kit_segment(name, number);
	kit_remove_file(&k, name);
	struct scan *s = look();
	assert_true(s->tail_lost);
	assert_int_equal(s->tail_index, 0);
	expect_text(s, number, 0);
	repair(s, kit_last(&k));
	goes_on();
	forget();
}

static void all_segments_deleted(void **state)
{
	char name[32];

	(void)state;
	four_segments();
	for (uint64_t number = 1; number <= KIT_FILES_MAX; number++) {
		kit_segment(name, number);
		if (kit_file(&whole, name))
			kit_remove_file(&k, name);
	}
	struct scan *s = look();
	assert_true(s->tail_lost);
	assert_int_equal(s->n, 0);
	assert_false(disk_pristine(k.disk));
	repair(s, kit_last(&k));
	goes_on();
	forget();
}

static void a_stale_copy_of_a_segment(void **state)
{
	struct kit_folder early;
	char name[32];

	(void)state;
	begin();
	kit_add(&k, 3, 1, 100);
	kit_add(&k, 4, 1, BIG);
	kit_close(&k);
	kit_save(&k, &early);
	kit_start(&k);
	kit_add(&k, 4, 6, BIG);
	kit_restart(&k);
	kit_close(&k);
	kit_save(&k, &whole);
	kit_segment(name, 1);
	kit_write_file(&k, name, kit_file(&early, name)->bytes, DISK_SEGMENT_SIZE_MIN);
	struct scan *s = look();
	expect_text(s, 1, SECOND + BIG_BLOCKS * BLOCK);
	assert_false(s->tail_lost);
	repair(s, kit_last(&k));
	goes_on();
	kit_folder_free(&early);
	forget();
}

/* The file of one segment under the name of another. */
static void a_segment_in_the_place_of_another(void **state)
{
	uint8_t *p;

	(void)state;
	four_segments();
	for (unsigned how = 0; how < 2; how++) {
		p = copy_of(how ? 1 : 2);
		put_segment(how ? 2 : 1, p, DISK_SEGMENT_SIZE_MIN);
		struct scan *s = look();
		assert_false(s->tail_lost);
		repair(s, kit_last(&k));
		goes_on();
		free(p);
	}
	forget();
}

static void damage_at_the_tail(void **state)
{
	uint64_t number;
	size_t at;

	(void)state;
	four_segments();
	at = tail(&number);
	for (unsigned i = 0; i < 24; i++) { /* Any one of its sectors. */
		uint8_t *p = copy_of(number);
		if (i % 2)
			memset(p + at + (size_t)i * SECTOR_SIZE, 0, SECTOR_SIZE);
		else
			p[at + (size_t)i * SECTOR_SIZE + 17 * i] ^= 4;
		put_segment(number, p, DISK_SEGMENT_SIZE_MIN);
		struct scan *s = look();
		assert_true(s->tail_lost);
		assert_false(scan_whole(s));
		assert_int_equal(s->n_lost, 1);
		assert_int_equal(s->tail_index, kit_last(&k));
		assert_int_equal(s->tail_term, 6);
		assert_int_equal(scan_last(s), kit_last(&k) - 1);
		kit_expect_slots(&k, 1, kit_last(&k) - 1);
		expect_text(s, number, at);
		assert_int_equal(s->next_write, writes);
		if (i % 8 == 0) {
			repair(s, kit_last(&k));
			goes_on();
		} else {
			kit_close(&k);
		}
		free(p);
	}
	forget();
}

static void a_tail_of_which_nothing_is_left(void **state)
{
	uint64_t number;
	size_t at;
	uint8_t *p;

	(void)state;
	four_segments();
	at = tail(&number);
	p = copy_of(number);
	memset(p + at, 0, 3 * BLOCK);
	put_segment(number, p, DISK_SEGMENT_SIZE_MIN);
	struct scan *s = look();
	assert_true(s->tail_lost);
	assert_int_equal(s->tail_index, 0);
	expect_text(s, number, at);
	repair(s, kit_last(&k));
	goes_on();
	put_segment(number, p, at); /* The same, cut off. */
	s = look();
	assert_true(s->tail_lost);
	repair(s, kit_last(&k));
	goes_on();
	/* The last is damaged, and so is all of what may have come after it: the end is not known. */
	free(p);
	p = copy_of(number);
	memset(p + at + BLOCK, 0, 3 * BLOCK);
	put_segment(number, p, DISK_SEGMENT_SIZE_MIN);
	s = look();
	assert_true(s->tail_lost);
	assert_int_equal(s->tail_index, 0);
	repair(s, kit_last(&k));
	goes_on();
	free(p);
	forget();
}

/* The last one, acknowledged: there is nothing where it should be, but what it has destroyed tells of it. */
static void the_last_write_that_went_elsewhere(void **state)
{
	uint64_t number;
	size_t at, len = (size_t)3 * BLOCK;
	uint8_t *p;

	(void)state;
	four_segments();
	at = tail(&number);
	p = copy_of(number);
	memmove(p + BLOCK, p + at, len);
	for (unsigned i = 0; i < len / SECTOR_SIZE; i++)
		blank(p, number, at / SECTOR_SIZE + i);
	put_segment(number, p, DISK_SEGMENT_SIZE_MIN);
	struct scan *s = look();
	assert_true(s->tail_lost);
	assert_int_equal(s->tail_index, kit_last(&k));
	assert_int_equal(s->tail_term, 6);
	assert_int_equal(s->next_write, writes);
	repair(s, kit_last(&k));
	goes_on();
	free(p);
	forget();
}

/* A lost write before a torn one: the torn one never was, the other one did. */
static void damage_before_a_torn_write(void **state)
{
	uint64_t number;
	size_t at;
	uint8_t *p;

	(void)state;
	four_segments();
	at = tail(&number);
	p = copy_of(number);
	memset(p + at - BLOCK, 0, BLOCK); /* Four entries, acknowledged. */
	for (unsigned i = 1; i < 24; i++)
		blank(p, number, at / SECTOR_SIZE + i);
	put_segment(number, p, DISK_SEGMENT_SIZE_MIN);
	k.n--;
	struct scan *s = look();
	assert_int_equal(s->n_torn, 1);
	assert_true(s->tail_lost);
	assert_int_equal(s->tail_index, 0);
	assert_false(scan_whole(s));
	assert_int_equal(scan_last(s), kit_last(&k) - 4);
	expect_text(s, number, at - BLOCK);
	repair(s, kit_last(&k));
	goes_on();
	free(p);
	forget();
}

/* --- blocks that cannot be read --- */

static void a_block_that_cannot_be_read(void **state)
{
	struct scan *s;

	(void)state;
	four_segments();
	kit_faults.read_name = "segment-0000000000000001";
	kit_faults.read_at = SECOND + 5 * BLOCK;
	s = look();
	assert_int_equal(s->n_unreadable, 1);
	expect_text(s, 1, SECOND);
	assert_non_null(
	        strstr(s->text, "1 blocks cannot be read, the first in segment 0000000000000001 at byte 24576"));
	expect_missing(s, 2, 2);
	repair(s, kit_last(&k));
	memset(&kit_faults, 0, sizeof kit_faults);
	goes_on();
	forget();
}

static void a_whole_segment_that_cannot_be_read(void **state)
{
	struct scan *s;

	(void)state;
	four_segments();
	kit_faults.read_name = "segment-0000000000000001";
	kit_faults.read_all = true;
	s = look();
	assert_int_equal(s->n_unreadable, DISK_SEGMENT_SIZE_MIN / BLOCK);
	assert_false(s->tail_lost);
	repair(s, kit_last(&k));
	memset(&kit_faults, 0, sizeof kit_faults);
	goes_on();
	forget();
}

/* Of what was never written nothing is lost: it is written again. */
static void an_unreadable_block_behind_the_end(void **state)
{
	uint64_t number;
	char name[32];
	size_t at;

	(void)state;
	four_segments();
	at = tail(&number);
	kit_segment(name, number);
	kit_faults.read_name = name;
	kit_faults.read_at = at + 10 * BLOCK;
	assert_int_equal(kit_open(&k), 0);
	assert_int_equal(disk_scan(k.disk)->n_lost, 0);
	assert_int_equal(disk_scan(k.disk)->n_unreadable, 1);
	memset(&kit_faults, 0, sizeof kit_faults);
	goes_on();
	forget();
}

/* --- a log in the place of a damaged one --- */

/* Each file of the new log in turn not yet there, or cut: the damaged one is found again, and then repaired. */
static void a_crash_while_the_log_is_rewritten(void **state)
{
	struct kit_folder damaged, done;
	uint8_t *p;

	(void)state;
	four_segments();
	p = copy_of(1);
	memset(p + SECOND, 0, SECTOR_SIZE);
	put_segment(1, p, DISK_SEGMENT_SIZE_MIN);
	kit_save(&k, &damaged);
	repair(look(), kit_last(&k));
	kit_close(&k);
	kit_save(&k, &done);
	/* Metadata that say a rewrite is under way: as twins, from a log whose rewrite could not be ended. */
	kit_restore(&k, &damaged);
	kit_faults.fallocate_error = ENOSPC;
	struct scan *s = look();
	for (uint64_t i = 1; i <= 2; i++) {
		struct slot slot = {.state = SLOT_WHOLE,
		                    .len = k.model[i - 1].len,
		                    .term = k.model[i - 1].term,
		                    .type = RAFT_COMMAND};
		slot.base = raft_malloc(slot.len);
		kit_fill(slot.base, i, slot.term, slot.len);
		assert_int_equal(scan_put(s, i, &slot), 0);
	}
	assert_int_equal(disk_rewrite(k.disk), CS_ERR_DISK_FULL);
	kit_close(&k);
	kit_faults.fallocate_error = 0;
	struct kit_folder begun;
	kit_save(&k, &begun);
	for (unsigned n_files = 0; n_files < 4; n_files++) {
		for (unsigned part = 0; part < 3; part++) {
			kit_restore(&k, &begun);
			unsigned seen = 0;
			for (unsigned i = 0; i < done.n; i++) {
				struct kit_file *f = &done.files[i];
				if (strncmp(f->name, "segment-", 8) != 0 || kit_file(&damaged, f->name) ||
				    seen++ > n_files)
					continue;
				kit_write_file(&k, f->name, f->bytes,
				               seen <= n_files ? f->len : f->len / 3 * part / BLOCK * BLOCK);
			}
			assert_int_equal(kit_open(&k), 0);
			s = disk_scan(k.disk);
			assert_int_equal(s->n_lost, 1);
			expect_text(s, 1, SECOND);
			expect_missing(s, 2, 2);
			repair(s, kit_last(&k));
			goes_on();
		}
	}
	/* After the metadata say that it is done: whatever of the old one is still there. */
	for (unsigned i = 0; i < damaged.n; i++) {
		kit_restore(&k, &done);
		for (unsigned j = 0; j <= i; j++)
			if (strncmp(damaged.files[j].name, "segment-", 8) == 0)
				kit_write_file(&k, damaged.files[j].name, damaged.files[j].bytes, damaged.files[j].len);
		assert_int_equal(kit_open(&k), 0);
		assert_int_equal(disk_scan(k.disk)->n_lost, 0);
		kit_expect_slots(&k, 1, kit_last(&k));
		goes_on();
	}
	kit_folder_free(&begun);
	kit_folder_free(&damaged);
	kit_folder_free(&done);
	free(p);
	forget();
}

static void metadata_of_an_earlier_time(void **state)
{
	struct kit_folder early;

	(void)state;
	kit_start(&k);
	assert_int_equal(k.io.set_term(&k.io, 2), 0);
	kit_add(&k, 2, 2, 64);
	kit_close(&k);
	kit_save(&k, &early);
	kit_start(&k);
	assert_int_equal(k.io.set_term(&k.io, 3), 0);
	kit_add(&k, 3, 2, 64);
	kit_close(&k);
	for (unsigned i = 0; i < 2; i++) {
		const char *name = i ? "metadata-2" : "metadata-1";
		kit_write_file(&k, name, kit_file(&early, name)->bytes, kit_file(&early, name)->len);
	}
	assert_int_equal(kit_open(&k), CS_ERR_DAMAGED);
	assert_non_null(strstr(k.text, "older than the entries"));
	kit_folder_free(&early);
}

static void metadata_gone(void **state)
{
	(void)state;
	four_segments();
	kit_remove_file(&k, "metadata-1");
	kit_remove_file(&k, "metadata-2");
	assert_int_equal(kit_open(&k), CS_ERR_DAMAGED);
	assert_non_null(strstr(k.text, "metadata are gone"));
	forget();
}

/* What a snapshot stands for may be lost. */
static void damage_behind_a_snapshot(void **state)
{
	uint8_t *p;

	(void)state;
	k.trailing = 4;
	four_segments();
	kit_start(&k);
	kit_put(&k, 4, 4, 4); /* Too few to retire a segment. */
	kit_close(&k);
	forget();
	kit_save(&k, &whole);
	p = copy_of(1);
	memset(p + SECOND, 0, SECTOR_SIZE);
	put_segment(1, p, DISK_SEGMENT_SIZE_MIN);
	struct scan *s = look();
	assert_true(scan_whole(s));
	kit_expect_slots(&k, 5, kit_last(&k));
	assert_int_equal(disk_rewrite(k.disk), 0);
	k.n -= s->first - k.first;
	memmove(k.model, k.model + (s->first - k.first), k.n * sizeof *k.model);
	k.first = s->first;
	goes_on();
	free(p);
	forget();
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
	        T(a_flipped_bit_in_the_middle),
	        T(a_zeroed_sector_in_the_middle),
	        T(a_write_wiped_out_in_the_middle),
	        T(a_lost_write_that_replaced_entries),
	        T(the_first_write_wiped_out),
	        T(a_write_that_went_elsewhere),
	        T(the_last_write_that_went_elsewhere),
	        T(sectors_of_another_log),
	        T(a_file_cut_short),
	        T(a_segment_deleted),
	        T(the_last_segment_deleted),
	        T(all_segments_deleted),
	        T(a_stale_copy_of_a_segment),
	        T(a_segment_in_the_place_of_another),
	        T(damage_at_the_tail),
	        T(a_tail_of_which_nothing_is_left),
	        T(damage_before_a_torn_write),
	        T(a_block_that_cannot_be_read),
	        T(a_whole_segment_that_cannot_be_read),
	        T(an_unreadable_block_behind_the_end),
	        T(a_crash_while_the_log_is_rewritten),
	        T(metadata_of_an_earlier_time),
	        T(metadata_gone),
	        T(damage_behind_a_snapshot),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
