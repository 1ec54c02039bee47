/* The state's tables, for decide's own files only. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODE_DECIDE_STATE_H
#define NODE_DECIDE_STATE_H

#include <sodium.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ledger/entry.h"
#include "ledger/limits.h"
#include "node/decide/decide.h"
#include "node/decide/deferred.h"
#include "node/decide/erasure.h"
#include "node/decide/feature.h"
#include "node/decide/governance.h"
#include "node/decide/index.h"
#include "node/decide/keys.h"
#include "node/decide/list.h"
#include "node/decide/past.h"
#include "node/decide/people.h"
#include "node/decide/policy_form.h"
#include "node/decide/standing.h"
#include "node/decide/world.h"

#define STATE_TIME_MS_MAX UINT64_C(253402300799999) /* End of the year 9999: minutes fit 32 bits. */
#define STATE_AHEAD_MS    UINT64_C(5000)            /* A client's clock may be this much ahead. */
/*
 * No answer is forgotten before its id's time lies this much behind: more than clocks and the requests in flight of one
 * client are apart, so that a new request is never taken for one of those forgotten.
 */
#define STATE_KEEP_MS   UINT64_C(2000)
#define STATE_INDEX_MAX ((UINT64_C(1) << 60) - 1) /* Of an entry, in 60 bits. */
#define STATE_CHALLENGE_MS                                                                                             \
	UINT64_C(660000)             /* The longest expiry and a minute: a late answer is still known as late.         \
	                              */
#define STATE_PURGE_MAX           64 /* Challenges that one command clears away: no command is slow. */
#define STATE_PAGE                64 /* Recorded answers in one record. */
#define STATE_CHALLENGE_BYTES_MAX (UINT64_C(64) << 20) /* Requests kept for open challenges. */
#define STATE_RECORD_SIZE_MAX     32768                /* The largest is the policy's. */
#define PRINCIPAL_ID_MAX          UINT32_MAX /* Each enrolment takes an administrator's signature: that many never come. */

/* A subject's or actor's own chain of entries. */
struct chain {
	uint64_t last;  /* Index of its newest entry. */
	uint64_t count; /* Entries so far; 0: last is 0, or the entry that erased those before. */
};

/* A subject (or actor, or both): the hash of [type, id] stands for it. */
struct subject {
	uint8_t key[HASH_SIZE];
	uint64_t touch;  /* The state's counter at its last entry: order of eviction. */
	struct link use; /* In that order. */
	uint32_t mark;   /* The epoch in which it was last changed, until that is taken. */
	struct past_place past;
	struct chain subject_chain, actor_chain;
};

struct principal_slot {
	struct principal p;
	struct counter rate;
	/*
	 * Watermark: the latest time of an id whose answer was forgotten while the window would still have let it in.
	 * What became of ids up to then cannot be told any more.
	 */
	uint64_t forgotten_ms;
	bool dirty;
	/* Derived. */
	uint32_t recorded, oldest_answer, newest_answer; /* Of no answers: the last two mean nothing. */
	struct list challenges;                          /* Open, the oldest first. */
	uint32_t open;
	uint64_t open_bytes;
	uint32_t deferred, standing; /* Requests that wait, or are kept; grants and warnings. */
	uint64_t deferred_bytes;
};

/* Open until STATE_CHALLENGE_MS after it was made, or until it is consumed. */
struct challenge_slot {
	struct challenge c;   /* index 0: free. */
	struct link all, own; /* By age; own: those of its principal. Free: all links the free ones. */
	uint64_t made_ms;
	unsigned level, methods;
	uint32_t mark; /* As a subject's. */
	uint8_t blind[32];
	uint8_t request_id[REQUEST_ID_SIZE]; /* Of the decision. */
	uint8_t *request;                    /* Owned; NULL: free. */
	size_t request_len;
	struct place place; /* Of the decision: the request is decided anew with it. */
};

