/* Checks of an order that puts a new key in an old one's place; and signatures by a key that still overlaps. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <sodium.h>
#include <string.h>

#include "ledger/errors.h"
#include "node/decide/apply.h"
#include "node/decide/codec.h"

#define KEY_SIZE 32

bool key_signed(const struct state *s, const struct principal *p, const uint8_t *signature, const void *message,
                size_t len)
{
	const struct key_replaced *before = keys_overlap(s, KEY_PLACE_SIGN, p->id);

	return crypto_sign_verify_detached(signature, message, len, p->sign_pub) == 0 ||
	       (before != NULL && crypto_sign_verify_detached(signature, message, len, before->pub) == 0);
}

static bool of_nodes(const struct roster_node *nodes, unsigned n, const uint8_t *key)
{
	for (unsigned i = 0; i < n; i++)
		if (memcmp(nodes[i].log_pub, key, KEY_SIZE) == 0 || memcmp(nodes[i].cosigner_pub, key, KEY_SIZE) == 0 ||
		    memcmp(nodes[i].channel_pub, key, KEY_SIZE) == 0)
			return true;
	return false;
}

/* One key for one thing, for ever: two would sign under one identity, or one for two. */
static bool is_taken(const struct state *s, const uint8_t *key)
{
	const struct roster *r = &s->roster;

	for (uint32_t i = 0; i < s->n_principals; i++) {
		const struct principal *p = &s->principals[i].p;
		if ((p->has_channel && memcmp(p->channel_pub, key, KEY_SIZE) == 0) ||
		    (p->has_sign && memcmp(p->sign_pub, key, KEY_SIZE) == 0))
			return true;
	}
	return of_nodes(r->nodes, r->n, key) || of_nodes(r->removed, r->n_removed, key) || keys_was_used(s, key);
}

static int check_node(const struct state *s, const struct key_order *o, const struct refusal *why)
{
	if (roster_find(&s->roster, o->node) == NULL)
		return refuse(why, CS_ERR_NOT_FOUND, "the key: node %llu is not a member", (unsigned long long)o->node);
	return 0;
}

/* Whose key it is; and whoever gives somebody a key could as well have enrolled them with it. */
static int check_principal(const struct state *s, const struct key_order *o, const struct principal **ret,
                           const struct refusal *why)
{
	const struct principal *p = state_principal_by_name(s, o->name.s, o->name.len);

	if (p == NULL)
		return refuse(why, CS_ERR_NOT_FOUND, "the key: nobody of that name is enrolled");
	if (p->roles & ROLE_NODE)
		return refuse(why, CS_ERR_INVALID, "the key: a node goes by its number");
	if (!(o->place == KEY_PLACE_SIGN ? p->has_sign : p->has_channel))
		return refuse(why, CS_ERR_NOT_FOUND, "the key: %s has no %s key", p->name,
		              o->place == KEY_PLACE_SIGN ? "signing" : "channel");
	*ret = p;
	int err = check_signers(s, &o->admin, s->thresholds.k[GOVERNANCE_ENROLMENT], why);
	return err == 0 ? check_powers(s, p->roles, &o->admin, why) : err;
}

int check_key(const struct state *s, const struct key_order *o, const struct principal **ret, const struct refusal *why)
{
	bool x25519 = o->place == KEY_PLACE_NODE || o->place == KEY_PLACE_CLIENT;
	int err = check_feature_on(s, FEATURE_RECORDS, "a new key", why);

	*ret = NULL;
	if (err == 0)
		err = o->node > 0 ? check_node(s, o, why) : check_principal(s, o, ret, why);
	if (err != 0)
		return err;
	if (sodium_is_zero(o->pub, KEY_SIZE) || (!x25519 && crypto_core_ed25519_is_valid_point(o->pub) == 0))
		return refuse(why, CS_ERR_INVALID, "the key: it is none");
	if (is_taken(s, o->pub))
		return refuse(why, CS_ERR_EXISTS, "the key: it is, or was, somebody's key already");
	return 0;
}
