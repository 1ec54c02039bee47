/* One node's stored state is another than it should be: it is found, named, and stops that node; the others go on. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <lmdb.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "ledger/bytes.h"
#include "ledger/multiset.h"
#include "tests/cluster.h"
#include "tests/history.h"

#define ADMIN      "--cluster %s --key %s"
#define ADMIN_ARGS cluster.cluster_file, cluster.admin_key

#define SNAPSHOT_SETTINGS "snapshot_entries: 32"
#define ONCE              "once"               /* Decided on once and never again: its record stays as it is. */
#define INTERVAL          4096                 /* node/core/digest.h */
#define SUM_SIZE          (16 + MULTISET_SIZE) /* ledger/FORMAT.md: Raft index and term before the sum. */
#define RECORD_SIZE_MAX   65536
#define WAIT_MS_MAX       60000

static struct cluster cluster;

static void nap(void)
{
	struct timespec t = {.tv_nsec = 20000000}; /* Between two looks at another process's state. */

	nanosleep(&t, NULL);
}

static void decide_on(cs_client *client, const char *subject)
{
	struct cs_request r = {.subject_type = "user",
	                       .subject_id = subject,
	                       .action = "read",
	                       .resource_type = "repo",
	                       .resource_id = "main"};
	uint64_t asked_ns = history_now_ns();
	cs_result *result;

	cs_request_id(r.id);
	if (cs_decide(client, &r, &result))
		history_fail(cs_last_error());
	history_add(r.id, result->index, asked_ns);
	cs_result_free(result);
}

static void decide(cs_client *client, unsigned n)
{
	char subject[32];

	for (unsigned i = 0; i < n; i++) {
		snprintf(subject, sizeof subject, "u%u", i % 20);
		decide_on(client, subject);
	}
}

static void stop(unsigned node)
{
	cluster_run("cluster down %s/c --node %u", cluster.dir, node);
}

static void start(unsigned node)
{
	cluster_run("cluster up %s/c --node %u", cluster.dir, node);
}

static void wait_log(unsigned node, const char *text, unsigned times)
{
	for (int i = 0; i < WAIT_MS_MAX / 20; i++) {
		if (cluster_in_log(&cluster, node, text) >= times)
			return;
		nap();
	}
	fprintf(stderr, "node %u does not say: %s\n", node, text);
	history_fail("what is wrong is not named");
}

/* --- a node's store, by LMDB alone --- */

struct opened {
	MDB_env *env;
	MDB_txn *txn;
	MDB_dbi state, meta;
};

static void must(int rc)
{
	if (rc) {
		fprintf(stderr, "%s\n", mdb_strerror(rc));
		history_fail("a store cannot be opened or changed");
	}
}

static struct opened open_store(unsigned node)
{
	struct opened o;
	char path[400];

	snprintf(path, sizeof path, "%s/c/node-%u/data/ledger", cluster.dir, node);
	must(mdb_env_create(&o.env));
	must(mdb_env_set_maxdbs(o.env, 8));
	must(mdb_env_open(o.env, path, 0, 0600));
	must(mdb_txn_begin(o.env, NULL, 0, &o.txn));
	must(mdb_dbi_open(o.txn, "state", 0, &o.state));
	must(mdb_dbi_open(o.txn, "meta", 0, &o.meta));
	return o;
}

static void close_store(struct opened *o)
{
	must(mdb_txn_commit(o->txn));
	mdb_env_close(o->env);
}

static MDB_val meta_of(const struct opened *o, const char *name, size_t size)
{
	MDB_val key = {strlen(name), (void *)(uintptr_t)name}, value;

	must(mdb_get(o->txn, o->meta, &key, &value));
	if (value.mv_size != size)
		history_fail("a store's meta record has another size");
	return value;
}

/* As node/decide/state_subject.c makes it. */
static void key_of(const char *subject, uint8_t ret[32])
{
	uint8_t both[64] = "user";
	size_t len = strlen(subject);

	memcpy(both + 5, subject, len);
	crypto_generichash(ret, 32, both, 5 + len, NULL, 0);
}

