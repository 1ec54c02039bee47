/* Changes of members in a chaos run: guests come and go, voters become spares and voters again. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/chaos.h"
#include "tests/history.h"

#define ORDER_MS_MAX 30000 /* An order, its waiting included; then it is given up. */
#define EXIT_REMOVED 5     /* node/core/core.h */

#define ADMIN      "--cluster '%s' --key '%s' --timeout-ms 3000"
#define ADMIN_ARGS c->cluster.cluster_file, c->cluster.admin_key

/* --- orders, given while other faults come and go --- */

static void order_await(struct chaos *c)
{
	if (!c->order)
		return;
	for (unsigned ms = 0; waitpid(c->order, NULL, WNOHANG) == 0; ms += 20) {
		if (ms >= ORDER_MS_MAX)
			kill(c->order, SIGKILL);
		chaos_nap_ms(20);
	}
	c->order = 0;
}

/* Whatever it comes to: it may be refused, or nobody may know; what counts is what the ledger says in the end. */
static void order(struct chaos *c, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void order(struct chaos *c, const char *format, ...)
{
	const char *tool = getenv("COUNTERSIGN") ? getenv("COUNTERSIGN") : "./countersign";
	char command[2048];
	va_list ap;
	int n = snprintf(command, sizeof command, "exec >>'%s/orders' 2>&1; exec '%s' member ", c->cluster.dir, tool);

	va_start(ap, format);
	vsnprintf(command + n, sizeof command - (size_t)n, format, ap);
	va_end(ap);
	order_await(c);
	c->members_touched = true;
	c->order = fork();
	if (c->order == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		execl("/bin/sh", "sh", "-c", command, (char *)NULL);
		_exit(126);
	}
}

void members_role_begin(struct chaos *c, const struct fault *f)
{
	order(c, "demote " ADMIN " --wait-ms 5000 --yes %u", ADMIN_ARGS, f->node + 1);
}

void members_role_end(struct chaos *c, const struct fault *f)
{
	order(c, "promote " ADMIN " --wait-ms 5000 %u", ADMIN_ARGS, f->node + 1);
}

/* --- guests --- */

static unsigned free_port(void)
{
	for (;;) {
		unsigned port = 10000 + (unsigned)(history_now_ns() / 1000 % 20000);
		struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
		int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0),
		    rv = bind(fd, (const struct sockaddr *)&a, sizeof a);

		close(fd);
		if (rv == 0)
			return port;
		chaos_nap_ms(1);
	}
}

