/* The reading room: a list of waiting readers, looked at again whenever the board's bell rings. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "node/readers.h"

#include <assert.h>
#include <inttypes.h>
#include <pthread.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ledger/bytes.h"
#include "ledger/errors.h"
#include "ledger/tree.h"
#include "node/clock.h"
#include "node/decide/command.h"
#include "node/log.h"
#include "node/pace.h"
#include "node/turns.h"

#define WAITING_MAX 4096 /* Readers that wait at once; the front's contexts bound them too. */
#define ROUND_MAX   64   /* Newcomers served between two looks at those who wait for the ledger to grow. */

/* One reader who waits. */
struct item {
	struct item *next;
	struct job *job;
	bool repeat;           /* Asks for its own entry again. */
	uint64_t index, count; /* ENTRIES: first and count. */
	uint64_t until_ns;     /* When waiting for more is over. */
	bool quorum;
	struct board_note *note; /* The checkpoint chosen for it: kept while the store comes up to its size. */
};

struct reading_room {
	struct reader_options o;
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t arrived; /* In the inbox, or stop: for the thread when nobody waits for anything else. */
	struct turns *inbox;    /* Jobs, whose holder is the item. */
	struct pace pace;
	unsigned n_waiting; /* In the inbox and in the list below. */
	bool stop;
	struct item *waiting; /* The thread's own: looked at, and not to be answered yet. */
	struct store_view *view;
	uint64_t stored;       /* Entries that the view sees. */
	uint64_t damaged_next; /* Index after the damaged entry that the log named last. */
	uint8_t *buf;          /* WIRE_REPLY_SIZE_MAX bytes for one reply. */
};

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
		return true;
	default:
		return false;
	}
}

/* --- one answer each; true: answered, the item is done --- */

static bool reply(struct reading_room *r, struct item *it, const struct writer *w)
{
	size_t len;
	int err = writer_end(w, &len);

	if (err)
		job_error(it->job, err, "the reply does not fit", NULL, 0);
	else
		job_reply(it->job, r->buf, len);
	return true;
}

static bool refuse(struct item *it, int err, const char *text)
{
	job_error(it->job, err, text, NULL, 0);
	return true;
}

/* An entry and, if open, its body, as they were stored: *ret_body is NULL if it was erased. */
static int read_entry(struct reading_room *r, uint64_t index, bool open, const void **ret_leaf, size_t *ret_leaf_len,
                      const void **ret_body, size_t *ret_body_len)
{
	int err = store_view_entry(r->view, index, ret_leaf, ret_leaf_len);

	*ret_body = NULL;
	*ret_body_len = 0;
	if (!err && open)
		err = store_view_body(r->view, index, ret_body, ret_body_len);
	if (err == CS_ERR_ERASED)
		err = 0;
	if (!err)
		err = store_view_check(r->view, index, *ret_leaf, *ret_leaf_len, *ret_body, *ret_body_len);
	if (err == CS_ERR_DAMAGED && r->damaged_next != index + 1) {
		r->damaged_next = index + 1;
		log_error("the ledger is damaged: entry %" PRIu64 " in ledger/data.mdb is not as it was stored, and is "
		          "given to nobody: replace this node",
		          index);
	}
	return err;
}

static bool serve_hello(struct reading_room *r, struct item *it)
{
	struct wire_status s;
	char url[WIRE_URL_SIZE_MAX];
	struct writer w;

	board_status(r->o.board, &s, url);
	writer_init(&w, r->buf, WIRE_REPLY_SIZE_MAX);
	writer_array(&w, 5);
	writer_uint(&w, r->o.node_id);
	writer_cstr(&w, r->o.origin);
	writer_uint(&w, s.leader_id);
	writer_cstr(&w, url);
	writer_cstr(&w, PACKAGE_VERSION);
	return reply(r, it, &w);
}

