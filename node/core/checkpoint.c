/* Checkpoints: the leader signs and announces, members cosign what they applied, a quorum of lines is the proof. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <assert.h>
#include <inttypes.h>
#include <string.h>
#include <time.h>

#include "ledger/bytes.h"
#include "ledger/errors.h"
#include "node/core/core_internal.h"
#include "node/log.h"

static unsigned majority(const struct core *c)
{
	return c->n_members / 2 + 1;
}

static void send_announce(struct core *c, const struct board_note *n, const struct hash *root)
{
	struct frame f = {.type = FRAME_ANNOUNCE,
	                  .announce = {.size = n->size, .root = *root, .note = n->text, .note_len = n->len}};

	for (unsigned i = 0; i < c->n_members; i++)
		if (c->members[i].id != c->id)
			peers_send(c, c->members[i].id, &f);
}

void checkpoint_sign(struct core *c)
{
	uint64_t size = tree_size(c->tree);
	int err;

	if (c->note_term == c->raft.current_term && c->note.size == size)
		return;
	tree_root(c->tree, &c->note_root);
	err = signer_sign(c->o.signer, size, &c->note_root, c->note.text, sizeof c->note.text, &c->note.len);
	if (err == CS_ERR_DIVERGED)
		core_halt(c->o.settings->data_path, "the signer was asked for a second root or a smaller size");
	if (err)
		core_fatal(c, err_text(err));
	c->note.size = size;
	c->note_term = c->raft.current_term;
	board_set_leader_note(c->o.board, size, c->note.text, c->note.len);
}

/* --- gathering (leader) --- */

/* The announced note with the lines gathered so far; 0 if it does not fit. */
static size_t whole_note(const struct core *c, char *buf, size_t cap)
{
	size_t len = c->announced.len;

	if (len > cap)
		return 0;
	memcpy(buf, c->announced.text, len);
	for (unsigned i = 0; i < c->n_lines; i++) {
		if (c->lines[i].len > cap - len)
			return 0;
		memcpy(buf + len, c->lines[i].text, c->lines[i].len);
		len += c->lines[i].len;
	}
	return len;
}

static void publish_cosigned(struct core *c)
{
	struct board_note n = {.size = c->announced.size};

	n.len = whole_note(c, n.text, sizeof n.text);
	if (!n.len)
		return;
	c->cosigned_size = n.size;
	board_set_cosigned_note(c->o.board, n.size, n.text, n.len);
	ledger_writer_push_checkpoint(c->writer, n.size, n.text, n.len);
	send_announce(c, &n, &c->announced_root);
}

static void add_line(struct core *c, uint64_t id, const char *line, size_t len)
{
	struct member *m = peers_member(c, id);

	if (!m || len > FRAME_COSIGNATURE_SIZE_MAX)
		return;
	for (unsigned i = 0; i < c->n_lines; i++)
		if (c->lines[i].id == id)
			return;
	assert(c->n_lines < MEMBERS_MAX);
	c->lines[c->n_lines].id = id;
	c->lines[c->n_lines].len = len;
	memcpy(c->lines[c->n_lines].text, line, len);
	c->n_lines++;
	if (c->announced.size > m->cosigned_size)
		m->cosigned_size = c->announced.size;
	if (c->n_lines >= majority(c))
		publish_cosigned(c);
}

/* Nothing is signed before all that the log held at start is applied: below it we may have signed another run's roots.
 */
static bool may_cosign(const struct core *c)
{
	return raft_last_applied((struct raft *)&c->raft) >= c->last_at_start && !c->evidence_bad && !c->clock_ahead &&
	       c->evidence_out == 0;
}

static bool cosign(struct core *c, uint64_t size, const struct hash *root, char *line, size_t cap, size_t *ret_len)
{
	int err = signer_cosign(c->o.signer, size, root, (uint64_t)time(NULL), line, cap, ret_len);

	if (err == CS_ERR_DIVERGED)
		log_warning("not cosigned: below or beside what this node has cosigned size=%" PRIu64, size);
	return err == 0;
}

void checkpoint_beat(struct core *c)
{
	char line[FRAME_COSIGNATURE_SIZE_MAX];
	size_t len;

	if (!core_leads(c))
		return;
	checkpoint_sign(c);
	if (c->announced.size != c->note.size || c->announced.len != c->note.len ||
	    memcmp(c->announced.text, c->note.text, c->note.len) != 0) {
		c->announced = c->note;
		c->announced_root = c->note_root;
		c->announced_cosigned = false;
		c->n_lines = 0;
	} else if (c->cosigned_size >= c->announced.size && c->n_lines == c->n_members) {
		return; /* Nothing new, and everybody has cosigned. */
	}
	if (!c->announced_cosigned && may_cosign(c) &&
	    cosign(c, c->announced.size, &c->announced_root, line, sizeof line, &len)) {
		c->announced_cosigned = true;
		add_line(c, c->id, line, len);
	}
	send_announce(c, &c->announced, &c->announced_root);
}

