/* CEL conditions: compiled once when a policy is accepted, evaluated within bounds, without allocation. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODE_DECIDE_CEL_CEL_H
#define NODE_DECIDE_CEL_CEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "node/decide/command.h"

/*
 * The language is that of github.com/google/cel-spec, doc/langdef.md; node/POLICY.md says which part of it. Doubles are
 * not part: decisions are made without floating point, and the same on every machine.
 */

#define CEL_SOURCE_SIZE_MAX 4096 /* Of one condition. */
#define CEL_DEPTH_MAX       128 /* Expressions within expressions: bounds the stack, when compiled and when evaluated. */
#define CEL_SCOPES_MAX      8   /* Macros within macros. */
#define CEL_NODES_MAX       4096   /* Of all conditions of a policy. */
#define CEL_CELLS_MAX       1024   /* Values within lists and maps that one evaluation may make. */
#define CEL_BYTES_MAX       8192   /* Bytes of strings that one evaluation may make. */
#define CEL_COST_MAX        20000  /* Steps that one condition may take in the worst case. */
#define CEL_POLICY_COST_MAX 100000 /* All conditions for one request: about a millisecond. */
#define CEL_VARIABLES_MAX   64

/* --- values --- */

/* X(name, the type's name in the language). The first ones are no types of values. */
#define CEL_KIND_LIST(X)                                                                                               \
	X(CEL_ERROR, "error")                                                                                          \
	X(CEL_DYN, "dyn")                                                                                              \
	X(CEL_NULL, "null_type")                                                                                       \
	X(CEL_BOOL, "bool")                                                                                            \
	X(CEL_INT, "int")                                                                                              \
	X(CEL_UINT, "uint")                                                                                            \
	X(CEL_STRING, "string")                                                                                        \
	X(CEL_BYTES, "bytes")                                                                                          \
	X(CEL_LIST, "list")                                                                                            \
	X(CEL_MAP, "map")                                                                                              \
	X(CEL_TYPE, "type")                                                                                            \
	X(CEL_TIMESTAMP, "google.protobuf.Timestamp")                                                                  \
	X(CEL_DURATION, "google.protobuf.Duration")                                                                    \
	X(CEL_DOUBLE, "double") /* The name only: there are no such values. */

enum cel_kind {
#define CEL_KIND_ENUM(name, text) name,
	CEL_KIND_LIST(CEL_KIND_ENUM)
#undef CEL_KIND_ENUM
	        CEL_KINDS
};
const char *cel_kind_text(unsigned kind);

/* X(name, text): why an evaluation fails. */
#define CEL_FAULT_LIST(X)                                                                                              \
	X(CEL_FAULT_OVERLOAD, "no such overload")                                                                      \
	X(CEL_FAULT_KEY, "no such key")                                                                                \
	X(CEL_FAULT_REPEATED, "repeated key")                                                                          \
	X(CEL_FAULT_KEY_TYPE, "unsupported key type")                                                                  \
	X(CEL_FAULT_INDEX, "index out of bounds")                                                                      \
	X(CEL_FAULT_OVERFLOW, "overflow")                                                                              \
	X(CEL_FAULT_DIVISION, "division by zero")                                                                      \
	X(CEL_FAULT_MODULUS, "modulus by zero")                                                                        \
	X(CEL_FAULT_RANGE, "range error")                                                                              \
	X(CEL_FAULT_CONVERSION, "type conversion error")                                                               \
	X(CEL_FAULT_UTF8, "invalid UTF-8")                                                                             \
	X(CEL_FAULT_ZONE, "unknown time zone")                                                                         \
	X(CEL_FAULT_REGEX, "invalid regular expression")                                                               \
	X(CEL_FAULT_VARIABLE, "no such variable")                                                                      \
	X(CEL_FAULT_COST, "too many steps")                                                                            \
	X(CEL_FAULT_ROOM, "too much memory for lists or strings")                                                      \
	X(CEL_FAULT_NOT_BOOL, "the condition gave no bool")

enum cel_fault {
#define CEL_FAULT_ENUM(name, text) name,
	CEL_FAULT_LIST(CEL_FAULT_ENUM)
#undef CEL_FAULT_ENUM
};
const char *cel_fault_text(unsigned fault);

