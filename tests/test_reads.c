/* Tests of reading as entries: histories chained to a person's own, what was read, searches. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "ledger/errors.h"
#include "node/decide/search.h"
#include "node/decide/state.h"
#include "tests/decide_kit.h"
#include "tests/replay_kit.h"

static struct kit k;
static uint64_t auditor;

static struct text text(const char *s)
{
	return (struct text){s, strlen(s)};
}

static int setup(void **state)
{
	static const uint8_t channel[32] = {9, 9};

	replay_setup(state); /* What each test makes comes out again. */
	kit_new(&k, NULL, NULL);
	assert_int_equal(kit_enroll(&k, "aud", ROLE_AUDIT, channel, NULL, NULL), DECIDE_ENTRY);
	auditor = state_principal_by_name(k.s, "aud", 3)->id;
	return 0;
}

static int teardown(void **state)
{
	kit_free(&k);
	return replay_teardown(state);
}

static enum decide_outcome ask_history(uint64_t by, unsigned whose, const char *type, const char *id,
                                       const char *reason)
{
	struct history_order o = {whose, text(type), text(id), text(reason)};
	uint8_t payload[2048];
	size_t len;

	assert_int_equal(history_order_encode(&o, payload, sizeof(payload), &len), 0);
	return kit_apply(&k, COMMAND_HISTORY, by, NULL, payload, len, NULL, 0);
}

static enum decide_outcome log_read(uint64_t by, const struct read_log *l)
{
	uint8_t payload[READ_LOG_SIZE_MAX];
	size_t len;

	assert_int_equal(read_log_encode(l, payload, sizeof(payload), &len), 0);
	return kit_apply(&k, COMMAND_READ, by, NULL, payload, len, NULL, 0);
}

/* As a node sends it that has not seen the entry. */
static enum decide_outcome log_read_again(const struct read_log *l)
{
	uint8_t payload[READ_LOG_SIZE_MAX];
	size_t len;

	assert_int_equal(read_log_encode(l, payload, sizeof(payload), &len), 0);
	return kit_apply(&k, COMMAND_READ, KIT_NODE, k.last_id, payload, len, NULL, 0);
}

/* previous UINT64_MAX: none. */
static void assert_link(unsigned kind, uint64_t previous, uint64_t count)
{
	uint64_t found = UINT64_MAX, n = 0;
	struct field f;
	struct reader r;

	assert_true(kit_field(&k, kind, &f));
	reader_init(&r, f.value, f.value_len);
	reader_array_exact(&r, 2);
	if (!reader_nil(&r))
		reader_uint(&r, UINT64_MAX, &found);
	reader_uint(&r, UINT64_MAX, &n);
	assert_int_equal(reader_end(&r), 0);
	assert_int_equal(found, previous);
	assert_int_equal(n, count);
}

static void assert_public(unsigned whose, bool forgot_nobody)
{
	struct entry e;
	struct reader r;
	uint64_t found = 0;
	bool whole = false;

	assert_int_equal(entry_decode(&e, k.out->leaf, k.out->leaf_len), 0);
	assert_int_equal(e.kind, ENTRY_HISTORY);
	reader_init(&r, e.public_, e.public_len);
	reader_array_exact(&r, 2);
	reader_uint(&r, UINT8_MAX, &found);
	reader_bool(&r, &whole);
	assert_int_equal(reader_end(&r), 0);
	assert_int_equal(found, whose);
	assert_int_equal(whole, forgot_nobody);
}

/* --- histories --- */

