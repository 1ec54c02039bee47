/* Tests of what the verifier says of a trust policy: in words, written anew, and whom from outside it asks for. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "ledger/errors.h"
#include "ledger/verify_internal.h"
#include "ledger/verify_show.h"
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

/* --- witnesses from outside --- */

static void test_outside(void **state)
{
#define FOUR "log L1\nwitness out WO\nwitness n1 W1\nwitness far %s\nwitness n2 W2\n"
	static const struct {
		const char *quorum;
		unsigned need, n; /* Of how many of them a quorum takes so many. */
	} rows[] = {
	        {"quorum none\n", 0, 0},
	        {"quorum n1\n", 0, 0},
	        {"quorum out\n", 1, 1},
	        {"group g 2 n1 n2\nquorum g\n", 0, 0},
	        {"group g any out far\nquorum g\n", 1, 2},
	        {"group g all out far\nquorum g\n", 2, 2},
	        {"group g 2 out n1 far n2\nquorum g\n", 0, 2}, /* The two members do. */
	        {"group g 3 out n1 far n2\nquorum g\n", 1, 2},
	        {"group m 2 n1 n2\ngroup o any out far\ngroup q all m o\nquorum q\n", 1, 2},
	        {"group m 2 n1 n2\ngroup o all out far\ngroup q any o m\nquorum q\n", 0, 2},
	        {"group m 2 n1 n2\ngroup o any out far\ngroup q all m o\nquorum m\n", 0, 0}, /* Not asked. */
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		char lines[2048], text[4096], reason[128];
		struct verify_policy *p;
		uint32_t ids[8] = {0};
		unsigned n;

		/* Its name begins as the members' do. */
		snprintf(lines, sizeof lines, FOUR "%s", fixture_vkey(FIXTURE_ORIGIN "/far", NOTE_KEY_COSIGNATURE, 5),
		         rows[i].quorum);
		fixture_policy_text(&fixture, lines, text, sizeof text);
		assert_int_equal(verify_policy_parse(text, strlen(text), &p, reason, sizeof reason), 0);
		assert_int_equal(verify_policy_outside(p, FIXTURE_ORIGIN, ids, 8, &n), rows[i].need);
		assert_int_equal(n, rows[i].n);
		if (n > 0)
			assert_int_equal(ids[0], fixture.witness.key.id);
		/* There is room for one. */
		assert_int_equal(verify_policy_outside(p, FIXTURE_ORIGIN, ids, 1, &n), rows[i].need);
		assert_int_equal(n, rows[i].n ? 1 : 0);
		verify_policy_free(p);
	}
#undef FOUR
}

/* For one of them the others have cosigned: what it waits for is the members. */
static void test_presumed(void **state)
{
	struct verify_policy *p = fixture_policy_of(&fixture, "log L1\nwitness n1 W1\nwitness n2 W2\nwitness out WO\n"
	                                                      "group m 2 n1 n2\ngroup q all m out\nquorum q\n");
	static struct verify_result result;
	char note[LIMIT_NOTE_SIZE_MAX];
	size_t len = fixture_checkpoint(&fixture, 5, (struct fixture_signers){.logs = 1, .cosigners = 3}, note);

	(void)state;
	verify_checkpoint(p, note, len, &result);
	fixture_outcome(&result, VERIFY_UNDECIDED, "the leader's claim only");
	verify_policy_presume_outside(p, FIXTURE_ORIGIN);
	verify_checkpoint(p, note, len, &result);
	fixture_outcome(&result, VERIFY_VERIFIED, "verified under 1 log key and 2 cosignatures for size 5");
	len = fixture_checkpoint(&fixture, 5, (struct fixture_signers){.logs = 1, .cosigners = 2}, note);
	verify_checkpoint(p, note, len, &result);
	fixture_outcome(&result, VERIFY_UNDECIDED, "the leader's claim only");
	verify_policy_free(p);
}

/* --- what is said of them --- */

