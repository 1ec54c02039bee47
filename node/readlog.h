/* Who read private fields on this node: noted here until the ledger has it as an entry. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODE_READLOG_H
#define NODE_READLOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "node/decide/command_reads.h"

/*
 * The reading room notes each answer that opens private fields before it goes out, the core has the notes ordered, and
 * they become entries of kind "read" (node/decide/command_reads.h). Whoever reads for the first time, or looks at one
 * proof, waits until the entry is applied here; who goes on reading pages, searches or histories within
 * READLOG_LEASE_NS of the last such entry that names him is answered at once, and noted within READLOG_INTERVAL_NS. So
 * nobody reads whom the ledger does not name as a reader; what a node loses when it crashes is how far the reading went
 * in its last second; one that is stopped has that logged first. Where the feature `records` is off nothing is noted.
 *
 * Entries of kind "read" are not noted when they are read: the log of readers would feed itself for ever.
 */
#define READLOG_LEASE_NS    UINT64_C(10000000000) /* Of the same reader, way and question. */
#define READLOG_INTERVAL_NS UINT64_C(1000000000)  /* Notes that nobody waits for gather so long, */
#define READLOG_READS_MAX   256                   /* or until they are so many. */

struct readlog;

int readlog_new(struct readlog **ret);
void readlog_free(struct readlog *l); /* NULL is fine. */

/* --- any thread --- */

void readlog_switch(struct readlog *l, bool on);
bool readlog_on(struct readlog *l);
/*
 * Whether the ledger has room for more entries; true at first. Without it nobody is kept from reading: answers go at
 * once, and what is noted waits here until there is room again.
 */
void readlog_room(struct readlog *l, bool room);
/*
 * Notes what an answer opens; row.reads is 1, texts of lookups are copied. 0: the answer may go at once. Otherwise it
 * waits for *ret_ticket, and the core is to be woken. CS_ERR_OVERLOADED: too much waits to be logged.
 */
int readlog_note(struct readlog *l, const struct read_log *one, uint64_t now_ns, uint64_t *ret_ticket);
bool readlog_logged(struct readlog *l, uint64_t ticket);

/* --- core's thread --- */

/* What is to be sent to the leader now, for the first time or again: one call for each. False: nothing more. */
struct readlog_batch {
	uint8_t id[REQUEST_ID_SIZE];
	size_t len;
	uint8_t bytes[READ_LOG_SIZE_MAX];
};
bool readlog_next(struct readlog *l, uint64_t now_ns, uint64_t wall_ms, struct readlog_batch *ret);
/* The node is to end: what is noted goes at once. True: something is still on its way. */
bool readlog_hurry(struct readlog *l);
/* An entry of kind "read" was applied here whose command had this id: ours, or another node's. */
void readlog_applied(struct readlog *l, const uint8_t id[REQUEST_ID_SIZE], uint64_t now_ns);

#endif
