/* An audit's report as one page that needs nothing else: to read, in light or dark, and to print. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "client/tool/audithtml.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/tool/audit.h"
#include "client/tool/text.h"

const char *audithtml_word(const json_t *o, const char *key)
{
	const char *s = json_string_value(json_object_get(o, key));

	return s ? s : "";
}

int64_t audithtml_num(const json_t *o, const char *key)
{
	return json_integer_value(json_object_get(o, key));
}
#define word audithtml_word
#define num  audithtml_num

/*
 * All that stands between tags goes through here: what users are called must not become markup. Control characters are
 * not in HTML's or XML's alphabet; names of subjects have none any more (text_safe).
 */
void audithtml_text(FILE *f, const char *s)
{
	for (; *s; s++) {
		switch (*s) {
		case '<':
			fputs("&lt;", f);
			break;
		case '>':
			fputs("&gt;", f);
			break;
		case '&':
			fputs("&amp;", f);
			break;
		case '"':
			fputs("&quot;", f);
			break;
		case '\'':
			fputs("&#39;", f);
			break;
		default:
			fputc((unsigned char)*s < 0x20 && *s != '\n' ? ' ' : *s, f);
		}
	}
}

void audithtml_number(FILE *f, int64_t n)
{
	char digits[24];
	size_t len = (size_t)snprintf(digits, sizeof digits, "%" PRId64, n), first = digits[0] == '-';

	/* Thousands by a thin space (ISO 80000-1). */
	for (size_t i = 0; i < len; i++) {
		fputc(digits[i], f);
		if (i >= first && i + 1 < len && (len - i - 1) % 3 == 0)
			fputs("&#8239;", f);
	}
}

void audithtml_time(FILE *f, int64_t ms)
{
	char text[TEXT_TIME_SIZE];

	text_time((uint64_t)ms, text);
	text[10] = ' ';
	text[19] = '\0';
	fprintf(f, "<time>%s</time>", text);
}

void audithtml_span(FILE *f, int64_t ms)
{
	if (ms < 1000)
		fprintf(f, "%" PRId64 " ms", ms);
	else if (ms < 120 * 1000)
		fprintf(f, "%.1f s", (double)ms / 1000);
	else if (ms < 120 * 60 * 1000)
		fprintf(f, "%" PRId64 " min", ms / 60000);
	else if (ms < INT64_C(48) * 3600 * 1000)
		fprintf(f, "%.1f h", (double)ms / 3600000);
	else
		fprintf(f, "%.1f d", (double)ms / 86400000);
}

/* --- head and verdict --- */

