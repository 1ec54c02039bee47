/* The floor of the transport: an nng echo between two processes. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <inttypes.h>
#include <nng/nng.h>
#include <nng/protocol/reqrep0/rep.h>
#include <nng/protocol/reqrep0/req.h>
#include <nng/transport/tcp/tcp.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "bench/clock.h"
#include "bench/floor.h"
#include "bench/worker.h"

#define WARMUP     500
#define TIMEOUT_MS 10000

/* --- the worker: answers from nng's own callback, without a thread to wake --- */

struct echo {
	nng_aio *aio;
	nng_ctx ctx;
	int receiving;
};

static void echo_step(void *arg)
{
	struct echo *e = arg;

	if (nng_aio_result(e->aio)) {
		nng_ctx_recv(e->ctx, e->aio);
		e->receiving = 1;
		return;
	}
	e->receiving = !e->receiving;
	if (e->receiving)
		nng_ctx_recv(e->ctx, e->aio);
	else
		nng_ctx_send(e->ctx, e->aio); /* The message that was received is still the aio's. */
}

int floor_echo_worker(int argc, char **argv)
{
	struct echo e = {.receiving = 1};
	nng_socket s;
	nng_listener l;

	if (argc != 1)
		return WORKER_FAILED;
	if (nng_rep0_open(&s) || nng_listener_create(&l, s, argv[0]) ||
	    nng_listener_set_bool(l, NNG_OPT_TCP_NODELAY, true) || nng_ctx_open(&e.ctx, s) ||
	    nng_aio_alloc(&e.aio, echo_step, &e) || nng_listener_start(l, 0))
		return WORKER_FAILED;
	nng_ctx_recv(e.ctx, e.aio);
	if (write(STDOUT_FILENO, "+", 1) != 1)
		return WORKER_FAILED;
	for (;;)
		pause();
}

/* --- this side --- */

static int echo_once(nng_socket s, const uint8_t *bytes)
{
	nng_msg *m;
	int rv = nng_msg_alloc(&m, 0);

	if (rv)
		return rv;
	rv = nng_msg_append(m, bytes, FLOOR_MESSAGE_SIZE);
	if (!rv)
		rv = nng_sendmsg(s, m, 0);
	if (rv) {
		nng_msg_free(m);
		return rv;
	}
	rv = nng_recvmsg(s, &m, 0);
	if (rv)
		return rv;
	rv = nng_msg_len(m) == FLOOR_MESSAGE_SIZE && !memcmp(nng_msg_body(m), bytes, FLOOR_MESSAGE_SIZE) ? 0
	                                                                                                 : NNG_EPROTO;
	nng_msg_free(m);
	return rv;
}

static int measure(const char *url, unsigned n, struct histogram *ret)
{
	uint8_t bytes[FLOOR_MESSAGE_SIZE];
	nng_dialer d;
	nng_socket s;
	int rv = nng_req0_open(&s);

	if (rv)
		return rv;
	memset(bytes, 0x5a, sizeof bytes);
	rv = nng_socket_set_ms(s, NNG_OPT_RECVTIMEO, TIMEOUT_MS);
	if (!rv)
		rv = nng_socket_set_ms(s, NNG_OPT_REQ_RESENDTIME, NNG_DURATION_INFINITE);
	if (!rv)
		rv = nng_dialer_create(&d, s, url);
	if (!rv)
		rv = nng_dialer_set_bool(d, NNG_OPT_TCP_NODELAY, true);
	if (!rv)
		rv = nng_dialer_start(d, 0);
	for (unsigned i = 0; i < n + WARMUP && !rv; i++) {
		uint64_t begin = clock_ns();

		rv = echo_once(s, bytes);
		if (i >= WARMUP && !rv)
			histogram_add(ret, clock_ns() - begin);
	}
	nng_close(s);
	return rv;
}

int floor_echo(unsigned n, struct histogram *ret)
{
	char url[64], ready;
	const char *args[] = {"echo", url, NULL};
	struct worker w = {0};
	int err, rv;

	snprintf(url, sizeof url, "tcp://127.0.0.1:%" PRIu16, worker_free_port());
	err = worker_start(args, &w);
	if (!err)
		err = worker_read(&w, &ready, 1, TIMEOUT_MS);
	if (err) {
		fprintf(stderr, "countersign-bench: echo: %s\n", strerror(err));
		worker_stop(&w);
		return -1;
	}
	rv = measure(url, n, ret);
	if (rv)
		fprintf(stderr, "countersign-bench: echo: %s\n", nng_strerror(rv));
	worker_stop(&w);
	return rv ? -1 : 0;
}
