/* What the core's files share: one struct, one owner (the loop's thread). */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODE_CORE_CORE_INTERNAL_H
#define NODE_CORE_CORE_INTERNAL_H

#include <raft.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <uv.h>

#include "ledger/note.h"
#include "ledger/tree.h"
#include "node/clock.h"
#include "node/core/batch.h"
#include "node/core/catchup.h"
#include "node/core/core.h"
#include "node/core/digest.h"
#include "node/core/erase.h"
#include "node/core/frame.h"
#include "node/core/guard.h"
#include "node/core/heal.h"
#include "node/core/held.h"
#include "node/core/members.h"
#include "node/core/read_index.h"
#include "node/disk/disk.h"
#include "node/evidence/verify.h"
#include "node/link.h"
#include "node/pace.h"
#include "node/space.h"
#include "node/turns.h"

#define PENDING_MAX       8192        /* Requests waiting for a batch; one principal gets half (node/turns.h). */
#define BACKLOG_BYTES_MAX (64u << 20) /* What the writer may be behind before a follower withholds appends. */
#define STATE_DIRTY_MAX   4096        /* Records changed that start a write-back before its time: bounds its copy. */
#define TAKE_STEP         128         /* Records copied in one round of the loop: 0.2 ms. */
#define STATE_INTERVAL_MS 5000        /* Write-back of changed state at least this often. */
/* Checkpoints are announced for cosigning (checkpoint.c); each time costs ten signatures or so, over all nodes: */
#define ANNOUNCE_INTERVAL_MS 200 /* under load; */
#define ANNOUNCE_QUIET_MS    10  /* when nothing more has been decided for so long; */
#define ANNOUNCE_WANTED_MS   1   /* for whoever waits for a quorum's proof, when the round before is over, */
#define ANNOUNCE_PATIENCE_MS 20  /* or has taken so long that another one may get further. */
#define SNAPSHOT_BYTES_MAX                                                                                             \
	(UINT64_C(64) << 20) /* Between snapshots: what a restart replays, what the log holds in memory. */
#define TRAILING_BYTES_MAX                                                                                             \
	(UINT64_C(32) << 20)    /* Of entries kept behind a snapshot; who was away for longer fetches the ledger. */
#define CLOCK_AHEAD_MS_MAX 2000 /* A leader's time further ahead of ours is not cosigned (decisions.md: Flow). */

#define PROVING_MAX 2 /* Evidences of answers at workers at once: the pool's other threads are the disk's. */

#define CHECKS_WAITING_MAX 4096 /* Checks that wait for a round or a view; above it: overloaded, at once. */
#define FRESH_INTERVAL_MS  100  /* A view in use is made anew when it is so old: a fraction of what anybody bounds. */
#define FRESH_PATIENCE_MS                                                                                              \
	100                 /* So long a check waits for a fresh view, and a question to the leader for its answer.    \
	                     */
#define FRESH_KEEP_MS 10000 /* A view is in use so long after the last check that asked for it. */

/* The batch that we proposed and that is not yet applied. */
struct flight {
	bool busy;
	bool genesis, member; /* member: one of its commands changes who is one. */
	uint64_t begun_ns;
	struct raft_apply req;
	unsigned n;
	struct job *jobs[BATCH_COMMANDS_MAX]; /* NULL: its deadline has passed, and it was told so. */
};

/* Those whose batch is applied, and who wait for their replies until the next batch is on its way. */
struct answering {
	unsigned n;
	struct job *jobs[BATCH_COMMANDS_MAX];
};

/* This node's own room. */
struct room {
	enum space_level level;
	enum space_what what;
	struct space space;
	size_t taken;       /* Bytes of entries since the level is short. */
	bool others_plenty; /* No member lacks room, this one included. */
	uint64_t asked_ns, told_ns, handed_ns;
	bool out; /* The measurement's own while out: */
	uv_work_t work;
	struct space measured;
	int err;
};

