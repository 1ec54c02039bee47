/* The core's loop: wakes, steps, beats, runs and closes. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>

#include "node/core/core_internal.h"
#include "node/log.h"
#include "node/notify.h"
#include "node/stopping.h"

/* After every outermost call into libraft (guard 12): what followed from it. */
void core_stepped(void *ctx)
{
	struct core *c = ctx;

	if (!c->writer || c->raft_closed)
		return;
	apply_deferred(c);
	digest_take(c);
	if (c->roster_changed)
		members_follow(c);
	/* The next batch goes to the disks first; the replies to this one are made while they write. */
	propose_pump(c);
	propose_answer(c);
	if (c->role_seen != c->raft.state || c->term_seen != c->raft.current_term) {
		c->role_seen = c->raft.state;
		c->term_seen = c->raft.current_term;
		log_info("role=%s term=%llu raft_last=%llu size=%" PRIu64, publish_role(c), c->raft.current_term,
		         raft_last_index(&c->raft), tree_size(c->tree));
		publish_status(c);
	}
	if (c->raft.state != RAFT_LEADER && (turns_count(c->pending) || turns_count(c->unproven)))
		propose_refuse_all(c, CS_ERR_NOT_LEADER);
	if (c->applied) {
		apply_hand_over(c);
		publish_ledger(c);
		if (state_dirty(c->state) >= STATE_DIRTY_MAX)
			apply_take_state(c, raft_last_applied(&c->raft), false);
		checkpoint_applied(c);
	}
	if (c->readings && !core_leads(c))
		readings_drop(c);
	reads_step(c);
	/* Not only with entries to hand over: a snapshot within the step has handed them over already. */
	if (c->principals_changed)
		publish_principals(c);
	/* After the principals that this step has brought. A leader that has yet to log the genesis knows nobody. */
	bool authoritative = core_leads(c) && tree_size(c->tree) > 0;
	if (c->authoritative != authoritative) {
		c->authoritative = authoritative;
		front_set_authoritative(c->front, c->authoritative);
	}
}

void core_on_wake(uv_async_t *async)
{
	struct core *c = async->data;

	if (c->stopping)
		return;
	if (atomic_load(&c->stop_asked)) {
		readings_end(c);
		return;
	}
	propose_drain(c);
	catchup_stored(c);
	heal_step(c);
	digest_stored(c);
	erase_step(c);
	guard_poke(c->guard);
	readings_pump(c);
	propose_pump(c);
	if (atomic_load(&c->cosigned_wanted) > c->cosigned_size)
		checkpoint_pace(c);
	prompt_prove(c);
}

void core_on_beat(uv_timer_t *timer)
{
	struct core *c = timer->data;

	if (!c->writer || c->stopping) /* Stopping: raft may be closed, its configuration with it. */
		return;
	/* From this very loop: if it hangs, the service manager hears no more of it. */
	notify_alive(clock_mono_ns());
	propose_expire(c);
	reads_beat(c);
	checkpoint_beat(c);
	catchup_beat(c);
	heal_beat(c);
	digest_beat(c);
	change_beat(c);
	room_beat(c);
	clocks_beat(c);
	keys_beat(c);
	ticks_beat(c);
	if (c->readings_until_ns)
		readings_end(c);
	readings_pump(c);
	if (readings_due(c))
		propose_pump(c);
	erase_beat(c);
	if (state_dirty(c->state) && clock_mono_ns() - c->state_taken_ns > STATE_INTERVAL_MS * NS_PER_MS)
		apply_take_state(c, raft_last_applied(&c->raft), false);
	publish_status(c);
	change_publish(c);
	publish_members(c);
	features_publish(c);
}

static void on_signal(uv_signal_t *signal, int number)
{
	struct core *c = signal->data;

	log_info("stopping: signal %d", number);
	readings_end(c);
}

void core_submit(struct core *c, struct job *j)
{
	struct job *head = atomic_load_explicit(&c->inbox, memory_order_relaxed);

	do
		j->next = head;
	while (!atomic_compare_exchange_weak_explicit(&c->inbox, &head, j, memory_order_seq_cst, memory_order_relaxed));
	if (!head)
		uv_async_send(&c->wake);
	/* Closed meanwhile: nobody drains any more but whoever pushes. */
	if (atomic_load(&c->closed))
		propose_refuse_inbox(c);
}

void core_want_cosigned(struct core *c, uint64_t size)
{
	uint64_t wanted = atomic_load(&c->cosigned_wanted);

	while (wanted < size)
		if (atomic_compare_exchange_weak(&c->cosigned_wanted, &wanted, size)) {
			uv_async_send(&c->wake);
			return;
		}
}

