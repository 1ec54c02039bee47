/* Links between nodes: one TCP stream each way on the core's loop, the channel inside, bounded frames. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODE_LINK_H
#define NODE_LINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#include "node/wire/channel.h"

#define LINK_PEERS_MAX 6
#define LINK_FRAME_SIZE_MAX (4u << 20)  /* Plain bytes of one frame; an AppendEntries is cut below this by the guard. */
#define LINK_QUEUE_BYTES_MAX (16u << 20) /* Bytes waiting for a slow peer; above it frames are dropped. */

struct link_peer {
	uint64_t id;
	const char *host;      /* Numeric address or name; resolved at each connect. */
	uint16_t port;
	uint8_t channel_pub[CHANNEL_KEY_SIZE];
};

struct link_options {
	uv_loop_t *loop;
	uint64_t node_id;
	const char *origin;
	const char *listen_host;
	uint16_t listen_port;
	struct channel_keypair keys;
	const struct link_peer *peers; /* Copied. */
	unsigned n_peers;
	/*
	 * A frame from a peer: authenticated as node `from`, decrypted. Borrowed (and writable) for the call. Loop's thread.
	 */
	void (*recv)(void *ctx, uint64_t from, uint8_t *frame, size_t len);
	/* Our stream to the peer is ready for frames, or is gone. */
	void (*state)(void *ctx, uint64_t peer, bool up);
	void *ctx;
};

struct link;

/* Listens and starts connecting (retry after 50 ms, doubling to 1 s, for ever). Loop's thread, as everything here. */
int link_open(const struct link_options *o, struct link **ret);
/* Closes every handle; `done` runs once all are closed, and then the link is freed. */
void link_close(struct link *l, void (*done)(void *ctx), void *ctx);
/*
 * Seals and sends one frame made of n parts. Returns false if it was dropped: not connected, or the queue is full. Tries to
 * write at once (uv_try_write), so that a frame on an idle link costs no copy into a queue.
 */
struct link_part {
	const void *base;
	size_t len;
};
bool link_send(struct link *l, uint64_t to, const struct link_part *parts, unsigned n);
bool link_up(const struct link *l, uint64_t peer);

#endif
