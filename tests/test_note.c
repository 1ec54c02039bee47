/* Notes, checkpoints, cosignatures: published examples, round trips, refusals. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "ledger/bytes.h"
#include "ledger/errors.h"
#include "ledger/note.h"

/* C2SP signed-note, "Example". */
static const char c2sp_vkey[] = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k";
static const char c2sp_note[] = "This is an example message.\n\n— example.com/foo "
                                "Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72I"
                                "neyaQM=\n";
/* golang.org/x/mod/sumdb/note, example_test.go; of its private key the part behind the id: type and seed. */
static const char go_vkey[] = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";
static const char go_private[] = "AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz";
static const char go_note[] =
        "If you think cryptography is the answer to your problem,\n"
        "then you don't know what your problem is.\n\n— PeterNeumann "
        "x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM="
        "\n";

static int parse(struct note *ret, const char *text)
{
	return note_parse(ret, text, strlen(text));
}

static struct note_key key_of(const char *vkey)
{
	struct note_key k;

	assert_int_equal(note_key_parse(&k, vkey, strlen(vkey)), 0);
	return k;
}

static void make_key(const char *name, uint8_t type, struct note_key *k, uint8_t sk[64])
{
	uint8_t pub[32];

	crypto_sign_keypair(pub, sk);
	assert_int_equal(note_key_init(k, name, type, pub), 0);
}

static void test_examples(void **state)
{
	static const char *const vkeys[] = {c2sp_vkey, go_vkey}, *const notes[] = {c2sp_note, go_note};
	char text[256];

	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		struct note_key k = key_of(vkeys[i]);
		struct note n;

		assert_int_equal(note_key_format(&k, text, sizeof(text)), 0);
		assert_string_equal(text, vkeys[i]);
		assert_int_equal(note_key_format(&k, text, strlen(vkeys[i])), CS_ERR_TOO_LARGE);
		assert_int_equal(parse(&n, notes[i]), 0);
		assert_int_equal(n.n_signatures, 1);
		assert_int_equal(note_verify(&n, &k, NULL), 0);
		k = key_of(vkeys[1 - i]);
		assert_int_equal(note_verify(&n, &k, NULL), CS_ERR_NOT_FOUND);
	}
}

/* Signing with the published seed gives the published note, byte for byte. */
static void test_sign_example(void **state)
{
	size_t text_len = (size_t)(strstr(go_note, "\n\n") + 1 - go_note), len = text_len + 1, private_len;
	uint8_t private[33], pub[32], sk[64];
	struct note_key k = key_of(go_vkey);
	char buf[512];

	(void)state;
	assert_int_equal(base64_decode(go_private, strlen(go_private), private, sizeof(private), &private_len), 0);
	crypto_sign_seed_keypair(pub, sk, private + 1);
	assert_memory_equal(pub, k.pub, 32);
	memcpy(buf, go_note, len);
	assert_int_equal(note_sign(&k, sk, buf, text_len, buf, sizeof(buf), &len), 0);
	assert_int_equal(len, strlen(go_note));
	assert_string_equal(buf, go_note);
	len = text_len + 1;
	assert_int_equal(note_sign(&k, sk, buf, text_len, buf, strlen(go_note), &len), CS_ERR_TOO_LARGE);
	assert_int_equal(len, text_len + 1);
}

/* Every bit of a note flipped: malformed, unknown, or refuted; never verified. */
static void test_every_bit(void **state)
{
	struct note_key k = key_of(c2sp_vkey);
	char buf[sizeof(c2sp_note)];

	(void)state;
	for (size_t bit = 0; bit < strlen(c2sp_note) * 8; bit++) {
		struct note n;

		memcpy(buf, c2sp_note, sizeof(buf));
		buf[bit / 8] ^= (char)(1 << bit % 8);
		if (note_parse(&n, buf, strlen(c2sp_note)) == 0)
			assert_int_not_equal(note_verify(&n, &k, NULL), 0);
	}
}

