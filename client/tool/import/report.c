/* What an import showed: verdicts, the riskiest principals and why, what went wrong. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "client/tool/import/report.h"

#include <inttypes.h>
#include <search.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/tool/text.h"

#define WHY_SIGNALS 3  /* Named for each principal. */
#define LINES_MAX   20 /* Of each list of what went wrong; the JSON report has all that are kept. */

void importreport_init(struct importreport *r, const struct events *e, bool sent)
{
	memset(r, 0, sizeof *r);
	r->events = e;
	r->sent = sent;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct importreport_principal *)a)->name,
	              ((const struct importreport_principal *)b)->name);
}

static bool grow(struct importreport *r)
{
	size_t cap = r->cap ? 2 * r->cap : 64;
	struct importreport_principal **list;

	if (r->n_principals < r->cap)
		return true;
	list = reallocarray(r->principals, cap, sizeof *list);
	if (!list)
		return false;
	r->principals = list;
	r->cap = cap;
	return true;
}

/* The principal of an event, a new one if need be; NULL: out of memory. */
static struct importreport_principal *principal(struct importreport *r, const struct event *e)
{
	struct importreport_principal *p = calloc(1, sizeof *p), **slot;

	if (!p || !grow(r) || asprintf(&p->name, "%s:%s", e->request.subject_type, e->request.subject_id) < 0) {
		free(p);
		return NULL;
	}
	slot = tsearch(p, &r->by_name, by_name);
	if (!slot || *slot != p) {
		free(p->name);
		free(p);
		return slot ? *slot : NULL;
	}
	p->risk_max = INT32_MIN;
	r->principals[r->n_principals++] = p;
	return p;
}

static void add_signal(struct importreport_principal *p, const char *name, int32_t weight)
{
	unsigned i = 0;

	while (i < p->n_signals && strncmp(p->signals[i].name, name, sizeof p->signals[i].name - 1) != 0)
		i++;
	if (i == IMPORTREPORT_SIGNALS_MAX)
		return;
	if (i == p->n_signals) {
		snprintf(p->signals[i].name, sizeof p->signals[i].name, "%s", name);
		p->n_signals++;
	}
	p->signals[i].events++;
	p->signals[i].weight += weight;
}

void importreport_add(struct importreport *r, const struct event *e, const cs_result *result)
{
	unsigned verdict = result->verdict > 0 && result->verdict < 5 ? (unsigned)result->verdict : 0;
	struct importreport_principal *p = principal(r, e);

	r->imported++;
	r->verdicts[verdict]++;
	if (!p) {
		r->out_of_memory = true;
		return;
	}
	p->events++;
	p->verdicts[verdict]++;
	if (result->risk > p->risk_max) {
		p->risk_max = result->risk;
		p->worst_index = result->index;
	}
	for (size_t i = 0; i < result->n_signals; i++)
		if (result->signals[i].weight > 0)
			add_signal(p, result->signals[i].name, result->signals[i].weight);
}

void importreport_fail(struct importreport *r, const struct event *e, int code)
{
	if (r->n_failures < IMPORTREPORT_FAILURES_MAX)
		r->failures[r->n_failures] = (struct importreport_failure){e->file, e->position, code};
	r->n_failures++;
}

/* By the worst moment; then by how much was not simply allowed; then by name, so that reports compare. */
static int by_risk(const void *a, const void *b)
{
	const struct importreport_principal *x = *(struct importreport_principal *const *)a;
	const struct importreport_principal *y = *(struct importreport_principal *const *)b;
	uint64_t x_held = x->events - x->verdicts[CS_ALLOW], y_held = y->events - y->verdicts[CS_ALLOW];

	if (x->risk_max != y->risk_max)
		return x->risk_max > y->risk_max ? -1 : 1;
	if (x_held != y_held)
		return x_held > y_held ? -1 : 1;
	return strcmp(x->name, y->name);
}

static int by_weight(const void *a, const void *b)
{
	const struct importreport_signal *x = a, *y = b;

	if (x->weight != y->weight)
		return x->weight > y->weight ? -1 : 1;
	return strcmp(x->name, y->name);
}

static void sort(struct importreport *r)
{
	if (r->n_principals)
		qsort(r->principals, r->n_principals, sizeof *r->principals, by_risk);
	for (size_t i = 0; i < r->n_principals; i++)
		qsort(r->principals[i]->signals, r->principals[i]->n_signals, sizeof r->principals[i]->signals[0],
		      by_weight);
}

static void describe_why(const struct importreport_principal *p, char *ret, size_t cap)
{
	size_t n = 0;

	*ret = 0;
	for (unsigned i = 0; i < p->n_signals && i < WHY_SIGNALS; i++) {
		char name[64];

		text_safe(p->signals[i].name, strlen(p->signals[i].name), name, sizeof name);
		n += (size_t)snprintf(ret + n, cap - n, "%s%s in %" PRIu64, i ? ", " : "", name, p->signals[i].events);
		if (n >= cap)
			return;
	}
}

