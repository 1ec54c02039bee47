/* Links between nodes: opening, closing, the pool of buffers. Outgoing streams: link_out.c; incoming: link_in.c. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "node/link.h"

#include <arpa/inet.h>
#include <assert.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "ledger/limits.h"
#include "node/link_internal.h"

#define LISTEN_BACKLOG       16
#define KEEPALIVE_IDLE_S     2 /* Then a probe each second; three without an answer end the stream. */
#define KEEPALIVE_INTERVAL_S 1
#define KEEPALIVE_PROBES     3

void link_unref(struct link *l)
{
	void (*done)(void *ctx) = l->done;
	void *ctx = l->done_ctx;

	assert(l->n_refs > 0);
	if (--l->n_refs > 0 || !l->closing)
		return;
	assert(l->ins == NULL);
	while (l->pool != NULL) {
		struct link_buffer *b = l->pool;

		l->pool = b->next;
		free(b);
	}
	sodium_memzero(l, sizeof *l);
	free(l);
	if (done != NULL)
		done(ctx);
}

/* Fails only on a socket that is dead already, and then its next read says so. */
void link_socket_options(uv_tcp_t *tcp)
{
	const int interval_s = KEEPALIVE_INTERVAL_S, probes = KEEPALIVE_PROBES, silence_ms = LINK_SILENCE_MS;
	uv_os_fd_t fd;

	(void)uv_tcp_nodelay(tcp, 1);
	(void)uv_tcp_keepalive(tcp, 1, KEEPALIVE_IDLE_S);
	if (uv_fileno((uv_handle_t *)tcp, &fd) != 0)
		return;
	(void)setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &interval_s, sizeof interval_s);
	(void)setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &probes, sizeof probes);
	(void)setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &silence_ms, sizeof silence_ms);
}

struct link_buffer *link_buffer_get(struct link *l, size_t size)
{
	size_t cap = size > LINK_POOLED_SIZE ? size : LINK_POOLED_SIZE;
	struct link_buffer *b = l->pool;

	if (b != NULL && size <= LINK_POOLED_SIZE) {
		l->pool = b->next;
		l->n_pool--;
	} else {
		b = malloc(sizeof *b + cap);
		if (b == NULL)
			return NULL;
		b->cap = cap;
	}
	b->next = NULL;
	b->start = b->end = 0;
	return b;
}

void link_buffer_put(struct link *l, struct link_buffer *b)
{
	if (b->cap != LINK_POOLED_SIZE || l->n_pool >= LINK_POOL_MAX) {
		free(b);
		return;
	}
	b->next = l->pool;
	l->pool = b;
	l->n_pool++;
}

static int err_of_uv(int rv)
{
	switch (rv) {
	case UV_ENOMEM:
		return CS_ERR_NOMEM;
	case UV_EADDRINUSE:
		return CS_ERR_EXISTS;
	case UV_EADDRNOTAVAIL:
	case UV_EAI_NONAME:
	case UV_EAI_AGAIN:
	case UV_EAI_FAIL:
	case UV_EAI_NODATA:
		return CS_ERR_UNREACHABLE;
	default:
		return CS_ERR_IO;
	}
}

static int start_listening(struct link *l, const char *host, uint16_t port)
{
	const struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE | AI_NUMERICSERV};
	uv_getaddrinfo_t resolve;
	char service[8];
	int rv;

	snprintf(service, sizeof service, "%u", port);
	rv = uv_getaddrinfo(l->loop, &resolve, NULL, host, service, &hints); /* No callback: done at once. */
	if (rv != 0)
		return err_of_uv(rv);
	rv = uv_tcp_bind(&l->listener, resolve.addrinfo->ai_addr, 0);
	if (rv == 0)
		rv = uv_listen((uv_stream_t *)&l->listener, LISTEN_BACKLOG, link_in_accept);
	uv_freeaddrinfo(resolve.addrinfo);
	return rv == 0 ? 0 : err_of_uv(rv);
}

static int init_peers(struct link *l, const struct link_options *o)
{
	for (unsigned i = 0; i < o->n_peers; i++) {
		int rv = link_out_new(l, &o->peers[i], &l->peers[i]);

		if (rv != 0)
			return rv;
		l->n_peers++;
	}
	return 0;
}

int link_open(const struct link_options *o, struct link **ret)
{
	struct link *l;
	int rv;

	if (o->n_peers > LINK_PEERS_MAX || strlen(o->origin) > LIMIT_ORIGIN_SIZE_MAX)
		return CS_ERR_INVALID;
	static_assert(sizeof l->origin == LIMIT_ORIGIN_SIZE_MAX + 1, "the longest origin fits");
	l = calloc(1, sizeof *l);
	if (l == NULL)
		return CS_ERR_NOMEM;
	l->loop = o->loop;
	l->node_id = o->node_id;
	memcpy(l->origin, o->origin, strlen(o->origin));
	l->keys = (struct channel_keys){.n = 1, .list = {o->keys}};
	l->recv = o->recv;
	l->state = o->state;
	l->ctx = o->ctx;
	if (uv_tcp_init(l->loop, &l->listener) != 0) {
		sodium_memzero(l, sizeof *l);
		free(l);
		return CS_ERR_NOMEM;
	}
	l->n_refs = 1;
	l->listener.data = l;
	rv = init_peers(l, o);
	if (rv == 0)
		rv = start_listening(l, o->listen_host, o->listen_port);
	if (rv != 0) {
		link_close(l, NULL, NULL);
		return rv;
	}
	for (unsigned i = 0; i < l->n_peers; i++)
		link_out_begin(l->peers[i]);
	*ret = l;
	return 0;
}

