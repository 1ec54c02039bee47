/* Approvals and ticks across kill -9 of the leader: nothing said is lost or doubled, what waits comes to its end. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <jansson.h>
#include <pthread.h>
#include <sodium.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "ledger/entry.h"
#include "tests/cluster.h"

#define REQUESTS 12
#define WAIT_MS  60000

static struct cluster cluster;
static const char policy[] = "version: 2\nbias: -9000\nthresholds: {step_up: 0, deny: 5000}\nrules:\n"
                             "- {id: by-risk, verdict: risk}\n"
                             "- {id: two, match: {action: deploy}, verdict: defer,\n"
                             "   defer: {approvals: {needed: 2, from: ['boss-*'], expires: 1h}}}\n"
                             "- {id: soon, match: {action: drop}, verdict: defer, defer: {until: 3s}}\n"
                             "- {id: late, match: {action: push}, verdict: defer,\n"
                             "   defer: {approvals: {needed: 1, from: ['boss-*'], expires: 3s}}}\n";

static void fail(const char *what)
{
	fprintf(stderr, "FAILED: %s: %s\n", what, cs_last_error());
	abort();
}

static cs_client *client_of(const char *name)
{
	struct cs_options o = {.cluster_file = cluster.cluster_file, .timeout_ms = 20000};
	char path[400], error[256];
	cs_client *c;

	snprintf(path, sizeof path, "%s/%s.key", cluster.dir, name);
	o.key_file = path;
	if (cs_open(&o, &c, error, sizeof error))
		fail(error);
	return c;
}

static void enrol(const char *name, const char *person)
{
	cluster_run("enroll --cluster %s --key %s --name %s --roles approve --subject user:%s --new-key %s/%s.key",
	            cluster.cluster_file, cluster.admin_key, name, person, cluster.dir, name);
}

static uint64_t ask(cs_client *gateway, const char *action, uint8_t id[16])
{
	struct cs_request r = {.subject_type = "user",
	                       .subject_id = "ada",
	                       .action = action,
	                       .resource_type = "model",
	                       .resource_id = "m"};
	cs_result *result;

	cs_request_id(r.id);
	memcpy(id, r.id, sizeof r.id);
	if (cs_decide(gateway, &r, &result) || result->verdict != CS_DEFER)
		fail("a request that waits");
	uint64_t index = result->index;
	cs_result_free(result);
	return index;
}

static void digest_of(cs_client *c, uint64_t index, uint8_t ret[32])
{
	char *text;
	json_t *list, *o;
	size_t i, len = 0;

	if (cs_pending(c, &text))
		fail("pending");
	list = json_loads(text, 0, NULL);
	free(text);
	json_array_foreach(list, i, o) if ((uint64_t)json_integer_value(json_object_get(o, "index")) == index)
	{
		const char *hex = json_string_value(json_object_get(o, "digest"));
		if (sodium_hex2bin(ret, 32, hex, strlen(hex), NULL, &len, NULL))
			fail("a digest");
	}
	json_decref(list);
	if (len != 32)
		fail("what waits is not in the list");
}

static uint64_t indexes[REQUESTS];
static uint8_t digests[REQUESTS][32];
static atomic_uint said;

/* Approves each of them. The library asks again with the same id where the outcome is unknown. */
static void *approve(void *name)
{
	cs_client *c = client_of(name);

	for (unsigned i = 0; i < REQUESTS; i++) {
		cs_result *result;
		if (cs_approve(c, indexes[i], CS_APPROVE, digests[i], "yes", &result))
			fail("an approval");
		cs_result_free(result);
		atomic_fetch_add(&said, 1);
	}
	cs_close(c);
	return NULL;
}

/* What the ledger says of the decision at an index. */
struct told {
	unsigned approvals, ends, allows, denies;
};

