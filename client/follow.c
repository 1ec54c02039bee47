/* Following the members: new nodes and their keys are learnt, each from an entry that the trust so far proves. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "client/client_internal.h"
#include "ledger/bundle.h"
#include "ledger/entry.h"
#include "ledger/errors.h"

#define FOLLOW_FIRST_NS UINT64_C(1000000000) /* A tool that asks once and ends need not. */
#define FOLLOW_NS       UINT64_C(2000000000) /* An empty question and answer, as a rule. */
#define FOLLOW_HURRY_NS UINT64_C(200000000)  /* An unknown leader: at most so often. */
#define UNDECIDED_MS    100
#define PROOF_WAIT_MS   2000 /* For a checkpoint that the quorum has cosigned. */

static void next_step(cs_client *c);

/* Caller holds the lock. */
static void finish(cs_client *c, int code, const char *text)
{
	struct follow *f = &c->follow;

	f->busy = false;
	f->runs++;
	f->code = code;
	snprintf(f->text, sizeof(f->text), "%s", text);
	f->due_ns = clock_mono_ns() + FOLLOW_NS;
	pthread_cond_broadcast(&f->changed);
}

static void end(cs_client *c, int code, const char *text)
{
	pthread_mutex_lock(&c->follow.lock);
	finish(c, code, text);
	pthread_mutex_unlock(&c->follow.lock);
}

/* --- nodes --- */

/* The trust knows their keys by now. A node that has moved takes a new place; its old one is not asked any more. */
static void take_nodes(cs_client *c, const struct roster *r)
{
	unsigned n = atomic_load(&c->n_nodes);

	for (unsigned i = 0; i < n; i++) {
		const struct roster_node *m = roster_find(r, c->nodes[i].id);
		atomic_store(&c->nodes[i].gone, m == NULL || strcmp(m->url, c->nodes[i].url) != 0);
	}
	for (unsigned i = 0; i < r->n && n < CLIENT_NODES_MAX; i++) {
		const struct roster_node *m = &r->nodes[i];
		unsigned k = 0;
		while (k < n && (c->nodes[k].id != m->id || strcmp(c->nodes[k].url, m->url) != 0))
			k++;
		if (k < n) {
			/* A new channel key: sessions that are open stay, the next handshake goes by it. */
			pthread_mutex_lock(&c->nodes[k].lock);
			memcpy(c->nodes[k].channel_pub, m->channel_pub, sizeof(c->nodes[k].channel_pub));
			pthread_mutex_unlock(&c->nodes[k].lock);
			continue;
		}
		struct node *node = &c->nodes[n];
		memset(node, 0, sizeof(*node));
		node->id = m->id;
		memcpy(node->url, m->url, sizeof(node->url));
		memcpy(node->channel_pub, m->channel_pub, sizeof(node->channel_pub));
		if (node_open(node, c) < 0)
			return; /* The next time. */
		atomic_store(&c->n_nodes, ++n);
	}
}

static void adopt(cs_client *c)
{
	struct follow *f = &c->follow;
	bool proven[ROSTER_NODES_MAX] = {false};
	int err = CS_OK;

	for (unsigned i = 0; i < f->reply.roster.n; i++) {
		proven[i] = (f->proven[i] & f->needed[i]) == f->needed[i] && f->needed[i] != 0;
		if (f->needed[i] != 0 && !proven[i] && !c->skip_proof)
			err = CS_ERR_REFUTED;
	}
	if (err < 0)
		snprintf(f->text, sizeof(f->text), "ALARM: a node names keys that the ledger does not");
	else if (!c->skip_proof)
		err = trust_follow(&c->trust, c->cluster.origin, &f->reply.roster, proven, f->voters_proven,
		                   &f->changes, f->text);
	/* cs_close looks at the nodes once it has set closing: none may come after. */
	pthread_mutex_lock(&c->lock);
	if (err == CS_OK && !atomic_load(&c->closing))
		take_nodes(c, &f->reply.roster);
	pthread_mutex_unlock(&c->lock);
	if (err == CS_OK)
		f->version = f->reply.roster.version;
	pthread_mutex_lock(&f->lock);
	finish(c, err, err < 0 ? f->text : "");
	pthread_mutex_unlock(&f->lock);
}

