/* Commands and bodies: what goes in comes out, nothing else gets in, and what is signed has these bytes for ever. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "ledger/errors.h"
#include "ledger/limits.h"
#include "node/decide/command.h"

#define TEXT(s) ((struct text){s, sizeof(s) - 1})

static uint8_t buf[70000], again[70000];
static const uint8_t key_a[32] = {1}, key_b[32] = {2}, sig[64] = {3};

static void assert_text(struct text t, const char *s)
{
	assert_int_equal(t.len, strlen(s));
	assert_memory_equal(t.s, s, t.len);
}

/* Everything that a decoder takes, its encoder writes again byte for byte: no value has two encodings. */
static void check_codec(size_t len, int (*copy)(const void *bytes, size_t len, void *buf, size_t cap, size_t *ret_len))
{
	uint8_t *exact;
	size_t n = 0;

	assert_int_equal(copy(buf, len, again, sizeof(again), &n), 0);
	assert_int_equal(n, len);
	assert_memory_equal(buf, again, len);
	for (size_t cut = 0; cut < len; cut++) { /* In memory of just that size, so that a sanitizer sees an overrun. */
		exact = malloc(cut > 0 ? cut : 1);
		assert_non_null(exact);
		memcpy(exact, buf, cut);
		assert_int_not_equal(copy(exact, cut, again, sizeof(again), &n), 0);
		free(exact);
	}
	buf[len] = 0xc0;
	assert_int_not_equal(copy(buf, len + 1, again, sizeof(again), &n), 0);
	for (size_t i = 0; i < len; i++)
		for (unsigned bit = 0; bit < 8; bit++) {
			buf[i] ^= (uint8_t)(1 << bit);
			if (copy(buf, len, again, sizeof(again), &n) == 0) {
				assert_int_equal(n, len);
				assert_memory_equal(buf, again, len);
			}
			buf[i] ^= (uint8_t)(1 << bit);
		}
	for (size_t cap = 0; cap < len; cap++) /* Too small a buffer is an error, never an overrun. */
		assert_int_not_equal(copy(buf, len, again, cap, &n), 0);
}

#define COPY(type)                                                                                                     \
	static int type##_copy(const void *bytes, size_t len, void *to, size_t cap, size_t *ret_len)                   \
	{                                                                                                              \
		struct type v;                                                                                         \
		int err = type##_decode(&v, bytes, len);                                                               \
		return err != 0 ? err : type##_encode(&v, to, cap, ret_len);                                           \
	}
COPY(command)
COPY(request)
COPY(import)
COPY(answer)
COPY(enrolment)
COPY(removal)
COPY(policy_set)
COPY(genesis)

static struct request sample_request(void)
{
	return (struct request){
	        .subject_type = TEXT("user"),
	        .subject_id = TEXT("ada"),
	        .actor_type = TEXT("agent"),
	        .actor_id = TEXT("helper"),
	        .action = TEXT("deploy"),
	        .resource_type = TEXT("model"),
	        .resource_id = TEXT("fraud-7"),
	        .n_context = 3,
	        .context = {{.name = TEXT("amount"), .type = VALUE_INT, .integer = -70000},
	                    {.name = TEXT("device"), .type = VALUE_STR, .str = TEXT("laptop")},
	                    {.name = TEXT("mfa"), .type = VALUE_BOOL, .integer = 1}},
	};
}

static void requests(void **state)
{
	struct request r = sample_request(), d;
	size_t len, n;

	(void)state;
	assert_int_equal(request_encode(&r, buf, sizeof(buf), &len), 0);
	assert_int_equal(request_decode(&d, buf, len), 0);
	assert_text(d.actor_id, "helper");
	assert_int_equal(request_context(&d, "amount")->integer, -70000);
	assert_text(request_context(&d, "device")->str, "laptop");
	assert_null(request_context(&d, "devic"));
	check_codec(len, request_copy);
	r.actor_id.len = 0;
	assert_int_equal(request_encode(&r, buf, sizeof(buf), &len), 0);
	check_codec(len, request_copy);
	/* Context out of order, twice the same, too many, a nameless one. */
	r.context[1].name = TEXT("aaa");
	assert_int_equal(request_encode(&r, buf, sizeof(buf), &n), CS_ERR_INVALID);
	r.context[1].name = TEXT("amount");
	assert_int_equal(request_encode(&r, buf, sizeof(buf), &n), CS_ERR_INVALID);
	r.context[0].name.len = 0;
	assert_int_equal(request_encode(&r, buf, sizeof(buf), &n), CS_ERR_INVALID);
	r.n_context = REQUEST_CONTEXT_MAX + 1;
	assert_int_equal(request_encode(&r, buf, sizeof(buf), &n), CS_ERR_TOO_LARGE);
	r = sample_request();
	r.subject_id.len = 0;
	assert_int_equal(request_encode(&r, buf, sizeof(buf), &n), CS_ERR_INVALID);
}

