/* Tests of the verifier's proofs (.tlog-proof): every malformed form, and proofs that lead elsewhere. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "ledger/tree.h"
#include "tests/vectors.h"
#include "tests/verify_fixture.h"

#define SIZE  FIXTURE_ENTRIES
#define INDEX 5

static struct fixture fixture;
static struct verify_result result;
static char note[LIMIT_NOTE_SIZE_MAX], good[FORMAT_PROOF_SIZE_MAX], hashes[1024];

/* good: head, index line, hashes, an empty line, note. */
static int setup(void **state)
{
	(void)state;
	fixture_init(&fixture);
	fixture_checkpoint(&fixture, SIZE, (struct fixture_signers){.logs = 1, .cosigners = 3}, note);
	fixture_proof(&fixture, INDEX, SIZE, note, good);
	const char *at = strchr(strchr(good, '\n') + 1, '\n') + 1;
	snprintf(hashes, sizeof hashes, "%.*s", (int)(strstr(at, "\n\n") + 1 - at), at);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	fixture_free(&fixture);
	return 0;
}

static void check(const char *proof, enum verify_entry how)
{
	const struct fixture_entry *e = &fixture.entry[INDEX];

	verify_tlog_proof(fixture.policy, proof, strlen(proof), e->leaf, e->leaf_len, how, &result);
}

static void test_good(void **state)
{
	(void)state;
	check(good, VERIFY_ENTRY_COUNTERSIGN);
	fixture_outcome(&result, VERIFY_VERIFIED, "size 13");
	assert_true(fixture_says(&result, VERIFY_MARK_HELD, "entry 5: a canonical leaf of"));
	check(good, VERIFY_ENTRY_OPAQUE);
	fixture_outcome(&result, VERIFY_VERIFIED, "size 13");
	assert_true(fixture_says(&result, VERIFY_MARK_UNCHECKED, "are proven, but not looked at"));
	verify_tlog_proof(fixture.policy, good, strlen(good), "other", 5, VERIFY_ENTRY_COUNTERSIGN, &result);
	fixture_outcome(&result, VERIFY_REFUTED, "entry: it is not a canonical leaf");
	verify_tlog_proof(fixture.policy, good, strlen(good), "other", 5, VERIFY_ENTRY_OPAQUE, &result);
	fixture_outcome(&result, VERIFY_REFUTED, "entry 5: the proof does not lead from it to the checkpoint's root");
}

static void test_malformed(void **state)
{
#define HASH "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n"
	static const char *const bad[] = {
	        "",
	        "c2sp.org/tlog-proof@v1",
	        "c2sp.org/tlog-proof@v2\nindex 5\n\n",
	        "c2sp.org/tlog-proof@v1\n",
	        "c2sp.org/tlog-proof@v1\nindex 5",
	        "c2sp.org/tlog-proof@v1\nindices 5\n\n",
	        "c2sp.org/tlog-proof@v1\nindex \n\n",
	        "c2sp.org/tlog-proof@v1\nindex 05\n\n",
	        "c2sp.org/tlog-proof@v1\nindex 5\n",
	        "c2sp.org/tlog-proof@v1\nindex 5\n" HASH,
	        "c2sp.org/tlog-proof@v1\nindex 5\nAAAA\n\n",
	        "c2sp.org/tlog-proof@v1\nindex 5\n" HASH "x\n\n",
	        "c2sp.org/tlog-proof@v1\nextra x\nindex 5\n\n",
	        "c2sp.org/tlog-proof@v1\nextra AAAA",
	        "c2sp.org/tlog-proof@v1\nextra AAAA\n",
	        "c2sp.org/tlog-proof@v1\nextra AAAA\nextra AAAA\nindex 5\n\n",
	        "c2sp.org/tlog-proof@v1\nindex 5\nextra AAAA\n\n",
	};
	static char text[FORMAT_PROOF_SIZE_MAX + 2];

	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		check(bad[i], VERIFY_ENTRY_COUNTERSIGN);
		if (result.outcome != VERIFY_REFUTED || !strstr(result.reason, "proof: not a c2sp.org/tlog-proof@v1"))
			fail_msg("%zu: %s", i, result.reason);
	}
	for (unsigned more = 0; more < 2; more++) {
		strcpy(text, "c2sp.org/tlog-proof@v1\nindex 5\n");
		for (unsigned i = 0; i < LIMIT_PROOF_HASHES_MAX + more; i++)
			strcat(text, HASH);
		snprintf(text + strlen(text), sizeof text - strlen(text), "\n%s", note);
		check(text, VERIFY_ENTRY_COUNTERSIGN);
		fixture_outcome(&result, VERIFY_REFUTED,
		                more ? "proof: not a c2sp.org" : "has not the number of hashes that it must have");
	}
	assert_string_equal(result.expected, ""); /* Of the last. */
	memset(text, 'x', sizeof text - 1);
	check(text, VERIFY_ENTRY_COUNTERSIGN);
	fixture_outcome(&result, VERIFY_UNDECIDED, "proof: larger than this verifier takes");
