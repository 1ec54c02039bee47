/* The person's own proof in a bundle: verified again, against the credential that was enrolled then. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "client/tool/verifyidentity.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/tool/bundleentry.h"
#include "ledger/verify_internal.h"
#include "node/decide/codec.h"
#include "node/decide/credential.h"
#include "node/decide/decide.h"
#include "node/decide/keys.h"
#include "node/decide/policy_form.h"
#include "node/evidence/verify.h"

struct identity {
	struct bundleentry answer, supports[FORMAT_BUNDLE_SUPPORTS];
	unsigned n_supports;
	struct verify_result *r;
	/* Of the answer. */
	uint64_t challenge, version;
	const uint8_t *digest;
	struct text method, credential, subject_type, subject_id;
	struct evidence evidence;
	/* Of the credential. */
	uint64_t enrolled;
	char key_text[96]; /* Which of its keys, where it had several. */
};

/* --- what is said --- */

static void refute(struct identity *d, const char *why)
{
	d->r->has_bad_index = true;
	d->r->bad_index = d->answer.e.index;
	verify_refute(d->r, "identity: %s", why);
}

static void unchecked(struct identity *d, const char *why)
{
	verify_say(d->r, VERIFY_MARK_UNCHECKED, "identity: not checked: %s", why);
}

static void missing(struct identity *d, const char *what, uint64_t index)
{
	verify_say(d->r, VERIFY_MARK_UNCHECKED,
	           "identity: not checked: %s, entry %" PRIu64
	           ", is not in the bundle, or its fields are not (countersign prove --evidence)",
	           what, index);
}

/* --- the entries --- */

static const struct bundleentry *support_at(const struct identity *d, uint64_t index)
{
	for (unsigned i = 0; i < d->n_supports; i++)
		if (d->supports[i].e.index == index)
			return &d->supports[i];
	return NULL;
}

/* What is pinned under that name: its newest entry before the answer, among those that came. */
static const struct bundleentry *pinned(const struct identity *d, struct text name, uint64_t kind)
{
	const struct bundleentry *newest = NULL;
	struct text found;
	uint64_t k;

	for (unsigned i = 0; i < d->n_supports; i++) {
		const struct bundleentry *s = &d->supports[i];
		if (s->e.kind == ENTRY_CREDENTIAL_ENROLLED && bundleentry_text(s, 1, &found) &&
		    bundleentry_number(s, 2, &k) && k == kind && text_compare(found, name) == 0 &&
		    s->e.index < d->answer.e.index && (!newest || s->e.index > newest->e.index))
			newest = s;
	}
	return newest;
}

static bool subject_of(const struct bundleentry *b, struct text *type, struct text *id)
{
	const struct field *f = body_find(b->fields, b->n_fields, FIELD_SUBJECT);
	struct reader r;

	if (!f)
		return false;
	reader_init(&r, f->value, f->value_len);
	codec_pair(&r, type, id);
	return reader_end(&r) == 0;
}

/* [method, credential, version, evidence], and what the answer is about. */
static bool read_answer(struct identity *d)
{
	const struct field *f = body_find(d->answer.fields, d->answer.n_fields, FIELD_EVIDENCE);
	const uint8_t *bytes = NULL;
	struct reader r;

	if (!f || !bundleentry_bin(&d->answer, 4, HASH_SIZE, &d->digest) ||
	    !bundleentry_number(&d->answer, 6, &d->challenge))
		return false;
	reader_init(&r, f->value, f->value_len);
	reader_array_exact(&r, 4);
	codec_text(&r, 1, 64, &d->method);
	codec_text(&r, 1, PRINCIPAL_NAME_SIZE_MAX, &d->credential);
	reader_uint(&r, UINT64_MAX, &d->version);
	reader_bin(&r, EVIDENCE_SIZE_MAX, &bytes, &d->evidence.offered_len);
	if (reader_end(&r))
		return false;
	memcpy(d->evidence.offered, bytes, d->evidence.offered_len);
	return subject_of(&d->answer, &d->subject_type, &d->subject_id);
}

