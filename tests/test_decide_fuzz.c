/* Random commands, fixed seeds: a state written back and loaded again at random points never differs by a byte. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "ledger/errors.h"
#include "tests/decide_gen.h"

#define ROUNDS      40
#define STEPS       300
#define RECORDS_MAX 1024

/* Small tables, so that each of them fills, evicts and refuses. */
static const struct state_limits limits = {.subjects_max = 5,
                                           .principals_max = 9,
                                           .people_max = 4,
                                           .challenges_max = 40,
                                           .challenges_per_principal_max = 25,
                                           .deferred_max = 12,
                                           .deferred_per_principal_max = 9,
                                           .standing_max = 8,
                                           .standing_per_principal_max = 5,
                                           .requests_max = 24,
                                           .requests_per_principal_max = 14,
                                           .requests_window_ms = 120000};

/* Low rates, so that velocity counts. */
static const char policy[] = "version: 1\nbias: -2000\nthresholds: {step_up: 0, deny: 5000}\nvalid_for: 5s\n"
                             "rates: {subject: 3, client: 20}\nweights: {client_velocity: 10}\n"
                             "sensitive: ['deploy*', delete]\nrules:\n- {id: by-risk, verdict: risk}\n"
                             "- {id: read, match: {action: read}, weight: -2000}\n";

/* What waits, grants and break-glass, often. */
static const char policy_2[] =
        "version: 2\nbias: -4000\nthresholds: {step_up: 0, deny: 5000}\nvalid_for: 5s\n"
        "break_glass: {from: ['a*'], within: 1m}\ngrants: {revoke_risk: 3000, revoke_outside: MEDIUM}\n"
        "rules:\n- {id: by-risk, verdict: risk}\n"
        "- {id: two, match: {action: deploy}, verdict: defer,\n"
        "   defer: {approvals: {needed: 2, from: ['a*'], expires: 50s}},\n"
        "   grant: {for: 1m, scope: {action: '*', resource: '*'}, bind: []}}\n"
        "- {id: one, match: {action: admin}, verdict: defer,\n"
        "   defer: {approvals: {needed: 1, from: [a0, a1, a2]}},\n"
        "   grant: {for: 5m, scope: {action: admin, resource: '*'}, bind: []}}\n"
        "- {id: later, match: {action: delete}, verdict: defer, defer: {until: 30s}}\n"
        "- {id: never, match: {action: read}, verdict: deny}\n"
        "- {id: prove, match: {action: [train, deploy]}, verdict: step_up,\n"
        "   grant: {for: 2m, scope: {action: '*', resource: '*'}, bind: [session]}}\n";

static struct gen gen;
static struct kit *const kit = &gen.kit;
static struct decide_out *out_b;

/* What a store would hold. */
struct record {
	uint8_t key[16], *value;
	size_t key_len, value_len;
};
struct records {
	struct record r[RECORDS_MAX];
	unsigned n;
};
static struct records of_a, of_b;

static struct record *find(struct records *all, const void *key, size_t key_len)
{
	for (unsigned i = 0; i < all->n; i++)
		if (all->r[i].key_len == key_len && memcmp(all->r[i].key, key, key_len) == 0)
			return &all->r[i];
	return NULL;
}

static int put(void *ctx, const void *key, size_t key_len, const void *value, size_t value_len)
{
	struct records *all = ctx;
	struct record *r = find(all, key, key_len);

	if (r != NULL) {
		free(r->value);
		*r = all->r[--all->n];
	}
	if (value == NULL)
		return 0;
	assert_true(all->n < RECORDS_MAX);
	r = &all->r[all->n++];
	memset(r->key, 0, sizeof(r->key));
	memcpy(r->key, key, key_len);
	r->key_len = key_len;
	r->value = malloc(value_len);
	assert_non_null(r->value);
	memcpy(r->value, value, value_len);
	r->value_len = value_len;
	return 0;
}

static void records_clear(struct records *all)
{
	while (all->n > 0)
		free(all->r[--all->n].value);
}

