/* The nodes that a monitor follows: a thread asks each, again and again, and hands over what it shows. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "client/tool/monitornodes.h"

#include <inttypes.h>
#include <jansson.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "client/tool/text.h"

/* A clock that never steps, for waiting. */
static struct timespec time_of(uint64_t ms)
{
	return (struct timespec){.tv_sec = (time_t)(ms / 1000), .tv_nsec = (long)(ms % 1000) * 1000000L};
}

static void read_text(const json_t *o, const char *name, char *ret, size_t cap)
{
	const char *s = json_string_value(json_object_get(o, name));

	text_safe(s ? s : "", s ? strlen(s) : 0, ret, cap);
}

static uint64_t read_number(const json_t *o, const char *name)
{
	json_int_t v = json_integer_value(json_object_get(o, name));

	return v < 0 ? 0 : (uint64_t)v;
}

static void read_status(const char *text, struct monitorview *v)
{
	json_t *o = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
	const char *root = json_string_value(json_object_get(o, "root"));
	size_t len = 0;

	v->has_status =
	        root && !sodium_hex2bin(v->root.b, HASH_SIZE, root, strlen(root), NULL, &len, NULL) && len == HASH_SIZE;
	v->size = read_number(o, "size");
	v->leader = read_number(o, "leader_id");
	v->term = read_number(o, "term");
	read_text(o, "role", v->role, sizeof v->role);
	read_text(o, "health", v->health, sizeof v->health);
	json_decref(o);
}

static void failed(struct monitorview *v, int err)
{
	const char *said = cs_last_error();

	v->err = err;
	text_safe(said, strlen(said), v->error, sizeof v->error);
}

/* One question and its answer; the lock is not held. fresh begins as what the node showed last. */
static void ask(struct monitornodes *all, struct monitorview *fresh, uint64_t after, const char *cosigned,
                bool *ret_refused)
{
	char *note = NULL, *status = NULL;
	int err = cs_witness(all->client, fresh->id, after, all->interval_ms, cosigned, &note, &fresh->kept);

	fresh->err = 0;
	*ret_refused = cosigned &&
	               (err == CS_E_REFUTED || err == CS_E_DIVERGED || err == CS_E_UNDECIDED || err == CS_E_MALFORMED);
	fresh->diverged = cosigned && err == CS_E_DIVERGED;
	if (!err && note) {
		fresh->note_len = strlen(note);
		memcpy(fresh->note, note, fresh->note_len + 1);
	}
	free(note);
	if (!err)
		err = cs_status(all->client, fresh->id, &status);
	if (err)
		failed(fresh, err);
	else
		read_status(status, fresh);
	free(status);
}

/* With the lock held: until the monitor has looked at the node's last round; after a failure a moment longer. */
static void rest(struct monitornode *n)
{
	struct monitornodes *all = n->all;
	struct timespec until = time_of(text_clock_ms() + all->interval_ms);

	while (!all->stop && !n->gone && n->seen < n->view.rounds)
		pthread_cond_wait(&all->handled, &all->lock);
	while (!all->stop && !n->gone && n->view.err && pthread_cond_timedwait(&all->handled, &all->lock, &until) == 0)
		continue;
}

static void *run(void *arg)
{
	struct monitornode *n = arg;
	struct monitornodes *all = n->all;
	struct monitorview *fresh = malloc(sizeof *fresh);
	char *cosigned = NULL;
	bool refused;

	pthread_mutex_lock(&all->lock);
	while (fresh && !all->stop && !n->gone) {
		uint64_t after = all->after, size = all->cosigned_size;

		if (size > n->view.kept && size != n->refused_size)
			cosigned = strdup(all->cosigned);
		*fresh = n->view;
		pthread_mutex_unlock(&all->lock);
		ask(all, fresh, after, cosigned, &refused);
		free(cosigned);
		cosigned = NULL;
		pthread_mutex_lock(&all->lock);
		fresh->rounds = n->view.rounds + 1;
		n->view = *fresh;
		if (refused)
			n->refused_size = size;
		pthread_cond_signal(&all->changed);
		rest(n);
	}
	pthread_mutex_unlock(&all->lock);
	free(fresh);
	return NULL;
}

