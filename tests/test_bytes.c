/* Canonical msgpack: every value has one encoding, and the reader takes no other. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <setjmp.h>
#include <sodium.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "ledger/bytes.h"
#include "ledger/errors.h"
#include "ledger/limits.h"
#include "ledger/yaml_bytes.h"

#define BYTES(...) (const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__})

static int read_uint(const uint8_t *bytes, size_t len, uint64_t *ret)
{
	struct reader r;

	reader_init(&r, bytes, len);
	reader_uint(&r, UINT64_MAX, ret);
	return reader_end(&r);
}

static int read_int(const uint8_t *bytes, size_t len, int64_t *ret)
{
	struct reader r;

	reader_init(&r, bytes, len);
	reader_int(&r, ret);
	return reader_end(&r);
}

static int skip_all(const uint8_t *bytes, size_t len)
{
	struct reader r;
	const uint8_t *start;
	size_t start_len;

	reader_init(&r, bytes, len);
	reader_skip(&r, &start, &start_len);
	return reader_end(&r);
}

static void assert_written(const struct writer *w, const uint8_t *bytes, size_t len)
{
	size_t found;

	assert_int_equal(writer_end(w, &found), 0);
	assert_int_equal(found, len);
	assert_memory_equal(w->base, bytes, len);
}

/* msgpack specification, int format family, at both ends of each form. */
static void test_integers(void **state)
{
	static const uint64_t unsigned_values[] = {
	        0,       1,          0x7f,        0x80,     0xff,      0x100,      0xffff,
	        0x10000, 0xffffffff, 0x100000000, 1u << 31, INT64_MAX, UINT64_MAX, (uint64_t)1 << 63};
	static const uint8_t sizes[] = {1, 1, 1, 2, 2, 3, 3, 5, 5, 9, 5, 9, 9, 9};
	static const int64_t signed_values[] = {
	        -1, -32, -33, -128, -129, -32768, -32769, INT32_MIN, (int64_t)INT32_MIN - 1, INT64_MIN, 5, 200};
	static const uint8_t signed_sizes[] = {1, 1, 2, 2, 3, 3, 5, 5, 9, 9, 1, 2};
	uint8_t buf[16];
	struct writer w;

	(void)state;
	for (size_t i = 0; i < sizeof(sizes); i++) {
		uint64_t found = 0;

		writer_init(&w, buf, sizeof(buf));
		writer_uint(&w, unsigned_values[i]);
		assert_int_equal(w.len, sizes[i]);
		assert_int_equal(read_uint(buf, w.len, &found), 0);
		assert_true(found == unsigned_values[i]);
	}
	for (size_t i = 0; i < sizeof(signed_sizes); i++) {
		int64_t found = 0;

		writer_init(&w, buf, sizeof(buf));
		writer_int(&w, signed_values[i]);
		assert_int_equal(w.len, signed_sizes[i]);
		assert_int_equal(read_int(buf, w.len, &found), 0);
		assert_true(found == signed_values[i]);
	}
}

