/* The writer thread: bundles, state blocks and checkpoints into LMDB, coalesced. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "node/writer.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "ledger/bytes.h"
#include "ledger/errors.h"
#include "ledger/limits.h"
#include "node/clock.h"

#define BYTES_COMMIT                                                                                                   \
	(1u << 20) /* Commit at once when this much waits: bounds the transaction and the loss of time.                \
	            */

/* What is to be erased, or a rewrite to be ended. */
struct task {
	struct task *next;
	const struct store_erasure *list;
	size_t n;
	struct store_rewrite *rewrite;
	uint64_t changed;
	int err;
	bool done;
};

#define KEPT_MAX 16 /* Between two commits; what comes above that takes the last one's place. */
struct kept_notes {
	unsigned n;
	struct {
		uint64_t size;
		size_t len;
		uint8_t bytes[LIMIT_NOTE_SIZE_MAX];
	} list[KEPT_MAX];
};

struct ledger_writer {
	struct ledger_writer_options o;
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t wake, task_done;
	struct entries *first, **last;
	const struct entries *writing; /* Of the round under way; read by others under the lock. */
	struct state_block *states, **states_last;
	struct ledger_mend *mends, **mends_last;
	struct task *tasks, **tasks_last;
	uint64_t pushed_size;     /* Entries stored or given to the thread. */
	uint64_t checkpoint_size; /* The newest pushed one; older ones need not be stored. */
	size_t checkpoint_len;
	uint8_t checkpoint[LIMIT_NOTE_SIZE_MAX];
	struct kept_notes kept; /* That are stored whatever comes after them. */
	bool flush, stop;
	struct {
		uint64_t index; /* 0: none yet. */
		struct hash digest;
	} marks[WRITER_MARKS]; /* Digests of the states written last. */
	unsigned next_mark;
	bool held, full; /* Nothing is written: as the core wishes; because the store's map is full. */
	atomic_size_t backlog;
	atomic_uint_fast64_t stored_size, state_index;
};

/* What one round writes, taken from the writer under its lock. */
struct round {
	bool held; /* The end: nothing is written any more. */
	struct entries *bundles;
	struct state_block *states;
	struct ledger_mend *mends;
	struct task *tasks;
	uint64_t checkpoint_size;
	size_t checkpoint_len;
	uint8_t checkpoint[LIMIT_NOTE_SIZE_MAX];
	struct kept_notes kept;
};

/* A full map is no error of the disk: it sticks to its transaction, which is given up. True: that. */
static bool check(struct ledger_writer *w, int err, const char *what)
{
	if (err && err != CS_ERR_DISK_FULL)
		w->o.fatal(w->o.ctx, err, what);
	return err == CS_ERR_DISK_FULL;
}

/* Guard 9 tells by it what went through this node's own log. */
static int put_fetched(struct ledger_writer *w, uint64_t index)
{
	uint8_t value[8];

	put_u64be(value, index);
	return store_put_meta(w->o.store, WRITER_META_FETCHED, value, sizeof value);
}

/* True: the map is full, nothing was written. */
static bool write_bundles(struct ledger_writer *w, const struct round *r)
{
	uint64_t size = 0;

	check(w, store_begin(w->o.store), "begin a transaction");
	for (struct entries *b = r->bundles; b; b = b->next) {
		if (b->n)
			check(w, store_append(w->o.store, b->first, b->entries, b->n), "append entries");
		if (b->n_erasures)
			check(w, store_append_erased(w->o.store, b->erasures, b->n_erasures), "note what was erased");
		if (b->index)
			check(w, store_applied(w->o.store, b->index, b->term), "record the applied index");
		if (b->index && b->fetched)
			check(w, put_fetched(w, b->index), "record the fetched index");
		size = b->first + b->n;
	}
	for (unsigned i = 0; i < r->kept.n; i++)
		check(w,
		      store_put_checkpoint(w->o.store, r->kept.list[i].size, r->kept.list[i].bytes,
		                           r->kept.list[i].len),
		      "store a checkpoint");
	if (r->checkpoint_len)
		check(w, store_put_checkpoint(w->o.store, r->checkpoint_size, r->checkpoint, r->checkpoint_len),
		      "store a checkpoint");
	if (check(w, store_commit(w->o.store), "commit entries"))
		return true;
	if (r->bundles)
		atomic_store(&w->stored_size, size);
	return false;
}

