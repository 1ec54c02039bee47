/* The table of credentials. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <assert.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "ledger/errors.h"
#include "node/decide/codec.h"
#include "node/decide/state.h"
#include "node/decide/state_records.h"

#define CREDENTIAL_ELEMENTS 10

static uint32_t hash_of(const struct state *s, const char *name, size_t len)
{
	uint8_t h[crypto_shorthash_BYTES];

	crypto_shorthash(h, (const uint8_t *)name, len, s->answer_index_key);
	return get_u32be(h);
}

static bool same(const void *ctx, uint32_t slot, const void *key)
{
	const struct state *s = ctx;

	return text_is(*(const struct text *)key, s->credentials[slot].c.name);
}

/* Ids are given in order: their low bits spread well enough. */
static uint32_t hash_of_id(uint64_t id)
{
	return (uint32_t)id;
}

static bool same_id(const void *ctx, uint32_t slot, const void *key)
{
	const struct state *s = ctx;

	return s->credentials[slot].c.id == *(const uint64_t *)key;
}

static void index_both(struct state *s, uint32_t slot)
{
	const struct credential *c = &s->credentials[slot].c;

	index_add(&s->credential_index, hash_of(s, c->name, strlen(c->name)), slot);
	index_add(&s->credential_ids, hash_of_id(c->id), slot);
}

int credentials_new(struct state *s)
{
	s->credentials = calloc(s->limits.credentials_max, sizeof(*s->credentials));
	if (s->credentials == NULL || index_new(&s->credential_ids, s->limits.credentials_max) != 0)
		return CS_ERR_NOMEM;
	return index_new(&s->credential_index, s->limits.credentials_max);
}

static void drop_data(struct credential_slot *c)
{
	if (c->data != NULL)
		sodium_memzero(c->data, c->c.data_len);
	free(c->data);
	c->data = NULL;
	c->c.data = NULL;
	c->c.data_len = 0;
}

void credentials_free(struct state *s)
{
	for (uint32_t i = 0; s->credentials != NULL && i < s->n_credentials; i++)
		drop_data(&s->credentials[i]);
	index_free(&s->credential_index);
	index_free(&s->credential_ids);
	free(s->credential_spare);
	free(s->credentials);
}

struct credential_slot *credential_find(const struct state *s, struct text name)
{
	if (s->n_credentials == 0)
		return NULL;
	int64_t slot = index_find(&s->credential_index, hash_of(s, name.s, name.len), same, s, &name);

	return slot < 0 ? NULL : &s->credentials[slot];
}

const struct credential *state_credential_by_name(const struct state *s, const char *name, size_t len)
{
	const struct credential_slot *c = credential_find(s, (struct text){name, len});

	return c != NULL ? &c->c : NULL;
}

const struct credential *state_credential(const struct state *s, uint64_t id)
{
	if (s->n_credentials == 0)
		return NULL;
	int64_t slot = index_find(&s->credential_ids, hash_of_id(id), same_id, s, &id);

	return slot < 0 ? NULL : &s->credentials[slot].c;
}

const struct credential *state_credential_revoked(const struct state *s, const char *name, size_t len)
{
	const struct credential *newest = NULL;
	struct text t = {name, len};

	for (uint32_t i = 0; i < s->n_credentials; i++) {
		const struct credential *c = &s->credentials[i].c;
		if (c->revoked && text_is(t, c->name) && (newest == NULL || newest->version < c->version))
			newest = c;
	}
	return newest;
}

void state_each_credential(const struct state *s, void (*f)(void *ctx, const struct credential *c), void *ctx)
{
	for (uint32_t i = 0; i < s->n_credentials; i++)
		if (!s->credentials[i].c.revoked)
			f(ctx, &s->credentials[i].c);
}

void credential_dirty(struct state *s, struct credential_slot *c)
{
	s->n_dirty_credentials += !c->dirty;
	c->dirty = true;
}

/* The revoked one with the lowest id. */
static uint32_t revoked_lowest(const struct state *s)
{
	uint32_t best = NO_SLOT;

	for (uint32_t i = 0; i < s->n_credentials; i++)
		if (s->credentials[i].c.revoked &&
		    (best == NO_SLOT || s->credentials[i].c.id < s->credentials[best].c.id))
			best = i;
	return best;
}

bool credential_has_room(const struct state *s)
{
	return s->n_credentials < s->limits.credentials_max || revoked_lowest(s) != NO_SLOT;
}

bool credential_reserve(struct state *s)
{
	if (s->credential_spare == NULL)
		s->credential_spare = malloc(CREDENTIAL_DATA_SIZE_MAX);
	return s->credential_spare != NULL;
}

/* Takes over the reserved memory, cut to size. */
static void set_data(struct state *s, struct credential_slot *c, const void *data, size_t len)
{
	assert(s->credential_spare != NULL && len > 0 && len <= CREDENTIAL_DATA_SIZE_MAX);
	memcpy(s->credential_spare, data, len);
	uint8_t *fitted = realloc(s->credential_spare, len);
	if (fitted != NULL)
		s->credential_spare = fitted;
	c->data = s->credential_spare;
	s->credential_spare = NULL;
	c->c.data = c->data;
	c->c.data_len = len;
}

