/* countersign-bench: floors, load, floors again, validation, report. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "bench/cluster.h"
#include "bench/cosigned.h"
#include "bench/report.h"
#include "bench/settings.h"
#include "bench/worker.h"

#define IN_FLIGHT_MAX 8192 /* Questions at once over one connection; beyond it they count as errors. */
#define LOW_RATE      200  /* A lone client's, on schedule: far from any queue. */
#define CURVE_STEPS   11   /* 10 % to 110 % of the highest rate. */
#define BUNDLES_QUICK 50
#define BUNDLES       1000

#define HIGHEST_SECONDS 5 /* For stalls and cosignatures: enough to know the highest rate well enough to halve it. */

struct bench {
	struct settings settings;
	struct cluster cluster;
	struct acks acks;
	struct failover failover;
	struct stalls stalls;
	struct cosigned cosigned;
	struct report report;
};

/* --- the run --- */

static int measure_floors(struct bench *b, int turn)
{
	struct floors *f = &b->report.floors;
	const struct settings *s = &b->settings;

	fprintf(stderr, "floors …\n");
	if (floor_disk(b->cluster.folder, s->disk_n, &f->disk[turn]))
		return -1;
	if (s->failover)
		return 0;
	if (floor_echo(s->echo_n, &f->echo[turn]) || floor_raft(b->cluster.folder, s->raft_n, &f->raft[turn]))
		return -1;
	return turn ? 0 : floor_crypto(&f->crypto);
}

static struct load_plan plan_of(const struct bench *b, enum load_kind kind)
{
	const struct settings *s = &b->settings;

	return (struct load_plan){.kind = kind,
	                          .n_clients = s->connections,
	                          .warmup_s = s->warmup,
	                          .seconds = s->seconds,
	                          .subjects = s->subjects,
	                          .seed = s->seed + 1000000007 * b->report.n_steps};
}

/* Runs one step and keeps its outcome for the report. */
static int step(struct bench *b, const struct load_plan *plan, const char *name)
{
	struct step *s;

	if (b->report.n_steps == REPORT_STEPS_MAX)
		return -1;
	s = calloc(1, sizeof *s);
	if (!s)
		return -1;
	b->report.steps[b->report.n_steps++] = s;
	snprintf(s->name, sizeof s->name, "%s", name);
	s->plan = *plan;
	fprintf(stderr, "%s: %s …\n", load_kind_name(plan->kind), name);
	return load_run(&b->cluster, plan, &b->acks, &s->outcome);
}

static int step_closed(struct bench *b, enum load_kind kind, unsigned outstanding)
{
	struct load_plan plan = plan_of(b, kind);
	char name[64];

	plan.outstanding = outstanding;
	if (outstanding == 1)
		plan.n_clients = 1;
	snprintf(name, sizeof name, outstanding == 1 ? "one client, closed loop" : "%u outstanding, closed loop",
	         outstanding);
	return step(b, &plan, name);
}

static int step_open(struct bench *b, enum load_kind kind, double rate, enum arrivals arrivals, const char *what)
{
	struct load_plan plan = plan_of(b, kind);
	char name[64];

	plan.rate = rate < 1 ? 1 : rate;
	plan.arrivals = arrivals;
	snprintf(name, sizeof name, "%.0f/s %s, %s", plan.rate, arrivals == ARRIVALS_FIXED ? "fixed" : "Poisson", what);
	return step(b, &plan, name);
}

static int measure_curve(struct bench *b, enum load_kind kind, double highest)
{
	int err = 0;

	for (unsigned i = 1; i <= CURVE_STEPS && !err; i++) {
		char what[24];

		snprintf(what, sizeof what, "%u0 %% of highest", i);
		err = step_open(b, kind, highest * i / 10, ARRIVALS_POISSON, what);
	}
	return err;
}

