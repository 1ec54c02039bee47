/* A policy file, read and compiled. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLIENT_TOOL_POLICYFILE_H
#define CLIENT_TOOL_POLICYFILE_H

#include <stddef.h>
#include <stdint.h>

#include "node/decide/policy.h"

struct policyfile {
	char *source; /* malloc'ed. */
	size_t source_len;
	uint8_t *compiled; /* malloc'ed. */
	size_t compiled_len;
};

/* The text alone. path NULL: the built-in policy. 0, or the exit code after printing why. */
int policyfile_read(const char *command, const char *path, struct policyfile *ret);
/* 0, or CS_ERR_* with *ret_error filled in, whatever went wrong. */
int policyfile_compile(struct policyfile *p, struct policy_error *ret_error);
/* Both. path NULL: the built-in policy. Prints "path:line:column: why"; 0 or the exit code, and then *ret is untouched.
 */
int policyfile_load(const char *command, const char *path, struct policyfile *ret);
void policyfile_close(struct policyfile *p);

#endif
