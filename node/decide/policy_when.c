/* Conditions of rules, read from YAML and in the compiled form. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "node/decide/policy_when.h"

#include <string.h>

#include "ledger/errors.h"
#include "node/decide/cel/cel_request.h"
#include "node/decide/cel/cel_text.h"

/* --- where in the YAML an expression goes wrong --- */

/* Length of an escape of a double-quoted scalar (YAML 1.2, 5.7). */
static size_t escape_len(char c)
{
	return c == 'x' ? 4 : c == 'u' ? 6 : c == 'U' ? 10 : 2;
}

/* Of one decoded character: UTF-8's bytes. */
static size_t character_len(const struct text *t, size_t i)
{
	size_t n = 1;

	while (i + n < t->len && ((unsigned char)t->s[i + n] & 0xc0) == 0x80)
		n++;
	return n;
}

/* Position in the YAML of the byte at `offset` of a scalar's value: the two are walked side by side. */
static size_t raw_position(const struct text *yaml, size_t pos, enum fy_node_style style, struct text value,
                           size_t offset)
{
	bool block = style == FYNS_LITERAL || style == FYNS_FOLDED;
	size_t indent = 0;

	while (block && pos + indent < yaml->len && yaml->s[pos + indent] == ' ')
		indent++;
	pos += indent;
	for (size_t i = 0; i < offset && pos < yaml->len;) {
		char c = yaml->s[pos];
		if (c == '\n') {
			do {
				pos++;
				for (size_t n = 0; pos < yaml->len && yaml->s[pos] == ' ' && (!block || n < indent);
				     n++)
					pos++;
			} while (style != FYNS_LITERAL && pos < yaml->len && yaml->s[pos] == '\n');
			i++;
		} else if (style == FYNS_DOUBLE_QUOTED && c == '\\' && pos + 1 < yaml->len) {
			pos += escape_len(yaml->s[pos + 1]);
			i += character_len(&value, i);
		} else {
			pos += style == FYNS_SINGLE_QUOTED && c == '\'' ? 2 : 1;
			i++;
		}
	}
	return pos;
}

static int fail_within(struct compile *c, struct fy_node *value, struct text source, const struct cel_error *e)
{
	int err = yaml_fail(c, value, "the condition: %s", e->text);
	struct fy_token *token = fy_node_get_scalar_token(value);
	const struct fy_mark *mark = token != NULL ? fy_token_start_mark(token) : NULL;

	if (mark != NULL && c->yaml.s != NULL) {
		size_t pos = raw_position(&c->yaml, mark->input_pos, fy_node_get_style(value), source, e->offset);
		cel_place(c->yaml, (uint32_t)pos, &c->error->line, &c->error->column);
	}
	return err;
}

int yaml_rule_when(struct compile *c, struct fy_node *key, struct fy_node *value, void *target)
{
	struct rule *r = target;
	struct cel_error e;
	struct text source;
	uint16_t root = 0;
	uint32_t cost = 0;
	int err = yaml_text(c, key, value, 1, CEL_SOURCE_SIZE_MAX, &source);

	if (err != 0)
		return err;
	if (c->cel == NULL)
		c->cel = cel_work_new();
	if (c->cel == NULL)
		return CS_ERR_NOMEM;
	err = cel_compile(c->cel, cel_request_env(), source, CEL_WANTS_BOOL, &c->p->cel, &root, &cost, &e);
	if (err != 0)
		return fail_within(c, value, source, &e);
	c->cel_cost += cost;
	if (c->cel_cost > CEL_POLICY_COST_MAX)
		return yaml_fail(c, value, "the conditions could take %u steps for one request, at most %u are allowed",
		                 c->cel_cost, CEL_POLICY_COST_MAX);
	r->has_when = true;
	r->when = root;
	return 0;
}

/* --- the compiled form --- */

void policy_write_when(struct writer *w, const struct policy *p, const struct rule *r)
{
	uint8_t bytes[2 * CEL_SOURCE_SIZE_MAX];
	size_t len = 0;

	if (!r->has_when) {
		writer_nil(w);
		return;
	}
	if (cel_write(&p->cel, r->when, bytes, sizeof(bytes), &len) != 0)
		w->err = w->err != 0 ? w->err : CS_ERR_TOO_LARGE;
	else
		writer_bin(w, bytes, len);
}

void policy_read_when(struct reader *r, struct policy *p, struct rule *ret)
{
	const uint8_t *bytes = NULL;
	size_t len = 0;

	if (p->version == POLICY_VERSION_1 || reader_peek(r) == VALUE_NIL) {
		if (!reader_nil(r) && r->err == 0)
			r->err = CS_ERR_MALFORMED;
		return;
	}
	reader_bin(r, 2 * CEL_SOURCE_SIZE_MAX, &bytes, &len);
	if (r->err != 0)
		return;
	r->err = cel_read(&p->cel, bytes, len, &ret->when);
	ret->has_when = r->err == 0;
}