static void test_chained(void **state)
{
	struct field f;

	(void)state;
	kit_ask_for(&k, "ada", "read", "l1", "192.0.2.1");
	uint64_t first = k.out->index;
	kit_ask_for(&k, "ada", "read", "l1", "192.0.2.1");
	uint64_t second = k.out->index;
	assert_int_equal(ask_history(auditor, HISTORY_SUBJECT, "user", "ada", "case 7"), DECIDE_ENTRY);
	kit_check_entry(&k);
	assert_public(HISTORY_SUBJECT, true);
	assert_link(FIELD_SUBJECT_CHAIN, second, 2);
	assert_true(kit_field(&k, FIELD_SUBJECT, &f) && kit_field(&k, FIELD_CLIENT, &f) &&
	            kit_field(&k, FIELD_TEXT, &f));
	uint64_t head = k.out->index;
	/* What comes next follows it, in this chain alone. */
	kit_ask_for(&k, "ada", "read", "l1", "192.0.2.1");
	assert_link(FIELD_SUBJECT_CHAIN, head, 3);
	kit_ask_for(&k, "bob", "read", "l2", "192.0.2.2");
	assert_link(FIELD_SUBJECT_CHAIN, UINT64_MAX, 0);
	assert_true(first < second);
	/* An actor of that name has another chain. */
	assert_int_equal(ask_history(auditor, HISTORY_ACTOR, "user", "ada", ""), DECIDE_ENTRY);
	assert_link(FIELD_ACTOR_CHAIN, UINT64_MAX, 0);
	assert_false(kit_field(&k, FIELD_TEXT, &f));
	assert_false(kit_field(&k, FIELD_SUBJECT, &f));
	assert_int_equal(ask_history(auditor, HISTORY_ACTOR, "user", "ada", ""), DECIDE_ENTRY);
	assert_link(FIELD_ACTOR_CHAIN, k.out->index - 1, 1);
}

static void test_actor(void **state)
{
	struct request q;

	(void)state;
	kit_request(&q, "ada", "read", "l1", "192.0.2.1");
	q.actor_type = text("agent");
	q.actor_id = text("bot");
	kit_ask(&k, &q);
	uint64_t acted = k.out->index;
	assert_int_equal(ask_history(auditor, HISTORY_ACTOR, "agent", "bot", ""), DECIDE_ENTRY);
	kit_check_entry(&k);
	assert_public(HISTORY_ACTOR, true);
	assert_link(FIELD_ACTOR_CHAIN, acted, 1);
}

/* Whom the state does not know stays unknown: who only reads pushes nobody out. */
static void test_unknown(void **state)
{
	struct state_limits small = {.subjects_max = 2};

	(void)state;
	kit_free(&k);
	replay_record(NULL); /* Other limits than a node's are other decisions. */
	kit_new(&k, &small, NULL);
	assert_int_equal(kit_enroll(&k, "aud", ROLE_AUDIT, (const uint8_t[32]){9, 9}, NULL, NULL), DECIDE_ENTRY);
	kit_ask_for(&k, "ada", "read", "l1", "192.0.2.1");
	kit_ask_for(&k, "bob", "read", "l1", "192.0.2.1");
	for (unsigned i = 0; i < 2; i++) {
		assert_int_equal(ask_history(auditor, HISTORY_SUBJECT, "user", "eve", ""), DECIDE_ENTRY);
		assert_link(FIELD_SUBJECT_CHAIN, UINT64_MAX, 0);
		assert_public(HISTORY_SUBJECT, false); /* The table is full: somebody may have been forgotten. */
	}
	assert_int_equal(ask_history(auditor, HISTORY_SUBJECT, "user", "ada", ""), DECIDE_ENTRY);
	assert_link(FIELD_SUBJECT_CHAIN, k.out->index - 4, 1);
}

static void test_approver(void **state)
{
	struct field f;

	(void)state;
	assert_int_equal(ask_history(auditor, HISTORY_APPROVER, "", "carla", ""), DECIDE_ENTRY);
	kit_check_entry(&k);
	assert_public(HISTORY_APPROVER, true);
	assert_true(kit_field(&k, FIELD_APPROVER, &f));
	assert_int_equal(f.value_len, 6);
	assert_link(FIELD_APPROVER_CHAIN, UINT64_MAX, 0);
}