static void take(struct state *s, struct records *to)
{
	assert_int_equal(state_take_dirty(s, put, to), 0);
	assert_int_equal(state_dirty(s), 0);
}

static int by_key(const void *a, const void *b)
{
	const struct record *x = a, *y = b;

	return memcmp(x->key, y->key, sizeof(x->key));
}

/* As a store gives them: by their keys. */
static int load_all(struct state *s, struct records *from)
{
	int err = 0;

	qsort(from->r, from->n, sizeof(from->r[0]), by_key);
	for (unsigned i = 0; i < from->n && err == 0; i++)
		err = state_load(s, from->r[i].key, from->r[i].key_len, from->r[i].value, from->r[i].value_len);
	return err == 0 ? state_loaded(s) : err;
}

static struct state *loaded(struct records *from)
{
	struct state *s;

	assert_int_equal(state_new(&limits, &s), 0);
	assert_int_equal(load_all(s, from), 0);
	assert_int_equal(state_roster_genesis(s, kit->genesis, kit->genesis_len), 0);
	return s;
}

/* Slots of challenges, of what waits and of grants depend on which ones were free since the last load; values do not.
 */
static const struct record *find_value(const struct records *all, const struct record *like)
{
	for (unsigned i = 0; i < all->n; i++)
		if (all->r[i].key[0] == like->key[0] && all->r[i].value_len == like->value_len &&
		    memcmp(all->r[i].value, like->value, like->value_len) == 0)
			return &all->r[i];
	return NULL;
}

static void same_records(void)
{
	assert_int_equal(of_a.n, of_b.n);
	for (unsigned i = 0; i < of_a.n; i++) {
		const struct record *a = &of_a.r[i], *b = strchr("cdg", a->key[0]) ? find_value(&of_b, a)
		                                                                   : find(&of_b, a->key, a->key_len);
		assert_non_null(b);
		assert_int_equal(a->value_len, b->value_len);
		assert_memory_equal(a->value, b->value, a->value_len);
	}
}

static void same_outputs(void)
{
	const struct decide_out *a = kit->out, *b = out_b;

	assert_int_equal(a->outcome, b->outcome);
	assert_int_equal(a->err, b->err);
	assert_string_equal(a->text, b->text);
	assert_int_equal(a->index, b->index);
	assert_int_equal(a->kind, b->kind);
	assert_int_equal(a->verdict, b->verdict);
	assert_int_equal(a->risk, b->risk);
	assert_int_equal(a->leaf_len, b->leaf_len);
	assert_int_equal(a->body_len, b->body_len);
	assert_memory_equal(a->leaf, b->leaf, a->leaf_len);
	assert_memory_equal(a->body, b->body, a->body_len);
	assert_int_equal(a->has_evidence, b->has_evidence);
}

/* Whose, and which id: all that were ever carried out in this round. */
static struct {
	uint64_t principal;
	uint8_t id[16];
} carried_out[STEPS];
static unsigned n_carried_out, n_forgotten;
static unsigned made[COMMAND_TYPE_MAX + 1]; /* Entries, by the type of the command. */
static uint64_t began;                      /* Entries before the round. */

/* What the table is for. */
static void never_twice(void)
{
	struct command c;
	unsigned i = 0;

	if (command_decode(&c, kit->command, kit->command_len) != 0)
		return;
	if (c.type <= COMMAND_TYPE_MAX)
		made[c.type] += kit->out->outcome == DECIDE_ENTRY;
	if (c.principal == 0)
		return;
	while (i < n_carried_out &&
	       (carried_out[i].principal != c.principal || memcmp(carried_out[i].id, c.request_id, 16) != 0))
		i++;
	n_forgotten +=
	        i < n_carried_out && kit->out->err == CS_ERR_EXPIRED && strstr(kit->out->text, "no longer") != NULL;
	if (kit->out->outcome == DECIDE_REPEAT)
		assert_true(i < n_carried_out || kit->out->index < began);
	if (kit->out->outcome != DECIDE_ENTRY)
		return;
	assert_int_equal(i, n_carried_out);
	carried_out[i].principal = c.principal;
	memcpy(carried_out[i].id, c.request_id, 16);
	n_carried_out++;
}

