/* The state from its records at a start, and a check of the whole. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ledger/errors.h"
#include "node/decide/codec.h"
#include "node/decide/command_verdicts.h"
#include "node/decide/state.h"
#include "node/decide/state_keeping.h"
#include "node/decide/state_records.h"

#define ENTRIES_MAX STATE_INDEX_MAX /* Sizes, indexes and counters of a record: sums never overflow. */

static uint64_t load_uint(struct reader *r, uint64_t max)
{
	uint64_t v = 0;

	reader_uint(r, max, &v);
	return v;
}

static void load_cstr(struct reader *r, char *ret, size_t cap)
{
	struct text t = {0};

	codec_text(r, 0, cap - 1, &t);
	if (t.len > 0)
		memcpy(ret, t.s, t.len);
	ret[t.len] = 0;
}

/* [version, …]: of another version the rest may look otherwise. */
static int check_version(struct state *s, const void *value, size_t len)
{
	struct reader r;
	uint32_t n = 0;

	reader_init(&r, value, len);
	reader_array(&r, UINT8_MAX, &n);
	uint64_t version = load_uint(&r, UINT64_MAX);
	if (r.err != 0 || n == 0)
		return CS_ERR_DAMAGED;
	if (version == STATE_VERSION)
		return 0;
	snprintf(s->newer, sizeof(s->newer), "the state's records are of version %llu, this build knows version %d",
	         (unsigned long long)version, STATE_VERSION);
	return CS_ERR_VERSION;
}

static void load_head(struct state *s, struct reader *r)
{
	reader_array_exact(r, RECORD_HEAD_ELEMENTS);
	load_uint(r, STATE_VERSION);
	s->head.size = load_uint(r, ENTRIES_MAX);
	reader_bin_exact(r, s->head.last_leaf.b, HASH_SIZE);
	s->head.time_ms = load_uint(r, STATE_TIME_MS_MAX);
	load_cstr(r, s->origin, sizeof(s->origin));
	s->governance = load_uint(r, ENTRIES_MAX);
	s->touches = load_uint(r, ENTRIES_MAX);
	s->principals_made = load_uint(r, PRINCIPAL_ID_MAX);
}

static void load_chain(struct reader *r, struct chain *ret)
{
	ret->last = load_uint(r, ENTRIES_MAX);
	ret->count = load_uint(r, ENTRIES_MAX);
}

static void load_subject(struct state *s, struct reader *r, uint64_t slot)
{
	if (slot >= s->limits.subjects_max) {
		r->err = CS_ERR_DAMAGED;
		return;
	}
	struct subject *u = &s->subjects[slot];
	reader_array_exact(r, RECORD_SUBJECT_ELEMENTS);
	reader_bin_exact(r, u->key, HASH_SIZE);
	u->touch = load_uint(r, ENTRIES_MAX);
	load_chain(r, &u->subject_chain);
	load_chain(r, &u->actor_chain);
	profile_read(r, &subject_past_change(s, u)->profile);
	if (slot >= s->n_subjects)
		s->n_subjects = (uint32_t)slot + 1;
}

/* Its subject's record may come later; if it never does, that is seen in the end. */
static void load_history(struct state *s, struct reader *r, uint64_t slot)
{
	if (slot >= s->limits.subjects_max) {
		r->err = CS_ERR_DAMAGED;
		return;
	}
	history_read(r, &subject_past_change(s, &s->subjects[slot])->history);
	if (slot >= s->n_subjects)
		s->n_subjects = (uint32_t)slot + 1;
}

static bool load_key(struct reader *r, uint8_t ret[32])
{
	if (reader_nil(r))
		return false;
	reader_bin_exact(r, ret, 32);
	return true;
}