static const char style[] =
        ":root{--paper:#fbfaf7;--card:#fff;--ink:#1d1f24;--soft:#5d6470;--line:#e2e0d9;--allow:#2f7d5b;--step:#2f6db5;"
        "--defer:#8a6bbf;--deny:#c4472f;--good:#e7f3ec;--bad:#fbe6e1;--unsure:#fdf3d8;--accent:#2b4a6f}\n"
        "@media (prefers-color-scheme:dark){:root{--paper:#14161a;--card:#1c1f25;--ink:#e8e6e1;--soft:#a0a6b1;"
        "--line:#333841;--allow:#5cba8e;--step:#6ba6ea;--defer:#b79be8;--deny:#f0806a;--good:#1b3327;--bad:#40211c;"
        "--unsure:#3b321a;--accent:#9cc0ea}}\n"
        "*{box-sizing:border-box}body{margin:0;background:var(--paper);color:var(--ink);font:15px/1.5 system-ui,"
        "\"Segoe UI\",\"DejaVu Sans\",sans-serif}main{max-width:1040px;margin:0 auto;padding:40px 28px 64px}\n"
        "header p,.note{color:var(--soft);margin:4px 0 0}h1{font-size:27px;line-height:1.2;margin:0;letter-spacing:"
        "-.01em}h2{font-size:17px;margin:36px 0 12px;padding-bottom:6px;border-bottom:1px solid var(--line)}\n"
        ".verdict{margin:24px 0;padding:18px 22px;border-radius:10px;border-left:6px solid}.verdict strong{display:"
        "block;font-size:21px}.s0{background:var(--good);border-color:var(--allow)}.s1{background:var(--bad);"
        "border-color:var(--deny)}.s2{background:var(--unsure);border-color:#c9962b}\n"
        ".warn{margin:0 0 24px;padding:12px 18px;border-radius:8px;background:var(--unsure);border-left:6px solid "
        "#c9962b}.cards{display:grid;grid-template-columns:repeat(auto-fit,minmax(150px,1fr));gap:12px}.card{"
        "background:var(--card);border:1px solid var(--line);border-radius:10px;padding:14px 16px}.card b{display:"
        "block;font-size:25px;line-height:1.2;font-variant-numeric:tabular-nums}.card span{color:var(--soft);"
        "font-size:13px}\n"
        "table{border-collapse:collapse;width:100%;font-variant-numeric:tabular-nums}th{text-align:left;font-weight:"
        "600;color:var(--soft);font-size:13px}th,td{padding:6px 12px 6px 0;border-bottom:1px solid var(--line);"
        "vertical-align:top;overflow-wrap:anywhere}.r{text-align:right;padding-right:18px;white-space:nowrap}time{"
        "white-space:nowrap}code,pre{font:12.5px/1.5 ui-monospace,\"DejaVu Sans Mono\",monospace;overflow-wrap:"
        "anywhere}pre{white-space:pre-wrap;background:var(--card);border:1px solid var(--line);border-radius:10px;"
        "padding:14px 16px;margin:0}\n"
        "figure{margin:0;background:var(--card);border:1px solid var(--line);border-radius:10px;padding:16px}svg{"
        "display:block;width:100%;height:auto}svg text{fill:var(--soft);font-size:12px}.allow{fill:var(--allow)}"
        ".step_up{fill:var(--step)}.defer{fill:var(--defer)}.deny{fill:var(--deny)}.grid{stroke:var(--line)}.bar{"
        "fill:var(--accent)}.key{display:flex;flex-wrap:wrap;gap:6px 20px;margin-top:10px;color:var(--soft);font-size:"
        "13px}.key "
        "svg{width:11px;display:inline-block;vertical-align:-1px;margin-right:6px}.meter{width:132px}td.meter{vertical-"
        "align:middle}"
        ".two{display:grid;grid-template-columns:1fr 1fr;gap:0 36px}.held::before{content:\"\\2713\\00a0\";color:"
        "var(--allow)}.bad::before{content:\"\\2717\\00a0\";color:var(--deny)}.unchecked::before{content:"
        "\"?\\00a0\";color:#c9962b}.checks{list-style:none;padding:0;margin:0}.loud{color:var(--deny);font-weight:"
        "600}\n"
        "@media (max-width:720px){.two{display:block}}\n"
        "@media print{:root{--paper:#fff;--card:#fff;--ink:#000;--soft:#444;--line:#bbb;--allow:#2f7d5b;--step:#2f6db5;"
        "--defer:#8a6bbf;--deny:#c4472f;--good:#fff;--bad:#fff;--unsure:#fff;--accent:#2b4a6f}body{font-size:10.5pt}"
        "main{max-width:none;padding:0}*{-webkit-print-color-adjust:exact;print-color-adjust:exact}.verdict,.warn{"
        "border-style:solid;border-width:1px 1px 1px "
        "6px}.cards{grid-template-columns:repeat(3,1fr)}td.meter{width:90px}th:first-child:not(.r),td:first-child:not(."
        "r){min-"
        "width:10em}figure,.card,tr,.verdict{break-inside:avoid}h2{break-after:avoid}"
        "thead{display:table-header-group}@page{size:A4;margin:16mm 14mm}}\n";

static void head(FILE *f, const json_t *r)
{
	static const char *const words[] = {"Verified", "ALARM", "Could not tell"};
	int64_t status = num(r, "status");
	const json_t *last = json_object_get(r, "last_visit");

	fputs("<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\"/>\n<meta name=\"viewport\" "
	      "content=\"width=device-width, initial-scale=1\"/>\n<meta name=\"color-scheme\" content=\"light "
	      "dark\"/>\n"
	      "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src "
	      "'unsafe-inline'\"/>\n"
	      "<title>Audit of ",
	      f);
	audithtml_text(f, word(r, "origin"));
	fprintf(f, "</title>\n<style>\n%s</style>\n</head>\n<body>\n<main>\n<header>\n<h1>Audit of ", style);
	audithtml_text(f, word(r, "origin"));
	fputs("</h1>\n<p>Made ", f);
	audithtml_time(f, num(r, "made_ms"));
	fputs(" UTC", f);
	if (json_is_object(last)) {
		fputs("; the visit before was ", f);
		audithtml_time(f, num(last, "visited_ms"));
		fputs(" UTC, at ", f);
		audithtml_number(f, num(last, "size"));
		fputs(" entries", f);
	} else {
		fputs("; the first visit", f);
	}
	fprintf(f, ".</p>\n</header>\n<section class=\"verdict s%" PRId64 "\">\n<strong>%s</strong>\n", status,
	        words[status]);
	audithtml_text(f, word(r, "reason"));
	if (*word(r, "expected")) {
		fputs("<br/>expected <code>", f);
		audithtml_text(f, word(r, "expected"));
		fputs("</code><br/>found <code>", f);
		audithtml_text(f, word(r, "found"));
		fputs("</code>", f);
	}
	fputs("\n</section>\n", f);
}

static void governance(FILE *f, const json_t *r)
{
	const char *g = word(r, "governance");

	if (!strcmp(g, "single"))
		fputs("<section class=\"warn\"><strong>Governance: single.</strong> ONE administrator alone can change "
		      "the policy, the people and the members.</section>\n",
		      f);
	else if (*g)
		fprintf(f, "<p class=\"note\">Governance: the least that an order takes is %s administrators.</p>\n",
		        g);
}

static void card(FILE *f, int64_t n, const char *text)
{
	fputs("<div class=\"card\"><b>", f);
	audithtml_number(f, n);
	fprintf(f, "</b><span>%s</span></div>\n", text);
}