/* --- proofs --- */

static int proof_convert(struct call *call, const struct wire_reply *reply, nng_msg *msg, void **ret_result, char *text)
{
	cs_client *c = call->client;
	struct proof_reply pr;
	struct entry e;
	char *proof = malloc(FORMAT_PROOF_SIZE_MAX);
	size_t len;

	*ret_result = NULL;
	int err = proof == NULL ? CS_ERR_NOMEM : proof_reply_read(reply, &pr);
	if (err == CS_OK)
		err = entry_decode(&e, pr.p.leaf, pr.p.leaf_len);
	if (err == CS_OK)
		err = bundle_proof_text(call->number, pr.p.proof, pr.p.n_proof, pr.p.checkpoint, pr.p.checkpoint_len,
		                        proof, FORMAT_PROOF_SIZE_MAX, &len);
	if (err == CS_OK)
		err = trust_proof(&c->trust, c->cluster.origin, proof, len, pr.p.leaf, pr.p.leaf_len, text);
	if (err == CS_OK)
		err = follow_read(c, &e);
	free(proof);
	nng_msg_free(msg);
	return err;
}

static void proof_deliver(call_user user, void *ctx, int code, void *result)
{
	cs_client *c = ctx;

	(void)user;
	(void)result;
	if (code < 0)
		end(c, code, cs_last_error());
	else
		next_step(c);
}

/* One call more, of the follower's own: it takes no place of the user's. */
static int begin(cs_client *c, unsigned type, const uint64_t *numbers, unsigned n, call_convert convert,
                 call_deliver deliver)
{
	struct call *call;
	struct writer w;
	size_t len = 0;

	int err = call_new_own(c, type, &call);
	if (err < 0)
		return err;
	if (type == WIRE_PROVE) {
		err = prove_body(c, numbers[0], numbers[1], false, NULL, call->body, call->body_cap, &len);
	} else {
		writer_init(&w, call->body, call->body_cap);
		writer_array(&w, n);
		for (unsigned i = 0; i < n; i++)
			writer_uint(&w, numbers[i]);
		err = writer_end(&w, &len);
	}
	if (err < 0) {
		call_drop(call);
		return err;
	}
	call->number = n > 0 ? numbers[0] : 0;
	call->wait_ms = n > 1 ? (unsigned)numbers[1] : 0;
	call_start(call, len, convert, deliver, NULL, c);
	return CS_OK;
}

/* Proves the next of the entries that are needed, or ends. */
static void next_step(cs_client *c)
{
	struct follow *f = &c->follow;

	if (f->step == f->n_steps) {
		adopt(c);
		return;
	}
	const uint64_t numbers[] = {f->steps[f->step++], PROOF_WAIT_MS};
	int err = begin(c, WIRE_PROVE, numbers, 2, proof_convert, proof_deliver);
	if (err < 0)
		end(c, err, cs_last_error());
}

/* --- who there is --- */

static int seen_convert(struct call *call, const struct wire_reply *reply, nng_msg *msg, void **ret_result, char *text)
{
	(void)text;
	struct members_reply *seen = &call->client->follow.reply;

	*ret_result = NULL;
	seen->roster.version = 0;
	int err = reply->body_len == 1 ? CS_OK : members_reply_read(seen, reply->body, reply->body_len);
	nng_msg_free(msg);
	return err;
}

static int keys_convert(struct call *call, const struct wire_reply *reply, nng_msg *msg, void **ret_result, char *text)
{
	(void)text;
	*ret_result = NULL;
	int err = keys_reply_read(&call->client->follow.keys, reply->body, reply->body_len);
	nng_msg_free(msg);
	return err;
}

