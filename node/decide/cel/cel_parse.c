/* CEL's grammar, by descent: source to syntax tree. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <string.h>

#include "ledger/errors.h"
#include "node/decide/cel/cel_internal.h"
#include "node/decide/codec.h"

static int parse_expr(struct cel_work *w, uint16_t *ret);

/* --- tokens --- */

static bool is_sign(const struct cel_work *w, const char *sign)
{
	return w->token.kind == TOKEN_SIGN && text_is(w->token.t, sign);
}

static bool is_name(const struct cel_work *w, const char *name)
{
	return w->token.kind == TOKEN_NAME && text_is(w->token.t, name);
}

static int unexpected(struct cel_work *w, const char *expected)
{
	const struct cel_token *t = &w->token;

	if (t->kind == TOKEN_END)
		return cel_fail(w, t->offset, "expected %s, found the end", expected);
	if (t->kind == TOKEN_STRING || t->kind == TOKEN_BYTES)
		return cel_fail(w, t->offset, "expected %s, found a string", expected);
	uint32_t len = w->pos - t->offset;
	return cel_fail(w, t->offset, "expected %s, found \"%.*s\"", expected, (int)(len < 40 ? len : 40),
	                w->source.s + t->offset);
}

static int expect(struct cel_work *w, const char *sign)
{
	char quoted[] = "\"?\"";

	if (is_sign(w, sign))
		return cel_next(w);
	quoted[1] = sign[0];
	return unexpected(w, quoted);
}

static bool is_keyword(struct text t)
{
	return text_is(t, "true") || text_is(t, "false") || text_is(t, "null") || text_is(t, "in");
}

static bool is_reserved(struct text t)
{
	static const char *const words[] = {"as",        "break",  "const",  "continue", "else", "for",
	                                    "function",  "if",     "import", "let",      "loop", "package",
	                                    "namespace", "return", "var",    "void",     "while"};

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (text_is(t, words[i]))
			return true;
	return false;
}

/* --- primaries --- */

static int parse_list(struct cel_work *w, const char *close, uint16_t parent)
{
	int err = 0;

	while (err == 0 && !is_sign(w, close)) {
		uint16_t child;
		err = parse_expr(w, &child);
		if (err != 0)
			return err;
		cel_tree_add(w, parent, child);
		if (w->tree[parent].n > CEL_CHILDREN_MAX)
			return cel_fail(w, w->tree[parent].offset, "too many of them: at most %u", CEL_CHILDREN_MAX);
		if (!is_sign(w, ","))
			break;
		err = cel_next(w);
		if (err == 0 && is_sign(w, ")")) /* A comma at the end is for lists and maps. */
			return unexpected(w, "an argument");
	}
	return err == 0 ? expect(w, close) : err;
}

static int parse_map(struct cel_work *w, uint16_t parent)
{
	int err = 0;

	while (err == 0 && !is_sign(w, "}")) {
		uint16_t key, value;
		err = parse_expr(w, &key);
		if (err == 0)
			err = expect(w, ":");
		if (err == 0)
			err = parse_expr(w, &value);
		if (err != 0)
			return err;
		cel_tree_add(w, parent, key);
		cel_tree_add(w, parent, value);
		if (w->tree[parent].n > CEL_CHILDREN_MAX)
			return cel_fail(w, w->tree[parent].offset, "too many pairs");
		if (!is_sign(w, ","))
			break;
		err = cel_next(w);
	}
	return err == 0 ? expect(w, "}") : err;
}

static int parse_number(struct cel_work *w, bool negative, uint16_t *ret)
{
	const struct cel_token t = w->token;
	int err = cel_tree_new(w, t.kind == TOKEN_INT ? OP_INT : OP_UINT, t.offset, ret);

	if (err != 0)
		return err;
	if (t.kind == TOKEN_UINT) {
		w->tree[*ret].as.u = t.value;
	} else if (negative) {
		w->tree[*ret].as.i = t.value > INT64_MAX ? INT64_MIN : -(int64_t)t.value;
	} else {
		if (t.value > INT64_MAX)
			return cel_fail(w, t.offset, "the number does not fit 64 bits");
		w->tree[*ret].as.i = (int64_t)t.value;
	}
	return cel_next(w);
}

static int parse_arguments(struct cel_work *w, uint16_t call)
{
	int err = cel_next(w); /* "(" */

	if (err == 0)
		err = parse_list(w, ")", call);
	return err == 0 ? cel_macro(w, call) : err;
}

