/* The verifier's check of checkpoints: signed-note, tlog-checkpoint, tlog-cosignature, and the policy's quorum. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "ledger/verify_internal.h"

#include <inttypes.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>

/* Longer signatures are of types that we do not know (ML-DSA-44 has 2420 bytes): enough to read past them. */
#define SIGNATURE_SIZE_MAX 4096
#define COSIGNED_HEAD_MAX  (sizeof FORMAT_COSIGNATURE_HEAD + 20 + 1) /* A u64 has at most 20 digits. */

struct signature {
	struct verify_slice name;
	uint8_t bytes[SIGNATURE_SIZE_MAX]; /* Key id, then what the key's type says. */
	size_t len;
};

/* What has been found of one note so far. */
struct tally {
	const struct verify_policy *policy;
	struct verify_slice text; /* What is signed: with its last newline. */
	struct verify_result *result;
	unsigned unknown; /* Lines of keys that the policy does not have. */
	bool logs[VERIFY_POLICY_LOGS_MAX];
	bool cosigned[VERIFY_POLICY_NAMES_MAX];
	/* By keys that were retired, for sizes that they were good for. */
	bool retired_log, retired_cosigned[VERIFY_POLICY_NAMES_MAX];
};

/* signed-note, "Format": UTF-8 without control characters but newline; the text ends at the last empty line. */
static bool note_split(struct verify_slice note, struct verify_slice *ret_text, struct verify_slice *ret_lines)
{
	if (note.len < 2 || note.p[note.len - 1] != '\n' || !verify_utf8(note))
		return false;
	for (size_t i = 0; i < note.len; i++)
		if ((note.p[i] < 0x20 && note.p[i] != '\n') || note.p[i] == 0x7f)
			return false;
	for (size_t i = note.len - 1; i > 0; i--) {
		if (note.p[i] != '\n' || note.p[i - 1] != '\n')
			continue;
		*ret_text = (struct verify_slice){note.p, i};
		*ret_lines = (struct verify_slice){note.p + i + 1, note.len - i - 1};
		return ret_lines->len > 0;
	}
	return false;
}

/* tlog-checkpoint, three lines; an extension line would be signed text that nobody here understands. */
static bool checkpoint_read(struct verify_slice text, struct verify_result *r)
{
	struct verify_slice origin, size, root;
	uint8_t empty[VERIFY_HASH_SIZE];

	verify_line_take(&text, &origin); /* The text has one line at least: note_split. */
	if (!verify_line_take(&text, &size) || !verify_line_take(&text, &root) || text.len != 0 || origin.len == 0 ||
	    !verify_decimal(size, &r->size) || !verify_base64_exact(root, r->root, sizeof r->root))
		return verify_refute(r, "checkpoint: not an origin, a size and a root");
	if (origin.len > LIMIT_ORIGIN_SIZE_MAX || verify_controls(origin))
		return verify_undecided(r, "checkpoint: an origin that this verifier does not take");
	memcpy(r->origin, origin.p, origin.len);
	r->origin[origin.len] = '\0';
	r->has_checkpoint = true;
	verify_empty_root(empty);
	if (r->size == 0 && memcmp(r->root, empty, sizeof empty) != 0) {
		verify_bad_hash(r, empty, r->root);
		return verify_refute(r, "checkpoint: size 0 with a root that is not the empty tree's");
	}
	return true;
}

/* signed-note, "Format" of a signature line; names have no '+' and no space. */
static bool signature_read(struct verify_slice line, struct signature *ret)
{
	const size_t head = strlen(FORMAT_SIGNATURE_HEAD);
	const uint8_t *space;

	if (!verify_slice_begins(line, FORMAT_SIGNATURE_HEAD))
		return false;
	line.p += head;
	line.len -= head;
	space = memchr(line.p, ' ', line.len);
	if (!space || space == line.p)
		return false;
	ret->name = (struct verify_slice){line.p, (size_t)(space - line.p)};
	if (memchr(ret->name.p, '+', ret->name.len))
		return false;
	struct verify_slice base64 = {space + 1, line.len - ret->name.len - 1};
	return verify_base64(base64, ret->bytes, sizeof ret->bytes, &ret->len) && ret->len > 4;
}

static bool key_is(const struct verify_key *k, const struct signature *s)
{
	return verify_slice_is(s->name, k->name) && memcmp(k->id, s->bytes, sizeof k->id) == 0;
}

/* Keys are good for sizes: whoever stole one that was retired can set any clock back. */
static bool in_range(struct tally *t, const struct verify_key *k, const char *what)
{
	struct verify_result *r = t->result;

	if (r->size >= k->since && r->size <= k->until)
		return true;
	if (r->size > k->until)
		r->retired_misused = true;
	verify_say(r, VERIFY_MARK_UNCHECKED,
	           "%s of %s (key %02x%02x%02x%02x): does not count for size %" PRIu64 ", the key is good %s %" PRIu64,
	           what, k->name, k->id[0], k->id[1], k->id[2], k->id[3], r->size,
	           r->size > k->until ? "up to" : "from", r->size > k->until ? k->until : k->since);
	return false;
}