/* A node of before keys changed calls the question malformed: then each has those that it was added with. */
static void keys_deliver(call_user user, void *ctx, int code, void *result)
{
	cs_client *c = ctx;

	(void)user;
	(void)result;
	if (code == CS_ERR_MALFORMED)
		c->follow.keys.n = 0;
	else if (code < 0) {
		end(c, code, cs_last_error());
		return;
	}
	if (!follow_agrees(&c->follow)) { /* One was asked before, the other after a key changed. */
		end(c, CS_ERR_UNDECIDED, "a key has changed just now");
		return;
	}
	follow_plan(c);
	next_step(c);
}

static void seen_deliver(call_user user, void *ctx, int code, void *result)
{
	cs_client *c = ctx;
	struct follow *f = &c->follow;
	const struct roster *r = &f->reply.roster;

	(void)user;
	(void)result;
	if (code < 0) {
		end(c, code, cs_last_error());
		return;
	}
	if (r->version <= f->version) { /* Nothing new; or the node is behind. */
		end(c, CS_OK, "");
		return;
	}
	int err = begin(c, WIRE_KEYS, NULL, 0, keys_convert, keys_deliver);
	if (err < 0)
		end(c, err, cs_last_error());
}

/* busy is set. */
static void start(cs_client *c)
{
	const uint64_t first = c->follow.version + 1;
	int err = begin(c, WIRE_MEMBERS, &first, 1, seen_convert, seen_deliver);

	if (err < 0)
		end(c, err, cs_last_error());
}

void follow_open(cs_client *c)
{
	pthread_mutex_init(&c->follow.lock, NULL);
	pthread_cond_init(&c->follow.changed, NULL);
	c->follow.due_ns = clock_mono_ns() + FOLLOW_FIRST_NS;
}

void follow_close(cs_client *c)
{
	pthread_cond_destroy(&c->follow.changed);
	pthread_mutex_destroy(&c->follow.lock);
}

void follow_hurry(cs_client *c)
{
	uint64_t now = clock_mono_ns();

	pthread_mutex_lock(&c->follow.lock);
	if (now >= c->follow.hurried_ns + FOLLOW_HURRY_NS) {
		c->follow.hurried_ns = now;
		c->follow.due_ns = 0;
	}
	pthread_mutex_unlock(&c->follow.lock);
	follow_maybe(c);
}

void follow_maybe(cs_client *c)
{
	struct follow *f = &c->follow;

	if (pthread_mutex_trylock(&f->lock) != 0)
		return; /* Somebody else is at it. */
	bool go = !f->busy && clock_mono_ns() >= f->due_ns;
	f->busy = f->busy || go;
	pthread_mutex_unlock(&f->lock);
	if (go)
		start(c);
}

/* Waits for a run that begins now. */
static int follow_once(cs_client *c)
{
	struct follow *f = &c->follow;

	pthread_mutex_lock(&f->lock);
	while (f->busy)
		pthread_cond_wait(&f->changed, &f->lock);
	uint64_t run = f->runs;
	f->busy = true;
	pthread_mutex_unlock(&f->lock);
	start(c);
	pthread_mutex_lock(&f->lock);
	while (f->runs == run)
		pthread_cond_wait(&f->changed, &f->lock);
	int code = f->code;
	if (code < 0)
		last_error_set("%s", f->text);
	pthread_mutex_unlock(&f->lock);
	return code;
}

int cs_follow(cs_client *client, char **ret_policy)
{
	const struct timespec pause = {.tv_nsec = UNDECIDED_MS * 1000000L};
	uint64_t until = clock_mono_ns() + client->timeout_ms * NS_PER_MS;

	/* The newest checkpoint may still lack those of the quorum that we trust; they sign within a moment. */
	int code = follow_once(client);
	while (code == CS_ERR_UNDECIDED && clock_mono_ns() < until) {
		nanosleep(&pause, NULL);
		code = follow_once(client);
	}
	if (code == CS_OK && ret_policy != NULL && (*ret_policy = trust_text(&client->trust)) == NULL)
		code = CS_ERR_NOMEM;
	return code;
}
