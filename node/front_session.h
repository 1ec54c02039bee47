/* The front's sessions: who may open one, how often, and which are open. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODE_FRONT_SESSION_H
#define NODE_FRONT_SESSION_H

#include <pthread.h>
#include <stdint.h>

#include "node/front.h"
#include "node/wire/channel.h"

#define SESSIONS_MAX 65536 /* A session's place stands in the low 16 bits of its id. */

/* Rate limiter: a leaky bucket as one time (ITU-T I.371, generic cell rate algorithm). */
struct limiter {
	uint64_t due_ns; /* When the bucket will be empty. */
};

struct sessions {
	uint64_t node_id;
	const char *origin;
	unsigned max, per_key_max;
	unsigned handshakes_per_s;
	struct channel_keys keys;    /* Guarded by the lock below, as authoritative is. */
	bool authoritative;          /* See front_set_authoritative. */
	pthread_mutex_t lock;        /* Everything below, but what the session's own lock guards. */
	struct session *table;       /* max of them. */
	struct session_keys *secret; /* Same places; each with its own lock. */
	struct known_key *known;     /* Sorted by key. */
	unsigned n_known;
	unsigned contexts, n_held; /* Requests that the front can hold at once, and holds, */
	unsigned *held;            /* and for each principal: by its id, a few may share a count. */
	struct limiter overall;
	struct limiter *addresses; /* By keyed hash of the address: strangers' state must be bounded. */
	uint8_t address_key[16];
};

/* An open session, held: sessions_release gives it back. */
struct session_hold {
	unsigned place;
	uint64_t principal;
	uint32_t roles;
	bool crowded; /* The principal holds more requests than there are contexts free: this one is to be refused. */
	uint8_t header[CHANNEL_DATA_HEADER_SIZE]; /* Of the request: its reply is bound to it. */
};

int sessions_init(struct sessions *s, const struct front_options *o, unsigned contexts);
void sessions_free(struct sessions *s); /* Also of zeroed memory. Wipes. */
int sessions_set_principals(struct sessions *s, const struct front_principal *p, unsigned n);
void sessions_set_keys(struct sessions *s, const struct channel_keys *keys); /* Copied. Open sessions stay. */
void sessions_set_authoritative(struct sessions *s, bool authoritative);
unsigned sessions_count(struct sessions *s);

/*
 * Answers an INIT frame from address (any bytes that tell peers apart). CS_ERR_MALFORMED; CS_ERR_OVERLOADED (above a
 * rate, or every session is busy); CS_ERR_UNAUTHENTICATED (key not enrolled, another cluster or node); CS_ERR_NOT_READY
 * for a key that this node need not know yet; CS_ERR_EXPIRED for a timestamp that is not above the key's last.
 */
int sessions_handshake(struct sessions *s, const uint8_t *frame, size_t len, const void *address, size_t address_len,
                       uint64_t now_ns, uint8_t ret_frame[CHANNEL_ACCEPT_SIZE]);
/*
 * Opens a DATA frame in place, holds its session and counts it as its principal's: sessions_release and sessions_done
 * undo that. CS_ERR_MALFORMED, CS_ERR_UNAUTHENTICATED, CS_ERR_EXPIRED.
 */
int sessions_open(struct sessions *s, uint8_t *frame, size_t len, uint64_t now_ns, struct session_hold *ret,
                  uint8_t **ret_plain, size_t *ret_len);
/* Seals the reply that lies at out + CHANNEL_DATA_HEADER_SIZE in place. CS_ERR_EXPIRED: the session has ended. */
int sessions_seal(struct sessions *s, const struct session_hold *hold, size_t len, uint8_t *out);
void sessions_release(struct sessions *s, const struct session_hold *hold);
/* The request's context is free again: its reply is sent, or was given up. */
void sessions_done(struct sessions *s, uint64_t principal);

#endif
