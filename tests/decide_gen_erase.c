/* Seeded random commands: holds, retention, erasures, and nodes that have carried them out. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "ledger/entry.h"
#include "node/decide/erasure.h"
#include "tests/decide_gen.h"
#include "tests/order_kit.h"

static const char *const subjects[] = {"ada", "bob", "cyd", "nobody"};

/* Two administrators, as it takes; there is a second one after the first time. */
static void two_sign(struct gen *g, unsigned type, const void *elements, size_t len)
{
	struct signer signers[] = {{.name = "root", .sk = g->kit.admin_sk}, {.name = "second", .sk = g->second_sk}};
	uint8_t channel[32] = {2}, pub[32];
	unsigned n = gen_below(g, 10) == 0 ? 1 : 2;

	signers[1].spoil = gen_below(g, 30) == 0;
	if (state_principal_by_name(g->kit.s, "second", 6) == NULL) {
		kit_key(&g->kit, pub, g->second_sk);
		kit_enroll(&g->kit, "second", ROLE_ADMINISTER, channel, pub, NULL);
		return; /* One command a step. */
	}
	order_apply(&g->kit, type, KIT_ADMIN, elements, len, 6, signers, n);
}

static uint64_t some_hold(struct gen *g)
{
	const struct keeping *k = state_keeping(g->kit.s);

	for (unsigned i = 0; i < HOLDS_MAX; i++)
		if (k->holds[i].index != 0 && k->holds[i].lifted == 0)
			return k->holds[i].index;
	return gen_recent(g) + 1;
}

static void hold(struct gen *g)
{
	static const unsigned kinds[] = {ENTRY_DECISION, ENTRY_IMPORTED, ENTRY_OUTSIDE};
	const struct draw d = gen_draw(g, subjects, 4);
	struct hold_order o;
	uint8_t elements[512];
	size_t len;

	draw_hold(&d, some_hold(g), kinds, 3, &o);
	assert_int_equal(hold_order_encode_signed(&o, elements, sizeof(elements), &len), 0);
	two_sign(g, COMMAND_HOLD, elements, len);
}

static void erase(struct gen *g)
{
	const struct draw d = gen_draw(g, subjects, 4);
	uint8_t elements[512], blind[32];
	struct erase_order o;
	size_t len;

	memset(blind, (int)gen_below(g, 256), sizeof(blind));
	draw_erase(&d, gen_recent(g), blind, &o);
	assert_int_equal(erase_order_encode_signed(&o, elements, sizeof(elements), &len), 0);
	two_sign(g, COMMAND_ERASE, elements, len);
}

static void sweep(struct gen *g)
{
	const struct keeping *k = state_keeping(g->kit.s);
	struct state_head head;
	uint8_t payload[64];
	size_t len;

	state_head(g->kit.s, &head);
	for (unsigned kind = 1; kind <= ENTRY_KIND_MAX; kind++) {
		const struct retention *r = &k->retentions[kind];
		struct retention_sweep o = {kind, head.size, 0};
		if (r->keep_ms == 0 || gen_below(g, 2) == 0)
			continue;
		o.cutoff_ms = g->kit.now_ms - r->keep_ms + (gen_below(g, 10) == 0);
		assert_int_equal(retention_sweep_encode(&o, payload, sizeof(payload), &len), 0);
		kit_apply(&g->kit, COMMAND_ERASE, 0, NULL, payload, len, NULL, 0);
		return;
	}
}

static void done(struct gen *g)
{
	const struct keeping *k = state_keeping(g->kit.s);
	const struct roster *r = state_roster(g->kit.s);
	const struct erasure *e = keeping_due(k, r->nodes[gen_below(g, r->n)].id);
	struct erasure_done o = {r->nodes[gen_below(g, r->n)].id, 0, 0, 0};
	uint8_t payload[64];
	size_t len;

	if (e == NULL && gen_below(g, 10) != 0)
		return;
	o.index = e != NULL ? e->index : gen_recent(g);
	o.changed = gen_below(g, 100);
	assert_int_equal(erasure_done_encode(&o, payload, sizeof(payload), &len), 0);
	kit_apply(&g->kit, COMMAND_ERASURE_DONE, 0, NULL, payload, len, NULL, 0);
}

const struct gen_step gen_steps_erase[] = {{1, hold}, {1, erase}, {1, sweep}, {3, done}, {0, NULL}};
