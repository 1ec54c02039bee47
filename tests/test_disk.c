/* The log as libraft uses it: what was acknowledged comes back; segments end and are used again; errors are told. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "ledger/errors.h"
#include "node/disk/record.h"
#include "tests/disk_kit.h"

#define BIG (300u << 10) /* Five of them fill a segment. */

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

static void comes_back_as_it_was_acknowledged(void **state)
{
	(void)state;
	kit_start(&k);
	assert_true(disk_pristine(k.disk));
	kit_bootstrap(&k);
	assert_false(disk_pristine(k.disk));
	kit_restart(&k);
	assert_int_equal(k.term, 1);
	assert_int_equal(k.entries[0].type, RAFT_CHANGE);
	assert_int_equal(k.io.set_term(&k.io, 3), 0);
	kit_add(&k, 1, 3, 64);
	kit_add(&k, 2, 1, 8);
	kit_add(&k, 2, 1, 100000);
	kit_restart(&k);
	kit_truncate(&k, 4);
	kit_add(&k, 3, 2, 40);
	kit_add(&k, 3, 1, SECTOR_ROOM - RECORD_HEAD_SIZE); /* Exactly one sector's room. */
	kit_add(&k, 3, 1, BLOCK_SECTORS * SECTOR_ROOM - RECORD_HEAD_SIZE);
	kit_add(&k, 3, 1, BLOCK_SECTORS * SECTOR_ROOM - RECORD_HEAD_SIZE + 8);
	kit_restart(&k);
	assert_int_equal(kit_last(&k), 8);
}

static void bootstraps_once(void **state)
{
	struct raft_configuration c;

	(void)state;
	kit_start(&k);
	kit_bootstrap(&k);
	raft_configuration_init(&c);
	assert_int_equal(k.io.bootstrap(&k.io, &c), RAFT_CANTBOOTSTRAP);
	kit_restart(&k);
	assert_int_equal(k.io.bootstrap(&k.io, &c), RAFT_CANTBOOTSTRAP);
	raft_configuration_close(&c);
	assert_int_equal(k.io.recover(&k.io, &c), RAFT_INVALID);
}

static void term_and_vote_come_back(void **state)
{
	(void)state;
	kit_start(&k);
	assert_int_equal(k.io.set_term(&k.io, 5), 0);
	kit_restart(&k);
	assert_int_equal(k.term, 5);
	assert_int_equal(k.vote, 0);
	assert_int_equal(k.io.set_vote(&k.io, 3), 0);
	assert_int_equal(disk_set_lost_term(k.disk, 4), 0);
	kit_restart(&k);
	assert_int_equal(k.vote, 3);
	assert_int_equal(disk_lost_term(k.disk), 4);
	assert_int_equal(k.io.set_term(&k.io, 6), 0);
	kit_restart(&k);
	assert_int_equal(k.term, 6);
	assert_int_equal(k.vote, 0); /* A vote is of its term. */
}

static void what_waits_goes_into_one_write(void **state)
{
	struct kit_append *a[100];
	struct disk_status before, after;

	(void)state;
	kit_start(&k);
	assert_int_equal(k.io.set_term(&k.io, 1), 0);
	disk_status(k.disk, &before);
	for (unsigned i = 0; i < 100; i++)
		a[i] = kit_append(&k, 1, 1 + i % 3, 200);
	kit_wait(&k, a[99]);
	for (unsigned i = 0; i < 100; i++) {
		assert_int_equal(a[i]->status, 0);
		assert_int_equal(a[i]->turn, i + 1);
	}
	disk_status(k.disk, &after);
	assert_int_equal(after.writes - before.writes, 2); /* The first at once, the others while it was under way. */
	kit_restart(&k);
}

static void goes_on_in_the_next_segment(void **state)
{
	struct kit_append *last = NULL;

	(void)state;
	kit_start(&k);
	assert_int_equal(k.io.set_term(&k.io, 1), 0);
	for (unsigned i = 0; i < 40; i++) /* All at once: segments end within an append, and with some in flight. */
		last = kit_append(&k, 1, 1 + i % 2, BIG + 8 * i);
	kit_wait(&k, last);
	kit_restart(&k);
	for (unsigned i = 0; i < 20; i++)
		kit_add(&k, 1, 1, BIG);
	kit_restart(&k);
	kit_add(&k, 1, 1, 1u << 20); /* The largest, wherever the segment ends. */
	kit_add(&k, 1, 1, 1u << 20);
	kit_add(&k, 1, 1, 1u << 20);
	kit_restart(&k);
}

