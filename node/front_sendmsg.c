/* Keeps nng's listeners alive: a sendmsg that reports a peer that is gone in the words that nng survives. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "node/front_sendmsg.h"

#include <dlfcn.h>
#include <errno.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

/*
 * nng 1.5.2 writes its greeting to a connection that it has just accepted. If the peer has left by then, the write
 * gives EPIPE; nng reads that as NNG_ECLOSED, takes it for its own listener's closing, and accepts nobody ever again
 * (nng #1518, mended in 1.6.0). So one stranger who connects and leaves, without a key, would shut the front: over ipc
 * every time, over TCP with a FIN and then a RST. ECONNRESET means the same to everyone else, and nng accepts the next
 * one.
 *
 * The dynamic linker gives libnng this definition, because a program's own symbols come before libc's.
 */
__attribute__((visibility("default"))) ssize_t sendmsg(int fd, const struct msghdr *message, int flags)
{
	ssize_t n = syscall(SYS_sendmsg, fd, message, flags);

	if (n < 0 && errno == EPIPE)
		errno = ECONNRESET;
	return n;
}

bool front_sendmsg_works(void)
{
	/* Looks up as libnng's own reference is looked up. */
	return dlsym(RTLD_DEFAULT, "sendmsg") == (void *)sendmsg;
}
