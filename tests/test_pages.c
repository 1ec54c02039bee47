/* Tests of the reader of LMDB's file: each thing that a page can have wrong is told, by its page and in its words. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "ledger/errors.h"
#include "tests/faults.h"
#include "tests/page_maker.h"

static struct maker m;

/* --- what is told --- */

static struct told {
	unsigned n, records;
	int result; /* Of bad. */
	uint64_t page;
	char name[16], what[64];
} told;

static int on_bad(void *ctx, const char *name, uint64_t page, const char *what)
{
	(void)ctx;
	if (told.n++ == 0) {
		told.page = page;
		snprintf(told.name, sizeof told.name, "%s", name);
		snprintf(told.what, sizeof told.what, "%s", what);
	}
	return told.result;
}

static int on_record(void *ctx, const char *name, const struct pages_record *r)
{
	(void)ctx;
	assert_string_equal(name, "a");
	assert_true(r->key_len > 0);
	for (size_t i = 0; r->value_len > 2 && m.page_size == 512 && i < r->value_len; i++)
		assert_int_equal(r->value[i], r->key[0] == 'f' ? 'F' : 'T');
	told.records++;
	return 0;
}

static int check(struct pages_check *c, int result)
{
	const struct pages_source source = {.read = maker_source, .ctx = &m};
	struct pages p;
	int err = pages_open(&p, &source, 0);

	told = (struct told){.result = result};
	m.turning_reads = 0;
	if (!err)
		err = pages_check(&p, c);
	pages_close(&p);
	return err;
}

/* The first that is told, and, if the visitor wants no more, the last. */
static void expect(uint64_t page, const char *name, const char *what)
{
	struct pages_check c = {.record = on_record, .bad = on_bad};

	assert_int_equal(check(&c, 0), 0);
	if (told.n == 0)
		fail_msg("nothing is told, where it should be %s %u: %s", name, (unsigned)page, what);
	assert_int_equal(c.n_bad, told.n);
	assert_string_equal(told.what, what);
	assert_string_equal(told.name, name);
	assert_int_equal(told.page, page);
	assert_int_equal(check(&c, 42), 42);
	assert_int_equal(told.n, 1);
	assert_int_equal(c.n_bad, 1);
}

/* --- one thing wrong --- */

#define HEAD     UINT32_MAX /* Of the page, and not one of its nodes. */
#define VALUE    9          /* Of a node with a key of one byte. */
#define NO_PAGE  "there is no such page"
#define NOT_HEAD "its head is wrong"
#define OUT      "a record reaches out of its page"
#define ORDER    "its keys are not in order"
#define BELONGS  "a key does not belong there"
#define COUNTS   "it has not as many pages or records as is said of it"
#define OTHER    "a value's pages are not in the file"
#define BIG_HEAD "the head of a value's pages is wrong"
#define TWICE    "it is in use twice, or free and in use"
#define NAMED    "what names it is damaged"
#define LENGTH   "a list of free pages has another length"
#define NOT_FREE "a free page is not in the file"

struct wrong {
	uint64_t page;
	uint32_t node, at, size;
	uint64_t value;
	uint64_t told;
	const char *name, *what;
};