static void refuses_what_fits_into_no_write(void **state)
{
	struct raft_entry e = {.term = 1, .type = RAFT_COMMAND, .buf = {.len = 2u << 20}};
	struct raft_io_append req;

	(void)state;
	kit_start(&k);
	assert_int_equal(k.io.append(&k.io, &req, &e, 1, NULL), RAFT_TOOBIG);
}

/* Removing is a worker's, who may be behind: it ends with so many files at most, or the test does not end. */
static void await_few_segments(unsigned most)
{
	while (kit_count_segments(&k) > most)
		uv_run(&k.loop, UV_RUN_NOWAIT);
}

/* Segments behind a snapshot are used again, and more than the spare ones are removed. */
static void snapshots_retire_segments(void **state)
{
	(void)state;
	k.trailing = 4;
	kit_start(&k);
	assert_int_equal(k.io.set_term(&k.io, 1), 0);
	for (unsigned round = 0; round < 12; round++) {
		for (unsigned i = 0; i < 14; i++)
			kit_add(&k, 1, 1, BIG);
		kit_put(&k, kit_last(&k) - 1, 1, k.trailing);
		kit_add(&k, 1, 1, 64);
		if (round % 2)
			await_few_segments(
			        5); /* Five trailing entries, the current and the next one, two spare ones. */
		kit_restart(&k);    /* Whatever of it a crash would have left, the numbers have no gap. */
		assert_int_equal(k.snapshot->index, kit_last(&k) - 2);
		assert_int_equal(k.start_index, k.snapshot->index - k.trailing + 1);
	}
}

/* Many segments at once become free: the oldest are removed, the others wait to be renamed, and a restart knows them.
 */
static void many_segments_are_retired_at_once(void **state)
{
	(void)state;
	k.trailing = 1;
	kit_start(&k);
	assert_int_equal(k.io.set_term(&k.io, 1), 0);
	for (unsigned i = 0; i < 60; i++)
		kit_add(&k, 1, 1, BIG);
	assert_true(kit_count_segments(&k) >= 10);
	kit_put(&k, kit_last(&k), 1, 1);
	for (unsigned i = 0; i < 13; i++)
		kit_add(&k, 1, 1, BIG);
	await_few_segments(6); /* Three that these went to, the next one, two spare ones. */
	kit_restart(&k);
	for (unsigned i = 0; i < 13; i++)
		kit_add(&k, 1, 1, BIG);
	kit_restart(&k);
}

/* Retiring goes on in a thread while appends end one segment after the other: the next one is always prepared. */
static void segments_end_while_others_are_removed(void **state)
{
	struct kit_append *last = NULL;

	(void)state;
	k.trailing = 1;
	kit_start(&k);
	assert_int_equal(k.io.set_term(&k.io, 1), 0);
	for (unsigned round = 0; round < 6; round++) {
		for (unsigned i = 0; i < 40; i++)
			last = kit_append(&k, 1, 1, BIG);
		kit_wait(&k, last);
		for (unsigned i = 0; i < 20; i++)
			last = kit_append(&k, 1, 1, BIG);
		kit_put(&k, kit_last(&k) - 20, 1, 1);
		kit_wait(&k, last);
		for (struct kit_append *a = k.appends; a; a = a->next)
			assert_int_equal(a->status, 0);
		kit_restart(&k);
	}
}

