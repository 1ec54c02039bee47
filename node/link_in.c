/* Streams to us: a handshake with a known peer within bounds, then its frames, opened in place and handed on. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <assert.h>
#include <netinet/in.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "ledger/bytes.h"
#include "node/link_internal.h"

/* An address without its port; IPv4 as IPv6 writes it (RFC 4291, 2.5.5.2), since a socket for both shows it so. */
static struct in6_addr host_of(const struct sockaddr_storage *a)
{
	struct in6_addr ret = {.s6_addr = {[10] = 0xff, [11] = 0xff}};

	if (a->ss_family == AF_INET6)
		ret = ((const struct sockaddr_in6 *)a)->sin6_addr;
	else if (a->ss_family == AF_INET)
		memcpy(ret.s6_addr + 12, &((const struct sockaddr_in *)a)->sin_addr, 4);
	return ret;
}

static bool same_host(const struct sockaddr_storage *a, const struct sockaddr_storage *b)
{
	struct in6_addr x = host_of(a), y = host_of(b);

	return a->ss_family != AF_UNSPEC && b->ss_family != AF_UNSPEC && memcmp(&x, &y, sizeof x) == 0;
}

/* The bucket that pays for a handshake: strangers' floods do not keep a peer at its usual address out. */
static struct link_bucket *bucket_of(struct link_in *in)
{
	struct link *l = in->link;
	struct sockaddr_storage a;
	int len = sizeof a;

	memset(&a, 0, sizeof a);
	if (uv_tcp_getpeername(&in->tcp, (struct sockaddr *)&a, &len) == 0)
		for (unsigned i = 0; i < l->n_peers; i++)
			if (same_host(&a, &l->peers[i]->address))
				return &l->peers[i]->bucket;
	return &l->strangers;
}

static bool bucket_take(struct link_bucket *b, uint64_t now_ms)
{
	b->milli += (now_ms - b->filled_ms) * LINK_HANDSHAKES_PER_S;
	b->filled_ms = now_ms;
	if (b->milli > LINK_HANDSHAKES_BURST * 1000)
		b->milli = LINK_HANDSHAKES_BURST * 1000;
	if (b->milli < 1000)
		return false;
	b->milli -= 1000;
	return true;
}

static void on_closed(uv_handle_t *h)
{
	struct link_in *in = h->data;
	struct link *l = in->link;

	if (--in->n_handles == 0) {
		*in->link_to_this = in->next;
		if (in->next != NULL)
			in->next->link_to_this = in->link_to_this;
		free(in->regular);
		free(in->large);
		free(in);
	}
	link_unref(l);
}

void link_in_close(struct link_in *in)
{
	if (in->state == LINK_IN_CLOSING)
		return;
	if (in->peer != NULL && in->peer->in == in)
		in->peer->in = NULL;
	in->state = LINK_IN_CLOSING;
	in->link->n_ins--;
	channel_session_wipe(&in->session);
	uv_close((uv_handle_t *)&in->tcp, on_closed);
	uv_close((uv_handle_t *)&in->timer, on_closed);
}

static void on_deadline(uv_timer_t *t)
{
	link_in_close(t->data);
}

static struct link_out *peer_of_key(struct link *l, const uint8_t *pub)
{
	for (unsigned i = 0; i < l->n_peers; i++)
		if (sodium_memcmp(l->peers[i]->pub, pub, CHANNEL_KEY_SIZE) == 0 ||
		    (l->peers[i]->has_before && sodium_memcmp(l->peers[i]->before, pub, CHANNEL_KEY_SIZE) == 0))
			return l->peers[i];
	return NULL;
}

static bool send_accept(struct link_in *in, struct channel_responder *hs)
{
	uint8_t bytes[LINK_LENGTH_SIZE + CHANNEL_ACCEPT_SIZE];
	uv_buf_t buf = uv_buf_init((char *)bytes, sizeof bytes);
	uint64_t id;

	randombytes_buf(&id, sizeof id);
	put_u32be(bytes, CHANNEL_ACCEPT_SIZE);
	return channel_accept(hs, id, uv_hrtime(), bytes + LINK_LENGTH_SIZE, &in->session) == 0 &&
	       uv_try_write((uv_stream_t *)&in->tcp, &buf, 1) == (int)sizeof bytes;
}

/* INIT. In the order of what it costs: the bucket, the DHs, whose key it is, whether it is new. */
static bool take_init(struct link_in *in, const uint8_t *frame, size_t len)
{
	struct link *l = in->link;
	struct channel_responder hs;
	struct link_out *p;

	if (!bucket_take(bucket_of(in), uv_now(l->loop)) ||
	    channel_respond_any(&hs, &l->keys, CHANNEL_NODE, l->node_id, l->origin, frame, len) != 0)
		return false;
	p = peer_of_key(l, hs.peer);
	if (p == NULL || hs.timestamp_ns <= p->newest_timestamp_ns) {
		channel_responder_wipe(&hs);
		return false;
	}
	p->newest_timestamp_ns = hs.timestamp_ns;
	in->peer = p;
	in->state = LINK_IN_CONFIRM;
	return send_accept(in, &hs);
}

/* The session counts from here on, and takes the place of the peer's older stream. */
static void confirmed(struct link_in *in)
{
	struct link_out *p = in->peer;

	uv_timer_stop(&in->timer);
	in->state = LINK_IN_OPEN;
	if (p->in != NULL)
		link_in_close(p->in);
	p->in = in;
	link_out_hurry(p);
}

