/* Tests of countersign audit: the state file, the fold that it keeps, and where two histories part. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/tool/auditfacts.h"
#include "client/tool/auditproof.h"
#include "client/tool/auditstate.h"
#include "client/tool/tool.h"
#include "ledger/errors.h"
#include "tests/naive_tree.h"
#include "tests/verify_fixture.h"

/* The tool's own says it on stderr. */
int tool_fail(int code, const char *command, const char *format, ...)
{
	(void)command;
	(void)format;
	return code;
}

bool tool_parse_index(const char *text, uint64_t *ret)
{
	return sscanf(text, "%lu", ret) == 1;
}

static void add(struct auditstate *s, uint64_t salt)
{
	struct hash h, left;
	unsigned level = 0;
	uint64_t bytes[2] = {s->fold.size, salt};

	hash_leaf(&h, bytes, sizeof bytes);
	memcpy(s->fold.last_leaf, h.b, HASH_SIZE);
	for (; s->fold.size >> level & 1; level++) {
		memcpy(left.b, s->fold.frontier[level], HASH_SIZE);
		hash_node(&h, &left, &h);
	}
	memcpy(s->fold.frontier[level], h.b, HASH_SIZE);
	s->fold.size++;
	s->n_kinds[2]++;
}

/* From `from` on the leaves are others. */
static void make(struct auditstate *s, uint64_t size, uint64_t from)
{
	memset(s, 0, sizeof *s);
	snprintf(s->origin, sizeof s->origin, "acme-0123456789abcdef");
	snprintf(s->governance, sizeof s->governance, "2 of 3");
	s->note_len = (size_t)snprintf(s->note, sizeof s->note, "a note\n");
	while (s->fold.size < size) {
		add(s, s->fold.size >= from);
		s->fold.time_ms += 7;
		if (s->fold.size % 5 == 0 || s->fold.size == size)
			auditstate_visited(s, s->fold.time_ms);
	}
	s->note_size = size;
	s->n_verdicts[1] = size;
}

static void test_state_whole(void **unused)
{
	struct auditstate *s = malloc(sizeof *s), *back = malloc(sizeof *back);
	uint8_t *buf = malloc(AUDITSTATE_SIZE_MAX), *again = malloc(AUDITSTATE_SIZE_MAX);
	const char *reason;
	size_t len, len_again;

	(void)unused;
	for (uint64_t size = 1; size <= 1000; size += 37) {
		make(s, size, UINT64_MAX);
		assert_int_equal(auditstate_encode(s, buf, &len), CS_OK);
		assert_int_equal(auditstate_decode(back, buf, len, &reason), CS_OK);
		assert_int_equal(back->fold.size, size);
		assert_string_equal(back->governance, s->governance);
		assert_int_equal(auditstate_encode(back, again, &len_again), CS_OK);
		assert_int_equal(len_again, len);
		assert_memory_equal(again, buf, len);
	}
	free(again);
	free(buf);
	free(back);
	free(s);
}

/* The largest there can be fits. */
static void test_state_full(void **unused)
{
	struct auditstate *s = calloc(1, sizeof *s);
	uint8_t *buf = malloc(AUDITSTATE_SIZE_MAX);
	size_t len;

	(void)unused;
	memset(s->origin, 'o', sizeof s->origin - 1);
	memset(s->governance, 'g', sizeof s->governance - 1);
	memset(s->note, 'n', sizeof s->note - 1);
	s->note_len = sizeof s->note - 1;
	s->fold.size = s->note_size = s->fold.time_ms = ((uint64_t)1 << 62) - 1;
	for (unsigned i = 0; i < AUDITSTATE_KINDS; i++)
		s->n_kinds[i] = UINT64_MAX;
	for (unsigned i = 0; i < 5; i++)
		s->n_verdicts[i] = UINT64_MAX;
	s->n_visits = AUDITSTATE_VISITS_MAX;
	for (unsigned i = 0; i < AUDITSTATE_VISITS_MAX; i++)
		s->visits[i].size = s->visits[i].at_ms = UINT64_MAX;
	assert_int_equal(auditstate_encode(s, buf, &len), CS_OK);
	free(buf);
	free(s);
}