/* What a command of the batch that was applied last came to: kept for the replies. */
struct outcome {
	enum decide_outcome outcome;
	int err;
	uint64_t index;
	unsigned entry; /* DECIDE_ENTRY: which one of core.entries. */
	char text[160];
};

/* check.c: a check whose answer is not due yet. */
struct waiting_check {
	struct job *job;
	uint64_t ticket; /* Of ReadIndex; for a linearizable one. */
	uint64_t since_ns;
	uint32_t stale_ms_max; /* 0: linearizable. */
	uint8_t id[WIRE_REQUEST_ID_SIZE];
	/* Of other questions, within the job's body: a request that a grant may cover, a subject, where to go on. */
	const uint8_t *request;
	size_t request_len;
	struct text subject_type, subject_id;
	uint64_t after;
};

/* reads.c: how old this node's view of the ledger is. 0: none. */
struct fresh {
	uint64_t seen_ns;  /* All that was committed by then is applied here. */
	uint64_t used_ns;  /* Somebody read this view last. */
	uint64_t asked_ns; /* The question that is out, */
	uint64_t number;   /* its number, */
	raft_id asked_of;
	uint64_t told_ns; /* When that was asked whose answer, told_index, is not yet applied here. */
	raft_index told_index;
};

struct core {
	struct core_options o;
	uint64_t id;
	struct members members;

	uv_loop_t loop;
	uv_async_t wake;
	uv_signal_t sigterm, sigint;
	uv_timer_t beat, give_timer;
	struct held held;
	struct {
		uv_timer_t timer;
		struct state_block *block; /* NULL: none is under way. */
		bool sync;
	} take; /* Of the state. */
	struct raft_io disk, io;
	struct disk *log;
	struct raft_fsm fsm;
	struct raft raft;
	struct guard *guard;
	struct refetch *refetch;     /* While the state is being fetched, before raft starts. */
	struct repair *repair;       /* While the log is being repaired, before raft starts. */
	uint64_t told_cosigned_size; /* Meanwhile: the largest size that others say this node has cosigned. */
	struct link *link;
	struct frame_parts parts; /* Of the frame being sent. */
	struct front *front;
	struct ledger_writer *writer;
	struct reading_room *readers;
	struct scrubber *scrubber; /* NULL: there is none. */
	struct healing healing;
	uint64_t started_ns;
	bool stopping, raft_closed, link_closed;
	atomic_bool stop_asked;
	atomic_bool closed; /* Jobs are refused by whoever submits them. */

	/* Requests. */
	_Atomic(struct job *) inbox;
	struct turns *pending;
	struct turns *unproven;         /* Answers whose evidence is to be verified first. */
	struct reading_order *readings; /* readings.c: what was read on the nodes, to be ordered. */
	uint64_t readings_until_ns; /* Asked to stop: the loop ends then, or once all notes are logged; 0: not asked. */
	struct proving *proving[PROVING_MAX];
	struct pace pace;
	struct flight flight;
	struct answering answering;
	uint8_t *scratch; /* BATCH_SIZE_MAX bytes: the batch being built. */
	uint8_t *reply;   /* WIRE_REPLY_SIZE_MAX bytes: the reply being built. */

	/* Reads. */
	struct read_index read_index;
	struct fresh fresh;
	unsigned n_checks;
	struct waiting_check checks[CHECKS_WAITING_MAX]; /* In order of arrival. */

	/* The ledger, as applied. */
	struct state *state;
	struct tree *tree;
	struct store_view *view;     /* For tiles older than the tree's right edge, and the comparison at start. */
	uint64_t stored_at_start;    /* Entries stored before they came through Raft: those that do must be equal. */
	raft_index applied_at_start; /* Raft index that these entries reach. */
	raft_index state_stored;     /* Raft index of the newest state that the writer has or is given. */
	bool state_synced;           /* The writer has been told to sync the state of the start. */
	raft_index last_at_start;    /* The log's last entry at start: nothing is signed before it is applied. */
	uint64_t size_at_start;      /* The largest size that the log's last batch may lead to. */
	struct decide_out *out;
	struct entries *applied, **applied_last;    /* Not yet handed to the writer. */
	uint64_t pushed_size;                       /* Entries that the writer has or is given. */
	raft_index pushed_index;                    /* And the Raft index that they reach. */
	struct entries *entries;                    /* Of the batch applied last. */
	struct deferred *deferred, **deferred_last; /* Committed batches to apply at the end of the step. */
	struct outcome outcomes[BATCH_COMMANDS_MAX];
	unsigned n_outcomes;
	bool principals_changed, roster_changed;
	uint64_t state_taken_ns;

