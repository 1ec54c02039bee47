/* What the files that check the stored records share. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_SIM_RECORDS_INTERNAL_H
#define TESTS_SIM_RECORDS_INTERNAL_H

#include "node/decide/governance.h"
#include "tests/sim/records.h"

#define RECORDS_CREDENTIALS_MAX 32
#define RECORDS_HOLDS_MAX       64

struct records {
	unsigned node;
	uint64_t size;
	struct governance thresholds;
	unsigned n_credentials;
	struct {
		char name[32];
		uint64_t version; /* The entry that enrolled it; 0: it is revoked. */
		uint64_t revoked;
	} credentials[RECORDS_CREDENTIALS_MAX];
	unsigned n_holds;
	struct {
		uint64_t index, lifted; /* 0: it is in force. */
		char id[16];
	} holds[RECORDS_HOLDS_MAX];
	unsigned *who;  /* By index: whom an acknowledged decision is about (client.h). */
	uint64_t *done; /* By index of an entry "erased": nodes that have carried it out, a bit each. */
	struct signing *keys;
	struct readers *readers;
};

/* records_keys.c */
struct signing *signing_new(unsigned node);
void signing_entry(struct signing *k, const struct entry *e);
void signing_end(struct signing *k);
/* records_reads.c */
struct readers *readers_new(unsigned node);
void readers_entry(struct readers *l, const struct entry *e);
void readers_end(struct readers *l);

#endif
