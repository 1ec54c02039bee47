/* Ed25519 verification: libsodium against the cases of C2SP/wycheproof. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <setjmp.h>
#include <sodium.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "tests/vectors.h"

#define MESSAGE_MAX 4096

static size_t from_hex(const json_t *object, const char *name, uint8_t *buf, size_t cap)
{
	const json_t *text = json_object_get(object, name);
	size_t len;

	assert_non_null(text);
	assert_int_equal(sodium_hex2bin(buf, cap, json_string_value(text), json_string_length(text), NULL, &len, NULL),
	                 0);
	return len;
}

/* A signature of another length than 64 bytes never reaches libsodium: the note's parser tells the lengths apart. */
static int verifies(const json_t *test, const uint8_t pub[32])
{
	uint8_t message[MESSAGE_MAX], signature[256];
	size_t message_len = from_hex(test, "msg", message, sizeof(message));
	size_t signature_len = from_hex(test, "sig", signature, sizeof(signature));

	return signature_len == crypto_sign_BYTES &&
	       crypto_sign_verify_detached(signature, message, message_len, pub) == 0;
}

static void test_wycheproof(void **state)
{
	json_t *file, *group, *test;
	unsigned valid = 0, invalid = 0;
	size_t g, t;
	char path[4096];
	json_error_t error;

	(void)state;
	vectors_path(path, sizeof(path), "ed25519/wycheproof_ed25519_test.json");
	file = json_load_file(path, 0, &error);
	assert_non_null(file);
	json_array_foreach(json_object_get(file, "testGroups"), g, group)
	{
		uint8_t pub[32];

		assert_int_equal(from_hex(json_object_get(group, "publicKey"), "pk", pub, sizeof(pub)), sizeof(pub));
		json_array_foreach(json_object_get(group, "tests"), t, test)
		{
			int expected = strcmp(json_string_value(json_object_get(test, "result")), "valid") == 0;

			if (verifies(test, pub) != expected)
				fail_msg("case %lld: expected %s",
				         (long long)json_integer_value(json_object_get(test, "tcId")),
				         expected ? "valid" : "invalid");
			valid += expected == 1;
			invalid += expected == 0;
		}
	}
	assert_int_equal(valid, 88);
	assert_int_equal(invalid, 63);
	json_decref(file);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_wycheproof)};

	if (sodium_init() < 0)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
