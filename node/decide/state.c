/* The state: made, freed, asked. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "node/decide/state.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "ledger/errors.h"

#define SUBJECTS_DEFAULT    100000
#define PRINCIPALS_DEFAULT  4096
#define PEOPLE_DEFAULT      100000
#define CREDENTIALS_DEFAULT 65536
#define CHALLENGES_DEFAULT  65536
#define DEFERRED_DEFAULT    8192
#define STANDING_DEFAULT    16384
#define REQUESTS_DEFAULT    524288
#define WINDOW_MS_DEFAULT   600000
#define WINDOW_MS_MAX       86400000            /* A day: what is counted from an id's time fits 32 bits. */
#define TABLE_MAX           (UINT32_C(1) << 28) /* Slots are numbered by 32 bits with room to spare. */

const char *verdict_text(unsigned verdict)
{
	switch (verdict) {
	case VERDICT_ALLOW:
		return "allow";
	case VERDICT_STEP_UP:
		return "step_up";
	case VERDICT_DEFER:
		return "defer";
	case VERDICT_DENY:
		return "deny";
	default:
		return "unknown";
	}
}

static uint32_t or_default(uint32_t v, uint32_t fallback)
{
	return v != 0 ? v : fallback;
}

/* Tables that take part in takes slot by slot. */
static int marked_new(struct marked *m, uint32_t slots_max)
{
	m->changed = calloc(slots_max, sizeof(uint32_t));
	m->taken = calloc(slots_max, sizeof(uint32_t));
	return m->changed == NULL || m->taken == NULL ? CS_ERR_NOMEM : 0;
}

static void marked_free(struct marked *m)
{
	free(m->changed);
	free(m->taken);
}

/* Of the feature `decisions`. */
static int decisions_tables_new(struct state *s)
{
	const struct state_limits *l = &s->limits;

	s->deferred = calloc(l->deferred_max, sizeof(*s->deferred));
	s->standing = calloc(l->standing_max, sizeof(*s->standing));
	if (s->deferred == NULL || s->standing == NULL || marked_new(&s->marked_deferred, l->deferred_max) != 0 ||
	    marked_new(&s->marked_standing, l->standing_max) != 0 ||
	    index_new(&s->deferred_index, l->deferred_max) != 0 || index_new(&s->deferred_ids, l->deferred_max) != 0 ||
	    index_new(&s->standing_index, l->standing_max) != 0)
		return CS_ERR_NOMEM;
	return 0;
}

static void decisions_tables_free(struct state *s)
{
	for (uint32_t i = 0; i < s->n_deferred; i++)
		free(s->deferred[i].request);
	free(s->deferred_spare);
	free(s->deferred);
	free(s->standing);
	marked_free(&s->marked_deferred);
	marked_free(&s->marked_standing);
	index_free(&s->deferred_index);
	index_free(&s->deferred_ids);
	index_free(&s->standing_index);
}

