/* The state machine: committed batches through decide into tree, entries and state; snapshots of where it stands. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <assert.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ledger/bytes.h"
#include "ledger/entry.h"
#include "ledger/errors.h"
#include "node/core/core_internal.h"
#include "node/core/snapshot.h"
#include "node/decide/command_erase.h"
#include "node/log.h"

_Noreturn static void halt(struct core *c, const char *what, uint64_t index)
{
	char why[256];

	snprintf(why, sizeof why, "%s at ledger index %" PRIu64, what, index);
	core_halt(c->o.settings->data_path, why);
}

/* Fetched entries may still be with the writer, if another leader gives through Raft what a catch-up had begun. */
static void await_stored(struct core *c, uint64_t index)
{
	static const struct timespec nap = {.tv_nsec = NS_PER_MS};
	struct store_head head;

	store_view_head(c->view, &head);
	if (index < head.size)
		return;
	while (c->writer && ledger_writer_stored_size(c->writer) <= index) {
		ledger_writer_flush(c->writer);
		nanosleep(&nap, NULL);
	}
	if (store_view_renew(c->view))
		core_fatal(c, "the store cannot be read");
}

/* Of the private fields that are left: each as it was decided, and the others erased by what the store says. */
static bool left_over(struct core *c, const struct decide_out *out, const void *body, size_t body_len)
{
	struct field decided[LIMIT_FIELD_COUNT_MAX], stored[LIMIT_FIELD_COUNT_MAX];
	struct store_erasure erased[STORE_ERASURES_MAX];
	unsigned n_decided = 0, n_stored = 0, n_erased = 0, at = 0;
	uint64_t fields = 0;

	if (store_view_erased(c->view, out->index, erased, STORE_ERASURES_MAX, &n_erased) || n_erased == 0 ||
	    body_decode(decided, &n_decided, out->body, out->body_len) ||
	    body_decode(stored, &n_stored, body, body_len))
		return false;
	for (unsigned i = 0; i < n_erased; i++)
		fields |= erased[i].fields;
	for (unsigned i = 0; i < n_decided; i++) {
		const struct field *d = &decided[i], *f = &stored[at];
		if (at < n_stored && f->kind == d->kind && f->value_len == d->value_len &&
		    memcmp(f->salt, d->salt, SALT_SIZE) == 0 && memcmp(f->value, d->value, f->value_len) == 0)
			at++;
		else if (d->kind > ERASE_FIELD_KIND_MAX || !(fields & ERASE_FIELD(d->kind)))
			return false;
	}
	return at == n_stored;
}

/* An entry that the store holds already comes out again: a self-check at every start. */
static void compare_stored(struct core *c, const struct decide_out *out)
{
	const void *leaf, *body;
	size_t leaf_len, body_len;
	int err;

	await_stored(c, out->index);
	err = store_view_entry(c->view, out->index, &leaf, &leaf_len);
	if (err || leaf_len != out->leaf_len || memcmp(leaf, out->leaf, leaf_len) != 0) {
		/* What was decided again is what the tree has: its bytes were damaged since, and here they are. */
		if (!c->scrubber || store_view_check(c->view, out->index, out->leaf, out->leaf_len, NULL, 0))
			halt(c, "the entry decided again differs from the stored one", out->index);
		scrubber_have(c->scrubber, SCRUB_ENTRY, out->index, out->leaf, out->leaf_len);
	}
	err = store_view_body(c->view, out->index, &body, &body_len);
	if (err == CS_ERR_ERASED)
		return;
	if (!err && body_len == out->body_len && memcmp(body, out->body, body_len) == 0)
		return;
	if (!err && left_over(c, out, body, body_len))
		return;
	if (err || !c->scrubber || store_view_check(c->view, out->index, out->leaf, out->leaf_len, body, body_len) == 0)
		halt(c, "the private fields decided again differ from the stored ones", out->index);
	scrubber_have(c->scrubber, SCRUB_BODY, out->index, out->body, out->body_len);
}

static void apply_command(struct core *c, const struct batch *b, const uint8_t *command, size_t len)
{
	struct decide_out *out = c->out;
	struct outcome *oc = &c->outcomes[c->n_outcomes++];

	decide(c->state, b->time_ms, command, len, out);
	if (out->outcome == DECIDE_REFUSED && out->err == CS_ERR_NOMEM)
		core_fatal(c, "out of memory");
	if (out->outcome == DECIDE_NEWER)
		core_outdated(out->text);
	oc->outcome = out->outcome;
	oc->err = out->err;
	oc->index = out->index;
	if (out->outcome == DECIDE_REFUSED)
		memcpy(oc->text, out->text, sizeof oc->text);
	if (out->outcome == DECIDE_REPEAT)
		readings_applied(c, command, len); /* Its entry may have come by a catch-up, which applies nothing. */
	if (out->outcome != DECIDE_ENTRY)
		return;
	assert(out->index == tree_size(c->tree));
	if (tree_append(c->tree, &out->leaf_hash))
		core_fatal(c, "appending to the tree failed");
	c->principals_changed |= out->principals_changed;
	c->roster_changed |= out->roster_changed;
	if (out->index < c->stored_at_start) {
		compare_stored(c, out);
		return;
	}
	oc->entry = c->entries->n;
	if (entries_add(c->entries, out->leaf, out->leaf_len, out->body, out->body_len, &out->leaf_hash))
		core_fatal(c, "out of memory");
	if (out->kind == ENTRY_STATE_DIGEST)
		digest_entry(c, out);
	if (out->kind == ENTRY_READ)
		readings_applied(c, command, len);
	if (out->has_evidence)
		proving_entry(c, out); /* A corrupt leader cannot invent a person (decisions.md: Flow, 3). */
}

