/* What the files that take the state as records, and load it from them, share. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODE_DECIDE_STATE_PARTS_H
#define NODE_DECIDE_STATE_PARTS_H

#include "node/decide/state.h"
#include "node/decide/state_records.h"

/* A number of a record, at most max; 0 after an error. */
uint64_t record_uint(struct reader *r, uint64_t max);
/* To the take under way. */
int record_emit(const struct state *s, enum record kind, uint64_t number, const void *value, size_t len);
int record_emit_written(const struct state *s, enum record kind, uint64_t number, const struct writer *w);
struct writer record_writer(const struct state *s);

/* A slot, from and as its record. */
void challenge_load(struct state *s, struct reader *r, uint64_t slot);
void deferred_load(struct state *s, struct reader *r, uint64_t slot);
void standing_load(struct state *s, struct reader *r, uint64_t slot);
int challenge_emit(const struct state *s, uint32_t slot);
int deferred_emit(const struct state *s, uint32_t slot);
int standing_emit(const struct state *s, uint32_t slot);
int person_emit(const struct state *s, uint32_t slot);

#endif
