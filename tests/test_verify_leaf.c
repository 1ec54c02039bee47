/* Tests of what the verifier reads with its own hands: leaves, bodies, links, values, base64, text. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "ledger/verify_internal.h"
#include "tests/verify_fixture.h"

#define SIZE FIXTURE_ENTRIES

/* A slice of a literal, its NUL left out. */
#define B(literal)                                                                                                     \
	{                                                                                                              \
		(const uint8_t *)(literal), sizeof(literal) - 1                                                        \
	}
#define S(literal) ((struct verify_slice)B(literal))

static struct fixture fixture;

static int setup(void **state)
{
	(void)state;
	fixture_init(&fixture);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	fixture_free(&fixture);
	return 0;
}

/* --- leaves, made by hand --- */

#define HASH32                                                                                                         \
	"\xc4\x20"                                                                                                     \
	"0123456789abcdef0123456789abcdef"
#define ZERO32                                                                                                         \
	"\xc4\x20"                                                                                                     \
	"\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"

static void test_leaves(void **state)
{
	static const char form[] = "it is not a canonical leaf";
	static const struct {
		const char *bytes;
		size_t len;
		const char *why; /* NULL: it is one. */
	} rows[] = {
#define ROW(literal, why) {literal, sizeof(literal) - 1, why}
	        ROW("\x97\x01\x05\x02\x00" HASH32 "\x90\x90", NULL),
	        ROW("\x97\x01\x00\x01\x00" ZERO32 "\x90\x90", NULL),
	        ROW("\x97\x01\x00\x01\x00" HASH32 "\x90\x90", "it is the first, and names one before it"),
	        ROW("\x97\x02\x05\x02\x00" HASH32 "\x90\x90", "its format version is not known"),
	        ROW("\x97\x01\x05\x02\x00" HASH32 "\x91\xc0\x92\x92\x02" HASH32 "\x92\x03" HASH32, NULL),
	        ROW("", form),
	        ROW("\x96\x01\x05\x02\x00" HASH32 "\x90", form),
	        ROW("\x98\x01\x05\x02\x00" HASH32 "\x90\x90\x90", form),
	        ROW("\xc0", form),
	        ROW("\x97", form),
	        ROW("\x97\xc0", form),
	        ROW("\x97\x01", form),
	        ROW("\x97\x01\x05", form),
	        ROW("\x97\x01\x05\x00\x00" HASH32 "\x90\x90", form),         /* Kind 0. */
	        ROW("\x97\x01\x05\xcd\x01\x00\x00" HASH32 "\x90\x90", form), /* Kind 256. */
	        ROW("\x97\x01\x05\x02", form),
	        ROW("\x97\x01\x05\x02\xff" HASH32 "\x90\x90", form), /* A negative time. */
	        ROW("\x97\x01\x05\x02\x00", form),
	        ROW("\x97\x01\x05\x02\x00\xc4\x01x\x90\x90", form), /* No hash. */
	        ROW("\x97\x01\x05\x02\x00\xa1x\x90\x90", form),
	        ROW("\x97\x01\x05\x02\x00" HASH32, form),
	        ROW("\x97\x01\x05\x02\x00" HASH32 "\xc0\x90", form), /* Public fields that are no array. */
	        ROW("\x97\x01\x05\x02\x00" HASH32 "\xdc\x00\x01\xc0\x90", form),
	        ROW("\x97\x01\x05\x02\x00" HASH32 "\xdd\x00\x00\x00\x01\xc0\x90", form),
	        ROW("\x97\x01\x05\x02\x00" HASH32 "\x91\x90", form), /* Then the commitments are missing. */
	        ROW("\x97\x01\x05\x02\x00" HASH32 "\x91\x91\x91\x91\x91\x91\x90\x90", NULL), /* As deep as may be. */
	        ROW("\x97\x01\x05\x02\x00" HASH32 "\x91\x91\x91\x91\x91\x91\x91\x90\x90", form),
	        ROW("\x97\x01\x05\x02\x00" HASH32 "\x90\xc0", form),         /* Commitments that are no array. */
	        ROW("\x97\x01\x05\x02\x00" HASH32 "\x90\xdc\x00\x21", form), /* 33 of them. */
	        ROW("\x97\x01\x05\x02\x00" HASH32 "\x90\x91\xc0", form),
	        ROW("\x97\x01\x05\x02\x00" HASH32 "\x90\x91\x91\x02", form),
	        ROW("\x97\x01\x05\x02\x00" HASH32 "\x90\x91\x92\x00" HASH32, form), /* Field kind 0. */
	        ROW("\x97\x01\x05\x02\x00" HASH32 "\x90\x91\x92\xcd\x01\x00" HASH32, form),
	        ROW("\x97\x01\x05\x02\x00" HASH32 "\x90\x91\x92\x02\xc4\x00", form),
	        ROW("\x97\x01\x05\x02\x00" HASH32 "\x90\x92\x92\x02" HASH32 "\x92\x02" HASH32, form),
	        ROW("\x97\x01\x05\x02\x00" HASH32 "\x90\x92\x92\x03" HASH32 "\x92\x02" HASH32, form),
	        ROW("\x97\x01\x05\x02\x00" HASH32 "\x90\x90\xc0", form), /* And something more. */
#undef ROW
	};
	static uint8_t large[LIMIT_ENTRY_SIZE_MAX + 1];
	struct verify_leaf leaf;

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		const char *why = NULL;
		struct verify_slice bytes = {(const uint8_t *)rows[i].bytes, rows[i].len};
		bool good = verify_leaf_parse(bytes, &leaf, &why);

		if (good != !rows[i].why || (rows[i].why && strcmp(why, rows[i].why) != 0))
			fail_msg("row %zu: %d, %s", i, good, why);
	}
	const char *why;
	assert_false(verify_leaf_parse((struct verify_slice){large, sizeof large}, &leaf, &why));
	/* As many values as may be, and one more. */
	for (unsigned more = 0; more < 2; more++) {
		size_t n = LIMIT_MSGPACK_NODES_MAX - 8 + more, head = sizeof("\x97\x01\x05\x02\x00" HASH32) - 1;

		memcpy(large, "\x97\x01\x05\x02\x00" HASH32, head);
		memcpy(large + head, (const uint8_t[]){0xdc, (uint8_t)(n >> 8), (uint8_t)n}, 3);
		memset(large + head + 3, 0xc0, n);
		large[head + 3 + n] = 0x90;
		assert_int_equal(verify_leaf_parse((struct verify_slice){large, head + 4 + n}, &leaf, &why), !more);
	}
}

