/* Making a command again: what its parts share. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLIENT_TOOL_REPLAYCOMMAND_INTERNAL_H
#define CLIENT_TOOL_REPLAYCOMMAND_INTERNAL_H

#include "client/tool/replaycommand.h"

#define MAKING_STEPS_MAX 64 /* Challenges and waits that one request may have gone through. */

/* Canonical bytes of one value. */
struct piece {
	const uint8_t *bytes;
	size_t len;
};

struct making {
	struct replaycommand *c;
	const struct state *s;
	const struct replay_entry *e;
	struct writer w; /* Over c->payload. */
	uint64_t principal;
	const uint8_t *request_id;
	size_t facts_len; /* In c->facts, where [] stands before. */
	int err;
};

/* Element i of the public fields. */
bool making_public(struct making *m, unsigned i, struct piece *ret);
void making_add_public(struct making *m, unsigned i);
uint64_t making_public_number(struct making *m, unsigned i);
const struct field *making_field(struct making *m, unsigned kind); /* NULL: m->err. */
void making_add_field(struct making *m, unsigned kind);
void making_add_field_or_nil(struct making *m, unsigned kind);
struct reader making_open(struct making *m, unsigned kind, uint32_t n);
void making_copy(struct making *m, struct reader *r);
/* Into c->request, and the id, which is good until the next. */
int making_request(struct making *m, uint64_t index, const uint8_t **ret_id, size_t *ret_len);

/* replaycommand_evidence.c: what a leader had to verify. */
void making_answer(struct making *m);
void making_credential(struct making *m);
void making_revocation(struct making *m);

/* replaycommand_records.c: about the ledger itself. */
void making_history(struct making *m);
void making_read(struct making *m);
void making_hold(struct making *m);
void making_erasure(struct making *m);
void making_erasure_done(struct making *m);
void making_key(struct making *m);

#endif