static void load_principal(struct state *s, struct reader *r, uint64_t slot)
{
	if (slot >= s->limits.principals_max) {
		r->err = CS_ERR_DAMAGED;
		return;
	}
	struct principal_slot *ps = &s->principals[slot];
	struct principal *p = &ps->p;
	reader_array_exact(r, RECORD_PRINCIPAL_ELEMENTS);
	p->id = load_uint(r, PRINCIPAL_ID_MAX);
	load_cstr(r, p->name, sizeof(p->name));
	p->roles = (uint32_t)load_uint(r, UINT32_MAX);
	p->has_channel = load_key(r, p->channel_pub);
	p->has_sign = load_key(r, p->sign_pub);
	reader_bool(r, &p->removed);
	load_cstr(r, p->subject_type, sizeof(p->subject_type));
	load_cstr(r, p->subject_id, sizeof(p->subject_id));
	p->version = load_uint(r, ENTRIES_MAX);
	p->sequence = load_uint(r, UINT64_MAX);
	ps->rate.time_ms = load_uint(r, STATE_TIME_MS_MAX);
	ps->rate.value = (uint32_t)load_uint(r, UINT32_MAX);
	ps->forgotten_ms = load_uint(r, STATE_TIME_MS_MAX);
	if (slot >= s->n_principals)
		s->n_principals = (uint32_t)slot + 1;
}

static void load_challenge(struct state *s, struct reader *r, uint64_t slot)
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
	c->c.index = load_uint(r, ENTRIES_MAX);
	c->c.expiry_ms = load_uint(r, 2 * STATE_TIME_MS_MAX);
	c->c.principal = load_uint(r, ENTRIES_MAX);
	reader_bin_exact(r, c->c.digest.b, HASH_SIZE);
	reader_bin_exact(r, c->c.nonce, 32);
	c->made_ms = load_uint(r, STATE_TIME_MS_MAX);
	c->level = (unsigned)load_uint(r, LEVEL_ATTESTED);
	c->methods = (unsigned)load_uint(r, UINT32_MAX);
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
		v->principal = load_uint(r, PRINCIPAL_ID_MAX);
		v->version = load_uint(r, ENTRIES_MAX);
		v->index = load_uint(r, ENTRIES_MAX);
		v->say = (unsigned)load_uint(r, SAY_BREAK_GLASS);
	}
	d->n_votes = n;
}

static void load_deferred(struct state *s, struct reader *r, uint64_t slot)
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
	d->index = load_uint(r, ENTRIES_MAX);
	d->stage = (enum deferred_stage)load_uint(r, DEFERRED_ENDED);
	d->principal = load_uint(r, PRINCIPAL_ID_MAX);
	d->newest = load_uint(r, ENTRIES_MAX);
	d->newest_ms = load_uint(r, STATE_TIME_MS_MAX);
	d->verdict = (unsigned)load_uint(r, VERDICT_DENY);
	d->made_ms = load_uint(r, STATE_TIME_MS_MAX);
	d->expiry_ms = load_uint(r, 2 * STATE_TIME_MS_MAX);
	d->not_before_ms = load_uint(r, 2 * STATE_TIME_MS_MAX);
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

static void load_standing(struct state *s, struct reader *r, uint64_t slot)
{
	if (slot >= s->limits.standing_max || s->standing[slot].index != 0) {
		r->err = CS_ERR_DAMAGED;
		return;
	}
	struct standing *t = &s->standing[slot];
	reader_array_exact(r, RECORD_STANDING_ELEMENTS);
	t->index = load_uint(r, ENTRIES_MAX);
	t->kind = (enum standing_kind)load_uint(r, STANDING_WARNING);
	t->principal = load_uint(r, PRINCIPAL_ID_MAX);
	t->made_ms = load_uint(r, STATE_TIME_MS_MAX);
	t->expiry_ms = load_uint(r, 2 * STATE_TIME_MS_MAX);
	t->level = (unsigned)load_uint(r, UINT8_MAX);
	reader_bin_exact(r, t->subject, HASH_SIZE);
	reader_bin_exact(r, t->actor, HASH_SIZE);
	reader_bin_exact(r, t->session, HASH_SIZE);
	reader_bin_exact(r, t->device, HASH_SIZE);
	reader_bin_exact(r, t->rule, HASH_SIZE);
	reader_bool(r, &t->approved);
	t->credential = load_uint(r, UINT64_MAX);
	t->version = load_uint(r, ENTRIES_MAX);
	if (r->err == 0 && (t->index == 0 || t->kind == 0))
		r->err = CS_ERR_DAMAGED;
	if (slot >= s->n_standing)
		s->n_standing = (uint32_t)slot + 1;
}

