/* What the guard's own files share: its state, and the seams between its disk, network, election and step halves. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODE_CORE_GUARD_INTERNAL_H
#define NODE_CORE_GUARD_INTERNAL_H

#include "node/core/guard.h"

/* raft_progress.state, which raft.h does not name (libraft 0.15, progress.h). */
enum guard_progress { GUARD_PROBE, GUARD_PIPELINE, GUARD_SNAPSHOT };

/* A send whose callback waits for the outermost call to return (guard 12). */
struct guard_sent {
	struct raft_io_send *req;
	int status;
};

/* An append on its way to the disk; wraps libraft's request. */
struct guard_append {
	struct raft_io_append disk_req;
	struct raft_io_append *req;
	struct guard *guard;
	struct guard_append *next;        /* In flight, oldest first; or canceled by close, newest first. */
	const struct raft_entry *entries; /* libraft's, until the callback; for the submission. */
	unsigned n;
	bool submitted;      /* The disk has it. */
	raft_index last;     /* Index of its last entry. */
	raft_term term;      /* Current term when it was submitted (guard 4). */
	raft_time since;     /* When it was submitted (guard 3). */
	bool after_truncate; /* Ordered behind a truncation: its end is the truncation's end. */
};

/* A proposal in the window: libraft gets our request, the caller's is completed with it. */
struct guard_proposal {
	struct raft_apply req;
	struct raft_apply *user;
	raft_apply_cb cb;
	struct guard *guard;
	bool busy;
};

/* A successful result that waits until an entry of this term is stored here (guard 2). */
struct guard_held {
	raft_id id;
	raft_index last_log_index;
};

/* A lagging follower: what the last cut message carried (guard 13). */
struct guard_cut {
	raft_id id;
	raft_term term;
	raft_index end;  /* Last index sent. */
	raft_index next; /* What libraft took for the next index; 0: already set right. */
};

struct guard {
	struct raft_io *disk;
	struct raft_io *io;
	struct raft *raft;
	struct guard_options options;
	struct guard_hooks hooks;
	struct guard_stats stats;
	raft_io_tick_cb tick; /* libraft's own, given to start. */
	raft_io_recv_cb recv;
	raft_io_close_cb closed;

	/* Steps (guard 12). */
	unsigned depth;    /* > 0: inside libraft or one of its callbacks. */
	uint64_t entered;  /* Outermost calls so far, */
	uint64_t reported; /* and how many of them stepped has seen. */
	bool in_stepped;
	bool started;
	bool closing;
	bool want_step_down;
	struct guard_sent *sent;
	size_t sent_count, sent_size;

	/* Message being delivered to libraft: what a synchronous result answers (guards 1, 4). */
	unsigned short delivering; /* Its type; 0: none. */
	raft_term delivering_term;
	raft_index delivering_last; /* AppendEntries: prev + n; InstallSnapshot: its index, 0 unless redundant. */
	bool completing;            /* Inside the completion of an append or install, */
	raft_term completing_term;  /* submitted in this term. */
	raft_term match_term;       /* Guard 1: up to match our log equals that of the leader of match_term. */
	raft_index match;

	/* Our own account of the log (guards 1, 11). */
	raft_index next;                              /* Index that the next append begins with. */
	raft_index stored;                            /* Durable up to here. */
	struct guard_append *appends, **appends_tail; /* In flight, oldest first. */
	struct guard_append *canceled;                /* Failed by close, newest first. */
	raft_term lost_term;                          /* Guard 9: see guard_options; 0: whole again. */
	bool truncating;                              /* A truncation is not known to have reached the disk. */
	uint64_t bytes;                               /* Of entries after the last snapshot (guards 6, 7); */
	bool bytes_stale;                             /* to be counted again: the log was cut at either end. */
	raft_term stored_term;                        /* The current term on the disk. */
	unsigned threshold;
	raft_index cut; /* The log is to be cut behind this entry, by the next snapshot above it; 0: as it is. */

	/* Local snapshot or install on its way (guards 4, 6, 11). */
	struct raft_io_snapshot_put disk_put;
	struct raft_io_snapshot_put *put;
	const struct raft_snapshot *put_snapshot;
	unsigned put_trailing;
	bool put_install;
	bool put_waits; /* For durable(): not yet given to the disk. */
	raft_term put_term;
	raft_term install_term; /* Guard 1: the true term of an install over a conflicting entry; 0: none. */

	/* InstallSnapshot withheld until it is durable here (guard 6). */
	bool install_waits;
	struct raft_message install;
	char *install_address;

