/* A new key in an old one's place: the order becomes an entry, and both may sign while they overlap. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "ledger/errors.h"
#include "node/decide/apply.h"
#include "node/decide/codec.h"

#define KEY_SIZE 32

/* Whose key gives way: a node, under its number and its principal's name, or a principal. */
struct place_found {
	uint64_t id;
	char name[65];
	uint8_t *pub; /* In the state. */
	uint64_t added;
	struct principal_slot *principal;
	struct roster_node *node; /* NULL: a principal's. */
};

static uint8_t *node_key(struct roster_node *n, unsigned place)
{
	return place == KEY_PLACE_LOG ? n->log_pub : place == KEY_PLACE_COSIGNER ? n->cosigner_pub : n->channel_pub;
}

static void find(struct state *s, const struct key_order *o, const struct principal *p, struct place_found *ret)
{
	memset(ret, 0, sizeof(*ret));
	if (p != NULL) {
		ret->principal = principal_slot(s, p->id);
		ret->id = p->id;
		ret->added = p->version > 0 ? p->version + 1 : 0;
		ret->pub = o->place == KEY_PLACE_SIGN ? ret->principal->p.sign_pub : ret->principal->p.channel_pub;
		memcpy(ret->name, p->name, sizeof(ret->name));
		return;
	}
	ret->node = (struct roster_node *)roster_find(&s->roster, o->node);
	ret->id = o->node;
	ret->added = ret->node->added > 0 ? ret->node->added + 1 : 0;
	ret->pub = node_key(ret->node, o->place);
	snprintf(ret->name, sizeof(ret->name), "node-%llu", (unsigned long long)o->node);
	const struct principal *own = state_principal_by_name(s, ret->name, strlen(ret->name));
	assert(own != NULL); /* Genesis or an order enrolled it. */
	ret->principal = principal_slot(s, own->id);
}

static int make_entry(struct apply *a, const struct key_order *o, const struct place_found *f)
{
	struct writer *w = &entry_start(a, ENTRY_KEY)->public_;

	writer_array(w, 8);
	writer_uint(w, o->place);
	writer_uint(w, f->id);
	writer_cstr(w, f->name);
	writer_bin(w, o->pub, KEY_SIZE);
	writer_bin(w, f->pub, KEY_SIZE);
	writer_uint(w, a->s->head.size + o->overlap);
	writer_uint(w, a->s->governance);
	admin_signature_write(w, &o->admin);
	field_client(a);
	return entry_finish(a);
}

/* index: of the entry. */
static void change(struct state *s, const struct key_order *o, struct place_found *f, uint64_t index)
{
	memcpy(f->pub, o->pub, KEY_SIZE);
	if (f->node != NULL) {
		f->node->changed = index;
		s->roster.version = index + 1;
		s->roster_dirty = true;
	}
	if (o->place == KEY_PLACE_NODE)
		memcpy(f->principal->p.channel_pub, o->pub, KEY_SIZE);
	/* Who approved, or bought a grant, by the old signing key does it anew: it may have been somebody else. */
	if (o->place == KEY_PLACE_SIGN)
		f->principal->p.version = index;
	principal_dirty(s, f->principal);
}

int apply_key(struct apply *a)
{
	struct state *s = a->s;
	struct key_order o;
	const struct principal *admin = NULL, *p = NULL;
	struct place_found f;
	int err = key_order_decode(&o, a->c->payload, a->c->payload_len);

	if (err != 0)
		return refuse(&a->why, err, "the order: %s", err_text(err));
	err = check_admin(s, a->now_ms, COMMAND_KEY, &o.admin, o.signed_elements, o.signed_len, &admin, &a->why);
	if (err == 0)
		err = check_key(s, &o, &p, &a->why);
	if (err != 0)
		return err;
	find(s, &o, p, &f);
	err = make_entry(a, &o, &f);
	if (err != 0)
		return err;

	admin_used(a, &o.admin);
	keys_replace(s, o.place, f.id, f.pub, f.added, o.overlap);
	change(s, &o, &f, s->head.size);
	entry_commit(a, 0, 0);
	a->out->principals_changed = true;
	a->out->roster_changed = f.node != NULL;
	return 0;
}
