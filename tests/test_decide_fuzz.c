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
#include "tests/decide_kit.h"

#define ROUNDS      40
#define STEPS       300
#define RECORDS_MAX 1024

/* Small tables, so that each of them fills, evicts and refuses. */
static const struct state_limits limits = {.subjects_max = 5,
                                           .principals_max = 9,
                                           .challenges_max = 40,
                                           .challenges_per_principal_max = 25,
                                           .requests_max = 24,
                                           .requests_per_principal_max = 14,
                                           .requests_window_ms = 120000};

/* Low rates, so that velocity counts. */
static const char policy[] = "version: 1\nbias: -2000\nthresholds: {step_up: 0, deny: 5000}\nvalid_for: 5s\n"
                             "rates: {subject: 3, client: 20}\nweights: {client_velocity: 10}\n"
                             "sensitive: ['deploy*', delete]\nrules:\n- {id: by-risk, verdict: risk}\n"
                             "- {id: read, match: {action: read}, weight: -2000}\n";

/* Commands of before, to be asked again. */
static struct {
	uint8_t bytes[2048];
	size_t len;
} past[64];
static unsigned n_past;

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

static int load_all(struct state *s, const struct records *from)
{
	int err = 0;

	for (unsigned i = 0; i < from->n && err == 0; i++) /* In no particular order. */
		err = state_load(s, from->r[i].key, from->r[i].key_len, from->r[i].value, from->r[i].value_len);
	return err == 0 ? state_loaded(s) : err;
}

static struct state *loaded(const struct records *from)
{
	struct state *s;

	assert_int_equal(state_new(&limits, &s), 0);
	assert_int_equal(load_all(s, from), 0);
	return s;
}

/* A challenge's slot depends on which ones were free since the last load, its value does not. */
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
		const struct record *a = &of_a.r[i],
		                    *b = a->key[0] == 'c' ? find_value(&of_b, a) : find(&of_b, a->key, a->key_len);
		assert_non_null(b);
		assert_int_equal(a->value_len, b->value_len);
		assert_memory_equal(a->value, b->value, a->value_len);
	}
}

/* xorshift64*: the same on every machine. */
static uint64_t random_state;
static uint64_t rnd(uint64_t below)
{
	random_state ^= random_state >> 12;
	random_state ^= random_state << 25;
	random_state ^= random_state >> 27;
	return (random_state * UINT64_C(0x2545F4914F6CDD1D) >> 16) % below;
}

static struct kit kit;
static struct decide_out *out_b;
static size_t last_len; /* Of the command before: its bytes are in the kit still. */

