/* The report for terminals. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "bench/report.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <time.h>

#include "bench/clock.h"

static const double quantiles[] = {0.5, 0.9, 0.99, 0.999, 1};

static double micros(uint64_t ns)
{
	return (double)ns / 1000;
}

static uint64_t median_of_both(const struct histogram h[2])
{
	struct histogram *both = calloc(1, sizeof *both);
	uint64_t ret = 0;

	if (!both)
		return 0;
	histogram_merge(both, &h[0]);
	histogram_merge(both, &h[1]);
	ret = histogram_quantile(both, 0.5);
	free(both);
	return ret;
}

uint64_t report_floor_ns(const struct report *r, enum load_kind kind)
{
	uint64_t echo = median_of_both(r->floors.echo);

	return kind == LOAD_DECIDE ? echo + median_of_both(r->floors.raft) : echo;
}

const struct step *report_one_client(const struct report *r, enum load_kind kind)
{
	for (unsigned i = 0; i < r->n_steps; i++)
		if (r->steps[i]->plan.kind == kind && r->steps[i]->plan.outstanding == 1)
			return r->steps[i];
	return NULL;
}

double report_highest(const struct report *r, enum load_kind kind)
{
	double highest = 0;

	for (unsigned i = 0; i < r->n_steps; i++)
		if (r->steps[i]->plan.kind == kind && r->steps[i]->outcome.rate > highest)
			highest = r->steps[i]->outcome.rate;
	return highest;
}

static void print_row(FILE *to, const char *name, const struct histogram *h)
{
	fprintf(to, "  %-42s", name);
	for (size_t i = 0; i < sizeof quantiles / sizeof *quantiles; i++)
		fprintf(to, " %9.1f", micros(histogram_quantile(h, quantiles[i])));
}

static void print_head(FILE *to, const char *title, const char *rest)
{
	fprintf(to, "\n%-44s %9s %9s %9s %9s %9s%s\n", title, "p50", "p90", "p99", "p99.9", "max", rest);
}

static void print_floor(FILE *to, const char *name, const struct histogram h[2])
{
	char text[64];

	for (int i = 0; i < 2; i++) {
		snprintf(text, sizeof text, "%s, %s", name, i ? "after" : "before");
		if (h[i].count) {
			print_row(to, text, &h[i]);
			fprintf(to, " %9" PRIu64 "\n", h[i].count);
		}
	}
}

static void print_machine(FILE *to, const struct report *r)
{
	const struct machine *m = &r->machine;

	fprintf(to,
	        "countersign-bench " PACKAGE_VERSION "%s   %s\n"
	        "  %s, %ld cores, %ld MiB, load %.2f\n  %s\n  data on %s, %s\n  %s\n  compiler %s\n",
	        r->quick ? " (quick: not for publication)" : "", m->time, m->kernel, m->cores, m->memory_mib, m->load,
	        m->processor, m->device, m->file_system, m->libraries, m->compiler);
}

static void print_floors(FILE *to, const struct floors *f)
{
	print_head(to, "FLOORS (microseconds)", "         n");
	print_floor(to, "synced 4 KiB write", f->disk);
	print_floor(to, "nng echo, 256 B", f->echo);
	print_floor(to, "bare libraft commit, 256 B", f->raft);
	if (f->crypto.sign)
		fprintf(to, "  Ed25519 sign %.1f, verify %.1f; SHA-256 of 300 B %.2f, of 65 B %.2f\n",
		        micros(f->crypto.sign), micros(f->crypto.verify), micros(f->crypto.sha256_300),
		        micros(f->crypto.sha256_65));
}

static void print_step(FILE *to, const struct step *s)
{
	const struct load_outcome *o = &s->outcome;
	bool open = s->plan.outstanding == 0;
	double answered = o->answered ? (double)o->answered : NAN;
	double nodes_cpu_ns = o->nodes_cpu_ns ? (double)o->nodes_cpu_ns : NAN; /* Unknown: the nodes are not ours. */

	print_row(to, s->name, open ? &o->from_due : &o->from_sent);
	fprintf(to, " %9.0f %8" PRIu64 " %6" PRIu64 " %7.1f %7.1f\n", o->rate,
	        open ? o->from_due.count : o->from_sent.count, o->n_errors, nodes_cpu_ns / 1000 / answered,
	        micros(o->own_cpu_ns) / answered);
	if (open) {
		print_row(to, "  the same, from the time sent", &o->from_sent);
		fputc('\n', to);
		print_row(to, "  how late they were sent", &o->lag);
		fputc('\n', to);
	}
	for (int code = 0; code < LOAD_CODES; code++)
		if (o->errors[code])
			fprintf(to, "    %" PRIu64 " failed: %s\n", o->errors[code],
			        code ? cs_strerror(-code) : "unknown");
	if (o->unsent)
		fprintf(to, "    %" PRIu64 " never sent: this machine could not keep the schedule\n", o->unsent);
	if (o->unproven || o->wrong)
		fprintf(to, "    %" PRIu64 " answers without proof, %" PRIu64 " checks contradict the decision\n",
		        o->unproven, o->wrong);
}

