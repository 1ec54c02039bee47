/* Expressions evaluated from their text: for tools and tests. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODE_DECIDE_CEL_CEL_TEXT_H
#define NODE_DECIDE_CEL_CEL_TEXT_H

#include "node/decide/cel/cel_request.h"

/* A variable beside those of a request: its value is that of another expression, its type dyn. */
struct cel_binding {
	const char *name, *source;
};

enum cel_outcome {
	CEL_OUTCOME_VALUE,   /* ret_text: the value in the language's own syntax. */
	CEL_OUTCOME_FAULT,   /* It could not be evaluated: why. */
	CEL_OUTCOME_REFUSED, /* It does not compile: where and why. */
};
/*
 * q: variables of a request, or NULL: there are none but the bindings. flags: enum cel_flags. Takes memory; not for
 * decide. A text that is too long is cut.
 */
enum cel_outcome cel_eval_text(const char *source, const struct cel_binding *bindings, unsigned n_bindings,
                               struct cel_request *q, unsigned flags, char *ret_text, size_t cap);
/* Line and column, from 1, of an offset into a source. */
void cel_place(struct text source, uint32_t offset, unsigned *ret_line, unsigned *ret_column);

#endif
