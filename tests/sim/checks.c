/* Safety at every step: looks into libraft, guard and core of each node after whatever it has done. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "tests/sim/checks.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "node/core/core_internal.h"
#include "node/core/guard_internal.h"
#include "tests/sim/faults.h"
#include "tests/sim/os.h"

#define TERMS_MAX      (1u << 16)
#define INDEXES_MAX    (1u << 20)
#define NOOP_BYTES_MAX 256 /* No-ops and configurations are not held back. */

/* A committed entry: the same on all nodes, for ever. */
struct committed {
	uint64_t term, hash;
	unsigned type;
};

struct view {
	struct raft *raft;
	struct guard *guard;
	struct core *core;
	raft_index seen_commit;
	raft_term led_term; /* The term that it leads, and what its log ended with; 0: it does not lead. */
	raft_index led_last;
	raft_term led_last_term;
	uint64_t seen_size, seen_bytes;
	bool was_pending; /* A local snapshot. */
};

uint64_t checks_guards[14];
uint32_t checks_guards_off;
uint64_t checks_snapshot_bytes_max, checks_message_bytes_max;
unsigned checks_segment_size;

static struct view views[OS_PROCESSES_MAX];
static uint8_t *leaders;                   /* By term. */
static uint8_t (*votes)[OS_PROCESSES_MAX]; /* By term and voter. */
static struct committed *committed;
static uint64_t committed_last;
static struct hash *roots; /* By size; zeros: not seen. */

int __wrap_disk_open(uv_loop_t *loop, const char *dir, const struct disk_options *o, struct raft_io *ret_io,
                     struct disk **ret, char *ret_text);
int __real_disk_open(uv_loop_t *loop, const char *dir, const struct disk_options *o, struct raft_io *ret_io,
                     struct disk **ret, char *ret_text);
int __wrap_guard_new(struct raft_io *disk, const struct guard_options *o, const struct guard_hooks *h,
                     struct raft_io *ret_io, struct guard **ret);
int __real_guard_new(struct raft_io *disk, const struct guard_options *o, const struct guard_hooks *h,
                     struct raft_io *ret_io, struct guard **ret);
void __wrap_guard_attach(struct guard *g, struct raft *r);
void __real_guard_attach(struct guard *g, struct raft *r);
void __wrap_guard_free(struct guard *g);
void __real_guard_free(struct guard *g);
int __wrap_core_open(const struct core_options *o, struct core **ret);
int __real_core_open(const struct core_options *o, struct core **ret);
int __wrap_signer_sign(struct signer *s, uint64_t size, const struct hash *root, char *buf, size_t cap,
                       size_t *ret_len);
int __real_signer_sign(struct signer *s, uint64_t size, const struct hash *root, char *buf, size_t cap,
                       size_t *ret_len);
int __wrap_signer_cosign(struct signer *s, uint64_t size, const struct hash *root, uint64_t time_s, char *buf,
                         size_t cap, size_t *ret_len);
int __real_signer_cosign(struct signer *s, uint64_t size, const struct hash *root, uint64_t time_s, char *buf,
                         size_t cap, size_t *ret_len);

static void *zeroed(size_t n, size_t size)
{
	void *p = calloc(n, size); /* Pages that are not touched cost nothing. */

	assert(p);
	return p;
}

void checks_begin(void)
{
	leaders = zeroed(TERMS_MAX, sizeof *leaders);
	votes = zeroed(TERMS_MAX, sizeof *votes);
	committed = zeroed(INDEXES_MAX, sizeof *committed);
	roots = zeroed(INDEXES_MAX, sizeof *roots);
}

static struct view *view_of_running(void)
{
	return &views[os_process()->id];
}

/* --- what the nodes' own calls tell --- */

/* Small segments, so that the log comes to their ends. */
int __wrap_disk_open(uv_loop_t *loop, const char *dir, const struct disk_options *o, struct raft_io *ret_io,
                     struct disk **ret, char *ret_text)
{
	struct disk_options mine = *o;

	mine.segment_size = checks_segment_size;
	return __real_disk_open(loop, dir, &mine, ret_io, ret, ret_text);
}

