/* The cluster that every cell of the matrix begins with: made once, copied as it was at two moments. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/history.h"
#include "tests/matrix.h"

#define OLD_DECISIONS  30 /* In the older copy: less than a snapshot. */
#define MORE_DECISIONS 45 /* More than one snapshot, and some entries behind it. */
#define WAIT_S         60 /* For what takes a second. */

static void await_stored(struct cluster *c, cs_client *client)
{
	long long size = (long long)cluster_converge(client);
	uint64_t until = history_now_ns() + WAIT_S * UINT64_C(1000000000);

	for (unsigned n = 1; n <= MATRIX_NODES; n++)
		while (cluster_status(client, n, "cosigned_size") < size) {
			if (history_now_ns() > until)
				history_fail("the cluster for the matrix is not cosigned");
			matrix_nap();
		}
	cluster_run("cluster down %s/c", c->dir);
}

/* Decisions, written down in the file `acked`. */
static void prepare(struct arena *a, unsigned n)
{
	cs_client *client = cluster_client(&a->cluster);
	char path[400];

	snprintf(path, sizeof path, "%s/acked", a->cluster.dir);
	FILE *f = fopen(path, "ae");
	for (unsigned i = 0; f && i < n; i++) {
		struct cs_request r = {.subject_type = "user",
		                       .subject_id = "ada",
		                       .action = "read",
		                       .resource_type = "repo",
		                       .resource_id = "main"};
		cs_result *result;
		cs_request_id(r.id);
		if (cs_decide(client, &r, &result))
			history_fail(cs_last_error());
		if (fwrite(r.id, sizeof r.id, 1, f) != 1 || fwrite(&result->index, sizeof result->index, 1, f) != 1)
			history_fail("writing down");
		cs_result_free(result);
	}
	if (!f || fclose(f))
		history_fail(path);
	await_stored(&a->cluster, client);
	cs_close(client);
}

/* A cluster file that names one node only: what is asked with it is asked of that node. */
static void write_only(const struct arena *a, unsigned node)
{
	cluster_shell("cd '%s/c' && sed '/{id: /{/{id: %u,/!d}' cluster.yaml >only-%u.yaml", a->cluster.dir, node,
	              node);
}

static void prepare_all(struct arena *a, const char *settings)
{
	const char *dir = a->cluster.dir;

	cluster_begin(&a->cluster);
	prepare(a, OLD_DECISIONS);
	cluster_shell("cp -a --sparse=always '%s/c' '%s/old'", dir, dir);
	cluster_shell("for n in 1 2 3; do echo '%s' >>'%s/c/node-'$n/countersignd.yaml; done", settings, dir);
	cluster_run("cluster up %s/c", dir);
	prepare(a, MORE_DECISIONS);
	for (unsigned n = 1; n <= MATRIX_NODES; n++)
		write_only(a, n);
	cluster_shell("rm -f '%s/c'/node-*/countersignd.log && mv '%s/c' '%s/base'", dir, dir, dir);
}

void arena_make(struct arena *a, const char *settings)
{
	int status;

	/* Of version 1: the log of readers is off, so that who looks at the damage changes nothing. */
	a->cluster.policy_1 = true;
	cluster_make(&a->cluster, NULL);
	/* Elections are most of a cell's time; one too many on a busy machine costs that time only. */
	cluster_shell("sed -i -e 's/^election_timeout_ms: .*/election_timeout_ms: 200/' "
	              "-e 's/^heartbeat_ms: .*/heartbeat_ms: 20/' '%s/c'/node-*/countersignd.yaml",
	              a->cluster.dir);
	pid_t pid =
	        fork(); /* nng does not survive a fork: the cells' processes must not come from one that has used it. */
	if (pid == 0) {
		prepare_all(a, settings);
		_exit(0);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid || status)
		history_fail("the cluster for the matrix could not be made");
}

void arena_acked(const struct arena *a)
{
	uint8_t id[16];
	uint64_t index;
	char path[400];

	snprintf(path, sizeof path, "%s/acked", a->cluster.dir);
	FILE *f = fopen(path, "re");
	while (f && fread(id, sizeof id, 1, f) == 1 && fread(&index, sizeof index, 1, f) == 1)
		history_add(id, index, history_now_ns());
	if (f)
		fclose(f);
	if (history_count() != OLD_DECISIONS + MORE_DECISIONS)
		matrix_fail(a, "%s cannot be read", path);
}
