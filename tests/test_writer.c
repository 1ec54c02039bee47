/* The writer: states in order behind their entries, a fetched one in the place of all that is there by then. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ledger/errors.h"
#include "ledger/multiset.h"
#include "node/writer.h"

static char folder[64];
static struct store *store;
static struct ledger_writer *writer;
static sem_t progressed;

static void progress(void *ctx)
{
	(void)ctx;
	sem_post(&progressed);
}

__attribute__((noreturn)) static void fatal(void *ctx, int err, const char *what)
{
	(void)ctx;
	fprintf(stderr, "%s: %s\n", what, err_text(err));
	abort();
}

static int setup(void **state)
{
	const struct store_options o = {.map_size = 1 << 24, .create = true};
	const struct ledger_writer_options w = {.interval_ms = 1000, .progress = progress, .fatal = fatal};
	struct ledger_writer_options options = w;

	(void)state;
	snprintf(folder, sizeof folder, "%s/writer-XXXXXX", getenv("TMPDIR") ? getenv("TMPDIR") : "/tmp");
	if (!mkdtemp(folder) || store_open(folder, &o, &store) || sem_init(&progressed, 0, 0))
		return -1;
	options.store = store;
	return ledger_writer_open(&options, &writer);
}

static int teardown(void **state)
{
	char path[100];

	(void)state;
	ledger_writer_close(writer);
	store_close(store);
	sem_destroy(&progressed);
	for (unsigned i = 0; i < 3; i++) {
		snprintf(path, sizeof path, "%s/%s", folder, i == 0 ? "data.mdb" : i == 1 ? "lock.mdb" : "");
		if (i < 2 ? unlink(path) : rmdir(path))
			return -1;
	}
	return 0;
}

/* An entry of one batch, which brings the ledger to this Raft index. */
static void push_entry(uint64_t index)
{
	struct entries *b = entries_new(index, 1, index - 1, 1);
	struct hash h;

	hash_leaf(&h, &index, sizeof index);
	assert_non_null(b);
	assert_int_equal(entries_add(b, &index, sizeof index, "", 0, &h), 0);
	entries_seal(b);
	ledger_writer_push(writer, b);
}

/* Records of one byte each, whose keys are their values. */
static struct state_block *block_of(uint64_t index, const char *records)
{
	struct state_block *b = state_block_new(index, 1);

	assert_non_null(b);
	for (; *records; records++)
		assert_int_equal(state_block_add(b, records, 1, records, 1), 0);
	return b;
}

static void digest_of(const char *records, struct hash *ret)
{
	struct multiset sum = {0};

	for (; *records; records++)
		multiset_add(&sum, (uint8_t)*records, records, 1);
	multiset_digest(&sum, ret);
}

static void wait_stored(uint64_t index)
{
	while (ledger_writer_state_index(writer) < index)
		sem_wait(&progressed);
}

static int collect(void *ctx, const void *key, size_t key_len, const void *value, size_t value_len)
{
	char *text = ctx;

	assert_true(key_len == 1 && value_len == 1 && memcmp(key, value, 1) == 0);
	strncat(text, value, 1);
	return 0;
}

/* The state at this index is these records and no others: in the store, in its sum, and as the writer says. */
static void assert_state(uint64_t index, const char *records)
{
	struct hash want, got;
	char text[32] = "";

	digest_of(records, &want);
	assert_true(ledger_writer_state_digest(writer, index, &got));
	assert_true(hash_equal(&want, &got));
	assert_int_equal(store_each_state(store, collect, text), 0);
	assert_string_equal(text, records);
	assert_int_equal(store_check_state(store), 0);
}

/*
 * A fetched state takes the place of what is stored when it is written, not of what was stored when it was given to the
 * writer: a state of before may wait there still.
 */
static void test_whole_behind_another(void **state)
{
	struct state_block *whole = block_of(3, "bd");

	(void)state;
	push_entry(1);
	ledger_writer_push_state(writer, block_of(1, "ab"), true);
	wait_stored(1);
	assert_state(1, "ab");
	ledger_writer_hold(writer, true);
	push_entry(2);
	push_entry(3);
	ledger_writer_push_state(writer, block_of(2, "c"), false);
	whole->whole = true;
	ledger_writer_push_state(writer, whole, true);
	ledger_writer_hold(writer, false);
	wait_stored(3);
	assert_state(3, "bd");
	push_entry(4);
	ledger_writer_push_state(writer, block_of(4, "a"), true); /* And it goes on from there. */
	wait_stored(4);
	assert_state(4, "abd");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test_setup_teardown(test_whole_behind_another, setup, teardown),
	};

	return cmocka_run_group_tests_name("writer", tests, NULL, NULL);
}
