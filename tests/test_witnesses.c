/* Tests of what nodes keep of witnesses from outside, and of policies that ask for them. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ledger/errors.h"
#include "node/clock.h"
#include "node/log.h"
#include "node/witnesses_file.h"
#include "tests/verify_fixture.h"

#define FIRST 7 /* Principal of the fixture's witness. */

static struct fixture f;
static const struct fixture_signers all = {.logs = 7, .cosigners = 7, .witness = true};

static struct witnesses *make(void)
{
	struct witness_members m = {.n = FIXTURE_NODES, .majority = 2};
	struct witness one = {.principal = FIRST, .key = f.witness.key};
	struct witnesses *w = NULL;

	for (unsigned i = 0; i < FIXTURE_NODES; i++) {
		m.list[i].log_key = f.log[i].key;
		m.list[i].cosigner_key = f.cosigner[i].key;
	}
	assert_int_equal(witnesses_new(FIXTURE_ORIGIN, &w), 0);
	witnesses_set(w, &one, 1);
	witnesses_set_members(w, &m);
	return w;
}

static int bring(struct witnesses *w, uint64_t principal, const char *note, size_t len)
{
	struct witness_note n;
	struct hash root;
	int err = witnesses_read(w, principal, note, len, &n);

	if (err)
		return err;
	fixture_root(&f, n.checkpoint.size <= FIXTURE_ENTRIES ? n.checkpoint.size : 0, &root);
	return witnesses_keep(w, &n, &root);
}

static int bring_by(struct witnesses *w, uint64_t size, struct fixture_signers by)
{
	char note[LIMIT_NOTE_SIZE_MAX];
	size_t len = fixture_checkpoint(&f, size, by, note);

	return bring(w, FIRST, note, len);
}

/* Another witness's key, and a note with its line as well. */
static struct witness another(unsigned i, uint8_t sk[64])
{
	struct witness w = {.principal = 100 + i};
	uint8_t seed[32] = {(uint8_t)i, 0x77}, pub[32];
	char name[32];

	snprintf(name, sizeof name, "witness-%u", i);
	crypto_sign_seed_keypair(pub, sk, seed);
	assert_int_equal(note_key_init(&w.key, name, NOTE_KEY_COSIGNATURE, pub), 0);
	return w;
}

static size_t cosigned_by(unsigned i, uint64_t size, uint64_t time_s, char note[LIMIT_NOTE_SIZE_MAX])
{
	uint8_t sk[64];
	struct witness w = another(i, sk);
	size_t len = fixture_checkpoint(&f, size, (struct fixture_signers){.logs = 1, .cosigners = 3}, note);
	struct note n;

	assert_int_equal(note_parse(&n, note, len), 0);
	assert_int_equal(note_cosign(&w.key, sk, time_s, n.text, n.text_len, note, LIMIT_NOTE_SIZE_MAX, &len), 0);
	return len;
}

/* What is handed out verifies under a policy that asks for the witness, and carries nobody else's lines. */
static void test_kept(void **unused)
{
	struct verify_policy *p = fixture_policy(&f, "group nodes 2 n1 n2 n3\ngroup both all nodes out\nquorum both\n");
	struct fixture_signers with_stranger = {.logs = 7, .cosigners = 7, .witness = true, .stranger = true};
	struct verify_result *r = malloc(sizeof *r);
	struct witnesses *w = make();
	struct board_note note;

	(void)unused;
	assert_int_equal(witnesses_kept(w, FIRST), 0);
	assert_int_equal(bring_by(w, 9, with_stranger), 0);
	assert_int_equal(witnesses_kept(w, FIRST), 9);
	assert_true(witnesses_find(w, 8, 1, &f.witness.key.id, 1, &note));
	assert_int_equal(note.size, 9);
	verify_checkpoint(p, note.text, note.len, r);
	assert_int_equal(r->outcome, VERIFY_VERIFIED);
	assert_int_equal(r->n_cosignatures, 4);
	assert_int_equal(r->n_log_signatures, 1);
	for (unsigned i = 0; i < r->n_lines; i++)
		assert_null(strstr(r->lines[i].text, "unknown"));
	/* Not of an entry that it does not cover, nor of other witnesses, nor of more than there are. */
	assert_false(witnesses_find(w, 9, 1, &f.witness.key.id, 1, &note));
	assert_false(witnesses_find(w, 8, 1, &f.cosigner[0].key.id, 1, &note));
	assert_false(witnesses_find(w, 8, 2, &f.witness.key.id, 1, &note));
	witnesses_free(w);
	verify_policy_free(p);
	free(r);
}