static void test_history_refused(void **state)
{
	static const struct {
		unsigned whose;
		const char *type, *id;
	} bad[] = {{0, "user", "ada"}, {4, "user", "ada"}, {1, "", "ada"},
	           {1, "user", ""},    {3, "user", "ada"}, {3, "", ""}};
	uint8_t payload[256];
	size_t len;

	(void)state;
	assert_int_equal(ask_history(KIT_GATEWAY, HISTORY_SUBJECT, "user", "ada", ""), DECIDE_REFUSED);
	assert_int_equal(k.out->err, CS_ERR_NOT_PERMITTED);
	for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct history_order o = {bad[i].whose, text(bad[i].type), text(bad[i].id), text("")};
		assert_int_not_equal(history_order_encode(&o, payload, sizeof(payload), &len), 0);
	}
	kit_free(&k);
	kit_new(&k, NULL, kit_policy_1());
	assert_int_equal(kit_enroll(&k, "aud", ROLE_AUDIT, (const uint8_t[32]){9, 9}, NULL, NULL), DECIDE_ENTRY);
	assert_int_equal(ask_history(auditor, HISTORY_SUBJECT, "user", "ada", ""), DECIDE_REFUSED);
	assert_non_null(strstr(k.out->text, "feature records"));
}

/* --- what was read --- */

static void test_read(void **state)
{
	struct read_log l = {
	        .n_rows = 2,
	        .rows = {{auditor, READ_ENTRIES, 0, 9, 3, 7, 6}, {99, READ_PROOF, 4, 4, 1, 1, UINT64_MAX}}};
	struct field f;
	struct entry e;

	(void)state;
	assert_int_equal(log_read(KIT_NODE, &l), DECIDE_ENTRY);
	kit_check_entry(&k);
	assert_int_equal(k.out->kind, ENTRY_READ);
	assert_false(kit_field(&k, FIELD_LOOKUP, &f));
	assert_int_equal(entry_decode(&e, k.out->leaf, k.out->leaf_len), 0);
	assert_non_null(memmem(e.public_, e.public_len, "\xa6node-1", 7));
	assert_non_null(memmem(e.public_, e.public_len,
	                       "\xa3"
	                       "aud",
	                       4));
	/* The same words again by the same id: once, and a node that missed it hears so. Others by that id: never. */
	uint64_t index = k.out->index;
	assert_int_equal(log_read_again(&l), DECIDE_REPEAT);
	assert_int_equal(k.out->index, index);
	assert_int_equal(kit_apply(&k, COMMAND_READ, KIT_NODE, k.last_id, "\x90", 1, NULL, 0), DECIDE_REFUSED);
	/* Nobody but a node says what was read. */
	assert_int_equal(log_read(KIT_GATEWAY, &l), DECIDE_REFUSED);
	assert_int_equal(k.out->err, CS_ERR_NOT_PERMITTED);
	assert_int_equal(log_read(auditor, &l), DECIDE_REFUSED);
	assert_int_equal(log_read(0, &l), DECIDE_REFUSED);
}

/* Whom a search names whole stands there as [type, id], as in every entry about somebody. */
static void test_lookups(void **state)
{
	struct read_log l = {.n_rows = 1, .rows = {{auditor, READ_SEARCH, 0, 9, 1, 0, 0}}, .n_lookups = 2};
	static const uint8_t ada[] = "\x92\xa4user\xa3"
	                             "ada";
	struct field f;

	(void)state;
	l.lookups[0] = (struct read_lookup){FIELD_SUBJECT, text("user:ada")};
	l.lookups[1] = (struct read_lookup){FIELD_ACTION, text("dep*")};
	assert_int_equal(log_read(KIT_NODE, &l), DECIDE_ENTRY);
	kit_check_entry(&k);
	assert_true(kit_field(&k, FIELD_SUBJECT, &f));
	assert_memory_equal(f.value, ada, sizeof(ada) - 1);
	assert_true(kit_field(&k, FIELD_LOOKUP, &f));
	assert_non_null(memmem(f.value, f.value_len, ada, sizeof(ada) - 1));
	l.lookups[0].text = text("user:a*");
	assert_int_equal(log_read(KIT_NODE, &l), DECIDE_ENTRY);
	assert_false(kit_field(&k, FIELD_SUBJECT, &f));
	l.n_rows = 2;
	l.rows[1] = l.rows[0];
	assert_int_equal(log_read(KIT_NODE, &l), DECIDE_REFUSED);
}