/* What it points to is the evaluation's, the program's or the request's. */
struct cel_value {
	uint8_t kind;
	uint32_t n; /* Bytes of a string, values of a list, pairs of a map, nanoseconds of a timestamp. */
	union {
		bool b;
		int64_t i;                     /* CEL_INT; seconds of a timestamp; nanoseconds of a duration. */
		uint64_t u;                    /* CEL_UINT; the kind that a CEL_TYPE names; the fault. */
		const char *s;                 /* CEL_STRING (UTF-8), CEL_BYTES. */
		const struct cel_value *cells; /* CEL_LIST; CEL_MAP: key, value, key, value, … */
	} as;
};

struct cel_value cel_fault(enum cel_fault f);
struct cel_value cel_bool(bool b);
struct cel_value cel_int(int64_t i);
struct cel_value cel_string(struct text t);
/* In the language's own syntax; always ends with NUL. False: it did not fit. */
bool cel_print(const struct cel_value *v, char *ret, size_t cap);

/* --- compiling --- */

/* Type of a variable as the checker sees it: of a list or a map also that of what is in it. */
struct cel_declaration {
	const char *name; /* Dots are fine. */
	unsigned number;  /* In compiled forms: below CEL_VARIABLES_MAX. */
	uint8_t kind, of; /* enum cel_kind: CEL_DYN is unchecked; CEL_MAP has string keys. */
	/* CEL_MAP: type of a field; CEL_ERROR: it has none of this name. NULL: every name, of type `of`. */
	uint8_t (*field)(struct text name);
	unsigned bytes_max, count_max; /* Bounds for the estimate of cost. */
};
struct cel_env {
	const struct cel_declaration *declarations;
	unsigned n;
};

/* A node of a compiled expression, its children right behind it. */
struct cel_node {
	uint8_t op;
	uint8_t arg;  /* Kind of a type, number of a variable, depth of a local one. */
	uint16_t n;   /* Children. */
	uint16_t end; /* Index behind the last node below. */
	union {
		int64_t i;
		uint64_t u;
		struct text t;
	} as;
};
struct cel_program {
	uint16_t n;
	struct cel_node node[CEL_NODES_MAX];
};

/* Where and why: the offset is into the source, in bytes. */
struct cel_error {
	uint32_t offset;
	char text[200];
};

struct cel_work; /* What a compilation needs, for a number of conditions; texts of programs point into it. */
struct cel_work *cel_work_new(void); /* NULL: no memory. */
void cel_work_free(struct cel_work *w);

enum cel_flags {
	CEL_UNCHECKED = 1, /* Types are not checked, only at evaluation: for tests of the language. */
	CEL_WANTS_BOOL = 2,
};
/*
 * Appends to *p the nodes of a source that outlives it. *ret_cost: at most so many steps. CS_ERR_INVALID with
 * *ret_error, CS_ERR_TOO_LARGE (no more room in the program).
 */
int cel_compile(struct cel_work *w, const struct cel_env *env, struct text source, unsigned flags,
                struct cel_program *p, uint16_t *ret_root, uint32_t *ret_cost, struct cel_error *ret_error);

/* The canonical bytes of the expression at root. CS_ERR_TOO_LARGE: they do not fit. */
int cel_write(const struct cel_program *p, unsigned root, uint8_t *buf, size_t cap, size_t *ret_len);
/* Appends to *p what such bytes hold; its texts point into them. Whatever they are, what is taken evaluates safely. */
int cel_read(struct cel_program *p, const uint8_t *bytes, size_t len, uint16_t *ret_root);

/* --- evaluating --- */

struct cel_run {
	const struct cel_program *program;
	uint32_t budget; /* Steps left; shared by all conditions of a request. */
	/* Fills in a variable when it is first asked for. */
	struct cel_value (*variable)(void *ctx, unsigned number);
	void *ctx;
	struct cel_value known[CEL_VARIABLES_MAX]; /* CEL_DYN: not asked for yet. */
	struct cel_value locals[CEL_SCOPES_MAX];
	unsigned n_cells, n_bytes;
	struct cel_value cells[CEL_CELLS_MAX];
	char bytes[CEL_BYTES_MAX];
};
void cel_run_init(struct cel_run *r, const struct cel_program *p, struct cel_value (*variable)(void *, unsigned),
                  void *ctx);
/* The value is good until the next call. */
struct cel_value cel_evaluate(struct cel_run *r, unsigned root);

#endif
