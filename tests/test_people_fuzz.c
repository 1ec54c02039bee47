/* Random orders about people and governance, and chains of actors: a replica loaded at random points never differs. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "ledger/bytes.h"
#include "ledger/errors.h"
#include "node/decide/governance.h"
#include "node/decide/people.h"
#include "node/decide/state.h"
#include "tests/order_kit.h"

#define ROUNDS      20
#define STEPS       400
#define RECORDS_MAX 256

/* Small, so that it fills. */
static const struct state_limits limits = {.people_max = 12, .subjects_max = 20, .requests_max = 64};

static const char policy[] = "version: 2\nbias: -3000\nthresholds: {step_up: 0, deny: 5000}\nrules:\n"
                             "- {id: by-risk, verdict: risk}\n"
                             "- {id: g, match: {group: ['g1', 'g2']}, weight: -2000}\n"
                             "- {id: a, match: {actor_group: 'g*'}, weight: 1000}\n"
                             "- {id: v, match: {via: b, delegation: [unlisted, listed]}, verdict: step_up}\n";

static struct kit kit;
static struct decide_out *out_b;
static uint8_t keys[3][64];
static const char *const admins[] = {"al", "bo", "cy", "root"};
static unsigned n_entries, n_refused;

/* xorshift64*: the same on every machine. */
static uint64_t random_state;
static uint64_t rnd(uint64_t below)
{
	random_state ^= random_state >> 12;
	random_state ^= random_state << 25;
	random_state ^= random_state >> 27;
	return (random_state * UINT64_C(0x2545F4914F6CDD1D) >> 16) % below;
}

static const char *somebody(void)
{
	static const char *const names[] = {"user:ada", "user:bob",  "user:cyd", "user:dee",  "user:eve",
	                                    "agent:a",  "agent:b",   "agent:c",  "service:s", "service:t",
	                                    "user:fay", "agent:gus", "agent:h",  "service:u", "user:ida"};

	return names[rnd(sizeof(names) / sizeof(names[0]))];
}

static struct people_change random_change(void)
{
	static const char *const groups[] = {"", "g1", "g1 g2", "g2 g3", "g3"};
	const char *who = somebody();
	unsigned kind = who[0] == 'u' ? PERSON_USER : who[0] == 'a' ? PERSON_AGENT : PERSON_SERVICE;

	if (rnd(3) == 0)
		return change_of(PEOPLE_DISABLE + (unsigned)rnd(3), who);
	if (rnd(20) == 0)
		kind = (unsigned)rnd(4); /* Now and then another than the name says, or none. */
	return person_of(who, kind, groups[rnd(5)], kind > PERSON_USER ? somebody() : NULL,
	                 kind > PERSON_USER && rnd(2) == 0 ? rnd(3) == 0 ? "group:g1" : somebody() : NULL);
}

/* Signers in the order of their names, mostly; sometimes the wrong key, the past, or one twice. */
static unsigned random_signers(struct signer ret[4])
{
	unsigned n = 0;

	for (unsigned i = 0; i < 4; i++) {
		if (rnd(3) == 0 && !(i == 3 && n == 0))
			continue;
		ret[n] = (struct signer){.name = admins[i], .sk = i < 3 ? keys[i] : kit.admin_sk};
		ret[n].spoil = rnd(60) == 0;
		ret[n].sequence = rnd(60) == 0 ? 1 : 0;
		ret[n].expiry_ms = rnd(60) == 0 ? 1 : 0;
		n++;
	}
	if (n > 1 && rnd(40) == 0)
		ret[0] = ret[1];
	return n;
}

static void order(unsigned type, const void *elements, size_t len, unsigned n)
{
	struct signer signers[4];
	unsigned n_signers = random_signers(signers);

	order_apply(&kit, type, KIT_ADMIN, elements, len, n, signers, n_signers);
}

static void people(void)
{
	static uint8_t elements[32768];
	struct people_change c;
	struct writer w;
	unsigned n = 1 + (unsigned)rnd(5);

	writer_init(&w, elements, sizeof(elements));
	writer_array(&w, n);
	for (unsigned i = 0; i < n; i++) {
		c = random_change();
		people_change_write(&w, &c);
	}
	assert_int_equal(w.err, 0);
	order(COMMAND_PEOPLE, elements, w.len, 1);
}

static void governance(void)
{
	struct governance_order o;
	uint8_t elements[32];
	size_t len;

	governance_all(&o.thresholds, 1);
	for (unsigned i = 0; i < GOVERNANCE_CLASSES_N; i++)
		o.thresholds.k[i] = (uint8_t)(1 + rnd(rnd(4) == 0 ? 5 : 2));
	assert_int_equal(governance_order_encode_signed(&o, elements, sizeof(elements), &len), 0);
	order(COMMAND_GOVERNANCE, elements, len, 1);
}

static void ask(void)
{
	struct typed t = typed_of(somebody());
	struct request q;

	kit_request(&q, "ada", rnd(2) == 0 ? "read" : "deploy", NULL, NULL);
	q.subject_type = t.type;
	q.subject_id = t.id;
	for (unsigned i = 0, n = (unsigned)rnd(5); i < n; i++) {
		t = typed_of(somebody());
		if (i > 0) {
			q.via[q.n_via++] = t;
			continue;
		}
		q.actor_type = t.type;
		q.actor_id = t.id;
	}
	kit_ask(&kit, &q);
}

static void damaged(void)
{
	size_t len = kit.command_len;

	if (len == 0)
		return;
	for (uint64_t n = rnd(4) + 1; n > 0; n--)
		kit.command[rnd(len)] ^= (uint8_t)(1 << rnd(8));
	decide(kit.s, kit.now_ms, kit.command, len, kit.out);
	if (kit.out->outcome == DECIDE_ENTRY)
		kit_check_entry(&kit);
}

