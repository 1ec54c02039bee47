/* What witnesses are answered: the checkpoint to cosign next, once what they bring is kept for those who prove. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <inttypes.h>

#include "ledger/errors.h"
#include "ledger/tree.h"
#include "node/clock.h"
#include "node/log.h"
#include "node/readers_internal.h"

static int own_root(void *ctx, uint64_t size, struct hash *ret)
{
	struct reading_room *r = ctx;
	struct tree_tiles tiles;

	if (r->stored < size)
		return CS_ERR_NOT_READY;
	store_view_tiles(r->view, &tiles);
	return tiles_root(&tiles, size, ret);
}

void reading_room_recall(struct reading_room *r)
{
	if (r->witnessed.n)
		witnesses_file_give(&r->witnessed, r->witnesses, own_root, r);
}

/* The note that a witness has brought; false: this node's entries are not stored so far yet. */
static bool keep_cosigned(struct reading_room *r, struct item *it, int *ret_err)
{
	struct witness_note n;
	struct hash root;

	*ret_err = witnesses_read(r->witnesses, it->job->principal, it->cosigned, it->cosigned_len, &n);
	if (*ret_err)
		return true;
	*ret_err = own_root(r, n.checkpoint.size, &root);
	if (*ret_err == CS_ERR_NOT_READY) {
		*ret_err = 0; /* Its bringer is told what there is here: perhaps less than there was. */
		return false;
	}
	if (!*ret_err)
		*ret_err = witnesses_keep(r->witnesses, &n, &root);
	if (!*ret_err)
		witnesses_file_save(&r->witnessed, r->witnesses);
	if (*ret_err == CS_ERR_DIVERGED)
		log_error("a witness brought a checkpoint of %" PRIu64
		          " entries, cosigned by members, whose root is not "
		          "this node's: the ledger was forked principal=%" PRIu64,
		          n.checkpoint.size, it->job->principal);
	board_ring(r->o.board); /* Those who wait to prove. */
	return true;
}

static const char *witness_fault(int err)
{
	switch (err) {
	case CS_ERR_DIVERGED:
		return "this node has another root for that size";
	case CS_ERR_REFUTED:
		return "a signature in the note does not verify, or it is of another ledger";
	case CS_ERR_UNDECIDED:
		return "the note lacks a majority of the members' cosignatures, or the witness's own";
	case CS_ERR_OVERLOADED:
		return "as many witnesses as a note has room for have cosigned it";
	default:
		return NULL;
	}
}

/* Takes what a witness has cosigned; if it brings nothing, waits for a checkpoint beyond the size that it has. */
bool reading_room_witness(struct reading_room *r, struct item *it)
{
	bool wait = clock_mono_ns() < it->until_ns;
	struct writer w;
	int err = 0;

	if (it->cosigned) {
		if (!keep_cosigned(r, it, &err) && wait) {
			ledger_writer_flush(r->o.writer);
			return false;
		}
		it->cosigned = NULL;
		if (err)
			return reading_room_refuse(it, err, witness_fault(err));
		wait = false; /* It is to hear at once that its note is kept. */
	}
	const struct board_note *offer = witnesses_offer(r->witnesses, r->o.board, clock_mono_ns());
	if (offer->size <= it->index && wait)
		return false;
	writer_init(&w, r->buf, WIRE_REPLY_SIZE_MAX);
	writer_array(&w, 2);
	if (offer->size)
		writer_str(&w, offer->text, offer->len);
	else
		writer_nil(&w);
	writer_uint(&w, witnesses_kept(r->witnesses, it->job->principal));
	return reading_room_reply(r, it, &w);
}
