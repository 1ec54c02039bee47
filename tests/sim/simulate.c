/* Deterministic simulation of whole clusters of the daemon's own code: seeds side by side, verdict and figures. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <assert.h>
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <sodium.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "node/core/guard.h"
#include "node/evidence/verify.h"
#include "node/log.h"
#include "tests/sim/checks.h"
#include "tests/sim/client.h"
#include "tests/sim/cluster.h"
#include "tests/sim/faults.h"
#include "tests/sim/final.h"
#include "tests/sim/net.h"
#include "tests/sim/os.h"
#include "tests/sim/plant.h"
#include "tests/sim/posix.h"
#include "tests/sim/simulate.h"
#include "tests/sim/swarm.h"

#define SEED_CPU_S_MAX 300 /* A seed that hangs is a failure; one on a machine with much else to do is none. */
#define JOBS_MAX       64
#define FAILURES_SHOWN 20

static struct {
	uint64_t seeds, from;
	const char *without, *bug;
	unsigned jobs;
	bool verbose, hashes, until_failure;
} options = {.seeds = 100, .from = 1};

static struct result result;
static int result_fd = -1;

/* --- one seed, in a process of its own --- */

static void hand_over(void)
{
	memcpy(result.faults, faults_counts, sizeof result.faults);
	for (unsigned i = 1; i <= cluster.n; i++)
		checks_ended(i);
	memcpy(result.guards, checks_guards, sizeof result.guards);
	memcpy(result.kinds, records_kinds, sizeof result.kinds);
	result.hash = os_trace_hash();
	result.simulated_ns = os_now;
	result.acked = clients_acked();
	if (write(result_fd, &result, sizeof result) != sizeof result)
		perror("simulate: result");
	__real__exit(0); /* Also from a thread of a node, whose own _exit would end that node. */
}

_Noreturn void os_fail(unsigned node, const char *format, ...)
{
	va_list ap;
	int n = snprintf(result.text, sizeof result.text, "at %.6f s, node %u: ", (double)os_now / 1e9, node);

	va_start(ap, format);
	vsnprintf(result.text + n, sizeof result.text - (size_t)n, format, ap);
	va_end(ap);
	os_note(node, "FAILED: %s", result.text);
	hand_over();
	abort();
}

static const char *random_name(void)
{
	return "simulated";
}

static uint32_t random_word(void)
{
	return (uint32_t)os_random();
}

static void run_seed(uint64_t seed)
{
	os_seed(seed);
	swarm_draw();
	if (options.bug && !plant(options.bug))
		abort();
	checks_begin();
	net_begin();
	cluster_begin(swarm.nodes);
	clients_begin(swarm.clients, swarm.think_ns_max, swarm.client_lost_ppm);
	faults_begin(swarm.chaos_ns);
	os_run(swarm.chaos_ns);
	final_liveness();
	final_read_back();
	hand_over();
}

/* --- all seeds --- */

#define AHEAD 256 /* Seeds that are begun, or have ended, before an earlier one has: their lengths differ much. */

struct run {
	pid_t pid; /* 0: it does not run. */
	int fd;
	uint64_t seed;
	bool ended, whole; /* whole: there is a result. */
	int status;
	struct result result;
};

static struct run runs[AHEAD]; /* By number of the seed. */
static unsigned running;
static struct result sum;
static uint64_t failures, total_faults, seeds_run;

static void start_seed(struct run *j, uint64_t seed)
{
	int fds[2];

	if (pipe(fds)) {
		perror("simulate: pipe");
		exit(1);
	}
	fflush(NULL);
	j->pid = fork();
	if (j->pid < 0) {
		perror("simulate: fork");
		exit(1);
	}
	if (j->pid == 0) {
		close(fds[0]);
		result_fd = fds[1];
		setitimer(ITIMER_PROF, &(struct itimerval){.it_value.tv_sec = SEED_CPU_S_MAX}, NULL);
		run_seed(seed);
	}
	close(fds[1]);
	j->fd = fds[0];
	j->seed = seed;
	j->ended = false;
	running++;
}

