/* The policy that was in force at an entry, found in the ledger and proven to be it. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLIENT_TOOL_POLICYAT_H
#define CLIENT_TOOL_POLICYAT_H

#include "client/tool/policyfile.h"
#include "client/tool/policywalk.h"

#define POLICYAT_CURRENT UINT64_MAX
#define POLICYAT_BY_SIZE 256

struct policyat {
	uint64_t at;    /* The entry that was asked about: the newest one, for POLICYAT_CURRENT. */
	uint64_t index; /* The entry that put the policy in force: genesis, or a policy set. */
	unsigned kind;
	uint64_t time_ms;
	struct hash hash;          /* Of the compiled form. */
	char by[POLICYAT_BY_SIZE]; /* Who signed it; of genesis: its administrators. */
	bool quorum;               /* Entry `at` is proven under the cosignatures of a quorum. */
	struct policyfile file;
};

/*
 * Proves the entry `at` and walks the chain of hashes back from it to the entry that set the policy: so no policy
 * between them can have been left out. 0, or the exit code after printing why.
 */
int policyat_find(const char *command, cs_client *client, uint64_t at, struct policyat *ret);
void policyat_close(struct policyat *p);

/* An entry that puts a policy in force; file is malloc'ed. CS_ERR_INVALID: it is none. */
int policyat_read(struct policyat *ret, const struct entryview *v);

#endif
