/* Simulated credentials beyond device keys: security keys, codes and ID tokens; enrolled, answered with, revoked. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <liboath/oath.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>

#include "ledger/errors.h"
#include "node/decide/credential.h"
#include "node/decide/roster.h"
#include "tests/sim/admin_internal.h"
#include "tests/sim/cluster.h"
#include "tests/sim/os.h"
#include "tests/sim/voters.h"
#include "tests/token.h"

#define PERIOD_S     15 /* Of a code: the shortest there is, for a run is short. */
#define ISSUER       "idp"
#define FLAGS_PROVEN 5 /* User present, user verified. */

/* Those of each person, ada-0 and up; their kinds are numbers from 0 here. */
enum { FIDO, CODES, TOKENS, KINDS };
static const unsigned kinds[KINDS] = {CREDENTIAL_WEBAUTHN, CREDENTIAL_TOTP, CREDENTIAL_OIDC};
static const char *const methods[KINDS] = {"webauthn", "totp", "oidc"};

static struct person {
	bool enrolled[KINDS], ever[KINDS];
	uint8_t fido_pub[32], fido_sk[64], secret[TOKEN_SECRET_SIZE];
	uint32_t counter;
} people[CLUSTER_DEVICES];
static uint8_t issuer_pub[32], issuer_sk[64];
static bool issuer;
static struct { /* The order that is under way. */
	bool issuer;
	unsigned person, kind;
} ordered;

void credentials_begin(void)
{
	uint8_t seed[32];

	for (unsigned i = 0; i < CLUSTER_DEVICES; i++) {
		os_random_bytes(seed, sizeof seed);
		crypto_sign_seed_keypair(people[i].fido_pub, people[i].fido_sk, seed);
		os_random_bytes(people[i].secret, sizeof people[i].secret);
		people[i].counter = 1;
	}
	os_random_bytes(seed, sizeof seed);
	crypto_sign_seed_keypair(issuer_pub, issuer_sk, seed);
}

static void name_of(unsigned person, unsigned kind, char ret[16])
{
	snprintf(ret, 16, "%s-%u", methods[kind], person);
}

/* --- orders --- */

static size_t data_of(unsigned person, unsigned kind, const char *name, const char *subject, uint8_t *buf)
{
	const struct roster *r = voters_roster();
	struct token_node nodes[ROSTER_NODES_MAX];

	if (kind == FIDO)
		return token_webauthn_data(buf, CLUSTER_ORIGIN, name, subject, people[person].fido_pub);
	if (kind == TOKENS)
		return token_oidc_data(buf, ISSUER, subject);
	for (unsigned i = 0; i < r->n; i++)
		nodes[i] = (struct token_node){r->nodes[i].id, r->nodes[i].channel_pub};
	return token_totp_data(buf, CLUSTER_ORIGIN, name, people[person].secret, PERIOD_S, nodes, r->n);
}

static void ask_enrolment(struct client *c, const char *name, const char *subject)
{
	static uint8_t data[CREDENTIAL_DATA_SIZE_MAX];
	uint8_t elements[CREDENTIAL_SIGNED_SIZE_MAX];
	struct credential_order o = {.name = client_text(name), .data = data, .authority.by_admin = true};
	size_t len = 0;

	o.kind = ordered.issuer ? CREDENTIAL_ISSUER : kinds[ordered.kind];
	o.data_len = ordered.issuer ? token_issuer_data(data, issuer_pub)
	                            : data_of(ordered.person, ordered.kind, name, subject, data);
	if (!ordered.issuer) {
		o.subject_type = client_text("user");
		o.subject_id = client_text(subject);
	}
	client_begin(c, WIRE_CREDENTIAL_ENROL);
	admin_good(credential_order_encode_signed(&o, elements, sizeof elements, &len));
	admin_sign(COMMAND_CREDENTIAL_ENROL, elements, len, &o.authority.admin);
	admin_good(credential_order_encode(&o, c->request.body, sizeof c->request.body, &c->request.body_len));
	client_ask(c);
}

