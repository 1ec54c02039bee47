/* Tests of the verifier's checkpoints: every malformed form of a note, and lines of known keys that are not good. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <setjmp.h>
#include <sodium.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/verify_fixture.h"

#define SIZE FIXTURE_ENTRIES
#define ROOT "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n" /* The empty tree's. */
#define TEXT "o\n0\n" ROOT
#define DASH "\xE2\x80\x94 "
#define LINE DASH "k AAAAAAA=\n"

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

static void test_malformed_notes(void **state)
{
	static const char *const no_note[] = {
	        "",
	        "\n",
	        "x",
	        "\n\n",
	        "o\n1\n",
	        TEXT,                        /* No empty line. */
	        TEXT "\n",                   /* No signature line. */
	        TEXT "\n" DASH "k AAAAAAA=", /* It does not end. */
	        "o\x01\n0\n" ROOT "\n" LINE,
	        "o\x7f\n0\n" ROOT "\n" LINE,
	        "o\r\n0\n" ROOT "\n" LINE,
	        "o\xff\n0\n" ROOT "\n" LINE,
	        "o\xc0\xaf\n0\n" ROOT "\n" LINE,
	};
	static const char *const no_checkpoint[] = {
	        "\n\n" LINE,
	        "o\n\n" LINE,
	        "o\n0\n\n" LINE,
	        "\n0\n" ROOT "\n" LINE,
	        "o\n\n" ROOT "\n" LINE,
	        "o\n00\n" ROOT "\n" LINE,
	        "o\n-1\n" ROOT "\n" LINE,
	        "o\n1x\n" ROOT "\n" LINE,
	        "o\n18446744073709551616\n" ROOT "\n" LINE,
	        "o\n18446744073709551620\n" ROOT "\n" LINE,
	        "o\n99999999999999999999\n" ROOT "\n" LINE,
	        "o\n0\nx\n\n" LINE,
	        "o\n0\nAAAA\n\n" LINE,
	        TEXT "extension\n\n" LINE,
	};
	static const char *const bad_line[] = {
	        TEXT "\nx\n",
	        TEXT "\n- k AAAAAAA=\n",
	        TEXT "\n" DASH "AAAAAAA=\n",
	        TEXT "\n" DASH "\n",
	        TEXT "\n" DASH " AAAAAAA=\n",
	        TEXT "\n" DASH "k+ AAAAAAA=\n",
	        TEXT "\n" DASH "k\n",
	        TEXT "\n" DASH "k \n",
	        TEXT "\n" DASH "k AAAA\n",
	        TEXT "\n" DASH "k AAAAAA==\n", /* An id, and no signature. */
	        TEXT "\n" DASH "k AAAAAAB=\n",
	        TEXT "\n" DASH "k AAAAAAA=\nx\n",
	};
	static const struct {
		const char *const *notes;
		size_t n;
		const char *reason;
	} tables[] = {
	        {no_note, sizeof no_note / sizeof no_note[0], "checkpoint: not a signed note"},
	        {no_checkpoint, sizeof no_checkpoint / sizeof no_checkpoint[0], "not an origin, a size and a root"},
	        {bad_line, sizeof bad_line / sizeof bad_line[0], "is malformed"},
	};

	(void)state;
	for (size_t t = 0; t < sizeof tables / sizeof tables[0]; t++)
		for (size_t i = 0; i < tables[t].n; i++) {
			verify_checkpoint(fixture.policy, tables[t].notes[i], strlen(tables[t].notes[i]), &result);
			if (result.outcome != VERIFY_REFUTED || !strstr(result.reason, tables[t].reason))
				fail_msg("table %zu, note %zu: %s", t, i, result.reason);
		}
	verify_checkpoint(fixture.policy, "o\n0\n57DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n\n" LINE,
	                  strlen(TEXT "\n" LINE), &result);
	fixture_outcome(&result, VERIFY_REFUTED, "a root that is not the empty tree's");
	assert_memory_equal(result.expected, "e3b0c442", 8);
	assert_memory_equal(result.found, "e7b0c442", 8);
	/* Well-formed, of an origin that nobody told us of: we cannot tell. */
	verify_checkpoint(fixture.policy, TEXT "\n" LINE, strlen(TEXT "\n" LINE), &result);
	fixture_outcome(&result, VERIFY_UNDECIDED, "no log key of the trust policy has signed for o");
	assert_true(fixture_says(&result, VERIFY_MARK_UNCHECKED, "1 signature line of unknown keys"));
}

