/* Operations, syntax trees and what the parts of the CEL compiler and evaluator share. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODE_DECIDE_CEL_INTERNAL_H
#define NODE_DECIDE_CEL_INTERNAL_H

#include "node/decide/cel/cel.h"

#define CEL_TREE_MAX     1024                    /* Nodes of one condition. */
#define CEL_TEXT_MAX     32768                   /* Bytes of literals: more than a policy's source can have. */
#define CEL_TYPES_MAX    1024                    /* Different lists and maps in one condition. */
#define CEL_UNKNOWN      (CEL_VARIABLES_MAX - 1) /* CEL_UNCHECKED: a variable that is never declared. */
#define CEL_CHILDREN_MAX 512                     /* Of one node: two bytes. */

/*
 * Operations. Numbers are in compiled policies: for ever. X(name, number, children: -1 any)
 * Literals and names first: they have no children.
 */
#define CEL_OP_LIST(X)                                                                                                 \
	X(OP_NULL, 1, 0)                                                                                               \
	X(OP_FALSE, 2, 0)                                                                                              \
	X(OP_TRUE, 3, 0)                                                                                               \
	X(OP_INT, 4, 0)                                                                                                \
	X(OP_UINT, 5, 0)                                                                                               \
	X(OP_STRING, 6, 0)                                                                                             \
	X(OP_BYTES, 7, 0)                                                                                              \
	X(OP_TYPE, 8, 0)                                                                                               \
	X(OP_VARIABLE, 9, 0)                                                                                           \
	X(OP_LOCAL, 10, 0)                                                                                             \
	X(OP_LIST, 16, -1)                                                                                             \
	X(OP_MAP, 17, -1)                                                                                              \
	X(OP_SELECT, 18, 1)                                                                                            \
	X(OP_HAS, 19, 1)                                                                                               \
	X(OP_INDEX, 20, 2)                                                                                             \
	X(OP_NOT, 21, 1)                                                                                               \
	X(OP_NEG, 22, 1)                                                                                               \
	X(OP_AND, 23, -1)                                                                                              \
	X(OP_OR, 24, -1)                                                                                               \
	X(OP_COND, 25, 3)                                                                                              \
	X(OP_ADD, 26, 2)                                                                                               \
	X(OP_SUB, 27, 2)                                                                                               \
	X(OP_MUL, 28, 2)                                                                                               \
	X(OP_DIV, 29, 2)                                                                                               \
	X(OP_MOD, 30, 2)                                                                                               \
	X(OP_EQ, 31, 2)                                                                                                \
	X(OP_NE, 32, 2)                                                                                                \
	X(OP_LT, 33, 2)                                                                                                \
	X(OP_LE, 34, 2)                                                                                                \
	X(OP_GT, 35, 2)                                                                                                \
	X(OP_GE, 36, 2)                                                                                                \
	X(OP_IN, 37, 2)                                                                                                \
	X(OP_ALL, 48, 2)                                                                                               \
	X(OP_EXISTS, 49, 2)                                                                                            \
	X(OP_EXISTS_ONE, 50, 2)                                                                                        \
	X(OP_MAP_EACH, 51, 2)                                                                                          \
	X(OP_MAP_SOME, 52, 3)                                                                                          \
	X(OP_FILTER, 53, 2)                                                                                            \
	X(OP_SIZE, 64, 1)                                                                                              \
	X(OP_CONTAINS, 65, 2)                                                                                          \
	X(OP_STARTS_WITH, 66, 2)                                                                                       \
	X(OP_ENDS_WITH, 67, 2)                                                                                         \
	X(OP_MATCHES, 68, 2)                                                                                           \
	X(OP_TO_INT, 69, 1)                                                                                            \
	X(OP_TO_UINT, 70, 1)                                                                                           \
	X(OP_TO_STRING, 71, 1)                                                                                         \
	X(OP_TO_BYTES, 72, 1)                                                                                          \
	X(OP_TO_BOOL, 73, 1)                                                                                           \
	X(OP_TO_TYPE, 74, 1)                                                                                           \
	X(OP_TO_DYN, 75, 1)                                                                                            \
	X(OP_TO_TIMESTAMP, 76, 1)                                                                                      \
	X(OP_TO_DURATION, 77, 1)                                                                                       \
	X(OP_LOWER_ASCII, 78, 1)                                                                                       \
	X(OP_UPPER_ASCII, 79, 1)                                                                                       \
	X(OP_GET_FULL_YEAR, 96, -1)                                                                                    \
	X(OP_GET_MONTH, 97, -1)                                                                                        \
	X(OP_GET_DATE, 98, -1)                                                                                         \
	X(OP_GET_DAY_OF_MONTH, 99, -1)                                                                                 \
	X(OP_GET_DAY_OF_WEEK, 100, -1)                                                                                 \
	X(OP_GET_DAY_OF_YEAR, 101, -1)                                                                                 \
	X(OP_GET_HOURS, 102, -1)                                                                                       \
	X(OP_GET_MINUTES, 103, -1)                                                                                     \
	X(OP_GET_SECONDS, 104, -1)                                                                                     \
	X(OP_GET_MILLISECONDS, 105, -1)

