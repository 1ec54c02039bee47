/* What is open, waits or stands, from its records. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <stdlib.h>
#include <string.h>

#include "ledger/errors.h"
#include "node/decide/command_verdicts.h"
#include "node/decide/state_parts.h"

void challenge_load(struct state *s, struct reader *r, uint64_t slot)
{
	const uint8_t *request = NULL;
	size_t len = 0;

	if (slot >= s->limits.challenges_max || s->challenges[slot].request != NULL) {
		r->err = CS_ERR_DAMAGED; /* No such slot, or two records for one. */
		return;
	}
	struct challenge_slot *c = &s->challenges[slot];
	uint32_t n = 0;
	reader_array(r, RECORD_CHALLENGE_ELEMENTS + 1, &n);
	c->c.index = record_uint(r, STATE_INDEX_MAX);
	c->c.expiry_ms = record_uint(r, 2 * STATE_TIME_MS_MAX);
	c->c.principal = record_uint(r, STATE_INDEX_MAX);
	reader_bin_exact(r, c->c.digest.b, HASH_SIZE);
	reader_bin_exact(r, c->c.nonce, 32);
	c->made_ms = record_uint(r, STATE_TIME_MS_MAX);
	c->level = (unsigned)record_uint(r, LEVEL_ATTESTED);
	c->methods = (unsigned)record_uint(r, UINT32_MAX);
	reader_bin_exact(r, c->blind, 32);
	reader_bin_exact(r, c->request_id, REQUEST_ID_SIZE);
	reader_bin(r, REQUEST_SIZE_MAX, &request, &len);
	if (n > RECORD_CHALLENGE_ELEMENTS)
		place_read(r, &c->place);
	strcpy(c->c.level, level_text(c->level));
	if (slot >= s->n_challenges)
		s->n_challenges = (uint32_t)slot + 1;
	if (r->err != 0 || len == 0)
		return;
	c->request = malloc(len);
	if (c->request == NULL) {
		r->err = CS_ERR_NOMEM;
		return;
	}
	memcpy(c->request, request, len);
	c->request_len = len;
}

static void load_votes(struct reader *r, struct deferred_slot *d)
{
	uint32_t n = 0;

	reader_array(r, VOTES_MAX, &n);
	for (uint32_t i = 0; i < n && r->err == 0; i++) {
		struct vote *v = &d->votes[i];
		reader_array_exact(r, 4);
		v->principal = record_uint(r, PRINCIPAL_ID_MAX);
		v->version = record_uint(r, STATE_INDEX_MAX);
		v->index = record_uint(r, STATE_INDEX_MAX);
		v->say = (unsigned)record_uint(r, SAY_BREAK_GLASS);
	}
	d->n_votes = n;
}

void deferred_load(struct state *s, struct reader *r, uint64_t slot)
{
	const uint8_t *request = NULL;
	size_t len = 0;

	if (slot >= s->limits.deferred_max || s->deferred[slot].request != NULL) {
		r->err = CS_ERR_DAMAGED; /* No such slot, or two records for one. */
		return;
	}
	struct deferred_slot *d = &s->deferred[slot];
	uint32_t n = 0;
	reader_array(r, RECORD_DEFERRED_ELEMENTS + 1, &n);
	d->index = record_uint(r, STATE_INDEX_MAX);
	d->stage = (enum deferred_stage)record_uint(r, DEFERRED_ENDED);
	d->principal = record_uint(r, PRINCIPAL_ID_MAX);
	d->newest = record_uint(r, STATE_INDEX_MAX);
	d->newest_ms = record_uint(r, STATE_TIME_MS_MAX);
	d->verdict = (unsigned)record_uint(r, VERDICT_DENY);
	d->made_ms = record_uint(r, STATE_TIME_MS_MAX);
	d->expiry_ms = record_uint(r, 2 * STATE_TIME_MS_MAX);
	d->not_before_ms = record_uint(r, 2 * STATE_TIME_MS_MAX);
	reader_bin_exact(r, d->digest.b, HASH_SIZE);
	reader_bin_exact(r, d->blind, sizeof(d->blind));
	reader_bin_exact(r, d->request_id, REQUEST_ID_SIZE);
	load_votes(r, d);
	reader_bin(r, REQUEST_SIZE_MAX, &request, &len);
	if (n > RECORD_DEFERRED_ELEMENTS)
		place_read(r, &d->place);
	if (r->err == 0 && (d->index == 0 || d->stage == 0 || d->verdict == 0 || len == 0))
		r->err = CS_ERR_DAMAGED;
	if (slot >= s->n_deferred)
		s->n_deferred = (uint32_t)slot + 1;
	if (r->err != 0)
		return;
	d->request = malloc(len);
	if (d->request == NULL) {
		r->err = CS_ERR_NOMEM;
		return;
	}
	memcpy(d->request, request, len);
	d->request_len = len;
}

void standing_load(struct state *s, struct reader *r, uint64_t slot)
{
	if (slot >= s->limits.standing_max || s->standing[slot].index != 0) {
		r->err = CS_ERR_DAMAGED;
		return;
	}
	struct standing *t = &s->standing[slot];
	reader_array_exact(r, RECORD_STANDING_ELEMENTS);
	t->index = record_uint(r, STATE_INDEX_MAX);
	t->kind = (enum standing_kind)record_uint(r, STANDING_WARNING);
	t->principal = record_uint(r, PRINCIPAL_ID_MAX);
	t->made_ms = record_uint(r, STATE_TIME_MS_MAX);
	t->expiry_ms = record_uint(r, 2 * STATE_TIME_MS_MAX);
	t->level = (unsigned)record_uint(r, UINT8_MAX);
	reader_bin_exact(r, t->subject, HASH_SIZE);
	reader_bin_exact(r, t->actor, HASH_SIZE);
	reader_bin_exact(r, t->session, HASH_SIZE);
	reader_bin_exact(r, t->device, HASH_SIZE);
	reader_bin_exact(r, t->rule, HASH_SIZE);
	reader_bool(r, &t->approved);
	t->credential = record_uint(r, UINT64_MAX);
	t->version = record_uint(r, STATE_INDEX_MAX);
	if (r->err == 0 && (t->index == 0 || t->kind == 0))
		r->err = CS_ERR_DAMAGED;
	if (slot >= s->n_standing)
		s->n_standing = (uint32_t)slot + 1;
}
