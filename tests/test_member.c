/* Members: what an order may say, what it changes in roster and principals, and that no id or key comes back. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "ledger/errors.h"
#include "tests/decide_kit.h"

static struct kit kit;
static uint8_t payload[2048], again[2048];
static size_t payload_len;

static struct text text(const char *s)
{
	return (struct text){s, strlen(s)};
}

static void assert_refused(enum decide_outcome outcome, int err)
{
	if (outcome != DECIDE_REFUSED || kit.out->err != err)
		fail_msg("outcome %d err %d (%s), not %d", outcome, kit.out->err, kit.out->text, err);
	assert_true(kit.out->text[0] != 0);
}

/* Signs the order as the administrator does, spoils a byte of the signature if asked, and applies it. */
static enum decide_outcome send(struct member_order *m, unsigned spoil)
{
	uint8_t signed_[1024], sig[64];
	size_t len;

	m->admin = (struct admin_signature){
	        .name = text("root"), .sequence = ++kit.sequence, .expiry_ms = kit.now_ms + 1000};
	assert_int_equal(member_order_encode_signed(m, signed_, sizeof(signed_), &len), 0);
	kit_sign(&kit, COMMAND_MEMBER, &m->admin, signed_, len, sig);
	sig[0] ^= (uint8_t)spoil;
	assert_int_equal(member_order_encode(m, payload, sizeof(payload), &payload_len), 0);
	return kit_apply(&kit, COMMAND_MEMBER, KIT_ADMIN, NULL, payload, payload_len, NULL, 0);
}

struct keys {
	uint8_t log[32], cosigner[32], channel[32];
};

static void make_keys(struct keys *k)
{
	uint8_t sk[64];

	kit_key(&kit, k->log, sk);
	kit_key(&kit, k->cosigner, sk);
	kit_key(&kit, k->channel, sk);
}

static struct member_order adding(uint64_t id, const struct keys *k)
{
	static char places[2][64];

	snprintf(places[0], sizeof(places[0]), "tcp://10.0.0.%u:7101", (unsigned)id);
	snprintf(places[1], sizeof(places[1]), "10.0.0.%u:7102", (unsigned)id);
	return (struct member_order){.action = MEMBER_ADD,
	                             .id = id,
	                             .role = ROSTER_SPARE,
	                             .url = text(places[0]),
	                             .link = text(places[1]),
	                             .log_pub = k->log,
	                             .cosigner_pub = k->cosigner,
	                             .channel_pub = k->channel};
}

static enum decide_outcome add(uint64_t id)
{
	struct keys k;

	make_keys(&k);
	struct member_order m = adding(id, &k);
	return send(&m, 0);
}

static enum decide_outcome set_role(uint64_t id, unsigned role)
{
	struct member_order m = {.action = MEMBER_ROLE, .id = id, .role = role};

	return send(&m, 0);
}

static enum decide_outcome remove_node(uint64_t id)
{
	struct member_order m = {.action = MEMBER_REMOVE, .id = id};

	return send(&m, 0);
}

static enum decide_outcome move(uint64_t id, const char *url, const char *link)
{
	struct member_order m = {.action = MEMBER_ADDRESS, .id = id, .url = text(url), .link = text(link)};

	return send(&m, 0);
}

static void check_reload(void)
{
	static uint8_t a[ROSTER_SIZE_MAX], b[ROSTER_SIZE_MAX];
	struct state *copy = kit_reload(kit.s, NULL);
	struct writer w, v;

	writer_init(&w, a, sizeof(a));
	writer_init(&v, b, sizeof(b));
	roster_write(&w, state_roster(kit.s));
	roster_write(&v, state_roster(copy));
	assert_int_equal(w.err, 0);
	assert_int_equal(w.len, v.len);
	assert_memory_equal(a, b, w.len);
	state_free(kit.s);
	kit.s = copy;
}

static void grows_and_shrinks(void **state)
{
	const struct roster *r;
	uint64_t since;

	(void)state;
	kit_new(&kit, NULL, NULL);
	r = state_roster(kit.s);
	assert_int_equal(r->n, 1);
	assert_int_equal(r->version, 0);
	assert_int_equal(add(2), DECIDE_ENTRY);
	assert_int_equal(kit.out->kind, ENTRY_MEMBER);
	assert_true(kit.out->roster_changed);
	assert_int_equal(r->n, 2);
	assert_int_equal(r->version, kit.out->index + 1);
	assert_int_equal(r->voters_since, 0); /* A spare changes no quorum. */
	assert_int_equal(roster_voters(r), 1);
	assert_string_equal(roster_find(r, 2)->link, "10.0.0.2:7102");
	assert_int_equal(roster_find(r, 2)->added, kit.out->index);
	assert_int_equal(state_principal_by_name(kit.s, "node-2", 6)->roles, ROLE_NODE);
	assert_refused(set_role(2, ROSTER_SPARE), CS_ERR_EXISTS);
	assert_int_equal(set_role(2, ROSTER_VOTER), DECIDE_ENTRY);
	assert_int_equal(r->voters_since, kit.out->index + 1);
	assert_int_equal(roster_voters(r), 2);
	since = r->voters_since;
	assert_int_equal(move(2, "tcp://10.0.1.2:7101", "[fd00::2]:7102"), DECIDE_ENTRY);
	assert_int_equal(r->voters_since, since);
	assert_string_equal(roster_find(r, 2)->url, "tcp://10.0.1.2:7101");
	assert_int_equal(remove_node(1), DECIDE_ENTRY);
	assert_int_equal(roster_voters(r), 1);
	assert_null(roster_find(r, 1));
	assert_int_equal(roster_find_removed(r, 1)->role, ROSTER_REMOVED);
	assert_true(state_principal(kit.s, KIT_NODE)->removed);
	assert_refused(remove_node(1), CS_ERR_NOT_FOUND);
	assert_refused(remove_node(2), CS_ERR_INVALID); /* Nobody could vote. */
	assert_refused(set_role(2, ROSTER_SPARE), CS_ERR_INVALID);
	check_reload();
	kit_free(&kit);
}

