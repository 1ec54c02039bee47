/* Fuzzing: commands on a state, state records, policies, genesis: what replicas take from the log and from peers. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <stdlib.h>
#include <string.h>

#include "ledger/errors.h"
#include "node/core/catchup_bytes.h"
#include "node/core/snapshot.h"
#include "node/decide/evaluate.h"
#include "node/decide/policy.h"
#include "node/decide/policy_form.h"
#include "tests/decide_kit.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/history.h"

/* --- commands --- */

static struct {
	uint8_t *bytes; /* The records of a state with a history, as catch-up would bring them. */
	size_t len;
	struct kit kit;
	struct decide_out *out;
} base;

static int load_record(void *ctx, const void *key, size_t key_len, const void *value, size_t value_len)
{
	return state_load(ctx, key, key_len, value, value_len);
}

static void base_make(void)
{
	if (base.bytes)
		return;
	fuzz_history(&base.kit);
	base.bytes = fuzz_history_records(&base.kit, &base.len);
	base.out = malloc(sizeof *base.out);
	FUZZ_DEMAND(base.out);
}

static struct state *base_state(void)
{
	struct state *s;

	base_make();
	FUZZ_DEMAND(state_new(&fuzz_history_limits, &s) == 0);
	FUZZ_DEMAND(catchup_each_record(base.bytes, base.len, load_record, s) == 0 && state_loaded(s) == 0);
	return s;
}

/* What decide gives must be whole, whatever it was given. */
static void check_outcome(struct state *s, const struct state_head *before)
{
	struct kit *k = &base.kit;
	struct state *own = k->s;
	struct decide_out *out = k->out;
	struct state_head after;

	state_head(s, &after);
	FUZZ_DEMAND(base.out->outcome >= DECIDE_ENTRY && base.out->outcome <= DECIDE_NEWER);
	if (base.out->outcome == DECIDE_ENTRY) {
		FUZZ_DEMAND(after.size == before->size + 1);
		k->s = s;
		k->out = base.out;
		kit_check_entry(k);
		k->s = own;
		k->out = out;
	} else {
		FUZZ_DEMAND(memcmp(&after.last_leaf, &before->last_leaf, sizeof after.last_leaf) == 0);
		FUZZ_DEMAND(after.size == before->size);
	}
	if (base.out->outcome == DECIDE_REFUSED)
		FUZZ_DEMAND(base.out->err < 0 && base.out->text[0] && memchr(base.out->text, 0, sizeof base.out->text));
}

static void decide_on(struct state *s, const uint8_t *bytes, size_t len)
{
	struct state_head before;
	struct command c;
	uint8_t facts[64];
	size_t facts_len;
	char why[160] = "";

	state_head(s, &before);
	if (command_decode(&c, bytes, len) == 0)
		(void)decide_prepare(s, base.kit.now_ms, c.type, c.principal, c.request_id, c.payload, c.payload_len,
		                     facts, sizeof facts, &facts_len, why);
	decide(s, base.kit.now_ms, bytes, len, base.out);
	check_outcome(s, &before);
}

/* The administrator's signature made anew over what the fuzzer made of the command: else none would get past it. */
static size_t sign_again(const uint8_t *bytes, size_t len, uint8_t *ret, size_t cap)
{
	static uint8_t payload[65536];
	struct command c;
	struct enrolment e;
	struct removal r;
	struct policy_set p;
	struct key_order k;
	uint8_t sig[64];
	int err = CS_ERR_MALFORMED;

	if (command_decode(&c, bytes, len))
		return 0;
	if (c.type == COMMAND_ENROLL && enrolment_decode(&e, c.payload, c.payload_len) == 0) {
		kit_sign(&base.kit, c.type, &e.admin, e.signed_elements, e.signed_len, sig);
		err = enrolment_encode(&e, payload, sizeof payload, &c.payload_len);
	} else if (c.type == COMMAND_REMOVE && removal_decode(&r, c.payload, c.payload_len) == 0) {
		kit_sign(&base.kit, c.type, &r.admin, r.signed_elements, r.signed_len, sig);
		err = removal_encode(&r, payload, sizeof payload, &c.payload_len);
	} else if (c.type == COMMAND_POLICY_SET && policy_set_decode(&p, c.payload, c.payload_len) == 0) {
		kit_sign(&base.kit, c.type, &p.admin, p.signed_elements, p.signed_len, sig);
		err = policy_set_encode(&p, payload, sizeof payload, &c.payload_len);
	} else if (c.type == COMMAND_KEY && key_order_decode(&k, c.payload, c.payload_len) == 0) {
		kit_sign(&base.kit, c.type, &k.admin, k.signed_elements, k.signed_len, sig);
		err = key_order_encode(&k, payload, sizeof payload, &c.payload_len);
	}
	c.payload = payload;
	return err == 0 && command_encode(&c, ret, cap, &len) == 0 ? len : 0;
}

void fuzz_command(const uint8_t *bytes, size_t len)
{
	static uint8_t again[70000];
	struct state *s = base_state();

	decide_on(s, bytes, len);
	decide_on(s, bytes, len); /* The second time it is a repeat, or refused again. */
	len = sign_again(bytes, len, again, sizeof again);
	if (len > 0)
		decide_on(s, again, len);
	FUZZ_DEMAND(decide_check(s, base.kit.now_ms, KIT_GATEWAY, base.kit.last_id, &(struct check_result){0}) <= 0);
	state_free(s);
}