	/* Checkpoints. */
	raft_term note_term;    /* Term in which the note was signed. */
	struct board_note note; /* The leader's newest signed checkpoint. */
	struct hash note_root;
	struct board_note announced; /* What cosignatures are gathered for. */
	struct hash announced_root;
	uint64_t announced_ns;
	uv_timer_t announce;              /* The next one, as far as it is known. */
	_Atomic uint64_t cosigned_wanted; /* Some reader waits for a cosigned checkpoint of this size. */
	uint64_t cosigned_size;           /* Newest quorum-cosigned one, */
	unsigned cosigned_voters;         /* How many have cosigned it, */
	uint64_t cosigned_s;              /* When: its newest cosignature's time, POSIX seconds; */
	unsigned n_cosigners;             /* and whose they are. */
	uint64_t cosigners[MEMBERS_MAX];
	uint64_t noted_version, noted_size; /* The roster's version that a checkpoint was kept for, and which. */
	uint64_t reached_size;              /* and the newest whose entries are here: a member may be behind. */
	bool announced_cosigned;            /* Our own cosignature for the announced size is among the lines. */
	struct {
		uint64_t id;
		size_t len, first; /* first: of its first line, by the current cosigner key. */
		char text[FRAME_COSIGNATURE_SIZE_MAX];
	} lines[MEMBERS_MAX];
	unsigned n_lines;
	struct { /* Follower: what the leader asked to cosign and we have not applied yet. */
		uint64_t from, size;
		struct hash root;
	} asked;
	unsigned checks_out;       /* Notes being verified. */
	unsigned evidence_out;     /* Being verified, of entries and of answers. */
	unsigned entries_unproven; /* Of entries: nothing is cosigned meanwhile. */
	bool evidence_bad, clock_ahead;
	uint64_t ahead_time_ms; /* clock_ahead: the last batch's time. */

	/* Catch-up. */
	struct taking *taking;
	struct giving *givings[MEMBERS_MAX];
	unsigned givings_busy;
	struct digests digests;
	struct eraser *eraser;

	struct room room;
	struct {
		uv_work_t work; /* Syncs the signer's record. */
		bool out;
		uint64_t synced_size, synced_ns, handed_ns;
	} keys;
	struct {
		int64_t off_ms; /* Most of the others are so much ahead of ours, or behind it if negative; 0: neither.
		                 */
		uint64_t told_ns, handed_ns;
	} clocks;

	bool authoritative; /* What the front was told last. */
	int role_seen;
	raft_term term_seen;
};

/* apply.c: the state machine that libraft drives. */
void apply_init(struct core *c);
void apply_deferred(struct core *c);  /* What was committed in this step and waits. */
void apply_hand_over(struct core *c); /* Bundles to the writer, principals to the front. */
/* The state as it is at that index, to the writer: bit by bit, in the loop's next rounds. sync: and onto the disk. */
void apply_take_state(struct core *c, raft_index index, bool sync);
void apply_finish_take(struct core *c); /* What of it is under way, at once. */