static void nothing_comes_back(void **state)
{
	struct keys k, other;

	(void)state;
	kit_new(&kit, NULL, NULL);
	make_keys(&k);
	struct member_order m = adding(2, &k);
	assert_int_equal(send(&m, 0), DECIDE_ENTRY);
	assert_int_equal(remove_node(2), DECIDE_ENTRY);
	assert_refused(add(2), CS_ERR_EXISTS); /* The id, under new keys. */
	assert_refused(add(1), CS_ERR_EXISTS);
	m = adding(3, &k); /* The keys, under a new id. */
	assert_refused(send(&m, 0), CS_ERR_EXISTS);
	make_keys(&other);
	memcpy(other.cosigner, k.log, 32);
	m = adding(3, &other);
	assert_refused(send(&m, 0), CS_ERR_EXISTS);
	/* Forgotten as removed, but never as used. */
	for (uint64_t id = 10; id < 10 + ROSTER_REMOVED_MAX; id++) {
		assert_int_equal(add(id), DECIDE_ENTRY);
		assert_int_equal(remove_node(id), DECIDE_ENTRY);
	}
	assert_null(roster_find_removed(state_roster(kit.s), 2));
	check_reload();
	assert_refused(add(2), CS_ERR_EXISTS);
	kit_free(&kit);
}

static void what_is_refused(void **state)
{
	struct keys k;

	(void)state;
	kit_new(&kit, NULL, NULL);
	make_keys(&k);
	struct member_order m = adding(2, &k);
	assert_refused(send(&m, 1), CS_ERR_UNAUTHENTICATED);
	/* Not an administrator, though the signature is good. */
	assert_refused(kit_apply(&kit, COMMAND_MEMBER, KIT_GATEWAY, NULL, payload, payload_len, NULL, 0),
	               CS_ERR_NOT_PERMITTED);
	/* A signature for another command, then the same order twice. */
	assert_refused(kit_apply(&kit, COMMAND_REMOVE, KIT_ADMIN, NULL, payload, payload_len, NULL, 0),
	               CS_ERR_MALFORMED);
	assert_int_equal(send(&m, 0), DECIDE_ENTRY);
	assert_refused(kit_apply(&kit, COMMAND_MEMBER, KIT_ADMIN, NULL, payload, payload_len, NULL, 0),
	               CS_ERR_CONFLICT);
	assert_refused(set_role(9, ROSTER_VOTER), CS_ERR_NOT_FOUND);
	assert_refused(move(2, "http://10.0.0.2", "10.0.0.2:7102"), CS_ERR_INVALID);
	assert_refused(move(2, "tcp://10.0.0.2 :1", "10.0.0.2:7102"), CS_ERR_INVALID);
	assert_refused(move(2, "tcp://127.0.0.1:7000", "10.0.0.9:1"), CS_ERR_EXISTS); /* Node 1's. */
	assert_refused(move(2, "tcp://10.0.0.2:7101", "10.0.0.2:7102"), CS_ERR_EXISTS);
	static const char *const links[] = {"10.0.0.2", ":1", "h:", "h:0", "h:65536", "h:1x", "a b:1", "[]:1", "h:01"};
	for (size_t i = 0; i < sizeof(links) / sizeof(*links); i++)
		assert_refused(move(2, "tcp://10.0.0.3:1", links[i]), CS_ERR_INVALID);
	make_keys(&k);
	memset(k.channel, 0, 32);
	m = adding(3, &k);
	assert_refused(send(&m, 0), CS_ERR_INVALID);
	make_keys(&k);
	memcpy(k.log, k.cosigner, 32);
	m = adding(3, &k);
	assert_refused(send(&m, 0), CS_ERR_INVALID);
	for (uint64_t id = 3; id <= ROSTER_NODES_MAX; id++)
		assert_int_equal(add(id), DECIDE_ENTRY);
	assert_refused(add(8), CS_ERR_INVALID);
	kit_free(&kit);
}

