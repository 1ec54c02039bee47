/* Tests of the verifier: trust policies, quorums, notes, bundles, the audit, and that it agrees with the makers. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <setjmp.h>
#include <sodium.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "ledger/errors.h"
#include "ledger/proof.h"
#include "ledger/tree.h"
#include "ledger/verify_internal.h"
#include "ledger/verify_show.h"
#include "tests/vectors.h"
#include "tests/verify_fixture.h"

#define SIZE      FIXTURE_ENTRIES
#define ALL_KINDS (~UINT64_C(0))

static struct fixture fixture;
static struct verify_result result;

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

static bool says(enum verify_mark mark, const char *part)
{
	for (unsigned i = 0; i < result.n_lines; i++)
		if (result.lines[i].mark == mark && strstr(result.lines[i].text, part))
			return true;
	return false;
}

/* --- trust policies --- */

static int policy_result(const char *text, char *reason, size_t reason_size)
{
	struct verify_policy *p = NULL;
	int err = verify_policy_parse(text, strlen(text), &p, reason, reason_size);

	if (err)
		assert_null(p);
	verify_policy_free(p);
	return err;
}

/* In the texts below L1 is a log's vkey, W1 W2 W3 witnesses'. */
static void policy_fill(const char *template, char *buf, size_t size)
{
	size_t len = 0;

	buf[0] = '\0';
	for (const char *s = template; *s; s++) {
		const char *vkey = NULL;

		if (s[0] == 'L' && s[1] >= '1' && s[1] <= '3')
			vkey = fixture.log[s[1] - '1'].vkey;
		if (s[0] == 'W' && s[1] >= '1' && s[1] <= '3')
			vkey = fixture.cosigner[s[1] - '1'].vkey;
		int n = vkey ? snprintf(buf + len, size - len, "%s", vkey) : snprintf(buf + len, size - len, "%c", *s);
		assert_true(n > 0 && (size_t)n < size - len);
		len += (size_t)n;
		s += vkey ? 1 : 0;
	}
}

static void test_policy_good(void **state)
{
	static const char *const good[] = {
	        "quorum none\n",
	        "# only words\n\n \t\nquorum none\n",
	        "log L1\nlog L2\nlog L3\nquorum none\n", /* One origin, one key a node. */
	        "log L1 https://example.com/\nwitness a W1 https://w.example/\nquorum a\n",
	        "witness a W1\nwitness b W2\nwitness c W3\ngroup g 2 a b c\nquorum g\n",
	        "witness a W1\nwitness b W2\nwitness c W3\ngroup g any a b\ngroup h all g c\nquorum h\nlog L1\n",
	        "witness a W1\nquorum none\n",
	        "\t witness \t a\tW1 \n  quorum   a\t\n",
	        "witness \xFF\xFE W1\nquorum \xFF\xFE\n", /* Names are octets. */
	        ("log L1\nwitness a W1\nquorum a\n#countersign: since L1 7\n#countersign: since W1 0\n"
	         "#countersign: retired log L2 0 6\n#countersign: retired witness a W2 0 18446744073709551614\n"),
	        "#countersign is no word of ours\nquorum none\n",
	};
	char text[4096], reason[128];

	(void)state;
	for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
		policy_fill(good[i], text, sizeof text);
		if (policy_result(text, reason, sizeof reason))
			fail_msg("%s: %s", good[i], reason);
	}
}

static void test_policy_bad(void **state)
{
	static const struct {
		const char *text, *reason;
	} bad[] = {
	        {"", "no quorum line"},
	        {"log L1\n", "no quorum line"},
	        {"quorum none", "does not end"},
	        {"quorum none\n#countersign: \n", "line 2: expected since or retired"},
	        {"quorum none\n#countersign: since L1 5\n", "no line above has this key"},
	        {"log L1\nquorum none\n#countersign: since L1 x\n", "expected a size"},
	        {"log L1\nquorum none\n#countersign: since L1\n", "expected: #countersign: since"},
	        {"log L1\nquorum none\n#countersign: since x 5\n", "not a verifier key"},
	        {"quorum none\n#countersign: retired log L1 0\n", "expected: #countersign: retired"},
	        {"quorum none\n#countersign: retired log L1 0 18446744073709551615\n", "expected two sizes"},
	        {"quorum none\n#countersign: retired log W1 0 5\n", "type 01"},
	        {"quorum none\n#countersign: retired witness a W1 0 5\n", "not defined above"},
	        {"log L1\nquorum none\n#countersign: retired log L1 0 5\n", "the key is there already"},
	        {"quorum none\n#countersign: retired log L1 0 5\n#countersign: retired log L1 0 5\n",
	         "the key is there already"},
	        {"quorum none\n#countersign: retired log L1 0 5\nlog L1\n", "another key has this name and id"},
	        {"quorum none\nquorum none\n", "line 2: a second quorum line"},
	        {"quorum\n", "expected: quorum"},
	        {"quorum a b\n", "expected: quorum"},
	        {"quorum a\n", "not defined above"},
	        {"quorum a\nwitness a W1\n", "line 1: the quorum's name is not defined above"},
	        {"log\nquorum none\n", "expected: log"},
	        {"log L1 u v\nquorum none\n", "expected: log"},
	        {"log L1\nlog L1\nquorum none\n", "line 2: this log's key is there already"},
	        {"log W1\nquorum none\n", "type 01"},
	        {"witness a L1\nquorum none\n", "type 04"},
	        {"log xL1\nquorum none\n", "does not belong"},
	        {"log L1=\nquorum none\n", "not an Ed25519 key"},
	        {"log name\nquorum none\n", "not a verifier key"},
	        {"log +00000000+AAAA\nquorum none\n", "bad name"},
	        {"log n+0000000g+AAAA\nquorum none\n", "bad key id"},
	        {"log n+00000000+AAAA\nquorum none\n", "not an Ed25519 key"},
	        {"witness a\nquorum none\n", "expected: witness"},
	        {"witness none W1\nquorum none\n", "taken"},
	        {"witness a W1\nwitness a W2\nquorum a\n", "taken"},
	        {"witness a W1\nwitness b W1\nquorum a\n", "line 2: this witness's key is there already"},
	        {"witness a W1\ngroup a any a\nquorum a\n", "taken"},
	        {"witness a W1\ngroup g any\nquorum g\n", "expected: group"},
	        {"witness a W1\ngroup g some a\nquorum g\n", "expected all, any or a number"},
	        {"witness a W1\ngroup g 0 a\nquorum g\n", "from 1"},
	        {"witness a W1\ngroup g 2 a\nquorum g\n", "from 1"},
	        {"witness a W1\ngroup g 01 a\nquorum g\n", "expected all, any or a number"},
	        {"witness a W1\ngroup g any b\nquorum g\n", "not defined above"},
	        {"witness a W1\ngroup g any g\nquorum g\n", "not defined above"},
	        {"witness a W1\ngroup g any a a\nquorum g\n", "in a group already"},
	        {"witness a W1\ngroup g any a\ngroup h any a\nquorum g\n", "in a group already"},
	        {"witness a W1\ngroup g any none\nquorum g\n", "not defined above"},
	        {"trust me\nquorum none\n", "expected log, witness, group or quorum"},
	        {"quorum none\r\n", "a control character"},
	        {"quorum none \x01\n", "a control character"},
	};
	char text[4096], reason[128];

	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		policy_fill(bad[i].text, text, sizeof text);
		if (policy_result(text, reason, sizeof reason) != CS_ERR_MALFORMED)
			fail_msg("taken: %s", bad[i].text);
		if (!strstr(reason, bad[i].reason))
			fail_msg("%s: \"%s\", not \"%s\"", bad[i].text, reason, bad[i].reason);
	}
	char *large = calloc(1, VERIFY_POLICY_SIZE_MAX + 2);
	assert_non_null(large);
	memset(large, '\n', VERIFY_POLICY_SIZE_MAX + 1);
	assert_int_equal(policy_result(large, reason, sizeof reason), CS_ERR_TOO_LARGE);
	free(large);
}

