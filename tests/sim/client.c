/* Simulated clients: one request at a time each, sent again under its id until it is answered; a history of all. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "tests/sim/admin_internal.h"
#include "tests/sim/client_internal.h"

#include <assert.h>
#include <inttypes.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ledger/entry.h"
#include "ledger/errors.h"
#include "ledger/note.h"
#include "node/decide/decide.h"
#include "tests/sim/checks.h"
#include "tests/sim/cluster.h"
#include "tests/sim/faults.h"
#include "tests/sim/memory.h"
#include "tests/sim/net.h"
#include "tests/sim/os.h"

#define HISTORY_MAX 65536
#define CLIENTS_ALL (CLUSTER_CLIENTS_MAX + CLUSTER_PERSONS + 1)

struct client clients[CLIENTS_ALL];
unsigned n_clients;
uint8_t client_device_secret[64], client_device_pub[32];

static uint64_t think_ns_max;
static uint32_t lost_ppm;
static bool stopped;
static struct operation *history;
static size_t n_history;
static uint64_t acked, highest_acked;
static uint64_t eve_named_ns[CLIENT_EVES];

uint64_t client_wall_ms(void)
{
	return CLUSTER_GENESIS_MS + 1000 + os_now / OS_MS;
}

/* --- sending --- */

struct packet {
	unsigned node;
	struct client_request request;
};

static void request_event(void *arg, uint64_t n)
{
	struct packet *p = arg;

	(void)n;
	os_trace(p->node, "request", p->request.id, sizeof p->request.id);
	client_request_arrives(p->node, &p->request);
	free(p);
}

static void timeout_event(void *arg, uint64_t call);

uint64_t client_highest(void)
{
	return highest_acked;
}

void client_who(unsigned who, char ret[WHO_SIZE])
{
	if (who >= WHO_EVE)
		snprintf(ret, WHO_SIZE, "eve-%03u", (who - WHO_EVE) % 1000);
	else
		snprintf(ret, WHO_SIZE, "ada-%u", who - WHO_ADA);
}

void client_ask(struct client *c)
{
	struct packet *p;

	c->call++;
	c->now.sent++;
	os_at(os_now + os_between(CLIENT_DEADLINE_MS, 2 * CLIENT_DEADLINE_MS) * OS_MS, timeout_event, c, c->call);
	if (os_chance(lost_ppm)) {
		faults_count(FAULT_CLIENT);
		return;
	}
	p = memory_lasting(sizeof *p);
	p->node = c->node;
	p->request = c->request;
	p->request.call = c->call;
	os_at(os_now + os_between(20 * OS_US, 2 * OS_MS), request_event, p, 0);
}

static void send_elsewhere(struct client *c)
{
	c->node = 1 + (unsigned)os_below(cluster.n);
	client_ask(c);
}

static void send_event(void *arg, uint64_t call)
{
	struct client *c = arg;

	if (c->busy && c->call == call)
		client_ask(c);
}

static void timeout_event(void *arg, uint64_t call)
{
	struct client *c = arg;

	if (c->busy && c->call == call)
		send_elsewhere(c);
}

/* --- one request after the other --- */

void client_begin(struct client *c, unsigned type)
{
	c->busy = true;
	c->repeat = NULL;
	c->now = (struct operation){.client = c->id, .type = type, .invoked_ns = os_now, .floor = highest_acked};
	c->request.client = c->id;
	c->request.type = type;
	c->request.deadline_ms = CLIENT_DEADLINE_MS;
	memcpy(c->request.channel_pub, c->channel_pub, 32);
	os_random_bytes(c->now.id, sizeof c->now.id);
	for (unsigned i = 0; i < 6; i++)
		c->now.id[i] = (uint8_t)(client_wall_ms() >> (8 * (5 - i)));
	memcpy(c->request.id, c->now.id, sizeof c->now.id);
	if (!c->node)
		c->node = 1 + (unsigned)os_below(cluster.n);
}