static void test_refused(void **unused)
{
	struct witnesses *w = make();
	char note[LIMIT_NOTE_SIZE_MAX];
	struct witness_note n;
	struct hash root;
	size_t len;

	(void)unused;
	assert_int_equal(bring(w, FIRST, "nothing\n", 8), CS_ERR_MALFORMED);
	assert_int_equal(bring_by(w, 9, (struct fixture_signers){.logs = 1, .cosigners = 1, .witness = true}),
	                 CS_ERR_UNDECIDED);
	assert_int_equal(bring_by(w, 9, (struct fixture_signers){.cosigners = 7, .witness = true}), CS_ERR_UNDECIDED);
	assert_int_equal(bring_by(w, 9, (struct fixture_signers){.logs = 1, .cosigners = 7}), CS_ERR_UNDECIDED);
	len = fixture_checkpoint(&f, 9, all, note);
	assert_int_equal(bring(w, FIRST + 1, note, len), CS_ERR_NOT_PERMITTED);
	assert_int_equal(witnesses_read(w, FIRST, note, len, &n), 0);
	fixture_root(&f, 8, &root);
	assert_int_equal(witnesses_keep(w, &n, &root), CS_ERR_DIVERGED);
	note[0] ^= 1; /* Of another ledger. */
	assert_int_equal(bring(w, FIRST, note, len), CS_ERR_REFUTED);
	/* Every bit of the note: kept only if what is kept still holds. */
	for (size_t bit = 0; bit < 8 * len; bit++) {
		struct board_note out;

		fixture_checkpoint(&f, 9, all, note);
		note[bit / 8] = (char)(note[bit / 8] ^ 1 << bit % 8);
		if (bring(w, FIRST, note, len))
			continue;
		assert_true(witnesses_find(w, 8, 1, &f.witness.key.id, 1, &out));
		struct note parsed;
		assert_int_equal(note_parse(&parsed, out.text, out.len), 0);
		assert_int_equal(note_verify(&parsed, &f.witness.key, NULL), 0);
	}
	/* Whoever is removed brings nothing more. */
	witnesses_set(w, NULL, 0);
	assert_int_equal(bring_by(w, 9, all), CS_ERR_NOT_PERMITTED);
	witnesses_free(w);
}

/* Several meet under one size; a newer line takes the older one's place; there is an end of lines and of sizes. */
static void test_several(void **unused)
{
	struct witness list[WITNESSES_MAX + 2];
	uint32_t ids[WITNESSES_MAX + 2];
	struct witnesses *w = make();
	char note[LIMIT_NOTE_SIZE_MAX];
	struct board_note out;
	struct note parsed;
	uint64_t time_s;
	uint8_t sk[64];

	(void)unused;
	for (unsigned i = 0; i < WITNESSES_MAX + 2; i++) {
		list[i] = another(i, sk);
		ids[i] = list[i].key.id;
	}
	witnesses_set(w, list, WITNESSES_MAX + 2);
	for (unsigned i = 0; i < WITNESSES_MAX; i++) {
		assert_int_equal(bring(w, 100 + i, note, cosigned_by(i, 5, 1700000100, note)), 0);
		assert_true(witnesses_find(w, 4, i + 1, ids, WITNESSES_MAX + 2, &out));
		assert_false(witnesses_find(w, 4, i + 2, ids, WITNESSES_MAX + 2, &out));
	}
	assert_int_equal(bring(w, 100 + WITNESSES_MAX, note, cosigned_by(WITNESSES_MAX, 5, 1700000100, note)),
	                 CS_ERR_OVERLOADED);
	assert_int_equal(bring(w, 100, note, cosigned_by(0, 5, 1700000200, note)), 0);
	assert_int_equal(bring(w, 101, note, cosigned_by(1, 5, 1700000050, note)), 0);
	assert_true(witnesses_find(w, 4, WITNESSES_MAX, ids, WITNESSES_MAX + 2, &out));
	assert_int_equal(note_parse(&parsed, out.text, out.len), 0);
	assert_true(parsed.n_signatures <= LIMIT_NOTE_SIGNATURES_MAX);
	assert_int_equal(note_verify(&parsed, &list[0].key, &time_s), 0);
	assert_int_equal(time_s, 1700000200);
	assert_int_equal(note_verify(&parsed, &list[1].key, &time_s), 0);
	assert_int_equal(time_s, 1700000100);
	for (uint64_t size = 6; size < 6 + WITNESSES_NOTES; size++)
		assert_int_equal(bring(w, 100, note, cosigned_by(0, size, 1700000300, note)), 0);
	assert_false(witnesses_find(w, 4, WITNESSES_MAX, ids, WITNESSES_MAX + 2, &out));
	assert_int_equal(bring(w, 100, note, cosigned_by(0, 5, 1700000300, note)), 0); /* Older than all: dropped. */
	assert_int_equal(witnesses_kept(w, 100), 5 + WITNESSES_NOTES);
	assert_int_equal(witnesses_kept(w, 101), 0);
	witnesses_free(w);
}

