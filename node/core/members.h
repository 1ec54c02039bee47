/* The members as this node knows them, and the leader's work when they change. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODE_CORE_MEMBERS_H
#define NODE_CORE_MEMBERS_H

#include <raft.h>
#include <stdbool.h>
#include <stdint.h>

#include "ledger/note.h"
#include "node/core/frame.h"
#include "node/decide/roster.h"
#include "node/link.h"
#include "node/space.h"

#define MEMBERS_MAX (LINK_PEERS_MAX + 1)
_Static_assert(MEMBERS_MAX == ROSTER_NODES_MAX, "one bound, three names");
_Static_assert(MEMBERS_MAX == FRAME_SERVERS_MAX, "one bound, three names");
_Static_assert(FRAME_ROSTER_SIZE_MAX == ROSTER_SIZE_MAX, "and this one, two");

#define MEMBERS_NAME_SIZE 32     /* "node-N" */
#define MEMBERS_JOIN_FILE "join" /* Made by `countersign member prepare`: a node that begins with an empty log. */

struct core;

/* What a member said of its room last (room.c); heard_ns 0: nothing yet. */
struct member_room {
	enum space_level level;
	enum space_what what;
	uint64_t free, heard_ns;
};

/* What its clock showed when it told us (clocks.c); heard_ns 0: nothing yet. */
struct member_clock {
	uint64_t wall_ms, heard_ns;
};

/* A member as roster and settings name it. */
struct member {
	uint64_t id;
	unsigned role; /* enum roster_role. */
	char url[ROSTER_URL_SIZE];
	struct note_key log_key, cosigner_key; /* Type 0: not known yet. */
	/* Those whose place they took, good up to these sizes; type 0: none. */
	struct note_key log_before, cosigner_before;
	uint64_t log_until, cosigner_until;
	uint64_t cosigned_size; /* The largest size that we know it has cosigned. */
	uint64_t heard_ns;      /* Its last frame. */
	uint32_t frame_version; /* Of its last HELLO; 0: none came yet. */
	uint64_t features;      /* Of its build, as it said on its newest stream; build "": it said nothing. */
	char build[FRAME_BUILD_SIZE_MAX + 1];
	bool odd_told;          /* It sends frames of a type that this build does not know: that was logged. */
	uint64_t asked, ticket; /* reads.c: its question, and our ticket for it; 0: none. */
	struct member_room room;
	struct member_clock clock;
};

/* What links there are, to be held against the members. */
struct linked {
	uint64_t id;
	char address[ROSTER_URL_SIZE];
	bool removed; /* No member any more: it is told so when it comes. */
	uint64_t told_ns;
};

struct members {
	struct member list[MEMBERS_MAX];
	unsigned n;
	bool ours;       /* Our own ledger names us: who votes is what it says. Else others told us, or the settings. */
	unsigned voters; /* Of ours. */
	uint64_t voters_since; /* Checkpoints from this size on need a majority of them. */
	struct roster hint;    /* What others told us last; n 0: nothing. */
	struct roster known;   /* Our own ledger's, and what the hint knows beside it. */
	struct linked linked[LINK_SLOTS_MAX];
	unsigned n_linked;
	uint64_t told[MEMBERS_MAX]; /* Who says that this node was removed. */
	unsigned n_told;
	bool removed; /* Enough of them do. */

	/* Leader: the change of libraft's configuration that is under way. */
	struct raft_change change;
	bool changing;
	raft_index change_index;
	uint64_t handed_ns;
};

/* members.c: who they are. */
int members_open(struct core *c);    /* After the state is loaded, before the log is opened. */
void members_follow(struct core *c); /* The roster has changed: members, links, quorum. */
void members_link_up(struct core *c, uint64_t peer);
bool members_heard(struct core *c, uint64_t from, const struct frame *f); /* False: not to be listened to. */
void members_roster(struct core *c, const struct frame_roster *f);
void members_removed(struct core *c, uint64_t from);
void members_tell(struct core *c);                           /* Each beat: removed nodes that are connected. */
struct member *members_find(struct core *c, uint64_t id);    /* NULL: no such member. */
unsigned members_majority(const struct core *c);             /* UINT_MAX: not known. */
void members_name(uint64_t id, char ret[MEMBERS_NAME_SIZE]); /* In Raft's configuration: "node-N". */
/* The roster as this node knows it, places filled in from the settings where it names none. */
void members_whole_roster(struct core *c, struct roster *ret);

/* members_log.c, after the log is loaded: orders in it that are not applied yet say where nodes are. */
void members_from_log(struct core *c);

/* change.c: the leader makes Raft's configuration what the roster says. */
void change_beat(struct core *c);
/* Leader: it has been heard lately, and follows the log. */
bool change_whole(struct core *c, uint64_t id);
/*
 * What only the leader can tell about an order before it is proposed: one change at a time, nobody becomes a voter who
 * is not whole, nobody goes while another is not whole. 0, or the error with its text.
 */
int change_allowed(struct core *c, const void *payload, size_t len, char ret_text[160]);
/*
 * Writes the text; CS_ERR_CONFLICT: a client asks again where it hears that a node is not ready or has no quorum, but
 * this is for people to decide.
 */
int change_refused(char ret_text[160], const char *format, ...) __attribute__((format(printf, 2, 3)));
void change_publish(struct core *c); /* What WIRE_MEMBERS answers. */

#endif
