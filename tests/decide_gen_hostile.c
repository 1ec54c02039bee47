/* Seeded random commands: what nobody sound would send: damaged, spliced, of the wrong asker, noise. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "tests/decide_gen.h"

static void decide_bytes(struct gen *g, size_t len)
{
	struct kit *k = &g->kit;

	k->command_len = len;
	decide(k->s, k->now_ms, k->command, len, k->out);
	if (k->out->outcome == DECIDE_ENTRY)
		kit_check_entry(k); /* A damaged seed or name makes another command, and that is a sound one. */
}

static void damage(struct gen *g)
{
	size_t len = g->last_len;

	for (uint64_t n = gen_below(g, 4) + 1; n > 0; n--) {
		uint8_t *byte = &g->kit.command[gen_below(g, len)];
		*byte ^= (uint8_t)(1 << gen_below(g, 8));
	}
	if (gen_below(g, 3) == 0)
		len = gen_below(g, len + 1);
	decide_bytes(g, len);
}

/* The last command's payload and facts, and facts that no honest leader found, under another type or asker. */
static void splice(struct gen *g)
{
	static uint8_t before[sizeof(g->kit.command)];
	static const uint8_t claims[] = {0x93, 1, 5, 3}; /* "The evidence holds", and the like. */
	struct command c;
	size_t len;

	memcpy(before, g->kit.command, g->last_len);
	if (command_decode(&c, before, g->last_len) != 0)
		return;
	switch (gen_below(g, 4)) {
	case 0:
		c.type = 1 + (unsigned)gen_below(g, COMMAND_TYPE_MAX + 2);
		break;
	case 1:
		c.principal = gen_below(g, 12);
		break;
	case 2:
		c.facts = claims;
		c.facts_len = sizeof(claims);
		break;
	default:
		c.payload = c.facts;
		c.payload_len = c.facts_len;
	}
	if (command_encode(&c, g->kit.command, sizeof(g->kit.command), &len) == 0)
		decide_bytes(g, len);
}

/* The id of the last command, with another request or the same. */
static void same_id(struct gen *g)
{
	uint8_t id[16];

	memcpy(id, g->kit.last_id, sizeof(id));
	kit_apply(&g->kit, COMMAND_DECIDE, KIT_GATEWAY, id, "\x90", 1, NULL, 0);
}

/* A command's beginning, and then anything. */
static void noise(struct gen *g)
{
	size_t len = 3 + gen_below(g, 200);

	for (size_t i = 0; i < len; i++)
		g->kit.command[i] = (uint8_t)gen_below(g, 256);
	g->kit.command[0] = 0x97;
	g->kit.command[1] = COMMAND_VERSION;
	g->kit.command[2] = (uint8_t)gen_below(g, COMMAND_TYPE_MAX + 3);
	decide_bytes(g, len);
}

const struct gen_step gen_steps_hostile[] = {{3, damage}, {2, splice}, {1, same_id}, {1, noise}, {0, NULL}};
