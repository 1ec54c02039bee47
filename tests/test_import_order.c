/* Tests of imports' machinery: bytes of a file, order by time in bounded memory. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "client/tool/import/input.h"
#include "client/tool/import/sorter.h"
#include "ledger/hash.h"

/* --- input --- */

static size_t pack(const void *bytes, size_t size, uint8_t *ret, size_t cap)
{
	z_stream z = {.next_in = (Bytef *)bytes, .avail_in = (uInt)size, .next_out = ret, .avail_out = (uInt)cap};

	assert_int_equal(deflateInit2(&z, 9, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
	assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
	deflateEnd(&z);
	return cap - z.avail_out;
}

static void expect_lines(const void *bytes, size_t size, const char *const lines[], enum input_got last)
{
	struct input *in;
	uint8_t hash[32];
	char *line;
	size_t n;

	assert_int_equal(input_open_bytes(bytes, size, &in), 0);
	for (; *lines; lines++) {
		assert_int_equal(input_line(in, &line, &n), INPUT_GOT);
		assert_int_equal(n, strlen(*lines));
		assert_string_equal(line, *lines);
	}
	assert_int_equal(input_line(in, &line, &n), last);
	input_close(in, hash);
}

static void test_lines(void **state)
{
	static const char *const lines[] = {"a", "", "b b", "c", NULL}, *const none[] = {NULL};

	(void)state;
	expect_lines("a\n\nb b\r\nc", 9, lines, INPUT_END);
	expect_lines("a\n\nb b\r\nc\n", 10, lines, INPUT_END);
	expect_lines("", 0, none, INPUT_END);
}

/* Members one behind another, padding behind the last; the hash is that of the text. */
static void test_gzip(void **state)
{
	static const char *const lines[] = {"one", "two", "three", NULL}, *const some[] = {"one", NULL},
	                         *const none[] = {NULL};
	uint8_t packed[512], hash[32];
	size_t first = pack("one\ntw", 6, packed, sizeof packed);
	size_t n = first + pack("o\nthree", 7, packed + first, sizeof packed - first);
	struct input *in;
	struct hash expected;

	(void)state;
	expect_lines(packed, n, lines, INPUT_END);
	memset(packed + n, 0, 16);
	expect_lines(packed, n + 16, lines, INPUT_END);
	expect_lines(packed, first, (const char *const[]){"one", "tw", NULL}, INPUT_END);
	(void)some;
	for (size_t cut = first + 3; cut < n; cut++)
		expect_lines(packed, cut, none, INPUT_BROKEN);
	packed[first + 12] ^= 0x55;
	expect_lines(packed, n, none, INPUT_BROKEN);
	packed[first + 12] ^= 0x55;
	assert_int_equal(input_open_bytes(packed, n, &in), 0);
	input_close(in, hash);
	hash_bytes(&expected, "one\ntwo\nthree", 13);
	assert_memory_equal(hash, expected.b, 32);
}

static void test_long_line(void **state)
{
	size_t size = INPUT_LINE_SIZE_MAX + 10, n;
	char *text = malloc(size), *line;
	struct input *in;
	uint8_t hash[32];
	struct hash expected;

	(void)state;
	assert_non_null(text);
	for (int extra = 0; extra <= 1; extra++) {
		size_t long_n = INPUT_LINE_SIZE_MAX + (size_t)extra;

		memset(text, 'x', size);
		memcpy(text + long_n, "\nnext\n", 6);
		assert_int_equal(input_open_bytes(text, long_n + 6, &in), 0);
		assert_int_equal(input_line(in, &line, &n), extra ? INPUT_LONG : INPUT_GOT);
		assert_int_equal(input_line(in, &line, &n), INPUT_GOT);
		assert_string_equal(line, "next");
		input_close(in, hash);
		hash_bytes(&expected, text, long_n + 6);
		assert_memory_equal(hash, expected.b, 32);
	}
	free(text);
}

/* --- sorter --- */

static struct past_event event;

static uint64_t random_(uint64_t *seed)
{
	*seed ^= *seed << 13;
	*seed ^= *seed >> 7;
	*seed ^= *seed << 17;
	return *seed;
}

static void add(struct sorter *s, uint64_t time_ms, unsigned file, uint64_t position)
{
	char text[64];

	memset(&event, 0, sizeof event);
	event.time_ms = time_ms;
	snprintf(text, sizeof text, "%u/%llu", file, (unsigned long long)position);
	past_keep("user", event.subject_type, sizeof event.subject_type);
	past_keep(text, event.subject_id, sizeof event.subject_id);
	past_keep("act", event.action, sizeof event.action);
	if (position % 3 == 0)
		past_keep("bot", event.actor_id, sizeof event.actor_id);
	past_add_text(&event, "text", text);
	past_add_integer(&event, "number", -(int64_t)position);
	past_add_boolean(&event, "flag", true);
	assert_int_equal(sorter_add(s, &event, file, position), 0);
}

static void check_event(const struct event *e)
{
	char text[64];

	snprintf(text, sizeof text, "%u/%llu", e->file, (unsigned long long)e->position);
	assert_string_equal(e->request.subject_id, text);
	assert_string_equal(e->request.action, "act");
	assert_int_equal(e->request.actor_id != NULL, e->position % 3 == 0);
	assert_int_equal(e->request.n_attributes, 3);
	assert_string_equal(e->request.attributes[0].string, text);
	assert_int_equal(e->request.attributes[1].integer, -(int64_t)e->position);
	assert_int_equal(e->request.attributes[2].type, CS_BOOLEAN);
}

/* The same order from memory and from many runs in a file. */
static void sort_many(size_t memory, unsigned n)
{
	struct sorter *s = sorter_new(memory);
	uint64_t seed = 88172645463325252u, last_ms = 0, last_position = 0;
	struct event *e;
	unsigned taken = 0, last_file = 0;

	assert_non_null(s);
	for (unsigned i = 0; i < n; i++)
		add(s, random_(&seed) % 500, i % 3, i);
	assert_int_equal(sorter_finish(s), 0);
	while (sorter_take(s, &e) == 0 && e) {
		check_event(e);
		if (taken)
			assert_true(e->time_ms > last_ms ||
			            (e->time_ms == last_ms &&
			             (e->file > last_file || (e->file == last_file && e->position > last_position))));
		last_ms = e->time_ms;
		last_file = e->file;
		last_position = e->position;
		taken++;
		free(e);
	}
	assert_int_equal(taken, n);
	sorter_close(s);
}

static void test_sorter(void **state)
{
	(void)state;
	sort_many(SORTER_MEMORY, 0);
	sort_many(SORTER_MEMORY, 1);
	sort_many(SORTER_MEMORY, 5000);
	sort_many(0, 1000); /* Each a run of its own. */
	sort_many(100000, 20000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_lines),
	        cmocka_unit_test(test_gzip),
	        cmocka_unit_test(test_long_line),
	        cmocka_unit_test(test_sorter),
	};

	return cmocka_run_group_tests_name("import_order", tests, NULL, NULL);
}
