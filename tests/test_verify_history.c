/* Tests of the verifier's histories: malformed lines, chains that are cut, begun anew or turned, lack of memory. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "ledger/errors.h"
#include "tests/chain_kit.h"
#include "tests/verify_faults.h"
#include "tests/verify_fixture.h"

#define FIELD(k, bytes) ((struct field){.kind = (k), .value = (const uint8_t *)(bytes), .value_len = sizeof(bytes) - 1})
#define ADA_ID                                                                                                         \
	"\x92\xa4user\xa3"                                                                                             \
	"ada"
#define BOB_ID                                                                                                         \
	"\x92\xa4user\xa3"                                                                                             \
	"bob"
#define FIRST "\x92\xc0\x00"

/* Ada's history, its lines as JSON; the test changes them, and the end frees them. */
static json_t *docs[5];

static void docs_make(void)
{
	static const unsigned order[] = {6, 4, 2, 1};

	chain_of_ada(true);
	for (unsigned i = 0; i < 5; i++) {
		char *line = i == 0 ? chain_head(SUBJECT, 4, true) : chain_line(order[i - 1], UINT64_MAX);

		docs[i] = json_loads(line, 0, NULL);
		assert_non_null(docs[i]);
		free(line);
	}
}

static void docs_free(void)
{
	for (unsigned i = 0; i < 5; i++)
		json_decref(docs[i]);
}

static void docs_verify(void)
{
	char *lines[5];

	for (unsigned i = 0; i < 5; i++)
		lines[i] = json_dumps(docs[i], JSON_COMPACT);
	chain_verify(lines, 5);
	for (unsigned i = 0; i < 5; i++)
		free(lines[i]);
}

/* The history with a value (taken over; NULL: nothing) in the place of a member of a line. */
static void with_member(unsigned line, const char *name, json_t *value, const char *reason)
{
	json_t *kept = json_incref(json_object_get(docs[line], name));

	if (value)
		json_object_set_new(docs[line], name, value);
	else
		json_object_del(docs[line], name);
	docs_verify();
	fixture_outcome(&chain_result, VERIFY_REFUTED, reason);
	if (kept)
		json_object_set_new(docs[line], name, kept);
	else
		json_object_del(docs[line], name);
}

static void test_head_line(void **state)
{
	static const char none[] = "history: its first line is not that of a countersign/history/v1";

	(void)state;
	docs_make();
	docs_verify();
	fixture_outcome(&chain_result, VERIFY_VERIFIED, "complete up to index 6");
	with_member(0, "format", NULL, none);
	with_member(0, "format", json_integer(1), none);
	with_member(0, "format", json_string("countersign/history/v2"), none);
	with_member(0, "whose", json_integer(1), none);
	with_member(0, "whose", json_string("device"), "neither of a subject, an actor nor an approver");
	with_member(0, "checkpoint", json_null(), none);
	with_member(0, "checkpoint", json_string("x"), "checkpoint: not a signed note");
	with_member(0, "entries", json_string("4"), none);
	with_member(0, "entries", json_integer(0), none);
	with_member(0, "note", json_null(), none);
	docs_free();
}

static void test_entry_line(void **state)
{
	static const char none[] = "history, line 3: not an entry of a countersign/history/v1";
	json_t *many = json_array();

	(void)state;
	docs_make();
	with_member(2, "note", json_null(), none);
	with_member(2, "entry", json_integer(1), none);
	with_member(2, "entry", json_string("A"), none);
	with_member(2, "entry", json_string("AAAA"), "history, line 3: it is not a canonical leaf");
	with_member(2, "index", json_string("4"), none);
	with_member(2, "index", json_integer(-4), "entry 4: its index is not the entry's");
	with_member(2, "index", json_integer(5), "entry 4: its index is not the entry's");
	with_member(2, "fields", json_object(), none);
	with_member(2, "hashes", json_object(), none);
	for (unsigned i = 0; i < LIMIT_PROOF_HASHES_MAX + 1; i++)
		json_array_append_new(many, json_string("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="));
	with_member(2, "hashes", json_incref(many), none);
	json_array_remove(many, 0);
	with_member(2, "hashes", many, "entry 4: its proof does not lead from it");
	with_member(2, "hashes", json_pack("[i]", 1), "entry 4: its proof is malformed");
	with_member(2, "hashes", json_pack("[s]", "AAAA"), "entry 4: its proof is malformed");
	with_member(2, "fields", json_pack("[i]", 1), "a disclosed field is malformed");
	docs_free();
}

