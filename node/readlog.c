/* Who read private fields on this node: notes gathered, sent until they are applied, and leases for who goes on. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "node/readlog.h"

#include <pthread.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "ledger/errors.h"
#include "node/wire/messages.h"

#define BATCHES_MAX  64                    /* Searches that wait to be logged, and rows of others. */
#define WINDOW       16                    /* Sent and not yet applied. */
#define RESEND_NS    UINT64_C(500000000)   /* No entry came of it: the leader has changed, or was busy. */
#define NEW_ID_NS    UINT64_C(60000000000) /* A request id is good for ten minutes; well before that it is made anew. */
#define LEASES_MAX   256
#define QUESTION_LEN 16

/* What becomes one command. */
struct batch {
	struct batch *next;
	uint64_t ticket;
	struct read_log log; /* Its lookups' texts point into texts. */
	char texts[READ_LOOKUPS_MAX * READ_TEXT_SIZE_MAX];
	bool urgent, closed; /* Somebody waits; no more rows. */
	uint64_t since_ns, reads;
	uint8_t question[QUESTION_LEN]; /* Of its lookups. */
	uint64_t sent_ns, made_ns;      /* 0: not yet. */
	uint8_t id[REQUEST_ID_SIZE];
};

/* This reader was named by an entry as one who reads so. */
struct lease {
	uint64_t principal;
	unsigned what;
	uint8_t question[QUESTION_LEN];
	uint64_t until_ns;
};

struct readlog {
	pthread_mutex_t lock;
	bool on, room;
	struct batch *first, **last; /* By ticket. */
	unsigned n, n_sent;
	uint64_t tickets;
	struct lease leases[LEASES_MAX];
};

int readlog_new(struct readlog **ret)
{
	struct readlog *l = calloc(1, sizeof *l);

	if (!l)
		return CS_ERR_NOMEM;
	pthread_mutex_init(&l->lock, NULL);
	l->last = &l->first;
	l->room = true;
	*ret = l;
	return 0;
}

static void batch_free(struct batch *b)
{
	sodium_memzero(b, sizeof *b);
	free(b);
}

void readlog_free(struct readlog *l)
{
	struct batch *next;

	if (!l)
		return;
	for (struct batch *b = l->first; b; b = next) {
		next = b->next;
		batch_free(b);
	}
	pthread_mutex_destroy(&l->lock);
	free(l);
}

void readlog_switch(struct readlog *l, bool on)
{
	pthread_mutex_lock(&l->lock);
	l->on = on;
	pthread_mutex_unlock(&l->lock);
}

void readlog_room(struct readlog *l, bool room)
{
	pthread_mutex_lock(&l->lock);
	l->room = room;
	pthread_mutex_unlock(&l->lock);
}

bool readlog_on(struct readlog *l)
{
	pthread_mutex_lock(&l->lock);
	bool on = l->on;
	pthread_mutex_unlock(&l->lock);
	return on;
}

/* --- leases --- */

static void question_of(const struct read_log *one, uint8_t ret[QUESTION_LEN])
{
	crypto_generichash_state h;

	memset(ret, 0, QUESTION_LEN);
	if (one->n_lookups == 0)
		return;
	crypto_generichash_init(&h, NULL, 0, QUESTION_LEN);
	for (unsigned i = 0; i < one->n_lookups; i++) {
		const struct read_lookup *l = &one->lookups[i];
		uint8_t kind = (uint8_t)l->kind;

		crypto_generichash_update(&h, &kind, 1);
		crypto_generichash_update(&h, (const uint8_t *)l->text.s, l->text.len);
		crypto_generichash_update(&h, (const uint8_t *)"", 1); /* No text holds NUL. */
	}
	crypto_generichash_final(&h, ret, QUESTION_LEN);
}

static struct lease *lease_find(struct readlog *l, uint64_t principal, unsigned what,
                                const uint8_t question[QUESTION_LEN])
{
	for (unsigned i = 0; i < LEASES_MAX; i++) {
		struct lease *e = &l->leases[i];
		if (e->until_ns && e->principal == principal && e->what == what &&
		    memcmp(e->question, question, QUESTION_LEN) == 0)
			return e;
	}
	return NULL;
}

/* A single proof is no going on: each of them is named before it is given. */
static void lease_give(struct readlog *l, const struct read_row *row, const uint8_t question[QUESTION_LEN],
                       uint64_t now_ns)
{
	struct lease *e = lease_find(l, row->principal, row->what, question);

	if (row->what == READ_PROOF)
		return;
	for (unsigned i = 0; !e && i < LEASES_MAX; i++)
		if (l->leases[i].until_ns <= now_ns)
			e = &l->leases[i];
	if (!e)
		return; /* He waits each time, that is all. */
	*e = (struct lease){.principal = row->principal, .what = row->what, .until_ns = now_ns + READLOG_LEASE_NS};
	memcpy(e->question, question, QUESTION_LEN);
}

/* --- notes --- */

static void row_merge(struct read_row *to, const struct read_row *r)
{
	to->first = r->first < to->first ? r->first : to->first;
	to->last = r->last > to->last ? r->last : to->last;
	to->reads += r->reads;
	to->entries += r->entries;
	to->fields |= r->fields;
}

static struct read_row *row_find(struct batch *b, const struct read_row *r)
{
	for (unsigned i = 0; i < b->log.n_rows; i++)
		if (b->log.rows[i].principal == r->principal && b->log.rows[i].what == r->what &&
		    (r->what != READ_PROOF || b->log.rows[i].first == r->first))
			return &b->log.rows[i];
	return NULL;
}