static void snapshots_come_back(void **state)
{
	uint8_t want[96];

	(void)state;
	kit_start(&k);
	kit_get(&k);
	assert_int_equal(k.get_status, RAFT_NOTFOUND);
	assert_int_equal(k.io.set_term(&k.io, 2), 0);
	kit_add(&k, 2, 40, 64);
	kit_put(&k, 30, 2, 16);
	kit_get(&k);
	assert_int_equal(k.get_status, 0);
	assert_int_equal(k.got->index, 30);
	kit_restart(&k);
	assert_non_null(k.snapshot);
	assert_int_equal(k.snapshot->index, 30);
	assert_int_equal(k.snapshot->term, 2);
	assert_int_equal(k.snapshot->configuration_index, 1);
	assert_int_equal(k.snapshot->configuration.n, 1);
	assert_int_equal(k.snapshot->configuration.servers[0].id, KIT_ID);
	assert_string_equal(k.snapshot->configuration.servers[0].address, "7");
	assert_int_equal(k.snapshot->configuration.servers[0].role, RAFT_VOTER);
	assert_int_equal(k.snapshot->n_bufs, 1);
	kit_fill(want, 30, 2, 96);
	assert_memory_equal(k.snapshot->bufs[0].base, want, 96);
	assert_int_equal(k.start_index, 30 - 16 + 1);
	kit_put_start(&k, 35, 2, 16);
	kit_get(&k); /* While one is being stored: the one or the other, whole. */
	assert_true(k.got->index == 35 || k.got->index == 30);
	kit_spin(&k, &k.put_done);
}

static void an_installed_snapshot_begins_the_log_anew(void **state)
{
	(void)state;
	kit_start(&k);
	assert_int_equal(k.io.set_term(&k.io, 4), 0);
	kit_add(&k, 2, 20, 64);
	kit_put(&k, 1000, 4, 0);
	kit_restart(&k);
	assert_int_equal(k.start_index, 1001);
	assert_int_equal(k.n_entries, 0);
	kit_add(&k, 4, 5, 64);
	kit_restart(&k);
	assert_int_equal(k.n_entries, 5);
	kit_put(&k, 1003, 4, 0); /* Into the middle of what is there, as libraft does when the terms differ. */
	kit_add(&k, 4, 1, 64);
	kit_restart(&k);
	assert_int_equal(k.start_index, 1004);
}

/* The record is stored, and then a crash: what the log holds is of another history, and must not come back. */
static void crash_between_snapshot_and_reset(uint64_t index, uint64_t term, bool reset)
{
	struct kit_folder before, after;
	static const char *const twins[] = {"snapshot-1", "snapshot-2"};

	kit_start(&k);
	assert_int_equal(k.io.set_term(&k.io, 9), 0);
	kit_add(&k, 2, 20, 64);
	kit_close(&k);
	kit_save(&k, &before);
	kit_start(&k);
	kit_put(&k, index, term, 0);
	kit_close(&k);
	kit_save(&k, &after);
	kit_restore(&k, &before);
	for (unsigned i = 0; i < 2; i++)
		kit_write_file(&k, twins[i], kit_file(&after, twins[i])->bytes, kit_file(&after, twins[i])->len);
	if (!reset) { /* The same entry: what follows it is kept. */
		k.first = 1;
		k.n = 20;
	}
	kit_start(&k);
	assert_int_equal(k.snapshot->index, index);
	kit_add(&k, 9, 3, 64);
	kit_restart(&k);
	kit_restart(&k);
	kit_folder_free(&before);
	kit_folder_free(&after);
}

static void crash_before_the_reset_of_an_install_beyond(void **state)
{
	(void)state;
	crash_between_snapshot_and_reset(500, 9, true);
}

static void crash_before_the_reset_of_an_install_within(void **state)
{
	(void)state;
	crash_between_snapshot_and_reset(15, 9, true);
}

static void crash_before_the_reset_of_what_is_there(void **state)
{
	(void)state;
	crash_between_snapshot_and_reset(15, 2, false);
}

static void closes_with_appends_in_flight(void **state)
{
	struct kit_append *a[30];
	unsigned stored = 0;

	(void)state;
	kit_start(&k);
	assert_int_equal(k.io.set_term(&k.io, 1), 0);
	for (unsigned i = 0; i < 30; i++)
		a[i] = kit_append(&k, 1, 1, BIG);
	k.io.close(&k.io, NULL); /* Taken over by kit_close's below. */
	for (unsigned i = 0; i < 30; i++)
		if (a[i]->done)
			assert_int_equal(a[i]->status, RAFT_CANCELED);
	for (unsigned i = 0; i < 30 && !a[i]->done; i++)
		stored++;
	assert_int_equal(stored, 1); /* What is under way ends as it ends. */
	kit_close(&k);
	k.n = 1;
	kit_start(&k);
}

