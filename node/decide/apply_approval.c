/* Approvals, and the ends of what waits: each decides the request anew. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <assert.h>
#include <string.h>

#include "ledger/errors.h"
#include "node/decide/apply.h"
#include "node/decide/approver.h"
#include "node/decide/codec.h"

#define RELEASE_PERSONS 2 /* Break-glass: nobody releases anything alone. */

/* --- checks, of the leader before and of decide again --- */

/* Waits still, and this signature is over it. */
static int check_waits(const struct state *s, uint64_t now_ms, const struct approval *n,
                       const struct deferred_slot **ret, const struct refusal *why)
{
	const struct deferred_slot *d = deferred_find(s, n->index);
	unsigned long long index = n->index;

	if (d == NULL)
		return refuse(why, CS_ERR_NOT_FOUND, "nothing waits at index %llu", index);
	if (d->stage == DEFERRED_PASSED || d->stage == DEFERRED_ENDED)
		return refuse(why, CS_ERR_CONFLICT, "what waited at index %llu has ended: entry %llu, %s", index,
		              (unsigned long long)d->newest, verdict_text(d->verdict));
	if (now_ms >= d->expiry_ms)
		return refuse(why, CS_ERR_EXPIRED, "what waited at index %llu has waited too long", index);
	if (d->stage == DEFERRED_DENIED && n->say != SAY_BREAK_GLASS)
		return refuse(why, CS_ERR_CONFLICT, "the request of index %llu is denied: it does not wait", index);
	if (memcmp(n->digest, d->digest.b, HASH_SIZE) != 0)
		return refuse(why, CS_ERR_CONFLICT, "the approval is of another request than that of index %llu",
		              index);
	*ret = d;
	return 0;
}

static int check_signature(const struct state *s, uint64_t now_ms, const struct principal *p, const struct approval *n,
                           const struct refusal *why)
{
	uint8_t message[APPROVAL_MESSAGE_SIZE_MAX];

	if (!p->has_sign)
		return refuse(why, CS_ERR_NOT_PERMITTED, "%s has no signing key", p->name);
	if (now_ms > n->expiry_ms)
		return refuse(why, CS_ERR_EXPIRED, "the approval's signature has expired");
	size_t len = approval_message(message, s->origin, n);
	if (!key_signed(s, p, n->signature, message, len))
		return refuse(why, CS_ERR_UNAUTHENTICATED, "the approval's signature does not verify");
	return 0;
}

/* One person speaks once; to break the glass as well is another thing. */
static int check_first(const struct state *s, const struct principal *p, const struct deferred_slot *d, unsigned say,
                       const struct refusal *why)
{
	for (unsigned i = 0; i < d->n_votes; i++) {
		const struct principal *before = state_principal(s, d->votes[i].principal);
		bool same = d->votes[i].principal == p->id || (before != NULL && approver_same_person(before, p));
		if (same && (d->votes[i].say == SAY_BREAK_GLASS) == (say == SAY_BREAK_GLASS))
			return refuse(why, CS_ERR_EXISTS, "this person has spoken: entry %llu",
			              (unsigned long long)d->votes[i].index);
	}
	if (d->n_votes == VOTES_MAX)
		return refuse(why, CS_ERR_OVERLOADED, "as many have spoken as can be kept");
	return 0;
}

/* Conditions that need signals are looked at when the word is applied. */
bool approver_named(const struct state *s, const struct principal *p, const struct request *q)
{
	const struct policy *y = s->policy;
	struct parties parties;

	parties_look(&parties, s, q);
	for (unsigned i = 0; i < y->n_rules; i++)
		if (y->rules[i].verdict == VERDICT_DEFER && y->rules[i].defer.needed > 0 &&
		    approver_listed(s, p, y->rules[i].defer.from) && policy_rule_matches(y, &y->rules[i], q, &parties))
			return true;
	return false;
}

static int check_allowed(const struct state *s, const struct principal *p, const struct deferred_slot *d,
                         const struct approval *n, const struct refusal *why)
{
	struct request q;
	int err = request_decode(&q, d->request, d->request_len);

	assert(err == 0); /* It was decided once. */
	if (approver_is_own(s, p, &q, d->principal))
		return refuse(why, CS_ERR_NOT_PERMITTED, "nobody decides about their own request");
	if (n->say == SAY_BREAK_GLASS && !approver_listed(s, p, s->policy->break_glass.from))
		return refuse(why, CS_ERR_NOT_PERMITTED, "the policy does not name %s for break-glass", p->name);
	if (n->say == SAY_BREAK_GLASS && n->reason.len == 0)
		return refuse(why, CS_ERR_INVALID, "break-glass needs a reason");
	if (n->say != SAY_BREAK_GLASS && !approver_named(s, p, &q))
		return refuse(why, CS_ERR_NOT_PERMITTED, "the policy does not name %s for this request", p->name);
	const struct principal *client = state_principal(s, d->principal);
	if (client == NULL || client->removed)
		return refuse(why, CS_ERR_CONFLICT, "the client that asked is no longer enrolled");
	return 0;
}