/* One recorded answer. Of them there are many: packed, and read by answer_read. */
struct answer_slot {
	uint8_t request_id[REQUEST_ID_SIZE];
	uint8_t request_hash[RECORDED_HASH_SIZE];
	uint32_t principal;               /* PRINCIPAL_ID_MAX. */
	uint64_t made;                    /* Index of the first entry for this id: order of age. */
	uint64_t index : 60, verdict : 4; /* Of the newest. */
	uint32_t since_ms;                /* The newest entry's time, counted from STATE_AHEAD_MS before the id's. */
	struct link all;
	uint32_t own_newer; /* The principal's next. Only its oldest is ever taken out: one link is enough. */
};

struct credential_slot {
	struct credential c;
	uint8_t *data; /* Owned; c.data is the same. */
	bool dirty;
};

/* What must not come again before then: the hash of an issuer's jti. Never forgotten earlier: when full, refuse. */
#define USED_MAX 4096
struct used_slot {
	uint8_t once[HASH_SIZE];
	uint64_t until_ms;
	bool dirty;
};

/* The newest proof of a subject, in the session or on the device where it was made. Its place follows from its key. */
#define RECENT_MAX        16384
#define RECENT_BOUND_SIZE 16
struct recent_slot {
	uint8_t key[HASH_SIZE], bound[RECENT_BOUND_SIZE];
	uint64_t time_ms; /* 0: none. */
	unsigned level;
	bool dirty;
};

/* A key that was replaced; number: how many were before it. */
struct key_slot {
	struct key_replaced k;
	uint64_t number;
	bool dirty;
};

/* Slots of a table that were changed since the last take, and those of a take under way: each once. */
struct marked {
	uint32_t *changed, n_changed;
	uint32_t *taken, n_taken, next;
};

struct state {
	struct state_limits limits;
	struct state_head head;
	char origin[LIMIT_ORIGIN_SIZE_MAX + 1];
	char newer[160]; /* What a load met that is a later build's. */
	uint64_t governance;
	bool head_dirty, policy_dirty, has_policy, roster_dirty, features_dirty, governance_dirty, digested_dirty;
	struct governance thresholds;
	struct feature_state features;
	struct { /* The newest state digest: entries that it is about, and its own index. Size 0: none. */
		uint64_t size, index;
	} digested;
	struct roster roster;
	struct policy *policy, *policy_new; /* The new one is loaded aside, then they change places. */

	struct keeping *keeping; /* erasure.h: what is erased, held, kept how long. */

	struct subject *subjects;
	uint32_t n_subjects;
	struct marked marked_subjects;
	struct list subject_list; /* By use. */
	struct pasts *pasts;
	uint64_t touches;
	struct index subject_index;

	struct person *people; /* [0, n_people) are all that there are. */
	uint32_t n_people;
	struct marked marked_people;
	struct index people_index;
	uint64_t people_changes; /* Since the start; for those who list them: it is in no record. */
	struct world world;      /* Of policies of version 2. */

	struct credential_slot *credentials;
	uint32_t n_credentials, n_dirty_credentials;
	uint64_t credentials_made; /* Highest id given. */
	uint8_t *credential_spare; /* CREDENTIAL_DATA_SIZE_MAX bytes for the next one's data, or NULL. */
	struct index credential_index, credential_ids; /* By name, by id. */
	struct used_slot *used;                        /* USED_MAX of them. */
	struct recent_slot *recent;                    /* RECENT_MAX of them. */
	uint32_t n_dirty_used;                         /* Of both. */
	uint64_t recent_loaded_ms;                     /* The newest of recent, of all that were loaded. */

	struct key_slot *replaced; /* KEYS_REPLACED_MAX of them; the one of number n is at n modulo that. */
	uint64_t replaced_made;    /* How many there ever were. */
	uint64_t keys_next_end;    /* Derived: the next size that is the last one for some of them; 0: none. */
	uint32_t n_dirty_replaced;

	struct principal_slot *principals;
	uint32_t n_principals, n_dirty_principals;
	uint64_t principals_made; /* Highest id given. */
	struct index principal_index;

	struct challenge_slot *challenges;
	uint32_t n_challenges; /* Slots that were ever used. */
	uint32_t n_open;
	struct marked marked_challenges;
	uint64_t challenge_bytes;
	uint8_t *challenge_spare; /* REQUEST_SIZE_MAX bytes for the next one, or NULL. */
	struct list challenge_list, challenge_free;
	struct index challenge_index;