static void post(struct board *b, uint64_t size)
{
	char note[LIMIT_NOTE_SIZE_MAX];
	size_t len = fixture_checkpoint(&f, size, (struct fixture_signers){.logs = 1, .cosigners = 7}, note);

	board_set_cosigned_note(b, size, note, len);
	board_cosigned_reached(b);
}

/* All are asked for the same one for a round, or until all have signed it. */
static void test_offer(void **unused)
{
	const uint64_t round = WITNESSES_ROUND_MS * NS_PER_MS;
	struct witnesses *w = make();
	struct board *b = NULL;

	(void)unused;
	assert_int_equal(board_new(&b), 0);
	assert_int_equal(witnesses_offer(w, b, 10)->size, 0);
	post(b, 3);
	assert_int_equal(witnesses_offer(w, b, 20)->size, 3);
	post(b, 4);
	assert_int_equal(witnesses_offer(w, b, 19 + round)->size, 3);
	assert_int_equal(witnesses_offer(w, b, 20 + round)->size, 4);
	post(b, 6);
	assert_int_equal(witnesses_offer(w, b, 21 + round)->size, 4);
	assert_int_equal(bring_by(w, 4, all), 0);
	assert_int_equal(witnesses_offer(w, b, 22 + round)->size, 6);
	board_free(b);
	witnesses_free(w);
}

/* --- policies --- */

static void outside(const char *lines, unsigned need, unsigned n)
{
	struct verify_policy *p = fixture_policy(&f, lines);
	uint32_t ids[4];
	unsigned got_n;

	assert_int_equal(verify_policy_outside(p, FIXTURE_ORIGIN, ids, 4, &got_n), need);
	assert_int_equal(got_n, n);
	if (n)
		assert_int_equal(ids[0], f.witness.key.id);
	assert_int_equal(verify_policy_outside(p, FIXTURE_ORIGIN, ids, 0, &got_n), need);
	assert_int_equal(got_n, 0);
	verify_policy_free(p);
}

static void test_outside(void **unused)
{
	(void)unused;
	outside("quorum none\n", 0, 0);
	outside("quorum out\n", 1, 1);
	outside("group nodes 2 n1 n2 n3\nquorum nodes\n", 0, 0);
	outside("group nodes 2 n1 n2 n3\ngroup both all nodes out\nquorum both\n", 1, 1);
	outside("group nodes 2 n1 n2 n3\ngroup one any nodes out\nquorum one\n", 0, 1);
	outside("group three 3 n1 n2 n3 out\nquorum three\n", 0, 1);
	outside("group four all out n1 n2 n3\nquorum four\n", 1, 1);
	/* Of another ledger all are from outside. */
	struct verify_policy *p = fixture_policy(&f, "group nodes 2 n1 n2 n3\nquorum nodes\n");
	uint32_t ids[4];
	unsigned n;
	assert_int_equal(verify_policy_outside(p, "another-00112233aabbccdd", ids, 4, &n), 2);
	assert_int_equal(n, 3);
	/* A name that only begins with the origin is none of its members'. */
	assert_int_equal(verify_policy_outside(p, "example-00112233aabbcc", ids, 4, &n), 2);
	verify_policy_free(p);
}

