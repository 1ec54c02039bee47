/* countersign watch: follows the ledger by index, so that nothing is missed. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "client/tool/entryline.h"
#include "client/tool/result.h"
#include "client/tool/text.h"
#include "client/tool/tool.h"
#include "client/tool/watchcount.h"
#include "client/tool/watchfilter.h"
#include "client/tool/watchpull.h"
#include "client/tool/watchscreen.h"

#define PAGE_ENTRIES 256
#define WAIT_MS      2000 /* For an entry that is not there yet; then the question is asked anew. */
#define RETRY_MS     500  /* Between tries while nobody answers; an election takes about as long. */
#define REDRAW_MS    1000 /* The rate and what has expired change by themselves. */
#define UNSET        UINT64_MAX

static const struct usage usage = {
        .command = "watch",
        .arguments = "",
        .about = "Prints each entry as it is committed, from now on or from an index on, until it is interrupted. It "
                 "goes\n"
                 "on by index after a change of leader or a lost connection, so that no entry is missed; that the "
                 "chain\n"
                 "of entries is unbroken is checked. Alerts are marked: answers that failed or came late, a deny at\n"
                 "high risk, and whatever changes who may do what. On a terminal a line at the bottom counts what was\n"
                 "seen, filtered out or not. Filters by subject, action and resource take patterns (\"user:*\") and "
                 "need\n"
                 "a key with the audit role: these fields are private.\n",
        .exits = "  0  interrupted, or the end that was asked for was reached\n" TOOL_EXIT_TEXT,
};

static volatile sig_atomic_t interrupted;
static int wake_fd = -1;

static void on_signal(int signal)
{
	const uint64_t one = 1;
	int err = errno;

	if (signal != SIGWINCH)
		interrupted = 1;
	if (write(wake_fd, &one, sizeof one) < 0)
		interrupted = 1; /* Nothing else can be said from here. */
	errno = err;
}

struct watch {
	struct tool_access access;
	struct watchfilter filter;
	struct watchscreen screen;
	struct watchpull *pull;
	const char *until_text;
	uint64_t from, until, count, alert_risk;
	bool json, follow;
	bool started;  /* The cluster said how long its ledger is, and what waits. */
	bool asked;    /* A question is out. */
	bool done;     /* What was asked for was shown. */
	bool closed;   /* That private fields are missing was said. */
	bool cut_off;  /* That nobody answers was said. */
	bool has_last; /* The entry before `from` was seen: its leaf hash. */
	struct hash last;
	uint64_t retry_ms; /* When to ask again; 0: now. */
	struct watchcount counts;
};

static struct watch watch = {
        .access.timeout_ms = TOOL_TIMEOUT_MS_DEFAULT, .from = UNSET, .until = UNSET, .alert_risk = ALERT_RISK_DEFAULT};

/* Without the audit role the fields do not come; nor do those that were erased, which the cluster does not tell apart.
 */
static void say_closed(struct watch *w, const struct entryview *v)
{
	if (w->closed || v->opened || !v->entry.n_fields)
		return;
	w->closed = true;
	watchscreen_hide(&w->screen);
	fflush(stdout);
	fprintf(stderr,
	        "countersign watch: entry %" PRIu64 " came without its private fields: this key lacks the audit role, "
	        "or they were erased%s\n",
	        v->entry.index,
	        watchfilter_private(&w->filter) ? "; filters by subject, action and resource cannot see such entries"
	                                        : "");
}

static int print(struct watch *w, const struct entryview *v, const struct alert *a)
{
	json_t *o;

	if (!w->json) {
		entryline_print(v, a);
		return 0;
	}
	o = entryview_json(v);
	if (a)
		json_object_set_new(o, "alert", json_string(a->text));
	return result_dump(usage.command, o, false);
}

static int show(struct watch *w, const struct entryview *v)
{
	struct alert a;
	bool alert = alert_of(v, (int32_t)w->alert_risk, &a);
	int code = 0;

	watchcount_add(&w->counts, v, alert, text_clock_ms());
	say_closed(w, v);
	if (watchfilter_passes(&w->filter, v, alert)) {
		code = print(w, v, alert ? &a : NULL);
		w->done = w->count && !--w->count;
	}
	return code;
}

