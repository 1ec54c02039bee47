/* What administrators command about people and governance: each order becomes an entry. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "ledger/errors.h"
#include "node/decide/apply.h"
#include "node/decide/codec.h"

/* The records as they will be, made before anything changes; NULL where somebody is removed. */
struct made {
	unsigned n;
	uint8_t *records[PEOPLE_BATCH_MAX];
	uint32_t lens[PEOPLE_BATCH_MAX];
	uint8_t keys[PEOPLE_BATCH_MAX][HASH_SIZE];
	uint32_t by_action[PEOPLE_REMOVE + 1];
};

static void made_free(struct made *m)
{
	for (unsigned i = 0; i < m->n; i++)
		free(m->records[i]);
}

static int make_record(const struct apply *a, struct made *m, const struct people_change *c)
{
	struct writer w = field_start(a);
	struct person_record r = c->person;
	size_t len = 0;

	subject_key(m->keys[m->n], r.type, r.id);
	if (c->action == PEOPLE_DISABLE || c->action == PEOPLE_ENABLE) {
		person_record(person_find(a->s, m->keys[m->n]), &r);
		r.enabled = c->action == PEOPLE_ENABLE;
	}
	m->by_action[c->action]++;
	m->records[m->n] = NULL;
	if (c->action != PEOPLE_REMOVE) {
		person_write(&w, &r);
		int err = writer_end(&w, &len);
		assert(err == 0); /* It was read from such bytes. */
		m->records[m->n] = malloc(len);
		if (m->records[m->n] == NULL)
			return refuse(&a->why, CS_ERR_NOMEM, "out of memory");
		memcpy(m->records[m->n], w.base, len);
	}
	m->lens[m->n++] = (uint32_t)len;
	return 0;
}

static int make_records(const struct apply *a, struct made *m, const struct people_order *o)
{
	struct people_change c;
	struct reader r;
	int err = 0;

	people_first(&r, o);
	for (unsigned i = 0; i < o->n && err == 0; i++) {
		people_next(&r, &c);
		err = make_record(a, m, &c);
	}
	return err;
}

/* Counts in public; whom it is about, and the signature over that, in private fields. */
static int people_entry(struct apply *a, const struct people_order *o, const struct made *m)
{
	struct entry_builder *b = entry_start(a, ENTRY_PEOPLE);

	writer_array(&b->public_, 5);
	for (unsigned i = PEOPLE_SET; i <= PEOPLE_REMOVE; i++)
		writer_uint(&b->public_, m->by_action[i]);
	writer_uint(&b->public_, a->s->governance);
	field_signature(a, &o->admin);
	field_client(a);
	entry_builder_field(b, FIELD_GROUPS, o->changes, o->changes_len);
	return entry_finish(a);
}

int apply_people(struct apply *a)
{
	struct people_order o;
	struct made m = {0};
	const struct principal *admin = NULL;
	int err = people_order_decode(&o, a->c->payload, a->c->payload_len);

	if (err != 0)
		return refuse(&a->why, err, "people: %s", err_text(err));
	err = check_admin(a->s, a->now_ms, COMMAND_PEOPLE, &o.admin, o.signed_elements, o.signed_len, &admin, &a->why);
	if (err == 0)
		err = check_people(a->s, &o, &a->why);
	if (err == 0)
		err = make_records(a, &m, &o);
	if (err == 0)
		err = people_entry(a, &o, &m);
	if (err != 0) {
		made_free(&m);
		return err;
	}

	admin_used(a, &o.admin);
	entry_commit(a, 0, 0);
	for (unsigned i = 0; i < m.n; i++) {
		if (m.records[i] != NULL)
			person_set(a->s, m.records[i], m.lens[i], a->out->index);
		else
			person_drop(a->s, m.keys[i]);
	}
	a->s->people_changes++;
	return 0;
}

int apply_governance(struct apply *a)
{
	struct state *s = a->s;
	struct governance_order o;
	const struct principal *admin = NULL;
	int err = governance_order_decode(&o, a->c->payload, a->c->payload_len);

	if (err != 0)
		return refuse(&a->why, err, "governance: %s", err_text(err));
	err = check_admin(s, a->now_ms, COMMAND_GOVERNANCE, &o.admin, o.signed_elements, o.signed_len, &admin, &a->why);
	if (err == 0)
		err = check_governance(s, &o, &a->why);
	if (err != 0)
		return err;
	struct writer *w = &entry_start(a, ENTRY_GOVERNANCE)->public_;
	writer_array(w, 5);
	writer_uint(w, s->governance + 1);
	governance_write(w, &o.thresholds);
	writer_uint(w, state_administrators(s));
	writer_uint(w, s->governance);
	admin_signature_write(w, &o.admin);
	field_client(a);
	err = entry_finish(a);
	if (err != 0)
		return err;

	s->thresholds = o.thresholds;
	s->governance_dirty = true;
	s->governance++; /* Orders signed under the old one are void from here on. */
	admin_used(a, &o.admin);
	entry_commit(a, 0, 0);
	return 0;
}
