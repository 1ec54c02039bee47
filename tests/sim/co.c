/* Coroutines over ucontext; switched with setjmp, which unlike swapcontext asks nothing of the kernel. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "tests/sim/co.h"

#include <assert.h>
#include <setjmp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <ucontext.h>

#include "tests/sim/memory.h"

#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/common_interface_defs.h>
#define FIBER_START(save, base, size) __sanitizer_start_switch_fiber(save, base, size)
#define FIBER_DONE(save)              __sanitizer_finish_switch_fiber(save, &outer_base, &outer_size)
#define FIBER_BACK(save)              __sanitizer_finish_switch_fiber(save, NULL, NULL)
#else
#define FIBER_START(save, base, size) ((void)(save), (void)(base), (void)(size))
#define FIBER_DONE(save)              ((void)(save))
#define FIBER_BACK(save)              ((void)(save))
#endif

struct co {
	struct co *next; /* In the pool. */
	void (*fn)(void *arg);
	void *arg;
	void *stack, *fake; /* fake: the sanitizer's own. */
	bool idle;          /* fn has returned: it takes the next one where it is. */
	bool begun;         /* Entered once, since it has had its context. */
	ucontext_t first;
	jmp_buf at;
};

static struct co *pool, *running;
static jmp_buf outer;
static void *outer_fake;
#ifdef __SANITIZE_ADDRESS__
static const void *outer_base;
static size_t outer_size;
#else
static const void *const outer_base = NULL;
static const size_t outer_size = 0;
#endif

static void begin(void)
{
	FIBER_DONE(NULL);
	for (;;) {
		running->fn(running->arg);
		running->idle = true;
		co_leave();
	}
}

/* The lowest page is a guard: an overflow is a crash, not a wrong result. */
static void *stack_new(void)
{
	/* cppcheck-suppress invalidFunctionArg */
	uint8_t *p = mmap(NULL, CO_STACK_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);

	assert(p != MAP_FAILED && mprotect(p, 4096, PROT_NONE) == 0);
	return p;
}

struct co *co_new(void (*fn)(void *arg), void *arg)
{
	struct co *c = pool;

	if (c) {
		pool = c->next;
	} else {
		c = memory_lasting_zeros(1, sizeof *c);
		c->stack = stack_new();
		/* cppcheck-suppress getcontextCalled */
		getcontext(&c->first);
	}
	c->fn = fn;
	c->arg = arg;
	if (c->idle) {
		c->idle = false;
		return c;
	}
	c->begun = false;
	c->fake = NULL;
	c->first.uc_stack.ss_sp = c->stack;
	c->first.uc_stack.ss_size = CO_STACK_SIZE;
	c->first.uc_link = NULL;
	/* cppcheck-suppress makecontextCalled */
	makecontext(&c->first, begin, 0);
	return c;
}

void co_enter(struct co *c)
{
	assert(!running);
	running = c;
	if (_setjmp(outer) == 0) {
		FIBER_START(&outer_fake, c->stack, CO_STACK_SIZE);
		if (c->begun)
			_longjmp(c->at, 1);
		c->begun = true;
		setcontext(&c->first);
	}
	FIBER_BACK(outer_fake);
	running = NULL;
}

void co_leave(void)
{
	struct co *c = running;

	if (_setjmp(c->at) == 0) {
		FIBER_START(&c->fake, outer_base, outer_size);
		_longjmp(outer, 1);
	}
	FIBER_DONE(c->fake);
}

void co_drop(struct co *c)
{
	assert(c != running);
	c->next = pool;
	pool = c;
}
