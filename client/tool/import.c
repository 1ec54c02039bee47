/* countersign import: puts past events of logs through the policy. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client/tool/import/report.h"
#include "client/tool/import/send.h"
#include "client/tool/result.h"
#include "client/tool/text.h"
#include "client/tool/tool.h"

static const struct usage usage = {
        .command = "import",
        .arguments = "PATH...",
        .about =
                "Reads logs (files, gzip's too, folders, - for standard input), sorts all events by their time, and "
                "imports\n"
                "each: it gets an entry of its own kind, with the file's hash and its position, and the verdict that\n"
                "the policy gives it; the subjects' profiles learn from it with a capped weight. The key needs the\n"
                "roles import and audit. What does not parse is named and left out; what failed or was denied when it\n"
                "happened is counted. What the ledger has already is not imported again.\n"
                "Formats: cloudtrail, authlog, journal-export, journal-json, opa, csv (countersign(1), IMPORT).\n",
        .exits = "  0  every event was imported\n  1  some events did not parse or were refused; the report names "
                 "them\n" TOOL_EXIT_TEXT,
        .n_min = 1,
        .n_max = 10000,
};

struct words {
	struct tool_access access;
	const char *format, *time_format, *utc_offset;
	struct option_list map;
	uint64_t in_flight, top, year;
	bool json, dry_run, again;
};

/* --- progress --- */

/* A terminal's line is rewritten ten times a second; elsewhere a line comes every five seconds. */
static bool is_time(void)
{
	static uint64_t shown_ms;
	uint64_t now = text_clock_ms();

	if (!shown_ms)
		shown_ms = now;
	if (now - shown_ms < (isatty(STDERR_FILENO) ? 100 : 5000))
		return false;
	shown_ms = now;
	return true;
}

static void show(const char *format, ...) __attribute__((format(printf, 1, 2)));
static void show(const char *format, ...)
{
	bool tty = isatty(STDERR_FILENO);
	va_list args;

	if (!is_time())
		return;
	fputs(tty ? "\r" : "", stderr);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputs(tty ? " \033[K" : "\n", stderr);
}

static void clear_progress(void)
{
	if (isatty(STDERR_FILENO))
		fputs("\r\033[K", stderr);
}

static void reading(unsigned file, unsigned n_files, uint64_t n_events)
{
	show("reading file %u of %u, %" PRIu64 " events", file + 1, n_files, n_events);
}

static void searching(uint64_t index, uint64_t size)
{
	show("looking through the ledger: %" PRIu64 " of %" PRIu64, index, size);
}

static void sending(const struct importreport *r, uint64_t n, uint64_t elapsed_ms)
{
	uint64_t done = r->imported + r->n_failures + r->before;

	show("importing %" PRIu64 " of %" PRIu64 " (%.0f %%), %.0f events/s", done, n,
	     n ? 100.0 * (double)done / (double)n : 100,
	     elapsed_ms ? (double)(r->imported + r->n_failures) * 1000 / (double)elapsed_ms : 0);
}

/* --- doing --- */

static int print(struct importreport *r, bool json, unsigned top)
{
	if (json)
		return result_dump(usage.command, importreport_json(r, top), true);
	importreport_print(r, top);
	return 0;
}

/* What the report says is not all: exit 1 tells that something is missing. */
static int outcome(const struct importreport *r, int code, bool interrupted)
{
	if (code)
		return tool_fail(tool_exit_of(code), usage.command,
		                 "stopped after %" PRIu64 " of %" PRIu64
		                 " events: %s; the same command again goes on from there",
		                 r->imported, r->events->n, cs_strerror(code));
	if (interrupted)
		return tool_fail(EXIT_LOCAL, usage.command,
		                 "interrupted after %" PRIu64 " of %" PRIu64
		                 " events; the same command again goes on from there",
		                 r->imported, r->events->n);
	return r->events->n_bad || r->n_failures;
}

static int send_all(const struct words *w, cs_client *client, struct events *e, struct importreport *r)
{
	struct send s = {
	        .client = client,
	        .events = e,
	        .report = r,
	        .in_flight = (unsigned)w->in_flight,
	        .progress = sending,
	};
	struct before *before = NULL;
	bool interrupted = false;
	int code = w->again ? 0 : before_search(usage.command, client, e, searching, &before), failed;

	if (!code) {
		s.before = before;
		code = send_events(&s, &interrupted);
		clear_progress();
		failed = print(r, w->json, (unsigned)w->top);
		code = failed ? failed : outcome(r, code, interrupted);
	}
	before_close(before);
	return code;
}

