/* Which entries somebody should look at. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLIENT_TOOL_ALERT_H
#define CLIENT_TOOL_ALERT_H

#include <stdbool.h>

#include "client/tool/entryview.h"

/* A deny from this risk on (about 88 %) is more than a policy's no to something that nobody provided for. */
#define ALERT_RISK_DEFAULT 2000
#define ALERT_RISK_MAX     100000 /* The largest risk there is, either way (POLICY.md). */

struct alert {
	const char *text; /* Constant. */
	bool loud;        /* Somebody may be attacking; else a change of who may do what. */
};

/* False: the entry is an ordinary one, and *ret is untouched. */
bool alert_of(const struct entryview *v, int32_t deny_risk, struct alert *ret);

#endif