static const struct wrong wrongs[] = {
        /* Heads of pages. */
        {LEFT, HEAD, 0, 8, 99, LEFT, "a", "another page's number is in it"},
        {LEFT, HEAD, 10, 2, P_BRANCH, LEFT, "a", "it is of another kind"},
        {BRANCH, HEAD, 10, 2, P_LEAF, BRANCH, "a", "it is of another kind"},
        {LEFT, HEAD, 12, 2, 14, LEFT, "a", NOT_HEAD},
        {LEFT, HEAD, 12, 2, 19, LEFT, "a", NOT_HEAD},
        {LEFT, HEAD, 14, 2, 18, LEFT, "a", NOT_HEAD},
        {LEFT, HEAD, 14, 2, 4098, LEFT, "a", NOT_HEAD},
        {LEFT, HEAD, 12, 2, PAGE_HEAD, LEFT, "a", "it is empty"},
        {BRANCH, HEAD, 12, 2, PAGE_HEAD + 2, BRANCH, "a", "it is empty"},
        /* Nodes. */
        {LEFT, HEAD, 16, 2, 401, LEFT, "a", OUT},
        {LEFT, HEAD, 16, 2, 20, LEFT, "a", OUT},
        {LEFT, HEAD, 16, 2, 4094, LEFT, "a", OUT},
        {MIDDLE, 0, 6, 2, 400, MIDDLE, "a", OUT},
        {MIDDLE, 0, 4, 2, 4, MIDDLE, "a", OUT},
        {MIDDLE, 0, 0, 2, 3, MIDDLE, "a", OUT},
        {FREE_LIST, 0, 6, 2, 6, FREE_LIST, "free list", OUT},
        {MIDDLE, 0, 6, 2, 0, MIDDLE, "a", "a key is empty"},
        {MIDDLE, 0, 8, 1, 'q', MIDDLE, "a", ORDER},
        {BRANCH, 2, 8, 1, 'b', BRANCH, "a", ORDER},
        {MIDDLE, 0, 8, 1, 'a', MIDDLE, "a", BELONGS},
        {LEFT, 1, 8, 1, 'n', LEFT, "a", BELONGS},
        {MIDDLE, 1, 0, 2, 3, MIDDLE, "a", "its records do not fill it"},
        /* Where branches lead. */
        {BRANCH, 1, 0, 2, 1, 1, "a", NO_PAGE},
        {BRANCH, 1, 0, 2, 99, 99, "a", NO_PAGE},
        {BRANCH, 1, 0, 2, LEFT, LEFT, "a", TWICE},
        {BRANCH, 1, 4, 2, 1, MIDDLE | UINT64_C(1) << 32, "a", NO_PAGE},
        /* Values with pages of their own. */
        {LEFT, 1, VALUE, 8, 1, 1, "a", OTHER},
        {LEFT, 1, VALUE, 8, 99, 99, "a", OTHER},
        {LEFT, 1, VALUE, 8, LAST, LAST, "a", OTHER},
        {LEFT, 1, 0, 4, VALUE_MAX + 1, BIG, "a", OTHER},
        {LEFT, 1, VALUE, 8, LEFT, LEFT, "a", TWICE},
        {BIG, HEAD, 0, 8, 99, BIG, "a", BIG_HEAD},
        {BIG, HEAD, 10, 2, P_LEAF, BIG, "a", BIG_HEAD},
        {BIG, HEAD, 12, 4, 7, BIG, "a", BIG_HEAD},
        /* Databases. */
        {MAIN, 0, 4, 2, 0, MAIN, "main", "a record names no database"},
        {MAIN, 0, 8, 1, 0, MAIN, "main", "a database has no name that can be"},
        {MAIN, 0, 0, 2, 49, MAIN, "a", NAMED},
        {MAIN, 0, VALUE + 4, 2, 1, MAIN, "a", NAMED},
        {MAIN, 0, VALUE + 6, 2, 0, BRANCH, "a", "its depth is wrong"},
        {MAIN, 0, VALUE + 6, 2, 33, BRANCH, "a", "its depth is wrong"},
        {MAIN, 0, VALUE + 8, 8, 9, BRANCH, "a", COUNTS},
        {MAIN, 0, VALUE + 16, 8, 9, BRANCH, "a", COUNTS},
        {MAIN, 0, VALUE + 24, 8, 9, BRANCH, "a", COUNTS},
        {MAIN, 0, VALUE + 32, 8, 9, BRANCH, "a", COUNTS},
        {MAIN, 0, VALUE + 40, 8, PAGES_NONE, PAGES_NONE, "a", NO_PAGE},
        {MAIN, 1, VALUE + 32, 8, 1, PAGES_NONE, "b", COUNTS},
        {MIDDLE, 0, 4, 2, F_SUBDATA, MIDDLE, "a", "a record names a database"},
        /* The free list. */
        {FREE_LIST, 0, 4, 2, F_SUBDATA, FREE_LIST, "free list", "a list of free pages names a database"},
        {FREE_LIST, 0, 8, 8, 6, FREE_LIST, "free list", "a list of free pages is of a later transaction"},
        {FREE_LIST, 0, 16, 8, 3, FREE_LIST, "free list", LENGTH},
        {FREE_LIST, 0, 24, 8, FREE_A, FREE_LIST, "free list", "a list of free pages is not in order"},
        {FREE_LIST, 0, 24, 8, LAST + 1, FREE_LIST, "free list", NOT_FREE},
        {FREE_LIST, 0, 32, 8, 1, FREE_LIST, "free list", NOT_FREE},
        {FREE_LIST, 0, 32, 8, FREE_LIST, FREE_LIST, "free list", "it is free twice, or free and in use"},
        {FREE_LIST, 0, 32, 8, BIG_OTHER, BIG_OTHER, "a", TWICE},
        {FREE_LIST, 0, 16, 8, 1, FREE_A, "free list", "it is neither in use nor free"},
};

