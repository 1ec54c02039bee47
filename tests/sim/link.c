/* The double of the links: real frames over a network that delays, loses, doubles, reorders, cuts and parts. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "node/link.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "tests/sim/checks.h"
#include "tests/sim/faults.h"
#include "tests/sim/loop.h"
#include "tests/sim/memory.h"
#include "tests/sim/net.h"
#include "tests/sim/os.h"

#define CONNECT_NS_MAX (5 * OS_MS) /* Handshake and all. */
#define LOOK_NS        (10 * OS_MS)
#define SILENCE_NS     (LINK_SILENCE_MS * OS_MS)

struct out {
	struct link *link;
	unsigned peer; /* 0: a free slot. */
	unsigned use;  /* Counts who had this slot: what was meant for an earlier one is void. */
	bool passive;
	bool up, told;
	unsigned peer_life; /* Whom the stream is to. */
	uint64_t retry_ns;
	uint64_t silent_since; /* The stream is up, but nothing gets through; 0: it does. */
	size_t queued;
};

struct link {
	struct process *process;
	unsigned life;
	uv_loop_t *loop;
	void (*recv)(void *ctx, uint64_t from, uint8_t *frame, size_t len);
	void (*state)(void *ctx, uint64_t peer, bool up);
	void *ctx;
	struct out outs[LINK_SLOTS_MAX];
	bool closing;
	void (*done)(void *ctx);
	void *done_ctx;
};

/* On its way. */
struct frame_flight {
	struct out *out; /* Of the sender, while that lives. */
	unsigned from, from_life, to, to_life;
	size_t len;
	uint8_t bytes[];
};

struct net_faults net_faults;

static struct link *links[NET_NODES_MAX];
static bool blocked[NET_NODES_MAX][NET_NODES_MAX];

void net_begin(void)
{
	memset(blocked, 0, sizeof blocked);
	memset(links, 0, sizeof links);
}

void net_block(unsigned from, unsigned to, bool b)
{
	blocked[from][to] = b;
}

bool net_blocked(unsigned from, unsigned to)
{
	return blocked[from][to];
}

void net_heal(void)
{
	memset(blocked, 0, sizeof blocked);
}

/* The link of the node's present life; NULL: it is down, or not so far. */
static struct link *link_of(unsigned node, unsigned life)
{
	struct link *l = links[node];
	const struct process *p = &os_processes[node];

	return l && p->alive && p->life == l->life && l->life == life && !l->closing ? l : NULL;
}

static struct out *out_of(struct link *l, uint64_t peer)
{
	for (unsigned i = 0; i < LINK_SLOTS_MAX; i++)
		if (peer && l->outs[i].peer == peer)
			return &l->outs[i];
	return NULL;
}

/* --- streams come and go --- */

static void try_connect(void *arg, uint64_t use);

/* Links are never freed, so that this look is allowed late, too. */
static bool out_lives(const struct out *o, uint64_t use)
{
	struct link *l = o->link;

	return o->use == use && o->peer && links[l->process->id] == l && link_of(l->process->id, l->life) == l;
}

/* From the loop: unless the slot has another peer by now. */
static void tell(void *arg)
{
	struct out *o = arg;
	struct link *l = o->link;

	if (!l->closing && o->peer && o->told != o->up) {
		o->told = o->up;
		l->state(l->ctx, o->peer, o->up);
	}
}

static void retry(struct out *o)
{
	os_at(os_now + o->retry_ns, try_connect, o, o->use);
	o->retry_ns = o->retry_ns * 2 > LINK_RETRY_MS_MAX * OS_MS ? LINK_RETRY_MS_MAX * OS_MS : o->retry_ns * 2;
}

static void go_down(struct out *o)
{
	if (!o->up)
		return;
	o->up = false;
	o->silent_since = 0;
	o->queued = 0;
	loop_post(o->link->loop, tell, o);
	o->retry_ns = LINK_RETRY_MS_MIN * OS_MS;
	retry(o);
}

static bool parted(const struct out *o)
{
	unsigned from = o->link->process->id;

	return blocked[from][o->peer] || blocked[o->peer][from];
}

/* Both ways are needed: a stream is acknowledged. And the peer must know us. */
static void try_connect(void *arg, uint64_t use)
{
	struct out *o = arg;
	struct link *peer;
	const struct out *back;

	if (!out_lives(o, use) || o->up)
		return;
	peer = link_of(o->peer, os_processes[o->peer].life);
	back = peer ? out_of(peer, o->link->process->id) : NULL;
	if (!back || parted(o) || (o->passive && !back->up)) {
		retry(o);
		return;
	}
	o->up = true;
	o->peer_life = peer->life;
	o->silent_since = 0;
	loop_post(o->link->loop, tell, o);
}

/* A peer that died resets the stream; one that is cut off is given up after a while. */
static void look(void *arg, uint64_t use)
{
	struct out *o = arg;

	if (!out_lives(o, use))
		return;
	if (o->up) {
		if (!parted(o))
			o->silent_since = 0;
		else if (!o->silent_since)
			o->silent_since = os_now;
		if ((!o->silent_since && !link_of(o->peer, o->peer_life)) ||
		    (o->silent_since && os_now - o->silent_since > SILENCE_NS))
			go_down(o);
	}
	os_at(os_now + LOOK_NS, look, o, use);
}

