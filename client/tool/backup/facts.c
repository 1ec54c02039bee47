/* What the entries of a backup say by themselves: who is enrolled, and which policy is in force. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "client/tool/backup/facts.h"

#include <stdlib.h>
#include <string.h>

#include "ledger/errors.h"
#include "node/decide/codec.h"

void facts_free(struct facts *f)
{
	free(f->principals);
	free(f->source);
	free(f->compiled);
	memset(f, 0, sizeof *f);
}

static int find(const struct facts *f, const char *name, size_t len)
{
	for (unsigned i = 0; i < f->n; i++)
		if (strlen(f->principals[i].name) == len && !memcmp(f->principals[i].name, name, len))
			return (int)i;
	return -1;
}

const struct factprincipal *facts_find(const struct facts *f, const char *name)
{
	int i = find(f, name, strlen(name));

	return i < 0 ? NULL : &f->principals[i];
}

static int add(struct facts *f, struct text name, uint32_t roles, const uint8_t *channel, const uint8_t *sign)
{
	struct factprincipal p = {.roles = roles, .has_channel = channel, .has_sign = sign};

	if (name.len >= sizeof p.name || find(f, name.s, name.len) >= 0)
		return CS_ERR_MALFORMED;
	if (f->n == f->cap) {
		unsigned cap = f->cap ? 2 * f->cap : 64;
		struct factprincipal *more = realloc(f->principals, cap * sizeof *more);

		if (!more)
			return CS_ERR_NOMEM;
		f->principals = more;
		f->cap = cap;
	}
	memcpy(p.name, name.s, name.len);
	if (channel)
		memcpy(p.channel_pub, channel, sizeof p.channel_pub);
	if (sign)
		memcpy(p.sign_pub, sign, sizeof p.sign_pub);
	f->principals[f->n++] = p;
	return 0;
}

static int set_policy(struct facts *f, const uint8_t *source, size_t source_len, const uint8_t *compiled,
                      size_t compiled_len)
{
	uint8_t *s = malloc(source_len + 1), *c = malloc(compiled_len + 1);

	if (!s || !c) {
		free(s);
		free(c);
		return CS_ERR_NOMEM;
	}
	if (source_len)
		memcpy(s, source, source_len);
	if (compiled_len)
		memcpy(c, compiled, compiled_len);
	free(f->source);
	free(f->compiled);
	f->source = s;
	f->source_len = source_len;
	f->compiled = c;
	f->compiled_len = compiled_len;
	return 0;
}

static int take_genesis(struct facts *f, const struct entry *e)
{
	struct genesis g;
	int err = genesis_decode(&g, e->public_, e->public_len);

	f->restored = !err && g.restored;
	for (unsigned i = 0; !err && i < g.n_admins; i++)
		err = add(f, g.admins[i].name, ROLE_ADMINISTER | ROLE_AUDIT, g.admins[i].channel_pub,
		          g.admins[i].sign_pub);
	return err ? err
	           : set_policy(f, g.policy_source, g.policy_source_len, g.policy_compiled, g.policy_compiled_len);
}

/* [id, name, roles, channel key or nil, signing key or nil, …] */
static int take_enrolled(struct facts *f, struct reader *r)
{
	const uint8_t *channel = NULL, *sign = NULL;
	struct text name = {0};
	uint64_t id, roles = 0;

	reader_uint(r, UINT64_MAX, &id);
	codec_text(r, 1, PRINCIPAL_NAME_SIZE_MAX, &name);
	reader_uint(r, UINT32_MAX, &roles);
	codec_fixed_or_nil(r, 32, &channel);
	codec_fixed_or_nil(r, 32, &sign);
	return r->err ? r->err : add(f, name, (uint32_t)roles, channel, sign);
}

/* [id, name, …]; of a node there is nothing to end here. */
static int take_removed(struct facts *f, struct reader *r)
{
	struct text name = {0};
	uint64_t id;

	reader_uint(r, UINT64_MAX, &id);
	codec_text(r, 1, PRINCIPAL_NAME_SIZE_MAX, &name);
	int i = r->err ? -1 : find(f, name.s, name.len);
	if (i >= 0)
		f->principals[i] = f->principals[--f->n];
	return r->err;
}

/* [hash, source, compiled, …] */
static int take_policy(struct facts *f, struct reader *r)
{
	const uint8_t *source = NULL, *compiled = NULL, *hash = NULL;
	size_t source_len = 0, compiled_len = 0;
	struct hash found;

	codec_fixed(r, HASH_SIZE, &hash);
	reader_bin(r, LIMIT_ENTRY_SIZE_MAX, &source, &source_len);
	reader_bin(r, LIMIT_ENTRY_SIZE_MAX, &compiled, &compiled_len);
	if (r->err)
		return r->err;
	hash_bytes(&found, compiled, compiled_len);
	return memcmp(found.b, hash, HASH_SIZE) ? CS_ERR_MALFORMED
	                                        : set_policy(f, source, source_len, compiled, compiled_len);
}

int facts_take(struct facts *f, const struct entry *e)
{
	struct reader r;
	uint32_t n = 0;

	if (e->kind == ENTRY_GENESIS)
		return take_genesis(f, e);
	if (e->kind != ENTRY_ENROLLED && e->kind != ENTRY_REMOVED && e->kind != ENTRY_POLICY_SET)
		return 0;
	reader_init(&r, e->public_, e->public_len);
	reader_array(&r, LIMIT_MSGPACK_NODES_MAX, &n);
	if (e->kind == ENTRY_ENROLLED)
		return take_enrolled(f, &r);
	return e->kind == ENTRY_REMOVED ? take_removed(f, &r) : take_policy(f, &r);
}

/* --- against the state --- */

struct comparing {
	const struct facts *f;
	unsigned n, n_devices;
	const char *differs;
};

static bool is_device(uint32_t roles)
{
	return (roles & ROLE_DEVICE) != 0;
}

static bool same_key(bool has, const uint8_t *a, bool other_has, const uint8_t *b)
{
	return has == other_has && (!has || memcmp(a, b, 32) == 0);
}

static void compare(void *ctx, const struct principal *p)
{
	struct comparing *c = ctx;
	const struct factprincipal *q = facts_find(c->f, p->name);

	if (p->removed || (p->roles & ROLE_NODE))
		return;
	/* Enrolled in a ledger before this: by the digest that its genesis has of the state. */
	if (!q && c->f->restored && p->version >= STATE_EARLIER)
		return;
	*(is_device(p->roles) ? &c->n_devices : &c->n) += 1;
	if (!q || q->roles != p->roles || !same_key(q->has_channel, q->channel_pub, p->has_channel, p->channel_pub) ||
	    !same_key(q->has_sign, q->sign_pub, p->has_sign, p->sign_pub))
		c->differs = p->name;
}

const char *facts_disagree(const struct facts *f, const struct state *s, bool some_gone)
{
	struct comparing c = {.f = f};
	struct hash state, entries;
	unsigned wanted = 0;

	state_each_principal(s, compare, &c);
	if (c.differs)
		return c.differs;
	for (unsigned i = 0; i < f->n; i++)
		wanted += !is_device(f->principals[i].roles);
	if (c.n != wanted || (!some_gone && c.n_devices != f->n - wanted))
		return "somebody who is enrolled is missing";
	state_policy_hash(s, &state);
	hash_bytes(&entries, f->compiled, f->compiled_len);
	return hash_equal(&state, &entries) ? NULL : "the policy";
}
