/* Witnesses from outside, added to a trust policy: the quorum asks for them too. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "client/tool/trustadd.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ledger/errors.h"
#include "ledger/note.h"
#include "ledger/verify.h"

#define NAME_SIZE 32

/* Whether some line of the policy defines this name. */
static bool taken(const char *text, const char *name)
{
	char word[2][LIMIT_KEY_NAME_SIZE_MAX + 1];

	for (const char *p = text; *p; p += strcspn(p, "\n"), p += *p == '\n')
		if (sscanf(p, "%192s %192s", word[0], word[1]) == 2 &&
		    (!strcmp(word[0], "witness") || !strcmp(word[0], "group")) && !strcmp(word[1], name))
			return true;
	return false;
}

/* "outside", or "outside-2", … */
static void free_name(const char *text, const char *wanted, char ret[NAME_SIZE])
{
	snprintf(ret, NAME_SIZE, "%s", wanted);
	for (unsigned i = 2; taken(text, ret); i++)
		snprintf(ret, NAME_SIZE, "%s-%u", wanted, i);
}

/* All lines but the quorum's, whose name goes to ret ("none": it asks for nobody). */
static void copy_rest(const char *text, FILE *f, char ret[LIMIT_KEY_NAME_SIZE_MAX + 1])
{
	strcpy(ret, "none");
	for (const char *p = text, *end; *p; p = end) {
		end = p + strcspn(p, "\n");
		end += *end == '\n';
		if (sscanf(p, " quorum %192s", ret) != 1)
			fwrite(p, 1, (size_t)(end - p), f);
	}
}

static bool write_witnesses(const char *text, const struct option_list *vkeys, unsigned need, FILE *f, char why[256])
{
	char outside[NAME_SIZE], both[NAME_SIZE], old[LIMIT_KEY_NAME_SIZE_MAX + 1];
	struct note_key k;

	free_name(text, "outside", outside);
	free_name(text, "quorum-and-outside", both);
	copy_rest(text, f, old);
	for (unsigned i = 0; i < vkeys->n; i++) {
		if (note_key_parse(&k, vkeys->items[i], strlen(vkeys->items[i])) || k.type != NOTE_KEY_COSIGNATURE) {
			snprintf(why, 256, "\"%.150s\" is not the verifier key of a witness (cosignature/v1)",
			         vkeys->items[i]);
			return false;
		}
		fprintf(f, "witness %s %s\n", k.name, vkeys->items[i]);
	}
	fprintf(f, "group %s %u", outside, need);
	for (unsigned i = 0; i < vkeys->n; i++)
		fprintf(f, " %.*s", (int)strcspn(vkeys->items[i], "+"), vkeys->items[i]);
	if (!strcmp(old, "none"))
		fprintf(f, "\nquorum %s\n", outside);
	else
		fprintf(f, "\ngroup %s all %s %s\nquorum %s\n", both, old, outside, both);
	return true;
}

char *trustadd_witnesses(const char *text, const struct option_list *vkeys, unsigned need, char ret_why[256])
{
	struct verify_policy *policy = NULL;
	char *made = NULL;
	size_t size;
	FILE *f = open_memstream(&made, &size);
	bool good = false;

	snprintf(ret_why, 256, "out of memory");
	if (!f)
		return NULL;
	good = write_witnesses(text, vkeys, need, f, ret_why);
	if (fclose(f) || !good) {
		free(made);
		return NULL;
	}
	/* The verifier has the last word: a name or key twice, more needed than there are. */
	if (!verify_policy_parse(made, size, &policy, ret_why, 256)) {
		verify_policy_free(policy);
		return made;
	}
	free(made);
	return NULL;
}
