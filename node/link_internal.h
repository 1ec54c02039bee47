/* What the halves of the link share: peers with their outgoing streams, incoming streams, buffers. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODE_LINK_INTERNAL_H
#define NODE_LINK_INTERNAL_H

#include "node/link.h"

/* On the stream: u32be length || channel frame. */
#define LINK_LENGTH_SIZE 4
#define LINK_EXTRA       (LINK_LENGTH_SIZE + CHANNEL_OVERHEAD)
#define LINK_POOLED_SIZE (LINK_EXTRA + 65536) /* Frames up to 64 KiB need no malloc once the pool is warm. */
#define LINK_POOL_MAX    32                   /* Buffers kept: 2 MiB. */

/* Sealed bytes on their way to the socket: one frame or, in the queue, several. */
struct link_buffer {
	uv_write_t req;
	struct link_buffer *next;
	size_t cap, start, end; /* bytes[start, end) are still to be written. */
	uint8_t bytes[];
};

/* Handshakes that may still be begun, in thousandths. */
struct link_bucket {
	uint64_t filled_ms;
	uint64_t milli;
};

enum link_out_state { LINK_WAITING, LINK_RESOLVING, LINK_CONNECTING, LINK_SHAKING, LINK_UP, LINK_CLOSING };

struct link_in;

/* A peer, and our stream to it. Freed when the link has dropped it and its handles and requests have ended. */
struct link_out {
	struct link *link;
	uint64_t id;
	char *host;
	uint16_t port;
	uint8_t pub[CHANNEL_KEY_SIZE];
	bool has_before; /* It may still connect with the key before that. */
	uint8_t before[CHANNEL_KEY_SIZE];

	unsigned n_refs; /* Handles and requests that are open, and the link's list. */
	bool gone;       /* Removed: nothing begins any more. */
	bool passive;
	enum link_out_state state;
	bool was_up;       /* CLOSING: the owner has yet to hear of it. */
	uint64_t retry_ms; /* The next pause. */
	unsigned attempts; /* Turns through the addresses that a name has. */
	unsigned key;      /* Turns through our own keys: which one the peer knows. */
	uv_timer_t timer;  /* WAITING: the pause. CONNECTING, SHAKING: the deadline. */
	uv_tcp_t tcp;      /* Open from CONNECTING on, until CLOSING ends. */
	uv_connect_t connect;
	uv_getaddrinfo_t resolve;
	struct sockaddr_storage address; /* Last connected to; ss_family 0: none yet. */
	struct channel_initiator handshake;
	struct channel_session session;
	uint8_t accept[LINK_LENGTH_SIZE + CHANNEL_ACCEPT_SIZE + 1]; /* Read so far; one byte more is one too many. */
	size_t n_accept;

	struct link_buffer *flying; /* With libuv. */
	struct link_buffer *first, *last;
	size_t queued; /* Bytes in flying and in the list. */

	struct link_in *in;           /* The peer's stream to us, or NULL. */
	uint64_t newest_timestamp_ns; /* Of the peer's handshakes; a later one must be above. */
	struct link_bucket bucket;
};

enum link_in_state { LINK_IN_INIT, LINK_IN_CONFIRM, LINK_IN_OPEN, LINK_IN_CLOSING };

/* A stream to us. */
struct link_in {
	struct link *link;
	struct link_in *next, **link_to_this; /* Newest first. */
	enum link_in_state state;
	unsigned n_handles;
	uv_tcp_t tcp;
	uv_timer_t timer; /* Until OPEN: the deadline. */
	struct link_out *peer;
	struct channel_session session;

	uint8_t *base; /* small, regular or large. */
	size_t cap, start, end;
	uint8_t *regular;                                    /* LINK_POOLED_SIZE bytes, from OPEN on. */
	uint8_t *large;                                      /* For one frame that is larger. */
	uint8_t small[LINK_LENGTH_SIZE + CHANNEL_INIT_SIZE]; /* All that a stranger costs. */
};

struct link {
	uv_loop_t *loop;
	uint64_t node_id;
	char origin[129]; /* LIMIT_ORIGIN_SIZE_MAX and NUL. */
	struct channel_keys keys;
	void (*recv)(void *ctx, uint64_t from, uint8_t *frame, size_t len);
	void (*state)(void *ctx, uint64_t peer, bool up);
	void *ctx;
	struct link_out *peers[LINK_SLOTS_MAX];
	unsigned n_peers;

	uv_tcp_t listener;
	struct link_in *ins;
	unsigned n_ins; /* Not CLOSING. */
	struct link_bucket strangers;
	uint64_t timestamp_ns; /* Last one sent in a handshake. */

	struct link_buffer *pool;
	unsigned n_pool;
	unsigned n_refs; /* libuv handles and requests that are open. */
	bool closing;
	void (*done)(void *ctx);
	void *done_ctx;
};

/* link.c */
void link_unref(struct link *l); /* A handle or request has ended; frees a closing link with the last. */
void link_socket_options(uv_tcp_t *tcp);
struct link_buffer *link_buffer_get(struct link *l, size_t size);
void link_buffer_put(struct link *l, struct link_buffer *b);

/* link_out.c */
int link_out_new(struct link *l, const struct link_peer *peer, struct link_out **ret);
void link_out_begin(struct link_out *p);
void link_out_hurry(struct link_out *p); /* The peer lives: connect now if we wait. */
bool link_out_send(struct link_out *p, const struct link_part *parts, unsigned n);
void link_out_anew(struct link_out *p); /* Its key is another one: the stream ends and begins again. */
void link_out_rest(struct link_out *p); /* It has become passive, or no longer is. */
void link_out_stop(struct link_out *p); /* Removed, or the link closes. The list's hold ends. */

/* link_in.c */
void link_in_accept(uv_stream_t *listener, int status); /* uv_connection_cb. */
void link_in_close(struct link_in *in);

#endif
