/* Coroutines: what a simulated thread runs on. One real thread; a switch costs no system call. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_SIM_CO_H
#define TESTS_SIM_CO_H

/* Node code keeps notes and replies of tens of KiB on its stacks. */
#define CO_STACK_SIZE (256u << 10)

struct co;

/* A coroutine that will run fn(arg) from its first co_enter on. When fn returns, so does co_enter, for the last time.
 */
struct co *co_new(void (*fn)(void *arg), void *arg);
/* Runs it until it leaves. From outside of any coroutine. */
void co_enter(struct co *c);
/* From inside the one that runs: back to whoever entered it. Returns when it is entered again, if it ever is. */
void co_leave(void);
/* Its stack goes to the next coroutine; whatever it held is lost, as a killed process loses it. */
void co_drop(struct co *c);

#endif
