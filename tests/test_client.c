/* The client library against fronts in this process that act as nodes: retries, redirects, deadlines, one callback. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <poll.h>
#include <semaphore.h>
#include <setjmp.h>
#include <sodium.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>
#include <nng/nng.h>
#include <nng/protocol/reqrep0/rep.h>

#include "client/client_internal.h"
#include "client/countersign.h"
#include "ledger/bytes.h"
#include "ledger/errors.h"
#include "node/decide/command.h"
#include "node/wire/channel.h"
#include "node/wire/keyfile.h"
#include "tests/echo_node.h"

#define ORIGIN    "test-0123456789abcdef"
#define NODES     3
#define SEEN_MAX  256
#define ENOUGH_MS 100000 /* For any of this, on the busiest machine. */

/* One node as the tests want it: what it answers, and what it was asked. */
struct actor {
	struct echo_node node;
	bool runs;
	char url[128];
	struct channel_keypair keys;
	int err;   /* Answer with this error; 0: as a node would. */
	bool once; /* Only to the first request; */
	int then;  /* this to all others. */
	const char *leader_url;
	uint64_t leader_id;
	uint32_t retry_ms;
	atomic_uint n_seen; /* Checks and decisions: counted by the thread that answers, looked at while it does. */
	uint8_t seen[SEEN_MAX][WIRE_REQUEST_ID_SIZE];
};

static char folder[64], cluster_path[96], key_path[96], trust_path[96];
static struct actor actors[NODES];
static struct channel_keypair client_keys;
static cs_client *client;

/* --- nodes --- */

static void reply_check(struct job *j, uint64_t index)
{
	uint8_t body[64];
	struct writer w;

	writer_init(&w, body, sizeof(body));
	writer_array(&w, 6);
	writer_bool(&w, true);
	writer_uint(&w, CS_ALLOW);
	writer_uint(&w, index);
	writer_uint(&w, 1700000000000);
	writer_uint(&w, index + 1);
	writer_uint(&w, 3);
	job_reply(j, body, w.len);
}

static void reply_hello(struct job *j, const struct actor *a)
{
	uint8_t body[256];
	struct writer w;

	writer_init(&w, body, sizeof(body));
	writer_array(&w, 5);
	writer_uint(&w, a->node.id);
	writer_cstr(&w, ORIGIN);
	writer_uint(&w, a->leader_id);
	writer_cstr(&w, "");
	writer_cstr(&w, "0");
	job_reply(j, body, w.len);
}

static void answer(void *ctx, struct job *j)
{
	struct actor *a = ctx;

	if (j->request.type == WIRE_HELLO) {
		reply_hello(j, a);
		return;
	}
	if (j->request.type == WIRE_STATUS || j->request.type == WIRE_MEMBERS) {
		job_error(j, CS_ERR_INVALID, NULL, NULL, 0);
		return;
	}
	if (a->n_seen < SEEN_MAX)
		memcpy(a->seen[a->n_seen++], j->request.id, WIRE_REQUEST_ID_SIZE);
	if (a->err < 0) {
		int err = a->err;
		if (a->once)
			a->err = a->then;
		job_error(j, err, NULL, a->leader_url, a->retry_ms);
		return;
	}
	reply_check(j, a->node.id * 100);
}

static void actor_start(unsigned i)
{
	struct actor *a = &actors[i];
	const struct front_options o = {.keys = a->keys, .handshakes_per_s = 100000};
	struct front_principal p = {.id = 1, .roles = ROLE_DECIDE};

	assert_int_equal(echo_node_start(&a->node, i + 1, ORIGIN, a->url, &o, answer, a), 0);
	memcpy(p.channel_pub, client_keys.pub, sizeof(p.channel_pub));
	assert_int_equal(front_set_principals(a->node.front, &p, 1), 0);
	a->runs = true;
}

static void actor_stop(unsigned i)
{
	if (actors[i].runs)
		echo_node_stop(&actors[i].node);
	actors[i].runs = false;
}

static void open_client(unsigned timeout_ms, unsigned in_flight_max)
{
	const struct cs_options o = {.cluster_file = cluster_path,
	                             .key_file = key_path,
	                             .timeout_ms = timeout_ms,
	                             .in_flight_max = in_flight_max,
	                             .skip_proof = true};
	char error[256];

	if (cs_open(&o, &client, error, sizeof(error)) != 0)
		fail_msg("%s", error);
}

/* For tests that count: nothing is asked twice because the machine is slow, and nobody asks for members. */
static void patient(void)
{
	client->try_ms = client->handshake_ms = ENOUGH_MS;
	client->follow.due_ns = UINT64_MAX;
}

