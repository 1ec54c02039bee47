/* The state of a ledger that is restored under a new origin: what of the old one's is carried over, and how. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "node/decide/state_carry.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ledger/errors.h"
#include "ledger/multiset.h"
#include "node/decide/codec.h"
#include "node/decide/state.h"
#include "node/decide/state_records.h"

#define RECENT_NUMBER_MIN (UINT64_C(1) << 32) /* RECORD_USED: proofs of lately. */

struct carry {
	struct state *state; /* NULL: it was founded. */
	uint32_t *subjects;  /* By slot in the old state: slot here and 1; 0: none came. */
	uint32_t n_subjects, n_people, n_principals, n_credentials, n_standing;
	struct multiset sum;
	struct hash digest;
};

int carry_new(const struct state_limits *limits, struct carry **ret)
{
	struct carry *c = calloc(1, sizeof(*c));
	int err = c != NULL ? state_new(limits, &c->state) : CS_ERR_NOMEM;

	if (err == 0) {
		c->subjects = calloc(c->state->limits.subjects_max, sizeof(*c->subjects));
		err = c->subjects != NULL ? 0 : CS_ERR_NOMEM;
	}
	if (err != 0) {
		carry_free(c);
		return err;
	}
	*ret = c;
	return 0;
}

void carry_free(struct carry *c)
{
	if (c == NULL)
		return;
	state_free(c->state);
	free(c->subjects);
	free(c);
}

struct state *carry_state(struct carry *c)
{
	return c->state;
}

/* --- records --- */

static bool is_grant(const void *value, size_t len)
{
	struct reader r;
	uint64_t index = 0, kind = 0;

	reader_init(&r, value, len);
	reader_array_exact(&r, RECORD_STANDING_ELEMENTS);
	reader_uint(&r, UINT64_MAX, &index);
	reader_uint(&r, UINT64_MAX, &kind);
	return kind == STANDING_GRANT;
}

static bool carried(uint8_t kind, uint64_t number, const void *value, size_t len)
{
	switch (kind) {
	case RECORD_ROSTER:
	case RECORD_KEY:      /* Nodes have new keys, and the sizes that old ones were good for are another tree's. */
	case RECORD_DIGESTED: /* Of entries that are not this ledger's. */
	case RECORD_ERASURE:  /* What it took from the state is gone; bodies of before are not here. */
	case RECORD_CHALLENGE:
	case RECORD_DEFERRED:
	case RECORD_ANSWERS:
		return false;
	case RECORD_USED:
		return number < RECENT_NUMBER_MIN;
	case RECORD_STANDING:
		return !is_grant(value, len);
	default:
		return true;
	}
}

/* Its slot here: tables are dense, whatever was left out. False: a history whose subject did not come. */
static bool place(struct carry *c, uint8_t kind, uint64_t *number)
{
	uint32_t *subject = *number < c->state->limits.subjects_max ? &c->subjects[*number] : NULL;

	switch (kind) {
	case RECORD_SUBJECT:
		if (subject != NULL)
			*subject = c->n_subjects + 1;
		*number = c->n_subjects++;
		return true;
	case RECORD_HISTORY:
		if (subject == NULL || *subject == 0)
			return false;
		*number = *subject - 1;
		return true;
	case RECORD_PERSON:
		*number = c->n_people++;
		return true;
	case RECORD_PRINCIPAL:
		*number = c->n_principals++;
		return true;
	case RECORD_CREDENTIAL:
		*number = c->n_credentials++;
		return true;
	case RECORD_STANDING:
		*number = c->n_standing++;
		return true;
	default:
		return true;
	}
}

int carry_record(struct carry *c, const void *key, size_t key_len, const void *value, size_t value_len)
{
	const uint8_t *k = key;
	uint8_t own[RECORD_KEY_SIZE];

	if (key_len != RECORD_KEY_SIZE)
		return CS_ERR_DAMAGED;
	uint64_t number = get_u64be(k + 1);
	if (!carried(k[0], number, value, value_len) || !place(c, k[0], &number))
		return 0;
	own[0] = k[0];
	put_u64be(own + 1, number);
	return state_load(c->state, own, sizeof(own), value, value_len);
}

/* --- numbers of entries --- */

static void shift(uint64_t *index)
{
	*index = *index <= STATE_INDEX_MAX - STATE_EARLIER ? *index + STATE_EARLIER : STATE_INDEX_MAX;
}

