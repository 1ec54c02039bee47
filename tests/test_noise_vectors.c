/* Every published Noise_IK_25519_ChaChaPoly_BLAKE2b vector, both sides, handshake and transport, byte for byte. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <jansson.h>
#include <setjmp.h>
#include <sodium.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "node/wire/noise.h"

#define BYTES_MAX 1024
#define VECTORS   "noise/cacophony_25519_ChaChaPoly_BLAKE2b.json"

struct bytes {
	uint8_t b[BYTES_MAX];
	size_t len;
};

static struct bytes field(const json_t *object, const char *name)
{
	const char *hex = json_string_value(json_object_get(object, name));
	struct bytes ret = {.len = 0};

	assert_non_null(hex);
	assert_int_equal(sodium_hex2bin(ret.b, sizeof ret.b, hex, strlen(hex), NULL, &ret.len, NULL), 0);
	return ret;
}

struct handshake {
	struct noise init, resp;
	struct bytes init_ephemeral, resp_ephemeral;
};

static void start(struct handshake *hs, const json_t *v)
{
	struct bytes is = field(v, "init_static"), rs = field(v, "resp_static");
	struct bytes ip = field(v, "init_prologue"), rp = field(v, "resp_prologue");
	struct bytes known = field(v, "init_remote_static");
	uint8_t is_pub[NOISE_KEY_SIZE], rs_pub[NOISE_KEY_SIZE];

	hs->init_ephemeral = field(v, "init_ephemeral");
	hs->resp_ephemeral = field(v, "resp_ephemeral");
	assert_int_equal(crypto_scalarmult_base(is_pub, is.b), 0);
	assert_int_equal(crypto_scalarmult_base(rs_pub, rs.b), 0);
	assert_memory_equal(rs_pub, known.b, sizeof rs_pub);
	noise_init_initiator(&hs->init, is.b, is_pub, rs_pub, ip.b, ip.len);
	noise_init_responder(&hs->resp, rs.b, rs_pub, rp.b, rp.len);
}

static void run_handshake(struct handshake *hs, const json_t *v, const json_t *messages)
{
	struct bytes plain = field(json_array_get(messages, 0), "payload");
	struct bytes wire = field(json_array_get(messages, 0), "ciphertext");
	struct bytes hash = field(v, "handshake_hash");
	uint8_t out[BYTES_MAX + NOISE_FIRST_EXTRA];

	assert_int_equal(noise_write_first(&hs->init, hs->init_ephemeral.b, plain.b, plain.len, out), 0);
	assert_int_equal(wire.len, plain.len + NOISE_FIRST_EXTRA);
	assert_memory_equal(out, wire.b, wire.len);
	assert_int_equal(noise_read_first(&hs->resp, wire.b, wire.len, out), 0);
	assert_memory_equal(out, plain.b, plain.len);
	assert_memory_equal(hs->resp.rs, hs->init.s_pub, NOISE_KEY_SIZE);

	plain = field(json_array_get(messages, 1), "payload");
	wire = field(json_array_get(messages, 1), "ciphertext");
	assert_int_equal(noise_write_second(&hs->resp, hs->resp_ephemeral.b, plain.b, plain.len, out), 0);
	assert_int_equal(wire.len, plain.len + NOISE_SECOND_EXTRA);
	assert_memory_equal(out, wire.b, wire.len);
	assert_int_equal(noise_read_second(&hs->init, wire.b, wire.len, out), 0);
	assert_memory_equal(out, plain.b, plain.len);
	assert_memory_equal(hs->init.h, hash.b, NOISE_HASH_SIZE);
	assert_memory_equal(hs->resp.h, hash.b, NOISE_HASH_SIZE);
}

/* Transport messages alternate, the initiator's first; nonces count for each direction. */
static void run_transport(const struct handshake *hs, const json_t *messages)
{
	uint8_t key[2][NOISE_KEY_SIZE], other[2][NOISE_KEY_SIZE], out[BYTES_MAX + NOISE_TAG_SIZE];

	noise_split(&hs->init, key[0], key[1]);
	noise_split(&hs->resp, other[0], other[1]);
	assert_memory_equal(key, other, sizeof key);
	for (size_t i = 2; i < json_array_size(messages); i++) {
		struct bytes plain = field(json_array_get(messages, i), "payload");
		struct bytes wire = field(json_array_get(messages, i), "ciphertext");
		const uint8_t *k = key[i % 2];
		uint64_t n = (i - 2) / 2;

		noise_encrypt(k, n, NULL, 0, plain.b, plain.len, out);
		assert_int_equal(wire.len, plain.len + NOISE_TAG_SIZE);
		assert_memory_equal(out, wire.b, wire.len);
		assert_int_equal(noise_decrypt(k, n, NULL, 0, wire.b, wire.len, out), 0);
		assert_memory_equal(out, plain.b, plain.len);
	}
}

static json_t *load(void)
{
	const char *root = getenv("CS_VECTORS"), *srcdir = getenv("srcdir");
	char path[4096];

	if (root != NULL)
		snprintf(path, sizeof path, "%s/" VECTORS, root);
	else
		snprintf(path, sizeof path, "%s/../shared/vectors/" VECTORS, srcdir != NULL ? srcdir : ".");
	return json_load_file(path, JSON_REJECT_DUPLICATES, NULL);
}

static void test_vectors(void **state)
{
	json_t *file = load(), *v;
	unsigned n = 0;
	size_t i;

	(void)state;
	if (file == NULL) {
		print_message("the Noise vectors are not here (CS_VECTORS): skipped\n");
		skip();
	}
	json_array_foreach(json_object_get(file, "vectors"), i, v)
	{
		const json_t *messages = json_object_get(v, "messages");
		struct handshake hs;

		if (strcmp(json_string_value(json_object_get(v, "protocol_name")),
		           "Noise_IK_25519_ChaChaPoly_BLAKE2b") != 0)
			continue;
		assert_true(json_array_size(messages) > 2);
		start(&hs, v);
		run_handshake(&hs, v, messages);
		run_transport(&hs, messages);
		n++;
	}
	json_decref(file);
	print_message("%u vectors\n", n);
	assert_true(n > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_vectors)};

	if (sodium_init() < 0)
		return 1;
	return cmocka_run_group_tests_name("noise vectors", tests, NULL, NULL);
}
