/* Replay across a restore: the ledger before is played first, and the new one from the state that it leads to. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <setjmp.h>
#include <sodium.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "client/tool/replaystate.h"
#include "ledger/errors.h"
#include "ledger/tree.h"
#include "node/decide/state_carry.h"
#include "node/decide/state_records.h"
#include "tests/replay_kit.h"

#define ORIGIN "kit.example-fedcba9876543210"

static const char policy[] = "version: 2\nbias: -9000\nthresholds: {step_up: 0, deny: 9000}\nrules:\n"
                             "- {id: by-risk, verdict: risk}\n";

static struct kit kit;
static struct replay_made before, other, made;
static char folder[200];
static uint64_t state_size, size;
static uint8_t payload[LIMIT_ENTRY_SIZE_MAX];

/* --- ledgers --- */

static void ask(const char *who, const char *device)
{
	kit.now_ms += 1234;
	assert_int_equal(kit_ask_for(&kit, who, "read", device, "192.0.2.10"), DECIDE_ENTRY);
}

static void asks(unsigned n, const char *device)
{
	for (unsigned i = 0; i < n; i++)
		ask(i % 3 ? "ada" : "bob", i % 4 ? "laptop" : device);
}

struct carrying {
	struct carry *c;
	bool histories;
};

static int carry_one(void *ctx, const void *key, size_t key_len, const void *value, size_t value_len)
{
	struct carrying *c = ctx;

	if ((*(const uint8_t *)key == RECORD_HISTORY) != c->histories)
		return 0;
	return carry_record(c->c, key, key_len, value, value_len);
}

/* Of the state as it is. */
static struct carry *carry_now(struct hash *ret_digest)
{
	struct replaystate records = {0};
	struct carrying c = {0};

	assert_int_equal(state_take_dirty(kit.s, replaystate_put, &records), 0); /* All of it: the first take. */
	assert_int_equal(carry_new(NULL, &c.c), 0);
	for (unsigned pass = 0; pass < 2; pass++) {
		c.histories = pass > 0;
		assert_int_equal(replaystate_each(&records, carry_one, &c), 0);
	}
	assert_int_equal(carry_end(c.c, ret_digest), 0);
	replaystate_close(&records);
	return c.c;
}

static void root_of(const struct replay_made *m, struct hash *ret)
{
	struct tree *t;
	struct hash h;

	assert_int_equal(tree_new(&(struct tree_tiles){0}, &t), 0);
	for (unsigned i = 0; i < m->n; i++) {
		hash_leaf(&h, m->e[i].leaf, m->e[i].leaf_len);
		assert_int_equal(tree_append(t, &h), 0);
	}
	tree_root(t, ret);
	tree_free(t);
}

/* The new ledger's genesis as its first entry; lies: it names another digest. */
static void found(struct carry *carry, const struct hash *digest, bool lies)
{
	static uint8_t leaf[LIMIT_ENTRY_SIZE_MAX];
	uint8_t keys[3][32], named[32];
	struct hash root, hash;
	struct genesis g;
	struct state *s;
	size_t len, leaf_len;
	char text[160];

	root_of(&before, &root);
	memcpy(named, digest->b, sizeof(named));
	named[7] ^= lies;
	assert_int_equal(genesis_decode(&g, kit.genesis, kit.genesis_len), 0);
	g.origin = (struct text){ORIGIN, strlen(ORIGIN)};
	g.time_ms = kit.now_ms + 1000;
	g.restored = true;
	g.predecessor = (struct predecessor){.origin = {KIT_ORIGIN, strlen(KIT_ORIGIN)},
	                                     .size = size,
	                                     .state_size = state_size,
	                                     .root = root.b,
	                                     .digest = digest->b};
	memset(keys, 0x61, sizeof(keys));
	keys[1][0]++;
	keys[2][0] += 2;
	g.nodes[0].log_pub = keys[0];
	g.nodes[0].cosigner_pub = keys[1];
	g.nodes[0].channel_pub = keys[2];
	for (unsigned pass = 0; pass < 2; pass++) { /* First as it is, to found a state; then as it is to be shown. */
		if (pass)
			g.predecessor.digest = named;
		assert_int_equal(genesis_encode(&g, payload, sizeof(payload), &len), 0);
		assert_int_equal(genesis_leaf(payload, len, leaf, sizeof(leaf), &leaf_len, &hash), 0);
		if (!pass)
			assert_int_equal(carry_found(carry, &g, &hash, &s, text), 0);
	}
	state_free(kit.s);
	kit.s = s;
	kit.now_ms += 2000;
	made.e[0] =
	        (struct made_entry){.leaf = malloc(leaf_len), .body = malloc(1), .leaf_len = leaf_len, .body_len = 1};
	memcpy(made.e[0].leaf, leaf, leaf_len);
	made.e[0].body[0] = 0x90;
	made.n = 1;
}

static void make(bool lies)
{
	struct carry *carry;
	struct hash digest;

	replay_made_free(&before);
	replay_made_free(&made);
	replay_record(&before);
	kit_new(&kit, NULL, policy);
	asks(9, "phone");
	state_size = before.n;
	carry = carry_now(&digest);
	asks(4, "phone"); /* Saved, and not in the state that is carried over. */
	size = before.n;
	replay_record(NULL);
	found(carry, &digest, lies);
	carry_free(carry);
	if (lies) /* What follows would have another chain: the genesis alone will do. */
		return;
	replay_record(&made);
	asks(12, "tablet");
	replay_record(NULL);
}

/* --- what is said --- */

