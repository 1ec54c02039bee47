/* One cell of the matrix: a cluster is hurt, watched, mended; then all that was acknowledged must be there. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "ledger/entry.h"
#include "tests/history.h"
#include "tests/matrix.h"

#define WAIT_S      60 /* For what takes a second. */
#define ANSWER_MS   20000
#define ASK_MS      400 /* Where nobody may be there to answer. */
#define REFUSED_MAX 3   /* Refused entries of one node that are asked for: the library asks again until ASK_MS. */
#define FILLER      24  /* Attributes of a decision that is to fill the log, */
#define FILLER_SIZE 250 /* and the bytes of each. */

/* --- clients --- */

static cs_client *client_of(const struct arena *a, const char *file, unsigned timeout_ms)
{
	struct cs_options o = {.cluster_file = file, .key_file = a->cluster.gateway_key, .timeout_ms = timeout_ms};
	cs_client *client;
	char text[256];

	if (cs_open(&o, &client, text, sizeof text))
		matrix_fail(a, "%s", text);
	return client;
}

/* One decision; an error is the caller's matter, a wrong answer is nobody's. */
static int decide(const struct arena *a, cs_client *client, bool large)
{
	static char filler[FILLER_SIZE + 1];
	static char names[FILLER][8];
	struct cs_attribute attributes[FILLER];
	struct cs_request r = {.subject_type = "user",
	                       .subject_id = "ada",
	                       .action = "read",
	                       .resource_type = "repo",
	                       .resource_id = "main",
	                       .n_attributes = large ? FILLER : 0,
	                       .attributes = attributes};
	uint64_t asked_ns = history_now_ns();
	cs_result *result;

	memset(filler, 'x', FILLER_SIZE);
	for (unsigned i = 0; i < FILLER; i++) {
		snprintf(names[i], sizeof names[i], "a%02u", i);
		attributes[i] = (struct cs_attribute){.name = names[i], .type = CS_STRING, .string = filler};
	}
	cs_request_id(r.id);
	int err = cs_decide(client, &r, &result);
	if (err == CS_E_REFUTED || err == CS_E_DIVERGED || err == CS_E_MALFORMED || err == CS_E_INVALID)
		matrix_fail(a, "a wrong answer: %s", cs_last_error());
	if (err)
		return err;
	if (!result->proven)
		matrix_fail(a, "an answer without a proof");
	history_add(r.id, result->index, asked_ns);
	cs_result_free(result);
	return 0;
}

static void decide_some(const struct arena *a, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		if (decide(a, a->client, false))
			matrix_fail(a, "a majority runs, and a decision failed: %s", cs_last_error());
}

/* --- waiting --- */

static uint64_t deadline_ns(void)
{
	return history_now_ns() + WAIT_S * UINT64_C(1000000000);
}

static bool has(cs_client *client, unsigned node, const char *member, long long at_least)
{
	return cluster_status(client, node, member) >= at_least;
}

/* Until all have the same entries, cosigned. */
static uint64_t await_same(struct arena *a)
{
	uint64_t until = deadline_ns();

	for (;;) {
		long long size = cluster_status(a->at[1], 1, "size");
		bool same = size > 0;
		for (unsigned n = 1; n <= MATRIX_NODES && same; n++)
			same = cluster_status(a->at[n], n, "size") == size && has(a->at[n], n, "cosigned_size", size);
		if (same)
			return (uint64_t)size;
		for (unsigned n = 1; n <= MATRIX_NODES; n++)
			if (nodes_ended(a, n))
				matrix_fail(a, "node %u ended in the end", n);
		if (history_now_ns() > until)
			matrix_fail(a, "the nodes do not come to the same entries");
		matrix_nap();
	}
}

/* Whether it serves; false: it has ended. */
static bool await_serving(struct arena *a, unsigned node)
{
	uint64_t until = deadline_ns();

	while (cluster_status(a->at[node], node, "size") < 0) {
		if (nodes_ended(a, node))
			return false;
		if (history_now_ns() > until)
			matrix_fail(a, "node %u neither serves nor ends", node);
		matrix_nap();
	}
	return true;
}

static void open_clients(struct arena *a)
{
	char path[400];

	a->client = client_of(a, a->cluster.cluster_file, ANSWER_MS);
	for (unsigned n = 1; n <= MATRIX_NODES; n++) {
		snprintf(path, sizeof path, "%s/c/only-%u.yaml", a->cluster.dir, n);
		a->at[n] = client_of(a, path, ANSWER_MS);
	}
}

/* --- the judge --- */

static bool is_victim(const struct arena *a, unsigned node)
{
	return a->every || node == MATRIX_VICTIM;
}

static const struct matrix_end *expected(const struct arena *a)
{
	return a->every ? &a->cell->every : &a->cell->one;
}

