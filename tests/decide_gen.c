/* Seeded random commands: choosing what comes next, and the questions that clients ask. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "tests/decide_gen.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "ledger/bytes.h"
#include "node/decide/place.h"
#include "node/decide/policy.h"
#include "node/decide/state.h"

static struct text text(const char *s)
{
	return (struct text){s, strlen(s)};
}

/* xorshift64* (Vigna, An experimental exploration of Marsaglia's xorshift generators, 2016). */
uint64_t gen_below(struct gen *g, uint64_t n)
{
	g->random ^= g->random >> 12;
	g->random ^= g->random << 25;
	g->random ^= g->random >> 27;
	return (g->random * UINT64_C(0x2545F4914F6CDD1D) >> 16) % n;
}

static uint64_t below(void *ctx, uint64_t n)
{
	return gen_below(ctx, n);
}

struct draw gen_draw(struct gen *g, const char *const *subjects, unsigned n)
{
	return (struct draw){.below = below, .ctx = g, .subjects = subjects, .n_subjects = n};
}

void gen_name(struct gen *g, char ret[8])
{
	snprintf(ret, 8, "p%u", (unsigned)gen_below(g, 6));
}

const struct principal *gen_client(struct gen *g)
{
	char name[8];

	gen_name(g, name);
	return state_principal_by_name(g->kit.s, name, strlen(name));
}

uint64_t gen_recent(struct gen *g)
{
	struct state_head head;

	state_head(g->kit.s, &head);
	return head.size - 1 - gen_below(g, head.size < 80 ? head.size : 80);
}

#define CHALLENGES_LOOKED 16

uint64_t gen_ada_challenge(const struct gen *g)
{
	const struct state *s = g->kit.s;
	uint32_t slot = list_newest(&s->challenge_list);

	for (unsigned n = 0; n < CHALLENGES_LOOKED && slot != NO_SLOT; n++) {
		const struct challenge_slot *c = &s->challenges[slot];
		struct request q;
		if (c->c.principal == KIT_GATEWAY && g->kit.now_ms < c->c.expiry_ms &&
		    request_decode(&q, c->request, c->request_len) == 0 && q.subject_id.len == 3 &&
		    memcmp(q.subject_id.s, "ada", 3) == 0)
			return c->c.index;
		slot = c->all.older != 0 ? c->all.older - 1 : NO_SLOT;
	}
	return 0;
}

/* --- requests --- */

static void add_text(struct request *q, const char *name, const char *value)
{
	q->context[q->n_context++] = (struct named_value){.name = text(name), .type = VALUE_STR, .str = text(value)};
}

static void add_number(struct request *q, const char *name, enum value_type type, int64_t value)
{
	q->context[q->n_context++] = (struct named_value){.name = text(name), .type = type, .integer = value};
}

static int64_t number(struct gen *g)
{
	static const int64_t numbers[] = {0, 1, -1, 100, 950, -1000, 100000, INT64_MAX, INT64_MIN, INT64_C(1) << 40};

	return GEN_ONE_OF(g, numbers);
}

/* In the order of the names' bytes. */
static void random_context(struct gen *g, struct request *q)
{
	static const char *const countries[] = {"DE", "NL", "US", "xx"};
	static const char *const devices[] = {"l1", "l2", "l3", "l4", "l5"};
	static const char *const places[] = {"production", "staging", "test"};
	static const char *const ips[] = {"192.0.2.1", "192.0.2.2", "198.51.100.1", "2001:db8::1", "not an address"};
	static const char *const sessions[] = {"s1", "s2", "s3", "s4", "s5", "s6"};
	static const char *const agents[] = {"curl/8.1 (linux)", "Mozilla/5.0 (X11)", "deploy-cli/4.2", "z"};

	if (gen_below(g, 4) == 0)
		add_number(q, "amount", VALUE_INT, gen_below(g, 3) == 0 ? number(g) : (int64_t)gen_below(g, 5000));
	if (gen_below(g, 4) == 0)
		add_text(q, "country", GEN_ONE_OF(g, countries));
	if (gen_below(g, 4) != 0)
		add_text(q, "device", GEN_ONE_OF(g, devices));
	if (gen_below(g, 5) == 0)
		add_text(q, "environment", GEN_ONE_OF(g, places));
	if (gen_below(g, 5) != 0)
		add_text(q, "ip", GEN_ONE_OF(g, ips));
	if (gen_below(g, 8) == 0) {
		add_number(q, "latitude", VALUE_INT, (int64_t)gen_below(g, 1800001) - 900000);
		add_number(q, "longitude", VALUE_INT, (int64_t)gen_below(g, 3600001) - 1800000);
	}
	if (gen_below(g, 8) == 0)
		add_number(q, "mfa", VALUE_BOOL, (int64_t)gen_below(g, 2));
	if (gen_below(g, 6) == 0)
		add_number(q, "score", VALUE_INT, number(g));
	if (gen_below(g, 4) == 0)
		add_text(q, "session", GEN_ONE_OF(g, sessions));
	if (gen_below(g, 3) == 0)
		add_text(q, "user_agent", GEN_ONE_OF(g, agents));
}