/* --- checkpoints --- */

static enum verify_outcome checkpoint_outcome(const struct verify_policy *p, struct fixture_signers by)
{
	char note[LIMIT_NOTE_SIZE_MAX];
	size_t len = fixture_checkpoint(&fixture, SIZE, by, note);

	verify_checkpoint(p, note, len, &result);
	return result.outcome;
}

static void test_quorums(void **state)
{
	static const struct {
		const char *quorum;
		unsigned cosigners;
		bool witness;
		enum verify_outcome outcome;
	} cases[] = {
	        {"quorum n1\n", 1, false, VERIFY_VERIFIED},
	        {"quorum n1\n", 6, true, VERIFY_UNDECIDED},
	        {"group g any n1 n2\nquorum g\n", 2, false, VERIFY_VERIFIED},
	        {"group g any n1 n2\nquorum g\n", 4, false, VERIFY_UNDECIDED},
	        {"group g all n1 n2\nquorum g\n", 3, false, VERIFY_VERIFIED},
	        {"group g all n1 n2\nquorum g\n", 5, false, VERIFY_UNDECIDED},
	        {"group g 2 n1 n2 n3\ngroup h all g out\nquorum h\n", 6, true, VERIFY_VERIFIED},
	        {"group g 2 n1 n2 n3\ngroup h all g out\nquorum h\n", 7, false, VERIFY_UNDECIDED},
	        {"group g 2 n1 n2 n3\ngroup h all g out\nquorum h\n", 4, true, VERIFY_UNDECIDED},
	        {"group g 2 n1 n2 n3\ngroup h all g out\nquorum g\n", 3, false, VERIFY_VERIFIED},
	        {"quorum none\n", 7, true, VERIFY_UNDECIDED}, /* Never more than the leader's claim. */
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct verify_policy *p = fixture_policy(&fixture, cases[i].quorum);
		const struct fixture_signers by = {
		        .logs = 1, .cosigners = cases[i].cosigners, .witness = cases[i].witness};

		assert_int_equal(checkpoint_outcome(p, by), cases[i].outcome);
		if (cases[i].outcome == VERIFY_UNDECIDED)
			assert_non_null(strstr(result.reason, "the leader's claim only"));
		verify_policy_free(p);
	}
}

static void test_checkpoint_result(void **state)
{
	struct hash root;

	(void)state;
	fixture_root(&fixture, SIZE, &root);
	assert_int_equal(checkpoint_outcome(fixture.policy,
	                                    (struct fixture_signers){.logs = 6, .cosigners = 3, .stranger = true}),
	                 VERIFY_VERIFIED);
	assert_int_equal(result.size, SIZE);
	assert_memory_equal(result.root, root.b, sizeof root);
	assert_string_equal(result.origin, FIXTURE_ORIGIN);
	assert_int_equal(result.n_log_signatures, 2);
	assert_int_equal(result.n_cosignatures, 2);
	assert_true(says(VERIFY_MARK_UNCHECKED, "1 signature line of unknown keys"));
	assert_true(says(VERIFY_MARK_HELD, "quorum nodes: reached for size 13"));

	/* Nobody we know has signed as the log: nothing is false, and nothing is shown. */
	assert_int_equal(checkpoint_outcome(fixture.policy, (struct fixture_signers){.cosigners = 7, .stranger = true}),
	                 VERIFY_UNDECIDED);
	assert_non_null(strstr(result.reason, "no log key"));
}

/* One line twice is one signature; a line of a known key that is another key's is bad. */
static void test_signature_lines(void **state)
{
	char note[2 * LIMIT_NOTE_SIZE_MAX], other[LIMIT_NOTE_SIZE_MAX];
	size_t len = fixture_checkpoint(&fixture, SIZE, (struct fixture_signers){.logs = 1, .cosigners = 1}, note);
	const char *last = strstr(note, "\xE2\x80\x94 " FIXTURE_ORIGIN "/");

	(void)state;
	char line[512];
	snprintf(line, sizeof line, "%s", last);
	memcpy(note + len, line, strlen(line) + 1);
	verify_checkpoint(fixture.policy, note, strlen(note), &result);
	assert_int_equal(result.outcome, VERIFY_UNDECIDED);
	assert_int_equal(result.n_cosignatures, 1);

	/* The same signers' lines from under another size's text. */
	fixture_checkpoint(&fixture, SIZE - 1, (struct fixture_signers){.logs = 1, .cosigners = 3}, other);
	fixture_checkpoint(&fixture, SIZE, (struct fixture_signers){.logs = 1, .cosigners = 3}, note);
	strcpy(strstr(note, "\n\n"), strstr(other, "\n\n"));
	verify_checkpoint(fixture.policy, note, strlen(note), &result);
	assert_int_equal(result.outcome, VERIFY_REFUTED);
	assert_int_equal(result.n_log_signatures, 0);
}

