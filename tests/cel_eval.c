/* Evaluates a CEL expression: a door for tests of the language by others. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <stdio.h>
#include <string.h>

#include "node/decide/cel/cel_text.h"

static const char usage[] =
        "cel_eval [-d] EXPRESSION [NAME=EXPRESSION…]\n"
        "Prints the value in CEL's own syntax, or \"error: …\". NAME is a variable of type dyn; -d: types are not\n"
        "checked beforehand. Exit status: 0 a value, 1 an error of evaluation, 2 it does not compile.\n";

int main(int argc, char **argv)
{
	static struct cel_binding bindings[32];
	static char text[131072];
	unsigned n = 0, flags = 0;

	if (argc > 1 && strcmp(argv[1], "-d") == 0) {
		flags = CEL_UNCHECKED;
		argc--;
		argv++;
	}
	if (argc < 2 || argc > 34) {
		fputs(usage, stderr);
		return 2;
	}
	for (int i = 2; i < argc; i++) {
		char *equals = strchr(argv[i], '=');
		if (equals == NULL) {
			fputs(usage, stderr);
			return 2;
		}
		*equals = 0;
		bindings[n++] = (struct cel_binding){argv[i], equals + 1};
	}
	enum cel_outcome outcome = cel_eval_text(argv[1], bindings, n, NULL, flags, text, sizeof(text));
	printf("%s%s\n", outcome == CEL_OUTCOME_VALUE ? "" : "error: ", text);
	return (int)outcome;
}