int link_add_peer(struct link *l, const struct link_peer *peer)
{
	struct out *o = l->outs;

	if (out_of(l, peer->id))
		return CS_ERR_EXISTS;
	while (o < l->outs + LINK_SLOTS_MAX && o->peer)
		o++;
	if (o == l->outs + LINK_SLOTS_MAX)
		return CS_ERR_TOO_LARGE;
	*o = (struct out){.link = l, .peer = (unsigned)peer->id, .use = o->use + 1};
	o->retry_ns = LINK_RETRY_MS_MIN * OS_MS;
	os_at(os_now + os_below(CONNECT_NS_MAX), try_connect, o, o->use);
	os_at(os_now + os_below(LOOK_NS), look, o, o->use);
	return 0;
}

void link_remove_peer(struct link *l, uint64_t id)
{
	struct out *o = out_of(l, id);

	if (!o)
		return;
	o->peer = 0;
	o->up = o->told = false;
}

/* Nodes are where they are: addresses mean nothing here. */
int link_set_address(struct link *l, uint64_t id, const char *host, uint16_t port)
{
	(void)host, (void)port;
	return out_of(l, id) ? 0 : CS_ERR_NOT_FOUND;
}

/* Handshakes are not played: who is connected is the network's word. */
int link_set_peer_key(struct link *l, uint64_t id, const uint8_t pub[CHANNEL_KEY_SIZE],
                      const uint8_t before[CHANNEL_KEY_SIZE])
{
	(void)l;
	(void)id;
	(void)pub;
	(void)before;
	return 0;
}

void link_set_keys(struct link *l, const struct channel_keys *keys)
{
	(void)l;
	(void)keys;
}

void link_set_passive(struct link *l, uint64_t id, bool passive)
{
	struct out *o = out_of(l, id);

	if (o)
		o->passive = passive;
}

int link_open(const struct link_options *o, struct link **ret)
{
	struct link *l = memory_lasting_zeros(1, sizeof *l);

	assert(o->n_peers <= LINK_PEERS_MAX);
	l->process = os_process();
	l->life = l->process->life;
	l->loop = o->loop;
	l->recv = o->recv;
	l->state = o->state;
	l->ctx = o->ctx;
	links[l->process->id] = l;
	for (unsigned i = 0; i < o->n_peers; i++)
		link_add_peer(l, &o->peers[i]);
	*ret = l;
	return 0;
}

uint16_t link_port(const struct link *l)
{
	(void)l;
	return 1;
}

static void closed(void *arg)
{
	struct link *l = arg;

	if (l->done)
		l->done(l->done_ctx);
}

void link_close(struct link *l, void (*done)(void *ctx), void *ctx)
{
	l->closing = true;
	l->done = done;
	l->done_ctx = ctx;
	loop_post(l->loop, closed, l);
}

bool link_up(const struct link *l, uint64_t peer)
{
	const struct out *o = out_of((struct link *)(uintptr_t)l, peer);

	return o && o->up;
}

/* --- frames --- */

static void deliver(void *arg)
{
	struct frame_flight *f = arg;
	struct link *l = link_of(f->to, f->to_life);

	if (l && out_of(l, f->from)) {
		os_trace(f->to, "frame", f->bytes, f->len);
		net_say(f->from, f->to, f->bytes, f->len);
		l->recv(l->ctx, f->from, f->bytes, f->len);
	}
	free(f);
}

static void arrive(void *arg, uint64_t n)
{
	struct frame_flight *f = arg;
	struct link *sender = link_of(f->from, f->from_life), *l = link_of(f->to, f->to_life);

	(void)n;
	if (sender && f->out->up && f->out->queued >= f->len)
		f->out->queued -= f->len;
	if (!l || blocked[f->from][f->to]) {
		free(f);
		return;
	}
	loop_post(l->loop, deliver, f);
}

static struct frame_flight *flight_of(struct out *o, const struct link_part *parts, unsigned n, size_t len)
{
	struct frame_flight *f = memory_lasting(sizeof *f + len);
	uint8_t *at = f->bytes;

	*f = (struct frame_flight){.out = o,
	                           .from = o->link->process->id,
	                           .from_life = o->link->life,
	                           .to = o->peer,
	                           .to_life = o->peer_life,
	                           .len = len};
	for (unsigned i = 0; i < n; i++) {
		if (parts[i].len)
			memcpy(at, parts[i].base, parts[i].len);
		at += parts[i].len;
	}
	return f;
}

static void launch(struct frame_flight *f)
{
	uint64_t delay = os_between(net_faults.delay_ns, net_faults.delay_ns_max);

	if (os_chance(net_faults.delay_ppm)) {
		faults_count(FAULT_DELAY);
		delay += os_below(net_faults.late_ns_max);
	}
	f->out->queued += f->len;
	os_at(os_now + delay, arrive, f, 0);
}

bool link_send(struct link *l, uint64_t to, const struct link_part *parts, unsigned n)
{
	struct out *o = out_of(l, to);
	struct frame_flight *f;
	size_t len = 0;

	for (unsigned i = 0; i < n; i++)
		len += parts[i].len;
	if (!o || l->closing || !o->up || len > LINK_FRAME_SIZE_MAX || o->queued + len > LINK_QUEUE_BYTES_MAX)
		return false;
	if (len == 0)
		return true;
	f = flight_of(o, parts, n, len);
	checks_frame_sent(l->process->id, (unsigned)to, f->bytes, len);
	if (os_chance(net_faults.cut_ppm)) {
		faults_count(FAULT_CUT);
		free(f);
		go_down(o);
		return true;
	}
	if (os_chance(net_faults.loss_ppm)) {
		faults_count(FAULT_LOSS);
		free(f);
		return true;
	}
	if (os_chance(net_faults.duplicate_ppm)) {
		faults_count(FAULT_DUPLICATE);
		launch(flight_of(o, parts, n, len));
	}
	launch(f);
	return true;
}
