/* Tests of the verifier's quorums: who has to have signed a checkpoint, and keys that change. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/verify_fixture.h"

#define SIZE FIXTURE_ENTRIES

static struct fixture fixture;
static struct verify_result result;

static int setup(void **state)
{
	(void)state;
	fixture_init(&fixture);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	fixture_free(&fixture);
	return 0;
}

static enum verify_outcome checkpoint_outcome(const struct verify_policy *p, struct fixture_signers by)
{
	char note[LIMIT_NOTE_SIZE_MAX];
	size_t len = fixture_checkpoint(&fixture, SIZE, by, note);

	verify_checkpoint(p, note, len, &result);
	return result.outcome;
}

static void test_quorums(void **state)
{
	static const struct {
		const char *quorum;
		unsigned cosigners;
		bool witness;
		enum verify_outcome outcome;
	} cases[] = {
	        {"quorum n1\n", 1, false, VERIFY_VERIFIED},
	        {"quorum n1\n", 6, true, VERIFY_UNDECIDED},
	        {"group g any n1 n2\nquorum g\n", 2, false, VERIFY_VERIFIED},
	        {"group g any n1 n2\nquorum g\n", 4, false, VERIFY_UNDECIDED},
	        {"group g all n1 n2\nquorum g\n", 3, false, VERIFY_VERIFIED},
	        {"group g all n1 n2\nquorum g\n", 5, false, VERIFY_UNDECIDED},
	        {"group g 2 n1 n2 n3\ngroup h all g out\nquorum h\n", 6, true, VERIFY_VERIFIED},
	        {"group g 2 n1 n2 n3\ngroup h all g out\nquorum h\n", 7, false, VERIFY_UNDECIDED},
	        {"group g 2 n1 n2 n3\ngroup h all g out\nquorum h\n", 4, true, VERIFY_UNDECIDED},
	        {"group g 2 n1 n2 n3\ngroup h all g out\nquorum g\n", 3, false, VERIFY_VERIFIED},
	        {"quorum none\n", 7, true, VERIFY_UNDECIDED}, /* Never more than the leader's claim. */
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct verify_policy *p = fixture_policy(&fixture, cases[i].quorum);
		const struct fixture_signers by = {
		        .logs = 1, .cosigners = cases[i].cosigners, .witness = cases[i].witness};

		assert_int_equal(checkpoint_outcome(p, by), cases[i].outcome);
		if (cases[i].outcome == VERIFY_UNDECIDED)
			assert_non_null(strstr(result.reason, "the leader's claim only"));
		verify_policy_free(p);
	}
}

static void test_checkpoint_result(void **state)
{
	struct hash root;

	(void)state;
	fixture_root(&fixture, SIZE, &root);
	assert_int_equal(checkpoint_outcome(fixture.policy,
	                                    (struct fixture_signers){.logs = 6, .cosigners = 3, .stranger = true}),
	                 VERIFY_VERIFIED);
	assert_int_equal(result.size, SIZE);
	assert_memory_equal(result.root, root.b, sizeof root);
	assert_string_equal(result.origin, FIXTURE_ORIGIN);
	assert_int_equal(result.n_log_signatures, 2);
	assert_int_equal(result.n_cosignatures, 2);
	assert_true(fixture_says(&result, VERIFY_MARK_UNCHECKED, "1 signature line of unknown keys"));
	assert_true(fixture_says(&result, VERIFY_MARK_HELD, "quorum nodes: reached for size 13"));

	/* Nobody we know has signed as the log: nothing is false, and nothing is shown. */
	assert_int_equal(checkpoint_outcome(fixture.policy, (struct fixture_signers){.cosigners = 7, .stranger = true}),
	                 VERIFY_UNDECIDED);
	assert_non_null(strstr(result.reason, "no log key"));
}

/* One line twice is one signature; a line of a known key that is another key's is bad. */
static void test_signature_lines(void **state)
{
	char note[2 * LIMIT_NOTE_SIZE_MAX], other[LIMIT_NOTE_SIZE_MAX];
	size_t len = fixture_checkpoint(&fixture, SIZE, (struct fixture_signers){.logs = 1, .cosigners = 1}, note);
	const char *lines = strstr(note, "\n\n") + 2;

	(void)state;
	char again[1024];
	snprintf(again, sizeof again, "%s", lines);
	memcpy(note + len, again, strlen(again) + 1);
	verify_checkpoint(fixture.policy, note, strlen(note), &result);
	assert_int_equal(result.outcome, VERIFY_UNDECIDED);
	assert_int_equal(result.n_log_signatures, 1);
	assert_int_equal(result.n_cosignatures, 1);

	/* The same signers' lines from under another size's text. */
	fixture_checkpoint(&fixture, SIZE - 1, (struct fixture_signers){.logs = 1, .cosigners = 3}, other);
	fixture_checkpoint(&fixture, SIZE, (struct fixture_signers){.logs = 1, .cosigners = 3}, note);
	strcpy(strstr(note, "\n\n"), strstr(other, "\n\n"));
	verify_checkpoint(fixture.policy, note, strlen(note), &result);
	assert_int_equal(result.outcome, VERIFY_REFUTED);
	assert_int_equal(result.n_log_signatures, 0);
}

