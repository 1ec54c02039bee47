/* The line at the bottom of a terminal under which entries scroll: drawn, taken away, fitted to the width. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "client/tool/watchscreen.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "client/tool/text.h"

#define COLUMNS_DEFAULT 80

void watchscreen_init(struct watchscreen *s)
{
	const char *term = getenv("TERM");

	*s = (struct watchscreen){.on = isatty(STDOUT_FILENO) && term && strcmp(term, "dumb") != 0};
}

/* Asked for each time: a terminal may be resized at any. */
static int columns(void)
{
	struct winsize w;

	return ioctl(STDOUT_FILENO, TIOCGWINSZ, &w) || w.ws_col < 2 ? COLUMNS_DEFAULT : w.ws_col;
}

/*
 * The cursor waits at the line's beginning. When a terminal grows narrower and breaks the line in two, the cursor stays
 * on the first part, and erasing from it to the end of the screen takes away both.
 */
void watchscreen_hide(struct watchscreen *s)
{
	if (s->shown)
		fputs("\r\033[J", stdout);
	s->shown = false;
}

void watchscreen_draw(struct watchscreen *s, const char *text)
{
	if (!s->on)
		return;
	watchscreen_hide(s);
	/* The last column stays free: a character there would leave the cursor on the next line. */
	printf("%s%.*s%s\r", text_on(stdout, TINT_REVERSE), columns() - 1, text, text_off(stdout));
	fflush(stdout);
	s->shown = true;
}
