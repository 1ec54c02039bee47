/* Seeded random commands: histories that auditors ask for, and what nodes say was read there. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "node/decide/search.h"
#include "node/decide/state.h"
#include "tests/decide_gen.h"

static struct text text(const char *s)
{
	return (struct text){s, strlen(s)};
}

static void enrol(struct gen *g)
{
	uint8_t channel[32] = {77, 1};

	kit_enroll(&g->kit, "aud", ROLE_AUDIT, channel, NULL, NULL);
}

static void history(struct gen *g)
{
	static const char *const ids[] = {"ada", "bob", "gus", "nobody"};
	static const char *const names[] = {"a0", "a1", "zz"};
	const struct principal *p = state_principal_by_name(g->kit.s, "aud", 3);
	struct history_order o = {.whose = 1 + (unsigned)gen_below(g, 3), .reason = {"", 0}};
	uint8_t payload[512];
	size_t len;

	o.type = text(o.whose == HISTORY_SUBJECT ? "user" : o.whose == HISTORY_ACTOR ? "agent" : "");
	o.id = text(o.whose == HISTORY_APPROVER ? GEN_ONE_OF(g, names) : GEN_ONE_OF(g, ids));
	if (gen_below(g, 2) == 0)
		o.reason = text("case 7");
	assert_int_equal(history_order_encode(&o, payload, sizeof(payload), &len), 0);
	kit_apply(&g->kit, COMMAND_HISTORY, p != NULL ? p->id : KIT_GATEWAY, NULL, payload, len, NULL, 0);
}

static void read_some(struct gen *g)
{
	static const char *const lookups[] = {"user:ada", "user:*", "nonsense", ":", "user:"};
	const struct principal *node = state_principal_by_name(g->kit.s, "node-1", 6);
	struct read_log l = {.n_rows = 1 + (unsigned)gen_below(g, 3)};
	uint8_t payload[READ_LOG_SIZE_MAX];
	size_t len;

	for (unsigned i = 0; i < l.n_rows; i++) {
		uint64_t last = gen_recent(g), back = gen_below(g, last + 1), principal = gen_below(g, 12);
		l.rows[i] = (struct read_row){.principal = principal,
		                              .what = 1 + i,
		                              .first = last - back,
		                              .last = last,
		                              .reads = 1 + back % 7,
		                              .entries = back,
		                              .fields = 6};
	}
	if (l.n_rows == 1 && gen_below(g, 2) == 0)
		l.lookups[l.n_lookups++] = (struct read_lookup){FIELD_SUBJECT, text(GEN_ONE_OF(g, lookups))};
	if (l.n_rows == 1 && gen_below(g, 2) == 0)
		l.lookups[l.n_lookups++] = (struct read_lookup){FIELD_ACTION, text("deploy")};
	assert_int_equal(read_log_encode(&l, payload, sizeof(payload), &len), 0);
	uint64_t by = gen_below(g, 8) == 0 || node == NULL ? KIT_GATEWAY : node->id;
	kit_apply(&g->kit, COMMAND_READ, by, NULL, payload, len, NULL, 0);
}

const struct gen_step gen_steps_reads[] = {{1, enrol}, {2, history}, {2, read_some}, {0, NULL}};
