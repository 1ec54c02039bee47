/* What the stored ledger must say of orders, credentials, keys, holds and readers; and what was seen meanwhile. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_SIM_RECORDS_H
#define TESTS_SIM_RECORDS_H

#include <stddef.h>
#include <stdint.h>

#include "ledger/entry.h"
#include "ledger/note.h"
#include "ledger/store.h"

/* Entries by kind, of the ledger that is read back; places above all kinds are for what else is counted. */
#define RECORDS_KINDS 64
#define RECORDS_MET   62 /* Answers that were met by other methods than ed25519. */
#define RECORDS_GONE  63 /* Persons who were erased, and looked for. */
extern uint32_t records_kinds[RECORDS_KINDS];

/* --- as it is seen --- */

/* The auditor was given these fields (a bit each) in this way, of that entry (READ_PROOF); the ledger has `size`. */
void records_read(unsigned node, unsigned what, uint64_t index, uint64_t fields, uint64_t size);
/* A node has signed a checkpoint of this size by the keys of these lines; or it calls it a quorum's. */
void records_signed(unsigned node, uint64_t size, const struct note *lines);
void records_cosigned(unsigned node, uint64_t size, const struct note *lines);

/* --- in the ledger that is read back, of one node --- */

struct records;
struct records *records_new(unsigned node, uint64_t size);
void records_entry(struct records *r, const struct entry *e, const struct field *fields, unsigned n);
/* What was erased of its bodies. */
void records_erased(struct records *r, const struct store_erasure *e);
/* The entry by which a node has said that it has carried out that erasure: whether there is one. */
bool records_done(const struct records *r, unsigned node, uint64_t erasure);
void records_end(struct records *r); /* Checks what only the whole can tell; frees it. */

#endif
