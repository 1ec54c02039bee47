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
#include "node/decide/state_parts.h"

#define ENTRIES_MAX STATE_INDEX_MAX /* Sizes, indexes and counters of a record: sums never overflow. */

uint64_t record_uint(struct reader *r, uint64_t max)
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
	uint64_t version = record_uint(&r, UINT64_MAX);
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
	record_uint(r, STATE_VERSION);
	s->head.size = record_uint(r, ENTRIES_MAX);
	reader_bin_exact(r, s->head.last_leaf.b, HASH_SIZE);
	s->head.time_ms = record_uint(r, STATE_TIME_MS_MAX);
	load_cstr(r, s->origin, sizeof(s->origin));
	s->governance = record_uint(r, ENTRIES_MAX);
	s->touches = record_uint(r, ENTRIES_MAX);
	s->principals_made = record_uint(r, PRINCIPAL_ID_MAX);
}

static void load_chain(struct reader *r, struct chain *ret)
{
	ret->last = record_uint(r, ENTRIES_MAX);
	ret->count = record_uint(r, ENTRIES_MAX);
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
	u->touch = record_uint(r, ENTRIES_MAX);
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
	p->id = record_uint(r, PRINCIPAL_ID_MAX);
	load_cstr(r, p->name, sizeof(p->name));
	p->roles = (uint32_t)record_uint(r, UINT32_MAX);
	p->has_channel = load_key(r, p->channel_pub);
	p->has_sign = load_key(r, p->sign_pub);
	reader_bool(r, &p->removed);
	load_cstr(r, p->subject_type, sizeof(p->subject_type));
	load_cstr(r, p->subject_id, sizeof(p->subject_id));
	p->version = record_uint(r, ENTRIES_MAX);
	p->sequence = record_uint(r, UINT64_MAX);
	ps->rate.time_ms = record_uint(r, STATE_TIME_MS_MAX);
	ps->rate.value = (uint32_t)record_uint(r, UINT32_MAX);
	ps->forgotten_ms = record_uint(r, STATE_TIME_MS_MAX);
	if (slot >= s->n_principals)
		s->n_principals = (uint32_t)slot + 1;
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
		a->principal = (uint32_t)record_uint(r, PRINCIPAL_ID_MAX);
		reader_bin_exact(r, a->request_id, REQUEST_ID_SIZE);
		reader_bin_exact(r, a->request_hash, RECORDED_HASH_SIZE);
		a->made = record_uint(r, STATE_INDEX_MAX);
		a->index = record_uint(r, STATE_INDEX_MAX) & STATE_INDEX_MAX;
		a->since_ms = (uint32_t)record_uint(r, UINT32_MAX);
		a->verdict = record_uint(r, VERDICT_DENY) & 7;
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
		uint64_t number = record_uint(r, FEATURE_NUMBER_MAX);
		codec_text(r, 1, FEATURE_NAME_SIZE_MAX, &name);
		uint64_t since = record_uint(r, ENTRIES_MAX);
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
	s->digested.size = record_uint(r, ENTRIES_MAX);
	s->digested.index = record_uint(r, ENTRIES_MAX);
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
		challenge_load(s, &r, number);
		break;
	case RECORD_ANSWERS:
		load_page(s, &r, number);
		break;
	case RECORD_DEFERRED:
		deferred_load(s, &r, number);
		break;
	case RECORD_STANDING:
		standing_load(s, &r, number);
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
