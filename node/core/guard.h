/* The guard between libraft 0.15 and the world: a raft_io over a disk and our own network, with the thirteen guards. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODE_CORE_GUARD_H
#define NODE_CORE_GUARD_H

#include <raft.h>
#include <stdbool.h>
#include <stdint.h>

#include "ledger/errors.h"

/* Guards that a test build (GUARD_SWITCHES) can turn off, one bit each: bit k for guard k of node/CONSENSUS.md. */
#define GUARD_BIT(k) (UINT32_C(1) << (k))
#define GUARD_HOLD   0 /* Of guard 2 the hold alone: each term still begins with its no-op. */

/*
 * What the guard needs from its surroundings. Every function is called on the loop's thread. All but stepped run inside
 * a step (guard_propose refuses there). durable, install_ready: NULL means always; backlogged: NULL means never.
 */
struct guard_hooks {
	void *ctx;
	/*
	 * Hands a message for message->server_id to the network. The message and all that it points to are borrowed for
	 * the call only (encode or copy). Returns false if it was dropped (no connection, queue full).
	 */
	bool (*net_send)(void *ctx, const struct raft_message *message);
	/*
	 * Called after each outermost call into libraft has returned (guard 12): the place to propose, to send replies,
	 * to look at the role. It may call guard_* and raft_*; it is not entered again while it runs, but is called
	 * again afterwards if what it did entered libraft.
	 */
	void (*stepped)(void *ctx);
	/* A disk error, RAFT_UNAVAILABLE or a broken invariant (guard 8): log and end the process. Must not return. */
	void (*fatal)(void *ctx, const char *why) __attribute__((noreturn));
	/* True while the ledger and its state are durable up to this Raft index (guard 6, snapshot_put). */
	bool (*durable)(void *ctx, raft_index index);
	/*
	 * A local snapshot is about to be written, and durable has said yes: what became known only then is filled in.
	 * NULL: nothing.
	 */
	void (*seal)(void *ctx, const struct raft_snapshot *snapshot);
	/* True if InstallSnapshot up to this index may reach the core now: ledger and state are here (catch-up). */
	bool (*install_ready)(void *ctx, const struct raft_install_snapshot *snapshot);
	/*
	 * True while there is no room for so many bytes of entries (the writer is behind, the disk is full): an append
	 * from the leader is withheld from the core (guard 7).
	 */
	bool (*backlogged)(void *ctx, size_t bytes);
	/* The log has matched a term after lost_term: from here on this node votes again. NULL: nobody cares. */
	void (*found)(void *ctx);
};

struct guard_options {
	raft_id id;
	raft_term lost_term;      /* Guard 9: no vote until the log has matched a later term than this one; 0: whole. */
	raft_index applied_index; /* Guard 9: highest index known to have been applied through Raft here; 0: none. */
	size_t message_bytes_max; /* Guard 13: entries in one AppendEntries, bytes. */
	unsigned message_entries_max; /* And their number; 0: any. What no frame can carry is never sent. */
	size_t entry_bytes_max;       /* Guard 5: one entry. */
	unsigned window;              /* Guard 7: proposals in flight, at most GUARD_WINDOW_MAX; 0: one. */
	/*
	 * Guard 6: a local snapshot is due after this many entries or bytes of entries since the last one. 0 entries:
	 * the threshold set in raft; 0 bytes: entries only. Guard 7: from twice snapshot_bytes_max on, proposals are
	 * refused while a snapshot is being written.
	 */
	unsigned snapshot_entries_max;
	uint64_t snapshot_bytes_max;
	/* Guard 6: of the entries kept behind a local snapshot, for who was away; one at least. 0: by number only. */
	uint64_t trailing_bytes_max;
	uint32_t off; /* GUARD_BIT set; ignored without GUARD_SWITCHES. */
};

/* More in flight than a handful only starves commit (guard 7: libraft counts a quorum only at its last stored entry).
 */
#define GUARD_WINDOW_MAX 64
/* Servers whose results are held, or whose lag is bounded, at once: more than any configuration has. */
#define GUARD_PEERS_MAX 32

struct guard_stats {
	uint64_t acted[14]; /* How often guard k changed what would have happened. */
};

struct guard;

/*
 * Wraps disk (a raft_io whose network half is never used; borrowed, must outlive the guard; its data field becomes the
 * guard's) and fills *ret_io, to be given to raft_init; ret_io itself must stay where it is until guard_free. Hooks and
 * options are copied. Set raft with guard_attach after raft_init and before raft_start. CS_ERR_INVALID, CS_ERR_NOMEM.
 */
