/* Tests of the verifier's trust policies: what is taken, and what is refused and why. */
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
#include "ledger/verify_internal.h"
#include "tests/verify_faults.h"
#include "tests/verify_fixture.h"

static struct fixture fixture;

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

static int policy_result(const char *text, char *reason, size_t reason_size)
{
	struct verify_policy *p = NULL;
	int err = verify_policy_parse(text, strlen(text), &p, reason, reason_size);

	if (err)
		assert_null(p);
	verify_policy_free(p);
	return err;
}

static void test_policy_good(void **state)
{
	static const char *const good[] = {
	        "quorum none\n",
	        "# only words\n\n \t\nquorum none\n",
	        "log L1\nlog L2\nlog L3\nquorum none\n", /* One origin, one key a node. */
	        "log L1 https://example.com/\nwitness a W1 https://w.example/\nquorum a\n",
	        "witness a W1\nwitness b W2\nwitness c W3\ngroup g 2 a b c\nquorum g\n",
	        "witness a W1\nwitness b W2\nwitness c W3\ngroup g any a b\ngroup h all g c\nquorum h\nlog L1\n",
	        "witness a W1\ngroup g any a\nwitness b W2\ngroup h all g b\nquorum h\n",
	        "witness a W1\nquorum none\n",
	        "\t witness \t a\tW1 \n  quorum   a\t\n",
	        "witness \xFF\xFE W1\nquorum \xFF\xFE\n", /* Names are octets. */
	        ("log L1\nwitness a W1\nquorum a\n#countersign: since L1 7\n#countersign: since W1 0\n"
	         "#countersign: retired log L2 0 6\n#countersign: retired witness a W2 0 18446744073709551614\n"),
	        "#countersign is no word of ours\nquorum none\n",
	};
	char text[4096], reason[128];

	(void)state;
	for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
		fixture_policy_text(&fixture, good[i], text, sizeof text);
		if (policy_result(text, reason, sizeof reason))
			fail_msg("%s: %s", good[i], reason);
	}
}

