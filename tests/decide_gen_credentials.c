/* Seeded random commands: credentials enrolled, revoked, and answers by them, as a leader's verifiers would tell. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "ledger/bytes.h"
#include "node/decide/credential.h"
#include "node/decide/evidence.h"
#include "node/decide/policy_form.h"
#include "tests/decide_gen.h"

#define TOTP_STEP_MS 30000

static const char *const persons[] = {"ada", "ada", "bob"};

static struct text text(const char *s)
{
	return (struct text){s, strlen(s)};
}

/* --- what is enrolled: shapes alone, no key behind them --- */

static size_t totp_data(struct gen *g, uint8_t *buf, size_t cap)
{
	static const uint8_t sealed[TOTP_CONTEXT_SIZE + 20 + 48];
	const struct roster *r = state_roster(g->kit.s);
	struct writer w;

	writer_init(&w, buf, cap);
	writer_array(&w, 4);
	writer_uint(&w, 1);
	writer_uint(&w, 6);
	writer_uint(&w, 30);
	writer_array(&w, r->n);
	for (unsigned i = 0; i < r->n; i++) {
		writer_array(&w, 2);
		writer_uint(&w, r->nodes[i].id);
		writer_bin(&w, sealed, sizeof(sealed));
	}
	return w.len;
}

static size_t issuer_data(struct gen *g, uint8_t *buf, size_t cap)
{
	uint8_t key[32] = {0};
	struct writer w;

	key[0] = (uint8_t)gen_below(g, 3);
	writer_init(&w, buf, cap);
	writer_array(&w, 4);
	writer_cstr(&w, "https://idp.example");
	writer_cstr(&w, "countersign");
	writer_uint(&w, 30000);
	writer_array(&w, 1);
	writer_array(&w, 3);
	writer_cstr(&w, "d1");
	writer_cstr(&w, "EdDSA");
	writer_bin(&w, key, sizeof(key));
	return w.len;
}

static size_t oidc_data(uint8_t *buf, size_t cap)
{
	struct writer w;

	writer_init(&w, buf, cap);
	writer_array(&w, 2);
	writer_cstr(&w, "idp");
	writer_cstr(&w, "sub");
	return w.len;
}

static void rp(struct writer *w, unsigned elements)
{
	writer_array(w, elements);
	writer_cstr(w, "example.org");
	writer_array(w, 1);
	writer_cstr(w, "https://example.org");
}

static size_t registration_data(uint8_t *buf, size_t cap)
{
	struct writer w;

	writer_init(&w, buf, cap);
	rp(&w, 8);
	writer_int(&w, -8);
	writer_bin(&w, "{}", 2);
	writer_bin(&w, "auth", 4);
	writer_cstr(&w, "none");
	writer_bin(&w, "\xa0", 1);
	writer_cstr(&w, "");
	return w.len;
}

/* What the leader makes of a registration. */
static size_t registration_facts(struct gen *g, uint8_t *buf, size_t cap)
{
	static const uint8_t key[32] = {1};
	uint8_t made[256];
	struct writer w, m;

	writer_init(&m, made, sizeof(made));
	rp(&m, 6);
	writer_bin(&m, "cred", 4);
	writer_int(&m, -8);
	writer_bin(&m, key, sizeof(key));
	writer_uint(&m, gen_below(g, 8));
	writer_init(&w, buf, cap);
	writer_array(&w, 4);
	writer_bool(&w, gen_below(g, 10) != 0);
	writer_uint(&w, 0);
	writer_uint(&w, gen_below(g, 5));
	writer_bin(&w, made, m.len);
	assert_int_equal(w.err, 0);
	return w.len;
}

/* --- orders --- */

