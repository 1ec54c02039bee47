/* Records of people and orders that change them, read and written: no state, the client library links this too. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "node/decide/people_order.h"

#include <string.h>

#include "ledger/errors.h"
#include "node/decide/codec.h"

#define PERSON_ELEMENTS 8

const char *person_kind_text(unsigned kind)
{
	switch (kind) {
#define KIND_TEXT(name, number, text)                                                                                  \
	case name:                                                                                                     \
		return text;
		PERSON_KINDS(KIND_TEXT)
#undef KIND_TEXT
	default:
		return "unknown";
	}
}

unsigned person_kind_parse(struct text t)
{
#define KIND_TRY(name, number, text)                                                                                   \
	if (text_is(t, text))                                                                                          \
		return name;
	PERSON_KINDS(KIND_TRY)
#undef KIND_TRY
	return 0;
}

/* --- one record --- */

static int typed_compare(const struct typed *a, const struct typed *b)
{
	int order = text_compare(a->type, b->type);

	return order != 0 ? order : text_compare(a->id, b->id);
}

static void write_typed_or_nil(struct writer *w, const struct typed *t)
{
	if (t->id.len > 0)
		codec_write_pair(w, t->type, t->id);
	else
		writer_nil(w);
}

void person_write(struct writer *w, const struct person_record *p)
{
	writer_array(w, PERSON_ELEMENTS);
	codec_write_pair(w, p->type, p->id);
	writer_uint(w, p->kind);
	writer_bool(w, p->enabled);
	codec_write_text(w, p->name);
	writer_array(w, p->n_groups);
	for (unsigned i = 0; i < p->n_groups; i++)
		codec_write_text(w, p->groups[i]);
	write_typed_or_nil(w, &p->owner);
	write_typed_or_nil(w, &p->manager);
	writer_array(w, p->n_acts_for);
	for (unsigned i = 0; i < p->n_acts_for; i++)
		codec_write_pair(w, p->acts_for[i].type, p->acts_for[i].id);
}

/* Shown on terminals, and in policies '*' has a meaning of its own. */
static bool has_control(struct text t)
{
	for (size_t i = 0; i < t.len; i++)
		if ((unsigned char)t.s[i] < 0x20 || t.s[i] == 0x7f)
			return true;
	return false;
}

static bool is_reserved(struct text type)
{
	return text_is(type, "group") || text_is(type, "*");
}

static const char *groups_fault(const struct person_record *p)
{
	for (unsigned i = 0; i < p->n_groups; i++) {
		struct text g = p->groups[i];
		if (g.len == 0 || g.len > PERSON_GROUP_SIZE_MAX || has_control(g) || memchr(g.s, '*', g.len) != NULL)
			return "a group's name is 1 to 64 bytes without control characters and '*'";
		if (i > 0 && text_compare(p->groups[i - 1], g) >= 0)
			return "groups are sorted, and none is there twice";
	}
	return NULL;
}

static const char *acts_for_fault(const struct person_record *p)
{
	for (unsigned i = 0; i < p->n_acts_for; i++) {
		const struct typed *t = &p->acts_for[i];
		if (text_is(t->type, "*") != text_is(t->id, "*"))
			return "for anybody is \"*:*\": a star stands for nothing else";
		if (i > 0 && typed_compare(&p->acts_for[i - 1], t) >= 0)
			return "whom it acts for is sorted, and nobody is there twice";
	}
	return NULL;
}

const char *person_fault(const struct person_record *p)
{
	const char *fault = NULL;

	if (p->type.len == 0 || p->type.len > SUBJECT_TYPE_SIZE_MAX || p->id.len == 0 || has_control(p->type) ||
	    has_control(p->id) || p->id.len > REQUEST_STR_SIZE_MAX)
		return "a type is 1 to 64 bytes, an id 1 to 256, without control characters";
	if (is_reserved(p->type))
		return "\"group\" and \"*\" are nobody's type";
	if (strcmp(person_kind_text(p->kind), "unknown") == 0)
		return "the kind is user, service or agent";
	if (p->name.len > PERSON_NAME_SIZE_MAX || has_control(p->name))
		return "a display name is up to 128 bytes without control characters";
	if ((p->owner.id.len > 0 && is_reserved(p->owner.type)) ||
	    (p->manager.id.len > 0 && is_reserved(p->manager.type)))
		return "owner and manager are each one of the people";
	if (p->kind == PERSON_USER && (p->owner.id.len > 0 || p->n_acts_for > 0))
		return "a user has no owner, and acts for nobody";
	if (p->kind != PERSON_USER && p->owner.id.len == 0)
		return "a service or agent needs an owner: the person who answers for it";
	fault = groups_fault(p);
	return fault != NULL ? fault : acts_for_fault(p);
}