	struct deferred_slot *deferred;
	uint32_t n_deferred, n_deferred_kept; /* Slots that were ever used, and those that are. */
	struct marked marked_deferred;
	uint64_t deferred_bytes;
	uint8_t *deferred_spare; /* As challenge_spare. */
	struct list deferred_list, deferred_free;
	struct index deferred_index, deferred_ids;
	/* Before it nothing is due, nothing has outlived its time: derived, and 0 is always true. */
	uint64_t deferred_due_ms, deferred_outlived_ms;

	struct standing *standing;
	uint32_t n_standing, n_standing_kept;
	struct marked marked_standing;
	struct list standing_list, standing_free;
	struct index standing_index; /* By subject: many of one key. */
	uint64_t standing_expired_ms;

	struct answer_slot *answers;
	uint32_t n_answers; /* All slots below hold one: a new one takes the place of the oldest, or the next slot. */
	struct list answer_list;
	struct index answer_index;
	uint8_t answer_index_key[crypto_shorthash_KEYBYTES]; /* Random; shows in nothing that decide gives. */
	bool *dirty_pages;
	uint32_t n_pages, n_dirty_pages;

	struct entry_builder *builder; /* Scratch: too large for a stack. */
	uint8_t *scratch;              /* STATE_RECORD_SIZE_MAX bytes. */

	/*
	 * Taking (state_take.c): a slot's mark is the epoch when it is changed, the epoch before while a take still has
	 * to come to it, and else something lower.
	 */
	uint32_t epoch;
	bool taking;
	int take_err;
	state_record_fn take_fn;
	void *take_ctx;
	uint8_t *record; /* STATE_RECORD_SIZE_MAX bytes, for one that is taken. */
};

/* Whether an entry of that number is there, here or in an earlier ledger. */
static inline bool state_has_entry(const struct state *s, uint64_t index)
{
	return index < s->head.size || index >= STATE_EARLIER;
}

/* --- taking (state_take.c) --- */

/* Before the slot is changed: it is taken as it is now, if a take under way has not come to it yet. */
void take_subject(struct state *s, uint32_t slot);
void take_challenge(struct state *s, uint32_t slot);
void take_deferred(struct state *s, uint32_t slot);
void take_standing(struct state *s, uint32_t slot);

/* --- subjects (state_subject.c) --- */

const struct subject *subject_find(const struct state *s, const uint8_t key[HASH_SIZE]); /* NULL: none. */
/*
 * Finds or makes it, in place of the least recently used one if there is no room, and makes it the most recently used.
 * The pointer is good until the next call that may evict it.
 */
struct subject *subject_touch(struct state *s, const uint8_t key[HASH_SIZE]);
/* What is known of it from before; to change it: only after subject_touch. For how long: past.h. */
const struct past *subject_past(const struct state *s, const struct subject *u);
struct past *subject_past_change(struct state *s, struct subject *u);
/* Profile and chains begin anew, behind the entry that erased what there was; false: it is not known. */
bool subject_reset(struct state *s, const uint8_t key[HASH_SIZE], uint64_t index);
int subjects_loaded(struct state *s); /* After a load: order and index. */

/* --- principals (state_principal.c) --- */

struct principal_slot *principal_slot(const struct state *s, uint64_t id);
void principal_dirty(struct state *s, struct principal_slot *p);
/* A free slot for a new principal with the next id: the removed one with the lowest id goes if there is no room. NULL.
 */
struct principal_slot *principal_add(struct state *s);
bool principal_has_room(const struct state *s);
void principal_index_slot(struct state *s, uint32_t slot);

/* --- credentials (state_credential.c) --- */

int credentials_new(struct state *s);
void credentials_free(struct state *s);
struct credential_slot *credential_find(const struct state *s, struct text name);
void credential_dirty(struct state *s, struct credential_slot *c);
bool credential_has_room(const struct state *s);
bool credential_reserve(struct state *s); /* As challenge_reserve. */
/* After credential_reserve: the next id, its data copied. */
struct credential_slot *credential_add(struct state *s, struct text name, const void *data, size_t len);
void credential_drop(struct state *s, struct credential_slot *c, uint64_t index); /* Revoked as of this entry. */
bool used_before(const struct state *s, const uint8_t once[HASH_SIZE], uint64_t now_ms);
bool used_has_room(const struct state *s, uint64_t now_ms);
void used_add(struct state *s, const uint8_t once[HASH_SIZE], uint64_t until_ms, uint64_t now_ms);
void recent_set(struct state *s, const uint8_t key[HASH_SIZE], const struct request *q, unsigned level,
                uint64_t now_ms);