static void closes_with_a_snapshot_in_flight(void **state)
{
	(void)state;
	kit_start(&k);
	assert_int_equal(k.io.set_term(&k.io, 1), 0);
	kit_add(&k, 1, 20, 64);
	kit_put_start(&k, 18, 1, 4);
	kit_close(&k);
	assert_true(k.put_done);
	kit_start(&k);
	assert_int_equal(k.snapshot->index, 18);
	kit_put_start(&k, 100, 1, 0);
	kit_close(&k);
	assert_true(k.put_done);
	assert_int_equal(k.put_status, RAFT_CANCELED);
	k.first = 101; /* Stored, not acknowledged; the next start resets the log to it. */
	k.n = 0;
	kit_start(&k);
}

static void opens_as_often_as_it_was_written(void **state)
{
	(void)state;
	kit_start(&k);
	for (unsigned i = 1; i <= 40; i++) {
		assert_int_equal(k.io.set_term(&k.io, i), 0);
		if (i % 5 == 0)
			kit_truncate(&k, kit_last(&k));
		kit_add(&k, i, 1 + i % 4, 8 * i);
		kit_restart(&k);
		assert_int_equal(k.term, i);
	}
}

static void goes_through_files_and_threads(void)
{
	struct kit_append *last = NULL;

	kit_start(&k);
	assert_int_equal(k.io.set_term(&k.io, 1), 0);
	for (unsigned i = 0; i < 30; i++)
		last = kit_append(&k, 1, 1, BIG);
	kit_wait(&k, last);
	for (unsigned i = 0; i < 10; i++)
		kit_add(&k, 1, 1, 64);
	kit_restart(&k);
}

static void writes_by_the_kernel(void **state)
{
	(void)state;
	goes_through_files_and_threads();
	if (kit_faults.n_thread_writes)
		skip(); /* The file system has no O_DIRECT. */
	assert_true(kit_faults.n_submitted > 0);
}

static void writes_by_a_thread_without_o_direct(void **state)
{
	(void)state;
	kit_faults.no_direct = true;
	goes_through_files_and_threads();
	assert_int_equal(kit_faults.n_submitted, 0);
	assert_true(kit_faults.n_thread_writes > 0);
}

static void writes_by_a_thread_where_aio_is_refused(void **state)
{
	(void)state;
	kit_faults.no_aio = true;
	goes_through_files_and_threads();
	assert_int_equal(kit_faults.n_submitted, 0);
	assert_true(kit_faults.n_thread_writes > 0);
}

static void a_thread_ends_what_the_kernel_wrote_in_part(void **state)
{
	(void)state;
	kit_faults.aio_short = true;
	goes_through_files_and_threads();
	assert_true(kit_faults.n_thread_writes > 0);
}

/* A failed write fails all that waits, in order; nothing of it counts. */
static void a_failed_write_fails_all_that_waits(int status)
{
	struct kit_append *a[4];

	kit_start(&k);
	assert_int_equal(k.io.set_term(&k.io, 1), 0);
	for (unsigned i = 0; i < 4; i++)
		a[i] = kit_append(&k, 1, 1, 64);
	kit_wait(&k, a[3]);
	for (unsigned i = 0; i < 4; i++) {
		assert_int_equal(a[i]->status, status);
		assert_int_equal(a[i]->turn, i + 1);
	}
	assert_true(strstr(k.io.errmsg, "writing the log") != NULL);
}

static void an_error_of_the_kernel_s_write(void **state)
{
	(void)state;
	kit_faults.aio_error = EIO;
	kit_faults.write_error = EIO;
	a_failed_write_fails_all_that_waits(RAFT_IOERR);
}

static void an_error_of_the_thread_s_write(void **state)
{
	(void)state;
	kit_faults.no_aio = true;
	kit_faults.write_error = EIO;
	a_failed_write_fails_all_that_waits(RAFT_IOERR);
}

static void no_space_for_a_write(void **state)
{
	(void)state;
	kit_faults.aio_error = ENOSPC;
	kit_faults.write_error = ENOSPC;
	a_failed_write_fails_all_that_waits(RAFT_NOSPACE);
}