static void print_kind(FILE *to, const struct report *r, enum load_kind kind, const char *title)
{
	bool head = false;

	for (unsigned i = 0; i < r->n_steps; i++) {
		if (r->steps[i]->plan.kind != kind)
			continue;
		if (!head)
			print_head(to, title, "  answers/s        n errors CPU:nodes  client");
		head = true;
		print_step(to, r->steps[i]);
	}
}

static void print_verdicts(FILE *to, const struct report *r)
{
	uint64_t by_verdict[5] = {0}, all = 0, bytes = 0;

	for (unsigned i = 0; i < r->n_steps; i++) {
		if (r->steps[i]->plan.kind != LOAD_DECIDE)
			continue;
		for (int v = 0; v < 5; v++) {
			by_verdict[v] += r->steps[i]->outcome.verdicts[v];
			all += r->steps[i]->outcome.verdicts[v];
		}
		bytes += r->steps[i]->outcome.proof_bytes;
	}
	if (!all)
		return;
	fprintf(to, "  verdicts:");
	for (int v = 1; v < 5; v++)
		fprintf(to, " %s %.1f %%", cs_verdict_text(v), 100 * (double)by_verdict[v] / (double)all);
	fprintf(to, "; a reply's proof: %.0f B\n", (double)bytes / (double)all);
}

static void print_ratio(FILE *to, const struct report *r, enum load_kind kind, const char *name, const char *of)
{
	const struct step *s = report_one_client(r, kind);
	uint64_t floor = report_floor_ns(r, kind), p50 = s ? histogram_quantile(&s->outcome.from_sent, 0.5) : 0;

	if (p50 && floor)
		fprintf(to, "  %s by one client: p50 %.1f us = %.2f x %s (%.1f us)\n", name, micros(p50),
		        (double)p50 / (double)floor, of, micros(floor));
}

static double millis(uint64_t ns)
{
	return micros(ns) / 1000;
}

static const char *clock_text(uint64_t at_ms, char ret[32])
{
	time_t seconds = (time_t)(at_ms / 1000);
	struct tm tm;
	size_t n = strftime(ret, 32, "%H:%M:%S", gmtime_r(&seconds, &tm));

	snprintf(ret + n, 32 - n, ".%03u UTC", (unsigned)(at_ms % 1000));
	return ret;
}

static void print_slow_kill(FILE *to, unsigned i, const struct failover_kill *k)
{
	char text[32];

	fprintf(to, "    kill %u, of node %" PRIu64 " at %s: %.1f\n", i + 1, k->node, clock_text(k->at_ms, text),
	        millis(k->gap_ns));
}

static void print_failover(FILE *to, const struct failover *f)
{
	char text[32];

	fprintf(to, "\n%-44s %9s %9s %9s\n",
	        f->silent ? "FAILOVER: leader stopped (milliseconds)"
	                  : "FAILOVER: kill -9 of the leader (milliseconds)",
	        "p50", "p99", "max");
	fprintf(to, "  %-42s %9.1f %9.1f %9.1f   %u kills\n", "without a committed decision",
	        millis(failover_gap_ns(f, 0.5)), millis(failover_gap_ns(f, 0.99)), millis(failover_gap_ns(f, 1)), f->n);
	fprintf(to, "  %-42s %9.1f %9.1f %9.1f\n", "longest call of each kill", millis(failover_call_ns(f, 0.5)),
	        millis(failover_call_ns(f, 0.99)), millis(failover_call_ns(f, 1)));
	for (unsigned i = 0; i < f->n; i++)
		if (f->kills[i].gap_ns > FAILOVER_SLOW_NS)
			print_slow_kill(to, i, &f->kills[i]);
	fprintf(to,
	        "  election_timeout_ms %u, heartbeat_ms %u; longest time without an answer otherwise: %.1f, at %s\n",
	        f->election_timeout_ms, f->heartbeat_ms, millis(f->other_gap_ns), clock_text(f->other_gap_at_ms, text));
	fprintf(to,
	        "  %" PRIu64 " decisions by %d clients, all calls p50 %.2f ms; %" PRIu64 " errors, %" PRIu64
	        " out of order, %" PRIu64 " unproven\n",
	        f->answered, FAILOVER_CLIENTS, millis(histogram_quantile(&f->calls, 0.5)), f->n_errors, f->disordered,
	        f->unproven);
	for (int code = 0; code < LOAD_CODES; code++)
		if (f->errors[code])
			fprintf(to, "    %" PRIu64 " failed: %s\n", f->errors[code], cs_strerror(-code));
}