static void test_policy_bad(void **state)
{
	static const struct {
		const char *text, *reason;
	} bad[] = {
	        {"", "no quorum line"},
	        {"log L1\n", "no quorum line"},
	        {"quorum none", "does not end"},
	        {"quorum none\n#countersign: \n", "line 2: expected since or retired"},
	        {"quorum none\n#countersign: since L1 5\n", "no line above has this key"},
	        {"log L1\nquorum none\n#countersign: since L1 x\n", "expected a size"},
	        {"log L1\nquorum none\n#countersign: since L1\n", "expected: #countersign: since"},
	        {"log L1\nquorum none\n#countersign: since x 5\n", "not a verifier key"},
	        {"quorum none\n#countersign: retired log L1 0\n", "expected: #countersign: retired"},
	        {"quorum none\n#countersign: retired log L1 0 18446744073709551615\n", "expected two sizes"},
	        {"quorum none\n#countersign: retired log W1 0 5\n", "type 01"},
	        {"quorum none\n#countersign: retired witness a W1 0 5\n", "not defined above"},
	        {"log L1\nquorum none\n#countersign: retired log L1 0 5\n", "the key is there already"},
	        {"quorum none\n#countersign: retired log L1 0 5\n#countersign: retired log L1 0 5\n",
	         "the key is there already"},
	        {"quorum none\n#countersign: retired log L1 0 5\nlog L1\n", "another key has this name and id"},
	        {"quorum none\nquorum none\n", "line 2: a second quorum line"},
	        {"quorum\n", "expected: quorum"},
	        {"quorum a b\n", "expected: quorum"},
	        {"quorum a\n", "not defined above"},
	        {"quorum a\nwitness a W1\n", "line 1: the quorum's name is not defined above"},
	        {"log\nquorum none\n", "expected: log"},
	        {"log L1 u v\nquorum none\n", "expected: log"},
	        {"log L1\nlog L1\nquorum none\n", "line 2: this log's key is there already"},
	        {"log W1\nquorum none\n", "type 01"},
	        {"witness a L1\nquorum none\n", "type 04"},
	        {"log xL1\nquorum none\n", "does not belong"},
	        {"log L1=\nquorum none\n", "not an Ed25519 key"},
	        {"log name\nquorum none\n", "not a verifier key"},
	        {"log +00000000+AAAA\nquorum none\n", "bad name"},
	        {"log n+0000000g+AAAA\nquorum none\n", "bad key id"},
	        {"log n+00000000+AAAA\nquorum none\n", "not an Ed25519 key"},
	        {"witness a\nquorum none\n", "expected: witness"},
	        {"witness none W1\nquorum none\n", "taken"},
	        {"witness a W1\nwitness a W2\nquorum a\n", "taken"},
	        {"witness a W1\nwitness b W1\nquorum a\n", "line 2: this witness's key is there already"},
	        {"witness a W1\ngroup a any a\nquorum a\n", "taken"},
	        {"witness a W1\ngroup g any\nquorum g\n", "expected: group"},
	        {"witness a W1\ngroup g some a\nquorum g\n", "expected all, any or a number"},
	        {"witness a W1\ngroup g 0 a\nquorum g\n", "from 1"},
	        {"witness a W1\ngroup g 2 a\nquorum g\n", "from 1"},
	        {"witness a W1\ngroup g 01 a\nquorum g\n", "expected all, any or a number"},
	        {"witness a W1\ngroup g any b\nquorum g\n", "not defined above"},
	        {"witness a W1\ngroup g any g\nquorum g\n", "not defined above"},
	        {"witness a W1\ngroup g any a a\nquorum g\n", "in a group already"},
	        {"witness a W1\ngroup g any a\ngroup h any a\nquorum g\n", "in a group already"},
	        {"witness a W1\ngroup g any none\nquorum g\n", "not defined above"},
	        {"trust me\nquorum none\n", "expected log, witness, group or quorum"},
	        {"quorum none\n#countersign: retired log L1 x 5\n", "expected two sizes"},
	        {"quorum none\n#countersign: retired log L1 0 x\n", "expected two sizes"},
	        {"quorum none\n#countersign: retired log L1 0 5 6\n", "expected: #countersign: retired"},
	        {"quorum none\n#countersign: retired witness a W1 0\n", "expected: #countersign: retired"},
	        {"quorum none\n#countersign: before L1 5\n", "expected since or retired"},
	        {"witness a W1\nquorum a\n#countersign: retired witness a L2 0 5\n", "type 04"},
	        {"witness a W1\ngroup g any a\nquorum g\n#countersign: retired witness g W2 0 5\n",
	         "not defined above"},
	        {"log n+1234\nquorum none\n", "not a verifier key"},
	        {"log n+00000000-AAAA\nquorum none\n", "not a verifier key"},
	        {"log \xff+00000000+AAAA\nquorum none\n", "bad name"},
	        {"witness a W1\ngroup g\nquorum a\n", "expected: group"},
	        {"witness a W1 u v\nquorum a\n", "expected: witness"},
	        {"quorum none \x7f\n", "a control character"},
	        {"quorum none\r\n", "a control character"},
	        {"quorum none \x01\n", "a control character"},
	};
	char text[4096], reason[128];

	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		fixture_policy_text(&fixture, bad[i].text, text, sizeof text);
		if (policy_result(text, reason, sizeof reason) != CS_ERR_MALFORMED)
			fail_msg("taken: %s", bad[i].text);
		if (!strstr(reason, bad[i].reason))
			fail_msg("%s: \"%s\", not \"%s\"", bad[i].text, reason, bad[i].reason);
	}
	char *large = calloc(1, VERIFY_POLICY_SIZE_MAX + 2);
	assert_non_null(large);
	memset(large, '\n', VERIFY_POLICY_SIZE_MAX + 1);
	assert_int_equal(policy_result(large, reason, sizeof reason), CS_ERR_TOO_LARGE);
	free(large);
}

/* --- bounds --- */

static char *long_text;
static size_t long_len;

static void add(const char *format, ...) __attribute__((format(printf, 1, 2)));
static void add(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	long_len += (size_t)vsnprintf(long_text + long_len, VERIFY_POLICY_SIZE_MAX - long_len, format, args);
	va_end(args);
	assert_true(long_len < VERIFY_POLICY_SIZE_MAX);
}

/* NULL: it is taken. Ends the text. */
static void long_result(const char *want)
{
	char reason[128] = "";
	int err = policy_result(long_text, reason, sizeof reason);

	if (want ? err != CS_ERR_MALFORMED || !strstr(reason, want) : err != 0)
		fail_msg("%d: \"%s\", not \"%s\"", err, reason, want ? want : "");
	long_len = 0;
	long_text[0] = '\0';
}