/* A follower must not cosign times that are ahead of its own clock: one bad clock must not expire everything. */
static void check_clock(struct core *c, const struct batch *b)
{
	uint64_t now = clock_wall_ms();
	bool ahead = b->node != c->id && b->time_ms > now + CLOCK_AHEAD_MS_MAX;

	if (ahead && !c->clock_ahead)
		log_error("the leader's clock is ahead of ours: nothing is cosigned leader=%" PRIu32
		          " ahead_ms=%" PRIu64,
		          b->node, b->time_ms - now);
	c->clock_ahead = ahead;
	c->ahead_time_ms = b->time_ms;
}

/* One committed batch at this Raft index. */
static void apply_batch(struct core *c, raft_index index, raft_term term, const void *bytes, size_t len)
{
	struct state_head head;
	struct batch b;
	struct hash root;

	digest_take(c); /* Of the batch before: the state of its index is about to change. */
	catchup_before(c, index);
	c->n_outcomes = 0;
	int err = batch_decode(&b, bytes, len);
	if (err == CS_ERR_VERSION)
		core_outdated("the log has batches of a later format than this build's");
	if (err)
		halt(c, "a committed batch is malformed", tree_size(c->tree));
	state_head(c->state, &head);
	tree_root(c->tree, &root);
	if (b.size != head.size || !hash_equal(&b.root, &root))
		halt(c, "the leader's batch extends another history than ours", head.size);
	if (index > c->last_at_start)
		check_clock(c, &b);
	c->entries = entries_new(index, term, head.size, b.count);
	if (!c->entries)
		core_fatal(c, "out of memory");
	for (uint32_t i = 0; i < b.count; i++) {
		const uint8_t *command;
		size_t command_len;
		batch_next(&b, &command, &command_len);
		apply_command(c, &b, command, command_len);
	}
	/* What was stored before is not stored again; these entries then begin at the store's size. */
	if (c->entries->first < c->stored_at_start)
		c->entries->first = c->entries->n ? tree_size(c->tree) - c->entries->n : c->stored_at_start;
	entries_seal(c->entries);
	*c->applied_last = c->entries;
	c->applied_last = &c->entries->next;
	digest_applied(c, index, head.size);
}

/* A batch of another leader, or of before a restart: copied, for libraft's entry is gone when the snapshot cuts the
 * log. */
struct deferred {
	struct deferred *next;
	raft_index index;
	raft_term term;
	size_t len;
	uint8_t bytes[];
};

static void defer(struct core *c, raft_index index, const struct raft_buffer *buf)
{
	struct deferred *d = malloc(sizeof *d + buf->len);

	if (!d)
		core_fatal(c, "out of memory");
	*d = (struct deferred){.index = index, .term = guard_term_of(c->guard, index), .len = buf->len};
	memcpy(d->bytes, buf->base, buf->len);
	*c->deferred_last = d;
	c->deferred_last = &d->next;
}

void apply_deferred(struct core *c)
{
	while (c->deferred) {
		struct deferred *d = c->deferred;
		c->deferred = d->next;
		if (!c->deferred)
			c->deferred_last = &c->deferred;
		apply_batch(c, d->index, d->term, d->bytes, d->len);
		free(d);
	}
}

/*
 * A member applies after it has acknowledged, not before: libraft tells it of a commit with the next append, whose
 * acknowledgement it would hold back while this runs. The leader answers its clients from the outcome, so it applies at
 * once.
 */
static int fsm_apply(struct raft_fsm *fsm, const struct raft_buffer *buf, void **result)
{
	struct core *c = fsm->data;
	raft_index index = raft_last_applied(&c->raft) + 1;

	*result = NULL;
	if (index <= c->o.state_index)
		return 0; /* The state that was written back has it already. */
	if (!c->flight.busy || c->flight.req.index != index) {
		defer(c, index, buf);
		return 0;
	}
	apply_deferred(c);
	apply_batch(c, index, guard_term_of(c->guard, index), buf->base, buf->len);
	return 0;
}

void apply_hand_over(struct core *c)
{
	struct entries *next;

	propose_answer(c); /* From the entries, which are the writer's from here on. */
	for (struct entries *b = c->applied; b; b = next) {
		next = b->next;
		/* Applied again after a restart: the store has it, and its applied index must not go back. */
		if (b->index <= c->applied_at_start)
			entries_free(b);
		else {
			c->pushed_size = b->first + b->n;
			c->pushed_index = b->index;
			ledger_writer_push(c->writer, b);
		}
	}
	c->applied = NULL;
	c->applied_last = &c->applied;
	c->entries = NULL;
}

