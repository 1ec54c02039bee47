/* What clients saw of their decisions, held against what the ledger holds: nothing lost, doubled or out of order. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "tests/history.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "ledger/entry.h"

/* What one client saw of one decision. */
struct seen {
	uint8_t id[16];
	uint64_t index, asked_ns, answered_ns;
};

static struct seen *seen;
static unsigned n_seen, n_cap;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

uint64_t history_now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

void history_fail(const char *what)
{
	fprintf(stderr, "FAILED: %s\n", what);
	abort();
}

void history_add(const uint8_t id[16], uint64_t index, uint64_t asked_ns)
{
	struct seen s = {.index = index, .asked_ns = asked_ns, .answered_ns = history_now_ns()};

	memcpy(s.id, id, sizeof s.id);
	pthread_mutex_lock(&lock);
	if (n_seen == n_cap) {
		n_cap = n_cap ? 2 * n_cap : 4096;
		seen = realloc(seen, n_cap * sizeof *seen);
		if (!seen)
			history_fail("out of memory");
	}
	seen[n_seen++] = s;
	pthread_mutex_unlock(&lock);
}

unsigned history_count(void)
{
	unsigned n;

	pthread_mutex_lock(&lock);
	n = n_seen;
	pthread_mutex_unlock(&lock);
	return n;
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
			history_fail("two decisions have one index");
		if (answered_min < seen[i].asked_ns)
			history_fail("a decision with a higher index was answered before this one was asked");
		if (seen[i].answered_ns < answered_min)
			answered_min = seen[i].answered_ns;
	}
}

bool history_request_id(const struct cs_entry *e, uint8_t ret[16])
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
static void check_ledger(cs_client *client, unsigned n, uint64_t size)
{
	/* What is acknowledged is in the ledger, whatever size a node has told of since. */
	for (unsigned i = 0; i < n; i++)
		size = seen[i].index >= size ? seen[i].index + 1 : size;
	struct stored *all = calloc(size, sizeof *all);
	size_t n_all = 0;

	for (uint64_t at = 0; at < size;) {
		cs_page *page;
		if (cs_entries(client, at, 256, 5000, &page) || page->n == 0)
			history_fail(*cs_last_error() ? cs_last_error() : "reading the ledger");
		/* Reading adds entries that say so: they come after the size that is looked at. */
		for (size_t i = 0; i < page->n && at < size; i++, at++)
			if (history_request_id(&page->entries[i], all[n_all].id))
				all[n_all++].index = at;
		cs_page_free(page);
	}
	qsort(all, n_all, sizeof *all, by_id);
	for (size_t i = 1; i < n_all; i++)
		if (memcmp(all[i - 1].id, all[i].id, 16) == 0)
			history_fail("one request is in the ledger twice");
	for (unsigned i = 0; i < n; i++) {
		struct stored *s = bsearch(seen[i].id, all, n_all, sizeof *all, by_id);
		if (!s) {
			fprintf(stderr, "entry %llu of %llu: ", (unsigned long long)seen[i].index,
			        (unsigned long long)size);
			history_fail("an acknowledged decision is not in the ledger");
		}
		if (s->index != seen[i].index)
			history_fail("an acknowledged decision is at another index");
	}
	free(all);
}

void history_check(cs_client *client, uint64_t size)
{
	check_linearizable(n_seen);
	check_ledger(client, n_seen, size);
}
