/* What is open, waits or stands, and people, as records. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "node/decide/state_parts.h"

int challenge_emit(const struct state *s, uint32_t slot)
{
	const struct challenge_slot *c = &s->challenges[slot];
	struct writer w = record_writer(s);

	if (c->c.index == 0)
		return record_emit(s, RECORD_CHALLENGE, slot, NULL, 0);
	writer_array(&w, RECORD_CHALLENGE_ELEMENTS + c->place.looked);
	writer_uint(&w, c->c.index);
	writer_uint(&w, c->c.expiry_ms);
	writer_uint(&w, c->c.principal);
	writer_bin(&w, c->c.digest.b, HASH_SIZE);
	writer_bin(&w, c->c.nonce, 32);
	writer_uint(&w, c->made_ms);
	writer_uint(&w, c->level);
	writer_uint(&w, c->methods);
	writer_bin(&w, c->blind, 32);
	writer_bin(&w, c->request_id, REQUEST_ID_SIZE);
	writer_bin(&w, c->request, c->request_len);
	if (c->place.looked)
		place_write(&w, &c->place);
	return record_emit_written(s, RECORD_CHALLENGE, slot, &w);
}

int person_emit(const struct state *s, uint32_t slot)
{
	const struct person *p = &s->people[slot];
	struct writer w = record_writer(s);

	if (p->record == NULL)
		return record_emit(s, RECORD_PERSON, slot, NULL, 0);
	writer_array(&w, 2);
	writer_uint(&w, p->version);
	writer_raw(&w, p->record, p->record_len);
	return record_emit_written(s, RECORD_PERSON, slot, &w);
}

int deferred_emit(const struct state *s, uint32_t slot)
{
	const struct deferred_slot *d = &s->deferred[slot];
	struct writer w = record_writer(s);

	if (d->index == 0)
		return record_emit(s, RECORD_DEFERRED, slot, NULL, 0);
	writer_array(&w, RECORD_DEFERRED_ELEMENTS + d->place.looked);
	writer_uint(&w, d->index);
	writer_uint(&w, d->stage);
	writer_uint(&w, d->principal);
	writer_uint(&w, d->newest);
	writer_uint(&w, d->newest_ms);
	writer_uint(&w, d->verdict);
	writer_uint(&w, d->made_ms);
	writer_uint(&w, d->expiry_ms);
	writer_uint(&w, d->not_before_ms);
	writer_bin(&w, d->digest.b, HASH_SIZE);
	writer_bin(&w, d->blind, sizeof(d->blind));
	writer_bin(&w, d->request_id, REQUEST_ID_SIZE);
	writer_array(&w, d->n_votes);
	for (unsigned i = 0; i < d->n_votes; i++) {
		writer_array(&w, 4);
		writer_uint(&w, d->votes[i].principal);
		writer_uint(&w, d->votes[i].version);
		writer_uint(&w, d->votes[i].index);
		writer_uint(&w, d->votes[i].say);
	}
	writer_bin(&w, d->request, d->request_len);
	if (d->place.looked)
		place_write(&w, &d->place);
	return record_emit_written(s, RECORD_DEFERRED, slot, &w);
}

int standing_emit(const struct state *s, uint32_t slot)
{
	const struct standing *t = &s->standing[slot];
	struct writer w = record_writer(s);

	if (t->index == 0)
		return record_emit(s, RECORD_STANDING, slot, NULL, 0);
	writer_array(&w, RECORD_STANDING_ELEMENTS);
	writer_uint(&w, t->index);
	writer_uint(&w, t->kind);
	writer_uint(&w, t->principal);
	writer_uint(&w, t->made_ms);
	writer_uint(&w, t->expiry_ms);
	writer_uint(&w, t->level);
	writer_bin(&w, t->subject, HASH_SIZE);
	writer_bin(&w, t->actor, HASH_SIZE);
	writer_bin(&w, t->session, HASH_SIZE);
	writer_bin(&w, t->device, HASH_SIZE);
	writer_bin(&w, t->rule, HASH_SIZE);
	writer_bool(&w, t->approved);
	writer_uint(&w, t->credential);
	writer_uint(&w, t->version);
	return record_emit_written(s, RECORD_STANDING, slot, &w);
}