/* A no-op or a configuration brought no entries, but the store must know that the ledger has come so far. */
static void push_reached(struct core *c, raft_index index)
{
	struct entries *e = entries_new(index, guard_term_of(c->guard, index), c->pushed_size, 0);

	if (!e)
		core_fatal(c, "out of memory");
	c->pushed_index = index;
	ledger_writer_push(c->writer, e);
}

/* True if that was all of it, which the writer then has. */
static bool take_some(struct core *c, unsigned max)
{
	int rv = state_take_some(c->state, max);

	if (rv < 0)
		core_fatal(c, "out of memory");
	if (rv == 0)
		return false;
	ledger_writer_push_state(c->writer, c->take.block, c->take.sync);
	c->take.block = NULL;
	return true;
}

static void on_take(uv_timer_t *timer)
{
	struct core *c = timer->data;

	if (c->take.block && !take_some(c, TAKE_STEP))
		uv_timer_start(timer, on_take, 0, 0); /* Whatever has arrived meanwhile comes first. */
}

void apply_finish_take(struct core *c)
{
	while (c->take.block && !take_some(c, UINT_MAX))
		;
}

void apply_take_state(struct core *c, raft_index index, bool sync)
{
	catchup_before(c, index + 1);
	if (index == c->state_stored && c->take.block)
		c->take.sync |= sync;
	if (index < c->state_stored || (index == c->state_stored && (!sync || c->take.block)))
		return;
	apply_finish_take(c);
	apply_hand_over(c); /* The state at an index follows the entries up to it. */
	if (index > c->pushed_index)
		push_reached(c, index);
	c->take.block = state_block_new(index, guard_term_of(c->guard, index));
	if (!c->take.block)
		core_fatal(c, "out of memory");
	c->take.sync = sync;
	state_take_begin(c->state, state_block_add, c->take.block);
	uv_timer_start(&c->take.timer, on_take, 0, 0);
	c->state_stored = index;
	c->state_taken_ns = clock_mono_ns();
}

static int fsm_snapshot(struct raft_fsm *fsm, struct raft_buffer *bufs[], unsigned *n_bufs)
{
	struct core *c = fsm->data;
	struct snapshot s = {.index = raft_last_applied(&c->raft)};
	struct state_head head;
	uint8_t *p;

	if (!guard_snapshot_allowed(c->guard) || !c->writer || c->room.level == SPACE_FULL)
		return RAFT_BUSY;
	/* After a start the state may be ahead of what Raft has applied again: it is not the state of that index. */
	if (s.index < c->state_stored)
		return RAFT_BUSY;
	apply_deferred(c);
	p = raft_malloc(SNAPSHOT_SIZE);
	*bufs = raft_malloc(sizeof **bufs);
	if (!p || !*bufs)
		core_fatal(c, "out of memory");
	state_head(c->state, &head);
	s.term = guard_term_of(c->guard, s.index);
	s.size = head.size;
	s.last_leaf = head.last_leaf;
	tree_root(c->tree, &s.root);
	(*bufs)[0] = (struct raft_buffer){.base = p, .len = snapshot_encode(&s, p)};
	*n_bufs = 1;
	apply_take_state(c, s.index, true);
	log_info("snapshot raft_index=%" PRIu64 " size=%" PRIu64, s.index, head.size);
	return 0;
}

/* What is stored may have been fetched or written here: at the snapshot's own index it must be what the leader had. */
static void check_digest(struct core *c, const struct snapshot *s)
{
	uint64_t index, term;
	struct hash digest;

	if (!snapshot_has_digest(s))
		return;
	if (store_view_renew(c->view) || store_view_state_index(c->view, &index, &term))
		core_fatal(c, "the store cannot be read");
	if (index == s->index && store_view_state_digest(c->view, &digest) == 0 && !hash_equal(&digest, &s->digest))
		core_halt(c->o.settings->data_path, "the stored state is not that of the log's snapshot");
}

/* At start what the snapshot covers must be in the store; later it is an install, for which catch-up has fetched it. */
static int fsm_restore(struct raft_fsm *fsm, struct raft_buffer *buf)
{
	struct core *c = fsm->data;
	struct snapshot s;

	int err = snapshot_decode(&s, buf->base, buf->len);
	if (err == CS_ERR_VERSION)
		core_outdated("the log's snapshot is of a later format than this build's");
	if (err)
		core_fatal(c, "the snapshot in the log is not ours or is damaged");
	apply_deferred(c);
	if (s.index > c->o.state_index)
		core_halt(c->o.settings->data_path,
		          "the store is behind the log's snapshot: its disk went back or was replaced");
	check_digest(c, &s);
	raft_free(buf->base);
	return 0;
}

void apply_init(struct core *c)
{
	c->fsm = (struct raft_fsm){
	        .version = 1, .data = c, .apply = fsm_apply, .snapshot = fsm_snapshot, .restore = fsm_restore};
	c->applied_last = &c->applied;
	c->deferred_last = &c->deferred;
}
