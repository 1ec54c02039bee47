/* What the files of erasing share: one struct, of the loop's thread but for what the thread has while it runs. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODE_CORE_ERASE_INTERNAL_H
#define NODE_CORE_ERASE_INTERNAL_H

#include <pthread.h>
#include <raft.h>
#include <stdatomic.h>

#include "node/core/erase.h"
#include "node/decide/erasure.h"

enum erase_phase { ERASE_REST, ERASE_BEHIND, ERASE_WIPING, ERASE_CUTTING, ERASE_STORING, ERASE_LEAVING };

struct erased_here {
	uint64_t index, changed, held;
};
struct erased_there {
	uint64_t node, index, changed, held;
};
#define ERASE_TOLD_MAX (ERASURES_MAX * ROSTER_NODES_MAX)

struct eraser {
	struct core *core;
	enum erase_phase phase;
	uint64_t since_ns, begun_ns, retry_ns, told_ns;
	raft_index reached; /* By the state that the run was gathered from. */
	raft_index cut;

	/* One run: from ERASE_STORING on the thread's, until it has finished. */
	struct keeping keeping; /* As it was when the run began. */
	unsigned n;
	struct erased_here run[ERASURES_MAX];
	int err;
	pthread_t thread;
	bool threaded;
	atomic_bool stop, finished;

	unsigned n_done, n_told; /* Carried out here, and, as the leader is told, elsewhere; not yet in the ledger. */
	struct erased_here done[ERASURES_MAX];
	struct erased_there told[ERASE_TOLD_MAX];

	struct raft_barrier barrier;
	bool barrier_out;
	uint64_t barrier_ns;

	/* The leader, about retention: */
	unsigned sweep_kind; /* This is due; 0: nothing. */
	uint64_t sweep_end, sweep_cutoff_ms;
	struct {
		uint64_t from; /* Where the state's own sweep stood, */
		uint64_t to;   /* and below this nothing of the kind is left that is old enough. */
	} looked[ENTRY_KIND_MAX + 1];
};

void erase_forget_told(struct eraser *e); /* What the ledger has by now. */
void *erase_thread(void *arg);            /* erase_store.c: an eraser. */
bool retention_look(struct core *c);      /* erase_lead.c: true: a sweep is due. */

#endif
