/* What must hold of a YAML text's bytes before libfyaml may see them. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LEDGER_YAML_BYTES_H
#define LEDGER_YAML_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include "ledger/bytes.h"

/* A "?" that could begin a complex key: white space on both sides, or one of the signs that a value may follow. */
static inline bool yaml_bytes_lone_question(const char *text, size_t len, size_t i)
{
	static const char before[] = " \t\r\n,:-?[{", after[] = " \t\r\n,:?]}";

	return text[i] == '?' && (i == 0 || strchr(before, text[i - 1]) != NULL) &&
	       (i + 1 == len || strchr(after, text[i + 1]) != NULL);
}

/*
 * NULL, or why libfyaml must not get this text, and in which line (from 1; 1 also for the whole). Fuzzing found that
 * libfyaml 0.7.12 never returns from a directive ("%" at the beginning of a line) with an ill-formed character in it,
 * and writes where it must not after some complex keys ("? "). Nobody needs either here. The characters are those of
 * YAML 1.2, 5.1, but for controls beyond ASCII.
 */
static inline const char *yaml_bytes_refusal(const char *text, size_t len, unsigned *ret_line)
{
	unsigned line = 1;

	*ret_line = 1;
	if (!utf8_valid(text, len))
		return "is not UTF-8, or holds a NUL byte";
	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)text[i];
		*ret_line = line;
		if (c == '%' && (i == 0 || text[i - 1] == '\n' || text[i - 1] == '\r'))
			return "directives (lines that begin with %) are not taken";
		if (yaml_bytes_lone_question(text, len, i))
			return "a question mark that stands alone (complex keys are not taken)";
		if ((c < 0x20 && c != '\t' && c != '\n' && c != '\r') || c == 0x7f)
			return "a control character";
		line += c == '\n';
	}
	return NULL;
}

#endif
