/* Records of people, and changes of them, from words. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "tests/people_kit.h"

#include <string.h>

struct typed typed_of(const char *text)
{
	const char *colon = strchr(text, ':');

	return (struct typed){{text, (size_t)(colon - text)}, {colon + 1, strlen(colon + 1)}};
}

struct people_change person_of(const char *who, unsigned kind, const char *groups, const char *owner,
                               const char *acts_for)
{
	struct typed t = typed_of(who);
	struct people_change c = {.action = PEOPLE_SET,
	                          .person = {.type = t.type,
	                                     .id = t.id,
	                                     .kind = kind != 0 ? kind : PERSON_USER,
	                                     .enabled = true,
	                                     .name = t.id}};

	while (groups != NULL && *groups != 0) {
		size_t len = strcspn(groups, " ");
		c.person.groups[c.person.n_groups++] = (struct text){groups, len};
		groups += len + (groups[len] == ' ');
	}
	if (owner != NULL)
		c.person.owner = typed_of(owner);
	if (acts_for != NULL)
		c.person.acts_for[c.person.n_acts_for++] = typed_of(acts_for);
	return c;
}

struct people_change change_of(unsigned action, const char *who)
{
	struct typed t = typed_of(who);

	return (struct people_change){.action = action, .person = {.type = t.type, .id = t.id}};
}
