/* Checkpoints: the leader signs and announces, members cosign what they applied, a quorum of lines is the proof. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <assert.h>
#include <inttypes.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "ledger/bytes.h"
#include "ledger/errors.h"
#include "node/core/checkpoint_lines.h"
#include "node/core/core_internal.h"
#include "node/log.h"

/* Whoever cannot sign has nothing to announce. */
static bool speaks(const struct core *c)
{
	return core_leads(c) && signer_ready(c->o.signer, SIGNER_LOG);
}

/* Whether these cosigners of this size are a quorum: a majority of who votes at that size (ledger.md). */
static bool quorum(const struct core *c, unsigned voters, uint64_t size)
{
	return size >= c->members.voters_since && voters >= members_majority(c);
}

static void send_announce(struct core *c, const struct board_note *n, const struct hash *root)
{
	struct frame f = {.type = FRAME_ANNOUNCE,
	                  .announce = {.size = n->size, .root = *root, .note = n->text, .note_len = n->len}};

	for (unsigned i = 0; i < c->members.n; i++)
		if (c->members.list[i].id != c->id)
			peers_send(c, c->members.list[i].id, &f);
}

/*
 * An order counts from the size that its own entry makes, and a snapshot or a state taken within the step that applies
 * it has the answers made before the step comes to its end, where the members are followed.
 */
static void follow_keys(struct core *c)
{
	if (c->roster_changed)
		keys_follow(c);
}

void checkpoint_sign(struct core *c)
{
	uint64_t size = tree_size(c->tree);
	int err;

	if (c->note_term == c->raft.current_term && c->note.size == size)
		return;
	follow_keys(c);
	tree_root(c->tree, &c->note_root);
	err = signer_sign(c->o.signer, size, &c->note_root, c->note.text, sizeof c->note.text, &c->note.len);
	if (err == CS_ERR_NOT_PERMITTED) /* keys.c: it hands over, and takes nothing but new keys. */
		return;
	if (err == CS_ERR_DIVERGED)
		core_halt(c->o.settings->data_path, "the signer was asked for a second root or a smaller size");
	if (err)
		core_fatal(c, err_text(err));
	c->note.size = size;
	c->note_term = c->raft.current_term;
	board_set_leader_note(c->o.board, size, c->note.text, c->note.len);
}

/* A member that is behind proves under the last cosigned checkpoint that it has come to. */
static void reach(struct core *c)
{
	uint64_t here = tree_size(c->tree) > c->stored_at_start ? tree_size(c->tree) : c->stored_at_start;

	if (c->cosigned_size == c->reached_size || c->cosigned_size > here)
		return;
	c->reached_size = c->cosigned_size;
	board_cosigned_reached(c->o.board);
	prompt_prove(c);
}

/* Whose cosignatures, verified before, a note carries: for the status. */
static void note_cosigners(struct core *c, const char *text, size_t len)
{
	struct note n;

	c->n_cosigners = 0;
	c->cosigned_s = 0;
	if (note_parse(&n, text, len))
		return;
	for (unsigned i = 0; i < c->members.n; i++) {
		const struct member *m = &c->members.list[i];
		for (unsigned k = 0; k < n.n_signatures; k++) {
			const struct note_signature *s = &n.signatures[k];
			bool is = s->id == m->cosigner_key.id ||
			          (m->cosigner_before.type && s->id == m->cosigner_before.id);
			if (!is || s->len != sizeof s->bytes || s->name_len != strlen(m->cosigner_key.name) ||
			    memcmp(s->name, m->cosigner_key.name, s->name_len) != 0)
				continue;
			c->cosigners[c->n_cosigners++] = m->id;
			if (get_u64be(s->bytes) > c->cosigned_s)
				c->cosigned_s = get_u64be(s->bytes);
			break;
		}
	}
}

/*
 * Of several within one commit the newest is stored. But the first one that covers a change of members or keys stays:
 * while old and new keys overlap it is what carries an old trust policy over to the new ones.
 */
static void store(struct core *c, uint64_t size, const char *text, size_t len)
{
	uint64_t version = state_roster(c->state)->version;

	if (!c->writer) /* Read back at a start. */
		return;
	ledger_writer_push_checkpoint(c->writer, size, text, len);
	if (size < version || (version == c->noted_version && size != c->noted_size))
		return;
	c->noted_version = version;
	c->noted_size = size;
	ledger_writer_keep_checkpoint(c->writer, size, text, len);
}

/* Also one of the same size that more have cosigned: whoever trusts others than the first majority waits for it. */
static void take_cosigned(struct core *c, uint64_t size, unsigned voters, const char *text, size_t len)
{
	if (size == c->reached_size)
		c->reached_size = 0;
	c->cosigned_size = size;
	c->cosigned_voters = voters;
	note_cosigners(c, text, len);
	store(c, size, text, len);
	board_set_cosigned_note(c->o.board, size, text, len);
	reach(c);
}

