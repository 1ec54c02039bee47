/* Reads user agents: lists in a fixed order, so that every build says the same. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "node/decide/agent.h"

#include <string.h>

/* Browsers name those that they are like as well: whoever stands further up is what it is. */
static const char *const programs[] = {"Edg/",   "OPR/",    "SamsungBrowser/", "Firefox/", "FxiOS/",
                                       "CriOS/", "Chrome/", "Safari/",         "Trident/"};
static const char *const systems[] = {"Android", "iPhone", "iPad", "Windows", "Mac OS X", "Macintosh", "Darwin",
                                      "darwin",  "macOS",  "CrOS", "Linux",   "linux",    "FreeBSD"};

static struct text first_of(const char *const *list, size_t n, struct text agent)
{
	for (size_t i = 0; i < n; i++) {
		size_t len = strlen(list[i]);
		if (memmem(agent.s, agent.len, list[i], len) != NULL)
			return (struct text){list[i], len};
	}
	return (struct text){0};
}

void agent_parse(struct agent *ret, struct text agent)
{
	*ret = (struct agent){0};
	/* What is like a browser begins with Mozilla/; only there more than one product counts. */
	if (agent.len > 8 && memcmp(agent.s, "Mozilla/", 8) == 0)
		ret->program = first_of(programs, sizeof(programs) / sizeof(programs[0]), agent);
	if (ret->program.len == 0) {
		size_t len = 0;
		while (len < agent.len && agent.s[len] != '/' && agent.s[len] != ' ')
			len++;
		ret->program = (struct text){agent.s, len};
	}
	ret->system = first_of(systems, sizeof(systems) / sizeof(systems[0]), agent);
}
