/* Seeded random commands: what administrators order, and what nodes say of themselves. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "node/decide/policy.h"
#include "tests/decide_gen.h"
#include "tests/order_kit.h"

void gen_order(struct gen *g, unsigned type, const void *elements, size_t len, unsigned n)
{
	struct signer signers[] = {{.name = "root", .sk = g->kit.admin_sk}, {.name = "second", .sk = g->second_sk}};

	signers[0].spoil = gen_below(g, 30) == 0;
	signers[1].spoil = gen_below(g, 30) == 0;
	bool both = (state_thresholds(g->kit.s)->k[0] > 1 || type == COMMAND_GOVERNANCE) && gen_below(g, 10) != 0;

	order_apply(&g->kit, type, gen_below(g, 30) == 0 ? KIT_GATEWAY : KIT_ADMIN, elements, len, n, signers,
	            both ? 2 : 1);
}

static void enroll(struct gen *g)
{
	static const uint32_t roles[] = {ROLE_DECIDE,  ROLE_DECIDE,
	                                 ROLE_AUDIT,   ROLE_DECIDE | ROLE_IMPORT,
	                                 ROLE_WITNESS, ROLE_WITNESS | ROLE_AUDIT};
	uint8_t key[32] = {0}, pub[32], secret[64];
	char name[8];

	gen_name(g, name);
	key[0] = (uint8_t)name[1];
	crypto_sign_seed_keypair(pub, secret, key);
	uint32_t role = GEN_ONE_OF(g, roles);
	kit_enroll(&g->kit, name, role, key, role & ROLE_WITNESS ? pub : NULL, NULL);
}

static void remove_one(struct gen *g)
{
	char name[8];

	gen_name(g, name);
	kit_remove(&g->kit, name);
}

static void policy(struct gen *g)
{
	static char yaml[POLICY_SOURCE_SIZE_MAX];
	static uint8_t compiled[POLICY_COMPILED_SIZE_MAX];
	struct policy_error where;
	size_t len;

	gen_policy(g, 1 + (unsigned)gen_below(g, 2), yaml, sizeof(yaml));
	if (policy_compile(yaml, strlen(yaml), compiled, sizeof(compiled), &len, &where) != 0) {
		g->policies_refused++;
		return;
	}
	g->policies += kit_policy(&g->kit, yaml) == DECIDE_ENTRY;
}

static void feature(struct gen *g)
{
	static const char *const names[] = {"builds", "digest", "decisions", "records", "no-such-feature"};
	uint8_t elements[64];
	struct writer w;

	writer_init(&w, elements, sizeof(elements));
	writer_cstr(&w, GEN_ONE_OF(g, names));
	gen_order(g, COMMAND_FEATURE, elements, w.len, 1);
}

static void build(struct gen *g)
{
	static const char *const versions[] = {"1.0", "1.1", "2.0"};
	const char *version = GEN_ONE_OF(g, versions);
	const struct build b = {1 + gen_below(g, 3), {version, strlen(version)}};
	uint8_t payload[64];
	size_t len;

	assert_int_equal(build_encode(&b, payload, sizeof(payload), &len), 0);
	kit_apply(&g->kit, COMMAND_BUILD, 0, NULL, payload, len, NULL, 0);
}

/* A digest of some size, told by a leader that nobody checks here: decide takes its word. */
static void state_digest(struct gen *g)
{
	struct state_digest d = {.size = gen_recent(g)};
	uint8_t payload[64];
	size_t len;

	d.digest.b[0] = (uint8_t)gen_below(g, 256);
	assert_int_equal(state_digest_encode(&d, payload, sizeof(payload), &len), 0);
	kit_apply(&g->kit, COMMAND_STATE_DIGEST, 0, NULL, payload, len, NULL, 0);
}

