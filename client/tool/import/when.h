/* Times as logs write them, to POSIX milliseconds. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLIENT_TOOL_IMPORT_WHEN_H
#define CLIENT_TOOL_IMPORT_WHEN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What a log leaves out of its times. */
struct when {
	int64_t utc_offset_s; /* Of times without a zone, east of Greenwich. */
	unsigned year; /* Of the first line of each log without years; 0: the latest that is not after latest_ms. */
	uint64_t latest_ms;  /* Nothing in the log is younger: when the file was last written. */
	unsigned month;      /* Of the line before, from 1; 0: none. Moves year on from December to January. */
	const char *pattern; /* strptime's; NULL: by its looks. */
};

/* "+hh:mm", "-hhmm", "+hh", "Z". */
bool when_offset(const char *text, int64_t *ret_s);
/*
 * RFC 3339 and what is often made of it: 'T' or a space between; a fraction after '.' or ','; a zone as when_offset, or
 * none: utc_offset_s. Reads from the start of text; *ret_len (may be NULL: the whole text must be a time).
 */
bool when_iso(const char *text, int64_t utc_offset_s, uint64_t *ret_ms, size_t *ret_len);
/* RFC 3164: "Nov  3 14:05:09", 15 bytes, no year and no zone. */
bool when_syslog(const char *text, struct when *w, uint64_t *ret_ms);
/* Seconds since 1970, with a fraction or without; 12 digits and more: milliseconds, 15 and more: microseconds. */
bool when_epoch(const char *text, uint64_t *ret_ms);
/* By w's pattern, else when_epoch or when_iso; pattern "s", "ms", "us": since 1970, "rfc3339". */
bool when_any(const char *text, const struct when *w, uint64_t *ret_ms);

#endif
