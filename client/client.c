/* Opening and closing a client; error texts. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "client/client_internal.h"

#include <sodium.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "client/order.h"
#include "ledger/errors.h"
#include "node/wire/textfile.h"

#define CLOSE_MS_MAX       UINT64_C(10000) /* The longest that cs_close takes. */
#define TIMEOUT_MS_DEFAULT 5000
#define TRY_MS_FIRST       250 /* An election takes about as long. */
#define HANDSHAKE_MS       500
#define IN_FLIGHT_DEFAULT  1024
#define IN_FLIGHT_MAX      65536 /* Each takes an nng context for every node that it asks. */

/* The public codes are the wire's, number by number. */
#define SAME(name) _Static_assert((int)CS_E_##name == (int)CS_ERR_##name, "code " #name)
SAME(NOMEM);
SAME(MALFORMED);
SAME(TOO_LARGE);
SAME(UNAUTHENTICATED);
SAME(NOT_PERMITTED);
SAME(NOT_LEADER);
SAME(NO_QUORUM);
SAME(OVERLOADED);
SAME(TIMEOUT);
SAME(DISK_FULL);
SAME(DAMAGED);
SAME(NOT_FOUND);
SAME(ERASED);
SAME(IO);
SAME(INVALID);
SAME(REFUTED);
SAME(UNDECIDED);
SAME(CONFLICT);
SAME(EXPIRED);
SAME(EXISTS);
SAME(UNREACHABLE);
SAME(DIVERGED);
SAME(NOT_READY);
SAME(VERSION);

static _Thread_local char last_error[TEXT_SIZE];

const char *cs_strerror(int code)
{
	return code == CS_E_KEPT ? "the order was kept, and not sent" : err_text(code);
}

const char *cs_last_error(void)
{
	return last_error;
}

void last_error_set(const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	vsnprintf(last_error, sizeof(last_error), format, ap);
	va_end(ap);
}

const char *cs_verdict_text(int verdict)
{
	switch (verdict) {
	case CS_ALLOW:
		return "allow";
	case CS_STEP_UP:
		return "step_up";
	case CS_DEFER:
		return "defer";
	case CS_DENY:
		return "deny";
	default:
		return "unknown";
	}
}

uint64_t clock_mono_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * UINT64_C(1000000000) + (uint64_t)t.tv_nsec;
}

uint64_t clock_wall_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	return (uint64_t)t.tv_sec * UINT64_C(1000000000) + (uint64_t)t.tv_nsec;
}

int err_from_nng(int rv)
{
	switch (rv) {
	case 0:
		return CS_OK;
	case NNG_ENOMEM:
		return CS_ERR_NOMEM;
	case NNG_ETIMEDOUT:
		return CS_ERR_TIMEOUT;
	case NNG_EADDRINVAL:
	case NNG_EINVAL:
	case NNG_ENOTSUP:
		return CS_ERR_INVALID;
	case NNG_EMSGSIZE:
		return CS_ERR_TOO_LARGE;
	default:
		return CS_ERR_UNREACHABLE;
	}
}

void cs_request_id(uint8_t ret[16])
{
	wire_request_id(ret, clock_wall_ns() / NS_PER_MS);
}

static int files_read(cs_client *c, const struct cs_options *o, char *text)
{
	int err = cluster_file_read(o->cluster_file, &c->cluster, text);
	if (err == CS_OK)
		err = keyfile_read(o->key_file, &c->keys, text);
	if (err < 0)
		return err;
	if (!c->keys.has[KEY_CHANNEL]) {
		textfile_error(text, "%s: there is no channel key in it", o->key_file);
		return CS_ERR_INVALID;
	}
	err = channel_keypair_from_secret(&c->channel, c->keys.secret[KEY_CHANNEL]);
	/* Who does not check proofs needs no policy of trust. */
	return err < 0 || o->skip_proof ? err : trust_open(&c->trust, c->cluster.trust_path, text);
}

static int nodes_open(cs_client *c, char *text)
{
	for (unsigned i = 0; i < c->cluster.n_nodes; atomic_store(&c->n_nodes, ++i)) {
		struct node *n = &c->nodes[i];
		n->id = c->cluster.nodes[i].id;
		memcpy(n->url, c->cluster.nodes[i].url, sizeof(n->url));
		memcpy(n->channel_pub, c->cluster.nodes[i].channel_pub, sizeof(n->channel_pub));
		int err = node_open(n, c);
		if (err < 0) {
			textfile_error(text, "node %llu at %s: %s", (unsigned long long)n->id, n->url, err_text(err));
			return err;
		}
	}
	return CS_OK;
}

/* The reason, as the last error and for the caller. */
static int open_failed(int err, const char *text, char *error, size_t error_size)
{
	last_error_set("%s", text[0] == '\0' ? err_text(err) : text);
	if (error != NULL && error_size > 0)
		snprintf(error, error_size, "%s", cs_last_error());
	return err;
}

