/* The table of people and governance: orders that change them, and what they are. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "client/client_internal.h"
#include "client/order.h"
#include "ledger/errors.h"
#include "node/decide/codec.h"
#include "node/decide/people_order.h"

#define TRIES_MAX 8 /* Of a whole list, while the table changes under it. */

/* --- changes --- */

static struct text text_of(const char *s)
{
	return (struct text){.s = s, .len = s == NULL ? 0 : strnlen(s, PERSON_SIZE_MAX + 1)};
}

static struct typed typed_of(const struct cs_typed *t)
{
	return (struct typed){text_of(t->type), text_of(t->id)};
}

static int text_order(const void *a, const void *b)
{
	return text_compare(*(const struct text *)a, *(const struct text *)b);
}

static int typed_order(const void *a, const void *b)
{
	const struct typed *x = a, *y = b;
	int order = text_compare(x->type, y->type);

	return order != 0 ? order : text_compare(x->id, y->id);
}

/* Groups and acts_for in order, without repeats: they are sets. NULL, or what is wrong. */
static const char *person_fill(struct people_change *ret, const struct cs_person *p)
{
	struct person_record *r = &ret->person;

	*ret = (struct people_change){.action = p->action, .person = {.type = text_of(p->type), .id = text_of(p->id)}};
	if (p->action != CS_PEOPLE_SET)
		return p->action < CS_PEOPLE_SET || p->action > CS_PEOPLE_REMOVE ? "the action is none" : NULL;
	if (p->n_groups > PERSON_GROUPS_MAX)
		return "at most 16 groups";
	if (p->n_acts_for > PERSON_ACTS_FOR_MAX)
		return "it acts for at most 8 (a group counts as one)";
	r->kind = person_kind_parse(text_of(p->kind));
	r->enabled = p->enabled;
	r->name = text_of(p->name);
	r->owner = typed_of(&p->owner);
	r->manager = typed_of(&p->manager);
	for (size_t i = 0; i < p->n_groups; i++)
		r->groups[i] = text_of(p->groups[i]);
	qsort(r->groups, p->n_groups, sizeof(r->groups[0]), text_order);
	for (size_t i = 0; i < p->n_groups; i++)
		if (r->n_groups == 0 || text_compare(r->groups[r->n_groups - 1], r->groups[i]) != 0)
			r->groups[r->n_groups++] = r->groups[i];
	for (size_t i = 0; i < p->n_acts_for; i++)
		r->acts_for[i] = typed_of(&p->acts_for[i]);
	qsort(r->acts_for, p->n_acts_for, sizeof(r->acts_for[0]), typed_order);
	for (size_t i = 0; i < p->n_acts_for; i++)
		if (r->n_acts_for == 0 || typed_order(&r->acts_for[r->n_acts_for - 1], &r->acts_for[i]) != 0)
			r->acts_for[r->n_acts_for++] = r->acts_for[i];
	return person_fault(r);
}

const char *cs_person_fault(const struct cs_person *person)
{
	uint8_t buf[PERSON_SIZE_MAX];
	struct people_change c;
	struct writer w;
	const char *fault = person_fill(&c, person);

	writer_init(&w, buf, sizeof(buf));
	if (fault == NULL && c.action == PEOPLE_SET)
		person_write(&w, &c.person);
	if (fault == NULL && w.err != 0)
		fault = w.err == CS_ERR_TOO_LARGE ? "more than 1,024 bytes in all" : "not UTF-8";
	return fault;
}

static int changes_encode(const struct cs_person *people, size_t n, uint8_t *buf, size_t cap, size_t *ret_len)
{
	struct people_change c;
	struct writer w;

	writer_init(&w, buf, cap);
	writer_array(&w, (uint32_t)n);
	for (size_t i = 0; i < n; i++) {
		const char *fault = person_fill(&c, &people[i]);
		if (fault != NULL) {
			last_error_set("%.64s:%.256s: %s", people[i].type, people[i].id, fault);
			return CS_ERR_INVALID;
		}
		people_change_write(&w, &c);
	}
	int err = writer_end(&w, ret_len);
	if (err < 0)
		last_error_set("people: %s", err_text(err));
	return err;
}

