/* Mending the end of a log: what the others prove was never committed stays away, what was comes back. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "node/core/mend.h"

#define OTHERS 2
#define NEEDED 2 /* Of three nodes every majority without this one is both others. */

static struct scan own;
static struct teller tellers[OTHERS];

/* Entries 1 to last of these terms, a character each. */
static void fill(struct scan *s, const char *terms)
{
	*s = (struct scan){.first = 1};
	for (uint64_t i = 0; terms[i]; i++) {
		struct slot slot = {
		        .state = SLOT_WHOLE, .type = RAFT_COMMAND, .len = 8, .term = (uint64_t)terms[i] - '0'};
		slot.base = raft_malloc(slot.len);
		assert_non_null(slot.base);
		memset(slot.base, 0, slot.len);
		assert_int_equal(scan_put(s, i + 1, &slot), 0);
	}
}

static void tell(struct teller *t, const char *terms)
{
	*t = (struct teller){.whole = true, .done = true};
	fill(&t->log, terms);
	t->last = strlen(terms);
}

/* This node has so much, and its last write, which is lost, ended with an entry of this index and term. */
static int mend(const char *mine, uint64_t tail_index, uint64_t tail_term, const char *a, const char *b)
{
	uint64_t mended = 0;

	fill(&own, mine);
	own.tail_lost = true;
	own.tail_index = tail_index;
	own.tail_term = tail_term;
	tell(&tellers[0], a);
	tell(&tellers[1], b);
	return mend_tail(&own, tellers, OTHERS, NEEDED, &mended);
}

static void assert_log(const char *terms)
{
	assert_int_equal(own.n, strlen(terms));
	for (uint64_t i = 0; terms[i]; i++)
		assert_int_equal(mend_slot(&own, i + 1)->term, terms[i] - '0');
	scan_free(&own);
	for (unsigned i = 0; i < OTHERS; i++)
		scan_free(&tellers[i].log);
}

static void a_known_end_comes_back(void **state)
{
	(void)state;
	assert_int_equal(mend("122", 5, 2, "122", "12222"), 1);
	assert_log("12222");
}

static void an_end_that_nobody_has_stays_away(void **state)
{
	(void)state;
	assert_int_equal(mend("122", 4, 2, "122", "122"), 1);
	assert_log("122");
}

/* The write had entries 4 and 5: nobody has 5, but 4 was committed by this node and one other. */
static void what_came_before_such_an_end_comes_back(void **state)
{
	(void)state;
	assert_int_equal(mend("122", 5, 2, "122", "1222"), 1);
	assert_log("1222");
}

static void one_answer_is_not_enough(void **state)
{
	uint64_t mended = 0;

	(void)state;
	fill(&own, "122");
	own.tail_lost = true;
	own.tail_index = 5;
	own.tail_term = 2;
	tell(&tellers[0], "122");
	assert_int_equal(mend_tail(&own, tellers, 1, NEEDED, &mended), 0);
	tell(&tellers[1], "122");
	assert_log("122");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(a_known_end_comes_back), cmocka_unit_test(an_end_that_nobody_has_stays_away),
	        cmocka_unit_test(what_came_before_such_an_end_comes_back), cmocka_unit_test(one_answer_is_not_enough)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