#undef HASH
}

/* Of another index, of a wrong length, of an entry that is not there, and with a line that nobody signs. */
static void test_elsewhere(void **state)
{
	static const struct {
		const char *head;
		enum verify_entry how;
		const char *reason, *expected, *found;
	} rows[] = {
	        {"index 6\n", VERIFY_ENTRY_COUNTERSIGN, "entry 5: the proof is of another index", "5", "6"},
	        {"index 6\n", VERIFY_ENTRY_OPAQUE, "entry 6: the proof does not lead from it", "", ""},
	        {"index 12\n", VERIFY_ENTRY_OPAQUE, "entry 12: the proof has not the number of hashes", "2", "4"},
	        {"index 13\n", VERIFY_ENTRY_OPAQUE, "entry 13: it lies beyond the checkpoint's size", "13", "13"},
	        {"index 18446744073709551615\n", VERIFY_ENTRY_OPAQUE, "it lies beyond the checkpoint's size", "13",
	         "18446744073709551615"},
	};
	static char text[FORMAT_PROOF_SIZE_MAX];

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		snprintf(text, sizeof text, "c2sp.org/tlog-proof@v1\n%s%s\n%s", rows[i].head, hashes, note);
		check(text, rows[i].how);
		fixture_outcome(&result, VERIFY_REFUTED, rows[i].reason);
		assert_true(result.has_bad_index);
		assert_string_equal(result.expected, rows[i].expected);
		assert_string_equal(result.found, rows[i].found);
	}
	snprintf(text, sizeof text, "c2sp.org/tlog-proof@v1\nextra AAAA\nindex 5\n%s\n%s", hashes, note);
	check(text, VERIFY_ENTRY_COUNTERSIGN);
	fixture_outcome(&result, VERIFY_VERIFIED, "size 13");
	assert_true(fixture_says(&result, VERIFY_MARK_UNCHECKED, "extra line is not authenticated: ignored"));
	/* A proof in the largest tree has 64 hashes, one more than any may have; and its note must be one. */
	snprintf(text, sizeof text,
	         "c2sp.org/tlog-proof@v1\nindex 0\n\n"
	         "o\n18446744073709551615\nAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n\n"
	         "\xE2\x80\x94 k AAAAAAA=\n");
	check(text, VERIFY_ENTRY_OPAQUE);
	fixture_outcome(&result, VERIFY_REFUTED, "entry 0: the proof has not the number of hashes");
	assert_string_equal(result.expected, "64");
	check("c2sp.org/tlog-proof@v1\nindex 5\n\n", VERIFY_ENTRY_COUNTERSIGN);
	fixture_outcome(&result, VERIFY_REFUTED, "checkpoint: not a signed note");
}