static void load_page(struct state *s, struct reader *r, uint64_t page)
{
	uint32_t n = 0;

	reader_array(r, STATE_PAGE, &n);
	if (r->err != 0 || page >= s->n_pages || page * STATE_PAGE + n > s->limits.requests_max) {
		r->err = CS_ERR_DAMAGED;
		return;
	}
	uint32_t first = (uint32_t)page * STATE_PAGE;
	for (uint32_t slot = first; slot < first + n && r->err == 0; slot++) {
		struct answer_slot *a = &s->answers[slot];
		reader_array_exact(r, RECORD_ANSWER_ELEMENTS);
		a->principal = (uint32_t)load_uint(r, PRINCIPAL_ID_MAX);
		reader_bin_exact(r, a->request_id, REQUEST_ID_SIZE);
		reader_bin_exact(r, a->request_hash, RECORDED_HASH_SIZE);
		a->made = load_uint(r, STATE_INDEX_MAX);
		a->index = load_uint(r, STATE_INDEX_MAX) & STATE_INDEX_MAX;
		a->since_ms = (uint32_t)load_uint(r, UINT32_MAX);
		a->verdict = load_uint(r, VERDICT_DENY) & 7;
	}
	if (first + n > s->n_answers)
		s->n_answers = first + n;
}

/* A feature that this build does not have: nothing of this state can be read as it is meant. */
static void load_features(struct state *s, struct reader *r)
{
	uint32_t n = 0;

	reader_array_exact(r, 2);
	reader_array(r, FEATURE_NUMBER_MAX, &n);
	for (uint32_t i = 0; i < n && r->err == 0; i++) {
		struct text name = {0};
		reader_array_exact(r, 3);
		uint64_t number = load_uint(r, FEATURE_NUMBER_MAX);
		codec_text(r, 1, FEATURE_NAME_SIZE_MAX, &name);
		uint64_t since = load_uint(r, ENTRIES_MAX);
		if (r->err != 0)
			return;
		if (!feature_name_valid(name) || number == 0 || state_feature(s, (unsigned)number)) {
			r->err = CS_ERR_DAMAGED;
			return;
		}
		if (feature_find(name) != number) {
			snprintf(s->newer, sizeof(s->newer), FEATURE_NEWER_TEXT, (int)name.len, name.s,
			         (unsigned long long)since);
			r->err = CS_ERR_VERSION;
			return;
		}
		s->features.on |= FEATURE_BIT(number);
		s->features.since[number] = since;
	}
	load_cstr(r, s->features.build, sizeof(s->features.build));
}

static void load_digested(struct state *s, struct reader *r)
{
	reader_array_exact(r, 2);
	s->digested.size = load_uint(r, ENTRIES_MAX);
	s->digested.index = load_uint(r, ENTRIES_MAX);
	if (r->err == 0 && (s->digested.size == 0 || s->digested.index < s->digested.size))
		r->err = CS_ERR_DAMAGED;
}

static int load_policy(struct state *s, const void *value, size_t len)
{
	int err = policy_load(s->policy, value, len);

	s->has_policy = err == 0;
	return err == CS_ERR_NOMEM ? err : err != 0 ? CS_ERR_DAMAGED : 0;
}

