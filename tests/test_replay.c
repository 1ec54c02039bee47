/* Replay: a ledger comes out again byte for byte; what is changed in it is named; going on behind what is erased. */
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
#include "node/decide/command_verdicts.h"
#include "tests/replay_kit.h"

static const char policy[] =
        "version: 2\nbias: -9000\nthresholds: {step_up: 0, deny: 9000}\n"
        "break_glass: {from: ['chief-*'], within: 10m}\n"
        "levels:\n  aal1: {level: possession, methods: [ed25519], max_age: 5m}\n"
        "rules:\n- {id: by-risk, verdict: risk}\n"
        "- {id: two, match: {action: deploy}, verdict: defer,\n"
        "   defer: {approvals: {needed: 2, from: ['boss-*'], expires: 30m}},\n"
        "   grant: {for: 15m, scope: {action: deploy, resource: '*'}}}\n"
        "- {id: later, match: {action: drop}, verdict: defer, defer: {until: 1h}}\n"
        "- {id: prove, match: {action: tune}, verdict: step_up}\n"
        "- {id: never, match: {action: wipe}, verdict: deny, obligations: [{type: notification, id: soc}]}\n";

static struct kit kit;
static struct replay_made made, altered;
static struct replaystate records;
static char folder[200], path[256];
static uint64_t first_decision, digest_at[8];
static unsigned n_digests;
static uint8_t boss[2][64], chief[2][64];

/* --- a ledger with something of everything --- */

static void digest(void)
{
	uint8_t payload[64];
	struct state_digest d;
	struct state_head head;
	size_t len;

	state_head(kit.s, &head);
	d.size = head.size;
	assert_int_equal(state_take_dirty(kit.s, replaystate_put, &records), 0);
	multiset_digest(&records.sum, &d.digest);
	assert_int_equal(state_digest_encode(&d, payload, sizeof(payload), &len), 0);
	assert_int_equal(kit_apply(&kit, COMMAND_STATE_DIGEST, 0, NULL, payload, len, NULL, 0), DECIDE_ENTRY);
	digest_at[n_digests++] = d.size;
}

static void enrol(const char *name, uint32_t roles, const char *person, uint8_t sk[64], uint8_t tag)
{
	uint8_t pub[32], channel[32];

	kit_key(&kit, pub, sk);
	memset(channel, tag, sizeof(channel));
	assert_int_equal(kit_enroll(&kit, name, roles, channel, pub, person), DECIDE_ENTRY);
}

static uint64_t ask(const char *who, const char *action, const char *device)
{
	kit.now_ms += 1234;
	assert_int_equal(kit_ask_for(&kit, who, action, device, "192.0.2.10"), DECIDE_ENTRY);
	return kit.out->index;
}

static void say(const char *who, uint64_t index, unsigned what, const uint8_t *sk)
{
	kit.now_ms += 1000;
	assert_int_equal(kit_say(&kit, who, index, what, "because", sk), DECIDE_ENTRY);
}

static void asks(void)
{
	struct request q;

	for (unsigned i = 0; i < 12; i++)
		ask(i % 3 ? "ada" : "bob", i % 4 ? "read" : "list", i % 5 ? "laptop" : "phone");
	kit_request(&q, "ada", "read", "laptop", "198.51.100.7");
	assert_int_equal(kit_import(&kit, &q, kit.now_ms - KIT_DAY_MS), DECIDE_ENTRY);
	uint64_t challenge = ask("ada", "tune", "laptop");
	assert_int_equal(kit.out->verdict, VERDICT_STEP_UP);
	assert_int_equal(kit_answer(&kit, KIT_GATEWAY, challenge, "ada-key", kit.admin_sk), DECIDE_ENTRY);
	challenge = ask("ada", "tune", "laptop");
	assert_int_equal(kit_answer(&kit, KIT_GATEWAY, challenge, "ada-key", kit.device_sk), DECIDE_ENTRY);
	assert_int_equal(kit.out->verdict, VERDICT_ALLOW);
	ask("ada", "tune", "laptop"); /* The proof of just now counts again. */
	assert_int_equal(kit.out->verdict, VERDICT_ALLOW);
}

