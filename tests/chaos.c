/* chaos: a real cluster under load and under faults drawn from a seed, and a verdict on what came of it. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "tests/chaos.h"

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "tests/history.h"

#define SECONDS_DEFAULT 20     /* In make check. */
#define ASKS_MAX        300000 /* In the longest run: the history is held in memory, the ledger on one disk. */
#define PAUSE_MS_MIN    15

static const char usage[] =
        "usage: chaos [options]\n"
        "\n"
        "Runs a cluster of real nodes under load, does to it what the seed says, and checks: nothing lost, nothing\n"
        "doubled, linearizable, equal on all nodes, and whole again when the faults end.\n"
        "\n"
        "  --seconds N    of faults (default: 20); all else takes less than a minute\n"
        "  --seed S       of the faults (default: from the clock)\n"
        "  --nodes N      3 or 5 (default: 3)\n"
        "  --only KINDS   comma-separated; --list shows them\n"
        "  --proxies      cut the network by proxies, even where namespaces would be possible\n"
        "  --json FILE    the report, for programs\n"
        "  --keep         keep the cluster's folder (after a failure it is kept anyway)\n"
        "  --list         the kinds of faults, then exit\n"
        "\n"
        "COUNTERSIGN, COUNTERSIGND: the tool and the daemon (default: in the current folder).\n"
        "Exit status: 0 all promises held; 1 one was broken, and the last lines say which and how to run this again;\n"
        "2 wrong usage.\n";

struct options {
	unsigned seconds, nodes, wanted;
	uint64_t seed;
	const char *only, *json;
	bool keep, proxies;
};

/* --- for all parts --- */

/* splitmix64 (Steele, Lea, Flood: Fast splittable pseudorandom number generators, 2014). */
unsigned chaos_draw(struct chaos *c, unsigned n)
{
	uint64_t z = c->random += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return (unsigned)((z ^ (z >> 31)) % n);
}

void chaos_nap_ms(unsigned ms)
{
	struct timespec t = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000L};

	while (nanosleep(&t, &t) && errno == EINTR)
		;
}

void chaos_stop(const char *where)
{
	fprintf(stderr, "chaos cannot go on: %s: %s\n", where, strerror(errno));
	abort();
}

void chaos_say(const struct chaos *c, const char *format, ...)
{
	va_list ap;

	fprintf(stderr, "%8.3f ", (double)(history_now_ns() - c->begin_ns) / 1e9);
	va_start(ap, format);
	vfprintf(stderr, format, ap);
	va_end(ap);
	fputc('\n', stderr);
}

void chaos_broken(struct chaos *c, const char *format, ...)
{
	char text[sizeof c->violation];
	va_list ap;

	va_start(ap, format);
	vsnprintf(text, sizeof text, format, ap);
	va_end(ap);
	if (!c->silent)
		chaos_say(c, "BROKEN: %s", text);
	if (chaos_good(c))
		memcpy(c->violation, text, sizeof text);
}

/* --- options --- */

static bool read_only(struct options *o)
{
	char list[512], *save;

	o->wanted = o->only ? 0 : (1u << n_fault_kinds) - 1;
	snprintf(list, sizeof list, "%s", o->only ? o->only : "");
	for (char *name = strtok_r(list, ",", &save); name; name = strtok_r(NULL, ",", &save)) {
		unsigned i = 0;
		while (i < n_fault_kinds && strcmp(name, fault_kinds[i].name) != 0)
			i++;
		if (i == n_fault_kinds)
			return false;
		o->wanted |= 1u << i;
	}
	return o->wanted != 0;
}

