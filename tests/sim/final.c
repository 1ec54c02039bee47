/* Liveness and the ledgers read back: every acknowledged entry once, everywhere the same. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "tests/sim/final.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ledger/entry.h"
#include "ledger/errors.h"
#include "ledger/store.h"
#include "node/core/core.h"
#include "tests/naive_tree.h"
#include "tests/sim/checks.h"
#include "tests/sim/client.h"
#include "tests/sim/cluster.h"
#include "tests/sim/erased.h"
#include "tests/sim/faults.h"
#include "tests/sim/os.h"
#include "tests/sim/records.h"
#include "tests/sim/swarm.h"
#include "tests/sim/verdicts.h"
#include "tests/sim/voters.h"

#define LOOK_NS     (50 * OS_MS)
#define SERVE_NS    (30 * OS_S) /* From the end of faults until each client has been served again. */
#define FURTHER_NS  OS_S
#define CONVERGE_NS (60 * OS_S) /* Until all replicas are equal: a catch-up asks again after two seconds. */
#define ERASE_NS    (90 * OS_S) /* Until all have erased: what failed is tried again after half a minute. */
#define STOP_NS     (20 * OS_S)

/* Nodes that have to take part. */
static bool counts(const struct node *n)
{
	return !n->out && !os_processes[n->id].damaged && voters_member(n->id);
}

static void await(bool (*done)(void), uint64_t ns, const char *what)
{
	uint64_t until = os_now + ns;

	while (!done()) {
		if (os_now >= until) {
			checks_print();
			os_fail(checks_leader(), "not live: %s within %u s of the end of all faults", what,
			        (unsigned)(ns / OS_S));
		}
		os_run(os_now + LOOK_NS);
	}
}

static uint64_t acked_wanted, calm_ns;

/* Orders that the faults have kept from being given are given now, some of them. */
static bool served(void)
{
	return clients_acked() >= acked_wanted && (!swarm.further_left || os_now >= calm_ns + FURTHER_NS);
}

static bool equal(void)
{
	if (!checks_leader())
		return false;
	for (unsigned i = 1; i <= cluster.n; i++)
		if (counts(&cluster.nodes[i]) && (checks_node_applied(i) < checks_committed() ||
		                                  checks_node_size(i) != checks_node_size(checks_leader())))
			return false;
	return true;
}

static bool erased(void)
{
	for (unsigned i = 1; i <= cluster.n; i++)
		if (counts(&cluster.nodes[i]) && !erased_by(i))
			return false;
	return true;
}

/*
 * A removed node stops by itself once a majority of the voters that it knows tell it so: where it knows too few of the
 * present ones it waits for its operator. One that was never taken in has no business.
 */
static bool others_gone(void)
{
	for (unsigned i = 1; i <= cluster.n; i++) {
		struct node *n = &cluster.nodes[i];
		if (voters_member(i) || n->out || os_processes[i].damaged)
			continue;
		if (voters_removed(i) && voters_can_tell(i))
			return false;
		cluster_crash(n, false);
		n->out = true;
	}
	return true;
}

static bool stopped(void)
{
	for (unsigned i = 1; i <= cluster.n; i++)
		if (counts(&cluster.nodes[i]) && os_processes[i].alive)
			return false;
	return true;
}

void final_liveness(void)
{
	faults_end();
	clients_calm();
	acked_wanted = clients_acked() + 20;
	calm_ns = os_now;
	await(served, SERVE_NS, "twenty requests were not answered");
	clients_stop();
	await(clients_idle, SERVE_NS, "a request was not answered");
	await(voters_settled, CONVERGE_NS, "Raft's configuration was not what the roster says");
	await(others_gone, CONVERGE_NS, "a removed node did not stop by itself");
	await(equal, CONVERGE_NS, "the replicas were not equal");
	await(erased, ERASE_NS, "a node had not erased what was ordered");
	cluster.ending = true;
	for (unsigned i = 1; i <= cluster.n; i++)
		if (counts(&cluster.nodes[i]))
			cluster_stop(&cluster.nodes[i]);
	await(stopped, STOP_NS, "a node did not stop");
	for (unsigned i = 1; i <= cluster.n; i++)
		if (counts(&cluster.nodes[i]) && os_processes[i].status != EXIT_OK)
			os_fail(i, "stopped with status %d", os_processes[i].status);
}

/* --- what is stored --- */

struct ledger {
	uint64_t size;
	struct hash *leaves;
	uint8_t (*ids)[16]; /* Of decisions; n_ids of them. */
	size_t n_ids;
	struct verdicts *verdicts;
	struct records *records;
};

/* False: it was erased whole, and an erasure says so; or the entry has nothing private. */
static bool read_body(unsigned node, const struct store_view *v, uint64_t index, const void **ret, size_t *ret_len)
{
	struct store_erasure erased;
	unsigned n = 0;
	int err = store_view_body(v, index, ret, ret_len);

	if (err && (err != CS_ERR_ERASED || store_view_erased(v, index, &erased, 1, &n) || n == 0))
		os_fail(node, "the stored body of entry %" PRIu64 " cannot be read: %s", index, err_text(err));
	if (!err)
		erased_look(index, *ret, *ret_len);
	return !err && *ret_len > 0;
}

