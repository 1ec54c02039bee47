/* The command line: options, their bounds, and what goes together. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "bench/settings.h"

#include <getopt.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/failover.h"

#define OUTSTANDING_MAX      4096
#define CONNECTIONS_MAX      (CLUSTER_CLIENTS_MAX - 1) /* One more to look with. */
#define FAILOVER_KILLS_QUICK 5

static void usage(FILE *to)
{
	fputs("usage: countersign-bench [options]\n"
	      "\n"
	      "Measures durable decisions and checks on a cluster of three nodes that it starts in a temporary "
	      "folder,\n"
	      "prints them beside what the machine can do at best, and checks afterwards that every acknowledged\n"
	      "decision is in the ledger with a proof that holds.\n"
	      "\n"
	      "  -q, --quick              short steps: little more than a minute in all\n"
	      "  -s, --seconds S          length of a step (default: 60; quick: 3)\n"
	      "  -w, --warmup S           before each step, not counted (default: 5; quick: 1)\n"
	      "  -o, --outstanding N      many clients: questions at once; may be repeated (default: 64 and 256)\n"
	      "  -n, --connections N      that many clients' load is spread over (default: 4)\n"
	      "      --only KIND          decide, check (linearizable) or check-local; checks need some decisions,\n"
	      "                           which are not reported then\n"
	      "      --failover[=N]       instead of all that: kills the leader N times (100; quick: 5), and measures "
	      "how\n"
	      "                           long there is no committed decision\n"
	      "      --silent             … stops it instead (SIGSTOP), so that its connections stay open\n"
	      "      --stalls             instead of all that: decisions at half of the highest rate, and which stalls "
	      "the\n"
	      "                           disk and the scheduler show at the same moments\n"
	      "      --cosigned           instead of all that: how soon behind a decision's answer its proof under a\n"
	      "                           quorum's checkpoint is there, at idle and at half of the highest rate\n"
	      "      --curve              also 10 % to 110 % of the highest rate, on schedule\n"
	      "      --subjects N         that requests are about (default: 1000)\n"
	      "      --seed N             of schedules and requests (default: 1)\n"
	      "      --cluster FILE       use this running cluster (its cluster.yaml), with …\n"
	      "      --key FILE           … this client's key (roles: decide, audit)\n"
	      "  -d, --folder DIR         where nodes and floors keep their data (default: $TMPDIR or /tmp)\n"
	      "  -k, --keep               leave the temporary folder behind\n"
	      "  -j, --json FILE          the report as JSON too\n"
	      "  -h, --help               this text\n"
	      "  -V, --version            version\n"
	      "\n"
	      "Environment: COUNTERSIGN, COUNTERSIGND: programs to use instead of those beside this one.\n"
	      "Exit status: 0 measured, and all that was acknowledged is proven; 1 it is not; 2 wrong usage; 3 the\n"
	      "measurement could not be made.\n",
	      to);
}

static int wrong(const char *option, const char *value)
{
	fprintf(stderr, "countersign-bench: --%s: \"%s\" is not possible\n", option, value);
	return -1;
}

static int get_unsigned(const char *option, const char *text, unsigned max, unsigned *ret)
{
	char *end;
	unsigned long v = strtoul(text, &end, 10);

	if (*text < '0' || *text > '9' || *end || v < 1 || v > max)
		return wrong(option, text);
	*ret = (unsigned)v;
	return 0;
}

static int get_seconds(const char *option, const char *text, double min, double *ret)
{
	char *end;
	double v = strtod(text, &end);

	if (end == text || *end || !(v >= min && v <= 3600))
		return wrong(option, text);
	*ret = v;
	return 0;
}

static int get_outstanding(struct settings *s, const char *text)
{
	if (s->n_outstanding == sizeof s->outstanding / sizeof *s->outstanding)
		return wrong("outstanding", text);
	return get_unsigned("outstanding", text, OUTSTANDING_MAX, &s->outstanding[s->n_outstanding++]);
}

static int get_only(struct settings *s, const char *text)
{
	bool found = false;

	for (int k = 0; k < LOAD_KINDS; k++)
		found |= s->kinds[k] = strcmp(text, load_kind_name((enum load_kind)k)) == 0;
	return found ? 0 : wrong("only", text);
}

enum {
	OPTION_ONLY = 256,
	OPTION_FAILOVER,
	OPTION_SILENT,
	OPTION_STALLS,
	OPTION_COSIGNED,
	OPTION_CURVE,
	OPTION_SUBJECTS,
	OPTION_SEED,
	OPTION_CLUSTER,
	OPTION_KEY
};