static void cards(FILE *f, const json_t *r)
{
	const json_t *facts = json_object_get(r, "facts"), *v = json_object_get(facts, "verdicts");

	fputs("<section class=\"cards\">\n", f);
	card(f, num(facts, "entries"), "entries read and checked");
	card(f, num(v, "allow"), "allowed");
	card(f, num(v, "step_up"), "stepped up");
	card(f, num(v, "defer"), "deferred");
	card(f, num(v, "deny"), "denied");
	card(f, num(json_object_get(r, "state"), "size"), "entries in all");
	fputs("</section>\n", f);
}

/* --- tables --- */

static void changes(FILE *f, const json_t *facts)
{
	size_t i, k;
	json_t *sort, *e;

	json_array_foreach(json_object_get(facts, "changes"), i, sort)
	{
		size_t shown = json_array_size(json_object_get(sort, "entries"));
		bool loud = !strcmp(word(sort, "sort"), "break_glass") || !strcmp(word(sort, "sort"), "unknown");

		if (!num(sort, "count"))
			continue;
		fprintf(f,
		        "<h2%s>%s (%" PRId64 ")</h2>\n<table><thead><tr><th class=\"r\">Entry</th><th>Time, UTC</th>"
		        "<th>What</th></tr></thead><tbody>\n",
		        loud ? " class=\"loud\"" : "", word(sort, "title"), num(sort, "count"));
		json_array_foreach(json_object_get(sort, "entries"), k, e)
		{
			fputs("<tr><td class=\"r\">", f);
			audithtml_number(f, num(e, "index"));
			fputs("</td><td>", f);
			audithtml_time(f, num(e, "time_ms"));
			fputs("</td><td>", f);
			audithtml_text(f, word(e, "text"));
			fputs("</td></tr>\n", f);
		}
		fputs("</tbody></table>\n", f);
		if ((size_t)num(sort, "count") > shown)
			fprintf(f, "<p class=\"note\">… and %" PRId64 " more.</p>\n",
			        num(sort, "count") - (int64_t)shown);
	}
}

static void not_read(FILE *f, const json_t *o)
{
	const char *name;
	json_t *n;

	fputs("<h2>Private fields</h2>\n<p>", f);
	audithtml_number(f, num(o, "opened"));
	fputs(" of ", f);
	audithtml_number(f, num(o, "fields"));
	fputs(" fields were open to this auditor; each was held against its commitment in the entry.", f);
	if (!num(o, "not_read")) {
		fputs("</p>\n", f);
		return;
	}
	fputs(" <strong>", f);
	audithtml_number(f, num(o, "not_read"));
	fputs(" were not read</strong>: erased, or not open to this key.</p>\n<table><thead><tr><th>Field</th><th "
	      "class=\"r\">Not read</th></tr></thead><tbody>\n",
	      f);
	json_object_foreach(json_object_get(o, "by_field"), name, n)
	{
		fputs("<tr><td>", f);
		audithtml_text(f, name);
		fputs("</td><td class=\"r\">", f);
		audithtml_number(f, json_integer_value(n));
		fputs("</td></tr>\n", f);
	}
	fputs("</tbody></table>\n", f);
}

static void keys(FILE *f, const json_t *r)
{
	size_t i;
	json_t *line;

	fputs("<h2>Under which keys</h2>\n<p>The trust policy is <code>", f);
	audithtml_text(f, word(r, "trust"));
	fputs("</code>. No key that came from the cluster counted.</p>\n<ul class=\"checks\">\n", f);
	json_array_foreach(json_object_get(r, "checks"), i, line)
	{
		fprintf(f, "<li class=\"%s\">", word(line, "mark"));
		audithtml_text(f, word(line, "text"));
		fputs("</li>\n", f);
	}
	fputs("</ul>\n<h2>The checkpoint</h2>\n<pre>", f);
	audithtml_text(f, word(r, "checkpoint"));
	fputs("</pre>\n<p class=\"note\">Keep this page or the state file: whoever is shown another checkpoint of this "
	      "size, or one that does not continue it, has been shown another ledger. Not looked at here: that each "
	      "verdict follows from its signals (replay), and whether this checkpoint is the newest.</p>\n",
	      f);
}

static void print(FILE *f, const json_t *r)
{
	const json_t *facts = json_object_get(r, "facts");

	head(f, r);
	governance(f, r);
	cards(f, r);
	auditchart_timeline(f, facts);
	auditchart_steps(f, facts);
	auditchart_subjects(f, facts);
	auditchart_times(f, facts);
	changes(f, facts);
	auditchart_kinds(f, facts);
	not_read(f, json_object_get(facts, "private"));
	keys(f, r);
	fputs("</main>\n</body>\n</html>\n", f);
}

char *audithtml_make(const json_t *report, size_t *ret_size)
{
	char *text = NULL;
	FILE *f = open_memstream(&text, ret_size);
	bool failed;

	if (!f)
		return NULL;
	print(f, report);
	failed = ferror(f);
	if (!fclose(f) && !failed)
		return text;
	free(text);
	return NULL;
}