/*
 * Makes the session with each node that runs. This is no check, which would leave its place in the lane only after its
 * caller has gone on. What a node had answered before has come by then, too.
 */
static void greet(void)
{
	char *json;

	for (unsigned i = 0; i < NODES; i++)
		if (actors[i].runs)
			assert_int_equal(cs_status(client, i + 1, &json), CS_E_INVALID);
}

static int setup(void **state)
{
	struct cluster_file c = {.origin = ORIGIN, .n_nodes = NODES};
	struct keyfile k = {0};
	char text[256];

	(void)state;
	if (sodium_init() < 0)
		return -1;
	snprintf(folder, sizeof(folder), "/tmp/cs-client-XXXXXX");
	if (mkdtemp(folder) == NULL)
		return -1;
	snprintf(cluster_path, sizeof(cluster_path), "%s/cluster", folder);
	snprintf(key_path, sizeof(key_path), "%s/key", folder);
	snprintf(trust_path, sizeof(trust_path), "%s/trust", folder);
	memset(c.genesis.b, 1, HASH_SIZE);
	snprintf(c.trust_path, sizeof(c.trust_path), "%s", trust_path);
	memset(actors, 0, sizeof(actors));
	for (unsigned i = 0; i < NODES; i++) {
		if (channel_keypair_random(&actors[i].keys) < 0)
			return -1;
		snprintf(actors[i].url, sizeof(actors[i].url), "ipc://%s/node-%u", folder, i + 1);
		c.nodes[i].id = i + 1;
		memcpy(c.nodes[i].url, actors[i].url, sizeof(c.nodes[i].url));
		memcpy(c.nodes[i].channel_pub, actors[i].keys.pub, 32);
	}
	keyfile_random(&k, "gateway", 1u << KEY_CHANNEL);
	channel_keypair_from_secret(&client_keys, k.secret[KEY_CHANNEL]);
	client = NULL;
	return cluster_file_write(cluster_path, &c, text) < 0 || keyfile_write(key_path, &k, text) < 0 ? -1 : 0;
}

static int teardown(void **state)
{
	(void)state;
	cs_close(client);
	for (unsigned i = 0; i < NODES; i++) {
		actor_stop(i);
		unlink(actors[i].url + strlen("ipc://"));
	}
	unlink(cluster_path);
	unlink(key_path);
	unlink(trust_path);
	return rmdir(folder);
}

/* --- callbacks --- */

struct tally {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	unsigned n, good;
	int last_code;
};

static struct tally tally = {.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};

static void count(void *context, int code, const struct cs_check_result *result)
{
	unsigned *calls = context;

	pthread_mutex_lock(&tally.lock);
	(*calls)++;
	tally.n++;
	tally.good += code == 0 && result != NULL && result->stands;
	tally.last_code = code;
	pthread_cond_broadcast(&tally.changed);
	pthread_mutex_unlock(&tally.lock);
}

static void tally_reset(void)
{
	tally.n = tally.good = 0;
	tally.last_code = 0;
}

static void tally_await(unsigned n)
{
	pthread_mutex_lock(&tally.lock);
	while (tally.n < n)
		pthread_cond_wait(&tally.changed, &tally.lock);
	pthread_mutex_unlock(&tally.lock);
}

static const uint8_t some_id[16] = {1, 2, 3};

/* --- tests --- */

static void test_check(void **state)
{
	struct cs_check_result r;

	(void)state;
	actor_start(0);
	open_client(ENOUGH_MS, 0);
	patient();
	assert_int_equal(cs_check(client, some_id, &r), 0);
	assert_true(r.stands);
	assert_int_equal(r.verdict, CS_ALLOW);
	assert_int_equal(r.index, 100);
	assert_int_equal(r.size, 101);
	assert_int_equal(r.stale_ms, 3);
}

static void test_many_async(void **state)
{
	static unsigned calls[200];

	(void)state;
	for (unsigned i = 0; i < NODES; i++)
		actor_start(i);
	open_client(ENOUGH_MS, 0);
	patient();
	tally_reset();
	memset(calls, 0, sizeof(calls));
	for (unsigned i = 0; i < 200; i++)
		assert_int_equal(cs_check_async(client, some_id, count, &calls[i]), 0);
	tally_await(200);
	assert_int_equal(tally.good, 200);
	for (unsigned i = 0; i < 200; i++)
		assert_int_equal(calls[i], 1);
}

static void test_redirect(void **state)
{
	struct cs_check_result r;

	(void)state;
	for (unsigned i = 0; i < NODES; i++)
		actor_start(i);
	actors[0].err = CS_ERR_NOT_LEADER;
	actors[0].leader_url = actors[2].url;
	open_client(ENOUGH_MS, 0);
	patient();
	greet();
	for (unsigned i = 0; i < 10; i++)
		assert_int_equal(cs_check(client, some_id, &r), 0);
	assert_int_equal(actors[0].n_seen, 1); /* The leader is remembered. */
	assert_int_equal(actors[2].n_seen, 10);
	assert_memory_equal(actors[0].seen[0], actors[2].seen[0], WIRE_REQUEST_ID_SIZE);
}