static void waits(void)
{
	uint64_t index = ask("ada", "deploy", "laptop");

	assert_int_equal(kit.out->verdict, VERDICT_DEFER);
	say("boss-1", index, SAY_APPROVE, boss[0]);
	say("boss-2", index, SAY_APPROVE, boss[1]);
	ask("ada", "deploy", "laptop"); /* By the grant that the approvals bought. */
	index = ask("bob", "deploy", "phone");
	say("boss-2", index, SAY_REJECT, boss[1]);
	index = ask("ada", "wipe", "laptop");
	say("chief-1", index, SAY_BREAK_GLASS, chief[0]);
	say("chief-2", index, SAY_BREAK_GLASS, chief[1]);
	ask("ada", "drop", "laptop");
	kit.now_ms += 2 * KIT_HOUR_MS;
	do
		assert_int_equal(kit_tick(&kit), DECIDE_ENTRY);
	while (kit.out->kind == ENTRY_DEFER_ENDED);
	assert_int_equal(kit.out->kind, ENTRY_TICK);
}

static void make(void)
{
	replay_made_free(&made);
	replaystate_close(&records);
	n_digests = 0;
	replay_record(&made);
	kit_new(&kit, NULL, policy);
	enrol("boss-1", ROLE_APPROVE, "bea", boss[0], 101);
	enrol("boss-2", ROLE_APPROVE, "ben", boss[1], 102);
	enrol("chief-1", ROLE_APPROVE, "cat", chief[0], 103);
	enrol("chief-2", ROLE_APPROVE, "cid", chief[1], 104);
	first_decision = made.n;
	asks();
	digest();
	waits();
	assert_int_equal(kit_remove(&kit, "boss-2"), DECIDE_ENTRY);
	digest();
	assert_int_equal(kit_policy(&kit, "version: 2\nthresholds: {step_up: 0, deny: 5000}\nrules:\n"
	                                  "- {id: other, verdict: risk}\n"),
	                 DECIDE_ENTRY);
	for (unsigned i = 0; i < 8; i++)
		ask("ada", "read", i % 2 ? "laptop" : "tablet");
	digest();
	ask("bob", "read", "phone");
	replay_record(NULL);
}