/* It is not in the tree yet whose checkpoint the history has. */
static void test_beyond(void **state)
{
	char *lines[2];

	(void)state;
	chain_add(ENTRY_GENESIS, false, &(struct chain_link){.whose = NOBODY});
	lines[0] = chain_head(SUBJECT, 1, true);
	chain_add(ENTRY_HISTORY, true, &(struct chain_link){SUBJECT, "ada", -1, 0});
	lines[1] = chain_line(1, UINT64_MAX);
	chain_verify(lines, 2);
	fixture_outcome(&chain_result, VERIFY_REFUTED, "entry 1: its proof does not lead from it");
	free(lines[0]);
	free(lines[1]);
}

static void test_no_json(void **state)
{
	char *large = malloc(VERIFY_LINE_SIZE_MAX + 1), *head;
	struct verify_history *h;

	(void)state;
	assert_non_null(large);
	memset(large, ' ', VERIFY_LINE_SIZE_MAX + 1);
	chain_of_ada(true);
	head = chain_head(SUBJECT, 4, true);
	assert_int_equal(verify_history_begin(chain_policy, &chain_result, &h), 0);
	assert_true(verify_history_line(h, head, strlen(head)));
	assert_false(verify_history_line(h, large, VERIFY_LINE_SIZE_MAX));
	fixture_outcome(&chain_result, VERIFY_REFUTED, "history, line 2: not JSON, or a member twice");
	assert_false(verify_history_line(h, head, strlen(head))); /* It is final. */
	verify_history_end(h);
	fixture_outcome(&chain_result, VERIFY_REFUTED, "history, line 2: not JSON");
	assert_int_equal(verify_history_begin(chain_policy, &chain_result, &h), 0);
	assert_false(verify_history_line(h, large, VERIFY_LINE_SIZE_MAX + 1));
	verify_history_end(h);
	fixture_outcome(&chain_result, VERIFY_UNDECIDED, "history: a line is longer than this verifier takes");
	verify_history_end(NULL);
	free(head);
	free(large);
}

static void *no_memory(size_t size)
{
	(void)size;
	return NULL;
}

static void test_memory(void **state)
{
	struct verify_history *h = NULL;
	json_malloc_t kept_malloc;
	json_free_t kept_free;

	(void)state;
	verify_faults_arm("calloc", 1, ENOMEM);
	assert_int_equal(verify_history_begin(chain_policy, &chain_result, &h), CS_ERR_NOMEM);
	assert_true(verify_faults_disarm());
	assert_null(h);
	fixture_outcome(&chain_result, VERIFY_UNDECIDED, "out of memory");
	assert_int_equal(verify_history_begin(chain_policy, &chain_result, &h), 0);
	json_get_alloc_funcs(&kept_malloc, &kept_free);
	json_set_alloc_funcs(no_memory, free);
	assert_false(verify_history_line(h, "{}", 2));
	json_set_alloc_funcs(kept_malloc, kept_free);
	verify_history_end(h);
	fixture_outcome(&chain_result, VERIFY_UNDECIDED, "out of memory");
}

/* --- the chain itself --- */

static void refuted(enum verify_outcome outcome, const char *reason)
{
	assert_int_equal(outcome, VERIFY_REFUTED);
	fixture_outcome(&chain_result, VERIFY_REFUTED, reason);
}

