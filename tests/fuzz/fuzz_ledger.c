/* Fuzzing: the ledger's own readers, and the offline verifier, which must verify nothing that was not made so. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <stdlib.h>
#include <string.h>

#include "client/tool/verifyidentity.h"
#include "ledger/entry.h"
#include "ledger/errors.h"
#include "ledger/verify_whole.h"
#include "node/witnesses_file.h"
#include "tests/fuzz/fuzz.h"
#include "tests/verify_fixture.h"

static struct fixture *fixture(void)
{
	static struct fixture f;

	if (f.policy == NULL)
		fixture_init(&f);
	return &f;
}

/* --- the node's own readers --- */

static void check_key(const char *text, size_t len)
{
	struct note_key key;
	char again[512];

	if (note_key_parse(&key, text, len) == 0) {
		FUZZ_DEMAND(note_key_format(&key, again, sizeof again) == 0);
		FUZZ_DEMAND(strlen(again) == len && memcmp(again, text, len) == 0);
	}
}

static void check_base64(const char *text, size_t len)
{
	uint8_t bytes[2048];
	char again[4096];
	size_t n;

	if (base64_decode(text, len, bytes, sizeof bytes, &n) == 0) {
		FUZZ_DEMAND(base64_encode(bytes, n, again, sizeof again) == 0);
		FUZZ_DEMAND(strlen(again) == len && memcmp(again, text, len) == 0);
	}
}

/* What a node keeps of a witness, and hands out, holds whatever came with it. */
static void check_witness(const struct fixture *f, const char *text, size_t len)
{
	struct witness_members m = {.n = FIXTURE_NODES, .majority = 2};
	struct witness one = {.principal = 1, .key = f->witness.key};
	struct witnesses *w = NULL;
	struct board_note out;
	struct witness_note n;
	struct note kept;
	struct hash root;

	for (unsigned i = 0; i < FIXTURE_NODES; i++) {
		m.list[i].log_key = f->log[i].key;
		m.list[i].cosigner_key = f->cosigner[i].key;
	}
	FUZZ_DEMAND(witnesses_new(FIXTURE_ORIGIN, &w) == 0);
	witnesses_set(w, &one, 1);
	witnesses_set_members(w, &m);
	if (witnesses_read(w, 1, text, len, &n) == 0 && n.checkpoint.size <= FIXTURE_ENTRIES) {
		fixture_root(f, n.checkpoint.size, &root);
		if (witnesses_keep(w, &n, &root) == 0) {
			FUZZ_DEMAND(witnesses_find(w, n.checkpoint.size - 1, 1, &one.key.id, 1, &out));
			FUZZ_DEMAND(note_parse(&kept, out.text, out.len) == 0);
			FUZZ_DEMAND(note_verify(&kept, &one.key, NULL) == 0);
		}
	}
	witnesses_free(w);
}

static void check_witnesses_file(const char *text, size_t len)
{
	static struct board_note notes[WITNESSES_NOTES];
	unsigned n = witnesses_file_parse(text, len, notes);

	FUZZ_DEMAND(n <= WITNESSES_NOTES);
	for (unsigned i = 0; i < n; i++)
		FUZZ_DEMAND(notes[i].len <= sizeof notes[i].text && notes[i].len < len);
}

void fuzz_note(const uint8_t *bytes, size_t len)
{
	const struct fixture *f = fixture();
	const char *text = (const char *)bytes;
	struct note n;
	struct checkpoint c;
	char again[512];
	size_t again_len;
	uint64_t t;

	check_key(text, len);
	check_base64(text, len);
	check_witness(f, text, len);
	check_witnesses_file(text, len);
	if (note_parse(&n, text, len))
		return;
	for (unsigned i = 0; i < FIXTURE_NODES; i++) {
		(void)note_verify(&n, &f->log[i].key, NULL);
		(void)note_verify(&n, &f->cosigner[i].key, &t);
	}
	if (checkpoint_parse(&c, n.text, n.text_len) == 0) {
		FUZZ_DEMAND(checkpoint_format(&c, again, sizeof again, &again_len) == 0);
		FUZZ_DEMAND(again_len == n.text_len && memcmp(again, n.text, again_len) == 0);
	}
}