static void read_typed(struct reader *r, struct typed *ret)
{
	reader_array_exact(r, 2);
	codec_text(r, 1, SUBJECT_TYPE_SIZE_MAX, &ret->type);
	codec_text(r, 1, REQUEST_STR_SIZE_MAX, &ret->id);
}

static void read_typed_or_nil(struct reader *r, struct typed *ret)
{
	if (!reader_nil(r))
		read_typed(r, ret);
}

void person_read(struct reader *r, struct person_record *ret)
{
	struct person_record p = {0};
	struct typed self = {0};
	const uint8_t *start = r->pos;
	uint64_t kind = 0;
	uint32_t n = 0;

	reader_array_exact(r, PERSON_ELEMENTS);
	read_typed(r, &self);
	p.type = self.type;
	p.id = self.id;
	reader_uint(r, UINT8_MAX, &kind);
	p.kind = (unsigned)kind;
	reader_bool(r, &p.enabled);
	codec_text(r, 0, PERSON_NAME_SIZE_MAX, &p.name);
	reader_array(r, PERSON_GROUPS_MAX, &n);
	for (; r->err == 0 && p.n_groups < n; p.n_groups++)
		codec_text(r, 1, PERSON_GROUP_SIZE_MAX, &p.groups[p.n_groups]);
	read_typed_or_nil(r, &p.owner);
	read_typed_or_nil(r, &p.manager);
	n = 0;
	reader_array(r, PERSON_ACTS_FOR_MAX, &n);
	for (; r->err == 0 && p.n_acts_for < n; p.n_acts_for++)
		read_typed(r, &p.acts_for[p.n_acts_for]);
	if (r->err != 0)
		return;
	if ((size_t)(r->pos - start) > PERSON_SIZE_MAX)
		r->err = CS_ERR_TOO_LARGE;
	else if (person_fault(&p) != NULL)
		r->err = CS_ERR_MALFORMED;
	else
		*ret = p;
}

/* --- orders --- */

void people_change_write(struct writer *w, const struct people_change *c)
{
	writer_array(w, 2);
	writer_uint(w, c->action);
	if (c->action == PEOPLE_SET)
		person_write(w, &c->person);
	else
		codec_write_pair(w, c->person.type, c->person.id);
}

void people_next(struct reader *r, struct people_change *ret)
{
	struct people_change c = {0};
	struct typed who = {0};
	uint64_t action = 0;

	reader_array_exact(r, 2);
	reader_uint(r, PEOPLE_REMOVE, &action);
	c.action = (unsigned)action;
	if (r->err == 0 && c.action == 0)
		r->err = CS_ERR_MALFORMED;
	if (c.action == PEOPLE_SET) {
		c.record = r->pos;
		person_read(r, &c.person);
		c.record_len = (size_t)(r->pos - c.record);
	} else {
		read_typed(r, &who);
		c.person.type = who.type;
		c.person.id = who.id;
	}
	if (r->err == 0)
		*ret = c;
}

int people_order_encode(const struct people_order *o, void *buf, size_t cap, size_t *ret_len)
{
	struct writer w;

	writer_init(&w, buf, cap);
	writer_array(&w, 2);
	writer_raw(&w, o->changes, o->changes_len);
	admin_signature_write(&w, &o->admin);
	return writer_end(&w, ret_len);
}

void people_first(struct reader *ret, const struct people_order *o)
{
	reader_init(ret, o->changes, o->changes_len);
	reader_array_exact(ret, o->n);
}

int people_order_decode(struct people_order *ret, const void *bytes, size_t len)
{
	struct people_order o = {0};
	struct people_change c;
	struct reader r;
	uint32_t n = 0;

	reader_init(&r, bytes, len);
	reader_array_exact(&r, 2);
	o.changes = r.pos;
	reader_array(&r, PEOPLE_BATCH_MAX, &n);
	if (r.err == 0 && n == 0)
		r.err = CS_ERR_MALFORMED;
	for (uint32_t i = 0; i < n && r.err == 0; i++)
		people_next(&r, &c);
	o.n = n;
	o.changes_len = (size_t)(r.pos - o.changes);
	int err = codec_signed_end(&r, o.changes, &o.signed_elements, &o.signed_len, &o.admin);
	if (err == 0 && o.changes_len > PEOPLE_BATCH_SIZE_MAX)
		err = CS_ERR_TOO_LARGE;
	if (err == 0)
		*ret = o;
	return err;
}