static void test_malformed_notes(void **state)
{
	static const char *const bad[] = {
	        "",
	        "\n",
	        "text\n",
	        "text\n\n",                 /* no signature */
	        "text\n— a AAAAAAA=\n",     /* no blank line */
	        "text\n\n— a AAAAAAA=",     /* no last newline */
	        "text\n\nx\n",              /* shorter than any */
	        "text\n\n- a AAAAAAA=\n",   /* hyphen */
	        "text\n\n—a AAAAAAA=\n",    /* no space */
	        "text\n\n— AAAAAAA=\n",     /* no name */
	        "text\n\n—  AAAAAAA=\n",    /* empty name */
	        "text\n\n— a+b AAAAAAA=\n", /* '+' in a name */
	        "text\n\n— a\xc2\xa0"
	        "b AAAAAAA=\n", /* no-break space in a name */
	        "text\n\n— a\xe3\x80\x80"
	        "b AAAAAAA=\n",             /* ideographic space in a name */
	        "text\n\n— a AAAAAA==\n",   /* four bytes: no signature behind the id */
	        "text\n\n— a AAAAAAA\n",    /* no padding */
	        "text\n\n— a AAAAAAB=\n",   /* other bits in the padding */
	        "text\n\n— a AAAA AAAA\n",  /* space in base64 */
	        "text\n\n— a AAA_AAA=\n",   /* other alphabet */
	        "te\txt\n\n— a AAAAAAA=\n", /* control character */
	        "te\xff"
	        "xt\n\n— a AAAAAAA=\n", /* no UTF-8 */
	        "text\n\n— a AAAAAAA=\ntrailing\n",
	};
	char long_note[LIMIT_NOTE_SIZE_MAX + 2], many[1024] = "text\n\n";
	struct note n;

	(void)state;
	assert_int_equal(parse(&n, "text\n\n— a AAAAAAA=\n"), 0);
	assert_int_equal(parse(&n, "\n\n— a AAAAAAA=\n"), 0); /* One empty line of text. */
	assert_int_equal(n.text_len, 1);
	assert_int_equal(parse(&n, "one\n\n— not a signature\n\n— a AAAAAAA=\n"), 0); /* The last blank line counts. */
	assert_int_equal(n.n_signatures, 1);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		if (parse(&n, bad[i]) != CS_ERR_MALFORMED)
			fail_msg("accepted: %s", bad[i]);
	memset(long_note, 'a', sizeof(long_note));
	assert_int_equal(note_parse(&n, long_note, LIMIT_NOTE_SIZE_MAX + 1), CS_ERR_TOO_LARGE);
	for (unsigned i = 0; i < LIMIT_NOTE_SIGNATURES_MAX; i++)
		strcat(many, "— a AAAAAAA=\n");
	assert_int_equal(parse(&n, many), 0);
	assert_int_equal(n.n_signatures, LIMIT_NOTE_SIGNATURES_MAX);
	strcat(many, "— a AAAAAAA=\n");
	assert_int_equal(parse(&n, many), CS_ERR_TOO_LARGE);
}

static void test_keys(void **state)
{
	static const char *const bad[] = {
	        "",
	        "PeterNeumann",
	        "PeterNeumann+c74f20a3",
	        "PeterNeumann+c74f20a3+",
	        "PeterNeumann+c74f20a4+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW", /* id of another key */
	        "PeterNeumann+C74F20A3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW", /* upper case */
	        "PeterNeumann+c74f20a3+Apc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
	        "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TWAA==",
	        "+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
	        "Peter Neumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
	        "PeterNeumann+c74f20a3+BRpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW", /* type 5 */
	        " PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
	        "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW\n",
	};
	static const char *const bad_names[] = {"", "a b", "a+b", "a\nb", "\xe2\x80\xa8", "\xff"};
	char long_name[LIMIT_KEY_NAME_SIZE_MAX + 2] = {0};
	uint8_t pub[32] = {1};
	struct note_key k;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(note_key_parse(&k, bad[i], strlen(bad[i])), CS_ERR_MALFORMED);
	for (size_t i = 0; i < sizeof(bad_names) / sizeof(bad_names[0]); i++)
		assert_int_equal(note_key_init(&k, bad_names[i], NOTE_KEY_ED25519, pub), CS_ERR_INVALID);
	assert_int_equal(note_key_init(&k, "a", 0x02, pub), CS_ERR_INVALID);
	memset(long_name, 'a', LIMIT_KEY_NAME_SIZE_MAX + 1);
	assert_int_equal(note_key_init(&k, long_name, NOTE_KEY_ED25519, pub), CS_ERR_INVALID);
	long_name[LIMIT_KEY_NAME_SIZE_MAX] = '\0';
	assert_int_equal(note_key_init(&k, long_name, NOTE_KEY_ED25519, pub), 0);
}

