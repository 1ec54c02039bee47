/* Whoever holds the core's loop for long is heard of: meanwhile no heartbeat is sent or answered. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODE_CORE_HELD_H
#define NODE_CORE_HELD_H

#include <stdint.h>
#include <uv.h>

struct held {
	uv_check_t check;
	uint64_t turned_ns, idle_ns; /* At the end of the last turn; of all time until then: waiting for events. */
	uint64_t limit_ns;
};

/* On a loop that has not run yet. 0 or libuv's error. */
int held_open(struct held *h, uv_loop_t *loop, unsigned limit_ms);
/*
 * From now on each turn that spends limit_ms or more in callbacks is logged as a warning. Time in which the loop waits,
 * or in which an event is there and the processor is not, is none of it.
 */
void held_begin(struct held *h);
void held_close(struct held *h);

#endif
