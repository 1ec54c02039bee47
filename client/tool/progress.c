/* How far a long piece of work is: one line on a terminal, written over again. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "client/tool/progress.h"

#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#include "client/tool/text.h"

#define EVERY_MS 200

void progress_show(void *progress, uint64_t done, uint64_t total)
{
	struct progress *p = progress;
	uint64_t now = text_clock_ms();

	if (p->began_ms == 0) {
		p->began_ms = p->shown_ms = now;
		p->first = done;
	}
	if (now - p->shown_ms < EVERY_MS || !isatty(STDERR_FILENO))
		return;
	p->shown_ms = now;
	p->shown = true;
	fprintf(stderr, "\r%s %" PRIu64 " of %" PRIu64 " %s (%" PRIu64 " %%), %" PRIu64 " a second\x1b[K", p->what,
	        done, total, p->unit, total ? done * 100 / total : 100, (done - p->first) * 1000 / (now - p->began_ms));
	fflush(stderr);
}

void progress_end(struct progress *p)
{
	if (p->shown)
		fputs("\r\x1b[K", stderr);
}