enum cel_op {
	OP_NAME = 0,   /* Of trees only: an identifier that is not resolved yet. */
	OP_CALL = 255, /* Of trees only: a function that is not resolved yet. */
#define CEL_OP_ENUM(name, number, children) name = number,
	CEL_OP_LIST(CEL_OP_ENUM)
#undef CEL_OP_ENUM
};

/* --- reading the source --- */

enum cel_token_kind {
	TOKEN_END,
	TOKEN_NAME,
	TOKEN_INT,
	TOKEN_UINT,
	TOKEN_STRING,
	TOKEN_BYTES,
	TOKEN_QUOTED,
	TOKEN_SIGN,
	TOKEN_BAD,
};
struct cel_token {
	enum cel_token_kind kind;
	uint32_t offset;
	struct text t;  /* As it stands; of strings what it means. */
	uint64_t value; /* Of a number, without its sign. */
};

/* A node of the syntax tree. Children are a list. */
struct cel_tree {
	uint8_t op, arg;
	uint8_t root, receiver;        /* OP_NAME: with a leading dot; OP_CALL: the first child is its receiver. */
	uint16_t n, first, last, next; /* 0: none (node 0 is never used). */
	uint16_t type;                 /* As checked: index into the types. */
	uint32_t offset;
	union {
		int64_t i;
		uint64_t u;
		struct text t;
	} as;
};

/* list(a), map(a, b), a variable with fields of its own; below CEL_KINDS: the kinds themselves. */
struct cel_type {
	uint8_t kind;
	uint16_t a, b;
	const struct cel_declaration *object;
};

struct cel_work {
	/* For all conditions. */
	unsigned n_text;
	char text[CEL_TEXT_MAX];
	/* For one. */
	struct text source;
	const struct cel_env *env;
	unsigned flags;
	struct cel_error *error;
	uint32_t pos;
	struct cel_token token;
	unsigned depth;
	unsigned n_tree;
	struct cel_tree tree[CEL_TREE_MAX];
	unsigned n_types;
	struct cel_type types[CEL_TYPES_MAX];
	unsigned n_scopes;
	struct {
		struct text name;
		uint16_t type;
	} scopes[CEL_SCOPES_MAX];
};

