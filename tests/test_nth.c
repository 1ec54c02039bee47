/* The library's calls while their n-th allocation or file call fails: the right answer or an error, and no leak. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <sodium.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "client/countersign.h"
#include "ledger/errors.h"
#include "ledger/store.h"
#include "ledger/tree.h"
#include "node/core/catchup_bytes.h"
#include "node/decide/policy.h"
#include "node/settings.h"
#include "node/wire/keyfile.h"
#include "tests/faults.h"
#include "tests/fuzz/history.h"
#include "tests/ledger_node.h"
#include "tests/verify_fixture.h"

#define N_MAX UINT64_C(20000) /* No loop may go on for ever. */

static char folder[64];

static const char *in_folder(const char *name)
{
	static char paths[4][128];
	static unsigned next;
	char *path = paths[next++ % 4];

	snprintf(path, sizeof paths[0], "%s/%s", folder, name);
	return path;
}

/*
 * Calls `once` with the n-th call failing, for n = 1, 2, … until none was left to fail. `once` says whether what it did
 * succeeded; then it must have been right, which it checks itself. After a fault it may fail; without one it must not.
 */
static unsigned each_n(unsigned kinds, bool (*once)(void))
{
	unsigned n = 0;

	for (;;) {
		assert_true(n < N_MAX);
		faults_arm(kinds, ++n);
		bool good = once();
		if (!faults_disarm()) {
			assert_true(good);
			return n - 1;
		}
	}
}

static void run_all(const char *what, bool (*once)(void))
{
	unsigned allocs = each_n(FAULTS_ALLOC, once), calls = each_n(FAULTS_IO, once);

	print_message("%s: %u allocations and %u file calls failed, one at a time\n", what, allocs, calls);
	assert_true(allocs + calls > 0);
}

/* --- files --- */

static bool write_keys(void)
{
	static struct keyfile k;
	struct keyfile back;
	char text[256] = "";
	const char *path = in_folder("k");

	if (!k.name[0])
		keyfile_random(&k, "somebody", 0xf);
	unlink(path);
	int err = keyfile_write(path, &k, text);
	if (err) {
		assert_string_not_equal(text, "");
		assert_int_equal(access(path, F_OK), -1); /* Nothing half. */
		return false;
	}
	err = keyfile_read(path, &back, text);
	if (err)
		assert_string_not_equal(text, "");
	else
		assert_memory_equal(&k, &back, sizeof k);
	return err == 0;
}

static bool write_cluster(void)
{
	static struct cluster_file c = {.origin = "acme-0123456789abcdef", .n_nodes = 1}, back;
	char text[256] = "";
	const char *path = in_folder("c");

	memset(&c.genesis, 5, sizeof c.genesis);
	snprintf(c.trust_path, sizeof c.trust_path, "%s", in_folder("trust"));
	c.nodes[0].id = 1;
	memset(c.nodes[0].channel_pub, 7, 32);
	strcpy(c.nodes[0].url, "tcp://127.0.0.1:1");
	unlink(path);
	int err = cluster_file_write(path, &c, text);
	if (err) {
		assert_int_equal(access(path, F_OK), -1);
		return false;
	}
	err = cluster_file_read(path, &back, text);
	if (!err)
		assert_string_equal(back.nodes[0].url, c.nodes[0].url);
	return err == 0;
}

static bool read_settings(void)
{
	static struct settings s;
	char text[512] = "";
	int err = settings_read(in_folder("s.yaml"), &s, text);

	if (err)
		assert_string_not_equal(text, "");
	else
		assert_int_equal(s.node, 1);
	return err == 0;
}

#define KEY32 "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="

static void test_files(void **state)
{
	(void)state;
	FILE *f = fopen(in_folder("s.yaml"), "w");
	assert_non_null(f);
	fputs("node: 1\norigin: acme-0123456789abcdef\ngenesis: genesis\ngenesis_hash: " KEY32
	      "\nkeys: node.key\ndata: /d\nlisten: [tcp://127.0.0.1:7101]\nlink: 127.0.0.1:7201\npeers: []\n",
	      f);
	assert_int_equal(fclose(f), 0);
	run_all("key files", write_keys);
	run_all("cluster files", write_cluster);
	run_all("settings", read_settings);
}