/* What stands at its head is no such question, or does not say whose history it is. */
static void test_heads(void **state)
{
	const struct field named[] = {FIELD(FIELD_SUBJECT, ADA_ID), FIELD(FIELD_SUBJECT_CHAIN, FIRST)};
	const struct field no_link[] = {FIELD(FIELD_SUBJECT, ADA_ID), FIELD(FIELD_SUBJECT_CHAIN, "\x92\xc0\x01")};
	char *lines[2];

	(void)state;
	chain_add(ENTRY_GENESIS, false, &(struct chain_link){.whose = NOBODY});
	chain_add_fields(ENTRY_DECISION, SUBJECT, named, 2);    /* 1 */
	chain_add_fields(ENTRY_HISTORY, ACTOR, named, 2);       /* 2 */
	chain_add_fields(ENTRY_HISTORY, SUBJECT, named + 1, 1); /* 3: without the person */
	chain_add_fields(ENTRY_HISTORY, SUBJECT, named, 1);     /* 4: without the link */
	chain_add_fields(ENTRY_HISTORY, SUBJECT, no_link, 2);   /* 5: with one that is none */
	chain_add_fields(ENTRY_HISTORY, SUBJECT, named, 2);     /* 6 */
	refuted(ADA(1), "entry 1: a history begins with \"history requested\", of such a person");
	refuted(ADA(2), "entry 2: a history begins with \"history requested\", of such a person");
	for (unsigned i = 3; i < 6; i++)
		refuted(ADA(i), "at the head of a history the person and the link are disclosed");
	assert_int_equal(ADA(6), VERIFY_VERIFIED);
	lines[0] = chain_head(SUBJECT, 1, true);
	lines[1] = chain_line(6, UINT64_C(1) << FIELD_SUBJECT_CHAIN);
	refuted(chain_verify(lines, 2), "at the head of a history the person and the link are disclosed");
	free(lines[0]);
	free(lines[1]);
	refuted(ADA_4(6), "the history's first line says another number of entries");
	assert_string_equal(chain_result.expected, "1");
	assert_string_equal(chain_result.found, "4");
}

/* Links that lead to an entry of somebody else, of nobody, on in time, or count wrongly. */
static void test_links(void **state)
{
	const struct field someone[] = {FIELD(FIELD_SUBJECT, BOB_ID), FIELD(FIELD_SUBJECT_CHAIN, FIRST)};
	const struct field longer[] = {FIELD(FIELD_SUBJECT, "\x92\xa4user\xa4"
	                                                    "adam"),
	                               FIELD(FIELD_SUBJECT_CHAIN, FIRST)};
	const struct field unnamed[] = {FIELD(FIELD_SUBJECT_CHAIN, FIRST)};
	static const char *const reasons[] = {
	        "entry 0: it is of somebody else, or does not say of whom", /* It has no fields. */
	        "entry 1: it is of somebody else, or does not say of whom",
	        "entry 2: it is of somebody else, or does not say of whom",
	        "entry 3: it is of somebody else, or does not say of whom",
	        "entry 4: the chain counts otherwise",
	};

	(void)state;
	chain_add(ENTRY_GENESIS, false, &(struct chain_link){.whose = NOBODY});
	chain_add_fields(ENTRY_DECISION, SUBJECT, someone, 2);
	chain_add_fields(ENTRY_DECISION, SUBJECT, longer, 2);
	chain_add_fields(ENTRY_DECISION, SUBJECT, unnamed, 1);
	chain_add(ENTRY_DECISION, false, &(struct chain_link){SUBJECT, "ada", 3, 4});
	for (unsigned i = 0; i < 5; i++) {
		chain_add(ENTRY_HISTORY, true, &(struct chain_link){SUBJECT, "ada", i, 1});
		refuted(chain_verify_list(SUBJECT, 2, true, LIST(5 + i, i)), reasons[i]);
	}
	chain_add(ENTRY_DECISION, false, &(struct chain_link){SUBJECT, "ada", 12, 1}); /* 10 */
	chain_add(ENTRY_HISTORY, true, &(struct chain_link){SUBJECT, "ada", 10, 2});   /* 11 */
	chain_add(ENTRY_DECISION, false, &(struct chain_link){SUBJECT, "ada", -1, 0}); /* 12 */
	refuted(chain_verify_list(SUBJECT, 3, true, LIST(11, 10, 12)), "entry 12: the chain does not go back");
}

/* The chain goes on in the ledger that this one was restored from: here is its end. */
static void test_earlier(void **state)
{
	(void)state;
	chain_add(ENTRY_GENESIS, false, &(struct chain_link){.whose = NOBODY});
	chain_add(ENTRY_DECISION, false, &(struct chain_link){SUBJECT, "ada", (int64_t)(FORMAT_EARLIER + 77), 5});
	chain_add(ENTRY_HISTORY, true, &(struct chain_link){SUBJECT, "ada", 1, 6});
	assert_int_equal(chain_verify_list(SUBJECT, 7, true, LIST(2, 1)), VERIFY_VERIFIED);
	assert_true(fixture_says(&chain_result, VERIFY_MARK_UNCHECKED,
	                         "before entry 1 the chain has 5 more in the ledger that this one was restored from"));
	assert_true(fixture_says(&chain_result, VERIFY_MARK_UNCHECKED, "the newest at its entry 77"));
	refuted(chain_verify_list(SUBJECT, 7, true, LIST(2, 1, 0)), "entry 0: it stands behind the end of the chain");
}

