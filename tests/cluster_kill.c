/* kill -9 of leader and followers under load: nothing acknowledged is lost or doubled, order is linearizable. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "ledger/entry.h"
#include "tests/cluster.h"

#define THREADS             8
#define DECISIONS_MAX       100000
#define KILLS               4
#define ACKED_BETWEEN_KILLS 150

/* What one client saw of one decision. */
struct seen {
	uint8_t id[16];
	uint64_t index, asked_ns, answered_ns;
};

static struct cluster cluster;
static struct seen seen[DECISIONS_MAX];
static atomic_uint n_seen, n_failed;
static atomic_bool stop;

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

static void fail(const char *what)
{
	fprintf(stderr, "FAILED: %s\n", what);
	abort();
}

static void *load(void *arg)
{
	cs_client *client = cluster_client(&cluster);
	char subject[32];

	for (unsigned i = 0; !atomic_load(&stop); i++) {
		struct cs_request r = {.subject_type = "user",
		                       .subject_id = subject,
		                       .action = "read",
		                       .resource_type = "repo",
		                       .resource_id = "main"};
		struct seen s = {.asked_ns = now_ns()};
		cs_result *result;

		snprintf(subject, sizeof subject, "u%u-%u", (unsigned)(uintptr_t)arg, i % 50);
		cs_request_id(r.id);
		memcpy(s.id, r.id, sizeof s.id);
		/* The library asks again with the same id when the outcome is unknown. */
		if (cs_decide(client, &r, &result)) {
			fprintf(stderr, "decide: %s\n", cs_last_error());
			atomic_fetch_add(&n_failed, 1);
			continue;
		}
		s.answered_ns = now_ns();
		s.index = result->index;
		if (!result->proven)
			fail("a reply without a proof that holds");
		cs_result_free(result);
		unsigned at = atomic_fetch_add(&n_seen, 1);
		if (at >= DECISIONS_MAX)
			fail("more decisions than this test has room for");
		seen[at] = s;
	}
	cs_close(client);
	return NULL;
}

static void wait_acked(unsigned n)
{
	uint64_t until = now_ns() + UINT64_C(120000000000);
	struct timespec t = {.tv_nsec = 5000000};

	while (atomic_load(&n_seen) < n) {
		if (now_ns() > until)
			fail("no progress: the cluster does not acknowledge");
		nanosleep(&t, NULL);
	}
}

static int by_index(const void *a, const void *b)
{
	const struct seen *x = a, *y = b;

	return x->index < y->index ? -1 : x->index > y->index;
}

static int by_id(const void *a, const void *b)
{
	return memcmp(a, b, 16);
}

/* If A was answered before B was asked, A's index is lower. */
static void check_linearizable(unsigned n)
{
	uint64_t answered_min = UINT64_MAX; /* Of those with a higher index. */

	qsort(seen, n, sizeof *seen, by_index);
	for (unsigned i = n; i-- > 0;) {
		if (i + 1 < n && seen[i].index == seen[i + 1].index)
			fail("two decisions have one index");
		if (answered_min < seen[i].asked_ns)
			fail("a decision with a higher index was answered before this one was asked");
		if (seen[i].answered_ns < answered_min)
			answered_min = seen[i].answered_ns;
	}
}

/* The request id that a decision's entry keeps for its asker. */
static bool request_id_of(const struct cs_entry *e, uint8_t ret[16])
{
	struct field fields[LIMIT_FIELD_COUNT_MAX];
	const struct field *f;
	const uint8_t *id;
	const char *name;
	struct reader r;
	unsigned n;
	size_t len;

	if (!e->body || body_decode(fields, &n, e->body, e->body_size))
		return false;
	f = body_find(fields, n, FIELD_CLIENT);
	if (!f)
		return false;
	reader_init(&r, f->value, f->value_len);
	reader_array_exact(&r, 2);
	reader_str(&r, 64, &name, &len);
	reader_bin(&r, 16, &id, &len);
	if (reader_end(&r) || len != 16)
		return false;
	memcpy(ret, id, 16);
	return true;
}

struct stored {
	uint8_t id[16];
	uint64_t index;
};

/* Every acknowledged decision is in the ledger, at its index, once. */
static void check_ledger(cs_client *client, unsigned n, unsigned long long size)
{
	struct stored *all = calloc(size, sizeof *all);
	size_t n_all = 0;

	for (uint64_t at = 0; at < size;) {
		cs_page *page;
		if (cs_entries(client, at, 256, 5000, &page) || page->n == 0)
			fail("reading the ledger");
		for (size_t i = 0; i < page->n; i++, at++)
			if (request_id_of(&page->entries[i], all[n_all].id))
				all[n_all++].index = at;
		cs_page_free(page);
	}
	qsort(all, n_all, sizeof *all, by_id);
	for (size_t i = 1; i < n_all; i++)
		if (memcmp(all[i - 1].id, all[i].id, 16) == 0)
			fail("one request is in the ledger twice");
	for (unsigned i = 0; i < n; i++) {
		struct stored *s = bsearch(seen[i].id, all, n_all, sizeof *all, by_id);
		if (!s)
			fail("an acknowledged decision is not in the ledger");
		if (s->index != seen[i].index)
			fail("an acknowledged decision is at another index");
	}
	free(all);
}

int main(void)
{
	pthread_t threads[THREADS];
	cs_client *client;

	cluster_create(&cluster);
	client = cluster_client(&cluster);
	for (uintptr_t i = 0; i < THREADS; i++)
		pthread_create(&threads[i], NULL, load, (void *)i);
	for (unsigned k = 0; k < KILLS; k++) {
		wait_acked((k + 1) * ACKED_BETWEEN_KILLS);
		unsigned leader = cluster_leader(client), victim = k % 2 == 0 ? leader : leader % 3 + 1;
		fprintf(stderr, "kill -9 node %u (%s) after %u acknowledged\n", victim,
		        victim == leader ? "leader" : "follower", atomic_load(&n_seen));
		cluster_run("cluster kill %s/c --node %u", cluster.dir, victim);
		wait_acked(atomic_load(&n_seen) + ACKED_BETWEEN_KILLS);
		cluster_run("cluster up %s/c --node %u", cluster.dir, victim);
	}
	/* A whole restart, and on. */
	for (unsigned node = 1; node <= 3; node++)
		cluster_run("cluster kill %s/c --node %u", cluster.dir, node);
	cluster_run("cluster up %s/c", cluster.dir);
	wait_acked(atomic_load(&n_seen) + ACKED_BETWEEN_KILLS);
	atomic_store(&stop, true);
	for (unsigned i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);

	unsigned n = atomic_load(&n_seen);
	unsigned long long size = cluster_converge(client);
	check_linearizable(n);
	check_ledger(client, n, size);
	cs_close(client);
	cluster_destroy(&cluster);
	fprintf(stderr, "%u acknowledged, %u errors told to clients, ledger of %llu entries, roots equal on 3 nodes\n",
	        n, atomic_load(&n_failed), size);
	return 0;
}
