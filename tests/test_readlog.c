/* Tests of the log of readers: who waits, who need not, what is sent, again, and once. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "ledger/entry.h"
#include "ledger/errors.h"
#include "node/readlog.h"

#define S UINT64_C(1000000000)

static struct readlog *l;
static struct readlog_batch batch;

static int setup(void **state)
{
	(void)state;
	if (readlog_new(&l))
		return -1;
	readlog_switch(l, true);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	readlog_free(l);
	return 0;
}

static uint64_t note(uint64_t who, unsigned what, uint64_t first, uint64_t last, uint64_t now_ns)
{
	struct read_log one = {.n_rows = 1, .rows = {{who, what, first, last, 1, last - first + 1, 4}}};
	uint64_t ticket;

	assert_int_equal(readlog_note(l, &one, now_ns, &ticket), 0);
	return ticket;
}

static uint64_t note_search(uint64_t who, const char *subject, uint64_t now_ns)
{
	char copy[64];
	struct read_log one = {.n_rows = 1, .rows = {{who, READ_SEARCH, 0, 9, 1, 0, 0}}, .n_lookups = 1};
	uint64_t ticket;

	strcpy(copy, subject);
	one.lookups[0] = (struct read_lookup){FIELD_SUBJECT, {copy, strlen(copy)}};
	assert_int_equal(readlog_note(l, &one, now_ns, &ticket), 0);
	memset(copy, 'x', sizeof(copy)); /* The request is gone: its text was copied. */
	return ticket;
}

static bool next(uint64_t now_ns, struct read_log *ret)
{
	if (!readlog_next(l, now_ns, 1700000000000, &batch))
		return false;
	assert_int_equal(read_log_decode(ret, batch.bytes, batch.len), 0);
	return true;
}

static void test_off(void **state)
{
	struct read_log got;

	(void)state;
	readlog_switch(l, false);
	assert_false(readlog_on(l));
	assert_int_equal(note(1, READ_ENTRIES, 0, 9, S), 0);
	assert_false(next(10 * S, &got));
}

/* The first one waits for its entry; who goes on does not, and is noted within a second. */
static void test_lease(void **state)
{
	struct read_log got;

	(void)state;
	uint64_t ticket = note(7, READ_ENTRIES, 0, 9, S);
	assert_int_not_equal(ticket, 0);
	assert_false(readlog_logged(l, ticket));
	assert_true(next(S, &got));
	assert_int_equal(got.n_rows, 1);
	assert_true(got.rows[0].principal == 7 && got.rows[0].last == 9 && got.rows[0].fields == 4);
	assert_false(next(S, &got));
	assert_false(readlog_logged(l, ticket));
	readlog_applied(l, batch.id, 2 * S);
	assert_true(readlog_logged(l, ticket));

	assert_int_equal(note(7, READ_ENTRIES, 10, 19, 2 * S), 0);
	assert_int_equal(note(7, READ_ENTRIES, 20, 29, 2 * S + 1), 0);
	assert_false(next(2 * S + 2, &got));
	assert_true(next(3 * S, &got));
	assert_true(got.rows[0].first == 10 && got.rows[0].last == 29 && got.rows[0].reads == 2 &&
	            got.rows[0].entries == 20);
	readlog_applied(l, batch.id, 3 * S);
	/* Another reader, another way of reading, or after a while: the lease is not for them. */
	assert_int_not_equal(note(8, READ_ENTRIES, 0, 0, 3 * S), 0);
	assert_int_not_equal(note(7, READ_HISTORY, 0, 0, 3 * S), 0);
	assert_int_equal(note(7, READ_ENTRIES, 0, 0, 3 * S + READLOG_LEASE_NS - 1), 0);
	assert_int_not_equal(note(7, READ_ENTRIES, 0, 0, 3 * S + READLOG_LEASE_NS), 0);
}

/* What comes while rows are on their way goes together. */
static void test_gather(void **state)
{
	struct read_log got;

	(void)state;
	note(1, READ_ENTRIES, 0, 9, S);
	assert_true(next(S, &got));
	uint64_t a = note(2, READ_ENTRIES, 0, 9, S), b = note(3, READ_PROOF, 5, 5, S), c = note(3, READ_PROOF, 6, 6, S);
	assert_true(a == b && b == c);
	assert_false(next(S, &got));
	readlog_applied(l, batch.id, S);
	assert_true(next(S, &got));
	assert_int_equal(got.n_rows, 3); /* Each proof is named. */
	assert_false(readlog_logged(l, a));
	readlog_applied(l, batch.id, S);
	assert_true(readlog_logged(l, a));
	/* A proof never has a lease. */
	assert_int_not_equal(note(3, READ_PROOF, 5, 5, S), 0);
}

