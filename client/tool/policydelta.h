/* What differs between two policies in what they mean; rules by their ids. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLIENT_TOOL_POLICYDELTA_H
#define CLIENT_TOOL_POLICYDELTA_H

#include "client/tool/policyfile.h"

#define POLICYDELTA_MAX 1024

struct policychange {
	char *path;      /* "thresholds.deny", "rules.by-risk.verdict"; malloc'ed, as the values. */
	char *from, *to; /* NULL: not there. */
};
struct policydelta {
	unsigned n, dropped; /* dropped: more than there is room for. */
	struct policychange *changes;
	int err;
};

/*
 * By their compiled forms: a default that is stated is no difference, nor is order or form. None: ret->n is 0.
 * CS_ERR_NOMEM, CS_ERR_INVALID (a text that this build does not take).
 */
int policydelta_find(const struct policyfile *a, const struct policyfile *b, struct policydelta *ret);
void policydelta_close(struct policydelta *d);

#endif
