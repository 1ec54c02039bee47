/* Tests of histories: whole ones verify; one that leaves out, adds or changes an entry is refuted. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <setjmp.h>
#include <sodium.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "ledger/bundle.h"
#include "ledger/note.h"
#include "ledger/tree.h"
#include "ledger/verify.h"

#define ORIGIN      "example-00112233aabbccdd"
#define ENTRIES_MAX 16
#define NOBODY      0

enum whose { SUBJECT = 1, ACTOR = 2, APPROVER = 3 };

static struct made {
	uint8_t *leaf, *body;
	size_t leaf_len, body_len;
	struct hash hash;
} made[ENTRIES_MAX];
static unsigned n_made;
static struct tree *tree;
static struct verify_policy *policy;
static struct note_key log_key, cosigner_key;
static uint8_t log_sk[64], cosigner_sk[64];
static struct verify_result result;

/* --- a ledger as it is wanted --- */

/* What an entry says of one person; previous -1: none. */
struct link {
	enum whose whose; /* NOBODY: of none. */
	const char *id;
	int previous;
	unsigned count;
};

static void field(struct entry_builder *b, unsigned kind, struct writer *w)
{
	size_t len;

	assert_int_equal(writer_end(w, &len), 0);
	entry_builder_field(b, kind, w->base, len);
}

static void pair(struct entry_builder *b, unsigned kind, const char *type, const char *id)
{
	uint8_t buf[128];
	struct writer w;

	writer_init(&w, buf, sizeof buf);
	writer_array(&w, 2);
	writer_cstr(&w, type);
	writer_cstr(&w, id);
	field(b, kind, &w);
}

static void chain(struct entry_builder *b, unsigned kind, const struct link *l)
{
	uint8_t buf[32];
	struct writer w;

	writer_init(&w, buf, sizeof buf);
	writer_array(&w, 2);
	if (l->previous < 0)
		writer_nil(&w);
	else
		writer_uint(&w, (uint64_t)l->previous);
	writer_uint(&w, l->count);
	field(b, kind, &w);
}

/* An approver is named in what he said; at the head in a field of its own. */
static void approver(struct entry_builder *b, const struct link *l, bool head)
{
	uint8_t buf[128];
	struct writer w;

	writer_init(&w, buf, sizeof buf);
	if (head) {
		chain(b, FIELD_APPROVER_CHAIN, l);
		writer_cstr(&w, l->id);
		field(b, FIELD_APPROVER, &w);
		return;
	}
	writer_array(&w, 2);
	writer_nil(&w);
	writer_array(&w, 2);
	writer_cstr(&w, l->id);
	writer_uint(&w, 1);
	field(b, FIELD_APPROVAL, &w);
	chain(b, FIELD_APPROVER_CHAIN, l);
}

static void add(unsigned kind, bool forgot_nobody, const struct link *l)
{
	static uint8_t leaf[LIMIT_ENTRY_SIZE_MAX], body[LIMIT_BODY_SIZE_MAX];
	static struct entry_builder b;
	static const struct hash zero;
	struct made *e = &made[n_made];
	uint8_t seed[SEED_SIZE] = {(uint8_t)(n_made + 1)};

	entry_builder_init(&b, n_made, kind, 1700000000000 + n_made, n_made ? &made[n_made - 1].hash : &zero, seed);
	writer_array(&b.public_, 2);
	writer_uint(&b.public_, l->whose ? l->whose : 1);
	writer_bool(&b.public_, forgot_nobody);
	if (l->whose == SUBJECT)
		pair(&b, FIELD_SUBJECT, "user", l->id);
	else if (l->whose == ACTOR)
		pair(&b, FIELD_ACTOR, "agent", l->id);
	if (l->whose == SUBJECT || l->whose == ACTOR)
		chain(&b, l->whose == SUBJECT ? FIELD_SUBJECT_CHAIN : FIELD_ACTOR_CHAIN, l);
	else if (l->whose == APPROVER)
		approver(&b, l, kind == ENTRY_HISTORY);
	assert_int_equal(entry_builder_finish(&b, leaf, &e->leaf_len, body, &e->body_len), 0);
	e->leaf = malloc(e->leaf_len);
	e->body = malloc(e->body_len);
	assert_non_null(e->leaf);
	assert_non_null(e->body);
	memcpy(e->leaf, leaf, e->leaf_len);
	memcpy(e->body, body, e->body_len);
	hash_leaf(&e->hash, leaf, e->leaf_len);
	assert_int_equal(tree_append(tree, &e->hash), 0);
	n_made++;
}

