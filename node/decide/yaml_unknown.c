/* The error for a key that a mapping does not have: with the one that was meant, or all there are. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <stdio.h>
#include <string.h>

#include "node/decide/policy_yaml.h"

#define NAME_SIZE_MAX 64 /* Of a key (yaml_mapping). */
#define NEAR          2  /* Slips of the finger that are looked through: more, and everything is near. */

static unsigned least(unsigned a, unsigned b, unsigned c)
{
	unsigned m = a < b ? a : b;

	return m < c ? m : c;
}

/* Insertions, deletions and substitutions from a to b (Levenshtein). */
static unsigned distance(struct text a, struct text b)
{
	unsigned row[NAME_SIZE_MAX + 1];

	for (unsigned k = 0; k <= b.len; k++)
		row[k] = k;
	for (unsigned i = 1; i <= a.len; i++) {
		unsigned diagonal = row[0];
		row[0] = i;
		for (unsigned k = 1; k <= b.len; k++) {
			unsigned above = row[k];
			row[k] = least(row[k] + 1, row[k - 1] + 1, diagonal + (a.s[i - 1] != b.s[k - 1]));
			diagonal = above;
		}
	}
	return row[b.len];
}

static const char *nearest(const struct yaml_key *keys, struct text name)
{
	const char *found = NULL;
	unsigned best = NEAR + 1;

	for (; keys->name != NULL; keys++) {
		struct text k = {keys->name, strlen(keys->name)};
		if (k.len > NAME_SIZE_MAX)
			continue;
		unsigned d = distance(name, k);
		if (d < best && d < k.len) {
			best = d;
			found = keys->name;
		}
	}
	return found;
}

int yaml_unknown(struct compile *c, struct fy_node *at, const struct yaml_key *keys, struct text name)
{
	char known[160] = "";
	size_t n = 0;
	const char *meant = nearest(keys, name);

	if (meant != NULL)
		return yaml_fail(c, at, "unknown key \"%.*s\": is \"%s\" meant?", (int)name.len, name.s, meant);
	for (const struct yaml_key *k = keys; k->name != NULL && n < sizeof(known); k++)
		n += (size_t)snprintf(known + n, sizeof(known) - n, "%s%s", n == 0 ? "" : ", ", k->name);
	return yaml_fail(c, at, "unknown key \"%.*s\": here are %s%s", (int)name.len, name.s, known,
	                 n < sizeof(known) ? "" : "…");
}