static int take_erased(void *ctx, const struct store_erasure *e)
{
	records_erased(ctx, e);
	return 0;
}

/* Whatever was erased since: the leaves have the root that was signed. */
static void check_root(unsigned node, const struct ledger *l, const struct hash *root)
{
	struct hash found;

	naive_root(l->leaves, (unsigned)l->size, &found);
	if (!hash_equal(&found, root))
		os_fail(node, "the stored leaves have another root than the store's head");
}

static void take_entry(unsigned node, struct ledger *l, const struct store_view *v, uint64_t index)
{
	struct field fields[LIMIT_FIELD_COUNT_MAX];
	const struct field *client;
	const void *leaf, *body;
	size_t leaf_len, body_len;
	struct entry e;
	struct reader r;
	unsigned n;

	if (store_view_entry(v, index, &leaf, &leaf_len) || entry_decode(&e, leaf, leaf_len))
		os_fail(node, "stored entry %" PRIu64 " is damaged", index);
	if (!read_body(node, v, index, &body, &body_len))
		n = 0;
	else if (body_decode(fields, &n, body, body_len) || body_check(&e, fields, n))
		os_fail(node, "the stored body of entry %" PRIu64 " is damaged", index);
	hash_leaf(&l->leaves[index], leaf, leaf_len);
	verdicts_entry(l->verdicts, &e, fields, n);
	records_entry(l->records, &e, fields, n);
	client = e.kind == ENTRY_DECISION ? body_find(fields, n, FIELD_CLIENT) : NULL;
	if (!client)
		return;
	reader_init(&r, client->value, client->value_len);
	reader_array_exact(&r, 2);
	reader_skip(&r, &(const uint8_t *){NULL}, &(size_t){0});
	if (reader_bin_exact(&r, l->ids[l->n_ids++], 16))
		os_fail(node, "stored entry %" PRIu64 " has no request id", index);
}

static void read_ledger(unsigned node, struct ledger *l)
{
	struct store_options o = {.read_only = false};
	struct store_head head;
	struct store_view *v;
	struct store *s;
	char path[32];
	int err;

	snprintf(path, sizeof path, "/sim/%u/ledger", node);
	err = store_open(path, &o, &s);
	if (!err)
		err = store_view_open(s, &v);
	if (err)
		os_fail(node, "the store cannot be read back: %s", err_text(err));
	store_view_head(v, &head);
	l->size = head.size;
	l->leaves = calloc(head.size + 1, sizeof *l->leaves);
	l->ids = calloc(head.size + 1, 16);
	if (!l->leaves || !l->ids)
		os_fail(node, "out of memory");
	checks_root(node, head.size, &head.root, "stored");
	l->verdicts = verdicts_new(node, head.size);
	l->records = records_new(node, head.size);
	for (uint64_t i = 0; i < head.size; i++)
		take_entry(node, l, v, i);
	check_root(node, l, &head.root);
	store_view_each_erased(v, 0, take_erased, l->records);
	if (!os_processes[node].gone_back)
		erased_check(node, &cluster.nodes[node].disk, l->records);
	verdicts_end(l->verdicts);
	records_end(l->records);
	store_view_close(v);
	store_close(s);
}

static int compare_ids(const void *a, const void *b)
{
	return memcmp(a, b, 16);
}

static void check_doubles(unsigned node, struct ledger *l)
{
	qsort(l->ids, l->n_ids, 16, compare_ids);
	for (size_t i = 1; i < l->n_ids; i++)
		if (memcmp(l->ids[i - 1], l->ids[i], 16) == 0)
			os_fail(node, "a request has two entries");
}

static void check_history(unsigned node, const struct ledger *l)
{
	size_t n;
	const struct operation *o = clients_history(&n);

	for (size_t i = 0; i < n; i++)
		if (o[i].index >= l->size || !hash_equal(&o[i].leaf, &l->leaves[o[i].index]))
			os_fail(node, "acknowledged entry %" PRIu64 " is lost or changed (size %" PRIu64 ")",
			        o[i].index, l->size);
}

void final_read_back(void)
{
	struct ledger first = {0}, l = {0};
	uint64_t size;

	for (unsigned i = 1; i <= cluster.n; i++) {
		if (!counts(&cluster.nodes[i]))
			continue;
		read_ledger(i, &l);
		check_doubles(i, &l);
		check_history(i, &l);
		/* What grows old may yet have been erased by an entry that not all have stored before they stopped. */
		size = first.leaves && first.size < l.size ? first.size : l.size;
		if (first.leaves && memcmp(first.leaves, l.leaves, size * sizeof *l.leaves) != 0)
			os_fail(i, "its ledger differs from that of another node");
		first = l;
		l = (struct ledger){0};
	}
}
