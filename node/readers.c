/* The reading room: a list of waiting readers, looked at again whenever the board's bell rings. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "node/readers_internal.h"

#include <assert.h>
#include <inttypes.h>
#include <pthread.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>

#include "ledger/bytes.h"
#include "ledger/errors.h"
#include "node/clock.h"

#define WAITING_MAX 4096 /* Readers that wait at once; the front's contexts bound them too. */
#define ROUND_MAX   64   /* Newcomers served between two looks at those who wait for the ledger to grow. */

bool reading_room_serves(unsigned wire_type)
{
	switch (wire_type) {
	case WIRE_HELLO:
	case WIRE_ENTRIES:
	case WIRE_PROVE:
	case WIRE_CONSISTENCY:
	case WIRE_CHECKPOINT:
	case WIRE_STATUS:
	case WIRE_MEMBERS:
	case WIRE_FEATURES:
	case WIRE_SCRUB:
	case WIRE_WITNESS:
	case WIRE_SEARCH:
	case WIRE_HISTORY_PAGE:
		return true;
	default:
		return false;
	}
}

/* --- the queue --- */

/* [index, wait ms], then whose cosignatures the asker needs, then which fields: each if it is asked for. */
static void prove_parse(struct reader *b, struct item *it, uint64_t *ret_wait_ms)
{
	uint32_t n = 0, n_ids = 0;
	uint64_t v = 0;

	if (reader_array(b, 5, &n) == 0 && n < 2)
		b->err = CS_ERR_MALFORMED;
	reader_uint(b, UINT64_MAX - 1, &it->index);
	reader_uint(b, WIRE_DEADLINE_MS_MAX, ret_wait_ms);
	if (n >= 4) {
		reader_uint(b, WIRE_WITNESSES_MAX, &v);
		it->need = (unsigned)v;
		reader_array(b, WIRE_WITNESSES_MAX, &n_ids);
	}
	for (uint32_t i = 0; i < n_ids && !b->err; i++) {
		reader_uint(b, UINT32_MAX, &v);
		it->ids[it->n_ids++] = (uint32_t)v;
	}
	it->some = n == 3 || n == 5;
	if (it->some)
		reader_uint(b, UINT64_MAX, &it->fields);
}

static void witness_parse(struct reader *b, struct item *it, uint64_t *ret_wait_ms)
{
	reader_array_exact(b, 3);
	reader_uint(b, UINT64_MAX, &it->index);
	reader_uint(b, WIRE_DEADLINE_MS_MAX, ret_wait_ms);
	if (!reader_nil(b))
		reader_str(b, LIMIT_NOTE_SIZE_MAX, &it->cosigned, &it->cosigned_len);
}

/* [first, count, wait ms], and 0 if no fields are wanted. */
static void entries_parse(struct reader *b, struct item *it, uint64_t *ret_wait_ms)
{
	uint32_t n = 0;

	reader_array(b, 4, &n);
	reader_uint(b, UINT64_MAX, &it->index);
	reader_uint(b, WIRE_PAGE_ENTRIES_MAX, &it->count);
	reader_uint(b, WIRE_DEADLINE_MS_MAX, ret_wait_ms);
	it->some = n == 4;
	if (it->some)
		reader_uint(b, 0, &it->fields);
}

static void history_parse(struct reader *b, struct item *it, uint64_t *ret_wait_ms)
{
	reader_array_exact(b, 4);
	reader_uint(b, INT64_MAX, &it->index);
	reader_uint(b, INT64_MAX, &it->history.at);
	reader_uint(b, INT64_MAX, &it->history.size);
	reader_uint(b, WIRE_DEADLINE_MS_MAX, ret_wait_ms);
}