/* Writes the error and returns CS_ERR_INVALID; the first one stays. */
int cel_fail(struct cel_work *w, uint32_t offset, const char *format, ...) __attribute__((format(printf, 3, 4)));
int cel_next(struct cel_work *w);                      /* The next token into w->token. */
bool cel_text_byte(struct cel_work *w, char c);        /* Appends to w->text. False: it is full. */
size_t cel_utf8_put(char ret[4], uint32_t code_point); /* Bytes written. */
/* cel_tree.c */
int cel_tree_new(struct cel_work *w, enum cel_op op, uint32_t offset, uint16_t *ret);
void cel_tree_add(struct cel_work *w, uint16_t parent, uint16_t child);
/* A node over one or two others; b 0: one. */
int cel_tree_over(struct cel_work *w, enum cel_op op, uint32_t offset, uint16_t a, uint16_t b, uint16_t *ret);
int cel_parse(struct cel_work *w, uint16_t *ret); /* cel_parse.c */
int cel_macro(struct cel_work *w, uint16_t call); /* cel_macro.c: a call that is one becomes its node. */
int cel_check(struct cel_work *w, uint16_t root); /* cel_check.c: resolves names and calls. */
/* cel_names.c */
int cel_check_name(struct cel_work *w, struct cel_tree *t);
bool cel_check_dotted(struct cel_work *w, struct cel_tree *t); /* a.b.c, if it is the name of a variable or a type. */
int cel_becomes_unknown(struct cel_tree *t);                   /* Left to fail at evaluation. */
/* cel_types.c */
uint16_t cel_type_list(struct cel_work *w, uint16_t of);
uint16_t cel_type_map(struct cel_work *w, uint16_t key, uint16_t value);
uint16_t cel_type_of(struct cel_work *w, const struct cel_declaration *d);
bool cel_type_fits(const struct cel_work *w, uint16_t a, uint16_t b);     /* One of them is known to be no other. */
uint16_t cel_type_join(const struct cel_work *w, uint16_t a, uint16_t b); /* Of fitting ones: what both are. */
void cel_type_text(const struct cel_work *w, uint16_t t, char *ret, size_t cap);
/* cel_overloads.c: the type that a call of this operation gives; CEL_ERROR: there is no such overload. */
uint16_t cel_overload(struct cel_work *w, enum cel_op op, const uint16_t *args, unsigned n);
/* The operation of a function; OP_NAME: none. *ret_known: there is one of this name, but called otherwise. */
enum cel_op cel_function(struct text name, bool receiver, unsigned n_args, bool *ret_known);
const char *cel_op_text(enum cel_op op);              /* As in the source, for errors. */
uint64_t cel_cost(struct cel_work *w, uint16_t root); /* cel_cost.c: the most steps that it can take. */

/* --- values --- */

bool cel_utf8(const char *s, size_t len); /* Well-formed; NUL is fine in the language. */
size_t cel_code_points(const char *s, size_t len);
/* The next code point of well-formed UTF-8; moves on. */
uint32_t cel_code_point(const char **s, const char *end);
struct cel_value cel_duration(int64_t ns);
struct cel_value cel_timestamp(int64_t seconds, uint32_t nanos); /* Or a fault: out of range. */
struct cel_value cel_time_parse(struct text t);                  /* RFC 3339. */
struct cel_value cel_duration_parse(struct text t);              /* "1h30m", "-1.5s" */
#define CEL_TIME_TEXT_MAX 40
size_t cel_time_text(const struct cel_value *v, char ret[CEL_TIME_TEXT_MAX]); /* Of a timestamp or a duration. */
struct cel_value cel_time_get(enum cel_op op, const struct cel_value *v, const struct cel_value *zone);
struct cel_value cel_time_add(const struct cel_value *a, const struct cel_value *b);
struct cel_value cel_time_sub(const struct cel_value *a, const struct cel_value *b);

/* --- evaluating --- */

bool cel_spend(struct cel_run *r, uint64_t steps);          /* False: no steps are left, now or ever. */
struct cel_value *cel_cells(struct cel_run *r, uint32_t n); /* NULL: no room. */
char *cel_bytes(struct cel_run *r, size_t n);               /* NULL: no room. */
bool cel_equal(struct cel_run *r, const struct cel_value *a, const struct cel_value *b);
/* The value of a key, NULL: none. Numbers are equal across their types. */
const struct cel_value *cel_lookup(struct cel_run *r, const struct cel_value *map, const struct cel_value *key);
struct cel_value cel_apply(struct cel_run *r, enum cel_op op, const struct cel_value *a, unsigned n); /* Operators. */
struct cel_value cel_convert(struct cel_run *r, enum cel_op op, const struct cel_value *a);
struct cel_value cel_matches(struct cel_run *r, const struct cel_value *t, const struct cel_value *pattern);
/* NULL, or what is wrong with the pattern. *ret_cost: of compiling it and searching a text of so many bytes. */
const char *cel_regex_check(struct text pattern, uint64_t bytes, uint64_t *ret_cost);

#endif