static void test_redirect_by_id(void **state)
{
	struct cs_check_result r;

	(void)state; /* The leader's address is not in the cluster file: hello tells its id, which is. */
	actor_start(0);
	actor_start(2);
	actors[0].err = actors[2].err = CS_ERR_NOT_LEADER;
	actors[0].leader_url = actors[2].leader_url = "tcp://gateway.example:1";
	actors[0].leader_id = actors[2].leader_id = 2;
	actor_start(1);
	open_client(ENOUGH_MS, 0);
	patient();
	assert_int_equal(cs_check(client, some_id, &r), 0);
	assert_int_equal(r.index, 200);
}

#define SILENCE_MS 2000 /* Node 2's answer comes sooner. */

/* The others still point at a leader that has gone silent: it is not asked again before they could have noticed. */
static void test_silent_leader(void **state)
{
	struct cs_check_result r;

	(void)state;
	for (unsigned i = 0; i < NODES; i++)
		actor_start(i);
	open_client(ENOUGH_MS, 0);
	patient();
	greet();
	assert_int_equal(cs_check(client, some_id, &r), 0);
	assert_int_equal(r.index, 100);
	actors[1].err = CS_ERR_NOT_LEADER;
	actors[1].leader_url = actors[0].url;
	client->try_ms = SILENCE_MS;
	echo_node_hold(&actors[0].node, true);
	assert_int_equal(cs_check(client, some_id, &r), 0);
	assert_int_equal(r.index, 300);
	assert_int_equal(actors[1].n_seen, 1);
	echo_node_hold(&actors[0].node, false);
	greet();
	assert_int_equal(actors[0].n_seen, 2);
}

/* A call that sleeps while an election goes on is told of the new leader, and goes there without another pause. */
static void test_new_leader_at_once(void **state)
{
	struct cs_check_result r;

	(void)state;
	actor_start(0);
	actor_start(2);
	open_client(ENOUGH_MS, 0);
	patient();
	greet();
	assert_int_equal(cs_check(client, some_id, &r), 0);
	actors[0].err = CS_ERR_NOT_LEADER;
	actors[0].leader_url = actors[2].url;
	actors[2].err = CS_ERR_NO_QUORUM;
	actors[2].once = true;
	assert_int_equal(cs_check(client, some_id, &r), 0);
	assert_int_equal(r.index, 300);
	assert_true(actors[2].n_seen == 2 && actors[0].n_seen <= 3);
}

static void test_same_id_elsewhere(void **state)
{
	struct cs_check_result r;

	(void)state; /* Nodes that cannot now: the next is asked, under the same request id, until one can. */
	static const int errors[] = {CS_ERR_NO_QUORUM, CS_ERR_NOT_READY, CS_ERR_DIVERGED, CS_ERR_TIMEOUT, CS_ERR_IO};
	actor_start(0);
	actor_start(1);
	open_client(ENOUGH_MS, 0);
	patient();
	for (unsigned i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
		actors[0].err = errors[i];
		actors[1].err = 0;
		actors[0].n_seen = actors[1].n_seen = 0;
		assert_int_equal(cs_check(client, some_id, &r), 0);
		assert_int_equal(r.index, 200);
		assert_int_equal(actors[1].n_seen, 1);
		if (actors[0].n_seen > 0)
			assert_memory_equal(actors[0].seen[0], actors[1].seen[0], WIRE_REQUEST_ID_SIZE);
		actors[1].err = errors[i]; /* And back again. */
		actors[0].err = 0;
		assert_int_equal(cs_check(client, some_id, &r), 0);
		assert_int_equal(r.index, 100);
		assert_memory_equal(actors[0].seen[actors[0].n_seen - 1], actors[1].seen[1], WIRE_REQUEST_ID_SIZE);
	}
}

/* A node that takes one request and then is gone without a word. */
struct mortal {
	nng_socket socket;
	struct channel_keypair keys;
	uint8_t seen[WIRE_REQUEST_ID_SIZE];
	bool taken;
};