/* --- bodies --- */

static void test_bodies(void **state)
{
	static const char form[] = "its body is not canonical";
	static const struct verify_slice malformed[] = {
	        B("\xc0"),                          /* No array. */
	        B("\xdc\x00\x21"),                  /* 33 fields. */
	        B("\x91\xc0"),                      /* A field that is none. */
	        B("\x91\x92\x02\xc4\x00"),          /* Of two elements. */
	        B("\x91\x93\xa1x\xc4\x00\xc4\x00"), /* Its kind no number. */
	        B("\x91\x93\x00\xc4\x00\xc4\x00"),  /* Kind 0. */
	        B("\x91\x93\x02"),
	        B("\x91\x93\x02\xc0\xc4\x00"), /* No salt. */
	        B("\x91\x93\x02\xc4\x01x\xc4\x00"),
	        B("\x91\x93\x02\xc4\x10"
	          "0123456789abcdef"),
	        B("\x91\x93\x02\xc4\x10"
	          "0123456789abcdef"
	          "\xc0"), /* Its value no bytes. */
	        B("\x90\xc0"),
	};
	static uint8_t large[LIMIT_BODY_SIZE_MAX + 1];
	const struct fixture_entry *e = &fixture.entry[5];
	struct verify_leaf leaf;
	uint8_t body[512];
	const char *why;
	unsigned missing = 99;

	(void)state;
	assert_true(verify_leaf_parse((struct verify_slice){e->leaf, e->leaf_len}, &leaf, &why));
	assert_true(verify_body_check(&leaf, (struct verify_slice){e->body, e->body_len}, &missing, &why));
	assert_int_equal(missing, 0);
	assert_true(verify_body_check(&leaf, (struct verify_slice){NULL, 0}, &missing, &why));
	assert_int_equal(missing, 4);
	assert_true(verify_body_check(&leaf, S("\x90"), &missing, &why));
	assert_int_equal(missing, 4);
	for (size_t i = 0; i < sizeof malformed / sizeof malformed[0]; i++)
		if (verify_body_check(&leaf, malformed[i], &missing, &why) || strcmp(why, form) != 0)
			fail_msg("row %zu: %s", i, why);
	assert_false(verify_body_check(&leaf, (struct verify_slice){large, sizeof large}, &missing, &why));
	assert_string_equal(why, form);
	memcpy(body, e->body, e->body_len);
	body[e->body_len - 1] ^= 1;
	assert_false(verify_body_check(&leaf, (struct verify_slice){body, e->body_len}, &missing, &why));
	assert_string_equal(why, "a field of its body does not open its commitment");
	body[2] = 1; /* The first one's kind. */
	assert_false(verify_body_check(&leaf, (struct verify_slice){body, e->body_len}, &missing, &why));
	assert_string_equal(why, "its body has a field that the leaf has no commitment to");
}

/* --- what a history's fields say --- */