static void test_malformed_notes(void **state)
{
	static const char *const bad[] = {
	        "",
	        "\n",
	        "\n\n",
	        "o\n1\n",
	        "o\n0\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n\n",
	        "o\n0\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n\nx\n",
	        "o\n00\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n\n\xE2\x80\x94 k AAAAAAA=\n",
	        "o\n0\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\nextension\n\n\xE2\x80\x94 k AAAAAAA=\n",
	        "o\n0\n57DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n\n\xE2\x80\x94 k AAAAAAA=\n", /* Not the empty
	                                                                                              root. */
	        "o\n18446744073709551616\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n\n\xE2\x80\x94 k AAAAAAA=\n",
	        "o\n0\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n\n\xE2\x80\x94 k+ AAAAAAA=\n",
	        "o\n0\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n\n\xE2\x80\x94 k AAAA\n",
	};

	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		verify_checkpoint(fixture.policy, bad[i], strlen(bad[i]), &result);
		if (result.outcome != VERIFY_REFUTED)
			fail_msg("%zu: %s", i, result.reason);
	}
	/* Well-formed, of an origin that nobody told us of: we cannot tell. */
	const char *fine = "o\n0\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n\n\xE2\x80\x94 k AAAAAAA=\n";
	verify_checkpoint(fixture.policy, fine, strlen(fine), &result);
	assert_int_equal(result.outcome, VERIFY_UNDECIDED);
}

/* --- bundles --- */

static char *good_bundle(uint64_t kinds)
{
	char note[LIMIT_NOTE_SIZE_MAX];
	static char proof[FORMAT_PROOF_SIZE_MAX];
	size_t len;

	fixture_checkpoint(&fixture, SIZE, (struct fixture_signers){.logs = 1, .cosigners = 3}, note);
	fixture_proof(&fixture, 5, SIZE, note, proof);
	return fixture_bundle(&fixture, 5, kinds, proof, &len);
}

static enum verify_outcome json_outcome(json_t *doc)
{
	char *json = json_dumps(doc, 0);

	assert_non_null(json);
	verify_bundle(fixture.policy, json, strlen(json), &result);
	free(json);
	return result.outcome;
}

static void test_bundle(void **state)
{
	char *json = good_bundle(1u << FIELD_RESOURCE);

	(void)state;
	verify_bundle(fixture.policy, json, strlen(json), &result);
	assert_int_equal(result.outcome, VERIFY_VERIFIED);
	assert_true(says(VERIFY_MARK_HELD, "field resource: opens its commitment"));
	assert_true(says(VERIFY_MARK_UNCHECKED, "field subject (2): not disclosed"));
	assert_true(says(VERIFY_MARK_HELD, "inclusion: entry 5 is in the tree of size 13"));
	assert_non_null(strstr(json, "\"text\":\"host db-1\""));
	free(json);
	json = good_bundle(0);
	verify_bundle(fixture.policy, json, strlen(json), &result);
	assert_int_equal(result.outcome, VERIFY_VERIFIED);
	free(json);
}

static void test_bundle_members(void **state)
{
	char *json = good_bundle(ALL_KINDS);
	char twice[8192];
	json_t *doc = json_loads(json, 0, NULL);
	json_t *fields = json_object_get(doc, "fields"), *first = json_array_get(fields, 0);

	(void)state;
	assert_int_equal(json_outcome(doc), VERIFY_VERIFIED);
	/* A member twice: the second could hide the first. */
	assert_true(strlen(json) + 64 < sizeof twice);
	snprintf(twice, sizeof twice, "{\"index\":4,%s", json + 1);
	verify_bundle(fixture.policy, twice, strlen(twice), &result);
	assert_int_equal(result.outcome, VERIFY_REFUTED);
	snprintf(twice, sizeof twice, "%s x", json);
	verify_bundle(fixture.policy, twice, strlen(twice), &result);
	assert_int_equal(result.outcome, VERIFY_REFUTED);

	json_object_set_new(doc, "evidence", json_string("believe me"));
	assert_int_equal(json_outcome(doc), VERIFY_REFUTED);
	json_object_del(doc, "evidence");
	json_object_set_new(first, "note", json_string(""));
	assert_int_equal(json_outcome(doc), VERIFY_REFUTED);
	json_object_del(first, "note");
	json_object_del(first, "text"); /* May be missing. */
	assert_int_equal(json_outcome(doc), VERIFY_VERIFIED);
	json_array_insert(fields, 1, first); /* A field twice. */
	assert_int_equal(json_outcome(doc), VERIFY_REFUTED);
	json_array_remove(fields, 1);
	json_array_append(fields, first); /* Out of order. */
	json_array_remove(fields, 0);
	assert_int_equal(json_outcome(doc), VERIFY_REFUTED);
	json_array_clear(fields);
	assert_int_equal(json_outcome(doc), VERIFY_VERIFIED);
	json_object_set_new(doc, "index", json_integer(6));
	assert_int_equal(json_outcome(doc), VERIFY_REFUTED);
	assert_string_equal(result.found, "5");
	json_object_set_new(doc, "index", json_real(5.0));
	assert_int_equal(json_outcome(doc), VERIFY_REFUTED);
	json_object_set_new(doc, "index", json_integer(5));
	json_object_set_new(doc, "format", json_string("countersign/bundle/v2"));
	assert_int_equal(json_outcome(doc), VERIFY_REFUTED);
	json_decref(doc);
	free(json);
}

/* {"index", "entry", "fields", "proof"} of the entry, under a checkpoint of that size and so many cosigners. */
static json_t *support(uint64_t index, uint64_t size, unsigned cosigners)
{
	char note[LIMIT_NOTE_SIZE_MAX];
	static char proof[FORMAT_PROOF_SIZE_MAX];
	size_t len;

	fixture_checkpoint(&fixture, size, (struct fixture_signers){.logs = 1, .cosigners = cosigners}, note);
	fixture_proof(&fixture, index, size, note, proof);
	char *json = fixture_bundle(&fixture, index, ALL_KINDS, proof, &len);
	json_t *doc = json_loads(json, 0, NULL);
	free(json);
	json_object_del(doc, "format");
	return doc;
}

