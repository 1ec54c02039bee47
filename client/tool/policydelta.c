/* What differs between two policies in what they mean; rules by their ids. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "client/tool/policydelta.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/tool/policymeaning.h"
#include "ledger/errors.h"
#include "node/decide/codec.h"
#include "node/decide/policy_yaml.h"

#define PATH_SIZE_MAX 512

static void add(struct policydelta *d, const char *path, char *from, char *to)
{
	struct policychange *c = NULL;

	if (d->n < POLICYDELTA_MAX && (!d->changes || d->n))
		c = reallocarray(d->changes, d->n + 1, sizeof *c);
	if (c) {
		d->changes = c;
		c[d->n++] = (struct policychange){strdup(path), from, to};
		if (!c[d->n - 1].path)
			d->err = CS_ERR_NOMEM;
		return;
	}
	free(from);
	free(to);
	if (d->n < POLICYDELTA_MAX)
		d->err = CS_ERR_NOMEM;
	else
		d->dropped++;
}

static char *copy(struct policydelta *d, const char *s)
{
	char *c = s ? strdup(s) : NULL;

	if (s && !c)
		d->err = CS_ERR_NOMEM;
	return c;
}

/* One of the two, all of it. */
struct side {
	struct policy *p;
	struct meaning meaning;
	struct fy_document *doc;
};

/* --- what is shown as it was written: conditions, and whole rules --- */

static char *emit(struct policydelta *d, struct fy_node *n)
{
	enum fy_emitter_cfg_flags flags = FYECF_MODE_FLOW_ONELINE | FYECF_WIDTH_INF | FYECF_DOC_START_MARK_OFF |
	                                  FYECF_DOC_END_MARK_OFF | FYECF_VERSION_DIR_OFF | FYECF_TAG_DIR_OFF;
	char *s = n ? fy_emit_node_to_string(n, flags) : NULL;
	size_t len = s ? strlen(s) : 0;

	if (!s)
		d->err = CS_ERR_NOMEM;
	while (len && (s[len - 1] == '\n' || s[len - 1] == ' '))
		s[--len] = 0;
	return s;
}

/* The rule of that number: they stand in the text in the order in which they were compiled. */
static struct fy_node *rule_node(const struct side *s, int rule)
{
	struct fy_node *root = fy_document_root(s->doc),
	               *rules = root ? fy_node_mapping_lookup_by_string(root, "rules", (size_t)-1) : NULL;

	return rules ? fy_node_sequence_get_by_index(rules, rule) : NULL;
}

static char *shown(struct policydelta *d, const struct side *s, const struct statement *t)
{
	struct fy_node *rule;

	if (t->value)
		return copy(d, t->value);
	rule = rule_node(s, t->rule);
	return emit(d, rule ? fy_node_mapping_lookup_by_string(rule, "when", (size_t)-1) : NULL);
}

/* --- statements --- */

static bool has_rule(const struct policy *p, struct text id)
{
	for (unsigned i = 0; i < p->n_rules; i++)
		if (text_compare(p->rules[i].id, id) == 0)
			return true;
	return false;
}

/* Of a rule that the other side does not have: it is told as one. */
static bool told_whole(const struct side *own, const struct side *other, const struct statement *t)
{
	return t->rule >= 0 && !has_rule(other->p, own->p->rules[t->rule].id);
}

static void whole_rules(struct policydelta *d, const struct side *own, const struct side *other, bool removed)
{
	char path[PATH_SIZE_MAX];

	for (unsigned i = 0; i < own->p->n_rules; i++) {
		struct text id = own->p->rules[i].id;
		if (has_rule(other->p, id))
			continue;
		snprintf(path, sizeof path, "rules.%.*s", (int)id.len, id.s);
		char *text = emit(d, rule_node(own, (int)i));
		add(d, path, removed ? text : NULL, removed ? NULL : text);
	}
}

static const struct statement *find_same(const struct meaning *m, const struct statement *t)
{
	for (unsigned i = 0; i < m->n; i++)
		if (statement_same(&m->all[i], t))
			return &m->all[i];
	return NULL;
}

/* What the other side says of the same thing. */
static const struct statement *find_path(const struct meaning *m, const struct statement *t)
{
	for (unsigned i = 0; i < m->n && !t->listed; i++)
		if (!m->all[i].listed && !strcmp(m->all[i].path, t->path))
			return &m->all[i];
	return NULL;
}

static void statements(struct policydelta *d, const struct side *a, const struct side *b)
{
	for (unsigned i = 0; i < a->meaning.n; i++) {
		const struct statement *t = &a->meaning.all[i], *to = find_path(&b->meaning, t);
		if (!told_whole(a, b, t) && !find_same(&b->meaning, t))
			add(d, t->path, shown(d, a, t), to ? shown(d, b, to) : NULL);
	}
	for (unsigned i = 0; i < b->meaning.n; i++) {
		const struct statement *t = &b->meaning.all[i];
		if (!told_whole(b, a, t) && !find_same(&a->meaning, t) && !find_path(&a->meaning, t))
			add(d, t->path, NULL, shown(d, b, t));
	}
}

static int side_open(struct side *s, const struct policyfile *f)
{
	struct policy_error where;

	s->p = malloc(sizeof *s->p);
	int err = s->p ? policy_load(s->p, f->compiled, f->compiled_len) : CS_ERR_NOMEM;
	if (!err)
		err = yaml_document(f->source, f->source_len, &s->doc, &where);
	if (!err) {
		meaning_of(&s->meaning, s->p);
		err = s->meaning.err;
	}
	return err;
}

static void side_close(struct side *s)
{
	meaning_close(&s->meaning);
	fy_document_destroy(s->doc);
	free(s->p);
}

int policydelta_find(const struct policyfile *a, const struct policyfile *b, struct policydelta *ret)
{
	struct side sides[2] = {0};
	struct policydelta d = {0};
	int err = side_open(&sides[0], a);

	if (!err)
		err = side_open(&sides[1], b);
	if (!err) {
		statements(&d, &sides[0], &sides[1]);
		whole_rules(&d, &sides[0], &sides[1], true);
		whole_rules(&d, &sides[1], &sides[0], false);
		err = d.err;
	}
	side_close(&sides[0]);
	side_close(&sides[1]);
	if (err)
		policydelta_close(&d);
	else
		*ret = d;
	return err;
}

void policydelta_close(struct policydelta *d)
{
	for (unsigned i = 0; i < d->n; i++) {
		free(d->changes[i].path);
		free(d->changes[i].from);
		free(d->changes[i].to);
	}
	free(d->changes);
	memset(d, 0, sizeof *d);
}