static void test_wrong(void **state)
{
	(void)state;
	for (uint32_t page_size = 512; page_size <= 4096; page_size *= 8)
		for (size_t i = 0; i < sizeof wrongs / sizeof *wrongs; i++) {
			const struct wrong *w = &wrongs[i];
			maker_sound(&m, page_size);
			size_t at = w->node == HEAD ? w->at : maker_at(&m, w->page, w->node) + w->at;
			maker_put(maker_page(&m, w->page) + at, w->value, w->size);
			expect(w->told, w->name, w->what);
		}
}

/* What no one number makes. */
static void test_more_wrong(void **state)
{
	static const uint64_t odd[] = {0, 0};
	char name[65];

	(void)state;
	maker_sound(&m, 4096);
	maker_put(maker_page(&m, LEFT) + maker_at(&m, LEFT, 1) + 6, PAGES_KEY_MAX + 1, 2); /* There is room for it. */
	expect(LEFT, "a", OUT);
	maker_sound(&m, 512);
	for (size_t len = 1; len < 16; len++) { /* No number, or half a page's. */
		maker_free_list(&m, 4, odd, len);
		if (len != 8)
			expect(FREE_LIST, "free list", LENGTH);
	}
	maker_sound(&m, 512);
	maker_begin(&m, MAIN, P_LEAF);
	memset(name, 'n', sizeof name);
	maker_node(&m, MAIN, name, 64, "", 0, F_SUBDATA);
	expect(MAIN, "main", "a database has no name that can be");
	for (unsigned n = 0; n < 2; n++) {
		maker_sound(&m, 512);
		maker_put(maker_page(&m, n) + META_TREES + 4, 0, 2); /* One of them is the newer. */
		maker_put(maker_page(&m, 1 - n) + META_TXN, 3, 8);
		expect(n, "free list", "the free list has other flags");
		maker_sound(&m, 512);
		maker_put(maker_page(&m, n) + META_TREES + TREE_SIZE + 4, 4, 2);
		maker_put(maker_page(&m, 1 - n) + META_TXN, 3, 8);
		expect(n, "main", "it has other flags");
		maker_sound(&m, 4096);
		maker_put(maker_page(&m, n) + PAGE_HEAD, 0, 4);
		expect(n, "free list", "it is no meta page");
	}
}

static void test_unreadable(void **state)
{
	static const struct {
		int err;
		const char *what;
	} cases[] = {{CS_ERR_NOT_FOUND, "the file ends before it"}, {CS_ERR_IO, "it cannot be read"}};

	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		maker_sound(&m, 512);
		m.bad_page = MIDDLE;
		m.bad_err = cases[i].err;
		expect(MIDDLE, "a", cases[i].what);
		m.bad_page = BIG;
		expect(BIG, "a", cases[i].what);
		m.bad_page = BIG_REST;
		expect(BIG, "a", cases[i].what);
		m.bad_page = MAIN;
		expect(MAIN, "main", cases[i].what);
	}
}

