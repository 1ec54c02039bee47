/* Makes small ledgers of entries that are chained person by person, and the files of their histories. */
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
#include "tests/chain_kit.h"

#define ORIGIN      "example-00112233aabbccdd"
#define ENTRIES_MAX CHAIN_ENTRIES_MAX

static struct made {
	uint8_t *leaf, *body;
	size_t leaf_len, body_len;
	struct hash hash;
} made[ENTRIES_MAX];
static unsigned n_made;
static struct tree *tree;
struct verify_policy *chain_policy;
static struct note_key log_key, cosigner_key;
static uint8_t log_sk[64], cosigner_sk[64];
struct verify_result chain_result;

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

static void link_field(struct entry_builder *b, unsigned kind, const struct chain_link *l)
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
static void approver(struct entry_builder *b, const struct chain_link *l, bool head)
{
	uint8_t buf[128];
	struct writer w;

	writer_init(&w, buf, sizeof buf);
	if (head) {
		link_field(b, FIELD_APPROVER_CHAIN, l);
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
	link_field(b, FIELD_APPROVER_CHAIN, l);
}

static void entry_begin(struct entry_builder *b, unsigned kind, unsigned whose, bool forgot_nobody)
{
	static const struct hash zero;
	uint8_t seed[SEED_SIZE] = {(uint8_t)(n_made + 1)};

	assert_true(n_made < ENTRIES_MAX);
	entry_builder_init(b, n_made, kind, 1700000000000 + n_made, n_made ? &made[n_made - 1].hash : &zero, seed);
	writer_array(&b->public_, 2);
	writer_uint(&b->public_, whose);
	writer_bool(&b->public_, forgot_nobody);
}

static void entry_end(struct entry_builder *b)
{
	static uint8_t leaf[LIMIT_ENTRY_SIZE_MAX], body[LIMIT_BODY_SIZE_MAX];
	struct made *e = &made[n_made];

	assert_int_equal(entry_builder_finish(b, leaf, &e->leaf_len, body, &e->body_len), 0);
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

void chain_add(unsigned kind, bool forgot_nobody, const struct chain_link *l)
{
	static struct entry_builder b;

	entry_begin(&b, kind, l->whose ? l->whose : 1, forgot_nobody);
	if (l->whose == SUBJECT)
		pair(&b, FIELD_SUBJECT, "user", l->id);
	else if (l->whose == ACTOR)
		pair(&b, FIELD_ACTOR, "agent", l->id);
	if (l->whose == SUBJECT || l->whose == ACTOR)
		link_field(&b, l->whose == SUBJECT ? FIELD_SUBJECT_CHAIN : FIELD_ACTOR_CHAIN, l);
	else if (l->whose == APPROVER)
		approver(&b, l, kind == ENTRY_HISTORY);
	entry_end(&b);
}

void chain_add_fields(unsigned kind, enum whose whose, const struct field *fields, unsigned n)
{
	static struct entry_builder b;

	entry_begin(&b, kind, whose, true);
	for (unsigned i = 0; i < n; i++)
		entry_builder_field(&b, fields[i].kind, fields[i].value, fields[i].value_len);
	entry_end(&b);
}

int chain_begin(void **state)
{
	static const struct tree_tiles none;

	(void)state;
	n_made = 0;
	assert_int_equal(tree_new(&none, &tree), 0);
	return 0;
}

int chain_end(void **state)
{
	(void)state;
	for (unsigned i = 0; i < n_made; i++) {
		free(made[i].leaf);
		free(made[i].body);
	}
	tree_free(tree);
	return 0;
}

void chain_of_ada(bool forgot_nobody)
{
	chain_add(ENTRY_GENESIS, false, &(struct chain_link){.whose = NOBODY});
	chain_add(ENTRY_DECISION, false, &(struct chain_link){SUBJECT, "ada", -1, 0});
	chain_add(ENTRY_ANSWER, false, &(struct chain_link){SUBJECT, "ada", 1, 1});
	chain_add(ENTRY_DECISION, false, &(struct chain_link){SUBJECT, "bob", -1, 0});
	chain_add(ENTRY_DECISION, false, &(struct chain_link){SUBJECT, "ada", 2, 2});
	chain_add(ENTRY_DECISION, false, &(struct chain_link){SUBJECT, "bob", 3, 1});
	chain_add(ENTRY_HISTORY, forgot_nobody, &(struct chain_link){SUBJECT, "ada", 4, 3});
	chain_add(ENTRY_DECISION, false, &(struct chain_link){SUBJECT, "ada", 6, 4});
}

/* --- the file --- */

char *chain_head(enum whose whose, uint64_t entries, bool cosigned)
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

char *chain_line(unsigned index, uint64_t kinds)
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

enum verify_outcome chain_verify(char *const *lines, unsigned n)
{
	struct verify_history *h;

	assert_int_equal(verify_history_begin(chain_policy, &chain_result, &h), 0);
	for (unsigned i = 0; i < n && verify_history_line(h, lines[i], strlen(lines[i])); i++)
		;
	verify_history_end(h);
	return chain_result.outcome;
}

enum verify_outcome chain_verify_list(enum whose whose, uint64_t entries, bool cosigned, unsigned n,
                                      const unsigned *list)
{
	char *lines[ENTRIES_MAX + 1];

	lines[0] = chain_head(whose, entries ? entries : n, cosigned);
	for (unsigned i = 0; i < n; i++)
		lines[i + 1] = chain_line(list[i], UINT64_MAX);
	enum verify_outcome outcome = chain_verify(lines, n + 1);
	for (unsigned i = 0; i <= n; i++)
		free(lines[i]);
	return outcome;
}

int chain_keys(void **state)
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
	return verify_policy_parse(text, (size_t)n, &chain_policy, reason, sizeof reason);
}

int chain_forget(void **state)
{
	(void)state;
	verify_policy_free(chain_policy);
	return 0;
}