int cs_people_change(cs_client *client, const struct cs_person *people, size_t n, cs_result **ret)
{
	uint8_t elements[PEOPLE_BATCH_SIZE_MAX];
	struct order_signatures signatures;
	struct people_order o = {.changes = elements};
	struct call *call;
	size_t len = 0;

	if (n == 0 || n > PEOPLE_BATCH_MAX) {
		last_error_set("people: 1 to %d changes an order", PEOPLE_BATCH_MAX);
		return CS_E_INVALID;
	}
	int err = changes_encode(people, n, elements, sizeof(elements), &o.changes_len);
	if (err == CS_OK)
		err = call_new(client, WIRE_PEOPLE, WIRE_REQUEST_SIZE_MAX, &call);
	if (err < 0)
		return err;
	err = order_sign(client, COMMAND_PEOPLE, elements, o.changes_len, &o.admin, &signatures);
	if (err == CS_OK && (err = people_order_encode(&o, call->body, call->body_cap, &len)) < 0)
		last_error_set("people: %s", err_text(err));
	return order_send(call, err, len, ret);
}

/* --- the table --- */

static json_t *text_json(struct text t)
{
	return json_stringn(t.s == NULL ? "" : t.s, t.len);
}

static json_t *typed_json(const struct typed *t)
{
	return t->id.len == 0 ? json_null()
	                      : json_pack("{s:o, s:o}", "type", text_json(t->type), "id", text_json(t->id));
}

static json_t *person_json(const struct person_record *p, uint64_t version)
{
	json_t *groups = json_array(), *acts_for = json_array();

	for (unsigned i = 0; i < p->n_groups; i++)
		json_array_append_new(groups, text_json(p->groups[i]));
	for (unsigned i = 0; i < p->n_acts_for; i++)
		json_array_append_new(acts_for, typed_json(&p->acts_for[i]));
	return json_pack("{s:o, s:o, s:s, s:b, s:o, s:o, s:o, s:o, s:o, s:I}", "type", text_json(p->type), "id",
	                 text_json(p->id), "kind", person_kind_text(p->kind), "enabled", p->enabled, "name",
	                 text_json(p->name), "groups", groups, "owner", typed_json(&p->owner), "manager",
	                 typed_json(&p->manager), "acts_for", acts_for, "entry", (json_int_t)version);
}

struct page {
	uint64_t changes, all;
	uint32_t n;
	json_t *people;
};

static int record_read(struct person_record *ret, const uint8_t *bytes, size_t len)
{
	struct reader r;

	reader_init(&r, bytes, len);
	person_read(&r, ret);
	return reader_end(&r);
}

static int page_read(struct page *ret, const uint8_t *body, size_t len)
{
	struct page p = {.people = json_array()};
	struct person_record record;
	struct reader r;

	reader_init(&r, body, len);
	reader_array_exact(&r, 3);
	reader_uint(&r, UINT64_MAX, &p.changes);
	reader_uint(&r, UINT32_MAX, &p.all);
	reader_array(&r, UINT16_MAX, &p.n);
	for (uint32_t i = 0; i < p.n && r.err == 0; i++) {
		const uint8_t *bytes = NULL;
		uint64_t version = 0;
		size_t size = 0;
		reader_array_exact(&r, 2);
		reader_uint(&r, INT64_MAX, &version);
		reader_bin(&r, PERSON_SIZE_MAX, &bytes, &size);
		if (r.err == 0)
			r.err = record_read(&record, bytes, size);
		if (r.err == 0)
			json_array_append_new(p.people, person_json(&record, version));
	}
	int err = reader_end(&r);
	if (err == CS_OK)
		*ret = p;
	else
		json_decref(p.people);
	return err;
}

static int page_convert(struct call *call, const struct wire_reply *reply, nng_msg *msg, void **ret_result, char *text)
{
	struct page *p = malloc(sizeof(*p));

	(void)call;
	(void)text;
	int err = p == NULL ? CS_ERR_NOMEM : page_read(p, reply->body, reply->body_len);
	nng_msg_free(msg);
	if (err == CS_OK)
		*ret_result = p;
	else
		free(p);
	return err;
}

static int page_ask(cs_client *c, uint64_t first, struct page *ret)
{
	struct call *call;
	struct writer w;
	void *result;
	int err = call_new(c, WIRE_PEOPLE_LIST, 16, &call);

	if (err < 0)
		return err;
	writer_init(&w, call->body, call->body_cap);
	writer_array(&w, 1);
	writer_uint(&w, first);
	err = call_wait(call, w.len, page_convert, &result);
	if (err == CS_OK) {
		*ret = *(struct page *)result;
		free(result);
	}
	return err;
}