/* --- decide --- */

static bool compile(void)
{
	static uint8_t first[POLICY_COMPILED_SIZE_MAX], again[POLICY_COMPILED_SIZE_MAX];
	static size_t first_len;
	static const char yaml[] = "version: 2\nthresholds: {step_up: 0, deny: 5000}\nrules:\n"
	                           "- {id: a, verdict: risk, match: {action: [x, y]}}\n"
	                           "- {id: b, verdict: deny, when: 'context.amount > 5 && action.startsWith(\"x\")'}\n";
	struct policy_error e = {0};
	size_t len;
	int err = policy_compile(yaml, strlen(yaml), again, sizeof again, &len, &e);

	if (err) {
		assert_string_not_equal(e.text, "");
		return false;
	}
	if (first_len == 0)
		memcpy(first, again, first_len = len);
	assert_int_equal(len, first_len);
	assert_memory_equal(again, first, len);
	return true;
}

/* A state with a history, and a command that opens a challenge on it. */
static struct {
	struct kit kit;
	uint8_t *records;
	size_t records_len;
	struct decide_out *want, *got;
} base;

static int load(void *ctx, const void *key, size_t key_len, const void *value, size_t value_len)
{
	return state_load(ctx, key, key_len, value, value_len);
}

static int drop(void *ctx, const void *key, size_t key_len, const void *value, size_t value_len)
{
	(void)ctx, (void)key, (void)key_len, (void)value, (void)value_len;
	return 0;
}

static void base_make(void)
{
	fuzz_history(&base.kit);
	base.records = fuzz_history_records(&base.kit, &base.records_len);
	assert_int_equal(kit_ask_for(&base.kit, "ada", "deploy-it", "laptop", "192.0.2.7"), DECIDE_ENTRY);
	base.want = base.kit.out;
	base.kit.out = NULL;
	base.got = malloc(sizeof *base.got);
	assert_non_null(base.got);
}

/* The same entry on every replica, or a refusal that ends this one. */
static bool decide_once(void)
{
	struct state *s;

	if (state_new(&fuzz_history_limits, &s))
		return false;
	int err = catchup_each_record(base.records, base.records_len, load, s);
	if (!err)
		err = state_loaded(s);
	if (!err) {
		decide(s, base.kit.now_ms, base.kit.command, base.kit.command_len, base.got);
		if (base.got->outcome == DECIDE_REFUSED)
			err = base.got->err;
	}
	if (!err) {
		assert_int_equal(base.got->leaf_len, base.want->leaf_len);
		assert_memory_equal(base.got->leaf, base.want->leaf, base.want->leaf_len);
		err = state_take_dirty(s, drop, NULL);
	}
	assert_true(err == 0 || err == CS_ERR_NOMEM);
	state_free(s);
	return err == 0;
}

static void test_decide(void **state)
{
	(void)state;
	base_make();
	print_message("policy: %u allocations failed\n", each_n(FAULTS_ALLOC, compile));
	print_message("state and decide: %u allocations failed\n", each_n(FAULTS_ALLOC, decide_once));
	free(base.records);
	free(base.got);
	base.kit.out = base.want;
	kit_free(&base.kit);
}

/* --- the ledger --- */

static struct fixture fixture;