#define NAME_SIZE 64 /* Of a principal in the table: ARNs differ at their ends, so the middle gives way. */

static void shorten(const char *name, char ret[NAME_SIZE])
{
	char safe[600];
	size_t n, tail;

	text_safe(name, strlen(name), safe, sizeof safe);
	n = strlen(safe);
	if (n < NAME_SIZE) {
		memcpy(ret, safe, n + 1);
		return;
	}
	tail = n - (NAME_SIZE - 16);
	while (((unsigned char)safe[tail] & 0xc0) == 0x80)
		tail++;
	n = 12;
	while (((unsigned char)safe[n] & 0xc0) == 0x80)
		n--;
	snprintf(ret, NAME_SIZE, "%.*s...%s", (int)n, safe, safe + tail);
}

static void print_principals(const struct importreport *r, unsigned top)
{
	static const char *const heads[] = {"PRINCIPAL", "EVENTS", "ALLOW", "STEP_UP", "DEFER",
	                                    "DENY",      "WORST",  "ENTRY", "WHY"};
	char name[NAME_SIZE], why[256];
	struct table t;

	table_init(&t, 9, heads, 0xfe);
	for (size_t i = 0; i < r->n_principals && i < top; i++) {
		const struct importreport_principal *p = r->principals[i];

		shorten(p->name, name);
		describe_why(p, why, sizeof why);
		table_cell(&t, TINT_NONE, "%s", name);
		table_cell(&t, TINT_NONE, "%" PRIu64, p->events);
		for (unsigned v = CS_ALLOW; v <= CS_DENY; v++)
			table_cell(&t, p->verdicts[v] ? text_verdict_tint((int)v) : TINT_NONE, "%" PRIu64,
			           p->verdicts[v]);
		table_cell(&t, TINT_NONE, "%.1f %%", 100 * text_probability(p->risk_max));
		table_cell(&t, TINT_NONE, "%" PRIu64, p->worst_index);
		table_cell(&t, TINT_NONE, "%s", why);
	}
	printf("\nRiskiest principals (%u of %zu)\n", t.n_cells / 9, r->n_principals);
	table_print(&t, stdout);
	table_close(&t);
	if (r->out_of_memory)
		printf("(out of memory: principals are missing)\n");
}

static void print_bad(const struct events *e)
{
	char safe[2 * PAST_REASON_SIZE];

	if (e->n_bad)
		printf("\nNot parsed: %" PRIu64 "\n", e->n_bad);
	for (size_t i = 0; i < e->n_bad && i < LINES_MAX && i < EVENTS_BAD_MAX; i++) {
		const struct events_bad *b = &e->bad[i];

		printf("  %s", b->path ? b->path : "?");
		if (b->position >= 0)
			printf(", event %" PRId64, b->position);
		if (b->line)
			printf(", line %" PRIu64, b->line);
		text_safe(b->reason ? b->reason : "?", strlen(b->reason ? b->reason : "?"), safe, sizeof safe);
		printf(": %s\n", safe);
	}
}

/* What was understood, and is nothing to import. */
static void print_left_out(const struct events *e)
{
	uint64_t n = 0;

	for (unsigned i = 0; i < e->n_failed; i++)
		n += e->failed[i].n;
	if (n)
		printf("\nFailed or denied when it happened, so not imported: %" PRIu64 "\n", n);
	for (unsigned i = 0; i < e->n_failed; i++)
		printf("  %" PRIu64 " %s\n", e->failed[i].n, e->failed[i].reason);
	if (e->n_other)
		printf("\nAbout something else: %" PRIu64 "\n", e->n_other);
}

static void print_trouble(const struct importreport *r)
{
	const struct events *e = r->events;

	print_left_out(e);
	print_bad(e);
	if (r->n_failures)
		printf("\nNot imported: %" PRIu64 "\n", r->n_failures);
	for (uint64_t i = 0; i < r->n_failures && i < LINES_MAX && i < IMPORTREPORT_FAILURES_MAX; i++)
		printf("  %s, event %" PRIu64 ": %s\n", e->files[r->failures[i].file].path, r->failures[i].position,
		       cs_strerror(r->failures[i].code));
	if (e->n_bad > LINES_MAX || r->n_failures > LINES_MAX)
		printf("  … (--json lists up to 1000 of each)\n");
}

static double rate(const struct importreport *r)
{
	return r->elapsed_ms ? (double)r->imported * 1000 / (double)r->elapsed_ms : 0;
}