static int copy(const void *bytes, size_t len, size_t *ret_len)
{
	struct member_order m;
	int err = member_order_decode(&m, bytes, len);

	return err != 0 ? err : member_order_encode(&m, again, sizeof(again), ret_len);
}

/* One encoding, whole, and of the shape that its action has. */
static void orders(void **state)
{
	struct keys k;
	size_t n;

	(void)state;
	kit_new(&kit, NULL, NULL);
	make_keys(&k);
	struct member_order good = adding(2, &k), m = good;
	send(&m, 0);
	for (size_t cut = 0; cut < payload_len; cut++)
		assert_int_not_equal(copy(payload, cut, &n), 0);
	for (size_t i = 0; i < payload_len; i++)
		for (unsigned bit = 0; bit < 8; bit++) {
			payload[i] ^= (uint8_t)(1 << bit);
			if (copy(payload, payload_len, &n) == 0) {
				assert_int_equal(n, payload_len);
				assert_memory_equal(payload, again, n);
			}
			payload[i] ^= (uint8_t)(1 << bit);
		}
	for (unsigned i = 0; i < 8; i++) {
		m = good;
		m.action = i == 0 ? 0 : i == 1 ? 5 : i == 6 ? MEMBER_ROLE : MEMBER_ADD;
		m.role = i == 2 ? ROSTER_VOTER : ROSTER_SPARE;
		m.link = i == 3 ? text("") : good.link;
		m.log_pub = i == 4 ? NULL : good.log_pub;
		m.lost = i == 5;
		m.id = i == 7 ? 0 : 3;
		assert_refused(send(&m, 0), CS_ERR_MALFORMED);
	}
	kit_free(&kit);
}

static void roster_bytes(void **state)
{
	static uint8_t a[ROSTER_SIZE_MAX], b[ROSTER_SIZE_MAX];
	struct roster r, q;
	struct writer w;
	struct reader rd;
	char longest[ROSTER_URL_SIZE];

	(void)state;
	memset(&r, 0, sizeof(r));
	memset(r.used, 0xff, sizeof(r.used));
	memset(longest, 'x', sizeof(longest) - 1);
	longest[sizeof(longest) - 1] = 0;
	r.n = ROSTER_NODES_MAX;
	r.n_removed = ROSTER_REMOVED_MAX;
	r.version = r.voters_since = (UINT64_C(1) << 60) - 1;
	for (unsigned i = 0; i < r.n + r.n_removed; i++) {
		struct roster_node *n = i < r.n ? &r.nodes[i] : &r.removed[i - r.n];
		n->id = 999 - i;
		n->role = i < r.n ? ROSTER_VOTER : ROSTER_REMOVED;
		n->added = n->changed = r.version;
		memcpy(n->url, longest, sizeof(longest));
		memcpy(n->link, longest, sizeof(longest));
	}
	writer_init(&w, a, sizeof(a)); /* The largest fits its bound. */
	roster_write(&w, &r);
	assert_int_equal(w.err, 0);
	reader_init(&rd, a, w.len);
	roster_read(&rd, &q);
	assert_int_equal(reader_end(&rd), 0);
	assert_memory_equal(&r, &q, sizeof(r)); /* Both began as zeros: padding too. */
	for (size_t i = 0; i < w.len; i++)
		for (unsigned bit = 0; bit < 8; bit++) {
			struct writer v;
			a[i] ^= (uint8_t)(1 << bit);
			reader_init(&rd, a, w.len);
			roster_read(&rd, &q);
			if (reader_end(&rd) == 0) {
				writer_init(&v, b, sizeof(b));
				roster_write(&v, &q);
				assert_int_equal(v.len, w.len);
				assert_memory_equal(a, b, v.len);
			}
			a[i] ^= (uint8_t)(1 << bit);
		}
}

/* A state that was stored before its members ever changed has them from the genesis. */
static void from_genesis(void **state)
{
	static uint8_t bytes[65536];
	struct state *copy;

	(void)state;
	memset(&kit, 0, sizeof(kit));
	size_t len = kit_genesis(&kit, NULL, bytes, sizeof(bytes));
	kit_new(&kit, NULL, NULL);
	copy = kit_reload(kit.s, NULL);
	assert_int_equal(state_roster(copy)->n, 0);
	assert_int_equal(state_roster_genesis(copy, bytes, len), 0);
	assert_memory_equal(state_roster(copy), state_roster(kit.s), sizeof(struct roster));
	state_free(kit.s);
	kit.s = copy;
	assert_int_equal(add(2), DECIDE_ENTRY);
	assert_int_equal(state_roster_genesis(copy, bytes, len), 0);
	assert_int_equal(state_roster(copy)->n, 2); /* And keeps what it has. */
	kit_free(&kit);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(grows_and_shrinks), cmocka_unit_test(nothing_comes_back),
	        cmocka_unit_test(what_is_refused),   cmocka_unit_test(orders),
	        cmocka_unit_test(roster_bytes),      cmocka_unit_test(from_genesis),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
