/* Frames between nodes: libraft's messages and our own, as bytes for the links and back, every length bounded. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODE_CORE_FRAME_H
#define NODE_CORE_FRAME_H

#include <raft.h>
#include <stddef.h>
#include <stdint.h>

#include "ledger/hash.h"
#include "ledger/limits.h"
#include "node/link.h"

#define FRAME_VERSION                1                   /* Told in HELLO: with another one nothing is understood. */
#define FRAME_ENTRIES_MAX            4096                /* Of one AppendEntries; our batches are one entry each. */
#define FRAME_SERVERS_MAX            7                   /* Members of a cluster. */
#define FRAME_ADDRESS_SIZE_MAX       128                 /* As a client's URL. */
#define FRAME_COSIGNATURE_SIZE_MAX   1024                /* Signature lines of one member: two keys of two kinds. */
#define FRAME_CHUNK_SIZE_MAX         ((1u << 20) + 4096) /* The largest entry and its heads; usual ones are smaller. */
#define FRAME_FETCH_COUNT_MAX        (1u << 16)          /* Things asked for at once. */
#define FRAME_ROOM_LEVEL_MAX         3                   /* Levels of room: node/space.h. */
#define FRAME_CONFIGURATION_SIZE_MAX 976                 /* Seven servers with the longest addresses, padded to 8. */
#define FRAME_ROSTER_SIZE_MAX        8192                /* As ROSTER_SIZE_MAX. */
#define FRAME_BUILD_SIZE_MAX         31                  /* A version, as in status. */
#define FRAME_READINGS_SIZE_MAX      16384               /* As READ_LOG_SIZE_MAX. */

#define FRAME_ENTRY_ALIGN 8 /* Guard 5: an entry's length is a multiple of this. */

/* Flags of a RequestVote. */
#define FRAME_VOTE_DISRUPT_LEADER 1u
#define FRAME_VOTE_PRE_VOTE       2u

/* First byte of a frame. Numbers are for ever. */
enum frame_type {
	FRAME_APPEND_ENTRIES = 1,
	FRAME_APPEND_ENTRIES_RESULT = 2,
	FRAME_REQUEST_VOTE = 3,
	FRAME_REQUEST_VOTE_RESULT = 4,
	FRAME_INSTALL_SNAPSHOT = 5,
	FRAME_TIMEOUT_NOW = 6,
	FRAME_ANNOUNCE = 16,    /* Leader: a checkpoint to cosign. */
	FRAME_COSIGNATURE = 17, /* Follower: its cosignature of an announced size. */
	FRAME_HELLO = 18,       /* First on every stream. */
	FRAME_FETCH = 19,       /* Catch-up: give me. */
	FRAME_CHUNK = 20,       /* Catch-up: here is. */
	FRAME_PROBE = 21,       /* ReadIndex, leader: is this still your term? */
	FRAME_ECHO = 22,        /* ReadIndex, voter: it is. */
	FRAME_ASK = 23,         /* Member: how far had the log come when you got this? */
	FRAME_TOLD = 24,        /* Leader: at least so far. */
	FRAME_ROSTER = 40,      /* Who the members are, by the sender's ledger. */
	FRAME_REMOVED = 41,     /* The receiver is none any more. */
	FRAME_ROOM = 32,        /* Room on the sender's disk. */
	FRAME_CLOCK = 33,       /* The sender's time. */
	FRAME_FEATURES = 48,    /* After HELLO: the features of the sender's build. */
	FRAME_READINGS = 49,    /* To the leader: what was read on the sender, to be ordered. */
};

struct frame_announce {
	uint64_t size;
	struct hash root;
	const char *note; /* The leader's signed checkpoint; not NUL-terminated. */
	size_t note_len;
};

struct frame_cosignature {
	uint64_t size;
	const char *line; /* One signature line of a note. */
	size_t line_len;
};

struct frame_hello {
	uint32_t version;       /* Another one than FRAME_VERSION: the rest is zero. */
	uint64_t cosigned_size; /* Highest size that the sender knows the *receiver* has cosigned (guard 9). */
	uint64_t applied_size;  /* The sender's own ledger. */
};