/*
 * Log key 0 and cosigner 0 gave way at size 5 to log key 1 and cosigner 2; cosigner 1 stays. The quorum: both who
 * cosign.
 */
static struct verify_policy *ranges(void)
{
	return fixture_policy_of(&fixture,
	                         "log L2\nwitness a W3\nwitness b W2\ngroup g 2 a b\nquorum g\n"
	                         "#countersign: since L2 4\n#countersign: since W3 4\n"
	                         "#countersign: retired log L1 0 5\n#countersign: retired witness a W1 0 5\n");
}

static void check_ranges(const struct verify_policy *p, uint64_t size, unsigned logs, unsigned cosigners)
{
	char note[LIMIT_NOTE_SIZE_MAX];
	size_t len = fixture_checkpoint(&fixture, size, (struct fixture_signers){.logs = logs, .cosigners = cosigners},
	                                note);

	verify_checkpoint(p, note, len, &result);
}

static void test_ranges(void **state)
{
	struct verify_policy *p = ranges();

	(void)state;
	/* Under current keys, and by both in the overlap. */
	check_ranges(p, 7, 2, 6);
	assert_int_equal(result.outcome, VERIFY_VERIFIED);
	assert_false(result.retired_reached);
	check_ranges(p, 5, 3, 7);
	assert_int_equal(result.outcome, VERIFY_VERIFIED);
	assert_true(fixture_says(&result, VERIFY_MARK_UNCHECKED, "by a key that was retired, good up to size 5"));
	/* Under retired ones: it counts with a proof of consistency, and not without. */
	check_ranges(p, 5, 1, 3);
	assert_int_equal(result.outcome, VERIFY_UNDECIDED);
	assert_true(result.retired_reached);
	assert_non_null(strstr(result.reason, "under keys that were retired since"));
	check_ranges(p, 3, 1, 3);
	assert_true(result.retired_reached);
	/* One of them is enough to need it. */
	check_ranges(p, 5, 2, 3);
	assert_int_equal(result.outcome, VERIFY_UNDECIDED);
	assert_true(result.retired_reached);
	check_ranges(p, 5, 1, 6);
	assert_true(result.quorum_reached && result.retired_reached);
	/* Not enough of them, or no log's at all. */
	check_ranges(p, 5, 1, 1);
	fixture_outcome(&result, VERIFY_UNDECIDED, "no log key of the trust policy has signed");
	assert_false(result.retired_reached);
	check_ranges(p, 5, 0, 3);
	assert_false(result.retired_reached);
	verify_policy_free(p);
}

/* Whoever stole a retired key signs a larger size with it, with any clock: it does not count, and that is said. */
static void test_ranges_forged(void **state)
{
	struct verify_policy *p = ranges();
	char note[LIMIT_NOTE_SIZE_MAX];

	(void)state;
	check_ranges(p, 6, 1, 3);
	assert_int_equal(result.outcome, VERIFY_UNDECIDED);
	assert_false(result.retired_reached);
	assert_true(result.retired_misused);
	assert_true(fixture_says(&result, VERIFY_MARK_UNCHECKED, "does not count for size 6, the key is good up to 5"));
	assert_non_null(strstr(result.reason, "not good any more"));
	check_ranges(p, 6, 1, 6);
	fixture_outcome(&result, VERIFY_UNDECIDED, "not good any more");
	check_ranges(p, 6, 2, 1);
	fixture_outcome(&result, VERIFY_UNDECIDED, "not good any more");
	check_ranges(p, 6, 2, 7); /* Beside what is good it changes nothing. */
	fixture_outcome(&result, VERIFY_VERIFIED, "size 6");
	assert_true(result.retired_misused);
	/* A new key says nothing of sizes before it was one. */
	check_ranges(p, 3, 2, 6);
	assert_int_equal(result.outcome, VERIFY_UNDECIDED);
	assert_false(result.retired_reached);
	assert_true(fixture_says(&result, VERIFY_MARK_UNCHECKED, "the key is good from 4"));
	/* A bad line by a retired key spoils the note as any other does. */
	size_t len = fixture_checkpoint(&fixture, 5, (struct fixture_signers){.logs = 3, .cosigners = 6}, note);
	char *root = strchr(strchr(note, '\n') + 1, '\n') + 1;
	verify_checkpoint(p, note, len, &result);
	assert_int_equal(result.outcome, VERIFY_VERIFIED);
	root[3] = root[3] == 'A' ? 'B' : 'A';
	verify_checkpoint(p, note, len, &result);
	assert_int_equal(result.outcome, VERIFY_REFUTED);
	verify_policy_free(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_quorums),         cmocka_unit_test(test_checkpoint_result),
	        cmocka_unit_test(test_signature_lines), cmocka_unit_test(test_ranges),
	        cmocka_unit_test(test_ranges_forged),
	};

	return cmocka_run_group_tests_name("quorums", tests, setup, teardown);
}