static void test_state_flips(void **unused)
{
	struct auditstate *s = malloc(sizeof *s), *back = malloc(sizeof *back);
	uint8_t *buf = malloc(AUDITSTATE_SIZE_MAX);
	const char *reason;
	size_t len;

	(void)unused;
	make(s, 23, UINT64_MAX);
	assert_int_equal(auditstate_encode(s, buf, &len), CS_OK);
	for (size_t bit = 0; bit < 8 * len; bit++) {
		buf[bit / 8] ^= (uint8_t)(1 << bit % 8);
		assert_true(auditstate_decode(back, buf, len, &reason) < 0);
		assert_non_null(reason);
		buf[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
	for (size_t n = 0; n < len; n++)
		assert_true(auditstate_decode(back, buf, n, &reason) < 0);
	free(buf);
	free(back);
	free(s);
}

/* Whoever writes the hash anew is still held to what the parts say of each other. */
static void refused(struct auditstate *s)
{
	struct auditstate *back = malloc(sizeof *back);
	uint8_t *buf = malloc(AUDITSTATE_SIZE_MAX);
	const char *reason;
	size_t len;

	assert_int_equal(auditstate_encode(s, buf, &len), CS_OK);
	assert_true(auditstate_decode(back, buf, len, &reason) < 0);
	free(buf);
	free(back);
}

static void test_state_contradictions(void **unused)
{
	struct auditstate *s = malloc(sizeof *s);

	(void)unused;
	make(s, 23, UINT64_MAX);
	s->fold.frontier[2][3] ^= 1;
	refused(s);
	make(s, 23, UINT64_MAX);
	s->n_kinds[7]++;
	refused(s);
	make(s, 23, UINT64_MAX);
	s->note_size = 22;
	refused(s);
	make(s, 23, UINT64_MAX);
	s->visits[1].size = s->visits[0].size;
	refused(s);
	make(s, 23, UINT64_MAX);
	s->n_visits--;
	refused(s);
	make(s, 23, UINT64_MAX);
	s->fold.size++;
	refused(s);
	free(s);
}

static void test_root(void **unused)
{
	struct auditstate *s = malloc(sizeof *s);
	struct hash *leaves = calloc(300, sizeof *leaves), root, naive;

	(void)unused;
	memset(s, 0, sizeof *s);
	for (unsigned n = 1; n <= 300; n++) {
		add(s, 0);
		memcpy(leaves[n - 1].b, s->fold.last_leaf, HASH_SIZE);
		auditstate_root(s, &root);
		naive_root(leaves, n, &naive);
		assert_memory_equal(&root, &naive, sizeof root);
	}
	free(leaves);
	free(s);
}

/* The range holds the place where the leaves begin to differ, and ends before the size. */
static void test_part(void **unused)
{
	struct auditstate *a = malloc(sizeof *a), *b = malloc(sizeof *b);
	struct auditrange r;

	(void)unused;
	for (uint64_t size = 1; size < 70; size++) {
		make(a, size, UINT64_MAX);
		assert_false(auditproof_part(&a->fold, &a->fold, size, &r));
		for (uint64_t from = 0; from < size; from++) {
			make(b, size, from);
			assert_true(auditproof_part(&a->fold, &b->fold, size, &r));
			assert_true(r.low <= from && from < r.high && r.high <= size);
		}
	}
	free(b);
	free(a);
}

/* Visits are thinned out, never out of order, and the newest is always there. */
static void test_visits(void **unused)
{
	struct auditstate *s = malloc(sizeof *s);

	(void)unused;
	memset(s, 0, sizeof *s);
	for (uint64_t n = 1; n <= 2000; n++) {
		add(s, 0);
		auditstate_visited(s, n);
		assert_true(s->n_visits <= AUDITSTATE_VISITS_MAX);
		assert_int_equal(s->visits[s->n_visits - 1].size, n);
		for (unsigned i = 1; i < s->n_visits; i++)
			assert_true(s->visits[i - 1].size < s->visits[i].size);
	}
	free(s);
}

/* Many entries over a long time: the chart keeps every one of them in its bounds. */
static void test_timeline(void **unused)
{
	struct auditfacts *f = auditfacts_new();
	struct auditstate *s = calloc(1, sizeof *s);
	struct entryview v = {0};
	json_int_t sum = 0;
	json_t *o, *b;
	size_t i;

	(void)unused;
	v.entry.kind = ENTRY_DECISION;
	v.verdict = CS_ALLOW;
	for (uint64_t n = 0; n < 5000; n++) {
		v.entry.index = n;
		v.entry.time_ms += 1 + n * n % 100003;
		auditfacts_add(f, s, &v);
	}
	o = auditfacts_json(f);
	const json_t *list = json_object_get(json_object_get(o, "timeline"), "buckets");
	assert_in_range(json_array_size(list), AUDITFACTS_BUCKETS / 2, AUDITFACTS_BUCKETS);
	json_array_foreach(list, i, b) sum += json_integer_value(json_object_get(b, "allow"));
	assert_int_equal(sum, 5000);
	assert_int_equal(s->n_kinds[ENTRY_DECISION], 5000);
	assert_int_equal(json_array_size(json_object_get(o, "gaps")), AUDITFACTS_TOP);
	json_decref(o);
	auditfacts_free(f);
	free(s);
}

/* A bundle that is none, though nothing in it was shown false: its checkpoint has more lines than are looked at. */
static char *unproven(uint64_t index)
{
	static struct entry_builder b;
	static uint8_t leaf[LIMIT_ENTRY_SIZE_MAX], body[LIMIT_BODY_SIZE_MAX];
	static char proof[FORMAT_PROOF_SIZE_MAX];
	static const struct hash hashes[LIMIT_PROOF_HASHES_MAX];
	static const uint8_t seed[SEED_SIZE];
	char note[4096], *json;
	size_t leaf_len, body_len, len;

	snprintf(note, sizeof note, FIXTURE_ORIGIN "\n%lu\nAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n\n",
	         index + 1);
	for (unsigned i = 0; i <= VERIFY_SIGNATURES_MAX; i++)
		strcat(note, "\xE2\x80\x94 k AAAAAAA=\n");
	entry_builder_init(&b, index, ENTRY_TICK, 1, hashes, seed);
	writer_array(&b.public_, 0);
	assert_int_equal(entry_builder_finish(&b, leaf, &leaf_len, body, &body_len), 0);
	assert_int_equal(
	        bundle_proof_text(index, hashes, LIMIT_PROOF_HASHES_MAX, note, strlen(note), proof, sizeof proof, &len),
	        0);
	assert_int_equal(bundle_write(leaf, leaf_len, NULL, 0, proof, len, &json, &len), 0);
	return json;
}

static void test_proofs(void **state)
{
	struct fixture *f = malloc(sizeof *f);
	struct auditproof p;
	struct hash root;
	char *json;

	(void)state;
	assert_non_null(f);
	fixture_init(f);
	json = fixture_proven(f, 5, FIXTURE_ENTRIES, 3, 0);
	assert_true(auditproof_read(&p, f->policy, json, 5));
	assert_int_equal(p.result->outcome, VERIFY_VERIFIED);
	fixture_root(f, 6, &root);
	assert_memory_equal(&p.root, &root, sizeof root); /* Of the tree of six, of which it is the last. */
	auditproof_close(&p);
	assert_false(auditproof_read(&p, f->policy, json, 4));
	auditproof_close(&p);
	free(json);
	/* More hashes than lead up from there: they would be folded beyond the frontier. */
	json = unproven(UINT64_C(1) << 62);
	assert_false(auditproof_read(&p, f->policy, json, UINT64_C(1) << 62));
	assert_int_equal(p.result->outcome, VERIFY_UNDECIDED);
	auditproof_close(&p);
	free(json);
	fixture_free(f);
	free(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_state_whole), cmocka_unit_test(test_state_full),
	        cmocka_unit_test(test_state_flips), cmocka_unit_test(test_state_contradictions),
	        cmocka_unit_test(test_root),        cmocka_unit_test(test_part),
	        cmocka_unit_test(test_visits),      cmocka_unit_test(test_timeline),
	        cmocka_unit_test(test_proofs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
