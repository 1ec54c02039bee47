/* What must change so that the table of people is as a file has it: only what differs, owners first. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "client/tool/peopleplan.h"

#include <stdlib.h>
#include <string.h>

#include "client/tool/tool.h"

#define WHO_SIZE (TOOL_TYPE_SIZE + TOOL_ID_SIZE)

static bool add(struct peopleplan *p, enum peopleplan_phase phase, const struct cs_person *change)
{
	size_t cap = p->cap[phase] ? p->cap[phase] * 2 : 256;
	struct cs_person *list;

	if (p->n[phase] == p->cap[phase]) {
		list = realloc(p->changes[phase], cap * sizeof *list);
		if (!list)
			return false;
		p->changes[phase] = list;
		p->cap[phase] = cap;
	}
	p->changes[phase][p->n[phase]++] = *change;
	return true;
}

/* A key for one person; no type has a newline. */
static const char *who(const char *type, const char *id, char ret[WHO_SIZE])
{
	snprintf(ret, WHO_SIZE, "%s\n%s", type, id);
	return ret;
}

static const char *text_of(const json_t *o, const char *name)
{
	const char *s = json_string_value(json_object_get(o, name));

	return s ? s : "";
}

static bool same_typed(const json_t *o, const struct cs_typed *t)
{
	if (!t->id)
		return !json_is_object(o);
	return json_is_object(o) && !strcmp(text_of(o, "type"), t->type) && !strcmp(text_of(o, "id"), t->id);
}

/* As sets: the file may have them in any order, and twice. */
static bool same_groups(const json_t *list, const struct cs_person *p)
{
	size_t found = 0, i;
	const json_t *one;

	for (size_t k = 0; k < p->n_groups; k++) {
		bool there = false;
		json_array_foreach(list, i, one) there |= !strcmp(json_string_value(one), p->groups[k]);
		if (!there)
			return false;
	}
	json_array_foreach(list, i, one)
	{
		for (size_t k = 0; k < p->n_groups; k++)
			if (!strcmp(json_string_value(one), p->groups[k])) {
				found++;
				break;
			}
	}
	return found == json_array_size(list);
}

static bool same_acts_for(const json_t *list, const struct cs_person *p)
{
	size_t found = 0, i;
	const json_t *one;

	for (size_t k = 0; k < p->n_acts_for; k++) {
		bool there = false;
		json_array_foreach(list, i, one) there |= same_typed(one, &p->acts_for[k]);
		if (!there)
			return false;
	}
	json_array_foreach(list, i, one)
	{
		for (size_t k = 0; k < p->n_acts_for; k++)
			if (same_typed(one, &p->acts_for[k])) {
				found++;
				break;
			}
	}
	return found == json_array_size(list);
}

static bool same(const json_t *o, const struct cs_person *p)
{
	return !strcmp(text_of(o, "kind"), p->kind) && !strcmp(text_of(o, "name"), p->name) &&
	       json_is_true(json_object_get(o, "enabled")) == p->enabled &&
	       same_typed(json_object_get(o, "owner"), &p->owner) &&
	       same_typed(json_object_get(o, "manager"), &p->manager) && same_groups(json_object_get(o, "groups"), p) &&
	       same_acts_for(json_object_get(o, "acts_for"), p);
}

/* {who: record} */
static json_t *index_of(const json_t *table)
{
	json_t *index = json_object(), *o;
	char key[WHO_SIZE];
	size_t i;

	json_array_foreach(json_object_get(table, "people"), i, o)
	        json_object_set(index, who(text_of(o, "type"), text_of(o, "id"), key), o);
	return index;
}

static json_t *index_of_file(const struct peoplefile *f)
{
	json_t *index = json_object();
	char key[WHO_SIZE];

	for (size_t i = 0; i < f->n; i++) {
		const struct cs_person *p = &f->rows[i]->person;
		json_object_set_new(index, who(p->type, p->id, key), json_string(p->kind));
	}
	return index;
}

/* An owner is a user, and will be there: in the file, or in the table and not to be pruned. */
static bool owner_stays(const struct cs_person *p, const json_t *in_table, const json_t *in_file, bool prune)
{
	char key[WHO_SIZE];
	const json_t *filed, *there;

	if (!p->owner.id)
		return true;
	who(p->owner.type, p->owner.id, key);
	filed = json_object_get(in_file, key);
	there = prune ? NULL : json_object_get(in_table, key);
	return !strcmp(filed ? json_string_value(filed) : text_of(there, "kind"), "user");
}

static int plan_row(const char *command, const char *path, const struct peoplefile *f, size_t i, const json_t *in_table,
                    const json_t *in_file, bool prune, struct peopleplan *p)
{
	const struct cs_person *row = &f->rows[i]->person;
	char key[WHO_SIZE];
	const json_t *now = json_object_get(in_table, who(row->type, row->id, key));
	enum peopleplan_phase phase = strcmp(row->kind, "user") ? PLAN_MACHINES : PLAN_USERS;

	if (!owner_stays(row, in_table, in_file, prune))
		return tool_fail(EXIT_USAGE, command, "%s: %s%u: the owner %s:%s is no user of the file%s", path,
		                 f->is_json ? "record " : "line ", f->rows[i]->line, row->owner.type, row->owner.id,
		                 prune ? "" : " or the table");
	if (now && same(now, row)) {
		p->same++;
		return 0;
	}
	*(now ? &p->changed : &p->added) += 1;
	return add(p, phase, row) ? 0 : tool_fail(EXIT_LOCAL, command, "out of memory");
}

static int plan_prune(const char *command, const json_t *in_file, struct peopleplan *p)
{
	char key[WHO_SIZE];
	const json_t *o;
	size_t i;

	json_array_foreach(json_object_get(p->table, "people"), i, o)
	{
		struct cs_person gone = {
		        .action = CS_PEOPLE_REMOVE, .type = text_of(o, "type"), .id = text_of(o, "id")};
		bool user = !strcmp(text_of(o, "kind"), "user");

		if (json_object_get(in_file, who(gone.type, gone.id, key)))
			continue;
		if (!add(p, user ? PLAN_USERS_GO : PLAN_MACHINES_GO, &gone))
			return tool_fail(EXIT_LOCAL, command, "out of memory");
		p->removed++;
	}
	return 0;
}

int peopleplan_make(const char *command, cs_client *client, const char *path, const struct peoplefile *f, bool prune,
                    struct peopleplan *ret)
{
	struct peopleplan p = {0};
	json_t *in_table, *in_file;
	char *text;
	int code = 0, err = cs_people(client, &text);

	if (err)
		return tool_failed_call(command, "the table of people", err);
	p.table = json_loads(text, 0, NULL);
	free(text);
	in_table = index_of(p.table);
	in_file = index_of_file(f);
	for (size_t i = 0; i < f->n && !code; i++)
		code = plan_row(command, path, f, i, in_table, in_file, prune, &p);
	if (!code && prune)
		code = plan_prune(command, in_file, &p);
	json_decref(in_table);
	json_decref(in_file);
	if (code)
		peopleplan_close(&p);
	else
		*ret = p;
	return code;
}

void peopleplan_close(struct peopleplan *p)
{
	for (unsigned i = 0; i < PLAN_PHASES; i++)
		free(p->changes[i]);
	json_decref(p->table);
	*p = (struct peopleplan){0};
}
