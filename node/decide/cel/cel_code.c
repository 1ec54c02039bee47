/* Compiled conditions as bytes, and back: nothing in them is believed before it is checked. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <string.h>

#include "ledger/errors.h"
#include "node/decide/cel/cel_internal.h"

/*
 * A node is its operation, one byte; then, as the operation has it, one byte (a type's kind, a variable's number, a
 * local's depth), a number (LEB128, shortest form; signed ones zigzag) or a text (length, bytes), and the number of
 * children if that is free; then the children.
 */

struct out {
	uint8_t *buf;
	size_t len, cap;
};

static void put(struct out *o, uint8_t b)
{
	if (o->len < o->cap)
		o->buf[o->len] = b;
	o->len++;
}

static void put_number(struct out *o, uint64_t v)
{
	for (; v >= 0x80; v >>= 7)
		put(o, (uint8_t)(v | 0x80));
	put(o, (uint8_t)v);
}

static int children_of(unsigned op)
{
	switch (op) {
#define OP_CHILDREN(name, number, children)                                                                            \
	case number:                                                                                                   \
		return children;
		CEL_OP_LIST(OP_CHILDREN)
#undef OP_CHILDREN
	default:
		return -2;
	}
}

static bool has_arg(unsigned op)
{
	return op == OP_TYPE || op == OP_VARIABLE || op == OP_LOCAL || (op >= OP_ALL && op <= OP_FILTER);
}

static bool has_text(unsigned op)
{
	return op == OP_STRING || op == OP_BYTES || op == OP_SELECT || op == OP_HAS;
}

int cel_write(const struct cel_program *p, unsigned root, uint8_t *buf, size_t cap, size_t *ret_len)
{
	struct out o = {buf, 0, cap};

	for (unsigned i = root; i < p->node[root].end; i++) {
		const struct cel_node *n = &p->node[i];
		put(&o, n->op);
		if (has_arg(n->op))
			put(&o, n->arg);
		if (n->op == OP_INT)
			put_number(&o, (uint64_t)n->as.i << 1 ^ (n->as.i < 0 ? UINT64_MAX : 0));
		if (n->op == OP_UINT)
			put_number(&o, n->as.u);
		if (has_text(n->op)) {
			put_number(&o, n->as.t.len);
			for (size_t k = 0; k < n->as.t.len; k++)
				put(&o, (uint8_t)n->as.t.s[k]);
		}
		if (children_of(n->op) < 0)
			put_number(&o, n->n);
	}
	if (o.len > cap)
		return CS_ERR_TOO_LARGE;
	*ret_len = o.len;
	return 0;
}

struct in {
	const uint8_t *pos, *end;
	struct cel_program *p;
	unsigned depth, scopes;
	int err;
};

static uint64_t bad(struct in *in)
{
	if (in->err == 0)
		in->err = CS_ERR_MALFORMED;
	return 0;
}

static uint8_t take(struct in *in)
{
	return in->pos < in->end ? *in->pos++ : (uint8_t)bad(in);
}

static uint64_t take_number(struct in *in)
{
	uint64_t v = 0;

	for (unsigned shift = 0;; shift += 7) {
		uint8_t b = take(in);
		if (in->err != 0 || (shift == 63 && b > 1) || (shift > 0 && b == 0))
			return bad(in); /* Too long, too large, or not the shortest. */
		v |= (uint64_t)(b & 0x7f) << shift;
		if (b < 0x80)
			return v;
	}
}

static struct text take_text(struct in *in, bool utf8)
{
	uint64_t len = take_number(in);

	if (in->err != 0 || len > (size_t)(in->end - in->pos)) {
		bad(in);
		return (struct text){"", 0};
	}
	struct text t = {(const char *)in->pos, (size_t)len};
	in->pos += len;
	if (utf8 && !cel_utf8(t.s, t.len))
		bad(in);
	return t;
}

static void take_arg(struct in *in, struct cel_node *n)
{
	n->arg = take(in);
	if ((n->op == OP_TYPE && (n->arg < CEL_NULL || n->arg >= CEL_KINDS)) ||
	    (n->op == OP_VARIABLE && n->arg >= CEL_VARIABLES_MAX) || (n->op == OP_LOCAL && n->arg >= in->scopes) ||
	    (n->op >= OP_ALL && n->op <= OP_FILTER && (n->arg != in->scopes || in->scopes == CEL_SCOPES_MAX)))
		bad(in);
}

static void take_children(struct in *in, struct cel_node *n)
{
	int fixed = children_of(n->op);
	uint64_t many = fixed >= 0 ? (uint64_t)fixed : take_number(in);

	if (fixed == -2 || many > CEL_CHILDREN_MAX || ((n->op == OP_AND || n->op == OP_OR) && many < 2) ||
	    (n->op == OP_MAP && many % 2 != 0) || (n->op >= OP_GET_FULL_YEAR && (many < 1 || many > 2)))
		bad(in);
	n->n = (uint16_t)many;
}

static void take_node(struct in *in)
{
	if (in->p->n == CEL_NODES_MAX || in->depth == CEL_DEPTH_MAX) {
		in->err = in->err != 0 ? in->err : CS_ERR_TOO_LARGE;
		return;
	}
	struct cel_node *n = &in->p->node[in->p->n++];
	*n = (struct cel_node){.op = take(in)};
	if (has_arg(n->op))
		take_arg(in, n);
	if (n->op == OP_INT) {
		uint64_t z = take_number(in);
		n->as.i = (int64_t)(z >> 1 ^ (z & 1 ? UINT64_MAX : 0));
	} else if (n->op == OP_UINT) {
		n->as.u = take_number(in);
	} else if (has_text(n->op)) {
		n->as.t = take_text(in, n->op != OP_BYTES);
	}
	take_children(in, n);
	bool macro = n->op >= OP_ALL && n->op <= OP_FILTER;
	in->depth++;
	for (unsigned i = 0; i < n->n && in->err == 0; i++) {
		in->scopes += macro && i == 1; /* The range does not see the name. */
		take_node(in);
	}
	in->scopes -= macro && in->err == 0;
	in->depth--;
	n->end = in->p->n;
}

int cel_read(struct cel_program *p, const uint8_t *bytes, size_t len, uint16_t *ret_root)
{
	struct in in = {.pos = bytes, .end = bytes + len, .p = p};
	uint16_t root = p->n;

	take_node(&in);
	if (in.err == 0 && in.pos != in.end)
		bad(&in);
	if (in.err != 0) {
		p->n = root;
		return in.err;
	}
	*ret_root = root;
	return 0;
}