static void ask_revocation(struct client *c, const char *name)
{
	uint8_t elements[CREDENTIAL_SIGNED_SIZE_MAX];
	struct credential_revocation v = {
	        .name = client_text(name), .reason = client_text("lost"), .authority.by_admin = true};
	size_t len = 0;

	client_begin(c, WIRE_CREDENTIAL_REVOKE);
	admin_good(credential_revocation_encode_signed(&v, elements, sizeof elements, &len));
	admin_sign(COMMAND_CREDENTIAL_REVOKE, elements, len, &v.authority.admin);
	admin_good(credential_revocation_encode(&v, c->request.body, sizeof c->request.body, &c->request.body_len));
	client_ask(c);
}

bool admin_ask_credential(struct client *c)
{
	unsigned person = (unsigned)os_below(CLUSTER_DEVICES), kind = (unsigned)os_below(KINDS);
	char name[16] = ISSUER, subject[WHO_SIZE] = "";

	for (unsigned i = 0; i < KINDS && os_chance(700000) && !people[person].enrolled[kind]; i++)
		kind = (kind + 1) %
		       KINDS; /* What is enrolled goes and comes: most of what is proven is proven in between. */
	ordered.issuer = !issuer;
	ordered.person = person;
	ordered.kind = kind;
	if (ordered.issuer) {
		ask_enrolment(c, name, subject);
		return true;
	}
	name_of(person, kind, name);
	client_who(WHO_ADA + person, subject);
	if (people[person].enrolled[kind])
		ask_revocation(c, name);
	else
		ask_enrolment(c, name, subject);
	return true;
}

void admin_credential_done(unsigned wire_type)
{
	struct person *p = &people[ordered.person];

	if (ordered.issuer)
		issuer = true;
	else
		p->enrolled[ordered.kind] = wire_type == WIRE_CREDENTIAL_ENROL;
	p->ever[ordered.kind] |= p->enrolled[ordered.kind];
}

/* What an earlier try has done after all. */
void admin_credential_refused(int err)
{
	struct person *p = &people[ordered.person];

	if (err != CS_ERR_EXISTS && err != CS_ERR_NOT_FOUND)
		return;
	if (ordered.issuer)
		issuer = err == CS_ERR_EXISTS;
	else
		p->enrolled[ordered.kind] = err == CS_ERR_EXISTS;
}

/* --- answers --- */

static size_t evidence_of(unsigned person, unsigned kind, const uint8_t *message, size_t len, uint8_t *buf)
{
	struct person *p = &people[person];
	char subject[WHO_SIZE], code[8];

	client_who(WHO_ADA + person, subject);
	if (kind == FIDO)
		return token_assertion(buf, FLAGS_PROVEN, ++p->counter, message, len, p->fido_sk);
	if (kind == TOKENS)
		return token_id_token((char *)buf, subject, client_wall_ms() / 1000, "", message, len, issuer_sk);
	if (oath_totp_generate((const char *)p->secret, sizeof p->secret, (time_t)(client_wall_ms() / 1000), PERIOD_S,
	                       0, 6, code) != OATH_OK)
		os_fail(0, "the simulator made no code");
	memcpy(buf, code, 6);
	return 6;
}

/* One that was revoked, if there is any, is tried as often as the others. */
static bool draw_kind(const struct person *p, unsigned *ret)
{
	bool revoked = os_chance(500000);
	unsigned first = (unsigned)os_below(KINDS);

	for (unsigned tries = 0; tries < 2 * KINDS; tries++) {
		*ret = (first + tries) % KINDS;
		if (p->ever[*ret] && (tries >= KINDS || p->enrolled[*ret] != revoked))
			return true;
	}
	return false;
}

bool credentials_answer(const struct client *c, const uint8_t *message, size_t len, struct answer *ret)
{
	static uint8_t evidence[EVIDENCE_SIZE_MAX];
	static char name[16];
	unsigned person = c->challenged_who - WHO_ADA, kind;

	if (c->challenged_who < WHO_ADA || person >= CLUSTER_DEVICES || !draw_kind(&people[person], &kind))
		return false;
	name_of(person, kind, name);
	ret->method = client_text(methods[kind]);
	ret->credential = client_text(name);
	ret->evidence = evidence;
	ret->evidence_len = evidence_of(person, kind, message, len, evidence);
	return true;
}
