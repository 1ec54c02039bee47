/* Who was erased is in no file and no record of the nodes that have said so. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "tests/sim/erased.h"

#include <inttypes.h>
#include <string.h>

#include "node/decide/erasure.h"
#include "tests/sim/checks_internal.h"
#include "tests/sim/client_internal.h"
#include "tests/sim/drive.h"
#include "tests/sim/records.h"
#include "tests/sim/store_env.h"

static uint64_t named[CLIENT_EVES]; /* The last entry whose stored body names them. */

bool erased_by(unsigned node)
{
	const struct core *c = views[checks_leader()].core;
	const struct keeping *k = c ? state_keeping(c->state) : NULL;

	for (unsigned i = 0; k && i < ERASURES_MAX; i++)
		if (k->erasures[i].index && !erasure_done_by(&k->erasures[i], node))
			return false;
	return k != NULL;
}

void erased_look(uint64_t index, const void *body, size_t len)
{
	const char *at = len ? memmem(body, len, "eve-", 4) : NULL;
	char who[WHO_SIZE];

	for (unsigned i = 0; at && i < CLIENT_EVES; i++) {
		client_who(WHO_EVE + i, who);
		if (memmem(body, len, who, strlen(who)) && index > named[i])
			named[i] = index;
	}
}

/* A request that comes after all, behind the erasure, names them anew. */
void erased_check(unsigned node, struct drive *d, const struct records *r)
{
	char who[WHO_SIZE], where[64] = "";

	for (unsigned i = 0; i < CLIENT_EVES; i++) {
		uint64_t erasure = admin_erased(WHO_EVE + i);
		if (!erasure || named[i] > erasure || !records_done(r, node, erasure))
			continue;
		client_who(WHO_EVE + i, who);
		records_kinds[RECORDS_GONE]++;
		if (env_holds(env_of(d), who, where) || drive_holds(d, who, where))
			os_fail(node, "it has erased %s by entry %" PRIu64 ", who is in %s", who, erasure, where);
	}
}
