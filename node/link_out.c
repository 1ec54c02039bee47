/* Our stream to one peer: connect, handshake, seal and send, queue what the socket does not take, connect again. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <assert.h>
#include <netinet/in.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "ledger/bytes.h"
#include "node/link_internal.h"

#define NS_PER_S UINT64_C(1000000000)

static void begin_connect(struct link_out *p, const struct sockaddr *address);

int link_out_new(struct link *l, const struct link_peer *peer, struct link_out **ret)
{
	struct link_out *p;

	if (peer->id == 0 || peer->id == l->node_id)
		return CS_ERR_INVALID;
	p = calloc(1, sizeof *p);
	if (p == NULL)
		return CS_ERR_NOMEM;
	p->host = strdup(peer->host);
	if (p->host == NULL || uv_timer_init(l->loop, &p->timer) != 0) {
		free(p->host);
		free(p);
		return CS_ERR_NOMEM;
	}
	l->n_refs++;
	p->n_refs = 2; /* The timer, the list. */
	p->timer.data = p->tcp.data = p->connect.data = p->resolve.data = p;
	p->link = l;
	p->id = peer->id;
	p->port = peer->port;
	memcpy(p->pub, peer->channel_pub, sizeof p->pub);
	p->state = LINK_WAITING;
	p->retry_ms = LINK_RETRY_MS_MIN;
	*ret = p;
	return 0;
}

static void drop_ref(struct link_out *p)
{
	if (--p->n_refs > 0)
		return;
	assert(p->flying == NULL && p->first == NULL && p->in == NULL);
	free(p->host);
	free(p);
}

/* A handle or request has ended. */
static void ended(struct link_out *p)
{
	struct link *l = p->link;

	drop_ref(p);
	link_unref(l);
}

static void drop_queue(struct link_out *p)
{
	while (p->first != NULL) {
		struct link_buffer *b = p->first;

		p->first = b->next;
		p->queued -= b->end - b->start;
		link_buffer_put(p->link, b);
	}
	p->last = NULL;
}

static void on_retry(uv_timer_t *t)
{
	link_out_begin(t->data);
}

/* Pauses before the next attempt; each pause is twice the one before. */
static void wait_to_retry(struct link_out *p)
{
	p->state = LINK_WAITING;
	if (p->passive)
		return;
	uv_timer_start(&p->timer, on_retry, p->retry_ms, 0);
	p->retry_ms = p->retry_ms == 0 ? LINK_RETRY_MS_MIN : 2 * p->retry_ms;
	if (p->retry_ms > LINK_RETRY_MS_MAX)
		p->retry_ms = LINK_RETRY_MS_MAX;
}

static void on_closed(uv_handle_t *h)
{
	struct link_out *p = h->data;
	struct link *l = p->link;
	bool was_up = p->was_up;

	p->was_up = false;
	if (!p->gone) {
		wait_to_retry(p);
		if (was_up && l->state != NULL)
			l->state(l->ctx, p->id, false);
	}
	ended(p);
}

/* Gives the stream up; on_closed goes on. */
static void end_stream(struct link_out *p)
{
	assert(p->state == LINK_CONNECTING || p->state == LINK_SHAKING || p->state == LINK_UP);
	p->was_up = p->state == LINK_UP;
	if (p->state == LINK_SHAKING)
		p->key++;
	p->state = LINK_CLOSING;
	channel_initiator_wipe(&p->handshake);
	channel_session_wipe(&p->session);
	drop_queue(p);
	if (!p->gone)
		uv_timer_stop(&p->timer);
	uv_close((uv_handle_t *)&p->tcp, on_closed);
}

static void on_deadline(uv_timer_t *t)
{
	end_stream(t->data);
}

static void on_timer_closed(uv_handle_t *h)
{
	ended(h->data);
}

void link_out_anew(struct link_out *p)
{
	p->retry_ms = 0;
	p->key = 0;
	if (p->state == LINK_CONNECTING || p->state == LINK_SHAKING || p->state == LINK_UP)
		end_stream(p);
}

void link_out_rest(struct link_out *p)
{
	if (p->state != LINK_WAITING)
		return;
	uv_timer_stop(&p->timer);
	wait_to_retry(p);
}

void link_out_stop(struct link_out *p)
{
	p->gone = true;
	if (p->state == LINK_RESOLVING)
		(void)uv_cancel((uv_req_t *)&p->resolve); /* Too late: on_resolved comes all the same. */
	else if (p->state != LINK_WAITING && p->state != LINK_CLOSING)
		end_stream(p);
	uv_close((uv_handle_t *)&p->timer, on_timer_closed);
	drop_ref(p);
}

void link_out_hurry(struct link_out *p)
{
	p->retry_ms = LINK_RETRY_MS_MIN;
	if (p->state == LINK_WAITING)
		uv_timer_start(&p->timer, on_retry, 0, 0);
}