/* Entries that another rests on: each is held against the tree as that is, and none may be false. */
static void test_bundle_supports(void **state)
{
	char *json = good_bundle(ALL_KINDS);
	json_t *doc = json_loads(json, 0, NULL), *list = json_array(), *first = support(2, SIZE, 3);

	(void)state;
	free(json);
	json_object_set_new(doc, "supports", list);
	assert_int_equal(json_outcome(doc), VERIFY_REFUTED); /* The first format has none. */
	json_object_set_new(doc, "format", json_string(FORMAT_BUNDLE_2));
	assert_int_equal(json_outcome(doc), VERIFY_VERIFIED);
	json_array_append_new(list, first);
	json_array_append_new(list, support(7, SIZE - 2, 3)); /* Under an older tree. */
	assert_int_equal(json_outcome(doc), VERIFY_VERIFIED);
	assert_true(says(VERIFY_MARK_HELD, "supporting entry 2"));
	assert_true(says(VERIFY_MARK_HELD, "supporting entry 7"));
	json_array_append_new(list, support(8, SIZE, 0)); /* Which nobody cosigned. */
	assert_int_equal(json_outcome(doc), VERIFY_UNDECIDED);
	json_array_remove(list, 2);
	for (unsigned i = 0; i + 2 < FORMAT_BUNDLE_SUPPORTS; i++)
		json_array_append_new(list, support(i, SIZE, 3));
	assert_int_equal(json_outcome(doc), VERIFY_VERIFIED);
	json_array_append_new(list, support(9, SIZE, 3));
	assert_int_equal(json_outcome(doc), VERIFY_REFUTED); /* One too many. */
	while (json_array_size(list) > 1)
		json_array_remove(list, 1);

	json_object_set_new(first, "note", json_string(""));
	assert_int_equal(json_outcome(doc), VERIFY_REFUTED);
	json_object_del(first, "note");
	json_object_set_new(first, "index", json_integer(3));
	assert_int_equal(json_outcome(doc), VERIFY_REFUTED);
	json_object_set_new(first, "index", json_integer(2));
	json_t *other = support(3, SIZE, 3);
	json_object_set(first, "proof", json_object_get(other, "proof"));
	assert_int_equal(json_outcome(doc), VERIFY_REFUTED);
	assert_true(says(VERIFY_MARK_BAD, "supporting entry 2"));
	json_object_set(first, "proof", json_object_get(doc, "proof"));
	assert_int_equal(json_outcome(doc), VERIFY_REFUTED);
	json_decref(other);
	other = support(2, SIZE, 3);
	json_object_set(first, "proof", json_object_get(other, "proof"));
	assert_int_equal(json_outcome(doc), VERIFY_VERIFIED);
	json_t *field = json_array_get(json_object_get(first, "fields"), 0);
	json_object_set_new(field, "value", json_string("oWE="));
	assert_int_equal(json_outcome(doc), VERIFY_REFUTED);
	assert_true(says(VERIFY_MARK_BAD, "does not open its commitment"));
	json_object_set_new(doc, "supports", json_object());
	assert_int_equal(json_outcome(doc), VERIFY_REFUTED);
	json_decref(other);
	json_decref(doc);
}

/* A value that opens its commitment but is not canonical has two readings: refused. */
static void test_value_not_canonical(void **state)
{
	static const uint8_t long_form[] = {0xcc, 0x05}; /* 5, in two bytes. */
	static const uint8_t salt[SALT_SIZE] = {1};
	struct fixture_entry *e = &fixture.entry[5], kept = *e;
	struct hash commitment, hashes = e->hash;
	struct field fields[LIMIT_FIELD_COUNT_MAX];
	struct entry entry;
	uint8_t leaf[1024];
	char base64[64];
	unsigned n;

	(void)state;
	/* The text field's commitment is the leaf's last 32 bytes. */
	assert_int_equal(entry_decode(&entry, e->leaf, e->leaf_len), 0);
	assert_int_equal(body_decode(fields, &n, e->body, e->body_len), 0);
	assert_int_equal(entry.fields[entry.n_fields - 1].kind, FIELD_TEXT);
	field_commit(&commitment, FIELD_TEXT, salt, long_form, sizeof long_form);
	memcpy(leaf, e->leaf, e->leaf_len);
	memcpy(leaf + e->leaf_len - HASH_SIZE, commitment.b, HASH_SIZE);
	hash_leaf(&e->hash, leaf, e->leaf_len);
	char *json = good_bundle(1u << FIELD_TEXT); /* The proof is of the new leaf, the rest still of the old. */
	json_t *doc = json_loads(json, 0, NULL);
	json_t *field = json_array_get(json_object_get(doc, "fields"), 0);
	char leaf64[2048];
	assert_int_equal(base64_encode(leaf, kept.leaf_len, leaf64, sizeof leaf64), 0);
	json_object_set_new(doc, "entry", json_string(leaf64));
	assert_int_equal(base64_encode(salt, sizeof salt, base64, sizeof base64), 0);
	json_object_set_new(field, "salt", json_string(base64));
	assert_int_equal(base64_encode(long_form, sizeof long_form, base64, sizeof base64), 0);
	json_object_set_new(field, "value", json_string(base64));
	assert_int_equal(json_outcome(doc), VERIFY_REFUTED);
	assert_non_null(strstr(result.reason, "not canonical"));
	json_array_clear(json_object_get(doc, "fields"));
	assert_int_equal(json_outcome(doc), VERIFY_VERIFIED);
	json_decref(doc);
	free(json);
	e->hash = hashes;
}

/* --- the audit --- */

static enum verify_outcome audit(const char *note, uint64_t n, bool with_tiles)
{
	struct verify_audit a;

	verify_audit_begin(&a, fixture.policy, note, strlen(note), &result);
	for (uint64_t i = 0; i < n; i++) {
		const struct fixture_entry *e = &fixture.entry[i];

		if (!verify_audit_entry(&a, e->leaf, e->leaf_len, with_tiles ? e->hash.b : NULL))
			break;
	}
	verify_audit_end(&a);
	return result.outcome;
}