static int begin(void **state)
{
	static const struct tree_tiles none;

	(void)state;
	n_made = 0;
	assert_int_equal(tree_new(&none, &tree), 0);
	return 0;
}

static int end(void **state)
{
	(void)state;
	for (unsigned i = 0; i < n_made; i++) {
		free(made[i].leaf);
		free(made[i].body);
	}
	tree_free(tree);
	return 0;
}

/* user:ada at 1, 2, 4; asked for at 6. */
static void ledger_of_ada(bool forgot_nobody)
{
	add(ENTRY_GENESIS, false, &(struct link){.whose = NOBODY});
	add(ENTRY_DECISION, false, &(struct link){SUBJECT, "ada", -1, 0});
	add(ENTRY_ANSWER, false, &(struct link){SUBJECT, "ada", 1, 1});
	add(ENTRY_DECISION, false, &(struct link){SUBJECT, "bob", -1, 0});
	add(ENTRY_DECISION, false, &(struct link){SUBJECT, "ada", 2, 2});
	add(ENTRY_DECISION, false, &(struct link){SUBJECT, "bob", 3, 1});
	add(ENTRY_HISTORY, forgot_nobody, &(struct link){SUBJECT, "ada", 4, 3});
	add(ENTRY_DECISION, false, &(struct link){SUBJECT, "ada", 6, 4});
}

/* --- the file --- */

static char *head_line(enum whose whose, uint64_t entries, bool cosigned)
{
	static const char *const names[] = {"", "subject", "actor", "approver"};
	struct checkpoint c = {.origin = ORIGIN, .size = n_made};
	char text[512], note[LIMIT_NOTE_SIZE_MAX], *line;
	size_t text_len, len;

	tree_root(tree, &c.root);
	assert_int_equal(checkpoint_format(&c, text, sizeof text, &text_len), 0);
	memcpy(note, text, text_len);
	note[text_len] = '\n';
	len = text_len + 1;
	assert_int_equal(note_sign(&log_key, log_sk, text, text_len, note, sizeof note, &len), 0);
	if (cosigned)
		assert_int_equal(
		        note_cosign(&cosigner_key, cosigner_sk, 1700000001, text, text_len, note, sizeof note, &len),
		        0);
	assert_int_equal(bundle_history_head(names[whose], entries, note, len, &line), 0);
	return line;
}

/* Fields of these kinds alone, a bit each. */
static char *entry_line(unsigned index, uint64_t kinds)
{
	struct field fields[LIMIT_FIELD_COUNT_MAX];
	struct hash hashes[LIMIT_PROOF_HASHES_MAX];
	unsigned n = 0, kept = 0, n_hashes;
	char *line;

	assert_int_equal(body_decode(fields, &n, made[index].body, made[index].body_len), 0);
	for (unsigned i = 0; i < n; i++)
		if (kinds >> fields[i].kind & 1)
			fields[kept++] = fields[i];
	assert_int_equal(tree_inclusion(tree, index, n_made, hashes, &n_hashes), 0);
	assert_int_equal(
	        bundle_history_entry(made[index].leaf, made[index].leaf_len, fields, kept, hashes, n_hashes, &line), 0);
	return line;
}

static enum verify_outcome verify(char *const *lines, unsigned n)
{
	struct verify_history *h;

	assert_int_equal(verify_history_begin(policy, &result, &h), 0);
	for (unsigned i = 0; i < n && verify_history_line(h, lines[i], strlen(lines[i])); i++)
		;
	verify_history_end(h);
	return result.outcome;
}

