/* Puts past events through the policy, many at once, in their order. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "client/tool/import/send.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "client/tool/text.h"
#include "client/tool/tool.h"

#define TRIES_MAX 3 /* Of one event, each with the same request id and a call's whole timeout. */

/* One event on its way. code and result are written under the pipeline's lock. */
struct slot {
	struct pipeline *pipeline;
	struct event *event;       /* Owned. */
	struct cs_request request; /* The event's, with its id. */
	uint64_t number;           /* In the order of sending, from 0. */
	unsigned tries;
	int code;
	cs_result *result;
	struct slot *next; /* In the list of free or of ended ones. */
};

struct pipeline {
	const struct send *s;
	pthread_mutex_t lock;
	pthread_cond_t some_ended;
	struct slot *ended; /* Under lock; the rest is the main thread's. */
	struct slot *unused;
	struct slot slots[SEND_IN_FLIGHT_MAX];
	unsigned out;
	uint64_t sent, came; /* Events that were sent; of which all up to this one have come to their end. */
	uint64_t last_index; /* Of the latest of these. */
	uint64_t indexes[SEND_IN_FLIGHT_MAX]; /* Of those that ended early, by number; their entries' plus 1. */
	bool ended_early[SEND_IN_FLIGHT_MAX];
	bool all;  /* Nothing is left in the sorter. */
	int stop;  /* Code for which nothing more is sent; 0: go on. */
	int error; /* errno, of the sorter. */
	uint64_t begin_ms;
};

static volatile sig_atomic_t interrupted;

static void on_interrupt(int signal)
{
	(void)signal;
	interrupted = 1;
}

static void on_end(void *context, int code, cs_result *result)
{
	struct slot *s = context;
	struct pipeline *p = s->pipeline;

	pthread_mutex_lock(&p->lock);
	s->code = code;
	s->result = result;
	s->next = p->ended;
	p->ended = s;
	pthread_cond_signal(&p->some_ended);
	pthread_mutex_unlock(&p->lock);
}

static void send_slot(struct pipeline *p, struct slot *s)
{
	const struct events_file *file = &p->s->events->files[s->event->file];
	struct cs_source source = {
	        .format = file->format->name,
	        .file = file->name,
	        .position = s->event->position,
	        .event_time_ms = s->event->time_ms,
	};
	int err;

	memcpy(source.file_hash, file->hash, sizeof source.file_hash);
	s->tries++;
	p->out++;
	err = cs_import_async(p->s->client, &s->request, &source, on_end, s);
	if (err)
		on_end(s, err, NULL);
}

static void send_event(struct pipeline *p, struct event *e)
{
	struct slot *s = p->unused;

	p->unused = s->next;
	s->event = e;
	s->number = p->sent++;
	s->request = e->request;
	s->tries = 0;
	cs_request_id(s->request.id);
	send_slot(p, s);
}

/* The next event that is to be imported; NULL: none is left, or none can be had. */
static struct event *next_event(struct pipeline *p)
{
	struct event *e;

	for (;;) {
		p->error = sorter_take(p->s->events->sorter, &e);
		if (!e) {
			p->all = true;
			return NULL;
		}
		if (!p->s->events->files[e->file].same && !before_has(p->s->before, e->file, e->position))
			return e;
		p->s->report->before += !p->s->events->files[e->file].same;
		free(e);
	}
}

static bool goes_on(const struct pipeline *p)
{
	return !p->stop && !interrupted;
}

/* The first one goes alone: until it is answered there is no connection that would keep the order. */
static void send_more(struct pipeline *p)
{
	struct event *e;

	while (goes_on(p) && !p->all && p->unused && p->sent - p->came < SEND_IN_FLIGHT_MAX && (p->came || !p->sent)) {
		e = next_event(p);
		if (e)
			send_event(p, e);
	}
}

/* Counts those that became entries before one that was sent before them. index: the entry's plus 1; 0: it has none. */
static void look_at_order(struct pipeline *p, uint64_t number, uint64_t index)
{
	p->indexes[number % SEND_IN_FLIGHT_MAX] = index;
	p->ended_early[number % SEND_IN_FLIGHT_MAX] = true;
	while (p->ended_early[p->came % SEND_IN_FLIGHT_MAX] && p->came < p->sent) {
		index = p->indexes[p->came % SEND_IN_FLIGHT_MAX];
		p->ended_early[p->came++ % SEND_IN_FLIGHT_MAX] = false;
		p->s->report->moved += index && index < p->last_index;
		p->last_index = index > p->last_index ? index : p->last_index;
	}
}

/* What would befall every other event too ends the import. */
static bool is_general(int code)
{
	return code == CS_E_UNAUTHENTICATED || code == CS_E_NOT_PERMITTED || code == CS_E_REFUTED ||
	       code == CS_E_DISK_FULL || (code && tool_exit_of(code) == EXIT_UNREACHABLE);
}

static void take_ended(struct pipeline *p, struct slot *s)
{
	p->out--;
	if (s->code && tool_exit_of(s->code) == EXIT_UNREACHABLE && s->tries < TRIES_MAX && goes_on(p)) {
		send_slot(p, s);
		return;
	}
	if (!s->code)
		importreport_add(p->s->report, s->event, s->result);
	else
		importreport_fail(p->s->report, s->event, s->code);
	if (is_general(s->code))
		p->stop = s->code;
	look_at_order(p, s->number, s->result ? s->result->index + 1 : 0);
	cs_result_free(s->result);
	free(s->event);
	s->event = NULL;
	s->next = p->unused;
	p->unused = s;
}

static struct slot *await_ended(struct pipeline *p)
{
	struct slot *list;

	pthread_mutex_lock(&p->lock);
	while (!p->ended)
		pthread_cond_wait(&p->some_ended, &p->lock);
	list = p->ended;
	p->ended = NULL;
	pthread_mutex_unlock(&p->lock);
	return list;
}

static void run(struct pipeline *p)
{
	const struct send *s = p->s;

	p->begin_ms = text_clock_ms();
	for (;;) {
		send_more(p);
		if (!p->out)
			break;
		for (struct slot *list = await_ended(p), *slot; list;) {
			slot = list;
			list = slot->next;
			take_ended(p, slot);
		}
		if (s->progress)
			s->progress(s->report, s->events->n, text_clock_ms() - p->begin_ms);
	}
	s->report->elapsed_ms = text_clock_ms() - p->begin_ms;
}

int send_events(const struct send *s, bool *ret_interrupted)
{
	struct pipeline *p = calloc(1, sizeof *p);
	struct sigaction action = {.sa_handler = on_interrupt}, former;
	int code;

	if (!p)
		return CS_E_NOMEM;
	p->s = s;
	pthread_mutex_init(&p->lock, NULL);
	pthread_cond_init(&p->some_ended, NULL);
	for (unsigned i = 0; i < s->in_flight; i++) {
		p->slots[i].pipeline = p;
		p->slots[i].next = p->unused;
		p->unused = &p->slots[i];
	}
	interrupted = 0;
	sigaction(SIGINT, &action, &former);
	run(p);
	sigaction(SIGINT, &former, NULL);
	*ret_interrupted = interrupted;
	code = p->stop ? p->stop : p->error ? CS_E_IO : 0;
	pthread_cond_destroy(&p->some_ended);
	pthread_mutex_destroy(&p->lock);
	free(p);
	return code;
}
