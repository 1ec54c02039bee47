/* The tables of erasures, holds and retention as decide's own files change them. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODE_DECIDE_STATE_KEEPING_H
#define NODE_DECIDE_STATE_KEEPING_H

#include "node/decide/erasure.h"
#include "node/decide/state.h"

struct erasure *keeping_add_erasure(struct state *s); /* An empty one, to be filled in; NULL: no room. */
struct erasure *keeping_find_erasure(struct state *s, uint64_t index); /* NULL: none under way. */
void keeping_done(struct state *s, struct erasure *e, uint64_t node);  /* Not yet done by it. */
/* Forgets erasures that all members have carried out, and lifted holds that none waits for any more. */
void keeping_settle(struct state *s);
bool keeping_hold_room(const struct state *s);
void keeping_add_hold(struct state *s, uint64_t index, uint64_t time_ms, struct text type, struct text id);
void keeping_lift(struct state *s, uint64_t hold, uint64_t index);
void keeping_set_retention(struct state *s, unsigned kind, uint64_t keep_ms); /* 0: for ever. */
void keeping_swept(struct state *s, unsigned kind, uint64_t end, uint64_t now_ms);

/* --- what else the state knows of a subject (forget_subject.c) --- */

/* Why a subject cannot be erased yet: a key or credential is enrolled for it. Returns 0, or the refusal. */
struct refusal;
int check_forgettable(const struct state *s, const uint8_t key[HASH_SIZE], const struct refusal *why);
/*
 * Profile and history begin anew, the chain behind the entry at index; what it has asked for and waits, open
 * challenges, grants, warnings and proofs go, its name in ended enrolments too.
 */
void forget_subject(struct state *s, const uint8_t key[HASH_SIZE], uint64_t index);

/* --- records --- */

typedef int (*keeping_record_fn)(const struct state *s, int kind, uint64_t number, const struct writer *w);
int keeping_take(struct state *s, keeping_record_fn emit); /* w NULL: the record goes. */
void keeping_load(struct state *s, struct reader *r, uint8_t record, uint64_t number);
int keeping_loaded(const struct state *s); /* CS_ERR_DAMAGED. */

#endif
