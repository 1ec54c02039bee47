/* Reading as entries: a history that was asked for, chained to the person's own; what was read on a node. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <string.h>

#include "ledger/errors.h"
#include "node/decide/apply.h"
#include "node/decide/codec.h"
#include "node/decide/command_reads.h"

/* --- histories --- */

int check_history(const struct state *s, const void *payload, size_t len, const struct refusal *why)
{
	struct history_order o;
	int err = history_order_decode(&o, payload, len);

	return err == 0 ? check_feature_on(s, FEATURE_RECORDS, "a history", why)
	                : refuse(why, err, "the history: %s", err_text(err));
}

/* How each kind of person is named, and which field holds the chain. An approver's type is empty, as in its key. */
static const struct {
	unsigned person, chain;
} fields_of[] = {
        [HISTORY_SUBJECT] = {FIELD_SUBJECT, FIELD_SUBJECT_CHAIN},
        [HISTORY_ACTOR] = {FIELD_ACTOR, FIELD_ACTOR_CHAIN},
        [HISTORY_APPROVER] = {FIELD_APPROVER, FIELD_APPROVER_CHAIN},
};

static void field_str(const struct apply *a, unsigned kind, struct text t)
{
	struct writer w = field_start(a);

	codec_write_text(&w, t);
	field_end(a, kind, &w);
}

/* Ascending by kind: the approver's name comes last, the others first. */
static void history_fields(const struct apply *a, const struct history_order *o, const struct chain *c)
{
	unsigned chain = fields_of[o->whose].chain;

	if (o->whose != HISTORY_APPROVER)
		field_pair(a, fields_of[o->whose].person, o->type, o->id);
	field_client(a);
	if (chain < FIELD_TEXT)
		field_chain(a, chain, c);
	if (o->reason.len > 0)
		field_str(a, FIELD_TEXT, o->reason);
	if (chain > FIELD_TEXT)
		field_chain(a, chain, c);
	if (o->whose == HISTORY_APPROVER)
		field_str(a, FIELD_APPROVER, o->id);
}

/*
 * Whom the state does not know has a chain of this entry alone, and stays unknown: who only reads must not push others
 * out of the table.
 */
int apply_history(struct apply *a)
{
	struct state *s = a->s;
	struct history_order o;
	uint8_t key[HASH_SIZE];
	int err = check_history(s, a->c->payload, a->c->payload_len, &a->why);

	if (err != 0)
		return err;
	history_order_decode(&o, a->c->payload, a->c->payload_len); /* check_history has done so. */
	subject_key(key, o.type, o.id);
	const struct subject *known = subject_find(s, key);
	const struct chain *chain = known == NULL                ? NULL
	                            : o.whose == HISTORY_SUBJECT ? &known->subject_chain
	                                                         : &known->actor_chain;
	struct writer *w = &entry_start(a, ENTRY_HISTORY)->public_;
	writer_array(w, 2);
	writer_uint(w, o.whose);
	/* Nobody was ever forgotten: the beginning of a chain is the person's first entry. */
	writer_bool(w, s->n_subjects < s->limits.subjects_max);
	history_fields(a, &o, chain);
	err = entry_finish(a);
	if (err != 0)
		return err;

	entry_commit(a, 0, 0);
	if (known != NULL) {
		struct subject *u = subject_touch(s, key);
		chain_move(o.whose == HISTORY_SUBJECT ? &u->subject_chain : &u->actor_chain, a->out->index);
	}
	return 0;
}

/* --- what was read --- */

int check_read(const struct state *s, const void *payload, size_t len, const struct refusal *why)
{
	struct read_log l;
	int err = read_log_decode(&l, payload, len);

	return err == 0 ? check_feature_on(s, FEATURE_RECORDS, "the log of readers", why)
	                : refuse(why, err, "the log of readers: %s", err_text(err));
}

/* [reader's id, its name or "" if it is enrolled no more, what, first, last, reads, entries, fields] */
static void row_entry(struct writer *w, const struct state *s, const struct read_row *row)
{
	const struct principal *p = state_principal(s, row->principal);

	writer_array(w, 8);
	writer_uint(w, row->principal);
	writer_cstr(w, p != NULL ? p->name : "");
	writer_uint(w, row->what);
	writer_uint(w, row->first);
	writer_uint(w, row->last);
	writer_uint(w, row->reads);
	writer_uint(w, row->entries);
	writer_uint(w, row->fields);
}

/* TYPE:ID of one that is named whole. */
static bool typed_of(const struct read_lookup *l, struct typed *ret)
{
	bool pair = l->kind == FIELD_SUBJECT || l->kind == FIELD_ACTOR || l->kind == FIELD_RESOURCE;
	const struct text *t = &l->text;
	const char *colon = pair && t->s[t->len - 1] != '*' ? memchr(t->s, ':', t->len) : NULL;

	if (colon == NULL || colon == t->s || colon + 1 == t->s + t->len)
		return false;
	ret->type = (struct text){t->s, (size_t)(colon - t->s)};
	ret->id = (struct text){colon + 1, t->len - ret->type.len - 1};
	return true;
}

/* Who is named whole stands there as [type, id], as in every entry: what erases somebody finds it. */
static void field_lookup(const struct apply *a, const struct read_log *l)
{
	struct writer w;
	struct typed t;

	for (unsigned i = 0; i < l->n_lookups; i++)
		if (l->lookups[i].kind == FIELD_SUBJECT && typed_of(&l->lookups[i], &t))
			field_pair(a, FIELD_SUBJECT, t.type, t.id);
	field_client(a); /* The command can be made again of its entry: its id counts among the answers. */
	if (l->n_lookups == 0)
		return;
	w = field_start(a);
	writer_array(&w, l->n_lookups);
	for (unsigned i = 0; i < l->n_lookups; i++) {
		writer_array(&w, 2);
		writer_uint(&w, l->lookups[i].kind);
		if (typed_of(&l->lookups[i], &t))
			codec_write_pair(&w, t.type, t.id);
		else
			codec_write_text(&w, l->lookups[i].text);
	}
	field_end(a, FIELD_LOOKUP, &w);
}

int apply_read(struct apply *a)
{
	struct read_log l;
	int err = check_read(a->s, a->c->payload, a->c->payload_len, &a->why);

	if (err != 0)
		return err;
	read_log_decode(&l, a->c->payload, a->c->payload_len); /* check_read has done so. */
	struct writer *p = &entry_start(a, ENTRY_READ)->public_;
	writer_array(p, 2);
	writer_cstr(p, a->asker->p.name);
	writer_array(p, l.n_rows);
	for (unsigned i = 0; i < l.n_rows; i++)
		row_entry(p, a->s, &l.rows[i]);
	field_lookup(a, &l);
	err = entry_finish(a);
	if (err == 0)
		entry_commit(a, 0, 0);
	return err;
}