/* Entry 5 once more, in the place of entry 6, under checkpoints that are good. */
static void test_wrong_place(void **state)
{
	char other[LIMIT_NOTE_SIZE_MAX], proof[FORMAT_PROOF_SIZE_MAX];
	const struct fixture_entry *five = &fixture.entry[5];
	struct hash kept = fixture.entry[6].hash;

	(void)state;
	fixture.entry[6].hash = five->hash;
	fixture_checkpoint(&fixture, SIZE, (struct fixture_signers){.logs = 1, .cosigners = 3}, other);
	size_t len = fixture_proof(&fixture, 6, SIZE, other, proof);
	verify_tlog_proof(fixture.policy, proof, len, five->leaf, five->leaf_len, VERIFY_ENTRY_COUNTERSIGN, &result);
	assert_int_equal(result.outcome, VERIFY_REFUTED);
	assert_string_equal(result.expected, "5");
	assert_string_equal(result.found, "6");
	verify_tlog_proof(fixture.policy, proof, len, five->leaf, five->leaf_len, VERIFY_ENTRY_OPAQUE, &result);
	assert_int_equal(result.outcome, VERIFY_VERIFIED);
	fixture.entry[6].hash = kept;
}

/* The log of another implementation: each checkpoint's signature, and each entry's proof from its hashes. */
static void test_tessera_log(void **state)
{
	static const char policy_text[] =
	        "log example.com/log/testdata+33d7b496+AeHTu4Q3hEIMHNqc6fASMsq3rKNx280NI+oO5xCFkkSx\nquorum none\n";
	static const char *const entries[] = {"one",  "two", "three",  "four",  "five",     "six",     "seven", "eit",
	                                      "nain", "ten", "ileven", "twelf", "threeten", "fourten", "fivten"};
	static char proof[FORMAT_PROOF_SIZE_MAX];
	const struct tree_tiles none = {0};
	struct hash leaf, path_hashes[LIMIT_PROOF_HASHES_MAX];
	struct verify_policy *p;
	char path[512], name[64], reason[128];
	struct tree *t;
	unsigned n;
	size_t len, note_len;

	(void)state;
	vectors_path(path, sizeof path, "tlog/log/checkpoint");
	assert_int_equal(verify_policy_parse(policy_text, strlen(policy_text), &p, reason, sizeof reason), 0);
	assert_int_equal(tree_new(&none, &t), 0);
	for (uint64_t size = 1; size <= 15; size++) {
		hash_leaf(&leaf, entries[size - 1], strlen(entries[size - 1]));
		assert_int_equal(tree_append(t, &leaf), 0);
		snprintf(name, sizeof name, "tlog/log/checkpoint.%u", (unsigned)size);
		vectors_path(path, sizeof path, name);
		uint8_t *theirs = vectors_read(path, &note_len);
		for (uint64_t i = 0; i < size; i++) {
			assert_int_equal(tree_inclusion(t, i, size, path_hashes, &n), 0);
			assert_int_equal(bundle_proof_text(i, path_hashes, n, (const char *)theirs, note_len, proof,
			                                   sizeof proof, &len),
			                 0);
			verify_tlog_proof(p, proof, len, entries[i], strlen(entries[i]), VERIFY_ENTRY_OPAQUE, &result);
			/* It has no witnesses: nothing is false, and it is the log's claim only. */
			assert_int_equal(result.outcome, VERIFY_UNDECIDED);
			assert_int_equal(result.n_log_signatures, 1);
			assert_true(fixture_says(&result, VERIFY_MARK_HELD, "inclusion"));
			verify_tlog_proof(p, proof, len, "other", 5, VERIFY_ENTRY_OPAQUE, &result);
			assert_int_equal(result.outcome, VERIFY_REFUTED);
		}
		free(theirs);
	}
	tree_free(t);
	verify_policy_free(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_good),        cmocka_unit_test(test_malformed),
	        cmocka_unit_test(test_elsewhere),   cmocka_unit_test(test_wrong_place),
	        cmocka_unit_test(test_tessera_log),
	};

	return cmocka_run_group_tests_name("proofs", tests, setup, teardown);
}
