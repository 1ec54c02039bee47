/* SIGBUS and SIGSEGV: says which file could not be read, has the next start look at all of it, and ends the process. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "node/unreadable.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "node/core/core.h"

#define PATH_MAX_HERE 4200

/* Made beforehand: a handler may only open and write. */
static char text[PATH_MAX_HERE + 128], suspect[PATH_MAX_HERE];
static size_t text_len;
static struct sigaction segv_before;

static void mark(void)
{
	int fd = open(suspect, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

	if (fd >= 0)
		close(fd);
}

static void on_bus(int number)
{
	(void)number;
	mark();
	if (write(STDERR_FILENO, text, text_len) < 0)
		_exit(EXIT_CRASH); /* No words are left to say it with. */
	_exit(EXIT_CRASH);
}

/*
 * A page of LMDB's that is damaged can lead it out of its map. It may as well be a defect of ours: the process ends as
 * it would have, by the same signal, which comes again as soon as this returns.
 */
static void on_segv(int number)
{
	mark();
	sigaction(number, &segv_before, NULL);
}

/* An assertion of LMDB's, for instance. abort(3) goes on to end the process once this returns. */
static void on_abort(int number)
{
	(void)number;
	mark();
}

void unreadable_init(const char *data_path)
{
	struct sigaction bus = {.sa_handler = on_bus}, segv = {.sa_handler = on_segv},
	                 abrt = {.sa_handler = on_abort, .sa_flags = (int)SA_RESETHAND};

	snprintf(suspect, sizeof suspect, "%s/ledger/suspect", data_path); /* node/salvage.h */
	snprintf(text, sizeof text,
	         "error stopping at once: %s/ledger/data.mdb: a page could not be read (SIGBUS): look at the disk\n",
	         data_path);
	text_len = strlen(text);
	sigemptyset(&bus.sa_mask);
	sigemptyset(&segv.sa_mask);
	sigaction(SIGBUS, &bus, NULL);
	sigaction(SIGSEGV, &segv, &segv_before);
	sigemptyset(&abrt.sa_mask);
	sigaction(SIGABRT, &abrt, NULL);
}