static void test_shown(void **state)
{
	static const struct {
		const char *lines, *says, *not ;
		unsigned need, of;
	} rows[] = {
	        {"log L1\nquorum none\n", "nothing is ever verified", "decides nothing", 0, 0},
	        {"log L1\nquorum none\n", "signed by any of 1 log key.", "log keys", 0, 0},
	        {"log L1\nlog LO\nlog L2\nlog L3\nquorum none\n", "signed by any of 3 log keys.", "2 log", 0, 0},
	        {"witness a W1\nquorum a\n", "counts if a has cosigned it", "Ledger", 1, 1},
	        {"witness a W1\nwitness b W2\nquorum a\n", "b is known, and decides nothing", "a is known", 1, 1},
	        {"witness a W1\nwitness b W2\ngroup g 2 a b\nquorum g\n",
	         "at least 2 of these 2 have cosigned it: a, b.", "decides nothing", 2, 2},
	        {"witness a W1\nwitness b W2\nwitness c WO\ngroup g any a b\ngroup q all g c\nquorum q\n",
	         "  g counts as one if at least 1 of these 2 have: a, b.", "  q counts", 2, 2},
	        {"witness a W1\nwitness b W2\ngroup g any a\nquorum b\n", "g is known, and decides nothing",
	         "a is known", 1, 1},
	        {"witness a W1\nwitness b W2\nwitness c WO\ngroup g any a\ngroup q any b c\nquorum q\n",
	         "g is known, and decides nothing", "g counts as one", 1, 2},
	        {"log L1\nwitness a W1\nquorum a\n#countersign: retired log L2 3 6\n", "good for sizes 3 to 6",
	         "since ", 1, 1},
	};
	char vkey[VERIFY_VKEY_SIZE];

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		char *words = NULL;
		size_t len;
		unsigned need, of;
		FILE *f = open_memstream(&words, &len);

		struct verify_policy *p = fixture_policy_of(&fixture, rows[i].lines);
		verify_policy_words(p, f);
		fclose(f);
		if (!strstr(words, rows[i].says) || strstr(words, rows[i].not ))
			fail_msg("%s: %s", rows[i].lines, words);
		verify_policy_count(p, &need, &of);
		assert_int_equal(need, rows[i].need);
		assert_int_equal(of, rows[i].of);
		verify_policy_free(p);
		free(words);
	}
	struct verify_policy *p = fixture_policy_of(&fixture, "witness a W1\nquorum a\n");
	assert_null(verify_policy_designated(p, NULL, vkey));
	verify_policy_free(p);
	p = fixture_policy_of(&fixture, "log LO\nlog L2\nquorum none\n");
	assert_string_equal(verify_policy_designated(p, NULL, vkey), fixture.other.vkey);
	assert_string_equal(verify_policy_designated(p, FIXTURE_ORIGIN, vkey), fixture.log[1].vkey);
	verify_policy_free(p);
}

/* Written anew and read again it means the same. */
static void test_written(void **state)
{
	static const char *const policies[] = {
	        "quorum none\n",
	        "log L1\nwitness a W1\nquorum a\n",
	        ("log L2\nwitness a W3\nwitness b W2\ngroup g 2 a b\nquorum g\n"
	         "#countersign: since L2 4\n#countersign: since W3 4\n"
	         "#countersign: retired log L1 0 5\n#countersign: retired witness a W1 0 5\n"),
	};
	char reason[128];

	(void)state;
	for (size_t i = 0; i < sizeof policies / sizeof policies[0]; i++) {
		struct verify_policy *p = fixture_policy_of(&fixture, policies[i]), *again;
		char *text = NULL, *twice = NULL;
		size_t len, twice_len;
		FILE *f = open_memstream(&text, &len);

		verify_policy_write(p, f);
		fclose(f);
		assert_int_equal(verify_policy_parse(text, len, &again, reason, sizeof reason), 0);
		f = open_memstream(&twice, &twice_len);
		verify_policy_write(again, f);
		fclose(f);
		assert_string_equal(text, twice);
		verify_policy_free(p);
		verify_policy_free(again);
		free(text);
		free(twice);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_outside),
	        cmocka_unit_test(test_presumed),
	        cmocka_unit_test(test_shown),
	        cmocka_unit_test(test_written),
	};

	return cmocka_run_group_tests_name("what is said of trust policies", tests, setup, teardown);
}