int guard_new(struct raft_io *disk, const struct guard_options *o, const struct guard_hooks *h, struct raft_io *ret_io,
              struct guard **ret);
void guard_attach(struct guard *g, struct raft *r);
/* After raft_start has succeeded, before the loop runs: guard 10, and the first stepped. */
void guard_started(struct guard *g);
/*
 * raft_close through the guard: the callbacks that fire inside cannot propose. Plain raft_close is safe too, as long as
 * they do not. cb may be NULL.
 */
void guard_close(struct guard *g, raft_close_cb cb);
void guard_free(struct guard *g); /* After raft_close's callback; NULL is fine. */

/*
 * A message from the network, already decoded and authenticated; ownership as raft_io's recv: entries (one batch a
 * message), configuration and snapshot data are taken over, the struct and its address are borrowed.
 */
void guard_recv(struct guard *g, struct raft_message *message);
/*
 * Proposes one entry (guards 2, 5, 7, 12). buf: raft_malloc'ed, a multiple of 8 bytes, taken over on success only. req
 * must live until cb; req->index is the entry's index. CS_ERR_NOT_LEADER (also while handing over), CS_ERR_INVALID
 * (length; or called inside a callback), CS_ERR_TOO_LARGE, CS_ERR_OVERLOADED (window full, snapshot behind),
 * CS_ERR_NOMEM.
 */
int guard_propose(struct guard *g, struct raft_apply *req, struct raft_buffer *buf, raft_apply_cb cb);
/* True if this server leads and an entry of its own term has been committed and applied. */
bool guard_leads(const struct guard *g);
/*
 * The stream to this server broke off. If it is the leader whom this server follows, it may just have died: it is
 * forgotten, and this server stands after a moment drawn from less than one election timeout, unless it hears from a
 * leader before. Where others still hear it, they refuse the pre-vote, and nothing has happened.
 */
void guard_lost_sight(struct guard *g, raft_id id);
/* Guard 3: give up leadership now (inside a callback: when it has returned). Nothing happens if it does not lead. */
void guard_step_down(struct guard *g);
/*
 * Hands leadership over to the voter id: proposals are refused, TimeoutNow is sent once it matches, by the guard
 * itself; after one election timeout without success leading goes on. CS_ERR_NOT_LEADER, CS_ERR_INVALID (no such
 * voter).
 */
int guard_hand_over(struct guard *g, raft_id id);
/*
 * Leader: heartbeats to the servers that follow, now: with no entry behind it they would learn of a commit at the next
 * beat only. Outside of libraft's callbacks.
 */
void guard_tell_commit(struct guard *g);
/* Leader: up to which index this server's log is known to be ours, while it follows; 0: it does not, or not yet. */
raft_index guard_match(const struct guard *g, raft_id id);
raft_term guard_term_of(const struct guard *g, raft_index index); /* 0: not in the log. */
/*
 * The current term as the disk holds it, and a restart would find it: what is promised to another server rests on this
 * one. 0: not loaded yet.
 */
raft_term guard_stored_term(const struct guard *g);
/*
 * raft_barrier as a step of its own: cb runs with 0 once all that was proposed before is applied, by a leader that led
 * all the time. req must live until cb. CS_ERR_NOT_LEADER, CS_ERR_INVALID (inside a callback), CS_ERR_NOMEM.
 */
int guard_barrier(struct guard *g, struct raft_barrier *req, raft_barrier_cb cb);
/* The entry at index as it is in memory, NULL if the log has none; and the last index that is durable here. */
const struct raft_entry *guard_log_entry(const struct guard *g, raft_index index);
raft_index guard_stored(const struct guard *g);
/*
 * The log is to forget its entries up to index: a local snapshot is taken with the first entry applied above it (the
 * leader sees to it that there is one), and keeps nothing from before behind itself, but one entry at least. is_cut:
 * in memory it has.
 */
void guard_cut(struct guard *g, raft_index index);
bool guard_is_cut(const struct guard *g, raft_index index);
/* Guard 6: false while a configuration is uncommitted; the fsm's snapshot then returns RAFT_BUSY. */
bool guard_snapshot_allowed(const struct guard *g);
/*
 * The writer has made progress: looks again at whatever waited for durable(), install_ready() or backlogged(). Also to
 * be called after raft_add, raft_assign or raft_remove outside of stepped, so that what they queued is completed.
 */
void guard_poke(struct guard *g);
void guard_stats(const struct guard *g, struct guard_stats *ret);

#endif
