/* The double of libuv: the dozen functions that the core and the log use, on the simulated machine. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "tests/sim/loop.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "node/core/held.h"
#include "tests/sim/os.h"

#define HANDLES_MAX 64  /* Of one loop; the node has about ten. */
#define POSTS_MAX   256 /* Taken in one turn, as epoll_wait takes a bounded number of events. */
#define WORKERS     4   /* libuv's default. */

struct post {
	struct post *next;
	void (*fn)(void *arg);
	void *arg;
};

struct loop {
	struct process *process;
	uv_loop_t *uv;
	uv_handle_t *handles[HANDLES_MAX]; /* Open, in the order in which they were made. */
	unsigned n_handles;
	struct post *posts, **posts_last;
	uint64_t started; /* Timers of equal times go in the order of their starts. */
	unsigned work_out, workers;
	uv_work_t *work, **work_last; /* work_req's next pointer lies in its first queue word. */
};

static struct loop *loop_of(const uv_loop_t *uv)
{
	return uv->internal_fields;
}

void loop_post(uv_loop_t *uv, void (*fn)(void *arg), void *arg)
{
	struct loop *l = loop_of(uv);
	struct post *p = malloc(sizeof *p);

	assert(p);
	*p = (struct post){.fn = fn, .arg = arg};
	*l->posts_last = p;
	l->posts_last = &p->next;
	os_wake_on(l->process, l);
}

/* --- life --- */

int uv_loop_init(uv_loop_t *uv)
{
	struct loop *l = calloc(1, sizeof *l);

	assert(l);
	memset(uv, 0, sizeof *uv);
	l->process = os_process();
	l->process->loop = l;
	l->uv = uv;
	l->posts_last = &l->posts;
	l->work_last = &l->work;
	uv->internal_fields = l;
	uv->time = os_mono(l->process) / OS_MS;
	return 0;
}

int uv_loop_close(uv_loop_t *uv)
{
	struct loop *l = loop_of(uv);

	if (l->n_handles || l->work_out || l->posts)
		return UV_EBUSY;
	l->process->loop = NULL;
	free(l);
	uv->internal_fields = NULL;
	return 0;
}

static void handle_open(uv_loop_t *uv, uv_handle_t *h, uv_handle_type type)
{
	struct loop *l = loop_of(uv);

	assert(l->n_handles < HANDLES_MAX);
	h->loop = uv;
	h->type = type;
	h->flags = 0;
	h->close_cb = NULL;
	l->handles[l->n_handles++] = h;
}

enum { ACTIVE = 1, CLOSING = 2, UNREF = 4 };

int uv_is_active(const uv_handle_t *h)
{
	return (h->flags & ACTIVE) != 0;
}

int uv_is_closing(const uv_handle_t *h)
{
	return (h->flags & CLOSING) != 0;
}

void uv_unref(uv_handle_t *h)
{
	h->flags |= UNREF;
}

static void close_post(void *arg)
{
	uv_handle_t *h = arg;
	struct loop *l = loop_of(h->loop);
	unsigned i = 0;

	while (l->handles[i] != h)
		i++;
	memmove(l->handles + i, l->handles + i + 1, (--l->n_handles - i) * sizeof *l->handles);
	if (h->close_cb)
		h->close_cb(h);
}

void uv_close(uv_handle_t *h, uv_close_cb cb)
{
	assert(!(h->flags & CLOSING));
	h->flags = (h->flags & ~(unsigned)ACTIVE) | CLOSING;
	h->close_cb = cb;
	loop_post(h->loop, close_post, h);
}

/* --- wakes and signals --- */

int uv_async_init(uv_loop_t *uv, uv_async_t *a, uv_async_cb cb)
{
	handle_open(uv, (uv_handle_t *)a, UV_ASYNC);
	a->flags |= ACTIVE;
	a->async_cb = cb;
	a->pending = 0;
	return 0;
}

static void async_post(void *arg)
{
	uv_async_t *a = arg;

	a->pending = 0;
	if (!(a->flags & CLOSING))
		a->async_cb(a);
}

int uv_async_send(uv_async_t *a)
{
	if (!a->pending) {
		a->pending = 1;
		loop_post(a->loop, async_post, a);
	}
	os_maybe_yield();
	return 0;
}

int uv_signal_init(uv_loop_t *uv, uv_signal_t *s)
{
	handle_open(uv, (uv_handle_t *)s, UV_SIGNAL);
	return 0;
}

int uv_signal_start(uv_signal_t *s, uv_signal_cb cb, int number)
{
	s->signal_cb = cb;
	s->signum = number;
	s->flags |= ACTIVE;
	return 0;
}

int uv_signal_stop(uv_signal_t *s)
{
	s->flags &= ~(unsigned)ACTIVE;
	return 0;
}

static void signal_post(void *arg)
{
	uv_signal_t *s = arg;

	if (s->flags & ACTIVE)
		s->signal_cb(s, s->signum);
}

void loop_signal(struct process *p, int number)
{
	for (unsigned i = 0; p->loop && i < p->loop->n_handles; i++) {
		uv_signal_t *s = (uv_signal_t *)p->loop->handles[i];
		if (s->type == UV_SIGNAL && s->flags & ACTIVE && s->signum == number)
			loop_post(s->loop, signal_post, s);
	}
}

/* --- timers --- */

uint64_t uv_now(const uv_loop_t *uv)
{
	return uv->time;
}