/* A signed and cosigned checkpoint; lines of strangers are passed over, a bad line of a known key is not. */
static void test_cosignature(void **state)
{
	struct checkpoint c = {.origin = "prod-0123456789abcdef", .size = 4711, .root = {{9}}}, parsed;
	struct note_key log_key, node_key, other_key;
	uint8_t log_sk[64], node_sk[64], other_sk[64];
	char buf[2048];
	size_t text_len, len;
	struct note n;
	uint64_t time_s = 77;

	(void)state;
	make_key(c.origin, NOTE_KEY_ED25519, &log_key, log_sk);
	make_key("prod-0123456789abcdef/node-1", NOTE_KEY_COSIGNATURE, &node_key, node_sk);
	make_key("prod-0123456789abcdef/node-1", NOTE_KEY_COSIGNATURE, &other_key, other_sk);
	assert_int_equal(checkpoint_format(&c, buf, sizeof(buf), &text_len), 0);
	len = text_len;
	buf[len++] = '\n';
	assert_int_equal(note_sign(&log_key, log_sk, buf, text_len, buf, sizeof(buf), &len), 0);
	assert_int_equal(note_cosign(&node_key, node_sk, 1700000000, buf, text_len, buf, sizeof(buf), &len), 0);
	assert_int_equal(note_cosign(&node_key, node_sk, 1700000009, buf, text_len, buf, sizeof(buf), &len), 0);
	assert_int_equal(note_parse(&n, buf, len), 0);
	assert_int_equal(n.n_signatures, 3);
	assert_int_equal(note_verify(&n, &log_key, &time_s), 0);
	assert_int_equal(time_s, 77);
	assert_int_equal(note_verify(&n, &node_key, &time_s), 0);
	assert_int_equal(time_s, 1700000009);
	assert_int_equal(note_verify(&n, &other_key, NULL), CS_ERR_NOT_FOUND);
	assert_int_equal(checkpoint_parse(&parsed, n.text, n.text_len), 0);
	assert_string_equal(parsed.origin, c.origin);
	assert_int_equal(parsed.size, c.size);
	assert_memory_equal(&parsed.root, &c.root, HASH_SIZE);

	/* Another time than the one that was signed. */
	n.signatures[1].bytes[7] ^= 1;
	assert_int_equal(note_verify(&n, &node_key, NULL), CS_ERR_REFUTED);
	n.signatures[1].bytes[7] ^= 1;
	n.signatures[1].bytes[0] = 0x80; /* Beyond 2^63-1. */
	assert_int_equal(note_verify(&n, &node_key, NULL), CS_ERR_REFUTED);

	/* A known key with a signature that is of another length, or not its own. */
	n.signatures[0].len = 65;
	assert_int_equal(note_verify(&n, &log_key, NULL), CS_ERR_REFUTED);
	len = text_len + 1;
	assert_int_equal(note_sign(&log_key, other_sk, buf, text_len, buf, sizeof(buf), &len), 0);
	assert_int_equal(note_parse(&n, buf, len), 0);
	assert_int_equal(note_verify(&n, &log_key, NULL), CS_ERR_REFUTED);

	assert_int_equal(note_sign(&node_key, node_sk, buf, text_len, buf, sizeof(buf), &len), CS_ERR_INVALID);
	assert_int_equal(note_cosign(&log_key, log_sk, 1, buf, text_len, buf, sizeof(buf), &len), CS_ERR_INVALID);
	assert_int_equal(note_cosign(&node_key, node_sk, (uint64_t)1 << 63, buf, text_len, buf, sizeof(buf), &len),
	                 CS_ERR_INVALID);
}

/* The message as tlog-cosignature lays it out, made by hand. */
static void test_cosigned_message(void **state)
{
	static const char text[] =
	        "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n";
	static const char head[] = "cosignature/v1\ntime 1679315147\n";
	uint8_t sk[64], payload[80];
	char message[256], buf[512] = "";
	size_t len = 0, payload_len;
	struct note_key k;

	(void)state;
	make_key("witness.example/w1", NOTE_KEY_COSIGNATURE, &k, sk);
	assert_int_equal(note_cosign(&k, sk, 1679315147, text, strlen(text), buf, sizeof(buf), &len), 0);
	assert_memory_equal(buf, "— witness.example/w1 ", strlen("— witness.example/w1 "));
	assert_int_equal(buf[len - 1], '\n');
	assert_int_equal(base64_decode(strrchr(buf, ' ') + 1, (size_t)(buf + len - 1 - strrchr(buf, ' ') - 1), payload,
	                               sizeof(payload), &payload_len),
	                 0);
	assert_int_equal(payload_len, 4 + 8 + 64);
	assert_int_equal(get_u32be(payload), k.id);
	assert_int_equal(get_u64be(payload + 4), 1679315147);
	snprintf(message, sizeof(message), "%s%s", head, text);
	assert_int_equal(crypto_sign_verify_detached(payload + 12, (const uint8_t *)message, strlen(message), k.pub),
	                 0);
}

