/* Seeded random commands: approvers' words, ends of grants, signals from outside. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <setjmp.h>
#include <sodium.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "node/decide/command_verdicts.h"
#include "node/decide/state.h"
#include "tests/decide_gen.h"
#include "tests/order_kit.h"

static const char *const approvers[] = {"a0", "a1", "a2", "a3"};
static const char *const persons[] = {"zoe", "yan", "zoe", "ada"};

static struct text text(const char *s)
{
	return (struct text){s, s != NULL ? strlen(s) : 0};
}

static void key_of(unsigned i, uint8_t pub[32], uint8_t sk[64])
{
	uint8_t seed[32] = {(uint8_t)(i + 1), 99};

	crypto_sign_seed_keypair(pub, sk, seed);
}

static void enrol(struct gen *g)
{
	unsigned i = (unsigned)gen_below(g, 4);
	uint8_t channel[32] = {(uint8_t)(200 + i), 1}, pub[32], sk[64];

	key_of(i, pub, sk);
	kit_enroll(&g->kit, approvers[i], ROLE_APPROVE | (i == 1 ? ROLE_SIGNAL : 0), channel, pub, persons[i]);
}

static void dismiss(struct gen *g)
{
	kit_remove(&g->kit, GEN_ONE_OF(g, approvers));
}

/* What waits, mostly; at times something that does not. */
static uint64_t some_index(struct gen *g)
{
	const struct state *s = g->kit.s;
	uint32_t slot = list_newest(&s->deferred_list);

	for (uint64_t n = gen_below(g, 4); n > 0 && slot != NO_SLOT && s->deferred[slot].all.older != 0; n--)
		slot = s->deferred[slot].all.older - 1;
	return slot == NO_SLOT || gen_below(g, 10) == 0 ? gen_recent(g) : s->deferred[slot].index;
}

static void say(struct gen *g)
{
	unsigned i = (unsigned)gen_below(g, 4), key = gen_below(g, 15) == 0 ? 3 - i : i;
	unsigned what = 1 + (unsigned)gen_below(g, 3);
	uint64_t index = some_index(g);
	uint8_t pub[32], sk[64];

	key_of(key, pub, sk);
	kit_say(&g->kit, approvers[i], index, what, gen_below(g, 6) == 0 ? "" : "so", sk);
}

/* Whoever proves themselves gets what grants there are: asks first, answers the next time. */
static void earn(struct gen *g)
{
	uint64_t challenge = gen_ada_challenge(g);

	if (challenge != 0)
		kit_answer(&g->kit, KIT_GATEWAY, challenge, "ada-key", g->kit.device_sk);
	else
		kit_ask_for(&g->kit, "ada", "deploy", "l1", "192.0.2.1");
}

/* One that stands now; at times, or if there is none, any entry. */
static uint64_t some_grant(struct gen *g)
{
	const struct state *s = g->kit.s;
	uint64_t found = 0, n = 0;

	for (uint32_t slot = list_newest(&s->standing_list); slot != NO_SLOT; slot = s->standing[slot].all.older - 1) {
		const struct standing *t = &s->standing[slot];
		if (t->kind == STANDING_GRANT && g->kit.now_ms < t->expiry_ms && gen_below(g, ++n) == 0)
			found = t->index;
		if (t->all.older == 0)
			break;
	}
	return n == 0 || gen_below(g, 10) == 0 ? gen_recent(g) : found;
}

static void end_grants(struct gen *g)
{
	static const char *const subjects[] = {"ada", "ada", "bob"};
	const struct draw d = gen_draw(g, subjects, 3);
	uint8_t elements[256];
	size_t len = 0;
	struct grant_revoke r;
	const struct signer signers[] = {{.name = "root", .sk = g->kit.admin_sk, .spoil = gen_below(g, 20) == 0}};

	if (list_newest(&g->kit.s->standing_list) == NO_SLOT && gen_below(g, 4) != 0)
		return; /* Grants are rare: orders to end them mostly wait for one. */
	draw_grant_revoke(&d, some_grant(g), &r);
	assert_int_equal(grant_revoke_encode_signed(&r, elements, sizeof(elements), &len), 0);
	order_apply(&g->kit, COMMAND_GRANT_REVOKE, KIT_ADMIN, elements, len, 3, signers, 1);
}

static void signal_outside(struct gen *g)
{
	static const char *const subjects[] = {"ada", "bob", "cyd"};
	static const char *const sessions[] = {"s1", "s2", "s3"};
	static const char *const devices[] = {"l1", "l2", "l3"};
	const struct principal *p = state_principal_by_name(g->kit.s, "a1", 2);
	struct outside o = {.event = 1 + (unsigned)gen_below(g, 4),
	                    .subject_type = text("user"),
	                    .event_ms = g->kit.now_ms,
	                    .reason = text("noticed")};
	uint8_t payload[1024];
	size_t len;

	o.subject_id = text(GEN_ONE_OF(g, subjects));
	if (o.event == OUTSIDE_RISK_LEVEL || o.event == OUTSIDE_ASSURANCE_LEVEL)
		o.level = 1 + (unsigned)gen_below(g, 3);
	o.about = o.event == OUTSIDE_SESSION_REVOKED ? ABOUT_SESSION : ABOUT_USER;
	if (o.event != OUTSIDE_CREDENTIAL_CHANGE && gen_below(g, 2) == 0) {
		o.session = text(GEN_ONE_OF(g, sessions));
		o.about = ABOUT_SESSION;
	} else if (o.event == OUTSIDE_RISK_LEVEL && gen_below(g, 2) == 0) {
		o.device = text(GEN_ONE_OF(g, devices));
		o.about = ABOUT_DEVICE;
	} else if (o.event == OUTSIDE_CREDENTIAL_CHANGE && gen_below(g, 2) == 0) {
		o.credential = text("ada-key");
	}
	assert_int_equal(outside_encode(&o, payload, sizeof(payload), &len), 0);
	kit_apply(&g->kit, COMMAND_OUTSIDE, p != NULL ? p->id : KIT_GATEWAY, NULL, payload, len, NULL, 0);
}

/* As many as a leader orders, where something is due. */
static void tick_if_due(struct gen *g)
{
	if (state_ticks_due(g->kit.s, g->kit.now_ms, 1) > 0)
		kit_tick(&g->kit);
}

const struct gen_step gen_steps_verdicts[] = {{4, say},        {2, enrol},          {1, dismiss},     {4, earn},
                                              {3, end_grants}, {1, signal_outside}, {2, tick_if_due}, {0, NULL}};
