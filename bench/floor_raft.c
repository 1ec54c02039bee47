/* The floor of consensus: bare libraft commits one entry at a time between three processes. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <inttypes.h>
#include <raft.h>
#include <raft/uv.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <uv.h>

#include "bench/clock.h"
#include "bench/floor.h"
#include "bench/folder.h"
#include "bench/worker.h"

#define NODES            3
#define WARMUP           300
#define SEGMENT_SIZE     (64u << 20) /* As the product's: closing one stalls the loop, so let there be few. */
#define HEARTBEAT_MS     100
#define ELECTION_MS      300  /* Of node 1, which therefore leads … */
#define ELECTION_LATE_MS 5000 /* … before the others stir. */
#define NO_SNAPSHOTS     (1u << 30)
#define TIMEOUT_MS       20000

/* --- the worker: one node --- */

struct bare {
	struct uv_loop_s loop;
	struct raft_uv_transport transport;
	int (*listen)(struct raft_uv_transport *t, raft_uv_accept_cb cb);
	int (*connect)(struct raft_uv_transport *t, struct raft_uv_connect *req, raft_id id, const char *address,
	               raft_uv_connect_cb cb);
	raft_uv_accept_cb accepted;
	raft_uv_connect_cb connected;
	struct raft_io io;
	struct raft_fsm fsm;
	struct raft raft;
	struct uv_prepare_s prepare;
	struct raft_apply apply;
	bool applying;
	unsigned left;
	uint64_t begin;
};
static struct bare bare;

/* raft_uv's TCP leaves Nagle's algorithm on, which adds 40 ms now and then: the floor must not be that. */
static void accepted(struct raft_uv_transport *t, raft_id id, const char *address, struct uv_stream_s *stream)
{
	uv_tcp_nodelay((uv_tcp_t *)stream, 1);
	bare.accepted(t, id, address, stream);
}

static void connected(struct raft_uv_connect *req, struct uv_stream_s *stream, int status)
{
	if (status == 0)
		uv_tcp_nodelay((uv_tcp_t *)stream, 1);
	bare.connected(req, stream, status);
}

static int listen_nodelay(struct raft_uv_transport *t, raft_uv_accept_cb cb)
{
	bare.accepted = cb;
	return bare.listen(t, accepted);
}

static int connect_nodelay(struct raft_uv_transport *t, struct raft_uv_connect *req, raft_id id, const char *address,
                           raft_uv_connect_cb cb)
{
	bare.connected = cb;
	return bare.connect(t, req, id, address, connected);
}

static int fsm_apply(struct raft_fsm *fsm, const struct raft_buffer *buf, void **result)
{
	(void)fsm;
	(void)buf;
	*result = NULL;
	return 0;
}

static int fsm_snapshot(struct raft_fsm *fsm, struct raft_buffer *bufs[], unsigned *n)
{
	(void)fsm;
	(void)bufs;
	(void)n;
	return RAFT_BUSY; /* None is ever wanted. */
}

static int fsm_restore(struct raft_fsm *fsm, struct raft_buffer *buf)
{
	(void)fsm;
	(void)buf;
	return RAFT_INVALID;
}

static void committed(struct raft_apply *req, int status, void *result)
{
	uint64_t took = clock_ns() - bare.begin;

	(void)req;
	(void)result;
	if (status != 0 || write(STDOUT_FILENO, &took, sizeof took) != sizeof took)
		_exit(WORKER_FAILED);
	bare.applying = false;
	bare.left--;
}

/* Before each wait for events: libraft must not be entered again out of its own callback. */
static void propose(struct uv_prepare_s *handle)
{
	struct raft_buffer buf = {.len = FLOOR_MESSAGE_SIZE};

	(void)handle;
	if (bare.applying || bare.left == 0 || raft_state(&bare.raft) != RAFT_LEADER)
		return;
	buf.base = raft_malloc(buf.len);
	if (!buf.base)
		_exit(WORKER_FAILED);
	memset(buf.base, 0x5a, buf.len);
	bare.begin = clock_ns();
	bare.applying = true;
	if (raft_apply(&bare.raft, &bare.apply, &buf, 1, committed))
		_exit(WORKER_FAILED);
}