static void add_witnesses(unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		add("witness w%u %s\n", i, fixture_vkey("w", NOTE_KEY_COSIGNATURE, i));
}

static void test_policy_bounds(void **state)
{
	char name[LIMIT_KEY_NAME_SIZE_MAX + 2];

	(void)state;
	long_text = calloc(1, VERIFY_POLICY_SIZE_MAX);
	assert_non_null(long_text);
	for (unsigned more = 0; more < 2; more++) {
		for (unsigned i = 0; i < VERIFY_POLICY_LOGS_MAX + more; i++)
			add("log %s\n", fixture_vkey("l", NOTE_KEY_ED25519, i));
		add("quorum none\n");
		long_result(more ? "line 65: too many logs" : NULL);

		add_witnesses(VERIFY_POLICY_NAMES_MAX + more);
		add("quorum none\n");
		long_result(more ? "line 129: too many witnesses and groups" : NULL);
		add_witnesses(VERIFY_POLICY_NAMES_MAX - 1 + more);
		add("group g any w0\nquorum none\n");
		long_result(more ? "line 129: too many witnesses and groups" : NULL);

		add("quorum none\n");
		for (unsigned i = 0; i < VERIFY_POLICY_RETIRED_MAX + more; i++)
			add("#countersign: retired log %s 0 9\n", fixture_vkey("l", NOTE_KEY_ED25519, i));
		long_result(more ? "line 66: too many retired keys" : NULL);

		memset(name, 'n', sizeof name);
		name[LIMIT_KEY_NAME_SIZE_MAX + more] = '\0';
		add("witness %s %s\nquorum none\n", name, fixture_vkey("w", NOTE_KEY_COSIGNATURE, 0));
		long_result(more ? "the name is too long" : NULL);
		add("log %s+00000000+AAAA\nquorum none\n", name);
		long_result(more ? "bad name" : "not an Ed25519 key");
	}
	free(long_text);
}

/* A comment may be of any words, as long as it is not ours. */
static void test_policy_words(void **state)
{
	(void)state;
	long_text = calloc(1, VERIFY_POLICY_SIZE_MAX);
	assert_non_null(long_text);
	add("#");
	for (unsigned i = 0; i < 200; i++)
		add(" word");
	add("\nquorum none\n");
	long_result(NULL);
	add("quorum none\n#countersign: since");
	for (unsigned i = 0; i < 200; i++)
		add(" word");
	add("\n");
	long_result("line 2: expected: #countersign: since");
	add("group g any");
	for (unsigned i = 0; i < VERIFY_POLICY_NAMES_MAX + 1; i++)
		add(" w%u", i);
	add("\nquorum none\n");
	long_result("line 1: too many words");
	free(long_text);
}

/* Two keys of one name whose ids are the same: who knows one would hold the other's line against it. Found by trying.
 */
static void test_policy_same_id(void **state)
{
	static const uint32_t logs[] = {10011, 34185}, witnesses[] = {13475, 32730};
	const char *one = fixture_vkey("n", NOTE_KEY_ED25519, logs[0]),
	           *two = fixture_vkey("n", NOTE_KEY_ED25519, logs[1]);

	(void)state;
	assert_memory_equal(one, "n+d55d21b8+", 11);
	assert_memory_equal(two, "n+d55d21b8+", 11);
	long_text = calloc(1, VERIFY_POLICY_SIZE_MAX);
	assert_non_null(long_text);
	add("log %s\nlog %s\nquorum none\n", one, two);
	long_result("line 2: another key has this name and id");
	add("quorum none\nlog %s\n#countersign: retired log %s 0 5\n", one, two);
	long_result("line 3: the key is there already");
	add("quorum none\n#countersign: retired log %s 0 5\nlog %s\n", one, two);
	long_result("line 3: another key has this name and id");
	one = fixture_vkey("n", NOTE_KEY_COSIGNATURE, witnesses[0]);
	two = fixture_vkey("n", NOTE_KEY_COSIGNATURE, witnesses[1]);
	add("witness a %s\nwitness b %s\nquorum a\n", one, two);
	long_result("line 2: another key has this name and id");
	add("witness a %s\ngroup g any a\nquorum g\n#countersign: retired witness a %s 0 5\n", one, two);
	long_result("line 4: the key is there already");
	/* The same name, and another id; one public key as a log's and a witness's. */
	add("log %s\nwitness a %s\nwitness b %s\nquorum a\n", fixture_vkey("n", NOTE_KEY_ED25519, 7), one,
	    fixture_vkey("n", NOTE_KEY_COSIGNATURE, 7));
	add("#countersign: since %s 4\n", fixture_vkey("n", NOTE_KEY_COSIGNATURE, 7));
	long_result(NULL);
	add("log %s\nquorum none\nwitness a %s\n", fixture_vkey("n", NOTE_KEY_ED25519, 8), one);
	add("#countersign: retired witness a %s 0 5\n", fixture_vkey("n", NOTE_KEY_COSIGNATURE, 8));
	long_result("line 4: the key is there already");
	free(long_text);
}