static void test_other_forms_refused(void **state)
{
	static const struct {
		uint8_t len, bytes[10];
	} bad[] = {
	        {2, {0xcc, 0x7f}},                                  /* 127 in two bytes */
	        {3, {0xcd, 0x00, 0xff}},                            /* 255 in three */
	        {5, {0xce, 0x00, 0x00, 0xff, 0xff}},                /* 65535 in five */
	        {9, {0xcf, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff}},    /* 2^32-1 in nine */
	        {2, {0xd0, 0xe0}},                                  /* -32 in two */
	        {2, {0xd0, 0x05}},                                  /* 5 as signed */
	        {3, {0xd1, 0xff, 0x80}},                            /* -128 in three */
	        {3, {0xd1, 0x01, 0x00}},                            /* 256 as signed */
	        {5, {0xd2, 0xff, 0xff, 0x80, 0x00}},                /* -32768 in five */
	        {9, {0xd3, 0xff, 0xff, 0xff, 0xff, 0x80, 0, 0, 0}}, /* -2^31 in nine */
	        {3, {0xd9, 0x01, 'a'}},                             /* str 8 for one byte */
	        {4, {0xda, 0x00, 0x01, 'a'}},                       /* str 16 */
	        {6, {0xdb, 0, 0, 0, 1, 'a'}},                       /* str 32 */
	        {4, {0xc5, 0x00, 0x01, 'a'}},                       /* bin 16 */
	        {6, {0xc6, 0, 0, 0, 1, 'a'}},                       /* bin 32 */
	        {4, {0xdc, 0x00, 0x01, 0x00}},                      /* array 16 of one */
	        {6, {0xdd, 0, 0, 0, 1, 0}},                         /* array 32 of one */
	        {1, {0x80}},                                        /* empty map */
	        {3, {0xde, 0, 0}},                                  /* map 16 */
	        {5, {0xca, 0, 0, 0, 0}},                            /* float */
	        {9, {0xcb, 0, 0, 0, 0, 0, 0, 0, 0}},                /* double */
	        {3, {0xd4, 0, 0}},                                  /* fixext 1 */
	        {3, {0xc7, 0, 0}},                                  /* ext 8 */
	        {1, {0xc1}},                                        /* never used */
	        {2, {0x00, 0x00}},                                  /* two documents */
	        {2, {0x92, 0x00}},                                  /* array that ends early */
	        {2, {0xa2, 'a'}},                                   /* str that ends early */
	        {3, {0xc4, 2, 'a'}},                                /* bin that ends early */
	        {1, {0xcd}},                                        /* number that ends early */
	        {5, {0xdd, 0xff, 0xff, 0xff, 0xff}},                /* the five bytes that cost others 4 GiB */
	        {2, {0xa1, 0x00}},                                  /* NUL in a str */
	};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(skip_all(bad[i].bytes, bad[i].len), CS_ERR_MALFORMED);
	assert_int_equal(skip_all(NULL, 0), CS_ERR_MALFORMED);
}

static void test_utf8(void **state)
{
	static const char *const good[] = {"",
	                                   "a",
	                                   "\xc2\x80",
	                                   "\xdf\xbf",
	                                   "\xe0\xa0\x80",
	                                   "\xed\x9f\xbf",
	                                   "\xee\x80\x80",
	                                   "\xef\xbf\xbf",
	                                   "\xf0\x90\x80\x80",
	                                   "\xf4\x8f\xbf\xbf"};
	static const char *const bad[] = {"\x80",
	                                  "\xbf",
	                                  "\xc0\x80",
	                                  "\xc1\xbf",
	                                  "\xc2",
	                                  "\xc2\x41",
	                                  "\xe0\x9f\xbf",
	                                  "\xed\xa0\x80",
	                                  "\xed\xbf\xbf",
	                                  "\xe1\x80",
	                                  "\xe1\x80\x41",
	                                  "\xf0\x8f\xbf\xbf",
	                                  "\xf4\x90\x80\x80",
	                                  "\xf5\x80\x80\x80",
	                                  "\xff",
	                                  "a\xf1\x80\x80"};

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		assert_true(utf8_valid(good[i], strlen(good[i])));
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		uint8_t buf[16];
		struct writer w;

		assert_false(utf8_valid(bad[i], strlen(bad[i])));
		writer_init(&w, buf, sizeof(buf));
		writer_cstr(&w, bad[i]);
		assert_int_equal(w.err, CS_ERR_MALFORMED);
	}
	assert_false(utf8_valid("", 1));
}

/* A byte of each kind at each place of texts of all lengths up to a few words: they are read several at a time. */
static void test_utf8_places(void **state)
{
	char text[48];

	(void)state;
	for (size_t len = 1; len < sizeof(text); len++)
		for (size_t at = 0; at < len; at++) {
			memset(text, 'a', len);
			assert_true(utf8_valid(text, len));
			text[at] = 0;
			assert_false(utf8_valid(text, len));
			text[at] = '\xff';
			assert_false(utf8_valid(text, len));
			text[at] = '\xc2';
			assert_false(utf8_valid(text, len));
			if (at + 1 == len)
				continue;
			text[at + 1] = '\x80';
			assert_true(utf8_valid(text, len));
			if (at + 2 == len)
				continue;
			text[len - 1] = 0;
			assert_false(utf8_valid(text, len));
		}
}