static int parse_name(struct cel_work *w, bool root, uint16_t *ret)
{
	struct cel_token t = w->token;
	int err;

	if (t.kind != TOKEN_NAME)
		return unexpected(w, "a name");
	if (!root && (text_is(t.t, "true") || text_is(t.t, "false") || text_is(t.t, "null"))) {
		err = cel_tree_new(w,
		                   text_is(t.t, "true")    ? OP_TRUE
		                   : text_is(t.t, "false") ? OP_FALSE
		                                           : OP_NULL,
		                   t.offset, ret);
		return err == 0 ? cel_next(w) : err;
	}
	if (is_keyword(t.t) || is_reserved(t.t))
		return cel_fail(w, t.offset, "\"%.*s\" is a reserved word", (int)t.t.len, t.t.s);
	err = cel_next(w);
	if (err == 0)
		err = cel_tree_new(w, is_sign(w, "(") ? OP_CALL : OP_NAME, t.offset, ret);
	if (err != 0)
		return err;
	w->tree[*ret].as.t = t.t;
	w->tree[*ret].root = root;
	return w->tree[*ret].op == OP_CALL ? parse_arguments(w, *ret) : 0;
}

static int parse_primary(struct cel_work *w, uint16_t *ret)
{
	const struct cel_token t = w->token;
	int err;

	if (t.kind == TOKEN_INT || t.kind == TOKEN_UINT)
		return parse_number(w, false, ret);
	if (t.kind == TOKEN_STRING || t.kind == TOKEN_BYTES) {
		err = cel_tree_new(w, t.kind == TOKEN_STRING ? OP_STRING : OP_BYTES, t.offset, ret);
		if (err == 0)
			w->tree[*ret].as.t = t.t;
		return err == 0 ? cel_next(w) : err;
	}
	if (t.kind == TOKEN_NAME)
		return parse_name(w, false, ret);
	if (t.kind != TOKEN_SIGN || (!is_sign(w, ".") && !is_sign(w, "(") && !is_sign(w, "[") && !is_sign(w, "{")))
		return unexpected(w, "an expression");
	err = cel_next(w);
	if (err != 0)
		return err;
	if (t.t.s[0] == '.')
		return parse_name(w, true, ret);
	if (t.t.s[0] == '(') {
		err = parse_expr(w, ret);
		return err == 0 ? expect(w, ")") : err;
	}
	err = cel_tree_new(w, t.t.s[0] == '[' ? OP_LIST : OP_MAP, t.offset, ret);
	if (err != 0)
		return err;
	return t.t.s[0] == '[' ? parse_list(w, "]", *ret) : parse_map(w, *ret);
}

/* --- members --- */

/* Behind the dot: a field, or a call on *ret. */
static int parse_dot(struct cel_work *w, uint16_t *ret)
{
	const struct cel_token t = w->token;
	uint16_t node;
	int err;

	if ((t.kind != TOKEN_NAME || is_keyword(t.t)) && t.kind != TOKEN_QUOTED)
		return unexpected(w, "a field's name");
	err = cel_next(w);
	if (err != 0)
		return err;
	bool call = t.kind == TOKEN_NAME && is_sign(w, "(");
	err = cel_tree_over(w, call ? OP_CALL : OP_SELECT, t.offset, *ret, 0, &node);
	if (err != 0)
		return err;
	w->tree[node].as.t = t.t;
	w->tree[node].receiver = call;
	*ret = node;
	return call ? parse_arguments(w, node) : 0;
}

static int parse_member(struct cel_work *w, uint16_t *ret)
{
	int err = parse_primary(w, ret);

	while (err == 0) {
		uint32_t offset = w->token.offset;
		if (is_sign(w, ".")) {
			err = cel_next(w);
			if (err == 0)
				err = parse_dot(w, ret);
		} else if (is_sign(w, "[")) {
			uint16_t index;
			err = cel_next(w);
			if (err == 0)
				err = parse_expr(w, &index);
			if (err == 0)
				err = expect(w, "]");
			if (err == 0)
				err = cel_tree_over(w, OP_INDEX, offset, *ret, index, ret);
		} else if (is_sign(w, "{") && (w->tree[*ret].op == OP_NAME || w->tree[*ret].op == OP_SELECT)) {
			return cel_fail(w, offset, "messages are left out: a condition has lists and maps");
		} else {
			return 0;
		}
	}
	return err;
}

