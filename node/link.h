/* Links between nodes: one TCP stream each way on the core's loop, the channel inside, bounded frames. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODE_LINK_H
#define NODE_LINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#include "node/wire/channel.h"

#define LINK_PEERS_MAX       6           /* Members beside this node. */
#define LINK_SLOTS_MAX       16          /* With those that were removed and may yet come back to be told so. */
#define LINK_FRAME_SIZE_MAX  (4u << 20)  /* Plain bytes of one frame; the guard cuts an AppendEntries below this. */
#define LINK_QUEUE_BYTES_MAX (16u << 20) /* Bytes waiting for a slow peer; above it frames are dropped. */
#define LINK_RETRY_MS_MIN    50          /* First pause before connecting again; doubles. */
#define LINK_RETRY_MS_MAX    1000
#define LINK_HANDSHAKE_MS    3000 /* From connect to a session, on either side. */
#define LINK_SILENCE_MS      5000 /* A peer that has vanished without a word is noticed after about this. */
/* Handshakes are counted before any DH: for each peer's address, and for all other addresses together. */
#define LINK_HANDSHAKES_PER_S     16
#define LINK_HANDSHAKES_BURST     32
#define LINK_INBOUND_MAX(n_peers) (2 * (n_peers) + 4) /* Open and half-open streams; the oldest half-open one goes. */

struct link_peer {
	uint64_t id;
	const char *host; /* Numeric address or name; resolved at each connect. */
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
	const struct link_peer *peers; /* Copied. At most LINK_PEERS_MAX. */
	unsigned n_peers;
	/*
	 * A frame from a peer: authenticated as node `from`, decrypted. Borrowed (and writable) for the call. Loop's
	 * thread.
	 */
	void (*recv)(void *ctx, uint64_t from, uint8_t *frame, size_t len);
	/*
	 * Our stream to the peer is ready for frames, or is gone. Never called from within link_send. Neither callback
	 * is called once link_close has been.
	 */
	void (*state)(void *ctx, uint64_t peer, bool up);
	void *ctx;
};

struct link;

/*
 * Listens and starts connecting (retry after 50 ms, doubling to 1 s, for ever; at once when the peer connects to us).
 * Loop's thread, as everything here. CS_ERR_INVALID: too many peers, or a bad origin; CS_ERR_UNREACHABLE: listen_host
 * is no address of ours; CS_ERR_EXISTS: the port is in use; CS_ERR_IO; CS_ERR_NOMEM. After an error the loop must still
 * run once, to close what was opened.
 */
int link_open(const struct link_options *o, struct link **ret);
/* The port that the link listens on: listen_port, or the one that the system chose if that is 0. */
uint16_t link_port(const struct link *l);
/* Closes every handle; the link is freed, and then `done` (or NULL) runs, once all are closed. */
void link_close(struct link *l, void (*done)(void *ctx), void *ctx);
/*
 * Seals and sends one frame made of n parts. Returns false if it was dropped: not connected, or the queue is full.
 * Tries to write at once (uv_try_write), so that a frame on an idle link costs no copy into a queue. True is no promise
 * of delivery. An empty frame arrives nowhere.
 */
struct link_part {
	const void *base;
	size_t len;
};
bool link_send(struct link *l, uint64_t to, const struct link_part *parts, unsigned n);
bool link_up(const struct link *l, uint64_t peer);

/*
 * Peers may change while the link is open; within recv and state too. Adding begins to connect: CS_ERR_EXISTS: one of
 * this id is there; CS_ERR_TOO_LARGE: LINK_SLOTS_MAX are; CS_ERR_INVALID: this node itself; CS_ERR_NOMEM.
 */
int link_add_peer(struct link *l, const struct link_peer *peer);
/* Ends its streams and forgets it; neither callback speaks of it any more. Nothing happens if it is not there. */
void link_remove_peer(struct link *l, uint64_t id);
/*
 * The peer has a new key: we connect to it anew, and its streams end that it opened by another one. before: the key
 * that it may still connect with (NULL: none). Nothing happens if both are as they were. CS_ERR_NOT_FOUND.
 */
int link_set_peer_key(struct link *l, uint64_t id, const uint8_t pub[CHANNEL_KEY_SIZE],
                      const uint8_t before[CHANNEL_KEY_SIZE]);
/*
 * Our own keys from now on (copied): the first is what we connect with, and the others in turn where a peer does not
 * take it. Streams that are up stay: the peers end them when they learn of the new key.
 */
void link_set_keys(struct link *l, const struct channel_keys *keys);
/* Where the next connection goes; a stream that is up stays. CS_ERR_NOT_FOUND, CS_ERR_NOMEM. */
int link_set_address(struct link *l, uint64_t id, const char *host, uint16_t port);
/* A passive peer is not connected to by us, unless it has just connected to us. */
void link_set_passive(struct link *l, uint64_t id, bool passive);

#endif
