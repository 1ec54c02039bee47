/* Stored requests that wait: no approval counts twice, each has one end, and none is lost. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "tests/sim/verdicts.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "node/decide/command_verdicts.h"
#include "node/decide/decide.h"
#include "tests/sim/os.h"

#define VOTES_SEEN_MAX 8
#define WAIT_MS        UINT64_C(5000) /* The longest that the policy lets a request wait (policy.c). */
#define LATE_MS        UINT64_C(5000) /* By then a leader has ended it, whoever led meanwhile. */
#define LATER_MIN      20 /* And so many entries later: a clock that jumps is no time for a leader to act. */

struct waiting {
	bool began, denied, closed; /* denied: two who break the glass may still release it. */
	uint64_t time_ms;
	unsigned n_votes;
	struct hash voters[VOTES_SEEN_MAX]; /* Of the names. */
};

struct verdicts {
	unsigned node;
	uint64_t size, time_ms;
	struct waiting *all; /* By index of the decision. */
};

struct verdicts *verdicts_new(unsigned node, uint64_t size)
{
	struct verdicts *v = calloc(1, sizeof *v);

	if (v)
		v->all = calloc(size + 1, sizeof *v->all);
	if (!v || !v->all)
		os_fail(node, "out of memory");
	v->node = node;
	v->size = size;
	return v;
}

/* Whoever said it: once for each request; breaking the glass is another matter than approving. */
static void vote(struct verdicts *v, struct waiting *w, uint64_t index, uint64_t say, const struct field *client)
{
	const char *name = "";
	size_t len = 0;
	struct hash h;
	struct reader r;

	if (!client)
		os_fail(v->node, "an approval of %" PRIu64 " by nobody", index);
	reader_init(&r, client->value, client->value_len);
	reader_array_exact(&r, 2);
	reader_str(&r, 64, &name, &len);
	hash_bytes(&h, name, len);
	h.b[0] = say == SAY_BREAK_GLASS;
	for (unsigned i = 0; i < w->n_votes; i++)
		if (hash_equal(&h, &w->voters[i]))
			os_fail(v->node, "%.*s has said %" PRIu64 " of %" PRIu64 " twice", (int)len, name, say, index);
	if (w->n_votes < VOTES_SEEN_MAX)
		w->voters[w->n_votes++] = h;
}

void verdicts_entry(struct verdicts *v, const struct entry *e, const struct field *fields, unsigned n)
{
	uint64_t verdict = 0, say = 0, index = e->index;
	const uint8_t *skipped;
	struct waiting *w;
	struct reader r;
	size_t len;

	v->time_ms = e->time_ms;
	if (e->kind != ENTRY_DECISION && e->kind != ENTRY_APPROVAL && e->kind != ENTRY_DEFER_ENDED)
		return;
	reader_init(&r, e->public_, e->public_len);
	reader_array(&r, 16, &(uint32_t){0});
	reader_uint(&r, VERDICT_DENY, &verdict);
	for (unsigned i = 1; i < 6; i++)
		reader_skip(&r, &skipped, &len);
	if (e->kind != ENTRY_DECISION)
		reader_uint(&r, v->size - 1, &index);
	if (r.err)
		os_fail(v->node, "entry %" PRIu64 " cannot be read", e->index);
	w = &v->all[index];
	if (e->kind == ENTRY_DECISION) {
		/* Of whom nobody can say any more who it was, nothing is decided. */
		w->began = verdict == VERDICT_DEFER && n == e->n_fields;
		w->time_ms = e->time_ms;
		return;
	}
	if (e->kind == ENTRY_APPROVAL) {
		reader_uint(&r, SAY_BREAK_GLASS, &say);
		if (n == e->n_fields) /* Who said so may have been erased. */
			vote(v, w, index, say, body_find(fields, n, FIELD_CLIENT));
	}
	if (w->closed || (w->denied && say != SAY_BREAK_GLASS))
		os_fail(v->node, "entry %" PRIu64 " is of %" PRIu64 ", which had ended", e->index, index);
	w->denied |= verdict == VERDICT_DENY && say != SAY_BREAK_GLASS;
	w->closed = verdict == VERDICT_ALLOW || verdict == VERDICT_STEP_UP || say == SAY_REJECT;
}

void verdicts_end(struct verdicts *v)
{
	for (uint64_t i = 0; i + LATER_MIN < v->size; i++)
		if (v->all[i].began && !v->all[i].denied && !v->all[i].closed &&
		    v->all[i].time_ms + WAIT_MS + LATE_MS < v->time_ms)
			os_fail(v->node, "the request of entry %" PRIu64 " waits for ever", i);
	free(v->all);
	free(v);
}