void importreport_print(struct importreport *r, unsigned top)
{
	sort(r);
	if (!r->sent) {
		printf("Read %" PRIu64 " events from %u files; nothing was sent\n", r->events->n, r->events->n_files);
		print_trouble(r);
		return;
	}
	printf("Imported %" PRIu64 " of %" PRIu64 " events from %u files in %.2f s (%.0f events/s)\n", r->imported,
	       r->events->n, r->events->n_files, (double)r->elapsed_ms / 1000, rate(r));
	if (r->before)
		printf("Imported before, and not again: %" PRIu64 "\n", r->before);
	if (r->moved)
		printf("Out of their order, for want of an answer at once: %" PRIu64 "\n", r->moved);
	printf("Verdicts  ");
	for (unsigned v = CS_ALLOW; v <= CS_DENY; v++)
		printf("%s%s%s %" PRIu64 "%s", text_on(stdout, text_verdict_tint((int)v)), cs_verdict_text((int)v),
		       text_off(stdout), r->verdicts[v], v < CS_DENY ? ", " : "\n");
	if (r->n_principals && top)
		print_principals(r, top);
	print_trouble(r);
}

static json_t *verdicts_json(const uint64_t verdicts[5])
{
	json_t *o = json_object();

	for (unsigned v = CS_ALLOW; v <= CS_DENY; v++)
		json_object_set_new(o, cs_verdict_text((int)v), json_integer((json_int_t)verdicts[v]));
	return o;
}

static json_t *principal_json(const struct importreport_principal *p)
{
	json_t *signals = json_array();

	for (unsigned i = 0; i < p->n_signals; i++)
		json_array_append_new(signals, json_pack("{s:s, s:I, s:I}", "name", p->signals[i].name, "events",
		                                         (json_int_t)p->signals[i].events, "weight",
		                                         (json_int_t)p->signals[i].weight));
	return json_pack("{s:s, s:I, s:o, s:i, s:f, s:I, s:o}", "principal", p->name, "events", (json_int_t)p->events,
	                 "verdicts", verdicts_json(p->verdicts), "risk_max", (int)p->risk_max, "probability_max",
	                 text_probability(p->risk_max), "worst_index", (json_int_t)p->worst_index, "signals", signals);
}

static json_t *bad_json(const struct events *e)
{
	json_t *list = json_array(), *o;

	for (size_t i = 0; i < e->n_bad && i < EVENTS_BAD_MAX; i++) {
		const struct events_bad *b = &e->bad[i];

		o = json_pack("{s:s*, s:I, s:s*}", "file", b->path, "position", (json_int_t)b->position, "reason",
		              b->reason);
		if (b->line)
			json_object_set_new(o, "line", json_integer((json_int_t)b->line));
		json_array_append_new(list, o);
	}
	return list;
}

static json_t *failures_json(const struct importreport *r)
{
	json_t *list = json_array();

	for (uint64_t i = 0; i < r->n_failures && i < IMPORTREPORT_FAILURES_MAX; i++)
		json_array_append_new(list,
		                      json_pack("{s:s, s:I, s:s}", "file", r->events->files[r->failures[i].file].path,
		                                "position", (json_int_t)r->failures[i].position, "reason",
		                                cs_strerror(r->failures[i].code)));
	return list;
}

static json_t *failed_json(const struct events *e)
{
	json_t *o = json_object();

	for (unsigned i = 0; i < e->n_failed; i++)
		json_object_set_new(o, e->failed[i].reason, json_integer((json_int_t)e->failed[i].n));
	return o;
}

static json_t *files_json(const struct events *e)
{
	json_t *list = json_array();

	for (unsigned i = 0; i < e->n_files; i++)
		json_array_append_new(list, json_pack("{s:s, s:s*, s:I, s:I}", "file", e->files[i].path, "format",
		                                      e->files[i].format ? e->files[i].format->name : NULL, "records",
		                                      (json_int_t)e->files[i].records, "events",
		                                      (json_int_t)e->files[i].events));
	return list;
}

json_t *importreport_json(struct importreport *r, unsigned top)
{
	json_t *principals = json_array();
	const struct events *e = r->events;

	sort(r);
	for (size_t i = 0; i < r->n_principals && i < top; i++)
		json_array_append_new(principals, principal_json(r->principals[i]));
	return json_pack("{s:b, s:I, s:I, s:o, s:I, s:I, s:I, s:I, s:f, s:o, s:o, s:o, s:I, s:I, s:o, s:I, s:o}",
	                 "sent", (int)r->sent, "events", (json_int_t)e->n, "files", (json_int_t)e->n_files,
	                 "files_list", files_json(e), "imported", (json_int_t)r->imported, "imported_before",
	                 (json_int_t)r->before, "out_of_order", (json_int_t)r->moved, "elapsed_ms",
	                 (json_int_t)r->elapsed_ms, "events_per_s", rate(r), "verdicts", verdicts_json(r->verdicts),
	                 "principals", principals, "failed_then", failed_json(e), "about_else", (json_int_t)e->n_other,
	                 "not_parsed", (json_int_t)e->n_bad, "not_parsed_list", bad_json(e), "not_imported",
	                 (json_int_t)r->n_failures, "not_imported_list", failures_json(r));
}

void importreport_close(struct importreport *r)
{
	for (size_t i = 0; i < r->n_principals; i++) {
		tdelete(r->principals[i], &r->by_name, by_name);
		free(r->principals[i]->name);
		free(r->principals[i]);
	}
	free(r->principals);
	memset(r, 0, sizeof *r);
}