static bool serve_status(struct reading_room *r, struct item *it)
{
	struct wire_status s;
	char url[WIRE_URL_SIZE_MAX];
	size_t len;
	int err;

	board_status(r->o.board, &s, url);
	s.stored_size = ledger_writer_stored_size(r->o.writer);
	s.detailed = it->count > 0;
	s.details.now_ms = clock_wall_ms();
	err = wire_status_encode(&s, r->buf, WIRE_REPLY_SIZE_MAX, &len);
	if (err)
		return refuse(it, err, NULL);
	job_reply(it->job, r->buf, len);
	return true;
}

static bool serve_checkpoint(struct reading_room *r, struct item *it)
{
	struct board_note note;
	bool quorum = true;
	struct writer w;

	board_cosigned_note(r->o.board, &note);
	if (note.size == 0) {
		board_leader_note(r->o.board, &note);
		quorum = false;
	}
	if (note.size == 0)
		return refuse(it, CS_ERR_NOT_FOUND, "no checkpoint has been signed yet");
	writer_init(&w, r->buf, WIRE_REPLY_SIZE_MAX);
	writer_array(&w, 2);
	writer_bool(&w, quorum);
	writer_str(&w, note.text, note.len);
	return reply(r, it, &w);
}

static void write_proof(struct writer *w, const struct hash *proof, unsigned n)
{
	writer_array(w, n);
	for (unsigned i = 0; i < n; i++)
		writer_bin(w, proof[i].b, HASH_SIZE);
}

static bool serve_members(struct reading_room *r, struct item *it)
{
	uint64_t version;
	size_t len = board_members(r->o.board, r->buf, &version);
	struct writer w;

	if (!len)
		return refuse(it, CS_ERR_NOT_READY, "the node has just started");
	/* Who knows these members already is told no more. */
	writer_init(&w, r->buf, WIRE_REPLY_SIZE_MAX);
	if (it->count && version < it->count)
		writer_array(&w, 0);
	else
		w.len = len;
	return reply(r, it, &w);
}

static bool serve_features(struct reading_room *r, struct item *it)
{
	struct writer w;

	writer_init(&w, r->buf, WIRE_REPLY_SIZE_MAX);
	w.len = board_features(r->o.board, r->buf);
	return w.len ? reply(r, it, &w) : refuse(it, CS_ERR_NOT_READY, "the node has just started");
}

static bool serve_consistency(struct reading_room *r, struct item *it)
{
	struct hash proof[LIMIT_PROOF_HASHES_MAX];
	struct tree_tiles tiles;
	unsigned n;
	struct writer w;
	int err;

	if (r->stored < it->count) {
		struct wire_status s;
		char url[WIRE_URL_SIZE_MAX];
		board_status(r->o.board, &s, url);
		if (it->count > s.size)
			return refuse(it, CS_ERR_NOT_FOUND, "the new size is beyond the ledger's");
		ledger_writer_flush(r->o.writer);
		return false;
	}
	store_view_tiles(r->view, &tiles);
	err = tiles_consistency(&tiles, it->index, it->count, proof, &n);
	if (err)
		return refuse(it, err, err == CS_ERR_INVALID ? "the sizes must be 0 < old <= new" : NULL);
	writer_init(&w, r->buf, WIRE_REPLY_SIZE_MAX);
	writer_array(&w, 1);
	write_proof(&w, proof, n);
	return reply(r, it, &w);
}

