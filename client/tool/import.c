/* countersign import: puts past events of an audit log through the policy, many at once. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client/tool/events.h"
#include "client/tool/importreport.h"
#include "client/tool/result.h"
#include "client/tool/text.h"
#include "client/tool/tool.h"

#define IN_FLIGHT_MAX 1024 /* As many as the library takes by default. */
#define TRIES_MAX     3    /* Of one event, each with the same request id and a call's whole timeout. */

static const struct usage usage = {
        .command = "import",
        .arguments = "PATH...",
        .about =
                "Reads AWS CloudTrail logs (files, or folders with *.json files), sorts all events by their time, and\n"
                "imports each: it gets an entry of its own kind, with the file's hash and its position, and the "
                "verdict\n"
                "that the policy gives it; the subjects' profiles learn from it with a capped weight. The key needs "
                "the\n"
                "import role. Events that do not parse are named and left out. Importing twice makes two entries.\n",
        .exits = "  0  every event was imported\n  1  some events did not parse or were refused; the report names "
                 "them\n" TOOL_EXIT_TEXT,
        .n_min = 1,
        .n_max = 10000,
};

/* One event on its way. done is written under the pipeline's lock. */
struct slot {
	struct pipeline *pipeline;
	const struct event *event;
	struct cs_request request; /* The event's, with its id. */
	unsigned tries;
	int code;
	cs_result *result;
	struct slot *next; /* In the list of free or of ended ones. */
};

struct pipeline {
	cs_client *client;
	const struct events *events;
	struct importreport *report;
	const char *format;
	pthread_mutex_t lock;
	pthread_cond_t some_ended;
	struct slot *ended; /* Under lock; the rest is the main thread's. */
	struct slot *unused;
	struct slot slots[IN_FLIGHT_MAX];
	size_t next; /* First event that was not sent. */
	unsigned out;
	int stop; /* Code for which nothing more is sent; 0: go on. */
	uint64_t begin_ms, shown_ms;
};

static volatile sig_atomic_t interrupted;

static void on_interrupt(int signal)
{
	(void)signal;
	interrupted = 1;
}

static void on_end(void *context, int code, cs_result *result)
{
	struct slot *s = context;
	struct pipeline *p = s->pipeline;

	pthread_mutex_lock(&p->lock);
	s->code = code;
	s->result = result;
	s->next = p->ended;
	p->ended = s;
	pthread_cond_signal(&p->some_ended);
	pthread_mutex_unlock(&p->lock);
}

static void send_slot(struct pipeline *p, struct slot *s)
{
	const struct events_file *file = &p->events->files[s->event->file];
	struct cs_source source = {
	        .format = p->format,
	        .file = file->name,
	        .position = s->event->position,
	        .event_time_ms = s->event->time_ms,
	};
	int err;

	memcpy(source.file_hash, file->hash, sizeof source.file_hash);
	s->tries++;
	p->out++;
	err = cs_import_async(p->client, &s->request, &source, on_end, s);
	if (err)
		on_end(s, err, NULL);
}

static void send_next(struct pipeline *p)
{
	struct slot *s = p->unused;

	p->unused = s->next;
	s->event = p->events->list[p->next++];
	s->request = s->event->request;
	s->tries = 0;
	cs_request_id(s->request.id);
	send_slot(p, s);
}

static void take_ended(struct pipeline *p, struct slot *s)
{
	p->out--;
	if (s->code && tool_exit_of(s->code) == EXIT_UNREACHABLE && s->tries < TRIES_MAX && !p->stop && !interrupted) {
		send_slot(p, s);
		return;
	}
	if (!s->code)
		importreport_add(p->report, s->event, s->result);
	else
		importreport_fail(p->report, s->event, s->code);
	/* What would befall every other event too ends the import. */
	if (s->code == CS_E_UNAUTHENTICATED || s->code == CS_E_NOT_PERMITTED || s->code == CS_E_REFUTED ||
	    s->code == CS_E_DISK_FULL || (s->code && tool_exit_of(s->code) == EXIT_UNREACHABLE))
		p->stop = s->code;
	cs_result_free(s->result);
	s->next = p->unused;
	p->unused = s;
}

static struct slot *await_ended(struct pipeline *p)
{
	struct slot *list;

	pthread_mutex_lock(&p->lock);
	while (!p->ended)
		pthread_cond_wait(&p->some_ended, &p->lock);
	list = p->ended;
	p->ended = NULL;
	pthread_mutex_unlock(&p->lock);
	return list;
}

/* A terminal's line is rewritten ten times a second; elsewhere a line comes every five seconds. */
static void show_progress(struct pipeline *p, bool last)
{
	bool tty = isatty(STDERR_FILENO);
	uint64_t now = text_clock_ms(), elapsed = now - p->begin_ms, done = p->report->imported + p->report->n_failures;

	if (!last && now - p->shown_ms < (tty ? 100 : 5000))
		return;
	p->shown_ms = now;
	if (last && tty)
		fprintf(stderr, "\r\033[K");
	else if (!last)
		fprintf(stderr, "%simporting %" PRIu64 " of %zu (%.0f %%), %.0f events/s%s", tty ? "\r" : "", done,
		        p->events->n, 100.0 * (double)done / (double)p->events->n,
		        elapsed ? (double)done * 1000 / (double)elapsed : 0, tty ? " \033[K" : "\n");
}