int cs_open(const struct cs_options *options, cs_client **ret, char *error, size_t error_size)
{
	char text[TEXTFILE_ERROR_SIZE] = "";

	if (options->cluster_file == NULL || options->key_file == NULL || options->in_flight_max > IN_FLIGHT_MAX ||
	    sodium_init() < 0)
		return open_failed(CS_E_INVALID, "cs_open: a cluster file and a key file are needed", error,
		                   error_size);
	cs_client *c = calloc(1, sizeof(*c));
	if (c == NULL)
		return open_failed(CS_E_NOMEM, "", error, error_size);
	pthread_mutex_init(&c->lock, NULL);
	pthread_cond_init(&c->changed, NULL);
	follow_open(c);
	c->timeout_ms = options->timeout_ms == 0 ? TIMEOUT_MS_DEFAULT : options->timeout_ms;
	c->in_flight_max = options->in_flight_max == 0 ? IN_FLIGHT_DEFAULT : options->in_flight_max;
	c->skip_proof = options->skip_proof;
	c->ordered = options->ordered;
	c->try_ms = TRY_MS_FIRST;
	c->handshake_ms = HANDSHAKE_MS;
	c->calls = calloc(c->in_flight_max, sizeof(struct call *));
	int err = c->calls == NULL ? CS_ERR_NOMEM : files_read(c, options, text);
	if (err == CS_OK)
		err = nodes_open(c, text);
	if (err == CS_OK) /* Clients that may ask anybody are not all to ask the same. */
		atomic_store(&c->nearby, randombytes_uniform(c->n_nodes));
	if (err < 0) {
		cs_close(c);
		return open_failed(err, text, error, error_size);
	}
	*ret = c;
	return CS_OK;
}

void cs_stop(cs_client *c)
{
	if (c->ended)
		return;
	/*
	 * Operations first, sockets last: nng 1.5.2 uses a socket's memory after nng_close when another thread is just
	 * then in a call on one of its contexts. A stopped aio ends what it does; nobody begins anything after.
	 * Calls that sleep wake up by themselves, soon.
	 */
	pthread_mutex_lock(&c->lock);
	atomic_store(&c->closing, true);
	unsigned n_calls = c->n_calls; /* No more are made. */
	pthread_mutex_unlock(&c->lock);
	atomic_store(&c->stopped, true);
	for (unsigned i = 0; i < c->n_nodes; i++)
		node_await(&c->nodes[i]);
	for (unsigned i = 0; i < n_calls; i++)
		nng_aio_stop(c->calls[i]->aio);
	if (c->follow.call != NULL) /* None is made once closing is set. */
		nng_aio_stop(c->follow.call->aio);
	for (unsigned i = 0; i < c->n_nodes; i++)
		node_stop(&c->nodes[i]);
	pthread_mutex_lock(&c->lock);
	while (c->n_out > 0)
		pthread_cond_wait(&c->changed, &c->lock);
	pthread_mutex_unlock(&c->lock);
	for (unsigned i = 0; i < c->n_nodes; i++)
		node_await(&c->nodes[i]);
	c->ended = true;
}

static void close_all(cs_client *c)
{
	cs_stop(c);
	for (unsigned i = 0; i < c->n_calls; i++)
		call_free(c->calls[i]);
	if (c->follow.call != NULL)
		call_free(c->follow.call);
	for (unsigned i = 0; i < c->n_nodes; i++)
		node_free(&c->nodes[i]);
	free(c->calls);
	trust_close(&c->trust);
	follow_close(c);
	orders_close(c);
	pthread_cond_destroy(&c->changed);
	pthread_mutex_destroy(&c->lock);
	sodium_memzero(c, sizeof(*c));
	free(c);
}

/* Whoever comes last frees it. */
struct closing {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	bool done, left;
	cs_client *client;
};

static void closing_free(struct closing *k)
{
	pthread_cond_destroy(&k->changed);
	pthread_mutex_destroy(&k->lock);
	free(k);
}

static void *close_run(void *arg)
{
	struct closing *k = arg;

	close_all(k->client);
	pthread_mutex_lock(&k->lock);
	bool left = k->left;
	k->done = true;
	pthread_cond_signal(&k->changed);
	pthread_mutex_unlock(&k->lock);
	if (left)
		closing_free(k);
	return NULL;
}

/*
 * nng may never give a socket back whose connection ended in the middle of a message (its issue 1636, in 1.5.2): then
 * what is left of the client is left to it, and nobody waits for ever.
 */
void cs_close(cs_client *c)
{
	struct closing *k = c == NULL ? NULL : calloc(1, sizeof(*k));
	pthread_condattr_t attr;
	pthread_t thread;

	if (c == NULL)
		return;
	if (k == NULL) {
		close_all(c);
		return;
	}
	k->client = c;
	pthread_mutex_init(&k->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&k->changed, &attr);
	pthread_condattr_destroy(&attr);
	if (pthread_create(&thread, NULL, close_run, k) != 0) {
		close_all(c);
		closing_free(k);
		return;
	}
	uint64_t end_ns = clock_mono_ns() + CLOSE_MS_MAX * NS_PER_MS;
	struct timespec until = {.tv_sec = (time_t)(end_ns / (1000 * NS_PER_MS)),
	                         .tv_nsec = (long)(end_ns % (1000 * NS_PER_MS))};
	pthread_mutex_lock(&k->lock);
	while (!k->done && pthread_cond_timedwait(&k->changed, &k->lock, &until) == 0)
		;
	bool done = k->done;
	k->left = !done;
	pthread_mutex_unlock(&k->lock);
	if (!done) {
		pthread_detach(thread);
		return;
	}
	pthread_join(thread, NULL);
	closing_free(k);
}
