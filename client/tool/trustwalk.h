/* What a ledger's own entries say of members and keys, for whom its checkpoint is verified by the trust so far. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLIENT_TOOL_TRUSTWALK_H
#define CLIENT_TOOL_TRUSTWALK_H

#include "client/trust_rewrite.h"
#include "ledger/verify.h"

/* A fold over the entries of genesis, members and keys. */
struct trustwalk {
	bool begun;  /* Genesis was there. */
	bool broken; /* An entry among them could not be understood. */
	char origin[LIMIT_ORIGIN_SIZE_MAX + 1];
	struct roster roster;
	struct trust_changes changes;
};

/* One entry more, as it lies in the ledger. */
void trustwalk_entry(void *walk, const void *leaf, size_t len);
/*
 * Walks a whole ledger (an export folder, a node's folder, data.mdb) under the newest checkpoint there that the policy
 * verifies. ret: VERIFIED, or else the walk is worth nothing.
 */
void trustwalk_ledger(const struct verify_policy *policy, const char *path, struct trustwalk *walk,
                      struct verify_result *ret);

#endif
