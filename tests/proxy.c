/* A TCP proxy on loopback: one thread, one poll, one buffer for each direction of each connection. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "tests/proxy.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#define CONNECTIONS_MAX 64 /* A node keeps one stream to each other; the rest are those that are just ending. */
#define BUFFER_SIZE     65536

/* Direction d goes from fd[d] to fd[!d]; fd[0] is the one who connected. */
struct connection {
	bool open;
	bool lost[2]; /* Bytes of this direction have vanished. */
	int fd[2];
	size_t at[2], len[2]; /* Of what waits in buf. */
	uint8_t buf[2][BUFFER_SIZE];
};

struct proxy {
	pthread_t thread;
	int listener, wake;
	uint16_t port;
	struct sockaddr_in target;
	atomic_uint drop;
	atomic_bool stop;
	struct connection connections[CONNECTIONS_MAX];
};

static void must(bool good, const char *what)
{
	if (good)
		return;
	fprintf(stderr, "proxy: %s: %s\n", what, strerror(errno));
	abort();
}

static struct sockaddr_in address(const char *host, uint16_t port)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(port)};

	must(inet_pton(AF_INET, host, &a.sin_addr) == 1, host);
	return a;
}

static void disconnect(struct connection *c)
{
	close(c->fd[0]);
	close(c->fd[1]);
	c->open = false;
}

/* Who listens behind it may just be dead: then the connection ends at once, as it would without a proxy. */
static void take(struct proxy *p)
{
	int in = accept4(p->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	int out = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;
	struct connection *c = p->connections;

	while (c < p->connections + CONNECTIONS_MAX && c->open)
		c++;
	if (in < 0 || out < 0 || c == p->connections + CONNECTIONS_MAX ||
	    connect(out, (struct sockaddr *)&p->target, sizeof p->target)) {
		if (in >= 0)
			close(in);
		if (out >= 0)
			close(out);
		return;
	}
	setsockopt(in, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
	setsockopt(out, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
	c->open = true;
	c->fd[0] = in;
	c->fd[1] = out;
	for (int d = 0; d < 2; d++) {
		c->lost[d] = false;
		c->at[d] = c->len[d] = 0;
	}
}

/* False: the connection is over. */
static bool pull(struct connection *c, int d, bool drop)
{
	ssize_t n = recv(c->fd[d], c->buf[d], BUFFER_SIZE, MSG_DONTWAIT);

	if (n <= 0)
		return n < 0 && (errno == EAGAIN || errno == EINTR);
	c->lost[d] |= drop;
	c->at[d] = 0;
	c->len[d] = drop ? 0 : (size_t)n;
	return true;
}

static bool push(struct connection *c, int d)
{
	ssize_t n = send(c->fd[!d], c->buf[d] + c->at[d], c->len[d] - c->at[d], MSG_DONTWAIT | MSG_NOSIGNAL);

	if (n < 0)
		return errno == EAGAIN || errno == EINTR;
	c->at[d] += (size_t)n;
	if (c->at[d] == c->len[d])
		c->at[d] = c->len[d] = 0;
	return true;
}

static void serve(struct connection *c, const struct pollfd fds[2], unsigned drop)
{
	bool good = true;

	for (int d = 0; d < 2 && good; d++) {
		bool dropped = drop >> d & 1;
		if (c->lost[d] && !dropped)
			good = false; /* What comes now would not join what came before. */
		if (good && c->len[d] == 0 && fds[d].revents)
			good = pull(c, d, dropped);
		if (good && c->len[d])
			good = push(c, d);
	}
	if (!good)
		disconnect(c);
}

static void *run(void *arg)
{
	struct proxy *p = arg;
	struct pollfd fds[2 + 2 * CONNECTIONS_MAX];
	uint64_t n;

	while (!atomic_load(&p->stop)) {
		fds[0] = (struct pollfd){.fd = p->listener, .events = POLLIN};
		fds[1] = (struct pollfd){.fd = p->wake, .events = POLLIN};
		for (int i = 0; i < CONNECTIONS_MAX; i++)
			for (int d = 0; d < 2; d++) {
				const struct connection *c = &p->connections[i];
				short events = (short)((c->len[d] ? 0 : POLLIN) | (c->len[!d] ? POLLOUT : 0));
				fds[2 + 2 * i + d] = (struct pollfd){.fd = c->open ? c->fd[d] : -1, .events = events};
			}
		must(poll(fds, sizeof fds / sizeof *fds, -1) >= 0 || errno == EINTR, "poll");
		if (fds[1].revents && read(p->wake, &n, sizeof n) < 0)
			continue;
		for (int i = 0; i < CONNECTIONS_MAX; i++)
			if (p->connections[i].open)
				serve(&p->connections[i], &fds[2 + (size_t)2 * (unsigned)i], atomic_load(&p->drop));
		if (fds[0].revents)
			take(p);
	}
	return NULL;
}

struct proxy *proxy_open(uint16_t target_port)
{
	return proxy_open_to(0, "127.0.0.1", target_port);
}

struct proxy *proxy_open_to(uint16_t port, const char *target, uint16_t target_port)
{
	struct proxy *p = calloc(1, sizeof *p);
	struct sockaddr_in a = address("127.0.0.1", port);
	socklen_t len = sizeof a;

	must(p != NULL, "memory");
	p->target = address(target, target_port);
	p->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	p->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	must(p->listener >= 0 && p->wake >= 0, "sockets");
	must(bind(p->listener, (struct sockaddr *)&a, sizeof a) == 0 && listen(p->listener, 16) == 0, "listening");
	must(getsockname(p->listener, (struct sockaddr *)&a, &len) == 0, "port");
	p->port = ntohs(a.sin_port);
	must(pthread_create(&p->thread, NULL, run, p) == 0, "thread");
	return p;
}

uint16_t proxy_port(const struct proxy *p)
{
	return p->port;
}

static void rouse(struct proxy *p)
{
	uint64_t one = 1;

	must(write(p->wake, &one, sizeof one) == sizeof one, "waking");
}

void proxy_drop(struct proxy *p, unsigned directions)
{
	atomic_store(&p->drop, directions);
	rouse(p);
}

void proxy_close(struct proxy *p)
{
	if (!p)
		return;
	atomic_store(&p->stop, true);
	rouse(p);
	pthread_join(p->thread, NULL);
	for (int i = 0; i < CONNECTIONS_MAX; i++)
		if (p->connections[i].open)
			disconnect(&p->connections[i]);
	close(p->listener);
	close(p->wake);
	free(p);
}
