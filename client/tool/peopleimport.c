/* countersign people import: makes the table of people what a file says, in as few orders as it takes. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "client/tool/people.h"
#include "client/tool/peopleplan.h"
#include "client/tool/result.h"
#include "client/tool/text.h"
#include "client/tool/tool.h"

#define BATCH_BYTES_MAX  24576 /* By a rough count of their texts; an order takes 32 KiB. */
#define PROGRESS_EACH_MS 500

static const struct usage usage = {
        .command = "people import",
        .arguments = "FILE",
        .about =
                "Makes the table of people what FILE says: CSV with a line of column names (id; type, kind, name,\n"
                "enabled, groups, owner, manager, acts_for if wanted; several groups with semicolons between them), "
                "or\n"
                "JSON as `people list --json` prints it. The whole file is checked first. Only what differs is sent,\n"
                "up to 64 changes an order, signed by the administrator (--key): importing twice changes nothing, and\n"
                "after a trouble on the way the rest is sent by importing again.\n",
        .exits = "  0  the table is as the file says\n" TOOL_EXIT_TEXT,
        .n_min = 1,
        .n_max = 1,
};

struct import {
	cs_client *client;
	const char *path;
	struct peopleplan plan;
	size_t done, all;
	uint64_t orders, first, last; /* Entries. */
	uint64_t begin_ms, shown_ms;
};

static size_t size_of(const struct cs_person *p)
{
	size_t n = 32 + strlen(p->type) + strlen(p->id);

	n += p->name ? strlen(p->name) : 0;
	for (size_t i = 0; i < p->n_groups; i++)
		n += strlen(p->groups[i]) + 2;
	for (size_t i = 0; i < p->n_acts_for; i++)
		n += strlen(p->acts_for[i].type) + strlen(p->acts_for[i].id) + 6;
	n += p->owner.id ? strlen(p->owner.type) + strlen(p->owner.id) + 6 : 0;
	return n + (p->manager.id ? strlen(p->manager.type) + strlen(p->manager.id) + 6 : 0);
}

static size_t batch_of(const struct cs_person *list, size_t n)
{
	size_t bytes = 0, i = 0;

	while (i < n && i < CS_PEOPLE_MAX && bytes + size_of(&list[i]) <= BATCH_BYTES_MAX)
		bytes += size_of(&list[i++]);
	return i ? i : 1;
}

static void show_progress(struct import *m)
{
	uint64_t now = text_clock_ms();

	if (!isatty(STDERR_FILENO) || (now - m->shown_ms < PROGRESS_EACH_MS && m->done < m->all))
		return;
	m->shown_ms = now;
	fprintf(stderr, "\r%zu of %zu changes, %.0f a second%s", m->done, m->all,
	        (double)m->done * 1000 / (double)(now - m->begin_ms + 1), m->done < m->all ? "" : "\n");
}

static int send_phase(struct import *m, enum peopleplan_phase phase)
{
	const struct cs_person *list = m->plan.changes[phase];
	size_t n = m->plan.n[phase];

	for (size_t at = 0, batch; at < n; at += batch) {
		cs_result *result = NULL;
		batch = batch_of(list + at, n - at);
		int err = cs_people_change(m->client, list + at, batch, &result);
		if (err && err != CS_E_KEPT) {
			fprintf(stderr, "%zu of %zu changes are made; import again for the rest\n", m->done, m->all);
			return tool_failed_call(usage.command, m->path, err);
		}
		if (!err) {
			m->first = m->orders ? m->first : result->index;
			m->last = result->index;
		}
		cs_result_free(result);
		m->orders++;
		m->done += batch;
		show_progress(m);
	}
	return 0;
}