static void on_resolved(uv_getaddrinfo_t *req, int status, struct addrinfo *found)
{
	struct link_out *p = req->data;
	unsigned n = 0, k;

	if (!p->gone) {
		for (const struct addrinfo *a = found; a != NULL; a = a->ai_next)
			n++;
		k = n > 0 ? p->attempts++ % n : 0;
		for (const struct addrinfo *a = found; a != NULL; a = a->ai_next)
			if (k-- == 0)
				begin_connect(p, a->ai_addr);
		if (status != 0 || n == 0)
			wait_to_retry(p);
	}
	uv_freeaddrinfo(found);
	ended(p);
}

void link_out_begin(struct link_out *p)
{
	const struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV};
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
	char service[8];

	if (uv_ip4_addr(p->host, p->port, &v4) == 0) {
		begin_connect(p, (const struct sockaddr *)&v4);
		return;
	}
	if (uv_ip6_addr(p->host, p->port, &v6) == 0) {
		begin_connect(p, (const struct sockaddr *)&v6);
		return;
	}
	snprintf(service, sizeof service, "%u", p->port);
	if (uv_getaddrinfo(p->link->loop, &p->resolve, on_resolved, p->host, service, &hints) != 0) {
		wait_to_retry(p);
		return;
	}
	p->link->n_refs++;
	p->n_refs++;
	p->state = LINK_RESOLVING;
}

/* Wall clock, made strictly increasing: the responder drops a handshake whose time is not above the last one's. */
static uint64_t next_timestamp(struct link *l)
{
	struct timespec ts;
	uint64_t now_ns;

	clock_gettime(CLOCK_REALTIME, &ts);
	now_ns = (uint64_t)ts.tv_sec * NS_PER_S + (uint64_t)ts.tv_nsec;
	l->timestamp_ns = now_ns > l->timestamp_ns ? now_ns : l->timestamp_ns + 1;
	return l->timestamp_ns;
}

/* One small write on a fresh socket, which always has room for it. */
static bool write_small(uv_tcp_t *tcp, uint8_t *bytes, size_t len)
{
	uv_buf_t buf = uv_buf_init((char *)bytes, (unsigned)len);

	return uv_try_write((uv_stream_t *)tcp, &buf, 1) == (int)len;
}

static void on_alloc(uv_handle_t *h, size_t suggested, uv_buf_t *ret)
{
	struct link_out *p = h->data;

	(void)suggested;
	*ret = uv_buf_init((char *)p->accept + p->n_accept, (unsigned)(sizeof p->accept - p->n_accept));
}

static void come_up(struct link_out *p)
{
	struct link *l = p->link;

	if (get_u32be(p->accept) != CHANNEL_ACCEPT_SIZE ||
	    channel_finish(&p->handshake, p->accept + LINK_LENGTH_SIZE, CHANNEL_ACCEPT_SIZE, uv_hrtime(),
	                   &p->session) != 0) {
		end_stream(p);
		return;
	}
	uv_timer_stop(&p->timer);
	p->state = LINK_UP;
	p->retry_ms = LINK_RETRY_MS_MIN;
	/* The empty frame confirms the session to the responder, which counts none before a valid transport message. */
	if (!link_out_send(p, NULL, 0))
		p->was_up = false; /* Nobody has heard that it was. */
	else if (l->state != NULL)
		l->state(l->ctx, p->id, true);
}

/* ACCEPT, and then nothing: the peer's frames come on a stream of its own. */
static void on_read(uv_stream_t *s, ssize_t n, const uv_buf_t *buf)
{
	struct link_out *p = s->data;

	(void)buf;
	if (n == 0)
		return;
	if (n > 0)
		p->n_accept += (size_t)n;
	if (n < 0 || p->n_accept == sizeof p->accept)
		end_stream(p);
	else if (p->n_accept == LINK_LENGTH_SIZE + CHANNEL_ACCEPT_SIZE)
		come_up(p);
}

static void on_connected(uv_connect_t *req, int status)
{
	uint8_t bytes[LINK_LENGTH_SIZE + CHANNEL_INIT_SIZE];
	struct link_out *p = req->data;
	struct link *l = p->link;

	if (p->state != LINK_CONNECTING) /* Closed meanwhile. */
		return;
	link_socket_options(&p->tcp);
	p->n_accept = 0;
	put_u32be(bytes, CHANNEL_INIT_SIZE);
	if (status != 0 ||
	    channel_initiate(&p->handshake, &l->keys.list[p->key % l->keys.n], p->pub, CHANNEL_NODE, p->id, l->origin,
	                     next_timestamp(l), bytes + LINK_LENGTH_SIZE) != 0 ||
	    !write_small(&p->tcp, bytes, sizeof bytes) ||
	    uv_read_start((uv_stream_t *)&p->tcp, on_alloc, on_read) != 0) {
		end_stream(p);
		return;
	}
	p->state = LINK_SHAKING;
}