int __wrap_guard_new(struct raft_io *disk, const struct guard_options *o, const struct guard_hooks *h,
                     struct raft_io *ret_io, struct guard **ret)
{
	struct guard_options mine = *o;
	int rv;

	mine.off = checks_guards_off;
	if (checks_snapshot_bytes_max)
		mine.snapshot_bytes_max = checks_snapshot_bytes_max;
	if (checks_message_bytes_max)
		mine.message_bytes_max = checks_message_bytes_max;
	rv = __real_guard_new(disk, &mine, h, ret_io, ret);
	*view_of_running() = (struct view){0};
	if (rv == 0)
		view_of_running()->guard = *ret;
	return rv;
}

void __wrap_guard_attach(struct guard *g, struct raft *r)
{
	view_of_running()->raft = r;
	__real_guard_attach(g, r);
}

void checks_ended(unsigned node)
{
	struct guard_stats s;

	if (views[node].guard) {
		guard_stats(views[node].guard, &s);
		for (unsigned k = 0; k < 14; k++)
			checks_guards[k] += s.acted[k];
	}
	views[node] = (struct view){0};
}

void __wrap_guard_free(struct guard *g)
{
	if (g)
		checks_ended(os_process()->id);
	__real_guard_free(g);
}

int __wrap_core_open(const struct core_options *o, struct core **ret)
{
	int err = __real_core_open(o, ret);

	if (!err)
		view_of_running()->core = *ret;
	return err;
}

int __wrap_signer_sign(struct signer *s, uint64_t size, const struct hash *root, char *buf, size_t cap, size_t *ret_len)
{
	int err = __real_signer_sign(s, size, root, buf, cap, ret_len);

	if (!err)
		checks_root(os_process()->id, size, root, "signed");
	return err;
}

int __wrap_signer_cosign(struct signer *s, uint64_t size, const struct hash *root, uint64_t time_s, char *buf,
                         size_t cap, size_t *ret_len)
{
	int err = __real_signer_cosign(s, size, root, time_s, buf, cap, ret_len);

	if (!err)
		checks_root(os_process()->id, size, root, "cosigned");
	return err;
}

void checks_root(unsigned node, uint64_t size, const struct hash *root, const char *where)
{
	static const struct hash none;

	assert(size < INDEXES_MAX);
	if (hash_equal(&roots[size], &none))
		roots[size] = *root;
	else if (!hash_equal(&roots[size], root))
		os_fail(node, "a second root at size %" PRIu64 " (%s)", size, where);
}

/* --- votes --- */

static void vote(unsigned voter, uint64_t term, unsigned candidate)
{
	assert(term < TERMS_MAX);
	/* A folder that was rolled back has forgotten its votes: no node can know that by itself. */
	if (votes[term][voter] && votes[term][voter] != candidate && !os_processes[voter].damaged)
		os_fail(voter, "two votes in term %" PRIu64 ": for %u and %u", term, votes[term][voter], candidate);
	votes[term][voter] = (uint8_t)candidate;
}

/* --- the log --- */

static const struct raft_entry *entry_at(const struct raft *r, raft_index index)
{
	const struct raft_log *l = &r->log;
	size_t n = l->size ? (l->back + l->size - l->front) % l->size : 0;

	if (index <= l->offset || index > l->offset + n)
		return NULL;
	return &l->entries[(l->front + (size_t)(index - 1 - l->offset)) % l->size];
}

static raft_index last_of(const struct raft *r)
{
	const struct raft_log *l = &r->log;

	return l->offset + (l->size ? (l->back + l->size - l->front) % l->size : 0);
}

/*
 * A success says that the sender's log is the leader's up to this index; to count it for a longer one is how entries
 * that only one server holds get committed (consensus.md, guard 1).
 */
static void check_match(unsigned from, unsigned to, const struct raft_append_entries_result *result)
{
	const struct raft *leader = views[to].raft, *r = views[from].raft;
	const struct raft_entry *mine, *its;

	if (result->rejected || !leader || leader->state != RAFT_LEADER || leader->current_term != result->term)
		return;
	mine = entry_at(r, result->last_log_index);
	its = entry_at(leader, result->last_log_index);
	if (result->last_log_index > last_of(leader) || (mine && its && mine->term != its->term))
		os_fail(from, "it acknowledges index %llu, where its log is not the leader's", result->last_log_index);
}

