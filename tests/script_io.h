/* A cluster on one scripted clock: disks that lag, stick, fail and survive a crash, and a network that can be cut. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_SCRIPT_IO_H
#define TESTS_SCRIPT_IO_H

#include <raft.h>
#include <stdbool.h>
#include <stdint.h>

#include "node/core/guard.h"

#define SCRIPT_SERVERS_MAX  5
#define SCRIPT_INDEX_MAX    8192 /* Applied entries that are remembered. */
#define SCRIPT_FATAL        42   /* Exit code of a process that the guard ended. */
#define SCRIPT_ELECTION_MS  1000
#define SCRIPT_HEARTBEAT_MS 100
#define SCRIPT_TYPES        7 /* Message types are 1 to 6. */

struct script_entry {
	raft_term term;
	unsigned short type;
	struct raft_buffer buf;
};

/* What survives a crash. */
struct script_disk {
	raft_term term;
	raft_id vote;
	raft_index start; /* Index of log[0]. */
	struct script_entry *log;
	size_t n;
	raft_index snapshot_index; /* 0: none. */
	raft_term snapshot_term;
	raft_index snapshot_conf_index;
	struct raft_configuration snapshot_conf;
	struct raft_buffer snapshot_data;
};

struct script_op;

struct script_server {
	struct script *script;
	raft_id id;
	char address[8];
	struct script_disk disk;
	bool alive;
	uint32_t off; /* Guards turned off, from the next boot on. */
	struct guard_options options;

	struct raft raft;
	struct raft_io disk_io, io;
	struct raft_fsm fsm;
	struct guard *guard;
	raft_io_tick_cb tick;
	raft_time next_tick;
	unsigned tick_ms;
	struct script_op *ops; /* Oldest first. */

	/* Knobs. */
	unsigned timeout_ms; /* Randomized election timeout. */
	unsigned disk_ms;
	bool disk_stuck;                      /* Appends and snapshots never complete. */
	int disk_fails;                       /* Status of the next append to complete; 0: success. */
	int submit_fails;                     /* Status of the next call to the disk. */
	bool unreachable[SCRIPT_SERVERS_MAX]; /* Messages to this server are refused at once. */
	bool cut[SCRIPT_SERVERS_MAX];         /* Messages to this server vanish. */
	bool backlogged;
	bool ledger_behind; /* durable() says no above ledger_durable. */
	raft_index ledger_durable;
	bool catching_up; /* install_ready() says no. */

	/* The state machine. */
	char applied[SCRIPT_INDEX_MAX][8];
	raft_index applied_last;
	unsigned applies, restores;

	/* What was seen. */
	struct raft_message last[SCRIPT_TYPES]; /* Last message of each type sent, pointers cleared. */
	unsigned sent[SCRIPT_TYPES];
	size_t append_bytes_max;
	unsigned append_entries_max;
	unsigned acked, lost, steps;
	raft_index acked_last;
	void (*on_stepped)(struct script_server *v);
	void (*on_fatal)(struct script_server *v, const char *why); /* NULL, or does not return. */
};

struct script_packet;

struct script {
	unsigned n;
	raft_time now;
	unsigned net_ms;
	struct script_packet *packets; /* Oldest first. */
	struct script_server s[SCRIPT_SERVERS_MAX];
};

/* n servers, all voters, with the first configuration on their disks; off in each. Nothing runs yet. */
void script_init(struct script *s, unsigned n, uint32_t off);
void script_close(struct script *s);
/* An entry on a disk before boot: a command whose payload is text, or a configuration of the first n servers. */
void script_preset(struct script *s, unsigned i, raft_term term, const char *text);
void script_preset_configuration(struct script *s, unsigned i, raft_term term, unsigned n);
void script_preset_snapshot(struct script *s, unsigned i, raft_index index, raft_term term); /* Instead of a log. */
raft_term script_disk_term(const struct script *s, unsigned i, raft_index index);            /* 0: not on the disk. */
int script_boot(struct script *s, unsigned i);                                               /* raft_start's status. */
void script_boot_all(struct script *s);
void script_crash(struct script *s, unsigned i); /* What was not yet written is lost. */
void script_step(struct script *s);              /* One millisecond. */
void script_run(struct script *s, unsigned ms);
bool script_until(struct script *s, bool (*done)(struct script *s), unsigned ms_max);
/* Boots all and elects server 0, everything it proposes by itself being committed everywhere. */
void script_elect_first(struct script *s);
void script_isolate(struct script *s, unsigned i, bool cut); /* Both ways, from all. */
int script_propose(struct script *s, unsigned i, const char *text);
int script_propose_size(struct script *s, unsigned i, size_t size);
/* Messages from server id from, as if they had just arrived: n commands of entry_term; one configuration; … */
void script_append(struct script *s, unsigned i, raft_id from, raft_term term, raft_index prev, raft_term prev_term,
                   raft_index commit, raft_term entry_term, unsigned n);
void script_append_configuration(struct script *s, unsigned i, raft_id from, raft_term term, raft_index prev,
                                 raft_term prev_term, raft_index commit, unsigned servers);
/* … one command of 13 bytes; a snapshot. */
void script_append_odd(struct script *s, unsigned i, raft_id from, raft_term term, raft_index prev,
                       raft_term prev_term);
void script_install(struct script *s, unsigned i, raft_id from, raft_term term, raft_index index, raft_term index_term);
void script_recv(struct script *s, unsigned i, struct raft_message *m);
uint64_t script_acted(const struct script *s, unsigned i, unsigned guard);
/*
 * Runs fn in a process of its own. Returns its exit code, 0 if it returned, or -1 if a signal or a sanitizer ended it;
 * ret_said (size bytes, may be NULL) gets what it wrote to stderr.
 */
int script_fork(void (*fn)(void), char *ret_said, size_t size);

#endif
