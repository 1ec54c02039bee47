/* What must change so that the table of people is as a file has it. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLIENT_TOOL_PEOPLEPLAN_H
#define CLIENT_TOOL_PEOPLEPLAN_H

#include "client/tool/peoplefile.h"

/* Owners come before what they own, and go after it: no order mixes two of these. */
enum peopleplan_phase { PLAN_USERS, PLAN_MACHINES, PLAN_MACHINES_GO, PLAN_USERS_GO, PLAN_PHASES };

struct peopleplan {
	size_t n[PLAN_PHASES], cap[PLAN_PHASES];
	struct cs_person *changes[PLAN_PHASES]; /* Point into file and table. */
	size_t added, changed, same, removed;
	json_t *table; /* As the cluster has it. */
};

/*
 * prune: who is not in the file goes. 0, or the exit code after printing what is wrong (an owner that would not be
 * there).
 */
int peopleplan_make(const char *command, cs_client *client, const char *path, const struct peoplefile *f, bool prune,
                    struct peopleplan *ret);
void peopleplan_close(struct peopleplan *p);

#endif
