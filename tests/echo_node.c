/* A front in this process whose jobs a thread of its own answers, as the core does; for tests and measurements. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "tests/echo_node.h"

#include <sodium.h>
#include <string.h>

static void echo(void *ctx, struct job *j)
{
	(void)ctx;
	job_reply(j, j->request.body, j->request.body_len);
}

static void submit(void *ctx, struct job *j)
{
	struct echo_node *n = ctx;

	pthread_mutex_lock(&n->lock);
	j->next = NULL;
	*n->last = j;
	n->last = &j->next;
	n->waiting++;
	pthread_cond_broadcast(&n->changed);
	pthread_mutex_unlock(&n->lock);
}

static void *run(void *arg)
{
	struct echo_node *n = arg;

	pthread_mutex_lock(&n->lock);
	for (;;) {
		while ((n->first == NULL || n->held) && !n->stop)
			pthread_cond_wait(&n->changed, &n->lock);
		if (n->first == NULL)
			break;
		struct job *j = n->first;
		n->first = j->next;
		if (n->first == NULL)
			n->last = &n->first;
		n->waiting--;
		pthread_mutex_unlock(&n->lock);
		n->answer(n->ctx, j);
		pthread_mutex_lock(&n->lock);
	}
	pthread_mutex_unlock(&n->lock);
	return NULL;
}

int echo_node_start(struct echo_node *n, uint64_t id, const char *origin, const char *url,
                    const struct front_options *options, void (*answer)(void *ctx, struct job *j), void *ctx)
{
	struct front_options o = {0};

	memset(n, 0, sizeof(*n));
	if (options != NULL)
		o = *options;
	n->id = id;
	n->answer = answer == NULL ? echo : answer;
	n->ctx = ctx;
	n->last = &n->first;
	pthread_mutex_init(&n->lock, NULL);
	pthread_cond_init(&n->changed, NULL);
	n->keys = o.keys;
	int err = sodium_is_zero(o.keys.secret, sizeof(o.keys.secret)) ? channel_keypair_random(&n->keys) : 0;
	if (err < 0)
		return err;
	o.node_id = id;
	o.origin = origin;
	o.urls[0] = url;
	o.keys = n->keys;
	o.submit = submit;
	o.ctx = n;
	err = front_open(&o, &n->front);
	if (err < 0)
		return err;
	front_set_authoritative(n->front, true);
	return pthread_create(&n->thread, NULL, run, n) == 0 ? 0 : CS_ERR_NOMEM;
}

void echo_node_stop(struct echo_node *n)
{
	echo_node_hold(n, false);
	front_close(n->front);
	n->front = NULL;
	pthread_mutex_lock(&n->lock);
	n->stop = true;
	pthread_cond_broadcast(&n->changed);
	pthread_mutex_unlock(&n->lock);
	pthread_join(n->thread, NULL);
	pthread_cond_destroy(&n->changed);
	pthread_mutex_destroy(&n->lock);
}

void echo_node_hold(struct echo_node *n, bool held)
{
	pthread_mutex_lock(&n->lock);
	n->held = held;
	pthread_cond_broadcast(&n->changed);
	pthread_mutex_unlock(&n->lock);
}

void echo_node_await(struct echo_node *n, unsigned waiting)
{
	pthread_mutex_lock(&n->lock);
	while (n->waiting < waiting)
		pthread_cond_wait(&n->changed, &n->lock);
	pthread_mutex_unlock(&n->lock);
}