static void request_bounds(void **state)
{
	static char names[REQUEST_CONTEXT_MAX][4], long_text[REQUEST_STR_SIZE_MAX + 1];
	struct request r = sample_request();
	size_t len;

	(void)state;
	memset(long_text, 'x', sizeof(long_text));
	r.n_context = REQUEST_CONTEXT_MAX;
	for (unsigned i = 0; i < REQUEST_CONTEXT_MAX; i++) {
		names[i][0] = (char)('a' + i);
		r.context[i] = (struct named_value){.name = {names[i], 1}, .type = VALUE_STR, .str = {long_text, 256}};
	}
	assert_int_equal(request_encode(&r, buf, sizeof(buf), &len), 0);
	assert_true(len <= REQUEST_SIZE_MAX);
	r.context[0].str.len = REQUEST_STR_SIZE_MAX + 1;
	assert_int_equal(request_encode(&r, buf, sizeof(buf), &len), CS_ERR_INVALID);
	assert_int_not_equal(request_decode(&r, buf, REQUEST_SIZE_MAX + 1), 0);
}

static void bodies(void **state)
{
	struct request r = sample_request();
	uint8_t request[512];
	struct import i = {.event_time_ms = 1700000000000,
	                   .format = TEXT("cloudtrail"),
	                   .file = TEXT("a.json"),
	                   .file_hash = key_a,
	                   .position = 4711,
	                   .request = request};
	struct answer a = {.challenge = 300,
	                   .method = TEXT("ed25519"),
	                   .credential = TEXT("ada-key"),
	                   .evidence = sig,
	                   .evidence_len = 64};
	struct admin_signature admin = {
	        .name = TEXT("root"), .sequence = 9, .expiry_ms = 1700000000000, .signature = sig};
	struct enrolment e = {.name = TEXT("gw"), .roles = ROLE_DECIDE, .channel_pub = key_a, .admin = admin};
	struct removal m = {.name = TEXT("gw"), .reason = TEXT("lost"), .admin = admin};
	struct policy_set p = {.source = key_a, .source_len = 7, .compiled = key_b, .compiled_len = 32, .admin = admin};
	size_t len, signed_len;

	(void)state;
	assert_int_equal(request_encode(&r, request, sizeof(request), &i.request_len), 0);
	assert_int_equal(import_encode(&i, buf, sizeof(buf), &len), 0);
	check_codec(len, import_copy);
	assert_int_equal(answer_encode(&a, buf, sizeof(buf), &len), 0);
	check_codec(len, answer_copy);
	assert_int_equal(removal_encode(&m, buf, sizeof(buf), &len), 0);
	check_codec(len, removal_copy);
	assert_int_equal(policy_set_encode(&p, buf, sizeof(buf), &len), 0);
	check_codec(len, policy_set_copy);
	assert_int_equal(enrolment_encode(&e, buf, sizeof(buf), &len), 0);
	check_codec(len, enrolment_copy);
	e = (struct enrolment){.name = TEXT("k"),
	                       .roles = ROLE_DEVICE,
	                       .sign_pub = key_b,
	                       .subject_type = TEXT("user"),
	                       .subject_id = TEXT("ada"),
	                       .admin = admin};
	assert_int_equal(enrolment_encode(&e, buf, sizeof(buf), &len), 0);
	check_codec(len, enrolment_copy);
	/* What is signed is what stands before the signature. */
	assert_int_equal(enrolment_encode_signed(&e, again, sizeof(again), &signed_len), 0);
	assert_int_equal(enrolment_decode(&e, buf, len), 0);
	assert_int_equal(e.signed_len, signed_len);
	assert_memory_equal(e.signed_elements, again, signed_len);
	assert_text(e.subject_id, "ada");
	assert_null(e.channel_pub);
}

static void commands(void **state)
{
	static const uint8_t seed[32] = {5}, id[16] = {6}, empty = 0x90;
	struct command c = {.type = COMMAND_ANSWER,
	                    .principal = 12,
	                    .seed = seed,
	                    .request_id = id,
	                    .payload = &empty,
	                    .payload_len = 1,
	                    .facts = (const uint8_t *)"\x91\xc3",
	                    .facts_len = 2};
	size_t len, n;

	(void)state;
	assert_int_equal(command_encode(&c, buf, sizeof(buf), &len), 0);
	check_codec(len, command_copy);
	c.payload = (const uint8_t *)"\x05"; /* A payload is one array. */
	assert_int_equal(command_encode(&c, buf, sizeof(buf), &n), CS_ERR_INVALID);
	c.payload = (const uint8_t *)"\x90\x90";
	c.payload_len = 2;
	assert_int_equal(command_encode(&c, buf, sizeof(buf), &n), CS_ERR_INVALID);
}