/* Of these entries in this order. entries 0: as many as the list has. */
static enum verify_outcome verify_list(enum whose whose, uint64_t entries, bool cosigned, unsigned n,
                                       const unsigned *list)
{
	char *lines[ENTRIES_MAX + 1];

	lines[0] = head_line(whose, entries ? entries : n, cosigned);
	for (unsigned i = 0; i < n; i++)
		lines[i + 1] = entry_line(list[i], UINT64_MAX);
	enum verify_outcome outcome = verify(lines, n + 1);
	for (unsigned i = 0; i <= n; i++)
		free(lines[i]);
	return outcome;
}

#define LIST(...)                                                                                                      \
	(unsigned)(sizeof((unsigned[]){__VA_ARGS__}) / sizeof(unsigned)), (const unsigned[])                           \
	{                                                                                                              \
		__VA_ARGS__                                                                                            \
	}
#define ADA(...)   verify_list(SUBJECT, 0, true, LIST(__VA_ARGS__))
#define ADA_4(...) verify_list(SUBJECT, 4, true, LIST(__VA_ARGS__))

/* --- tests --- */

static void test_whole(void **state)
{
	(void)state;
	ledger_of_ada(true);
	assert_int_equal(ADA(6, 4, 2, 1), VERIFY_VERIFIED);
	assert_non_null(strstr(result.reason, "complete up to index 6"));
	assert_non_null(strstr(result.lines[result.n_lines - 2].text, "subject user:ada: 4 entries"));
	assert_non_null(strstr(result.lines[result.n_lines - 1].text, "is the person's first"));
	assert_int_equal(verify_list(SUBJECT, 0, false, LIST(6, 4, 2, 1)), VERIFY_UNDECIDED);
	assert_non_null(strstr(result.reason, "claim only"));
}

/* The cluster had forgotten people: older ones may be there, and that is said. */
static void test_forgotten(void **state)
{
	(void)state;
	ledger_of_ada(false);
	assert_int_equal(ADA(6, 4, 2, 1), VERIFY_VERIFIED);
	assert_non_null(strstr(result.lines[result.n_lines - 1].text, "may be older"));
	assert_int_equal(result.lines[result.n_lines - 1].mark, VERIFY_MARK_UNCHECKED);
}

static void test_left_out(void **state)
{
	(void)state;
	ledger_of_ada(true);
	assert_int_equal(ADA_4(6, 2, 1), VERIFY_REFUTED);
	assert_true(result.has_bad_index && result.bad_index == 2);
	assert_string_equal(result.expected, "4");
	assert_string_equal(result.found, "2");
	assert_int_equal(ADA_4(6, 4, 1), VERIFY_REFUTED);
	assert_int_equal(ADA_4(6, 4, 2), VERIFY_REFUTED);
	assert_non_null(strstr(result.reason, "left out"));
	assert_int_equal(result.bad_index, 1);
	assert_int_equal(ADA_4(4, 2, 1), VERIFY_REFUTED);
	assert_int_equal(ADA_4(6), VERIFY_REFUTED);
	assert_int_equal(ADA(6, 2, 1), VERIFY_REFUTED);
	assert_int_equal(verify_list(SUBJECT, 4, true, 0, NULL), VERIFY_REFUTED);
}

static void test_others(void **state)
{
	(void)state;
	ledger_of_ada(true);
	assert_int_equal(ADA_4(6, 4, 3, 1), VERIFY_REFUTED);
	assert_int_equal(ADA(6, 4, 2, 1, 3), VERIFY_REFUTED);
	assert_int_equal(ADA_4(6, 4, 2, 1, 1), VERIFY_REFUTED);
	assert_int_equal(ADA_4(6, 4, 4, 1), VERIFY_REFUTED);
	assert_int_equal(ADA_4(7, 6, 4, 2, 1), VERIFY_REFUTED);
	assert_int_equal(ADA_4(6, 2, 4, 1), VERIFY_REFUTED);
	assert_int_equal(verify_list(ACTOR, 4, true, LIST(6, 4, 2, 1)), VERIFY_REFUTED);
	assert_int_equal(verify_list(SUBJECT, 5, true, LIST(6, 4, 2, 1)), VERIFY_REFUTED);
}

