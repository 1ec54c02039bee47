/* The state's tables, for decide's own files only. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODE_DECIDE_STATE_H
#define NODE_DECIDE_STATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ledger/entry.h"
#include "ledger/limits.h"
#include "node/decide/decide.h"
#include "node/decide/index.h"
#include "node/decide/policy_form.h"
#include "node/decide/profile.h"

#define STATE_TIME_MS_MAX UINT64_C(253402300799999) /* End of the year 9999: minutes fit 32 bits. */
#define STATE_AHEAD_MS    UINT64_C(60000)           /* A client's clock may be this much ahead. */
#define STATE_CHALLENGE_MS                                                                                             \
	UINT64_C(660000)             /* The longest expiry and a minute: a late answer is still known as late.         \
	                              */
#define STATE_PURGE_MAX           64 /* Records that one command clears away: no command is slow. */
#define STATE_PAGE                64 /* Recorded answers in one record. */
#define STATE_CHALLENGE_BYTES_MAX (UINT64_C(64) << 20) /* Requests kept for open challenges. */
#define STATE_RECORD_SIZE_MAX     32768                /* The largest is the policy's. */

#define NO_SLOT UINT32_MAX

/* A subject's or actor's own chain of entries. */
struct chain {
	uint64_t last;  /* Index of its newest entry. */
	uint64_t count; /* Entries so far; 0: last means nothing. */
};

/* A subject (or actor, or both): the hash of [type, id] stands for it. */
struct subject {
	uint8_t key[HASH_SIZE];
	uint64_t touch;        /* The state's counter at its last entry: order of eviction. */
	uint32_t older, newer; /* Neighbours in that order. */
	bool dirty;
	struct chain subject_chain, actor_chain;
	struct profile profile;
};

struct principal_slot {
	struct principal p;
	struct counter rate;
	uint32_t recorded; /* Live answers in the table: its quota. Derived. */
	bool dirty;
};

/* Kept until STATE_CHALLENGE_MS after it was made, or until it is consumed and no older one is kept. */
struct challenge_slot {
	struct challenge c;
	uint64_t made_ms;
	unsigned level, methods;
	bool consumed, dirty;
	uint8_t blind[32];
	uint8_t request_id[REQUEST_ID_SIZE]; /* Of the decision. */
	uint8_t *request;                    /* Owned; NULL once consumed. */
	size_t request_len;
};

/* One recorded answer. */
struct answer_slot {
	uint64_t principal;
	uint8_t request_id[REQUEST_ID_SIZE];
	uint64_t made_ms; /* When the id was first used: order of expiry. */
	struct recorded r;
};

/* A ring of slots in order of time: sequence numbers [first, next), slot = sequence % cap. */
struct ring {
	uint64_t first, next;
	uint64_t written_first; /* As of the last take: what lies below `first` since then is to be deleted. */
	uint64_t loaded;        /* Records of it that a start has brought. */
	uint32_t cap;
};

struct state {
	struct state_limits limits;
	struct state_head head;
	char origin[LIMIT_ORIGIN_SIZE_MAX + 1];
	uint64_t governance;
	bool head_dirty, policy_dirty, has_policy;
	struct policy *policy, *policy_new; /* The new one is loaded aside, then they change places. */

	struct subject *subjects;
	uint32_t n_subjects, oldest, newest, *dirty_subjects, n_dirty_subjects;
	uint64_t touches;
	struct index subject_index;

	struct principal_slot *principals;
	uint32_t n_principals, n_dirty_principals;
	uint64_t principals_made; /* Highest id given. */
	struct index principal_index;

	struct challenge_slot *challenges;
	struct ring challenge_ring;
	uint64_t challenge_bytes;
	uint32_t n_dirty_challenges;

	struct answer_slot *answers;
	struct ring answer_ring;
	struct index answer_index;
	bool *dirty_pages;
	uint32_t n_pages, n_dirty_pages;

	struct entry_builder *builder; /* Scratch: too large for a stack. */
	uint8_t *scratch;              /* STATE_RECORD_SIZE_MAX bytes. */
};

/* --- subjects (state_subject.c) --- */

/* Key of [type, id]. */
void subject_key(uint8_t ret[HASH_SIZE], struct text type, struct text id);
const struct subject *subject_find(const struct state *s, const uint8_t key[HASH_SIZE]); /* NULL: none. */
/*
 * Finds or makes it, in place of the least recently used one if there is no room, and makes it the most recently used.
 * The pointer is good until the next call that may evict it.
 */
struct subject *subject_touch(struct state *s, const uint8_t key[HASH_SIZE]);
int subjects_loaded(struct state *s); /* After a load: order and index. */

/* --- principals (state_principal.c) --- */

struct principal_slot *principal_slot(const struct state *s, uint64_t id);
void principal_dirty(struct state *s, struct principal_slot *p);
/* A free slot for a new principal with the next id: the removed one with the lowest id goes if there is no room. NULL.
 */
struct principal_slot *principal_add(struct state *s);
bool principal_has_room(const struct state *s);
void principal_index_slot(struct state *s, uint32_t slot);

/* --- challenges and recorded answers (state_ring.c) --- */

/* Forgets what has outlived its time: a bounded number, but enough for one more answer to the principal. */
void state_purge(struct state *s, uint64_t now_ms, uint64_t principal);
struct challenge_slot *challenge_find(const struct state *s, uint64_t index); /* Open or late; NULL: none. */
bool challenge_has_room(const struct state *s, size_t request_len);
struct challenge_slot *challenge_add(struct state *s, uint64_t index, const void *request, size_t len);
void challenge_consume(struct state *s, struct challenge_slot *c);
void challenge_mark(struct state *s, struct challenge_slot *c);
struct answer_slot *answer_find(const struct state *s, uint64_t principal, const uint8_t id[REQUEST_ID_SIZE],
                                uint64_t now_ms);
/* As it is once state_purge has run. */
bool answer_has_room(const struct state *s, uint64_t principal, uint64_t now_ms);
struct answer_slot *answer_add(struct state *s, uint64_t principal, const uint8_t id[REQUEST_ID_SIZE], uint64_t now_ms);
void answer_mark(struct state *s, const struct answer_slot *a); /* Its record has changed. */
uint32_t answer_hash(uint64_t principal, const uint8_t id[REQUEST_ID_SIZE]);
uint64_t answer_life_ms(const struct state *s); /* How long an id is remembered. */

#endif
