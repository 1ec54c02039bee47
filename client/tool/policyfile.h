/* A policy file, read and compiled. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLIENT_TOOL_POLICYFILE_H
#define CLIENT_TOOL_POLICYFILE_H

#include <stddef.h>
#include <stdint.h>

struct policyfile {
	char *source; /* malloc'ed. */
	size_t source_len;
	uint8_t *compiled; /* malloc'ed. */
	size_t compiled_len;
};

/* path NULL: the built-in policy. Prints "path:line:column: why"; 0 or the exit code, and then *ret is untouched. */
int policyfile_load(const char *command, const char *path, struct policyfile *ret);
void policyfile_close(struct policyfile *p);

#endif
