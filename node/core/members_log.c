/* Where members are, by orders in the log that are not applied yet: to commit them, their nodes may be needed. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "ledger/errors.h"
#include "node/core/core_internal.h"

/* Nobody is taken away by it, and nobody gets a voice: what is not applied is only good for links. */
static void take(struct roster *hint, const struct member_order *m)
{
	const struct roster_node *n = roster_find(hint, m->id);
	char host[ROSTER_URL_SIZE];
	uint16_t port;

	if (m->action == MEMBER_ADD ? n || roster_used(hint, m->id) || hint->n == ROSTER_NODES_MAX
	                            : m->action != MEMBER_ADDRESS || !n)
		return;
	if (m->url.len < ROSTER_URL_SIZE && roster_link_parse(m->link.s, m->link.len, host, &port))
		roster_change(hint, m, hint->version);
}

static void take_batch(struct roster *hint, struct batch *b)
{
	for (uint32_t i = 0; i < b->count; i++) {
		struct member_order m;
		struct command cmd;
		const uint8_t *bytes;
		size_t len;
		batch_next(b, &bytes, &len);
		if (command_decode(&cmd, bytes, len) == 0 && cmd.type == COMMAND_MEMBER &&
		    member_order_decode(&m, cmd.payload, cmd.payload_len) == 0)
			take(hint, &m);
	}
}

void members_from_log(struct core *c)
{
	struct roster hint = c->members.hint.n ? c->members.hint : *state_roster(c->state);
	uint64_t before = hint.version;
	struct state_head head;
	struct batch b;

	state_head(c->state, &head);
	for (raft_index i = c->raft.last_applied + 1; i <= raft_last_index(&c->raft); i++) {
		const struct raft_entry *e = guard_log_entry(c->guard, i);
		/* What the state has already is not to come back out of the log. */
		if (e && e->type == RAFT_COMMAND && batch_decode(&b, e->buf.base, e->buf.len) == 0 &&
		    b.size >= head.size)
			take_batch(&hint, &b);
	}
	if (hint.version == before)
		return;
	hint.version = before + 1; /* What the others tell is newer. */
	c->members.hint = hint;
	if (c->link)
		members_follow(c);
}