static void read_options(int argc, char **argv, struct options *o)
{
	static const struct option names[] = {
	        {"seconds", 1, NULL, 't'}, {"seed", 1, NULL, 's'},    {"nodes", 1, NULL, 'n'}, {"only", 1, NULL, 'o'},
	        {"json", 1, NULL, 'j'},    {"proxies", 0, NULL, 'p'}, {"keep", 0, NULL, 'k'},  {"list", 0, NULL, 'l'},
	        {"help", 0, NULL, 'h'},    {NULL, 0, NULL, 0}};
	int option;

	*o = (struct options){.seconds = SECONDS_DEFAULT, .nodes = 3, .seed = history_now_ns() % 1000000};
	while ((option = getopt_long(argc, argv, "", names, NULL)) >= 0)
		if (option == 't')
			o->seconds = (unsigned)strtoul(optarg, NULL, 10);
		else if (option == 's')
			o->seed = strtoull(optarg, NULL, 10);
		else if (option == 'n')
			o->nodes = (unsigned)strtoul(optarg, NULL, 10);
		else if (option == 'o')
			o->only = optarg;
		else if (option == 'j')
			o->json = optarg;
		else if (option == 'p')
			o->proxies = true;
		else if (option == 'k')
			o->keep = true;
		else if (option == 'l') {
			for (unsigned i = 0; i < n_fault_kinds; i++)
				puts(fault_kinds[i].name);
			exit(0);
		} else {
			fputs(usage, option == 'h' ? stdout : stderr);
			exit(option == 'h' ? 0 : 2);
		}
	if (optind != argc || (o->nodes != 3 && o->nodes != 5) || !read_only(o)) {
		fputs(usage, stderr);
		exit(2);
	}
}

/* --- the cluster --- */

/* Whatever is asked is allowed, so that no challenge stays open. */
static const char policy[] = "version: 1\\nname: chaos\\nthresholds: {step_up: 0, deny: 5000}\\n"
                             "rules:\\n  - id: all\\n    verdict: allow\\n";

static void prepare(struct chaos *c, const struct options *o)
{
	net_sandbox(c, o->proxies);
	cluster_make_of(&c->cluster, c->n, "snapshot_entries: 128\ndisk_reserve_mib: 64");
	/* libfaketime leaves shared memory behind whoever is killed; sanitizers want to be loaded first. */
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
	FILE *f = c->mounts ? popen("find /usr/lib -name libfaketimeMT.so.1 | head -n 1", "re") : NULL;
	if (f && fgets(c->faketime, sizeof c->faketime, f))
		c->faketime[strcspn(c->faketime, "\n")] = 0;
	if (f)
		pclose(f);
#endif
	for (unsigned i = 0; i < c->n; i++)
		cluster_shell("printf +0s >'%s/clock-%u'", c->cluster.dir, i + 1);
	if (c->mounts)
		folder_mount(c, c->n - 1);
	net_open(c);
	for (unsigned i = 0; i < c->n; i++)
		nodes_start(c, i);
	cluster_shell("printf '%s' >'%s/policy.yaml'", policy, c->cluster.dir);
	cluster_run("policy set --timeout-ms 30000 --cluster %s --key %s %s/policy.yaml", c->cluster.cluster_file,
	            c->cluster.admin_key, c->cluster.dir);
	cluster_run("enroll --cluster %s --key %s --name gateway --roles audit --new-key %s", c->cluster.cluster_file,
	            c->cluster.admin_key, c->cluster.gateway_key);
	load_enrol(c);
	for (unsigned i = 0; i < c->n; i++)
		(void)nodes_client(c, i);
	cluster_shell(": >'%s/events'", c->cluster.dir);
	for (unsigned i = 0; i < CHAOS_CLIENTS; i++)
		load_start(c, i, c->pause_ms);
	nodes_recover(c);
}

/* The last that is done to it: nothing. */
static uint64_t settle(struct chaos *c)
{
	net_heal(c);
	nodes_recover(c);
	for (unsigned i = 0; i < CHAOS_CLIENTS; i++)
		load_end(c, i, SIGTERM);
	return nodes_converge(c);
}

static void clean_up(struct chaos *c, bool keep)
{
	members_close(c);
	for (unsigned i = 0; i < c->n; i++) {
		cs_close(c->at[i]);
		nodes_end(c, i, SIGTERM);
	}
	if (keep && c->small)
		cluster_shell("cp -a '%s/c/node-%u/data' '%s/c/node-%u/data.kept'", c->cluster.dir, c->n,
		              c->cluster.dir, c->n);
	folder_unmount(c, c->n - 1);
	net_close(c);
	if (!keep)
		cluster_shell("rm -rf -- '%s'", c->cluster.dir);
}

/* --- the report --- */