static void *mortal_run(void *arg)
{
	struct mortal *m = arg;
	struct channel_responder hs;
	struct channel_session x;
	struct wire_request r;
	uint8_t accept[CHANNEL_ACCEPT_SIZE], *plain;
	size_t len;
	nng_msg *msg;

	if (nng_recvmsg(m->socket, &msg, 0) != 0)
		return NULL;
	int err = channel_respond(&hs, &m->keys, CHANNEL_CLIENT, 1, ORIGIN, nng_msg_body(msg), nng_msg_len(msg));
	if (err == 0)
		err = channel_accept(&hs, 5, 0, accept, &x);
	nng_msg_clear(msg);
	if (err < 0 || nng_msg_append(msg, accept, sizeof(accept)) != 0 || nng_sendmsg(m->socket, msg, 0) != 0 ||
	    nng_recvmsg(m->socket, &msg, 0) != 0)
		return NULL;
	if (channel_open(&x, NULL, nng_msg_body(msg), nng_msg_len(msg), &plain, &len) == 0 &&
	    wire_request_decode(&r, plain, len) == 0) {
		memcpy(m->seen, r.id, sizeof(m->seen));
		m->taken = true;
	}
	nng_msg_free(msg);
	nng_close(m->socket);
	return NULL;
}

static void test_node_dies(void **state)
{
	struct mortal m = {.keys = actors[0].keys};
	static unsigned calls;
	pthread_t thread;

	(void)state;
	assert_int_equal(nng_rep0_open(&m.socket), 0);
	assert_int_equal(nng_listen(m.socket, actors[0].url, NULL, 0), 0);
	assert_int_equal(pthread_create(&thread, NULL, mortal_run, &m), 0);
	open_client(ENOUGH_MS, 0);
	patient();
	tally_reset();
	calls = 0;
	/* Only node 1 is there; once it is gone, node 2 comes. */
	assert_int_equal(cs_check_async(client, some_id, count, &calls), 0);
	assert_int_equal(pthread_join(thread, NULL), 0);
	assert_true(m.taken);
	actor_start(1);
	tally_await(1);
	assert_int_equal(tally.good, 1);
	assert_int_equal(calls, 1);
	assert_int_equal(actors[1].n_seen, 1);
	assert_memory_equal(actors[1].seen[0], m.seen, WIRE_REQUEST_ID_SIZE);
}

/* Takes connections and drops them at once, as a node that is killed does; so many. */
static void drop_connections(int listener, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		struct pollfd p = {.fd = listener, .events = POLLIN};
		/* With a dialer that nng let die, nobody comes before the client starts another. */
		if (poll(&p, 1, 0) == 0) {
			struct cs_check_result r;
			assert_int_equal(cs_check(client, some_id, &r), CS_E_UNREACHABLE);
			assert_int_equal(poll(&p, 1, 10000), 1);
		}
		close(accept(listener, NULL, NULL));
	}
}

static void test_dropped_connections(void **state)
{
	struct sockaddr_un un = {.sun_family = AF_UNIX};
	struct cs_check_result r;
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	(void)state;
	assert_true(strlen(actors[0].url) < sizeof(un.sun_path));
	strcpy(un.sun_path, actors[0].url + strlen("ipc://"));
	assert_int_equal(bind(fd, (const struct sockaddr *)&un, sizeof(un)), 0);
	assert_int_equal(listen(fd, 16), 0);
	open_client(1500, 0);
	drop_connections(fd, 6);
	close(fd);
	unlink(un.sun_path);
	actor_start(0);
	int err = cs_check(client, some_id, &r);
	if (err == CS_E_UNREACHABLE) /* Its dialer died last. */
		err = cs_check(client, some_id, &r);
	assert_int_equal(err, 0);
}

static void test_restarted_node(void **state)
{
	struct cs_check_result r;

	(void)state; /* The node forgot our session: a new one is made within the call. */
	actor_start(0);
	open_client(ENOUGH_MS, 0);
	assert_int_equal(cs_check(client, some_id, &r), 0);
	actor_stop(0);
	actor_start(0);
	assert_int_equal(cs_check(client, some_id, &r), 0);
}

static void test_session_forgotten(void **state)
{
	struct cs_check_result r;
	struct front_principal p = {.id = 1, .roles = ROLE_DECIDE};

	(void)state;
	actor_start(0);
	open_client(ENOUGH_MS, 0);
	patient();
	assert_int_equal(cs_check(client, some_id, &r), 0);
	memcpy(p.channel_pub, client_keys.pub, sizeof(p.channel_pub));
	/* Removed and enrolled again: the old session is dead, the connection is not. */
	assert_int_equal(front_set_principals(actors[0].node.front, NULL, 0), 0);
	assert_int_equal(front_set_principals(actors[0].node.front, &p, 1), 0);
	assert_int_equal(cs_check(client, some_id, &r), 0);
	assert_int_equal(actors[0].n_seen, 2);
}