/* Its link is erased: it is known by the one after it, and what is older is not. */
static void test_cut(void **state)
{
	const struct field private_[] = {FIELD(FIELD_SUBJECT, ADA_ID), FIELD(FIELD_ADDRESS, "\xa1x"),
	                                 FIELD(FIELD_SUBJECT_CHAIN, FIRST)};
	char *lines[4];

	(void)state;
	chain_add(ENTRY_GENESIS, false, &(struct chain_link){.whose = NOBODY});
	chain_add_fields(ENTRY_DECISION, SUBJECT, private_, 3);
	chain_add(ENTRY_HISTORY, true, &(struct chain_link){SUBJECT, "ada", 1, 1});
	lines[0] = chain_head(SUBJECT, 2, true);
	lines[1] = chain_line(2, UINT64_MAX);
	lines[2] = chain_line(1, UINT64_C(1) << FIELD_ADDRESS);
	lines[3] = chain_line(0, UINT64_MAX);
	chain_verify(lines, 3);
	fixture_outcome(&chain_result, VERIFY_UNDECIDED, "the link of entry 1 is erased, or not disclosed");
	assert_true(fixture_says(&chain_result, VERIFY_MARK_UNCHECKED, "2 fields: not disclosed"));
	assert_true(fixture_says(&chain_result, VERIFY_MARK_HELD,
	                         "open their commitments: subject, address, subject chain"));
	refuted(chain_verify(lines, 4), "entry 0: it stands behind the end of the chain");
	for (unsigned i = 0; i < 4; i++)
		free(lines[i]);
}

/* Persons of forms that no build of ours writes: shown as such, or too long to be told. */
static void test_persons(void **state)
{
	static uint8_t name[3 + 1200] = {0xda, 1200 >> 8, 1200 & 0xff};
	struct field odd[] = {FIELD(FIELD_SUBJECT, "\x05"), FIELD(FIELD_SUBJECT_CHAIN, FIRST)};
	const struct field approved[] = {FIELD(FIELD_APPROVAL, "\x92\xc0\xc0"), FIELD(FIELD_APPROVER_CHAIN, FIRST)};

	(void)state;
	chain_add(ENTRY_GENESIS, false, &(struct chain_link){.whose = NOBODY});
	chain_add_fields(ENTRY_HISTORY, SUBJECT, odd, 2); /* 1 */
	assert_int_equal(ADA(1), VERIFY_VERIFIED);
	assert_true(fixture_says(&chain_result, VERIFY_MARK_HELD, "subject (of an unknown form): 1 entries"));
	memset(name + 3, 'x', 1200);
	odd[0].value = name;
	odd[0].value_len = sizeof name;
	chain_add_fields(ENTRY_HISTORY, SUBJECT, odd, 2); /* 2 */
	refuted(ADA(2), "at the head of a history the person and the link are disclosed");
	/* In an approval nobody is named; a subject's history does not look for one there. */
	chain_add_fields(ENTRY_APPROVAL, APPROVER, approved, 2); /* 3 */
	chain_add(ENTRY_HISTORY, true, &(struct chain_link){APPROVER, "dan", 3, 1});
	refuted(chain_verify_list(APPROVER, 2, true, LIST(4, 3)), "entry 3: it is of somebody else");
	const struct field both[] = {FIELD(FIELD_SUBJECT, ADA_ID), FIELD(FIELD_SUBJECT_CHAIN, FIRST), approved[0]};
	chain_add_fields(ENTRY_HISTORY, SUBJECT, both, 3); /* 5 */
	assert_int_equal(ADA(5), VERIFY_VERIFIED);
}

#define CHAIN_TEST(test) cmocka_unit_test_setup_teardown(test, chain_begin, chain_end)

int main(void)
{
	const struct CMUnitTest tests[] = {
	        CHAIN_TEST(test_head_line), CHAIN_TEST(test_entry_line), CHAIN_TEST(test_beyond),
	        CHAIN_TEST(test_no_json),   CHAIN_TEST(test_memory),     CHAIN_TEST(test_heads),
	        CHAIN_TEST(test_links),     CHAIN_TEST(test_earlier),    CHAIN_TEST(test_cut),
	        CHAIN_TEST(test_persons),
	};

	return cmocka_run_group_tests_name("histories", tests, chain_keys, chain_forget);
}