static void begin_connect(struct link_out *p, const struct sockaddr *address)
{
	size_t len = address->sa_family == AF_INET6 ? sizeof(struct sockaddr_in6) : sizeof(struct sockaddr_in);

	if (uv_tcp_init(p->link->loop, &p->tcp) != 0) {
		wait_to_retry(p);
		return;
	}
	p->link->n_refs++;
	p->n_refs++;
	memcpy(&p->address, address, len);
	p->state = LINK_CONNECTING;
	uv_timer_start(&p->timer, on_deadline, LINK_HANDSHAKE_MS, 0);
	if (uv_tcp_connect(&p->connect, &p->tcp, address, on_connected) != 0)
		end_stream(p);
}

static void on_written(uv_write_t *req, int status);

/* Hands the next buffer to libuv; one is in flight at a time, and meanwhile frames gather in the next. */
static void fly(struct link_out *p, struct link_buffer *b)
{
	uv_buf_t buf = uv_buf_init((char *)b->bytes + b->start, (unsigned)(b->end - b->start));

	b->req.data = p;
	p->flying = b;
	if (uv_write(&b->req, (uv_stream_t *)&p->tcp, &buf, 1, on_written) != 0) {
		p->flying = NULL;
		p->queued -= b->end - b->start;
		link_buffer_put(p->link, b);
		end_stream(p);
	}
}

static void on_written(uv_write_t *req, int status)
{
	struct link_out *p = req->data;
	struct link_buffer *b = p->flying, *next;

	p->flying = NULL;
	p->queued -= b->end - b->start;
	link_buffer_put(p->link, b);
	if (p->state != LINK_UP)
		return;
	next = p->first;
	if (status != 0) {
		end_stream(p);
	} else if (next != NULL) {
		p->first = next->next;
		if (p->first == NULL)
			p->last = NULL;
		fly(p, next);
	}
}

/* Length, header, parts, tag: sealed in place behind what the buffer holds. */
static int seal_into(struct link_out *p, struct link_buffer *b, const struct link_part *parts, unsigned n, size_t len)
{
	uint8_t *frame = b->bytes + b->end + LINK_LENGTH_SIZE, *plain = frame + CHANNEL_DATA_HEADER_SIZE, *at = plain;
	int rv;

	for (unsigned i = 0; i < n; i++) {
		if (parts[i].len > 0)
			memcpy(at, parts[i].base, parts[i].len);
		at += parts[i].len;
	}
	rv = channel_seal(&p->session, NULL, plain, len, frame);
	if (rv != 0)
		return rv;
	put_u32be(frame - LINK_LENGTH_SIZE, (uint32_t)(len + CHANNEL_OVERHEAD));
	b->end += LINK_EXTRA + len;
	p->queued += LINK_EXTRA + len;
	return 0;
}

/* On an idle stream: straight to the socket; what it does not take at once flies. */
static bool write_now(struct link_out *p, struct link_buffer *b)
{
	uv_buf_t buf = uv_buf_init((char *)b->bytes, (unsigned)b->end);
	int n = uv_try_write((uv_stream_t *)&p->tcp, &buf, 1);

	if (n == UV_EAGAIN)
		n = 0;
	if (n >= 0) {
		b->start = (size_t)n;
		p->queued -= (size_t)n;
		if (b->start < b->end) {
			fly(p, b);
			return p->state == LINK_UP;
		}
	}
	p->queued -= b->end - b->start;
	link_buffer_put(p->link, b);
	if (n < 0)
		end_stream(p);
	return n >= 0;
}

static void enqueue(struct link_out *p, struct link_buffer *b)
{
	if (p->last != NULL)
		p->last->next = b;
	else
		p->first = b;
	p->last = b;
}

bool link_out_send(struct link_out *p, const struct link_part *parts, unsigned n)
{
	struct link_buffer *b = p->last;
	size_t len = 0;

	if (p->state != LINK_UP)
		return false;
	for (unsigned i = 0; i < n; i++) {
		if (parts[i].len > LINK_FRAME_SIZE_MAX - len)
			return false;
		len += parts[i].len;
	}
	if (p->queued + LINK_EXTRA + len > LINK_QUEUE_BYTES_MAX)
		return false;
	if (b == NULL || b->cap - b->end < LINK_EXTRA + len)
		b = link_buffer_get(p->link, LINK_EXTRA + len);
	if (b == NULL)
		return false;
	if (seal_into(p, b, parts, n, len) != 0) { /* The session is spent: a new one, at once. */
		if (b != p->last)
			link_buffer_put(p->link, b);
		p->retry_ms = 0;
		end_stream(p);
		return false;
	}
	if (p->flying == NULL)
		return write_now(p, b);
	if (b != p->last)
		enqueue(p, b);
	return true;
}