/* No room for the next segment: only what needs it fails; and with room again before that, nothing does. */
static void no_space_for_the_next_segment(void **state)
{
	struct kit_append *a[20];
	unsigned good = 0;

	(void)state;
	kit_start(&k);
	assert_int_equal(k.io.set_term(&k.io, 1), 0);
	kit_add(&k, 1, 6, BIG);
	kit_restart(&k); /* In the second segment, and the third is not made yet. */
	assert_int_equal(kit_count_segments(&k), 2);
	kit_faults.fallocate_error = ENOSPC;
	for (unsigned i = 0; i < 20; i++)
		a[i] = kit_append(&k, 1, 1, BIG);
	kit_wait(&k, a[19]);
	while (good < 20 && a[good]->status == 0)
		good++;
	assert_in_range(good, 3, 5);
	for (unsigned i = good; i < 20; i++)
		assert_int_equal(a[i]->status, RAFT_NOSPACE);
	for (unsigned i = 0; i < 20; i++)
		assert_int_equal(a[i]->turn, i + 1);
	kit_close(&k);
	k.n = 6 + good;
	kit_faults.fallocate_error = 0;
	kit_start(&k);
	kit_add(&k, 1, 8, BIG);
	kit_restart(&k);
}

static void room_comes_back_before_it_is_needed(void **state)
{
	(void)state;
	kit_start(&k);
	assert_int_equal(k.io.set_term(&k.io, 1), 0);
	kit_add(&k, 1, 2, BIG);
	while (kit_count_segments(&k) < 2)
		uv_run(&k.loop, UV_RUN_NOWAIT);
	kit_faults.fallocate_error = ENOSPC;
	for (unsigned i = 0; i < 7; i++)
		kit_add(&k, 1, 1,
		        BIG); /* Into the second, and beyond its quarter: the third is tried, and cannot be made. */
	for (unsigned i = 0; i < 20; i++)
		kit_add(&k, 1, 1, 64);
	assert_int_equal(kit_count_segments(&k), 2);
	kit_faults.fallocate_error = 0;
	kit_add(&k, 1, 12, BIG);
	kit_restart(&k);
}

static void no_space_at_the_first_start(void **state)
{
	(void)state;
	kit_faults.fallocate_error = ENOSPC;
	assert_int_equal(kit_open(&k), CS_ERR_DISK_FULL);
	assert_true(k.text[0] != 0);
	kit_close(&k);
	kit_faults.fallocate_error = 0;
	kit_start(&k);
	assert_true(disk_pristine(k.disk));
}

/* The entry is there, the term is not: the next start ends what was begun. */
static void crash_within_bootstrap(void **state)
{
	struct kit_folder before, after;
	char name[32];

	(void)state;
	kit_start(&k);
	kit_close(&k);
	kit_save(&k, &before);
	kit_start(&k);
	kit_bootstrap(&k);
	kit_close(&k);
	kit_save(&k, &after);
	kit_restore(&k, &before);
	kit_segment(name, 1);
	kit_write_file(&k, name, kit_file(&after, name)->bytes, kit_file(&after, name)->len);
	kit_start(&k);
	assert_int_equal(k.term, 1);
	assert_false(disk_pristine(k.disk));
	kit_add(&k, 1, 1, 64);
	kit_restart(&k);
	kit_folder_free(&before);
	kit_folder_free(&after);
}

static void begin_behind(void)
{
	uint8_t payload[8] = "payload";
	struct raft_buffer buf = {.base = payload, .len = sizeof payload};
	struct raft_snapshot s = {.index = 1, .term = 1, .configuration_index = 1, .bufs = &buf, .n_bufs = 1};

	raft_configuration_init(&s.configuration);
	assert_int_equal(raft_configuration_add(&s.configuration, KIT_ID, "7", RAFT_VOTER), 0);
	assert_int_equal(disk_begin_behind(k.disk, &s), 0);
	assert_int_equal(disk_begin_behind(k.disk, &s), CS_ERR_EXISTS);
	assert_int_equal(k.io.bootstrap(&k.io, &s.configuration), RAFT_CANTBOOTSTRAP);
	raft_configuration_close(&s.configuration);
	k.first = 2;
	k.n = 0;
}

