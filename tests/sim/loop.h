/* The double of libuv: a loop of a simulated process, with timers, wakes, work, signals, and things from outside. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_SIM_LOOP_H
#define TESTS_SIM_LOOP_H

#include <stdint.h>
#include <uv.h>

struct process;

/* fn(arg) on the loop's thread, in the order of the posts. From anywhere; after the process's end nothing happens. */
void loop_post(uv_loop_t *loop, void (*fn)(void *arg), void *arg);
/* A signal to the process, for whoever has started to wait for it. */
void loop_signal(struct process *p, int number);

#endif