static void test_document(void **state)
{
	uint8_t buf[64], bin[3];
	struct writer w;
	struct reader r;
	const char *s;
	const uint8_t *raw;
	size_t len;
	uint64_t u;
	int64_t i;
	uint32_t n;
	bool b;

	(void)state;
	writer_init(&w, buf, sizeof(buf));
	writer_array(&w, 6);
	writer_uint(&w, 300);
	writer_array(&w, 2);
	writer_nil(&w);
	writer_bool(&w, true);
	writer_array(&w, 0);
	writer_cstr(&w, "héron");
	writer_bin(&w, "\x01\x02\x03", 3);
	writer_int(&w, -7);
	assert_written(&w, BYTES(0x96, 0xcd, 0x01, 0x2c, 0x92, 0xc0, 0xc3, 0x90, 0xa6, 'h', 0xc3, 0xa9, 'r', 'o', 'n',
	                         0xc4, 3, 1, 2, 3, 0xf9));

	reader_init(&r, buf, w.len);
	assert_int_equal(reader_array(&r, 6, &n), 0);
	assert_int_equal(n, 6);
	assert_int_equal(reader_uint(&r, 300, &u), 0);
	assert_int_equal(reader_array_exact(&r, 2), 0);
	assert_true(reader_nil(&r));
	assert_false(reader_nil(&r));
	assert_int_equal(reader_bool(&r, &b), 0);
	assert_int_equal(reader_peek(&r), VALUE_ARRAY);
	assert_int_equal(reader_array_exact(&r, 0), 0);
	assert_int_equal(reader_str(&r, 6, &s, &len), 0);
	assert_memory_equal(s, "héron", len);
	assert_int_equal(reader_bin_exact(&r, bin, 3), 0);
	assert_int_equal(reader_skip(&r, &raw, &len), 0);
	assert_int_equal(len, 1);
	assert_int_equal(reader_peek(&r), VALUE_NONE);
	assert_int_equal(reader_end(&r), 0);

	/* Every prefix is refused. */
	for (size_t cut = 0; cut < w.len; cut++)
		assert_int_equal(skip_all(buf, cut), CS_ERR_MALFORMED);
	assert_int_equal(read_int(buf + w.len - 1, 1, &i), 0);
	assert_true(i == -7);
}

static void test_bounds(void **state)
{
	uint8_t buf[LIMIT_MSGPACK_NODES_MAX + 8];
	struct reader r;
	struct writer w;
	uint32_t n = 77;
	uint64_t u = 77;
	const char *s = NULL;
	size_t len = 77;

	(void)state;
	reader_init(&r, BYTES(0x93, 1, 2, 3));
	assert_int_equal(reader_array(&r, 2, &n), CS_ERR_TOO_LARGE);
	assert_int_equal(n, 77);
	assert_int_equal(reader_uint(&r, 9, &u), CS_ERR_TOO_LARGE); /* The first error sticks. */
	assert_int_equal(u, 77);
	reader_init(&r, BYTES(0x0a));
	assert_int_equal(reader_uint(&r, 9, &u), CS_ERR_TOO_LARGE);
	reader_init(&r, BYTES(0xa2, 'a', 'b'));
	assert_int_equal(reader_str(&r, 1, &s, &len), CS_ERR_TOO_LARGE);
	assert_null(s);
	reader_init(&r, BYTES(0xc4, 1, 5));
	assert_int_equal(reader_bin_exact(&r, buf, 2), CS_ERR_MALFORMED);

	for (unsigned depth = 1; depth <= LIMIT_MSGPACK_DEPTH_MAX + 1; depth++) {
		memset(buf, 0x91, depth);
		buf[depth] = 0xc0;
		assert_int_equal(skip_all(buf, depth + 1), depth <= LIMIT_MSGPACK_DEPTH_MAX ? 0 : CS_ERR_TOO_LARGE);
	}
	for (uint32_t extra = 0; extra < 2; extra++) { /* The array is a value too. */
		writer_init(&w, buf, sizeof(buf));
		writer_array(&w, LIMIT_MSGPACK_NODES_MAX - 1 + extra);
		for (unsigned i = 0; i < LIMIT_MSGPACK_NODES_MAX - 1 + extra; i++)
			writer_nil(&w);
		assert_int_equal(skip_all(buf, w.len), extra == 0 ? 0 : CS_ERR_TOO_LARGE);
	}
	for (size_t cap = 0; cap < 9; cap++) {
		writer_init(&w, buf, cap);
		writer_uint(&w, UINT64_MAX);
		writer_nil(&w);
		assert_int_equal(writer_end(&w, &len), CS_ERR_TOO_LARGE);
		assert_true(w.len <= cap);
	}
}