void core_want_proof(struct core *c, uint64_t index)
{
	board_want_proof(c->o.board, index);
	uv_async_send(&c->wake);
}

void core_stored(struct core *c)
{
	board_ring(c->o.board);
	uv_async_send(&c->wake);
}

void core_heal(struct core *c)
{
	uv_async_send(&c->wake);
}

void core_noted(struct core *c)
{
	uv_async_send(&c->wake);
}

void core_stop(struct core *c)
{
	atomic_store(&c->stop_asked, true);
	uv_async_send(&c->wake);
}

void core_attach(struct core *c, struct front *f, struct ledger_writer *w, struct reading_room *r, struct scrubber *s)
{
	c->front = f;
	c->writer = w;
	c->readers = r;
	c->scrubber = s;
	room_apply(c);
	keys_follow(c); /* The front answers by the keys of today. */
	publish_principals(c);
	publish_members(c);
	publish_status(c);
	core_stepped(c);
}

void core_run(struct core *c)
{
	uv_signal_start(&c->sigterm, on_signal, SIGTERM);
	uv_signal_start(&c->sigint, on_signal, SIGINT);
	uv_timer_start(&c->beat, core_on_beat, c->o.settings->heartbeat_ms, c->o.settings->heartbeat_ms);
	held_begin(&c->held);
	notify_ready();
	uv_run(&c->loop, UV_RUN_DEFAULT);
	notify_stopping();
	stopping_begin(STOPPING_S_MAX);
	c->stopping = true;
	atomic_store(&c->closed, true);
	propose_refuse_inbox(c);
	propose_refuse_all(c, CS_ERR_NOT_READY);
	check_refuse_all(c, CS_ERR_NOT_READY);
	propose_abandon(c);
}

/* --- stop --- */

static void on_raft_closed(struct raft *r)
{
	struct core *c = r->data;

	c->raft_closed = true;
}

static void on_link_closed(void *ctx)
{
	struct core *c = ctx;

	c->link_closed = true;
}

/* What core_finish still waits for; NULL: nothing. Each of them ends by itself. */
static const char *unfinished(const struct core *c)
{
	if (!c->raft_closed)
		return "the log's disk";
	if (!c->link_closed)
		return "the links, or the resolver of a member's name";
	if (c->keys.out)
		return "the signer's record";
	if (c->evidence_out || c->checks_out)
		return "signatures being verified";
	if (c->givings_busy)
		return "the store, read for a member that catches up";
	return c->room.out ? "the file systems, asked for their room" : NULL;
}

void core_finish(struct core *c)
{
	const char *what;

	erase_stop(c);
	uv_timer_stop(&c->give_timer);
	uv_timer_stop(&c->announce);
	uv_timer_stop(&c->beat); /* What it looks at is closed one by one from here on. */
	apply_take_state(c, raft_last_applied(&c->raft), false);
	apply_finish_take(c);
	uv_timer_stop(&c->take.timer);
	c->raft.data = c;
	link_close(c->link, on_link_closed, c);
	guard_close(c->guard, on_raft_closed);
	while ((what = unfinished(c))) {
		stopping_waits_for(what);
		uv_run(&c->loop, UV_RUN_ONCE);
	}
	disk_free(c->log);
	guard_free(c->guard);
}

void core_close(struct core *c)
{
	uv_close((uv_handle_t *)&c->wake, NULL);
	uv_close((uv_handle_t *)&c->beat, NULL);
	uv_close((uv_handle_t *)&c->give_timer, NULL);
	uv_close((uv_handle_t *)&c->take.timer, NULL);
	uv_close((uv_handle_t *)&c->announce, NULL);
	uv_close((uv_handle_t *)&c->sigterm, NULL);
	uv_close((uv_handle_t *)&c->sigint, NULL);
	held_close(&c->held);
	uv_run(&c->loop, UV_RUN_DEFAULT);
	assert(uv_loop_close(&c->loop) == 0);
	for (struct entries *b = c->applied, *next; b; b = next) {
		next = b->next;
		entries_free(b);
	}
	turns_free(c->pending);
	turns_free(c->unproven);
	catchup_close(c);
	readings_drop(c);
	erase_free(c);
	store_view_close(c->view);
	tree_free(c->tree);
	state_free(c->state);
	free(c->out);
	free(c->reply);
	free(c->scratch);
	free(c);
}
