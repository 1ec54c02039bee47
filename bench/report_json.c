/* The report for programs. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "bench/report.h"

#define FORMAT "countersign-bench/1"

static json_t *integer(uint64_t v)
{
	return json_integer((json_int_t)v);
}

/* Nanoseconds. */
static json_t *of_histogram(const struct histogram *h)
{
	return json_pack("{s:o, s:o, s:f, s:o, s:o, s:o, s:o, s:o}", "n", integer(h->count), "min", integer(h->min),
	                 "mean", histogram_mean(h), "p50", integer(histogram_quantile(h, 0.5)), "p90",
	                 integer(histogram_quantile(h, 0.9)), "p99", integer(histogram_quantile(h, 0.99)), "p99.9",
	                 integer(histogram_quantile(h, 0.999)), "max", integer(h->max));
}

static json_t *of_pair(const struct histogram h[2])
{
	return json_pack("{s:o, s:o}", "before", of_histogram(&h[0]), "after", of_histogram(&h[1]));
}

static json_t *of_machine(const struct machine *m)
{
	return json_pack("{s:s, s:s, s:I, s:I, s:s, s:s, s:s, s:s, s:f, s:s}", "kernel", m->kernel, "processor",
	                 m->processor, "cores", (json_int_t)m->cores, "memory_mib", (json_int_t)m->memory_mib, "device",
	                 m->device, "file_system", m->file_system, "libraries", m->libraries, "compiler", m->compiler,
	                 "load", m->load, "time", m->time);
}

static json_t *of_floors(const struct floors *f)
{
	return json_pack("{s:o, s:o, s:o, s:{s:o, s:o, s:o, s:o}}", "synced_write_4096", of_pair(f->disk),
	                 "nng_echo_256", of_pair(f->echo), "libraft_commit_256", of_pair(f->raft), "crypto",
	                 "ed25519_sign", integer(f->crypto.sign), "ed25519_verify", integer(f->crypto.verify),
	                 "sha256_300", integer(f->crypto.sha256_300), "sha256_65", integer(f->crypto.sha256_65));
}

static json_t *of_errors(const uint64_t by_code[LOAD_CODES])
{
	json_t *errors = json_object();

	for (int code = 0; code < LOAD_CODES; code++)
		if (by_code[code])
			json_object_set_new(errors, code ? cs_strerror(-code) : "unknown", integer(by_code[code]));
	return errors;
}

static json_t *of_verdicts(const struct load_outcome *o)
{
	json_t *verdicts = json_object();

	for (int v = 1; v < 5; v++)
		json_object_set_new(verdicts, cs_verdict_text(v), integer(o->verdicts[v]));
	return verdicts;
}

static json_t *of_step(const struct step *s)
{
	const struct load_outcome *o = &s->outcome;
	json_t *j = json_pack("{s:s, s:s, s:i, s:f, s:f, s:o, s:f, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "name",
	                      s->name, "kind", load_kind_name(s->plan.kind), "connections", (int)s->plan.n_clients,
	                      "warmup_s", s->plan.warmup_s, "seconds", o->seconds, "answered", integer(o->answered),
	                      "rate", o->rate, "from_sent", of_histogram(&o->from_sent), "verdicts", of_verdicts(o),
	                      "errors", of_errors(o->errors), "unproven", integer(o->unproven), "contradicted",
	                      integer(o->wrong), "proof_bytes", integer(o->proof_bytes), "nodes_cpu_ns",
	                      integer(o->nodes_cpu_ns), "client_cpu_ns", integer(o->own_cpu_ns));

	if (s->plan.outstanding) {
		json_object_set_new(j, "loop", json_string("closed"));
		json_object_set_new(j, "outstanding", json_integer(s->plan.outstanding));
		return j;
	}
	json_object_set_new(j, "loop", json_string("open"));
	json_object_set_new(j, "arrivals", json_string(s->plan.arrivals == ARRIVALS_FIXED ? "fixed" : "poisson"));
	json_object_set_new(j, "offered", json_real(s->plan.rate));
	json_object_set_new(j, "from_due", of_histogram(&o->from_due));
	json_object_set_new(j, "unsent", integer(o->unsent));
	json_object_set_new(j, "lag", of_histogram(&o->lag));
	return j;
}

static json_t *of_validation(const struct validation *v)
{
	return json_pack("{s:b, s:s, s:o, s:o, s:o, s:o, s:f}", "good", v->good, "reason", v->reason, "entries",
	                 integer(v->entries), "acknowledged", integer(v->acknowledged), "found", integer(v->found),
	                 "proofs_verified", integer(v->bundles), "seconds", v->seconds);
}

static json_t *of_ratios(const struct report *r)
{
	static const char *const ratio[LOAD_KINDS] = {"decide_p50_to_echo_and_commit", "check_p50_to_echo",
	                                              "check_local_p50_to_echo"};
	static const char *const highest[LOAD_KINDS] = {"decide_rate_highest", "check_rate_highest",
	                                                "check_local_rate_highest"};
	json_t *j = json_object();

	for (int k = 0; k < LOAD_KINDS; k++) {
		const struct step *s = report_one_client(r, (enum load_kind)k);
		double floor = (double)report_floor_ns(r, (enum load_kind)k);

		if (s && floor > 0)
			json_object_set_new(j, ratio[k],
			                    json_real((double)histogram_quantile(&s->outcome.from_sent, 0.5) / floor));
		json_object_set_new(j, highest[k], json_real(report_highest(r, (enum load_kind)k)));
	}
	return j;
}