static void test_audit(void **state)
{
	const struct fixture_signers by = {.logs = 1, .cosigners = 3};
	char note[LIMIT_NOTE_SIZE_MAX];

	(void)state;
	for (uint64_t size = 0; size <= SIZE; size++) {
		fixture_checkpoint(&fixture, size, by, note);
		assert_int_equal(audit(note, size, true), VERIFY_VERIFIED);
		if (size == 0)
			continue;
		assert_int_equal(audit(note, size - 1, false), VERIFY_REFUTED); /* One is missing. */
		assert_int_equal(result.bad_index, size - 1);
		if (size == SIZE)
			continue;
		assert_int_equal(audit(note, size + 1, false), VERIFY_REFUTED); /* One too many. */
		assert_int_equal(result.bad_index, size);
	}
	fixture_checkpoint(&fixture, SIZE, (struct fixture_signers){.logs = 1}, note);
	assert_int_equal(audit(note, SIZE, true), VERIFY_UNDECIDED);
	assert_non_null(strstr(result.reason, "the leader's claim only"));
}

static void test_audit_flips(void **state)
{
	char note[LIMIT_NOTE_SIZE_MAX];

	(void)state;
	fixture_checkpoint(&fixture, SIZE, (struct fixture_signers){.logs = 1, .cosigners = 3}, note);
	for (uint64_t i = 0; i < SIZE; i++) {
		struct fixture_entry *e = &fixture.entry[i];

		for (size_t bit = 0; bit < e->leaf_len * 8; bit += i == 5 ? 1 : 37) {
			e->leaf[bit / 8] ^= (uint8_t)(1 << bit % 8);
			assert_int_equal(audit(note, SIZE, true), VERIFY_REFUTED);
			assert_true(result.has_bad_index);
			assert_int_equal(result.bad_index, i);
			/* Without tiles the chain names it or the one after it; the last one is seen in the root only.
			 */
			assert_int_equal(audit(note, SIZE, false), VERIFY_REFUTED);
			assert_true(!result.has_bad_index || result.bad_index == i || result.bad_index == i + 1);
			e->leaf[bit / 8] ^= (uint8_t)(1 << bit % 8);
		}
	}
	assert_int_equal(audit(note, SIZE, true), VERIFY_VERIFIED);
}

/* Entry 5 once more, in the place of entry 6, under checkpoints that are good. */
static void test_wrong_place(void **state)
{
	char note[LIMIT_NOTE_SIZE_MAX], proof[FORMAT_PROOF_SIZE_MAX];
	const struct fixture_entry *five = &fixture.entry[5];
	struct hash kept = fixture.entry[6].hash;

	(void)state;
	fixture.entry[6].hash = five->hash;
	fixture_checkpoint(&fixture, SIZE, (struct fixture_signers){.logs = 1, .cosigners = 3}, note);
	size_t len = fixture_proof(&fixture, 6, SIZE, note, proof);
	verify_tlog_proof(fixture.policy, proof, len, five->leaf, five->leaf_len, VERIFY_ENTRY_COUNTERSIGN, &result);
	assert_int_equal(result.outcome, VERIFY_REFUTED);
	assert_string_equal(result.expected, "5");
	assert_string_equal(result.found, "6");
	verify_tlog_proof(fixture.policy, proof, len, five->leaf, five->leaf_len, VERIFY_ENTRY_OPAQUE, &result);
	assert_int_equal(result.outcome, VERIFY_VERIFIED);
	fixture.entry[6].hash = kept;
}

/* A quorum that signs a ledger that is not one: entry 7 changed before it was hashed and signed. */
static void audit_signed(size_t at, uint8_t flip, const char *why)
{
	struct fixture_entry *e = &fixture.entry[7];
	struct hash kept = e->hash;
	char note[LIMIT_NOTE_SIZE_MAX];

	e->leaf[at] ^= flip;
	hash_leaf(&e->hash, e->leaf, e->leaf_len);
	fixture_checkpoint(&fixture, SIZE, (struct fixture_signers){.logs = 1, .cosigners = 3}, note);
	assert_int_equal(audit(note, SIZE, true), VERIFY_REFUTED);
	assert_int_equal(result.bad_index, 7);
	if (!strstr(result.reason, why))
		fail_msg("%s, not %s", result.reason, why);
	e->leaf[at] ^= flip;
	e->hash = kept;
}

static void test_audit_of_liars(void **state)
{
	(void)state;
	/* 97 01 07 02 cf time8 c4 20 prev32: version, index, kind, time, chain. */
	audit_signed(2, 0x01, "another index");
	audit_signed(11, 0x08, "time goes back"); /* 1700000000119 is 018bcfe56877: two seconds less. */
	audit_signed(20, 0x01, "not chained");
	audit_signed(1, 0x02, "format version");
	audit_signed(0, 0x01, "not a canonical leaf");
}

/* --- agreement with the makers, and with strangers --- */

static void test_tree_agrees(void **state)
{
	struct hash leaves[40], proof[LIMIT_PROOF_HASHES_MAX + 1], root, old_root;
	const struct tree_tiles none = {0};
	struct tree *t;
	unsigned n;

	(void)state;
	assert_int_equal(tree_new(&none, &t), 0);
	for (uint8_t i = 0; i < 40; i++) {
		hash_leaf(&leaves[i], &i, 1);
		assert_int_equal(tree_append(t, &leaves[i]), 0);
	}
	memset(proof, 0, sizeof proof);
	for (uint64_t size = 1; size <= 40; size++) {
		assert_int_equal(tree_root_at(t, size, &root), 0);
		for (uint64_t i = 0; i < size; i++) {
			assert_int_equal(tree_inclusion(t, i, size, proof, &n), 0);
			assert_true(verify_tree_inclusion(i, size, leaves[i].b, proof[0].b, n, root.b));
			assert_false(verify_tree_inclusion(i, size, leaves[i].b, proof[0].b, n + 1, root.b));
			assert_false(n > 0 && verify_tree_inclusion(i, size, leaves[i].b, proof[0].b, n - 1, root.b));
			for (uint64_t j = 0; j < 42; j++) /* Another index, another size. */
				for (uint64_t s = size - (size > 1); s <= size + 1; s++)
					assert_int_equal(
					        verify_tree_inclusion(j, s, leaves[i].b, proof[0].b, n, root.b),
					        proof_inclusion_check(j, s, &leaves[i], proof, n, &root) == 0);
		}
		for (uint64_t old = 1; old <= size; old++) {
			assert_int_equal(tree_root_at(t, old, &old_root), 0);
			assert_int_equal(tree_consistency(t, old, size, proof, &n), 0);
			assert_true(verify_tree_consistency(old, size, old_root.b, root.b, proof[0].b, n));
			assert_false(verify_tree_consistency(old, size, old_root.b, root.b, proof[0].b, n + 1));
			for (uint64_t o = 0; o <= 41; o++)
				assert_int_equal(verify_tree_consistency(o, size, old_root.b, root.b, proof[0].b, n),
				                 proof_consistency_check(o, size, &old_root, &root, proof, n) == 0);
		}
	}
	assert_false(verify_tree_inclusion(0, 0, leaves[0].b, NULL, 0, leaves[0].b));
	assert_false(verify_tree_inclusion(UINT64_MAX, UINT64_MAX, leaves[0].b, proof[0].b, 1, root.b));
	assert_false(verify_tree_consistency(UINT64_MAX, 1, root.b, root.b, proof[0].b, 1));
	tree_free(t);
}

