/* The charts and tables of an audit's page, as SVG and HTML of their own. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "client/tool/audithtml.h"

#include <inttypes.h>
#include <string.h>

#include "client/tool/text.h"

#define word audithtml_word
#define num  audithtml_num

/* The chart over time, in units of its own view box. */
#define CHART_WIDTH  980
#define CHART_HEIGHT 220
#define CHART_LEFT   52
#define CHART_TOP    10
#define CHART_BOTTOM 24
#define GRID_LINES   4

static const char *const verdicts[] = {"allow", "step_up", "defer", "deny"};
static const char *const titles[] = {"allow", "step-up", "defer", "deny"};

static int64_t bucket_sum(const json_t *b)
{
	int64_t n = 0;

	for (unsigned v = 0; v < 4; v++)
		n += num(b, verdicts[v]);
	return n;
}

/* 1, 2 or 5 times a power of ten, and not below n / GRID_LINES. */
static int64_t grid_step(int64_t n)
{
	static const int64_t steps[] = {1, 2, 5};
	int64_t ten = 1;

	for (;; ten *= 10)
		for (unsigned i = 0; i < 3; i++)
			if (steps[i] * ten * GRID_LINES >= n)
				return steps[i] * ten;
}

static void grid(FILE *f, int64_t step, double scale)
{
	for (int64_t i = 0; i <= GRID_LINES; i++) {
		double y = CHART_TOP + CHART_HEIGHT - (double)(i * step) * scale;

		fprintf(f,
		        "<line class=\"grid\" x1=\"%d\" x2=\"%d\" y1=\"%.1f\" y2=\"%.1f\"/><text x=\"%d\" y=\"%.1f\" "
		        "text-anchor=\"end\">%" PRId64 "</text>\n",
		        CHART_LEFT, CHART_LEFT + CHART_WIDTH, y, y, CHART_LEFT - 8, y + 4, i * step);
	}
}

static void bars(FILE *f, const json_t *timeline, double scale)
{
	const json_t *list = json_object_get(timeline, "buckets");
	double width = (double)CHART_WIDTH / (double)json_array_size(list);
	char time[TEXT_TIME_SIZE];
	size_t i;
	json_t *b;

	json_array_foreach(list, i, b)
	{
		double y = CHART_TOP + CHART_HEIGHT, gap = width > 6 ? width * 0.15 : 0.4;

		if (!bucket_sum(b))
			continue;
		text_time((uint64_t)(num(timeline, "begin_ms") + (int64_t)i * num(timeline, "width_ms")), time);
		fprintf(f,
		        "<g><title>%.19s: %" PRId64 " allow, %" PRId64 " step-up, %" PRId64 " defer, %" PRId64 " deny"
		        "</title>",
		        time, num(b, "allow"), num(b, "step_up"), num(b, "defer"), num(b, "deny"));
		for (unsigned v = 0; v < 4; v++) {
			double height = (double)num(b, verdicts[v]) * scale;

			y -= height;
			if (height > 0)
				fprintf(f, "<rect class=\"%s\" x=\"%.2f\" y=\"%.2f\" width=\"%.2f\" height=\"%.2f\"/>",
				        verdicts[v], CHART_LEFT + (double)i * width + gap / 2, y, width - gap, height);
		}
		fputs("</g>\n", f);
	}
}

/* From, middle and to. */
static void axis(FILE *f, const json_t *timeline)
{
	static const char *const anchors[] = {"start", "middle", "end"};
	int64_t n = (int64_t)json_array_size(json_object_get(timeline, "buckets")), width = num(timeline, "width_ms");
	char time[TEXT_TIME_SIZE];

	for (int i = 0; i < 3; i++) {
		text_time((uint64_t)(num(timeline, "begin_ms") + n * width * i / 2), time);
		time[10] = ' ';
		fprintf(f, "<text x=\"%d\" y=\"%d\" text-anchor=\"%s\">%.19s</text>\n",
		        CHART_LEFT + CHART_WIDTH * i / 2, CHART_TOP + CHART_HEIGHT + CHART_BOTTOM - 6, anchors[i],
		        time);
	}
}