static void test_timeout(void **state)
{
	static unsigned calls;
	struct cs_check_result r;

	(void)state;
	actor_start(0);
	open_client(1000, 0);
	/* A slow machine may need all of that time to connect: then it was unreachable, and not asked. */
	while (cs_check(client, some_id, &r) == CS_E_UNREACHABLE)
		;
	echo_node_hold(&actors[0].node, true);
	assert_int_equal(cs_check(client, some_id, &r), CS_E_TIMEOUT);
	assert_non_null(strstr(cs_last_error(), "no answer"));
	tally_reset();
	calls = 0;
	assert_int_equal(cs_check_async(client, some_id, count, &calls), 0);
	tally_await(1);
	assert_int_equal(tally.last_code, CS_E_TIMEOUT);
	/* The late replies reach nobody, and hurt nobody. */
	echo_node_hold(&actors[0].node, false);
	while (cs_check(client, some_id, &r) != 0)
		;
	assert_int_equal(calls, 1);
	assert_int_equal(tally.n, 1);
}

static void test_unreachable(void **state)
{
	struct cs_check_result r;
	char *json;

	(void)state;
	open_client(100, 0);
	assert_int_equal(cs_check(client, some_id, &r), CS_E_UNREACHABLE);
	assert_non_null(strstr(cs_last_error(), "no connection"));
	assert_int_equal(cs_status(client, 3, &json), CS_E_UNREACHABLE);
	assert_non_null(strstr(cs_last_error(), "node 3"));
	assert_int_equal(cs_status(client, 9, &json), CS_E_NOT_FOUND);
}

static void test_overloaded(void **state)
{
	struct cs_check_result r;

	(void)state;
	actor_start(0);
	actors[0].err = CS_ERR_OVERLOADED;
	actors[0].retry_ms = 5;
	actors[0].once = true;
	open_client(ENOUGH_MS, 0);
	patient();
	assert_int_equal(cs_check(client, some_id, &r), 0);
	assert_int_equal(actors[0].n_seen, 2);
	assert_memory_equal(actors[0].seen[0], actors[0].seen[1], WIRE_REQUEST_ID_SIZE);
}

static void test_final_errors(void **state)
{
	static const int errors[] = {CS_ERR_NOT_FOUND, CS_ERR_INVALID, CS_ERR_CONFLICT, CS_ERR_EXPIRED,
	                             CS_ERR_DISK_FULL};
	struct cs_check_result r;

	(void)state; /* An answer, if not a good one: nobody else is asked. */
	actor_start(0);
	open_client(ENOUGH_MS, 0);
	patient();
	for (unsigned i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
		actors[0].err = errors[i];
		actors[0].n_seen = 0;
		assert_int_equal(cs_check(client, some_id, &r), errors[i]);
		assert_int_equal(actors[0].n_seen, 1);
		assert_non_null(strstr(cs_last_error(), "node 1"));
	}
}

/* A try that may have been logged, then a refusal of another: the outcome is unknown, whatever the last one says. */
static void test_refused_after_unknown(void **state)
{
	const struct cs_request r = {.subject_type = "user",
	                             .subject_id = "ada",
	                             .action = "read",
	                             .resource_type = "repo",
	                             .resource_id = "main"};
	cs_result *result = NULL;

	(void)state;
	actor_start(0);
	actor_start(1);
	open_client(700, 0);
	greet();
	actors[0].err = actors[1].err = CS_ERR_DISK_FULL;
	assert_int_equal(cs_decide(client, &r, &result), CS_E_DISK_FULL);
	actors[0].err = actors[1].err = CS_ERR_TIMEOUT;
	actors[0].once = actors[1].once = true;
	actors[0].then = actors[1].then = CS_ERR_DISK_FULL;
	assert_int_equal(cs_decide(client, &r, &result), CS_E_TIMEOUT);
	assert_non_null(strstr(cs_last_error(), "unknown"));
	assert_null(result);
}

static void test_not_enrolled(void **state)
{
	struct cs_check_result r;

	(void)state;
	actor_start(0);
	assert_int_equal(front_set_principals(actors[0].node.front, NULL, 0), 0);
	open_client(ENOUGH_MS, 0);
	patient();
	assert_int_equal(cs_check(client, some_id, &r), CS_E_UNAUTHENTICATED);
}

/* The requests of a message, by itself or of many: their ids and number. */
static unsigned requests_in(const uint8_t *plain, size_t len, uint8_t ids[][WIRE_REQUEST_ID_SIZE])
{
	struct wire_part parts[WIRE_MANY_MAX] = {{plain, len}};
	struct wire_request r;
	unsigned n = 1;

	if (wire_request_decode(&r, plain, len) < 0)
		return 0;
	if (r.type == WIRE_MANY && wire_many_decode(parts, &n, r.body, r.body_len) < 0)
		return 0;
	for (unsigned i = 0; i < n; i++) {
		if (wire_request_decode(&r, parts[i].bytes, parts[i].len) < 0)
			return 0;
		memcpy(ids[i], r.id, WIRE_REQUEST_ID_SIZE);
	}
	return n;
}