static void one_round(uint64_t seed)
{
	gen_open(&gen, seed, &limits, seed % 3 == 0 ? policy_2 : seed % 2 ? policy : NULL);
	n_carried_out = 0;
	struct state *a = kit->s, *b;
	struct state_head head;
	state_head(a, &head);
	began = head.size;
	take(a, &of_a);
	b = loaded(&of_a);
	for (unsigned i = 0; i < of_a.n; i++)
		put(&of_b, of_a.r[i].key, of_a.r[i].key_len, of_a.r[i].value, of_a.r[i].value_len);
	for (unsigned i = 0; i < STEPS; i++) {
		gen_step(&gen);
		if (kit->command_len == 0)
			continue; /* An answer that the leader would not propose. */
		never_twice();
		decide(b, kit->now_ms, kit->command, kit->command_len, out_b);
		same_outputs();
		struct state_head ha, hb;
		state_head(a, &ha);
		state_head(b, &hb);
		assert_memory_equal(&ha, &hb, sizeof(ha));
		if (gen_below(&gen, 20) == 0) {
			take(b, &of_b);
			state_free(b);
			b = loaded(&of_b);
		}
	}
	take(a, &of_a);
	take(b, &of_b);
	same_records();
	state_free(b);
	gen_close(&gen);
	records_clear(&of_a);
	records_clear(&of_b);
}

static void reloaded_states_agree(void **state)
{
	(void)state;
	out_b = malloc(sizeof(*out_b));
	assert_non_null(out_b);
	for (uint64_t seed = 1; seed <= ROUNDS; seed++)
		one_round(seed);
	assert_true(n_forgotten > ROUNDS);
	for (unsigned type = COMMAND_GENESIS + 1; type <= COMMAND_TYPE_MAX; type++)
		if (made[type] == 0)
			fail_msg("no command of type %u became an entry", type);
	free(out_b);
}

/* Bytes that were never a command; and records that were never a state's. */
static void noise(void **state)
{
	static uint8_t bytes[512], command[sizeof(gen.kit.command)];
	struct state *s;
	size_t command_len;

	(void)state;
	gen_open(&gen, 77, &limits, policy_2);
	for (unsigned i = 0; i < 100; i++)
		gen_step(&gen);
	take(kit->s, &of_a);
	for (unsigned i = 0; i < 20000; i++) {
		size_t len = gen_below(&gen, sizeof(bytes));
		for (size_t k = 0; k < len; k++)
			bytes[k] = (uint8_t)gen_below(&gen, 256);
		bytes[0] = 0x97;
		bytes[1] = 1;
		bytes[2] = (uint8_t)gen_below(&gen, 10);
		decide(kit->s, kit->now_ms, bytes, len, kit->out);
		assert_int_equal(kit->out->outcome, DECIDE_REFUSED);
	}
	kit_ask_for(kit, "ada", "train", "l1", "192.0.2.1");
	command_len = kit->command_len;
	memcpy(command, kit->command, command_len);
	for (unsigned i = 0; i < 3000; i++) { /* A record with a bit turned is refused, or is a state that can go on. */
		struct record *r = &of_a.r[gen_below(&gen, of_a.n)];
		uint8_t *at =
		        &r->value[gen_below(&gen, r->value_len)]; /* Loading sorts the records, not their bytes. */
		uint8_t bit = (uint8_t)(1 << gen_below(&gen, 8));
		*at ^= bit;
		assert_int_equal(state_new(&limits, &s), 0);
		if (load_all(s, &of_a) == 0)
			decide(s, kit->now_ms, command, command_len, kit->out);
		state_free(s);
		*at ^= bit;
	}
	records_clear(&of_a);
	gen_close(&gen);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(reloaded_states_agree), cmocka_unit_test(noise)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