/* propose.c: jobs to batches, batches to replies. */
void propose_drain(struct core *c);  /* The inbox. */
void propose_answer(struct core *c); /* Replies to the batch that was applied in this step. */
void propose_pump(struct core *c);   /* A batch, if one may go. */
void propose_expire(struct core *c); /* Deadlines of those who wait, and of those in flight. */
/* Its evidence is verified, or need not be. Any error goes to the asker. */
void propose_ready(struct core *c, struct job *j);
void propose_refuse(struct job *j, int err, const char *text);
void propose_refuse_all(struct core *c, int err);
void propose_refuse_not_leader(struct core *c, struct job *j);
void propose_refuse_inbox(struct core *c); /* Any thread, once the core is closed. */
void propose_abandon(struct core *c);      /* Stopping: whoever waits for the batch in flight is told so. */

/* credentials.c */
void credentials_read(struct core *c, struct job *j);

/* proving.c: evidence at the workers. */
bool proving_wanted(const struct job *j);
void proving_pump(struct core *c);            /* Those that wait, as far as workers are free. */
void proving_refuse(struct core *c, int err); /* Those at the workers: nobody waits for what comes out. */
void proving_entry(struct core *c, const struct decide_out *out); /* Of an entry that was just applied. */

/* ticks.c: the leader's ticks, by which what waits comes to its time or end. */
bool ticks_due(struct core *c, uint64_t time_ms);
void ticks_add(struct core *c, struct batch_writer *w, uint64_t time_ms);
void ticks_beat(struct core *c);

/* readings.c: what was read on the nodes becomes entries. */
void readings_pump(struct core *c); /* This node's, to the leader. */
void readings_frame(struct core *c, uint64_t from, const struct frame_readings *f);
bool readings_due(const struct core *c);
void readings_add(struct core *c, struct batch_writer *w, uint64_t time_ms);
void readings_end(struct core *c);  /* Asked to stop: ends the loop, once what was read here is logged. */
void readings_drop(struct core *c); /* No leader any more: those who wait send again. */
/* This command became an entry of kind "read", or had become one before. */
void readings_applied(struct core *c, const uint8_t *command, size_t len);

/* check.c: whether an earlier answer is still good, what waits, which grants stand. */
bool check_serves(unsigned wire_type);
void people_receive(struct core *c, struct job *j); /* people.c */
void check_receive(struct core *c, struct job *j);
void check_step(struct core *c); /* Answers those whose time has come; whoever asked a leader that is none any more. */
void check_expire(struct core *c); /* Deadlines, and patience with an old view. */
void check_refuse_all(struct core *c, int err);

/* reads.c: what a read may be answered from. */
void reads_init(struct core *c);
void reads_frame(struct core *c, uint64_t from, const struct frame *f); /* PROBE, ECHO, ASK, TOLD. */
void reads_step(struct core *c);                                        /* After each step of Raft. */
void reads_beat(struct core *c);
void reads_refresh(struct core *c, uint64_t now_ns);    /* Makes this node's view anew, soon. */
uint64_t reads_age_ns(struct core *c, uint64_t now_ns); /* How old it is at most; UINT64_MAX: not known. */

/* checkpoint.c: signing, announcing, cosigning. */
void checkpoint_sign(struct core *c); /* Leader: the tree as it is now, if it has not been signed in this term. */
void checkpoint_beat(struct core *c); /* Each heartbeat: announce again what not everybody has cosigned. */
void checkpoint_pace(struct core *c); /* Leader: when to announce next, as something was decided, or somebody waits. */
void checkpoint_on_announce(uv_timer_t *timer);
void checkpoint_announced(struct core *c, uint64_t from, uint64_t size, const struct hash *root, const char *note,
                          size_t len);
void checkpoint_cosignature(struct core *c, uint64_t from, uint64_t size, const char *line, size_t len);
void prompt_prove(struct core *c);       /* prompt.c: what readers wait for, under the note that was reached. */
void checkpoint_applied(struct core *c); /* Follower: cosign what was asked for, if it is here now. */
void checkpoint_forget(struct core *c);  /* Who signs has changed: what was gathered does not count. */
void checkpoint_restore(struct core *c); /* At start: the newest cosigned one in the store. */