static void test_batches(void **state)
{
	static unsigned calls[66];
	struct front_stats st, before;

	(void)state;
	actor_start(0);
	open_client(ENOUGH_MS, 0);
	patient();
	greet();
	front_stats(actors[0].node.front, &before);
	echo_node_hold(&actors[0].node, true);
	tally_reset();
	memset(calls, 0, sizeof(calls));
	for (unsigned i = 0; i < 66; i++)
		assert_int_equal(cs_check_async(client, some_id, count, &calls[i]), 0);
	/* Two go at once, by themselves; the others when the first of these is answered. */
	echo_node_await(&actors[0].node, 2);
	pthread_mutex_lock(&actors[0].node.lock);
	unsigned waiting = actors[0].node.waiting;
	pthread_mutex_unlock(&actors[0].node.lock);
	assert_int_equal(waiting, 2);
	echo_node_hold(&actors[0].node, false);
	tally_await(66);
	assert_int_equal(tally.good, 66);
	for (unsigned i = 0; i < 66; i++)
		assert_int_equal(calls[i], 1);
	front_stats(actors[0].node.front, &st);
	assert_int_equal(st.requests - before.requests, 66);
	assert_int_equal(actors[0].n_seen, 66);
}

static void test_deadline_in_queue(void **state)
{
	static unsigned calls[20];
	struct cs_check_result r;

	(void)state;
	actor_start(0);
	open_client(300, 0);
	while (cs_check(client, some_id, &r) != 0)
		; /* A slow machine may need all of that time to connect. */
	echo_node_hold(&actors[0].node, true);
	tally_reset();
	memset(calls, 0, sizeof(calls));
	for (unsigned i = 0; i < 20; i++)
		assert_int_equal(cs_check_async(client, some_id, count, &calls[i]), 0);
	tally_await(20); /* Nobody is answered: all end, sent or not. */
	assert_int_equal(tally.good, 0);
	for (unsigned i = 0; i < 20; i++)
		assert_int_equal(calls[i], 1);
	echo_node_hold(&actors[0].node, false);
	while (cs_check(client, some_id, &r) != 0)
		;
}

static void test_batch_errors(void **state)
{
	static unsigned calls[100];

	(void)state; /* Every one of a batch follows its own error, to the leader. */
	actor_start(0);
	open_client(ENOUGH_MS, 0);
	patient();
	actors[0].err = CS_ERR_NOT_LEADER;
	actors[0].leader_url = actors[1].url;
	actor_start(1);
	tally_reset();
	memset(calls, 0, sizeof(calls));
	for (unsigned i = 0; i < 100; i++)
		assert_int_equal(cs_check_async(client, some_id, count, &calls[i]), 0);
	tally_await(100);
	assert_int_equal(tally.good, 100);
	assert_int_equal(actors[1].n_seen, 100);
}

#define DYING_CALLS 40

/* A node that answers the first, and nobody else until a message of many has come, and then is gone. */
struct dying {
	nng_socket socket;
	nng_ctx ctx[3];
	struct channel_keypair keys;
	unsigned n_seen;
	uint8_t seen[WIRE_MANY_MAX + 2][WIRE_REQUEST_ID_SIZE];
	sem_t asked; /* All calls are out. */
};

static int ctx_send(nng_ctx ctx, nng_msg *m)
{
	nng_aio *aio;

	if (nng_aio_alloc(&aio, NULL, NULL) != 0)
		return -1;
	nng_aio_set_msg(aio, m);
	nng_ctx_send(ctx, aio);
	nng_aio_wait(aio);
	int rv = nng_aio_result(aio);
	nng_aio_free(aio);
	return rv;
}

static int ctx_recv(nng_ctx ctx, nng_msg **ret)
{
	nng_aio *aio;

	if (nng_aio_alloc(&aio, NULL, NULL) != 0)
		return -1;
	nng_ctx_recv(ctx, aio);
	nng_aio_wait(aio);
	int rv = nng_aio_result(aio);
	*ret = nng_aio_get_msg(aio);
	nng_aio_free(aio);
	return rv;
}