/* Each kind of value asked for where another one is, or the same one with a bound of its own. */
static void test_other_types(void **state)
{
	static const struct {
		uint8_t len, bytes[10];
	} documents[] = {{1, {0x90}},       {1, {0x05}}, {1, {0xff}},       {1, {0xc3}},
	                 {2, {0xa1, 0xff}}, {1, {0xa1}}, {3, {0xc4, 2, 1}}, {9, {0xcf, 0xff, 0, 0, 0, 0, 0, 0, 0}}};

	(void)state;
	for (size_t i = 0; i < sizeof(documents) / sizeof(documents[0]); i++) {
		const uint8_t *b = documents[i].bytes, *bin;
		uint8_t type = b[0], copy[2];
		struct reader r;
		const char *s;
		uint64_t u;
		int64_t v;
		uint32_t n;
		size_t len;
		bool yes;

		reader_init(&r, b, documents[i].len);
		assert_int_equal(reader_array(&r, 9, &n) == 0, type == 0x90);
		reader_init(&r, b, documents[i].len);
		assert_int_equal(reader_array_exact(&r, 0) == 0, type == 0x90);
		reader_init(&r, b, documents[i].len);
		assert_int_equal(reader_array_exact(&r, 1), CS_ERR_MALFORMED);
		reader_init(&r, b, documents[i].len);
		assert_int_equal(reader_uint(&r, UINT64_MAX, &u) == 0, type == 0x05 || type == 0xcf);
		reader_init(&r, b, documents[i].len);
		assert_int_equal(reader_int(&r, &v) == 0, type == 0x05 || type == 0xff);
		reader_init(&r, b, documents[i].len);
		assert_int_equal(reader_bool(&r, &yes) == 0, type == 0xc3);
		reader_init(&r, b, documents[i].len);
		assert_int_equal(reader_str(&r, 9, &s, &len), CS_ERR_MALFORMED);
		reader_init(&r, b, documents[i].len);
		assert_int_equal(reader_bin(&r, 9, &bin, &len), CS_ERR_MALFORMED);
		reader_init(&r, b, documents[i].len);
		assert_int_equal(reader_bin(&r, 1, &bin, &len), type == 0xc4 ? CS_ERR_TOO_LARGE : CS_ERR_MALFORMED);
		reader_init(&r, b, documents[i].len);
		assert_int_equal(reader_bin_exact(&r, copy, 2), CS_ERR_MALFORMED);
		reader_init(&r, b, documents[i].len);
		assert_false(reader_nil(&r));
	}
}

/* An array's elements: more than bytes are left; too deep; none; and values after the last that a document may have. */
static void test_arrays(void **state)
{
	uint8_t deep[LIMIT_MSGPACK_DEPTH_MAX + 2], many[LIMIT_MSGPACK_NODES_MAX + 3];
	const uint8_t *raw;
	struct reader r;
	uint32_t n;
	uint64_t u;
	size_t len;

	(void)state;
	reader_init(&r, BYTES(0x92, 1));
	assert_int_equal(reader_array(&r, 9, &n), CS_ERR_MALFORMED);
	memset(deep, 0x91, sizeof(deep));
	reader_init(&r, deep, sizeof(deep));
	for (unsigned i = 0; i < LIMIT_MSGPACK_DEPTH_MAX; i++)
		assert_int_equal(reader_array_exact(&r, 1), 0);
	assert_int_equal(reader_array_exact(&r, 1), CS_ERR_TOO_LARGE);
	assert_int_equal(reader_end(&r), CS_ERR_TOO_LARGE);

	reader_init(&r, BYTES(0x91, 1));
	assert_int_equal(reader_array(&r, 9, &n), 0);
	assert_int_equal(reader_end(&r), CS_ERR_MALFORMED); /* Its element was not read. */
	reader_init(&r, BYTES(0x90, 1));
	assert_int_equal(reader_array(&r, 9, &n), 0);
	assert_int_equal(reader_peek(&r), VALUE_NONE);
	assert_int_equal(reader_skip(&r, &raw, &len), CS_ERR_MALFORMED);
	assert_int_equal(reader_skip(&r, &raw, &len), CS_ERR_MALFORMED);
	assert_int_equal(reader_uint(&r, 9, &u), CS_ERR_MALFORMED);

	many[0] = 0xdc; /* One value more than may be. */
	put_u16be(many + 1, LIMIT_MSGPACK_NODES_MAX);
	memset(many + 3, 0xc0, LIMIT_MSGPACK_NODES_MAX);
	reader_init(&r, many, sizeof(many));
	assert_int_equal(reader_array(&r, LIMIT_MSGPACK_NODES_MAX, &n), 0);
	for (unsigned i = 0; i < LIMIT_MSGPACK_NODES_MAX - 1; i++)
		assert_true(reader_nil(&r));
	assert_false(reader_nil(&r));
	assert_int_equal(reader_end(&r), CS_ERR_TOO_LARGE);
}