/* Nothing is false in it, but it is more than is looked at: it cannot be told. */
static void test_too_much(void **state)
{
	static char note[FORMAT_PROOF_SIZE_MAX + 2];
	char origin[LIMIT_ORIGIN_SIZE_MAX + 2];

	(void)state;
	memset(note, 'x', sizeof note);
	verify_checkpoint(fixture.policy, note, FORMAT_PROOF_SIZE_MAX + 1, &result);
	fixture_outcome(&result, VERIFY_UNDECIDED, "larger than this verifier takes");
	verify_checkpoint(fixture.policy, note, FORMAT_PROOF_SIZE_MAX, &result);
	fixture_outcome(&result, VERIFY_REFUTED, "not a signed note");
	for (unsigned more = 0; more < 2; more++) {
		memset(origin, 'o', sizeof origin);
		origin[LIMIT_ORIGIN_SIZE_MAX + more] = '\0';
		snprintf(note, sizeof note, "%s\n0\n" ROOT "\n" LINE, origin);
		verify_checkpoint(fixture.policy, note, strlen(note), &result);
		fixture_outcome(&result, VERIFY_UNDECIDED,
		                more ? "an origin that this verifier does not take" : "signed");
		assert_int_equal(result.has_checkpoint, !more);

		strcpy(note, TEXT "\n");
		for (unsigned i = 0; i < VERIFY_SIGNATURES_MAX + more; i++)
			strcat(note, LINE);
		verify_checkpoint(fixture.policy, note, strlen(note), &result);
		fixture_outcome(&result, VERIFY_UNDECIDED, more ? "more than 64 signature lines" : "no log key");
		assert_int_equal(fixture_says(&result, VERIFY_MARK_UNCHECKED, "64 signature lines of unknown keys"),
		                 !more);
	}
	/* It would turn what follows it on the terminal around. */
	strcpy(note, "o\xE2\x80\xAE\n0\n" ROOT "\n" LINE);
	verify_checkpoint(fixture.policy, note, strlen(note), &result);
	fixture_outcome(&result, VERIFY_UNDECIDED, "an origin that this verifier does not take");
}

/* --- lines of known keys that are not good --- */

/* The line of key k with these bytes behind its id. */
static void line_add(char note[LIMIT_NOTE_SIZE_MAX], const struct note_key *k, const uint8_t *signature, size_t len)
{
	uint8_t payload[128];
	char base64[256];

	put_u32be(payload, k->id);
	memcpy(payload + 4, signature, len);
	assert_int_equal(base64_encode(payload, 4 + len, base64, sizeof base64), 0);
	snprintf(note + strlen(note), LIMIT_NOTE_SIZE_MAX - strlen(note), DASH "%s %s\n", k->name, base64);
}

/* "cosignature/v1", a time beyond tlog-cosignature's, and a signature that is good for it. */
static void cosign_late(const struct fixture_key *k, const char *note, uint8_t ret[72])
{
	static const char head[] = "cosignature/v1\ntime 9223372036854775808\n";
	uint8_t message[1024];
	size_t text_len = (size_t)(strstr(note, "\n\n") - note) + 1, len = strlen(head) + text_len;

	memcpy(message, head, strlen(head));
	memcpy(message + strlen(head), note, text_len);
	put_u64be(ret, (uint64_t)INT64_MAX + 1);
	crypto_sign_detached(ret + 8, NULL, message, len, k->sk);
}

