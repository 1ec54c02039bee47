/* The signer signs what verifies, and refuses a second root for a size and a smaller size. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <sodium.h>

#include "ledger/errors.h"
#include "node/signer.h"

static const char origin[] = "acme-0123456789abcdef";

static struct signer *new_signer(void)
{
	uint8_t log_seed[32] = {1}, cosigner_seed[32] = {2};
	struct signer *s;

	assert_int_equal(signer_new(origin, 7, log_seed, cosigner_seed, &s), 0);
	return s;
}

static void test_verifies(void **state)
{
	struct signer *s = new_signer();
	struct hash root = {{9}};
	char text[LIMIT_NOTE_SIZE_MAX];
	struct checkpoint c;
	struct note n;
	uint64_t time_s;
	size_t len, more;

	(void)state;
	assert_int_equal(signer_sign(s, 12, &root, text, sizeof text, &len), 0);
	assert_int_equal(signer_cosign(s, 12, &root, 1000, text + len, sizeof text - len, &more), 0);
	assert_int_equal(note_parse(&n, text, len + more), 0);
	assert_int_equal(n.n_signatures, 2);
	assert_int_equal(note_verify(&n, signer_log_key(s), NULL), 0);
	assert_int_equal(note_verify(&n, signer_cosigner_key(s), &time_s), 0);
	assert_int_equal(time_s, 1000);
	assert_string_equal(signer_cosigner_key(s)->name, "acme-0123456789abcdef/node-7");
	assert_int_equal(checkpoint_parse(&c, n.text, n.text_len), 0);
	assert_int_equal(c.size, 12);
	assert_true(hash_equal(&c.root, &root));
	signer_free(s);
}

static void test_never_twice(void **state)
{
	struct signer *s = new_signer();
	struct hash a = {{1}}, b = {{2}};
	char text[LIMIT_NOTE_SIZE_MAX];
	size_t len;

	(void)state;
	assert_int_equal(signer_sign(s, 12, &a, text, sizeof text, &len), 0);
	assert_int_equal(signer_sign(s, 12, &a, text, sizeof text, &len), 0);
	assert_int_equal(signer_sign(s, 12, &b, text, sizeof text, &len), CS_ERR_DIVERGED);
	assert_int_equal(signer_sign(s, 11, &a, text, sizeof text, &len), CS_ERR_DIVERGED);
	assert_int_equal(signer_sign(s, 13, &b, text, sizeof text, &len), 0);
	/* The cosigner's record is its own. */
	assert_int_equal(signer_cosign(s, 5, &a, 1, text, sizeof text, &len), 0);
	assert_int_equal(signer_cosign(s, 5, &b, 2, text, sizeof text, &len), CS_ERR_DIVERGED);
	assert_int_equal(signer_cosign(s, 4, &a, 2, text, sizeof text, &len), CS_ERR_DIVERGED);
	signer_free(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_verifies),
	        cmocka_unit_test(test_never_twice),
	};

	if (sodium_init() < 0)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