static void print_plan(const struct peopleplan *p)
{
	static const char *const signs[PLAN_PHASES] = {"set", "set", "remove", "remove"};
	char safe[2][400];

	for (unsigned phase = 0; phase < PLAN_PHASES; phase++)
		for (size_t i = 0; i < p->n[phase]; i++) {
			const struct cs_person *c = &p->changes[phase][i];
			text_safe(c->type, strlen(c->type), safe[0], sizeof safe[0]);
			text_safe(c->id, strlen(c->id), safe[1], sizeof safe[1]);
			printf("%-6s  %s:%s\n", signs[phase], safe[0], safe[1]);
		}
}

static int report(const struct import *m, bool dry, bool json)
{
	const struct peopleplan *p = &m->plan;
	uint64_t ms = text_clock_ms() - m->begin_ms;

	if (json) {
		json_t *o = json_pack("{s:s, s:b, s:I, s:I, s:I, s:I, s:I, s:I}", "file", m->path, "sent", !dry, "new",
		                      (json_int_t)p->added, "changed", (json_int_t)p->changed, "same",
		                      (json_int_t)p->same, "removed", (json_int_t)p->removed, "orders",
		                      (json_int_t)m->orders, "elapsed_ms", (json_int_t)ms);
		if (m->orders && !tool_keeps_orders()) {
			json_object_set_new(o, "first_entry", json_integer((json_int_t)m->first));
			json_object_set_new(o, "last_entry", json_integer((json_int_t)m->last));
		}
		return result_dump(usage.command, o, true);
	}
	printf("%s: %zu new, %zu changed, %zu as they are, %zu removed", m->path, p->added, p->changed, p->same,
	       p->removed);
	if (dry)
		printf(" (nothing was sent)\n");
	else if (!m->orders || tool_keeps_orders())
		printf("\n");
	else
		printf(": %" PRIu64 " orders, entries %" PRIu64 " to %" PRIu64 ", %.1f s, %.0f a second\n", m->orders,
		       m->first, m->last, (double)ms / 1000, (double)m->all * 1000 / (double)(ms + 1));
	return 0;
}

static int import(struct import *m, const struct peoplefile *f, bool prune, bool dry, bool json)
{
	int code = peopleplan_make(usage.command, m->client, m->path, f, prune, &m->plan);

	if (code)
		return code;
	for (unsigned phase = 0; phase < PLAN_PHASES; phase++)
		m->all += m->plan.n[phase];
	m->begin_ms = m->shown_ms = text_clock_ms();
	if (dry && !json)
		print_plan(&m->plan);
	for (unsigned phase = 0; phase < PLAN_PHASES && !dry && !code; phase++)
		code = send_phase(m, (enum peopleplan_phase)phase);
	if (!code)
		code = report(m, dry, json);
	peopleplan_close(&m->plan);
	return code;
}

int peopleimport_run(int argc, char **argv)
{
	struct tool_access access = {.timeout_ms = TOOL_TIMEOUT_MS_DEFAULT};
	const char *format = NULL;
	bool dry = false, prune = false, json = false;
	const struct option options[] = {
	        TOOL_ADMIN_OPTIONS(&access),
	        {"format", OPTION_TEXT, &format, "FORMAT", "csv or json (default: by the file's name)", 0, 0},
	        {"dry-run", OPTION_FLAG, &dry, NULL, "say what would be sent, and send nothing", 0, 0},
	        {"prune", OPTION_FLAG, &prune, NULL, "remove whoever is not in the file", 0, 0},
	        {"json", OPTION_FLAG, &json, NULL, "the report as JSON", 0, 0},
	        {NULL, OPTION_FLAG, NULL, NULL, NULL, 0, 0},
	};
	struct import m = {0};
	struct peoplefile f;
	unsigned n;
	int code = options_parse(&usage, options, argc, argv, &n);

	if (code != OPTIONS_GO_ON)
		return code;
	m.path = argv[0];
	code = peoplefile_read(usage.command, m.path, format, &f);
	if (code)
		return code;
	code = tool_open(usage.command, &access, 0, &m.client);
	if (!code) {
		code = import(&m, &f, prune, dry, json);
		cs_close(m.client);
	}
	peoplefile_close(&f);
	return code;
}
