/* A node's keys on its disk: made once, found again, named by what the ledger says, dropped when their time is over. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>
#include <sodium.h>

#include "ledger/errors.h"
#include "node/keyring.h"

static char folder[64];
static struct keyfile base;
static char text[256];

static int setup(void **state)
{
	(void)state;
	snprintf(folder, sizeof folder, "/tmp/cs-keyring-XXXXXX");
	memset(&base, 0, sizeof base);
	keyfile_random(&base, "node-7", 1u << KEY_CHANNEL | 1u << KEY_LOG | 1u << KEY_COSIGNER);
	return mkdtemp(folder) ? 0 : -1;
}

static int teardown(void **state)
{
	char command[128];

	(void)state;
	snprintf(command, sizeof command, "rm -rf %s", folder);
	return system(command);
}

static struct keyring *open_ring(void)
{
	struct keyring *r = NULL;

	if (keyring_open(folder, &base, &r, text) != 0)
		fail_msg("%s", text);
	return r;
}

static bool is_there(const char *file)
{
	char path[256];

	snprintf(path, sizeof path, "%s/keys/%s", folder, file);
	return access(path, F_OK) == 0;
}

static void test_made_once(void **state)
{
	struct keyring *r = open_ring();
	uint8_t pub[32], pub2[32], old[32];
	char file[64];

	(void)state;
	keyfile_public(&base, KEY_LOG, old, NULL);
	assert_non_null(keyring_secret(r, KEY_LOG, old));
	assert_false(keyring_grown(r, KEY_LOG));
	assert_null(keyring_next(r, KEY_LOG));
	assert_int_equal(keyring_prepare(r, KEY_LOG, pub, text), 0);
	assert_int_equal(keyring_prepare(r, KEY_LOG, pub2, text), 0);
	assert_memory_equal(pub, pub2, 32);
	assert_true(is_there("next-log.key"));
	keyring_close(r);

	r = open_ring(); /* After a crash, too. */
	assert_memory_equal(keyring_next(r, KEY_LOG), pub, 32);
	assert_int_equal(keyring_prepare(r, KEY_LOG, pub2, text), 0);
	assert_memory_equal(pub, pub2, 32);
	keyring_in_force(r, KEY_LOG, old); /* Not yet. */
	assert_memory_equal(keyring_next(r, KEY_LOG), pub, 32);
	keyring_in_force(r, KEY_LOG, pub);
	assert_null(keyring_next(r, KEY_LOG));
	assert_false(is_there("next-log.key"));
	snprintf(file, sizeof file, "log-%02x%02x%02x%02x.key", pub[0], pub[1], pub[2], pub[3]);
	assert_true(is_there(file));
	assert_true(keyring_grown(r, KEY_LOG));
	assert_non_null(keyring_secret(r, KEY_LOG, pub));
	assert_non_null(keyring_secret(r, KEY_LOG, old));
	assert_int_equal(keyring_prepare(r, KEY_LOG, pub2, text), 0);
	assert_memory_not_equal(pub, pub2, 32);
	keyring_in_force(r, KEY_LOG, pub2);
	keyring_drop(r, KEY_LOG, pub);
	assert_false(is_there(file));
	assert_null(keyring_secret(r, KEY_LOG, pub));
	assert_non_null(keyring_secret(r, KEY_LOG, pub2));
	keyring_close(r);
}

static void test_channels(void **state)
{
	struct keyring *r = open_ring();
	uint8_t old[32], pub[32], next[32];
	const uint8_t *p, *secret;
	struct channel_keys keys;

	(void)state;
	keyfile_public(&base, KEY_CHANNEL, old, NULL);
	assert_int_equal(keyring_prepare(r, KEY_CHANNEL, pub, text), 0);
	/* It answers by the next one before it is in force: others may know of it first. */
	keyring_channel(r, old, NULL, false, &keys);
	assert_int_equal(keys.n, 2);
	assert_memory_equal(keys.list[0].pub, old, 32);
	assert_memory_equal(keys.list[1].pub, pub, 32);
	keyring_in_force(r, KEY_CHANNEL, pub);
	assert_int_equal(keyring_prepare(r, KEY_CHANNEL, next, text), 0);
	keyring_channel(r, pub, old, false, &keys);
	assert_int_equal(keys.n, 3);
	assert_memory_equal(keys.list[0].pub, pub, 32);
	assert_memory_equal(keys.list[2].pub, old, 32);
	/* Clients who know the old one alone are kept out once it is over; members are not. */
	keyring_channel(r, pub, NULL, false, &keys);
	assert_int_equal(keys.n, 2);
	keyring_channel(r, pub, NULL, true, &keys);
	assert_int_equal(keys.n, 3);
	assert_memory_equal(keys.list[0].pub, pub, 32);
	assert_true(keyring_channel_at(r, 0, &p, &secret));
	assert_memory_equal(secret, base.secret[KEY_CHANNEL], 32);
	assert_true(keyring_channel_at(r, 2, &p, &secret));
	assert_false(keyring_channel_at(r, 3, &p, &secret));
	keyring_close(r);
}

/* What a power cut leaves of a key that was being made is no key, and in nobody's way. */
static void test_torn(void **state)
{
	struct keyring *r = open_ring();
	uint8_t first[32], pub[32];
	char path[256];
	FILE *f;

	(void)state;
	assert_int_equal(keyring_prepare(r, KEY_LOG, first, text), 0);
	assert_false(is_there("new"));
	keyring_close(r);
	snprintf(path, sizeof path, "%s/keys/new", folder);
	f = fopen(path, "w");
	assert_non_null(f);
	fputs("countersign-key/v1\nname no", f);
	fclose(f);
	r = open_ring();
	assert_memory_equal(keyring_next(r, KEY_LOG), first, 32);
	assert_int_equal(keyring_prepare(r, KEY_COSIGNER, pub, text), 0);
	assert_false(is_there("new"));
	keyring_close(r);
	r = open_ring();
	assert_memory_equal(keyring_next(r, KEY_COSIGNER), pub, 32);
	keyring_close(r);
}

static void test_bad_files(void **state)
{
	struct keyring *r = open_ring();
	uint8_t pub[32];
	char path[256];

	(void)state;
	assert_int_equal(keyring_prepare(r, KEY_COSIGNER, pub, text), 0);
	keyring_close(r);
	snprintf(path, sizeof path, "%s/keys/next-cosigner.key", folder);
	assert_int_equal(chmod(path, 0644), 0);
	assert_int_not_equal(keyring_open(folder, &base, &r, text), 0);
	assert_non_null(strstr(text, "next-cosigner.key"));
	assert_int_equal(chmod(path, 0600), 0);
	snprintf(base.name, sizeof base.name, "node-8");
	assert_int_equal(keyring_open(folder, &base, &r, text), CS_ERR_INVALID);
	assert_non_null(strstr(text, "node-7"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test_setup_teardown(test_made_once, setup, teardown),
	        cmocka_unit_test_setup_teardown(test_channels, setup, teardown),
	        cmocka_unit_test_setup_teardown(test_torn, setup, teardown),
	        cmocka_unit_test_setup_teardown(test_bad_files, setup, teardown),
	};

	if (sodium_init() < 0)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