static void step(void)
{
	uint64_t what = rnd(10);

	if (what < 4)
		people();
	else if (what == 4)
		governance();
	else if (what == 5)
		damaged();
	else
		ask();
}

/* --- records --- */

struct record {
	uint8_t key[16], *value;
	size_t key_len, value_len;
};
static struct record records[RECORDS_MAX]; /* Of the second replica, as a store would hold them. */
static unsigned n_records;

static int put(void *ctx, const void *key, size_t key_len, const void *value, size_t value_len)
{
	unsigned i = 0;

	(void)ctx;
	while (i < n_records && (records[i].key_len != key_len || memcmp(records[i].key, key, key_len) != 0))
		i++;
	if (i < n_records) {
		free(records[i].value);
		records[i] = records[--n_records];
	}
	if (value == NULL)
		return 0;
	assert_true(n_records < RECORDS_MAX);
	struct record *r = &records[n_records++];
	memcpy(r->key, key, key_len);
	r->key_len = key_len;
	r->value = malloc(value_len);
	assert_non_null(r->value);
	memcpy(r->value, value, value_len);
	r->value_len = value_len;
	return 0;
}

static void clear(void)
{
	while (n_records > 0)
		free(records[--n_records].value);
}

static int by_key(const void *a, const void *b)
{
	const struct record *x = a, *y = b;
	int order = memcmp(x->key, y->key, x->key_len < y->key_len ? x->key_len : y->key_len);

	return order != 0 ? order : (x->key_len > y->key_len) - (x->key_len < y->key_len);
}

/* In the order of their keys, as a store gives them. */
static struct state *loaded(void)
{
	struct state *s;

	qsort(records, n_records, sizeof(records[0]), by_key);
	assert_int_equal(state_new(&limits, &s), 0);
	for (unsigned i = 0; i < n_records; i++)
		assert_int_equal(
		        state_load(s, records[i].key, records[i].key_len, records[i].value, records[i].value_len), 0);
	assert_int_equal(state_loaded(s), 0);
	return s;
}

static void same_people(const struct state *a, const struct state *b)
{
	assert_int_equal(people_count(a), people_count(b));
	for (uint32_t i = 0; i < people_count(a); i++) {
		const struct person *p = people_at(a, i), *q = people_at(b, i);
		assert_memory_equal(p->key, q->key, sizeof(p->key));
		assert_int_equal(p->version, q->version);
		assert_int_equal(p->owned, q->owned);
		assert_int_equal(p->record_len, q->record_len);
		assert_memory_equal(p->record, q->record, p->record_len);
	}
	assert_memory_equal(state_thresholds(a), state_thresholds(b), sizeof(struct governance));
}

static void same_outputs(void)
{
	const struct decide_out *a = kit.out, *b = out_b;

	assert_int_equal(a->outcome, b->outcome);
	assert_int_equal(a->err, b->err);
	assert_string_equal(a->text, b->text);
	assert_int_equal(a->leaf_len, b->leaf_len);
	assert_int_equal(a->body_len, b->body_len);
	assert_memory_equal(a->leaf, b->leaf, a->leaf_len);
	assert_memory_equal(a->body, b->body, a->body_len);
}

static void begin(uint64_t seed)
{
	uint8_t pub[32], channel[32];

	random_state = seed * UINT64_C(0x9E3779B97F4A7C15) + 1;
	kit_new(&kit, &limits, policy);
	for (unsigned i = 0; i < 3; i++) {
		kit_key(&kit, pub, keys[i]);
		memset(channel, 0x50 + (int)i, sizeof(channel));
		assert_int_equal(kit_enroll(&kit, admins[i], ROLE_ADMINISTER, channel, pub, NULL), DECIDE_ENTRY);
	}
}

/* The second replica is taken bit by bit, while commands go on, and started anew from what was taken. */
static struct state *restart(struct state *b)
{
	assert_int_equal(state_take_dirty(b, put, NULL), 0);
	state_free(b);
	return loaded();
}

static void one_round(uint64_t seed)
{
	bool taking = false;

	begin(seed);
	assert_int_equal(state_take_dirty(kit.s, put, NULL), 0);
	struct state *b = loaded();
	for (unsigned i = 0; i < STEPS; i++) {
		kit.now_ms += rnd(500);
		kit.out->outcome = DECIDE_REFUSED;
		step();
		decide(b, kit.now_ms, kit.command, kit.command_len, out_b);
		same_outputs();
		n_entries += kit.out->outcome == DECIDE_ENTRY;
		n_refused += kit.out->outcome == DECIDE_REFUSED;
		if (taking) {
			taking = state_take_some(b, 2) == 0;
		} else if (rnd(10) == 0) {
			state_take_begin(b, put, NULL);
			taking = true;
		} else if (rnd(10) == 0) {
			b = restart(b);
		}
	}
	while (taking)
		taking = state_take_some(b, 100) == 0;
	same_people(kit.s, b);
	b = restart(b);
	same_people(kit.s, b);
	state_free(b);
	kit_free(&kit);
	clear();
}

static void replicas_agree(void **state)
{
	(void)state;
	out_b = malloc(sizeof(*out_b));
	assert_non_null(out_b);
	for (uint64_t seed = 1; seed <= ROUNDS; seed++)
		one_round(seed);
	free(out_b);
	assert_true(n_entries > ROUNDS * STEPS / 3);
	assert_true(n_refused > ROUNDS * STEPS / 20);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(replicas_agree)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
