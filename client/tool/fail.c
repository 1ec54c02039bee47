/* How every command says what went wrong. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <stdarg.h>
#include <stdio.h>

#include "client/tool/tool.h"

int tool_fail(int code, const char *command, const char *format, ...)
{
	va_list args;

	fflush(stdout);
	fprintf(stderr, "countersign%s%s: ", command ? " " : "", command ? command : "");
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
	return code;
}