static void test_bad_lines(void **state)
{
	static const char *const policies[] = {
	        "log L1\nwitness a W1\nquorum a\n",
	        ("log L2\nwitness a W2\nquorum a\n#countersign: retired log L1 0 99\n"
	         "#countersign: retired witness a W1 0 99\n"),
	};
	static const char *const reasons[][2] = {
	        {"log signature of " FIXTURE_ORIGIN, "cosignature of " FIXTURE_ORIGIN "/node-1: bad"},
	        {"signature of " FIXTURE_ORIGIN " by a retired key: bad",
	         "signature of " FIXTURE_ORIGIN "/node-1 by a retired key: bad"},
	};
	char good[LIMIT_NOTE_SIZE_MAX], note[LIMIT_NOTE_SIZE_MAX];
	uint8_t zeros[72] = {0}, late[72];

	(void)state;
	fixture_checkpoint(&fixture, SIZE, (struct fixture_signers){.logs = 1, .cosigners = 1}, good);
	cosign_late(&fixture.cosigner[0], good, late);
	for (unsigned retired = 0; retired < 2; retired++) {
		const struct note_key *log = &fixture.log[0].key, *witness = &fixture.cosigner[0].key;
		struct verify_policy *p = fixture_policy_of(&fixture, policies[retired]);
		const struct {
			const struct note_key *key;
			const uint8_t *signature;
			size_t len;
		} lines[] = {
		        {log, zeros, 64},     {log, zeros, 63},     {log, zeros, 65},
		        {witness, zeros, 72}, {witness, zeros, 71}, {witness, late, 72},
		};

		verify_checkpoint(p, good, strlen(good), &result);
		assert_int_equal(result.outcome, retired ? VERIFY_UNDECIDED : VERIFY_VERIFIED);
		for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
			strcpy(note, good);
			line_add(note, lines[i].key, lines[i].signature, lines[i].len);
			verify_checkpoint(p, note, strlen(note), &result);
			fixture_outcome(&result, VERIFY_REFUTED, reasons[retired][lines[i].key == witness]);
		}
		verify_policy_free(p);
	}
}

/* A log's key is good for the log of its name alone. */
static void test_other_origin(void **state)
{
	struct verify_policy *p = fixture_policy_of(&fixture, "log LO\nwitness a W1\nquorum a\n");
	struct verify_policy *retired =
	        fixture_policy_of(&fixture, "log L1\nwitness a W1\nquorum a\n#countersign: retired log LO 0 99\n");
	char note[LIMIT_NOTE_SIZE_MAX];
	size_t len = fixture_checkpoint(&fixture, SIZE, (struct fixture_signers){.cosigners = 1}, note);
	size_t text_len = (size_t)(strstr(note, "\n\n") - note) + 1;

	(void)state;
	assert_int_equal(
	        note_sign(&fixture.other.key, fixture.other.sk, note, text_len, note, LIMIT_NOTE_SIZE_MAX, &len), 0);
	verify_checkpoint(p, note, len, &result);
	fixture_outcome(&result, VERIFY_UNDECIDED, "no log key of the trust policy has signed for " FIXTURE_ORIGIN);
	assert_true(fixture_says(&result, VERIFY_MARK_UNCHECKED, "other.example/log: good, but for another origin"));
	verify_checkpoint(retired, note, len, &result);
	fixture_outcome(&result, VERIFY_UNDECIDED, "no log key of the trust policy has signed");
	assert_false(result.retired_reached);
	verify_policy_free(p);
	verify_policy_free(retired);
}

/* A witness's name is any octets; what is said of it is text all the same, or no JSON could hold it. */
static void test_names_of_octets(void **state)
{
	struct verify_policy *p = fixture_policy_of(&fixture, "log L1\nwitness \xff\xc3 W1\nquorum \xff\xc3\n");
	char note[LIMIT_NOTE_SIZE_MAX];
	size_t len = fixture_checkpoint(&fixture, SIZE, (struct fixture_signers){.logs = 1}, note);

	(void)state;
	verify_checkpoint(p, note, len, &result);
	assert_true(fixture_says(&result, VERIFY_MARK_UNCHECKED, "quorum ??: not reached"));
	len = fixture_checkpoint(&fixture, SIZE, (struct fixture_signers){.logs = 1, .cosigners = 1}, note);
	verify_checkpoint(p, note, len, &result);
	fixture_outcome(&result, VERIFY_VERIFIED, "under 1 log key and 1 cosignature for size 13");
	assert_true(fixture_says(&result, VERIFY_MARK_HELD, "quorum ??: reached"));
	verify_policy_free(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_malformed_notes), cmocka_unit_test(test_too_much),
	        cmocka_unit_test(test_bad_lines),       cmocka_unit_test(test_other_origin),
	        cmocka_unit_test(test_names_of_octets),
	};

	return cmocka_run_group_tests_name("checkpoints", tests, setup, teardown);
}