static void same_outputs(void)
{
	const struct decide_out *a = kit.out, *b = out_b;

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

/* What the table is for. */
static void never_twice(void)
{
	struct command c;
	unsigned i = 0;

	if (command_decode(&c, kit.command, kit.command_len) != 0 || c.principal == 0)
		return;
	while (i < n_carried_out &&
	       (carried_out[i].principal != c.principal || memcmp(carried_out[i].id, c.request_id, 16) != 0))
		i++;
	n_forgotten +=
	        i < n_carried_out && kit.out->err == CS_ERR_EXPIRED && strstr(kit.out->text, "no longer") != NULL;
	if (kit.out->outcome == DECIDE_REPEAT)
		assert_true(i < n_carried_out);
	if (kit.out->outcome != DECIDE_ENTRY)
		return;
	assert_int_equal(i, n_carried_out);
	carried_out[i].principal = c.principal;
	memcpy(carried_out[i].id, c.request_id, 16);
	n_carried_out++;
}

/* As the gateway or another client, if there is one; at times the id is of some other moment. */
static void ask(const struct request *q)
{
	uint8_t payload[REQUEST_SIZE_MAX], id[16];
	char name[16];
	size_t len;
	uint64_t now_ms = kit.now_ms;

	snprintf(name, sizeof(name), "p%u", (unsigned)rnd(6));
	const struct principal *p = state_principal_by_name(kit.s, name, 2);
	if (rnd(4) == 0)
		kit.now_ms += rnd(7000);
	else if (rnd(4) == 0)
		kit.now_ms -= rnd(125000);
	kit_next_id(&kit, id);
	kit.now_ms = now_ms;
	assert_int_equal(request_encode(q, payload, sizeof(payload), &len), 0);
	kit_apply(&kit, COMMAND_DECIDE, p != NULL ? p->id : KIT_GATEWAY, id, payload, len, NULL, 0);
}

static void random_request(struct request *q)
{
	static const char *const subjects[] = {"ada", "bob", "cyd", "dee", "eli", "fay", "gus"};
	static const char *const actions[] = {"deploy", "train", "read", "delete", "admin"};
	static const char *const devices[] = {NULL, "l1", "l2", "l3"};
	static const char *const ips[] = {NULL, "192.0.2.1", "192.0.2.2", "198.51.100.1", "2001:db8::1"};

	kit_request(q, subjects[rnd(7)], actions[rnd(5)], devices[rnd(4)], ips[rnd(5)]);
	if (rnd(3) == 0) {
		q->actor_type = (struct text){"agent", 5};
		q->actor_id = (struct text){subjects[rnd(7)], 3};
	}
}

static void damaged(void)
{
	size_t len = last_len;

	for (uint64_t n = rnd(4) + 1; n > 0; n--)
		kit.command[rnd(len)] ^= (uint8_t)(1 << rnd(8));
	if (rnd(3) == 0)
		len = rnd(len + 1);
	kit.command_len = len;
	decide(kit.s, kit.now_ms, kit.command, len, kit.out);
	if (kit.out->outcome == DECIDE_ENTRY)
		kit_check_entry(&kit); /* A damaged seed or name makes another command, and that is a sound one. */
}

static void remember(void)
{
	unsigned i = n_past++ % 64;

	assert_true(kit.command_len <= sizeof(past[i].bytes));
	memcpy(past[i].bytes, kit.command, kit.command_len);
	past[i].len = kit.command_len;
}

/* The newest entry for that id, whether or not an answer came meanwhile; or the id is too old. */
static void ask_again(void)
{
	unsigned i = n_past > 0 ? (unsigned)rnd(n_past < 64 ? n_past : 64) : 0;

	if (n_past == 0)
		return;
	memcpy(kit.command, past[i].bytes, past[i].len);
	kit.command_len = past[i].len;
	decide(kit.s, kit.now_ms, kit.command, kit.command_len, kit.out);
}

static void step(void)
{
	struct request q;
	uint8_t key[32] = {0}, id[16];
	struct state_head head;
	char name[16];

	state_head(kit.s, &head);
	random_request(&q);
	switch (rnd(16)) {
	case 0:
		kit_import(&kit, &q, kit.now_ms - (rnd(2) == 0 ? rnd(1000) : rnd(KIT_DAY_MS)));
		break;
	case 1:
	case 2: /* Some open challenge of late; often the right key, often not. */
		kit_answer(&kit, KIT_GATEWAY, head.size - 1 - rnd(head.size < 80 ? head.size : 80), "ada-key",
		           rnd(3) == 0 ? kit.admin_sk : kit.device_sk);
		break;
	case 3:
		snprintf(name, sizeof(name), "p%u", (unsigned)rnd(6));
		key[0] = (uint8_t)name[1];
		kit_enroll(&kit, name, rnd(4) == 0 ? ROLE_AUDIT : ROLE_DECIDE, key, NULL, NULL);
		break;
	case 4:
		snprintf(name, sizeof(name), "p%u", (unsigned)rnd(6));
		kit_remove(&kit, name);
		break;
	case 5:
	case 6:
		damaged();
		break;
	case 7: /* The id of the last command, with another request or the same. */
		memcpy(id, kit.last_id, sizeof(id));
		kit_apply(&kit, COMMAND_DECIDE, KIT_GATEWAY, id, "\x90", 1, NULL, 0);
		break;
	case 8:
		kit_apply(&kit, COMMAND_TICK, 0, NULL, "\x90", 1, NULL, 0);
		break;
	case 9:
	case 10:
		ask_again();
		break;
	default:
		ask(&q);
		remember();
	}
}

static void one_round(uint64_t seed)
{
	random_state = seed * UINT64_C(0x9E3779B97F4A7C15) + 1;
	kit_new(&kit, &limits, policy);
	n_past = n_carried_out = 0;
	struct state *a = kit.s, *b;
	last_len = 0;
	take(a, &of_a);
	b = loaded(&of_a);
	for (unsigned i = 0; i < of_a.n; i++)
		put(&of_b, of_a.r[i].key, of_a.r[i].key_len, of_a.r[i].value, of_a.r[i].value_len);
	for (unsigned i = 0; i < STEPS; i++) {
		static const uint64_t pauses[] = {0, 0, 1, 300, 2000, 40000, 400000, 30000000};
		kit.now_ms += pauses[rnd(i % 50 == 0 ? 8 : 5)];
		last_len = kit.command_len > 0 ? kit.command_len : last_len;
		kit.command_len = 0;
		step();
		if (kit.command_len == 0)
			continue; /* An answer that the leader would not propose. */
		never_twice();
		decide(b, kit.now_ms, kit.command, kit.command_len, out_b);
		same_outputs();
		struct state_head ha, hb;
		state_head(a, &ha);
		state_head(b, &hb);
		assert_memory_equal(&ha, &hb, sizeof(ha));
		if (rnd(20) == 0) {
			take(b, &of_b);
			state_free(b);
			b = loaded(&of_b);
		}
	}
	take(a, &of_a);
	take(b, &of_b);
	same_records();
	state_free(b);
	kit_free(&kit);
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
	free(out_b);
}

/* Bytes that were never a command; and records that were never a state's. */
static void noise(void **state)
{
	static uint8_t bytes[512], command[sizeof(kit.command)];
	struct state *s;
	size_t command_len;

	(void)state;
	random_state = 77;
	kit_new(&kit, &limits, policy);
	n_past = 0;
	last_len = kit.command_len;
	for (unsigned i = 0; i < 100; i++)
		step();
	take(kit.s, &of_a);
	for (unsigned i = 0; i < 20000; i++) {
		size_t len = rnd(sizeof(bytes));
		for (size_t k = 0; k < len; k++)
			bytes[k] = (uint8_t)rnd(256);
		bytes[0] = 0x97;
		bytes[1] = 1;
		bytes[2] = (uint8_t)rnd(10);
		decide(kit.s, kit.now_ms, bytes, len, kit.out);
		assert_int_equal(kit.out->outcome, DECIDE_REFUSED);
	}
	kit_ask_for(&kit, "ada", "train", "l1", "192.0.2.1");
	command_len = kit.command_len;
	memcpy(command, kit.command, command_len);
	for (unsigned i = 0; i < 3000; i++) { /* A record with a bit turned is refused, or is a state that can go on. */
		struct record *r = &of_a.r[rnd(of_a.n)];
		size_t at = rnd(r->value_len);
		uint8_t bit = (uint8_t)(1 << rnd(8));
		r->value[at] ^= bit;
		assert_int_equal(state_new(&limits, &s), 0);
		if (load_all(s, &of_a) == 0)
			decide(s, kit.now_ms, command, command_len, kit.out);
		state_free(s);
		r->value[at] ^= bit;
	}
	records_clear(&of_a);
	kit_free(&kit);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(reloaded_states_agree), cmocka_unit_test(noise)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