static const struct option options[] = {{"quick", no_argument, NULL, 'q'},
                                        {"seconds", required_argument, NULL, 's'},
                                        {"warmup", required_argument, NULL, 'w'},
                                        {"outstanding", required_argument, NULL, 'o'},
                                        {"connections", required_argument, NULL, 'n'},
                                        {"only", required_argument, NULL, OPTION_ONLY},
                                        {"failover", optional_argument, NULL, OPTION_FAILOVER},
                                        {"silent", no_argument, NULL, OPTION_SILENT},
                                        {"stalls", no_argument, NULL, OPTION_STALLS},
                                        {"cosigned", no_argument, NULL, OPTION_COSIGNED},
                                        {"curve", no_argument, NULL, OPTION_CURVE},
                                        {"subjects", required_argument, NULL, OPTION_SUBJECTS},
                                        {"seed", required_argument, NULL, OPTION_SEED},
                                        {"cluster", required_argument, NULL, OPTION_CLUSTER},
                                        {"key", required_argument, NULL, OPTION_KEY},
                                        {"folder", required_argument, NULL, 'd'},
                                        {"keep", no_argument, NULL, 'k'},
                                        {"json", required_argument, NULL, 'j'},
                                        {"help", no_argument, NULL, 'h'},
                                        {"version", no_argument, NULL, 'V'},
                                        {0}};

static int take_option(struct settings *s, int opt)
{
	unsigned seed = 0;

	switch (opt) {
	case 'q':
		s->quick = true;
		return 0;
	case 's':
		return get_seconds("seconds", optarg, 0.1, &s->seconds);
	case 'w':
		return get_seconds("warmup", optarg, 0, &s->warmup);
	case 'o':
		return get_outstanding(s, optarg);
	case 'n':
		return get_unsigned("connections", optarg, CONNECTIONS_MAX, &s->connections);
	case OPTION_ONLY:
		return get_only(s, optarg);
	case OPTION_FAILOVER:
		s->failover = UINT_MAX; /* As many as is usual. */
		return optarg ? get_unsigned("failover", optarg, FAILOVER_MAX, &s->failover) : 0;
	case OPTION_SILENT:
		s->silent = true;
		return 0;
	case OPTION_STALLS:
		s->stalls = true;
		return 0;
	case OPTION_COSIGNED:
		s->cosigned = true;
		return 0;
	case OPTION_CURVE:
		s->curve = true;
		return 0;
	case OPTION_SUBJECTS:
		return get_unsigned("subjects", optarg, 1000000, &s->subjects);
	case OPTION_SEED:
		if (get_unsigned("seed", optarg, UINT_MAX, &seed))
			return -1;
		s->seed = seed;
		return 0;
	case OPTION_CLUSTER:
		s->cluster = optarg;
		return 0;
	case OPTION_KEY:
		s->key = optarg;
		return 0;
	case 'd':
		s->folder = optarg;
		return 0;
	case 'k':
		s->keep = true;
		return 0;
	case 'j':
		s->json = optarg;
		return 0;
	default:
		return -1;
	}
}

/* What was not given. */
static void complete(struct settings *s)
{
	const char *tmp = getenv("TMPDIR");

	if (!s->folder)
		s->folder = tmp && *tmp ? tmp : "/tmp";
	if (s->seconds == 0)
		s->seconds = s->quick ? 3 : 60;
	if (s->warmup < 0)
		s->warmup = s->quick ? 1 : 5;
	if (s->n_outstanding == 0) {
		s->outstanding[s->n_outstanding++] = 64;
		s->outstanding[s->n_outstanding++] = 256;
	}
	if (s->failover == UINT_MAX)
		s->failover = s->quick ? FAILOVER_KILLS_QUICK : FAILOVER_KILLS;
	if (s->failover)
		s->connections = FAILOVER_CLIENTS + 1; /* One to look with. */
	s->disk_n = s->quick ? 1000 : 10000;
	s->echo_n = s->quick ? 3000 : 30000;
	s->raft_n = s->quick ? 2000 : 20000;
}

/* What cannot be asked for together; NULL: nothing. */
static const char *contradiction(const struct settings *s)
{
	if (s->failover && s->cluster)
		return "--failover kills nodes of a cluster of its own only";
	if ((s->failover > 0) + s->stalls + s->cosigned > 1)
		return "--failover, --stalls and --cosigned are one measurement each";
	return !s->cluster == !s->key ? NULL : "--cluster and --key go together";
}

int settings_parse(struct settings *s, int argc, char **argv)
{
	int opt;

	*s = (struct settings){
	        .connections = 4, .subjects = 1000, .seed = 1, .warmup = -1, .kinds = {true, true, true}};
	while ((opt = getopt_long(argc, argv, "qs:w:o:n:d:kj:hV", options, NULL)) != -1) {
		if (opt == 'h') {
			usage(stdout);
			return EXIT_GOOD;
		}
		if (opt == 'V') {
			puts("countersign-bench " PACKAGE_VERSION);
			return EXIT_GOOD;
		}
		if (take_option(s, opt)) {
			usage(stderr);
			return EXIT_WRONG_USAGE;
		}
	}
	const char *wrong_how = optind < argc ? "no arguments, only options" : contradiction(s);
	if (wrong_how) {
		fprintf(stderr, "countersign-bench: %s\n", wrong_how);
		usage(stderr);
		return EXIT_WRONG_USAGE;
	}
	complete(s);
	return -1;
}