static void shift_chain(struct chain *c)
{
	if (c->count > 0)
		shift(&c->last);
}

static void shift_all(struct state *s)
{
	for (uint32_t i = 0; i < s->n_subjects; i++) {
		shift_chain(&s->subjects[i].subject_chain);
		shift_chain(&s->subjects[i].actor_chain);
	}
	for (uint32_t i = 0; i < s->n_people; i++)
		shift(&s->people[i].version);
	for (uint32_t i = 0; i < s->n_principals; i++)
		shift(&s->principals[i].p.version);
	for (uint32_t i = 0; i < s->n_credentials; i++)
		shift(&s->credentials[i].c.version);
	for (uint32_t i = 0; i < s->n_standing; i++)
		if (s->standing[i].index != 0)
			shift(&s->standing[i].index);
	for (unsigned i = 1; i <= FEATURE_NUMBER_MAX; i++)
		if (state_feature(s, i))
			shift(&s->features.since[i]);
}

/* Holds that are in force stay; retention begins anew with the new ledger's entries. */
static void carry_keeping(struct keeping *k)
{
	k->n_dirty = 0;
	for (unsigned i = 0; i < HOLDS_MAX; i++) {
		struct hold *h = &k->holds[i];

		if (h->lifted != 0)
			memset(h, 0, sizeof(*h));
		if (h->index != 0)
			shift(&h->index);
	}
	for (unsigned i = 0; i <= ENTRY_KIND_MAX; i++)
		k->retentions[i].swept = k->retentions[i].swept_ms = 0;
}

static void dirty_keeping(struct keeping *k)
{
	k->n_dirty = 0;
	for (unsigned i = 0; i < HOLDS_MAX; i++)
		k->n_dirty += k->holds[i].dirty = k->holds[i].index != 0;
	for (unsigned i = 0; i <= ENTRY_KIND_MAX; i++)
		k->n_dirty += k->retentions[i].dirty = k->retentions[i].keep_ms != 0;
}

/* --- all of it is new to the store --- */

static void mark_all(struct marked *m, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		m->changed[i] = i;
	m->n_changed = n;
}

static void mark_tables(struct state *s)
{
	mark_all(&s->marked_subjects, s->n_subjects);
	for (uint32_t i = 0; i < s->n_subjects; i++)
		s->subjects[i].mark = s->epoch;
	mark_all(&s->marked_people, s->n_people);
	for (uint32_t i = 0; i < s->n_people; i++)
		s->people[i].mark = s->epoch;
	mark_all(&s->marked_standing, s->n_standing);
	for (uint32_t i = 0; i < s->n_standing; i++)
		s->standing[i].mark = s->epoch;
}

static void mark_world(struct world *w)
{
	w->n_dirty_pages = 0;
	w->totals_dirty = false;
	for (uint32_t page = 0; page < WORLD_PAGES; page++) {
		const struct world_slot *slot = w->slots + (size_t)page * WORLD_PAGE;

		w->dirty_pages[page] = false;
		for (unsigned i = 0; i < WORLD_PAGE; i++)
			w->dirty_pages[page] |= slot[i].value != 0;
		w->n_dirty_pages += w->dirty_pages[page];
	}
	for (unsigned k = 0; k < WORLD_COUNT; k++)
		w->totals_dirty |= w->totals[k] != 0;
	w->totals_dirty |= w->n_dirty_pages > 0;
}

static void dirty_all(struct state *s)
{
	s->head_dirty = s->policy_dirty = true;
	s->roster_dirty = s->digested_dirty = false;
	s->features_dirty = s->features.on != 0;
	s->governance_dirty = governance_largest(&s->thresholds) > 1;
	mark_tables(s);
	mark_world(&s->world);
	dirty_keeping(s->keeping);
	for (uint32_t i = 0; i < s->n_principals; i++)
		s->principals[i].dirty = true;
	s->n_dirty_principals = s->n_principals;
	for (uint32_t i = 0; i < s->n_credentials; i++)
		s->credentials[i].dirty = true;
	s->n_dirty_credentials = s->n_credentials;
	s->n_dirty_used = 0;
	for (uint32_t i = 0; i < USED_MAX; i++) {
		s->used[i].dirty = s->used[i].until_ms != 0;
		s->n_dirty_used += s->used[i].dirty;
	}
}

