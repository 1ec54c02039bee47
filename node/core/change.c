/* The leader makes Raft's configuration what the roster says, one server at a time; and says which orders may go. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <assert.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "ledger/errors.h"
#include "node/core/core_internal.h"
#include "node/log.h"

/*
 * A member is whole if it has been heard within an election timeout or two and lacks no more of the log than what is
 * on its way: entries of the last round trips. Guard 6 lets nobody follow the log before ledger and state are there.
 */
#define BEHIND_MAX 64

/* libraft's name for our spare: it gets the log and does not vote. Its own spare gets nothing. */
#define FOLLOWS RAFT_STANDBY

/* --- how far the others are --- */

static const struct raft_server *server_of(const struct core *c, uint64_t id)
{
	const struct raft_configuration *conf = &c->raft.configuration;

	for (unsigned i = 0; i < conf->n; i++)
		if (conf->servers[i].id == id)
			return &conf->servers[i];
	return NULL;
}

static uint64_t behind(struct core *c, uint64_t id)
{
	raft_index last = raft_last_index(&c->raft), match = id == c->id ? last : guard_match(c->guard, id);

	return last > match ? last - match : 0;
}

bool change_whole(struct core *c, uint64_t id)
{
	const struct member *m = members_find(c, id);
	uint64_t silence_ns = 2 * c->o.settings->election_timeout_ms * NS_PER_MS;

	if (id == c->id)
		return true;
	return m && guard_match(c->guard, id) > 0 && clock_mono_ns() - m->heard_ns < silence_ns &&
	       behind(c, id) <= BEHIND_MAX;
}

/* --- the next step --- */

static void changed(struct raft_change *req, int status)
{
	struct core *c = req->data;

	c->members.changing = false;
	if (status)
		log_warning("a change of Raft's configuration was not made: %s: tried again", raft_strerror(status));
	else
		log_info("Raft's configuration changed index=%llu servers=%u", c->raft.configuration_index,
		         c->raft.configuration.n);
}

/* The most advanced of those who will stay. */
static uint64_t heir(struct core *c)
{
	const struct roster *r = state_roster(c->state);
	raft_index best = 0;
	uint64_t id = 0;

	for (unsigned i = 0; i < r->n; i++) {
		const struct raft_server *s = server_of(c, r->nodes[i].id);
		if (r->nodes[i].id == c->id || r->nodes[i].role != ROSTER_VOTER || !s || s->role != RAFT_VOTER ||
		    !change_whole(c, r->nodes[i].id) || guard_match(c->guard, r->nodes[i].id) < best)
			continue;
		best = guard_match(c->guard, r->nodes[i].id);
		id = r->nodes[i].id;
	}
	return id;
}

/* A leader that is to go hands over first: the next one removes it. */
static int hand_over(struct core *c)
{
	uint64_t to = heir(c), now = clock_mono_ns();

	if (!to || now - c->members.handed_ns < 3 * c->o.settings->election_timeout_ms * NS_PER_MS)
		return RAFT_BUSY;
	c->members.handed_ns = now;
	log_info("this leader is to go: it hands over to node %" PRIu64, to);
	return guard_hand_over(c->guard, to) ? RAFT_BUSY : 0;
}

static int assign(struct core *c, uint64_t id, int role)
{
	if (role == RAFT_VOTER && !change_whole(c, id))
		return RAFT_BUSY;
	if (role != RAFT_VOTER && id == c->id)
		return hand_over(c);
	return raft_assign(&c->raft, &c->members.change, id, role, changed);
}

/* What Raft's configuration lacks to be what the roster says; NULL: nothing. Node id in *ret_id. */
static const char *difference(const struct core *c, uint64_t *ret_id)
{
	const struct raft_configuration *conf = &c->raft.configuration;
	const struct roster *r = state_roster(c->state);

	for (unsigned i = 0; i < conf->n; i++) {
		*ret_id = conf->servers[i].id;
		if (!roster_find(r, *ret_id))
			return "is being removed";
	}
	for (unsigned i = 0; i < r->n; i++) {
		const struct raft_server *s = server_of(c, r->nodes[i].id);
		*ret_id = r->nodes[i].id;
		if (!s || s->role == RAFT_SPARE)
			return "is being added";
		if (r->nodes[i].role == ROSTER_VOTER && s->role != RAFT_VOTER)
			return "is becoming a voter";
		if (r->nodes[i].role == ROSTER_SPARE && s->role == RAFT_VOTER)
			return "is becoming a spare";
	}
	return NULL;
}

static int step(struct core *c, uint64_t id)
{
	const struct roster_node *n = roster_find(state_roster(c->state), id);
	const struct raft_server *s = server_of(c, id);
	char name[MEMBERS_NAME_SIZE];

	if (!n)
		return id == c->id ? hand_over(c) : raft_remove(&c->raft, &c->members.change, id, changed);
	if (!s) {
		members_name(id, name);
		return raft_add(&c->raft, &c->members.change, id, name, changed);
	}
	/* The log first, whatever it is to be. */
	return assign(c, id, s->role == RAFT_SPARE || n->role == ROSTER_SPARE ? FOLLOWS : RAFT_VOTER);
}