/* All pages; 1: the table changed between them. */
static int list_once(cs_client *c, json_t *list)
{
	struct page p = {0};
	uint64_t changes = 0, first = 0;

	for (;;) {
		int err = page_ask(c, first, &p);
		if (err < 0)
			return err;
		bool same = first == 0 || p.changes == changes;
		json_array_extend(list, p.people);
		json_decref(p.people);
		if (!same)
			return 1;
		changes = p.changes;
		first += p.n;
		if (p.n == 0 || first >= p.all)
			return CS_OK;
	}
}

int cs_people(cs_client *client, char **ret_json)
{
	json_t *list = json_array();
	int err = 1;

	for (unsigned i = 0; i < TRIES_MAX && err == 1; i++) {
		json_array_clear(list);
		err = list_once(client, list);
	}
	if (err == 1) {
		last_error_set("people: the table changes faster than it can be read");
		err = CS_E_CONFLICT;
	}
	if (err == CS_OK) {
		json_t *j = json_pack("{s:O}", "people", list);
		*ret_json = json_dumps(j, JSON_COMPACT);
		json_decref(j);
		err = *ret_json == NULL ? CS_E_NOMEM : CS_OK;
	}
	json_decref(list);
	return err;
}

/* --- governance --- */

int cs_governance(cs_client *client, char **ret_json)
{
	json_t *thresholds = json_object(), *names = json_array();
	struct governance_view g;
	int err = governance_ask(client, &g);

	if (err == CS_OK) {
		for (unsigned i = 0; i < GOVERNANCE_CLASSES_N; i++)
			json_object_set_new(thresholds, governance_class_text(i), json_integer(g.thresholds.k[i]));
		for (unsigned i = 0; i < g.n_named; i++)
			json_array_append_new(names, json_string(g.named[i].name));
		json_t *j = json_pack("{s:I, s:O, s:i, s:O}", "version", (json_int_t)g.version, "thresholds",
		                      thresholds, "administrators", (int)g.administrators, "names", names);
		*ret_json = json_dumps(j, JSON_COMPACT);
		json_decref(j);
		err = *ret_json == NULL ? CS_E_NOMEM : CS_OK;
	}
	json_decref(thresholds);
	json_decref(names);
	return err;
}

static int thresholds_fill(struct governance *g, const struct cs_threshold *t, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		unsigned class = governance_class_find(text_of(t[i].class_name));
		bool all = strcmp(t[i].class_name, "all") == 0;
		if (t[i].k == 0 || t[i].k > ADMIN_SIGNATURES_MAX) {
			last_error_set("governance: %u is no threshold: 1 to %d", t[i].k, ADMIN_SIGNATURES_MAX);
			return CS_ERR_INVALID;
		}
		if (!all && class == GOVERNANCE_NONE) {
			last_error_set("governance: no class \"%.32s\": policy, enrolment, people, members, features, "
			               "governance or all",
			               t[i].class_name);
			return CS_ERR_INVALID;
		}
		if (all)
			governance_all(g, t[i].k);
		else
			g->k[class] = (uint8_t)t[i].k;
	}
	return CS_OK;
}

int cs_governance_set(cs_client *client, const struct cs_threshold *thresholds, size_t n, cs_result **ret)
{
	uint8_t elements[64];
	struct order_signatures signatures;
	struct governance_order o = {0};
	struct governance_view g;
	struct call *call;
	size_t len = 0;
	int err = governance_ask(client, &g);

	if (err == CS_OK) {
		o.thresholds = g.thresholds;
		err = thresholds_fill(&o.thresholds, thresholds, n);
	}
	if (err == CS_OK)
		err = call_new(client, WIRE_GOVERNANCE, ORDER_BODY_MAX, &call);
	if (err < 0)
		return err;
	err = governance_order_encode_signed(&o, elements, sizeof(elements), &len);
	if (err == CS_OK)
		err = order_sign(client, COMMAND_GOVERNANCE, elements, len, &o.admin, &signatures);
	if (err == CS_OK && (err = governance_order_encode(&o, call->body, call->body_cap, &len)) < 0)
		last_error_set("governance: %s", err_text(err));
	return order_send(call, err, len, ret);
}