const struct operation *client_some_acked(const struct client *c)
{
	for (unsigned tries = 0; tries < 8 && n_history; tries++) {
		const struct operation *o = &history[n_history - 1 - os_below(n_history < 100 ? n_history : 100)];
		if (o->client == c->id && o->type == WIRE_DECIDE && o->acked_ns)
			return o;
	}
	return NULL;
}

static void next(void *arg, uint64_t n)
{
	struct client *c = arg;

	(void)n;
	if (stopped || c->busy)
		return;
	if (c->id == CLIENT_ADMIN)
		admin_next(c);
	else if (c->id == client_last())
		auditor_next(c);
	else if (c->id > n_clients)
		persons_next(c);
	else
		asks_next(c);
}

void client_think(struct client *c)
{
	uint64_t pause_ns = c->id == CLIENT_ADMIN    ? admin_pause_ns()
	                    : c->id == client_last() ? auditor_pause_ns()
	                                             : os_below(think_ns_max);

	os_at(os_now + pause_ns, next, c, 0);
}

/* --- replies --- */

struct reply {
	unsigned client, node;
	uint64_t call;
	int err;
	unsigned leader;
	size_t len;
	uint8_t body[];
};

static void keep(const struct client *c)
{
	if (n_history == HISTORY_MAX)
		os_fail(0, "the history is full");
	history[n_history++] = c->now;
}

/* The approvers hear of what waits. */
static void take_digest(struct client *c, const struct entry *e)
{
	const uint8_t *skipped;
	uint64_t verdict = 0;
	struct reader r;
	size_t len;

	reader_init(&r, e->public_, e->public_len);
	reader_array_exact(&r, e->kind == ENTRY_ANSWER ? 8 : 6);
	reader_uint(&r, VERDICT_DENY, &verdict);
	for (unsigned i = 1; i < 4; i++)
		reader_skip(&r, &skipped, &len);
	if (reader_bin_exact(&r, c->digest.b, HASH_SIZE))
		os_fail(0, "an entry without a digest");
	if (e->kind == ENTRY_DECISION && (verdict == VERDICT_DEFER || os_chance(50000)))
		persons_waits(e->index, &c->digest);
}

/* [nonce bin 32, expiry ms, level, [method…]] of the body. */
static void take_challenge(struct client *c, const struct entry *e, const struct field *f)
{
	struct reader r;

	c->challenged = false;
	if (e->kind != ENTRY_DECISION && e->kind != ENTRY_ANSWER)
		return;
	take_digest(c, e);
	if (!f)
		return;
	reader_init(&r, f->value, f->value_len);
	reader_array_exact(&r, 4);
	reader_bin_exact(&r, c->nonce, sizeof c->nonce);
	if (reader_uint(&r, UINT64_MAX, &c->expiry_ms))
		os_fail(0, "a challenge that cannot be read");
	c->challenged = true;
	c->challenge = e->index;
	c->challenged_who = c->now.who;
}

static void check_note(const struct client *c, unsigned node, const struct wire_proved *p)
{
	struct checkpoint cp;
	struct note n;

	if (note_parse(&n, p->checkpoint, p->checkpoint_len) || checkpoint_parse(&cp, n.text, n.text_len))
		os_fail(node, "client %u got a checkpoint that cannot be read", c->id);
	checks_root(node, cp.size, &cp.root, "replied");
	if (cp.size <= c->now.index)
		os_fail(node, "client %u got a checkpoint of size %" PRIu64 " for entry %" PRIu64, c->id, cp.size,
		        c->now.index);
}