static const char *const subjects[] = {"ada", "bob", "cyd", "dee", "eli", "fay", "gus"};

void gen_request(struct gen *g, struct request *ret)
{
	static const char *const actions[] = {"deploy", "train", "read", "delete", "admin"};
	static const char *const resources[] = {"fraud-7", "fraud-8", "atlas", "customers"};

	*ret = (struct request){.subject_type = text("user"), .resource_type = text("model")};
	ret->subject_id = text(GEN_ONE_OF(g, subjects));
	ret->action = text(GEN_ONE_OF(g, actions));
	ret->resource_id = text(GEN_ONE_OF(g, resources));
	random_context(g, ret);
	if (gen_below(g, 3) != 0)
		return;
	ret->actor_type = text("agent");
	ret->actor_id = text(GEN_ONE_OF(g, subjects));
	for (uint64_t n = gen_below(g, 3); n > 0 && state_feature(g->kit.s, FEATURE_DECISIONS); n--)
		ret->via[ret->n_via++] = (struct typed){text("agent"), text(GEN_ONE_OF(g, subjects))};
}

static size_t random_place(struct gen *g, uint8_t *buf, size_t cap)
{
	struct place p = {.looked = true, .city_built_s = 1700000000 + gen_below(g, 1000)};
	struct writer w;
	size_t len;

	if (gen_below(g, 3) != 0)
		memcpy(p.country, gen_below(g, 2) == 0 ? "DE" : "US", 2);
	p.network = (uint32_t)gen_below(g, 5);
	p.has_position = gen_below(g, 2) == 0;
	if (p.has_position) {
		p.latitude = (int32_t)gen_below(g, 1800001) - 900000;
		p.longitude = (int32_t)gen_below(g, 3600001) - 1800000;
	}
	writer_init(&w, buf, cap);
	place_facts_write(&w, &p);
	assert_int_equal(writer_end(&w, &len), 0);
	return len;
}

/* --- what clients ask --- */

static void remember(struct gen *g)
{
	unsigned i = g->n_past++ % GEN_PAST;

	assert_true(g->kit.command_len <= sizeof(g->past[i].bytes));
	memcpy(g->past[i].bytes, g->kit.command, g->kit.command_len);
	g->past[i].len = g->kit.command_len;
}

/* As the gateway or another client, if there is one; at times the id is of some other moment. */
static void ask(struct gen *g)
{
	uint8_t payload[REQUEST_SIZE_MAX], facts[128], id[16];
	const struct principal *p = gen_client(g);
	struct kit *k = &g->kit;
	uint64_t now_ms = k->now_ms;
	struct request q;
	size_t len, facts_len = 0;

	gen_request(g, &q);
	if (gen_below(g, 4) == 0)
		k->now_ms += gen_below(g, 7000);
	else if (gen_below(g, 4) == 0)
		k->now_ms -= gen_below(g, 125000);
	kit_next_id(k, id);
	k->now_ms = now_ms;
	assert_int_equal(request_encode(&q, payload, sizeof(payload), &len), 0);
	if (state_feature(k->s, FEATURE_DECISIONS) && gen_below(g, 2) == 0)
		facts_len = random_place(g, facts, sizeof(facts));
	kit_apply(k, COMMAND_DECIDE, p != NULL ? p->id : KIT_GATEWAY, id, payload, len, facts_len > 0 ? facts : NULL,
	          facts_len);
	remember(g);
}