void recent_forget(struct state *s, const uint8_t key[HASH_SIZE]);
/* The level that a proof of lately is worth yet, by the policy's levels with a max_age; 0: none. */
unsigned recent_level(const struct state *s, const uint8_t key[HASH_SIZE], const struct request *q, uint64_t now_ms);
typedef int (*credential_record_fn)(const struct state *s, int kind, uint64_t number, const struct writer *w);
int credentials_take(struct state *s, credential_record_fn emit);
int used_take(struct state *s, credential_record_fn emit);
int used_new(struct state *s); /* state_used.c */
void used_close(struct state *s);
int used_loaded(const struct state *s);
void credential_load(struct state *s, struct reader *r, uint64_t slot);
void used_load(struct state *s, struct reader *r, uint64_t number);
int credentials_loaded(struct state *s);

/* --- keys that were replaced (state_keys.c) --- */

int keys_new(struct state *s);
void keys_close(struct state *s);
bool keys_was_used(const struct state *s, const uint8_t pub[32]);
/*
 * The key of this place gives way in the entry that is being made; added: the first size that it was good for, unless
 * it took another's place itself.
 */
void keys_replace(struct state *s, unsigned place, uint64_t id, const uint8_t pub[32], uint64_t added,
                  uint64_t overlap);
bool keys_end(struct state *s); /* With the entry just made some key is good for none that follows. */
int keys_take(struct state *s, credential_record_fn emit);
void key_load(struct state *s, struct reader *r, uint64_t slot);
int keys_loaded(struct state *s);

/* --- challenges (state_challenge.c) --- */

struct challenge_slot *challenge_find(const struct state *s, uint64_t index,
                                      uint64_t now_ms); /* Open or late, or NULL. */
/* NULL: there is room for one more of the principal's. Otherwise which bound is reached. */
const char *challenge_bound(const struct state *s, const struct principal_slot *p, size_t request_len);
/*
 * Memory for the next challenge's request, before anything has changed. False: there is none, and a replica cannot go
 * on without it, for the others can.
 */
bool challenge_reserve(struct state *s);
/* After challenge_reserve. */
struct challenge_slot *challenge_add(struct state *s, uint64_t index, uint64_t principal, const void *request,
                                     size_t len);
void challenge_drop(struct state *s, struct challenge_slot *c);
/* Clears away what has outlived its time: a bounded number of all, and of the principal's. */
void challenges_purge(struct state *s, uint64_t now_ms, uint64_t principal);
int challenges_loaded(struct state *s); /* After a load: lists, index and sums. */

/* --- recorded answers (state_answer.c) --- */

uint64_t answer_id_ms(const uint8_t id[REQUEST_ID_SIZE]);
struct answer_slot *answer_find(const struct state *s, uint64_t principal, const uint8_t id[REQUEST_ID_SIZE],
                                uint64_t now_ms);
/* False: one more would forget an answer before its time (STATE_KEEP_MS). */
bool answer_has_room(const struct state *s, const struct principal_slot *p, uint64_t now_ms);
/* There must be room, and the id be unknown and acceptable. May forget an answer and raise its principal's watermark.
 */
void answer_add(struct state *s, const struct principal_slot *p, const uint8_t id[REQUEST_ID_SIZE],
                const struct hash *request_hash, uint64_t index, uint64_t now_ms, unsigned verdict);
/* The newest entry for its id. */
void answer_set(struct state *s, struct answer_slot *a, uint64_t index, uint64_t now_ms, unsigned verdict);
void answer_read(const struct answer_slot *a, struct recorded *ret);
/* The recorded answer; or what is known of a request that waited, beyond the window of answers. (asking.c) */
bool recorded_find(const struct state *s, uint64_t principal, const uint8_t id[REQUEST_ID_SIZE], uint64_t now_ms,
                   struct recorded *ret);
int answers_loaded(struct state *s); /* After a load: lists and index. */

#endif
