/* Key files and cluster files: round trips, permissions, and every refusal named. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <fcntl.h>
#include <setjmp.h>
#include <sodium.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "ledger/errors.h"
#include "node/wire/keyfile.h"

static char folder[64], path[96], text[256];

static int setup(void **state)
{
	(void)state;
	if (sodium_init() < 0)
		return -1;
	snprintf(folder, sizeof(folder), "/tmp/cs-keyfile-XXXXXX");
	if (mkdtemp(folder) == NULL)
		return -1;
	snprintf(path, sizeof(path), "%s/file", folder);
	text[0] = '\0';
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	unlink(path);
	return rmdir(folder);
}

static void put(const char *content, mode_t mode)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	assert_int_equal(fwrite(content, 1, strlen(content), f), strlen(content));
	assert_int_equal(fclose(f), 0);
	assert_int_equal(chmod(path, mode), 0);
}

static void test_round_trip(void **state)
{
	struct keyfile k = {0}, back;
	struct stat st;

	(void)state;
	keyfile_random(&k, "node 1", 1u << KEY_CHANNEL | 1u << KEY_LOG | 1u << KEY_COSIGNER);
	assert_int_equal(keyfile_write(path, &k, text), 0);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_int_equal(keyfile_read(path, &back, text), 0);
	assert_memory_equal(&k, &back, sizeof(k));
	assert_false(back.has[KEY_SIGN]);
	/* Never overwritten: a key that is lost cannot be had again. */
	assert_int_equal(keyfile_write(path, &k, text), CS_ERR_EXISTS);
	keyfile_wipe(&back);
	assert_true(sodium_is_zero((const uint8_t *)&back, sizeof(back)));
}

static void test_public_halves(void **state)
{
	struct keyfile k = {0};
	uint8_t pub[32], sk[64], sig[64];

	(void)state;
	keyfile_random(&k, "alice", 1u << KEY_SIGN | 1u << KEY_CHANNEL);
	assert_int_equal(keyfile_public(&k, KEY_SIGN, pub, sk), 0);
	crypto_sign_detached(sig, NULL, (const uint8_t *)"x", 1, sk);
	assert_int_equal(crypto_sign_verify_detached(sig, (const uint8_t *)"x", 1, pub), 0);
	assert_int_equal(keyfile_public(&k, KEY_CHANNEL, pub, NULL), 0);
	assert_int_equal(keyfile_public(&k, KEY_LOG, pub, NULL), CS_ERR_NOT_FOUND);
}

static void test_permissions(void **state)
{
	struct keyfile k = {0};

	(void)state;
	keyfile_random(&k, "n", 1u << KEY_CHANNEL);
	assert_int_equal(keyfile_write(path, &k, text), 0);
	static const mode_t loose[] = {0640, 0604, 0620, 0610};
	for (size_t i = 0; i < sizeof(loose) / sizeof(loose[0]); i++) {
		assert_int_equal(chmod(path, loose[i]), 0);
		assert_int_equal(keyfile_read(path, &k, text), CS_ERR_NOT_PERMITTED);
		assert_non_null(strstr(text, "0600"));
	}
	assert_int_equal(chmod(path, 0400), 0);
	assert_int_equal(keyfile_read(path, &k, text), 0);
}

#define KEY "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE="

static void test_bad_key_files(void **state)
{
	static const struct {
		const char *content, *where;
	} bad[] = {
	        {"", ":0:"},
	        {"countersign-key/v2\nname a\n", ":1:"},
	        {"countersign-key/v1\n", "no name"},
	        {"countersign-key/v1\nname a\nname b\n", ":3: a second name"},
	        {"countersign-key/v1\nname a\nchannel " KEY "\nchannel " KEY "\n", ":4: a second key"},
	        {"countersign-key/v1\nname a\nchannel AQEB\n", ":3: the key"},
	        {"countersign-key/v1\nname a\nchannel AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQF=\n", ":3: the key"},
	        {"countersign-key/v1\nname a\ncolour " KEY "\n", ":3: unknown kind"},
	        {"countersign-key/v1\nname a\nsign " KEY, ":3: the last line"},
	        {"countersign-key/v1\nname a\n\n", ":3:"},
	        {"countersign-key/v1\nname  a\n", ":2:"},
	        {"countersign-key/v1\nname a\r\n", ":2:"},
	};
	struct keyfile k, before;

	(void)state;
	memset(&k, 7, sizeof(k));
	before = k;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		put(bad[i].content, 0600);
		assert_int_equal(keyfile_read(path, &k, text), CS_ERR_MALFORMED);
		if (strstr(text, bad[i].where) == NULL)
			fail_msg("file %zu: \"%s\" does not say \"%s\"", i, text, bad[i].where);
		assert_memory_equal(&k, &before, sizeof(k));
	}
	assert_int_equal(unlink(path), 0);
	assert_int_equal(keyfile_read(path, &k, text), CS_ERR_NOT_FOUND);
	assert_int_equal(keyfile_read(folder, &k, text), CS_ERR_IO);
	assert_int_equal(mkfifo(path, 0600), 0);
	assert_int_equal(keyfile_read(path, &k, text), CS_ERR_IO);
}

