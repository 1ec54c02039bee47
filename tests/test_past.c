/* Tests of how the past of subjects is kept: exact, small, and no one's mixed up with another's. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "node/decide/state.h"
#include "tests/past_kit.h"

#define SUBJECT_SIZE 1024 /* The goal. */
#define WILD         20000
#define SUBJECTS     (4 * PAST_WINDOW)
#define MOVES        40000

/* As records: padding is nobody's. */
static size_t record(const struct past *p, uint8_t ret[4096])
{
	struct writer w;
	size_t len;

	writer_init(&w, ret, 4096);
	profile_write(&w, &p->profile);
	history_write(&w, &p->history);
	writer_bool(&w, p->history.begun); /* In no record: whether there is one says it. */
	assert_int_equal(writer_end(&w, &len), 0);
	return len;
}

static void assert_same(const struct past *a, const struct past *b)
{
	uint8_t x[4096], y[4096];
	size_t len = record(a, x);

	assert_int_equal(record(b, y), len);
	assert_memory_equal(x, y, len);
}

static size_t round_trip(const struct past *p)
{
	uint8_t bytes[PAST_PACKED_MAX];
	struct past again;
	size_t len = past_pack(p, bytes);

	memset(&again, 0xa5, sizeof(again));
	past_unpack(&again, bytes, len);
	assert_same(p, &again);
	return len;
}

static void test_exact(void **state)
{
	uint64_t random = 4711;
	struct past p = {0};
	size_t most = 0;

	(void)state;
	assert_int_equal(round_trip(&p), 0);
	for (unsigned i = 0; i < WILD; i++) {
		past_kit_wild(&p, &random);
		size_t len = round_trip(&p);
		most = len > most ? len : most;
	}
	/* Whatever is at its bound. */
	memset(&p, 0xff, sizeof(p));
	p.history.begun = true;
	p.history.rates[0].value = p.history.rates[1].value = RATE_VALUE_MAX;
	for (unsigned i = 0; i < PROFILE_SLOTS; i++)
		p.profile.slots[i].imported = 1;
	for (unsigned i = 0; i < TRACE_SLOTS; i++)
		p.history.traces[i].imported = 1;
	round_trip(&p);
	printf("of %d wild ones the largest takes %zu bytes\n", WILD, most);
}

/* With its key, chains and links. */
static void test_small(void **state)
{
	struct past p;
	size_t full = 0, usual = 0;

	(void)state;
	for (uint64_t i = 0; i < 20; i++) {
		past_kit_full(&p, i);
		for (unsigned k = 0; k < PROFILE_SLOTS; k++)
			assert_true(p.profile.slots[k].value != 0);
		for (unsigned k = 0; k < TRACE_SLOTS; k++)
			assert_true(p.history.traces[k].value != 0);
		for (unsigned k = 0; k < PROFILE_HOURS; k++)
			assert_true(p.profile.hours[k] != 0);
		size_t len = round_trip(&p);
		full = len > full ? len : full;
		past_kit_usual(&p, i);
		len = round_trip(&p);
		usual = len > usual ? len : usual;
	}
	printf("a subject: %zu bytes, and its past %zu when everything in it is full, %zu for a usual one\n",
	       sizeof(struct subject), full, usual);
	assert_true(full + sizeof(struct subject) <= SUBJECT_SIZE);
	assert_true(usual < full);
}

/* Many more than the window holds, looked at, changed and forgotten in any order, against plain copies. */
static void test_kept(void **state)
{
	struct past *plain = calloc(SUBJECTS, sizeof(*plain));
	struct past_place *places = calloc(SUBJECTS, sizeof(*places));
	struct pasts w = {0};
	uint64_t random = 42;

	(void)state;
	assert_non_null(plain);
	assert_non_null(places);
	assert_int_equal(pasts_new(&w, SUBJECTS), 0);
	for (unsigned i = 0; i < MOVES; i++) {
		unsigned n = (unsigned)(past_kit_random(&random) >> 40) % SUBJECTS;
		switch (past_kit_random(&random) >> 61) {
		case 0:
			pasts_forget(&w, &places[n]);
			memset(&plain[n], 0, sizeof(plain[n]));
			break;
		case 1:
			assert_same(pasts_look(&w, &places[n]), &plain[n]);
			break;
		case 2:
			assert_same(pasts_glance(&w, &places[n]), &plain[n]);
			break;
		default:
			past_kit_wild(&plain[n], &random);
			*pasts_change(&w, &places[n]) = plain[n];
		}
	}
	for (unsigned i = 0; i < SUBJECTS; i++)
		assert_same(pasts_look(&w, &places[i]), &plain[i]);
	for (unsigned i = 0; i < SUBJECTS; i++)
		pasts_forget(&w, &places[i]);
	assert_int_equal(w.n_used, 0);
	for (uint32_t i = 0; i < w.n_blocks; i++) /* And nothing is left of it. */
		for (size_t k = 0; k < sizeof(w.blocks[i].bytes); k++)
			assert_int_equal(w.blocks[i].bytes[k], 0);
	pasts_free(&w);
	free(places);
	free(plain);
}

/* The one that was opened last stays, however busy the window is. */
static void test_newest_stays(void **state)
{
	struct past_place places[PAST_WINDOW + 1] = {0};
	struct pasts w = {0};

	(void)state;
	assert_int_equal(pasts_new(&w, PAST_WINDOW + 1), 0);
	for (unsigned round = 0; round < 3; round++) {
		for (unsigned i = 0; i <= PAST_WINDOW; i++) {
			struct past *p = pasts_change(&w, &places[i]);
			p->profile.trained = i + 1;
			pasts_look(&w, &places[(i * 7 + round) % (PAST_WINDOW + 1)]);
			assert_int_equal(p->profile.trained, i + 1);
			assert_ptr_equal(pasts_look(&w, &places[i]), p);
		}
	}
	pasts_free(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_exact),
	        cmocka_unit_test(test_small),
	        cmocka_unit_test(test_kept),
	        cmocka_unit_test(test_newest_stays),
	};

	return cmocka_run_group_tests_name("past", tests, NULL, NULL);
}
