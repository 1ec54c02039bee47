/* A node whose n-th allocation or file call fails goes on rightly or ends in words, and comes back whole. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tests/cluster.h"
#include "tests/history.h"

/*
 * For n = 1, 2, … the node starts with its n-th call made to fail (tests/faults_preload.c says which calls count), is
 * asked for decisions over more than one snapshot, and stopped. It must end by itself with a status of its own and an
 * error in its log, or go on; then it starts without faults, and every decision that was acknowledged is there. The end
 * is a run in which no call was left to fail. Without --all some n are tried: the first ones, then wider and wider.
 */
#define DECISIONS   40 /* With a snapshot every 16. */
#define WAIT_MS     20000
#define TIMEOUT_MS  300 /* Of a decision: a reply may be what could not be made. */
#define DENSE       12  /* Without --all: every n up to here, */
#define GROWTH      6   /* then a sixth more each time. */
#define UNASKED_MAX 2   /* Decisions in a row that nobody answered: the rest are not asked. */

static struct cluster cluster;
static char node_folder[400], log_path[440], report_path[440], config_path[440];
static unsigned ended_by_itself, went_on;

static void nap(long ms)
{
	nanosleep(&(struct timespec){.tv_nsec = ms * 1000000}, NULL);
}

/* --- the node --- */

static void redirect(const char *path, int fd, int flags)
{
	int file = open(path, flags, 0600);

	if (file < 0 || dup2(file, fd) < 0)
		_exit(90);
	close(file);
}

/* fault NULL: none. */
static pid_t node_start(const char *fault)
{
	const char *daemon = getenv("COUNTERSIGND"), *preload = getenv("FAULTS_PRELOAD");

	unlink(log_path); /* What the last one said must not be taken for this one's words. */
	pid_t pid = fork();

	if (pid != 0)
		return pid;
	redirect("/dev/null", 0, O_RDONLY);
	redirect(log_path, 2, O_WRONLY | O_CREAT | O_TRUNC);
	if (fault) {
		setenv("COUNTERSIGN_FAULT", fault, 1);
		setenv("COUNTERSIGN_FAULT_REPORT", report_path, 1);
		setenv("LD_PRELOAD", preload ? preload : "tests/.libs/faults_preload.so", 1);
	}
	execl(daemon ? daemon : "./countersignd", "countersignd", "--config", config_path, (char *)NULL);
	_exit(91);
}

static bool ended(pid_t pid, int *ret_status)
{
	return waitpid(pid, ret_status, WNOHANG) == pid;
}

/* SIGTERM, if it is still there; its wait status. */
static int node_stop(pid_t pid)
{
	int status;

	if (ended(pid, &status))
		return status;
	kill(pid, SIGTERM);
	for (int i = 0; i < WAIT_MS / 2; i++) {
		if (ended(pid, &status))
			return status;
		nap(2);
	}
	kill(pid, SIGKILL);
	waitpid(pid, &status, 0);
	history_fail("a node did not stop");
}

static bool in_log(const char *text)
{
	static char bytes[1 << 20];
	FILE *f = fopen(log_path, "r");
	size_t n = f ? fread(bytes, 1, sizeof bytes - 1, f) : 0;

	bytes[n] = 0;
	if (f)
		fclose(f);
	return strstr(bytes, text) != NULL;
}

static bool was_hit(char ret_line[256])
{
	FILE *f = fopen(report_path, "r");
	bool hit = f && fgets(ret_line, 256, f);

	if (f)
		fclose(f);
	return hit;
}

/* Until it serves; false: it ended, with this status. */
static bool node_await(pid_t pid, int *ret_status)
{
	for (int i = 0; i < WAIT_MS / 2; i++) {
		if (in_log(" serving "))
			return true;
		if (ended(pid, ret_status))
			return false;
		nap(2);
	}
	history_fail("a node neither serves nor ends");
}

/* --- clients --- */

/* False: the node has ended, with this status. */
static bool decide_some(cs_client *client, pid_t pid, int *ret_status)
{
	struct cs_request r = {.subject_type = "user",
	                       .subject_id = "ada",
	                       .action = "read",
	                       .resource_type = "repo",
	                       .resource_id = "main"};
	unsigned unanswered = 0;

	for (unsigned i = 0; i < DECISIONS && unanswered < UNASKED_MAX; i++) {
		uint64_t asked_ns = history_now_ns();
		cs_result *result;

		if (ended(pid, ret_status))
			return false;
		cs_request_id(r.id);
		int err = cs_decide(client, &r, &result);
		if (err == CS_E_REFUTED || err == CS_E_DIVERGED)
			history_fail(cs_last_error());
		if (err) {
			unanswered++;
			continue;
		}
		unanswered = 0;
		if (!result->proven)
			history_fail("a reply without a proof that holds");
		history_add(r.id, result->index, asked_ns);
		cs_result_free(result);
	}
	return true;
}

static cs_client *client_open(unsigned timeout_ms)
{
	struct cs_options o = {
	        .cluster_file = cluster.cluster_file, .key_file = cluster.gateway_key, .timeout_ms = timeout_ms};
	cs_client *client;
	char text[256];

	if (cs_open(&o, &client, text, sizeof text))
		history_fail(text);
	return client;
}

