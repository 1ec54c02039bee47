/* Replies with proofs, from a real decide and a real tree: what the client reports, and every lie that it refutes. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <setjmp.h>
#include <sodium.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <nng/nng.h>

#include "client/countersign.h"
#include "ledger/verify.h"
#include "node/decide/policy.h"
#include "node/wire/keyfile.h"
#include "tests/ledger_node.h"

static char folder[64], paths[6][96];
enum { PATH_CLUSTER, PATH_TRUST, PATH_ADMIN, PATH_GATEWAY, PATH_DEVICE, PATH_NODE };
static struct ledger_node *node;
static cs_client *admin, *gateway;

static cs_client *open_as(unsigned key)
{
	const struct cs_options o = {.cluster_file = paths[PATH_CLUSTER], .key_file = paths[key]};
	char error[256];
	cs_client *c;

	if (cs_open(&o, &c, error, sizeof(error)) != 0)
		fail_msg("%s", error);
	return c;
}

static void good(int err)
{
	if (err != 0)
		fail_msg("%s: %s", cs_strerror(err), cs_last_error());
}

static int setup(void **state)
{
	static const char *const names[] = {"cluster", "trust", "admin", "gateway", "device", "node"};
	struct keyfile keys[3] = {0};

	(void)state;
	if (sodium_init() < 0)
		return -1;
	snprintf(folder, sizeof(folder), "/tmp/cs-result-XXXXXX");
	if (mkdtemp(folder) == NULL)
		return -1;
	for (unsigned i = 0; i < 6; i++)
		snprintf(paths[i], sizeof(paths[i]), "%s/%s", folder, names[i]);
	keyfile_random(&keys[0], "root", 1u << KEY_CHANNEL | 1u << KEY_SIGN);
	keyfile_random(&keys[1], "gateway", 1u << KEY_CHANNEL);
	keyfile_random(&keys[2], "ada-phone", 1u << KEY_SIGN);
	for (unsigned i = 0; i < 3; i++)
		if (keyfile_write(paths[PATH_ADMIN + i], &keys[i], NULL) < 0)
			return -1;
	node = malloc(sizeof(*node));
	if (node == NULL || ledger_node_start(node, folder, &keys[0]) < 0)
		return -1;
	admin = gateway = NULL;
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	cs_close(admin);
	cs_close(gateway);
	ledger_node_stop(node);
	free(node);
	for (unsigned i = 0; i < 6; i++)
		unlink(paths[i]);
	return rmdir(folder);
}

/* Administrator enrols gateway and device; opens the gateway's client. */
static void enroll_all(void)
{
	struct keyfile k;
	uint8_t pub[32];
	cs_result *r;

	admin = open_as(PATH_ADMIN);
	good(keyfile_read(paths[PATH_GATEWAY], &k, NULL));
	good(keyfile_public(&k, KEY_CHANNEL, pub, NULL));
	good(cs_enroll(admin, &(struct cs_principal){.name = "gateway", .roles = "decide,import", .channel_pub = pub},
	               &r));
	assert_string_equal(r->kind, "principal enrolled");
	assert_int_equal(r->verdict, 0);
	assert_true(r->proven);
	cs_result_free(r);
	good(keyfile_read(paths[PATH_DEVICE], &k, NULL));
	good(keyfile_public(&k, KEY_SIGN, pub, NULL));
	good(cs_enroll(admin,
	               &(struct cs_principal){.name = "ada-phone",
	                                      .roles = "device",
	                                      .sign_pub = pub,
	                                      .subject_type = "user",
	                                      .subject_id = "ada"},
	               &r));
	cs_result_free(r);
	keyfile_wipe(&k);
	gateway = open_as(PATH_GATEWAY);
}