/* Each in its own transaction: what does not fit must not take others with it. True: the map is full. */
static bool write_mends(struct ledger_writer *w, struct round *r)
{
	bool full = false;

	while (r->mends) {
		struct ledger_mend *m = r->mends;
		int err = r->held || full ? CS_ERR_NOT_READY : store_mend(w->o.store, &m->mend);

		r->mends = m->next;
		if (err == CS_ERR_IO)
			w->o.fatal(w->o.ctx, err, "mend a record");
		full |= err == CS_ERR_DISK_FULL;
		m->done(m->ctx, m, err);
		free(m);
	}
	return full;
}

static void note_digest(struct ledger_writer *w, uint64_t index)
{
	struct hash digest;

	store_state_digest(w->o.store, &digest);
	pthread_mutex_lock(&w->lock);
	w->marks[w->next_mark].index = index;
	w->marks[w->next_mark].digest = digest;
	w->next_mark = (w->next_mark + 1) % WRITER_MARKS;
	pthread_mutex_unlock(&w->lock);
}

static int write_block(struct ledger_writer *w, struct state_block *b)
{
	state_block_seal(b);
	return b->whole ? store_replace_state(w->o.store, b->records, b->n, b->index, b->term)
	                : store_write_state(w->o.store, b->records, b->n, b->index, b->term);
}

static bool write_states(struct ledger_writer *w, struct state_block *states)
{
	for (struct state_block *b = states; b; b = b->next) {
		if (check(w, write_block(w, b), "write the state"))
			return true;
		note_digest(w, b->index);
		if (b->sync) {
			check(w, store_sync(w->o.store), "sync the store");
			atomic_store(&w->state_index, b->index);
		}
	}
	return false;
}

static void end_task(struct ledger_writer *w, struct task *t, int err)
{
	pthread_mutex_lock(&w->lock);
	t->err = err;
	t->done = true;
	pthread_cond_broadcast(&w->task_done);
	pthread_mutex_unlock(&w->lock);
}

/* A store that is full loses no less by it than by entries: the map is larger after a restart. */
static bool do_tasks(struct ledger_writer *w, struct task *tasks, bool held)
{
	bool full = false;

	for (struct task *t = tasks, *next; t; t = next) {
		int err = CS_ERR_NOT_READY;
		next = t->next;
		if (t->rewrite && (held || full))
			store_rewrite_abandon(t->rewrite);
		else if (t->rewrite)
			err = store_rewrite_finish(w->o.store, t->rewrite); /* The store goes on in any case. */
		else if (!held && !full) {
			err = store_erase(w->o.store, t->list, t->n, &t->changed);
			full = check(w, err, "erase");
		}
		end_task(w, t, err);
	}
	return full;
}

static void round_free(struct ledger_writer *w, struct round *r)
{
	pthread_mutex_lock(&w->lock);
	w->writing = NULL;
	pthread_mutex_unlock(&w->lock);
	while (r->bundles) {
		struct entries *b = r->bundles;
		r->bundles = b->next;
		atomic_fetch_sub(&w->backlog, b->bytes);
		entries_free(b);
	}
	while (r->states) {
		struct state_block *b = r->states;
		r->states = b->next;
		atomic_fetch_sub(&w->backlog, b->bytes);
		state_block_free(b);
	}
}

