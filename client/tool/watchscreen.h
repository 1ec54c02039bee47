/* The line at the bottom of a terminal under which entries scroll: drawn, taken away, fitted to the width. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLIENT_TOOL_WATCHSCREEN_H
#define CLIENT_TOOL_WATCHSCREEN_H

#include <stdbool.h>

struct watchscreen {
	bool on;    /* stdout is a terminal that can do it. */
	bool shown; /* The line is there. */
};

void watchscreen_init(struct watchscreen *s);
/* Before anything else is written on the terminal. */
void watchscreen_hide(struct watchscreen *s);
/* text: ASCII; what does not fit is cut. */
void watchscreen_draw(struct watchscreen *s, const char *text);

#endif
