/* Programs of regular expressions: what the parser makes and the matcher runs. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODE_DECIDE_CEL_CEL_REGEX_H
#define NODE_DECIDE_CEL_CEL_REGEX_H

#include <stdbool.h>
#include <stdint.h>

#include "node/decide/command.h"

#define REGEX_CODE_MAX   512 /* Steps for each character at most: what bounds a match. */
#define REGEX_RANGES_MAX 256
#define REGEX_DEPTH_MAX  32   /* Groups within groups. */
#define REGEX_WORK_MAX   2048 /* Parts read, those of repetitions again each time. */

enum regex_op {
	REGEX_CLASS, /* One character of n ranges from first on. */
	REGEX_SPLIT, /* Goes on at pc + x and at pc + y: where it stands makes no difference, so code can be moved. */
	REGEX_BEGIN,
	REGEX_END,
	REGEX_LINE_BEGIN,
	REGEX_LINE_END,
	REGEX_WORD,
	REGEX_NO_WORD,
	REGEX_MATCH,
};
struct regex_code {
	uint8_t op;
	bool negated;
	int16_t x, y;
	uint16_t first, n;
};
struct regex_range {
	uint32_t low, high;
};
struct regex {
	unsigned n_code, n_ranges;
	unsigned work; /* Parts read. */
	struct regex_code code[REGEX_CODE_MAX];
	struct regex_range ranges[REGEX_RANGES_MAX];
};

/* NULL, or what is wrong with the pattern (UTF-8). */
const char *regex_compile(struct regex *ret, struct text pattern);
/* Steps, in the evaluator's measure, to compile it and to search a text of so many bytes. */
uint64_t regex_cost(const struct regex *re, uint64_t bytes);
/* Does it fit any part of the text (UTF-8)? At most (text + 1) * code steps. */
bool regex_search(const struct regex *re, struct text t);

#endif
