/* CEL's operators and functions on values: arithmetic, order, strings. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <string.h>

#include "node/decide/cel/cel_internal.h"

/* --- arithmetic --- */

static struct cel_value on_ints(enum cel_op op, int64_t a, int64_t b)
{
	int64_t v = 0;
	bool over = false;

	switch (op) {
	case OP_ADD:
		over = __builtin_add_overflow(a, b, &v);
		break;
	case OP_SUB:
		over = __builtin_sub_overflow(a, b, &v);
		break;
	case OP_MUL:
		over = __builtin_mul_overflow(a, b, &v);
		break;
	default:
		if (b == 0)
			return cel_fault(op == OP_DIV ? CEL_FAULT_DIVISION : CEL_FAULT_MODULUS);
		over = a == INT64_MIN && b == -1;
		if (!over)
			v = op == OP_DIV ? a / b : a % b;
	}
	return over ? cel_fault(CEL_FAULT_OVERFLOW) : cel_int(v);
}

static struct cel_value on_uints(enum cel_op op, uint64_t a, uint64_t b)
{
	uint64_t v = 0;
	bool over = false;

	switch (op) {
	case OP_ADD:
		over = __builtin_add_overflow(a, b, &v);
		break;
	case OP_SUB:
		over = __builtin_sub_overflow(a, b, &v);
		break;
	case OP_MUL:
		over = __builtin_mul_overflow(a, b, &v);
		break;
	default:
		if (b == 0)
			return cel_fault(op == OP_DIV ? CEL_FAULT_DIVISION : CEL_FAULT_MODULUS);
		v = op == OP_DIV ? a / b : a % b;
	}
	return over ? cel_fault(CEL_FAULT_OVERFLOW) : (struct cel_value){.kind = CEL_UINT, .as.u = v};
}

static struct cel_value join(struct cel_run *r, const struct cel_value *a, const struct cel_value *b)
{
	struct cel_value v = {.kind = a->kind, .n = a->n + b->n};

	if (!cel_spend(r, (a->kind == CEL_LIST ? v.n : v.n / 16)))
		return cel_fault(CEL_FAULT_COST);
	if (a->kind == CEL_LIST) {
		struct cel_value *cells = cel_cells(r, v.n);
		if (cells == NULL)
			return cel_fault(CEL_FAULT_ROOM);
		for (uint32_t i = 0; i < v.n; i++)
			cells[i] = i < a->n ? a->as.cells[i] : b->as.cells[i - a->n];
		v.as.cells = cells;
		return v;
	}
	char *bytes = cel_bytes(r, v.n);
	if (bytes == NULL)
		return cel_fault(CEL_FAULT_ROOM);
	if (a->n > 0)
		memcpy(bytes, a->as.s, a->n);
	if (b->n > 0)
		memcpy(bytes + a->n, b->as.s, b->n);
	v.as.s = bytes;
	return v;
}

static struct cel_value arithmetic(struct cel_run *r, enum cel_op op, const struct cel_value *a,
                                   const struct cel_value *b)
{
	if (a->kind == CEL_INT && b->kind == CEL_INT)
		return on_ints(op, a->as.i, b->as.i);
	if (a->kind == CEL_UINT && b->kind == CEL_UINT)
		return on_uints(op, a->as.u, b->as.u);
	bool times = (a->kind == CEL_TIMESTAMP || a->kind == CEL_DURATION) &&
	             (b->kind == CEL_TIMESTAMP || b->kind == CEL_DURATION);
	if (op == OP_ADD && times)
		return cel_time_add(a, b);
	if (op == OP_SUB && times)
		return cel_time_sub(a, b);
	if (op == OP_ADD && a->kind == b->kind &&
	    (a->kind == CEL_STRING || a->kind == CEL_BYTES || a->kind == CEL_LIST))
		return join(r, a, b);
	return cel_fault(CEL_FAULT_OVERLOAD);
}

static struct cel_value negate(const struct cel_value *a)
{
	if (a->kind != CEL_INT)
		return cel_fault(CEL_FAULT_OVERLOAD);
	return a->as.i == INT64_MIN ? cel_fault(CEL_FAULT_OVERFLOW) : cel_int(-a->as.i);
}

/* --- order --- */

static int order(uint64_t a, uint64_t b)
{
	return a < b ? -1 : a > b;
}

static int order_signed(int64_t a, int64_t b)
{
	return a < b ? -1 : a > b;
}

static int order_bytes(const struct cel_value *a, const struct cel_value *b)
{
	uint32_t n = a->n < b->n ? a->n : b->n;
	int c = n > 0 ? memcmp(a->as.s, b->as.s, n) : 0;

	return c != 0 ? c : order(a->n, b->n);
}

/* False: the two have no order. */
static bool compare(const struct cel_value *a, const struct cel_value *b, int *ret)
{
	if (a->kind == CEL_INT && b->kind == CEL_UINT)
		*ret = a->as.i < 0 ? -1 : order((uint64_t)a->as.i, b->as.u);
	else if (a->kind == CEL_UINT && b->kind == CEL_INT)
		*ret = b->as.i < 0 ? 1 : order(a->as.u, (uint64_t)b->as.i);
	else if (a->kind != b->kind)
		return false;
	else if (a->kind == CEL_INT || a->kind == CEL_DURATION)
		*ret = order_signed(a->as.i, b->as.i);
	else if (a->kind == CEL_UINT)
		*ret = order(a->as.u, b->as.u);
	else if (a->kind == CEL_BOOL)
		*ret = a->as.b - b->as.b;
	else if (a->kind == CEL_STRING || a->kind == CEL_BYTES)
		*ret = order_bytes(a, b);
	else if (a->kind == CEL_TIMESTAMP)
		*ret = a->as.i != b->as.i ? order_signed(a->as.i, b->as.i) : order(a->n, b->n);
	else
		return false;
	return true;
}