/* What the proof must speak of. False: said why not. */
static bool read_challenge(struct identity *d)
{
	const struct bundleentry *c = support_at(d, d->challenge);
	const struct field *f = c ? body_find(c->fields, c->n_fields, FIELD_CHALLENGE) : NULL;
	const uint8_t *nonce = NULL, *digest;
	struct hash request;
	uint64_t expiry_ms = 0;
	struct text level = {"", 0};
	struct reader r;
	uint32_t n = 0;

	if (!f) {
		missing(d, "what opened the challenge", d->challenge);
		return false;
	}
	reader_init(&r, f->value, f->value_len);
	reader_array(&r, LIMIT_MSGPACK_NODES_MAX, &n);
	codec_fixed(&r, 32, &nonce);
	reader_uint(&r, UINT64_MAX, &expiry_ms);
	codec_text(&r, 1, 64, &level);
	if (r.err || !bundleentry_bin(c, 4, HASH_SIZE, &digest) || memcmp(digest, d->digest, HASH_SIZE) != 0) {
		refute(d, "the challenge that it names is of another request");
		return false;
	}
	memcpy(request.b, d->digest, HASH_SIZE);
	d->evidence.level = level_parse(level);
	d->evidence.message_len =
	        answer_message(d->evidence.message, d->r->origin, d->challenge, &request, nonce, expiry_ms);
	hash_bytes(&d->evidence.bound, d->evidence.message, d->evidence.message_len);
	d->evidence.now_ms = d->answer.e.time_ms;
	return true;
}

/* Of that name, for that subject, before the answer. False: said why not. */
static bool enrolment_fits(struct identity *d, const struct bundleentry *s)
{
	struct text name, type, id;

	if (s->e.index >= d->answer.e.index || !bundleentry_text(s, 1, &name) ||
	    text_compare(name, d->credential) != 0 || !subject_of(s, &type, &id) ||
	    text_compare(type, d->subject_type) != 0 || text_compare(id, d->subject_id) != 0) {
		refute(d, "the enrolment that it names is of another credential, or of another person");
		return false;
	}
	d->enrolled = s->e.index;
	return true;
}

/* The entry that enrolled the credential. NULL: said why not. */
static const struct bundleentry *read_enrolment(struct identity *d, unsigned kind)
{
	const struct bundleentry *s = support_at(d, d->version);
	struct text type, id;

	if (!s || s->e.kind != kind || !subject_of(s, &type, &id)) {
		missing(d, "the credential's enrolment", d->version);
		return NULL;
	}
	return enrolment_fits(d, s) ? s : NULL;
}

/* Whom the principal with this number was enrolled for: numbers are given once, and stay when keys change. */
static bool read_enrolment_of(struct identity *d, uint64_t principal)
{
	struct text type, id;
	uint64_t number;

	for (unsigned i = 0; i < d->n_supports; i++) {
		const struct bundleentry *s = &d->supports[i];
		if (s->e.kind == ENTRY_ENROLLED && bundleentry_number(s, 0, &number) && number == principal &&
		    subject_of(s, &type, &id))
			return enrolment_fits(d, s);
	}
	unchecked(d, "its key was changed since the enrolment, and the enrolment, or whom it is of, is not in the "
	             "bundle (countersign prove --evidence)");
	return false;
}

/* The data that a credential was enrolled with: [kind, name, data, authority]. */
static bool enrolled_data(const struct bundleentry *s, uint8_t *ret, size_t *ret_len)
{
	const struct field *f = body_find(s->fields, s->n_fields, FIELD_EVIDENCE);
	const uint8_t *bytes = NULL;
	struct text kind, name;
	struct reader r;

	if (!f)
		return false;
	reader_init(&r, f->value, f->value_len);
	reader_array_exact(&r, 4);
	codec_text(&r, 1, 64, &kind);
	codec_text(&r, 1, PRINCIPAL_NAME_SIZE_MAX, &name);
	reader_bin(&r, CREDENTIAL_DATA_SIZE_MAX, &bytes, ret_len);
	if (r.err)
		return false;
	memcpy(ret, bytes, *ret_len);
	return true;
}