/* An entry for this request: its place and its bytes are for ever from here on. */
static void acknowledged(struct client *c, const struct reply *r)
{
	struct field fields[LIMIT_FIELD_COUNT_MAX];
	struct wire_proved p;
	struct entry e;
	unsigned n = 0;

	/* No body: asked once more, after it was erased. */
	if (wire_proved_decode(&p, r->body, r->len) || entry_decode(&e, p.leaf, p.leaf_len) ||
	    (p.body_len && (body_decode(fields, &n, p.body, p.body_len) || body_check(&e, fields, n))))
		os_fail(r->node, "client %u got a reply that cannot be read", c->id);
	hash_leaf(&c->now.leaf, p.leaf, p.leaf_len);
	c->now.index = e.index;
	c->now.acked_ns = os_now;
	check_note(c, r->node, &p);
	if (c->now.index <= c->now.floor)
		os_fail(r->node,
		        "not linearizable: client %u asked after %" PRIu64 " was acknowledged, and got %" PRIu64, c->id,
		        c->now.floor, c->now.index);
	if (c->now.index > highest_acked)
		highest_acked = c->now.index;
	acked++;
	os_trace(0, "acknowledged", &c->now.index, sizeof c->now.index);
	if (c->id == CLIENT_ADMIN)
		admin_acknowledged(c, &e);
	else if (c->id > n_clients)
		persons_acknowledged(c);
	else
		take_challenge(c, &e, body_find(fields, n, FIELD_CHALLENGE));
	keep(c);
}

/* [stands, verdict, index, time ms, size, stale ms]: nothing that was acknowledged before the question is missing. */
static void checked(const struct client *c, const struct reply *r)
{
	uint64_t verdict = 0, index = 0, time_ms = 0, size = 0, stale_ms = 0;
	struct reader b;
	bool stands;

	reader_init(&b, r->body, r->len);
	reader_array_exact(&b, 6);
	reader_bool(&b, &stands);
	reader_uint(&b, UINT64_MAX, &verdict);
	reader_uint(&b, UINT64_MAX, &index);
	reader_uint(&b, UINT64_MAX, &time_ms);
	reader_uint(&b, UINT64_MAX, &size);
	reader_uint(&b, UINT64_MAX, &stale_ms);
	if (reader_end(&b))
		os_fail(r->node, "client %u got an answer to a check that cannot be read", c->id);
	os_trace(0, "checked", &index, sizeof index);
	if (!c->repeat && !c->local && index <= c->revoked)
		os_fail(r->node,
		        "not linearizable: the grant of %" PRIu64
		        " stands, though the grants of ada-%u ended at %" PRIu64,
		        index, c->about, c->revoked);
	if (c->repeat && index < c->repeat->index)
		os_fail(r->node, "client %u checked what was decided at %" PRIu64 ", and was told of %" PRIu64, c->id,
		        c->repeat->index, index);
	if (!c->local && size <= c->now.floor)
		os_fail(r->node, "not linearizable: a check saw %" PRIu64 " entries after %" PRIu64 " was acknowledged",
		        size, c->now.floor);
}

static void done(struct client *c)
{
	c->busy = false;
	if (c->now.who >= WHO_EVE)
		eve_named_ns[c->now.who - WHO_EVE] = os_now;
	client_think(c);
	if (c->id == CLIENT_ADMIN && admin_clients_enrolled(c))
		for (unsigned i = 1; i <= client_last(); i++)
			client_think(&clients[i]);
}

static bool try_again(int err)
{
	switch (err) {
	case CS_ERR_NOT_LEADER:
	case CS_ERR_NO_QUORUM:
	case CS_ERR_TIMEOUT:
	case CS_ERR_OVERLOADED:
	case CS_ERR_NOT_READY:
	case CS_ERR_DISK_FULL:
	case CS_ERR_UNAUTHENTICATED: /* A node whose table is older than the enrolment. */
		return true;
	default:
		return false;
	}
}

/* What administrators sign but enrolments: whom everybody knows does it, and signs anew. */
static bool order(const struct client *c)
{
	return c->id == CLIENT_ADMIN && c->now.type != WIRE_ENROLL;
}