static void test_read_malformed(void **state)
{
	struct read_log l = {.n_rows = 1, .rows = {{1, READ_PROOF, 4, 4, 1, 1, 0}}}, got;
	uint8_t buf[READ_LOG_SIZE_MAX];
	size_t len;

	(void)state;
	assert_int_equal(read_log_encode(&l, buf, sizeof(buf), &len), 0);
	for (size_t cut = 0; cut < len; cut++)
		assert_int_not_equal(read_log_decode(&got, buf, cut), 0);
	l.rows[0].first = 5; /* Behind the last. */
	read_log_encode(&l, buf, sizeof(buf), &len);
	assert_int_not_equal(read_log_decode(&got, buf, len), 0);
	l.rows[0] = (struct read_row){1, 5, 4, 4, 1, 1, 0};
	read_log_encode(&l, buf, sizeof(buf), &len);
	assert_int_not_equal(read_log_decode(&got, buf, len), 0);
	l.n_rows = 0;
	read_log_encode(&l, buf, sizeof(buf), &len);
	assert_int_not_equal(read_log_decode(&got, buf, len), 0);
	l = (struct read_log){.n_rows = READ_ROWS_MAX};
	for (unsigned i = 0; i < READ_ROWS_MAX; i++)
		l.rows[i] = (struct read_row){UINT64_MAX, READ_SEARCH, INT64_MAX, INT64_MAX,
		                              INT64_MAX,  INT64_MAX,   UINT64_MAX};
	assert_int_equal(read_log_encode(&l, buf, sizeof(buf), &len), 0);
	assert_int_equal(read_log_decode(&got, buf, len), 0);
}

/* --- searches --- */

static bool found(const struct search *q)
{
	struct search_leaf e;

	return search_leaf_read(&e, k.out->leaf, k.out->leaf_len) && search_leaf_matches(q, &e) &&
	       search_body_matches(q, k.out->body, k.out->body_len);
}

static bool found_by(unsigned kind, const char *t)
{
	struct search q = {.hits_max = 1, .n = 1, .by = {{kind, text(t)}}};

	return found(&q);
}

static void test_search(void **state)
{
	struct request r;

	(void)state;
	kit_request(&r, "ada", "deploy", "l1", "192.0.2.1");
	r.actor_type = text("agent");
	r.actor_id = text("bot");
	kit_ask(&k, &r);
	assert_true(found_by(FIELD_SUBJECT, "user:ada"));
	assert_true(found_by(FIELD_SUBJECT, "user:a*"));
	assert_true(found_by(FIELD_SUBJECT, "us*"));
	assert_true(found_by(FIELD_SUBJECT, "*"));
	assert_false(found_by(FIELD_SUBJECT, "user:ad"));
	assert_false(found_by(FIELD_SUBJECT, "user:adam"));
	assert_false(found_by(FIELD_SUBJECT, "user"));
	assert_false(found_by(FIELD_SUBJECT, "user:adam*"));
	assert_true(found_by(FIELD_ACTOR, "agent:bot"));
	assert_false(found_by(FIELD_ACTOR, "agent:ada"));
	assert_true(found_by(FIELD_ACTION, "deploy"));
	assert_true(found_by(FIELD_DEVICE, "l1"));
	assert_true(found_by(FIELD_ADDRESS, "192.0.2.*"));
	assert_true(found_by(FIELD_CLIENT, "gateway"));
	assert_false(found_by(FIELD_CLIENT, "gate"));

	struct search q = {
	        .hits_max = 1, .n = 2, .by = {{FIELD_SUBJECT, text("user:ada")}, {FIELD_ACTION, text("deploy")}}};
	assert_true(found(&q));
	q.by[1].text = text("read");
	assert_false(found(&q));
	q = (struct search){.kinds = SEARCH_KIND(ENTRY_DECISION), .verdicts = SEARCH_VERDICT(k.out->verdict)};
	assert_true(found(&q));
	q.kinds = SEARCH_KIND(ENTRY_ANSWER);
	assert_false(found(&q));
	q = (struct search){.verdicts = ~SEARCH_VERDICT(k.out->verdict)};
	assert_false(found(&q));
	q = (struct search){.since_ms = k.now_ms, .until_ms = k.now_ms};
	assert_true(found(&q));
	q = (struct search){.since_ms = k.now_ms + 1};
	assert_false(found(&q));
	q = (struct search){.until_ms = k.now_ms - 1};
	assert_false(found(&q));
	/* Of a device there is nothing in an entry that names none; a kind without a verdict has none. */
	kit_enroll(&k, "more", ROLE_DECIDE, (const uint8_t[32]){8}, NULL, NULL);
	assert_false(found_by(FIELD_DEVICE, "*"));
	q = (struct search){.verdicts = UINT64_MAX};
	assert_false(found(&q));
}

