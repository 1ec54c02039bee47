/* How fast a search looks through a store: a value that is in no entry, so that each is looked at. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "ledger/store.h"
#include "node/decide/search.h"
#include "tests/decide_kit.h"

#define ENTRIES 200000
#define LEAST   500000 /* Entries a second on one core: an index for each field would cost the writer more. */
#define TRIES   5

static struct kit kit;

static void fill(struct store *s)
{
	static const char *const who[] = {"ada", "bob", "cyd", "dee"};

	for (uint64_t i = 0; i < ENTRIES; i++) {
		struct store_entry e;
		struct state_head head;

		kit.now_ms += 50;
		state_head(kit.s, &head);
		assert_int_equal(kit_ask_for(&kit, who[i % 4], "read", "laptop-1", "192.0.2.1"), DECIDE_ENTRY);
		e = (struct store_entry){.leaf = kit.out->leaf,
		                         .leaf_len = (uint32_t)kit.out->leaf_len,
		                         .body = kit.out->body,
		                         .body_len = (uint32_t)kit.out->body_len,
		                         .leaf_hash = kit.out->leaf_hash};
		if (i % 1000 == 0)
			assert_int_equal(store_begin(s), 0);
		assert_int_equal(store_append(s, i, &e, 1), 0);
		if (i % 1000 == 999) {
			assert_int_equal(store_applied(s, i + 1, 1), 0);
			assert_int_equal(store_commit(s), 0);
		}
	}
}

static double look(const struct store_view *v, const struct search *q, bool down)
{
	struct timespec begin, end;
	struct store_walk *w;
	struct search_leaf e;
	const void *leaf, *body;
	size_t leaf_len, body_len;
	uint64_t index, hits = 0, n = 0;

	clock_gettime(CLOCK_MONOTONIC, &begin);
	assert_int_equal(store_walk_open(v, down ? ENTRIES - 1 : 0, down, &w), 0);
	for (; store_walk_next(w, &index, &leaf, &leaf_len) == 0; n++)
		hits += search_leaf_read(&e, leaf, leaf_len) && search_leaf_matches(q, &e) &&
		        store_walk_body(w, &body, &body_len) == 0 && search_body_matches(q, body, body_len);
	store_walk_close(w);
	clock_gettime(CLOCK_MONOTONIC, &end);
	assert_true(n == ENTRIES && hits == 0);
	return ENTRIES / ((double)(end.tv_sec - begin.tv_sec) + (double)(end.tv_nsec - begin.tv_nsec) / 1e9);
}

int main(void)
{
	struct search q = {.hits_max = 1, .n = 2};
	char folder[] = "/tmp/countersign-search.XXXXXX", command[64];
	struct store_options o = {.map_size = UINT64_C(2) << 30, .create = true};
	struct store *s;
	struct store_view *v;
	double best[2] = {0};

	q.by[0] = (struct read_lookup){FIELD_RESOURCE, {"no:such", 7}};
	q.by[1] = (struct read_lookup){FIELD_CLIENT, {"nobody", 6}};
	assert_non_null(mkdtemp(folder));
	kit_new(&kit, NULL, NULL);
	assert_int_equal(store_open(folder, &o, &s), 0);
	fill(s);
	assert_int_equal(store_view_open(s, &v), 0);
	for (unsigned i = 0; i < 2 * TRIES; i++) {
		double rate = look(v, &q, i % 2);
		best[i % 2] = rate > best[i % 2] ? rate : best[i % 2];
	}
	printf("looked through: %.0f entries/s oldest first, %.0f newest first, of %zu + %zu bytes\n", best[0], best[1],
	       kit.out->leaf_len, kit.out->body_len);
	store_view_close(v);
	store_close(s);
	kit_free(&kit);
	snprintf(command, sizeof command, "rm -rf %s", folder);
	return system(command) != 0 || best[0] < LEAST || best[1] < LEAST;
}