/* --- one n --- */

static void fail_at(const char *fault, const char *hit, const char *what)
{
	fprintf(stderr, "COUNTERSIGN_FAULT=%s (%.*s): %s; the node's log is %s\n", fault, (int)strcspn(hit, "\n"), hit,
	        what, log_path);
	history_fail("fault injection");
}

/* Statuses that the daemon documents, and words for each. */
static void check_end(const char *fault, const char *hit, int status)
{
	if (!WIFEXITED(status)) {
		fprintf(stderr, "signal %d\n", WTERMSIG(status));
		fail_at(fault, hit, "ended by a signal");
	}
	switch (WEXITSTATUS(status)) {
	case 0:
		went_on++;
		return;
	case 2:
	case 4:
		ended_by_itself++;
		if (!in_log(" error ") && !in_log("countersignd: "))
			fail_at(fault, hit, "ended without a word");
		return;
	case 3:
		fail_at(fault, hit, "halted: only an operator can bring it back, and nothing is wrong with its disk");
		return;
	default:
		fail_at(fault, hit, "ended with another status");
	}
}

/* Without faults it serves, and has what was acknowledged. */
static void check_whole(const char *fault, const char *hit)
{
	pid_t pid = node_start(NULL);
	int status;

	if (!node_await(pid, &status))
		fail_at(fault, hit, "does not start again");
	cs_client *client = client_open(WAIT_MS);
	long long size = cluster_status(client, 1, "size");
	if (size < 0)
		fail_at(fault, hit, "does not answer when it has started again");
	history_check(client, (uint64_t)size);
	cs_close(client);
	status = node_stop(pid);
	if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
		fail_at(fault, hit, "does not stop cleanly");
}

/* False: no call was left to fail. */
static bool try_one(const char *class, int error, unsigned long n)
{
	char fault[64], hit[256] = "";
	int status;

	snprintf(fault, sizeof fault, "%s:%d:%lu", class, error, n);
	unlink(report_path);
	pid_t pid = node_start(fault);
	if (node_await(pid, &status)) {
		cs_client *client = client_open(TIMEOUT_MS);
		if (decide_some(client, pid, &status))
			status = node_stop(pid);
		cs_close(client);
	}
	bool is_hit = was_hit(hit);
	check_end(fault, hit, status);
	if (!is_hit)
		return false;
	check_whole(fault, hit);
	if (getenv("FAULTS_VERBOSE"))
		fprintf(stderr, "%s (%.*s): %d\n", fault, (int)strcspn(hit, "\n"), hit, WEXITSTATUS(status));
	return true;
}

static void try_class(const char *class, int error, bool all, unsigned long from)
{
	unsigned long tried = 0;

	ended_by_itself = went_on = 0;
	for (unsigned long n = from;; n += all || n < DENSE ? 1 : n / GROWTH) {
		if (!try_one(class, error, n))
			break;
		tried++;
	}
	printf("%s: %lu calls failed, one at a time; %u times the node ended by itself, %u times it went on; "
	       "%u acknowledged decisions are all there\n",
	       class, tried, ended_by_itself, went_on, history_count());
}

/* --- the tool's offline verification --- */