/* A line counts if it is this member's valid cosignature of the announced text. */
static bool line_valid(struct core *c, const struct member *m, const char *line, size_t len)
{
	char text[LIMIT_NOTE_SIZE_MAX];
	struct note n;

	if (len > FRAME_COSIGNATURE_SIZE_MAX || c->announced.len + len > sizeof text)
		return false;
	memcpy(text, c->announced.text, c->announced.len);
	memcpy(text + c->announced.len, line, len);
	return note_parse(&n, text, c->announced.len + len) == 0 && note_verify(&n, &m->cosigner_key, NULL) == 0;
}

void checkpoint_cosignature(struct core *c, uint64_t from, uint64_t size, const char *line, size_t len)
{
	struct member *m = peers_member(c, from);

	if (!m || !core_leads(c) || size != c->announced.size)
		return; /* For an older announcement: a newer one is on its way. */
	if (!line_valid(c, m, line, len)) {
		log_error("a cosignature does not verify from=%" PRIu64 " size=%" PRIu64, from, size);
		return;
	}
	add_line(c, from, line, len);
}

/* --- cosigning (follower) --- */

/* Members whose valid cosignature is in the note. Remembers each: a member below what it has cosigned has gone back. */
static unsigned count_cosigners(struct core *c, const struct note *n, uint64_t size)
{
	unsigned count = 0;

	for (unsigned i = 0; i < c->n_members; i++) {
		struct member *m = &c->members[i];
		if (note_verify(n, &m->cosigner_key, NULL) != 0)
			continue;
		count++;
		if (size > m->cosigned_size)
			m->cosigned_size = size;
	}
	return count;
}

void checkpoint_announced(struct core *c, uint64_t from, uint64_t size, const struct hash *root, const char *text,
                          size_t len)
{
	const struct member *m = peers_member(c, from);
	struct checkpoint cp;
	struct note n;
	raft_id leader;
	const char *address;

	raft_leader(&c->raft, &leader, &address);
	if (!m || leader != from || from == c->id)
		return;
	if (note_parse(&n, text, len) || checkpoint_parse(&cp, n.text, n.text_len) || cp.size != size ||
	    strcmp(cp.origin, c->o.settings->origin) != 0 || !hash_equal(&cp.root, root) ||
	    note_verify(&n, &m->log_key, NULL)) {
		log_error("an announced checkpoint does not verify from=%" PRIu64 " size=%" PRIu64, from, size);
		return;
	}
	if (size > c->cosigned_size && n.n_signatures > 1 && count_cosigners(c, &n, size) >= majority(c)) {
		c->cosigned_size = size;
		board_set_cosigned_note(c->o.board, size, text, len);
		ledger_writer_push_checkpoint(c->writer, size, text, len);
		return;
	}
	c->asked.from = from;
	c->asked.size = size;
	c->asked.root = *root;
	checkpoint_applied(c);
}

void checkpoint_applied(struct core *c)
{
	char line[FRAME_COSIGNATURE_SIZE_MAX];
	struct hash root;
	size_t len;

	if (!c->asked.from || tree_size(c->tree) < c->asked.size || !may_cosign(c))
		return;
	if (tree_root_at(c->tree, c->asked.size, &root))
		return; /* Its tiles are not stored yet: the next announcement is of a later size. */
	if (!hash_equal(&root, &c->asked.root))
		core_halt(c->o.settings->data_path, "the leader's checkpoint has another root than this node's tree");
	if (cosign(c, c->asked.size, &root, line, sizeof line, &len)) {
		struct member *self = peers_member(c, c->id);
		struct frame f = {.type = FRAME_COSIGNATURE,
		                  .cosignature = {.size = c->asked.size, .line = line, .line_len = len}};
		if (c->asked.size > self->cosigned_size)
			self->cosigned_size = c->asked.size;
		peers_send(c, c->asked.from, &f);
	}
	c->asked.from = 0;
}

void checkpoint_restore(struct core *c)
{
	const void *text;
	struct note n;
	uint64_t size;
	size_t len;

	if (store_view_checkpoint_last(c->view, &size, &text, &len) || note_parse(&n, text, len) ||
	    count_cosigners(c, &n, size) < majority(c))
		return;
	c->cosigned_size = size;
	board_set_cosigned_note(c->o.board, size, text, len);
}
