/* Fuzzing: what people's browsers, issuers and apps send as proofs, and what is enrolled. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <sodium.h>
#include <string.h>

#include "client/cbor.h"
#include "ledger/bytes.h"
#include "node/decide/policy_form.h"
#include "node/evidence/verify.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/fuzz_evidence.h"

static const uint8_t key[32] = {1};
static const struct evidence_node node = {.id = 1, .channel_pub = key, .channel_secret = key};
static struct evidence e;

static void begin(unsigned method)
{
	static bool initialised;

	if (!initialised)
		evidence_init();
	initialised = true;
	memset(&e, 0, sizeof e);
	e.method = method;
	e.now_ms = FUZZ_EVIDENCE_NOW_MS;
	memset(e.bound.b, 7, sizeof e.bound.b);
}

/* Whatever comes: a reason for each refusal, and the same outcome when it is looked at again. */
static void verify(void)
{
	evidence_verify(&e, &node);
	FUZZ_DEMAND(memchr(e.found.why, 0, sizeof e.found.why) && memchr(e.found.acr, 0, sizeof e.found.acr));
	FUZZ_DEMAND(e.found.verified || e.found.why[0]);
	FUZZ_DEMAND(evidence_verify_again(&e, &node) == e.found.verified);
	uint8_t facts[EVIDENCE_FACTS_SIZE_MAX];
	size_t len;
	FUZZ_DEMAND(evidence_facts(&e, facts, sizeof facts, &len) == 0);
}

size_t fuzz_evidence_key(uint8_t *buf, size_t cap)
{
	uint8_t seed[32] = {9}, pub[32], sk[64];
	struct writer w;

	crypto_sign_seed_keypair(pub, sk, seed);
	writer_init(&w, buf, cap);
	writer_array(&w, 6);
	writer_cstr(&w, "example.org");
	writer_array(&w, 1);
	writer_cstr(&w, "https://example.org");
	writer_bin(&w, "cred", 4);
	writer_int(&w, -8);
	writer_bin(&w, pub, sizeof pub);
	writer_uint(&w, 0);
	return w.len;
}

void fuzz_assertion(const uint8_t *bytes, size_t len)
{
	begin(METHOD_WEBAUTHN);
	if (len > sizeof e.offered)
		return;
	e.data_len = fuzz_evidence_key(e.data, sizeof e.data);
	memcpy(e.offered, bytes, len);
	e.offered_len = len;
	verify();
}

void fuzz_registration(const uint8_t *bytes, size_t len)
{
	begin(METHOD_WEBAUTHN);
	if (len > sizeof e.data)
		return;
	memcpy(e.data, bytes, len);
	e.data_len = len;
	e.registers = true;
	verify();
	for (unsigned kind = 0; kind <= CREDENTIAL_ROOT + 1; kind++)
		(void)credential_data_valid(kind, bytes, len);
}

size_t fuzz_evidence_issuer(uint8_t *buf, size_t cap)
{
	uint8_t seed[32] = {9}, pub[32], sk[64], rsa[4 + 256];
	struct writer w;

	crypto_sign_seed_keypair(pub, sk, seed);
	memset(rsa, 0xa5, sizeof rsa);
	writer_init(&w, buf, cap);
	writer_array(&w, 4);
	writer_cstr(&w, "https://idp.example");
	writer_cstr(&w, "countersign");
	writer_uint(&w, 30000);
	writer_array(&w, 4);
	writer_array(&w, 3);
	writer_cstr(&w, "p1");
	writer_cstr(&w, "PS256");
	writer_bin(&w, rsa, sizeof rsa);
	writer_array(&w, 3);
	writer_cstr(&w, "d1");
	writer_cstr(&w, "EdDSA");
	writer_bin(&w, pub, sizeof pub);
	writer_array(&w, 3);
	writer_cstr(&w, "r1");
	writer_cstr(&w, "RS256");
	writer_bin(&w, rsa, sizeof rsa);
	writer_array(&w, 3);
	writer_cstr(&w, "e1");
	writer_cstr(&w, "ES256");
	writer_bin(&w, rsa, 64);
	return w.len;
}

void fuzz_token(const uint8_t *bytes, size_t len)
{
	struct writer w;

	begin(METHOD_OIDC);
	if (len > sizeof e.offered)
		return;
	writer_init(&w, e.data, sizeof e.data);
	writer_array(&w, 2);
	writer_cstr(&w, "idp");
	writer_cstr(&w, "ada-sub");
	e.data_len = w.len;
	e.issuer_len = fuzz_evidence_issuer(e.issuer, sizeof e.issuer);
	memcpy(e.offered, bytes, len);
	e.offered_len = len;
	verify();
}

void fuzz_attestation(const uint8_t *bytes, size_t len)
{
	struct attestation_object o;
	int64_t alg;

	if (attestation_object_read(&o, bytes, len)) {
		FUZZ_DEMAND(o.auth_data >= bytes && o.auth_data + o.auth_data_len <= bytes + len);
		FUZZ_DEMAND(o.statement >= bytes && o.statement + o.statement_len <= bytes + len);
		(void)auth_data_algorithm(o.auth_data, o.auth_data_len, &alg);
	}
	(void)auth_data_algorithm(bytes, len, &alg);
}
