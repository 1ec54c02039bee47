/* Tests of histories: whole ones verify; one that leaves out, adds or changes an entry is refuted. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/chain_kit.h"

static void test_whole(void **state)
{
	(void)state;
	chain_of_ada(true);
	assert_int_equal(ADA(6, 4, 2, 1), VERIFY_VERIFIED);
	assert_non_null(strstr(chain_result.reason, "complete up to index 6"));
	assert_non_null(strstr(chain_result.lines[chain_result.n_lines - 2].text, "subject user:ada: 4 entries"));
	assert_non_null(strstr(chain_result.lines[chain_result.n_lines - 1].text, "is the person's first"));
	assert_int_equal(chain_verify_list(SUBJECT, 0, false, LIST(6, 4, 2, 1)), VERIFY_UNDECIDED);
	assert_non_null(strstr(chain_result.reason, "claim only"));
}

/* The cluster had forgotten people: older ones may be there, and that is said. */
static void test_forgotten(void **state)
{
	(void)state;
	chain_of_ada(false);
	assert_int_equal(ADA(6, 4, 2, 1), VERIFY_VERIFIED);
	assert_non_null(strstr(chain_result.lines[chain_result.n_lines - 1].text, "may be older"));
	assert_int_equal(chain_result.lines[chain_result.n_lines - 1].mark, VERIFY_MARK_UNCHECKED);
}

static void test_left_out(void **state)
{
	(void)state;
	chain_of_ada(true);
	assert_int_equal(ADA_4(6, 2, 1), VERIFY_REFUTED);
	assert_true(chain_result.has_bad_index && chain_result.bad_index == 2);
	assert_string_equal(chain_result.expected, "4");
	assert_string_equal(chain_result.found, "2");
	assert_int_equal(ADA_4(6, 4, 1), VERIFY_REFUTED);
	assert_int_equal(ADA_4(6, 4, 2), VERIFY_REFUTED);
	assert_non_null(strstr(chain_result.reason, "left out"));
	assert_int_equal(chain_result.bad_index, 1);
	assert_int_equal(ADA_4(4, 2, 1), VERIFY_REFUTED);
	assert_int_equal(ADA_4(6), VERIFY_REFUTED);
	assert_int_equal(ADA(6, 2, 1), VERIFY_REFUTED);
	assert_int_equal(chain_verify_list(SUBJECT, 4, true, 0, NULL), VERIFY_REFUTED);
}

static void test_others(void **state)
{
	(void)state;
	chain_of_ada(true);
	assert_int_equal(ADA_4(6, 4, 3, 1), VERIFY_REFUTED);
	assert_int_equal(ADA(6, 4, 2, 1, 3), VERIFY_REFUTED);
	assert_int_equal(ADA_4(6, 4, 2, 1, 1), VERIFY_REFUTED);
	assert_int_equal(ADA_4(6, 4, 4, 1), VERIFY_REFUTED);
	assert_int_equal(ADA_4(7, 6, 4, 2, 1), VERIFY_REFUTED);
	assert_int_equal(ADA_4(6, 2, 4, 1), VERIFY_REFUTED);
	assert_int_equal(chain_verify_list(ACTOR, 4, true, LIST(6, 4, 2, 1)), VERIFY_REFUTED);
	assert_int_equal(chain_verify_list(SUBJECT, 5, true, LIST(6, 4, 2, 1)), VERIFY_REFUTED);
}

/* Whose chain it is, and its links, must be open; where they are not, nothing is shown complete. */
static void test_closed(void **state)
{
	uint64_t link = UINT64_C(1) << FIELD_SUBJECT_CHAIN, person = UINT64_C(1) << FIELD_SUBJECT;
	const unsigned order[] = {6, 4, 2, 1};

	(void)state;
	chain_of_ada(true);
	for (unsigned closed = 0; closed < 4; closed++)
		for (unsigned what = 0; what < 2; what++) {
			char *lines[5] = {chain_head(SUBJECT, 4, true)};
			unsigned n = what && closed ? closed + 2 : 5; /* Behind a closed link none is known. */

			for (unsigned i = 0; i < 4; i++)
				lines[i + 1] = chain_line(order[i], i != closed ? UINT64_MAX : what ? ~link : ~person);
			assert_int_equal(chain_verify(lines, n), what && closed ? VERIFY_UNDECIDED : VERIFY_REFUTED);
			for (unsigned i = 0; i < 5; i++)
				free(lines[i]);
		}
}

static void test_actor(void **state)
{
	(void)state;
	chain_add(ENTRY_GENESIS, false, &(struct chain_link){.whose = NOBODY});
	chain_add(ENTRY_DECISION, false, &(struct chain_link){ACTOR, "bot", -1, 0});
	chain_add(ENTRY_DECISION, false, &(struct chain_link){ACTOR, "bot", 1, 1});
	chain_add(ENTRY_HISTORY, true, &(struct chain_link){ACTOR, "bot", 2, 2});
	assert_int_equal(chain_verify_list(ACTOR, 0, true, LIST(3, 2, 1)), VERIFY_VERIFIED);
	assert_non_null(strstr(chain_result.lines[chain_result.n_lines - 2].text, "actor agent:bot: 3 entries"));
	assert_int_equal(chain_verify_list(ACTOR, 3, true, LIST(3, 1)), VERIFY_REFUTED);
	assert_int_equal(chain_verify_list(SUBJECT, 0, true, LIST(3, 2, 1)), VERIFY_REFUTED);
}