static int tables_new(struct state *s)
{
	const struct state_limits *l = &s->limits;

	/* Asked for whole, touched as they fill: no table ever grows, and an idle node stays small. */
	s->n_pages = (l->requests_max + STATE_PAGE - 1) / STATE_PAGE;
	s->policy = calloc(1, sizeof(*s->policy));
	s->policy_new = calloc(1, sizeof(*s->policy_new));
	s->subjects = calloc(l->subjects_max, sizeof(*s->subjects));
	s->pasts = calloc(1, sizeof(*s->pasts));
	s->marked_subjects.changed = calloc(l->subjects_max, sizeof(uint32_t));
	s->marked_subjects.taken = calloc(l->subjects_max, sizeof(uint32_t));
	s->principals = calloc(l->principals_max, sizeof(*s->principals));
	s->people = calloc(l->people_max, sizeof(*s->people));
	s->marked_people.changed = calloc(l->people_max, sizeof(uint32_t));
	s->marked_people.taken = calloc(l->people_max, sizeof(uint32_t));
	governance_all(&s->thresholds, 1);
	s->challenges = calloc(l->challenges_max, sizeof(*s->challenges));
	s->marked_challenges.changed = calloc(l->challenges_max, sizeof(uint32_t));
	s->marked_challenges.taken = calloc(l->challenges_max, sizeof(uint32_t));
	s->answers = calloc(l->requests_max, sizeof(*s->answers));
	s->dirty_pages = calloc(s->n_pages, sizeof(*s->dirty_pages));
	s->builder = malloc(sizeof(*s->builder));
	s->scratch = malloc(STATE_RECORD_SIZE_MAX);
	s->record = malloc(STATE_RECORD_SIZE_MAX);
	s->epoch = 1;
	s->keeping = calloc(1, sizeof(*s->keeping));
	if (world_new(&s->world) != 0 || s->keeping == NULL || s->pasts == NULL ||
	    pasts_new(s->pasts, l->subjects_max) != 0)
		return CS_ERR_NOMEM;
	if (s->policy == NULL || s->policy_new == NULL || s->subjects == NULL || s->marked_subjects.changed == NULL ||
	    s->marked_subjects.taken == NULL || s->principals == NULL || s->people == NULL ||
	    s->marked_people.changed == NULL || s->marked_people.taken == NULL || s->challenges == NULL ||
	    s->marked_challenges.changed == NULL || s->marked_challenges.taken == NULL || s->answers == NULL ||
	    s->dirty_pages == NULL || s->builder == NULL || s->scratch == NULL || s->record == NULL ||
	    index_new(&s->subject_index, l->subjects_max) != 0 ||
	    index_new(&s->principal_index, l->principals_max) != 0 || index_new(&s->people_index, l->people_max) != 0 ||
	    index_new(&s->challenge_index, l->challenges_max) != 0 ||
	    index_new(&s->answer_index, l->requests_max) != 0 || decisions_tables_new(s) != 0)
		return CS_ERR_NOMEM;
	randombytes_buf(s->answer_index_key, sizeof(s->answer_index_key));
	return used_new(s) != 0 || keys_new(s) != 0 ? CS_ERR_NOMEM : credentials_new(s);
}

int state_new(const struct state_limits *l, struct state **ret)
{
	struct state *s = calloc(1, sizeof(*s));

	if (s == NULL)
		return CS_ERR_NOMEM;
	if (l != NULL)
		s->limits = *l;
	s->limits.subjects_max = or_default(s->limits.subjects_max, SUBJECTS_DEFAULT);
	s->limits.principals_max = or_default(s->limits.principals_max, PRINCIPALS_DEFAULT);
	s->limits.credentials_max = or_default(s->limits.credentials_max, CREDENTIALS_DEFAULT);
	s->limits.people_max = or_default(s->limits.people_max, PEOPLE_DEFAULT);
	s->limits.challenges_max = or_default(s->limits.challenges_max, CHALLENGES_DEFAULT);
	s->limits.challenges_per_principal_max =
	        or_default(s->limits.challenges_per_principal_max, (s->limits.challenges_max + 1) / 2);
	s->limits.deferred_max = or_default(s->limits.deferred_max, DEFERRED_DEFAULT);
	s->limits.deferred_per_principal_max =
	        or_default(s->limits.deferred_per_principal_max, (s->limits.deferred_max + 1) / 2);
	s->limits.standing_max = or_default(s->limits.standing_max, STANDING_DEFAULT);
	s->limits.standing_per_principal_max =
	        or_default(s->limits.standing_per_principal_max, (s->limits.standing_max + 1) / 2);
	s->limits.requests_max = or_default(s->limits.requests_max, REQUESTS_DEFAULT);
	s->limits.requests_per_principal_max =
	        or_default(s->limits.requests_per_principal_max, s->limits.requests_max / 2 + 1);
	s->limits.requests_window_ms = or_default(s->limits.requests_window_ms, WINDOW_MS_DEFAULT);
	/* An entry touches its subject and its actor: both must fit. */
	int err = s->limits.subjects_max < 2 || s->limits.subjects_max > TABLE_MAX ||
	                          s->limits.principals_max > TABLE_MAX || s->limits.challenges_max > TABLE_MAX ||
	                          s->limits.deferred_max > TABLE_MAX || s->limits.standing_max > TABLE_MAX ||
	                          s->limits.requests_max > TABLE_MAX || s->limits.people_max > TABLE_MAX ||
	                          s->limits.credentials_max > TABLE_MAX || s->limits.requests_window_ms > WINDOW_MS_MAX
	                  ? CS_ERR_INVALID
	                  : tables_new(s);
	if (err != 0) {
		state_free(s);
		return err;
	}
	*ret = s;
	return 0;
}