void uv_update_time(uv_loop_t *uv)
{
	uv->time = os_mono(loop_of(uv)->process) / OS_MS;
}

uint64_t uv_hrtime(void)
{
	return os_process() ? os_mono(os_process()) : os_now;
}

int uv_timer_init(uv_loop_t *uv, uv_timer_t *t)
{
	handle_open(uv, (uv_handle_t *)t, UV_TIMER);
	return 0;
}

int uv_timer_start(uv_timer_t *t, uv_timer_cb cb, uint64_t timeout, uint64_t repeat)
{
	t->timer_cb = cb;
	t->timeout = t->loop->time + timeout;
	t->repeat = repeat;
	t->start_id = loop_of(t->loop)->started++;
	t->flags |= ACTIVE;
	return 0;
}

int uv_timer_stop(uv_timer_t *t)
{
	t->flags &= ~(unsigned)ACTIVE;
	return 0;
}

int uv_timer_again(uv_timer_t *t)
{
	return t->repeat ? uv_timer_start(t, t->timer_cb, t->repeat, t->repeat) : 0;
}

/* The timer that is due first; NULL: none runs. */
static uv_timer_t *first_timer(const struct loop *l)
{
	uv_timer_t *first = NULL;

	for (unsigned i = 0; i < l->n_handles; i++) {
		uv_timer_t *t = (uv_timer_t *)l->handles[i];
		if (t->type != UV_TIMER || !(t->flags & ACTIVE))
			continue;
		if (!first || t->timeout < first->timeout ||
		    (t->timeout == first->timeout && t->start_id < first->start_id))
			first = t;
	}
	return first;
}

static bool run_timers(struct loop *l)
{
	uint64_t begun = l->started; /* One that starts itself again has its next turn later. */
	bool ran = false;
	uv_timer_t *t;

	while ((t = first_timer(l)) && t->timeout <= l->uv->time && t->start_id < begun) {
		uv_timer_stop(t);
		if (t->repeat)
			uv_timer_again(t);
		t->timer_cb(t);
		ran = true;
	}
	return ran;
}

/* --- work --- */

static void work_post(void *arg)
{
	uv_work_t *w = arg;

	loop_of(w->loop)->work_out--;
	w->after_work_cb(w, 0);
}

static void worker(void *arg)
{
	struct loop *l = arg;

	while (l->work) {
		uv_work_t *w = l->work;
		l->work = w->work_req.wq[0];
		if (!l->work)
			l->work_last = &l->work;
		os_sleep(os_below(200 * OS_US));
		w->work_cb(w);
		loop_post(w->loop, work_post, w);
	}
	l->workers--;
}

int uv_queue_work(uv_loop_t *uv, uv_work_t *w, uv_work_cb work, uv_after_work_cb after)
{
	struct loop *l = loop_of(uv);

	w->loop = uv;
	w->work_cb = work;
	w->after_work_cb = after;
	w->work_req.wq[0] = NULL;
	*l->work_last = w;
	l->work_last = (uv_work_t **)&w->work_req.wq[0];
	l->work_out++;
	if (l->workers < WORKERS) {
		l->workers++;
		os_spawn(l->process, worker, l);
	}
	return 0;
}

/* --- the loop --- */

static bool run_posts(struct loop *l)
{
	bool ran = false;

	for (unsigned i = 0; l->posts && i < POSTS_MAX; i++) {
		struct post *p = l->posts;
		l->posts = p->next;
		if (!l->posts)
			l->posts_last = &l->posts;
		p->fn(p->arg);
		free(p);
		ran = true;
	}
	return ran;
}

static bool alive(const struct loop *l)
{
	if (l->posts || l->work_out)
		return true;
	for (unsigned i = 0; i < l->n_handles; i++)
		if ((l->handles[i]->flags & (ACTIVE | UNREF)) == ACTIVE)
			return true;
	return false;
}

static void wait_for_something(struct loop *l)
{
	const uv_timer_t *t = first_timer(l);

	if (!l->posts)
		os_block_on(l, t ? os_until(l->process, t->timeout * OS_MS) : UINT64_MAX);
	uv_update_time(l->uv);
}

/* As libuv 1.44: timers first, then what came from outside; a turn takes time. */
int uv_run(uv_loop_t *uv, uv_run_mode mode)
{
	struct loop *l = loop_of(uv);
	bool ran;

	uv_update_time(uv);
	while (alive(l) && !uv->stop_flag) {
		if (l->process->slice_ns)
			os_sleep(os_below(l->process->slice_ns));
		uv_update_time(uv);
		ran = run_timers(l);
		ran |= run_posts(l);
		if (mode == UV_RUN_NOWAIT || (mode == UV_RUN_ONCE && ran))
			break;
		if (alive(l) && !uv->stop_flag)
			wait_for_something(l);
	}
	uv->stop_flag = 0;
	return alive(l);
}

void uv_stop(uv_loop_t *uv)
{
	uv->stop_flag = 1;
	os_wake_on(loop_of(uv)->process, loop_of(uv));
}

const char *uv_strerror(int err)
{
	return strerror(-err);
}

const char *uv_err_name(int err)
{
	return strerror(-err);
}

/* Callbacks take no simulated time: nobody holds this loop. */
int held_open(struct held *h, uv_loop_t *uv, unsigned limit_ms)
{
	(void)h;
	(void)uv;
	(void)limit_ms;
	return 0;
}

void held_begin(struct held *h)
{
	(void)h;
}

void held_close(struct held *h)
{
	(void)h;
}