/* Random damage to leaves: what one decoder takes, the other takes. */
static void test_leaf_agrees(void **state)
{
	uint64_t x = 88172645463325252u;
	unsigned taken = 0;

	(void)state;
	for (unsigned round = 0; round < 60000; round++) {
		const struct fixture_entry *e = &fixture.entry[round % SIZE];
		uint8_t bytes[512];
		size_t len = e->leaf_len;
		struct verify_leaf leaf;
		struct entry entry;
		const char *why;

		memcpy(bytes, e->leaf, len);
		for (unsigned i = 0; i <= round % 3; i++) {
			x ^= x << 13;
			x ^= x >> 7;
			x ^= x << 17;
			/* Mostly near the start, where the heads are; sometimes a byte of the format itself. */
			bytes[x % (x >> 60 ? 70 : len)] = (uint8_t)(x >> 40 & 1 ? 0xc0 + (x >> 20) % 0x20 : x >> 24);
		}
		bool ours = entry_decode(&entry, bytes, len) == 0;
		bool theirs = verify_leaf_parse((struct verify_slice){bytes, len}, &leaf, &why);
		/* The one rule that the verifier has more: the first entry follows no other. */
		if (ours != theirs && !(ours && strstr(why, "one before it")))
			fail_msg("round %u: %d and %d", round, ours, theirs);
		if (ours && theirs) {
			assert_int_equal(entry.index, leaf.index);
			assert_int_equal(entry.n_fields, leaf.n_fields);
			taken++;
		}
	}
	assert_true(taken > 1000 && taken < 59000);
	for (unsigned kind = 1; kind <= FIELD_KIND_MAX; kind++) {
		const char *name = field_kind_text(kind);

		assert_int_equal(verify_field_kind_of(name), strcmp(name, "unknown") == 0 ? 0 : kind);
	}
}