static int measure(struct bench *b, enum load_kind kind)
{
	int err = step_closed(b, kind, 1);
	double highest;

	if (!err)
		err = step_open(b, kind, LOW_RATE, ARRIVALS_FIXED, "low rate");
	for (unsigned i = 0; i < b->settings.n_outstanding && !err; i++)
		err = step_closed(b, kind, b->settings.outstanding[i]);
	if (err)
		return err;
	highest = report_highest(&b->report, kind);
	err = step_open(b, kind, highest / 2, ARRIVALS_POISSON, "half of highest");
	if (!err && b->settings.curve && kind == LOAD_DECIDE)
		err = measure_curve(b, kind, highest);
	return err;
}

/* Checks alone: a second of decisions to ask after, which no report mentions. */
static int prepare_checks(struct bench *b)
{
	struct load_outcome *unused = calloc(1, sizeof *unused);
	struct load_plan plan = plan_of(b, LOAD_DECIDE);
	int err = -1;

	plan.outstanding = b->settings.outstanding[0];
	plan.warmup_s = 0;
	plan.seconds = 1;
	if (unused)
		err = load_run(&b->cluster, &plan, &b->acks, unused);
	free(unused);
	return err;
}

static int measure_loads(struct bench *b)
{
	int err = b->settings.kinds[LOAD_DECIDE] ? 0 : prepare_checks(b);

	for (int k = 0; k < LOAD_KINDS && !err; k++)
		if (b->settings.kinds[k])
			err = measure(b, (enum load_kind)k);
	return err;
}

/* A closed loop, as short as will do to know the highest rate well enough to halve it. */
static int find_highest(struct bench *b)
{
	struct load_plan plan = plan_of(b, LOAD_DECIDE);
	char name[64];

	plan.outstanding = b->settings.outstanding[0];
	plan.seconds = plan.seconds < HIGHEST_SECONDS ? plan.seconds : HIGHEST_SECONDS;
	snprintf(name, sizeof name, "%u outstanding, closed loop", plan.outstanding);
	return step(b, &plan, name);
}

/* Half of the highest rate, on schedule. */
static struct load_plan plan_half(const struct bench *b, char name[64])
{
	struct load_plan plan = plan_of(b, LOAD_DECIDE);

	plan.rate = report_highest(&b->report, LOAD_DECIDE) / 2;
	plan.rate = plan.rate < 1 ? 1 : plan.rate;
	plan.arrivals = ARRIVALS_POISSON;
	snprintf(name, 64, "%.0f/s Poisson, half of highest", plan.rate);
	return plan;
}

/* The step's own length goes into the schedule; the probes begin with its warm-up. */
static int measure_stalls(struct bench *b)
{
	int err = find_highest(b), probe_err;
	struct load_plan plan;
	char name[64];

	if (err)
		return err;
	plan = plan_half(b, name);
	plan.stalls = &b->stalls;
	if (stalls_begin(&b->stalls, b->cluster.folder, plan.warmup_s + plan.seconds))
		return -1;
	err = step(b, &plan, name);
	probe_err = stalls_end(&b->stalls);
	b->report.stalls = &b->stalls;
	return err ? err : probe_err;
}

static int cosigned_probe(struct bench *b, struct cosigned_part *part)
{
	const struct settings *s = &b->settings;

	return cosigned_begin(&b->cosigned, part, &b->cluster, s->connections, s->warmup, s->seconds, s->subjects,
	                      s->seed);
}

/* At idle first, while nothing of a load is left to be written. */
static int measure_cosigned(struct bench *b)
{
	struct cosigned *k = &b->cosigned;
	struct load_plan plan;
	char name[64];
	int err, probe_err;

	fprintf(stderr, "cosigned: at idle …\n");
	err = cosigned_probe(b, &k->idle) ? -1 : cosigned_end(k, &b->acks);
	if (!err)
		err = find_highest(b);
	if (err)
		return err;
	plan = plan_half(b, name);
	k->load_rate = plan.rate;
	if (cosigned_probe(b, &k->load))
		return -1;
	err = step(b, &plan, name);
	probe_err = cosigned_end(k, &b->acks);
	b->report.cosigned = k;
	return err ? err : probe_err;
}

