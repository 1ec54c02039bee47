/* The simulated machine's scheduler: events in order of time, threads of processes, and who runs now. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "tests/sim/os.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "tests/sim/co.h"
#include "tests/sim/memory.h"

#define JOIN_POLL_NS OS_MS
#define YIELD_PPM    20000 /* How often a lock or a signal lets another thread come between. */

struct event {
	uint64_t when, order; /* Of equal times the first made goes first. */
	os_fn fn;
	void *arg;
	uint64_t n;
};

struct thread {
	struct thread *next;
	struct process *process; /* NULL: in the pool. */
	struct co *co;
	uint64_t turn; /* Wakes of earlier turns are void. */
	bool waiting;  /* A wake of this turn is on its way. */
	bool ended;
	bool kept;      /* Somebody will join it. */
	const void *on; /* What it waits for. */
	void (*fn)(void *arg);
	void *arg;
};

struct process os_processes[OS_PROCESSES_MAX];
uint64_t os_now;

static struct event *heap;
static size_t heap_n, heap_size;
static uint64_t order;
static struct thread *thread_pool, *current;

/* --- events --- */

static bool before(const struct event *a, const struct event *b)
{
	return a->when < b->when || (a->when == b->when && a->order < b->order);
}

static void heap_grow(void)
{
	heap_size = heap_size ? 2 * heap_size : 1024;
	heap = memory_lasting_grow(heap, heap_size * sizeof *heap);
}

void os_at(uint64_t when, os_fn fn, void *arg, uint64_t n)
{
	struct event e = {.when = when < os_now ? os_now : when, .order = order, .fn = fn, .arg = arg, .n = n};
	size_t i = heap_n++;

	order++;
	if (heap_n > heap_size)
		heap_grow();
	while (i > 0 && before(&e, &heap[(i - 1) / 2])) {
		heap[i] = heap[(i - 1) / 2];
		i = (i - 1) / 2;
	}
	heap[i] = e;
}

static struct event pop(void)
{
	struct event first = heap[0], last = heap[--heap_n];
	size_t i = 0;

	for (;;) {
		size_t child = 2 * i + 1;
		if (child >= heap_n)
			break;
		if (child + 1 < heap_n && before(&heap[child + 1], &heap[child]))
			child++;
		if (!before(&heap[child], &last))
			break;
		heap[i] = heap[child];
		i = child;
	}
	heap[i] = last;
	return first;
}

void os_run(uint64_t until)
{
	while (heap_n > 0 && heap[0].when <= until) {
		struct event e = pop();
		os_now = e.when;
		e.fn(e.arg, e.n);
	}
	os_now = until;
}

/* --- threads --- */

struct process *os_process(void)
{
	return current ? current->process : NULL;
}

struct thread *os_thread(void)
{
	return current;
}

static void to_pool(struct thread *t)
{
	t->next = thread_pool;
	thread_pool = t;
}

static void thread_free(struct thread *t)
{
	co_drop(t->co);
	t->co = NULL;
	t->process = NULL;
	t->turn++; /* Wakes that are still in the queue find nobody. */
	if (!t->kept)
		to_pool(t);
}

void os_thread_keep(struct thread *t)
{
	t->kept = true;
}

static void thread_unlink(struct thread *t)
{
	struct thread **at = &t->process->threads;

	while (*at != t)
		at = &(*at)->next;
	*at = t->next;
}

static void slice(struct thread *t)
{
	struct process *p = t->process;

	t->waiting = false;
	t->turn++;
	current = t;
	co_enter(t->co);
	current = NULL;
	if (p->exiting) {
		os_kill(p, p->status);
		return;
	}
	if (t->ended) {
		thread_unlink(t);
		thread_free(t);
	}
	os_after_slice(p);
}

static void wake_event(void *arg, uint64_t turn)
{
	struct thread *t = arg;

	if (t->turn != turn || !t->process)
		return;
	if (t->process->paused_until > os_now) {
		os_at(t->process->paused_until, wake_event, t, turn);
		return;
	}
	slice(t);
}

static void wake(struct thread *t)
{
	if (t->waiting || t == current)
		return;
	t->waiting = true;
	os_at(os_now + os_below(2 * OS_US), wake_event, t, t->turn);
}

void os_wake_on(struct process *p, const void *what)
{
	for (struct thread *t = p->threads; t; t = t->next)
		if (t->on == what)
			wake(t);
}

void os_block_on(const void *what, uint64_t when)
{
	current->on = what;
	if (when != UINT64_MAX)
		os_at(when, wake_event, current, current->turn);
	co_leave();
	current->on = NULL;
}

void os_sleep(uint64_t ns)
{
	uint64_t until = os_now + ns;

	while (os_now < until)
		os_block_on(NULL, until);
}

void os_maybe_yield(void)
{
	if (current && os_chance(YIELD_PPM))
		os_sleep(os_below(50 * OS_US));
}

void os_thread_join(struct thread *t)
{
	while (!t->ended)
		os_sleep(JOIN_POLL_NS);
	to_pool(t);
}

static void thread_main(void *arg)
{
	struct thread *t = arg;

	t->fn(t->arg);
	t->ended = true;
}

struct thread *os_spawn(struct process *p, void (*fn)(void *arg), void *arg)
{
	struct thread *t = thread_pool;

	if (t) {
		thread_pool = t->next;
	} else {
		t = memory_lasting_zeros(1, sizeof *t);
	}
	t->process = p;
	t->ended = t->waiting = t->kept = false;
	t->on = NULL;
	t->fn = fn;
	t->arg = arg;
	t->co = co_new(thread_main, t);
	t->next = p->threads;
	p->threads = t;
	wake(t);
	return t;
}

/* --- processes --- */

void os_start(struct process *p, void (*fn)(void *arg), void *arg)
{
	assert(!p->alive && !p->threads);
	p->alive = true;
	p->exiting = false;
	p->life++;
	p->paused_until = 0;
	p->io_errors = 0;
	os_spawn(p, fn, arg);
}

void os_kill(struct process *p, int status)
{
	assert(!current && p->alive);
	p->alive = false;
	p->exiting = false;
	p->status = status;
	p->loop = NULL;
	while (p->threads) {
		struct thread *t = p->threads;
		p->threads = t->next;
		thread_free(t);
	}
	file_process_ended(p);
	mdb_process_ended(p);
	os_ended(p);
	memory_process_ended(p);
}

_Noreturn void os_exit(int status)
{
	current->process->exiting = true;
	current->process->status = status;
	co_leave();
	abort();
}

/* --- clocks --- */

uint64_t os_mono(const struct process *p)
{
	return p->mono_base + (os_now - p->mono_at) / 1000 * p->rate_ppm / 1000;
}

uint64_t os_wall_ns(const struct process *p)
{
	return os_mono(p) + p->wall_offset;
}

void os_clock_rate(struct process *p, uint64_t rate_ppm)
{
	p->mono_base = os_mono(p);
	p->mono_at = os_now;
	p->rate_ppm = rate_ppm;
}

uint64_t os_until(const struct process *p, uint64_t mono_ns)
{
	uint64_t now = os_mono(p);
	uint64_t rate = p->rate_ppm < 100000 ? 100000 : p->rate_ppm; /* A clock that stands is looked at again. */

	if (mono_ns <= now)
		return os_now;
	return os_now + (mono_ns - now) / 1000 * 1000000 / rate * 1000 + OS_US;
}