/* Canonical values, each with a longer encoding that must be refused. */
static void test_values(void **state)
{
	static const struct {
		const char *bytes;
		size_t len;
		bool canonical;
	} cases[] = {
	        {"\x05", 1, true},
	        {"\xcc\x80", 2, true},
	        {"\xcc\x7f", 2, false},
	        {"\xcd\x01\x00", 3, true},
	        {"\xcd\x00\xff", 3, false},
	        {"\xce\x00\x01\x00\x00", 5, true},
	        {"\xce\x00\x00\xff\xff", 5, false},
	        {"\xcf\x00\x00\x00\x01\x00\x00\x00\x00", 9, true},
	        {"\xcf\x00\x00\x00\x00\xff\xff\xff\xff", 9, false},
	        {"\xe0", 1, true},
	        {"\xd0\xdf", 2, true},
	        {"\xd0\xe0", 2, false},
	        {"\xd0\x05", 2, false},
	        {"\xd1\xff\x7f", 3, true},
	        {"\xd1\xff\x80", 3, false},
	        {"\xd2\xff\xff\x7f\xff", 5, true},
	        {"\xd2\xff\xff\x80\x00", 5, false},
	        {"\xd3\xff\xff\xff\xff\x7f\xff\xff\xff", 9, true},
	        {"\xd3\xff\xff\xff\xff\x80\x00\x00\x00", 9, false},
	        {"\xd3\x00\x00\x00\x00\x00\x00\x00\x05", 9, false},
	        {"\xc0", 1, true},
	        {"\xc1", 1, false},
	        {"\xc2", 1, true},
	        {"\xca\x00\x00\x00\x00", 5, false},
	        {"\x80", 1, false},
	        {"\xd4\x00\x00", 3, false},
	        {"\xa1x", 2, true},
	        {"\xd9\x01x", 3, false},
	        {"\xa1\xff", 2, false},
	        {"\xa1\x00", 2, false},
	        {"\xc4\x00", 2, true},
	        {"\xc5\x00\x01x", 4, false},
	        {"\x91\x01", 2, true},
	        {"\x92\x01", 2, false},
	        {"\x91\x01\x02", 3, false},
	        {"\xdc\x00\x01\x01", 4, false},
	        {"", 0, false},
	        {"\x91\x91\x91\x91\x91\x91\x91\x91\x01", 9, true},
	        {"\x91\x91\x91\x91\x91\x91\x91\x91\x90", 9, false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		const uint8_t *bytes = (const uint8_t *)cases[i].bytes, *at;
		struct reader r;
		size_t len;

		if (verify_value_canonical((struct verify_slice){bytes, cases[i].len}) != cases[i].canonical)
			fail_msg("case %zu", i);
		reader_init(&r, bytes, cases[i].len);
		reader_skip(&r, &at, &len);
		assert_int_equal(reader_end(&r) == 0, cases[i].canonical);
	}
}

/* libsodium 1.0.18 takes bytes above 7F for '+' and '/'. */
static void test_base64(void **state)
{
	uint8_t out[3];

	(void)state;
	for (unsigned c = 0; c < 256; c++) {
		const uint8_t text[4] = {(uint8_t)c, 'A', 'A', 'A'};
		bool want = c && strchr("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/", (int)c);

		assert_int_equal(verify_base64_exact((struct verify_slice){text, 4}, out, 3), want);
	}
	assert_false(verify_base64_exact((struct verify_slice){(const uint8_t *)"AB==", 4}, out, 1));
	assert_false(verify_base64_exact((struct verify_slice){(const uint8_t *)"AA=", 3}, out, 1));
	assert_false(verify_base64_exact((struct verify_slice){(const uint8_t *)"AA", 2}, out, 1));
	assert_false(verify_base64_exact((struct verify_slice){(const uint8_t *)"AA\n==", 5}, out, 1));
	assert_true(verify_base64_exact((struct verify_slice){(const uint8_t *)"AA==", 4}, out, 1));
}

/* The log of another implementation: each checkpoint's signature, and each entry's proof from its hashes. */
static void test_tessera_log(void **state)
{
	static const char policy_text[] =
	        "log example.com/log/testdata+33d7b496+AeHTu4Q3hEIMHNqc6fASMsq3rKNx280NI+oO5xCFkkSx\nquorum none\n";
	static const char *const entries[] = {"one",  "two", "three",  "four",  "five",     "six",     "seven", "eit",
	                                      "nain", "ten", "ileven", "twelf", "threeten", "fourten", "fivten"};
	static char proof[FORMAT_PROOF_SIZE_MAX];
	const struct tree_tiles none = {0};
	struct hash leaf, hashes[LIMIT_PROOF_HASHES_MAX];
	struct verify_policy *p;
	char path[512], name[64], reason[128];
	struct tree *t;
	unsigned n;
	size_t len, note_len;

	(void)state;
	vectors_path(path, sizeof path, "tlog/log/checkpoint");
	assert_int_equal(verify_policy_parse(policy_text, strlen(policy_text), &p, reason, sizeof reason), 0);
	assert_int_equal(tree_new(&none, &t), 0);
	for (uint64_t size = 1; size <= 15; size++) {
		hash_leaf(&leaf, entries[size - 1], strlen(entries[size - 1]));
		assert_int_equal(tree_append(t, &leaf), 0);
		snprintf(name, sizeof name, "tlog/log/checkpoint.%u", (unsigned)size);
		vectors_path(path, sizeof path, name);
		uint8_t *note = vectors_read(path, &note_len);
		for (uint64_t i = 0; i < size; i++) {
			assert_int_equal(tree_inclusion(t, i, size, hashes, &n), 0);
			assert_int_equal(bundle_proof_text(i, hashes, n, (const char *)note, note_len, proof,
			                                   sizeof proof, &len),
			                 0);
			verify_tlog_proof(p, proof, len, entries[i], strlen(entries[i]), VERIFY_ENTRY_OPAQUE, &result);
			/* It has no witnesses: nothing is false, and it is the log's claim only. */
			assert_int_equal(result.outcome, VERIFY_UNDECIDED);
			assert_int_equal(result.n_log_signatures, 1);
			assert_true(says(VERIFY_MARK_HELD, "inclusion"));
			verify_tlog_proof(p, proof, len, "other", 5, VERIFY_ENTRY_OPAQUE, &result);
			assert_int_equal(result.outcome, VERIFY_REFUTED);
		}
		free(note);
	}
	tree_free(t);
	verify_policy_free(p);
}

/* --- renderings for people --- */

static void test_field_text(void **state)
{
	static const struct {
		unsigned kind;
		const char *value;
		size_t len, cap;
		const char *text;
	} cases[] = {
	        {FIELD_SUBJECT,
	         "\x92\xa4user\xa3"
	         "bob",
	         10, 100, "user bob"},
	        {FIELD_ACTION, "\xa4read", 5, 100, "read"},
	        {FIELD_CONTEXT,
	         "\x92\x92\xa1"
	         "a\x05\x92\xa1"
	         "b\xa1"
	         "c",
	         10, 100, "a=5, b=c"},
	        {FIELD_LOCATION,
	         "\x92\xc0\xa2"
	         "DE",
	         5, 100, "-, DE"},
	        {FIELD_SIGNALS, "\x91\x93\x01\xe0\xc3", 5, 100, "[1, -32, true]"},
	        {FIELD_BLIND, "\xc4\x02\xab\x01", 4, 100, "ab01"},
	        {FIELD_TEXT, "\xa9\x1b[2J\xe2\x80\xae\xc2\x9b", 10, 100, "\\u{1b}[2J\\u{202e}\\u{9b}"},
	        {FIELD_TEXT,
	         "\xa8"
	         "abcdefgh",
	         9, 8, "abcd\xE2\x80\xA6"},
	        {FIELD_TEXT, "\xa6\xc3\xa9\xc3\xa9\xc3\xa9", 7, 9, "\xc3\xa9\xc3\xa9\xE2\x80\xA6"},
	        {FIELD_CONTEXT, "\x90", 1, 100, ""},
	};
	char buf[100];

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		assert_int_equal(bundle_field_text(cases[i].kind, cases[i].value, cases[i].len, buf, cases[i].cap), 0);
		assert_string_equal(buf, cases[i].text);
	}
	assert_int_equal(bundle_field_text(FIELD_TEXT, "\xc1", 1, buf, sizeof buf), CS_ERR_MALFORMED);
	assert_int_equal(bundle_field_text(FIELD_TEXT, "\x92\x01", 2, buf, sizeof buf), CS_ERR_MALFORMED);
	assert_int_equal(bundle_field_text(FIELD_TEXT, "\x01", 1, buf, 7), CS_ERR_INVALID);
}

static void test_bundle_refusals(void **state)
{
	const struct fixture_entry *e = &fixture.entry[5];
	struct field fields[LIMIT_FIELD_COUNT_MAX], swap;
	char *json = NULL, text[32];
	size_t len;
	unsigned n;

	(void)state;
	assert_int_equal(body_decode(fields, &n, e->body, e->body_len), 0);
	swap = fields[0];
	fields[0] = fields[1];
	fields[1] = swap;
	assert_int_equal(bundle_write(e->leaf, e->leaf_len, fields, n, "", 0, &json, &len), CS_ERR_INVALID);
	fields[0].salt[0] ^= 1; /* Opens nothing. */
	assert_int_equal(bundle_write(e->leaf, e->leaf_len, fields, 1, "", 0, &json, &len), CS_ERR_INVALID);
	assert_int_equal(bundle_write(e->leaf, e->leaf_len - 1, fields, 0, "", 0, &json, &len), CS_ERR_MALFORMED);
	assert_int_equal(bundle_write(e->leaf, e->leaf_len, fields, 0, "\xff", 1, &json, &len), CS_ERR_MALFORMED);
	assert_int_equal(bundle_proof_text(1, &e->hash, 1, "", 0, text, sizeof text, &len), CS_ERR_TOO_LARGE);
	assert_null(json);
}

