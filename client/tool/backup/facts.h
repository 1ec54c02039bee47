/* What the entries of a backup say by themselves: who is enrolled, and which policy is in force. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLIENT_TOOL_BACKUP_FACTS_H
#define CLIENT_TOOL_BACKUP_FACTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ledger/entry.h"
#include "node/decide/decide.h"

/*
 * The entries are under a quorum's cosignatures, the state in a backup is under one auditor's signature: where both say
 * the same thing, they must agree. Nodes are left out: those of the old origin are gone.
 */
struct facts {
	struct factprincipal {
		char name[65];
		uint32_t roles;
		bool has_channel, has_sign;
		uint8_t channel_pub[32], sign_pub[32];
	} * principals;
	unsigned n, cap;
	bool restored;              /* Who was enrolled in the ledger before is not in these entries. */
	uint8_t *source, *compiled; /* Of the policy; malloc'ed. */
	size_t source_len, compiled_len;
};

void facts_free(struct facts *f); /* A zeroed one is fine. */
/* The next entry. CS_ERR_MALFORMED, CS_ERR_NOMEM. */
int facts_take(struct facts *f, const struct entry *e);
const struct factprincipal *facts_find(const struct facts *f, const char *name);
/*
 * NULL: the state agrees. Otherwise with whom, or with what, it does not. Borrowed. some_gone: records of persons were
 * left out, and with them their devices.
 */
const char *facts_disagree(const struct facts *f, const struct state *s, bool some_gone);

#endif