/* A leaf, a length before it; the rest is a body. */
void fuzz_entry(const uint8_t *bytes, size_t len)
{
	struct field fields[LIMIT_FIELD_COUNT_MAX];
	struct entry e;
	char text[FORMAT_FIELD_TEXT_SIZE_MAX + 1];
	unsigned n;

	if (len < 2)
		return;
	size_t leaf_len = (size_t)bytes[0] << 8 | bytes[1];
	if (leaf_len > len - 2)
		leaf_len = len - 2;
	const uint8_t *body = bytes + 2 + leaf_len;
	int err = entry_decode(&e, bytes + 2, leaf_len);
	if (body_decode(fields, &n, body, len - 2 - leaf_len))
		return;
	for (unsigned i = 0; i < n; i++) {
		FUZZ_DEMAND(fields[i].value >= body && fields[i].value + fields[i].value_len <= bytes + len);
		if (bundle_field_text(fields[i].kind, fields[i].value, fields[i].value_len, text, sizeof text) == 0)
			FUZZ_DEMAND(memchr(text, 0, sizeof text));
	}
	if (err == 0)
		(void)body_check(&e, fields, n);
}

/* --- the verifier --- */

/* Whatever was verified is of the one ledger that these keys have signed. */
static void check_result(const struct verify_result *r)
{
	const struct fixture *f = fixture();
	struct hash root;

	FUZZ_DEMAND(r->outcome <= VERIFY_UNDECIDED && r->n_lines <= VERIFY_LINES_MAX);
	FUZZ_DEMAND(r->reason[0] && memchr(r->reason, 0, sizeof r->reason));
	for (unsigned i = 0; i < r->n_lines; i++)
		FUZZ_DEMAND(memchr(r->lines[i].text, 0, sizeof r->lines[i].text));
	if (r->outcome != VERIFY_VERIFIED)
		return;
	FUZZ_DEMAND(r->has_checkpoint && r->quorum_reached && r->n_log_signatures > 0 && r->n_cosignatures >= 2);
	FUZZ_DEMAND(strcmp(r->origin, FIXTURE_ORIGIN) == 0 && r->size <= FIXTURE_ENTRIES);
	fixture_root(f, r->size, &root);
	FUZZ_DEMAND(memcmp(root.b, r->root, HASH_SIZE) == 0);
}

static struct verify_result result;

void fuzz_bundle(const uint8_t *bytes, size_t len)
{
	static struct verify_result identity;

	verify_bundle(fixture()->policy, bytes, len, &result);
	check_result(&result);
	/* What comes behind it sees only what it has let pass: here anything. */
	memset(&identity, 0, sizeof identity);
	identity.has_checkpoint = true;
	verifyidentity((const char *)bytes, len, &identity);
	FUZZ_DEMAND(identity.n_lines <= 1);
}

/* The entry's index, its bytes are the fixture's; the rest is the proof. */
void fuzz_proof(const uint8_t *bytes, size_t len)
{
	const struct fixture *f = fixture();

	if (len < 2)
		return;
	const struct fixture_entry *e = &f->entry[bytes[0] % FIXTURE_ENTRIES];
	verify_tlog_proof(f->policy, bytes + 2, len - 2, e->leaf, e->leaf_len,
	                  bytes[1] % 2 ? VERIFY_ENTRY_OPAQUE : VERIFY_ENTRY_COUNTERSIGN, &result);
	check_result(&result);
}

void fuzz_checkpoint(const uint8_t *bytes, size_t len)
{
	verify_checkpoint(fixture()->policy, bytes, len, &result);
	check_result(&result);
}

