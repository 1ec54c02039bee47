/* Tests of the reader of LMDB's file: which meta page counts, databases by name, keys from one on, the file itself. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "ledger/errors.h"
#include "tests/faults.h"
#include "tests/page_maker.h"

static struct maker m;

/* --- which meta page counts --- */

static int open_txn(struct pages *p, uint64_t txn_id)
{
	const struct pages_source source = {.read = maker_source, .ctx = &m};

	return pages_open(p, &source, txn_id);
}

static void test_meta(void **state)
{
	static const struct {
		unsigned at, size;
		uint64_t value;
	} bad[] = {{0, 8, 7},
	           {10, 2, P_LEAF},
	           {PAGE_HEAD, 4, 1},
	           {PAGE_HEAD + 4, 4, 2},
	           {META_TREES, 4, 256},
	           {META_TREES, 4, 65536},
	           {META_TREES, 4, 4096 + 64},
	           {META_LAST, 8, 0},
	           {META_LAST, 8, LAST_MAX + 1}};
	struct pages p;

	(void)state;
	maker_sound(&m, 4096);
	assert_int_equal(open_txn(&p, 0), 0);
	assert_true(p.both && p.meta == 1 && p.txn_id == 5 && p.last_page == LAST && p.page_size == 4096);
	assert_int_equal(open_txn(&p, 5), 0);
	assert_int_equal(p.meta, 1);
	assert_int_equal(open_txn(&p, 4), 0);
	assert_int_equal(p.meta, 0);
	assert_int_equal(open_txn(&p, 6), CS_ERR_NOT_FOUND);
	maker_put(maker_page(&m, 0) + META_TXN, 6, 8);
	assert_int_equal(open_txn(&p, 0), 0);
	assert_int_equal(p.meta, 0);
	assert_int_equal(open_txn(&p, 4), CS_ERR_NOT_FOUND);
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		for (unsigned n = 0; n < 2; n++) {
			maker_sound(&m, 4096);
			maker_put(maker_page(&m, n) + bad[i].at, bad[i].value, bad[i].size);
			assert_int_equal(open_txn(&p, 0), 0);
			assert_true(!p.both && p.meta == 1 - n);
			assert_int_equal(open_txn(&p, 4 + n), CS_ERR_NOT_FOUND);
		}
		maker_put(maker_page(&m, 0) + bad[i].at, bad[i].value, bad[i].size);
		assert_int_equal(open_txn(&p, 0), CS_ERR_DAMAGED);
	}
	m.bad_page = 1;
	m.bad_err = CS_ERR_IO;
	assert_int_equal(open_txn(&p, 0), CS_ERR_IO);
	maker_sound(&m, 4096);
	m.bad_page = 1;
	m.bad_err = CS_ERR_NOT_FOUND; /* A file that ends behind its first page. */
	assert_int_equal(open_txn(&p, 0), 0);
	assert_int_equal(p.meta, 0);
}

/* --- by name, and from a key on --- */

static void test_by_name(void **state)
{
	struct pages_tree t = {0};
	struct pages p;

	(void)state;
	maker_sound(&m, 512);
	assert_int_equal(open_txn(&p, 0), 0);
	assert_int_equal(pages_tree(&p, "a", &t), 0);
	assert_true(t.root == BRANCH && t.depth == 2 && t.entries == 6);
	assert_int_equal(pages_tree(&p, "b", &t), 0);
	assert_true(t.root == PAGES_NONE);
	assert_int_equal(pages_tree(&p, "c", &t), CS_ERR_NOT_FOUND);
	assert_int_equal(pages_tree(&p, "aa", &t), CS_ERR_NOT_FOUND);
	maker_put(maker_page(&m, MAIN) + maker_at(&m, MAIN, 1) + 4, 0, 2);
	assert_int_equal(pages_tree(&p, "b", &t), CS_ERR_DAMAGED);
	maker_put(maker_page(&m, MAIN), 99, 8);
	assert_int_equal(pages_tree(&p, "a", &t), CS_ERR_DAMAGED);
	pages_close(&p);
}

struct keys {
	char text[32];
	unsigned stop; /* After so many; 0: never. */
	unsigned n;
};

static int on_key(void *ctx, const struct pages_record *r)
{
	struct keys *k = ctx;
	size_t len = strlen(k->text);

	snprintf(k->text + len, sizeof k->text - len, "%.*s,", (int)r->key_len, (const char *)r->key);
	return ++k->n == k->stop ? 17 : 0;
}

static int stop_bad(void *ctx, uint64_t page, const char *what)
{
	(void)ctx, (void)page, (void)what;
	return 18;
}