static void test_checkpoint_text(void **state)
{
#define ROOT "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="
	static const char *const bad[] = {
	        "",
	        "a\n",
	        "a\n0\n",
	        "a\n0\n" ROOT,
	        "\n0\n" ROOT "\n",
	        "a\n\n" ROOT "\n",
	        "a\n00\n" ROOT "\n",
	        "a\n01\n" ROOT "\n",
	        "a\n+1\n" ROOT "\n",
	        "a\n-1\n" ROOT "\n",
	        "a\n 1\n" ROOT "\n",
	        "a\n1 \n" ROOT "\n",
	        "a\n18446744073709551616\n" ROOT "\n",
	        "a\n99999999999999999999\n" ROOT "\n",
	        "a\n100000000000000000000\n" ROOT "\n",
	        "a\n1\n" ROOT "\nextension\n",
	        "a\n1\n" ROOT "\n\n",
	        "a\n1\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFV=\n",
	        "a\n1\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hS\n",
	        "a\n1\n" ROOT "AAAA\n",
	        "a\tb\n1\n" ROOT "\n",
	        "\xff\n1\n" ROOT "\n",
	};
	static const char largest[] = "a\n18446744073709551615\n" ROOT "\n";
	struct checkpoint c = {.origin = "a\nb"};
	char buf[128];
	size_t len;

	(void)state;
	assert_int_equal(checkpoint_format(&c, buf, sizeof(buf), &len), CS_ERR_INVALID);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		if (checkpoint_parse(&c, bad[i], strlen(bad[i])) != CS_ERR_MALFORMED)
			fail_msg("accepted: %s", bad[i]);
	assert_int_equal(checkpoint_parse(&c, largest, strlen(largest)), 0);
	assert_true(c.size == UINT64_MAX);
	assert_int_equal(checkpoint_format(&c, buf, sizeof(buf), &len), 0);
	assert_int_equal(len, strlen(largest));
	assert_memory_equal(buf, largest, len);
	assert_int_equal(checkpoint_format(&c, buf, strlen(largest), &len), CS_ERR_TOO_LARGE);
#undef ROOT
}

/* RFC 4648 section 10. */
static void test_base64(void **state)
{
	static const char *const plain[] = {"", "f", "fo", "foo", "foob", "fooba", "foobar"};
	static const char *const coded[] = {"", "Zg==", "Zm8=", "Zm9v", "Zm9vYg==", "Zm9vYmE=", "Zm9vYmFy"};
	uint8_t bytes[8];
	char text[16];
	size_t len;

	(void)state;
	for (size_t i = 0; i < 7; i++) {
		assert_int_equal(base64_encode(plain[i], i, text, sizeof(text)), 0);
		assert_string_equal(text, coded[i]);
		assert_int_equal(base64_encode(plain[i], i, text, strlen(coded[i])), CS_ERR_TOO_LARGE);
		assert_int_equal(base64_decode(coded[i], strlen(coded[i]), bytes, i, &len), 0);
		assert_int_equal(len, i);
		assert_memory_equal(bytes, plain[i], i);
		if (i > 0)
			assert_int_not_equal(base64_decode(coded[i], strlen(coded[i]), bytes, i - 1, &len), 0);
	}
	assert_int_equal(base64_decode("Zh==", 4, bytes, sizeof(bytes), &len), CS_ERR_MALFORMED);
	assert_int_equal(base64_decode("Zg=", 3, bytes, sizeof(bytes), &len), CS_ERR_MALFORMED);
	assert_int_equal(base64_decode("Zg", 2, bytes, sizeof(bytes), &len), CS_ERR_MALFORMED);
	assert_int_equal(base64_decode("====", 4, bytes, sizeof(bytes), &len), CS_ERR_MALFORMED);
	assert_int_equal(base64_decode("Zg==Zg==", 8, bytes, sizeof(bytes), &len), CS_ERR_MALFORMED);
	assert_int_equal(base64_decode("Zm9\xef", 4, bytes, sizeof(bytes), &len), CS_ERR_MALFORMED);
	assert_int_equal(base64_encode("", SIZE_MAX, text, sizeof(text)), CS_ERR_TOO_LARGE); /* Nothing is read. */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_examples),
	        cmocka_unit_test(test_sign_example),
	        cmocka_unit_test(test_every_bit),
	        cmocka_unit_test(test_malformed_notes),
	        cmocka_unit_test(test_keys),
	        cmocka_unit_test(test_cosignature),
	        cmocka_unit_test(test_cosigned_message),
	        cmocka_unit_test(test_checkpoint_text),
	        cmocka_unit_test(test_base64),
	};

	if (sodium_init() < 0)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