static const struct cs_attribute attributes[] = {
        {.name = "ip", .type = CS_STRING, .string = "192.0.2.7"},
        {.name = "device", .type = CS_STRING, .string = "laptop-1"},
        {.name = "amount", .type = CS_INTEGER, .integer = 12},
        {.name = "mfa", .type = CS_BOOLEAN, .integer = 1},
};
static const struct cs_request ada_reads = {
        .subject_type = "user",
        .subject_id = "ada",
        .action = "read",
        .resource_type = "repository",
        .resource_id = "payments",
        .n_attributes = 4,
        .attributes = attributes,
};

static void test_step_up(void **state)
{
	struct cs_request q = ada_reads;
	cs_result *r, *again, *answered;
	char credential[65];
	uint8_t signature[64];

	(void)state;
	enroll_all();
	cs_request_id(q.id);
	good(cs_decide(gateway, &q, &r));
	assert_string_equal(r->kind, "decision");
	assert_int_equal(r->verdict, CS_STEP_UP); /* A subject that nobody knows. */
	assert_true(r->proven);
	assert_memory_equal(r->request_id, q.id, 16);
	assert_int_equal(r->index, 3);
	assert_int_equal(r->tree_size, 4);
	assert_true(r->n_signals > 0 && r->n_reasons > 0 && r->n_rules > 0);
	assert_string_equal(r->rules[0], "by-risk");
	assert_string_equal(r->signals[0].name, "new_subject");
	assert_true(r->has_challenge);
	assert_string_equal(r->challenge.methods[0], "ed25519");
	assert_true(r->proof_bytes > 0 && r->checkpoint_size > 0 && r->n_proof == 2);
	/* The same id: the same entry. */
	good(cs_decide(gateway, &q, &again));
	assert_int_equal(again->index, r->index);
	cs_result_free(again);

	good(cs_answer_sign(paths[PATH_DEVICE], "test-0123456789abcdef", r->index, r->digest, r->challenge.nonce,
	                    r->challenge.expiry_ms, credential, signature));
	assert_string_equal(credential, "ada-phone");
	good(cs_answer(gateway, r->index, credential, signature, &answered));
	assert_string_equal(answered->kind, "challenge answer");
	assert_int_equal(answered->verdict, CS_ALLOW);
	/* From now on the decision's id leads to the answer. */
	good(cs_decide(gateway, &q, &again));
	assert_int_equal(again->index, answered->index);
	assert_int_equal(again->verdict, CS_ALLOW);
	cs_result_free(again);
	cs_result_free(answered);
	cs_result_free(r);
}

static void test_conflict(void **state)
{
	struct cs_request q = ada_reads;
	cs_result *r = NULL;

	(void)state;
	enroll_all();
	cs_request_id(q.id);
	good(cs_decide(gateway, &q, &r));
	cs_result_free(r);
	q.action = "write";
	r = NULL;
	assert_int_equal(cs_decide(gateway, &q, &r), CS_E_CONFLICT);
	assert_null(r);
}

static void test_lost_reply(void **state)
{
	cs_result *r;

	(void)state; /* The node decided, and its reply was lost: the client asks again and learns of that one entry. */
	enroll_all();
	node->lost_reply = true;
	good(cs_decide(gateway, &ada_reads, &r));
	assert_int_equal(r->index, 3);
	assert_int_equal(node->n_entries, 4);
	cs_result_free(r);
}

static void test_roles(void **state)
{
	cs_result *r;

	(void)state;
	enroll_all();
	assert_int_equal(cs_decide(admin, &ada_reads, &r), CS_E_NOT_PERMITTED);
	assert_non_null(strstr(cs_last_error(), "role decide"));
	assert_int_equal(cs_remove(gateway, "root", "mine now", &r), CS_E_NOT_PERMITTED); /* It has no sign key. */
	good(cs_remove(admin, "gateway", "left", &r));
	assert_string_equal(r->kind, "principal removed");
	cs_result_free(r);
	assert_int_equal(cs_decide(gateway, &ada_reads, &r), CS_E_UNAUTHENTICATED);
}

