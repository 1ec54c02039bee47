/* The front: clients' connections over nng, the channel, bounds and roles; jobs go on to the core or to the reader. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODE_FRONT_H
#define NODE_FRONT_H

#include <stdbool.h>
#include <stdint.h>

#include "node/job.h"
#include "node/wire/channel.h"

#define FRONT_URLS_MAX 4

struct front_options {
	uint64_t node_id;
	const char *origin;               /* Borrowed for the front's life. */
	const char *urls[FRONT_URLS_MAX]; /* tcp://… and ipc://…; NULL after the last. */
	struct channel_keypair keys;      /* This node's channel keys (copied; wiped at close). */
	unsigned contexts;                /* Requests in flight at once; 0: 512. One principal gets half. */
	unsigned sessions_max;            /* Sessions at once; 0: 4,096; the longest idle one goes first. */
	unsigned handshakes_per_s;        /* Overall; 0: 200. Above it INIT frames are dropped before any DH. */
	/*
	 * Takes a job whose envelope, session and roles are checked. Called on nng's threads; must not block long.
	 * Takes ownership of the job.
	 */
	void (*submit)(void *ctx, struct job *j);
	void *ctx;
};

struct front;

int front_open(const struct front_options *o, struct front **ret);
/*
 * Stops taking requests; waits for jobs that are out; then no thread of nng comes here any more, and whoever is
 * connected is sent away. The process is to end: front_close, which may come after it, frees the rest, but nng 1.5.2
 * can wait in it for ever while bytes arrive (front_sendmsg.c). No other function may be called but front_close.
 */
void front_stop(struct front *f);
/* front_stop, and frees all. For peers that behave: for tests. NULL is fine. */
void front_close(struct front *f);

/*
 * Who may open channels: the whole table, replaced at once (copied). Called by the core when principals change.
 * Sessions of keys that are no longer in it end at once.
 */
struct front_principal {
	uint8_t channel_pub[CHANNEL_KEY_SIZE];
	uint64_t id;
	uint32_t roles;
};
int front_set_principals(struct front *f, const struct front_principal *p, unsigned n);

/* By which keys this node answers from now on (copied; wiped at close). Sessions that are open stay. */
void front_set_keys(struct front *f, const struct channel_keys *keys);

/*
 * Whether the table is the cluster's newest, which only a leader that has applied all can know. While it is not, an
 * unknown key is told CS_ERR_NOT_READY (ask another node), not CS_ERR_UNAUTHENTICATED. False at first.
 */
void front_set_authoritative(struct front *f, bool authoritative);

struct front_stats {
	uint64_t requests, replies, handshakes, sessions, refused_handshakes, malformed, too_large, unauthenticated;
	uint64_t crowded; /* Refused: their principal had its share of the contexts. */
};
void front_stats(const struct front *f, struct front_stats *ret);

#endif