/* True if it is time to write; otherwise *ret_until is when it will be (0: nothing waits). Locked. */
static bool due(const struct ledger_writer *w, uint64_t *ret_until)
{
	*ret_until = 0;
	if (w->stop || w->mends)
		return true;
	if (w->held || w->full)
		return false;
	if (w->states || w->tasks)
		return true;
	if (!w->first)
		return false;
	if (w->flush || atomic_load(&w->backlog) >= BYTES_COMMIT)
		return true;
	*ret_until = w->first->pushed_ns + w->o.interval_ms * NS_PER_MS;
	return clock_mono_ns() >= *ret_until;
}

static void wait_due(struct ledger_writer *w)
{
	uint64_t until;

	while (!due(w, &until)) {
		if (!until) {
			w->flush &= w->held || w->full; /* Whoever wanted it has it. */
			pthread_cond_wait(&w->wake, &w->lock);
			continue;
		}
		struct timespec t = clock_timespec(until);
		pthread_cond_timedwait(&w->wake, &w->lock, &t);
	}
}

/* A quorum may have cosigned entries that this node has yet to apply: their checkpoint waits for them. Locked. */
static void take_checkpoint(struct ledger_writer *w, struct round *r)
{
	unsigned left = 0;

	r->kept.n = 0;
	for (unsigned i = 0; i < w->kept.n; i++) {
		if (w->kept.list[i].size <= w->pushed_size)
			r->kept.list[r->kept.n++] = w->kept.list[i];
		else
			w->kept.list[left++] = w->kept.list[i];
	}
	w->kept.n = left;
	r->checkpoint_len = 0;
	if (w->checkpoint_size > w->pushed_size)
		return;
	r->checkpoint_size = w->checkpoint_size;
	r->checkpoint_len = w->checkpoint_len;
	memcpy(r->checkpoint, w->checkpoint, w->checkpoint_len);
	w->checkpoint_len = 0;
}

static bool take(struct ledger_writer *w, struct round *r)
{
	bool stop;

	pthread_mutex_lock(&w->lock);
	wait_due(w);
	r->held = w->held || w->full;
	r->bundles = w->first;
	w->writing = w->first;
	r->states = w->states;
	r->mends = w->mends;
	w->mends = NULL;
	w->mends_last = &w->mends;
	r->tasks = w->tasks;
	w->tasks = NULL;
	w->tasks_last = &w->tasks;
	take_checkpoint(w, r);
	w->first = NULL;
	w->last = &w->first;
	w->states = NULL;
	w->states_last = &w->states;
	w->flush = false;
	stop = w->stop;
	pthread_mutex_unlock(&w->lock);
	return stop && !r->bundles && !r->states && !r->mends && !r->checkpoint_len && !r->tasks && r->kept.n == 0;
}

/* Nobody waits for a writer that is held: locked. */
static void refuse_tasks(struct ledger_writer *w)
{
	for (struct task *t = w->tasks, *next; t; t = next) {
		next = t->next; /* Its memory is the waiter's. */
		if (t->rewrite)
			store_rewrite_abandon(t->rewrite);
		t->err = CS_ERR_NOT_READY;
		t->done = true;
	}
	w->tasks = NULL;
	w->tasks_last = &w->tasks;
	pthread_cond_broadcast(&w->task_done);
}

/* For good: only a restart makes the map larger, and brings back from the log what is dropped here. */
static void set_full(struct ledger_writer *w)
{
	pthread_mutex_lock(&w->lock);
	w->full = true;
	refuse_tasks(w);
	pthread_mutex_unlock(&w->lock);
}

static void *run(void *arg)
{
	struct ledger_writer *w = arg;
	struct round r;

	while (!take(w, &r)) {
		bool full = write_mends(w, &r);

		full = full || (!r.held && (r.bundles || r.checkpoint_len || r.kept.n > 0) && write_bundles(w, &r));

		full = full || (!r.held && write_states(w, r.states));
		full = do_tasks(w, r.tasks, r.held || full) || full;
		if (full)
			set_full(w);
		round_free(w, &r);
		w->o.progress(w->o.ctx);
	}
	if (!r.held)
		check(w, store_sync(w->o.store), "sync the store");
	return NULL;
}

