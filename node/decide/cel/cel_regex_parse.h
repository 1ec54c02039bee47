/* The parser of regular expressions: what its parts share. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODE_DECIDE_CEL_CEL_REGEX_PARSE_H
#define NODE_DECIDE_CEL_CEL_REGEX_PARSE_H

#include "node/decide/cel/cel_regex.h"

struct regex_parse {
	struct regex *re;
	const char *pos, *end;
	unsigned depth, work;
	bool any_case, multi_line, dot_newline;
	const char *error;
	struct regex_code spare; /* Written to where there is no room. */
};

bool regex_fail(struct regex_parse *p, const char *why); /* The first one stays. False. */
bool regex_more(const struct regex_parse *p);            /* Something is left, and nothing failed. */
bool regex_take(struct regex_parse *p, const char *s);   /* Passes over it if it stands here. */
/* The next instruction; one that nobody runs if there is no room. */
struct regex_code *regex_emit(struct regex_parse *p, enum regex_op op);
void regex_emit_char(struct regex_parse *p, uint32_t c);
/* A class of the ranges from first on. */
void regex_emit_class(struct regex_parse *p, unsigned first, bool negated);
void regex_add_range(struct regex_parse *p, uint32_t low, uint32_t high);
bool regex_perl_class(struct regex_parse *p);  /* d, s, w and their opposites, behind the backslash. */
void regex_brackets(struct regex_parse *p);    /* A class, behind the opening bracket. */
uint32_t regex_escaped(struct regex_parse *p); /* Behind a backslash: what stands for one character. */

#endif
