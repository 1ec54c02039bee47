/* The front's sessions: who may open one, how often, and which are open. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "node/front_session.h"

#include <assert.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "ledger/errors.h"

#define NS_PER_S           UINT64_C(1000000000)
#define SESSIONS_DEFAULT   4096
#define HANDSHAKES_DEFAULT 200
#define UNCONFIRMED_NS_MAX (5 * NS_PER_S) /* A client's first message follows its handshake at once. */
#define ADDRESS_BUCKETS    1024           /* 8 KiB; two addresses in one bucket share its rate. */
#define HELD_BUCKETS       4096           /* 16 KiB; principals whose ids are so far apart share a count. */
#define SHARE_OF_ONE       2              /* One key, or one address, gets at most 1/2 of rates and sessions. */

enum session_state { SESSION_FREE, SESSION_RESERVED, SESSION_LIVE, SESSION_DEAD };

struct session {
	uint64_t id;
	uint64_t born_ns, used_ns;
	uint64_t principal;
	uint32_t roles;
	unsigned refs; /* Requests that are out. */
	enum session_state state;
	bool confirmed;
	uint8_t peer[CHANNEL_KEY_SIZE];
};

struct session_keys {
	pthread_mutex_t lock;
	struct channel_session channel;
};

struct known_key {
	uint8_t pub[CHANNEL_KEY_SIZE];
	uint64_t id;
	uint32_t roles;
	uint64_t timestamp_ns; /* Of its last handshake: the next must be above. */
	struct limiter limiter;
};

/* Takes one from a bucket that refills at rate a second and holds one second's worth. */
static bool limiter_take(struct limiter *l, unsigned rate_per_s, uint64_t now_ns)
{
	if (l->due_ns > now_ns + NS_PER_S)
		return false;
	l->due_ns = (l->due_ns > now_ns ? l->due_ns : now_ns) + NS_PER_S / rate_per_s;
	return true;
}

int sessions_init(struct sessions *s, const struct front_options *o, unsigned contexts)
{
	memset(s, 0, sizeof(*s));
	s->node_id = o->node_id;
	s->origin = o->origin;
	s->keys = (struct channel_keys){.n = 1, .list = {o->keys}};
	s->max = o->sessions_max == 0 ? SESSIONS_DEFAULT : o->sessions_max;
	s->handshakes_per_s = o->handshakes_per_s == 0 ? HANDSHAKES_DEFAULT : o->handshakes_per_s;
	if (s->max > SESSIONS_MAX)
		return CS_ERR_INVALID;
	s->contexts = contexts;
	s->per_key_max = (s->max + SHARE_OF_ONE - 1) / SHARE_OF_ONE;
	randombytes_buf(s->address_key, sizeof(s->address_key));
	pthread_mutex_init(&s->lock, NULL);
	s->table = calloc(s->max, sizeof(*s->table));
	s->addresses = calloc(ADDRESS_BUCKETS, sizeof(*s->addresses));
	s->secret = calloc(s->max, sizeof(*s->secret));
	s->held = calloc(HELD_BUCKETS, sizeof(*s->held));
	if (s->held == NULL || s->table == NULL || s->addresses == NULL || s->secret == NULL)
		return CS_ERR_NOMEM;
	for (unsigned i = 0; i < s->max; i++)
		pthread_mutex_init(&s->secret[i].lock, NULL);
	return CS_OK;
}

void sessions_free(struct sessions *s)
{
	for (unsigned i = 0; s->secret != NULL && i < s->max; i++) {
		channel_session_wipe(&s->secret[i].channel);
		pthread_mutex_destroy(&s->secret[i].lock);
	}
	free(s->secret);
	free(s->table);
	free(s->addresses);
	free(s->held);
	free(s->known);
	sodium_memzero(s, sizeof(*s));
}

static int known_compare(const void *a, const void *b)
{
	return memcmp(a, b, CHANNEL_KEY_SIZE); /* pub is the first member. */
}