static int setup(void **state)
{
	(void)state;
	snprintf(folder, sizeof(folder), "%s/countersign-replay.XXXXXX", getenv("TMPDIR") ? getenv("TMPDIR") : "/tmp");
	assert_non_null(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/state", folder);
	make();
	return 0;
}

static int teardown(void **state)
{
	char command[320];

	(void)state;
	kit_free(&kit);
	replay_made_free(&made);
	replay_made_free(&altered);
	replaystate_close(&records);
	snprintf(command, sizeof(command), "rm -rf '%s'", folder);
	return system(command);
}

/* --- what is said --- */

static json_t *run(int expected, const char *format, const char *argument)
{
	char arguments[1024], more[600];
	json_t *o;

	snprintf(more, sizeof(more), format, argument);
	snprintf(arguments, sizeof(arguments), "%s %s", folder, more);
	int code = replay_tool(arguments, &o);
	if (code != expected) {
		char *text = o != NULL ? json_dumps(o, JSON_INDENT(1)) : NULL;
		fail_msg("replay %s: exit code %d, not %d\n%s", arguments, code, expected, text != NULL ? text : "");
	}
	return o;
}

static json_int_t number(const json_t *o, const char *a, const char *b)
{
	const json_t *v = json_object_get(json_object_get(o, a), b);

	assert_true(json_is_integer(v));
	return json_integer_value(v);
}

static void assert_span(const json_t *o, unsigned i, uint64_t from, uint64_t to, bool recomputed)
{
	const json_t *s = json_array_get(json_object_get(json_object_get(o, "history"), "spans"), i);

	assert_int_equal(json_integer_value(json_object_get(s, "from")), from);
	assert_int_equal(json_integer_value(json_object_get(s, "to")), to);
	assert_int_equal(json_is_true(json_object_get(s, "recomputed")), recomputed);
}

static void assert_differs(const json_t *o, unsigned level, uint64_t index, const char *what)
{
	const json_t *d = json_object_get(o, "difference");
	const char *found = json_string_value(json_object_get(d, "what"));

	if (found == NULL || strcmp(found, what) != 0 || number(o, "difference", "entry") != (json_int_t)index ||
	    number(o, "difference", "level") != (json_int_t)level)
		fail_msg("%s, not level %u entry %u %s", json_dumps(d, JSON_INDENT(1)), level, (unsigned)index, what);
}

/* --- tests --- */

static void comes_out_again(void **state)
{
	(void)state;
	replay_store(&made, folder);
	json_t *o = run(0, "", "");
	assert_span(o, 0, 0, made.n - 1, true);
	assert_int_equal(number(o, "history", "digests_held"), 3);
	assert_true(number(o, "verdicts", "same") > 30);
	assert_int_equal(number(o, "verdicts", "erased"), 0);
	assert_true(number(o, "verdicts", "waited") > 0 && number(o, "verdicts", "proven_lately") > 0);
	assert_true(json_is_null(json_object_get(o, "verified")));
	json_decref(o);
	json_decref(run(0, "--level 1", ""));
	json_decref(run(0, "--from 20 --to 30", ""));
	json_decref(run(4, "--from 9999", ""));
}

/* The index of the n-th decision of the made ledger from first_decision on. */
static const struct made_entry *entry_of(uint64_t index, struct entry *e, struct field *f, unsigned *n)
{
	assert_int_equal(entry_decode(e, made.e[index].leaf, made.e[index].leaf_len), 0);
	assert_int_equal(body_decode(f, n, made.e[index].body, made.e[index].body_len), 0);
	return &made.e[index];
}

static void alter_public(uint64_t index, unsigned element, const void *bytes, size_t len)
{
	static uint8_t public_[LIMIT_ENTRY_SIZE_MAX];
	struct field f[LIMIT_FIELD_COUNT_MAX];
	struct entry e;
	unsigned n;

	entry_of(index, &e, f, &n);
	struct replay_alteration a = {.index = index, .public_ = public_};
	a.public_len = replay_with_element(e.public_, e.public_len, element, bytes, len, public_, sizeof(public_));
	replay_made_free(&altered);
	replay_alter(&made, &a, &altered);
	replay_store(&altered, folder);
}

static void public_elements(void **state)
{
	static const struct {
		unsigned element;
		const char *bytes;
		size_t len;
		const char *what;
	} cases[] = {{0, "\x04", 1, "verdict"},
	             {1, "\x07", 1, "risk"},
	             {3, "\x91\xa5never", 7, "rules"},
	             {5,
	              "\x91\x92\xa6"
	              "custom\xa1x",
	              11, "obligations"}};

	uint64_t index = first_decision + 3;

	(void)state;
	for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char command[320];
		snprintf(command, sizeof(command), "rm -f '%s'/*", folder);
		assert_int_equal(system(command), 0);
		alter_public(index, cases[i].element, cases[i].bytes, cases[i].len);
		json_t *o = run(1, "", "");
		assert_differs(o, 1, index, cases[i].what);
		assert_non_null(json_object_get(json_object_get(o, "difference"), "ours"));
		assert_non_null(json_object_get(json_object_get(o, "difference"), "ledger"));
		json_decref(o);
	}
}

