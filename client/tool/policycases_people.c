/* The table of people that cases are played with, out of YAML. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <string.h>

#include "client/tool/policycases_read.h"
#include "client/tool/policyrequest.h"
#include "ledger/errors.h"
#include "node/decide/codec.h"

static int read_who(struct compile *c, struct fy_node *key, struct fy_node *value, struct typed *ret)
{
	return policyrequest_typed(c, key, value, &ret->type, &ret->id);
}

/* The kind follows from the type, unless it is given. */
static int person_who(struct compile *c, struct fy_node *key, struct fy_node *value, void *target)
{
	struct person_record *p = target;
	struct typed who = {0};
	int err = read_who(c, key, value, &who);

	p->type = who.type;
	p->id = who.id;
	if (!err && !p->kind)
		p->kind = person_kind_parse(who.type);
	return err;
}

static int person_kind(struct compile *c, struct fy_node *key, struct fy_node *value, void *target)
{
	struct person_record *p = target;
	struct text t;
	int err = yaml_text(c, key, value, 1, 32, &t);

	if (err)
		return err;
	p->kind = person_kind_parse(t);
	return p->kind ? 0 : yaml_fail(c, value, "unknown kind: user, service or agent");
}

static int person_enabled(struct compile *c, struct fy_node *key, struct fy_node *value, void *target)
{
	struct person_record *p = target;
	struct text t;
	int err = yaml_text(c, key, value, 1, 8, &t);

	if (!err && !text_is(t, "true") && !text_is(t, "false"))
		return yaml_fail(c, value, "true or false is wanted here");
	p->enabled = text_is(t, "true");
	return err;
}

static int person_groups(struct compile *c, struct fy_node *key, struct fy_node *value, void *target)
{
	struct person_record *p = target;
	struct fy_node *item;
	void *i = NULL;
	int err = 0;

	if (!value || !fy_node_is_sequence(value))
		return yaml_fail(c, key, "a list is wanted here");
	while (!err && (item = fy_node_sequence_iterate(value, &i))) {
		struct text t;
		unsigned at = p->n_groups;
		if (at == PERSON_GROUPS_MAX)
			return yaml_fail(c, item, "too many groups: at most %d", PERSON_GROUPS_MAX);
		err = yaml_text(c, key, item, 1, PERSON_GROUP_SIZE_MAX, &t);
		for (; !err && at > 0 && text_compare(p->groups[at - 1], t) > 0; at--)
			p->groups[at] = p->groups[at - 1];
		if (!err)
			p->groups[at] = t;
		p->n_groups++;
	}
	return err;
}

static int order_of(const struct typed *a, const struct typed *b)
{
	int order = text_compare(a->type, b->type);

	return order ? order : text_compare(a->id, b->id);
}

/* "user:ada", "group:NAME", or "*": anybody. */
static int person_acts_for(struct compile *c, struct fy_node *key, struct fy_node *value, void *target)
{
	static const struct text anybody = {"*", 1};
	struct person_record *p = target;
	struct fy_node *item;
	void *i = NULL;
	int err = 0;

	if (!value || !fy_node_is_sequence(value))
		return yaml_fail(c, key, "a list is wanted here");
	while (!err && (item = fy_node_sequence_iterate(value, &i))) {
		struct typed who = {anybody, anybody};
		struct text t;
		unsigned at = p->n_acts_for;
		if (at == PERSON_ACTS_FOR_MAX)
			return yaml_fail(c, item, "too many whom it acts for: at most %d", PERSON_ACTS_FOR_MAX);
		err = yaml_text(c, key, item, 1, 2 * REQUEST_STR_SIZE_MAX, &t);
		if (!err && !text_is(t, "*"))
			err = read_who(c, key, item, &who);
		for (; !err && at > 0 && order_of(&p->acts_for[at - 1], &who) > 0; at--)
			p->acts_for[at] = p->acts_for[at - 1];
		if (!err)
			p->acts_for[at] = who;
		p->n_acts_for++;
	}
	return err;
}

static int person_owner(struct compile *c, struct fy_node *key, struct fy_node *value, void *target)
{
	return read_who(c, key, value, &((struct person_record *)target)->owner);
}

static int person_manager(struct compile *c, struct fy_node *key, struct fy_node *value, void *target)
{
	return read_who(c, key, value, &((struct person_record *)target)->manager);
}

static int read_person(struct compile *c, struct fy_node *key, struct fy_node *node)
{
	static const struct yaml_key keys[] = {{"who", person_who, YAML_REQUIRED}, {"kind", person_kind, 0},
	                                       {"enabled", person_enabled, 0},     {"groups", person_groups, 0},
	                                       {"owner", person_owner, 0},         {"manager", person_manager, 0},
	                                       {"acts_for", person_acts_for, 0},   {NULL, NULL, 0}};
	struct policycases *f = reading_of(c)->cases;
	struct policycase_person *grown = cases_grow(c, f->people, f->n_people, sizeof *grown);
	const char *fault;

	if (!grown)
		return CS_ERR_NOMEM;
	f->people = grown;
	if (f->n_people == POLICYCASES_PEOPLE_MAX)
		return yaml_fail(c, node, "too many people: at most %d", POLICYCASES_PEOPLE_MAX);
	struct policycase_person *p = &f->people[f->n_people++];
	*p = (struct policycase_person){.record.enabled = true};
	cases_line(node, &p->line);
	int err = yaml_mapping(c, fy_node_is_mapping(node) ? node : key, node, keys, &p->record);
	if (!err && (fault = person_fault(&p->record)) != NULL)
		return yaml_fail(c, node, "%s", fault);
	return err;
}

int cases_people(struct compile *c, struct fy_node *key, struct fy_node *value, void *target)
{
	struct fy_node *item;
	void *i = NULL;
	int err = 0;

	(void)target;
	if (!value || !fy_node_is_sequence(value))
		return yaml_fail(c, key, "a list is wanted here");
	while (!err && (item = fy_node_sequence_iterate(value, &i)))
		err = read_person(c, key, item);
	return err;
}
