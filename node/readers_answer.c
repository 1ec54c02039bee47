/* What readers are answered, each kind of question by a function of its own. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "ledger/bytes.h"
#include "ledger/errors.h"
#include "ledger/note.h"
#include "ledger/tree.h"
#include "node/clock.h"
#include "node/decide/command.h"
#include "node/log.h"
#include "node/readers_internal.h"

/* --- one answer each; true: answered, the item is done --- */

bool reading_room_reply(struct reading_room *r, struct item *it, const struct writer *w)
{
	size_t len;
	int err = writer_end(w, &len);

	if (err)
		job_error(it->job, err, "the reply does not fit", NULL, 0);
	else
		job_reply(it->job, r->buf, len);
	return true;
}

bool reading_room_refuse(struct item *it, int err, const char *text)
{
	job_error(it->job, err, text, NULL, 0);
	return true;
}

static bool serve_hello(struct reading_room *r, struct item *it)
{
	struct wire_status s;
	char url[WIRE_URL_SIZE_MAX];
	struct writer w;

	board_status(r->o.board, &s, url);
	writer_init(&w, r->buf, WIRE_REPLY_SIZE_MAX);
	writer_array(&w, 5);
	writer_uint(&w, r->o.node_id);
	writer_cstr(&w, r->o.origin);
	writer_uint(&w, s.leader_id);
	writer_cstr(&w, url);
	writer_cstr(&w, PACKAGE_VERSION);
	return reading_room_reply(r, it, &w);
}

static bool serve_status(struct reading_room *r, struct item *it)
{
	struct wire_status s;
	char url[WIRE_URL_SIZE_MAX];
	size_t len;
	int err;

	board_status(r->o.board, &s, url);
	s.stored_size = ledger_writer_stored_size(r->o.writer);
	s.detailed = it->count > 0;
	s.details.now_ms = clock_wall_ms();
	if (r->o.scrubber)
		scrubber_state(r->o.scrubber, &s.details.scrub);
	err = wire_status_encode(&s, r->buf, WIRE_REPLY_SIZE_MAX, &len);
	if (err)
		return reading_room_refuse(it, err, NULL);
	job_reply(it->job, r->buf, len);
	return true;
}

static bool serve_checkpoint(struct reading_room *r, struct item *it)
{
	struct board_note note;
	bool quorum = true;
	struct writer w;

	board_cosigned_note(r->o.board, &note);
	if (note.size == 0) {
		board_leader_note(r->o.board, &note);
		quorum = false;
	}
	if (note.size == 0)
		return reading_room_refuse(it, CS_ERR_NOT_FOUND, "no checkpoint has been signed yet");
	writer_init(&w, r->buf, WIRE_REPLY_SIZE_MAX);
	writer_array(&w, 2);
	writer_bool(&w, quorum);
	writer_str(&w, note.text, note.len);
	return reading_room_reply(r, it, &w);
}

static void write_proof(struct writer *w, const struct hash *proof, unsigned n)
{
	writer_array(w, n);
	for (unsigned i = 0; i < n; i++)
		writer_bin(w, proof[i].b, HASH_SIZE);
}

static bool serve_members(struct reading_room *r, struct item *it)
{
	uint64_t version;
	size_t len = board_members(r->o.board, r->buf, &version);
	struct writer w;

	if (!len)
		return reading_room_refuse(it, CS_ERR_NOT_READY, "the node has just started");
	/* Who knows these members already is told no more. */
	writer_init(&w, r->buf, WIRE_REPLY_SIZE_MAX);
	if (it->count && version < it->count)
		writer_array(&w, 0);
	else
		w.len = len;
	return reading_room_reply(r, it, &w);
}

static bool serve_features(struct reading_room *r, struct item *it)
{
	struct writer w;

	writer_init(&w, r->buf, WIRE_REPLY_SIZE_MAX);
	w.len = board_features(r->o.board, r->buf);
	return w.len ? reading_room_reply(r, it, &w)
	             : reading_room_refuse(it, CS_ERR_NOT_READY, "the node has just started");
}

