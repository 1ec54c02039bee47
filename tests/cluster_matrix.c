/* Every kind of file hurt by every kind of fault, on one node and on all: the outcome is the one that is written. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/history.h"
#include "tests/matrix.h"

#define WORKERS_MAX 2
#define USAGE       "usage: cluster_matrix [--only FILE/FAULT] [--jobs N] [--table]\n"

/* Name of a cell for --only, with words joined by '-': log-segment/bit-flip. */
static bool is_chosen(const struct matrix_cell *c, const char *only)
{
	char name[128];

	snprintf(name, sizeof name, "%s/%s", matrix_file_words[c->file], matrix_fault_words[c->fault]);
	for (char *p = name; *p; p++)
		if (*p == ' ')
			*p = '-';
	return !only || strcmp(name, only) == 0;
}

/* One cell in one scope, in a process of its own: what fails in it fails alone. False: it failed. */
static bool run_one(struct arena *a, const struct matrix_cell *c, bool every)
{
	uint64_t begun = history_now_ns();
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		a->cell = c;
		a->every = every;
		cell_run(a);
		_exit(0);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		abort();
	printf("%-6s %s, %s, %s: %s (%.1f s)\n", status ? "FAILED" : "ok", matrix_file_words[c->file],
	       matrix_fault_words[c->fault], every ? "every node" : "one node", c->what,
	       (double)(history_now_ns() - begun) / 1e9);
	fflush(stdout);
	return status == 0;
}

/* Every jobs-th of the chosen cells, on a cluster of its own; exits with whether one failed. */
static void work(const char *only, unsigned jobs, unsigned job)
{
	struct arena a = {0};
	unsigned at = 0, failed = 0;

	arena_make(&a, "snapshot_entries: 32");
	for (unsigned i = 0; i < 2 * n_matrix_cells; i++) {
		const struct matrix_cell *c = &matrix_cells[i / 2];
		bool every = i % 2;
		if (!is_chosen(c, only) || (every ? c->every : c->one).outcome == NOT_APPLICABLE || at++ % jobs != job)
			continue;
		failed += !run_one(&a, c, every);
	}
	if (failed || getenv("CS_KEEP"))
		fprintf(stderr, "kept: %s\n", a.cluster.dir);
	else
		cluster_shell("rm -rf -- '%s'", a.cluster.dir);
	exit(failed ? 1 : 0);
}

int main(int argc, char **argv)
{
	static const struct option options[] = {{"only", required_argument, NULL, 'o'},
	                                        {"jobs", required_argument, NULL, 'j'},
	                                        {"table", no_argument, NULL, 't'},
	                                        {0}};
	const char *only = NULL;
	unsigned jobs = WORKERS_MAX, failed = 0;
	int opt, status;

	while ((opt = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (opt == 't') {
			matrix_print_table();
			return 0;
		}
		if (opt == 'o')
			only = optarg;
		else if (opt == 'j')
			jobs = (unsigned)strtoul(optarg, NULL, 10);
		if (opt == '?' || jobs == 0 || jobs > WORKERS_MAX) {
			fputs(USAGE, stderr);
			return 2;
		}
	}
#if defined __SANITIZE_ADDRESS__ || defined __SANITIZE_THREAD__
	return 77; /* What is preloaded must not come before the sanitizer. */
#endif
	for (unsigned i = 0; i < jobs; i++)
		if (fork() == 0)
			work(only, jobs, i);
	while (wait(&status) > 0 || errno == EINTR)
		failed += status != 0;
	return failed != 0;
}