static struct known_key *known_find(const struct sessions *s, const uint8_t pub[CHANNEL_KEY_SIZE])
{
	return s->n_known == 0 ? NULL : bsearch(pub, s->known, s->n_known, sizeof(*s->known), known_compare);
}

int sessions_set_principals(struct sessions *s, const struct front_principal *p, unsigned n)
{
	struct known_key *known = calloc(n == 0 ? 1 : n, sizeof(*known));

	if (known == NULL)
		return CS_ERR_NOMEM;
	for (unsigned i = 0; i < n; i++) {
		memcpy(known[i].pub, p[i].channel_pub, CHANNEL_KEY_SIZE);
		known[i].id = p[i].id;
		known[i].roles = p[i].roles;
	}
	qsort(known, n, sizeof(*known), known_compare);

	pthread_mutex_lock(&s->lock);
	for (unsigned i = 0; i < n; i++) {
		const struct known_key *old = known_find(s, known[i].pub);
		if (old == NULL)
			continue;
		known[i].timestamp_ns = old->timestamp_ns;
		known[i].limiter = old->limiter;
	}
	struct known_key *before = s->known;
	s->known = known;
	s->n_known = n;
	for (unsigned i = 0; i < s->max; i++) {
		struct session *x = &s->table[i];
		if (x->state == SESSION_FREE || x->state == SESSION_DEAD)
			continue;
		const struct known_key *k = known_find(s, x->peer);
		if (k == NULL) {
			x->state = SESSION_DEAD;
			continue;
		}
		x->principal = k->id;
		x->roles = k->roles;
	}
	pthread_mutex_unlock(&s->lock);
	free(before);
	return CS_OK;
}

void sessions_set_keys(struct sessions *s, const struct channel_keys *keys)
{
	pthread_mutex_lock(&s->lock);
	s->keys = *keys;
	pthread_mutex_unlock(&s->lock);
}

void sessions_set_authoritative(struct sessions *s, bool authoritative)
{
	pthread_mutex_lock(&s->lock);
	s->authoritative = authoritative;
	pthread_mutex_unlock(&s->lock);
}

unsigned sessions_count(struct sessions *s)
{
	unsigned n = 0;

	pthread_mutex_lock(&s->lock);
	for (unsigned i = 0; i < s->max; i++)
		n += s->table[i].state == SESSION_LIVE;
	pthread_mutex_unlock(&s->lock);
	return n;
}

/* Nobody may use it any more: ended, too old, or never confirmed in time. */
static bool session_over(const struct session *x, uint64_t now_ns)
{
	if (x->refs > 0 || x->state == SESSION_RESERVED)
		return false;
	uint64_t age_ns = now_ns > x->born_ns ? now_ns - x->born_ns : 0;
	return x->state == SESSION_DEAD || age_ns >= CHANNEL_SESSION_S_MAX * NS_PER_S ||
	       (!x->confirmed && age_ns >= UNCONFIRMED_NS_MAX);
}

/*
 * A place for a new session of peer: a free one, else the longest idle one; a key that has its share already gives up
 * one of its own. Wipes what is over on the way. Returns s->max if every place is busy. Caller holds the lock.
 */
static unsigned place_take(struct sessions *s, const uint8_t peer[CHANNEL_KEY_SIZE], uint64_t now_ns)
{
	unsigned free_place = s->max, idle = s->max, own_idle = s->max, own = 0;

	for (unsigned i = 0; i < s->max; i++) {
		struct session *x = &s->table[i];
		if (x->state != SESSION_FREE && session_over(x, now_ns)) {
			channel_session_wipe(&s->secret[i].channel);
			x->state = SESSION_FREE;
		}
		if (x->state == SESSION_FREE) {
			free_place = free_place == s->max ? i : free_place;
			continue;
		}
		bool mine = memcmp(x->peer, peer, CHANNEL_KEY_SIZE) == 0,
		     busy = x->refs > 0 || x->state == SESSION_RESERVED;
		own += mine;
		if (!busy && (idle == s->max || x->used_ns < s->table[idle].used_ns))
			idle = i;
		if (!busy && mine && (own_idle == s->max || x->used_ns < s->table[own_idle].used_ns))
			own_idle = i;
	}
	unsigned place = own >= s->per_key_max ? own_idle : free_place < s->max ? free_place : idle;
	if (place < s->max)
		channel_session_wipe(&s->secret[place].channel);
	return place;
}

