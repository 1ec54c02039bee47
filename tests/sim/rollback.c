/* Old copies are put back: of a log under a newer ledger, or of all that a node has, which others alone see. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "tests/sim/rollback.h"

#include "tests/sim/checks.h"
#include "tests/sim/cluster.h"
#include "tests/sim/drive.h"
#include "tests/sim/faults.h"
#include "tests/sim/os.h"
#include "tests/sim/store_env.h"
#include "tests/sim/voters.h"

#define DOWN_NS OS_S

/* By node; folder NULL: there is none. */
static struct copy {
	struct inode *folder;
	struct env *store;
	uint64_t last; /* Of its log. */
} logs[CLUSTER_NODES_MAX + 1], wholes[CLUSTER_NODES_MAX + 1];

/* Down, or still reading its log: how far that reaches is not known. */
static bool serves(const struct node *n)
{
	return os_processes[n->id].alive && checks_node_last(n->id);
}

static void take(struct node *n, struct copy *c)
{
	if (serves(n))
		*c = (struct copy){
		        .folder = drive_copy(&n->disk), .store = env_copy(&n->disk), .last = checks_node_last(n->id)};
}

static void put_back(struct node *n, struct copy *c, struct env *store, const char *what)
{
	faults_crash(n->id, DOWN_NS);
	os_note(n->id, "--- %s rolled back to %llu", what, (unsigned long long)c->last);
	drive_replace(&n->disk, c->folder);
	env_put_back(&n->disk, store);
	c->folder = NULL;
}

void rollback_log(void)
{
	struct node *n = faults_weak();
	struct copy *c = n ? &logs[n->id] : NULL;

	if (n && !c->folder) {
		take(n, c);
	} else if (n && env_applied(env_of(&n->disk)) > c->last) {
		faults_count(FAULT_STALE);
		os_processes[n->id].damaged = true;
		put_back(n, c, env_of(&n->disk), "log");
	}
}

/*
 * What it has acknowledged and voted must be on all others whose disks are sound: then a majority has it. Such a node
 * halts when it meets somebody who has its cosignature for more than it has, or it catches up.
 */
void rollback_node(void)
{
	struct node *n = faults_weak();
	struct copy *c = n ? &wholes[n->id] : NULL;

	if (n && !c->folder) {
		take(n, c);
	} else if (n && serves(n) && checks_node_last(n->id) > c->last && voters_hold_all_of(n->id)) {
		faults_count(FAULT_ROLLBACK);
		os_processes[n->id].gone_back = true;
		put_back(n, c, c->store, "node");
		checks_gone_back(n->id);
	}
}