/* The long forms of each type, read and passed over; and cut short, where the short way of passing over looks ahead. */
static void test_long_forms(void **state)
{
	static const uint32_t sizes[] = {0, 15, 16, 31, 32, 255, 256, 65535, 65536};
	static char text[65536 + 16], buf[65536 + 16];
	struct writer w;

	(void)state;
	memset(text, 'x', sizeof(text));
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		const uint8_t *raw;
		struct reader r;
		const char *s;
		size_t len;

		writer_init(&w, buf, sizeof(buf));
		writer_str(&w, text, sizes[i]);
		assert_int_equal(skip_all(w.base, w.len), 0);
		assert_int_equal(skip_all(w.base, w.len - 1), CS_ERR_MALFORMED);
		assert_int_equal(skip_all(w.base, 1), sizes[i] ? CS_ERR_MALFORMED : 0);
		reader_init(&r, buf, w.len);
		assert_int_equal(reader_str(&r, sizes[i], &s, &len), 0);
		assert_int_equal(len, sizes[i]);
		writer_init(&w, buf, sizeof(buf));
		writer_bin(&w, text, sizes[i]);
		assert_int_equal(skip_all(w.base, w.len), 0);
		reader_init(&r, buf, w.len);
		assert_int_equal(reader_bin(&r, sizes[i], &raw, &len), 0);
		assert_int_equal(reader_end(&r), 0);
		if (sizes[i] > 256)
			continue;
		writer_init(&w, buf, sizeof(buf));
		writer_array(&w, sizes[i]);
		for (uint32_t k = 0; k < sizes[i]; k++)
			writer_bool(&w, k & 1);
		assert_int_equal(skip_all(w.base, w.len), 0);
	}
	assert_int_equal(skip_all(BYTES(0xdd, 0, 1, 0, 0)), CS_ERR_MALFORMED);
	assert_int_equal(skip_all(BYTES(0xdd, 0, 0)), CS_ERR_MALFORMED);
	assert_int_equal(skip_all(BYTES(0xd2, 0xff)), CS_ERR_MALFORMED);
	assert_int_equal(skip_all(BYTES(0xa2, 0xff, 0xff)), CS_ERR_MALFORMED);
}

/* A text or bytes of more than the largest form holds are refused before they are read. */
static void test_writer_bounds(void **state)
{
	const size_t too_long = (size_t)UINT32_MAX + 1;
	uint8_t buf[8];
	struct writer w;
	size_t len = 77;

	(void)state;
	writer_init(&w, buf, sizeof(buf));
	writer_str(&w, "", too_long);
	assert_int_equal(writer_end(&w, &len), CS_ERR_TOO_LARGE);
	writer_cstr(&w, "\xff"); /* The first error stays. */
	assert_int_equal(writer_end(&w, &len), CS_ERR_TOO_LARGE);
	writer_init(&w, buf, sizeof(buf));
	writer_bin(&w, "", too_long);
	assert_int_equal(writer_end(&w, &len), CS_ERR_TOO_LARGE);
	assert_int_equal(len, 77);
}

static void write_array(struct writer *w, size_t n)
{
	writer_array(w, (uint32_t)n);
}

static void write_uint(struct writer *w, size_t n)
{
	writer_uint(w, n);
}

static void write_negative(struct writer *w, size_t n)
{
	writer_int(w, -(int64_t)n);
}

static void write_bool(struct writer *w, size_t n)
{
	writer_bool(w, n > 0);
}

