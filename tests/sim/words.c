/* The doubles of node/log.c and node/stopping.c: lines when somebody reads them, and no end. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "node/log.h"
#include "node/stopping.h"
#include "tests/sim/os.h"

void log_set_level(enum log_level level)
{
	(void)level;
}

void log_set_node(unsigned long long id)
{
	(void)id;
}

void log_line(enum log_level level, const char *format, ...)
{
	const struct process *p = os_process();
	va_list ap;

	(void)level;
	/* Here nobody lies, but for a bug that is planted. */
	if (strstr(format, "cosigns nothing more"))
		os_fail(p ? p->id : 0, "it finds the leader false: %s", format);
	if (!os_verbose)
		return;
	fprintf(stderr, "%11.6f %u | ", (double)os_now / 1e9, p ? p->id : 0);
	va_start(ap, format);
	vfprintf(stderr, format, ap);
	va_end(ap);
	fputc('\n', stderr);
}

/* An end that takes too long is one of the whole simulation, which sees it by itself. */
void stopping_begin(unsigned seconds)
{
	(void)seconds;
}

void stopping_waits_for(const char *what)
{
	(void)what;
}