/* Grows a tree and a store; what was committed is there when it is opened again. */
static bool store_once(void)
{
	const struct store_options o = {.map_size = 16 << 20, .create = true};
	struct store_entry entries[FIXTURE_ENTRIES];
	struct store_head head;
	struct store *st;
	uint64_t committed = 0;

	unlink(in_folder("store/data.mdb"));
	unlink(in_folder("store/lock.mdb"));
	for (unsigned i = 0; i < FIXTURE_ENTRIES; i++) {
		const struct fixture_entry *e = &fixture.entry[i];
		entries[i] = (struct store_entry){.leaf = e->leaf,
		                                  .leaf_len = (uint32_t)e->leaf_len,
		                                  .body = e->body,
		                                  .body_len = (uint32_t)e->body_len,
		                                  .leaf_hash = e->hash};
	}
	int err = store_open(in_folder("store"), &o, &st);
	if (err)
		return false;
	err = store_begin(st);
	if (!err)
		err = store_append(st, 0, entries, FIXTURE_ENTRIES);
	if (!err)
		err = store_applied(st, 7, 1);
	if (!err)
		err = store_commit(st);
	else
		store_abort(st);
	if (!err)
		committed = FIXTURE_ENTRIES;
	if (!err)
		err = store_sync(st);
	store_close(st);
	int again = store_open(in_folder("store"), &o, &st);
	if (again)
		return false;
	store_head(st, &head);
	assert_int_equal(head.size, committed);
	store_close(st);
	return err == 0;
}

static bool tree_once(void)
{
	const struct tree_tiles none = {0};
	struct hash root, want;
	struct tree *t;
	int err = tree_new(&none, &t);

	if (err)
		return false;
	for (unsigned i = 0; i < FIXTURE_ENTRIES && !err; i++)
		err = tree_append(t, &fixture.entry[i].hash);
	if (!err) {
		tree_root(t, &root);
		memcpy(&want, fixture.entry[0].hash.b, sizeof want);
		assert_memory_not_equal(&root, &want, sizeof root);
	}
	tree_free(t);
	return err == 0;
}

/* --- the verifier; jansson's memory is cluster_faults' affair --- */

static char *bundle, *bad_bundle, note[LIMIT_NOTE_SIZE_MAX], proof[FORMAT_PROOF_SIZE_MAX];
static size_t bundle_len, note_len, proof_len;

static bool write_bundle(void)
{
	struct field fields[LIMIT_FIELD_COUNT_MAX];
	const struct fixture_entry *e = &fixture.entry[5];
	unsigned n;
	char *json;
	size_t len;

	assert_int_equal(body_decode(fields, &n, e->body, e->body_len), 0);
	int err = bundle_write(e->leaf, e->leaf_len, fields, n, proof, proof_len, &json, &len);
	if (err) {
		assert_int_equal(err, CS_ERR_NOMEM);
		return false;
	}
	assert_int_equal(len, bundle_len);
	assert_memory_equal(json, bundle, len);
	free(json);
	return true;
}

static bool verify_all(void)
{
	static struct verify_result r;
	struct verify_policy *p;
	char text[4096], why[128] = "";
	bool good = true;
	int n = snprintf(text, sizeof text, "log %s\nwitness n %s\nquorum n\n", fixture.log[0].vkey,
	                 fixture.cosigner[0].vkey);
	int err = verify_policy_parse(text, (size_t)n, &p, why, sizeof why);

	if (err) {
		assert_int_equal(err, CS_ERR_NOMEM);
		return false;
	}
	verify_bundle(p, bundle, bundle_len, &r);
	if (r.outcome == VERIFY_REFUTED)
		fail_msg("a good bundle was refuted: %s", r.reason);
	good = good && r.outcome == VERIFY_VERIFIED;
	verify_bundle(p, bad_bundle, bundle_len, &r);
	assert_int_not_equal(r.outcome, VERIFY_VERIFIED);
	verify_tlog_proof(p, proof, proof_len, fixture.entry[5].leaf, fixture.entry[5].leaf_len,
	                  VERIFY_ENTRY_COUNTERSIGN, &r);
	assert_int_not_equal(r.outcome, VERIFY_REFUTED);
	good = good && r.outcome == VERIFY_VERIFIED;
	verify_checkpoint(p, note, note_len, &r);
	assert_int_not_equal(r.outcome, VERIFY_REFUTED);
	good = good && r.outcome == VERIFY_VERIFIED;
	verify_policy_free(p);
	return good;
}