static void print_validation(FILE *to, const struct validation *v)
{
	fprintf(to, "\nVALIDATION (%.1f s)\n", v->seconds);
	fprintf(to,
	        "  %" PRIu64 " of %" PRIu64 " acknowledged decisions stand in the ledger, byte for byte\n"
	        "  %" PRIu64 " entries read and hashed again up to a checkpoint that a quorum cosigned\n"
	        "  %" PRIu64 " proofs fetched and verified offline\n",
	        v->found, v->acknowledged, v->entries, v->bundles);
	fprintf(to, v->good ? "  good\n" : "  NOT GOOD: %s\n", v->reason);
}

static void print_stalls(FILE *to, const struct stalls *s)
{
	struct stalls_sum sum;

	stalls_sum(s, &sum);
	print_head(to, "STALLS: probes while that load ran (us)", "         n");
	print_row(to, "synced 4 KiB write, each 10 ms", &s->disk);
	fprintf(to, " %9" PRIu64 "\n", s->disk.count);
	print_row(to, "a thread that sleeps 1 ms wakes late by", &s->wake);
	fprintf(to, " %9" PRIu64 "\n", s->wake.count);
	fprintf(to,
	        "  %" PRIu64 " moments of %.1f s with an answer of %.0f ms or more; in %" PRIu64
	        " of them neither probe met %.0f ms\n",
	        sum.moments, (double)STALLS_MOMENT_NS / (double)NS_PER_S, millis(STALLS_LONG_NS), sum.ours,
	        millis(STALLS_PROBE_NS));
	for (unsigned i = 0; i < sum.n_worst; i++)
		fprintf(to, "    at %7.1f s: answer %.1f ms; meanwhile write %.1f ms, wake-up %.1f ms\n",
		        (double)sum.worst[i] * (double)STALLS_MOMENT_NS / (double)NS_PER_S, millis(sum.seen[i].answer),
		        millis(sum.seen[i].disk), millis(sum.seen[i].wake));
}

static void print_cosigned_part(FILE *to, const char *name, const struct cosigned_part *p)
{
	print_row(to, name, &p->proof);
	fprintf(to, " %9" PRIu64 "\n", p->proof.count);
	print_row(to, "  their answers, from the time sent", &p->decide);
	fprintf(to, " %9" PRIu64 "\n", p->decide.count);
	if (p->late || p->refuted || p->unproven)
		fprintf(to,
		        "    %" PRIu64 " without a quorum after %d ms, %" PRIu64 " proofs that do not hold, %" PRIu64
		        " answers without proof\n",
		        p->late, COSIGNED_WAIT_MS, p->refuted, p->unproven);
	for (int code = 0; code < LOAD_CODES; code++)
		if (p->errors[code])
			fprintf(to, "    %" PRIu64 " failed: %s\n", p->errors[code],
			        code ? cs_strerror(-code) : "unknown");
}

static void print_cosigned(FILE *to, const struct cosigned *k)
{
	char name[64];

	print_head(to, "COSIGNED: answer to a quorum's proof (us)", "         n");
	print_cosigned_part(to, "at idle", &k->idle);
	snprintf(name, sizeof name, "beside %.0f decisions/s", k->load_rate);
	print_cosigned_part(to, name, &k->load);
	fprintf(to, "  goals: at idle each within %.0f ms: longest %.1f ms; under load p99 within %.0f ms: %.1f ms\n",
	        millis(COSIGNED_IDLE_GOAL_NS), millis(k->idle.proof.max), millis(COSIGNED_LOAD_GOAL_NS),
	        millis(histogram_quantile(&k->load.proof, 0.99)));
}

static void print_loads(FILE *to, const struct report *r)
{
	print_kind(to, r, LOAD_DECIDE, "DURABLE DECIDE, proof checked (microseconds)");
	print_verdicts(to, r);
	print_kind(to, r, LOAD_CHECK, "CHECK, linearizable (microseconds)");
	print_kind(to, r, LOAD_LOCAL, "CHECK, any node's own view (microseconds)");
	fprintf(to, "\nRATIOS\n");
	print_ratio(to, r, LOAD_DECIDE, "decide", "(nng echo + libraft commit)");
	print_ratio(to, r, LOAD_CHECK, "check, linearizable,", "nng echo");
	print_ratio(to, r, LOAD_LOCAL, "check, local,", "nng echo");
	fprintf(to, "  highest rates: decide %.0f/s, check %.0f/s, local %.0f/s (%u nodes and the load on %ld cores)\n",
	        report_highest(r, LOAD_DECIDE), report_highest(r, LOAD_CHECK), report_highest(r, LOAD_LOCAL),
	        r->n_nodes, r->machine.cores);
}

void report_print(const struct report *r, FILE *to)
{
	print_machine(to, r);
	print_floors(to, &r->floors);
	if (r->failover)
		print_failover(to, r->failover);
	else
		print_loads(to, r);
	if (r->stalls)
		print_stalls(to, r->stalls);
	if (r->cosigned)
		print_cosigned(to, r->cosigned);
	print_validation(to, &r->validation);
}