	/* Guard 10: the last committed configuration and its index; 0: not known. */
	struct raft_configuration committed;
	raft_index committed_index;

	/* Leading (guards 2, 3, 7, 13). */
	struct raft_barrier noop;
	raft_term noop_term;    /* Term whose no-op was proposed last, */
	raft_term noop_applied; /* and whose no-op was applied last. */
	raft_term held_term;
	struct guard_held held[GUARD_PEERS_MAX];
	unsigned held_count;
	struct guard_cut cuts[GUARD_PEERS_MAX];
	struct guard_proposal window[GUARD_WINDOW_MAX];
	unsigned window_used;
	raft_id heir; /* 0: not handing over. */
	raft_term heir_term;
	raft_time heir_since;
	bool heir_told;

	raft_time heard;      /* When the leader of the current term was last heard. */
	raft_term drawn_term; /* Term whose leader this server's election timeout was drawn under; 0: to be drawn. */
};

/* Steps: guard.c. Every call into libraft is between enter and leave; leave of the outermost settles. */
void guard_enter(struct guard *g);
void guard_leave(struct guard *g);
bool guard_on(const struct guard *g, unsigned k);
void guard_acted(struct guard *g, unsigned k);
/* status: libraft's, named in the text; 0: none. */
void guard_fatal(struct guard *g, const char *what, int status) __attribute__((noreturn));
void guard_failed(struct guard *g, const char *what, int status); /* Guard 8: fatal. */
raft_time guard_now(const struct guard *g);

/* The log as it stands in memory: guard_log.c. */
raft_index guard_first_index(const struct guard *g);
const struct raft_entry *guard_entry(const struct guard *g, raft_index index); /* NULL: not in the log. */
uint64_t guard_bytes_since_snapshot(const struct guard *g);
/* First index at which these entries contradict our log, if libraft would take them; 0: none. */
raft_index guard_conflict(const struct guard *g, const struct raft_append_entries *ae);
void guard_threshold(struct guard *g); /* Guard 6: the snapshot threshold in bytes. */
/* Guard 6: how many entries to keep behind a snapshot at index: at most n, and within the bound in bytes. */
unsigned guard_trailing(struct guard *g, raft_index index, unsigned n);

/* Guard 10: guard_configuration.c. */
void guard_configuration_loaded(struct guard *g, const struct raft_snapshot *snapshot);
void guard_configuration_track(struct guard *g); /* Remembers the last committed one. */
void guard_configuration_restart(struct guard *g);
/* Undoes an uncommitted configuration that a truncation at conflict would remove, in libraft's place. */
void guard_configuration_roll_back(struct guard *g, raft_index conflict);

/* The disk half: guard_disk.c (log and metadata), guard_snapshot.c. */
void guard_disk_fill(struct raft_io *io);
void guard_snapshot_fill(struct raft_io *io);
bool guard_in_flight(const struct guard *g); /* An append or an install (guard 4). */
void guard_appends_submit(struct guard *g);  /* Gives the disk what was appended in this step. */
void guard_appends_cancel(struct guard *g);  /* At close. */
void guard_note_match(struct guard *g, raft_index last);
bool guard_put_retry(struct guard *g); /* Each retry: true if it called libraft. */
bool guard_install_retry(struct guard *g);
void guard_install_recv(struct guard *g, struct raft_message *message); /* Delivers or withholds. */
void guard_snapshot_cancel(struct guard *g);

/* The network half: guard_send.c, guard_recv.c. */
int guard_send(struct raft_io *io, struct raft_io_send *req, const struct raft_message *message, raft_io_send_cb cb);
bool guard_sent_fire(struct guard *g);
void guard_cuts_settle(struct guard *g);
void guard_message_free(struct raft_message *message);
void guard_deliver(struct guard *g, struct raft_message *message, raft_term term, raft_index last);
bool guard_held_redeliver(struct guard *g);

/* Elections and leading: guard_vote.c, guard_lead.c. */
void guard_found(struct guard *g);
bool guard_vote_drop(struct guard *g, const struct raft_message *message);
void guard_vote_tick(struct guard *g);
void guard_vote_heard(struct guard *g); /* From the leader of the current term. */
bool guard_step_down_settle(struct guard *g);
bool guard_noop(struct guard *g);
bool guard_hand_over_settle(struct guard *g);
unsigned guard_server_index(const struct guard *g, raft_id id); /* configuration.n: not there. */

#endif
