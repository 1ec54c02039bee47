/* SIGBUS: says which file could not be read, and ends the process. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "node/unreadable.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "node/core/core.h"

#define PATH_MAX_HERE 4200

/* Made beforehand: a handler may only write. */
static char text[PATH_MAX_HERE + 128];
static size_t text_len;

static void on_bus(int number)
{
	(void)number;
	if (write(STDERR_FILENO, text, text_len) < 0)
		_exit(EXIT_CRASH); /* No words are left to say it with. */
	_exit(EXIT_CRASH);
}

void unreadable_init(const char *data_path)
{
	struct sigaction action = {.sa_handler = on_bus};

	snprintf(text, sizeof text,
	         "error stopping at once: %s/ledger/data.mdb: a page could not be read (SIGBUS): look at the disk\n",
	         data_path);
	text_len = strlen(text);
	sigemptyset(&action.sa_mask);
	sigaction(SIGBUS, &action, NULL);
}