static void test_many_reads(void **state)
{
	struct read_log got;

	(void)state;
	note(1, READ_ENTRIES, 0, 0, S);
	assert_true(next(S, &got));
	readlog_applied(l, batch.id, S);
	for (unsigned i = 0; i < READLOG_READS_MAX - 1; i++)
		assert_int_equal(note(1, READ_ENTRIES, i, i, S), 0);
	assert_false(next(S, &got));
	note(1, READ_ENTRIES, 0, 0, S);
	assert_true(next(S, &got));
	assert_int_equal(got.rows[0].reads, READLOG_READS_MAX);
}

/* Nobody answers: again, with the same id, so that it becomes one entry; after a long while with another. */
static void test_again(void **state)
{
	uint8_t id[REQUEST_ID_SIZE];
	struct read_log got;

	(void)state;
	uint64_t ticket = note(1, READ_ENTRIES, 0, 9, S);
	assert_true(next(S, &got));
	memcpy(id, batch.id, sizeof(id));
	assert_false(next(S + S / 4, &got));
	assert_true(next(2 * S, &got));
	assert_memory_equal(id, batch.id, sizeof(id));
	id[0] ^= 1;
	readlog_applied(l, id, 2 * S); /* Another node's. */
	assert_false(readlog_logged(l, ticket));
	assert_true(next(100 * S, &got));
	id[0] ^= 1;
	assert_memory_not_equal(id, batch.id, sizeof(id));
	readlog_applied(l, batch.id, 100 * S);
	assert_true(readlog_logged(l, ticket));
	assert_false(next(200 * S, &got));
}

/* Searches go one by one, for each says what was looked for; the same one again has a lease. */
static void test_searches(void **state)
{
	struct read_log got;

	(void)state;
	uint64_t ada = note_search(1, "user:ada", S), bob = note_search(1, "user:bob", S);
	assert_true(ada != 0 && bob != 0 && ada != bob);
	assert_true(next(S, &got));
	assert_true(got.n_lookups == 1 && got.lookups[0].text.len == 8 &&
	            !memcmp(got.lookups[0].text.s, "user:ada", 8));
	readlog_applied(l, batch.id, S);
	assert_true(readlog_logged(l, ada));
	assert_false(readlog_logged(l, bob));
	assert_int_equal(note_search(1, "user:ada", S), 0);
	assert_int_not_equal(note_search(2, "user:ada", S), 0);
	assert_true(next(S, &got));
	assert_memory_equal(got.lookups[0].text.s, "user:bob", 8);
}

/* Bounded: when nothing gets to the ledger, readers are refused. */
static void test_full(void **state)
{
	struct read_log one = {.n_rows = 1, .rows = {{1, READ_SEARCH, 0, 9, 1, 0, 0}}, .n_lookups = 1};
	struct read_log got;
	char who[16];
	uint64_t ticket;
	int err = 0;
	unsigned n = 0, sent = 0;

	(void)state;
	for (; err == 0 && n < 1000; n++) {
		int len = snprintf(who, sizeof(who), "user:%u", n);
		one.lookups[0] = (struct read_lookup){FIELD_SUBJECT, {who, (size_t)len}};
		err = readlog_note(l, &one, S, &ticket);
	}
	assert_int_equal(err, CS_ERR_OVERLOADED);
	assert_int_equal(n, 65);
	while (next(S, &got))
		sent++;
	assert_int_equal(sent, 16);
}

/* No room for entries: nobody waits, and what was read is sent when there is. */
static void test_no_room(void **state)
{
	struct read_log got;

	(void)state;
	readlog_room(l, false);
	assert_int_equal(note(1, READ_PROOF, 5, 5, S), 0);
	readlog_room(l, true);
	assert_true(next(S, &got));
	assert_int_equal(got.rows[0].first, 5);
	assert_int_not_equal(note(1, READ_PROOF, 5, 5, S), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test_setup_teardown(test_off, setup, teardown),
	        cmocka_unit_test_setup_teardown(test_lease, setup, teardown),
	        cmocka_unit_test_setup_teardown(test_gather, setup, teardown),
	        cmocka_unit_test_setup_teardown(test_many_reads, setup, teardown),
	        cmocka_unit_test_setup_teardown(test_again, setup, teardown),
	        cmocka_unit_test_setup_teardown(test_searches, setup, teardown),
	        cmocka_unit_test_setup_teardown(test_full, setup, teardown),
	        cmocka_unit_test_setup_teardown(test_no_room, setup, teardown),
	};

	return cmocka_run_group_tests_name("readlog", tests, NULL, NULL);
}