static void enrol(struct gen *g)
{
	static const unsigned kinds[] = {CREDENTIAL_WEBAUTHN, CREDENTIAL_TOTP, CREDENTIAL_OIDC, CREDENTIAL_ISSUER};
	static const char *const names[] = {"c-fido", "c-totp", "c-oidc", "idp"};
	static uint8_t payload[8192], data[CREDENTIAL_DATA_SIZE_MAX];
	uint8_t elements[CREDENTIAL_SIGNED_SIZE_MAX], facts[512], sig[64];
	unsigned i = (unsigned)gen_below(g, 4);
	struct credential_order o = {.name = text(names[i]), .kind = kinds[i], .data = data};
	size_t len, facts_len = 0;

	o.data_len = i == 0   ? registration_data(data, sizeof(data))
	             : i == 1 ? totp_data(g, data, sizeof(data))
	             : i == 2 ? oidc_data(data, sizeof(data))
	                      : issuer_data(g, data, sizeof(data));
	if (i == 0)
		facts_len = registration_facts(g, facts, sizeof(facts));
	if (kinds[i] != CREDENTIAL_ISSUER) {
		o.subject_type = text("user");
		o.subject_id = text(GEN_ONE_OF(g, persons));
	}
	o.authority.by_admin = true;
	o.authority.admin = (struct admin_signature){
	        .name = text("root"), .sequence = ++g->kit.sequence, .expiry_ms = g->kit.now_ms + 60000};
	assert_int_equal(credential_order_encode_signed(&o, elements, sizeof(elements), &len), 0);
	kit_sign(&g->kit, COMMAND_CREDENTIAL_ENROL, &o.authority.admin, elements, len, sig);
	sig[0] ^= gen_below(g, 30) == 0;
	assert_int_equal(credential_order_encode(&o, payload, sizeof(payload), &len), 0);
	kit_apply(&g->kit, COMMAND_CREDENTIAL_ENROL, KIT_ADMIN, NULL, payload, len, i == 0 ? facts : NULL, facts_len);
}

static void revoke(struct gen *g)
{
	static const char *const names[] = {"c-fido", "c-totp", "c-oidc", "idp", "nobody"};
	uint8_t elements[CREDENTIAL_SIGNED_SIZE_MAX];
	struct credential_revocation v = {.name = text(GEN_ONE_OF(g, names)), .reason = text("lost")};
	size_t len;

	assert_int_equal(credential_revocation_encode_signed(&v, elements, sizeof(elements), &len), 0);
	gen_order(g, COMMAND_CREDENTIAL_REVOKE, elements, len, 2);
}

/* --- answers --- */

/* As verifiers find it, mostly; counters rise, stay and fall, tokens come again. */
static void find(struct gen *g, struct evidence *e)
{
	struct evidence_found *f = &e->found;

	memset(f, 0, sizeof(*f));
	f->verified = gen_below(g, 5) != 0;
	f->level = 1 + (unsigned)gen_below(g, 3);
	f->counter = e->method == METHOD_TOTP ? e->now_ms / TOTP_STEP_MS : gen_below(g, 8);
	if (e->method == METHOD_OIDC) {
		f->has_once = gen_below(g, 3) != 0;
		f->once[0] = (uint8_t)gen_below(g, 8);
		f->once_until_ms = e->now_ms + 60000;
		f->auth_time_ms = e->now_ms - gen_below(g, 600000);
		strcpy(f->acr, gen_below(g, 2) == 0 ? "" : "aal2");
	}
	if (!f->verified)
		strcpy(f->why, "it is not so");
}

static void answer(struct gen *g)
{
	static const char *const methods[] = {"webauthn", "totp", "oidc"}, *const names[] = {"c-fido", "c-totp",
	                                                                                     "c-oidc"};
	static struct evidence e;
	uint8_t payload[512], facts[EVIDENCE_FACTS_SIZE_MAX], id[16];
	unsigned i = (unsigned)gen_below(g, 3);
	struct kit *k = &g->kit;
	struct answer a = {.method = text(methods[i]),
	                   .credential = text(names[i]),
	                   .evidence = (const uint8_t *)"123456",
	                   .evidence_len = 6};
	struct challenge c;
	size_t len, facts_len;
	char why[160];

	a.challenge = gen_recent(g);
	for (unsigned tries = 0; tries < 8 && !state_challenge(k->s, a.challenge, &c); tries++)
		a.challenge = gen_recent(g);
	assert_int_equal(answer_encode(&a, payload, sizeof(payload), &len), 0);
	kit_next_id(k, id);
	if (decide_evidence(k->s, k->now_ms, COMMAND_ANSWER, KIT_GATEWAY, id, payload, len, &e, why) != 0)
		return; /* No leader would propose it. */
	if (e.method != 0)
		find(g, &e);
	assert_int_equal(evidence_facts(&e, facts, sizeof(facts), &facts_len), 0);
	kit_apply(k, COMMAND_ANSWER, KIT_GATEWAY, id, payload, len, facts, facts_len);
}

const struct gen_step gen_steps_credentials[] = {{2, enrol}, {1, revoke}, {3, answer}, {0, NULL}};