static void test_from(void **state)
{
	static const struct {
		const char *from, *keys;
	} cases[] = {{"", "c,f,m,q,t,tt,"}, {"a", "c,f,m,q,t,tt,"}, {"c", "c,f,m,q,t,tt,"}, {"cc", "f,m,q,t,tt,"},
	             {"f", "f,m,q,t,tt,"},  {"l", "m,q,t,tt,"},     {"m", "m,q,t,tt,"},     {"ma", "q,t,tt,"},
	             {"r", "t,tt,"},        {"t", "t,tt,"},         {"ta", "tt,"},          {"ttt", ""}};
	struct pages_tree t;
	struct pages p;

	(void)state;
	maker_sound(&m, 512);
	assert_int_equal(open_txn(&p, 0), 0);
	assert_int_equal(pages_tree(&p, "a", &t), 0);
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct keys k = {0};
		const struct pages_visitor v = {.record = on_key, .bad = stop_bad, .ctx = &k};
		assert_int_equal(pages_walk(&p, &t, cases[i].from, strlen(cases[i].from), &v), 0);
		assert_string_equal(k.text, cases[i].keys);
	}
	struct keys k = {.stop = 2};
	const struct pages_visitor v = {.record = on_key, .bad = stop_bad, .ctx = &k};
	assert_int_equal(pages_walk(&p, &t, NULL, 0, &v), 17);
	assert_string_equal(k.text, "c,f,");
	maker_put(maker_page(&m, BIG), 99, 8);
	assert_int_equal(pages_walk(&p, &t, NULL, 0, &v), 18);
	t.depth = 0;
	assert_int_equal(pages_walk(&p, &t, NULL, 0, &v), 18);
	pages_close(&p);
	pages_close(&p);
}

/* --- a file --- */

static char path[64];

static int file_make(void **state)
{
	(void)state;
	snprintf(path, sizeof path, "/tmp/cs-pages-XXXXXX");
	int fd = mkstemp(path);
	static uint8_t bytes[3 * 4096];

	for (size_t i = 0; i < sizeof bytes; i++)
		bytes[i] = (uint8_t)(i / 4096 + i % 251);
	return fd < 0 || write(fd, bytes, sizeof bytes) != (ssize_t)sizeof bytes || close(fd) ? -1 : 0;
}

static int file_remove(void **state)
{
	(void)state;
	return unlink(path);
}

static void test_file_open(void **state)
{
	struct pages_file f;
	char below[80];

	(void)state;
	snprintf(below, sizeof below, "%s/x", path);
	assert_int_equal(pages_file_open("/nonexistent/x", true, &f), CS_ERR_NOT_FOUND);
	assert_int_equal(pages_file_open(below, true, &f), CS_ERR_IO);
	pages_file_close(&f);
	assert_int_equal(pages_file_open(path, false, &f), 0);
	assert_int_equal(f.direct_fd, -1);
	pages_file_close(&f);
	faults_arm(FAULTS_IO, 2); /* No O_DIRECT here: the cache it is. */
	assert_int_equal(pages_file_open(path, true, &f), 0);
	assert_true(faults_disarm());
	assert_int_equal(f.direct_fd, -1);
	pages_file_close(&f);
	pages_file_close(&f);
	if (pages_file_open(path, true, &f) == 0 && f.direct_fd >= 0) {
		pages_file_close(&f);
		faults_arm(FAULTS_ALLOC, 1);
		assert_int_equal(pages_file_open(path, true, &f), CS_ERR_NOMEM);
		assert_true(faults_disarm());
	}
	pages_file_close(&f);
}

static void file_bytes(struct pages_file *f, uint64_t offset, size_t len)
{
	static uint8_t buf[PAGES_SIZE_MAX + 4096];

	memset(buf, 0xee, sizeof buf);
	assert_int_equal(pages_file_read(f, offset, buf, len), 0);
	for (size_t i = 0; i < len; i++)
		assert_int_equal(buf[i], (uint8_t)((offset + i) / 4096 + (offset + i) % 251));
}

static void test_file_read(void **state)
{
	static uint8_t buf[2 * PAGES_SIZE_MAX];
	struct pages_file f;

	(void)state;
	for (unsigned direct = 0; direct < 2; direct++) {
		assert_int_equal(pages_file_open(path, direct, &f), 0);
		file_bytes(&f, 0, 100);
		file_bytes(&f, 0, 4096);
		file_bytes(&f, 4096, 4096);
		file_bytes(&f, 4096, 8192);
		file_bytes(&f, 4096, 100);
		file_bytes(&f, 5000, 4096);
		assert_int_equal(pages_file_read(&f, 2 * 4096, buf, 8192), CS_ERR_NOT_FOUND);
		assert_int_equal(pages_file_read(&f, 4096, buf, sizeof buf), CS_ERR_NOT_FOUND);
		assert_int_equal(pages_file_read(&f, UINT64_MAX - 4095, buf, 4096), CS_ERR_NOT_FOUND);
		faults_arm(FAULTS_IO, 1);
		assert_int_equal(pages_file_read(&f, 4096, buf, 4096), CS_ERR_IO);
		assert_true(faults_disarm());
		faults_errno = EINTR;
		faults_arm(FAULTS_IO, 1);
		file_bytes(&f, 4096, 4096);
		assert_true(faults_disarm());
		faults_errno = EIO;
		pages_file_close(&f);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_meta),      cmocka_unit_test(test_by_name),   cmocka_unit_test(test_from),
	        cmocka_unit_test(test_file_open), cmocka_unit_test(test_file_read),
	};

	return cmocka_run_group_tests_name("pages_file", tests, file_make, file_remove);
}