static void test_cluster_round_trip(void **state)
{
	struct cluster_file c = {.origin = "acme-0123456789abcdef", .n_nodes = 3}, back;

	(void)state;
	memset(c.genesis.b, 9, HASH_SIZE);
	snprintf(c.trust_path, sizeof(c.trust_path), "%s/trust.policy", folder);
	for (unsigned i = 0; i < 3; i++) {
		c.nodes[i].id = i + 1;
		snprintf(c.nodes[i].url, sizeof(c.nodes[i].url), "tcp://127.0.0.1:710%u", i);
		memset(c.nodes[i].channel_pub, (int)i + 1, 32);
	}
	assert_int_equal(cluster_file_write(path, &c, text), 0);
	memset(&back, 0, sizeof(back));
	if (cluster_file_read(path, &back, text) != 0)
		fail_msg("%s", text);
	assert_memory_equal(&c, &back, sizeof(c));
	assert_int_equal(cluster_file_write(path, &c, text), CS_ERR_EXISTS);
}

#define HEAD     "origin: a\ngenesis: " KEY "\ntrust: t\nnodes:\n"
#define NODE(id) "  - {id: " id ", url: \"tcp://h:1\", channel: " KEY "}\n"

static void test_bad_cluster_files(void **state)
{
	static const struct {
		const char *content, *where;
	} bad[] = {
	        {"", "not a YAML"},
	        {"- a\n", "must have"},
	        {"origin: a\n", "genesis is missing"},
	        {HEAD NODE("1") "colour: red\n", ":6:1: colour: unknown key"},
	        {HEAD "  - {id: 1, url: u, channel: " KEY ", size: 3}\n", "size: unknown key"},
	        {HEAD "  - {id: 1, url: u}\n", "each must have"},
	        {HEAD NODE("1") NODE("1"), "same id"},
	        {HEAD NODE("0"), ":5:6: id:"},
	        {HEAD NODE("18446744073709551616"), "id:"},
	        {HEAD NODE("1") NODE("2") NODE("3") NODE("4") NODE("5") NODE("6") NODE("7") NODE("8"), "more than 7"},
	        {"origin: a\norigin: b\n", ":2:"},
	        {"origin: [a\n", ":"},
	        {"origin: &x a\ngenesis: *x\n", "genesis"},
	        {"genesis: AQEB\n", ":1:1: genesis"},
	        {HEAD, "nodes"},
	        {"origin: a\n%TAG\n", ":2: directives"},
	        {"%\xc2\n", "not UTF-8"}, /* libfyaml never returned. */
	};
	struct cluster_file c, before;

	(void)state;
	memset(&c, 7, sizeof(c));
	before = c;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		put(bad[i].content, 0644);
		assert_int_equal(cluster_file_read(path, &c, text), CS_ERR_MALFORMED);
		if (strstr(text, bad[i].where) == NULL)
			fail_msg("file %zu: \"%s\" does not say \"%s\"", i, text, bad[i].where);
		assert_memory_equal(&c, &before, sizeof(c));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test_setup_teardown(test_round_trip, setup, teardown),
	        cmocka_unit_test_setup_teardown(test_public_halves, setup, teardown),
	        cmocka_unit_test_setup_teardown(test_permissions, setup, teardown),
	        cmocka_unit_test_setup_teardown(test_bad_key_files, setup, teardown),
	        cmocka_unit_test_setup_teardown(test_cluster_round_trip, setup, teardown),
	        cmocka_unit_test_setup_teardown(test_bad_cluster_files, setup, teardown),
	};

	return cmocka_run_group_tests_name("keyfile", tests, NULL, NULL);
}