static json_t *report(const struct chaos *c, const struct options *o, const struct verdict *v)
{
	json_t *faults = json_object(), *errors = json_object();

	for (unsigned i = 0; i < n_fault_kinds; i++)
		if (o->wanted >> i & 1 && !fault_kinds[i].possible(c))
			json_object_set_new(faults, fault_kinds[i].name, json_null());
		else if (o->wanted >> i & 1)
			json_object_set_new(faults, fault_kinds[i].name, json_integer(c->faults[i]));
	for (int i = 0; i < CHAOS_CODES; i++)
		if (v->errors[i])
			json_object_set_new(errors, cs_strerror(-i), json_integer((json_int_t)v->errors[i]));
	return json_pack(
	        "{s:I, s:i, s:i, s:s, s:o, s:i, s:i, s:i, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:i, s:I, s:o, s:s}",
	        "seed", (json_int_t)c->seed, "nodes", c->n, "seconds", o->seconds, "network",
	        c->namespaces ? "namespaces" : "proxies", "faults", faults, "halted_on_old_folders", c->halted_rightly,
	        "stopped_in_words", c->stopped_in_words, "healed_after_damage", c->healed_by_itself, "entries",
	        (json_int_t)v->size, "decisions", (json_int_t)v->decided, "outcome_unknown", (json_int_t)v->unknown,
	        "of_these_in_the_ledger", (json_int_t)v->entries_of_unknown, "refused", (json_int_t)v->refused,
	        "checks", (json_int_t)v->checked, "local_checks", (json_int_t)v->checked_local, "proofs_verified",
	        (json_int_t)v->proofs, "lies_found", v->lies, "longest_outage_ms", (json_int_t)v->outage_ms, "errors",
	        errors, "verdict", chaos_good(c) ? "kept" : c->violation);
}

static void print_object(const char *title, json_t *j)
{
	const char *key;
	json_t *v;

	printf("%s", title);
	json_object_foreach(j, key, v) if (json_is_null(v)) printf(" %s (not possible here)", key);
	else printf(" %s %" JSON_INTEGER_FORMAT, key, json_integer_value(v));
	putchar('\n');
}

static void print_report(json_t *j)
{
	const char *key;
	json_t *v;

	json_object_foreach(j, key, v) if (json_is_object(v)) print_object(key, v);
	else if (json_is_string(v)) printf("%s %s\n", key, json_string_value(v));
	else printf("%s %" JSON_INTEGER_FORMAT "\n", key, json_integer_value(v));
}

int main(int argc, char **argv)
{
	static struct chaos c;
	struct verdict v = {0};
	struct options o;

	if (argc > 1 && strcmp(argv[1], "--client") == 0)
		return load_main(argc, argv);
	read_options(argc, argv, &o);
	c = (struct chaos){.n = o.nodes, .seed = o.seed, .random = o.seed, .begin_ns = history_now_ns()};
	if (readlink("/proc/self/exe", c.self, sizeof c.self - 1) < 0)
		return 2;
	c.pause_ms = o.seconds * 1000 * CHAOS_CLIENTS * CHAOS_THREADS / ASKS_MAX;
	c.pause_ms = c.pause_ms < PAUSE_MS_MIN ? PAUSE_MS_MIN : c.pause_ms;
	prepare(&c, &o);
	unsigned possible = 0;
	for (unsigned i = 0; i < n_fault_kinds; i++)
		possible |= fault_kinds[i].possible(&c) ? 1u << i : 0;
	uint64_t until = history_now_ns() + o.seconds * UINT64_C(1000000000);
	for (unsigned round = 1; chaos_good(&c) && history_now_ns() < until && (possible & o.wanted); round++) {
		faults_round(&c, possible & o.wanted);
		if (round % 6 == 0)
			nodes_recover(&c);
	}
	uint64_t size = settle(&c);
	if (chaos_good(&c))
		check_history(&c, size, &v);
	json_t *j = report(&c, &o, &v);
	if (o.json && json_dump_file(j, o.json, JSON_INDENT(2)))
		fprintf(stderr, "%s: cannot be written\n", o.json);
	print_report(j);
	json_decref(j);
	clean_up(&c, o.keep || !chaos_good(&c));
	if (o.keep || !chaos_good(&c))
		printf("kept: %s\n", c.cluster.dir);
	if (!chaos_good(&c))
		printf("again: tests/chaos --seed %" PRIu64 " --seconds %u --nodes %u%s%s%s\n", o.seed, o.seconds,
		       o.nodes, o.proxies ? " --proxies" : "", o.only ? " --only " : "", o.only ? o.only : "");
	return chaos_good(&c) ? 0 : 1;
}