static void write_nil(struct writer *w, size_t n)
{
	(void)n;
	writer_nil(w);
}

static const char zeros[300] = "";

static void write_str(struct writer *w, size_t n)
{
	char letters[300];

	memset(letters, 'x', sizeof(letters));
	writer_str(w, letters, n);
}

static void write_bin(struct writer *w, size_t n)
{
	writer_bin(w, zeros, n);
}

/* Of each kind of value the short forms and the next longer ones: how many bytes the value takes. */
static const struct form {
	void (*write)(struct writer *, size_t);
	size_t n, size;
} forms[] = {
        {write_array, 0, 1},    {write_array, 15, 1},    {write_array, 16, 3},    {write_uint, 0, 1},
        {write_uint, 0x7f, 1},  {write_uint, 0x80, 2},   {write_uint, 300, 3},    {write_negative, 0, 1},
        {write_negative, 1, 1}, {write_negative, 32, 1}, {write_negative, 33, 2}, {write_bool, 0, 1},
        {write_bool, 1, 1},     {write_nil, 0, 1},       {write_str, 0, 1},       {write_str, 1, 2},
        {write_str, 31, 32},    {write_str, 32, 34},     {write_str, 256, 259},   {write_bin, 0, 2},
        {write_bin, 1, 3},      {write_bin, 255, 257},   {write_bin, 256, 259},
};

/* A value is written where there is just the room for it; with less it is refused, and no byte goes behind. */
static void test_writer_room(void **state)
{
	uint8_t buf[320];
	struct writer w;
	size_t len;

	(void)state;
	for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
		const struct form *f = &forms[i];

		for (size_t room = 0; room <= f->size + 1; room++) {
			memset(buf, 0xee, sizeof(buf));
			writer_init(&w, buf, 1 + room);
			writer_nil(&w);
			f->write(&w, f->n);
			len = 77;
			assert_int_equal(writer_end(&w, &len), room < f->size ? CS_ERR_TOO_LARGE : 0);
			assert_int_equal(len, room < f->size ? 77 : 1 + f->size);
			assert_int_equal(buf[1 + room], 0xee);
			if (room >= f->size)
				assert_int_equal(skip_all(buf + 1, f->size),
				                 f->write == write_array && f->n > 0 ? CS_ERR_MALFORMED : 0);
		}
	}
}

/* After an error nothing is written any more, whatever room there is, and the error stays. */
static void test_writer_after_error(void **state)
{
	uint8_t buf[320];
	struct writer w;
	size_t len = 77;

	(void)state;
	for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
		memset(buf, 0xee, sizeof(buf));
		writer_init(&w, buf, sizeof(buf));
		writer_nil(&w);
		writer_cstr(&w, "\xff");
		forms[i].write(&w, forms[i].n);
		assert_int_equal(writer_end(&w, &len), CS_ERR_MALFORMED);
		assert_int_equal(len, 77);
		assert_int_equal(w.len, 1);
		assert_int_equal(buf[1], 0xee);
	}
}

/* What libfyaml must not see, and in which line it is. */
static void test_yaml_bytes(void **state)
{
	static const struct {
		const char *text;
		unsigned line; /* 0: it may. */
	} rows[] = {
	        {"", 0},      {"a: b%\n", 0},  {"a: 'b?c'\n", 0},  {"a?b", 0},
	        {"a?", 0},    {"?b", 0},       {"\ta:\tb\r\n", 0}, {"a\n%YAML", 2},
	        {"%TAG", 1},  {"a\r%YAML", 1}, {"? a", 1},         {"a:\n  ? b\n", 2},
	        {"a: ?", 1},  {"[?]", 1},      {"?", 1},           {"a\nb\nc\x01", 3},
	        {"a\x7f", 1}, {"\xff", 1},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		unsigned line = 0;
		const char *why = yaml_bytes_refusal(rows[i].text, strlen(rows[i].text), &line);

		if ((why != NULL) != (rows[i].line > 0))
			fail_msg("%s: %s", rows[i].text, why ? why : "taken");
		if (why != NULL)
			assert_int_equal(line, rows[i].line);
	}
}

