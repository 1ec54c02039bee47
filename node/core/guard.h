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

/* What the guard needs from its surroundings. Every function is called on the loop's thread. */
struct guard_hooks {
	void *ctx;
	/*
	 * Hands a message for message->server_id to the network. The message and all that it points to are borrowed for
	 * the call only (encode or copy). Returns false if it was dropped (no connection, queue full).
	 */
	bool (*net_send)(void *ctx, const struct raft_message *message);
	/*
	 * Called after each outermost call into libraft has returned (guard 12): the place to propose, to send replies,
	 * to look at the role. It may call guard_* and raft_*; it is not entered again while it runs.
	 */
	void (*stepped)(void *ctx);
	/* A disk error, RAFT_UNAVAILABLE or a broken invariant (guard 8): log and end the process. Must not return. */
	void (*fatal)(void *ctx, const char *why) __attribute__((noreturn));
	/* True while the ledger and its state are durable up to this Raft index (guard 6, snapshot_put). */
	bool (*durable)(void *ctx, raft_index index);
	/* True if InstallSnapshot up to this index may reach the core now: ledger and state are here (catch-up). */
	bool (*install_ready)(void *ctx, const struct raft_install_snapshot *snapshot);
	/* True while the writer's backlog is full: appends from the leader are withheld from the core (guard 7). */
	bool (*backlogged)(void *ctx);
};

struct guard_options {
	raft_id id;
	raft_index applied_index; /* Guard 9: highest index known to have been applied through Raft here; 0: none. */
	size_t message_bytes_max; /* Guard 13: entries in one AppendEntries, bytes. */
	size_t entry_bytes_max;   /* Guard 5: one entry. */
	uint32_t off;             /* GUARD_BIT set; ignored without GUARD_SWITCHES. */
};

struct guard_stats {
	uint64_t acted[14]; /* How often guard k changed what would have happened. */
};

struct guard;

/*
 * Wraps disk (a raft_io whose network half is never used; borrowed, must outlive the guard) and fills *ret_io, to be
 * given to raft_init. Set raft with guard_attach after raft_init and before raft_start.
 */
int guard_new(struct raft_io *disk, const struct guard_options *o, const struct guard_hooks *h, struct raft_io *ret_io,
	      struct guard **ret);
void guard_attach(struct guard *g, struct raft *r);
/* After raft_start: guard 10. */
void guard_started(struct guard *g);
void guard_free(struct guard *g); /* After raft_close's callback. */

/* A message from the network, already decoded and authenticated; ownership as raft_io's recv. */
void guard_recv(struct guard *g, struct raft_message *message);
/* Proposes one entry (guards 2, 5, 7, 12). buf: raft_malloc'ed, taken over on success only. Outside callbacks only. */
int guard_propose(struct guard *g, struct raft_apply *req, struct raft_buffer *buf, raft_apply_cb cb);
/* True if this server leads and an entry of its own term has been committed and applied. */
bool guard_leads(const struct guard *g);
/* Guard 3: give up leadership now; hand leadership over to id when it matches (TimeoutNow by the guard itself). */
void guard_step_down(struct guard *g);
int guard_hand_over(struct guard *g, raft_id id);
raft_term guard_term_of(const struct guard *g, raft_index index); /* 0: not in the log. */
/* The writer has made progress: looks again at whatever waited for durable() or backlogged(). */
void guard_poke(struct guard *g);
void guard_stats(const struct guard *g, struct guard_stats *ret);

#endif