static int reply_one(nng_ctx ctx, struct channel_session *x, nng_msg *msg, const uint8_t *id, int error)
{
	uint8_t header[CHANNEL_DATA_HEADER_SIZE], frame[128];
	static const uint8_t body[] = {0x96, 0xc3, CS_ALLOW, 5, 6, 7, 0};
	struct wire_reply r = {.err = error, .body = body, .body_len = sizeof(body)};
	size_t len;

	memcpy(header, nng_msg_body(msg), sizeof(header));
	memcpy(r.id, id, sizeof(r.id));
	if (wire_reply_encode(&r, frame + CHANNEL_DATA_HEADER_SIZE, 64, &len) < 0 ||
	    channel_seal(x, header, frame + CHANNEL_DATA_HEADER_SIZE, len, frame) < 0)
		return -1;
	nng_msg_clear(msg);
	return nng_msg_append(msg, frame, len + CHANNEL_OVERHEAD) != 0 || ctx_send(ctx, msg) != 0 ? -1 : 0;
}

static void *dying_run(void *arg)
{
	struct dying *d = arg;
	struct channel_responder hs;
	struct channel_session x;
	uint8_t accept[CHANNEL_ACCEPT_SIZE], *plain;
	size_t len;
	nng_msg *msg;

	if (ctx_recv(d->ctx[0], &msg) != 0 ||
	    channel_respond(&hs, &d->keys, CHANNEL_CLIENT, 1, ORIGIN, nng_msg_body(msg), nng_msg_len(msg)) < 0 ||
	    channel_accept(&hs, 5, 0, accept, &x) < 0)
		return NULL;
	nng_msg_clear(msg);
	if (nng_msg_append(msg, accept, sizeof(accept)) != 0 || ctx_send(d->ctx[0], msg) != 0)
		return NULL;
	uint8_t first[WIRE_MANY_MAX][WIRE_REQUEST_ID_SIZE];
	if (ctx_recv(d->ctx[0], &msg) != 0 ||
	    channel_open(&x, NULL, nng_msg_body(msg), nng_msg_len(msg), &plain, &len) < 0 ||
	    requests_in(plain, len, first) != 1 || reply_one(d->ctx[0], &x, msg, first[0], CS_ERR_INVALID) < 0)
		return NULL;
	/* Two by themselves; the first is answered, so the others come. */
	nng_msg *alone[2];
	for (unsigned i = 0; i < 2; i++) {
		if (ctx_recv(d->ctx[i], &alone[i]) != 0 ||
		    channel_open(&x, NULL, nng_msg_body(alone[i]), nng_msg_len(alone[i]), &plain, &len) < 0)
			return NULL;
		d->n_seen += requests_in(plain, len, d->seen + d->n_seen);
	}
	sem_wait(&d->asked);
	if (reply_one(d->ctx[0], &x, alone[0], d->seen[0], CS_OK) == 0 && ctx_recv(d->ctx[2], &msg) == 0) {
		if (channel_open(&x, NULL, nng_msg_body(msg), nng_msg_len(msg), &plain, &len) == 0)
			d->n_seen += requests_in(plain, len, d->seen + d->n_seen);
		nng_msg_free(msg);
	}
	nng_msg_free(alone[1]);
	nng_close(d->socket);
	return NULL;
}

static bool was_seen(const uint8_t *id, const struct actor *a)
{
	for (unsigned i = 0; i < a->n_seen; i++)
		if (memcmp(a->seen[i], id, WIRE_REQUEST_ID_SIZE) == 0)
			return true;
	return false;
}

static void test_node_dies_with_many(void **state)
{
	static struct dying d;
	static unsigned calls[DYING_CALLS];
	pthread_t thread;
	char *json;

	(void)state;
	d = (struct dying){.keys = actors[0].keys};
	assert_int_equal(sem_init(&d.asked, 0, 0), 0);
	assert_int_equal(nng_rep0_open(&d.socket), 0);
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(nng_ctx_open(&d.ctx[i], d.socket), 0);
	assert_int_equal(nng_listen(d.socket, actors[0].url, NULL, 0), 0);
	assert_int_equal(pthread_create(&thread, NULL, dying_run, &d), 0);
	open_client(ENOUGH_MS, 0);
	patient();
	/* Makes the session: each call enters the lane at once. */
	assert_int_equal(cs_status(client, 1, &json), CS_E_INVALID);
	tally_reset();
	memset(calls, 0, sizeof(calls));
	for (unsigned i = 0; i < DYING_CALLS; i++)
		assert_int_equal(cs_check_async(client, some_id, count, &calls[i]), 0);
	sem_post(&d.asked);
	assert_int_equal(pthread_join(thread, NULL), 0);
	sem_destroy(&d.asked);
	actor_start(1);
	tally_await(DYING_CALLS);
	actor_stop(1); /* What it has seen is its thread's until then. */
	assert_int_equal(tally.good, DYING_CALLS);
	for (unsigned i = 0; i < DYING_CALLS; i++)
		assert_int_equal(calls[i], 1);
	/* All but the one that was answered, under the same ids; and there were many in the last message. */
	assert_true(d.n_seen > 3);
	assert_int_equal(actors[1].n_seen, DYING_CALLS - 1);
	for (unsigned i = 1; i < d.n_seen; i++)
		assert_true(was_seen(d.seen[i], &actors[1]));
}