static void show_failure(uint64_t seed, const char *text)
{
	if (failures++ >= FAILURES_SHOWN)
		return;
	printf("seed %" PRIu64 " FAILED %s\n", seed, text);
	printf("  again: tests/simulate --seeds 1 --from %" PRIu64 "%s%s%s%s --verbose\n", seed,
	       options.without ? " --without-guard " : "", options.without ? options.without : "",
	       options.bug ? " --plant " : "", options.bug ? options.bug : "");
}

static void take_result(struct run *j)
{
	j->whole = read(j->fd, &j->result, sizeof j->result) == sizeof j->result;
	close(j->fd);
	while (waitpid(j->pid, &j->status, 0) < 0 && errno == EINTR)
		;
	j->pid = 0;
	j->ended = true;
	running--;
}

static void await_result(void)
{
	struct pollfd fds[JOBS_MAX];
	struct run *of[JOBS_MAX];
	nfds_t n = 0;

	for (unsigned i = 0; i < AHEAD; i++) {
		if (!runs[i].pid)
			continue;
		of[n] = &runs[i];
		fds[n++] = (struct pollfd){.fd = runs[i].fd, .events = POLLIN};
	}
	if (poll(fds, n, -1) < 0)
		return; /* A signal: once more. */
	for (nfds_t i = 0; i < n; i++)
		if (fds[i].revents)
			take_result(of[i]);
}

static void end_seed(const struct run *j)
{
	const struct result *r = &j->result;
	char text[64];

	if (!j->whole || !WIFEXITED(j->status) || WEXITSTATUS(j->status)) {
		snprintf(text, sizeof text, "the simulation itself ended with status %#x", (unsigned)j->status);
		show_failure(j->seed, text);
		return;
	}
	if (r->text[0])
		show_failure(j->seed, r->text);
	if (options.hashes)
		printf("seed %" PRIu64 " trace %016" PRIx64 "\n", j->seed, r->hash);
	for (unsigned i = 0; i < FAULT_COUNT; i++)
		sum.faults[i] += r->faults[i];
	for (unsigned i = 0; i < 14; i++)
		sum.guards[i] += r->guards[i];
	for (unsigned i = 0; i < RECORDS_KINDS; i++)
		sum.kinds[i] += r->kinds[i];
	sum.simulated_ns += r->simulated_ns;
	sum.acked += r->acked;
}

/* Seeds are told of in their own order, whichever ends first, so that two runs print the same. */
static void run_all(void)
{
	/* After a failure nobody waits for more than what runs. */
	uint64_t begun = 0, most = options.seeds, ahead = options.until_failure ? options.jobs : AHEAD;

	while (seeds_run < most) {
		while (begun < most && running < options.jobs && begun - seeds_run < ahead) {
			start_seed(&runs[begun % AHEAD], options.from + begun);
			begun++;
		}
		if (runs[seeds_run % AHEAD].ended)
			end_seed(&runs[seeds_run++ % AHEAD]);
		else
			await_result();
		if (failures && options.until_failure)
			most = begun;
	}
}

static void report(double real_s)
{
	static const char *const guards[14] = {
	        "",       "cap",    "no-op, hold", "votes, step down", "in flight",  "lengths",   "snapshots",
	        "window", "errors", "shortened",   "configuration",    "truncation", "callbacks", "cut, clamp"};

	for (unsigned i = 0; i < FAULT_COUNT; i++) {
		total_faults += sum.faults[i];
		printf("fault %-40s %12" PRIu64 "\n", faults_text((enum fault)i), sum.faults[i]);
	}
	for (unsigned k = 1; k < 14; k++)
		printf("guard %2u %-37s %12" PRIu64 "\n", k, guards[k], sum.guards[k]);
	for (unsigned k = 1; k < RECORDS_KINDS; k++)
		if (sum.kinds[k])
			printf("entries: %-37s %12" PRIu32 "\n",
			       k == RECORDS_MET    ? "steps up by keys, codes, tokens"
			       : k == RECORDS_GONE ? "persons erased, and looked for"
			                           : entry_kind_text(k),
			       sum.kinds[k]);
	printf("acknowledged %" PRIu64 ", simulated %.0f s in %.1f s: %.0f times real time\n", sum.acked,
	       (double)sum.simulated_ns / 1e9, real_s, (double)sum.simulated_ns / 1e9 / real_s);
	printf("seeds %" PRIu64 " faults %" PRIu64 " failures %" PRIu64 "\n", seeds_run, total_faults, failures);
}