static bool log_signature_check(struct tally *t, unsigned i, const struct signature *s)
{
	const struct verify_key *k = &t->policy->logs[i];
	struct verify_result *r = t->result;
	const uint8_t *sig = s->bytes + sizeof k->id;

	if (s->len != sizeof k->id + crypto_sign_BYTES ||
	    crypto_sign_verify_detached(sig, t->text.p, t->text.len, k->pub) != 0)
		return verify_refute(r, "log signature of %s (key %02x%02x%02x%02x): bad", k->name, k->id[0], k->id[1],
		                     k->id[2], k->id[3]);
	if (strcmp(k->name, r->origin) != 0) {
		verify_say(r, VERIFY_MARK_UNCHECKED, "log signature of %s: good, but for another origin", k->name);
		return true;
	}
	if (!in_range(t, k, "log signature"))
		return true;
	if (!t->logs[i])
		r->n_log_signatures++;
	t->logs[i] = true;
	verify_say(r, VERIFY_MARK_HELD, "log signature of %s (key %02x%02x%02x%02x) over size %" PRIu64, k->name,
	           k->id[0], k->id[1], k->id[2], k->id[3], r->size);
	return true;
}

/* tlog-cosignature: what is signed is "cosignature/v1", the time in decimal, and the note's text. */
static bool cosignature_verifies(const struct tally *t, const struct verify_key *k, const struct signature *s,
                                 uint64_t *ret_time)
{
	uint8_t message[COSIGNED_HEAD_MAX + FORMAT_PROOF_SIZE_MAX]; /* verify_note has bounded the text. */
	const uint8_t *payload = s->bytes + sizeof k->id;
	uint64_t time_s = 0;

	if (s->len != sizeof k->id + VERIFY_COSIGNATURE_SIZE)
		return false;
	for (unsigned i = 0; i < 8; i++)
		time_s = time_s << 8 | payload[i];
	if (time_s > INT64_MAX)
		return false;
	snprintf((char *)message, COSIGNED_HEAD_MAX, "%s%" PRIu64 "\n", FORMAT_COSIGNATURE_HEAD, time_s);
	size_t head = strlen((const char *)message);
	memcpy(message + head, t->text.p, t->text.len);
	*ret_time = time_s;
	return crypto_sign_verify_detached(payload + 8, message, head + t->text.len, k->pub) == 0;
}

static bool cosignature_check(struct tally *t, unsigned i, const struct signature *s)
{
	const struct verify_name *w = &t->policy->names[i];
	uint64_t time_s = 0;

	if (!cosignature_verifies(t, &w->key, s, &time_s))
		return verify_refute(t->result, "cosignature of %s: bad", w->key.name);
	if (!in_range(t, &w->key, "cosignature"))
		return true;
	if (!t->cosigned[i])
		t->result->n_cosignatures++;
	t->cosigned[i] = true;
	verify_say(t->result, VERIFY_MARK_HELD, "cosignature of %s at POSIX time %" PRIu64, w->key.name, time_s);
	return true;
}

static bool retired_check(struct tally *t, const struct verify_retired *k, const struct signature *s)
{
	const uint8_t *sig = s->bytes + sizeof k->key.id;
	uint64_t time_s = 0;
	bool log = k->name < 0, good;

	good = log ? s->len == sizeof k->key.id + crypto_sign_BYTES &&
	                       crypto_sign_verify_detached(sig, t->text.p, t->text.len, k->key.pub) == 0
	           : cosignature_verifies(t, &k->key, s, &time_s);
	if (!good)
		return verify_refute(t->result, "signature of %s by a retired key: bad", k->key.name);
	if (!in_range(t, &k->key, log ? "log signature by a retired key" : "cosignature by a retired key"))
		return true;
	if (!log)
		t->retired_cosigned[k->name] = true;
	else if (strcmp(k->key.name, t->result->origin) == 0)
		t->retired_log = true;
	verify_say(t->result, VERIFY_MARK_UNCHECKED,
	           "%s of %s (key %02x%02x%02x%02x): by a key that was retired, good up to size %" PRIu64,
	           log ? "log signature" : "cosignature", k->key.name, k->key.id[0], k->key.id[1], k->key.id[2],
	           k->key.id[3], k->key.until);
	return true;
}

