/* Bounded reader and writer of canonical msgpack: arrays, unsigned and signed integers, booleans, nil, str, bin. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LEDGER_BYTES_H
#define LEDGER_BYTES_H

#include <endian.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/*
 * A pull reader over bytes that nobody vouches for. Only the canonical encoding is accepted (msgpack specification,
 * shortest form of every value; no floats, maps or extension types), so that a value has one encoding and a hash has
 * one meaning. Depth and number of values are capped before anything is believed. Errors stick: after the first
 * one each call fails with the same error and leaves its outputs untouched, so that a decoder can check once.
 * CS_ERR_TOO_LARGE: over a bound of the caller's or of limits.h; CS_ERR_MALFORMED: everything else.
 * The bytes read must outlive the reader and every str/bin it returned (zero copy).
 */
struct reader {
	const uint8_t *pos; /* Next byte. */
	const uint8_t *end; /* One past the last. */
	uint32_t open[9];   /* Elements still to come of each array that is open; [0] is the document. */
	unsigned depth;     /* Arrays open now. */
	unsigned nodes;     /* Values met so far. */
	int err;            /* 0, or the first error: CS_ERR_MALFORMED, CS_ERR_TOO_LARGE. */
};

void reader_init(struct reader *r, const void *bytes, size_t len);
/* Enters an array; its elements are then read one by one, and it closes by itself after the last. n_max bounds n. */
int reader_array(struct reader *r, uint32_t n_max, uint32_t *ret_n);
/* Enters an array that must have exactly n elements. */
int reader_array_exact(struct reader *r, uint32_t n);
int reader_uint(struct reader *r, uint64_t max, uint64_t *ret);
int reader_int(struct reader *r, int64_t *ret); /* Any integer that fits int64_t. */
int reader_bool(struct reader *r, bool *ret);
/* UTF-8 is checked (RFC 3629; no surrogates, shortest form), NUL is refused; not NUL-terminated. */
int reader_str(struct reader *r, size_t len_max, const char **ret, size_t *ret_len);
int reader_bin(struct reader *r, size_t len_max, const uint8_t **ret, size_t *ret_len);
int reader_bin_exact(struct reader *r, uint8_t *ret, size_t len); /* Copies exactly len bytes out. */
/* True and consumed if the next value is nil; false and untouched otherwise (also after an error). */
bool reader_nil(struct reader *r);
enum value_type { VALUE_NONE, VALUE_NIL, VALUE_BOOL, VALUE_INT, VALUE_STR, VALUE_BIN, VALUE_ARRAY };
/* Type of the next value; VALUE_NONE at the end of the document or after an error. */
enum value_type reader_peek(const struct reader *r);
/* Passes over one whole value of any kind, checking it, and returns where its encoding lies. */
int reader_skip(struct reader *r, const uint8_t **ret, size_t *ret_len);
/* 0 if nothing failed, every array is closed and no byte is left; else the error. Call it last, always. */
int reader_end(struct reader *r);

/*
 * A writer into a buffer that the caller owns; it never allocates. Values are packed by msgpack-c, whose pack
 * functions choose the shortest form. Errors stick (CS_ERR_TOO_LARGE when the buffer is full); check writer_end.
 */
struct writer {
	uint8_t *base;
	size_t len, cap;
	int err;
};

void writer_init(struct writer *w, void *buf, size_t cap);
void writer_array(struct writer *w, uint32_t n);
void writer_uint(struct writer *w, uint64_t v);
void writer_int(struct writer *w, int64_t v);
void writer_bool(struct writer *w, bool v);
void writer_nil(struct writer *w);
/* What is not UTF-8, or has a NUL, is CS_ERR_MALFORMED: nothing is written that a reader would refuse. */
void writer_str(struct writer *w, const char *s, size_t len);
void writer_cstr(struct writer *w, const char *s); /* NUL-terminated. */
void writer_bin(struct writer *w, const void *b, size_t len);
void writer_raw(struct writer *w, const void *b, size_t len); /* Bytes as they are: a value encoded before. */
/* 0 and the length, or the first error. */
int writer_end(const struct writer *w, size_t *ret_len);

/* True if s is well-formed UTF-8 (RFC 3629) and holds no NUL. */
bool utf8_valid(const void *s, size_t len);

/* Big-endian integers in plain byte strings (hash inputs, frames). */
static inline void put_u16be(uint8_t *p, uint16_t v)
{
	v = htobe16(v);
	memcpy(p, &v, sizeof v);
}

static inline void put_u32be(uint8_t *p, uint32_t v)
{
	v = htobe32(v);
	memcpy(p, &v, sizeof v);
}

static inline void put_u64be(uint8_t *p, uint64_t v)
{
	v = htobe64(v);
	memcpy(p, &v, sizeof v);
}

static inline uint16_t get_u16be(const uint8_t *p)
{
	uint16_t v;

	memcpy(&v, p, sizeof v);
	return be16toh(v);
}

static inline uint32_t get_u32be(const uint8_t *p)
{
	uint32_t v;

	memcpy(&v, p, sizeof v);
	return be32toh(v);
}

static inline uint64_t get_u64be(const uint8_t *p)
{
	uint64_t v;

	memcpy(&v, p, sizeof v);
	return be64toh(v);
}

#endif