/* --- over a restart --- */

static char kept_path[64];

static int own_root(void *ctx, uint64_t size, struct hash *ret)
{
	const uint64_t *stored = ctx;

	if (size > *stored)
		return CS_ERR_NOT_READY;
	fixture_root(&f, size, ret);
	return 0;
}

/* A node that starts anew, has so many entries, and was told of its keys. */
static struct witnesses *start_again(struct witnesses_file *file, uint64_t stored)
{
	struct witnesses *w = make();

	witnesses_file_open(file, kept_path);
	witnesses_file_give(file, w, own_root, &stored);
	return w;
}

static bool has(struct witnesses *w, uint64_t size)
{
	struct board_note note;

	return witnesses_find(w, size - 1, 1, &f.witness.key.id, 1, &note);
}

/* An empty file. */
static void make_kept(void)
{
	snprintf(kept_path, sizeof kept_path, "/tmp/cs-witnessed-XXXXXX");
	int fd = mkstemp(kept_path);
	assert_true(fd >= 0);
	close(fd);
}

static void test_restart(void **unused)
{
	static struct witnesses_file file, again;
	struct witnesses *w = make(), *empty = NULL;
	uint64_t stored = FIXTURE_ENTRIES;

	(void)unused;
	make_kept();
	witnesses_file_open(&file, kept_path); /* Of no length: nothing was kept. */
	assert_int_equal(file.n, 0);
	assert_int_equal(bring_by(w, 7, all), 0);
	assert_int_equal(bring_by(w, 9, all), 0);
	witnesses_file_save(&file, w);
	assert_false(file.failed);
	witnesses_free(w);

	/* As soon as its entries are there; before anybody's keys are known not at all. */
	assert_int_equal(witnesses_new(FIXTURE_ORIGIN, &empty), 0);
	witnesses_file_open(&again, kept_path);
	assert_int_equal(again.n, 2);
	witnesses_file_give(&again, empty, own_root, &stored);
	assert_int_equal(again.n, 2);
	witnesses_free(empty);
	w = start_again(&again, 8);
	assert_int_equal(again.n, 1);
	assert_true(has(w, 7));
	assert_false(has(w, 9));
	stored = 9;
	witnesses_file_give(&again, w, own_root, &stored);
	assert_int_equal(again.n, 0);
	assert_true(has(w, 9));
	assert_int_equal(witnesses_kept(w, FIRST), 9);
	witnesses_free(w);

	/* Of a witness that is enrolled no more it is nothing. */
	w = make();
	witnesses_set(w, NULL, 0);
	witnesses_file_open(&again, kept_path);
	witnesses_file_give(&again, w, own_root, &stored);
	assert_int_equal(again.n, 0);
	assert_false(has(w, 9));
	witnesses_free(w);
	unlink(kept_path);
	witnesses_file_open(&again, kept_path);
	assert_int_equal(again.n, 0);
	witnesses_file_open(&again, NULL);
	witnesses_file_save(&again, NULL);
}

static size_t file_bytes(char *buf, size_t cap)
{
	FILE *from = fopen(kept_path, "re");

	assert_non_null(from);
	size_t len = fread(buf, 1, cap, from);
	fclose(from);
	return len;
}

/* Every bit of it, and every length: what is taken verifies, and the rest is nothing. */
static void test_restart_damaged(void **unused)
{
	static char bytes[WITNESSES_FILE_SIZE_MAX];
	static struct witnesses_file file = {.n = 0};
	struct witnesses *w = make();
	struct verify_policy *p = fixture_policy(&f, "group nodes 2 n1 n2 n3\ngroup both all nodes out\nquorum both\n");
	struct verify_result *r = malloc(sizeof *r);
	struct board_note note;
	uint64_t stored = FIXTURE_ENTRIES;

	(void)unused;
	make_kept();
	file.path = kept_path;
	assert_int_equal(bring_by(w, 9, all), 0);
	witnesses_file_save(&file, w);
	witnesses_free(w);
	size_t len = file_bytes(bytes, sizeof bytes);
	assert_true(len > 500);
	for (size_t cut = 0; cut < len; cut++)
		assert_int_equal(witnesses_file_parse(bytes, cut, file.notes), 0);
	assert_int_equal(witnesses_file_parse(bytes, len, file.notes), 1);
	for (size_t bit = 0; bit < 8 * len; bit++) {
		bytes[bit / 8] = (char)(bytes[bit / 8] ^ 1 << bit % 8);
		w = make();
		file.n = witnesses_file_parse(bytes, len, file.notes);
		witnesses_file_give(&file, w, own_root, &stored);
		if (witnesses_find(w, 8, 1, &f.witness.key.id, 1, &note)) {
			verify_checkpoint(p, note.text, note.len, r);
			assert_int_equal(r->outcome, VERIFY_VERIFIED);
		}
		witnesses_free(w);
		bytes[bit / 8] = (char)(bytes[bit / 8] ^ 1 << bit % 8);
	}
	unlink(kept_path);
	verify_policy_free(p);
	free(r);
}

