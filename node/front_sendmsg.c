/* Keeps nng alive: a sendmsg that tells of a peer that is gone in the way that nng survives. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "node/front_sendmsg.h"

#include <dlfcn.h>
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

/*
 * Two faults of nng 1.5.2, each of which lets one stranger, without a key, shut the front.
 *
 * It writes its greeting to a connection that it has just accepted. If the peer has left by then, the write gives
 * EPIPE; nng reads that as NNG_ECLOSED, takes it for its own listener's closing, and accepts nobody ever again
 * (nng #1518, mended in 1.6.0): over ipc every time, over TCP with a FIN and then a RST. ECONNRESET means the same to
 * everyone else, and nng accepts the next one.
 *
 * When a reply cannot be written nng closes the connection from the writing side. If bytes have just been read from it
 * and more of the message are to come, the next read is refused without a callback (as nng #1636 mended one such case
 * in 1.6.0), and the one thread that frees what is closed waits for that callback for ever: no descriptor is closed any
 * more, until none is left (measured: 20,000 within 5 s, by two threads that ask, and reset at about the time of the
 * reply), and nng_close waits for that thread. So a reply to who is gone counts as written: nobody would have read it.
 * The reading side learns that the peer is gone by itself, with no read under way. What is left is a write that had to
 * wait in part, and a reset at just that time.
 *
 * The dynamic linker gives libnng this definition, because a program's own symbols come before libc's.
 */

/* nng's first bytes on every connection (SP over TCP: 0, "SP", 0, and the protocol). */
static bool is_greeting(const struct msghdr *m)
{
	return m->msg_iovlen == 1 && m->msg_iov[0].iov_len == 8 && memcmp(m->msg_iov[0].iov_base, "\0SP", 4) == 0;
}

__attribute__((visibility("default"))) ssize_t sendmsg(int fd, const struct msghdr *message, int flags)
{
	ssize_t n = syscall(SYS_sendmsg, fd, message, flags);

	if (n >= 0 || (errno != EPIPE && errno != ECONNRESET))
		return n;
	if (is_greeting(message)) {
		errno = ECONNRESET;
		return n;
	}
	n = 0;
	for (size_t i = 0; i < message->msg_iovlen; i++)
		n += (ssize_t)message->msg_iov[i].iov_len;
	return n;
}

bool front_sendmsg_works(void)
{
	/* Looks up as libnng's own reference is looked up. */
	return dlsym(RTLD_DEFAULT, "sendmsg") == (void *)sendmsg;
}