uint16_t link_port(const struct link *l)
{
	struct sockaddr_storage a;
	int len = sizeof a;

	if (uv_tcp_getsockname(&l->listener, (struct sockaddr *)&a, &len) != 0)
		return 0;
	if (a.ss_family == AF_INET6)
		return ntohs(((const struct sockaddr_in6 *)&a)->sin6_port);
	return ntohs(((const struct sockaddr_in *)&a)->sin_port);
}

static void on_listener_closed(uv_handle_t *h)
{
	link_unref(h->data);
}

void link_close(struct link *l, void (*done)(void *ctx), void *ctx)
{
	assert(!l->closing);
	l->closing = true;
	l->done = done;
	l->done_ctx = ctx;
	uv_close((uv_handle_t *)&l->listener, on_listener_closed);
	for (struct link_in *in = l->ins, *next; in != NULL; in = next) {
		next = in->next;
		link_in_close(in);
	}
	for (unsigned i = 0; i < l->n_peers; i++)
		link_out_stop(l->peers[i]);
	l->n_peers = 0; /* Each frees itself. */
}

static struct link_out *find_peer(const struct link *l, uint64_t id)
{
	for (unsigned i = 0; i < l->n_peers; i++)
		if (l->peers[i]->id == id)
			return l->peers[i];
	return NULL;
}

bool link_send(struct link *l, uint64_t to, const struct link_part *parts, unsigned n)
{
	struct link_out *p = find_peer(l, to);

	return p != NULL && !l->closing && link_out_send(p, parts, n);
}

bool link_up(const struct link *l, uint64_t peer)
{
	const struct link_out *p = find_peer(l, peer);

	return p != NULL && p->state == LINK_UP;
}

/* --- peers that come and go --- */

int link_add_peer(struct link *l, const struct link_peer *peer)
{
	int rv;

	if (l->closing || find_peer(l, peer->id) != NULL)
		return CS_ERR_EXISTS;
	if (l->n_peers == LINK_SLOTS_MAX)
		return CS_ERR_TOO_LARGE;
	rv = link_out_new(l, peer, &l->peers[l->n_peers]);
	if (rv == 0)
		link_out_begin(l->peers[l->n_peers++]);
	return rv;
}

void link_remove_peer(struct link *l, uint64_t id)
{
	struct link_out *p = find_peer(l, id);
	unsigned i = 0;

	if (p == NULL || l->closing)
		return;
	while (l->peers[i] != p)
		i++;
	l->peers[i] = l->peers[--l->n_peers];
	for (struct link_in *in = l->ins, *next; in != NULL; in = next) {
		next = in->next;
		if (in->peer == p)
			link_in_close(in);
	}
	link_out_stop(p);
}

int link_set_address(struct link *l, uint64_t id, const char *host, uint16_t port)
{
	struct link_out *p = find_peer(l, id);
	char *copy;

	if (p == NULL)
		return CS_ERR_NOT_FOUND;
	copy = strdup(host);
	if (copy == NULL)
		return CS_ERR_NOMEM;
	free(p->host);
	p->host = copy;
	p->port = port;
	return 0;
}

static void close_incoming(struct link *l, const struct link_out *p)
{
	for (struct link_in *in = l->ins, *next; in != NULL; in = next) {
		next = in->next;
		if (in->peer != p || memcmp(in->session.peer, p->pub, sizeof p->pub) == 0)
			continue;
		/* Within the overlap it may come again by the old key, until it knows better. */
		link_in_close(in);
	}
}

int link_set_peer_key(struct link *l, uint64_t id, const uint8_t pub[CHANNEL_KEY_SIZE],
                      const uint8_t before[CHANNEL_KEY_SIZE])
{
	struct link_out *p = find_peer(l, id);

	if (p == NULL)
		return CS_ERR_NOT_FOUND;
	bool same = memcmp(p->pub, pub, sizeof p->pub) == 0,
	     same_before = before == NULL ? !p->has_before
	                                  : p->has_before && memcmp(p->before, before, sizeof p->before) == 0;
	if (same && same_before)
		return 0;
	p->has_before = before != NULL;
	if (before != NULL)
		memcpy(p->before, before, sizeof p->before);
	memcpy(p->pub, pub, sizeof p->pub);
	close_incoming(l, p);
	if (!same)
		link_out_anew(p);
	return 0;
}

void link_set_keys(struct link *l, const struct channel_keys *keys)
{
	if (keys->n != l->keys.n || memcmp(keys->list[0].pub, l->keys.list[0].pub, CHANNEL_KEY_SIZE) != 0)
		for (unsigned i = 0; i < l->n_peers; i++)
			l->peers[i]->key = 0;
	l->keys = *keys;
}

void link_set_passive(struct link *l, uint64_t id, bool passive)
{
	struct link_out *p = find_peer(l, id);

	if (p == NULL || p->passive == passive)
		return;
	p->passive = passive;
	link_out_rest(p);
}