int state_load(struct state *s, const void *key, size_t key_len, const void *value, size_t value_len)
{
	const uint8_t *k = key;
	struct reader r;

	if (key_len != RECORD_KEY_SIZE)
		return CS_ERR_DAMAGED;
	uint64_t number = get_u64be(k + 1);
	if (k[0] == RECORD_POLICY)
		return load_policy(s, value, value_len);
	if (k[0] == RECORD_HEAD) {
		int err = check_version(s, value, value_len);
		if (err != 0)
			return err;
	}
	reader_init(&r, value, value_len);
	switch (k[0]) {
	case RECORD_HEAD:
		load_head(s, &r);
		break;
	case RECORD_FEATURES:
		load_features(s, &r);
		break;
	case RECORD_ROSTER:
		roster_read(&r, &s->roster);
		break;
	case RECORD_SUBJECT:
		load_subject(s, &r, number);
		break;
	case RECORD_HISTORY:
		load_history(s, &r, number);
		break;
	case RECORD_WORLD:
		world_read(&r, &s->world, number);
		break;
	case RECORD_PRINCIPAL:
		load_principal(s, &r, number);
		break;
	case RECORD_DIGESTED:
		load_digested(s, &r);
		break;
	case RECORD_GOVERNANCE:
		governance_read(&r, &s->thresholds);
		break;
	case RECORD_PERSON:
		r.err = person_load(s, &r, number);
		break;
	case RECORD_CREDENTIAL:
		credential_load(s, &r, number);
		break;
	case RECORD_USED:
		used_load(s, &r, number);
		break;
	case RECORD_KEY:
		key_load(s, &r, number);
		break;
	case RECORD_CHALLENGE:
		load_challenge(s, &r, number);
		break;
	case RECORD_ANSWERS:
		load_page(s, &r, number);
		break;
	case RECORD_DEFERRED:
		load_deferred(s, &r, number);
		break;
	case RECORD_STANDING:
		load_standing(s, &r, number);
		break;
	case RECORD_ERASURE:
	case RECORD_HOLD:
		keeping_load(s, &r, k[0], number);
		break;
	default:
		return CS_ERR_DAMAGED;
	}
	int err = reader_end(&r);
	return err == 0 || err == CS_ERR_NOMEM || err == CS_ERR_VERSION ? err : CS_ERR_DAMAGED;
}

/* --- the whole --- */

static int principals_loaded(struct state *s)
{
	for (uint32_t i = 0; i < s->n_principals; i++) {
		uint64_t id = s->principals[i].p.id;
		if (id == 0 || id > s->principals_made || principal_slot(s, id) != NULL)
			return CS_ERR_DAMAGED;
		principal_index_slot(s, i);
	}
	return 0;
}

int state_loaded(struct state *s)
{
	int err;

	if (s->head.size > 0 && (!s->has_policy || s->origin[0] == 0))
		return CS_ERR_DAMAGED;
	if (s->digested.size > 0 && s->digested.index >= s->head.size)
		return CS_ERR_DAMAGED;
	if (s->head.size == 0 && (s->n_subjects > 0 || s->n_principals > 0 || s->has_policy || s->roster.n > 0 ||
	                          s->features.on != 0 || s->n_people > 0))
		return CS_ERR_DAMAGED; /* Records without their head. */
	err = subjects_loaded(s);
	if (err == 0)
		err = world_loaded(&s->world);
	if (err == 0)
		err = principals_loaded(s);
	if (err == 0)
		err = people_loaded(s);
	if (err == 0)
		err = credentials_loaded(s);
	if (err == 0)
		err = used_loaded(s);
	if (err == 0)
		err = keys_loaded(s);
	if (err == 0)
		err = challenges_loaded(s);
	if (err == 0)
		err = answers_loaded(s);
	if (err == 0)
		err = deferred_loaded(s);
	if (err == 0)
		err = standing_loaded(s);
	if (err == 0)
		err = keeping_loaded(s);
	return err;
}
