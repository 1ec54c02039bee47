/* The core: one thread that orders, decides, appends and answers. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODE_CORE_CORE_H
#define NODE_CORE_CORE_H

#include <stddef.h>
#include <stdint.h>

#include "ledger/store.h"
#include "node/board.h"
#include "node/decide/decide.h"
#include "node/decide/place.h"
#include "node/front.h"
#include "node/keyring.h"
#include "node/readers.h"
#include "node/readlog.h"
#include "node/scrubber.h"
#include "node/settings.h"
#include "node/signer.h"
#include "node/writer.h"

/* What the core works with. All borrowed, opened before core_open and closed after core_close. */
struct core_options {
	const struct settings *settings;
	const struct channel_keypair *channel_keys;
	struct signer *signer;
	struct keyring *keyring; /* NULL: this node's keys never change, and its signer keeps no record. */
	struct store *store;
	struct state *state;  /* Loaded from the store. */
	uint64_t state_index; /* Raft index that the loaded state is the state of. */
	bool store_behind; /* By its last commit, for a damaged page: a state older than the log's is no old disk then.
	                    */
	bool state_lost;   /* What was stored is damaged: state is empty, and is fetched from another member. */
	struct board *board;
	struct readlog *readlog;
	const uint8_t *genesis; /* Payload of the genesis command, its hash already checked. */
	size_t genesis_len;
	struct place_source places;
};

struct core;

/* Prepares loop, log, guard and link, and starts Raft. Errors are logged with their cause. */
int core_open(const struct core_options *o, struct core **ret);
/* The threads that the core hands work to and that hand work to it; before core_run. Borrowed. s: NULL, or a scrubber.
 */
void core_attach(struct core *c, struct front *f, struct ledger_writer *w, struct reading_room *r, struct scrubber *s);
/* Runs until core_stop, SIGTERM or SIGINT. */
void core_run(struct core *c);
/* Ends Raft and the links, and gives the writer what it has yet to store; core_stored may still come. */
void core_finish(struct core *c);
/* Once the writer is closed, too. */
void core_close(struct core *c);
/* Any thread: ends core_run; hands over a job (ownership too); tells that the writer has stored more. */
void core_stop(struct core *c);
void core_submit(struct core *c, struct job *j);
void core_stored(struct core *c);
void core_heal(struct core *c); /* Any thread: the scrubber wants something of the other members. */
/* Any thread: something is in the log of readers that somebody waits for. */
void core_noted(struct core *c);
/* Any thread: somebody waits for a cosigned checkpoint of so many entries; a node that leads announces one soon. */
void core_want_cosigned(struct core *c, uint64_t size);
void core_want_proof(struct core *c, uint64_t index); /* Somebody waits for it (board_want_proof). */

/*
 * Ends the process for good: a history that differs or went back. Writes the reason to a file in the data folder, which
 * keeps later starts from serving until an operator has acted; then exits with status 3.
 */
_Noreturn void core_halt(const char *data_path, const char *why);
/*
 * Ends the process: log, store or cluster hold what this build is too old for. Nothing of it was carried out, so the
 * newer build can be started in the same folder at once: status 3, and no file that keeps it from serving.
 */
_Noreturn void core_outdated(const char *why);
/*
 * 0: no earlier run halted. CS_ERR_DIVERGED: one did, and buf has its reason. CS_ERR_IO: that cannot be told; buf says
 * why.
 */
int core_halted(const char *data_path, char *buf, size_t cap);

/* The other members have said that this node was removed: the mark in its data folder keeps later starts from serving.
 */
bool core_was_removed(const char *data_path);

/* Exit statuses of the daemon, for operators and systemd. */
enum { EXIT_OK = 0, EXIT_USAGE = 2, EXIT_HALTED = 3, EXIT_CRASH = 4, EXIT_REMOVED = 5 }; /* 6: node/stopping.h. */

#endif