static void threshold(const char *lines, unsigned need, unsigned n)
{
	struct verify_policy *p = fixture_policy(&f, lines);
	uint32_t ids[4];
	unsigned got_n = 9;

	assert_int_equal(verify_policy_threshold(p, ids, 4, &got_n), need);
	assert_int_equal(got_n, n);
	assert_int_equal(verify_policy_threshold(p, ids, n ? n - 1 : 0, &got_n), 0); /* No room. */
	assert_int_equal(got_n, 0);
	verify_policy_free(p);
}

/* What a node can wait for by itself: so many of certain keys. */
static void test_threshold(void **unused)
{
	struct verify_policy *p = fixture_policy(&f, "group two 2 n3 n1\nquorum two\n");
	uint32_t ids[4];
	unsigned n;

	(void)unused;
	threshold("quorum none\n", 0, 0);
	threshold("quorum n2\n", 1, 1);
	threshold("group nodes 2 n1 n2 n3\nquorum nodes\n", 2, 3);
	threshold("group nodes all n1 n2 n3\nquorum nodes\n", 3, 3);
	threshold("group other any n2\ngroup nodes 2 n1 n3 out\nquorum nodes\n", 2, 3);
	threshold("group nodes 2 n1 n2 n3\ngroup both all nodes out\nquorum both\n", 0, 0);
	assert_int_equal(verify_policy_threshold(p, ids, 4, &n), 2);
	assert_int_equal(n, 2);
	assert_int_equal(ids[0], f.cosigner[0].key.id);
	assert_int_equal(ids[1], f.cosigner[2].key.id);
	verify_policy_free(p);
}

/* The members' part of the quorum is still waited for. */
static void test_presumed(void **unused)
{
	struct verify_policy *p = fixture_policy(&f, "group nodes 2 n1 n2 n3\ngroup both all nodes out\nquorum both\n");
	struct verify_result *r = malloc(sizeof *r);
	char note[LIMIT_NOTE_SIZE_MAX];
	size_t len = fixture_checkpoint(&f, 9, (struct fixture_signers){.logs = 1, .cosigners = 3}, note);

	(void)unused;
	verify_checkpoint(p, note, len, r);
	assert_int_equal(r->outcome, VERIFY_UNDECIDED);
	verify_policy_presume_outside(p, FIXTURE_ORIGIN);
	verify_checkpoint(p, note, len, r);
	assert_int_equal(r->outcome, VERIFY_VERIFIED);
	len = fixture_checkpoint(&f, 9, (struct fixture_signers){.logs = 1, .cosigners = 1}, note);
	verify_checkpoint(p, note, len, r);
	assert_int_equal(r->outcome, VERIFY_UNDECIDED);
	verify_policy_free(p);
	free(r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_kept),
	        cmocka_unit_test(test_refused),
	        cmocka_unit_test(test_several),
	        cmocka_unit_test(test_offer),
	        cmocka_unit_test(test_outside),
	        cmocka_unit_test(test_presumed),
	        cmocka_unit_test(test_threshold),
	        cmocka_unit_test(test_restart),
	        cmocka_unit_test(test_restart_damaged),
	};

	if (sodium_init() < 0)
		return 99;
	log_set_level(LOG_LEVEL_ERROR); /* Of what is damaged each note is warned of. */
	fixture_init(&f);
	int failed = cmocka_run_group_tests(tests, NULL, NULL);
	fixture_free(&f);
	return failed;
}