/* signed-note, "Verifying": unknown keys are ignored; one bad signature of a known key spoils the note. */
static bool signature_check(struct tally *t, const struct signature *s)
{
	bool known = false;

	for (unsigned i = 0; i < t->policy->n_logs; i++) {
		if (!key_is(&t->policy->logs[i], s))
			continue;
		known = true;
		if (!log_signature_check(t, i, s))
			return false;
	}
	for (unsigned i = 0; i < t->policy->n_names; i++) {
		if (t->policy->names[i].is_group || !key_is(&t->policy->names[i].key, s))
			continue;
		known = true;
		if (!cosignature_check(t, i, s))
			return false;
	}
	for (unsigned i = 0; i < t->policy->n_retired; i++) {
		if (!key_is(&t->policy->retired[i].key, s))
			continue;
		known = true;
		if (!retired_check(t, &t->policy->retired[i], s))
			return false;
	}
	t->unknown += !known;
	return true;
}

static bool signatures_check(struct tally *t, struct verify_slice lines)
{
	struct signature s;
	struct verify_slice line;

	for (unsigned n = 0; lines.len > 0; n++) {
		if (n == VERIFY_SIGNATURES_MAX)
			return verify_undecided(t->result, "checkpoint: more than %d signature lines",
			                        VERIFY_SIGNATURES_MAX);
		verify_line_take(&lines, &line); /* Each of them ends: note_split. */
		if (!signature_read(line, &s))
			return verify_refute(t->result, "checkpoint: signature line %u is malformed", n + 1);
		if (!signature_check(t, &s))
			return false;
	}
	if (t->unknown > 0)
		verify_say(t->result, VERIFY_MARK_UNCHECKED, "%u signature line%s of unknown keys, ignored", t->unknown,
		           t->unknown == 1 ? "" : "s");
	return true;
}

/* Names are defined before they are members, so each group's count is complete when its turn comes. */
static bool quorum_reached(const struct tally *t, bool with_retired)
{
	const struct verify_policy *p = t->policy;
	unsigned count[VERIFY_POLICY_NAMES_MAX] = {0};
	bool reached = false;

	for (unsigned i = 0; i < p->n_names; i++) {
		bool held = p->names[i].is_group ? count[i] >= p->names[i].need
		                                 : t->cosigned[i] || p->names[i].presumed ||
		                                           (with_retired && t->retired_cosigned[i]);

		if (held && p->names[i].parent >= 0)
			count[p->names[i].parent]++;
		if ((int)i == p->quorum)
			reached = held;
	}
	return reached;
}

bool verify_note(const struct verify_policy *p, struct verify_slice note, struct verify_result *r)
{
	struct tally t = {.policy = p, .result = r};
	struct verify_slice lines;

	if (note.len > FORMAT_PROOF_SIZE_MAX)
		return verify_undecided(r, "checkpoint: larger than this verifier takes");
	if (!note_split(note, &t.text, &lines))
		return verify_refute(r, "checkpoint: not a signed note");
	if (!checkpoint_read(t.text, r) || !signatures_check(&t, lines))
		return false;
	r->quorum_reached = quorum_reached(&t, false);
	r->retired_reached = (r->n_log_signatures > 0 || t.retired_log) && quorum_reached(&t, true) &&
	                     !(r->n_log_signatures > 0 && r->quorum_reached);
	if (r->quorum_reached)
		verify_say(r, VERIFY_MARK_HELD, "quorum %s: reached for size %" PRIu64, p->names[p->quorum].name,
		           r->size);
	else if (p->quorum >= 0)
		verify_say(r, VERIFY_MARK_UNCHECKED, "quorum %s: not reached", p->names[p->quorum].name);
	else
		verify_say(r, VERIFY_MARK_UNCHECKED, "quorum: the trust policy asks for none");
	return true;
}

void verify_conclude(struct verify_result *r)
{
	if (r->retired_reached) {
		verify_undecided(r,
		                 "size %" PRIu64
		                 " is under keys that were retired since: it counts only with a proof that "
		                 "a ledger under current keys has grown from it",
		                 r->size);
	} else if (r->retired_misused && (r->n_log_signatures == 0 || !r->quorum_reached)) {
		verify_undecided(r,
		                 "a key that was retired has signed size %" PRIu64
		                 ", for which it is not good any more: ask who has it",
		                 r->size);
	} else if (r->n_log_signatures == 0) {
		verify_undecided(r, "no log key of the trust policy has signed for %s", r->origin);
	} else if (!r->quorum_reached) {
		verify_undecided(r, "the leader's claim only: no quorum of cosignatures for size %" PRIu64, r->size);
	} else {
		r->outcome = VERIFY_VERIFIED;
		snprintf(r->reason, sizeof r->reason,
		         "verified under %u log key%s and %u cosignature%s for size %" PRIu64, r->n_log_signatures,
		         r->n_log_signatures == 1 ? "" : "s", r->n_cosignatures, r->n_cosignatures == 1 ? "" : "s",
		         r->size);
	}
}

void verify_checkpoint(const struct verify_policy *p, const void *note, size_t len, struct verify_result *ret)
{
	verify_result_init(ret);
	if (verify_note(p, (struct verify_slice){note, len}, ret))
		verify_conclude(ret);
}