/* --- by method --- */

static void conclude(struct identity *d, const char *what)
{
	const struct text *t = &d->subject_type, *id = &d->subject_id, *c = &d->credential;
	char why[VERIFY_TEXT_SIZE_MAX];

	if (!d->evidence.found.verified) {
		snprintf(why, sizeof why,
		         "the person's %s does not verify under %.*s as enrolled at entry %" PRIu64 "%s%s%s", what,
		         (int)c->len, c->s, d->enrolled, d->key_text, *d->evidence.found.why ? ": " : "",
		         d->evidence.found.why);
		refute(d, why);
		return;
	}
	verify_say(d->r, VERIFY_MARK_HELD,
	           "identity: %.*s %.*s answered the challenge of entry %" PRIu64
	           ": the %s verifies under %.*s, enrolled for that person at entry %" PRIu64 "%s",
	           (int)t->len, t->s, (int)id->len, id->s, d->challenge, what, (int)c->len, c->s, d->enrolled,
	           d->key_text);
}

/*
 * A change of keys, [place, id, name, key, key before, good up to, …]. The key before counts where it was good for a
 * tree of some size between the challenge's and the answer's: somewhere there the leader looked at the answer
 * (node/decide/keys.h).
 */
static bool check_rotated(struct identity *d, const struct bundleentry *k)
{
	uint64_t place, principal, until;
	const uint8_t *key, *before;
	struct text name;

	if (k->e.index >= d->answer.e.index || !bundleentry_number(k, 0, &place) || place != KEY_PLACE_SIGN ||
	    !bundleentry_number(k, 1, &principal) || !bundleentry_text(k, 2, &name) ||
	    text_compare(name, d->credential) != 0 || !bundleentry_bin(k, 3, sizeof d->evidence.key, &key) ||
	    !bundleentry_bin(k, 4, sizeof d->evidence.key, &before) || !bundleentry_number(k, 5, &until)) {
		refute(d, "the change of keys that it names is of another credential");
		return false;
	}
	if (!read_enrolment_of(d, principal))
		return false;
	memcpy(d->evidence.key, key, sizeof d->evidence.key);
	snprintf(d->key_text, sizeof d->key_text, ", by its key since entry %" PRIu64, d->version);
	evidence_verify(&d->evidence, NULL);
	if (d->evidence.found.verified || until < d->challenge + 2)
		return true;
	memcpy(d->evidence.key, before, sizeof d->evidence.key);
	evidence_verify(&d->evidence, NULL);
	if (d->evidence.found.verified)
		snprintf(d->key_text, sizeof d->key_text,
		         ", by the key before that of entry %" PRIu64 ", good up to size %" PRIu64, d->version, until);
	return true;
}

static void check_ed25519(struct identity *d)
{
	const struct bundleentry *named = support_at(d, d->version), *s;
	const uint8_t *key;

	d->evidence.method = METHOD_ED25519;
	if (named && named->e.kind == ENTRY_KEY) {
		if (check_rotated(d, named))
			conclude(d, "Ed25519 signature");
		return;
	}
	s = read_enrolment(d, ENTRY_ENROLLED);
	if (!s)
		return;
	if (!bundleentry_bin(s, 4, sizeof d->evidence.key, &key)) {
		refute(d, "the enrolment that it names has no signing key");
		return;
	}
	memcpy(d->evidence.key, key, sizeof d->evidence.key);
	evidence_verify(&d->evidence, NULL);
	conclude(d, "Ed25519 signature");
}

