/* What readers are given of entries: bytes that the tree has, proofs that lead to the checkpoint, or an error. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <inttypes.h>

#include "ledger/errors.h"
#include "ledger/note.h"
#include "ledger/proof.h"
#include "ledger/tilejudge.h"
#include "node/log.h"
#include "node/readers_internal.h"

static void met_damage(struct reading_room *r, uint64_t index)
{
	if (r->damaged_next != index + 1)
		log_error("the ledger is damaged: entry %" PRIu64
		          " in ledger/data.mdb is not as it was stored, and is given to nobody",
		          index);
	r->damaged_next = index + 1;
	if (r->o.scrubber)
		scrubber_met(r->o.scrubber, 0, index / TREE_TILE_WIDTH);
}

int reading_room_entry(struct reading_room *r, uint64_t index, bool open, const void **ret_leaf, size_t *ret_leaf_len,
                       const void **ret_body, size_t *ret_body_len)
{
	int err = store_view_entry(r->view, index, ret_leaf, ret_leaf_len);

	*ret_body = NULL;
	*ret_body_len = 0;
	if (!err && open)
		err = store_view_body(r->view, index, ret_body, ret_body_len);
	if (err == CS_ERR_ERASED)
		err = 0;
	if (!err)
		err = store_view_check(r->view, index, *ret_leaf, *ret_leaf_len, *ret_body, *ret_body_len);
	if (err == CS_ERR_DAMAGED)
		met_damage(r, index);
	return err;
}

int reading_room_check_proof(struct reading_room *r, const struct item *it, const void *leaf, size_t leaf_len,
                             const struct hash *proof, unsigned n)
{
	struct checkpoint c;
	struct note note;
	struct hash hash;
	struct tree_tiles tiles;
	unsigned level = 0;

	if (note_parse(&note, it->note->text, it->note->len) || checkpoint_parse(&c, note.text, note.text_len))
		return CS_ERR_DAMAGED;
	hash_leaf(&hash, leaf, leaf_len);
	if (proof_inclusion_check(it->index, it->note->size, &hash, proof, n, &c.root) == 0)
		return CS_OK;
	/* The tiles on the path that do not fit those above: the scrubber finds out which of them are damaged. */
	store_view_tiles_checked(r->view, &tiles);
	for (uint64_t at = it->index / TREE_TILE_WIDTH; r->o.scrubber && level < TREE_TILE_LEVELS; level++) {
		unsigned width = tile_width(r->stored, level, at);
		struct hash tile[TREE_TILE_WIDTH];
		if (width && tiles.read(tiles.ctx, level, at, width, tile) == CS_ERR_DAMAGED)
			scrubber_met(r->o.scrubber, level, at);
		at /= TREE_TILE_WIDTH;
	}
	return CS_ERR_DAMAGED;
}