/* --- keys that change --- */

/*
 * Log key 0 and cosigner 0 gave way at size 5 to log key 1 and cosigner 2; cosigner 1 stays. The quorum: both who
 * cosign.
 */
static struct verify_policy *ranges(void)
{
	struct verify_policy *p;
	char text[4096], reason[128];

	policy_fill("log L2\nwitness a W3\nwitness b W2\ngroup g 2 a b\nquorum g\n"
	            "#countersign: since L2 4\n#countersign: since W3 4\n"
	            "#countersign: retired log L1 0 5\n#countersign: retired witness a W1 0 5\n",
	            text, sizeof text);
	if (verify_policy_parse(text, strlen(text), &p, reason, sizeof reason))
		fail_msg("%s", reason);
	return p;
}

static void check_ranges(const struct verify_policy *p, uint64_t size, unsigned logs, unsigned cosigners)
{
	char note[LIMIT_NOTE_SIZE_MAX];
	size_t len = fixture_checkpoint(&fixture, size, (struct fixture_signers){.logs = logs, .cosigners = cosigners},
	                                note);

	verify_checkpoint(p, note, len, &result);
}

static void test_ranges(void **state)
{
	struct verify_policy *p = ranges();

	(void)state;
	/* Under current keys, and by both in the overlap. */
	check_ranges(p, 7, 2, 6);
	assert_int_equal(result.outcome, VERIFY_VERIFIED);
	assert_false(result.retired_reached);
	check_ranges(p, 5, 3, 7);
	assert_int_equal(result.outcome, VERIFY_VERIFIED);
	assert_true(says(VERIFY_MARK_UNCHECKED, "by a key that was retired, good up to size 5"));
	/* Under retired ones: it counts with a proof of consistency, and not without. */
	check_ranges(p, 5, 1, 3);
	assert_int_equal(result.outcome, VERIFY_UNDECIDED);
	assert_true(result.retired_reached);
	assert_non_null(strstr(result.reason, "under keys that were retired since"));
	check_ranges(p, 3, 1, 3);
	assert_true(result.retired_reached);
	/* One of them is enough to need it. */
	check_ranges(p, 5, 2, 3);
	assert_int_equal(result.outcome, VERIFY_UNDECIDED);
	assert_true(result.retired_reached);
	verify_policy_free(p);
}

/* Whoever stole a retired key signs a larger size with it, with any clock: it does not count, and that is said. */
static void test_ranges_forged(void **state)
{
	struct verify_policy *p = ranges();
	char note[LIMIT_NOTE_SIZE_MAX];

	(void)state;
	check_ranges(p, 6, 1, 3);
	assert_int_equal(result.outcome, VERIFY_UNDECIDED);
	assert_false(result.retired_reached);
	assert_true(result.retired_misused);
	assert_true(says(VERIFY_MARK_UNCHECKED, "does not count for size 6, the key is good up to 5"));
	assert_non_null(strstr(result.reason, "not good any more"));
	/* A new key says nothing of sizes before it was one. */
	check_ranges(p, 3, 2, 6);
	assert_int_equal(result.outcome, VERIFY_UNDECIDED);
	assert_false(result.retired_reached);
	assert_true(says(VERIFY_MARK_UNCHECKED, "the key is good from 4"));
	/* A bad line by a retired key spoils the note as any other does. */
	size_t len = fixture_checkpoint(&fixture, 5, (struct fixture_signers){.logs = 3, .cosigners = 6}, note);
	char *root = strchr(strchr(note, '\n') + 1, '\n') + 1;
	verify_checkpoint(p, note, len, &result);
	assert_int_equal(result.outcome, VERIFY_VERIFIED);
	root[3] = root[3] == 'A' ? 'B' : 'A';
	verify_checkpoint(p, note, len, &result);
	assert_int_equal(result.outcome, VERIFY_REFUTED);
	verify_policy_free(p);
}

/* Written anew and read again it means the same. */
static void test_ranges_written(void **state)
{
	struct verify_policy *p = ranges(), *again;
	char *text = NULL, *words = NULL, *twice = NULL, reason[128], vkey[VERIFY_VKEY_SIZE];
	size_t len, words_len, twice_len;
	FILE *f = open_memstream(&text, &len), *w = open_memstream(&words, &words_len);

	(void)state;
	verify_policy_write(p, f);
	verify_policy_words(p, w);
	fclose(f);
	fclose(w);
	assert_int_equal(verify_policy_parse(text, len, &again, reason, sizeof reason), 0);
	f = open_memstream(&twice, &twice_len);
	verify_policy_write(again, f);
	fclose(f);
	assert_string_equal(text, twice);
	free(twice);
	assert_non_null(strstr(words, "good for sizes 0 to 5"));
	assert_string_equal(verify_policy_designated(p, FIXTURE_ORIGIN, vkey), fixture.log[1].vkey);
	assert_null(verify_policy_designated(p, "other", vkey));
	verify_policy_free(p);
	verify_policy_free(again);
	free(text);
	free(words);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_ranges),
	        cmocka_unit_test(test_ranges_forged),
	        cmocka_unit_test(test_ranges_written),
	        cmocka_unit_test(test_policy_good),
	        cmocka_unit_test(test_policy_bad),
	        cmocka_unit_test(test_quorums),
	        cmocka_unit_test(test_checkpoint_result),
	        cmocka_unit_test(test_signature_lines),
	        cmocka_unit_test(test_malformed_notes),
	        cmocka_unit_test(test_bundle),
	        cmocka_unit_test(test_bundle_members),
	        cmocka_unit_test(test_bundle_supports),
	        cmocka_unit_test(test_value_not_canonical),
	        cmocka_unit_test(test_audit),
	        cmocka_unit_test(test_audit_flips),
	        cmocka_unit_test(test_wrong_place),
	        cmocka_unit_test(test_audit_of_liars),
	        cmocka_unit_test(test_tree_agrees),
	        cmocka_unit_test(test_leaf_agrees),
	        cmocka_unit_test(test_values),
	        cmocka_unit_test(test_base64),
	        cmocka_unit_test(test_tessera_log),
	        cmocka_unit_test(test_field_text),
	        cmocka_unit_test(test_bundle_refusals),
	};

	return cmocka_run_group_tests_name("verify", tests, setup, teardown);
}