static void legend(FILE *f)
{
	fputs("<div class=\"key\">", f);
	for (unsigned v = 0; v < 4; v++)
		fprintf(f,
		        "<span><svg viewBox=\"0 0 10 10\"><rect class=\"%s\" width=\"10\" height=\"10\" "
		        "rx=\"2\"/></svg>"
		        "%s</span>",
		        verdicts[v], titles[v]);
	fputs("</div>\n", f);
}

void auditchart_timeline(FILE *f, const json_t *facts)
{
	const json_t *timeline = json_object_get(facts, "timeline");
	int64_t most = 0, step;
	size_t i;
	json_t *b;
	double scale;

	json_array_foreach(json_object_get(timeline, "buckets"), i, b) most =
	        bucket_sum(b) > most ? bucket_sum(b) : most;
	if (!most)
		return;
	step = grid_step(most);
	scale = (double)CHART_HEIGHT / (double)(step * GRID_LINES);
	fputs("<h2>Verdicts over time</h2>\n<figure>\n", f);
	fprintf(f, "<svg viewBox=\"0 0 %d %d\" role=\"img\" aria-label=\"Decisions by verdict over time\">\n",
	        CHART_LEFT + CHART_WIDTH + 8, CHART_TOP + CHART_HEIGHT + CHART_BOTTOM);
	grid(f, step, scale);
	bars(f, timeline, scale);
	axis(f, timeline);
	fputs("</svg>\n", f);
	legend(f);
	fputs("<p class=\"note\">Decisions in each ", f);
	audithtml_span(f, num(timeline, "width_ms"));
	fputs("; times are UTC.</p>\n</figure>\n", f);
}

static void cell(FILE *f, int64_t n)
{
	fputs("<td class=\"r\">", f);
	audithtml_number(f, n);
	fputs("</td>", f);
}

/* part of whole as a bar of its own. */
static void meter(FILE *f, const char *class, double part)
{
	fprintf(f,
	        "<td class=\"meter\"><svg viewBox=\"0 0 120 14\"><rect class=\"%s\" y=\"2\" width=\"%.1f\" "
	        "height=\"10\" "
	        "rx=\"2\"/></svg></td>",
	        class, part < 0.01 ? 1.2 : 120 * part);
}

void auditchart_steps(FILE *f, const json_t *facts)
{
	const json_t *o = json_object_get(facts, "step_ups");
	size_t i;
	json_t *m;

	if (!num(o, "challenges") && !json_array_size(json_object_get(o, "methods")))
		return;
	fputs("<h2>Step-ups by method</h2>\n<p>", f);
	audithtml_number(f, num(o, "challenges"));
	fputs(" challenges: ", f);
	audithtml_number(f, num(o, "answered"));
	fputs(" answered, ", f);
	audithtml_number(f, num(o, "unanswered"));
	fputs(" not", f);
	if (num(o, "answers_to_earlier")) {
		fputs("; ", f);
		audithtml_number(f, num(o, "answers_to_earlier"));
		fputs(" answers to challenges of an earlier visit", f);
	}
	fputs(".</p>\n", f);
	if (!json_array_size(json_object_get(o, "methods")))
		return;
	fputs("<table><thead><tr><th>Method</th><th class=\"r\">Met</th><th class=\"r\">Failed</th><th "
	      "class=\"r\">Late</th><th>Met, of all</th></tr></thead><tbody>\n",
	      f);
	json_array_foreach(json_object_get(o, "methods"), i, m)
	{
		int64_t all = num(m, "met") + num(m, "failed") + num(m, "late") + num(m, "other");

		fputs("<tr><td>", f);
		audithtml_text(f, word(m, "method"));
		fputs("</td>", f);
		cell(f, num(m, "met"));
		cell(f, num(m, "failed"));
		cell(f, num(m, "late"));
		meter(f, "allow", all ? (double)num(m, "met") / (double)all : 0);
		fputs("</tr>\n", f);
	}
	fputs("</tbody></table>\n", f);
}