/* The key is what comes of the registration, which is verified on the way, as the leader did. */
static bool registered_key(struct identity *d, const struct bundleentry *s)
{
	struct evidence *g = calloc(1, sizeof *g);
	bool ok = g && enrolled_data(s, g->data, &g->data_len);

	if (ok) {
		g->method = METHOD_WEBAUTHN;
		g->registers = true;
		g->message_len =
		        register_message(g->message, d->r->origin, d->credential, d->subject_type, d->subject_id);
		hash_bytes(&g->bound, g->message, g->message_len);
		evidence_verify(g, NULL);
		if (g->found.verified) {
			memcpy(d->evidence.data, g->found.made, g->found.made_len);
			d->evidence.data_len = g->found.made_len;
		} else {
			refute(d, g->found.why);
		}
	} else {
		missing(d, "the credential's enrolment", d->version);
	}
	ok = ok && d->evidence.data_len > 0;
	free(g);
	return ok;
}

static void check_webauthn(struct identity *d)
{
	const struct bundleentry *s = read_enrolment(d, ENTRY_CREDENTIAL_ENROLLED);

	if (!s || !registered_key(d, s))
		return;
	d->evidence.method = METHOD_WEBAUTHN;
	evidence_verify(&d->evidence, NULL);
	conclude(d, "WebAuthn assertion");
}

static void check_oidc(struct identity *d)
{
	const struct bundleentry *s = read_enrolment(d, ENTRY_CREDENTIAL_ENROLLED), *i;
	struct credential_oidc o;

	if (!s)
		return;
	if (!enrolled_data(s, d->evidence.data, &d->evidence.data_len) ||
	    credential_oidc_read(&o, d->evidence.data, d->evidence.data_len) != 0) {
		missing(d, "the credential's enrolment", d->version);
		return;
	}
	i = pinned(d, o.issuer, CREDENTIAL_ISSUER);
	if (!i || !enrolled_data(i, d->evidence.issuer, &d->evidence.issuer_len)) {
		unchecked(d, "the issuer's pinned keys are not in the bundle (countersign prove --evidence)");
		return;
	}
	d->evidence.method = METHOD_OIDC;
	evidence_verify(&d->evidence, NULL);
	if (!d->evidence.found.verified) { /* It may have ended between the leader's look and the entry. */
		d->evidence.now_ms -= 60000;
		evidence_verify(&d->evidence, NULL);
	}
	conclude(d, "ID token's signature by its issuer");
}

static void check(struct identity *d)
{
	unsigned method;

	if (!read_answer(d)) {
		unchecked(d, "the evidence or the subject is not disclosed");
		return;
	}
	method = method_parse(d->method);
	if (method == METHOD_TOTP) {
		unchecked(d, "a one-time code binds nothing: nobody can look at it again, the leader vouches for it");
		return;
	}
	if (!read_challenge(d))
		return;
	if (method == METHOD_ED25519)
		check_ed25519(d);
	else if (method == METHOD_WEBAUTHN)
		check_webauthn(d);
	else if (method == METHOD_OIDC)
		check_oidc(d);
	else
		unchecked(d, "its method is none that is known here");
}

static bool open_all(struct identity *d, json_t *doc)
{
	json_t *each;
	size_t i;

	if (!bundleentry_open(&d->answer, doc))
		return false;
	json_array_foreach(json_object_get(doc, "supports"), i, each)
	{
		if (i == FORMAT_BUNDLE_SUPPORTS || !bundleentry_open(&d->supports[i], each))
			return false;
		d->n_supports++;
	}
	return true;
}

void verifyidentity(const char *json, size_t size, struct verify_result *r)
{
	struct identity *d = calloc(1, sizeof *d);
	json_t *doc = json_loadb(json, size, JSON_REJECT_DUPLICATES, NULL);
	uint64_t outcome = 0;

	if (d && doc && open_all(d, doc) && d->answer.e.kind == ENTRY_ANSWER &&
	    bundleentry_number(&d->answer, 7, &outcome) && outcome == ANSWER_MET) {
		d->r = r;
		evidence_init();
		if (r->proven)
			check(d);
		else /* Whoever made the bundle may have made the enrolment, too. */
			unchecked(d, "not each of its entries is proven");
	}
	for (unsigned i = 0; d && i < FORMAT_BUNDLE_SUPPORTS; i++)
		bundleentry_close(&d->supports[i]);
	if (d)
		bundleentry_close(&d->answer);
	json_decref(doc);
	free(d);
}
