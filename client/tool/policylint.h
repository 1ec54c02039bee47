/* What is wrong with a policy or a file of cases, shown in its own text; and what is legal but seldom meant. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLIENT_TOOL_POLICYLINT_H
#define CLIENT_TOOL_POLICYLINT_H

#include <jansson.h>
#include <stddef.h>

#include "node/decide/policy.h"
#include "node/decide/policy_form.h"

/* Prints "path:line:column: why" and the line with a mark under the place. Returns EXIT_USAGE. */
int policylint_fail(const char *command, const char *path, const char *text, size_t len,
                    const struct policy_error *where);
/* {valid: false, file, line, column, error, excerpt, hints} */
json_t *policylint_error_json(const char *path, const char *text, size_t len, const struct policy_error *where);

#define POLICYLINT_HINTS_MAX      64
#define POLICYLINT_HINT_SIZE      200
#define POLICYLINT_PLACE_HINT_MAX 3
struct policylint {
	unsigned n;
	char hints[POLICYLINT_HINTS_MAX][POLICYLINT_HINT_SIZE];
};
/* Of a policy that is valid. */
void policylint_policy(const struct policy *p, struct policylint *ret);

#endif