/* More databases than are looked into; keys of a free list that has branches. */
static void test_large(void **state)
{
	struct pages_tree t = maker_main_tree, f = maker_free_tree;
	uint8_t tree[TREE_SIZE];

	(void)state;
	maker_sound(&m, 4096);
	const struct pages_tree none = {.root = PAGES_NONE};
	maker_tree(tree, &none);
	maker_begin(&m, MAIN, P_LEAF);
	for (char c = 'A'; c < 'A' + 33; c++)
		maker_node(&m, MAIN, &c, 1, tree, sizeof tree, F_SUBDATA);
	t.entries = 33;
	maker_meta(&m, 1, 5, LAST, &f, &t);
	expect(MAIN, "main", "a database has no name that can be");

	maker_sound(&m, 512);
	f = (struct pages_tree){
	        .flags = MDB_INTEGER, .depth = 2, .branch_pages = 1, .leaf_pages = 2, .entries = 2, .root = FREE_LIST};
	maker_meta(&m, 1, 5, LAST, &f, &maker_main_tree);
	maker_begin(&m, FREE_LIST, P_BRANCH);
	const uint64_t keys[] = {3, 4}, nothing = 0;
	maker_child(&m, FREE_LIST, "", 0, FREE_A);
	maker_child(&m, FREE_LIST, &keys[1], 8, FREE_B);
	for (unsigned i = 0; i < 2; i++) {
		maker_begin(&m, FREE_A + i, P_LEAF);
		maker_node(&m, FREE_A + i, &keys[i], 8, &nothing, 8, 0);
	}
	struct pages_check c = {.bad = on_bad};
	assert_int_equal(check(&c, 0), 0);
	assert_int_equal(told.n, 0);
	maker_put(maker_page(&m, FREE_B) + maker_at(&m, FREE_B, 0) + 8, 2, 8);
	expect(FREE_B, "free list", BELONGS);
	maker_put(maker_page(&m, FREE_LIST) + maker_at(&m, FREE_LIST, 1) + 6, 6, 2);
	expect(FREE_LIST, "free list", "a key has another length");
}

static void test_sound(void **state)
{
	(void)state;
	for (uint32_t page_size = 512; page_size <= 4096; page_size *= 2) {
		struct pages_check c = {.record = on_record, .bad = on_bad},
		                   roots = {.bad = on_bad, .roots_only = true};
		maker_sound(&m, page_size);
		assert_int_equal(check(&c, 42), 0);
		assert_int_equal(told.n, 0);
		assert_int_equal(told.records, 6);
		assert_int_equal(c.leaked, 0);
		c.record = NULL;
		assert_int_equal(check(&c, 42), 0);
		for (unsigned n = 0; n < 2; n++)
			maker_put(maker_page(&m, n) + META_LAST, LAST + 2, 8);
		assert_int_equal(check(&c, 0), 0);
		assert_int_equal(c.leaked, 2);
		assert_int_equal(told.n, 1);
		assert_int_equal(told.page, LAST + 1);
		/* Of the roots alone: what is below them is not looked at. */
		maker_put(maker_page(&m, BRANCH), 99, 8);
		assert_int_equal(check(&roots, 42), 0);
		assert_int_equal(told.n, 0);
	}
}

/* --- no memory, and a page that is not the same when it is read again --- */

static void each_allocation(int expected)
{
	bool hit = true;

	for (unsigned n = 1; hit; n++) {
		struct pages_check c = {.bad = on_bad};
		faults_arm(FAULTS_ALLOC, n);
		int err = check(&c, 0);
		hit = faults_disarm();
		assert_int_equal(err, hit ? CS_ERR_NOMEM : expected);
	}
}

static void test_memory(void **state)
{
	(void)state;
	maker_sound(&m, 512);
	each_allocation(0);
	assert_int_equal(told.n, 0);
}

static void test_turning(void **state)
{
	struct pages_tree t = maker_main_tree;

	(void)state;
	maker_sound(&m, 512);
	m.turning_page = MAIN;
	m.turning_at = maker_at(&m, MAIN, 0) + NODE_HEAD;
	m.turning_bits = 0x20; /* "a" is "A". */
	expect(MAIN, "a", NAMED);
	/* A value that is short when the names are listed, and then needs more room. */
	maker_sound(&m, 512);
	t.entries = 1;
	maker_meta(&m, 1, 5, LAST, &maker_free_tree, &t);
	maker_begin(&m, MAIN, P_LEAF);
	maker_big(&m, MAIN, "x", 1, BIG, 0, 8);
	m.turning_page = MAIN;
	m.turning_at = maker_at(&m, MAIN, 0) + 4;
	m.turning_bits = F_BIGDATA;
	maker_put(maker_page(&m, MAIN) + maker_at(&m, MAIN, 0) + 4, F_SUBDATA, 2);
	each_allocation(0);
	assert_string_equal(told.what, NAMED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_sound),      cmocka_unit_test(test_wrong), cmocka_unit_test(test_more_wrong),
	        cmocka_unit_test(test_unreadable), cmocka_unit_test(test_large), cmocka_unit_test(test_memory),
	        cmocka_unit_test(test_turning),
	};

	return cmocka_run_group_tests_name("pages", tests, NULL, NULL);
}