/* The subject's record: it has its key in it, or with the first bit of it flipped. Its value is copied out. */
static MDB_val find_record(const struct opened *o, uint8_t value[RECORD_SIZE_MAX], size_t *ret_len, uint8_t **ret_at)
{
	MDB_cursor *cursor;
	uint8_t key[32], *at = NULL;
	MDB_val k, v;

	key_of(ONCE, key);
	must(mdb_cursor_open(o->txn, o->state, &cursor));
	while (!at && mdb_cursor_get(cursor, &k, &v, MDB_NEXT) == 0) {
		if (*(uint8_t *)k.mv_data != 's' || v.mv_size > RECORD_SIZE_MAX)
			continue;
		memcpy(value, v.mv_data, v.mv_size);
		at = memmem(value, v.mv_size, key + 1, sizeof key - 1);
	}
	mdb_cursor_close(cursor);
	if (!at)
		history_fail("the subject has no record in the state");
	*ret_len = v.mv_size;
	*ret_at = at - 1;
	return k;
}

/*
 * Makes the subject another one, in the state of one node; done again it is as before. The ledger and its entries stay
 * as they are. With its sum it looks as if this node had come to this state by itself.
 */
static void flip(unsigned node, bool with_sum)
{
	static uint8_t bytes[RECORD_SIZE_MAX];
	uint8_t sum_bytes[SUM_SIZE], *at = NULL;
	struct opened o = open_store(node);
	struct multiset sum;
	size_t len = 0;
	MDB_val key = find_record(&o, bytes, &len, &at), value = {len, bytes};

	if (with_sum) {
		memcpy(sum_bytes, meta_of(&o, "sum", SUM_SIZE).mv_data, SUM_SIZE);
		multiset_read(&sum, sum_bytes + 16);
		multiset_remove(&sum, 's', bytes, len);
	}
	*at ^= 1;
	must(mdb_put(o.txn, o.state, &key, &value, 0));
	if (with_sum) {
		MDB_val name = {3, "sum"}, sum_value = {SUM_SIZE, sum_bytes};
		multiset_add(&sum, 's', bytes, len);
		multiset_write(&sum, sum_bytes + 16);
		must(mdb_put(o.txn, o.meta, &name, &sum_value, 0));
	}
	close_store(&o);
}

static uint64_t state_index(unsigned node)
{
	struct opened o = open_store(node);
	uint64_t index = get_u64be(meta_of(&o, "state", 16).mv_data);

	close_store(&o);
	return index;
}

/* The index of the newest snapshot in the node's log, if it carries a digest; 0: none does. */
static uint64_t sealed_snapshot(unsigned node)
{
	static uint8_t bytes[1 << 16];
	uint64_t index = 0;

	for (unsigned i = 1; i <= 2; i++) {
		char path[400];
		snprintf(path, sizeof path, "%s/c/node-%u/data/log/snapshot-%u", cluster.dir, node, i);
		FILE *f = fopen(path, "re");
		size_t len = f ? fread(bytes, 1, sizeof bytes, f) : 0;
		const uint8_t *at = memmem(bytes, len, "CSS2\0\0\0\0", 8);
		if (f)
			fclose(f);
		if (at && (index == 0 || get_u64be(at + 8) > index))
			index = get_u64be(at + 8);
	}
	return index;
}

/* --- what is found when --- */

/* The node says why it does not serve, the others do; then the operator puts right what was wrong. */
static void others_go_on(cs_client *client, unsigned node, const char *why, bool halted)
{
	wait_log(node, why, 1);
	decide(client, 10);
	for (unsigned n = 1; n <= 3; n++)
		if ((cluster_in_log(&cluster, n, "HALTED") > 0) != (n == node && halted))
			history_fail("the wrong node has halted");
	if (halted && cluster_try("cluster up %s/c --node %u", cluster.dir, node) == 0)
		history_fail("a halted node started again");
}

static void put_right(cs_client *client, unsigned node, bool with_sum)
{
	flip(node, with_sum);
	cluster_shell("rm -f '%s/c/node-%u/data/HALTED' && sed -i s/HALTED/halted/ '%s/c/node-%u/countersignd.log'",
	              cluster.dir, node, cluster.dir, node);
	start(node);
	decide(client, 10);
	history_check(client, cluster_converge(client));
}

/* A record that does not fit the sum that was stored with it: at the start. */
static void test_record(cs_client *client)
{
	unsigned node = cluster_leader(client) % 3 + 1;

	stop(node);
	flip(node, false);
	start(node);
	wait_log(node, "the stored state is not the one whose digest was stored with it", 1);
	wait_log(node, "a bit of the state was another: repaired by the state.s sum", 1);
	decide(client, 10);
	history_check(client, cluster_converge(client));
	fprintf(stderr, "node %u: a record was changed, found at its start, and turned back\n", node);
}