struct frame_fetch {
	uint8_t kind; /* What; a matter of the catch-up. */
	uint64_t from;
	uint32_t count;
};

struct frame_chunk {
	uint8_t kind;
	uint64_t from;
	const uint8_t *bytes;
	size_t len;
};

/* PROBE, ECHO: term and number. ASK: number. TOLD: number and index. See node/core/read_index.h and reads.c. */
struct frame_read {
	raft_term term;
	uint64_t number; /* The asker's own, which the answer repeats. */
	raft_index index;
};

struct frame_roster {
	const uint8_t *bytes; /* node/decide/roster.h; not looked into here. */
	size_t len;
};

struct frame_removed {
	uint64_t version; /* Of the sender's roster. */
};

struct frame_room {
	uint8_t level; /* enum space_level, at most FRAME_ROOM_LEVEL_MAX. */
	uint8_t what;  /* 0 disk, 1 map: the scarcer of the two. */
	uint64_t free, size;
};

struct frame_clock {
	uint64_t wall_ms; /* Since 1970. */
};

struct frame_features {
	uint64_t have;     /* A bit for each: node/decide/feature.h. */
	const char *build; /* Its version; not NUL-terminated. */
	size_t build_len;
};

struct frame_readings {
	uint8_t id[16];       /* Of the request: sent again, it is ordered once. */
	const uint8_t *bytes; /* node/decide/command_reads.h; not looked into here. */
	size_t len;
};

/* What a frame's bytes say. Pointers of our own frames point into those bytes. */
struct frame {
	enum frame_type type;
	union {
		/*
		 * Types 1 to 6. What its ownership demands is what libraft's recv demands of a raft_io: entries, their
		 * one common batch, the configuration and the snapshot's data are raft_malloc'ed, and recv takes them.
		 * Whoever does not pass the message on calls frame_free.
		 */
		struct raft_message raft;
		struct frame_announce announce;
		struct frame_cosignature cosignature;
		struct frame_hello hello;
		struct frame_fetch fetch;
		struct frame_chunk chunk;
		struct frame_read read;
		struct frame_roster roster;
		struct frame_removed removed;
		struct frame_room room;
		struct frame_clock clock;
		struct frame_features features;
		struct frame_readings readings;
	};
};

/* A frame on its way out: parts for link_send. Its 117 KiB belong into the sender's state, not on a stack. */
struct frame_parts {
	struct link_part parts[1 + FRAME_ENTRIES_MAX]; /* parts[0] is head; the others are borrowed from the message. */
	unsigned n;
	size_t len; /* Of all parts. */
	uint8_t head[1 + 4 * 8 + 4 + FRAME_ENTRIES_MAX * 13];
};

/*
 * Lays out a message of libraft without copying its entries or snapshot: those must stay until ret is used up. The
 * sender is not in the bytes: the receiver knows it from the channel. CS_ERR_TOO_LARGE above a bound (guard 13 cuts
 * before), CS_ERR_INVALID for an unknown type or an entry that is not a multiple of 8 long (guard 5), CS_ERR_NOMEM.
 */
int frame_encode_raft(const struct raft_message *m, struct frame_parts *ret);
/* Lays out a frame of our own (types from 16 on). Notes, lines and chunks are borrowed. Errors as above. */
int frame_encode(const struct frame *f, struct frame_parts *ret);

/*
 * Reads one whole frame. CS_ERR_VERSION: of a type that this build does not know; CS_ERR_MALFORMED, CS_ERR_TOO_LARGE or
 * CS_ERR_NOMEM; then nothing was kept. The configuration in a RAFT_CHANGE entry is checked too, since libraft's own
 * decoder believes it.
 */
int frame_decode(uint8_t *bytes, size_t len, struct frame *ret);
/*
 * Makes `from`, the channel's principal, the sender of a message of libraft, and the candidate of a vote: no frame can
 * speak for another node. address is borrowed for as long as the message.
 */
void frame_set_sender(struct frame *f, uint64_t from, const char *address);
/* Frees what a message of libraft holds and nobody took over; nothing for our own frames. */
void frame_free(struct frame *f);

#endif