int ledger_writer_open(const struct ledger_writer_options *o, struct ledger_writer **ret)
{
	struct ledger_writer *w = calloc(1, sizeof *w);
	pthread_condattr_t attr;
	struct store_head head;

	if (!w)
		return CS_ERR_NOMEM;
	w->o = *o;
	w->last = &w->first;
	w->states_last = &w->states;
	w->mends_last = &w->mends;
	w->tasks_last = &w->tasks;
	pthread_cond_init(&w->task_done, NULL);
	store_head(o->store, &head);
	atomic_init(&w->stored_size, head.size);
	w->pushed_size = head.size;
	/* What is in the file at start survived whatever came before it, but NOMETASYNC may still undo a commit. */
	atomic_init(&w->state_index, 0);
	pthread_mutex_init(&w->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&w->wake, &attr);
	pthread_condattr_destroy(&attr);
	if (pthread_create(&w->thread, NULL, run, w)) {
		free(w);
		return CS_ERR_NOMEM;
	}
	*ret = w;
	return 0;
}

void ledger_writer_close(struct ledger_writer *w)
{
	if (!w)
		return;
	pthread_mutex_lock(&w->lock);
	w->stop = true;
	pthread_cond_signal(&w->wake);
	pthread_mutex_unlock(&w->lock);
	pthread_join(w->thread, NULL);
	pthread_cond_destroy(&w->wake);
	pthread_cond_destroy(&w->task_done);
	pthread_mutex_destroy(&w->lock);
	free(w);
}

void ledger_writer_push(struct ledger_writer *w, struct entries *b)
{
	b->next = NULL;
	b->pushed_ns = clock_mono_ns();
	pthread_mutex_lock(&w->lock);
	bool idle = !w->first;
	w->pushed_size = b->first + b->n;
	size_t before = atomic_fetch_add(&w->backlog, b->bytes);
	*w->last = b;
	w->last = &b->next;
	/* The thread sleeps until the first bundle's time: wake it only for that one, or when there is enough. */
	if (idle || w->flush || (before < BYTES_COMMIT && before + b->bytes >= BYTES_COMMIT))
		pthread_cond_signal(&w->wake);
	pthread_mutex_unlock(&w->lock);
}

void ledger_writer_push_state(struct ledger_writer *w, struct state_block *b, bool sync)
{
	b->next = NULL;
	b->sync = sync;
	pthread_mutex_lock(&w->lock);
	atomic_fetch_add(&w->backlog, b->bytes);
	*w->states_last = b;
	w->states_last = &b->next;
	pthread_cond_signal(&w->wake);
	pthread_mutex_unlock(&w->lock);
}

static void push_task(struct ledger_writer *w, struct task *t)
{
	t->next = NULL;
	*w->tasks_last = t;
	w->tasks_last = &t->next;
	pthread_cond_signal(&w->wake);
}

/* Whoever waits must not hold up a writer that is held for want of room. */
static int await(struct ledger_writer *w, struct task *t)
{
	pthread_mutex_lock(&w->lock);
	if ((w->held || w->full || w->stop) && t->rewrite)
		store_rewrite_abandon(t->rewrite);
	if (w->held || w->full || w->stop) {
		pthread_mutex_unlock(&w->lock);
		return CS_ERR_NOT_READY;
	}
	push_task(w, t);
	while (!t->done)
		pthread_cond_wait(&w->task_done, &w->lock);
	pthread_mutex_unlock(&w->lock);
	return t->err;
}

int ledger_writer_erase(struct ledger_writer *w, const struct store_erasure *list, size_t n, uint64_t *ret_changed)
{
	struct task t = {.list = list, .n = n};
	int err = await(w, &t);

	*ret_changed = t.changed;
	return err;
}

int ledger_writer_rewrite(struct ledger_writer *w, struct store_rewrite *r)
{
	struct task t = {.rewrite = r};

	return await(w, &t);
}