static void test_policy(void **state)
{
	char error[256];
	const char *yaml = policy_default_yaml();
	cs_result *r;

	(void)state;
	admin = open_as(PATH_ADMIN);
	good(cs_policy_set(admin, yaml, strlen(yaml), &r, error, sizeof(error)));
	assert_string_equal(r->kind, "policy set");
	cs_result_free(r);
	assert_int_equal(cs_policy_set(admin, "nonsense: 1\n", 12, &r, error, sizeof(error)), CS_E_INVALID);
	assert_non_null(strstr(error, "1:1"));
}

static void got_import(void *context, int code, cs_result *result)
{
	int *out = context;

	pthread_mutex_lock(&node->node.lock);
	out[0] = code;
	if (code == 0) {
		out[1] = result->verdict;
		assert_string_equal(result->kind, "imported");
	}
	cs_result_free(result);
	out[2]++;
	pthread_cond_broadcast(&node->node.changed);
	pthread_mutex_unlock(&node->node.lock);
}

static void test_import(void **state)
{
	const struct cs_source source = {
	        .format = "cloudtrail", .file = "a.json", .position = 4, .event_time_ms = 1600000000000};
	static int out[3];

	(void)state;
	enroll_all();
	good(cs_import_async(gateway, &ada_reads, &source, got_import, out));
	pthread_mutex_lock(&node->node.lock);
	while (out[2] == 0)
		pthread_cond_wait(&node->node.changed, &node->node.lock);
	pthread_mutex_unlock(&node->node.lock);
	assert_int_equal(out[0], 0);
	assert_int_equal(out[2], 1);
	assert_in_range(out[1], CS_ALLOW, CS_DENY);
}

static void test_lies(void **state)
{
	static const struct {
		enum lie lie;
		const char *text;
	} lies[] = {
	        {LIE_LEAF, ""},
	        {LIE_BODY, "commitment"},
	        {LIE_PROOF, "not in the tree"},
	        {LIE_SIGNATURE, "checkpoint"},
	        {LIE_UNSIGNED, "no log key"},
	        {LIE_KEY, "no log key"},
	        {LIE_ORIGIN, "another ledger"},
	        {LIE_OLD_ENTRY, "does not answer"},
	        {LIE_KIND, "another kind"},
	};
	cs_result *r = NULL;

	(void)state;
	enroll_all();
	good(cs_decide(gateway, &ada_reads, &r));
	cs_result_free(r);
	for (unsigned i = 0; i < sizeof(lies) / sizeof(lies[0]); i++) {
		node->lie = lies[i].lie;
		r = NULL;
		int err = cs_decide(gateway, &ada_reads, &r);
		if (err != CS_E_REFUTED || strstr(cs_last_error(), "ALARM") == NULL ||
		    strstr(cs_last_error(), lies[i].text) == NULL)
			fail_msg("lie %u: %s: %s", lies[i].lie, cs_strerror(err), cs_last_error());
		assert_null(r);
	}
	node->lie = LIE_NONE;
	good(cs_decide(gateway, &ada_reads, &r));
	cs_result_free(r);
}

static void test_fork(void **state)
{
	struct cs_request q = ada_reads;
	cs_result *r;

	(void)state;
	enroll_all();
	cs_request_id(q.id);
	good(cs_decide(gateway, &q, &r));
	cs_result_free(r);
	node->lie = LIE_FORK; /* The same request again: the tree has the same size. */
	assert_int_equal(cs_decide(gateway, &q, &r), CS_E_REFUTED);
	assert_non_null(strstr(cs_last_error(), "different roots"));
	node->lie = LIE_NONE;
	good(cs_decide(gateway, &q, &r));
	cs_result_free(r);
}

