/* What differs between two policies: numbers as they count, the rest as it is written, rules by their ids. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "client/tool/policydelta.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ledger/errors.h"
#include "node/decide/codec.h"
#include "node/decide/policy_yaml.h"

#define PATH_SIZE_MAX 512
#define DEPTH_MAX     16 /* Of YAML that is compared: no policy's is deeper. */

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

static char *format(struct policydelta *d, const char *f, ...) __attribute__((format(printf, 2, 3)));
static char *format(struct policydelta *d, const char *f, ...)
{
	char *s = NULL;
	va_list args;

	va_start(args, f);
	if (vasprintf(&s, f, args) < 0) {
		s = NULL;
		d->err = CS_ERR_NOMEM;
	}
	va_end(args);
	return s;
}

/* --- numbers: with their defaults, so that one that is written out equals one that is not --- */

static void number(struct policydelta *d, const char *path, int64_t a, int64_t b)
{
	if (a != b)
		add(d, path, format(d, "%" PRId64, a), format(d, "%" PRId64, b));
}

/* In the largest unit that says it whole. */
static char *span(struct policydelta *d, uint64_t ms)
{
	if (ms % 60000 == 0 && ms)
		return format(d, "%" PRIu64 "m", ms / 60000);
	return ms % 1000 == 0 ? format(d, "%" PRIu64 "s", ms / 1000) : format(d, "%" PRIu64 "ms", ms);
}

static void duration(struct policydelta *d, const char *path, uint64_t a_ms, uint64_t b_ms)
{
	if (a_ms != b_ms)
		add(d, path, span(d, a_ms), span(d, b_ms));
}

static char *methods_text(struct policydelta *d, unsigned methods)
{
	char text[256] = "";
	size_t n = 0;

#define METHOD_ADD(name, bit, key, level)                                                                              \
	if ((methods & (bit)) && n < sizeof text)                                                                      \
		n += (size_t)snprintf(text + n, sizeof text - n, "%s%s", n ? ", " : "", key);
	METHOD_LIST(METHOD_ADD)
#undef METHOD_ADD
	return format(d, "%s", text);
}

static void numbers(struct policydelta *d, const struct policy *a, const struct policy *b)
{
	char path[96];

	number(d, "version", a->version, b->version);
	if (text_compare(a->name, b->name) != 0)
		add(d, "name", format(d, "%.*s", (int)a->name.len, a->name.s),
		    format(d, "%.*s", (int)b->name.len, b->name.s));
	number(d, "bias", a->bias, b->bias);
	number(d, "thresholds.step_up", a->step_up, b->step_up);
	number(d, "thresholds.deny", a->deny, b->deny);
	duration(d, "valid_for", a->valid_for_ms, b->valid_for_ms);
	if (a->challenge.level != b->challenge.level)
		add(d, "challenge.level", format(d, "%s", level_text(a->challenge.level)),
		    format(d, "%s", level_text(b->challenge.level)));
	if (a->challenge.methods != b->challenge.methods)
		add(d, "challenge.methods", methods_text(d, a->challenge.methods),
		    methods_text(d, b->challenge.methods));
	duration(d, "challenge.expires", a->challenge.expiry_ms, b->challenge.expiry_ms);
	number(d, "rates.subject", a->subject_rate, b->subject_rate);
	number(d, "rates.client", a->client_rate, b->client_rate);
	for (unsigned id = 1; id <= SIGNAL_MAX; id++)
		if (signal_key(id)) {
			snprintf(path, sizeof path, "weights.%s", signal_key(id));
			number(d, path, a->weights[id], b->weights[id]);
		}
}

/* --- the rest: trees of YAML --- */

static struct text scalar_of(struct fy_node *n)
{
	struct text t = {NULL, 0};

	if (n && fy_node_is_scalar(n))
		t.s = fy_node_get_scalar(n, &t.len);
	return t;
}