static int read_only(const struct words *w, struct importreport *r)
{
	int code = print(r, w->json, 0);

	return code ? code : r->events->n_bad != 0;
}

static int import(const struct words *w, const struct events_how *how, char *const paths[], unsigned n)
{
	struct events *e = malloc(sizeof *e);
	struct importreport *r = malloc(sizeof *r);
	cs_client *client = NULL;
	int code = e && r ? 0 : tool_fail(EXIT_LOCAL, usage.command, "out of memory");

	/* A wrong key is told before files are read. */
	if (!code && !w->dry_run)
		code = tool_open(usage.command, &w->access, (unsigned)w->in_flight, &client);
	if (!code) {
		code = events_read(usage.command, paths, n, how, e);
		clear_progress();
		if (!code) {
			importreport_init(r, e, !w->dry_run);
			code = w->dry_run ? read_only(w, r) : send_all(w, client, e, r);
			importreport_close(r);
			events_close(e);
		}
	}
	cs_close(client);
	free(r);
	free(e);
	return code;
}

/* --- the options --- */

static int fill_how(const struct words *w, struct events_how *how)
{
	char reason[PAST_REASON_SIZE];

	how->progress = reading;
	how->when.year = (unsigned)w->year;
	how->when.pattern = w->time_format;
	if (w->format && strcmp(w->format, "auto") != 0) {
		how->format = format_named(w->format);
		if (!how->format)
			return tool_fail(EXIT_USAGE, usage.command,
			                 "option --format: \"%s\" is none of cloudtrail, authlog, journal-export, "
			                 "journal-json, opa, csv, auto",
			                 w->format);
	}
	if (w->utc_offset && !when_offset(w->utc_offset, &how->when.utc_offset_s))
		return tool_fail(EXIT_USAGE, usage.command, "option --utc-offset: \"%s\" is not like +01:00",
		                 w->utc_offset);
	for (unsigned i = 0; i < w->map.n; i++)
		if (!mapping_parse(&how->mapping, w->map.items[i], reason))
			return tool_fail(EXIT_USAGE, usage.command, "option --map: %s", reason);
	if (how->format && how->format == format_named("csv") && !mapping_complete(&how->mapping, reason))
		return tool_fail(EXIT_USAGE, usage.command, "%s", reason);
	return 0;
}

int import_run(int argc, char **argv)
{
	struct words w = {.access = {.timeout_ms = 15000, .ordered = true}, .in_flight = 128, .top = 10};
	const struct option options[] = {
	        TOOL_ACCESS_OPTIONS(&w.access),
	        {"format", OPTION_TEXT, &w.format, "NAME", "of all files (default: auto, each by its looks)", 0, 0},
	        {"map", OPTION_LIST, &w.map, "KEY=SOURCE,..", "csv, opa: columns or paths; KEY==TEXT: the same for all",
	         0, 0},
	        {"time-format", OPTION_TEXT, &w.time_format, "F", "csv, opa: s, ms, us, rfc3339, or strptime's", 0, 0},
	        {"utc-offset", OPTION_TEXT, &w.utc_offset, "+HH:MM", "of times without a zone (default: UTC)", 0, 0},
	        {"year", OPTION_NUMBER, &w.year, "Y", "authlog: of each file's first line (default: by its date)", 1970,
	         9999},
	        {"again", OPTION_FLAG, &w.again, NULL, "import also what the ledger has already", 0, 0},
	        {"in-flight", OPTION_NUMBER, &w.in_flight, "N", "events at once (default: 128)", 1, SEND_IN_FLIGHT_MAX},
	        {"top", OPTION_NUMBER, &w.top, "N", "principals in the report (default: 10)", 0, 100000},
	        {"dry-run", OPTION_FLAG, &w.dry_run, NULL, "read and sort only; nothing is sent", 0, 0},
	        {"json", OPTION_FLAG, &w.json, NULL, "the report as JSON", 0, 0},
	        {NULL, OPTION_FLAG, NULL, NULL, NULL, 0, 0},
	};
	struct events_how *how;
	unsigned n;
	int code = options_parse(&usage, options, argc, argv, &n);

	if (code != OPTIONS_GO_ON)
		return code;
	how = calloc(1, sizeof *how);
	if (!how)
		return tool_fail(EXIT_LOCAL, usage.command, "out of memory");
	code = fill_how(&w, how);
	if (!code)
		code = import(&w, how, argv, n);
	free(how);
	return code;
}