/* Whose chain it is, and its links, must be open; where they are not, nothing is shown complete. */
static void test_closed(void **state)
{
	uint64_t link = UINT64_C(1) << FIELD_SUBJECT_CHAIN, person = UINT64_C(1) << FIELD_SUBJECT;
	const unsigned order[] = {6, 4, 2, 1};

	(void)state;
	ledger_of_ada(true);
	for (unsigned closed = 0; closed < 4; closed++)
		for (unsigned what = 0; what < 2; what++) {
			char *lines[5] = {head_line(SUBJECT, 4, true)};
			unsigned n = what && closed ? closed + 2 : 5; /* Behind a closed link none is known. */

			for (unsigned i = 0; i < 4; i++)
				lines[i + 1] = entry_line(order[i], i != closed ? UINT64_MAX : what ? ~link : ~person);
			assert_int_equal(verify(lines, n), what && closed ? VERIFY_UNDECIDED : VERIFY_REFUTED);
			for (unsigned i = 0; i < 5; i++)
				free(lines[i]);
		}
}

static void test_actor(void **state)
{
	(void)state;
	add(ENTRY_GENESIS, false, &(struct link){.whose = NOBODY});
	add(ENTRY_DECISION, false, &(struct link){ACTOR, "bot", -1, 0});
	add(ENTRY_DECISION, false, &(struct link){ACTOR, "bot", 1, 1});
	add(ENTRY_HISTORY, true, &(struct link){ACTOR, "bot", 2, 2});
	assert_int_equal(verify_list(ACTOR, 0, true, LIST(3, 2, 1)), VERIFY_VERIFIED);
	assert_non_null(strstr(result.lines[result.n_lines - 2].text, "actor agent:bot: 3 entries"));
	assert_int_equal(verify_list(ACTOR, 3, true, LIST(3, 1)), VERIFY_REFUTED);
	assert_int_equal(verify_list(SUBJECT, 0, true, LIST(3, 2, 1)), VERIFY_REFUTED);
}

static void test_approver(void **state)
{
	(void)state;
	add(ENTRY_GENESIS, false, &(struct link){.whose = NOBODY});
	add(ENTRY_APPROVAL, false, &(struct link){APPROVER, "carla", -1, 0});
	add(ENTRY_APPROVAL, false, &(struct link){APPROVER, "dan", -1, 0});
	add(ENTRY_HISTORY, true, &(struct link){APPROVER, "carla", 1, 1});
	add(ENTRY_HISTORY, true, &(struct link){APPROVER, "carla", 3, 2});
	assert_int_equal(verify_list(APPROVER, 0, true, LIST(4, 3, 1)), VERIFY_VERIFIED);
	assert_non_null(strstr(result.lines[result.n_lines - 2].text, "approver carla: 3 entries"));
	assert_int_equal(verify_list(APPROVER, 3, true, LIST(4, 3, 2)), VERIFY_REFUTED);
	assert_int_equal(verify_list(APPROVER, 3, true, LIST(4, 1)), VERIFY_REFUTED);
}

/* Nobody of that name: a chain of the question alone. */
static void test_nobody(void **state)
{
	(void)state;
	add(ENTRY_GENESIS, false, &(struct link){.whose = NOBODY});
	add(ENTRY_HISTORY, true, &(struct link){SUBJECT, "eve", -1, 0});
	assert_int_equal(ADA(1), VERIFY_VERIFIED);
}

/* An erasure, entry 2, then the chain begins anew and says so. */
static void test_erased(void **state)
{
	(void)state;
	add(ENTRY_GENESIS, false, &(struct link){.whose = NOBODY});
	add(ENTRY_DECISION, false, &(struct link){SUBJECT, "ada", -1, 0});
	add(24, false, &(struct link){.whose = NOBODY});
	add(ENTRY_DECISION, false, &(struct link){SUBJECT, "ada", 2, 0});
	add(ENTRY_HISTORY, true, &(struct link){SUBJECT, "ada", 3, 1});
	assert_int_equal(ADA(4, 3), VERIFY_VERIFIED);
	assert_non_null(strstr(result.lines[result.n_lines - 1].text, "erased by entry 2"));
	assert_int_equal(verify_list(SUBJECT, 2, true, LIST(4, 3, 1)), VERIFY_REFUTED);
}

