/* A command's options: one table drives parsing, messages and --help. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLIENT_TOOL_OPTIONS_H
#define CLIENT_TOOL_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

enum option_type {
	OPTION_FLAG,   /* ret: bool; takes no value. */
	OPTION_TEXT,   /* ret: const char *; given twice: refused, as numbers and flags are. */
	OPTION_NUMBER, /* ret: uint64_t, from min to max. */
	OPTION_LIST,   /* ret: struct option_list; may be repeated. */
};

#define OPTION_LIST_MAX 24 /* As many as a request has context attributes; nothing else is longer. */
struct option_list {
	unsigned n;
	const char *items[OPTION_LIST_MAX];
};

struct option {
	const char *name; /* Without dashes; NULL ends the table. */
	enum option_type type;
	void *ret;
	const char *value; /* How help names the value; NULL for flags. */
	const char *help;
	uint64_t min, max; /* Of numbers. */
};

struct usage {
	const char *command;   /* As typed after `countersign`: "cluster up". */
	const char *arguments; /* Positional ones, for the usage line; "" if none. */
	const char *about;     /* One or more lines for --help, ending in a newline. */
	const char *exits;     /* Lines for --help, ending in a newline. */
	unsigned n_min, n_max; /* Positional arguments. */
};

#define OPTIONS_GO_ON (-1)
/*
 * Parses argv (the command's own arguments). Positional arguments are moved to the front of argv; their number goes to
 * *ret_n. Returns OPTIONS_GO_ON, or the exit code to end with: 0 after --help, EXIT_USAGE after an error that was
 * printed and names the argument. `--name VALUE` and `--name=VALUE` are the same; `--` ends options.
 */
int options_parse(const struct usage *u, const struct option *options, int argc, char **argv, unsigned *ret_n);

#endif
