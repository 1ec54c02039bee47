/* A command's options: one table drives parsing, messages and --help. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "client/tool/options.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/tool/tool.h"

#define OPTIONS_MAX       32 /* Of one command; its table is a constant of ours. */
#define HELP_COLUMN_WIDTH 30

static void print_option(const char *name, const char *value, const char *help)
{
	char left[80];

	snprintf(left, sizeof left, "--%s%s%s", name, value ? " " : "", value ? value : "");
	printf("  %-*s %s\n", HELP_COLUMN_WIDTH, left, help);
}

static void print_help(const struct usage *u, const struct option *options)
{
	printf("Usage: countersign %s [options]%s%s\n\n%s\nOptions:\n", u->command, *u->arguments ? " " : "",
	       u->arguments, u->about);
	for (const struct option *o = options; o->name; o++)
		print_option(o->name, o->value, o->help);
	print_option("help", NULL, "this text");
	printf("\nExit codes:\n%s", u->exits);
}

static int refuse(const struct usage *u, const char *format, ...) __attribute__((format(printf, 2, 3)));
static int refuse(const struct usage *u, const char *format, ...)
{
	char text[512];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof text, format, args);
	va_end(args);
	return tool_fail(EXIT_USAGE, u->command, "%s (see: countersign help %s)", text, u->command);
}

static bool parse_number(const char *text, uint64_t min, uint64_t max, uint64_t *ret)
{
	char *end = NULL;
	unsigned long long v;

	if (*text < '0' || *text > '9')
		return false;
	errno = 0;
	v = strtoull(text, &end, 10);
	if (errno || *end || v < min || v > max)
		return false;
	*ret = v;
	return true;
}

static int store(const struct usage *u, const struct option *o, bool seen, const char *value)
{
	struct option_list *list = o->ret;

	if (seen && o->type != OPTION_LIST)
		return refuse(u, "option --%s is given twice", o->name);
	switch (o->type) {
	case OPTION_FLAG:
		*(bool *)o->ret = true;
		break;
	case OPTION_TEXT:
		if (!*value)
			return refuse(u, "option --%s: %s is empty", o->name, o->value);
		*(const char **)o->ret = value;
		break;
	case OPTION_NUMBER:
		if (!parse_number(value, o->min, o->max, o->ret))
			return refuse(u, "option --%s: \"%s\" is not a whole number from %llu to %llu", o->name, value,
			              (unsigned long long)o->min, (unsigned long long)o->max);
		break;
	case OPTION_LIST:
		if (list->n == OPTION_LIST_MAX)
			return refuse(u, "option --%s is given more than %d times", o->name, OPTION_LIST_MAX);
		list->items[list->n++] = value;
		break;
	}
	return OPTIONS_GO_ON;
}

/* One option at argv[*i]; moves *i past a value that stands apart. */
static int parse_one(const struct usage *u, const struct option *options, bool *seen, int argc, char **argv, int *i)
{
	const char *name = argv[*i] + 2, *equals = strchr(name, '='), *value = NULL;
	size_t len = equals ? (size_t)(equals - name) : strlen(name);
	const struct option *o = options;
	int err;

	while (o->name && (strlen(o->name) != len || memcmp(o->name, name, len)))
		o++;
	if (!o->name)
		return refuse(u, "unknown option \"%s\"", argv[*i]);
	if (o->type == OPTION_FLAG) {
		if (equals)
			return refuse(u, "option --%s takes no value", o->name);
	} else if (equals) {
		value = equals + 1;
	} else if (*i + 1 < argc) {
		value = argv[++*i];
	} else {
		return refuse(u, "option --%s needs a value: %s", o->name, o->value);
	}
	err = store(u, o, seen[o - options], value);
	seen[o - options] = true;
	return err;
}

int options_parse(const struct usage *u, const struct option *options, int argc, char **argv, unsigned *ret_n)
{
	bool seen[OPTIONS_MAX] = {false}, only_arguments = false;
	unsigned n = 0;
	int code;

	for (int i = 0; i < argc; i++) {
		if (only_arguments || argv[i][0] != '-' || !argv[i][1]) {
			argv[n++] = argv[i];
		} else if (!strcmp(argv[i], "--")) {
			only_arguments = true;
		} else if (!strcmp(argv[i], "--help") || !strcmp(argv[i], "-h")) {
			print_help(u, options);
			return EXIT_DONE;
		} else if (argv[i][1] != '-') {
			return refuse(u, "unknown option \"%s\"", argv[i]);
		} else {
			code = parse_one(u, options, seen, argc, argv, &i);
			if (code != OPTIONS_GO_ON)
				return code;
		}
	}
	if (n < u->n_min)
		return refuse(u, "%s is missing", u->arguments);
	if (n > u->n_max)
		return refuse(u, "unexpected argument \"%s\"", argv[u->n_max]);
	*ret_n = n;
	return OPTIONS_GO_ON;
}