static void test_approver(void **state)
{
	(void)state;
	chain_add(ENTRY_GENESIS, false, &(struct chain_link){.whose = NOBODY});
	chain_add(ENTRY_APPROVAL, false, &(struct chain_link){APPROVER, "carla", -1, 0});
	chain_add(ENTRY_APPROVAL, false, &(struct chain_link){APPROVER, "dan", -1, 0});
	chain_add(ENTRY_HISTORY, true, &(struct chain_link){APPROVER, "carla", 1, 1});
	chain_add(ENTRY_HISTORY, true, &(struct chain_link){APPROVER, "carla", 3, 2});
	assert_int_equal(chain_verify_list(APPROVER, 0, true, LIST(4, 3, 1)), VERIFY_VERIFIED);
	assert_non_null(strstr(chain_result.lines[chain_result.n_lines - 2].text, "approver carla: 3 entries"));
	assert_int_equal(chain_verify_list(APPROVER, 3, true, LIST(4, 3, 2)), VERIFY_REFUTED);
	assert_int_equal(chain_verify_list(APPROVER, 3, true, LIST(4, 1)), VERIFY_REFUTED);
}

/* Nobody of that name: a chain of the question alone. */
static void test_nobody(void **state)
{
	(void)state;
	chain_add(ENTRY_GENESIS, false, &(struct chain_link){.whose = NOBODY});
	chain_add(ENTRY_HISTORY, true, &(struct chain_link){SUBJECT, "eve", -1, 0});
	assert_int_equal(ADA(1), VERIFY_VERIFIED);
}

/* An erasure, entry 2, then the chain begins anew and says so. */
static void test_erased(void **state)
{
	(void)state;
	chain_add(ENTRY_GENESIS, false, &(struct chain_link){.whose = NOBODY});
	chain_add(ENTRY_DECISION, false, &(struct chain_link){SUBJECT, "ada", -1, 0});
	chain_add(24, false, &(struct chain_link){.whose = NOBODY});
	chain_add(ENTRY_DECISION, false, &(struct chain_link){SUBJECT, "ada", 2, 0});
	chain_add(ENTRY_HISTORY, true, &(struct chain_link){SUBJECT, "ada", 3, 1});
	assert_int_equal(ADA(4, 3), VERIFY_VERIFIED);
	assert_non_null(strstr(chain_result.lines[chain_result.n_lines - 1].text, "erased by entry 2"));
	assert_int_equal(chain_verify_list(SUBJECT, 2, true, LIST(4, 3, 1)), VERIFY_REFUTED);
}

static bool in_text(const char *line, size_t at)
{
	const char *from = line;

	for (const char *s; (s = strstr(from, "\"text\":\"")) != NULL && s <= line + at; from = s + 8) {
		const char *stop = strchr(s + 8, '"');
		if (stop == NULL || stop >= line + at)
			return true;
	}
	return false;
}

/* One bit of each byte: nothing of it verifies but a rendering, which nobody looks at. */
static void test_flips(void **state)
{
	char *lines[5] = {NULL};
	const unsigned order[] = {6, 4, 2, 1};

	(void)state;
	chain_of_ada(true);
	lines[0] = chain_head(SUBJECT, 4, true);
	for (unsigned i = 0; i < 4; i++)
		lines[i + 1] = chain_line(order[i], UINT64_MAX);
	for (unsigned l = 1; l < 5; l++)
		for (size_t at = 0; at < strlen(lines[l]); at++) {
			char before = lines[l][at];

			lines[l][at] = (char)(before ^ 1 << at % 7);
			if (lines[l][at] != '\0' && !in_text(lines[l], at))
				assert_int_not_equal(chain_verify(lines, 5), VERIFY_VERIFIED);
			lines[l][at] = before;
		}
	assert_int_equal(chain_verify(lines, 5), VERIFY_VERIFIED);
	for (unsigned i = 0; i < 5; i++)
		free(lines[i]);
}

static void test_nonsense(void **state)
{
	static const char *const heads[] = {
	        "",
	        "{",
	        "[]",
	        "{}",
	        "null",
	        ("{\"format\":\"countersign/history/v1\",\"whose\":\"subject\",\"entries\":0,"
	         "\"checkpoint\":\"\"}")};

	(void)state;
	for (unsigned i = 0; i < sizeof heads / sizeof *heads; i++) {
		char text[200], *line = text;

		strcpy(text, heads[i]);
		assert_int_equal(chain_verify(&line, 1), VERIFY_REFUTED);
	}
	assert_int_equal(chain_verify(NULL, 0), VERIFY_REFUTED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test_setup_teardown(test_whole, chain_begin, chain_end),
	        cmocka_unit_test_setup_teardown(test_forgotten, chain_begin, chain_end),
	        cmocka_unit_test_setup_teardown(test_left_out, chain_begin, chain_end),
	        cmocka_unit_test_setup_teardown(test_others, chain_begin, chain_end),
	        cmocka_unit_test_setup_teardown(test_closed, chain_begin, chain_end),
	        cmocka_unit_test_setup_teardown(test_actor, chain_begin, chain_end),
	        cmocka_unit_test_setup_teardown(test_approver, chain_begin, chain_end),
	        cmocka_unit_test_setup_teardown(test_nobody, chain_begin, chain_end),
	        cmocka_unit_test_setup_teardown(test_erased, chain_begin, chain_end),
	        cmocka_unit_test_setup_teardown(test_flips, chain_begin, chain_end),
	        cmocka_unit_test(test_nonsense),
	};

	return cmocka_run_group_tests_name("history", tests, chain_keys, chain_forget);
}