static void test_search_codec(void **state)
{
	struct search q = {.newest_first = true,
	                   .has_cursor = true,
	                   .cursor = 7,
	                   .hits_max = 256,
	                   .since_ms = 1,
	                   .until_ms = UINT64_MAX,
	                   .kinds = UINT64_MAX,
	                   .verdicts = 6,
	                   .n = 2,
	                   .by = {{FIELD_SUBJECT, text("a:b")}, {FIELD_CLIENT, text("c")}}},
	              got;
	uint8_t buf[SEARCH_SIZE_MAX];
	size_t len;

	(void)state;
	assert_int_equal(search_encode(&q, buf, sizeof(buf), &len), 0);
	assert_int_equal(search_decode(&got, buf, len), 0);
	assert_true(got.newest_first && got.has_cursor && got.cursor == 7 && got.hits_max == 256 && got.n == 2);
	assert_true(got.until_ms == UINT64_MAX && got.kinds == UINT64_MAX && got.verdicts == 6);
	for (size_t cut = 0; cut < len; cut++)
		assert_int_not_equal(search_decode(&got, buf, cut), 0);
	q.hits_max = 0;
	assert_int_not_equal(search_encode(&q, buf, sizeof(buf), &len), 0);
	q.hits_max = 257;
	assert_int_not_equal(search_encode(&q, buf, sizeof(buf), &len), 0);
	q.hits_max = 1;
	q.by[1].kind = FIELD_BLIND; /* Not a field that is searched. */
	q.by[0].kind = FIELD_SUBJECT;
	assert_int_not_equal(search_encode(&q, buf, sizeof(buf), &len), 0);
	assert_int_equal(search_field_of("resource"), FIELD_RESOURCE);
	assert_int_equal(search_field_of("blind"), 0);
}

/* Bytes that nobody vouches for find nothing, and break nothing. */
static void test_search_hostile(void **state)
{
	struct search q = {.hits_max = 1, .n = 1, .by = {{FIELD_SUBJECT, text("user:ada")}}};
	struct search_leaf e;

	(void)state;
	kit_ask_for(&k, "ada", "read", "l1", "192.0.2.1");
	assert_true(search_body_matches(&q, k.out->body, k.out->body_len));
	for (size_t at = 0; at < k.out->body_len && at < 200; at++) {
		uint8_t body[LIMIT_BODY_SIZE_MAX];
		memcpy(body, k.out->body, k.out->body_len);
		body[at] ^= 0x55;
		(void)search_body_matches(&q, body, k.out->body_len);
		(void)search_body_matches(&q, body, at);
		(void)search_leaf_read(&e, k.out->leaf, at);
	}
	assert_false(search_body_matches(&q, "", 0));
	assert_false(search_leaf_read(&e, "", 0));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test_setup_teardown(test_chained, setup, teardown),
	        cmocka_unit_test_setup_teardown(test_actor, setup, teardown),
	        cmocka_unit_test_setup_teardown(test_unknown, setup, teardown),
	        cmocka_unit_test_setup_teardown(test_approver, setup, teardown),
	        cmocka_unit_test_setup_teardown(test_history_refused, setup, teardown),
	        cmocka_unit_test_setup_teardown(test_read, setup, teardown),
	        cmocka_unit_test_setup_teardown(test_lookups, setup, teardown),
	        cmocka_unit_test_setup_teardown(test_read_malformed, setup, teardown),
	        cmocka_unit_test_setup_teardown(test_search, setup, teardown),
	        cmocka_unit_test_setup_teardown(test_search_codec, setup, teardown),
	        cmocka_unit_test_setup_teardown(test_search_hostile, setup, teardown),
	};

	return cmocka_run_group_tests_name("reads", tests, NULL, NULL);
}