static bool is_plain(struct fy_node *n)
{
	return fy_node_get_style(n) == FYNS_PLAIN;
}

/* A number without quotes is not the text of its digits. */
static bool same_scalar(struct fy_node *a, struct fy_node *b)
{
	struct text ta = scalar_of(a), tb = scalar_of(b);

	if (!ta.s || !tb.s || text_compare(ta, tb) != 0)
		return false;
	bool literal = ta.len && strspn(ta.s, "-0123456789") >= ta.len;
	literal |= text_is(ta, "true") || text_is(ta, "false");
	return !literal || is_plain(a) == is_plain(b);
}

static char *emit(struct policydelta *d, struct fy_node *n)
{
	enum fy_emitter_cfg_flags flags = FYECF_MODE_FLOW_ONELINE | FYECF_WIDTH_INF | FYECF_DOC_START_MARK_OFF |
	                                  FYECF_DOC_END_MARK_OFF | FYECF_VERSION_DIR_OFF | FYECF_TAG_DIR_OFF;
	char *s = fy_emit_node_to_string(n, flags);
	size_t len = s ? strlen(s) : 0;

	if (!s)
		d->err = CS_ERR_NOMEM;
	while (len && (s[len - 1] == '\n' || s[len - 1] == ' '))
		s[--len] = 0;
	return s;
}

static void join(char ret[PATH_SIZE_MAX], const char *path, struct text name)
{
	snprintf(ret, PATH_SIZE_MAX, "%s%s%.*s", path, *path ? "." : "", (int)name.len, name.s);
}

static void compare(struct policydelta *d, const char *path, struct fy_node *a, struct fy_node *b, unsigned depth);

static struct fy_node *value_of(struct fy_node *map, struct text key)
{
	struct fy_node_pair *pair;
	void *i = NULL;

	while ((pair = fy_node_mapping_iterate(map, &i))) {
		struct text t = scalar_of(fy_node_pair_key(pair));
		if (t.s && text_compare(t, key) == 0)
			return fy_node_pair_value(pair);
	}
	return NULL;
}

static bool listed(const char *const *list, size_t n, const char *path)
{
	for (size_t i = 0; i < n; i++)
		if (!strcmp(list[i], path))
			return true;
	return false;
}

/* Whose differences are told as numbers. */
static bool told(const char *path)
{
	static const char *const paths[] = {"version",
	                                    "name",
	                                    "bias",
	                                    "thresholds.step_up",
	                                    "thresholds.deny",
	                                    "valid_for",
	                                    "challenge.level",
	                                    "challenge.methods",
	                                    "challenge.expires",
	                                    "rates",
	                                    "weights"};

	return listed(paths, sizeof paths / sizeof *paths, path);
}

/* Of which parts are: one that is missing is as one that is empty. */
static bool told_in_part(const char *path)
{
	static const char *const paths[] = {"thresholds", "challenge"};

	return listed(paths, sizeof paths / sizeof *paths, path);
}

/* The keys of a; of those that both have, and of those that a alone has. */
static void compare_keys(struct policydelta *d, const char *path, struct fy_node *a, struct fy_node *b, bool swapped,
                         unsigned depth)
{
	struct fy_node_pair *pair;
	char below[PATH_SIZE_MAX];
	void *i = NULL;

	while (a && (pair = fy_node_mapping_iterate(a, &i))) {
		struct text key = scalar_of(fy_node_pair_key(pair));
		struct fy_node *own = fy_node_pair_value(pair), *other = b && key.s ? value_of(b, key) : NULL;
		if (!key.s || (swapped && other))
			continue;
		join(below, path, key);
		if (!told(below))
			compare(d, below, swapped ? NULL : own, swapped ? own : other, depth + 1);
	}
}

/* What an item of a list is called: its id, or it itself. */
static struct fy_node *item_name(struct fy_node *item)
{
	return fy_node_is_mapping(item) ? value_of(item, (struct text){"id", 2}) : item;
}

