/* What was read on the nodes, to the leader and into the log: entries of kind "read". */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "node/core/core_internal.h"
#include "node/decide/command_reads.h"
#include "node/log.h"

#define QUEUE_MAX 64 /* Of all nodes; above it they send again. */
#define BATCH_MAX 8  /* In one batch of the log: what clients ask comes first. */
/* So long a node that is to stop waits for its last notes, which go twice in that time; without a leader in vain. */
#define END_NS (1000 * NS_PER_MS)

_Static_assert(READ_LOG_SIZE_MAX <= FRAME_READINGS_SIZE_MAX, "a node's notes fit a frame");

/* What a node wants ordered. */
struct reading_order {
	struct reading_order *next;
	uint64_t node;
	uint8_t id[REQUEST_ID_SIZE];
	size_t len;
	uint8_t bytes[];
};

/* Sent again meanwhile: once is enough. */
static bool queued(const struct core *c, const uint8_t id[REQUEST_ID_SIZE], unsigned *ret_n)
{
	*ret_n = 0;
	for (const struct reading_order *o = c->readings; o; o = o->next, ++*ret_n)
		if (memcmp(o->id, id, REQUEST_ID_SIZE) == 0)
			return true;
	return false;
}

static void queue(struct core *c, uint64_t node, const uint8_t id[REQUEST_ID_SIZE], const uint8_t *bytes, size_t len)
{
	struct reading_order **at = &c->readings, *o;
	unsigned n;

	if (queued(c, id, &n) || n >= QUEUE_MAX)
		return;
	o = malloc(sizeof *o + len);
	if (!o)
		core_fatal(c, "out of memory");
	*o = (struct reading_order){.node = node, .len = len};
	memcpy(o->id, id, REQUEST_ID_SIZE);
	memcpy(o->bytes, bytes, len);
	while (*at)
		at = &(*at)->next;
	*at = o;
}

void readings_frame(struct core *c, uint64_t from, const struct frame_readings *f)
{
	if (!core_leads(c) || f->len > READ_LOG_SIZE_MAX)
		return; /* The node sends again, to whoever leads then. */
	queue(c, from, f->id, f->bytes, f->len);
	propose_pump(c);
}

void readings_pump(struct core *c)
{
	struct readlog_batch b;
	struct frame f = {.type = FRAME_READINGS};
	raft_id leader;
	const char *address;

	raft_leader(&c->raft, &leader, &address);
	if (!leader)
		return;
	while (readlog_next(c->o.readlog, clock_mono_ns(), clock_wall_ms(), &b)) {
		if (leader == c->id) {
			queue(c, c->id, b.id, b.bytes, b.len);
			continue;
		}
		memcpy(f.readings.id, b.id, sizeof b.id);
		f.readings.bytes = b.bytes;
		f.readings.len = b.len;
		peers_send(c, leader, &f);
	}
	sodium_memzero(&b, sizeof b);
}

void readings_end(struct core *c)
{
	uint64_t now = clock_mono_ns();

	if (!c->readings_until_ns)
		c->readings_until_ns = now + END_NS;
	if (!c->writer || now >= c->readings_until_ns || !readlog_hurry(c->o.readlog)) {
		uv_stop(&c->loop);
		return;
	}
	readings_pump(c);
	propose_pump(c);
}

void readings_drop(struct core *c)
{
	while (c->readings) {
		struct reading_order *o = c->readings;
		c->readings = o->next;
		free(o);
	}
}

bool readings_due(const struct core *c)
{
	return c->readings && c->room.level < SPACE_SHORT;
}

/* One as a command; false: it does not fit this batch, or is none (a node that is a member no more). */
static bool add(struct core *c, struct batch_writer *w, const struct reading_order *o, uint64_t time_ms)
{
	static const uint8_t nothing[1] = {0x90}; /* An empty msgpack array. */
	char name[MEMBERS_NAME_SIZE], text[160];
	uint8_t seed[SEED_SIZE], facts[8], *at;
	size_t room = batch_room(w, &at), len, facts_len;

	members_name(o->node, name);
	const struct principal *p = state_principal_by_name(c->state, name, strlen(name));
	if (!p)
		return false;
	int err = decide_prepare(c->state, time_ms, COMMAND_READ, p->id, o->id, o->bytes, o->len, facts, sizeof facts,
	                         &facts_len, text);
	if (err) {
		log_warning("what was read on %s is not logged: %s", name, text);
		return false;
	}
	randombytes_buf(seed, sizeof seed);
	struct command cmd = {.type = COMMAND_READ,
	                      .principal = p->id,
	                      .seed = seed,
	                      .request_id = o->id,
	                      .payload = o->bytes,
	                      .payload_len = o->len,
	                      .facts = nothing,
	                      .facts_len = sizeof nothing};
	err = command_encode(&cmd, at, room, &len);
	sodium_memzero(seed, sizeof seed);
	if (err)
		return false;
	batch_add(w, len);
	return true;
}

void readings_add(struct core *c, struct batch_writer *w, uint64_t time_ms)
{
	uint8_t *at;

	for (unsigned n = 0;
	     n < BATCH_MAX && readings_due(c) && c->flight.n < c->o.settings->batch_commands_max && batch_room(w, &at);
	     n++) {
		struct reading_order *o = c->readings;
		c->readings = o->next;
		if (add(c, w, o, time_ms))
			c->flight.jobs[c->flight.n++] = NULL;
		free(o);
	}
}

void readings_applied(struct core *c, const uint8_t *bytes, size_t len)
{
	struct command cmd;

	if (command_decode(&cmd, bytes, len) == 0 && cmd.type == COMMAND_READ)
		readlog_applied(c->o.readlog, cmd.request_id, clock_mono_ns());
}