int check_approval(const struct state *s, uint64_t now_ms, uint64_t principal, const struct approval *n,
                   const struct deferred_slot **ret, const struct refusal *why)
{
	const struct principal *p = state_principal(s, principal);
	const struct deferred_slot *d = NULL;
	int err = check_waits(s, now_ms, n, &d, why);

	if (err == 0)
		err = check_signature(s, now_ms, p, n, why);
	if (err == 0)
		err = check_allowed(s, p, d, n, why);
	if (err == 0)
		err = check_first(s, p, d, n->say, why);
	if (err == 0)
		*ret = d;
	return err;
}

/* --- the request, decided anew --- */

/* By what has been said: the policy's verdict, or what an approver's word makes of it. */
static void decide_anew(const struct apply *a, struct account *k, struct evaluation *e, const struct approval *n,
                        const struct deferred_slot *with_vote)
{
	const char *user, *admin;
	unsigned persons = approver_votes(a->s, with_vote, SAY_BREAK_GLASS, a->s->policy->break_glass.from);

	if (n->say == SAY_REJECT) {
		e->verdict = VERDICT_DENY;
		k->final = true;
		evaluation_note(e, "An approver refused.", "approval: refused by an approver");
	} else if (n->say == SAY_BREAK_GLASS && parties_refuse(&e->parties, &user, &admin)) {
		k->final = true; /* Nobody acts in the name of whoever is disabled, not even now. */
	} else if (n->say == SAY_BREAK_GLASS && persons >= RELEASE_PERSONS) {
		e->verdict = VERDICT_ALLOW;
		k->released = true;
		evaluation_note(e, "Released in an emergency.",
		                "BREAK-GLASS: two approvers released it, whatever the policy says");
	} else if (n->say == SAY_BREAK_GLASS) {
		e->verdict = with_vote->verdict;
		evaluation_note(e, "", "BREAK-GLASS: asked for by one approver, another one is needed");
	}
}

bool approver_named_now(const struct state *s, const struct principal *p, const struct evaluation *e)
{
	for (unsigned i = 0; i < e->n_rules; i++) {
		const struct rule *r = &s->policy->rules[e->rules[i]];
		if (r->verdict == VERDICT_DEFER && r->defer.needed > 0 && approver_listed(s, p, r->defer.from))
			return true;
	}
	return false;
}

static int check_named_now(const struct apply *a, const struct evaluation *e, const struct approval *n)
{
	if (n->say == SAY_BREAK_GLASS || approver_named_now(a->s, &a->asker->p, e))
		return 0;
	return refuse(&a->why, CS_ERR_NOT_PERMITTED, "the policy does not name %s for this request", a->asker->p.name);
}

/* An approver is kept among the subjects, where no request's subject can be: a request's types are not empty. */
static void approver_key(uint8_t ret[HASH_SIZE], const struct principal *p)
{
	subject_key(ret, (struct text){"", 0}, (struct text){p->name, strlen(p->name)});
}

static int make_entry(struct apply *a, const struct account *k, const struct deferred_slot *d)
{
	struct entry_builder *b = entry_start(a, ENTRY_APPROVAL);

	writer_array(&b->public_, ACCOUNT_PUBLIC_ELEMENTS + 3);
	account_public(a, k, k->evaluation->verdict);
	writer_uint(&b->public_, d->index);
	writer_uint(&b->public_, k->approval->say);
	writer_bool(&b->public_, k->released);
	account_fields(a, k);
	return entry_finish(a);
}

static void commit(struct apply *a, const struct account *k, struct deferred_slot *d,
                   const struct deferred_slot *with_vote)
{
	const struct evaluation *e = k->evaluation;
	uint8_t key[HASH_SIZE];

	entry_commit(a, e->verdict, e->risk);
	approver_key(key, &a->asker->p);
	chain_move(&subject_touch(a->s, key)->actor_chain, a->out->index);
	struct subject *u = account_touch(a, k, a->out->index);
	if (e->verdict == VERDICT_ALLOW && !k->released) {
		profile_train(&subject_past_change(a->s, u)->profile, &e->observation, a->now_ms, false);
		learn_allowed(a->s, u, e, a->now_ms, false);
	}
	deferred_change(a->s, d);
	d->n_votes = with_vote->n_votes;
	memcpy(d->votes, with_vote->votes, sizeof(d->votes));
	outcome_commit(a, k, d->request_id);
	outcome_record(a, d, e->verdict);
}

/* The request that waited, as it was asked. */
static const struct subject *account_of(struct account *k, const struct apply *a, struct deferred_slot *d,
                                        struct request *q, const struct principal_slot *client)
{
	int err = request_decode(q, d->request, d->request_len);