static void test_ledger(void **state)
{
	(void)state;
	fixture_init(&fixture);
	note_len = fixture_checkpoint(&fixture, 13, (struct fixture_signers){.logs = 1, .cosigners = 1}, note);
	proof_len = fixture_proof(&fixture, 5, 13, note, proof);
	bundle = fixture_bundle(&fixture, 5, UINT64_MAX, proof, &bundle_len);
	bad_bundle = strdup(bundle);
	assert_non_null(bad_bundle);
	char *value = strstr(bad_bundle, "\"entry\":\"");
	assert_non_null(value);
	value[20] = value[20] == 'A' ? 'B' : 'A';
	assert_int_equal(mkdir(in_folder("store"), 0700), 0);
	print_message("tree: %u allocations failed\n", each_n(FAULTS_ALLOC, tree_once));
	run_all("store", store_once);
	print_message("bundle: %u allocations failed\n", each_n(FAULTS_ALLOC, write_bundle));
	print_message("verifier: %u allocations failed\n", each_n(FAULTS_ALLOC, verify_all));
	free(bundle);
	free(bad_bundle);
	fixture_free(&fixture);
}

/* --- the client library, against a node in a process of its own --- */

static pid_t node_process;

static void node_run(void)
{
	struct keyfile admin;
	struct ledger_node *node = malloc(sizeof *node);

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (!node || keyfile_read(in_folder("admin"), &admin, NULL) || ledger_node_start(node, folder, &admin) < 0)
		_exit(1);
	FILE *f = fopen(in_folder("ready"), "w");
	if (!f || fclose(f))
		_exit(1);
	for (;;)
		pause();
}

static bool client_once(void)
{
	const struct cs_options o = {
	        .cluster_file = in_folder("cluster"), .key_file = in_folder("admin"), .timeout_ms = 300};
	static uint32_t round; /* Each enrols another one. */
	uint8_t pub[32] = {0};
	char name[16];
	const struct cs_principal gateway = {.name = name, .roles = "decide", .channel_pub = pub};
	char error[256] = "", *json = NULL;
	cs_client *c;
	cs_result *r = NULL;

	snprintf(name, sizeof name, "g%u", ++round);
	memcpy(pub, &round, sizeof round);
	if (cs_open(&o, &c, error, sizeof error)) {
		assert_string_not_equal(error, "");
		return false;
	}
	int err = cs_enroll(c, &gateway, &r);
	if (err == 0)
		assert_true(r->proven && strcmp(r->kind, "principal enrolled") == 0);
	else
		assert_string_not_equal(cs_last_error(), "");
	bool good = err == 0;
	assert_true(err != CS_E_REFUTED && err != CS_E_DIVERGED);
	cs_result_free(r);
	err = cs_status(c, 1, &json);
	free(json);
	good = good && err == 0;
	cs_close(c);
	return good;
}

static void test_client(void **state)
{
	(void)state;
	print_message("client: %u allocations failed\n", each_n(FAULTS_ALLOC, client_once));
	print_message("client: %u file calls failed\n", each_n(FAULTS_IO, client_once));
}

static int setup(void **state)
{
	struct keyfile admin = {0};

	(void)state;
	snprintf(folder, sizeof folder, "/tmp/cs-nth-XXXXXX");
	if (sodium_init() < 0 || !mkdtemp(folder))
		return -1;
	keyfile_random(&admin, "root", 1u << KEY_CHANNEL | 1u << KEY_SIGN);
	if (keyfile_write(in_folder("admin"), &admin, NULL))
		return -1;
	node_process = fork(); /* Before nng has threads here. */
	if (node_process == 0)
		node_run();
	for (int i = 0; i < 10000 && access(in_folder("ready"), F_OK) != 0; i++) {
		struct timespec nap = {.tv_nsec = 1000000};
		if (waitpid(node_process, NULL, WNOHANG) != 0)
			return -1;
		nanosleep(&nap, NULL);
	}
	return access(in_folder("ready"), F_OK);
}

static int teardown(void **state)
{
	char command[128];

	(void)state;
	kill(node_process, SIGKILL);
	waitpid(node_process, NULL, 0);
	snprintf(command, sizeof command, "rm -rf -- '%s'", folder);
	return system(command);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_files), cmocka_unit_test(test_decide),
	                                   cmocka_unit_test(test_ledger), cmocka_unit_test(test_client)};

	return cmocka_run_group_tests(tests, setup, teardown);
}