void fuzz_trust(const uint8_t *bytes, size_t len)
{
	struct verify_policy *p;
	char reason[128] = "", note[LIMIT_NOTE_SIZE_MAX];
	int err = verify_policy_parse((const char *)bytes, len, &p, reason, sizeof reason);

	if (err) {
		FUZZ_DEMAND(reason[0] && memchr(reason, 0, sizeof reason));
		return;
	}
	size_t note_len = fixture_checkpoint(
	        fixture(), 3, (struct fixture_signers){.logs = 7, .cosigners = 7, .witness = true}, note);
	verify_checkpoint(p, note, note_len, &result);
	FUZZ_DEMAND(result.outcome != VERIFY_REFUTED);
	verify_policy_free(p);
}

/* A checkpoint's size; then entries, each a length before it. */
void fuzz_audit(const uint8_t *bytes, size_t len)
{
	const struct fixture *f = fixture();
	char note[LIMIT_NOTE_SIZE_MAX];
	struct verify_audit a;

	if (len == 0)
		return;
	uint64_t size = bytes[0] % (FIXTURE_ENTRIES + 1), taken = 0;
	size_t note_len = fixture_checkpoint(f, size, (struct fixture_signers){.logs = 1, .cosigners = 3}, note);
	verify_audit_begin(&a, f->policy, note, note_len, &result);
	bytes++;
	len--;
	while (len >= 2 && !a.stopped) {
		size_t entry_len = (size_t)bytes[0] << 8 | bytes[1];
		if (entry_len > len - 2)
			entry_len = len - 2;
		if (verify_audit_entry(&a, bytes + 2, entry_len, NULL))
			taken++;
		bytes += 2 + entry_len;
		len -= 2 + entry_len;
	}
	verify_audit_end(&a);
	check_result(&result);
	FUZZ_DEMAND(result.outcome != VERIFY_VERIFIED || taken == size);
}

struct tiles {
	const uint8_t *hashes;
	size_t len;
};

static enum verify_got tiles_get(void *ctx, unsigned level, uint64_t n, unsigned width, uint8_t *ret)
{
	const struct tiles *t = ctx;

	FUZZ_DEMAND(level == 0 && n == 0); /* Of a ledger this small. */
	if (t->len < (size_t)width * VERIFY_HASH_SIZE)
		return VERIFY_GOT_BAD;
	memcpy(ret, t->hashes, (size_t)width * VERIFY_HASH_SIZE);
	return VERIFY_GOT;
}

/* An export's files: the checkpoint's size, the length of the entry bundle, that, and then the tile. */
void fuzz_tiles(const uint8_t *bytes, size_t len)
{
	static struct verify_whole w;
	static const struct verify_whole_options none;
	const struct fixture *f = fixture();
	struct verify_bundled entries[FIXTURE_ENTRIES];
	char note[LIMIT_NOTE_SIZE_MAX];

	if (len < 3)
		return;
	unsigned size = bytes[0] % FIXTURE_ENTRIES + 1;
	size_t bundle = (size_t)bytes[1] << 8 | bytes[2];
	if (bundle > len - 3)
		bundle = len - 3;
	struct tiles tiles = {bytes + 3 + bundle, len - 3 - bundle};
	size_t note_len = fixture_checkpoint(f, size, (struct fixture_signers){.logs = 1, .cosigners = 3}, note);
	memset(&w, 0, sizeof w);
	w.tile = tiles_get;
	w.ctx = &tiles;
	w.options = &none;
	if (!verify_bundle_split(bytes + 3, bundle, size, entries))
		return;
	FUZZ_DEMAND(verify_whole_begin(&w, f->policy, note, note_len, &result));
	if (verify_whole_entries(&w, entries, size))
		verify_whole_end(&w);
	check_result(&result);
	if (result.outcome != VERIFY_VERIFIED)
		return;
	for (unsigned i = 0; i < size; i++)
		FUZZ_DEMAND(entries[i].len == f->entry[i].leaf_len &&
		            memcmp(entries[i].p, f->entry[i].leaf, entries[i].len) == 0);
}