void change_beat(struct core *c)
{
	struct members *m = &c->members;
	raft_index before = raft_last_index(&c->raft);
	uint64_t id;
	int rv;

	members_tell(c);
	/* Before the genesis is applied the roster names nobody: that is no order to remove everybody. */
	if (!core_leads(c) || state_roster(c->state)->n == 0 || m->changing || c->stopping ||
	    c->raft.configuration_uncommitted_index != 0 || !difference(c, &id))
		return;
	m->change.data = c;
	m->changing = true;
	rv = step(c, id);
	/* A hand-over is no change; a promotion that waits for the last entries is one already. */
	if (rv || (raft_last_index(&c->raft) == before && c->raft.leader_state.promotee_id == 0))
		m->changing = false;
	if (rv == RAFT_NOMEM)
		core_fatal(c, "out of memory");
	if (rv && rv != RAFT_BUSY)
		log_warning("changing Raft's configuration for node %" PRIu64 ": %s", id, raft_strerror(rv));
	guard_poke(c->guard);
}

/* --- which orders may go --- */

int change_refused(char ret_text[160], const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(ret_text, 160, format, args);
	va_end(args);
	return CS_ERR_CONFLICT;
}

/* A change under way can be undone, and nothing else be begun. */
static int check_pending(struct core *c, const struct member_order *m, char ret_text[160])
{
	uint64_t id;
	const char *what = difference(c, &id);
	bool undoes = m->action == MEMBER_REMOVE || (m->action == MEMBER_ROLE && m->role == ROSTER_SPARE);

	if (!what && c->raft.configuration_uncommitted_index == 0)
		return 0;
	if (what && id == m->id && undoes)
		return 0;
	return change_refused(ret_text, "one change of members at a time: node %" PRIu64 " %s", id,
	                      what ? what : "has just changed");
}

/* The voters as they will be: a majority of them must be whole, or nothing would be committed any more. */
static int check_quorum(struct core *c, const struct roster *after, char ret_text[160])
{
	unsigned whole_voters = 0, voters = roster_voters(after);

	for (unsigned i = 0; i < after->n; i++)
		whole_voters += after->nodes[i].role == ROSTER_VOTER && change_whole(c, after->nodes[i].id);
	if (whole_voters > voters / 2)
		return 0;
	return change_refused(ret_text, "only %u of the then %u voters are whole: nothing could be decided",
	                      whole_voters, voters);
}

static int check_others(struct core *c, const struct member_order *m, char ret_text[160])
{
	const struct roster *r = state_roster(c->state);

	for (unsigned i = 0; i < r->n; i++) {
		const struct roster_node *n = &r->nodes[i];
		if (n->id != m->id && n->role == ROSTER_VOTER && !change_whole(c, n->id))
			return change_refused(ret_text,
			                      "node %" PRIu64 " is not whole (%" PRIu64
			                      " entries of the log behind, or silent): no voter goes before it is",
			                      n->id, behind(c, n->id));
	}
	return 0;
}

int change_allowed(struct core *c, const void *payload, size_t len, char ret_text[160])
{
	struct member_order m;
	struct roster after = *state_roster(c->state);
	const struct roster_node *n;
	int err = member_order_decode(&m, payload, len);

	if (err)
		return err;
	if (m.action == MEMBER_ADDRESS)
		return 0;
	n = roster_find(&after, m.id);
	err = check_pending(c, &m, ret_text);
	if (err || m.action == MEMBER_ADD)
		return err;
	if (m.action == MEMBER_ROLE && m.role == ROSTER_VOTER && !change_whole(c, m.id))
		return change_refused(ret_text,
		                      "node %" PRIu64 " is not whole: %" PRIu64 " entries of the log behind, or silent",
		                      m.id, behind(c, m.id));
	if (n && n->role == ROSTER_VOTER && !m.lost)
		err = check_others(c, &m, ret_text);
	roster_change(&after, &m, tree_size(c->tree));
	return err ? err : check_quorum(c, &after, ret_text);
}

/* --- what is told --- */

static unsigned role_in_raft(const struct core *c, uint64_t id)
{
	const struct raft_server *s = server_of(c, id);

	return !s || s->role == RAFT_SPARE ? ROSTER_REMOVED : s->role == RAFT_VOTER ? ROSTER_VOTER : ROSTER_SPARE;
}

/*
 * [node id, leads, roster, [[id, role in Raft's configuration, whole, entries behind, link is up]…], what is under
 * way str]. Only the leader knows who is whole and how far behind.
 */
void change_publish(struct core *c)
{
	uint8_t bytes[BOARD_MEMBERS_SIZE_MAX];
	struct roster r;
	bool leads = core_leads(c);
	uint64_t id = 0;
	const char *what = leads ? difference(c, &id) : NULL;
	char pending[64] = "";
	struct writer w;

	members_whole_roster(c, &r);
	if (what)
		snprintf(pending, sizeof pending, "node %" PRIu64 " %s", id, what);
	else if (leads && c->raft.configuration_uncommitted_index != 0) /* Until then the next order is refused. */
		snprintf(pending, sizeof pending, "the last change is not yet agreed on");
	writer_init(&w, bytes, sizeof bytes);
	writer_array(&w, 5);
	writer_uint(&w, c->id);
	writer_bool(&w, leads);
	roster_write(&w, &r);
	writer_array(&w, r.n);
	for (unsigned i = 0; i < r.n; i++) {
		writer_array(&w, 5);
		writer_uint(&w, r.nodes[i].id);
		writer_uint(&w, role_in_raft(c, r.nodes[i].id));
		writer_bool(&w, leads && change_whole(c, r.nodes[i].id));
		writer_uint(&w, leads ? behind(c, r.nodes[i].id) : 0);
		writer_bool(&w, r.nodes[i].id == c->id || link_up(c->link, r.nodes[i].id));
	}
	writer_cstr(&w, pending);
	assert(w.err == 0); /* Bounded: BOARD_MEMBERS_SIZE_MAX. */
	board_set_members(c->o.board, r.version, bytes, w.len);
}