static void test_bad_requests(void **state)
{
	char *long_text = malloc(1000);
	struct cs_attribute twice[] = {attributes[0], attributes[0]};
	struct cs_request q;
	cs_result *r;

	(void)state;
	enroll_all();
	memset(long_text, 'a', 999);
	long_text[999] = '\0';
	q = ada_reads;
	q.subject_id = NULL;
	assert_true(cs_decide(gateway, &q, &r) < 0);
	q = ada_reads;
	q.subject_id = long_text;
	assert_true(cs_decide(gateway, &q, &r) < 0);
	q = ada_reads;
	q.action = "\xff";
	assert_true(cs_decide(gateway, &q, &r) < 0);
	q = ada_reads;
	q.attributes = twice;
	q.n_attributes = 2;
	assert_true(cs_decide(gateway, &q, &r) < 0);
	q.n_attributes = 25;
	assert_int_equal(cs_decide(gateway, &q, &r), CS_E_TOO_LARGE);
	assert_int_equal(node->n_entries, 3);
	free(long_text);
}

static void test_reading(void **state)
{
	cs_page *page;
	char *text, *note;
	bool quorum;
	struct verify_policy *policy;
	struct verify_result *v = malloc(sizeof(*v));
	char trust[2048], reason[128];
	cs_result *r;

	(void)state;
	enroll_all();
	good(cs_decide(gateway, &ada_reads, &r));
	cs_result_free(r);
	good(cs_entries(gateway, 1, 10, 0, &page));
	assert_int_equal(page->size, 4);
	assert_int_equal(page->n, 3);
	assert_true(page->entries[0].leaf_size > 0);
	assert_null(page->entries[0].body); /* Not an auditor. */
	cs_page_free(page);
	good(cs_entries(admin, 3, 1000, 0, &page));
	assert_int_equal(page->n, 1);
	assert_non_null(page->entries[0].body);
	cs_page_free(page);

	good(cs_checkpoint(gateway, &note, &quorum));
	assert_false(quorum);
	assert_non_null(strstr(note, "test-0123456789abcdef\n4\n"));
	free(note);
	good(cs_status(gateway, 1, &text));
	assert_non_null(strstr(text, "\"size\":4"));
	free(text);

	/* The bundle, as a stranger checks it: true, but the leader's claim only. */
	good(cs_prove(gateway, 3, 0, &text, &quorum));
	FILE *f = fopen(paths[PATH_TRUST], "r");
	size_t len = fread(trust, 1, sizeof(trust), f);
	fclose(f);
	good(verify_policy_parse(trust, len, &policy, reason, sizeof(reason)));
	verify_bundle(policy, text, strlen(text), v);
	assert_int_equal(v->outcome, VERIFY_UNDECIDED);
	assert_int_equal(v->n_log_signatures, 1);
	assert_int_equal(v->size, 4);
	verify_policy_free(policy);
	free(v);
	free(text);
	node->lie = LIE_PROOF;
	assert_int_equal(cs_prove(gateway, 3, 0, &text, &quorum), CS_E_REFUTED);
	node->lie = LIE_FORK;
	assert_int_equal(cs_checkpoint(gateway, &note, &quorum), CS_E_REFUTED);
	node->lie = LIE_NONE;
	assert_int_equal(cs_prove(gateway, 99, 0, &text, &quorum), CS_E_NOT_FOUND);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test_setup_teardown(test_step_up, setup, teardown),
	        cmocka_unit_test_setup_teardown(test_conflict, setup, teardown),
	        cmocka_unit_test_setup_teardown(test_lost_reply, setup, teardown),
	        cmocka_unit_test_setup_teardown(test_roles, setup, teardown),
	        cmocka_unit_test_setup_teardown(test_policy, setup, teardown),
	        cmocka_unit_test_setup_teardown(test_import, setup, teardown),
	        cmocka_unit_test_setup_teardown(test_lies, setup, teardown),
	        cmocka_unit_test_setup_teardown(test_fork, setup, teardown),
	        cmocka_unit_test_setup_teardown(test_bad_requests, setup, teardown),
	        cmocka_unit_test_setup_teardown(test_reading, setup, teardown),
	};

	int failed = cmocka_run_group_tests_name("result", tests, NULL, NULL);
	nng_fini(); /* Waits for what nng frees on a thread of its own, so that a leak checker finds no leak. */
	return failed;
}