void state_free(struct state *s)
{
	if (s == NULL)
		return;
	for (uint32_t i = 0; i < s->n_challenges; i++)
		free(s->challenges[i].request);
	for (uint32_t i = 0; i < s->n_people; i++)
		free(s->people[i].record);
	credentials_free(s);
	used_close(s);
	keys_close(s);
	index_free(&s->subject_index);
	index_free(&s->people_index);
	index_free(&s->principal_index);
	index_free(&s->challenge_index);
	index_free(&s->answer_index);
	world_free(&s->world);
	free(s->keeping);
	decisions_tables_free(s);
	free(s->challenge_spare);
	free(s->policy);
	free(s->policy_new);
	if (s->pasts != NULL)
		pasts_free(s->pasts);
	free(s->pasts);
	free(s->subjects);
	free(s->marked_subjects.changed);
	free(s->marked_subjects.taken);
	free(s->principals);
	free(s->people);
	free(s->marked_people.changed);
	free(s->marked_people.taken);
	free(s->challenges);
	free(s->marked_challenges.changed);
	free(s->marked_challenges.taken);
	free(s->answers);
	free(s->dirty_pages);
	free(s->builder);
	free(s->scratch);
	free(s->record);
	free(s);
}

void state_head(const struct state *s, struct state_head *ret)
{
	*ret = s->head;
}

const char *state_newer_text(const struct state *s)
{
	return s->newer;
}

const char *state_origin(const struct state *s)
{
	return s->origin;
}

void state_policy_hash(const struct state *s, struct hash *ret)
{
	*ret = s->policy->hash;
}

const struct roster *state_roster(const struct state *s)
{
	return &s->roster;
}

bool state_feature(const struct state *s, unsigned number)
{
	return number <= FEATURE_NUMBER_MAX && (s->features.on & FEATURE_BIT(number)) != 0;
}

const struct feature_state *state_features(const struct state *s)
{
	return &s->features;
}

int state_roster_genesis(struct state *s, const void *payload, size_t len)
{
	struct genesis g;

	if (s->head.size == 0 || s->roster.n > 0)
		return 0;
	int err = genesis_decode(&g, payload, len);
	if (err == 0)
		roster_genesis(&s->roster, &g);
	return err;
}

uint64_t state_governance(const struct state *s)
{
	return s->governance;
}

const struct governance *state_thresholds(const struct state *s)
{
	return &s->thresholds;
}

uint64_t state_people_changes(const struct state *s)
{
	return s->people_changes;
}

bool state_challenge(const struct state *s, uint64_t index, struct challenge *ret)
{
	const struct challenge_slot *c = challenge_find(s, index, s->head.time_ms);

	if (c == NULL)
		return false;
	*ret = c->c;
	return true;
}

bool state_recorded(const struct state *s, uint64_t principal, const uint8_t request_id[16], struct recorded *ret)
{
	const struct answer_slot *a = answer_find(s, principal, request_id, s->head.time_ms);

	if (a == NULL)
		return false;
	answer_read(a, ret);
	return true;
}