static int setup(void **state)
{
	char path[256];

	(void)state;
	snprintf(folder, sizeof(folder), "%s/countersign-before.XXXXXX", getenv("TMPDIR") ? getenv("TMPDIR") : "/tmp");
	assert_non_null(mkdtemp(folder));
	for (unsigned i = 0; i < 2; i++) {
		snprintf(path, sizeof(path), "%s/%s", folder, i ? "new" : "old");
		assert_int_equal(mkdir(path, 0700), 0);
	}
	return 0;
}

static int teardown(void **state)
{
	char command[320];

	(void)state;
	kit_free(&kit);
	replay_made_free(&before);
	replay_made_free(&other);
	replay_made_free(&made);
	snprintf(command, sizeof(command), "rm -rf '%s'", folder);
	return system(command);
}

static void put(const struct replay_made *m, const char *name)
{
	char path[256];

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	replay_store(m, path);
}

/* replay new, with further arguments; each @ is the folder. */
static json_t *run(int expected, const char *further)
{
	char arguments[1024];
	json_t *o;
	int len = snprintf(arguments, sizeof(arguments), "%s/new ", folder);

	for (const char *p = further; *p && (size_t)len < sizeof(arguments); p++)
		len += snprintf(arguments + len, sizeof(arguments) - (size_t)len, "%.*s", *p == '@' ? 700 : 1,
		                *p == '@' ? folder : p);
	int code = replay_tool(arguments, &o);
	if (code != expected)
		fail_msg("replay %s: exit code %d, not %d\n%s", arguments, code, expected,
		         json_dumps(o, JSON_INDENT(1)));
	return o;
}

static void assert_played(const json_t *o, uint64_t end)
{
	const json_t *spans = json_object_get(json_object_get(o, "history"), "spans"), *s = json_array_get(spans, 0);

	assert_int_equal(json_array_size(spans), 1);
	assert_true(json_is_true(json_object_get(s, "recomputed")));
	assert_int_equal(json_integer_value(json_object_get(s, "from")), 0);
	assert_int_equal(json_integer_value(json_object_get(s, "to")), end - 1);
}

static void assert_text(const json_t *o, const char *member, const char *part)
{
	const char *text = json_string_value(json_object_get(o, member));

	if (text == NULL || strstr(text, part) == NULL)
		fail_msg("%s: %s, not: %s", member, text != NULL ? text : "nothing", part);
}

/* Why the first entry was not played. */
static const json_t *first_span(const json_t *o)
{
	return json_array_get(json_object_get(json_object_get(o, "history"), "spans"), 0);
}

/* --- tests --- */

static void crosses(void **state)
{
	(void)state;
	make(false);
	put(&before, "old");
	put(&made, "new");
	json_t *o = run(0, "--before @/old"), *b = json_object_get(o, "before");
	assert_played(o, made.n);
	assert_played(b, before.n);
	assert_true(json_is_true(json_object_get(b, "root_holds")));
	json_decref(o);
	json_decref(run(0, "--level 1 --before @/old"));
	o = run(2, "");
	assert_text(first_span(o), "why", "--before LEDGER");
	json_decref(o);
	o = run(4, "--before @/new"); /* It does not carry on itself. */
	assert_text(o, "said", "no ledger here carries it on");
	json_decref(o);
	o = run(4, "--before @/old --before @/new");
	assert_text(o, "said", "no ledger here carries it on");
	json_decref(o);
	o = run(4, "--before @");
	assert_text(o, "said", "no ledger of a node is there");
	json_decref(o);
}

/* Of the same origin, sound in itself, and not the one that was saved. */
static void another_history(void **state)
{
	(void)state;
	make(false);
	put(&made, "new");
	kit_free(&kit);
	replay_record(&other);
	kit_new(&kit, NULL, policy);
	asks(13, "tablet");
	replay_record(NULL);
	assert_int_equal(other.n, before.n);
	put(&other, "old");
	json_t *o = run(1, "--before @/old"), *b = json_object_get(o, "before");
	assert_text(o, "reason", "the ledger that it carries on differs");
	assert_text(json_object_get(b, "difference"), "what", "root up to it");
	json_decref(o);
}

/* A cluster that was founded with another state than it says. */
static void another_state(void **state)
{
	(void)state;
	make(true);
	put(&before, "old");
	put(&made, "new");
	json_t *o = run(2, "--before @/old");
	assert_text(first_span(o), "why", "not the one that the ledger before leads to");
	json_decref(o);
}

/* What was erased there keeps the state from being made again; a file with a later one does not. */
static void erased_before(void **state)
{
	char path[256], arguments[600];
	json_t *o;

	(void)state;
	make(false);
	put(&before, "old");
	put(&made, "new");
	snprintf(path, sizeof(path), "%s/old", folder);
	snprintf(arguments, sizeof(arguments), "%s --to %u --save-state %s/state", path, (unsigned)state_size - 1,
	         folder);
	assert_int_equal(replay_tool(arguments, &o), 0);
	json_decref(o);
	replay_erase(path, 6);
	o = run(2, "--before @/old");
	assert_text(first_span(o), "why", "could not be made again");
	json_decref(o);
	o = run(2, "--before @/old --state @/state"); /* Of the old one it is still said that something is missing. */
	assert_played(o, made.n);
	json_decref(o);
}

#define BEFORE_TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
int main(void)
{
	const struct CMUnitTest tests[] = {BEFORE_TEST(crosses), BEFORE_TEST(another_history),
	                                   BEFORE_TEST(another_state), BEFORE_TEST(erased_before)};

	if (access(getenv("COUNTERSIGN") ? getenv("COUNTERSIGN") : "./countersign", X_OK) != 0)
		return 77;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