/* [[id, value, weight]…] with the first one's value changed. */
static void a_signal(void **state)
{
	static uint8_t value[4096], first[64];
	struct field f[LIMIT_FIELD_COUNT_MAX];
	struct entry e;
	struct reader r;
	struct writer w;
	uint64_t index = first_decision, id = 0;
	int64_t v = 0, weight = 0;
	uint32_t count = 0;
	unsigned n;

	(void)state;
	entry_of(index, &e, f, &n);
	const struct field *signals = body_find(f, n, FIELD_SIGNALS);
	reader_init(&r, signals->value, signals->value_len);
	reader_array(&r, 64, &count);
	reader_array_exact(&r, 3);
	reader_uint(&r, 255, &id);
	reader_int(&r, &v);
	reader_int(&r, &weight);
	writer_init(&w, first, sizeof(first));
	writer_array(&w, 3);
	writer_uint(&w, id);
	writer_int(&w, v);
	writer_int(&w, weight - 100);
	struct replay_alteration a = {.index = index, .field = FIELD_SIGNALS, .value = value};
	a.value_len = replay_with_element(signals->value, signals->value_len, 0, first, w.len, value, sizeof(value));
	replay_alter(&made, &a, &altered);
	replay_store(&altered, folder);
	json_t *o = run(1, "", "");
	assert_differs(o, 1, index, "weight of a signal");
	json_decref(o);
}

/* Whoever lies to the end: signals, risk and verdict fit each other, but not what was before. */
static void signals_of_another_history(void **state)
{
	static struct replay_made other;
	uint64_t index = first_decision + 7;

	(void)state;
	struct kit kept = kit;
	replay_record(&other);
	kit_new(&kit, NULL, policy);
	enrol("boss-1", ROLE_APPROVE, "bea", boss[0], 101);
	enrol("boss-2", ROLE_APPROVE, "ben", boss[1], 102);
	enrol("chief-1", ROLE_APPROVE, "cat", chief[0], 103);
	enrol("chief-2", ROLE_APPROVE, "cid", chief[1], 104);
	for (unsigned i = 0; i < 8; i++) /* Of each other's devices there was never a word. */
		ask(i % 3 ? "ada" : "bob", i % 4 ? "read" : "list", i < 7 ? "desk" : i % 5 ? "laptop" : "phone");
	replay_record(NULL);
	kit_free(&kit);
	kit = kept;
	replay_graft(&made, index, &other.e[index], &altered);
	replay_store(&altered, folder);
	json_decref(run(0, "--level 1", ""));
	json_t *o = run(1, "", "");
	assert_differs(o, 2, index, "signals");
	json_decref(o);
	replay_made_free(&other);
}

static void a_digest(void **state)
{
	static uint8_t bytes[34] = {0xc4, 32, 1, 2, 3};

	(void)state;
	alter_public(digest_at[1], 1, bytes, sizeof(bytes));
	json_t *o = run(1, "", "");
	assert_differs(o, 2, digest_at[1] - 1, "state behind it");
	json_decref(o);
}

static void erased_and_resumed(void **state)
{
	uint64_t gone = first_decision + 7, last = digest_at[2];
	char copy[256], arguments[1200];

	(void)state;
	replay_store(&made, folder);
	json_t *o = run(0, "--save-state %s", path);
	assert_int_equal(
	        json_integer_value(json_object_get(json_object_get(json_object_get(o, "history"), "saved"), "entries")),
	        last);
	json_decref(o);
	json_decref(run(8, "--save-state %s", path)); /* It is there already. */
	replay_erase(folder, gone);
	o = run(2, "", "");
	assert_span(o, 0, 0, gone - 1, true);
	assert_span(o, 1, gone, made.n - 1, false);
	assert_int_equal(number(o, "verdicts", "erased"), 1);
	json_decref(o);

	o = run(2, "--state %s", path);
	assert_span(o, 0, 0, gone - 1, true);
	assert_span(o, 1, gone, last - 1, false);
	assert_span(o, 2, last, made.n - 1, true);
	assert_int_equal(number(o, "history", "state_proven_by"), last);
	json_decref(o);
	snprintf(arguments, sizeof(arguments), "%s --from %u", path, (unsigned)last);
	o = run(0, "--state %s", arguments);
	assert_span(o, 0, 0, last - 1, false);
	assert_span(o, 1, last, made.n - 1, true);
	json_decref(o);

	/* A byte of it, and another ledger's. */
	snprintf(copy, sizeof(copy), "%s/bad", folder);
	snprintf(arguments, sizeof(arguments),
	         "cp '%s' '%s' && printf '\\377' | dd of='%s' bs=1 seek=1500 conv=notrunc 2>/dev/null", path, copy,
	         copy);
	assert_int_equal(system(arguments), 0);
	json_decref(run(2, "--state %s", copy));
	snprintf(arguments, sizeof(arguments), "head -c 400 '%s' >'%s'", path, copy);
	assert_int_equal(system(arguments), 0);
	json_decref(run(4, "--state %s", copy));
}

