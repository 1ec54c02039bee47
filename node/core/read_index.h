/* ReadIndex: when a leader may answer a read, missing nothing that was committed before it was asked. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODE_CORE_READ_INDEX_H
#define NODE_CORE_READ_INDEX_H

#include <raft.h>
#include <stdbool.h>
#include <stdint.h>

#include "node/core/guard.h"

/*
 * That this server believes to lead proves nothing (Raft thesis, 6.4). So reads wait for a round:
 *
 *   ask      A read has arrived; it gets a ticket.
 *   begin    An entry of our own term is committed: only from then on is our commit index the cluster's. It is noted,
 *            and a probe with our term goes to every other voter of the configuration. The round is for all tickets
 *            given so far; those that come later share the next one.
 *   echo     A voter answers a probe if, and only if, the term on its disk is the probe's. Then it had not voted for a
 *            later leader when it answered; and of a majority that had not, no later leader can have been elected
 *            before the probe went out, let alone have committed anything.
 *   pass     With a majority, in the same term and configuration, and once the noted index is applied, the tickets are
 *            good. When the configuration changes the round begins again with other numbers.
 *
 * If echoes do not come in time, one barrier goes through the log instead, for all that have asked by then: libraft
 * sends again what was lost.
 */
struct read_index {
	struct guard *guard;
	const struct raft *raft;
	void (*probe)(void *ctx, raft_id to, raft_term term, uint64_t number); /* May be lost. */
	void *ctx;

	uint64_t asked;  /* The newest ticket. */
	uint64_t passed; /* Tickets up to here are good. */
	/* When the round that passed last began, on the clock of now_ns: all committed before is applied. 0: none yet.
	 */
	uint64_t confirmed_ns;

	/* The round that is out. */
	bool out;
	uint64_t tickets; /* It is for those up to here. */
	uint64_t began_ns;
	raft_term term;
	raft_index index;         /* The noted one. */
	raft_index configuration; /* Index of the configuration in force. */
	uint64_t number;          /* Of its probes; never used again. */
	uint32_t echoed;          /* Bit i: servers[i] of the configuration, a voter. */

	bool barrier_out;
	struct raft_barrier barrier;
};

void read_index_init(struct read_index *x, struct guard *g, const struct raft *r,
                     void (*probe)(void *ctx, raft_id to, raft_term term, uint64_t number), void *ctx);
/* A ticket for a read that is here. The round may begin within. */
uint64_t read_index_ask(struct read_index *x, uint64_t now_ns);
/* To be called after each step of Raft: begins, begins again, or passes. */
void read_index_step(struct read_index *x, uint64_t now_ns);
/* A voter's echo of a probe. */
void read_index_echo(struct read_index *x, raft_id from, raft_term term, uint64_t number, uint64_t now_ns);
/* Now and then, outside of Raft's callbacks: the barrier, if the round has been out for patience_ns. */
void read_index_beat(struct read_index *x, uint64_t now_ns, uint64_t patience_ns);

#endif
