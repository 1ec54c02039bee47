/* What administrators command about the members: each order becomes an entry and changes the roster. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "ledger/errors.h"
#include "node/decide/apply.h"
#include "node/decide/codec.h"
#include "node/decide/state_keeping.h"

static void write_key(struct writer *w, const uint8_t *key)
{
	if (key != NULL)
		writer_bin(w, key, 32);
	else
		writer_nil(w);
}

/* Who votes from this entry on, so that an auditor reads the quorum without the entries before. */
static void write_voters(struct writer *w, const struct roster *r)
{
	writer_array(w, roster_voters(r));
	for (unsigned i = 0; i < r->n; i++)
		if (r->nodes[i].role == ROSTER_VOTER)
			writer_uint(w, r->nodes[i].id);
}

static int make_entry(struct apply *a, const struct member_order *m, const struct roster *after)
{
	struct writer *w = &entry_start(a, ENTRY_MEMBER)->public_;

	writer_array(w, 12);
	writer_uint(w, m->action);
	writer_uint(w, m->id);
	writer_uint(w, m->role);
	codec_write_text(w, m->url);
	codec_write_text(w, m->link);
	write_key(w, m->log_pub);
	write_key(w, m->cosigner_pub);
	write_key(w, m->channel_pub);
	writer_bool(w, m->lost);
	write_voters(w, after);
	writer_uint(w, a->s->governance);
	admin_signature_write(w, &m->admin);
	field_client(a);
	return entry_finish(a);
}

static void principal_of(uint64_t node, char ret[24])
{
	snprintf(ret, 24, "node-%llu", (unsigned long long)node);
}

static void enrol(struct apply *a, const struct member_order *m)
{
	struct principal *p = &principal_add(a->s)->p; /* May take the place of a removed one. */

	principal_of(m->id, p->name);
	p->roles = ROLE_NODE;
	principal_set_keys(p, m->channel_pub, NULL);
	p->version = a->out->index;
}

static void end_enrolment(struct apply *a, const struct member_order *m)
{
	char name[24];

	principal_of(m->id, name);
	const struct principal *found = state_principal_by_name(a->s, name, strlen(name));
	assert(found != NULL); /* Genesis or an order enrolled it. */
	struct principal_slot *p = principal_slot(a->s, found->id);
	p->p.removed = true;
	p->p.version = a->out->index;
	principal_dirty(a->s, p);
}

int apply_member(struct apply *a)
{
	struct state *s = a->s;
	struct member_order m;
	struct roster after;
	const struct principal *admin = NULL;
	int err = member_order_decode(&m, a->c->payload, a->c->payload_len);

	if (err != 0)
		return refuse(&a->why, err, "the order: %s", err_text(err));
	err = check_admin(s, a->now_ms, COMMAND_MEMBER, &m.admin, m.signed_elements, m.signed_len, &admin, &a->why);
	if (err == 0)
		err = check_member(s, &m, &a->why);
	if (err != 0)
		return err;
	after = s->roster;
	roster_change(&after, &m, s->head.size);
	err = make_entry(a, &m, &after);
	if (err != 0)
		return err;

	s->roster = after;
	s->roster_dirty = true;
	admin_used(a, &m.admin);
	entry_commit(a, 0, 0);
	if (m.action == MEMBER_ADD)
		enrol(a, &m);
	else if (m.action == MEMBER_REMOVE)
		end_enrolment(a, &m);
	keeping_settle(s); /* It may have been the last that had to erase. */
	a->out->principals_changed = a->out->roster_changed = true;
	return 0;
}