static int sum_record(void *ctx, const void *key, size_t key_len, const void *value, size_t value_len)
{
	struct carry *c = ctx;
	uint8_t kind = *(const uint8_t *)key;

	(void)key_len;
	if (kind != RECORD_HEAD && value != NULL)
		multiset_add(&c->sum, kind, value, value_len);
	return 0;
}

int carry_end(struct carry *c, struct hash *ret_digest)
{
	struct state *s = c->state;
	int err = s->head.size > 0 ? state_loaded(s) : CS_ERR_DAMAGED;

	if (err != 0)
		return err;
	shift_all(s);
	carry_keeping(s->keeping);
	dirty_all(s);
	err = state_take_dirty(s, sum_record, c);
	multiset_digest(&c->sum, &c->digest);
	*ret_digest = c->digest;
	return err;
}

/* --- the new ledger's --- */

static int refused(char text[160], const char *what)
{
	snprintf(text, 160, "%s", what);
	return CS_ERR_INVALID;
}

static bool is_administrator(const struct state *s, const struct genesis *g, unsigned i)
{
	const struct principal *p = state_principal_by_name(s, g->admins[i].name.s, g->admins[i].name.len);

	return p != NULL && (p->roles & ROLE_ADMINISTER) != 0 && p->has_channel && p->has_sign &&
	       memcmp(p->channel_pub, g->admins[i].channel_pub, 32) == 0 &&
	       memcmp(p->sign_pub, g->admins[i].sign_pub, 32) == 0;
}

static int check(const struct carry *c, const struct genesis *g, char text[160])
{
	const struct state *s = c->state;
	const struct predecessor *p = &g->predecessor;
	struct hash policy;

	hash_bytes(&policy, g->policy_compiled, g->policy_compiled_len);
	if (!g->restored || !text_is(p->origin, s->origin) || p->state_size != s->head.size)
		return refused(text, "the genesis names another predecessor than the state's");
	if (memcmp(p->digest, c->digest.b, HASH_SIZE) != 0)
		return refused(text, "the state carried over has not the digest that the genesis names");
	if (!hash_equal(&policy, &s->policy->hash))
		return refused(text, "the genesis has another policy than the state");
	if (g->time_ms < s->head.time_ms || g->time_ms > STATE_TIME_MS_MAX)
		return refused(text, "the genesis is older than the state");
	for (unsigned i = 0; i < g->n_admins; i++)
		if (!is_administrator(s, g, i))
			return refused(text, "the genesis names somebody who is no administrator in the state");
	for (unsigned i = 0; i < g->n_nodes; i++)
		if (state_principal_by_channel(s, g->nodes[i].channel_pub) != NULL)
			return refused(text, "a node of the genesis has a key that is enrolled already");
	return 0;
}

/* The nodes of before are gone with their origin; those of the genesis have keys of their own. */
static int enrol_nodes(struct state *s, const struct genesis *g, char text[160])
{
	for (uint32_t i = 0; i < s->n_principals; i++) {
		struct principal_slot *p = &s->principals[i];

		p->forgotten_ms = g->time_ms;
		if (p->p.removed || (p->p.roles & ROLE_NODE) == 0)
			continue;
		p->p.removed = true;
		p->p.version = 0;
	}
	for (unsigned i = 0; i < g->n_nodes; i++) {
		struct principal_slot *p = principal_has_room(s) ? principal_add(s) : NULL;

		if (p == NULL) {
			snprintf(text, 160, "there is no room for the nodes among the principals");
			return CS_ERR_TOO_LARGE;
		}
		snprintf(p->p.name, sizeof(p->p.name), "node-%llu", (unsigned long long)g->nodes[i].id);
		p->p.roles = ROLE_NODE;
		p->p.has_channel = true;
		memcpy(p->p.channel_pub, g->nodes[i].channel_pub, 32);
	}
	return 0;
}

int carry_found(struct carry *c, const struct genesis *g, const struct hash *leaf, struct state **ret, char text[160])
{
	struct state *s = c->state;
	int err = check(c, g, text);

	if (err == 0)
		err = enrol_nodes(s, g, text);
	if (err != 0)
		return err;
	memset(s->origin, 0, sizeof(s->origin));
	memcpy(s->origin, g->origin.s, g->origin.len);
	s->head = (struct state_head){.size = 1, .last_leaf = *leaf, .time_ms = g->time_ms};
	roster_genesis(&s->roster, g);
	dirty_all(s);
	c->state = NULL;
	*ret = s;
	return 0;
}