static int parse_unary(struct cel_work *w, uint16_t *ret)
{
	const struct cel_token t = w->token;
	const char *sign = is_sign(w, "!") ? "!" : is_sign(w, "-") ? "-" : NULL;
	unsigned n = 0;
	int err = 0;

	for (; sign != NULL && err == 0 && is_sign(w, sign); n++)
		err = cel_next(w);
	if (err != 0)
		return err;
	if (n > CEL_DEPTH_MAX / 2)
		return cel_fail(w, t.offset, "too many signs in a row");
	/* The sign belongs to the number: only so is there a least one. */
	if (n == 1 && sign[0] == '-' && w->token.kind == TOKEN_INT && w->token.value > INT64_MAX)
		return parse_number(w, true, ret);
	err = parse_member(w, ret);
	for (; err == 0 && n > 0; n--)
		err = cel_tree_over(w, sign[0] == '!' ? OP_NOT : OP_NEG, t.offset, *ret, 0, ret);
	return err;
}

/* --- operators --- */

#define LEVEL_OR       1
#define LEVEL_AND      2
#define LEVEL_RELATION 3
#define LEVEL_UNARY    6

/* X(sign, level, operation) */
static const struct {
	const char *sign;
	unsigned level;
	enum cel_op op;
} operators[] = {{"||", LEVEL_OR, OP_OR},
                 {"&&", LEVEL_AND, OP_AND},
                 {"==", LEVEL_RELATION, OP_EQ},
                 {"!=", LEVEL_RELATION, OP_NE},
                 {"<=", LEVEL_RELATION, OP_LE},
                 {">=", LEVEL_RELATION, OP_GE},
                 {"<", LEVEL_RELATION, OP_LT},
                 {">", LEVEL_RELATION, OP_GT},
                 {"+", 4, OP_ADD},
                 {"-", 4, OP_SUB},
                 {"*", 5, OP_MUL},
                 {"/", 5, OP_DIV},
                 {"%", 5, OP_MOD}};

/* The operator of this level that stands here; 0: none. */
static enum cel_op operator_here(const struct cel_work *w, unsigned level)
{
	if (level == LEVEL_RELATION && is_name(w, "in"))
		return OP_IN;
	for (size_t i = 0; i < sizeof(operators) / sizeof(operators[0]); i++)
		if (operators[i].level == level && is_sign(w, operators[i].sign))
			return operators[i].op;
	return OP_NAME;
}

/* All operators associate to the left. && and || in a row are one node: their operands are alike. */
static int parse_level(struct cel_work *w, unsigned level, uint16_t *ret)
{
	int err = level == LEVEL_UNARY ? parse_unary(w, ret) : parse_level(w, level + 1, ret);
	uint16_t row = 0;
	enum cel_op op;

	while (err == 0 && level != LEVEL_UNARY && (op = operator_here(w, level)) != OP_NAME) {
		uint32_t offset = w->token.offset;
		uint16_t right;
		err = cel_next(w);
		if (err == 0)
			err = parse_level(w, level + 1, &right);
		if (err != 0)
			return err;
		if (row != 0) {
			cel_tree_add(w, row, right);
			continue;
		}
		err = cel_tree_over(w, op, offset, *ret, right, ret);
		if (level <= LEVEL_AND)
			row = *ret;
	}
	return err;
}

static int parse_expr(struct cel_work *w, uint16_t *ret)
{
	uint16_t yes, no;
	int err;

	if (++w->depth > CEL_DEPTH_MAX)
		return cel_fail(w, w->token.offset, "nested too deeply: at most %u levels", CEL_DEPTH_MAX);
	err = parse_level(w, LEVEL_OR, ret);
	if (err == 0 && is_sign(w, "?")) {
		uint32_t offset = w->token.offset;
		err = cel_next(w);
		if (err == 0)
			err = parse_level(w, LEVEL_OR, &yes);
		if (err == 0)
			err = expect(w, ":");
		if (err == 0)
			err = parse_expr(w, &no);
		if (err == 0)
			err = cel_tree_over(w, OP_COND, offset, *ret, yes, ret);
		if (err == 0)
			cel_tree_add(w, *ret, no);
	}
	w->depth--;
	return err;
}

int cel_parse(struct cel_work *w, uint16_t *ret)
{
	w->pos = 0;
	w->depth = 0;
	w->n_tree = 1;
	int err = cel_next(w);
	if (err == 0)
		err = parse_expr(w, ret);
	if (err == 0 && w->token.kind != TOKEN_END)
		return unexpected(w, "an operator or the end");
	return err;
}
