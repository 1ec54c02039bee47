/* Ticks: the leader orders one for each thing that waits and whose time or end has come. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <sodium.h>

#include "node/core/core_internal.h"

#define TICKS_MAX 64 /* In one batch: what clients ask must not wait for a table of ends. */

bool ticks_due(struct core *c, uint64_t time_ms)
{
	return c->room.level < SPACE_LOW && state_ticks_due(c->state, time_ms, 1) > 0;
}

void ticks_add(struct core *c, struct batch_writer *w, uint64_t time_ms)
{
	static const uint8_t nothing[1] = {0x90}; /* An empty msgpack array. */
	static const uint8_t zero_id[WIRE_REQUEST_ID_SIZE];
	unsigned n = ticks_due(c, time_ms) ? state_ticks_due(c->state, time_ms, TICKS_MAX) : 0;
	uint8_t seed[SEED_SIZE], *at;
	struct command cmd = {.type = COMMAND_TICK,
	                      .seed = seed,
	                      .request_id = zero_id,
	                      .payload = nothing,
	                      .payload_len = sizeof nothing,
	                      .facts = nothing,
	                      .facts_len = sizeof nothing};
	size_t room, len;

	while (n-- > 0 && c->flight.n < c->o.settings->batch_commands_max && (room = batch_room(w, &at))) {
		randombytes_buf(seed, sizeof seed); /* An end may open a challenge, whose nonce comes from it. */
		if (command_encode(&cmd, at, room, &len))
			break;
		batch_add(w, len);
		c->flight.jobs[c->flight.n++] = NULL;
	}
	sodium_memzero(seed, sizeof seed);
}

void ticks_beat(struct core *c)
{
	if (core_leads(c) && ticks_due(c, clock_wall_ms()))
		uv_async_send(&c->wake);
}
