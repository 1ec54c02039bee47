/* The end, bounded. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "node/stopping.h"

#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

static _Atomic(const char *) waits_for = "nothing";

static void say(const char *text)
{
	/* Whether anybody hears it or not, this is the end. */
	ssize_t n = write(STDERR_FILENO, text, strlen(text));

	(void)n;
}

/* Only what a signal handler may do (signal-safety(7)): the log's lock may be held by whoever is stuck. */
static void too_long(int number)
{
	(void)number;
	say("countersignd: error: stopping takes too long: ending at once, while waiting for ");
	say(atomic_load(&waits_for));
	say("\n");
	_exit(EXIT_STUCK);
}

void stopping_begin(unsigned seconds)
{
	struct sigaction a = {.sa_handler = too_long};
	sigset_t set;

	sigemptyset(&a.sa_mask);
	sigaction(SIGALRM, &a, NULL);
	/* Whoever started us may have blocked it. */
	sigemptyset(&set);
	sigaddset(&set, SIGALRM);
	pthread_sigmask(SIG_UNBLOCK, &set, NULL);
	alarm(seconds);
}

void stopping_waits_for(const char *what)
{
	atomic_store(&waits_for, what);
}