static void test_links(void **state)
{
	static const struct {
		struct verify_slice value;
		bool good, has_previous;
		uint64_t previous, count;
	} rows[] = {
	        {B("\x92\xc0\x00"), true, false, 0, 0},
	        {B("\x92\x07\x02"), true, true, 7, 2},
	        {B("\x92\x07\x00"), true, true, 7, 0},
	        {B("\x92\xc0\x01"), .good = false}, /* None before it, and one. */
	        {B("\x91\xc0"), .good = false},
	        {B("\xc0"), .good = false},
	        {B("\x92"), .good = false},
	        {B("\x92\xa1x\x01"), .good = false},
	        {B("\x92\x07\xff"), .good = false},
	        {B("\x92\x07"), .good = false},
	        {B("\x92\x07\x02\x00"), .good = false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct verify_link l;

		if (verify_link_parse(rows[i].value, &l) != rows[i].good)
			fail_msg("row %zu", i);
		if (!rows[i].good)
			continue;
		assert_int_equal(l.has_previous, rows[i].has_previous);
		assert_int_equal(l.previous, rows[i].previous);
		assert_int_equal(l.count, rows[i].count);
	}
}

static void test_history_fields(void **state)
{
	static const struct {
		struct verify_slice public_;
		unsigned kind;
		bool good, nobody_forgotten;
	} rows[] = {
	        {B("\x92\x02\xc3"), FORMAT_KIND_HISTORY, true, true},
	        {B("\x93\x02\xc2\xc0"), FORMAT_KIND_HISTORY, true, false}, /* Of a later build. */
	        {B("\x92\x02\xc3"), ENTRY_DECISION, false, false},
	        {B("\x91\x02"), FORMAT_KIND_HISTORY, false, false},
	        {B("\x92\xcd\x01\x00\xc3"), FORMAT_KIND_HISTORY, false, false},
	        {B("\x92\x02"), FORMAT_KIND_HISTORY, false, false},
	        {B("\x92\x02\x01"), FORMAT_KIND_HISTORY, false, false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		const struct verify_leaf leaf = {.kind = rows[i].kind, .public_ = rows[i].public_};
		uint64_t whose = 0;
		bool forgotten = false;

		if (verify_history_parse(&leaf, &whose, &forgotten) != rows[i].good)
			fail_msg("row %zu", i);
		if (!rows[i].good)
			continue;
		assert_int_equal(whose, 2);
		assert_int_equal(forgotten, rows[i].nobody_forgotten);
	}
}

static void test_people(void **state)
{
	static const struct {
		struct verify_slice value;
		const char *text; /* NULL: none. */
	} people[] = {
	        {B("\xa3"
	           "ada"),
	         "ada"},
	        {B("\xaf"
	           "augusta ada ...."),
	         NULL}, /* One character too many. */
	        {B("\x92\xa4user\xa3"
	           "ada"),
	         "user:ada"},
	        {B("\x92\xa4user\xa8"
	           "augustaa"),
	         "user:august"}, /* Cut at the room's end. */
	        {B("\x92\xab"
	           "useruseruse\xa1"
	           "a"),
	         "useruseruse"},
	        {B(""), NULL},
	        {B("\x05"), NULL},
	        {B("\x91\xa4user"), NULL},
	        {B("\x92"), NULL},
	        {B("\x92\x05\xa3"
	           "ada"),
	         NULL},
	        {B("\x92\xa4user"), NULL},
	        {B("\x92\xa4user\x05"), NULL},
	        {B("\x92\xa4user\xa3"
	           "ada\xc0"),
	         NULL},
	};
	static const struct verify_slice nobody[] = {
	        B(""),
	        B("\x91\xc0"),
	        B("\x92\xc1\x91\xa1x"),
	        B("\x92\xc0\xc0"),
	        B("\x92\xc0\x90"),
	        B("\x92\xc0\x91"),
	        B("\x92\xc0\x91\x05"),
	};
	char buf[12];
	struct verify_slice name;

	(void)state;
	for (size_t i = 0; i < sizeof people / sizeof people[0]; i++) {
		bool good = verify_person_text(people[i].value, buf, sizeof buf);

		if (good != (people[i].text != NULL) || (good && strcmp(buf, people[i].text) != 0))
			fail_msg("row %zu: %s", i, good ? buf : "none");
	}
	for (size_t i = 0; i < sizeof nobody / sizeof nobody[0]; i++)
		if (verify_approver_parse(nobody[i], &name))
			fail_msg("row %zu", i);
	assert_true(verify_approver_parse(S("\x92\x91\xc0\x92\xa3"
	                                    "dan\x01"),
	                                  &name));
	assert_int_equal(name.len, 4);
	assert_memory_equal(name.p,
	                    "\xa3"
	                    "dan",
	                    4);
}

static void test_names(void **state)
{
	(void)state;
	assert_string_equal(verify_entry_kind_name(ENTRY_DECISION), "decision");
	assert_string_equal(verify_entry_kind_name(0), "unknown kind");
	assert_string_equal(verify_entry_kind_name(ENTRY_KIND_MAX + 1), "unknown kind");
	assert_string_equal(verify_field_kind_name(FIELD_SUBJECT), "subject");
	assert_string_equal(verify_field_kind_name(0), "unknown kind");
	assert_string_equal(verify_field_kind_name(FIELD_KIND_MAX + 1), "unknown kind");
	assert_int_equal(verify_field_kind_of("subject"), FIELD_SUBJECT);
	assert_int_equal(verify_field_kind_of(""), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_leaves),         cmocka_unit_test(test_bodies), cmocka_unit_test(test_links),
	        cmocka_unit_test(test_history_fields), cmocka_unit_test(test_people), cmocka_unit_test(test_names),
	};

	return cmocka_run_group_tests_name("leaves", tests, setup, teardown);
}