static int take(struct watch *w, const struct cs_entry *e)
{
	struct entryview v;
	int code, err = entryview_open(&v, e);

	if (!err && (v.entry.index != w->from || (w->has_last && !hash_equal(&v.entry.prev, &w->last))))
		err = CS_E_REFUTED;
	if (err)
		return tool_fail(EXIT_REFUTED, usage.command,
		                 "ALARM: entry %" PRIu64 " does not continue the chain: %s", w->from, cs_strerror(err));
	w->last = v.leaf_hash;
	w->has_last = true;
	w->from++;
	code = show(w, &v);
	w->done = w->done || w->from > w->until;
	return code || ferror(stdout) ? EXIT_LOCAL : 0;
}

/* What waits since before the first entry that is read; a deny that may be released does not. */
static void count_pending(struct watch *w, const char *text)
{
	json_t *rows = text ? json_loads(text, 0, NULL) : NULL, *row;
	size_t i;

	json_array_foreach(rows, i, row)
	{
		const char *verdict = json_string_value(json_object_get(row, "verdict"));
		uint64_t index = (uint64_t)json_integer_value(json_object_get(row, "index"));
		if (index < w->from && verdict && !strcmp(verdict, cs_verdict_text(CS_DEFER)))
			watchcount_waits(&w->counts, index);
	}
	json_decref(rows);
}

/* The first answer tells where "from now on" and "until now" are. */
static void start(struct watch *w, uint64_t size, const char *pending)
{
	w->started = true;
	if (w->until_text && w->until == UNSET)
		w->until = size - 1;
	if (w->from == UNSET)
		w->from = size;
	w->done = w->from > w->until;
	count_pending(w, pending);
}

static int take_page(struct watch *w, const cs_page *page, const char *pending)
{
	int code = 0;

	watchscreen_hide(&w->screen);
	if (w->cut_off) {
		fflush(stdout);
		fprintf(stderr, "countersign watch: back, at entry %" PRIu64 "\n", w->started ? w->from : 0);
	}
	w->cut_off = false;
	if (!w->started) {
		start(w, page->size, pending);
		return 0;
	}
	for (size_t i = 0; i < page->n && !code && !w->done && !interrupted; i++)
		code = take(w, &page->entries[i]);
	fflush(stdout);
	return code;
}

/* What passes with time is waited for; anything else ends the watch. */
static int trouble(struct watch *w, const struct watchpage *answer)
{
	int code = tool_exit_of(answer->err);

	watchscreen_hide(&w->screen);
	if (code != EXIT_UNREACHABLE)
		return tool_fail(code, usage.command, "reading: %s (%s)", cs_strerror(answer->err), answer->text);
	if (!w->cut_off)
		tool_fail(code, usage.command, "%s; trying again until somebody answers", cs_strerror(answer->err));
	w->cut_off = true;
	w->retry_ms = text_clock_ms() + RETRY_MS;
	return 0;
}

static void ask(struct watch *w)
{
	if (w->asked || (w->retry_ms && text_clock_ms() < w->retry_ms))
		return;
	w->retry_ms = 0;
	w->asked = true;
	if (w->started)
		watchpull_ask(w->pull, w->from, PAGE_ENTRIES, WAIT_MS);
	else
		watchpull_start(w->pull);
}

static void draw(struct watch *w)
{
	char counts[WATCHCOUNT_TEXT_SIZE], line[WATCHCOUNT_TEXT_SIZE + 64];

	if (!w->screen.on || w->json)
		return;
	watchcount_text(&w->counts, text_clock_ms(), text_now_ms(), counts);
	snprintf(line, sizeof line, "%s%s%s", counts, w->cut_off ? "  NOBODY ANSWERS" : "",
	         w->closed ? "  (private)" : "");
	watchscreen_draw(&w->screen, line);
}

static void await(const struct watch *w)
{
	struct pollfd fd = {.fd = wake_fd, .events = POLLIN};
	int timeout_ms = w->screen.on ? REDRAW_MS : -1;
	uint64_t n;

	if (w->retry_ms)
		timeout_ms = RETRY_MS;
	if (poll(&fd, 1, timeout_ms) == 1 && read(wake_fd, &n, sizeof n) < 0 && errno != EAGAIN)
		interrupted = 1; /* It is ours and open: never. */
}