static void usage(FILE *to)
{
	fputs("usage: simulate [--seeds N] [--from SEED] [--without-guard K] [--plant BUG] [--jobs J] [--hashes] "
	      "[--until-failure] [--verbose]\n"
	      "\n"
	      "Runs N seeds (100) from SEED (1): clusters of the daemon's own code on a simulated machine, with "
	      "faults.\n"
	      "\n"
	      "  --without-guard K   turn guard K of node/CONSENSUS.md off (1 to 13; of 2 the hold)\n"
	      "  --plant BUG         ack-before-sync, applied-apart, skip-duplicate, false-digest, revoke-ignored,\n"
	      "                      erase-forgets\n"
	      "  --jobs J            seeds at once (the number of cores)\n"
	      "  --hashes            print each seed's trace hash: the same seed gives the same one\n"
	      "  --until-failure     no further seeds after the first that fails\n"
	      "  --verbose           print the trace (for one seed)\n"
	      "\n"
	      "Exit status: 0 if no seed failed, 1 if one did, 2 wrong usage.\n",
	      to);
}

static bool number(const char *text, uint64_t min, uint64_t max, uint64_t *ret)
{
	char *end;

	errno = 0;
	*ret = strtoull(text, &end, 10);
	return !errno && end != text && !*end && *ret >= min && *ret <= max;
}

static bool read_options(int argc, char **argv)
{
	static const struct option known[] = {{"seeds", required_argument, NULL, 's'},
	                                      {"from", required_argument, NULL, 'f'},
	                                      {"without-guard", required_argument, NULL, 'g'},
	                                      {"plant", required_argument, NULL, 'p'},
	                                      {"jobs", required_argument, NULL, 'j'},
	                                      {"hashes", no_argument, NULL, 'x'},
	                                      {"until-failure", no_argument, NULL, 'u'},
	                                      {"verbose", no_argument, NULL, 'v'},
	                                      {"help", no_argument, NULL, 'h'},
	                                      {0}};
	uint64_t n;
	int opt;

	options.jobs = (unsigned)sysconf(_SC_NPROCESSORS_ONLN);
	while ((opt = getopt_long(argc, argv, "h", known, NULL)) != -1) {
		bool good = true;
		switch (opt) {
		case 's':
			good = number(optarg, 1, 100000000, &options.seeds);
			break;
		case 'f':
			good = number(optarg, 0, UINT64_MAX / 2, &options.from);
			break;
		case 'g':
			good = number(optarg, 1, 13, &n);
			options.without = optarg;
			/* Of guard 2 only the hold: the no-op has a test by script. */
			checks_guards_off = GUARD_BIT(n == 2 ? GUARD_HOLD : n);
			break;
		case 'p':
			good = plant(optarg);
			options.bug = optarg;
			break;
		case 'j':
			good = number(optarg, 1, JOBS_MAX, &n);
			options.jobs = (unsigned)n;
			break;
		case 'x':
			options.hashes = true;
			break;
		case 'u':
			options.until_failure = true;
			break;
		case 'v':
			os_verbose = true;
			break;
		case 'h':
			usage(stdout);
			exit(0);
		default:
			good = false;
		}
		if (!good)
			return false;
	}
	if (options.jobs > JOBS_MAX)
		options.jobs = JOBS_MAX;
	return optind == argc;
}

static double real_seconds(void)
{
	struct timespec t;

	timespec_get(&t, TIME_UTC); /* clock_gettime is the simulated one here. */
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

int main(int argc, char **argv)
{
	static struct randombytes_implementation chance = {
	        .implementation_name = random_name, .random = random_word, .buf = os_random_bytes};
	double begin = real_seconds();

	if (!read_options(argc, argv)) {
		usage(stderr);
		return 2;
	}
	randombytes_set_implementation(&chance);
	os_seed(0);
	evidence_init();
	if (sodium_init() < 0)
		return 1;
	run_all();
	report(real_seconds() - begin);
	return failures ? 1 : 0;
}