static bool serve_consistency(struct reading_room *r, struct item *it)
{
	struct hash proof[LIMIT_PROOF_HASHES_MAX];
	struct tree_tiles tiles;
	unsigned n;
	struct writer w;
	int err;

	if (r->stored < it->count) {
		struct wire_status s;
		char url[WIRE_URL_SIZE_MAX];
		board_status(r->o.board, &s, url);
		if (it->count > s.size)
			return reading_room_refuse(it, CS_ERR_NOT_FOUND, "the new size is beyond the ledger's");
		ledger_writer_flush(r->o.writer);
		return false;
	}
	store_view_tiles_checked(r->view, &tiles);
	err = tiles_consistency(&tiles, it->index, it->count, proof, &n);
	if (err == CS_ERR_DAMAGED && r->o.scrubber)
		scrubber_ask(r->o.scrubber);
	if (err)
		return reading_room_refuse(it, err, err == CS_ERR_INVALID ? "the sizes must be 0 < old <= new" : NULL);
	writer_init(&w, r->buf, WIRE_REPLY_SIZE_MAX);
	writer_array(&w, 1);
	write_proof(&w, proof, n);
	return reading_room_reply(r, it, &w);
}

static bool serve_scrub(struct reading_room *r, struct item *it)
{
	struct wire_scrub s;
	size_t len;
	int err;

	if (!r->o.scrubber)
		return reading_room_refuse(it, CS_ERR_INVALID, "this node's settings say scrub_mib_per_s: 0");
	if (it->count)
		scrubber_ask(r->o.scrubber);
	scrubber_state(r->o.scrubber, &s);
	err = wire_scrub_encode(&s, r->buf, WIRE_REPLY_SIZE_MAX, &len);
	if (err)
		return reading_room_refuse(it, err, NULL);
	job_reply(it->job, r->buf, len);
	return true;
}

/* What is not there, and why: it was checked with the entry that its words are whole. */
static unsigned read_erased(struct reading_room *r, uint64_t index, struct store_erasure ret[STORE_ERASURES_MAX])
{
	unsigned n = 0;

	return store_view_erased(r->view, index, ret, STORE_ERASURES_MAX, &n) ? 0 : n;
}

static void write_erased(struct writer *w, const struct store_erasure *e, unsigned n)
{
	writer_array(w, n);
	for (unsigned i = 0; i < n; i++) {
		writer_array(w, 2);
		writer_uint(w, e[i].by);
		writer_uint(w, e[i].fields);
	}
}

/* A page: as many entries from the first as are stored, asked for, and fit. */
static bool serve_entries(struct reading_room *r, struct item *it)
{
	struct store_erasure erased[STORE_ERASURES_MAX];
	uint64_t stored = r->stored, n = 0;
	bool audit = it->job->roles & ROLE_AUDIT && !it->some;
	struct read_log log;
	struct wire_status s;
	char url[WIRE_URL_SIZE_MAX];
	struct writer w;

	reading_begin(&log, it, READ_ENTRIES);
	board_status(r->o.board, &s, url);
	if (reading_room_behind(r, it->index > UINT64_MAX - it->count ? UINT64_MAX : it->index + it->count))
		return false;
	if (stored <= it->index && clock_mono_ns() < it->until_ns) {
		if (s.size > it->index)
			ledger_writer_flush(r->o.writer);
		return false;
	}
	/* Values first, in the second half of the buffer: how many there are is known only then. */
	writer_init(&w, r->buf + WIRE_REPLY_SIZE_MAX / 2, WIRE_REPLY_SIZE_MAX / 2);
	for (; n < it->count && it->index + n < stored; n++) {
		const void *leaf, *body;
		size_t leaf_len, body_len;
		struct writer before = w;
		int err = reading_room_entry(r, it->index + n, audit, &leaf, &leaf_len, &body, &body_len);
		if (err == CS_ERR_DAMAGED && n > 0)
			break; /* The page ends before it. */
		if (err)
			return reading_room_refuse(it, err, "reading the store");
		unsigned n_erased = audit ? read_erased(r, it->index + n, erased) : 0;
		writer_array(&w, n_erased ? 3 : 2);
		writer_bin(&w, leaf, leaf_len);
		if (body)
			writer_bin(&w, body, body_len);
		else
			writer_nil(&w);
		if (n_erased)
			write_erased(&w, erased, n_erased);
		if (w.err) {
			w = before;
			break;
		}
		reading_add(&log, it->index + n, leaf, leaf_len, body, body_len);
	}
	struct writer page;
	writer_init(&page, r->buf, WIRE_REPLY_SIZE_MAX / 2);
	writer_array(&page, 2);
	writer_uint(&page, s.size > stored ? s.size : stored);
	writer_array(&page, (uint32_t)n);
	memmove(r->buf + page.len, w.base, w.len);
	return reading_room_give(r, it, &log, page.len + w.len);
}

