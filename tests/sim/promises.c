/* What a node has promised by a frame, it must keep: one vote a term, and behind each vote all that it acknowledged. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "node/core/frame.h"
#include "tests/sim/checks_internal.h"

/*
 * The last entry that a node has acknowledged, or stored as leader, whatever becomes of its process and disk. What was
 * told in an earlier term counts no more once it has acknowledged in a later one.
 */
struct promise {
	raft_term said; /* The term in which it was said; 0: never. */
	raft_index index;
	raft_term term; /* The entry's. */
};

static uint8_t (*votes)[OS_PROCESSES_MAX]; /* By term and voter. */
static struct promise promises[OS_PROCESSES_MAX];

void promises_begin(void)
{
	votes = calloc(CHECKS_TERMS_MAX, sizeof *votes);
	assert(votes);
	memset(promises, 0, sizeof promises);
}

static bool in_snapshot(const struct raft *r, raft_index index)
{
	return index <= r->log.snapshot.last_index;
}

static void promise(unsigned node, raft_term said, raft_index index)
{
	struct promise *p = &promises[node];
	const struct raft *r = views[node].raft;
	raft_term term = in_snapshot(r, index) ? r->log.snapshot.last_term : checks_term_of(r, index);

	if (said < p->said || (said == p->said && index <= p->index) || term == 0)
		return;
	*p = (struct promise){.said = said, .index = index, .term = term};
}

/* A leader counts what it has stored itself; what a later leader has had cut off was never committed. */
void promises_look(unsigned node, const struct view *v)
{
	struct promise *p = &promises[node];
	const struct raft *r = v->raft;

	if (r->state == RAFT_LEADER)
		promise(node, r->current_term, r->last_stored);
	if (v->seen_last >= p->index && checks_term_of(r, p->index) != p->term && !in_snapshot(r, p->index))
		*p = (struct promise){
		        .said = r->current_term, .index = r->last_stored, .term = checks_term_of(r, r->last_stored)};
}

void checks_gone_back(unsigned node)
{
	promises[node] = (struct promise){0};
}

/* The other has all that this one ever acknowledged, durably, and every vote of it is over. */
bool promises_kept_by(unsigned node, unsigned other)
{
	const struct promise *p = &promises[node];
	const struct raft *a = views[node].raft, *b = views[other].raft;

	if (!b || !views[other].core || b->state == RAFT_CANDIDATE || b->current_term < a->current_term)
		return false;
	return in_snapshot(b, p->index) || (b->last_stored >= p->index && checks_term_of(b, p->index) == p->term);
}

unsigned promises_votes(unsigned node, raft_term term)
{
	unsigned of = 0;

	for (unsigned i = 1; i < OS_PROCESSES_MAX; i++)
		of |= (unsigned)(votes[term][i] == node) << i;
	return of;
}

/* Who has acknowledged in a later term may have done so in this one, too. */
unsigned promises_up_to(raft_term term, raft_index index)
{
	unsigned of = 0;

	for (unsigned i = 1; i < OS_PROCESSES_MAX; i++)
		of |= (unsigned)(promises[i].said > term || (promises[i].said == term && promises[i].index >= index))
		      << i;
	return of;
}

/*
 * Raft's 5.4.1 holds only where a voter's log has what it has acknowledged and what is committed since (guard 9): the
 * repair may leave out what others prove was never committed. A write that went astray without a word, at the very end
 * of a log, no node can miss: node/LOG.md.
 */
static void check_kept(unsigned node)
{
	const struct promise *p = &promises[node];
	const struct raft *r = views[node].raft;
	raft_index last = checks_last(r), kept = p->index < checks_committed() ? p->index : checks_committed();
	raft_term term = checks_term_of(r, last), kept_term = checks_committed_term(kept);

	if (os_processes[node].misled || kept_term > p->term || term > kept_term || (term == kept_term && last >= kept))
		return;
	os_fail(node, "it votes with a log up to %llu (term %llu), and had acknowledged %llu (term %llu)", last, term,
	        kept, kept_term);
}

static void vote(unsigned voter, uint64_t term, unsigned candidate)
{
	assert(term < CHECKS_TERMS_MAX);
	/* A folder that was rolled back has forgotten its votes: no node can know that by itself. */
	if (votes[term][voter] && votes[term][voter] != candidate && !os_processes[voter].damaged &&
	    !os_processes[voter].gone_back)
		os_fail(voter, "two votes in term %" PRIu64 ": for %u and %u", term, votes[term][voter], candidate);
	votes[term][voter] = (uint8_t)candidate;
	check_kept(voter);
}

/*
 * A success says that the sender's log is the leader's up to this index; to count it for a longer one is how entries
 * that only one server holds get committed (consensus.md, guard 1).
 */
static void check_match(unsigned from, unsigned to, const struct raft_append_entries_result *result)
{
	const struct raft *leader = views[to].raft, *r = views[from].raft;
	const struct raft_entry *mine, *its;

	if (result->rejected)
		return;
	promise(from, result->term, result->last_log_index);
	if (!leader || leader->state != RAFT_LEADER || leader->current_term != result->term)
		return;
	mine = checks_entry(r, result->last_log_index);
	its = checks_entry(leader, result->last_log_index);
	if (result->last_log_index > checks_last(leader) || (mine && its && mine->term != its->term))
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
