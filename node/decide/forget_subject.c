/* An erased subject: what the state knows of it besides entries goes, or begins anew. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <sodium.h>
#include <string.h>

#include "ledger/errors.h"
#include "node/decide/apply.h"
#include "node/decide/state_keeping.h"

static bool is(const uint8_t key[HASH_SIZE], const char *type, const char *id)
{
	uint8_t other[HASH_SIZE];

	if (*id == 0)
		return false;
	subject_key(other, (struct text){type, strlen(type)}, (struct text){id, strlen(id)});
	return memcmp(other, key, HASH_SIZE) == 0;
}

static bool is_pair(const uint8_t key[HASH_SIZE], struct text type, struct text id)
{
	uint8_t other[HASH_SIZE];

	if (id.len == 0)
		return false;
	subject_key(other, type, id);
	return memcmp(other, key, HASH_SIZE) == 0;
}

static bool takes_part(const uint8_t key[HASH_SIZE], const uint8_t *request, size_t len)
{
	struct request q;

	if (request == NULL || request_decode(&q, request, len) != 0)
		return false;
	if (is_pair(key, q.subject_type, q.subject_id) || is_pair(key, q.actor_type, q.actor_id))
		return true;
	for (unsigned i = 0; i < q.n_via; i++)
		if (is_pair(key, q.via[i].type, q.via[i].id))
			return true;
	return false;
}

int check_forgettable(const struct state *s, const uint8_t key[HASH_SIZE], const struct refusal *why)
{
	for (uint32_t i = 0; i < s->n_principals; i++) {
		const struct principal *p = &s->principals[i].p;
		if (!p->removed && is(key, p->subject_type, p->subject_id))
			return refuse(why, CS_ERR_CONFLICT,
			              "%s is enrolled for this subject: remove it first (countersign remove)", p->name);
	}
	for (uint32_t i = 0; i < s->n_credentials; i++) {
		const struct credential *c = &s->credentials[i].c;
		if (!c->revoked && is(key, c->subject_type, c->subject_id))
			return refuse(why, CS_ERR_CONFLICT,
			              "the credential %s is enrolled for this subject: revoke it first "
			              "(countersign credential revoke)",
			              c->name);
	}
	return 0;
}

/* What waits is not decided any more: nobody could say of whom. */
static void forget_waiting(struct state *s, const uint8_t key[HASH_SIZE])
{
	for (uint32_t i = 0; i < s->n_challenges; i++) {
		struct challenge_slot *c = &s->challenges[i];
		if (c->c.index == 0 || !takes_part(key, c->request, c->request_len))
			continue;
		challenge_drop(s, c);
	}
	for (uint32_t i = 0; i < s->n_deferred; i++) {
		struct deferred_slot *d = &s->deferred[i];
		if (d->index == 0 || !takes_part(key, d->request, d->request_len))
			continue;
		deferred_drop(s, d);
	}
	for (uint32_t i = 0; i < s->n_standing; i++) {
		const struct standing *t = &s->standing[i];
		if (t->index != 0 && (memcmp(t->subject, key, HASH_SIZE) == 0 || memcmp(t->actor, key, HASH_SIZE) == 0))
			standing_drop_index(s, t->subject, t->index);
	}
}

static void forget_ended(struct state *s, const uint8_t key[HASH_SIZE])
{
	for (uint32_t i = 0; i < s->n_principals; i++) {
		struct principal *p = &s->principals[i].p;
		if (!p->removed || !is(key, p->subject_type, p->subject_id))
			continue;
		sodium_memzero(p->subject_type, sizeof(p->subject_type));
		sodium_memzero(p->subject_id, sizeof(p->subject_id));
		principal_dirty(s, &s->principals[i]);
	}
	for (uint32_t i = 0; i < s->n_credentials; i++) {
		struct credential *c = &s->credentials[i].c;
		if (!c->revoked || !is(key, c->subject_type, c->subject_id))
			continue;
		sodium_memzero(c->subject_type, sizeof(c->subject_type));
		sodium_memzero(c->subject_id, sizeof(c->subject_id));
		credential_dirty(s, &s->credentials[i]);
	}
}

void forget_subject(struct state *s, const uint8_t key[HASH_SIZE], uint64_t index)
{
	subject_reset(s, key, index);
	forget_waiting(s, key);
	forget_ended(s, key);
	recent_forget(s, key);
}