/* peers.c: frames from and to the other members. */
int peers_open(struct core *c);
void peers_send(struct core *c, uint64_t to, const struct frame *f);
void peers_greet(struct core *c); /* After a repair: what is told when a link comes up. */
bool peers_send_raft(void *ctx, const struct raft_message *m);

/* room.c: room on the disks, this node's and the others'. */
int room_open(struct core *c);
void room_apply(struct core *c); /* To the writer and to catch-up, when there is a writer or the level has changed. */
void room_beat(struct core *c);
void room_tell(struct core *c, uint64_t peer);
void room_told(struct core *c, uint64_t from, const struct frame_room *f);
/* True: the job is gone, for some node has no room for what it asks. */
bool room_refuses(struct core *c, struct job *j);
/* By what is known, a quorum has room for entries that say who read; who is not heard does not count as full. */
bool room_for_notes(const struct core *c);
bool room_withholds(struct core *c, size_t bytes);       /* Of entries from the leader: there is no room for them. */
bool room_for(const struct core *c, size_t backlog_max); /* For more to be fetched. */
const char *room_health(struct core *c, char *buf, size_t cap); /* In words, or NULL. */

/* clocks.c: the members' clocks. */
void clocks_tell(struct core *c, uint64_t peer);
void clocks_told(struct core *c, uint64_t from, const struct frame_clock *f);
void clocks_beat(struct core *c);
/* Leader: its clock is wrong by most of the others', and one of them takes over: until then nothing is ordered. */
bool clocks_hold(struct core *c);
const char *clocks_health(const struct core *c, char *buf, size_t cap); /* In words, or NULL. */

/* keys.c: this node's own keys. */
int keys_open(struct core *c);     /* After the members: the signer's record. */
void keys_reached(struct core *c); /* After the log: a record that is ahead of it halts the node. */
void keys_follow(struct core *c);  /* The roster has changed: who signs, and by what this node answers. */
void keys_beat(struct core *c);    /* The record onto the disk; a leader that cannot sign hands over. */
void keys_prepare(struct core *c, struct job *j);
void keys_read(struct core *c, struct job *j);
/* Leader: true: the job is gone, for nothing can be signed here. */
bool keys_refuse(struct core *c, struct job *j);
const char *keys_health(const struct core *c); /* In words, or NULL. */
/* Every channel pair this node has; how many. */
unsigned keys_channel(const struct core *c, struct evidence_key *ret, unsigned max);

/* features.c: what the members' builds can. */
void features_link_up(struct core *c, uint64_t peer);
void features_hello(struct core *c, uint64_t from);
void features_told(struct core *c, uint64_t from, const struct frame_features *f);
/* What only the leader can tell about an order to switch one on: every member has it. 0, or the error with its text. */
int features_allowed(struct core *c, const void *payload, size_t len, char ret_text[160]);
bool features_build_due(struct core *c);                         /* The ledger names another build than ours. */
void features_add_build(struct core *c, struct batch_writer *w); /* Into an empty batch. */
void features_publish(struct core *c);                           /* What WIRE_FEATURES answers. */

/* publish.c: what other threads are told. */
void publish_status(struct core *c);
void publish_ledger(struct core *c); /* Readers must not wait for the next beat to learn of new entries. */
void publish_principals(struct core *c);
void publish_members(struct core *c); /* As they sign, for what witnesses bring. */
const char *publish_role(const struct core *c);

/* core.c: the loop's callbacks. */
void core_stepped(void *ctx);
void core_on_wake(uv_async_t *async);
void core_on_beat(uv_timer_t *timer);
/* open.c, publish.c, halt.c */
bool core_leads(const struct core *c);
const char *core_leader_url(const struct core *c);                                           /* "" if none is known. */
int core_tile_read(void *ctx, unsigned level, uint64_t n, unsigned width, struct hash *out); /* ctx: the core. */
void core_write_removed(const char *data_path);
void core_fatal(void *ctx, const char *why)
        __attribute__((noreturn)); /* Crash: the process ends, a restart recovers. */

#endif