static bool take_data(struct link_in *in, uint8_t *frame, size_t len)
{
	struct link *l = in->link;
	uint8_t *plain;
	size_t plain_len;

	if (channel_open(&in->session, NULL, frame, len, &plain, &plain_len) != 0)
		return false;
	if (in->state == LINK_IN_CONFIRM)
		confirmed(in);
	else if (plain_len > 0)
		l->recv(l->ctx, in->peer->id, plain, plain_len);
	return true;
}

/* Only an open stream may name lengths; before, each frame has the one that it must have. */
static bool length_allowed(const struct link_in *in, size_t len)
{
	switch (in->state) {
	case LINK_IN_INIT:
		return len == CHANNEL_INIT_SIZE;
	case LINK_IN_CONFIRM:
		return len == CHANNEL_OVERHEAD;
	default:
		return len >= CHANNEL_OVERHEAD && len <= LINK_FRAME_SIZE_MAX + CHANNEL_OVERHEAD;
	}
}

/* Moves what is unread into a buffer of this size. */
static void move_to(struct link_in *in, uint8_t *base, size_t cap)
{
	memmove(base, in->base + in->start, in->end - in->start);
	in->end -= in->start;
	in->start = 0;
	in->base = base;
	in->cap = cap;
}

/* Makes room for a frame of this size, as it lies or moved; false: out of memory. */
static bool make_room(struct link_in *in, size_t size)
{
	if (in->state == LINK_IN_OPEN && in->regular == NULL) {
		in->regular = malloc(LINK_POOLED_SIZE);
		if (in->regular == NULL)
			return false;
		move_to(in, in->regular, LINK_POOLED_SIZE);
	}
	if (in->start == in->end && in->large != NULL) {
		move_to(in, in->regular, LINK_POOLED_SIZE);
		free(in->large);
		in->large = NULL;
	}
	if (size > in->cap) { /* Checked by length_allowed; holds this one frame, to its last byte. */
		in->large = malloc(size);
		if (in->large == NULL)
			return false;
		move_to(in, in->large, size);
	} else if (in->start == in->end || size > in->cap - in->start) {
		move_to(in, in->base, in->cap);
	}
	return true;
}

static bool parse(struct link_in *in)
{
	size_t size = LINK_LENGTH_SIZE;

	while (in->end - in->start >= size) {
		uint8_t *frame = in->base + in->start + LINK_LENGTH_SIZE;
		size_t len = get_u32be(frame - LINK_LENGTH_SIZE);

		if (!length_allowed(in, len))
			return false;
		size = LINK_LENGTH_SIZE + len;
		if (in->end - in->start < size)
			break;
		in->start += size;
		if (in->state == LINK_IN_INIT ? !take_init(in, frame, len) : !take_data(in, frame, len))
			return false;
		if (in->state == LINK_IN_CLOSING) /* The owner closed the link in recv. */
			return true;
		size = LINK_LENGTH_SIZE;
	}
	return make_room(in, size);
}

static void on_alloc(uv_handle_t *h, size_t suggested, uv_buf_t *ret)
{
	struct link_in *in = h->data;

	(void)suggested;
	*ret = uv_buf_init((char *)in->base + in->end, (unsigned)(in->cap - in->end));
}

static void on_read(uv_stream_t *s, ssize_t n, const uv_buf_t *buf)
{
	struct link_in *in = s->data;

	(void)buf;
	if (n > 0)
		in->end += (size_t)n;
	if (n < 0 || !parse(in))
		link_in_close(in);
}

static struct link_in *new_in(struct link *l)
{
	struct link_in *in = calloc(1, sizeof *in);

	if (in == NULL)
		return NULL;
	if (uv_tcp_init(l->loop, &in->tcp) != 0) {
		free(in);
		return NULL;
	}
	(void)uv_timer_init(l->loop, &in->timer); /* Cannot fail (libuv 1.x). */
	in->n_handles = 2;
	l->n_refs += 2;
	in->link = l;
	in->tcp.data = in->timer.data = in;
	in->base = in->small;
	in->cap = sizeof in->small;
	in->next = l->ins;
	in->link_to_this = &l->ins;
	if (in->next != NULL)
		in->next->link_to_this = &in->next;
	l->ins = in;
	l->n_ins++;
	return in;
}

/* When all places are taken, the oldest stream that has not proved anything goes. */
static void limit_streams(struct link *l)
{
	struct link_in *oldest = NULL;

	if (l->n_ins <= LINK_INBOUND_MAX(l->n_peers))
		return;
	for (struct link_in *in = l->ins; in != NULL; in = in->next)
		if (in->state == LINK_IN_INIT || in->state == LINK_IN_CONFIRM)
			oldest = in;
	assert(oldest != NULL); /* Open ones are at most one a peer. */
	link_in_close(oldest);
}

void link_in_accept(uv_stream_t *listener, int status)
{
	struct link *l = listener->data;
	struct link_in *in;

	if (status != 0 || l->closing)
		return;
	in = new_in(l);
	if (in == NULL)
		return;
	if (uv_accept(listener, (uv_stream_t *)&in->tcp) != 0 ||
	    uv_timer_start(&in->timer, on_deadline, LINK_HANDSHAKE_MS, 0) != 0 ||
	    uv_read_start((uv_stream_t *)&in->tcp, on_alloc, on_read) != 0) {
		link_in_close(in);
		return;
	}
	link_socket_options(&in->tcp);
	limit_streams(l);
}