/* --- gathering (leader) --- */

static void publish_cosigned(struct core *c, unsigned voters)
{
	struct board_note n = {.size = c->announced.size};

	n.len = lines_whole(c, n.text, sizeof n.text);
	if (!n.len)
		return;
	take_cosigned(c, n.size, voters, n.text, n.len);
	send_announce(c, &n, &c->announced_root);
}

static void add_line(struct core *c, uint64_t id, const char *line, size_t len)
{
	struct member *m = members_find(c, id);
	unsigned voters = 0;

	if (!m || len == 0 || len > FRAME_COSIGNATURE_SIZE_MAX || line[len - 1] != '\n')
		return;
	for (unsigned i = 0; i < c->n_lines; i++)
		if (c->lines[i].id == id)
			return;
	assert(c->n_lines < MEMBERS_MAX);
	c->lines[c->n_lines].id = id;
	c->lines[c->n_lines].len = len;
	c->lines[c->n_lines].first = (size_t)((const char *)memchr(line, '\n', len) + 1 - line);
	memcpy(c->lines[c->n_lines].text, line, len);
	c->n_lines++;
	if (c->announced.size > m->cosigned_size)
		m->cosigned_size = c->announced.size;
	for (unsigned i = 0; i < c->n_lines; i++)
		voters += members_find(c, c->lines[i].id)->role == ROSTER_VOTER;
	if (quorum(c, voters, c->announced.size)) {
		publish_cosigned(c, voters);
		checkpoint_pace(c); /* Somebody may wait for a size that came after this round had begun. */
	}
}

void checkpoint_forget(struct core *c)
{
	c->n_lines = 0;
	c->announced.size = c->announced.len = 0;
	c->announced_cosigned = false;
}

/* Nothing is signed before all that the log held at start is applied: below it we may have signed another run's roots.
 */
static bool may_cosign(const struct core *c)
{
	return raft_last_applied((struct raft *)&c->raft) >= c->last_at_start && !c->evidence_bad && !c->digests.bad &&
	       !c->clock_ahead && c->entries_unproven == 0;
}

/*
 * Strangers' tools go by one log key of an origin. It is that of the first voter in the roster: whoever leads, its line
 * is gathered with the cosignatures, so that it does not change with the leader.
 */
static bool is_designated(const struct core *c)
{
	const struct roster *r = state_roster(c->state);

	for (unsigned i = 0; i < r->n; i++)
		if (r->nodes[i].role == ROSTER_VOTER)
			return r->nodes[i].id == c->id;
	return false;
}

static bool cosign(struct core *c, uint64_t size, const struct hash *root, char *line, size_t cap, size_t *ret_len)
{
	size_t more;

	follow_keys(c);
	int err = signer_cosign(c->o.signer, size, root, (uint64_t)time(NULL), line, cap, ret_len);

	if (err == CS_ERR_DIVERGED)
		log_warning("not cosigned: below or beside what this node has cosigned size=%" PRIu64, size);
	if (!err && is_designated(c) && !core_leads(c) &&
	    signer_sign_too(c->o.signer, size, root, line + *ret_len, cap - *ret_len, &more) == 0)
		*ret_len += more;
	return err == 0;
}

/* --- announcing (leader) --- */

static bool announced_is_newest(const struct core *c)
{
	return c->announced.size == c->note.size && c->announced.len == c->note.len &&
	       memcmp(c->announced.text, c->note.text, c->note.len) == 0;
}

static void announce_again(struct core *c)
{
	char line[FRAME_COSIGNATURE_SIZE_MAX];
	size_t len;

	if (!c->announced_cosigned && may_cosign(c) &&
	    cosign(c, c->announced.size, &c->announced_root, line, sizeof line, &len)) {
		c->announced_cosigned = true;
		add_line(c, c->id, line, len);
	}
	send_announce(c, &c->announced, &c->announced_root);
}

static void announce(struct core *c)
{
	c->announced_ns = clock_mono_ns();
	c->announced = c->note;
	c->announced_root = c->note_root;
	c->announced_cosigned = false;
	c->n_lines = 0;
	guard_tell_commit(c->guard); /* They cosign what they have applied. */
	announce_again(c);
}

/* When what is signed now may be announced. */
static uint64_t announce_due_ns(const struct core *c, uint64_t now)
{
	uint64_t wanted = atomic_load(&c->cosigned_wanted), quiet = now + ANNOUNCE_QUIET_MS * NS_PER_MS,
	         full = c->announced_ns + ANNOUNCE_INTERVAL_MS * NS_PER_MS;

	if (wanted > c->cosigned_size && wanted <= c->note.size) {
		bool round = c->announced.size > c->cosigned_size; /* Another one would begin all over again. */
		return c->announced_ns + (round ? ANNOUNCE_PATIENCE_MS : ANNOUNCE_WANTED_MS) * NS_PER_MS;
	}
	return quiet < full ? quiet : full;
}