/* After the DHs: is this key's handshake good, and where will its session be? */
static int place_reserve(struct sessions *s, const struct channel_responder *hs, uint64_t now_ns, unsigned *ret)
{
	int err = CS_OK;

	pthread_mutex_lock(&s->lock);
	struct known_key *k = known_find(s, hs->peer);
	unsigned place = s->max;
	/* A recorded INIT must open nothing again (design: wire). */
	if (k == NULL)
		err = s->authoritative ? CS_ERR_UNAUTHENTICATED : CS_ERR_NOT_READY;
	else if (hs->timestamp_ns <= k->timestamp_ns)
		err = CS_ERR_EXPIRED;
	else if (!limiter_take(&k->limiter, (s->handshakes_per_s + SHARE_OF_ONE - 1) / SHARE_OF_ONE, now_ns))
		err = CS_ERR_OVERLOADED;
	else if ((place = place_take(s, hs->peer, now_ns)) == s->max)
		err = CS_ERR_OVERLOADED;
	if (err == CS_OK) {
		struct session *x = &s->table[place];
		k->timestamp_ns = hs->timestamp_ns;
		*x = (struct session){.born_ns = now_ns,
		                      .used_ns = now_ns,
		                      .principal = k->id,
		                      .roles = k->roles,
		                      .state = SESSION_RESERVED};
		memcpy(x->peer, hs->peer, CHANNEL_KEY_SIZE);
		randombytes_buf(&x->id, sizeof(x->id));
		x->id = (x->id & ~(uint64_t)(SESSIONS_MAX - 1)) | place;
		*ret = place;
	}
	pthread_mutex_unlock(&s->lock);
	return err;
}

/* Before any DH: strangers pay for nothing but this. The keys come out as they are now. */
static bool rate_allows(struct sessions *s, const void *address, size_t address_len, uint64_t now_ns,
                        struct channel_keys *ret_keys)
{
	uint8_t hash[crypto_shorthash_BYTES];
	uint64_t bucket;

	crypto_shorthash(hash, address, address_len, s->address_key);
	memcpy(&bucket, hash, sizeof(bucket));
	pthread_mutex_lock(&s->lock);
	/* The address first: what it has too much must not use up the others' rate. */
	bool ok = limiter_take(&s->addresses[bucket % ADDRESS_BUCKETS],
	                       (s->handshakes_per_s + SHARE_OF_ONE - 1) / SHARE_OF_ONE, now_ns) &&
	          limiter_take(&s->overall, s->handshakes_per_s, now_ns);
	if (ok)
		*ret_keys = s->keys;
	pthread_mutex_unlock(&s->lock);
	return ok;
}

int sessions_handshake(struct sessions *s, const uint8_t *frame, size_t len, const void *address, size_t address_len,
                       uint64_t now_ns, uint8_t ret_frame[CHANNEL_ACCEPT_SIZE])
{
	struct channel_responder hs;
	struct channel_keys keys;
	unsigned place;

	if (len != CHANNEL_INIT_SIZE)
		return CS_ERR_MALFORMED;
	if (!rate_allows(s, address, address_len, now_ns, &keys))
		return CS_ERR_OVERLOADED;
	int err = channel_respond_any(&hs, &keys, CHANNEL_CLIENT, s->node_id, s->origin, frame, len);
	sodium_memzero(&keys, sizeof(keys));
	if (err < 0)
		return err;
	err = place_reserve(s, &hs, now_ns, &place);
	if (err < 0) {
		channel_responder_wipe(&hs);
		return err;
	}
	struct session *x = &s->table[place];
	err = channel_accept(&hs, x->id, now_ns, ret_frame, &s->secret[place].channel);
	channel_responder_wipe(&hs);

	pthread_mutex_lock(&s->lock);
	if (err < 0)
		x->state = SESSION_DEAD;
	else if (x->state == SESSION_RESERVED) /* Else the key was removed meanwhile: the session is dead. */
		x->state = SESSION_LIVE;
	pthread_mutex_unlock(&s->lock);
	return err;
}