/* The members' newest, if so many of the keys that were named have cosigned it. The core has verified its lines. */
static bool members_find(struct reading_room *r, const struct item *it, struct board_note *ret)
{
	unsigned have = 0;
	struct note n;

	board_reached_note(r->o.board, ret);
	if (ret->size <= it->index || note_parse(&n, ret->text, ret->len))
		return false;
	for (unsigned i = 0; i < n.n_signatures; i++)
		for (unsigned id = 0; id < it->n_ids; id++)
			have += n.signatures[i].id == it->ids[id];
	return have >= it->need;
}

/* Chooses the checkpoint to prove under; false: none yet that covers the entry, wait. */
bool reading_room_choose_note(struct reading_room *r, struct item *it)
{
	struct board_note note;
	struct wire_status s;
	char url[WIRE_URL_SIZE_MAX];

	if (it->note)
		return true;
	note.size = 0;
	it->quorum = it->need && (members_find(r, it, &note) ||
	                          witnesses_find(r->witnesses, it->index, it->need, it->ids, it->n_ids, &note));
	bool wait = !it->repeat && clock_mono_ns() < it->until_ns;
	/* Whoever needs certain cosigners waits for them; in the end the members' own quorum is better than nothing. */
	if (!it->quorum && !it->repeat && (!it->need || !wait)) {
		board_reached_note(r->o.board, &note);
		it->quorum = note.size > it->index;
	}
	if (!it->quorum) {
		if (wait) {
			/* Not for an entry that may never be: what is wanted only grows, and would be out of reach. */
			board_status(r->o.board, &s, url);
			if (s.size > it->index) {
				reading_room_want_prompt(r, it);
				r->o.want_cosigned(r->o.ctx, it->index + 1);
			}
			return false;
		}
		board_leader_note(r->o.board, &note);
		if (note.size <= it->index)
			return false;
	}
	it->note = malloc(sizeof note);
	if (it->note)
		memcpy(it->note, &note, sizeof note);
	return it->note != NULL;
}

/* The store grows no more for now: an older checkpoint, stored with its entries, proves what it holds as well. */
static void choose_stored_note(struct reading_room *r, struct item *it)
{
	const void *text;
	uint64_t size;
	size_t len;

	if (!ledger_writer_held(r->o.writer) || store_view_checkpoint(r->view, it->index + 1, &size, &text, &len) ||
	    size > r->stored || len > sizeof it->note->text)
		return;
	it->note->size = size;
	it->note->len = len;
	memcpy(it->note->text, text, len);
	it->quorum = true;
}

/* What an auditor gets, or whoever asks for a proof alone. */
static bool give_proof(struct reading_room *r, struct item *it, struct wire_proved *p)
{
	uint8_t *disclosed = r->buf + WIRE_REPLY_SIZE_MAX / 2;
	struct read_log log;
	struct writer w;

	if (it->some && p->body) {
		p->body_len = reading_disclose(p->body, p->body_len, it->fields, disclosed, WIRE_REPLY_SIZE_MAX / 2);
		p->body = p->body_len ? disclosed : NULL;
	}
	reading_begin(&log, it, READ_PROOF);
	reading_add(&log, it->index, p->leaf, p->leaf_len, p->body, p->body_len);
	writer_init(&w, r->buf, WIRE_REPLY_SIZE_MAX / 2);
	writer_array(&w, 5);
	writer_bool(&w, it->quorum);
	writer_bin(&w, p->leaf, p->leaf_len);
	if (p->body)
		writer_bin(&w, p->body, p->body_len);
	else
		writer_nil(&w);
	write_proof(&w, p->proof, p->n_proof);
	writer_str(&w, p->checkpoint, p->checkpoint_len);
	return w.err ? reading_room_reply(r, it, &w) : reading_room_give(r, it, &log, w.len);
}