int monitornodes_open(struct monitornodes *n, cs_client *client, unsigned interval_ms)
{
	pthread_condattr_t steady;

	memset(n, 0, sizeof *n);
	n->client = client;
	n->interval_ms = interval_ms;
	pthread_mutex_init(&n->lock, NULL);
	pthread_condattr_init(&steady);
	pthread_condattr_setclock(&steady, CLOCK_MONOTONIC);
	pthread_cond_init(&n->changed, &steady);
	pthread_cond_init(&n->handled, &steady);
	pthread_condattr_destroy(&steady);
	return 0;
}

void monitornodes_add(struct monitornodes *n, uint64_t id)
{
	pthread_mutex_lock(&n->lock);
	bool known = n->n == MONITORNODES_MAX;
	for (unsigned i = 0; i < n->n; i++)
		known = known || (n->list[i].view.id == id && !n->list[i].gone);
	if (!known) {
		struct monitornode *one = &n->list[n->n];

		one->all = n;
		one->view.id = id;
		if (!pthread_create(&one->thread, NULL, run, one))
			n->n++;
	}
	pthread_mutex_unlock(&n->lock);
}

void monitornodes_gone(struct monitornodes *n, uint64_t id)
{
	pthread_mutex_lock(&n->lock);
	for (unsigned i = 0; i < n->n; i++)
		if (n->list[i].view.id == id)
			n->list[i].gone = true;
	pthread_cond_broadcast(&n->handled);
	pthread_mutex_unlock(&n->lock);
}

/* Locked. */
static bool any_new(const struct monitornodes *n)
{
	for (unsigned i = 0; i < n->n; i++)
		if (!n->list[i].gone && n->list[i].seen < n->list[i].view.rounds)
			return true;
	return false;
}

void monitornodes_wait(struct monitornodes *n, uint64_t until_ms, struct monitorview ret[MONITORNODES_MAX],
                       unsigned *ret_n)
{
	struct timespec until = time_of(until_ms);

	*ret_n = 0;
	pthread_mutex_lock(&n->lock);
	while (!n->stop && !any_new(n) && pthread_cond_timedwait(&n->changed, &n->lock, &until) == 0)
		continue;
	for (unsigned i = 0; i < n->n; i++) {
		n->list[i].seen = n->list[i].view.rounds;
		if (!n->list[i].gone)
			ret[(*ret_n)++] = n->list[i].view;
	}
	pthread_mutex_unlock(&n->lock);
}

void monitornodes_done(struct monitornodes *n, uint64_t after)
{
	pthread_mutex_lock(&n->lock);
	n->after = after;
	pthread_cond_broadcast(&n->handled);
	pthread_mutex_unlock(&n->lock);
}

void monitornodes_cosigned(struct monitornodes *n, uint64_t size, const char *note)
{
	pthread_mutex_lock(&n->lock);
	n->cosigned_size = size;
	snprintf(n->cosigned, sizeof n->cosigned, "%s", note);
	pthread_mutex_unlock(&n->lock);
}

void monitornodes_wake(struct monitornodes *n)
{
	pthread_mutex_lock(&n->lock);
	n->stop = true;
	pthread_cond_broadcast(&n->changed);
	pthread_cond_broadcast(&n->handled);
	pthread_mutex_unlock(&n->lock);
}

bool monitornodes_stopped(struct monitornodes *n)
{
	pthread_mutex_lock(&n->lock);
	bool stop = n->stop;
	pthread_mutex_unlock(&n->lock);
	return stop;
}

void monitornodes_close(struct monitornodes *n)
{
	monitornodes_wake(n);
	for (unsigned i = 0; i < n->n; i++)
		pthread_join(n->list[i].thread, NULL);
	pthread_cond_destroy(&n->changed);
	pthread_cond_destroy(&n->handled);
	pthread_mutex_destroy(&n->lock);
}
