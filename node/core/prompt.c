/* Proofs under the newest cosigned checkpoint for who waits for one: out of the tree in memory, before it is stored. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "node/core/core_internal.h"

void prompt_prove(struct core *c)
{
	uint64_t wanted[BOARD_PROOFS_MAX];
	struct board_proof p;
	unsigned n = board_wanted_proofs(c->o.board, c->reached_size, wanted);

	if (!n)
		return;
	board_reached_note(c->o.board, &p.note);
	for (unsigned i = 0; i < n; i++) {
		p.index = wanted[i];
		/* What it cannot prove at once is proven out of the store. */
		if (p.note.size > p.index && tree_inclusion(c->tree, p.index, p.note.size, p.hashes, &p.n) == 0)
			board_set_proof(c->o.board, &p);
	}
	board_ring(c->o.board);
}
