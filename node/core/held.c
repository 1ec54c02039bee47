/* Whoever holds the core's loop for long is heard of. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "node/core/held.h"

#include <inttypes.h>

#include "node/clock.h"
#include "node/log.h"

/* Once a turn, behind the events: what was not spent waiting for them was spent in callbacks. */
static void on_turn(uv_check_t *check)
{
	struct held *h = check->data;
	uint64_t now_ns = uv_hrtime(), idle_ns = uv_metrics_idle_time(check->loop);
	uint64_t busy_ns = now_ns - h->turned_ns - (idle_ns - h->idle_ns);

	h->turned_ns = now_ns;
	h->idle_ns = idle_ns;
	if (busy_ns >= h->limit_ns)
		log_warning("the loop was held ms=%" PRIu64 ": no heartbeat was sent or answered meanwhile",
		            busy_ns / NS_PER_MS);
}

int held_open(struct held *h, uv_loop_t *loop, unsigned limit_ms)
{
	int rv = uv_loop_configure(loop, UV_METRICS_IDLE_TIME);

	if (!rv)
		rv = uv_check_init(loop, &h->check);
	if (rv)
		return rv;
	h->check.data = h;
	h->limit_ns = limit_ms * NS_PER_MS;
	return 0;
}

void held_begin(struct held *h)
{
	h->turned_ns = uv_hrtime();
	h->idle_ns = uv_metrics_idle_time(h->check.loop);
	uv_check_start(&h->check, on_turn);
	uv_unref((uv_handle_t *)&h->check);
}

void held_close(struct held *h)
{
	uv_close((uv_handle_t *)&h->check, NULL);
}