static void test_policy_memory(void **state)
{
	static const char text[] = "quorum none\n";
	struct verify_policy *p = NULL;
	char reason[128];

	(void)state;
	for (unsigned n = 1; n <= 2; n++) {
		verify_faults_arm("calloc", n, ENOMEM);
		assert_int_equal(verify_policy_parse(text, strlen(text), &p, reason, sizeof reason), CS_ERR_NOMEM);
		assert_true(verify_faults_disarm());
		assert_string_equal(reason, "out of memory");
		assert_null(p);
	}
}

/* How many of which keys a quorum is, where it is that and nothing more. */
static void test_policy_threshold(void **state)
{
#define FOUR "witness n1 W1\nwitness n2 W2\nwitness n3 W3\nwitness out WO\n"
	static const struct {
		const char *quorum;
		unsigned cap, need, keys; /* Bits of keys: node 1 to 3, the witness from outside. */
	} rows[] = {
	        {"quorum none\n", 8, 0, 0},
	        {"group g any n1\nquorum none\n", 8, 0, 0},
	        {"quorum n2\n", 8, 1, 2},
	        {"quorum out\n", 1, 1, 8},
	        {"group g all n1 n2 n3\nquorum n3\n", 1, 1, 4}, /* The group is of no account. */
	        {"quorum n1\n", 0, 0, 0},
	        {"group g 2 n1 n2 n3\nquorum g\n", 8, 2, 7},
	        {"group g 2 n1 n2 n3\nquorum g\n", 3, 2, 7},
	        {"group g 2 n1 n2 n3\nquorum g\n", 2, 0, 0}, /* A key more than there is room for. */
	        {"group g any n1 out\nquorum g\n", 8, 1, 9},
	        {"group g all out n3 n2 n1\nquorum g\n", 4, 4, 15},
	        {"group g 2 n1 n2\ngroup h any n3 out\nquorum h\n", 8, 1, 12},
	        {"group g 2 n1 n2 n3\ngroup h all g out\nquorum g\n", 8, 2, 7},
	        {"group g 2 n1 n2 n3\ngroup h all g out\nquorum h\n", 8, 0, 0}, /* A group of groups. */
	        {"group g any n1\ngroup h any g\nquorum h\n", 8, 0, 0},
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		char template[512];
		uint32_t ids[8] = {0};
		unsigned n = 77, want = 0;

		snprintf(template, sizeof template, FOUR "%s", rows[i].quorum);
		struct verify_policy *p = fixture_policy_of(&fixture, template);
		assert_int_equal(verify_policy_threshold(p, ids, rows[i].cap, &n), rows[i].need);
		for (unsigned key = 0; key < 4; key++)
			if (rows[i].keys >> key & 1)
				assert_int_equal(ids[want++],
				                 (key < 3 ? &fixture.cosigner[key] : &fixture.witness)->key.id);
		assert_int_equal(n, want);
		for (unsigned k = rows[i].cap; k < 8; k++) /* Nothing goes past the room. */
			assert_int_equal(ids[k], 0);
		verify_policy_free(p);
	}
#undef FOUR
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_policy_good),      cmocka_unit_test(test_policy_bad),
	        cmocka_unit_test(test_policy_bounds),    cmocka_unit_test(test_policy_words),
	        cmocka_unit_test(test_policy_same_id),   cmocka_unit_test(test_policy_memory),
	        cmocka_unit_test(test_policy_threshold),
	};

	return cmocka_run_group_tests_name("trust policies", tests, setup, teardown);
}