static void test_close_with_calls_out(void **state)
{
	static unsigned calls[32];

	(void)state;
	actor_start(0);
	open_client(60000, 32);
	echo_node_hold(&actors[0].node, true);
	tally_reset();
	memset(calls, 0, sizeof(calls));
	for (unsigned i = 0; i < 32; i++)
		assert_int_equal(cs_check_async(client, some_id, count, &calls[i]), 0);
	assert_int_equal(cs_check_async(client, some_id, count, &calls[0]), CS_E_OVERLOADED);
	echo_node_await(&actors[0].node, 2); /* The others wait for these. */
	cs_close(client);
	client = NULL;
	assert_int_equal(tally.n, 32);
	assert_int_equal(tally.last_code, CS_E_TIMEOUT);
	for (unsigned i = 0; i < 32; i++)
		assert_int_equal(calls[i], 1);
	echo_node_hold(&actors[0].node, false);
}

static void test_close_unconnected(void **state)
{
	static unsigned calls[8];

	(void)state;
	open_client(60000, 0);
	tally_reset();
	for (unsigned i = 0; i < 8; i++)
		assert_int_equal(cs_check_async(client, some_id, count, &calls[i]), 0);
	cs_close(client);
	client = NULL;
	assert_int_equal(tally.n, 8);
}

static void test_bad_files(void **state)
{
	struct cs_options o = {.cluster_file = "/nonexistent", .key_file = key_path, .skip_proof = true};
	cs_client *c;
	char error[256];

	(void)state;
	assert_int_equal(cs_open(&o, &c, error, sizeof(error)), CS_E_NOT_FOUND);
	assert_non_null(strstr(error, "/nonexistent"));
	o.cluster_file = cluster_path;
	o.key_file = "/nonexistent";
	assert_int_equal(cs_open(&o, &c, error, sizeof(error)), CS_E_NOT_FOUND);
	o.key_file = key_path;
	o.skip_proof = false; /* There is no trust policy. */
	assert_int_equal(cs_open(&o, &c, error, sizeof(error)), CS_E_NOT_FOUND);
	assert_non_null(strstr(error, trust_path));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test_setup_teardown(test_check, setup, teardown),
	        cmocka_unit_test_setup_teardown(test_many_async, setup, teardown),
	        cmocka_unit_test_setup_teardown(test_redirect, setup, teardown),
	        cmocka_unit_test_setup_teardown(test_silent_leader, setup, teardown),
	        cmocka_unit_test_setup_teardown(test_new_leader_at_once, setup, teardown),
	        cmocka_unit_test_setup_teardown(test_redirect_by_id, setup, teardown),
	        cmocka_unit_test_setup_teardown(test_same_id_elsewhere, setup, teardown),
	        cmocka_unit_test_setup_teardown(test_node_dies, setup, teardown),
	        cmocka_unit_test_setup_teardown(test_dropped_connections, setup, teardown),
	        cmocka_unit_test_setup_teardown(test_restarted_node, setup, teardown),
	        cmocka_unit_test_setup_teardown(test_session_forgotten, setup, teardown),
	        cmocka_unit_test_setup_teardown(test_timeout, setup, teardown),
	        cmocka_unit_test_setup_teardown(test_unreachable, setup, teardown),
	        cmocka_unit_test_setup_teardown(test_overloaded, setup, teardown),
	        cmocka_unit_test_setup_teardown(test_final_errors, setup, teardown),
	        cmocka_unit_test_setup_teardown(test_refused_after_unknown, setup, teardown),
	        cmocka_unit_test_setup_teardown(test_not_enrolled, setup, teardown),
	        cmocka_unit_test_setup_teardown(test_batches, setup, teardown),
	        cmocka_unit_test_setup_teardown(test_deadline_in_queue, setup, teardown),
	        cmocka_unit_test_setup_teardown(test_batch_errors, setup, teardown),
	        cmocka_unit_test_setup_teardown(test_node_dies_with_many, setup, teardown),
	        cmocka_unit_test_setup_teardown(test_close_with_calls_out, setup, teardown),
	        cmocka_unit_test_setup_teardown(test_close_unconnected, setup, teardown),
	        cmocka_unit_test_setup_teardown(test_bad_files, setup, teardown),
	};

	int failed = cmocka_run_group_tests_name("client", tests, NULL, NULL);
	nng_fini(); /* Waits for what nng frees on a thread of its own, so that a leak checker finds no leak. */
	return failed;
}