/* The one that still takes rows of this question, and has room. */
static struct batch *open_batch(struct readlog *l, const struct read_log *one, const uint8_t question[QUESTION_LEN])
{
	for (struct batch *b = l->first; b; b = b->next) {
		if (b->closed || memcmp(b->question, question, QUESTION_LEN) != 0)
			continue;
		bool known = row_find(b, &one->rows[0]) != NULL;
		if (known || (one->n_lookups == 0 && b->log.n_rows < READ_ROWS_MAX))
			return b;
	}
	return NULL;
}

static struct batch *batch_new(struct readlog *l, const struct read_log *one, const uint8_t question[QUESTION_LEN],
                               uint64_t now_ns)
{
	struct batch *b = l->n < BATCHES_MAX ? calloc(1, sizeof *b) : NULL;
	size_t at = 0;

	if (!b)
		return NULL;
	b->ticket = ++l->tickets;
	b->since_ns = now_ns;
	memcpy(b->question, question, QUESTION_LEN);
	b->log.n_lookups = one->n_lookups;
	for (unsigned i = 0; i < one->n_lookups; i++) {
		struct text t = one->lookups[i].text;
		memcpy(b->texts + at, t.s, t.len);
		b->log.lookups[i] = (struct read_lookup){one->lookups[i].kind, {b->texts + at, t.len}};
		at += t.len;
	}
	*l->last = b;
	l->last = &b->next;
	l->n++;
	return b;
}

static int note(struct readlog *l, const struct read_log *one, uint64_t now_ns, uint64_t *ret_ticket)
{
	const struct read_row *r = &one->rows[0];
	uint8_t question[QUESTION_LEN];

	question_of(one, question);
	struct lease *lease = lease_find(l, r->principal, r->what, question);
	bool leased = lease && lease->until_ns > now_ns;
	struct batch *b = open_batch(l, one, question);
	if (!b)
		b = batch_new(l, one, question, now_ns);
	if (!b)
		return CS_ERR_OVERLOADED;
	struct read_row *row = row_find(b, r);
	if (row)
		row_merge(row, r);
	else
		b->log.rows[b->log.n_rows++] = *r;
	b->reads += r->reads;
	b->urgent |= !leased;
	*ret_ticket = leased || !l->room ? 0 : b->ticket;
	return 0;
}

int readlog_note(struct readlog *l, const struct read_log *one, uint64_t now_ns, uint64_t *ret_ticket)
{
	int err = 0;

	*ret_ticket = 0;
	pthread_mutex_lock(&l->lock);
	if (l->on)
		err = note(l, one, now_ns, ret_ticket);
	pthread_mutex_unlock(&l->lock);
	return err;
}

bool readlog_logged(struct readlog *l, uint64_t ticket)
{
	bool waits = false;

	pthread_mutex_lock(&l->lock);
	for (struct batch *b = l->first; b && !waits; b = b->next)
		waits = b->ticket == ticket;
	pthread_mutex_unlock(&l->lock);
	return !waits;
}

/* --- to the ledger --- */

/* While rows are on their way the next ones gather: one entry for all who read meanwhile. */
static bool ripe(const struct readlog *l, const struct batch *b, uint64_t now_ns)
{
	for (const struct batch *o = l->first; o && b->log.n_lookups == 0; o = o->next)
		if (o->sent_ns && o->log.n_lookups == 0)
			return false;
	return b->urgent || b->reads >= READLOG_READS_MAX || now_ns - b->since_ns >= READLOG_INTERVAL_NS;
}

static bool due(struct readlog *l, const struct batch *b, uint64_t now_ns)
{
	if (b->sent_ns)
		return now_ns - b->sent_ns >= RESEND_NS;
	return l->n_sent < WINDOW && ripe(l, b, now_ns);
}

static bool send(struct readlog *l, struct batch *b, uint64_t now_ns, uint64_t wall_ms, struct readlog_batch *ret)
{
	b->closed = true;
	if (!b->made_ns || now_ns - b->made_ns >= NEW_ID_NS) {
		wire_request_id(b->id, wall_ms);
		b->made_ns = now_ns;
	}
	if (!b->sent_ns)
		l->n_sent++;
	b->sent_ns = now_ns;
	memcpy(ret->id, b->id, sizeof ret->id);
	return read_log_encode(&b->log, ret->bytes, sizeof ret->bytes, &ret->len) == 0;
}

bool readlog_next(struct readlog *l, uint64_t now_ns, uint64_t wall_ms, struct readlog_batch *ret)
{
	bool found = false;

	pthread_mutex_lock(&l->lock);
	for (struct batch *b = l->first; b && !found; b = b->next)
		if (due(l, b, now_ns))
			found = send(l, b, now_ns, wall_ms, ret);
	pthread_mutex_unlock(&l->lock);
	return found;
}

bool readlog_hurry(struct readlog *l)
{
	pthread_mutex_lock(&l->lock);
	for (struct batch *b = l->first; b; b = b->next)
		b->urgent = true;
	bool some = l->first != NULL;
	pthread_mutex_unlock(&l->lock);
	return some;
}

void readlog_applied(struct readlog *l, const uint8_t id[REQUEST_ID_SIZE], uint64_t now_ns)
{
	pthread_mutex_lock(&l->lock);
	for (struct batch **at = &l->first; *at; at = &(*at)->next) {
		struct batch *b = *at;
		if (!b->sent_ns || memcmp(b->id, id, REQUEST_ID_SIZE) != 0)
			continue;
		for (unsigned i = 0; i < b->log.n_rows; i++)
			lease_give(l, &b->log.rows[i], b->question, now_ns);
		*at = b->next;
		if (!*at)
			l->last = at;
		l->n--;
		l->n_sent--;
		batch_free(b);
		break;
	}
	pthread_mutex_unlock(&l->lock);
}