/* Any action with any node: what the roster takes of it is up to decide. */
static void member(struct gen *g)
{
	uint8_t elements[1024], keys[3][32], sk[64];
	char url[48], link[48];
	uint64_t id = 1 + gen_below(g, 12);
	struct member_order m = {.action = 1 + (unsigned)gen_below(g, 4), .id = id};
	size_t len;

	m.lost = gen_below(g, 4) == 0;
	snprintf(url, sizeof(url), "tcp://10.0.%u.%u:7101", (unsigned)gen_below(g, 2), (unsigned)id);
	snprintf(link, sizeof(link), "10.0.%u.%u:7102", (unsigned)gen_below(g, 2), (unsigned)id);
	if (m.action == MEMBER_ADD || m.action == MEMBER_ADDRESS) {
		m.url = (struct text){url, strlen(url)};
		m.link = (struct text){link, strlen(link)};
	}
	if (m.action == MEMBER_ADD) {
		for (unsigned i = 0; i < 3; i++)
			kit_key(&g->kit, keys[i], sk);
		m.role = ROSTER_SPARE;
		m.log_pub = keys[0];
		m.cosigner_pub = keys[1];
		m.channel_pub = keys[2];
	}
	if (m.action == MEMBER_ROLE)
		m.role = 1 + (unsigned)gen_below(g, 2);
	assert_int_equal(member_order_encode_signed(&m, elements, sizeof(elements), &len), 0);
	gen_order(g, COMMAND_MEMBER, elements, len, 9);
}

static void people(struct gen *g)
{
	const struct draw d = gen_draw(g, NULL, 0);
	struct people_change c[DRAW_PEOPLE_MAX];
	unsigned n = draw_people(&d, c);

	order_people(&g->kit, c, n);
}

static void govern(struct gen *g)
{
	const struct draw d = gen_draw(g, NULL, 0);
	unsigned k = state_thresholds(g->kit.s)->k[0];
	uint8_t elements[64], channel[32] = {2}, pub[32];
	struct governance_order o;
	size_t len;

	if (state_principal_by_name(g->kit.s, "second", 6) == NULL && k == 1) {
		kit_key(&g->kit, pub, g->second_sk);
		kit_enroll(&g->kit, "second", ROLE_ADMINISTER, channel, pub, NULL);
		return;
	}
	draw_governance(&d, k, &o.thresholds);
	assert_int_equal(governance_order_encode_signed(&o, elements, sizeof(elements), &len), 0);
	gen_order(g, COMMAND_GOVERNANCE, elements, len, 1);
}

/* Of nodes, clients and the device; not of who signs the orders that follow. */
static void key(struct gen *g)
{
	static const uint64_t overlaps[] = {0, 1, 3, 20};
	uint8_t elements[256], pub[32], sk[64];
	char name[8];
	size_t len;
	struct key_order o = {
	        .place = 1 + (unsigned)gen_below(g, KEY_PLACE_MAX), .pub = pub, .overlap = GEN_ONE_OF(g, overlaps)};

	kit_key(&g->kit, pub, sk);
	if (gen_below(g, 20) == 0) /* Somebody's already. */
		memcpy(pub, state_roster(g->kit.s)->nodes[0].log_pub, sizeof(pub));
	gen_name(g, name);
	if (o.place <= KEY_PLACE_NODE)
		o.node = 1 + gen_below(g, 4);
	else
		o.name = o.place == KEY_PLACE_SIGN ? (struct text){"ada-key", 7} : (struct text){name, strlen(name)};
	assert_int_equal(key_order_encode_signed(&o, elements, sizeof(elements), &len), 0);
	gen_order(g, COMMAND_KEY, elements, len, 5);
	if (o.place == KEY_PLACE_SIGN && g->kit.out->outcome == DECIDE_ENTRY) {
		memcpy(g->device_before, g->kit.device_sk, sizeof(sk));
		memcpy(g->kit.device_sk, sk, sizeof(sk));
	}
}

const struct gen_step gen_steps_orders[] = {{2, enroll}, {2, remove_one},   {1, policy}, {1, feature},
                                            {1, build},  {1, state_digest}, {2, member}, {2, people},
                                            {1, govern}, {2, key},          {0, NULL}};