static void refused(struct client *c, const struct reply *r)
{
	if (try_again(r->err) && (r->err != CS_ERR_UNAUTHENTICATED || !order(c))) {
		os_note(r->node, "client %u may ask again: %s", c->id, err_text(r->err));
		c->node = r->leader ? r->leader : 1 + (unsigned)os_below(cluster.n);
		os_at(os_now + os_between(OS_MS, 60 * OS_MS), send_event, c, c->call);
		return;
	}
	os_note(r->node, "client %u was refused: %s", c->id, err_text(r->err));
	if (c->now.type == WIRE_CHECK && c->repeat && !c->local && r->err == CS_ERR_NOT_FOUND)
		os_fail(r->node, "not linearizable: a check does not know the acknowledged entry %" PRIu64,
		        c->repeat->index);
	if (c->id == CLIENT_ADMIN && !admin_refused(c->now.type, r->err))
		os_fail(r->node, "the administrator was refused (%s): %s", wire_type_text(c->now.type),
		        err_text(r->err));
	c->challenged = false;
	done(c);
}

static void reply_event(void *arg, uint64_t unused)
{
	struct reply *r = arg;
	struct client *c = &clients[r->client];

	(void)unused;
	if (c->busy && c->call == r->call) {
		if (r->err) {
			refused(c, r);
		} else {
			if (c->now.type == WIRE_CHECK)
				checked(c, r);
			else if (c->now.type == WIRE_KEY_PREPARE)
				admin_key_prepared(r->node, r->body, r->len);
			else if (c->id == client_last() && auditor_asks(c->now.type))
				auditor_answered(c, r->node, r->body, r->len);
			else
				acknowledged(c, r);
			done(c);
		}
	}
	free(r);
}

void client_reply(unsigned client, uint64_t call, unsigned node, int err, const char *leader_url, const void *body,
                  size_t len)
{
	struct reply *r;

	if (os_chance(lost_ppm)) {
		faults_count(FAULT_CLIENT);
		return;
	}
	r = memory_lasting(sizeof *r + len);
	*r = (struct reply){.client = client, .node = node, .call = call, .err = err, .len = len};
	if (leader_url && *leader_url)
		r->leader = (unsigned)(leader_url[strlen(leader_url) - 1] - '0');
	if (len)
		memcpy(r->body, body, len);
	os_at(os_now + os_between(20 * OS_US, 2 * OS_MS), reply_event, r, 0);
}

/* --- all --- */

void clients_begin(unsigned n, uint64_t think_max, uint32_t lost)
{
	uint8_t seed[32];

	history = calloc(HISTORY_MAX, sizeof *history);
	assert(history && n <= CLUSTER_CLIENTS_MAX);
	n_clients = n;
	think_ns_max = think_max;
	lost_ppm = lost;
	os_random_bytes(seed, sizeof seed);
	crypto_sign_seed_keypair(client_device_pub, client_device_secret, seed);
	admin_sign_begin();
	credentials_begin();
	for (unsigned i = 0; i <= client_last(); i++) {
		clients[i].id = i;
		os_random_bytes(clients[i].channel_pub, 32);
		os_random_bytes(seed, sizeof seed);
		crypto_sign_seed_keypair(clients[i].sign_pub, clients[i].sign_secret, seed);
	}
	memcpy(clients[CLIENT_ADMIN].channel_pub, cluster.admin_channel, 32);
	client_think(&clients[CLIENT_ADMIN]);
}

void clients_calm(void)
{
	lost_ppm = 0;
}

void clients_stop(void)
{
	stopped = true;
}

bool clients_idle(void)
{
	for (unsigned i = 0; i <= client_last(); i++)
		if (clients[i].busy)
			return false;
	return true;
}

uint64_t clients_named_ns(unsigned who)
{
	for (unsigned i = 0; i <= client_last(); i++)
		if (clients[i].busy && clients[i].now.who == who)
			return UINT64_MAX;
	return eve_named_ns[who - WHO_EVE];
}

uint64_t clients_acked(void)
{
	return acked;
}

const struct operation *clients_history(size_t *ret_n)
{
	*ret_n = n_history;
	return history;
}
