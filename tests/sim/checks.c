/* Safety at every step: looks into libraft, guard and core of each node after whatever it has done. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "tests/sim/checks_internal.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "node/writer.h"
#include "tests/sim/faults.h"
#include "tests/sim/voters.h"

#define NOOP_BYTES_MAX 256 /* No-ops and configurations are not held back. */

/* A committed entry: the same on all nodes, for ever. */
struct committed {
	uint64_t term, hash;
	unsigned type;
};

struct view views[OS_PROCESSES_MAX];

static uint8_t *leaders; /* By term. */
static struct committed *committed;
static uint64_t committed_last;
static struct hash *roots; /* By size; zeros: not seen. */

static void *zeroed(size_t n, size_t size)
{
	void *p = calloc(n, size); /* Pages that are not touched cost nothing. */

	assert(p);
	return p;
}

void checks_begin(void)
{
	leaders = zeroed(CHECKS_TERMS_MAX, sizeof *leaders);
	committed = zeroed(CHECKS_INDEXES_MAX, sizeof *committed);
	roots = zeroed(CHECKS_INDEXES_MAX, sizeof *roots);
	promises_begin();
	voters_begin();
}

void checks_root(unsigned node, uint64_t size, const struct hash *root, const char *where)
{
	static const struct hash none;

	assert(size < CHECKS_INDEXES_MAX);
	if (hash_equal(&roots[size], &none))
		roots[size] = *root;
	else if (!hash_equal(&roots[size], root))
		os_fail(node, "a second root at size %" PRIu64 " (%s)", size, where);
}

/* --- the log --- */

const struct raft_entry *checks_entry(const struct raft *r, raft_index index)
{
	const struct raft_log *l = &r->log;
	size_t n = l->size ? (l->back + l->size - l->front) % l->size : 0;

	if (index <= l->offset || index > l->offset + n)
		return NULL;
	return &l->entries[(l->front + (size_t)(index - 1 - l->offset)) % l->size];
}

raft_term checks_term_of(const struct raft *r, raft_index index)
{
	const struct raft_entry *e = checks_entry(r, index);

	if (index != 0 && index == r->log.snapshot.last_index)
		return r->log.snapshot.last_term;
	return e ? e->term : 0;
}

raft_index checks_last(const struct raft *r)
{
	const struct raft_log *l = &r->log;

	return l->offset + (l->size ? (l->back + l->size - l->front) % l->size : 0);
}

static uint64_t hash_of(const struct raft_entry *e)
{
	uint64_t h = e->buf.len, word;
	const uint8_t *p = e->buf.base;

	for (size_t i = 0; i + 8 <= e->buf.len; i += 8) {
		memcpy(&word, p + i, 8);
		h = (h << 5 ^ h >> 59 ^ word) * UINT64_C(0x9e3779b97f4a7c15);
	}
	return h;
}

static void check_entry(unsigned node, const struct raft *r, raft_index index)
{
	const struct raft_entry *e = checks_entry(r, index);
	struct committed *c = &committed[index], now;

	assert(index < CHECKS_INDEXES_MAX);
	if (!e)
		return; /* In a snapshot: the ledger's roots speak for it. */
	now = (struct committed){.term = e->term, .hash = hash_of(e), .type = e->type};
	if (!c->term) {
		*c = now;
		os_trace(node, "commit", &now.hash, sizeof now.hash);
	} else if (c->term != now.term || c->type != now.type || c->hash != now.hash) {
		os_fail(node, "two committed entries at index %llu: terms %" PRIu64 " and %" PRIu64, index, c->term,
		        now.term);
	}
}

static void check_commit(unsigned node, struct view *v)
{
	const struct raft *r = v->raft;

	if (r->commit_index < v->seen_commit)
		os_fail(node, "the commit index went back from %llu to %llu", v->seen_commit, r->commit_index);
	/* Raft 5.4.2: by counting, a leader commits entries of its own term only (guard 2). */
	if (r->commit_index > v->seen_commit && r->state == RAFT_LEADER && v->led_term == r->current_term &&
	    checks_term_of(r, r->commit_index) != r->current_term)
		os_fail(node, "a leader of term %llu commits index %llu of term %llu by counting", r->current_term,
		        r->commit_index, checks_term_of(r, r->commit_index));
	while (v->seen_commit < r->commit_index)
		check_entry(node, r, ++v->seen_commit);
	if (r->commit_index > committed_last)
		committed_last = r->commit_index;
}

static void check_leader(unsigned node, struct view *v)
{
	const struct raft *r = v->raft;
	raft_index last = checks_last(r);
	const struct raft_entry *e;

	if (r->state != RAFT_LEADER) {
		v->led_term = 0;
		return;
	}
	assert(r->current_term < CHECKS_TERMS_MAX);
	if (leaders[r->current_term] && leaders[r->current_term] != node)
		os_fail(node, "two leaders in term %llu: %u and %u", r->current_term, leaders[r->current_term], node);
	leaders[r->current_term] = (uint8_t)node;
	if (v->led_term == r->current_term) {
		e = checks_entry(r, v->led_last);
		if (last < v->led_last || (e && e->term != v->led_last_term))
			os_fail(node, "a leader's log was shortened or overwritten at index %llu", v->led_last);
	}
	e = checks_entry(r, last);
	v->led_term = r->current_term;
	v->led_last = last;
	v->led_last_term = e ? e->term : 0;
}

