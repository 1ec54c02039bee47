/* Makes the small ledger that the verifier's tests look at. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "tests/verify_fixture.h"

#include <setjmp.h>
#include <sodium.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "ledger/tree.h"

static void key_make(struct fixture_key *k, const char *name, uint8_t type, uint8_t seed_byte)
{
	uint8_t seed[crypto_sign_SEEDBYTES], pub[32];

	memset(seed, seed_byte, sizeof seed);
	crypto_sign_seed_keypair(pub, k->sk, seed);
	assert_int_equal(note_key_init(&k->key, name, type, pub), 0);
	assert_int_equal(note_key_format(&k->key, k->vkey, sizeof k->vkey), 0);
}

static void field_cstr(struct entry_builder *b, unsigned kind, const char *type, const char *id)
{
	uint8_t buf[128];
	struct writer w;
	size_t len;

	writer_init(&w, buf, sizeof buf);
	if (type) {
		writer_array(&w, 2);
		writer_cstr(&w, type);
	}
	writer_cstr(&w, id);
	assert_int_equal(writer_end(&w, &len), 0);
	entry_builder_field(b, kind, buf, len);
}

static void entry_make(struct fixture *f, uint64_t index)
{
	static uint8_t leaf[LIMIT_ENTRY_SIZE_MAX], body[LIMIT_BODY_SIZE_MAX];
	static struct entry_builder b;
	static const struct hash zero;
	struct fixture_entry *e = &f->entry[index];
	uint8_t seed[SEED_SIZE];

	memset(seed, (int)index + 1, sizeof seed);
	entry_builder_init(&b, index, index == 0 ? ENTRY_GENESIS : ENTRY_DECISION, 1700000000000 + index * 17,
	                   index == 0 ? &zero : &f->entry[index - 1].hash, seed);
	writer_array(&b.public_, 3);
	writer_uint(&b.public_, index * 1000);
	writer_int(&b.public_, -(int64_t)index * 100);
	writer_cstr(&b.public_, "allow");
	field_cstr(&b, FIELD_SUBJECT, "user", "alice@example.com");
	field_cstr(&b, FIELD_RESOURCE, "host", "db-1");
	field_cstr(&b, FIELD_ADDRESS, NULL, "192.0.2.7");
	field_cstr(&b, FIELD_TEXT, NULL, "caf\xC3\xA9");
	assert_int_equal(entry_builder_finish(&b, leaf, &e->leaf_len, body, &e->body_len), 0);
	e->leaf = malloc(e->leaf_len);
	e->body = malloc(e->body_len);
	assert_true(e->leaf && e->body);
	memcpy(e->leaf, leaf, e->leaf_len);
	memcpy(e->body, body, e->body_len);
	hash_leaf(&e->hash, leaf, e->leaf_len);
}

void fixture_init(struct fixture *f)
{
	char name[64];

	assert_true(sodium_init() >= 0);
	memset(f, 0, sizeof *f);
	for (unsigned i = 0; i < FIXTURE_NODES; i++) {
		key_make(&f->log[i], FIXTURE_ORIGIN, NOTE_KEY_ED25519, (uint8_t)(0x10 + i));
		snprintf(name, sizeof name, FIXTURE_ORIGIN "/node-%u", i + 1);
		key_make(&f->cosigner[i], name, NOTE_KEY_COSIGNATURE, (uint8_t)(0x20 + i));
	}
	key_make(&f->witness, "outside.example/witness", NOTE_KEY_COSIGNATURE, 0x30);
	key_make(&f->other, "other.example/log", NOTE_KEY_ED25519, 0x50);
	key_make(&f->stranger, FIXTURE_ORIGIN, NOTE_KEY_ED25519, 0x40);
	for (uint64_t i = 0; i < FIXTURE_ENTRIES; i++)
		entry_make(f, i);
	f->policy = fixture_policy(f, "group nodes 2 n1 n2 n3\nquorum nodes\n");
}

void fixture_free(struct fixture *f)
{
	for (unsigned i = 0; i < FIXTURE_ENTRIES; i++) {
		free(f->entry[i].leaf);
		free(f->entry[i].body);
	}
	verify_policy_free(f->policy);
}

struct verify_policy *fixture_policy(const struct fixture *f, const char *quorum_lines)
{
	struct verify_policy *p = NULL;
	char text[4096], reason[128] = "";
	int n = snprintf(text, sizeof text,
	                 "# who is trusted\n\nlog %s\nlog %s https://node-2.example/\n\tlog %s \nwitness n1 %s\n"
	                 "witness n2 %s\nwitness n3 %s\nwitness out %s https://outside.example\n%s",
	                 f->log[0].vkey, f->log[1].vkey, f->log[2].vkey, f->cosigner[0].vkey, f->cosigner[1].vkey,
	                 f->cosigner[2].vkey, f->witness.vkey, quorum_lines);

	assert_true(n > 0 && (size_t)n < sizeof text);
	if (verify_policy_parse(text, (size_t)n, &p, reason, sizeof reason))
		fail_msg("policy: %s", reason);
	return p;
}

static void tree_make(const struct fixture *f, uint64_t size, struct tree **ret)
{
	const struct tree_tiles none = {0};

	assert_int_equal(tree_new(&none, ret), 0);
	for (uint64_t i = 0; i < size; i++)
		assert_int_equal(tree_append(*ret, &f->entry[i].hash), 0);
}

void fixture_root(const struct fixture *f, uint64_t size, struct hash *ret)
{
	struct tree *t;

	tree_make(f, size, &t);
	tree_root(t, ret);
	tree_free(t);
}

size_t fixture_checkpoint(const struct fixture *f, uint64_t size, struct fixture_signers by,
                          char note[LIMIT_NOTE_SIZE_MAX])
{
	struct checkpoint c = {.origin = FIXTURE_ORIGIN, .size = size};

	fixture_root(f, size, &c.root);
	return fixture_sign(f, &c, by, note);
}

size_t fixture_sign(const struct fixture *f, const struct checkpoint *c, struct fixture_signers by,
                    char note[LIMIT_NOTE_SIZE_MAX])
{
	char text[512];
	size_t text_len, len;

	assert_int_equal(checkpoint_format(c, text, sizeof text, &text_len), 0);
	memcpy(note, text, text_len);
	note[text_len] = '\n';
	len = text_len + 1;
	for (unsigned i = 0; i < FIXTURE_NODES; i++)
		if (by.logs >> i & 1)
			assert_int_equal(note_sign(&f->log[i].key, f->log[i].sk, text, text_len, note,
			                           LIMIT_NOTE_SIZE_MAX, &len),
			                 0);
	if (by.stranger)
		assert_int_equal(
		        note_sign(&f->stranger.key, f->stranger.sk, text, text_len, note, LIMIT_NOTE_SIZE_MAX, &len),
		        0);
	for (unsigned i = 0; i < FIXTURE_NODES; i++)
		if (by.cosigners >> i & 1)
			assert_int_equal(note_cosign(&f->cosigner[i].key, f->cosigner[i].sk, 1700000001 + i, text,
			                             text_len, note, LIMIT_NOTE_SIZE_MAX, &len),
			                 0);
	if (by.witness)
		assert_int_equal(note_cosign(&f->witness.key, f->witness.sk, 1700000009, text, text_len, note,
		                             LIMIT_NOTE_SIZE_MAX, &len),
		                 0);
	note[len] = '\0';
	return len;
}

size_t fixture_proof(const struct fixture *f, uint64_t index, uint64_t size, const char *note,
                     char proof[FORMAT_PROOF_SIZE_MAX])
{
	struct hash hashes[LIMIT_PROOF_HASHES_MAX];
	struct tree *t;
	unsigned n;
	size_t len;

	tree_make(f, size, &t);
	assert_int_equal(tree_inclusion(t, index, size, hashes, &n), 0);
	tree_free(t);
	assert_int_equal(bundle_proof_text(index, hashes, n, note, strlen(note), proof, FORMAT_PROOF_SIZE_MAX, &len),
	                 0);
	return len;
}

char *fixture_bundle(const struct fixture *f, uint64_t index, uint64_t kinds, const char *proof, size_t *ret_len)
{
	struct field fields[LIMIT_FIELD_COUNT_MAX];
	const struct fixture_entry *e = &f->entry[index];
	unsigned n, kept = 0;
	char *json;

	assert_int_equal(body_decode(fields, &n, e->body, e->body_len), 0);
	for (unsigned i = 0; i < n; i++)
		if (kinds >> fields[i].kind & 1)
			fields[kept++] = fields[i];
	assert_int_equal(bundle_write(e->leaf, e->leaf_len, fields, kept, proof, strlen(proof), &json, ret_len), 0);
	return json;
}

char *fixture_proven(const struct fixture *f, uint64_t index, uint64_t size, unsigned cosigners, uint64_t kinds)
{
	char note[LIMIT_NOTE_SIZE_MAX];
	static char proof[FORMAT_PROOF_SIZE_MAX];
	size_t len;

	fixture_checkpoint(f, size, (struct fixture_signers){.logs = 1, .cosigners = cosigners}, note);
	fixture_proof(f, index, size, note, proof);
	return fixture_bundle(f, index, kinds, proof, &len);
}

const char *fixture_vkey(const char *name, uint8_t type, uint32_t number)
{
	static char texts[4][320];
	static unsigned next;
	uint8_t pub[32] = {0};
	struct note_key k;
	char *text = texts[next++ % 4];

	put_u32be(pub + 28, number);
	assert_int_equal(note_key_init(&k, name, type, pub), 0);
	assert_int_equal(note_key_format(&k, text, sizeof texts[0]), 0);
	return text;
}

void fixture_policy_text(const struct fixture *f, const char *template, char *buf, size_t size)
{
	size_t len = 0;

	buf[0] = '\0';
	for (const char *s = template; *s; s++) {
		const char *vkey = NULL;

		if (s[0] == 'L' && s[1] >= '1' && s[1] <= '3')
			vkey = f->log[s[1] - '1'].vkey;
		if (s[0] == 'W' && s[1] >= '1' && s[1] <= '3')
			vkey = f->cosigner[s[1] - '1'].vkey;
		if (s[0] == 'W' && s[1] == 'O')
			vkey = f->witness.vkey;
		if (s[0] == 'L' && s[1] == 'O')
			vkey = f->other.vkey;
		int n = vkey ? snprintf(buf + len, size - len, "%s", vkey) : snprintf(buf + len, size - len, "%c", *s);
		assert_true(n > 0 && (size_t)n < size - len);
		len += (size_t)n;
		s += vkey ? 1 : 0;
	}
}

struct verify_policy *fixture_policy_of(const struct fixture *f, const char *template)
{
	struct verify_policy *p = NULL;
	char text[4096], reason[128] = "";

	fixture_policy_text(f, template, text, sizeof text);
	if (verify_policy_parse(text, strlen(text), &p, reason, sizeof reason))
		fail_msg("%s: %s", template, reason);
	return p;
}

bool fixture_says(const struct verify_result *r, enum verify_mark mark, const char *part)
{
	for (unsigned i = 0; i < r->n_lines; i++)
		if (r->lines[i].mark == mark && strstr(r->lines[i].text, part))
			return true;
	return false;
}

void fixture_outcome(const struct verify_result *r, enum verify_outcome outcome, const char *reason)
{
	if (r->outcome != outcome || !strstr(r->reason, reason))
		fail_msg("outcome %d, not %d: \"%s\", not \"%s\"", r->outcome, outcome, r->reason, reason);
}
