/* Batches round trip; every truncation and every broken length is refused. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "ledger/bytes.h"
#include "ledger/errors.h"
#include "node/core/batch.h"

static uint8_t buf[BATCH_SIZE_MAX];

static size_t make(unsigned n)
{
	struct hash root = {{7}};
	struct batch_writer w;
	uint8_t *at;

	batch_begin(&w, buf, sizeof buf);
	for (unsigned i = 0; i < n; i++) {
		assert_true(batch_room(&w, &at) >= 3 + i % 5);
		memset(at, (int)i, 3 + i % 5);
		batch_add(&w, 3 + i % 5);
	}
	return batch_end(&w, 3, 1234, 99, &root);
}

static void test_round_trip(void **state)
{
	struct batch b;
	const uint8_t *p;
	size_t len, n = make(10);

	(void)state;
	assert_int_equal(n % 8, 0);
	assert_int_equal(batch_decode(&b, buf, n), 0);
	assert_int_equal(b.node, 3);
	assert_int_equal(b.time_ms, 1234);
	assert_int_equal(b.size, 99);
	assert_int_equal(b.root.b[0], 7);
	assert_int_equal(b.count, 10);
	for (unsigned i = 0; i < 10; i++) {
		batch_next(&b, &p, &len);
		assert_int_equal(len, 3 + i % 5);
		assert_int_equal(p[0], i);
	}
}

static void test_full(void **state)
{
	struct batch_writer w;
	uint8_t *at;
	unsigned n = 0;

	(void)state;
	batch_begin(&w, buf, sizeof buf);
	while (batch_room(&w, &at)) {
		batch_add(&w, 1);
		n++;
	}
	assert_int_equal(n, BATCH_COMMANDS_MAX);
	batch_begin(&w, buf, sizeof buf);
	for (n = 0; batch_room(&w, &at); n++)
		batch_add(&w, BATCH_COMMAND_SIZE_MAX);
	struct hash root = {{0}};
	assert_true(batch_end(&w, 1, 1, 1, &root) <= sizeof buf);
}

static void test_hostile(void **state)
{
	size_t n = make(10);
	struct batch b;

	(void)state;
	for (size_t len = 0; len < n; len++)
		assert_int_equal(batch_decode(&b, buf, len), CS_ERR_MALFORMED);
	/* Count, length of the whole, and length of the first command. */
	static const size_t at[] = {56, 60, 64};
	for (size_t i = 0; i < 3; i++) {
		static const uint32_t values[] = {0, 1, 0x7fffffff, 0xffffffff};
		for (size_t k = 0; k < 4; k++) {
			make(10);
			put_u32be(buf + at[i], values[k]);
			assert_int_equal(batch_decode(&b, buf, n), CS_ERR_MALFORMED);
		}
	}
	n = make(1);
	buf[3] = '2'; /* Of a later build, whatever else it has. */
	assert_int_equal(batch_decode(&b, buf, n), CS_ERR_VERSION);
	buf[3] = '0';
	assert_int_equal(batch_decode(&b, buf, n), CS_ERR_MALFORMED);
	make(1);
	n = make(1);
	buf[n - 1] = 1; /* Padding. */
	assert_int_equal(batch_decode(&b, buf, n), CS_ERR_MALFORMED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_round_trip),
	        cmocka_unit_test(test_full),
	        cmocka_unit_test(test_hostile),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