static int bootstrap(char **addresses)
{
	struct raft_configuration c;
	int rv = 0;

	raft_configuration_init(&c);
	for (unsigned i = 0; i < NODES && !rv; i++)
		rv = raft_configuration_add(&c, i + 1, addresses[i], RAFT_VOTER);
	if (!rv)
		rv = raft_bootstrap(&bare.raft, &c);
	raft_configuration_close(&c);
	return rv;
}

static int open_node(raft_id id, const char *folder, char **addresses)
{
	int rv = uv_loop_init(&bare.loop);

	if (!rv)
		rv = raft_uv_tcp_init(&bare.transport, &bare.loop);
	if (rv)
		return rv;
	bare.listen = bare.transport.listen;
	bare.connect = bare.transport.connect;
	bare.transport.listen = listen_nodelay;
	bare.transport.connect = connect_nodelay;
	rv = raft_uv_init(&bare.io, &bare.loop, folder, &bare.transport);
	if (rv)
		return rv;
	raft_uv_set_segment_size(&bare.io, SEGMENT_SIZE);
	raft_uv_set_connect_retry_delay(&bare.io, HEARTBEAT_MS);
	bare.fsm =
	        (struct raft_fsm){.version = 1, .apply = fsm_apply, .snapshot = fsm_snapshot, .restore = fsm_restore};
	rv = raft_init(&bare.raft, &bare.io, &bare.fsm, id, addresses[id - 1]);
	if (rv)
		return rv;
	raft_set_election_timeout(&bare.raft, id == 1 ? ELECTION_MS : ELECTION_LATE_MS);
	raft_set_heartbeat_timeout(&bare.raft, HEARTBEAT_MS);
	raft_set_snapshot_threshold(&bare.raft, NO_SNAPSHOTS);
	rv = bootstrap(addresses);
	return rv ? rv : raft_start(&bare.raft);
}

/* ID FOLDER N ADDRESS… */
int floor_raft_worker(int argc, char **argv)
{
	int rv;

	if (argc != 3 + NODES)
		return WORKER_FAILED;
	bare.left = (unsigned)strtoul(argv[2], NULL, 10);
	rv = open_node(strtoull(argv[0], NULL, 10), argv[1], argv + 3);
	if (rv) {
		fprintf(stderr, "countersign-bench: libraft: %s %s\n", raft_strerror(rv), bare.raft.errmsg);
		return WORKER_FAILED;
	}
	uv_prepare_init(&bare.loop, &bare.prepare);
	uv_prepare_start(&bare.prepare, propose);
	return uv_run(&bare.loop, UV_RUN_DEFAULT);
}

/* --- this side --- */

static int start(const char *folder, const char *count, struct worker workers[NODES])
{
	char ids[NODES][16], folders[NODES][FOLDER_PATH_SIZE], addresses[NODES][32];
	int err = 0;

	for (unsigned i = 0; i < NODES; i++)
		snprintf(addresses[i], sizeof addresses[i], "127.0.0.1:%" PRIu16, worker_free_port());
	for (unsigned i = NODES; i-- > 0 && !err;) {
		const char *args[] = {"raft",       ids[i],       folders[i],   count,
		                      addresses[0], addresses[1], addresses[2], NULL};

		snprintf(ids[i], sizeof ids[i], "%u", i + 1);
		err = folder_make(folder, folders[i]);
		if (!err)
			err = worker_start(args, &workers[i]);
	}
	return err;
}

static int measure(const struct worker *leader, unsigned n, struct histogram *ret)
{
	int err = 0;

	for (unsigned i = 0; i < n + WARMUP && !err; i++) {
		uint64_t took;

		err = worker_read(leader, &took, sizeof took, TIMEOUT_MS);
		if (!err && i >= WARMUP)
			histogram_add(ret, took);
	}
	return err;
}

int floor_raft(const char *folder, unsigned n, struct histogram *ret)
{
	struct worker workers[NODES] = {{0}};
	char count[16], own[FOLDER_PATH_SIZE];
	int err = folder_make(folder, own);

	snprintf(count, sizeof count, "%u", n + WARMUP);
	if (!err) {
		err = start(own, count, workers);
		if (!err)
			err = measure(&workers[0], n, ret);
		for (unsigned i = 0; i < NODES; i++)
			worker_stop(&workers[i]);
		folder_remove(own);
	}
	if (err)
		fprintf(stderr, "countersign-bench: bare libraft: %s\n", strerror(err));
	return err ? -1 : 0;
}