struct credential_slot *credential_add(struct state *s, struct text name, const void *data, size_t len)
{
	uint32_t slot = s->n_credentials < s->limits.credentials_max ? s->n_credentials : revoked_lowest(s);

	assert(slot != NO_SLOT);
	struct credential_slot *c = &s->credentials[slot];
	if (slot == s->n_credentials)
		s->n_credentials++;
	else
		s->n_dirty_credentials -= c->dirty;
	memset(c, 0, sizeof(*c));
	c->c.id = CREDENTIAL_ID_MIN + ++s->credentials_made;
	memcpy(c->c.name, name.s, name.len);
	set_data(s, c, data, len);
	index_both(s, slot);
	credential_dirty(s, c);
	return c;
}

void credential_drop(struct state *s, struct credential_slot *c, uint64_t index)
{
	index_remove(&s->credential_index, hash_of(s, c->c.name, strlen(c->c.name)), (uint32_t)(c - s->credentials));
	index_remove(&s->credential_ids, hash_of_id(c->c.id), (uint32_t)(c - s->credentials));
	drop_data(c);
	c->c.revoked = true;
	c->c.version = index;
	credential_dirty(s, c);
}

/* --- records --- */

int credentials_take(struct state *s, credential_record_fn emit)
{
	int err = 0;

	for (uint32_t i = 0; err == 0 && s->n_dirty_credentials > 0 && i < s->n_credentials; i++) {
		struct credential_slot *k = &s->credentials[i];
		struct writer w;
		if (!k->dirty)
			continue;
		k->dirty = false;
		writer_init(&w, s->record, STATE_RECORD_SIZE_MAX);
		writer_array(&w, CREDENTIAL_ELEMENTS);
		writer_uint(&w, k->c.id);
		writer_cstr(&w, k->c.name);
		writer_uint(&w, k->c.kind);
		writer_cstr(&w, k->c.subject_type);
		writer_cstr(&w, k->c.subject_id);
		writer_uint(&w, k->c.version);
		writer_bool(&w, k->c.revoked);
		writer_uint(&w, k->c.counter);
		writer_uint(&w, k->c.failures);
		writer_bin(&w, k->data, k->c.data_len);
		err = emit(s, RECORD_CREDENTIAL, i, &w);
	}
	s->n_dirty_credentials = 0;
	return err;
}

static void load_text(struct reader *r, char *ret, size_t cap)
{
	struct text t = {0};

	codec_text(r, 0, cap - 1, &t);
	if (t.len > 0)
		memcpy(ret, t.s, t.len);
}

void credential_load(struct state *s, struct reader *r, uint64_t slot)
{
	const uint8_t *data = NULL;
	uint64_t kind = 0, failures = 0;
	size_t len = 0;

	if (slot >= s->limits.credentials_max || s->credentials[slot].c.id != 0 ||
	    !state_feature(s, FEATURE_DECISIONS)) {
		r->err = CS_ERR_DAMAGED;
		return;
	}
	struct credential *c = &s->credentials[slot].c;
	reader_array_exact(r, CREDENTIAL_ELEMENTS);
	reader_uint(r, CREDENTIAL_ID_MIN + UINT32_MAX, &c->id);
	load_text(r, c->name, sizeof(c->name));
	reader_uint(r, CREDENTIAL_ROOT, &kind);
	load_text(r, c->subject_type, sizeof(c->subject_type));
	load_text(r, c->subject_id, sizeof(c->subject_id));
	reader_uint(r, STATE_INDEX_MAX, &c->version);
	reader_bool(r, &c->revoked);
	reader_uint(r, UINT64_MAX, &c->counter);
	reader_uint(r, UINT32_MAX, &failures);
	reader_bin(r, CREDENTIAL_DATA_SIZE_MAX, &data, &len);
	c->kind = (unsigned)kind;
	c->failures = (uint32_t)failures;
	if (slot >= s->n_credentials)
		s->n_credentials = (uint32_t)slot + 1;
	if (r->err != 0 || len == 0)
		return;
	if (!credential_reserve(s)) {
		r->err = CS_ERR_NOMEM;
		return;
	}
	set_data(s, &s->credentials[slot], data, len);
}

int credentials_loaded(struct state *s)
{
	for (uint32_t i = 0; i < s->n_credentials; i++) {
		struct credential *c = &s->credentials[i].c;
		if (c->id <= CREDENTIAL_ID_MIN || c->kind == 0 || c->name[0] == 0 || !state_has_entry(s, c->version) ||
		    (c->data == NULL) != c->revoked)
			return CS_ERR_DAMAGED;
		if (c->id - CREDENTIAL_ID_MIN > s->credentials_made)
			s->credentials_made = c->id - CREDENTIAL_ID_MIN;
		if (c->revoked)
			continue;
		if (credential_find(s, (struct text){c->name, strlen(c->name)}) != NULL ||
		    state_credential(s, c->id) != NULL)
			return CS_ERR_DAMAGED;
		index_both(s, i);
	}
	return 0;
}