static void expect_words(const struct arena *a, unsigned node)
{
	const char *says = expected(a)->says;

	if (says && !nodes_said(a, node, says))
		matrix_fail(a, "node %u did not say \"%s\"", node, says);
}

/* An entry that a node gave: the one of this index, behind the one before it. */
static void check_entry(const struct arena *a, unsigned node, uint64_t at, const cs_page *page,
                        const struct hash *before)
{
	struct entry entry;

	if (page->n == 0)
		matrix_fail(a, "node %u has no entry %" PRIu64, node, at);
	if (entry_decode(&entry, page->entries[0].leaf, page->entries[0].leaf_size) || entry.index != at ||
	    (before && !hash_equal(&entry.prev, before)))
		matrix_fail(a, "node %u gives another entry for %" PRIu64, node, at);
}

/* One node's entries, as far as it gives them: each follows the one before, or is refused. */
static void read_node(struct arena *a, unsigned node)
{
	long long size = cluster_status(a->at[node], node, "size");
	struct hash last = {0};
	const struct hash *before = &last;
	unsigned refused = 0;
	char path[400];

	snprintf(path, sizeof path, "%s/c/only-%u.yaml", a->cluster.dir, node);
	cs_client *client = client_of(a, path, ASK_MS);
	for (uint64_t at = 0; (long long)at < size && refused < REFUSED_MAX && !nodes_ended(a, node);) {
		cs_page *page;
		int err = cs_entries(client, at, 1, 0, &page);
		if (err == CS_E_TIMEOUT || err == CS_E_UNREACHABLE)
			continue;
		if (err && err != CS_E_DAMAGED)
			matrix_fail(a, "node %u, entry %" PRIu64 ": %s", node, at, cs_last_error());
		if (!err) {
			check_entry(a, node, at, page, before);
			hash_leaf(&last, page->entries[0].leaf, page->entries[0].leaf_size);
			cs_page_free(page);
		}
		before = err ? NULL : &last;
		refused += err != 0;
		at++;
	}
	cs_close(client);
}

/* The damage is met by reading, which gives nothing wrong; the node ends for it, and mends it at its next start. */
static void judge_rebuilt(struct arena *a)
{
	uint64_t until = deadline_ns();

	for (unsigned n = 1; n <= MATRIX_NODES; n++) {
		if (!is_victim(a, n))
			continue;
		if (!await_serving(a, n))
			matrix_fail(a, "node %u ended before anything was read", n);
		while (!nodes_ended(a, n)) {
			read_node(a, n);
			if (history_now_ns() > until)
				matrix_fail(a, "node %u does not meet what is damaged", n);
		}
		expect_words(a, n);
		nodes_start(a, n, false);
		if (!await_serving(a, n) || !nodes_said(a, n, "was built anew from what of it can be read"))
			matrix_fail(a, "node %u is not built anew", n);
	}
}

/* Nobody has a majority: no answer, least of all a permit. */
static void expect_no_answer(struct arena *a)
{
	cs_client *client = client_of(a, a->cluster.cluster_file, ASK_MS);

	if (decide(a, client, false) == 0)
		matrix_fail(a, "a decision was answered without a majority");
	cs_close(client);
}

/* Nobody has what is lost: none of them serves, each says what it waits for, until the right bytes are put back. */
static void judge_waiting(struct arena *a)
{
	uint64_t until = deadline_ns();

	for (unsigned n = 1; n <= MATRIX_NODES; n++)
		while (is_victim(a, n) && !nodes_said(a, n, expected(a)->says)) {
			if (nodes_ended(a, n) || history_now_ns() > until)
				matrix_fail(a, "node %u does not say \"%s\"", n, expected(a)->says);
			matrix_nap();
		}
	expect_no_answer(a);
	for (unsigned n = 1; n <= MATRIX_NODES; n++)
		nodes_kill(a, n);
	for (unsigned n = 1; n <= MATRIX_NODES; n++) {
		arena_put_back(a, n);
		nodes_start(a, n, false);
	}
}

static void judge_refusals(struct arena *a)
{
	uint64_t until = deadline_ns();

	for (unsigned n = 1; n <= MATRIX_NODES; n++) {
		while (is_victim(a, n) && !nodes_ended(a, n)) {
			if (history_now_ns() > until)
				matrix_fail(a, "node %u runs on", n);
			matrix_nap();
		}
		if (is_victim(a, n) && a->nodes[n].status <= 0)
			matrix_fail(a, "node %u ended with %d", n, a->nodes[n].status);
		if (is_victim(a, n))
			expect_words(a, n);
	}
	if (a->every)
		expect_no_answer(a);
	else
		decide_some(a, 3);
	for (unsigned n = 1; n <= MATRIX_NODES; n++)
		if (is_victim(a, n)) {
			arena_put_back(a, n);
			nodes_start(a, n, false);
		}
}