static struct fy_node *same_item(struct fy_node *list, struct fy_node *item)
{
	struct fy_node *name = item_name(item), *other;
	void *i = NULL;

	while ((other = fy_node_sequence_iterate(list, &i)))
		if (fy_node_is_mapping(other) == fy_node_is_mapping(item) && same_scalar(item_name(other), name))
			return other;
	return NULL;
}

/* Lists whose order says nothing: of texts, or of things with an id. */
static bool all_named(struct fy_node *list)
{
	struct fy_node *item;
	void *i = NULL;

	while ((item = fy_node_sequence_iterate(list, &i))) {
		struct fy_node *name = item_name(item);
		if (!name || !fy_node_is_scalar(name))
			return false;
	}
	return true;
}

static void compare_items(struct policydelta *d, const char *path, struct fy_node *a, struct fy_node *b, bool swapped,
                          unsigned depth)
{
	struct fy_node *item, *other;
	char below[PATH_SIZE_MAX];
	void *i = NULL;

	while ((item = fy_node_sequence_iterate(a, &i))) {
		other = same_item(b, item);
		if (other && (swapped || fy_node_is_scalar(item)))
			continue;
		if (fy_node_is_mapping(item))
			join(below, path, scalar_of(item_name(item)));
		else
			snprintf(below, sizeof below, "%s", path);
		compare(d, below, swapped ? NULL : item, swapped ? item : other, depth + 1);
	}
}

static void compare_lists(struct policydelta *d, const char *path, struct fy_node *a, struct fy_node *b, unsigned depth)
{
	if (all_named(a) && all_named(b)) {
		compare_items(d, path, a, b, false, depth);
		compare_items(d, path, b, a, true, depth);
		return;
	}
	char *from = emit(d, a), *to = emit(d, b);
	if (from && to && strcmp(from, to) != 0) {
		add(d, path, from, to);
		return;
	}
	free(from);
	free(to);
}

static void compare(struct policydelta *d, const char *path, struct fy_node *a, struct fy_node *b, unsigned depth)
{
	bool parts = told_in_part(path);

	if (((!a || !b) && !parts) || depth > DEPTH_MAX) {
		add(d, path, a ? emit(d, a) : NULL, b ? emit(d, b) : NULL);
	} else if (parts || (fy_node_is_mapping(a) && fy_node_is_mapping(b))) {
		compare_keys(d, path, a, b, false, depth);
		compare_keys(d, path, b, a, true, depth);
	} else if (fy_node_is_sequence(a) && fy_node_is_sequence(b)) {
		compare_lists(d, path, a, b, depth);
	} else if (!same_scalar(a, b)) {
		add(d, path, emit(d, a), emit(d, b));
	}
}

static int trees(struct policydelta *d, const struct policyfile *a, const struct policyfile *b)
{
	struct fy_document *docs[2] = {NULL};
	struct policy_error where;
	int err = yaml_document(a->source, a->source_len, &docs[0], &where);

	if (!err)
		err = yaml_document(b->source, b->source_len, &docs[1], &where);
	if (!err)
		compare(d, "", fy_document_root(docs[0]), fy_document_root(docs[1]), 0);
	fy_document_destroy(docs[0]);
	fy_document_destroy(docs[1]);
	return err;
}

int policydelta_find(const struct policyfile *a, const struct policyfile *b, struct policydelta *ret)
{
	struct policy *p = calloc(2, sizeof *p);
	struct policydelta d = {0};
	int err = p ? policy_load(&p[0], a->compiled, a->compiled_len) : CS_ERR_NOMEM;

	if (!err)
		err = policy_load(&p[1], b->compiled, b->compiled_len);
	if (!err) {
		numbers(&d, &p[0], &p[1]);
		err = trees(&d, a, b);
	}
	free(p);
	if (!err)
		err = d.err;
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
