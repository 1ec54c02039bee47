/* The double of node/log.c: lines of the nodes, with simulated time, when somebody reads them. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <stdarg.h>
#include <stdio.h>

#include "node/log.h"
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
	if (!os_verbose)
		return;
	fprintf(stderr, "%11.6f %u | ", (double)os_now / 1e9, p ? p->id : 0);
	va_start(ap, format);
	vfprintf(stderr, format, ap);
	va_end(ap);
	fputc('\n', stderr);
}