/* Exit code of "countersign verify" of this file, with a fault. */
static int verify_with(const char *fault, const char *file)
{
	const char *tool = getenv("COUNTERSIGN"), *preload = getenv("FAULTS_PRELOAD");
	char trust[400];
	int status;

	snprintf(trust, sizeof trust, "%s/c/trust.policy", cluster.dir);
	pid_t pid = fork();
	if (pid == 0) {
		redirect("/dev/null", 1, O_WRONLY);
		redirect(log_path, 2, O_WRONLY | O_CREAT | O_TRUNC);
		setenv("COUNTERSIGN_FAULT", fault, 1);
		setenv("COUNTERSIGN_FAULT_REPORT", report_path, 1);
		setenv("LD_PRELOAD", preload ? preload : "tests/.libs/faults_preload.so", 1);
		execl(tool ? tool : "./.libs/countersign", "countersign", "verify", "--trust", trust, file,
		      (char *)NULL);
		_exit(91);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		abort();
	if (!WIFEXITED(status))
		fail_at(fault, "", "verify: ended by a signal");
	return WEXITSTATUS(status);
}

/* A good file is verified, or could not be told; a bad one is refuted, or could not be told. */
static void try_verify(const char *class, int error)
{
	char file[400], bad[400], fault[64], hit[256];
	unsigned long tried = 0;
	bool is_hit = true;

	snprintf(file, sizeof file, "%s/bundle", cluster.dir);
	snprintf(bad, sizeof bad, "%s/bad", cluster.dir);
	for (unsigned long n = 1; is_hit; n++) {
		snprintf(fault, sizeof fault, "%s:%d:%lu", class, error, n);
		unlink(report_path);
		hit[0] = 0;
		int code = verify_with(fault, file);
		is_hit = was_hit(hit);
		if (code != 0 && !(is_hit && code == 2))
			fail_at(fault, hit, "verify: a good file was not verified");
		code = verify_with(fault, bad);
		if (code != 1 && !(is_hit && code == 2))
			fail_at(fault, hit, "verify: a bad file was not refuted");
		tried += is_hit;
	}
	printf("verify, %s: %lu calls failed, one at a time\n", class, tried);
}

/* A bundle of the first decision, and one with a byte of its entry changed. */
static void make_bundles(void)
{
	pid_t pid = node_start(NULL);
	int status;

	if (!node_await(pid, &status))
		history_fail("the node does not start");
	cluster_run("prove --cluster %s --key %s --out %s/bundle 1", cluster.cluster_file, cluster.gateway_key,
	            cluster.dir);
	cluster_shell("sed 's/\\(\"entry\":\"..........\\)./\\1_/' '%s/bundle' >'%s/bad'", cluster.dir, cluster.dir);
	node_stop(pid);
}

static void create(void)
{
	const char *tmp = getenv("TMPDIR");

	snprintf(cluster.dir, sizeof cluster.dir, "%s/countersign-test-XXXXXX", tmp ? tmp : "/tmp");
	if (!mkdtemp(cluster.dir))
		abort();
	snprintf(cluster.cluster_file, sizeof cluster.cluster_file, "%s/c/cluster.yaml", cluster.dir);
	snprintf(cluster.admin_key, sizeof cluster.admin_key, "%s/c/admin.key", cluster.dir);
	snprintf(cluster.gateway_key, sizeof cluster.gateway_key, "%s/gateway.key", cluster.dir);
	snprintf(node_folder, sizeof node_folder, "%s/c/node-1", cluster.dir);
	snprintf(log_path, sizeof log_path, "%s/log-of-faults", node_folder);
	snprintf(report_path, sizeof report_path, "%s/faults", node_folder);
	snprintf(config_path, sizeof config_path, "%s/countersignd.yaml", node_folder);
	cluster_run("init %s/c --name test --nodes 1 --election-timeout-ms 150", cluster.dir);
	cluster_shell("printf 'snapshot_entries: 16\\n' >>'%s'", config_path);
}

/* The very first start, when the log is made: each n on a folder as `init` leaves it. */
static void try_first_start(const char *class, int error, bool all)
{
	unsigned long tried = 0;
	char fault[64], hit[256];
	bool is_hit = true;

	cluster_shell("cp -a '%s' '%s/fresh'", node_folder, cluster.dir);
	for (unsigned long n = 1; is_hit; n += all || n < DENSE ? 1 : n / GROWTH) {
		snprintf(fault, sizeof fault, "%s:%d:%lu", class, error, n);
		hit[0] = 0;
		int status;
		pid_t pid = node_start(fault);
		if (node_await(pid, &status))
			status = node_stop(pid);
		is_hit = was_hit(hit);
		check_end(fault, hit, status);
		pid = node_start(NULL);
		if (!node_await(pid, &status))
			fail_at(fault, hit, "does not start again");
		node_stop(pid);
		cluster_shell("rm -rf -- '%s' && cp -a '%s/fresh' '%s'", node_folder, cluster.dir, node_folder);
		tried += is_hit;
	}
	printf("%s, first start: %lu calls failed, one at a time\n", class, tried);
	cluster_shell("rm -rf -- '%s/fresh'", cluster.dir);
}

int main(int argc, char **argv)
{
	static const struct option options[] = {{"all", no_argument, NULL, 'a'},
	                                        {"class", required_argument, NULL, 'c'},
	                                        {"from", required_argument, NULL, 'f'},
	                                        {0}};
	const char *only = NULL;
	unsigned long from = 1;
	bool all = false;
	int opt;

	while ((opt = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (opt == 'a')
			all = true;
		else if (opt == 'c')
			only = optarg;
		else if (opt == 'f')
			from = strtoul(optarg, NULL, 10);
		else {
			fprintf(stderr, "usage: cluster_faults [--all] [--class alloc|io|write|verify] [--from N]\n");
			return 2;
		}
	}
#if defined __SANITIZE_ADDRESS__ || defined __SANITIZE_THREAD__
	return 77; /* The sanitizers replace malloc themselves. */
#endif
	create();
	if (!only && from == 1) {
		try_first_start("io", EIO, all);
		try_first_start("alloc", ENOMEM, all);
	}
	pid_t pid = node_start(NULL);
	cluster_run("enroll --cluster %s --key %s --name gateway --roles decide,audit --new-key %s",
	            cluster.cluster_file, cluster.admin_key, cluster.gateway_key);
	node_stop(pid);
	if (!only || strcmp(only, "io") == 0)
		try_class("io", EIO, all, from);
	if (!only || strcmp(only, "write") == 0)
		try_class("write", ENOSPC, all, from);
	if (!only || strcmp(only, "alloc") == 0)
		try_class("alloc", ENOMEM, all, from);
	if (!only || strcmp(only, "verify") == 0) {
		make_bundles();
		try_verify("io", EIO);
		try_verify("alloc", ENOMEM);
	}
	cluster_shell("rm -rf -- '%s'", cluster.dir);
	return 0;
}
