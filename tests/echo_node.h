/* A front in this process whose jobs a thread of its own answers, as the core does; for tests and measurements. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_ECHO_NODE_H
#define TESTS_ECHO_NODE_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "node/front.h"

struct echo_node {
	struct front *front;
	struct channel_keypair keys;
	uint64_t id;
	void (*answer)(void *ctx, struct job *j); /* On the thread; ends the job. */
	void *ctx;
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	struct job *first, **last;
	unsigned waiting;
	bool held; /* Jobs stay in the queue. */
	bool stop;
};

/*
 * answer NULL: replies with the request's body. options: contexts, sessions_max, handshakes_per_s, keys (fresh ones if
 * zero); may be NULL.
 */
int echo_node_start(struct echo_node *n, uint64_t id, const char *origin, const char *url,
                    const struct front_options *options, void (*answer)(void *ctx, struct job *j), void *ctx);
void echo_node_stop(struct echo_node *n);
/* Keeps jobs in the queue (or lets them go), and waits until so many are there. */
void echo_node_hold(struct echo_node *n, bool held);
void echo_node_await(struct echo_node *n, unsigned waiting);

#endif