void checkpoint_pace(struct core *c)
{
	uint64_t now = clock_mono_ns(), due;

	if (!speaks(c))
		return;
	checkpoint_sign(c);
	if (announced_is_newest(c))
		return;
	due = announce_due_ns(c, now);
	if (due <= now)
		announce(c);
	else
		uv_timer_start(&c->announce, checkpoint_on_announce, (due - now + NS_PER_MS - 1) / NS_PER_MS, 0);
}

void checkpoint_on_announce(uv_timer_t *timer)
{
	struct core *c = timer->data;

	if (c->stopping || !speaks(c) || announced_is_newest(c))
		return;
	checkpoint_sign(c);
	announce(c);
}

void checkpoint_beat(struct core *c)
{
	if (!speaks(c))
		return;
	checkpoint_sign(c);
	if (!announced_is_newest(c))
		checkpoint_pace(c);
	else if (c->cosigned_size < c->announced.size || c->n_lines < c->members.n)
		announce_again(c);
}

/* --- signatures of others, verified off the loop: each costs forty microseconds, and a beat brings several --- */

#define CHECKS_MAX 16 /* Out at once; what comes above that comes again with the next beat. */

/* A note to verify: an announcement of the leader's, or ours with a cosignature line added. */
struct check {
	uv_work_t work;
	struct core *core;
	bool announced;
	uint64_t from, size;
	struct hash root;   /* Announced. */
	size_t line_len;    /* Of the cosignature, at the end of the text, */
	unsigned n_head;    /* behind so many signature lines. */
	unsigned n_members; /* As they were when it came: the loop may change its own. */
	struct {
		uint64_t id;
		struct note_key log[2], cosigner[2]; /* The current one; the one before, if it is good for this size. */
		bool cosigned;
	} members[MEMBERS_MAX];
	bool signed_; /* The announcer's log key signed it, and it says what the frame says. */
	size_t len;
	char text[LIMIT_NOTE_SIZE_MAX];
};

/* The note is what the frame says it is, and its sender has signed it. */
static bool says(const struct check *k, const struct note *n, const struct note_key log[2])
{
	struct checkpoint cp;

	return checkpoint_parse(&cp, n->text, n->text_len) == 0 && cp.size == k->size &&
	       strcmp(cp.origin, k->core->o.settings->origin) == 0 && hash_equal(&cp.root, &k->root) &&
	       lines_either(n, log);
}

/* On a worker thread: of the core only what never changes is read. */
static void check(uv_work_t *work)
{
	struct check *k = work->data;
	struct note n;

	if (note_parse(&n, k->text, k->len))
		return;
	for (unsigned i = 0; i < k->n_members; i++) {
		bool from = k->members[i].id == k->from;
		if (k->announced && from)
			k->signed_ = says(k, &n, k->members[i].log);
		k->members[i].cosigned = (k->announced || from) && lines_either(&n, k->members[i].cosigner);
		if (!k->announced && from && !lines_only_by(&n, k->n_head, k->members[i].log, k->members[i].cosigner))
			k->members[i].cosigned = false;
	}
}

/* Remembers that it has cosigned so much: a member that comes back with less has gone back. True if it votes. */
static bool note_cosigner(struct core *c, uint64_t id, uint64_t size)
{
	struct member *m = members_find(c, id);

	if (m && size > m->cosigned_size)
		m->cosigned_size = size;
	return m && m->role == ROSTER_VOTER;
}

static void announced(struct core *c, const struct check *k)
{
	unsigned voters = 0;

	/* By a key of an entry that has not come here yet, it may be; it comes again. */
	if (!k->signed_ && k->size > tree_size(c->tree))
		return;
	if (!k->signed_) {
		log_error("an announced checkpoint does not verify from=%" PRIu64 " size=%" PRIu64, k->from, k->size);
		return;
	}
	for (unsigned i = 0; i < k->n_members; i++)
		if (k->members[i].cosigned)
			voters += note_cosigner(c, k->members[i].id, k->size);
	if (quorum(c, voters, k->size)) {
		if (k->size < c->cosigned_size || (k->size == c->cosigned_size && voters <= c->cosigned_voters))
			return;
		take_cosigned(c, k->size, voters, k->text, k->len);
		return;
	}
	c->asked.from = k->from;
	c->asked.size = k->size;
	c->asked.root = k->root;
	checkpoint_applied(c);
}