static bool serve_proof(struct reading_room *r, struct item *it)
{
	struct wire_proved p = {0};
	bool open = it->repeat || it->job->roles & ROLE_AUDIT;
	struct tree_tiles tiles;
	const void *leaf, *body;
	size_t len;
	int err;

	if (reading_room_prompt(r, it, &p))
		return give_proof(r, it, &p);
	p = (struct wire_proved){0};
	if (!reading_room_choose_note(r, it))
		return clock_mono_ns() >= it->until_ns &&
		       reading_room_refuse(it, CS_ERR_NOT_FOUND, "no signed checkpoint covers this entry yet");
	if (r->stored < it->note->size)
		choose_stored_note(r, it);
	if (r->stored < it->note->size) {
		if (!reading_room_prompt_awaited(r, it))
			ledger_writer_flush(r->o.writer);
		return false;
	}
	err = reading_room_entry(r, it->index, open, &leaf, &p.leaf_len, &body, &p.body_len);
	if (err)
		return reading_room_refuse(it, err, err == CS_ERR_DAMAGED ? "reading the store" : "no such entry");
	store_view_tiles(r->view, &tiles);
	err = tiles_inclusion(&tiles, it->index, it->note->size, p.proof, &p.n_proof);
	if (!err)
		err = reading_room_check_proof(r, it, leaf, p.leaf_len, p.proof, p.n_proof);
	if (err)
		return reading_room_refuse(it, err, "making the proof");
	p.leaf = leaf;
	p.body = body;
	p.checkpoint = it->note->text;
	p.checkpoint_len = it->note->len;
	if (!it->repeat)
		return give_proof(r, it, &p);
	err = wire_proved_encode(&p, r->buf, WIRE_REPLY_SIZE_MAX, &len);
	if (err)
		return reading_room_refuse(it, err, NULL);
	job_reply(it->job, r->buf, len);
	return true;
}

static bool serve(struct reading_room *r, struct item *it)
{
	if (it->repeat)
		return serve_proof(r, it);
	switch (it->job->request.type) {
	case WIRE_HELLO:
		return serve_hello(r, it);
	case WIRE_STATUS:
		return serve_status(r, it);
	case WIRE_MEMBERS:
		return serve_members(r, it);
	case WIRE_FEATURES:
		return serve_features(r, it);
	case WIRE_SCRUB:
		return serve_scrub(r, it);
	case WIRE_CHECKPOINT:
		return serve_checkpoint(r, it);
	case WIRE_CONSISTENCY:
		return serve_consistency(r, it);
	case WIRE_ENTRIES:
		return serve_entries(r, it);
	case WIRE_PROVE:
		return serve_proof(r, it);
	case WIRE_WITNESS:
		return reading_room_witness(r, it);
	case WIRE_SEARCH:
		return serve_search(r, it);
	case WIRE_HISTORY_PAGE:
		return serve_history(r, it);
	default:
		return reading_room_refuse(it, CS_ERR_INVALID, NULL);
	}
}

bool reading_room_answer(struct reading_room *r, struct item *it, bool open)
{
	if (it->held)
		return reading_room_release(r, it, open);
	if (!open)
		return reading_room_refuse(it, CS_ERR_NOT_READY, "the node is stopping");
	if (clock_mono_ns() >= it->job->deadline_ns)
		return reading_room_refuse(it, CS_ERR_TIMEOUT, "the deadline has passed");
	/* Memory for held answers is bounded: the next one is made when one of them is gone. */
	return (r->n_held < HELD_MAX || !(it->job->roles & ROLE_AUDIT)) && serve(r, it);
}
