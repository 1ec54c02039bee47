/* What the library's files share: the connection to each node, and a call on its way. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLIENT_CLIENT_INTERNAL_H
#define CLIENT_CLIENT_INTERNAL_H

#include <nng/nng.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "client/countersign.h"
#include "client/trust_rewrite.h"
#include "ledger/hash.h"
#include "ledger/verify.h"
#include "node/decide/roster.h"
#include "node/wire/channel.h"
#include "node/wire/keyfile.h"
#include "node/wire/messages.h"

#define TEXT_SIZE          512 /* Error texts: node, address, and what the node said. */
#define NS_PER_MS          UINT64_C(1000000)
#define CALL_ENVELOPE_SIZE 32 /* Around a request's body. */
#define CLIENT_NODES_MAX   16 /* That one client ever knows: those of its file, and as they come and move. */

uint64_t clock_mono_ns(void);
uint64_t clock_wall_ns(void);
int err_from_nng(int rv);
/* Sets cs_last_error of this thread. */
void last_error_set(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* --- connection.c: one nng socket and one session to each node --- */

/* Keys of an open channel, held by each call that uses them; the lock guards channel. */
struct session {
	atomic_uint refs;
	pthread_mutex_t lock;
	struct channel_session channel;
};
void session_release(struct session *s); /* NULL is fine. */

struct call;
struct node;

/* --- lane.c: natural batches: few messages are under way to a node, and what comes meanwhile goes together --- */

/*
 * A message waits for its slowest part: a check must not wait for decisions, nor one that any node may answer at once
 * for those that need a quorum.
 */
enum lane_name { LANE_ORDERED, LANE_CHECKS, LANE_ANYWHERE, LANES };
#define LANE_FRAMES 2 /* Messages under way in a lane: one is answered while the next is on its way. */

/* A message of many calls; its nng callback's own while sent, but for calls and n, which the lane's lock guards. */
struct frame {
	struct lane *lane;
	bool sent;
	nng_ctx ctx;
	nng_aio *aio;
	struct session *session;
	uint8_t header[CHANNEL_DATA_HEADER_SIZE];
	uint8_t id[WIRE_REQUEST_ID_SIZE];
	unsigned n;                        /* 0: the frame is free. */
	struct call *calls[WIRE_MANY_MAX]; /* NULL: its time was over. */
};

struct lane {
	struct node *node;
	pthread_mutex_t lock;
	struct call *first, **last; /* Calls that wait, by next. While there are any, something is under way. */
	unsigned under_way;         /* Messages, of one call or of many; at most most. */
	unsigned most;              /* LANE_FRAMES, or 1 for calls that keep their order. */
	bool ticking;
	nng_aio *timer; /* Ends calls whose time is over while they wait, or are among many. */
	struct frame frames[LANE_FRAMES];
};
int lane_open(struct lane *l, struct node *n); /* Returns nng's error. */
void lane_stop(struct lane *l);                /* Ends what is under way; calls that wait end soon. */
void lane_close(struct lane *l);               /* When no call is left and the node's socket is closed. */
/* True: the call goes at once, by itself, and lane_leave follows. False: it is another thread's by now. */
bool lane_enter(struct lane *l, struct call *call);
/* The answer is there: those that wait go on their way, if any do, in its place. */
bool lane_pass(struct lane *l);
/* Done with the answer (unless lane_pass was true), or it was never sent. */
void lane_leave(struct lane *l);
/* The node does not answer: those that wait go elsewhere. */
void lane_fail(struct lane *l);

struct node {
	cs_client *client;
	uint64_t id;
	char url[WIRE_URL_SIZE_MAX];
	uint8_t channel_pub[CHANNEL_KEY_SIZE];
	atomic_bool gone; /* No member any more, or no longer there: asked last. */
	bool has_socket;
	nng_socket socket;
	atomic_uint_fast64_t tried_ns; /* When the dialer was started, or the last connection was lost. */
	nng_dialer dialer;             /* Changed by node_redial alone. */
	atomic_int pipes;              /* Connected if above 0. */
	atomic_uint inside;            /* Threads within node_send or node_recv. */
	pthread_mutex_t lock;
	struct session *session; /* The newest, or NULL. */
	struct call *waiters;    /* Calls that need one. */
	bool handshaking;
	/* The handshake under way; its nng callback's own while handshaking. */
	bool has_context, sent;
	nng_ctx ctx;
	nng_aio *aio;
	struct channel_initiator initiator;
	struct lane lanes[LANES];
};

int node_open(struct node *n, cs_client *c);
void node_stop(struct node *n); /* Ends the handshake that is under way; none can follow. */
void node_free(struct node *n); /* When no call is left. */
/*
 * Starts a node's dialer anew if it has been without a connection for long. nng 1.5.2 can let a dialer die: when the
 * node closes a fresh connection before nng has greeted it, nng takes that for its own closing (as in
 * node/front_sendmsg.c).
 */
void node_redial(struct node *n);
/*
 * nng_ctx_send and nng_ctx_recv, seen by cs_close. A message that meets a connection which closes just then is lost,
 * its memory with it (nng #1713): the call hears that the connection broke off. The callback may run before they
 * return. False: the client closes, nothing was begun, and no callback comes.
 */
bool node_send(struct node *n, nng_ctx ctx, nng_aio *aio);
bool node_recv(struct node *n, nng_ctx ctx, nng_aio *aio);
void node_await(struct node *n); /* Until no thread is within them. */
/*
 * The node's session, held for the caller; or NULL, and call_resume(call, err) comes later from another thread. Starts
 * a handshake where none is under way and the session is missing or old. call NULL: nobody waits.
 */
struct session *node_session(struct node *n, struct call *call);
/* The node does not know this session (any more). */
void node_session_drop(struct node *n, const struct session *s);

int node_by_id(const cs_client *c, uint64_t id); /* Its index, or -1; one that has moved: its new place. */
/* The place of a node to ask alone, -1 for id 0: any. CS_ERR_NOT_FOUND, and cs_last_error says so. */
int node_pin(const cs_client *c, uint64_t id, int *ret);

/* --- call.c: one question until its one answer --- */

enum call_stage { CALL_FREE, CALL_SESSION, CALL_LANE, CALL_SEND, CALL_RECV, CALL_SLEEP };

/* What a caller of the library gave, to be called once: callback is cast back by deliver. */
typedef void (*call_user)(void);
/*
 * Makes the result out of a successful reply (which points into msg, whose owner it becomes); may find that it is not
 * good after all: returns the final code, and on errors the text in text (TEXT_SIZE).
 */
typedef int (*call_convert)(struct call *call, const struct wire_reply *reply, nng_msg *msg, void **ret_result,
                            char *text);
/* Hands the outcome to the user; owns result (NULL on errors). */
typedef void (*call_deliver)(call_user user, void *user_ctx, int code, void *result);

struct call {
	cs_client *client;
	struct call *next; /* Free, or waiting for a session, or in a lane. */
	enum call_stage stage;
	nng_aio *aio;
	/* Sleeps, and nothing else: in nng 1.5.2 an aio that ever slept reports later timeouts as success. */
	nng_aio *nap;
	bool own; /* The follower's: of no pool. */
	bool has_context[CLIENT_NODES_MAX];
	nng_ctx ctx[CLIENT_NODES_MAX];

	/* The question; body is kept for the next question's. */
	struct wire_request request;
	uint8_t *body;
	size_t body_cap;
	int pinned;    /* The one node to ask, or -1. */
	bool anywhere; /* Any node may answer: the leader is not looked for. */
	uint64_t deadline_ns;
	unsigned timeout_ms,
	        wait_ms; /* For the whole of it; and the node may think so much longer before it answers. */

	/* Where it stands. */
	unsigned node;
	unsigned tries;            /* Since the last pause. */
	unsigned refused, strange; /* strange: nodes that did not know our key. */
	unsigned try_ms;
	unsigned silent;          /* The node that did not answer last, */
	uint64_t silent_until_ns; /* and how long nobody's word sends us back to it. */
	uint64_t began_ns, sleep_until_ns;
	struct lane *lane; /* The one that it is under way in by itself, or NULL. */
	bool alone;        /* Not among many: its answer had no room beside the others'. */
	bool ask_leader;   /* A hello goes out first: the leader's address was not in the cluster file. */
	bool unknown;      /* Some node may have carried it out: a failure is a timeout. */
	int last_err;
	char text[TEXT_SIZE];
	struct session *session;
	uint8_t header[CHANNEL_DATA_HEADER_SIZE];
	uint8_t sent_id[WIRE_REQUEST_ID_SIZE];

	call_convert convert;
	call_deliver deliver;
	call_user user;
	void *user_ctx;
	uint64_t number; /* For convert: an index, a count… */
	uint64_t fields; /* PROVE: kinds of private fields that may be in a bundle, a bit each. */
};

/* A call of this type with a fresh id and an empty body of body_cap bytes; CS_ERR_OVERLOADED, CS_ERR_NOMEM. */
int call_new(cs_client *c, unsigned type, size_t body_cap, struct call **ret);
/* The follower's one call, beside the pool; it is not out. */
int call_new_own(cs_client *c, unsigned type, struct call **ret);
void call_drop(struct call *call); /* One that was not started. */
/* body_len bytes are in body. The outcome comes from an nng thread. */
void call_start(struct call *call, size_t body_len, call_convert convert, call_deliver deliver, call_user user,
                void *ctx);
/* The same, waiting. Sets cs_last_error. */
int call_wait(struct call *call, size_t body_len, call_convert convert, void **ret_result);
/*
 * The end, once: code 0 with the reply, whose message becomes convert's; else an error with its text in call->text. The
 * call may be another's question when this returns.
 */
void call_end(struct call *call, int code, const struct wire_reply *reply, nng_msg *msg);
void call_free(struct call *call);

/* --- attempt.c: which node to ask, and what to make of what it says --- */

void attempt_first(struct call *call);
void attempt_callback(void *arg);     /* Of call->aio. */
void attempt_nap_callback(void *arg); /* Of call->nap. */
/* Tries again, or ends the call if no time is left. */
void attempt_again(struct call *call);
/* Sends the call by itself, under its session. */
void attempt_send(struct call *call);
/* A call's request as it is sent now, with the time that is left. */
struct wire_request attempt_request(const struct call *call);
uint64_t attempt_ms_left(const struct call *call);
/* No answer from this node: sent: it may have been carried out. */
void attempt_lost(struct call *call, bool sent, const char *text);
/* The channel's REFUSE; the session was dropped. */
void attempt_refused(struct call *call, int err);
/* An authentic reply, or not: err 0, or why not. msg: what reply lies in, the call's from now on; or NULL for many. */
void attempt_answered(struct call *call, int err, struct wire_reply *reply, nng_msg *msg);
/* The session that the call waited for: err 0: there is one now; else why not. */
void call_resume(struct call *call, int err);

/* --- proof.c: what is believed, and why --- */

#define CHECKPOINTS_KEPT 8 /* Replies of one batch share one; more than this many batches are seldom out at once. */

struct trust {
	struct verify_policy *policy;
	char *text; /* The policy's. */
	pthread_mutex_t lock;
	struct verify_result *scratch;
	struct trusted_note {
		char *bytes; /* LIMIT_NOTE_SIZE_MAX. */
		size_t len;
		uint64_t size;
		struct hash root;
		bool quorum;
	} kept[CHECKPOINTS_KEPT];
	unsigned next;
	bool has_largest;
	uint64_t largest_size;
	struct hash largest_root;
};
int trust_open(struct trust *t, const char *path, char *ret_text); /* ret_text: TEXTFILE_ERROR_SIZE. */
void trust_close(struct trust *t);
/*
 * Checks a checkpoint's signature by a log key of the trust policy, under this origin, and that no checkpoint of the
 * same size with another root was ever seen here. CS_ERR_REFUTED with a text. ret_quorum (may be NULL): the policy's
 * quorum has cosigned it.
 */
int trust_checkpoint(struct trust *t, const char *origin, const char *note, size_t len, uint64_t *ret_size,
                     struct hash *ret_root, bool *ret_quorum, char *text);

/*
 * Whose cosignatures a node is to wait for besides a majority of its members: key ids of the witnesses from outside
 * that the policy asks for, and how many of them; 0: none, or unchecked. whole: where it asks for none, all that its
 * quorum is made of, if that is so many of certain keys: more than a majority, or others than sign first.
 */
unsigned trust_needs(struct trust *t, const char *origin, bool whole, uint32_t ret_ids[WIRE_WITNESSES_MAX],
                     unsigned *ret_n);

/* --- trust_follow.c: the trust policy after a change of members --- */

/* The policy names this node's keys. */
bool trust_knows(struct trust *t, const char *origin, const struct roster_node *n);
/* CS_OK: the policy proves this entry, quorum included. Else CS_ERR_REFUTED or CS_ERR_UNDECIDED, and why. */
int trust_proof(struct trust *t, const char *origin, const char *proof, size_t len, const void *leaf, size_t leaf_len,
                char *text);
/*
 * Carries the policy over to this roster. proven[i]: entries that the policy proves have brought the keys of nodes[i];
 * voters_proven: the last change of who votes is such an entry, and names the same voters. changes: keys that gave way
 * in such entries (NULL: none). CS_ERR_REFUTED, CS_ERR_NOMEM.
 */
int trust_follow(struct trust *t, const char *origin, const struct roster *r, const bool *proven, bool voters_proven,
                 const struct trust_changes *changes, char *ret_text);
/* Who votes has not changed since the policy was written, as far as it is of our form. */
bool trust_same_voters(struct trust *t, const struct roster *r);
char *trust_text(struct trust *t); /* malloc'ed; NULL: no memory, or proofs are skipped. */

/* --- decide.c --- */

/* The canonical encoding of a request. Sets cs_last_error. */
int request_fill(const struct cs_request *q, void *buf, size_t cap, size_t *ret_len);

/* --- read.c, witness.c --- */

/* A call whose body are so many numbers: what reading needs. */
int read_call(cs_client *c, unsigned type, unsigned n, const uint64_t *numbers, struct call **ret, size_t *ret_len);

/* The reply to WIRE_PROVE; points into it. */
struct proof_reply {
	bool quorum;
	struct wire_proved p;
};
int proof_reply_read(const struct wire_reply *reply, struct proof_reply *ret);
#define PROVE_BODY_MAX 256 /* With the ids of WIRE_WITNESSES_MAX witnesses. */
/* The body of a WIRE_PROVE: what the client's policy needs (trust_needs) is asked for. */
int prove_body(cs_client *c, uint64_t index, uint64_t wait_ms, bool whole, const uint64_t *fields, void *buf,
               size_t cap, size_t *ret_len);

/* --- member.c --- */

struct json_t *scrub_json(const struct wire_scrub *s); /* NULL: out of memory. */
struct json_t *feature_names_json(uint64_t bits);      /* Their names as an array; those of later builds as "#N". */

/* The reply to WIRE_MEMBERS. */
struct members_reply {
	uint64_t node;
	bool leads;
	struct roster roster;
	struct {
		uint64_t id, role, behind;
		bool whole, link;
	} states[ROSTER_NODES_MAX]; /* In the roster's order. */
	char pending[64];
};
int members_reply_read(struct members_reply *ret, const uint8_t *body, size_t len);

/* --- keychange.c --- */

/* The reply to WIRE_KEYS. */
#define KEYS_REPLY_MAX (ROSTER_NODES_MAX * 3)
struct keys_reply {
	uint64_t node, size;
	bool log_signs, cosigner_signs;
	unsigned n;
	struct key_told {
		uint64_t node;
		unsigned place; /* enum key_place */
		uint8_t pub[32];
		uint64_t index; /* Of the entry that brought it. */
		bool has_before;
		uint8_t before[32];
		uint64_t until;
	} keys[KEYS_REPLY_MAX];
};
int keys_reply_read(struct keys_reply *ret, const uint8_t *body, size_t len);

/* --- follow.c: new members are learnt while the old ones can still vouch for them --- */

struct follow {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	bool busy;
	uint64_t due_ns, hurried_ns, runs;
	int code;
	char text[TEXT_SIZE];
	struct call *call;
	/* Of the run under way; its callbacks' own while busy. */
	uint64_t version; /* Of the roster that is followed. */
	struct members_reply reply;
	struct keys_reply keys;
	bool voters_proven;
	uint8_t needed[ROSTER_NODES_MAX], proven[ROSTER_NODES_MAX]; /* A bit for each place of a key. */
	struct trust_changes changes;
	uint64_t steps[KEYS_REPLY_MAX + 1]; /* Entries to prove, each once. */
	unsigned n_steps, step;
};
/* follow_entries.c: which entries tell of what is new in the reply, and what each says once it is proven. */
bool follow_agrees(const struct follow *f); /* The two replies are of the same keys. */
void follow_plan(struct cs_client *c);
struct entry;
int follow_read(struct cs_client *c, const struct entry *e);
void follow_open(cs_client *c);
void follow_close(cs_client *c);
void follow_maybe(cs_client *c); /* Begins if it is time. */
void follow_hurry(cs_client *c); /* It is time: a node is named that we do not know. */

/* --- result.c --- */

/* convert for proved replies: parses, checks that the entry is ours and proven, and makes a cs_result. */
int result_convert(struct call *call, const struct wire_reply *reply, nng_msg *msg, void **ret_result, char *text);
void result_deliver(call_user user, void *user_ctx, int code, void *result);

/* --- client.c --- */

struct cs_client {
	struct cluster_file cluster;
	struct keyfile keys;
	struct channel_keypair channel;
	struct trust trust;
	unsigned timeout_ms, in_flight_max;
	unsigned try_ms;       /* One node's time to answer; doubles with each try. */
	unsigned handshake_ms; /* One node's time to open the channel. */
	bool skip_proof, ordered;
	struct node nodes[CLIENT_NODES_MAX];
	atomic_uint n_nodes; /* Only grows, when the new one is ready. */
	struct follow follow;
	struct orders *orders;               /* order.c; NULL: orders are signed with the client's key, and sent. */
	atomic_uint leader;                  /* Index of the node that answered as leader last. */
	atomic_uint nearby;                  /* And of the one for calls that go anywhere; at first any. */
	atomic_bool closing;                 /* Calls end instead of trying again. */
	atomic_bool stopped;                 /* No operation is begun any more. */
	bool ended;                          /* By cs_stop: only freeing is left. */
	atomic_uint_fast64_t last_timestamp; /* Of handshakes: strictly increasing for our key. */
	pthread_mutex_t lock;
	pthread_cond_t changed;
	struct call *free_calls; /* By next. */
	struct call **calls;     /* All that were ever made. */
	unsigned n_calls, n_out;
};

#endif