static struct cel_value relation(struct cel_run *r, enum cel_op op, const struct cel_value *a,
                                 const struct cel_value *b)
{
	int c = 0;

	if ((a->kind == CEL_STRING || a->kind == CEL_BYTES) && !cel_spend(r, a->n / 16))
		return cel_fault(CEL_FAULT_COST);
	if (!compare(a, b, &c))
		return cel_fault(CEL_FAULT_OVERLOAD);
	return cel_bool(op == OP_LT ? c < 0 : op == OP_LE ? c <= 0 : op == OP_GT ? c > 0 : c >= 0);
}

static struct cel_value is_in(struct cel_run *r, const struct cel_value *a, const struct cel_value *b)
{
	if (b->kind == CEL_MAP)
		return cel_bool(cel_lookup(r, b, a) != NULL);
	if (b->kind != CEL_LIST)
		return cel_fault(CEL_FAULT_OVERLOAD);
	for (uint32_t i = 0; i < b->n; i++)
		if (cel_equal(r, a, &b->as.cells[i]))
			return cel_bool(true);
	return cel_bool(false);
}

/* --- strings --- */

static struct cel_value size(struct cel_run *r, const struct cel_value *a)
{
	if (a->kind == CEL_STRING)
		return cel_spend(r, a->n / 16) ? cel_int((int64_t)cel_code_points(a->as.s, a->n))
		                               : cel_fault(CEL_FAULT_COST);
	return a->kind == CEL_BYTES || a->kind == CEL_LIST || a->kind == CEL_MAP ? cel_int(a->n)
	                                                                         : cel_fault(CEL_FAULT_OVERLOAD);
}

static struct cel_value find(struct cel_run *r, enum cel_op op, const struct cel_value *a, const struct cel_value *b)
{
	if (a->kind != CEL_STRING || b->kind != CEL_STRING)
		return cel_fault(CEL_FAULT_OVERLOAD);
	if (!cel_spend(r, (a->n + b->n) / 16))
		return cel_fault(CEL_FAULT_COST);
	if (b->n == 0 || b->n > a->n)
		return cel_bool(b->n == 0);
	switch (op) {
	case OP_STARTS_WITH:
		return cel_bool(memcmp(a->as.s, b->as.s, b->n) == 0);
	case OP_ENDS_WITH:
		return cel_bool(memcmp(a->as.s + a->n - b->n, b->as.s, b->n) == 0);
	default:
		return cel_bool(memmem(a->as.s, a->n, b->as.s, b->n) != NULL); /* Linear in glibc. */
	}
}

static struct cel_value change_case(struct cel_run *r, enum cel_op op, const struct cel_value *a)
{
	char from = op == OP_LOWER_ASCII ? 'A' : 'a';

	if (a->kind != CEL_STRING)
		return cel_fault(CEL_FAULT_OVERLOAD);
	char *bytes = cel_spend(r, a->n / 16) ? cel_bytes(r, a->n) : NULL;
	if (bytes == NULL)
		return cel_fault(CEL_FAULT_ROOM);
	for (uint32_t i = 0; i < a->n; i++)
		bytes[i] = a->as.s[i] >= from && a->as.s[i] <= from + 25 ? (char)(a->as.s[i] ^ 0x20) : a->as.s[i];
	return cel_string((struct text){bytes, a->n});
}

struct cel_value cel_apply(struct cel_run *r, enum cel_op op, const struct cel_value *a, unsigned n)
{
	switch (op) {
	case OP_NOT:
		return a->kind == CEL_BOOL ? cel_bool(!a->as.b) : cel_fault(CEL_FAULT_OVERLOAD);
	case OP_NEG:
		return negate(a);
	case OP_ADD:
	case OP_SUB:
	case OP_MUL:
	case OP_DIV:
	case OP_MOD:
		return arithmetic(r, op, &a[0], &a[1]);
	case OP_EQ:
	case OP_NE:
		return cel_bool(cel_equal(r, &a[0], &a[1]) == (op == OP_EQ));
	case OP_LT:
	case OP_LE:
	case OP_GT:
	case OP_GE:
		return relation(r, op, &a[0], &a[1]);
	case OP_IN:
		return is_in(r, &a[0], &a[1]);
	case OP_SIZE:
		return size(r, a);
	case OP_CONTAINS:
	case OP_STARTS_WITH:
	case OP_ENDS_WITH:
		return find(r, op, &a[0], &a[1]);
	case OP_MATCHES:
		return cel_matches(r, &a[0], &a[1]);
	case OP_LOWER_ASCII:
	case OP_UPPER_ASCII:
		return change_case(r, op, a);
	default:
		if (op >= OP_GET_FULL_YEAR && op <= OP_GET_MILLISECONDS)
			return cel_time_get(op, a, n > 1 ? &a[1] : NULL);
		return cel_convert(r, op, a);
	}
}