void ledger_writer_push_checkpoint(struct ledger_writer *w, uint64_t size, const void *note, size_t len)
{
	if (len > sizeof w->checkpoint)
		return;
	pthread_mutex_lock(&w->lock);
	w->checkpoint_size = size;
	w->checkpoint_len = len;
	memcpy(w->checkpoint, note, len);
	pthread_mutex_unlock(&w->lock);
}

void ledger_writer_push_mend(struct ledger_writer *w, struct ledger_mend *m)
{
	m->next = NULL;
	pthread_mutex_lock(&w->lock);
	*w->mends_last = m;
	w->mends_last = &m->next;
	pthread_cond_signal(&w->wake);
	pthread_mutex_unlock(&w->lock);
}

void ledger_writer_keep_checkpoint(struct ledger_writer *w, uint64_t size, const void *note, size_t len)
{
	struct kept_notes *k = &w->kept;

	if (len > sizeof k->list[0].bytes)
		return;
	pthread_mutex_lock(&w->lock);
	if (k->n == 0 || (k->list[k->n - 1].size != size && k->n < KEPT_MAX))
		k->n++;
	k->list[k->n - 1].size = size;
	k->list[k->n - 1].len = len;
	memcpy(k->list[k->n - 1].bytes, note, len);
	pthread_mutex_unlock(&w->lock);
}

void ledger_writer_flush(struct ledger_writer *w)
{
	pthread_mutex_lock(&w->lock);
	w->flush = true;
	pthread_cond_signal(&w->wake);
	pthread_mutex_unlock(&w->lock);
}

static const struct store_entry *find_entry(const struct entries *b, uint64_t index)
{
	while (b && (index < b->first || index >= b->first + b->n))
		b = b->next;
	return b ? &b->entries[index - b->first] : NULL;
}

int ledger_writer_entry(struct ledger_writer *w, uint64_t index, uint8_t *buf, size_t *ret_leaf_len,
                        size_t *ret_body_len)
{
	int err = CS_ERR_NOT_FOUND;

	pthread_mutex_lock(&w->lock);
	const struct store_entry *e = find_entry(w->first, index);
	if (!e)
		e = find_entry(w->writing, index);
	if (e) {
		memcpy(buf, e->leaf, e->leaf_len);
		memcpy(buf + e->leaf_len, e->body, e->body_len);
		*ret_leaf_len = e->leaf_len;
		*ret_body_len = e->body_len;
		err = 0;
	}
	pthread_mutex_unlock(&w->lock);
	return err;
}

void ledger_writer_hold(struct ledger_writer *w, bool hold)
{
	pthread_mutex_lock(&w->lock);
	w->held = hold;
	if (hold)
		refuse_tasks(w);
	pthread_cond_signal(&w->wake);
	pthread_mutex_unlock(&w->lock);
}

bool ledger_writer_held(struct ledger_writer *w)
{
	pthread_mutex_lock(&w->lock);
	bool held = w->held || w->full;
	pthread_mutex_unlock(&w->lock);
	return held;
}

bool ledger_writer_full(struct ledger_writer *w)
{
	pthread_mutex_lock(&w->lock);
	bool full = w->full;
	pthread_mutex_unlock(&w->lock);
	return full;
}

size_t ledger_writer_backlog(const struct ledger_writer *w)
{
	return atomic_load(&w->backlog);
}

uint64_t ledger_writer_stored_size(const struct ledger_writer *w)
{
	return atomic_load(&w->stored_size);
}

uint64_t ledger_writer_state_index(const struct ledger_writer *w)
{
	return atomic_load(&w->state_index);
}

bool ledger_writer_state_digest(struct ledger_writer *w, uint64_t index, struct hash *ret)
{
	bool found = false;

	pthread_mutex_lock(&w->lock);
	for (unsigned i = 0; i < WRITER_MARKS; i++)
		if (index != 0 && w->marks[i].index == index) {
			*ret = w->marks[i].digest;
			found = true;
		}
	pthread_mutex_unlock(&w->lock);
	return found;
}
