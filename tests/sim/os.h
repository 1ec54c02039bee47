/* The simulated machine: one queue of events in simulated time, processes made of coroutines, clocks, chance, trace. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_SIM_OS_H
#define TESTS_SIM_OS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define OS_US            UINT64_C(1000)
#define OS_MS            UINT64_C(1000000)
#define OS_S             UINT64_C(1000000000)
#define OS_PROCESSES_MAX 8 /* Nodes are 1 to 7. */
#define OS_ABORTED       134

struct thread;
struct loop;

/* A simulated process: a node. */
struct process {
	unsigned id;
	bool alive;
	unsigned life;         /* Counts starts. */
	bool exiting;          /* A thread of it has called exit; */
	int status;            /* with this. */
	uint64_t paused_until; /* SIGSTOP. */
	struct thread *threads;
	struct loop *loop; /* Of the thread that runs one; NULL: none. */

	/* Clocks: monotonic = mono_base + (now - mono_at) * rate / 1e6; wall = monotonic + wall_offset. */
	uint64_t mono_at, mono_base, rate_ppm;
	uint64_t wall_offset;
	uint64_t slice_ns; /* Simulated time that each turn of its loop takes, at most. */

	/* What excuses its end (node life.c): faults of its disk in this life; damage ever. */
	unsigned io_errors;
	bool damaged;
	bool gone_back; /* All that it has was rolled back, ever. */
	bool misled;    /* A write of its own went astray, ever. */
};

extern struct process os_processes[OS_PROCESSES_MAX];
extern uint64_t os_now; /* Nanoseconds since the simulation began. */

/* --- chance --- */
void os_seed(uint64_t seed);
uint64_t os_random(void);
uint64_t os_below(uint64_t n);                   /* [0, n) */
uint64_t os_between(uint64_t min, uint64_t max); /* [min, max] */
bool os_chance(uint32_t ppm);                    /* Of a million. */
void os_random_bytes(void *buf, size_t len);

/* --- events --- */
typedef void (*os_fn)(void *arg, uint64_t n);
void os_at(uint64_t when, os_fn fn, void *arg, uint64_t n);
/* Runs events up to this time. */
void os_run(uint64_t until);

/* --- processes and threads --- */
void os_start(struct process *p, void (*fn)(void *arg), void *arg);
struct thread *os_spawn(struct process *p, void (*fn)(void *arg), void *arg);
/* Ends it at once; nothing of it runs any more. From an event, not from a thread. */
void os_kill(struct process *p, int status);
struct process *os_process(void); /* That runs; NULL: none, an event's own code. */
struct thread *os_thread(void);
_Noreturn void os_exit(int status); /* From a thread: ends its process. */
/* Waits for the end of a thread that was spawned to be joined. */
void os_thread_keep(struct thread *t);
void os_thread_join(struct thread *t);

/* From a thread. */
void os_block_on(const void *what, uint64_t when); /* Until os_wake_on or then (UINT64_MAX: never); may be early. */
void os_sleep(uint64_t ns);
void os_maybe_yield(void);                            /* A place where another thread may come between. */
void os_wake_on(struct process *p, const void *what); /* From anywhere; too often does no harm. */

/* Clocks of a process. os_until: the simulated time at which its monotonic clock is likely to show mono_ns. */
uint64_t os_mono(const struct process *p);
uint64_t os_wall_ns(const struct process *p);
uint64_t os_until(const struct process *p, uint64_t mono_ns);
void os_clock_rate(struct process *p, uint64_t rate_ppm);

/* --- trace --- */
extern bool os_verbose;
/* Folds the event into the trace's hash; prints it when verbose. */
void os_trace(unsigned node, const char *kind, const void *bytes, size_t len);
void os_note(unsigned node, const char *format, ...) __attribute__((format(printf, 2, 3)));
uint64_t os_trace_hash(void);

/* --- verdict --- */
/* The simulation has found something wrong: says so and ends this program with status 1. */
_Noreturn void os_fail(unsigned node, const char *format, ...) __attribute__((format(printf, 2, 3)));
extern const char *os_failure; /* What os_fail said. */

/* Hooks of the other files. */
void os_after_slice(struct process *p); /* Checks. */
void os_ended(struct process *p);       /* A process has ended, by itself or not. */
void file_process_ended(struct process *p);
void mdb_process_ended(struct process *p);

#endif