	assert(err == 0); /* It was decided once. */
	q->place = d->place.looked ? &d->place : NULL;
	const struct subject *known = account_init(k, a->s, q, d->request, d->request_len);
	k->client = client;
	k->deferred = d;
	k->digest = d->digest;
	memcpy(k->blind, d->blind, sizeof(k->blind));
	return known;
}

int apply_approval(struct apply *a)
{
	struct approval n;
	struct request q;
	struct account k;
	struct evaluation e;
	const struct deferred_slot *found = NULL;
	uint8_t nonce[32], key[HASH_SIZE];
	int err = approval_decode(&n, a->c->payload, a->c->payload_len);

	if (err != 0)
		return refuse(&a->why, err, "the approval: %s", err_text(err));
	err = check_approval(a->s, a->now_ms, a->asker->p.id, &n, &found, &a->why);
	if (err != 0)
		return err;
	struct deferred_slot *d = deferred_find(a->s, n.index), with_vote = *found;
	with_vote.votes[with_vote.n_votes++] = (struct vote){
	        .principal = a->asker->p.id, .version = a->asker->p.version, .index = a->s->head.size, .say = n.say};
	const struct subject *known = account_of(&k, a, d, &q, principal_slot(a->s, d->principal));
	evaluate(&e, a->s, &q, known, k.client, a->now_ms, a->now_ms, false, NOTHING_PROVEN, &with_vote);
	err = check_named_now(a, &e, &n);
	if (err != 0)
		return err;
	decide_anew(a, &k, &e, &n, &with_vote);
	k.evaluation = &e;
	k.approval = &n;
	approver_key(key, &a->asker->p);
	const struct subject *approver = subject_find(a->s, key);
	k.approver_chain = approver != NULL ? &approver->actor_chain : NULL;
	err = outcome_prepare(a, &k, nonce);
	if (err == 0)
		err = make_entry(a, &k, d);
	if (err != 0)
		return err;
	commit(a, &k, d, &with_vote);
	return 0;
}

/* --- ends that time brings --- */

/* A challenge that has no room is none: what cannot be proven is denied. */
static int prepare_end(struct apply *a, struct account *k, struct evaluation *e, uint8_t nonce[32])
{
	int err = outcome_prepare(a, k, nonce);

	if (err != CS_ERR_OVERLOADED)
		return err;
	evaluation_note(e, "Please try again later.", "defer: there is no room for the challenge");
	e->verdict = VERDICT_DENY;
	k->final = true;
	k->nonce = NULL;
	return outcome_prepare(a, k, nonce);
}

static int end_cause(const struct apply *a, const struct deferred_slot *d, const struct principal_slot *client,
                     struct account *k, struct evaluation *e)
{
	bool gone = client == NULL || client->p.removed;

	if (!gone && a->now_ms < d->expiry_ms)
		return END_TIME;
	e->verdict = VERDICT_DENY;
	k->final = true;
	evaluation_note(e, gone ? "" : "Nobody approved it in time.",
	                gone ? "defer: the client that asked is no longer enrolled" : "defer: not approved in time");
	return gone ? END_GONE : END_EXPIRED;
}

int apply_defer_end(struct apply *a, struct deferred_slot *d)
{
	static const struct principal_slot nobody;
	const struct principal_slot *client = principal_slot(a->s, d->principal);
	struct request q;
	struct account k;
	struct evaluation e;
	uint8_t nonce[32];
	const struct subject *known = account_of(&k, a, d, &q, client != NULL ? client : &nobody);

	evaluate(&e, a->s, &q, known, k.client, a->now_ms, a->now_ms, false, NOTHING_PROVEN, d);
	k.evaluation = &e;
	int cause = end_cause(a, d, client, &k, &e);
	int err = prepare_end(a, &k, &e, nonce);
	if (err != 0)
		return err;
	struct entry_builder *b = entry_start(a, ENTRY_DEFER_ENDED);
	writer_array(&b->public_, ACCOUNT_PUBLIC_ELEMENTS + 2);
	account_public(a, &k, e.verdict);
	writer_uint(&b->public_, d->index);
	writer_uint(&b->public_, (uint64_t)cause);
	account_fields(a, &k);
	err = entry_finish(a);
	if (err != 0)
		return err;

	entry_commit(a, e.verdict, e.risk);
	struct subject *u = account_touch(a, &k, a->out->index);
	if (e.verdict == VERDICT_ALLOW) {
		profile_train(&subject_past_change(a->s, u)->profile, &e.observation, a->now_ms, false);
		learn_allowed(a->s, u, &e, a->now_ms, false);
	}
	outcome_commit(a, &k, d->request_id);
	outcome_record(a, d, e.verdict);
	return 0;
}