/* The numbers of the body, by type. */
static int item_parse(struct item *it)
{
	struct reader b;
	uint64_t wait_ms = 0;
	uint32_t n = 0;

	it->until_ns = it->job->deadline_ns;
	reader_init(&b, it->job->request.body, it->job->request.body_len);
	switch (it->job->request.type) {
	case WIRE_ENTRIES:
		entries_parse(&b, it, &wait_ms);
		break;
	case WIRE_PROVE:
		prove_parse(&b, it, &wait_ms);
		break;
	case WIRE_WITNESS:
		witness_parse(&b, it, &wait_ms);
		break;
	case WIRE_HISTORY_PAGE:
		history_parse(&b, it, &wait_ms);
		break;
	case WIRE_SEARCH:
		return search_decode(&it->search, it->job->request.body, it->job->request.body_len);
	case WIRE_MEMBERS: /* The first version of interest; 0: any. */
		reader_array_exact(&b, 1);
		reader_uint(&b, UINT64_MAX, &it->count);
		break;
	case WIRE_STATUS:
		reader_array(&b, 1, &n);
		if (n == 1)
			reader_uint(&b, UINT64_MAX, &it->count);
		break;
	case WIRE_SCRUB:
		reader_array_exact(&b, 1);
		reader_uint(&b, 1, &it->count);
		break;
	case WIRE_CONSISTENCY:
		reader_array_exact(&b, 2);
		reader_uint(&b, UINT64_MAX, &it->index);
		reader_uint(&b, UINT64_MAX, &it->count);
		break;
	default:
		reader_array_exact(&b, 0);
	}
	it->until_ns = clock_mono_ns() + wait_ms * NS_PER_MS;
	if (it->until_ns > it->job->deadline_ns)
		it->until_ns = it->job->deadline_ns;
	return reader_end(&b);
}

static void item_free(struct item *it)
{
	assert(!it->held);
	free(it->note);
	free(it);
}

/* Locked. */
static int inbox_push(struct reading_room *r, struct job *j, uint32_t *ret_retry_ms)
{
	int err = r->stop                       ? CS_ERR_NOT_READY
	          : r->n_waiting == WAITING_MAX ? CS_ERR_OVERLOADED
	                                        : turns_push(r->inbox, j);

	if (err == CS_ERR_OVERLOADED)
		*ret_retry_ms = pace_retry_ms(&r->pace, turns_ahead(r->inbox, j->principal), 0, randombytes_random());
	if (!err) {
		r->n_waiting++;
		pthread_cond_signal(&r->arrived);
	}
	return err;
}

static void enqueue(struct reading_room *r, struct job *j, bool repeat, uint64_t index)
{
	struct item *it = calloc(1, sizeof *it);
	int err = it ? 0 : CS_ERR_NOMEM;
	uint32_t retry_ms = 0;
	char text[96];

	if (it) {
		*it = (struct item){.job = j, .repeat = repeat, .index = index, .until_ns = j->deadline_ns};
		if (!repeat)
			err = item_parse(it);
	}
	if (err) {
		free(it);
		job_error(j, err, err == CS_ERR_MALFORMED ? "the body does not fit the message's type" : NULL, NULL, 0);
		return;
	}
	j->holder = it;
	pthread_mutex_lock(&r->lock);
	err = inbox_push(r, j, &retry_ms);
	pthread_mutex_unlock(&r->lock);
	if (!err) {
		board_ring(r->o.board);
		return;
	}
	free(it);
	snprintf(text, sizeof text, "overloaded: too many readers wait; come again in %" PRIu32 " ms", retry_ms);
	job_error(j, err, err == CS_ERR_OVERLOADED ? text : "the node is stopping", NULL, retry_ms);
}

void reading_room_submit(struct reading_room *r, struct job *j)
{
	enqueue(r, j, false, 0);
}

void reading_room_repeat(struct reading_room *r, struct job *j, uint64_t index)
{
	enqueue(r, j, true, index);
}

/* Until there is something to do; false: the room closes. */
static bool await_work(struct reading_room *r)
{
	bool stop;

	pthread_mutex_lock(&r->lock);
	/* Without anybody who waits the thread does not listen to the board, whose bell each batch would ring for it.
	 */
	while (!r->waiting && !turns_count(r->inbox) && !r->stop)
		pthread_cond_wait(&r->arrived, &r->lock);
	stop = r->stop;
	pthread_mutex_unlock(&r->lock);
	return !stop;
}

static void served(struct reading_room *r, unsigned n)
{
	pthread_mutex_lock(&r->lock);
	r->n_waiting -= n;
	pthread_mutex_unlock(&r->lock);
}

/* One pass over all who wait; returns the earliest time at which somebody's waiting ends (0: nobody waits). */
static uint64_t serve_waiting(struct reading_room *r, bool open)
{
	uint64_t next = 0;
	unsigned n = 0;

	for (struct item **at = &r->waiting; *at;) {
		struct item *it = *at;
		if (reading_room_answer(r, it, open)) {
			*at = it->next;
			item_free(it);
			n++;
			continue;
		}
		/* Past its own waiting an item waits for the store alone; the deadline still holds. */
		uint64_t until = it->until_ns > clock_mono_ns() ? it->until_ns : it->job->deadline_ns;
		if (!next || until < next)
			next = until;
		at = &it->next;
	}
	served(r, n);
	return next;
}