static void guest_start(struct chaos *c)
{
	const char *daemon = getenv("COUNTERSIGND") ? getenv("COUNTERSIGND") : "./countersignd";
	char config[400], log[400];
	char *argv[] = {(char *)daemon, (char *)"--config", config, NULL};

	snprintf(config, sizeof config, "%s/c/node-%u/countersignd.yaml", c->cluster.dir, c->guest);
	snprintf(log, sizeof log, "%s/c/node-%u/countersignd.log", c->cluster.dir, c->guest);
	c->guest_pid = fork();
	if (c->guest_pid)
		return;
	int fd = open(log, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (dup2(fd, STDERR_FILENO) >= 0)
		execv(daemon, argv);
	_exit(126);
}

/* A number and keys that were never used before. It lives where all nodes can reach it, whatever is cut between them.
 */
void members_guest_begin(struct chaos *c, const struct fault *f)
{
	const char *host = c->namespaces ? "10.77.1.1" : "127.0.0.1";

	if (c->guest)
		return;
	order_await(c);
	c->guest = c->n + ++c->n_guests;
	if (cluster_try("member prepare " ADMIN " --id %u --url tcp://%s:%u --link %s:%u --election-timeout-ms 600 "
	                "'%s/c/node-%u'",
	                ADMIN_ARGS, c->guest, host, free_port(), host, free_port(), c->cluster.dir, c->guest)) {
		chaos_say(c, "  nobody prepares a guest");
		cluster_shell("rm -rf '%s/c/node-%u'", c->cluster.dir, c->guest);
		c->guest = 0;
		return;
	}
	guest_start(c);
	order(c, "add " ADMIN " --wait-ms 5000 %s '%s/c/node-%u/member'", ADMIN_ARGS, f->drawn & 1 ? "--spare" : "",
	      c->cluster.dir, c->guest);
}

void members_guest_end(struct chaos *c, const struct fault *f)
{
	(void)f;
	if (c->guest)
		order(c, "remove " ADMIN " --wait-ms 5000 --yes %u", ADMIN_ARGS, c->guest);
}

/* It has gone when it was told so by the others; or it never came, and is stopped. */
static void guest_gone(struct chaos *c, bool removed)
{
	int status = 0;

	if (!removed)
		kill(c->guest_pid, SIGTERM);
	for (unsigned ms = 0; waitpid(c->guest_pid, &status, WNOHANG) == 0; ms += 20) {
		if (ms >= CHAOS_WAIT_MS) {
			chaos_broken(c, "guest %u was removed and runs on", c->guest);
			kill(c->guest_pid, SIGKILL);
			ms = 0;
		}
		chaos_nap_ms(20);
	}
	if (removed && (!WIFEXITED(status) || WEXITSTATUS(status) != EXIT_REMOVED))
		chaos_broken(c, "guest %u was removed and ended with wait status 0x%x", c->guest, (unsigned)status);
	if (chaos_good(c))
		cluster_shell("rm -rf '%s/c/node-%u'", c->cluster.dir, c->guest);
	c->guest = 0;
	c->guest_pid = 0;
}

/* --- as it was --- */

/* The members as a node's own ledger and Raft name them; NULL: it does not answer. A guest may lead. */
static json_t *list(struct chaos *c, unsigned node)
{
	char *text;
	json_t *j = NULL;

	if (cs_members(nodes_client(c, node), node + 1, &text) == 0) {
		j = json_loads(text, 0, NULL);
		free(text);
	}
	return j;
}

static bool has(const json_t *array, unsigned id)
{
	const json_t *o;
	size_t i;

	json_array_foreach(array, i, o) if (json_integer_value(json_is_object(o) ? json_object_get(o, "id") : o) ==
	                                    id) return true;
	return false;
}

/* One step towards the first nodes as voters, and nobody else; true: this node says that they are. */
static bool restored_at(struct chaos *c, const json_t *j)
{
	const json_t *members = json_object_get(j, "members"), *o;
	size_t i;

	json_array_foreach(members, i, o)
	{
		unsigned id = (unsigned)json_integer_value(json_object_get(o, "id"));
		const char *role = json_string_value(json_object_get(o, "role")),
		           *in_raft = json_string_value(json_object_get(o, "in_raft"));
		bool voter = role && in_raft && strcmp(role, "voter") == 0 && strcmp(in_raft, "voter") == 0;

		if (id > c->n)
			order(c, "remove " ADMIN " --wait-ms 5000 --yes %u", ADMIN_ARGS, id);
		else if (!voter)
			order(c, "promote " ADMIN " --wait-ms 5000 %u", ADMIN_ARGS, id);
		if (id > c->n || !voter)
			return false;
	}
	return json_array_size(members) == c->n;
}

static bool restored(struct chaos *c)
{
	bool removed = false;

	for (unsigned i = 0; i < c->n; i++) {
		json_t *j = list(c, i);
		bool good = j && restored_at(c, j);
		removed |= has(json_object_get(j, "removed"), c->guest);
		json_decref(j);
		if (!good)
			return false;
	}
	if (c->guest)
		guest_gone(c, removed);
	return true;
}

void members_restore(struct chaos *c)
{
	uint64_t until = history_now_ns() + CHAOS_WAIT_MS * UINT64_C(1000000);
	bool done = !c->members_touched;

	while (chaos_good(c) && !done) {
		order_await(c);
		done = restored(c);
		nodes_look(c);
		if (!done && history_now_ns() > until)
			chaos_broken(c,
			             "all faults ended a minute ago, and the members are not those of the beginning");
		if (!done)
			chaos_nap_ms(20);
	}
	c->members_touched = false;
}

void members_close(struct chaos *c)
{
	order_await(c);
	if (c->guest_pid) {
		kill(c->guest_pid, SIGKILL);
		waitpid(c->guest_pid, NULL, 0);
	}
}