static void cosigned(struct core *c, const struct check *k)
{
	bool good = false;

	for (unsigned i = 0; i < k->n_members; i++)
		good |= k->members[i].cosigned;
	if (!good)
		log_error("a cosignature does not verify from=%" PRIu64 " size=%" PRIu64, k->from, k->size);
	else if (core_leads(c) && k->size == c->announced.size)
		add_line(c, k->from, k->text + k->len - k->line_len, k->line_len);
}

static void checked(uv_work_t *work, int status)
{
	struct check *k = work->data;
	struct core *c = k->core;

	c->checks_out--;
	if (status == 0 && !c->stopping) {
		if (k->announced)
			announced(c, k);
		else
			cosigned(c, k);
	}
	free(k);
}

/* Hands a note of head and line over to a worker; false if there are too many, or it is too long. */
static void hand_to_worker(struct core *c, const struct check *what, const char *head, size_t head_len,
                           const char *line)
{
	struct check *k;

	if (c->checks_out == CHECKS_MAX || head_len > sizeof k->text - what->line_len)
		return;
	k = malloc(sizeof *k);
	if (!k)
		return; /* It comes again. */
	memcpy(k, what, offsetof(struct check, text));
	k->core = c;
	k->work.data = k;
	k->n_members = c->members.n;
	for (unsigned i = 0; i < c->members.n; i++) {
		k->members[i].id = c->members.list[i].id;
		const struct member *m = &c->members.list[i];
		k->members[i].log[0] = m->log_key;
		k->members[i].cosigner[0] = m->cosigner_key;
		k->members[i].log[1] = k->members[i].cosigner[1] = (struct note_key){0};
		if (m->log_before.type && what->size <= m->log_until)
			k->members[i].log[1] = m->log_before;
		if (m->cosigner_before.type && what->size <= m->cosigner_until)
			k->members[i].cosigner[1] = m->cosigner_before;
	}
	k->len = head_len + what->line_len;
	memcpy(k->text, head, head_len);
	memcpy(k->text + head_len, line, what->line_len);
	if (uv_queue_work(&c->loop, &k->work, check, checked))
		core_fatal(c, "cannot queue work");
	c->checks_out++;
}

void checkpoint_cosignature(struct core *c, uint64_t from, uint64_t size, const char *line, size_t len)
{
	struct check what = {.from = from, .size = size, .line_len = len, .n_head = lines_signatures(&c->announced)};

	if (!core_leads(c) || size != c->announced.size || len > FRAME_COSIGNATURE_SIZE_MAX)
		return; /* For an older announcement: a newer one is on its way. */
	hand_to_worker(c, &what, c->announced.text, c->announced.len, line);
}

void checkpoint_announced(struct core *c, uint64_t from, uint64_t size, const struct hash *root, const char *text,
                          size_t len)
{
	struct check what = {.announced = true, .from = from, .size = size, .root = *root};
	raft_id leader;
	const char *address;

	raft_leader(&c->raft, &leader, &address);
	/* One that is being removed may lead on for a moment. */
	if (leader == from && from != c->id && members_find(c, from))
		hand_to_worker(c, &what, text, len, "");
}

/* --- cosigning (follower) --- */

void checkpoint_applied(struct core *c)
{
	char line[FRAME_COSIGNATURE_SIZE_MAX];
	struct hash root;
	size_t len;

	reach(c);
	if (!c->asked.from || tree_size(c->tree) < c->asked.size || !may_cosign(c))
		return;
	if (tree_root_at(c->tree, c->asked.size, &root))
		return; /* Its tiles are not stored yet: the next announcement is of a later size. */
	if (!hash_equal(&root, &c->asked.root))
		core_halt(c->o.settings->data_path, "the leader's checkpoint has another root than this node's tree");
	if (cosign(c, c->asked.size, &root, line, sizeof line, &len)) {
		struct frame f = {.type = FRAME_COSIGNATURE,
		                  .cosignature = {.size = c->asked.size, .line = line, .line_len = len}};
		note_cosigner(c, c->id, c->asked.size);
		peers_send(c, c->asked.from, &f);
	}
	c->asked.from = 0;
}

void checkpoint_restore(struct core *c)
{
	const void *text;
	struct note n;
	unsigned voters = 0;
	uint64_t size;
	size_t len;

	if (store_view_checkpoint_last(c->view, &size, &text, &len) || note_parse(&n, text, len))
		return;
	for (unsigned i = 0; i < c->members.n; i++) {
		const struct member *m = &c->members.list[i];
		struct note_key keys[2] = {m->cosigner_key, m->cosigner_before};
		if (size > m->cosigner_until)
			keys[1].type = 0;
		if (lines_either(&n, keys))
			voters += note_cosigner(c, m->id, size);
	}
	if (!quorum(c, voters, size))
		return;
	take_cosigned(c, size, voters, text, len);
}