void checks_frame_sent(unsigned from, unsigned to, const uint8_t *bytes, size_t len)
{
	uint8_t copy[256];
	struct frame f;

	if ((bytes[0] != FRAME_REQUEST_VOTE && bytes[0] != FRAME_REQUEST_VOTE_RESULT &&
	     bytes[0] != FRAME_APPEND_ENTRIES_RESULT) ||
	    len > sizeof copy)
		return;
	memcpy(copy, bytes, len);
	if (frame_decode(copy, len, &f))
		os_fail(from, "a frame that it sent cannot be decoded");
	if (bytes[0] == FRAME_APPEND_ENTRIES_RESULT)
		check_match(from, to, &f.raft.append_entries_result);
	else if (bytes[0] == FRAME_REQUEST_VOTE && !f.raft.request_vote.pre_vote)
		vote(from, f.raft.request_vote.term, from);
	else if (bytes[0] == FRAME_REQUEST_VOTE_RESULT && f.raft.request_vote_result.vote_granted &&
	         f.raft.request_vote_result.pre_vote == raft_tribool_false)
		vote(from, f.raft.request_vote_result.term, to);
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
	const struct raft_entry *e = entry_at(r, index);
	struct committed *c = &committed[index], now;

	assert(index < INDEXES_MAX);
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
	while (v->seen_commit < r->commit_index)
		check_entry(node, r, ++v->seen_commit);
	if (r->commit_index > committed_last)
		committed_last = r->commit_index;
}

static void check_leader(unsigned node, struct view *v)
{
	const struct raft *r = v->raft;
	raft_index last = last_of(r);
	const struct raft_entry *e;

	if (r->state != RAFT_LEADER) {
		v->led_term = 0;
		return;
	}
	assert(r->current_term < TERMS_MAX);
	if (leaders[r->current_term] && leaders[r->current_term] != node)
		os_fail(node, "two leaders in term %llu: %u and %u", r->current_term, leaders[r->current_term], node);
	leaders[r->current_term] = (uint8_t)node;
	if (v->led_term == r->current_term) {
		e = entry_at(r, v->led_last);
		if (last < v->led_last || (e && e->term != v->led_last_term))
			os_fail(node, "a leader's log was shortened or overwritten at index %llu", v->led_last);
	}
	e = entry_at(r, last);
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

	if (r->last_stored > last_of(r))
		os_fail(node, "index %llu counts as stored, and the log ends at %llu", r->last_stored, last_of(r));
	if (most && r->state == RAFT_LEADER && pending && v->was_pending && v->seen_bytes >= most &&
	    g->bytes > v->seen_bytes + NOOP_BYTES_MAX)
		os_fail(node,
		        "a snapshot is pending, and the log in memory grows from %" PRIu64 " to %" PRIu64 " bytes",
		        v->seen_bytes, g->bytes);
	v->was_pending = pending;
	v->seen_bytes = g->bytes;
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
	check_leader(p->id, v);
	check_commit(p->id, v);
	check_bounds(p->id, v);
	if (v->core)
		check_tree(p->id, v);
}

/* --- for the liveness phase --- */

uint64_t checks_node_last(unsigned node)
{
	return views[node].raft ? last_of(views[node].raft) : 0;
}

uint64_t checks_committed(void)
{
	return committed_last;
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
		        r->log.offset + 1, last_of(r), entry_at(r, last_of(r)) ? entry_at(r, last_of(r))->term : 0,
		        r->commit_index, r->last_applied, r->last_stored, checks_node_size(k));
		for (unsigned i = 0; r->state == RAFT_LEADER && i < r->configuration.n; i++)
			os_note(k, "  to %llu: state=%d next=%llu match=%llu", r->configuration.servers[i].id,
			        r->leader_state.progress[i].state, r->leader_state.progress[i].next_index,
			        r->leader_state.progress[i].match_index);
	}
}