/*
 * Counts a request of its principal; true if that is one too many: places are shared by dynamic thresholds, as in
 * node/turns.h, but one is everybody's. Caller holds the lock.
 */
static bool held_add(struct sessions *s, uint64_t principal)
{
	unsigned *own = &s->held[principal % HELD_BUCKETS];

	++*own;
	s->n_held++;
	return *own > 1 && *own + s->n_held > s->contexts;
}

/* Finds and holds the live session of an id. */
static int session_hold(struct sessions *s, uint64_t id, uint64_t now_ns, struct session_hold *ret)
{
	unsigned place = (unsigned)(id % SESSIONS_MAX);
	int err = CS_ERR_UNAUTHENTICATED;

	if (place >= s->max)
		return err;
	pthread_mutex_lock(&s->lock);
	struct session *x = &s->table[place];
	if (x->state == SESSION_LIVE && x->id == id) {
		x->refs++;
		x->used_ns = now_ns;
		ret->place = place;
		ret->principal = x->principal;
		ret->roles = x->roles;
		ret->crowded = held_add(s, x->principal);
		err = CS_OK;
	}
	pthread_mutex_unlock(&s->lock);
	return err;
}

int sessions_open(struct sessions *s, uint8_t *frame, size_t len, uint64_t now_ns, struct session_hold *ret,
                  uint8_t **ret_plain, size_t *ret_len)
{
	uint64_t id;
	struct session_hold hold;

	int err = channel_frame_session(frame, len, &id);
	if (err == CS_OK)
		err = session_hold(s, id, now_ns, &hold);
	if (err < 0)
		return err;
	struct session_keys *k = &s->secret[hold.place];
	memcpy(hold.header, frame, sizeof(hold.header));
	pthread_mutex_lock(&k->lock);
	bool first = !k->channel.confirmed;
	err = channel_session_spent(&k->channel, now_ns)
	              ? CS_ERR_EXPIRED
	              : channel_open(&k->channel, NULL, frame, len, ret_plain, ret_len);
	pthread_mutex_unlock(&k->lock);
	if (err == CS_OK && first) {
		pthread_mutex_lock(&s->lock);
		s->table[hold.place].confirmed = true;
		pthread_mutex_unlock(&s->lock);
	}
	if (err < 0) {
		sessions_release(s, &hold);
		sessions_done(s, hold.principal);
	} else {
		*ret = hold;
	}
	return err;
}

int sessions_seal(struct sessions *s, const struct session_hold *hold, size_t len, uint8_t *out)
{
	struct session_keys *k = &s->secret[hold->place];

	pthread_mutex_lock(&s->lock);
	bool live = s->table[hold->place].state == SESSION_LIVE;
	pthread_mutex_unlock(&s->lock);
	if (!live)
		return CS_ERR_EXPIRED;
	pthread_mutex_lock(&k->lock);
	int err = channel_seal(&k->channel, hold->header, out + CHANNEL_DATA_HEADER_SIZE, len, out);
	pthread_mutex_unlock(&k->lock);
	return err;
}

void sessions_release(struct sessions *s, const struct session_hold *hold)
{
	pthread_mutex_lock(&s->lock);
	assert(s->table[hold->place].refs > 0);
	s->table[hold->place].refs--;
	pthread_mutex_unlock(&s->lock);
}

void sessions_done(struct sessions *s, uint64_t principal)
{
	pthread_mutex_lock(&s->lock);
	assert(s->n_held > 0 && s->held[principal % HELD_BUCKETS] > 0);
	s->held[principal % HELD_BUCKETS]--;
	s->n_held--;
	pthread_mutex_unlock(&s->lock);
}