static int follow(struct watch *w)
{
	struct watchpage answer;
	int code = 0;

	while (!code && !w->done && !interrupted) {
		ask(w);
		draw(w);
		await(w);
		if (!watchpull_take(w->pull, &answer))
			continue;
		w->asked = false;
		code = answer.err ? trouble(w, &answer) : take_page(w, answer.page, answer.pending);
		cs_page_free(answer.page);
		free(answer.pending);
	}
	if (!w->screen.on || w->json)
		return code;
	draw(w); /* The last word, and the prompt of the shell below it. */
	putchar('\n');
	return code;
}

static int check_words(struct watch *w)
{
	if (w->until_text && w->follow)
		return tool_fail(EXIT_USAGE, usage.command, "--follow and --until exclude each other");
	if (w->until_text && strcmp(w->until_text, "now") != 0 && !tool_parse_index(w->until_text, &w->until))
		return tool_fail(EXIT_USAGE, usage.command, "option --until: \"%s\" is neither an index nor \"now\"",
		                 w->until_text);
	return watchfilter_parse(usage.command, &w->filter);
}

/* Signals come to this thread only, so that they end what it waits for. */
static int run(struct watch *w)
{
	struct sigaction action = {.sa_handler = on_signal};
	sigset_t ours, before;
	cs_client *client;
	int code;

	sigemptyset(&ours);
	sigaddset(&ours, SIGINT);
	sigaddset(&ours, SIGTERM);
	sigaddset(&ours, SIGWINCH);
	pthread_sigmask(SIG_BLOCK, &ours, &before);
	code = tool_open(usage.command, &w->access, 0, &client);
	if (code)
		return code;
	wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	code = wake_fd < 0 ? errno : watchpull_open(client, wake_fd, &w->pull);
	if (code) {
		cs_close(client);
		return tool_fail(EXIT_LOCAL, usage.command, "%s", strerror(code));
	}
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	action.sa_flags = SA_RESTART;
	sigaction(SIGWINCH, &action, NULL);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	watchscreen_init(&w->screen);
	watchcount_init(&w->counts, text_clock_ms());
	code = follow(w);
	watchpull_close(w->pull);
	close(wake_fd);
	return code;
}

int watch_run(int argc, char **argv)
{
	struct watch *w = &watch; /* Large: what is open is kept in mind. */
	struct watchfilter *f = &w->filter;
	const struct option options[] = {
	        TOOL_ACCESS_OPTIONS(&w->access),
	        {"from", OPTION_NUMBER, &w->from, "N", "first index (default: the next new entry)", 0, INT64_MAX},
	        {"until", OPTION_TEXT, &w->until_text, "N", "last index, or \"now\": what is there already", 0, 0},
	        {"follow", OPTION_FLAG, &w->follow, NULL, "without end, which is the default", 0, 0},
	        {"count", OPTION_NUMBER, &w->count, "M", "end after so many lines", 1, INT64_MAX},
	        {"alerts", OPTION_FLAG, &f->alerts, NULL, "only alerts", 0, 0},
	        {"alert-risk", OPTION_NUMBER, &w->alert_risk, "R", "a deny from this risk on is an alert (2000)", 0,
	         ALERT_RISK_MAX},
	        {"verdict", OPTION_LIST, &f->verdicts, "VERDICT", "only allow, step_up, defer or deny", 0, 0},
	        {"kind", OPTION_LIST, &f->kinds, "KIND", "only this kind: decision, imported, policy-set, …", 0, 0},
	        {"subject", OPTION_LIST, &f->subjects, "PATTERN", "only these: user:alice, \"agent:*\"", 0, 0},
	        {"action", OPTION_LIST, &f->actions, "PATTERN", "only these", 0, 0},
	        {"resource", OPTION_LIST, &f->resources, "PATTERN", "only these: \"model:*\"", 0, 0},
	        {"rule", OPTION_LIST, &f->rules, "ID", "only where this rule of the policy matched", 0, 0},
	        {"min-risk", OPTION_TEXT, &f->min_risk_text, "R", "only from this risk on, in milli-logits", 0, 0},
	        {"json", OPTION_FLAG, &w->json, NULL, "one JSON object a line", 0, 0},
	        {NULL, OPTION_FLAG, NULL, NULL, NULL, 0, 0},
	};
	unsigned n;
	int code = options_parse(&usage, options, argc, argv, &n);

	if (code == OPTIONS_GO_ON)
		code = check_words(w);
	else
		return code;
	return code ? code : run(w);
}