/* Writes again what is read: the type and value of each node, nothing of its encoding. */
static void copy_value(struct reader *r, struct writer *w)
{
	const char *s = NULL;
	const uint8_t *raw = NULL;
	size_t len = 0;
	uint32_t n = 0;
	int64_t i = 0;
	uint64_t u = 0;
	bool b = false;
	struct reader before = *r;

	switch (reader_peek(r)) {
	case VALUE_NONE:
		reader_skip(r, &raw, &len);
		break;
	case VALUE_NIL:
		reader_nil(r);
		writer_nil(w);
		break;
	case VALUE_BOOL:
		reader_bool(r, &b);
		writer_bool(w, b);
		break;
	case VALUE_INT:
		if (reader_int(r, &i) == CS_ERR_TOO_LARGE) {
			*r = before;
			reader_uint(r, UINT64_MAX, &u);
			writer_uint(w, u);
		} else {
			writer_int(w, i);
		}
		break;
	case VALUE_STR:
		reader_str(r, 1000, &s, &len);
		writer_str(w, s, len);
		break;
	case VALUE_BIN:
		reader_bin(r, 1000, &raw, &len);
		writer_bin(w, raw, len);
		break;
	case VALUE_ARRAY:
		reader_array(r, 1000, &n);
		writer_array(w, n);
		for (uint32_t k = 0; k < n && r->err == 0; k++)
			copy_value(r, w);
		break;
	}
}

/* Whatever random bytes the reader accepts, writing its values gives the same bytes: there is no second encoding. */
static void test_accepted_is_canonical(void **state)
{
	static const uint8_t interesting[] = {0xc4, 0xc5, 0xcc, 0xcd, 0xce, 0xcf, 0xd0, 0xd1, 0xd2, 0xd3,
	                                      0xd9, 0xda, 0xdc, 0x91, 0x92, 0xa1, 0xa2, 0xc0, 0xc2, 0xff};
	unsigned accepted = 0;

	(void)state;
	for (unsigned round = 0; round < 300000; round++) {
		uint8_t bytes[12], again[64];
		size_t len = 1 + randombytes_uniform(sizeof(bytes));
		struct reader r;
		struct writer w;

		randombytes_buf(bytes, len);
		for (size_t i = 0; i < len; i++)
			if (bytes[i] & 1)
				bytes[i] = interesting[bytes[i] % sizeof(interesting)];
		reader_init(&r, bytes, len);
		writer_init(&w, again, sizeof(again));
		copy_value(&r, &w);
		assert_int_equal(skip_all(bytes, len) == 0, reader_end(&r) == 0);
		if (r.err != 0)
			continue;
		accepted++;
		assert_written(&w, bytes, len);
	}
	assert_true(accepted > 1000);
}

static void test_big_endian(void **state)
{
	uint8_t b[8];

	(void)state;
	put_u16be(b, 0x0102);
	assert_memory_equal(b, "\x01\x02", 2);
	assert_int_equal(get_u16be(b), 0x0102);
	put_u32be(b, 0xf1020304);
	assert_memory_equal(b, "\xf1\x02\x03\x04", 4);
	assert_int_equal(get_u32be(b), 0xf1020304);
	put_u64be(b, 0xf102030405060708);
	assert_memory_equal(b, "\xf1\x02\x03\x04\x05\x06\x07\x08", 8);
	assert_true(get_u64be(b) == 0xf102030405060708);
}

static void test_error_texts(void **state)
{
	(void)state;
	assert_string_equal(err_text(0), "success");
	assert_string_equal(err_text(CS_ERR_REFUTED), "refuted: the proof does not hold");
	assert_string_equal(err_text(1), "unknown error");
	assert_string_equal(err_text(-1000), "unknown error");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_integers),      cmocka_unit_test(test_other_forms_refused),
	        cmocka_unit_test(test_utf8),          cmocka_unit_test(test_document),
	        cmocka_unit_test(test_bounds),        cmocka_unit_test(test_accepted_is_canonical),
	        cmocka_unit_test(test_big_endian),    cmocka_unit_test(test_error_texts),
	        cmocka_unit_test(test_utf8_places),   cmocka_unit_test(test_other_types),
	        cmocka_unit_test(test_arrays),        cmocka_unit_test(test_long_forms),
	        cmocka_unit_test(test_writer_bounds), cmocka_unit_test(test_yaml_bytes),
	        cmocka_unit_test(test_writer_room),   cmocka_unit_test(test_writer_after_error),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
