/* Proofs of entries that the store has not got yet: the core's tree and the writer's queue have them. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <stdlib.h>
#include <string.h>

#include "ledger/errors.h"
#include "node/clock.h"
#include "node/readers_internal.h"

/* The core answers at once; longer than that it has not got it, and the store is waited for. */
#define PROMPT_NS (20 * NS_PER_MS)

void reading_room_want_prompt(struct reading_room *r, struct item *it)
{
	if (it->repeat || it->need || it->wanted_ns)
		return;
	it->wanted_ns = clock_mono_ns();
	r->o.want_proof(r->o.ctx, it->index);
}

bool reading_room_prompt_awaited(struct reading_room *r, struct item *it)
{
	reading_room_want_prompt(r, it);
	return it->wanted_ns && clock_mono_ns() - it->wanted_ns < PROMPT_NS;
}

/* Leaf, and where it is open the body, out of the store or else of what waits to be stored. */
static int entry_bytes(struct reading_room *r, const struct item *it, struct wire_proved *p)
{
	bool open = it->job->roles & ROLE_AUDIT;
	const void *leaf, *body;
	int err = CS_ERR_NOT_FOUND;

	if (r->stored > it->index) {
		err = reading_room_entry(r, it->index, open, &leaf, &p->leaf_len, &body, &p->body_len);
		p->leaf = leaf;
		p->body = body;
		return err;
	}
	uint8_t *bytes = r->prompt->bytes;
	err = ledger_writer_entry(r->o.writer, it->index, bytes, &p->leaf_len, &p->body_len);
	p->leaf = bytes;
	p->body = open && p->body_len ? bytes + p->leaf_len : NULL;
	p->body_len = p->body ? p->body_len : 0;
	return err;
}

bool reading_room_behind(struct reading_room *r, uint64_t end)
{
	if (r->stored >= end || r->stored >= r->shown || ledger_writer_held(r->o.writer))
		return false;
	ledger_writer_flush(r->o.writer);
	return true;
}

bool reading_room_prompt(struct reading_room *r, struct item *it, struct wire_proved *ret)
{
	struct prompt *t = r->prompt;

	if (!it->wanted_ns || !board_proof(r->o.board, it->index, &t->proof))
		return false;
	if (entry_bytes(r, it, ret))
		return false;
	if (!it->note)
		it->note = malloc(sizeof *it->note);
	if (!it->note)
		return false;
	*it->note = t->proof.note;
	it->quorum = true;
	if (reading_room_check_proof(r, it, ret->leaf, ret->leaf_len, t->proof.hashes, t->proof.n))
		return false;
	if (it->note->size > r->shown)
		r->shown = it->note->size;
	memcpy(ret->proof, t->proof.hashes, t->proof.n * sizeof *ret->proof);
	ret->n_proof = t->proof.n;
	ret->checkpoint = it->note->text;
	ret->checkpoint_len = it->note->len;
	return true;
}