/* A page: as many entries from the first as are stored, asked for, and fit. */
static bool serve_entries(struct reading_room *r, struct item *it)
{
	uint64_t stored = r->stored, n = 0;
	bool audit = it->job->roles & ROLE_AUDIT;
	struct wire_status s;
	char url[WIRE_URL_SIZE_MAX];
	struct writer w;

	board_status(r->o.board, &s, url);
	if (stored <= it->index && clock_mono_ns() < it->until_ns) {
		if (s.size > it->index)
			ledger_writer_flush(r->o.writer);
		return false;
	}
	/* Values first, in the second half of the buffer: how many there are is known only then. */
	writer_init(&w, r->buf + WIRE_REPLY_SIZE_MAX / 2, WIRE_REPLY_SIZE_MAX / 2);
	for (; n < it->count && it->index + n < stored; n++) {
		const void *leaf, *body;
		size_t leaf_len, body_len;
		struct writer before = w;
		int err = read_entry(r, it->index + n, audit, &leaf, &leaf_len, &body, &body_len);
		if (err == CS_ERR_DAMAGED && n > 0)
			break; /* The page ends before it. */
		if (err)
			return refuse(it, err, "reading the store");
		writer_array(&w, 2);
		writer_bin(&w, leaf, leaf_len);
		if (body)
			writer_bin(&w, body, body_len);
		else
			writer_nil(&w);
		if (w.err) {
			w = before;
			break;
		}
	}
	struct writer page;
	writer_init(&page, r->buf, WIRE_REPLY_SIZE_MAX / 2);
	writer_array(&page, 2);
	writer_uint(&page, s.size > stored ? s.size : stored);
	writer_array(&page, (uint32_t)n);
	memmove(r->buf + page.len, w.base, w.len);
	page.len += w.len;
	return reply(r, it, &page);
}

/* Chooses the checkpoint to prove under; false: none yet that covers the entry, wait. */
static bool choose_note(struct reading_room *r, struct item *it)
{
	struct board_note note;

	if (it->note)
		return true;
	note.size = 0;
	if (!it->repeat)
		board_reached_note(r->o.board, &note);
	it->quorum = note.size > it->index;
	if (!it->quorum) {
		if (!it->repeat && clock_mono_ns() < it->until_ns) {
			r->o.want_cosigned(r->o.ctx, it->index + 1);
			return false;
		}
		board_leader_note(r->o.board, &note);
		if (note.size <= it->index)
			return false;
	}
	it->note = malloc(sizeof note);
	if (it->note)
		memcpy(it->note, &note, sizeof note);
	return it->note != NULL;
}

/* The store grows no more for now: an older checkpoint, stored with its entries, proves what it holds as well. */
static void choose_stored_note(struct reading_room *r, struct item *it)
{
	const void *text;
	uint64_t size;
	size_t len;

	if (!ledger_writer_held(r->o.writer) || store_view_checkpoint(r->view, it->index + 1, &size, &text, &len) ||
	    size > r->stored || len > sizeof it->note->text)
		return;
	it->note->size = size;
	it->note->len = len;
	memcpy(it->note->text, text, len);
	it->quorum = true;
}

static bool serve_proof(struct reading_room *r, struct item *it)
{
	struct wire_proved p = {0};
	bool open = it->repeat || it->job->roles & ROLE_AUDIT;
	struct tree_tiles tiles;
	const void *leaf, *body;
	struct writer w;
	size_t len;
	int err;

	if (!choose_note(r, it))
		return clock_mono_ns() >= it->until_ns &&
		       refuse(it, CS_ERR_NOT_FOUND, "no signed checkpoint covers this entry yet");
	if (r->stored < it->note->size)
		choose_stored_note(r, it);
	if (r->stored < it->note->size) {
		ledger_writer_flush(r->o.writer);
		return false;
	}
	err = read_entry(r, it->index, open, &leaf, &p.leaf_len, &body, &p.body_len);
	if (err)
		return refuse(it, err, err == CS_ERR_DAMAGED ? "reading the store" : "no such entry");
	store_view_tiles(r->view, &tiles);
	err = tiles_inclusion(&tiles, it->index, it->note->size, p.proof, &p.n_proof);
	if (err)
		return refuse(it, err, "making the proof");
	p.leaf = leaf;
	p.body = body;
	p.checkpoint = it->note->text;
	p.checkpoint_len = it->note->len;
	if (it->repeat) {
		err = wire_proved_encode(&p, r->buf, WIRE_REPLY_SIZE_MAX, &len);
		if (err)
			return refuse(it, err, NULL);
		job_reply(it->job, r->buf, len);
		return true;
	}
	writer_init(&w, r->buf, WIRE_REPLY_SIZE_MAX);
	writer_array(&w, 5);
	writer_bool(&w, it->quorum);
	writer_bin(&w, p.leaf, p.leaf_len);
	if (p.body)
		writer_bin(&w, p.body, p.body_len);
	else
		writer_nil(&w);
	write_proof(&w, p.proof, p.n_proof);
	writer_str(&w, p.checkpoint, p.checkpoint_len);
	return reply(r, it, &w);
}

