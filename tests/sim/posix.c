/* What node code calls of threads, clocks and ends of processes, on the simulated machine (linked with --wrap). */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "tests/sim/posix.h"

#include <assert.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "tests/sim/os.h"

/* In the memory of a pthread_mutex_t; all zeros, as the static initialiser has it, is a free one. */
struct mutex {
	struct thread *owner;
};

/* One who waits for a condition; on its own stack. */
struct waiter {
	struct waiter *next;
	bool signalled;
};

/* In the memory of a pthread_cond_t: who waits and is not signalled yet, oldest first. */
struct cond {
	struct waiter *first;
};

static_assert(sizeof(struct mutex) <= sizeof(pthread_mutex_t), "a mutex fits");
static_assert(sizeof(struct cond) <= sizeof(pthread_cond_t), "a condition fits");

static void *bytes_of(void *p)
{
	return p;
}

/* --- threads --- */

struct start {
	void *(*fn)(void *arg);
	void *arg;
};

static void thread_begin(void *arg)
{
	struct start s = *(struct start *)arg;

	free(arg);
	s.fn(s.arg);
}

int __wrap_pthread_create(pthread_t *ret, const pthread_attr_t *attr, void *(*fn)(void *), void *arg)
{
	struct start *s = malloc(sizeof *s);

	(void)attr;
	assert(s);
	*s = (struct start){fn, arg};
	struct thread *t = os_spawn(os_process(), thread_begin, s);
	os_thread_keep(t);
	memcpy(ret, &t, sizeof t);
	return 0;
}

int __wrap_pthread_join(pthread_t thread, void **ret)
{
	struct thread *t;

	memcpy(&t, &thread, sizeof t);
	if (ret)
		*ret = NULL;
	os_thread_join(t);
	return 0;
}

int __wrap_pthread_mutex_init(pthread_mutex_t *m, const pthread_mutexattr_t *attr)
{
	(void)attr;
	memset(m, 0, sizeof *m);
	return 0;
}

int __wrap_pthread_mutex_destroy(pthread_mutex_t *m)
{
	struct mutex *x = bytes_of(m);

	assert(!x->owner);
	return 0;
}

static void lock(struct mutex *x)
{
	while (x->owner)
		os_block_on(x, UINT64_MAX);
	x->owner = os_thread();
}

int __wrap_pthread_mutex_lock(pthread_mutex_t *m)
{
	struct mutex *x = bytes_of(m);

	if (!os_thread())
		return 0; /* The simulator reads a store of its own. */
	os_maybe_yield();
	assert(x->owner != os_thread());
	lock(x);
	return 0;
}

int __wrap_pthread_mutex_unlock(pthread_mutex_t *m)
{
	struct mutex *x = bytes_of(m);

	if (!os_thread())
		return 0;
	assert(x->owner == os_thread());
	x->owner = NULL;
	os_wake_on(os_process(), x);
	return 0;
}

int __wrap_pthread_condattr_init(pthread_condattr_t *a)
{
	(void)a;
	return 0;
}

int __wrap_pthread_condattr_setclock(pthread_condattr_t *a, clockid_t clock)
{
	(void)a;
	assert(clock == CLOCK_MONOTONIC); /* What timedwait below takes its times for. */
	return 0;
}

int __wrap_pthread_condattr_destroy(pthread_condattr_t *a)
{
	(void)a;
	return 0;
}

int __wrap_pthread_cond_init(pthread_cond_t *c, const pthread_condattr_t *a)
{
	(void)a;
	memset(c, 0, sizeof *c);
	return 0;
}

int __wrap_pthread_cond_destroy(pthread_cond_t *c)
{
	(void)c;
	return 0;
}

static void cond_leave(struct cond *x, const struct waiter *w)
{
	struct waiter **at = &x->first;

	while (*at != w)
		at = &(*at)->next;
	*at = w->next;
}

static int wait_until(pthread_cond_t *c, pthread_mutex_t *m, uint64_t until_ns)
{
	struct cond *x = bytes_of(c);
	struct mutex *y = bytes_of(m);
	struct waiter w = {0}, **last = &x->first;
	const struct process *p = os_process();
	int rv = 0;

	assert(y->owner == os_thread());
	while (*last)
		last = &(*last)->next;
	*last = &w;
	y->owner = NULL;
	os_wake_on(os_process(), y);
	while (!w.signalled && rv == 0) {
		if (os_mono(p) >= until_ns)
			rv = ETIMEDOUT;
		else
			os_block_on(x, until_ns == UINT64_MAX ? UINT64_MAX : os_until(p, until_ns));
	}
	if (!w.signalled)
		cond_leave(x, &w);
	lock(y);
	return rv;
}

int __wrap_pthread_cond_wait(pthread_cond_t *c, pthread_mutex_t *m)
{
	return wait_until(c, m, UINT64_MAX);
}

int __wrap_pthread_cond_timedwait(pthread_cond_t *c, pthread_mutex_t *m, const struct timespec *t)
{
	return wait_until(c, m, (uint64_t)t->tv_sec * OS_S + (uint64_t)t->tv_nsec);
}

static void signal_first(struct cond *x)
{
	struct waiter *w = x->first;

	x->first = w->next;
	w->signalled = true;
	os_wake_on(os_process(), x);
}

int __wrap_pthread_cond_signal(pthread_cond_t *c)
{
	struct cond *x = bytes_of(c);

	if (x->first)
		signal_first(x);
	os_maybe_yield();
	return 0;
}

int __wrap_pthread_cond_broadcast(pthread_cond_t *c)
{
	struct cond *x = bytes_of(c);

	while (x->first)
		signal_first(x);
	os_maybe_yield();
	return 0;
}

/* --- clocks --- */

int __wrap_clock_gettime(clockid_t clock, struct timespec *ret)
{
	const struct process *p = os_process();
	uint64_t ns = os_now;

	if (p)
		ns = clock == CLOCK_REALTIME ? os_wall_ns(p) : os_mono(p);
	ret->tv_sec = (time_t)(ns / OS_S);
	ret->tv_nsec = (long)(ns % OS_S);
	return 0;
}

time_t __wrap_time(time_t *ret)
{
	struct timespec t;

	__wrap_clock_gettime(CLOCK_REALTIME, &t);
	if (ret)
		*ret = t.tv_sec;
	return t.tv_sec;
}

int __wrap_nanosleep(const struct timespec *t, struct timespec *left)
{
	if (left)
		memset(left, 0, sizeof *left);
	os_sleep((uint64_t)t->tv_sec * OS_S + (uint64_t)t->tv_nsec);
	return 0;
}

/* The kernel's asynchronous writes are not there: the log then writes by a thread. */
long __wrap_syscall(long number, ...)
{
	(void)number;
	errno = ENOSYS;
	return -1;
}

/* --- ends --- */

_Noreturn void __wrap__exit(int status)
{
	if (!os_thread())
		__real__exit(status);
	os_exit(status);
}

_Noreturn void __wrap_abort(void)
{
	if (!os_thread())
		__real_abort();
	os_fail(os_process()->id, "abort() was called");
}

_Noreturn void __wrap___assert_fail(const char *what, const char *file, unsigned line, const char *function)
{
	if (!os_thread())
		__real___assert_fail(what, file, line, function);
	os_fail(os_process()->id, "assertion failed: %s (%s:%u, %s)", what, file, line, function);
}