static json_t *of_failover(const struct failover *f)
{
	json_t *kills = json_array();

	for (unsigned i = 0; i < f->n; i++)
		json_array_append_new(kills, json_pack("{s:o, s:o, s:o}", "node", integer(f->kills[i].node), "gap",
		                                       integer(f->kills[i].gap_ns), "longest_call",
		                                       integer(f->kills[i].call_ns)));
	return json_pack("{s:b, s:i, s:i, s:i, s:i, s:{s:o, s:o, s:o}, s:{s:o, s:o, s:o}, s:o, s:o, s:o, s:o, s:o, "
	                 "s:o, s:o, s:o}",
	                 "silent", f->silent, "kills", (int)f->n, "election_timeout_ms", (int)f->election_timeout_ms,
	                 "heartbeat_ms", (int)f->heartbeat_ms, "clients", FAILOVER_CLIENTS, "gap", "p50",
	                 integer(failover_gap_ns(f, 0.5)), "p99", integer(failover_gap_ns(f, 0.99)), "max",
	                 integer(failover_gap_ns(f, 1)), "longest_call", "p50", integer(failover_call_ns(f, 0.5)),
	                 "p99", integer(failover_call_ns(f, 0.99)), "max", integer(failover_call_ns(f, 1)),
	                 "gap_otherwise", integer(f->other_gap_ns), "gap_otherwise_at_ms", integer(f->other_gap_at_ms),
	                 "answered", integer(f->answered), "disordered", integer(f->disordered), "unproven",
	                 integer(f->unproven), "errors", of_errors(f->errors), "calls", of_histogram(&f->calls), "each",
	                 kills);
}

static json_t *of_stalls(const struct stalls *s)
{
	json_t *worst = json_array();
	struct stalls_sum sum;

	stalls_sum(s, &sum);
	for (unsigned i = 0; i < sum.n_worst; i++)
		json_array_append_new(worst,
		                      json_pack("{s:o, s:o, s:o, s:o}", "at", integer(sum.worst[i] * STALLS_MOMENT_NS),
		                                "answer", integer(sum.seen[i].answer), "write",
		                                integer(sum.seen[i].disk), "wake", integer(sum.seen[i].wake)));
	return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "write", of_histogram(&s->disk), "wake",
	                 of_histogram(&s->wake), "answer_from", integer(STALLS_LONG_NS), "probe_from",
	                 integer(STALLS_PROBE_NS), "moments", integer(sum.moments), "unseen_by_probes",
	                 integer(sum.ours), "worst", worst);
}

static json_t *of_cosigned_part(const struct cosigned_part *p)
{
	return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o}", "proof", of_histogram(&p->proof), "answer",
	                 of_histogram(&p->decide), "without_quorum", integer(p->late), "refuted", integer(p->refuted),
	                 "unproven", integer(p->unproven), "errors", of_errors(p->errors));
}

static json_t *of_cosigned(const struct cosigned *k)
{
	return json_pack("{s:i, s:f, s:o, s:o, s:o, s:o}", "rate", COSIGNED_RATE, "load", k->load_rate, "at_idle",
	                 of_cosigned_part(&k->idle), "under_load", of_cosigned_part(&k->load), "goal_at_idle",
	                 integer(COSIGNED_IDLE_GOAL_NS), "goal_under_load_p99", integer(COSIGNED_LOAD_GOAL_NS));
}

int report_write_json(const struct report *r, const char *path)
{
	json_t *steps = json_array(), *whole;
	int err;

	for (unsigned i = 0; i < r->n_steps; i++)
		json_array_append_new(steps, of_step(r->steps[i]));
	whole = json_pack("{s:s, s:s, s:b, s:s, s:i, s:o, s:o, s:o, s:o, s:o}", "format", FORMAT, "version",
	                  PACKAGE_VERSION, "quick", r->quick, "unit", "nanoseconds", "nodes", (int)r->n_nodes,
	                  "machine", of_machine(&r->machine), "floors", of_floors(&r->floors), "steps", steps, "ratios",
	                  of_ratios(r), "validation", of_validation(&r->validation));
	if (r->stalls)
		json_object_set_new(whole, "stalls", of_stalls(r->stalls));
	if (r->cosigned)
		json_object_set_new(whole, "cosigned", of_cosigned(r->cosigned));
	if (r->failover)
		json_object_set_new(whole, "failover", of_failover(r->failover));
	err = whole ? json_dump_file(whole, path, JSON_INDENT(2) | JSON_REAL_PRECISION(6)) : -1;
	json_decref(whole);
	if (err)
		fprintf(stderr, "countersign-bench: %s: %s\n", path, strerror(errno));
	return err;
}