static bool serve(struct reading_room *r, struct item *it)
{
	if (it->repeat)
		return serve_proof(r, it);
	switch (it->job->request.type) {
	case WIRE_HELLO:
		return serve_hello(r, it);
	case WIRE_STATUS:
		return serve_status(r, it);
	case WIRE_MEMBERS:
		return serve_members(r, it);
	case WIRE_FEATURES:
		return serve_features(r, it);
	case WIRE_CHECKPOINT:
		return serve_checkpoint(r, it);
	case WIRE_CONSISTENCY:
		return serve_consistency(r, it);
	case WIRE_ENTRIES:
		return serve_entries(r, it);
	case WIRE_PROVE:
		return serve_proof(r, it);
	default:
		return refuse(it, CS_ERR_INVALID, NULL);
	}
}

/* --- the queue --- */

/* The numbers of the body, by type. */
static int item_parse(struct item *it)
{
	struct reader b;
	uint64_t wait_ms = 0;

	reader_init(&b, it->job->request.body, it->job->request.body_len);
	switch (it->job->request.type) {
	case WIRE_ENTRIES:
		reader_array_exact(&b, 3);
		reader_uint(&b, UINT64_MAX, &it->index);
		reader_uint(&b, WIRE_PAGE_ENTRIES_MAX, &it->count);
		reader_uint(&b, WIRE_DEADLINE_MS_MAX, &wait_ms);
		break;
	case WIRE_PROVE:
		reader_array_exact(&b, 2);
		reader_uint(&b, UINT64_MAX - 1, &it->index);
		reader_uint(&b, WIRE_DEADLINE_MS_MAX, &wait_ms);
		break;
	case WIRE_MEMBERS: /* The first version of interest; 0: any. */
		reader_array_exact(&b, 1);
		reader_uint(&b, UINT64_MAX, &it->count);
		break;
	case WIRE_STATUS: {
		uint32_t n = 0;
		reader_array(&b, 1, &n);
		if (n == 1)
			reader_uint(&b, UINT64_MAX, &it->count);
		break;
	}
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

static bool serve_or_refuse(struct reading_room *r, struct item *it, bool open)
{
	if (!open)
		return refuse(it, CS_ERR_NOT_READY, "the node is stopping");
	if (clock_mono_ns() >= it->job->deadline_ns)
		return refuse(it, CS_ERR_TIMEOUT, "the deadline has passed");
	return serve(r, it);
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
		if (serve_or_refuse(r, it, open)) {
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
		if (serve_or_refuse(r, it, open)) {
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

/* A fresh view of the store. A read transaction of an open environment cannot fail for a fault of the data. */
static void look(struct reading_room *r)
{
	struct store_head head;

	if (store_view_renew(r->view))
		abort();
	store_view_head(r->view, &head);
	r->stored = head.size;
}

static void *run(void *arg)
{
	struct reading_room *r = arg;
	uint64_t seen = 0, until;
	bool open, more;

	do {
		open = await_work(r);
		look(r);
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
	pthread_mutex_init(&r->lock, NULL);
	pthread_cond_init(&r->arrived, NULL);
	if (r->buf)
		err = turns_new(WAITING_MAX, &r->inbox);
	if (!err)
		err = store_view_open(o->store, &r->view);
	if (!err) {
		store_view_release(r->view);
		err = pthread_create(&r->thread, NULL, run, r) ? CS_ERR_NOMEM : 0;
	}
	if (err) {
		if (r->view)
			store_view_close(r->view);
		turns_free(r->inbox);
		free(r->buf);
		free(r);
		return err;
	}
	*ret = r;
	return 0;
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
	store_view_close(r->view);
	pthread_cond_destroy(&r->arrived);
	pthread_mutex_destroy(&r->lock);
	free(r->buf);
	free(r);
}
