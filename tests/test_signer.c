/* The signer signs what verifies, and refuses a second root for a size and a smaller size. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

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

/* --- keys that change, and the record --- */

static void pub_of(uint8_t first, uint8_t ret_seed[32], uint8_t ret_pub[32])
{
	uint8_t sk[64];

	memset(ret_seed, 0, 32);
	ret_seed[0] = first;
	crypto_sign_seed_keypair(ret_pub, sk, ret_seed);
}

static unsigned signatures(const char *text, size_t len)
{
	struct note n;

	assert_int_equal(note_parse(&n, text, len), 0);
	return n.n_signatures;
}

static void test_overlap(void **state)
{
	struct signer *s = new_signer();
	uint8_t old_seed[32], old_pub[32], seed[32], pub[32];
	struct hash root = {{9}};
	char text[LIMIT_NOTE_SIZE_MAX];
	struct note_key old_key;
	struct note n;
	size_t len;

	(void)state;
	pub_of(1, old_seed, old_pub);
	pub_of(3, seed, pub);
	const struct signer_key now = {pub, seed}, before = {old_pub, old_seed};
	assert_int_equal(signer_sign(s, 10, &root, text, sizeof text, &len), 0);
	assert_int_equal(signatures(text, len), 1);
	assert_int_equal(signer_use(s, SIGNER_LOG, &now, 11, &before, 12), 0);
	assert_memory_equal(signer_log_key(s)->pub, pub, 32);
	assert_int_equal(note_key_init(&old_key, origin, NOTE_KEY_ED25519, old_pub), 0);
	/* What was announced before the change is the old one's to sign. */
	assert_int_equal(signer_sign(s, 10, &root, text, sizeof text, &len), 0);
	assert_int_equal(note_parse(&n, text, len), 0);
	assert_int_equal(note_verify(&n, signer_log_key(s), NULL), CS_ERR_NOT_FOUND);
	assert_int_equal(note_verify(&n, &old_key, NULL), 0);
	for (uint64_t size = 11; size <= 13; size++) {
		assert_int_equal(signer_sign(s, size, &root, text, sizeof text, &len), 0);
		assert_int_equal(signatures(text, len), size <= 12 ? 2 : 1);
		assert_int_equal(note_parse(&n, text, len), 0);
		assert_int_equal(note_verify(&n, signer_log_key(s), NULL), 0);
		assert_int_equal(note_verify(&n, &old_key, NULL), size <= 12 ? 0 : CS_ERR_NOT_FOUND);
	}
	/* Lines alone, of a node that does not lead. */
	assert_int_equal(signer_sign_too(s, 13, &root, text, sizeof text, &len), 0);
	assert_int_equal(strncmp(text, "\xe2\x80\x94 acme-", 9), 0);
	assert_int_equal(signer_sign_too(s, 12, &root, text, sizeof text, &len), CS_ERR_DIVERGED);
	/* A key that this node does not have signs nothing. */
	const struct signer_key absent = {(const uint8_t[32]){7}, NULL};
	assert_true(signer_ready(s, SIGNER_LOG));
	assert_int_equal(signer_use(s, SIGNER_LOG, &absent, 0, NULL, 0), 0);
	assert_false(signer_ready(s, SIGNER_LOG));
	assert_int_equal(signer_sign(s, 14, &root, text, sizeof text, &len), CS_ERR_NOT_PERMITTED);
	signer_free(s);
}

static void test_record(void **state)
{
	char folder[] = "/tmp/cs-signer-XXXXXX", path[64], text[LIMIT_NOTE_SIZE_MAX], why[256];
	struct signer *s = new_signer();
	struct hash a = {{1}}, b = {{2}};
	uint8_t seed[32], pub[32], byte;
	size_t len;

	(void)state;
	assert_non_null(mkdtemp(folder));
	snprintf(path, sizeof path, "%s/signed", folder);
	assert_int_equal(signer_record_open(s, path, true, why), 0);
	assert_int_equal(signer_sign(s, 12, &a, text, sizeof text, &len), 0);
	assert_int_equal(signer_cosign(s, 11, &a, 1, text, sizeof text, &len), 0);
	assert_int_equal(signer_sync(s), 0);
	signer_free(s);

	/* After a restart it refuses what it refused before. */
	s = new_signer();
	assert_int_equal(signer_record_open(s, path, false, why), 0);
	assert_int_equal(signer_recorded_size(s), 12);
	assert_true(signer_ready(s, SIGNER_LOG) && signer_ready(s, SIGNER_COSIGNER));
	assert_int_equal(signer_sign(s, 12, &b, text, sizeof text, &len), CS_ERR_DIVERGED);
	assert_int_equal(signer_sign(s, 11, &a, text, sizeof text, &len), CS_ERR_DIVERGED);
	assert_int_equal(signer_sign(s, 12, &a, text, sizeof text, &len), 0);
	assert_int_equal(signer_cosign(s, 11, &b, 1, text, sizeof text, &len), CS_ERR_DIVERGED);
	signer_free(s);

	/* Lost, or damaged: those keys sign no more; one that begins its record does. */
	for (int damaged = 0; damaged < 2; damaged++) {
		if (damaged) {
			int fd = open(path, O_RDWR);
			assert_int_equal(pread(fd, &byte, 1, 35), 1);
			byte ^= 4;
			assert_int_equal(pwrite(fd, &byte, 1, 35), 1);
			close(fd);
		}
		s = new_signer();
		if (!damaged)
			unlink(path);
		assert_int_equal(signer_record_open(s, path, false, why), 0);
		assert_false(signer_ready(s, SIGNER_LOG));
		assert_int_equal(signer_sign(s, 50, &a, text, sizeof text, &len), CS_ERR_NOT_PERMITTED);
		pub_of((uint8_t)(5 + damaged), seed, pub);
		const struct signer_key fresh = {pub, seed};
		assert_int_equal(signer_record_begin(s, pub), 0);
		assert_int_equal(signer_use(s, SIGNER_LOG, &fresh, 0, NULL, 0), 0);
		assert_true(signer_ready(s, SIGNER_LOG));
		assert_false(signer_ready(s, SIGNER_COSIGNER));
		assert_int_equal(signer_sign(s, 50, &a, text, sizeof text, &len), 0);
		signer_free(s);
	}
	unlink(path);
	rmdir(folder);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_verifies),
	        cmocka_unit_test(test_never_twice),
	        cmocka_unit_test(test_overlap),
	        cmocka_unit_test(test_record),
	};

	if (sodium_init() < 0)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