static void geneses(void **state)
{
	struct genesis g = {.origin = TEXT("c-0123456789abcdef"),
	                    .governance = TEXT("single"),
	                    .time_ms = 1700000000000,
	                    .n_admins = 1,
	                    .n_nodes = 1,
	                    .policy_source = key_a,
	                    .policy_source_len = 3,
	                    .policy_compiled = key_b,
	                    .policy_compiled_len = 2};
	struct entry e;
	struct hash h, expected;
	size_t len, leaf_len = 0;

	(void)state;
	g.admins[0].name = TEXT("root");
	g.admins[0].channel_pub = g.admins[0].sign_pub = key_a;
	g.nodes[0].id = 1;
	g.nodes[0].url = TEXT("tcp://127.0.0.1:7000");
	g.nodes[0].log_pub = g.nodes[0].cosigner_pub = g.nodes[0].channel_pub = key_b;
	assert_int_equal(genesis_encode(&g, buf, sizeof(buf), &len), 0);
	check_codec(len, genesis_copy);
	assert_int_equal(genesis_leaf(buf, len, again, LIMIT_ENTRY_SIZE_MAX, &leaf_len, &h), 0);
	assert_int_equal(entry_decode(&e, again, leaf_len), 0);
	assert_int_equal(e.kind, ENTRY_GENESIS);
	assert_int_equal(e.time_ms, g.time_ms);
	assert_int_equal(e.n_fields, 0);
	assert_int_equal(e.public_len, len);
	assert_memory_equal(e.public_, buf, len);
	hash_leaf(&expected, again, leaf_len);
	assert_true(hash_equal(&h, &expected));
	g.n_admins = 0;
	assert_int_equal(genesis_encode(&g, buf, sizeof(buf), &len), CS_ERR_INVALID);
}

/* Byte for byte: signers and verifiers of other builds depend on it. */
static void messages(void **state)
{
	static const char answer[] = "countersign/answer/v1\0"
	                             "org\0"
	                             "\0\0\0\0\0\0\1\2";
	static const char admin[] = "countersign/admin/v1\0"
	                            "org\0"
	                            "\0\0\0\0\0\0\0\1"
	                            "\5"
	                            "\0\0\0\0\0\0\0\x7"
	                            "\0\0\0\0\0\0\0\x9";
	uint8_t m[ADMIN_MESSAGE_SIZE_MAX];
	struct hash digest = {{8}}, h, expected;
	uint8_t nonce[32] = {9}, plain[64];
	char long_origin[LIMIT_ORIGIN_SIZE_MAX + 1];
	size_t n = answer_message(m, "org", 258, &digest, nonce, 3);

	(void)state;
	assert_int_equal(n, sizeof(answer) - 1 + 72);
	assert_memory_equal(m, answer, sizeof(answer) - 1);
	assert_int_equal(m[sizeof(answer) - 1], 8);
	assert_int_equal(m[sizeof(answer) - 1 + 32], 9);
	assert_int_equal(m[n - 1], 3);
	n = admin_message(m, "org", 1, COMMAND_ENROLL, 7, 9, "xyz", 3);
	assert_int_equal(n, sizeof(admin) - 1 + 32);
	assert_memory_equal(m, admin, sizeof(admin) - 1);
	hash_bytes(&h, "xyz", 3);
	assert_memory_equal(m + sizeof(admin) - 1, h.b, 32);
	memset(long_origin, 'o', sizeof(long_origin) - 1);
	long_origin[sizeof(long_origin) - 1] = 0;
	assert_true(answer_message(m, long_origin, 1, &digest, nonce, 3) <= ANSWER_MESSAGE_SIZE_MAX);
	assert_true(admin_message(m, long_origin, 1, 1, 7, 9, "xyz", 3) <= ADMIN_MESSAGE_SIZE_MAX);
	/* The request's digest: domain with its NUL, blind, request. */
	memcpy(plain, "countersign/request/v1", 23);
	memcpy(plain + 23, nonce, 32);
	memcpy(plain + 55, "rq", 2);
	hash_bytes(&expected, plain, 57);
	request_digest(&h, nonce, "rq", 2);
	assert_true(hash_equal(&h, &expected));
}

static void roles(void **state)
{
	(void)state;
	assert_string_equal(role_text(ROLE_DECIDE), "decide");
	assert_string_equal(role_text(ROLE_NODE), "node");
	assert_null(role_text(1u << 9));
	assert_null(role_text(ROLE_DECIDE | ROLE_AUDIT));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(requests), cmocka_unit_test(request_bounds), cmocka_unit_test(bodies),
	        cmocka_unit_test(commands), cmocka_unit_test(geneses),        cmocka_unit_test(messages),
	        cmocka_unit_test(roles),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