static bool in_text(const char *line, size_t at)
{
	const char *from = line;

	for (const char *s; (s = strstr(from, "\"text\":\"")) != NULL && s <= line + at; from = s + 8) {
		const char *stop = strchr(s + 8, '"');
		if (stop == NULL || stop >= line + at)
			return true;
	}
	return false;
}

/* One bit of each byte: nothing of it verifies but a rendering, which nobody looks at. */
static void test_flips(void **state)
{
	char *lines[5] = {NULL};
	const unsigned order[] = {6, 4, 2, 1};

	(void)state;
	ledger_of_ada(true);
	lines[0] = head_line(SUBJECT, 4, true);
	for (unsigned i = 0; i < 4; i++)
		lines[i + 1] = entry_line(order[i], UINT64_MAX);
	for (unsigned l = 1; l < 5; l++)
		for (size_t at = 0; at < strlen(lines[l]); at++) {
			char before = lines[l][at];

			lines[l][at] = (char)(before ^ 1 << at % 7);
			if (lines[l][at] != '\0' && !in_text(lines[l], at))
				assert_int_not_equal(verify(lines, 5), VERIFY_VERIFIED);
			lines[l][at] = before;
		}
	assert_int_equal(verify(lines, 5), VERIFY_VERIFIED);
	for (unsigned i = 0; i < 5; i++)
		free(lines[i]);
}

static void test_nonsense(void **state)
{
	static const char *const heads[] = {
	        "",
	        "{",
	        "[]",
	        "{}",
	        "null",
	        ("{\"format\":\"countersign/history/v1\",\"whose\":\"subject\",\"entries\":0,"
	         "\"checkpoint\":\"\"}")};

	(void)state;
	for (unsigned i = 0; i < sizeof heads / sizeof *heads; i++) {
		char text[200], *line = text;

		strcpy(text, heads[i]);
		assert_int_equal(verify(&line, 1), VERIFY_REFUTED);
	}
	assert_int_equal(verify(NULL, 0), VERIFY_REFUTED);
}

static int keys(void **state)
{
	char log_vkey[320], cosigner_vkey[320], text[1024], reason[128];
	uint8_t pub[32];

	(void)state;
	assert_true(sodium_init() >= 0);
	crypto_sign_seed_keypair(pub, log_sk, (const uint8_t[32]){1});
	assert_int_equal(note_key_init(&log_key, ORIGIN, NOTE_KEY_ED25519, pub), 0);
	crypto_sign_seed_keypair(pub, cosigner_sk, (const uint8_t[32]){2});
	assert_int_equal(note_key_init(&cosigner_key, ORIGIN "/node-1", NOTE_KEY_COSIGNATURE, pub), 0);
	assert_int_equal(note_key_format(&log_key, log_vkey, sizeof log_vkey), 0);
	assert_int_equal(note_key_format(&cosigner_key, cosigner_vkey, sizeof cosigner_vkey), 0);
	int n = snprintf(text, sizeof text, "log %s\nwitness n1 %s\nquorum n1\n", log_vkey, cosigner_vkey);
	return verify_policy_parse(text, (size_t)n, &policy, reason, sizeof reason);
}

static int forget(void **state)
{
	(void)state;
	verify_policy_free(policy);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test_setup_teardown(test_whole, begin, end),
	        cmocka_unit_test_setup_teardown(test_forgotten, begin, end),
	        cmocka_unit_test_setup_teardown(test_left_out, begin, end),
	        cmocka_unit_test_setup_teardown(test_others, begin, end),
	        cmocka_unit_test_setup_teardown(test_closed, begin, end),
	        cmocka_unit_test_setup_teardown(test_actor, begin, end),
	        cmocka_unit_test_setup_teardown(test_approver, begin, end),
	        cmocka_unit_test_setup_teardown(test_nobody, begin, end),
	        cmocka_unit_test_setup_teardown(test_erased, begin, end),
	        cmocka_unit_test_setup_teardown(test_flips, begin, end),
	        cmocka_unit_test(test_nonsense),
	};

	return cmocka_run_group_tests_name("history", tests, keys, forget);
}