static int measure_failover(struct bench *b)
{
	b->report.failover = &b->failover;
	return failover_run(&b->cluster, b->settings.failover, b->settings.silent, &b->acks, &b->failover);
}

static int run(struct bench *b)
{
	const struct settings *s = &b->settings;
	struct report *r = &b->report;
	unsigned clients = s->connections + s->cosigned; /* The probe's is the last. */
	int err;

	if (cluster_folder(&b->cluster, s->folder))
		return -1;
	b->cluster.keep = s->keep;
	machine_describe(b->cluster.folder, &r->machine);
	r->quick = s->quick;
	err = measure_floors(b, 0);
	if (!err)
		err = s->cluster ? cluster_join(&b->cluster, s->cluster, s->key, clients, IN_FLIGHT_MAX)
		                 : cluster_start(&b->cluster, clients, IN_FLIGHT_MAX);
	r->n_nodes = b->cluster.description.n_nodes;
	if (!err)
		err = s->failover   ? measure_failover(b)
		      : s->stalls   ? measure_stalls(b)
		      : s->cosigned ? measure_cosigned(b)
		                    : measure_loads(b);
	if (err)
		return err;
	fprintf(stderr, "validation …\n");
	validate_run(&b->cluster, &b->acks, s->quick ? BUNDLES_QUICK : BUNDLES, &r->validation);
	return measure_floors(b, 1);
}

/* Whether what was measured may be believed. */
static bool is_good(const struct report *r)
{
	for (unsigned i = 0; i < r->n_steps; i++)
		if (r->steps[i]->outcome.unproven || r->steps[i]->outcome.wrong)
			return false;
	if (r->failover && (r->failover->unproven || r->failover->disordered))
		return false;
	for (int i = 0; r->cosigned && i < 2; i++) {
		const struct cosigned_part *p = i ? &r->cosigned->load : &r->cosigned->idle;
		if (p->refuted || p->unproven)
			return false;
	}
	return r->validation.good;
}

/* An interrupted run leaves no nodes and no folder behind. */
static void *await_signal(void *arg)
{
	const struct bench *b = arg;
	sigset_t set;
	int number;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGHUP);
	if (sigwait(&set, &number))
		return NULL;
	cluster_stop(&b->cluster);
	_exit(128 + number);
}

/* Before any other thread: all of them inherit the mask. */
static int watch_signals(struct bench *b)
{
	pthread_t thread;
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGHUP);
	if (pthread_sigmask(SIG_BLOCK, &set, NULL) || pthread_create(&thread, NULL, await_signal, b))
		return -1;
	return pthread_detach(thread);
}

static int worker(int argc, char **argv)
{
	if (strcmp(argv[0], "echo") == 0)
		return floor_echo_worker(argc - 1, argv + 1);
	if (strcmp(argv[0], "raft") == 0)
		return floor_raft_worker(argc - 1, argv + 1);
	return WORKER_FAILED;
}

int main(int argc, char **argv)
{
	static struct bench b;
	int status;

	signal(SIGPIPE, SIG_IGN);
	prctl(PR_SET_TIMERSLACK, 1UL); /* The default lets a schedule slip by 50 microseconds. */
	if (argc > 2 && strcmp(argv[1], "--worker") == 0)
		return worker(argc - 2, argv + 2);
	status = settings_parse(&b.settings, argc, argv);
	if (status >= 0)
		return status;
	status = EXIT_NOT_RUN;
	if (watch_signals(&b) == 0 && run(&b) == 0) {
		status = is_good(&b.report) ? EXIT_GOOD : EXIT_NOT_GOOD;
		report_print(&b.report, stdout);
		if (b.settings.json && report_write_json(&b.report, b.settings.json))
			status = EXIT_NOT_RUN;
	}
	cluster_close(&b.cluster);
	acks_free(&b.acks);
	stalls_free(&b.stalls);
	for (unsigned i = 0; i < b.report.n_steps; i++)
		free(b.report.steps[i]);
	return status;
}