/* Newcomers, a principal at a time; true if there are more. */
static bool serve_inbox(struct reading_room *r, bool open)
{
	uint64_t begun = clock_mono_ns();
	unsigned taken = 0, n = 0;
	struct job *j = NULL;

	while (taken < ROUND_MAX || !open) {
		pthread_mutex_lock(&r->lock);
		j = turns_pop(r->inbox);
		pthread_mutex_unlock(&r->lock);
		if (!j)
			break;
		struct item *it = j->holder;
		taken++;
		if (reading_room_answer(r, it, open)) {
			item_free(it);
			n++;
		} else {
			it->next = r->waiting;
			r->waiting = it;
		}
	}
	pthread_mutex_lock(&r->lock);
	if (taken)
		pace_served(&r->pace, clock_mono_ns() - begun, taken);
	pthread_mutex_unlock(&r->lock);
	served(r, n);
	return j != NULL;
}

/*
 * A fresh view of the store. What the ledger is in it, the file says too; but a record of the file may be damaged, and
 * what this process has committed is known without it.
 */
static void look(struct reading_room *r)
{
	struct store_head head;
	uint64_t stored = ledger_writer_stored_size(r->o.writer);

	if (store_view_renew(r->view)) {
		r->stored = 0;
		return;
	}
	store_view_head(r->view, &head);
	r->stored = head.size > stored ? stored : head.size;
}

static void *run(void *arg)
{
	struct reading_room *r = arg;
	uint64_t seen = 0, until;
	bool open, more;

	do {
		open = await_work(r);
		look(r);
		reading_room_recall(r);
		more = serve_inbox(r, open);
		until = serve_waiting(r, open);
		store_view_release(r->view);
		if (open && !more && r->waiting)
			board_wait(r->o.board, &seen, until);
	} while (open);
	return NULL;
}

int reading_room_open(const struct reader_options *o, struct reading_room **ret)
{
	struct reading_room *r = calloc(1, sizeof *r);
	int err = CS_ERR_NOMEM;

	if (!r)
		return err;
	r->o = *o;
	r->buf = malloc(WIRE_REPLY_SIZE_MAX);
	r->prompt = malloc(sizeof *r->prompt);
	pthread_mutex_init(&r->lock, NULL);
	pthread_cond_init(&r->arrived, NULL);
	if (r->buf && r->prompt)
		err = turns_new(WAITING_MAX, &r->inbox);
	if (!err)
		err = witnesses_new(o->origin, &r->witnesses);
	if (!err)
		witnesses_file_open(&r->witnessed, o->witnessed);
	if (!err)
		err = store_view_open(o->store, &r->view);
	if (!err) {
		store_view_release(r->view);
		err = pthread_create(&r->thread, NULL, run, r) ? CS_ERR_NOMEM : 0;
	}
	if (err) {
		if (r->view)
			store_view_close(r->view);
		witnesses_free(r->witnesses);
		turns_free(r->inbox);
		free(r->prompt);
		free(r->buf);
		free(r);
		return err;
	}
	*ret = r;
	return 0;
}

void reading_room_set_witnesses(struct reading_room *r, const struct witness *list, unsigned n)
{
	witnesses_set(r->witnesses, list, n);
}

void reading_room_set_members(struct reading_room *r, const struct witness_members *members)
{
	witnesses_set_members(r->witnesses, members);
}

void reading_room_stop(struct reading_room *r)
{
	pthread_mutex_lock(&r->lock);
	r->stop = true;
	pthread_cond_signal(&r->arrived);
	pthread_mutex_unlock(&r->lock);
	board_ring(r->o.board);
}

void reading_room_close(struct reading_room *r)
{
	if (!r)
		return;
	reading_room_stop(r);
	pthread_join(r->thread, NULL);
	assert(!r->waiting && !turns_count(r->inbox));
	turns_free(r->inbox);
	witnesses_free(r->witnesses);
	store_view_close(r->view);
	pthread_cond_destroy(&r->arrived);
	pthread_mutex_destroy(&r->lock);
	free(r->prompt);
	free(r->buf);
	free(r);
}