/* The newest entry for that id, whether or not an answer came meanwhile; or the id is too old. */
static void ask_again(struct gen *g)
{
	struct kit *k = &g->kit;

	if (g->n_past == 0)
		return;
	unsigned i = (unsigned)gen_below(g, g->n_past < GEN_PAST ? g->n_past : GEN_PAST);
	memcpy(k->command, g->past[i].bytes, g->past[i].len);
	k->command_len = g->past[i].len;
	decide(k->s, k->now_ms, k->command, k->command_len, k->out);
}

static void import(struct gen *g)
{
	struct request q;

	gen_request(g, &q);
	kit_import(&g->kit, &q, g->kit.now_ms - gen_below(g, gen_below(g, 2) == 0 ? 1000 : KIT_DAY_MS));
}

/* Some open challenge of late; often the right person and key, often not. */
static void answer(struct gen *g)
{
	struct challenge c;
	uint64_t index = gen_below(g, 2) == 0 ? gen_ada_challenge(g) : 0;

	if (index == 0)
		index = gen_recent(g);
	for (unsigned i = 0; i < 8 && !state_challenge(g->kit.s, index, &c); i++)
		index = gen_recent(g);
	const uint8_t *sk = gen_below(g, 3) == 0 ? g->kit.admin_sk : g->kit.device_sk;
	if (gen_below(g, 5) == 0)
		sk = g->device_before;
	kit_answer(&g->kit, KIT_GATEWAY, index, "ada-key", sk);
}

static void tick(struct gen *g)
{
	kit_apply(&g->kit, COMMAND_TICK, 0, NULL, "\x90", 1, NULL, 0);
}

const struct gen_step gen_steps_asks[] = {{10, ask}, {3, ask_again}, {1, import}, {3, answer}, {1, tick}, {0, NULL}};

/* --- what comes next --- */

static const struct gen_step *const steps[] = {gen_steps_asks,     gen_steps_orders,      gen_steps_hostile,
                                               gen_steps_verdicts, gen_steps_credentials, gen_steps_reads,
                                               gen_steps_erase};

static const struct gen_step *choose(struct gen *g)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++)
		for (const struct gen_step *s = steps[i]; s->run != NULL; s++)
			sum += s->weight;
	uint64_t at = gen_below(g, sum);
	for (size_t i = 0;; i++)
		for (const struct gen_step *s = steps[i]; s->run != NULL; s++) {
			if (at < s->weight)
				return s;
			at -= s->weight;
		}
}

void gen_step(struct gen *g)
{
	static const uint64_t pauses[] = {0, 0, 1, 300, 2000, 40000, 400000, 30000000};
	struct kit *k = &g->kit;

	k->now_ms += pauses[gen_below(g, g->steps++ % 50 == 0 ? 8 : 5)];
	g->last_len = k->command_len > 0 ? k->command_len : g->last_len;
	k->command_len = 0;
	choose(g)->run(g);
}

void gen_open(struct gen *g, uint64_t seed, const struct state_limits *l, const char *yaml)
{
	static char random_yaml[POLICY_SOURCE_SIZE_MAX];
	static uint8_t compiled[POLICY_COMPILED_SIZE_MAX];
	struct policy_error where;
	size_t len;

	memset(g, 0, sizeof(*g));
	g->random = seed * UINT64_C(0x9E3779B97F4A7C15) + 1;
	unsigned version = 1 + (unsigned)gen_below(g, 2);
	if (yaml == NULL) {
		do
			gen_policy(g, version, random_yaml, sizeof(random_yaml));
		while (policy_compile(random_yaml, strlen(random_yaml), compiled, sizeof(compiled), &len, &where) != 0);
		yaml = random_yaml;
	}
	kit_new(&g->kit, l, yaml);
	g->last_len = g->kit.command_len;
}

void gen_close(struct gen *g)
{
	kit_free(&g->kit);
}