/* Load until each victim has ended; in the end whoever is left without a majority has its power cut, too. */
static void await_victims(struct arena *a)
{
	cs_client *client = client_of(a, a->cluster.cluster_file, ASK_MS);
	uint64_t until = deadline_ns();
	unsigned ended = 0, wanted = a->every ? MATRIX_NODES / 2 + 1 : 1;

	while (ended < wanted) {
		decide(a, client, a->cell->load);
		ended = 0;
		for (unsigned n = 1; n <= MATRIX_NODES; n++)
			ended += is_victim(a, n) && nodes_ended(a, n);
		if (history_now_ns() > until)
			matrix_fail(a, "what is injected ends nobody");
	}
	for (unsigned n = 1; n <= MATRIX_NODES; n++)
		if (is_victim(a, n) && a->nodes[n].pid)
			nodes_kill(a, n);
	cs_close(client);
}

/* Ended in service: by the fault in words, or by the power cut; started again without it. */
static void judge_ends(struct arena *a)
{
	unsigned words = 0;

	await_victims(a);
	for (unsigned n = 1; n <= MATRIX_NODES; n++) {
		if (!is_victim(a, n))
			continue;
		bool by_itself = nodes_hit(a, n) && a->nodes[n].status > 0;
		if (expected(a)->outcome == STOPS && by_itself)
			expect_words(a, n);
		words += by_itself;
		nodes_start(a, n, false);
	}
	if (expected(a)->outcome == STOPS && words == 0)
		matrix_fail(a, "nobody ended by itself");
}

/* All is well: everybody serves, has the same, and what was acknowledged; each node's proofs hold for a verifier. */
static void judge_all(struct arena *a)
{
	char path[400], *bundle;
	uint64_t size;
	bool quorum;

	for (unsigned n = 1; n <= MATRIX_NODES; n++)
		if (!await_serving(a, n))
			matrix_fail(a, "node %u ended with %d", n, a->nodes[n].status);
	decide_some(a, 3);
	size = await_same(a);
	for (unsigned n = 1; n <= MATRIX_NODES; n++) {
		if (n > 1)
			cluster_same_root(a->client, 1, n);
		history_check(a->at[n], size);
		uint64_t index = 2 + 3 * (uint64_t)n;
		if (cs_prove(a->at[n], index, 5000, &bundle, &quorum) || !quorum)
			matrix_fail(a, "node %u does not prove entry %" PRIu64 ": %s", n, index, cs_last_error());
		snprintf(path, sizeof path, "%s/bundle", a->cluster.dir);
		FILE *f = fopen(path, "we");
		if (!f || fputs(bundle, f) < 0 || fclose(f))
			matrix_fail(a, "%s", path);
		free(bundle);
		if (cluster_try("verify %s --trust %s/c/trust.policy", path, a->cluster.dir))
			matrix_fail(a, "node %u: the proof does not verify", n);
	}
}

static void start_hurt(struct arena *a)
{
	for (unsigned n = 1; n <= MATRIX_NODES; n++)
		if (is_victim(a, n) && a->cell->hurt)
			a->cell->hurt(a, n);
	for (unsigned n = 1; n <= MATRIX_NODES; n++)
		nodes_start(a, n, is_victim(a, n));
	if (a->cell->when != IN_SERVICE)
		return;
	for (unsigned n = 1; n <= MATRIX_NODES; n++)
		if (!await_serving(a, n))
			matrix_fail(a, "node %u ended before anything was injected", n);
	decide_some(a, 1);
	nodes_trigger(a);
}

void cell_run(struct arena *a)
{
	enum matrix_outcome outcome = expected(a)->outcome;
	bool power = a->cell->inject && strncmp(a->cell->inject, "POWER_", 6) == 0;

	arena_restore(a);
	arena_acked(a);
	open_clients(a);
	start_hurt(a);
	if (outcome == REFUSES)
		judge_refusals(a);
	else if (outcome == STOPS || power)
		judge_ends(a);
	else if (outcome == WAITS)
		judge_waiting(a);
	else if (outcome == REBUILT)
		judge_rebuilt(a);
	judge_all(a);
	for (unsigned n = 1; n <= MATRIX_NODES && outcome == REPAIRED; n++)
		if (is_victim(a, n) && (!power || nodes_hit(a, n)))
			expect_words(a, n);
	nodes_stop_all(a);
	for (unsigned n = 1; n <= MATRIX_NODES; n++)
		if (a->nodes[n].status)
			matrix_fail(a, "node %u ended with %d when it was asked to", n, a->nodes[n].status);
}