static void run_pipeline(struct pipeline *p, unsigned in_flight)
{
	struct slot *list, *s;

	p->begin_ms = p->shown_ms = text_clock_ms();
	while (p->out || (p->next < p->events->n && !p->stop && !interrupted)) {
		while (p->out < in_flight && p->next < p->events->n && !p->stop && !interrupted)
			send_next(p);
		for (list = await_ended(p); list;) {
			s = list;
			list = s->next;
			take_ended(p, s);
		}
		show_progress(p, false);
	}
	show_progress(p, true);
	p->report->elapsed_ms = text_clock_ms() - p->begin_ms;
}

static int report(struct importreport *r, bool json, unsigned top)
{
	if (json)
		return result_dump(usage.command, importreport_json(r, top), true);
	importreport_print(r, top);
	return 0;
}

static int send_all(cs_client *client, const struct events *e, unsigned in_flight, bool json, unsigned top)
{
	struct importreport *r = malloc(sizeof *r);
	struct pipeline *p = calloc(1, sizeof *p);
	struct sigaction action = {.sa_handler = on_interrupt};
	int code;

	if (!r || !p) {
		free(r);
		free(p);
		return tool_fail(EXIT_LOCAL, usage.command, "out of memory");
	}
	importreport_init(r, e, true);
	*p = (struct pipeline){.client = client, .events = e, .report = r, .format = "cloudtrail"};
	pthread_mutex_init(&p->lock, NULL);
	pthread_cond_init(&p->some_ended, NULL);
	for (unsigned i = 0; i < in_flight; i++) {
		p->slots[i].pipeline = p;
		p->slots[i].next = p->unused;
		p->unused = &p->slots[i];
	}
	sigaction(SIGINT, &action, NULL);
	run_pipeline(p, in_flight);
	code = report(r, json, top);
	if (p->stop)
		code = tool_fail(tool_exit_of(p->stop), usage.command, "stopped after %" PRIu64 " of %zu events: %s",
		                 r->imported, e->n, cs_strerror(p->stop));
	else if (interrupted)
		code = tool_fail(EXIT_LOCAL, usage.command, "interrupted after %" PRIu64 " of %zu events", r->imported,
		                 e->n);
	else if (!code && (e->n_bad || r->n_failures))
		code = 1;
	pthread_cond_destroy(&p->some_ended);
	pthread_mutex_destroy(&p->lock);
	importreport_close(r);
	free(r);
	free(p);
	return code;
}

static int read_only(const struct events *e, bool json)
{
	struct importreport *r = malloc(sizeof *r);
	int code;

	if (!r)
		return tool_fail(EXIT_LOCAL, usage.command, "out of memory");
	importreport_init(r, e, false);
	code = report(r, json, 0);
	importreport_close(r);
	free(r);
	return code ? code : e->n_bad != 0;
}

struct words {
	struct tool_access access;
	const char *format;
	uint64_t in_flight, top;
	bool json, dry_run;
};

static int import(const struct words *w, char *const paths[], unsigned n)
{
	struct events *e = malloc(sizeof *e);
	cs_client *client = NULL;
	int code = e ? 0 : tool_fail(EXIT_LOCAL, usage.command, "out of memory");

	/* A wrong key is told before files are read. */
	if (!code && !w->dry_run)
		code = tool_open(usage.command, &w->access, (unsigned)w->in_flight, &client);
	if (!code) {
		code = events_read(usage.command, paths, n, e);
		if (!code) {
			code = w->dry_run ? read_only(e, w->json)
			                  : send_all(client, e, (unsigned)w->in_flight, w->json, (unsigned)w->top);
			events_close(e);
		}
	}
	cs_close(client);
	free(e);
	return code;
}

int import_run(int argc, char **argv)
{
	struct words w = {.access.timeout_ms = 15000, .in_flight = 64, .top = 10};
	const struct option options[] = {
	        TOOL_ACCESS_OPTIONS(&w.access),
	        {"format", OPTION_TEXT, &w.format, "NAME", "cloudtrail", 0, 0},
	        {"in-flight", OPTION_NUMBER, &w.in_flight, "N",
	         "events at once (default: 64; 1 keeps their exact order)", 1, IN_FLIGHT_MAX},
	        {"top", OPTION_NUMBER, &w.top, "N", "principals in the report (default: 10)", 0, 100000},
	        {"dry-run", OPTION_FLAG, &w.dry_run, NULL, "read and sort only; nothing is sent", 0, 0},
	        {"json", OPTION_FLAG, &w.json, NULL, "the report as JSON", 0, 0},
	        {NULL, OPTION_FLAG, NULL, NULL, NULL, 0, 0},
	};
	unsigned n;
	int code = options_parse(&usage, options, argc, argv, &n);

	if (code != OPTIONS_GO_ON)
		return code;
	if (!w.format || strcmp(w.format, "cloudtrail") != 0)
		return tool_fail(EXIT_USAGE, usage.command,
		                 w.format ? "option --format: \"%s\" is not known; cloudtrail is"
		                          : "option --format %s is missing",
		                 w.format ? w.format : "cloudtrail");
	return import(&w, argv, n);
}