/* --- the command --- */

static enum decide_outcome apply_digest(uint64_t size, uint64_t principal)
{
	uint8_t payload[64];
	const struct state_digest d = {.size = size};
	size_t len;

	assert_int_equal(state_digest_encode(&d, payload, sizeof(payload), &len), 0);
	return kit_apply(&kit, COMMAND_STATE_DIGEST, principal, NULL, payload, len, NULL, 0);
}

static void assert_refused(enum decide_outcome outcome, int err)
{
	if (outcome != DECIDE_REFUSED || kit.out->err != err)
		fail_msg("outcome %d err %d (%s), not %d", outcome, kit.out->err, kit.out->text, err);
}

/* No leader would order it; who did all the same is refused. */
static void by_a_client(uint64_t size)
{
	static const uint8_t seed[SEED_SIZE], id[REQUEST_ID_SIZE];
	const struct state_digest d = {.size = size};
	uint8_t payload[64];
	struct command c = {.type = COMMAND_STATE_DIGEST,
	                    .principal = KIT_ADMIN,
	                    .seed = seed,
	                    .request_id = id,
	                    .payload = payload,
	                    .facts = (const uint8_t *)"\x90",
	                    .facts_len = 1};
	size_t len;

	assert_int_equal(state_digest_encode(&d, payload, sizeof(payload), &c.payload_len), 0);
	assert_int_equal(command_encode(&c, kit.command, sizeof(kit.command), &len), 0);
	decide(kit.s, kit.now_ms, kit.command, len, kit.out);
	assert_refused(kit.out->outcome, CS_ERR_NOT_PERMITTED);
}

static void digests_as_entries(void **state)
{
	struct state_head head;

	(void)state;
	kit_free(&kit);
	kit_new(&kit, NULL, policy);
	state_head(kit.s, &head);
	assert_refused(apply_digest(head.size + 1, 0), CS_ERR_INVALID);
	assert_refused(apply_digest(0, 0), CS_ERR_EXISTS);
	by_a_client(head.size);
	assert_refused(kit_apply(&kit, COMMAND_STATE_DIGEST, 0, NULL, "\x92\x01\xc0", 3, NULL, 0), CS_ERR_MALFORMED);
	assert_int_equal(apply_digest(head.size, 0), DECIDE_ENTRY);
	assert_int_equal(kit.out->kind, ENTRY_STATE_DIGEST);
	assert_int_equal(state_digested(kit.s), head.size);
	assert_refused(apply_digest(head.size, 0), CS_ERR_EXISTS);
	assert_int_equal(apply_digest(head.size + 1, 0), DECIDE_ENTRY);
	struct state *s = kit_reload(kit.s, NULL);
	assert_int_equal(state_digested(s), head.size + 1);
	state_free(s);
	kit_free(&kit);
	kit_new(&kit, NULL, kit_policy_1());
	assert_refused(apply_digest(1, 0), CS_ERR_INVALID);
}

#define REPLAY_TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
int main(void)
{
	const struct CMUnitTest tests[] = {
	        REPLAY_TEST(comes_out_again), REPLAY_TEST(a_signal),           REPLAY_TEST(signals_of_another_history),
	        REPLAY_TEST(a_digest),        REPLAY_TEST(erased_and_resumed), REPLAY_TEST(digests_as_entries),
	        REPLAY_TEST(public_elements)};

	if (access(getenv("COUNTERSIGN") ? getenv("COUNTERSIGN") : "./countersign", X_OK) != 0)
		return 77;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