static void read_one(const struct cs_entry *stored, uint64_t index, struct told *ret)
{
	struct entry e;
	struct reader r;
	const uint8_t *skipped;
	uint64_t verdict = 0, waited = 0;
	size_t len;

	if (entry_decode(&e, stored->leaf, stored->leaf_size))
		fail("an entry");
	if (e.kind != ENTRY_APPROVAL && e.kind != ENTRY_DEFER_ENDED)
		return;
	reader_init(&r, e.public_, e.public_len);
	reader_array_exact(&r, e.kind == ENTRY_APPROVAL ? 9 : 8);
	reader_uint(&r, CS_DENY, &verdict);
	for (unsigned i = 1; i < 6; i++)
		reader_skip(&r, &skipped, &len);
	reader_uint(&r, UINT64_MAX, &waited);
	if (r.err || waited != index)
		return;
	ret->approvals += e.kind == ENTRY_APPROVAL;
	ret->ends += e.kind == ENTRY_DEFER_ENDED;
	ret->allows += verdict == CS_ALLOW;
	ret->denies += verdict == CS_DENY;
}

static struct told told_of(cs_client *client, uint64_t index, uint64_t size)
{
	struct told t = {0};

	for (uint64_t at = index; at < size;) {
		cs_page *page;
		if (cs_entries(client, at, 256, 5000, &page))
			fail("reading");
		for (size_t i = 0; i < page->n; i++)
			read_one(&page->entries[i], index, &t);
		at += page->n;
		cs_page_free(page);
	}
	return t;
}

static void must_end(cs_client *gateway, uint64_t index, int verdict)
{
	struct cs_end end;

	if (cs_wait(gateway, index, WAIT_MS, &end) || end.verdict != verdict)
		fail("the end of what waits");
}

int main(void)
{
	static char first[] = "boss-1", second[] = "boss-2";
	struct timespec nap = {.tv_nsec = 5000000};
	uint8_t ids[REQUESTS][16], soon_id[16], late_id[16];
	struct cs_check_result check;
	pthread_t threads[2];

	cluster_make(&cluster, NULL);
	cluster_begin(&cluster);
	cluster_shell("cat >'%s/policy.yaml' <<'END'\n%sEND", cluster.dir, policy);
	cluster_run("policy set --cluster %s --key %s %s/policy.yaml", cluster.cluster_file, cluster.admin_key,
	            cluster.dir);
	enrol(first, "bea");
	enrol(second, "ben");
	cs_client *gateway = cluster_client(&cluster);
	for (unsigned i = 0; i < REQUESTS; i++)
		indexes[i] = ask(gateway, "deploy", ids[i]);
	for (unsigned i = 0; i < REQUESTS; i++)
		digest_of(gateway, indexes[i], digests[i]);
	pthread_create(&threads[0], NULL, approve, first);
	pthread_create(&threads[1], NULL, approve, second);
	while (atomic_load(&said) < REQUESTS / 2)
		nanosleep(&nap, NULL);
	unsigned leader = cluster_leader(gateway);
	cluster_run("cluster kill %s/c --node %u", cluster.dir, leader);
	pthread_join(threads[0], NULL);
	pthread_join(threads[1], NULL);
	for (unsigned i = 0; i < REQUESTS; i++) {
		must_end(gateway, indexes[i], CS_ALLOW);
		if (cs_check(gateway, ids[i], &check) || check.verdict != CS_ALLOW)
			fail("the request's own answer");
	}
	/* Time goes on by the ticks of whoever leads. */
	uint64_t soon = ask(gateway, "drop", soon_id), late = ask(gateway, "push", late_id);
	cluster_run("cluster up %s/c --node %u", cluster.dir, leader);
	leader = cluster_leader(gateway);
	cluster_run("cluster kill %s/c --node %u", cluster.dir, leader);
	must_end(gateway, soon, CS_ALLOW);
	must_end(gateway, late, CS_DENY);
	cluster_run("cluster up %s/c --node %u", cluster.dir, leader);
	unsigned long long size = cluster_converge(gateway);
	for (unsigned i = 0; i < REQUESTS; i++) {
		struct told t = told_of(gateway, indexes[i], size);
		if (t.approvals != 2 || t.allows != 1 || t.ends != 0)
			fail("an approval was lost or doubled");
	}
	struct told s = told_of(gateway, soon, size), l = told_of(gateway, late, size);
	if (s.ends != 1 || s.allows != 1 || l.ends != 1 || l.denies != 1)
		fail("an end was lost or doubled");
	cs_close(gateway);
	cluster_destroy(&cluster);
	fprintf(stderr, "%d approvals, 2 ends, ledger of %llu entries\n", 2 * REQUESTS, size);
	return 0;
}