/* --- what a peer says that its state is --- */

static int count_record(void *ctx, const void *key, size_t key_len, const void *value, size_t value_len)
{
	size_t *n = ctx;

	FUZZ_DEMAND(key_len > 0 && key && (value || value_len == 0));
	++*n;
	return 0;
}

void fuzz_state(const uint8_t *bytes, size_t len)
{
	struct state *s;
	size_t n = 0;

	base_make();
	FUZZ_DEMAND(state_new(&fuzz_history_limits, &s) == 0);
	if (catchup_each_record(bytes, len, load_record, s) == 0 && state_loaded(s) == 0) {
		struct state_head head;

		/* Taken for a state, it can be worked with. */
		state_head(s, &head);
		decide(s, base.kit.now_ms > head.time_ms ? base.kit.now_ms : head.time_ms, base.kit.command,
		       base.kit.command_len, base.out);
		FUZZ_DEMAND(state_take_dirty(s, count_record, &n) == 0);
	}
	state_free(s);
}

void fuzz_catchup(const uint8_t *bytes, size_t len)
{
	const uint8_t *p = bytes;
	size_t left = len;
	struct catchup_entry e;

	while (catchup_take_entry(&p, &left, &e)) {
		const uint8_t *end = e.body + e.body_len;
		FUZZ_DEMAND(e.leaf >= bytes && e.leaf + e.leaf_len == e.body && e.n_erasures <= STORE_ERASURES_MAX);
		if (e.n_erasures > 0) {
			FUZZ_DEMAND(e.erasures == end + 4);
			end = e.erasures + 16 * (size_t)e.n_erasures;
			FUZZ_DEMAND(catchup_erasure(&e, e.n_erasures - 1, 7).index == 7);
		}
		FUZZ_DEMAND(end == p);
		FUZZ_DEMAND(left < len && p + left == bytes + len);
	}
}

void fuzz_snapshot(const uint8_t *bytes, size_t len)
{
	struct snapshot s;
	uint8_t again[SNAPSHOT_SIZE];

	if (snapshot_decode(&s, bytes, len))
		return;
	if (len == SNAPSHOT_SIZE && !snapshot_has_digest(&s))
		return; /* Zeros for a digest: such a one is not written. */
	FUZZ_DEMAND(snapshot_encode(&s, again) == len && memcmp(again, bytes, len) == 0);
}

/* --- policies --- */

/* A request that looks like most of what rules match. */
static void match_rules(const struct policy *p)
{
	static struct evaluation e;
	struct request q;

	kit_request(&q, "ada", "deploy", "laptop", "192.0.2.7");
	for (unsigned i = 0; i < p->n_rules; i++)
		(void)policy_rule_matches(p, &p->rules[i], &q, NULL);
	(void)policy_is_sensitive(p, q.action);
	memset(&e, 0, sizeof e);
	evaluate_given(&e, p, &q, 0, false);
	FUZZ_DEMAND(e.verdict >= VERDICT_ALLOW && e.verdict <= VERDICT_DENY);
}

void fuzz_compiled(const uint8_t *bytes, size_t len)
{
	static struct policy p, whole;
	static uint8_t again[POLICY_COMPILED_SIZE_MAX], twice[POLICY_COMPILED_SIZE_MAX];
	size_t again_len, twice_len;

	if (policy_load(&p, bytes, len))
		return;
	FUZZ_DEMAND(policy_encode(&p, again, sizeof again, &again_len) == 0);
	/* A form of version 2 by an earlier build has fewer signals: it comes out with what they weigh without a word.
	 */
	if (again_len == len || p.version == POLICY_VERSION_1) {
		FUZZ_DEMAND(again_len == len && memcmp(again, bytes, len) == 0);
	} else {
		FUZZ_DEMAND(again_len > len && policy_load(&whole, again, again_len) == 0);
		FUZZ_DEMAND(policy_encode(&whole, twice, sizeof twice, &twice_len) == 0);
		FUZZ_DEMAND(twice_len == again_len && memcmp(twice, again, again_len) == 0);
	}
	match_rules(&p);
}

void fuzz_policy(const uint8_t *bytes, size_t len)
{
	static struct policy p;
	static uint8_t compiled[POLICY_COMPILED_SIZE_MAX];
	struct policy_error e = {0};
	size_t compiled_len;
	int err = policy_compile((const char *)bytes, len, compiled, sizeof compiled, &compiled_len, &e);

	if (err) {
		FUZZ_DEMAND(err != CS_ERR_INVALID || (e.text[0] && memchr(e.text, 0, sizeof e.text)));
		return;
	}
	FUZZ_DEMAND(policy_load(&p, compiled, compiled_len) == 0);
	match_rules(&p);
}

void fuzz_genesis(const uint8_t *bytes, size_t len)
{
	static uint8_t leaf[LIMIT_ENTRY_SIZE_MAX], again[65536];
	struct genesis g;
	struct hash h;
	size_t leaf_len, again_len;

	if (genesis_decode(&g, bytes, len))
		return;
	FUZZ_DEMAND(genesis_encode(&g, again, sizeof again, &again_len) == 0);
	FUZZ_DEMAND(again_len == len && memcmp(again, bytes, len) == 0);
	(void)genesis_leaf(bytes, len, leaf, sizeof leaf, &leaf_len, &h);
}