void auditchart_subjects(FILE *f, const json_t *facts)
{
	const json_t *o = json_object_get(facts, "subjects");
	size_t i;
	json_t *s;

	if (!json_array_size(json_object_get(o, "riskiest")))
		return;
	fputs("<h2>Riskiest subjects</h2>\n<table><thead><tr><th>Subject</th><th class=\"r\">Highest "
	      "risk</th><th></th><th "
	      "class=\"r\">Decisions</th><th class=\"r\">Stepped up</th><th class=\"r\">Deferred</th><th "
	      "class=\"r\">Denied</th></tr></thead><tbody>\n",
	      f);
	json_array_foreach(json_object_get(o, "riskiest"), i, s)
	{
		double risk = text_probability((int32_t)num(s, "risk_max"));
		const json_t *v = json_object_get(s, "verdicts");

		fputs("<tr><td>", f);
		audithtml_text(f, word(s, "subject"));
		fprintf(f, "</td><td class=\"r\">%.1f %%</td>", 100 * risk);
		meter(f, "deny", risk);
		cell(f, num(s, "decisions"));
		cell(f, num(v, "step_up"));
		cell(f, num(v, "defer"));
		cell(f, num(v, "deny"));
		fputs("</tr>\n", f);
	}
	fputs("</tbody></table>\n<p class=\"note\">Of ", f);
	audithtml_number(f, num(o, "seen"));
	fputs(" subjects", f);
	if (num(o, "not_told_apart")) {
		fputs("; ", f);
		audithtml_number(f, num(o, "not_told_apart"));
		fputs(" decisions are of subjects that there was no room to tell apart", f);
	}
	fputs(".</p>\n", f);
}

static void slowest(FILE *f, const json_t *list)
{
	size_t i;
	json_t *s;

	fputs("<div><h2>Slowest answers</h2>\n", f);
	if (!json_array_size(list))
		fputs("<p class=\"note\">No challenge of this visit was answered.</p>\n", f);
	else
		fputs("<table><thead><tr><th class=\"r\">Took</th><th class=\"r\">Challenge</th><th "
		      "class=\"r\">Answer</th><th>Outcome</th></tr></thead><tbody>\n",
		      f);
	json_array_foreach(list, i, s)
	{
		fputs("<tr><td class=\"r\">", f);
		audithtml_span(f, num(s, "ms"));
		fputs("</td>", f);
		cell(f, num(s, "challenge"));
		cell(f, num(s, "answer"));
		fprintf(f, "<td>%s</td></tr>\n", word(s, "outcome"));
	}
	fputs(json_array_size(list) ? "</tbody></table></div>\n" : "</div>\n", f);
}

void auditchart_times(FILE *f, const json_t *facts)
{
	const json_t *list = json_object_get(facts, "gaps");
	size_t i;
	json_t *g;

	if (!num(facts, "entries"))
		return;
	fputs("<section class=\"two\">\n", f);
	slowest(f, json_object_get(facts, "slowest"));
	fputs("<div><h2>Longest gaps</h2>\n<table><thead><tr><th class=\"r\">No entry for</th><th>From, UTC</th><th "
	      "class=\"r\">Before entry</th></tr></thead><tbody>\n",
	      f);
	json_array_foreach(list, i, g)
	{
		fputs("<tr><td class=\"r\">", f);
		audithtml_span(f, num(g, "ms"));
		fputs("</td><td>", f);
		audithtml_time(f, num(g, "from_ms"));
		fputs("</td>", f);
		cell(f, num(g, "before_entry"));
		fputs("</tr>\n", f);
	}
	fputs("</tbody></table></div>\n</section>\n", f);
}

void auditchart_kinds(FILE *f, const json_t *facts)
{
	int64_t all = num(facts, "entries");
	size_t i;
	json_t *k;

	if (!all)
		return;
	fputs("<h2>Entries by kind</h2>\n<table><thead><tr><th>Kind</th><th class=\"r\">Entries</th><th></th></tr>"
	      "</thead><tbody>\n",
	      f);
	json_array_foreach(json_object_get(facts, "kinds"), i, k)
	{
		fputs("<tr><td>", f);
		audithtml_text(f, word(k, "kind"));
		fputs("</td>", f);
		cell(f, num(k, "count"));
		meter(f, "bar", (double)num(k, "count") / (double)all);
		fputs("</tr>\n", f);
	}
	fputs("</tbody></table>\n", f);
}