/* A restored ledger's: there is a snapshot and no entry, wherever a crash comes, or there is nothing yet. */
static void begins_behind_a_snapshot(void **state)
{
	static const char *const order[] = {"snapshot-1", "snapshot-2", "metadata-1", "metadata-2"};
	struct kit_folder before, after;

	(void)state;
	assert_int_equal(kit_open(&k), 0);
	kit_load(&k);
	kit_close(&k);
	kit_save(&k, &before);
	assert_int_equal(kit_open(&k), 0);
	begin_behind();
	kit_load(&k);
	assert_int_equal(k.term, 1);
	assert_int_equal(k.start_index, 2);
	assert_non_null(k.snapshot);
	assert_int_equal(k.snapshot->index, 1);
	assert_memory_equal(k.snapshot->bufs[0].base, "payload", 8);
	kit_add(&k, 1, 3, 64);
	kit_restart(&k);
	kit_add(&k, 1, 3, 64);
	kit_restart(&k);
	kit_close(&k);
	kit_restore(&k, &before);
	assert_int_equal(kit_open(&k), 0);
	begin_behind();
	kit_save(&k, &after);
	kit_load(&k);
	kit_close(&k);
	for (unsigned cut = 0; cut <= 4; cut++) {
		kit_restore(&k, &before);
		for (unsigned i = 0; i < cut; i++)
			kit_write_file(&k, order[i], kit_file(&after, order[i])->bytes,
			               kit_file(&after, order[i])->len);
		k.first = 1;
		k.n = 0;
		assert_int_equal(kit_open(&k), 0);
		assert_int_equal(disk_pristine(k.disk), cut == 0);
		assert_int_equal(disk_snapshot_index(k.disk), cut ? 1 : 0);
		kit_load(&k);
		assert_int_equal(k.term, cut ? 1 : 0);
		k.first = cut ? 2 : 1;
		assert_int_equal(k.start_index, k.first);
		assert_int_equal(k.io.set_term(&k.io, 2), 0);
		kit_add(&k, 2, 2, 64);
		kit_restart(&k);
		kit_add(&k, 2, 2, 64);
		kit_restart(&k);
		kit_close(&k);
	}
	kit_folder_free(&before);
	kit_folder_free(&after);
	kit_start(&k);
}

static void another_node_s_log_is_refused(void **state)
{
	struct disk_options o = {.id = KIT_ID + 1, .segment_size = DISK_SEGMENT_SIZE_MIN};

	(void)state;
	kit_start(&k);
	kit_close(&k);
	assert_int_equal(uv_loop_init(&k.loop), 0);
	k.is_open = true;
	k.closed = false;
	assert_int_equal(disk_open(&k.loop, k.dir, &o, &k.io, &k.disk, k.text), CS_ERR_DAMAGED);
	assert_non_null(strstr(k.text, "another node"));
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
	        T(comes_back_as_it_was_acknowledged),
	        T(bootstraps_once),
	        T(term_and_vote_come_back),
	        T(what_waits_goes_into_one_write),
	        T(goes_on_in_the_next_segment),
	        T(refuses_what_fits_into_no_write),
	        T(snapshots_retire_segments),
	        T(many_segments_are_retired_at_once),
	        T(segments_end_while_others_are_removed),
	        T(snapshots_come_back),
	        T(an_installed_snapshot_begins_the_log_anew),
	        T(crash_before_the_reset_of_an_install_beyond),
	        T(crash_before_the_reset_of_an_install_within),
	        T(crash_before_the_reset_of_what_is_there),
	        T(closes_with_appends_in_flight),
	        T(closes_with_a_snapshot_in_flight),
	        T(opens_as_often_as_it_was_written),
	        T(writes_by_the_kernel),
	        T(writes_by_a_thread_without_o_direct),
	        T(writes_by_a_thread_where_aio_is_refused),
	        T(a_thread_ends_what_the_kernel_wrote_in_part),
	        T(an_error_of_the_kernel_s_write),
	        T(an_error_of_the_thread_s_write),
	        T(no_space_for_a_write),
	        T(no_space_for_the_next_segment),
	        T(room_comes_back_before_it_is_needed),
	        T(no_space_at_the_first_start),
	        T(crash_within_bootstrap),
	        T(begins_behind_a_snapshot),
	        T(another_node_s_log_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
