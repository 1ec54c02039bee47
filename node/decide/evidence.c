/* Evidence: Ed25519, and the facts that come of any method. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "node/decide/evidence.h"

#include <sodium.h>
#include <string.h>

#include "ledger/errors.h"
#include "node/decide/codec.h"
#include "node/decide/policy_form.h"

#define FACTS_ELEMENTS              3
#define FACTS_ELEMENTS_FURTHER      12
#define FACTS_ELEMENTS_REGISTRATION 4

void evidence_verify_ed25519(struct evidence *e)
{
	memset(&e->found, 0, sizeof(e->found));
	e->found.verified = e->offered_len == crypto_sign_BYTES &&
	                    (crypto_sign_verify_detached(e->offered, e->message, e->message_len, e->key) == 0 ||
	                     (e->has_key_before &&
	                      crypto_sign_verify_detached(e->offered, e->message, e->message_len, e->key_before) == 0));
}

static void write_further(struct writer *w, const struct evidence *e)
{
	const struct evidence_found *f = &e->found;

	writer_uint(w, f->level);
	writer_uint(w, f->counter);
	if (f->has_once)
		writer_bin(w, f->once, sizeof(f->once));
	else
		writer_nil(w);
	writer_uint(w, f->once_until_ms);
	writer_uint(w, f->auth_time_ms);
	/* What a token says of itself may be no text that a writer takes. */
	writer_cstr(w, utf8_valid(f->acr, strlen(f->acr)) ? f->acr : "");
	writer_uint(w, e->now_ms);
	writer_cstr(w, f->why);
	writer_uint(w, e->issuer_version);
}

int evidence_facts(const struct evidence *e, uint8_t *buf, size_t cap, size_t *ret_len)
{
	bool further = e->method != 0 && e->method != METHOD_ED25519;
	struct writer w;

	writer_init(&w, buf, cap);
	if (e->registers) {
		writer_array(&w, FACTS_ELEMENTS_REGISTRATION);
		writer_bool(&w, e->found.verified);
		writer_uint(&w, e->issuer_version);
		writer_uint(&w, e->found.counter);
		writer_bin(&w, e->found.made, e->found.made_len);
		return writer_end(&w, ret_len);
	}
	writer_array(&w, further ? FACTS_ELEMENTS_FURTHER : FACTS_ELEMENTS);
	writer_bool(&w, e->found.verified);
	writer_uint(&w, e->credential);
	writer_uint(&w, e->version);
	if (further)
		write_further(&w, e);
	return writer_end(&w, ret_len);
}

static void read_text(struct reader *r, char *ret, size_t len_max)
{
	struct text t = {0};

	codec_text(r, 0, len_max, &t);
	if (t.len > 0)
		memcpy(ret, t.s, t.len);
}

static void read_further(struct reader *r, struct evidence_facts *f)
{
	struct evidence_found *found = &f->found;
	uint64_t level = 0;

	reader_uint(r, LEVEL_ATTESTED, &level);
	reader_uint(r, UINT64_MAX, &found->counter);
	found->has_once = !reader_nil(r);
	if (found->has_once)
		reader_bin_exact(r, found->once, sizeof(found->once));
	reader_uint(r, UINT64_MAX, &found->once_until_ms);
	reader_uint(r, UINT64_MAX, &found->auth_time_ms);
	read_text(r, found->acr, EVIDENCE_ACR_SIZE_MAX);
	reader_uint(r, UINT64_MAX, &found->at_ms);
	read_text(r, found->why, EVIDENCE_WHY_SIZE_MAX);
	reader_uint(r, UINT64_MAX, &f->issuer_version);
	found->level = (unsigned)level;
}

int evidence_facts_read(struct evidence_facts *ret, const void *bytes, size_t len)
{
	struct reader r;
	uint32_t n = 0;

	memset(ret, 0, sizeof(*ret));
	reader_init(&r, bytes, len);
	reader_array(&r, FACTS_ELEMENTS_FURTHER, &n);
	if (r.err == 0 && n != FACTS_ELEMENTS && n != FACTS_ELEMENTS_FURTHER)
		return CS_ERR_MALFORMED;
	ret->further = n == FACTS_ELEMENTS_FURTHER;
	reader_bool(&r, &ret->found.verified);
	reader_uint(&r, UINT64_MAX, &ret->credential);
	reader_uint(&r, UINT64_MAX, &ret->version);
	if (ret->further)
		read_further(&r, ret);
	return reader_end(&r);
}

int evidence_facts_read_registration(struct evidence_facts *ret, const void *bytes, size_t len)
{
	const uint8_t *made = NULL;
	struct reader r;

	memset(ret, 0, sizeof(*ret));
	reader_init(&r, bytes, len);
	reader_array_exact(&r, FACTS_ELEMENTS_REGISTRATION);
	reader_bool(&r, &ret->found.verified);
	reader_uint(&r, UINT64_MAX, &ret->issuer_version);
	reader_uint(&r, UINT32_MAX, &ret->found.counter);
	reader_bin(&r, CREDENTIAL_MADE_SIZE_MAX, &made, &ret->found.made_len);
	if (made != NULL)
		memcpy(ret->found.made, made, ret->found.made_len);
	return reader_end(&r);
}
