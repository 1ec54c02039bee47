/* A thread that waits for pages of entries, so that whoever shows them never hangs in a call. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "client/tool/watchpull.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum stage { STAGE_IDLE, STAGE_ASKED, STAGE_ANSWERED, STAGE_CLOSED };

struct watchpull {
	cs_client *client;
	int wake_fd;
	pthread_t thread;
	pthread_mutex_t lock; /* Of what follows. */
	pthread_cond_t changed;
	enum stage stage;
	uint64_t first;
	unsigned count, wait_ms;
	bool pending; /* Asked for, too. */
	struct watchpage answer;
};

static void wake(const struct watchpull *p)
{
	const uint64_t one = 1;
	ssize_t n;

	do
		n = write(p->wake_fd, &one, sizeof one);
	while (n < 0 && errno == EINTR);
}

static void ask(struct watchpull *p, uint64_t first, unsigned count, unsigned wait_ms, bool pending,
                struct watchpage *ret)
{
	*ret = (struct watchpage){0};
	ret->err = cs_entries(p->client, first, count, wait_ms, &ret->page);
	if (ret->err)
		snprintf(ret->text, sizeof ret->text, "%s", cs_last_error());
	else if (pending && cs_pending(p->client, &ret->pending))
		ret->pending = NULL; /* An older cluster, or not for this key: what comes is counted all the same. */
}

static void *run(void *ctx)
{
	struct watchpull *p = ctx;
	struct watchpage answer;

	pthread_mutex_lock(&p->lock);
	while (p->stage != STAGE_CLOSED) {
		if (p->stage != STAGE_ASKED) {
			pthread_cond_wait(&p->changed, &p->lock);
			continue;
		}
		uint64_t first = p->first;
		unsigned count = p->count, wait_ms = p->wait_ms;
		bool pending = p->pending;

		pthread_mutex_unlock(&p->lock);
		ask(p, first, count, wait_ms, pending, &answer);
		pthread_mutex_lock(&p->lock);
		if (p->stage == STAGE_CLOSED) {
			cs_page_free(answer.page);
			free(answer.pending);
			break;
		}
		p->answer = answer;
		p->stage = STAGE_ANSWERED;
		wake(p);
	}
	pthread_mutex_unlock(&p->lock);
	return NULL;
}

int watchpull_open(cs_client *client, int wake_fd, struct watchpull **ret)
{
	struct watchpull *p = calloc(1, sizeof *p);
	int err;

	if (!p)
		return ENOMEM;
	*p = (struct watchpull){.client = client,
	                        .wake_fd = wake_fd,
	                        .lock = PTHREAD_MUTEX_INITIALIZER,
	                        .changed = PTHREAD_COND_INITIALIZER};
	err = pthread_create(&p->thread, NULL, run, p);
	if (err)
		free(p);
	else
		*ret = p;
	return err;
}

static void begin(struct watchpull *p, uint64_t first, unsigned count, unsigned wait_ms, bool pending)
{
	pthread_mutex_lock(&p->lock);
	assert(p->stage == STAGE_IDLE);
	p->pending = pending;
	p->first = first;
	p->count = count;
	p->wait_ms = wait_ms;
	p->stage = STAGE_ASKED;
	pthread_cond_signal(&p->changed);
	pthread_mutex_unlock(&p->lock);
}

void watchpull_start(struct watchpull *p)
{
	begin(p, 0, 1, 0, true);
}

void watchpull_ask(struct watchpull *p, uint64_t first, unsigned count, unsigned wait_ms)
{
	begin(p, first, count, wait_ms, false);
}

bool watchpull_take(struct watchpull *p, struct watchpage *ret)
{
	bool there;

	pthread_mutex_lock(&p->lock);
	there = p->stage == STAGE_ANSWERED;
	if (there) {
		*ret = p->answer;
		p->stage = STAGE_IDLE;
	}
	pthread_mutex_unlock(&p->lock);
	return there;
}

void watchpull_close(struct watchpull *p)
{
	pthread_mutex_lock(&p->lock);
	if (p->stage == STAGE_ANSWERED) {
		cs_page_free(p->answer.page);
		free(p->answer.pending);
	}
	p->stage = STAGE_CLOSED;
	pthread_cond_signal(&p->changed);
	pthread_mutex_unlock(&p->lock);
	/* The call that is out ends with an error, and one that the thread is about to make still finds a client. */
	cs_stop(p->client);
	pthread_join(p->thread, NULL);
	cs_close(p->client);
	pthread_cond_destroy(&p->changed);
	pthread_mutex_destroy(&p->lock);
	free(p);
}