/* Killed when its stored state is that of its newest snapshot. */
static void kill_at_snapshot(cs_client *client, unsigned node)
{
	for (int i = 0; i < 20; i++) {
		decide(client, 40);
		cluster_run("cluster kill %s/c --node %u", cluster.dir, node);
		if (sealed_snapshot(node) && sealed_snapshot(node) == state_index(node))
			return;
		start(node);
	}
	history_fail("no snapshot with a digest of the stored state");
}

/* Records and sum fit each other: the snapshot in the log says what they were, if it is of the same index. */
static void test_snapshot(cs_client *client)
{
	unsigned node = cluster_leader(client) % 3 + 1;

	kill_at_snapshot(client, node);
	start(node); /* Compared, and found equal. */
	kill_at_snapshot(client, node);
	flip(node, true);
	if (cluster_try("cluster up %s/c --node %u", cluster.dir, node) == 0)
		history_fail("a node starts with another state than its snapshot's");
	others_go_on(client, node, "HALTED.*the stored state is not that of the log.s snapshot", true);
	put_right(client, node, true);
	fprintf(stderr, "node %u: another state than the snapshot's, found at its start\n", node);
}

/* What a leader gives is not what it says: whoever fetches refuses it, and gets it from the next leader. */
static void test_given(cs_client *client)
{
	unsigned giver = cluster_leader(client), node = giver % 3 + 1, whole;

	cluster_run("cluster kill %s/c --node %u", cluster.dir, node);
	decide(client, 200);
	whole = cluster_in_log(&cluster, node, "whole again");
	flip(giver, false); /* While it runs: its writer shares the store with us. */
	start(node);
	wait_log(node, "the state that came is damaged", 1);
	decide(client, 10);
	if (cluster_in_log(&cluster, node, "whole again") > whole)
		history_fail("a damaged state was taken");
	cluster_run("cluster kill %s/c --node %u", cluster.dir, giver);
	start(giver);
	wait_log(giver, "the stored state is not the one whose digest was stored with it", 1);
	decide(client, 10);
	wait_log(node, "whole again", whole + 1);
	history_check(client, cluster_converge(client));
	fprintf(stderr, "node %u refused what node %u gave, and was made whole by the third\n", node, giver);
}

/* Until the node has applied what the leader has, but for what is under way; or has ended. */
static void await(cs_client *client, unsigned node)
{
	long long there = cluster_status(client, cluster_leader(client), "raft_applied") - 2;

	for (unsigned i = 0; i < 3000 && !cluster_in_log(&cluster, node, "HALTED"); i++) {
		if (cluster_status(client, node, "raft_applied") >= there)
			return;
		nap();
	}
}

/*
 * Nothing on this node's own disk tells: the others do. Shortly before the index at which they compare, and slowly from
 * there on: a node that lags fetches the state of another, and a snapshot at the index of its own would tell as well.
 */
static void test_compared(cs_client *client)
{
	unsigned node = cluster_leader(client) % 3 + 1;
	long long next = (cluster_status(client, cluster_leader(client), "raft_last") / INTERVAL + 1) * INTERVAL;

	while (cluster_status(client, cluster_leader(client), "raft_applied") < next - 100)
		decide(client, 50);
	cluster_converge(client);
	for (stop(node); sealed_snapshot(node) == state_index(node); stop(node)) {
		start(node);
		decide(client, 3);
		cluster_converge(client);
	}
	flip(node, true);
	start(node);
	while (cluster_status(client, cluster_leader(client), "raft_applied") <= next &&
	       !cluster_in_log(&cluster, node, "HALTED")) {
		decide(client, 5);
		await(client, node);
	}
	others_go_on(client, node,
	             "HALTED.*the state at raft index [0-9]*[02468] has another digest here than on a majority of the "
	             "members",
	             true);
	/* The last test: its snapshot of this index, if it made one, is sealed with the digest of what is wrong. */
	fprintf(stderr, "node %u: another state than the others', found at index %lld\n", node, next);
}

int main(void)
{
	cs_client *client;

	cluster_create(&cluster, SNAPSHOT_SETTINGS);
	client = cluster_client(&cluster);
	cluster_run("feature enable " ADMIN " digest", ADMIN_ARGS);
	decide_on(client, ONCE);
	decide(client, 100);
	test_record(client);
	test_snapshot(client);
	test_given(client);
	test_compared(client);
	cs_close(client);
	cluster_destroy(&cluster);
	return 0;
}