/* What waits for a snapshot is bounded, and nothing counts as stored that the log does not have. */
static void check_bounds(unsigned node, struct view *v)
{
	const struct raft *r = v->raft;
	const struct guard *g = v->guard;
	uint64_t most = 2 * g->options.snapshot_bytes_max;
	bool pending = g->put && !g->put_install;

	/* Guard 11: libraft adds up what was stored; the guard counts by index. */
	if (r->last_stored > checks_last(r))
		os_fail(node, "index %llu counts as stored, and the log ends at %llu", r->last_stored, checks_last(r));
	if (g->started && g->depth == 0 && r->last_stored != g->stored)
		os_fail(node, "libraft counts up to %llu as stored, of what the disk has up to %llu", r->last_stored,
		        g->stored);
	if (most && r->state == RAFT_LEADER && pending && v->was_pending && v->seen_bytes >= most &&
	    g->bytes > v->seen_bytes + NOOP_BYTES_MAX)
		os_fail(node,
		        "a snapshot is pending, and the log in memory grows from %" PRIu64 " to %" PRIu64 " bytes",
		        v->seen_bytes, g->bytes);
	v->was_pending = pending;
	v->seen_bytes = g->bytes;
}

bool checks_behind(const struct core *c)
{
	return checks_backlog_bytes_max && c->writer && ledger_writer_backlog(c->writer) > checks_backlog_bytes_max;
}

/* Only the writer's own thread makes its backlog smaller: who was behind before this slice was so all through it. */
static void check_backlog(unsigned node, struct view *v)
{
	bool behind = v->core && v->raft->state == RAFT_FOLLOWER && checks_behind(v->core);

	if (behind && v->was_backlogged && checks_last(v->raft) > v->seen_last)
		os_fail(node, "its writer is %zu bytes behind, and it takes entries up to %llu",
		        ledger_writer_backlog(v->core->writer), checks_last(v->raft));
	v->was_backlogged = behind;
}

static void check_tree(unsigned node, struct view *v)
{
	uint64_t size = tree_size(v->core->tree);
	struct hash root;

	if (size == v->seen_size)
		return;
	v->seen_size = size;
	tree_root(v->core->tree, &root);
	checks_root(node, size, &root, "applied");
}

void os_after_slice(struct process *p)
{
	struct view *v = &views[p->id];

	if (!v->raft || v->raft->state == RAFT_UNAVAILABLE)
		return;
	promises_look(p->id, v);
	voters_look(p->id, v);
	check_commit(p->id, v);
	check_leader(p->id, v);
	check_bounds(p->id, v);
	check_backlog(p->id, v);
	v->seen_last = checks_last(v->raft);
	if (v->core)
		check_tree(p->id, v);
}

/* --- for the liveness phase --- */

uint64_t checks_node_last(unsigned node)
{
	return views[node].raft ? checks_last(views[node].raft) : 0;
}

uint64_t checks_committed(void)
{
	return committed_last;
}

uint64_t checks_committed_term(uint64_t index)
{
	return committed[index].term;
}

uint64_t checks_node_applied(unsigned node)
{
	return views[node].raft && views[node].core ? views[node].raft->last_applied : 0;
}

uint64_t checks_node_size(unsigned node)
{
	return views[node].core ? tree_size(views[node].core->tree) : 0;
}

unsigned checks_leader(void)
{
	unsigned leader = 0;
	raft_term term = 0;

	for (unsigned k = 1; k < OS_PROCESSES_MAX; k++) {
		const struct view *v = &views[k];
		if (v->core && v->raft->state == RAFT_LEADER && v->raft->current_term > term) {
			leader = k;
			term = v->raft->current_term;
		}
	}
	return leader;
}

void checks_print(void)
{
	for (unsigned k = 1; k < OS_PROCESSES_MAX; k++) {
		const struct raft *r = views[k].raft;
		if (!r)
			continue;
		os_note(k,
		        "state=%d term=%llu voted_for=%llu snapshot=%llu/%llu log=%llu..%llu last_term=%llu "
		        "commit=%llu applied=%llu stored=%llu size=%" PRIu64,
		        r->state, r->current_term, r->voted_for, r->log.snapshot.last_index, r->log.snapshot.last_term,
		        r->log.offset + 1, checks_last(r), checks_term_of(r, checks_last(r)), r->commit_index,
		        r->last_applied, r->last_stored, checks_node_size(k));
		for (unsigned i = 0; r->state == RAFT_LEADER && i < r->configuration.n; i++)
			os_note(k, "  to %llu: state=%d next=%llu match=%llu", r->configuration.servers[i].id,
			        r->leader_state.progress[i].state, r->leader_state.progress[i].next_index,
			        r->leader_state.progress[i].match_index);
	}
}
