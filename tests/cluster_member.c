/* Members under load, 1 to 3 to 5 to 3: leader removed, dead node replaced, node moved; nothing is lost or doubled. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <jansson.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sodium.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tests/cluster.h"
#include "tests/history.h"

#define THREADS       4
#define ACKED_BETWEEN 60
#define PAUSE_MS      8 /* Each decision is a challenge that stays open: a quota of them must last the test. */
#define WAIT_MS_MAX   60000
#define FOLLOWED_MS   2500 /* Clients look for new members every two seconds, and nothing tells when they have. */
#define RIVALS        4
#define EXIT_REMOVED  5 /* Of countersignd. */
#define REFUSED       7 /* Of the tool. */

static struct cluster cluster;
static atomic_uint n_failed;
static atomic_bool stop;

static void nap_ms(long ms)
{
	struct timespec t = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};

	nanosleep(&t, NULL);
}

/* Each client is opened while there is one node, and never again: it must find the others by itself. */
static void *load(void *arg)
{
	cs_client *client = arg;
	char subject[32];

	for (unsigned i = 0; !atomic_load(&stop); i++) {
		struct cs_request r = {.subject_type = "user",
		                       .subject_id = subject,
		                       .action = "read",
		                       .resource_type = "repo",
		                       .resource_id = "main"};
		uint64_t asked_ns = history_now_ns();
		cs_result *result;

		snprintf(subject, sizeof subject, "u%p-%u", arg, i % 50);
		cs_request_id(r.id);
		if (cs_decide(client, &r, &result)) {
			fprintf(stderr, "decide: %s\n", cs_last_error());
			atomic_fetch_add(&n_failed, 1);
			continue;
		}
		history_add(r.id, result->index, asked_ns);
		if (!result->proven)
			history_fail("a reply without a proof that holds");
		cs_result_free(result);
		nap_ms(PAUSE_MS);
	}
	return NULL;
}

static void wait_acked(unsigned more)
{
	uint64_t until = history_now_ns() + UINT64_C(60000000000);
	unsigned n = history_count() + more;

	while (history_count() < n) {
		if (history_now_ns() > until)
			history_fail("no progress: the cluster does not acknowledge");
		nap_ms(5);
	}
}

/* From below the range that the system hands out itself. */
static unsigned free_port(void)
{
	for (;;) {
		unsigned port = 10000 + (unsigned)(history_now_ns() / 1000 % 20000);
		struct sockaddr_in a = {.sin_family = AF_INET,
		                        .sin_port = htons((uint16_t)port),
		                        .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
		int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
		int rv = bind(fd, (struct sockaddr *)&a, sizeof a);
		close(fd);
		if (rv == 0)
			return port;
		nap_ms(1);
	}
}

static json_t *members(cs_client *client, uint64_t node)
{
	char *text;
	json_t *j = NULL;

	if (cs_members(client, node, &text) == 0) {
		j = json_loads(text, 0, NULL);
		free(text);
	}
	return j;
}

/* The leader, who knows how far the others are. */
static unsigned leader(cs_client *client)
{
	for (int i = 0; i < WAIT_MS_MAX / 20; i++) {
		long long id = cluster_status(client, 0, "leader_id");
		json_t *j = id > 0 ? members(client, (uint64_t)id) : NULL;
		bool leads = json_is_true(json_object_get(j, "leads"));
		json_decref(j);
		if (leads)
			return (unsigned)id;
		if (id > 0)
			cs_follow(client, NULL);
		nap_ms(20);
	}
	history_fail("no leader");
}

/* A number of a member's row at the leader; -1: it has none. */
static int member_is(cs_client *client, unsigned node, const char *what)
{
	json_t *j = members(client, leader(client)), *o;
	size_t i;
	int ret = -1;

	json_array_foreach(json_object_get(j, "members"), i, o)
	{
		const json_t *v = json_object_get(o, what);
		if (json_integer_value(json_object_get(o, "id")) == node)
			ret = json_is_boolean(v) ? json_is_true(v) : !strcmp(json_string_value(v), "voter");
	}
	json_decref(j);
	return ret;
}

static void wait_member(cs_client *client, unsigned node, const char *what)
{
	for (int i = 0; i < WAIT_MS_MAX / 20; i++) {
		if (member_is(client, node, what) == 1)
			return;
		nap_ms(20);
	}
	fprintf(stderr, "node %u: not %s\n", node, what);
	history_fail("a member does not become what it should");
}

#define ADMIN      "--cluster %s --key %s"
#define ADMIN_ARGS cluster.cluster_file, cluster.admin_key

static void prepare(unsigned node)
{
	cluster_run("member prepare " ADMIN " --id %u --url tcp://127.0.0.1:%u --link 127.0.0.1:%u "
	            "--election-timeout-ms 600 %s/c/node-%u",
	            ADMIN_ARGS, node, free_port(), free_port(), cluster.dir, node);
	cluster_run("cluster up %s/c --node %u", cluster.dir, node);
}

static void add(unsigned node)
{
	prepare(node);
	cluster_run("member add " ADMIN " %s/c/node-%u/member", ADMIN_ARGS, cluster.dir, node);
	wait_acked(ACKED_BETWEEN);
}

/* Carries cluster file and trust policy over, while those who are trusted so far still vouch. */
static void followed(const char *what)
{
	nap_ms(FOLLOWED_MS);
	cluster_run("member sync " ADMIN, ADMIN_ARGS);
	fprintf(stderr, "%s: %u acknowledged\n", what, history_count());
}

static const char *daemon_path(void)
{
	const char *path = getenv("COUNTERSIGND");

	return path ? path : "./countersignd";
}

/* Runs the node in the foreground until it ends by itself. */
static int run_node(unsigned node)
{
	char command[1024];

	snprintf(command, sizeof command,
	         "timeout 30 %s --config %s/c/node-%u/countersignd.yaml >>%s/c/node-%u/again.log 2>&1", daemon_path(),
	         cluster.dir, node, cluster.dir, node);
	int status = system(command);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void wait_removed(unsigned node)
{
	char path[400];

	snprintf(path, sizeof path, "%s/c/node-%u/data/REMOVED", cluster.dir, node);
	for (int i = 0; i < WAIT_MS_MAX / 20; i++) {
		if (access(path, F_OK) == 0)
			return;
		nap_ms(20);
	}
	history_fail("a removed node does not stop");
}

/* --- orders that are refused --- */

struct rival {
	cs_client *admin;
	unsigned node;
	int err;
};

static void *add_rival(void *arg)
{
	struct rival *r = arg;
	uint8_t keys[3][32];
	char url[64], link[64];
	struct cs_member m = {.id = r->node,
	                      .url = url,
	                      .link = link,
	                      .log_pub = keys[0],
	                      .cosigner_pub = keys[1],
	                      .channel_pub = keys[2]};
	cs_result *result;

	snprintf(url, sizeof url, "tcp://127.0.0.1:%u", 1000 + r->node);
	snprintf(link, sizeof link, "127.0.0.1:%u", 2000 + r->node);
	for (unsigned i = 0; i < 3; i++) {
		uint8_t sk[crypto_sign_SECRETKEYBYTES];
		crypto_sign_keypair(keys[i], sk);
	}
	r->err = cs_member_add(r->admin, &m, &result);
	if (r->err == 0)
		cs_result_free(result);
	return NULL;
}

/* Of several changes at once one goes; then those that went are taken back. */
static void one_at_a_time(cs_client *admin)
{
	struct rival rivals[RIVALS];
	pthread_t threads[RIVALS];
	unsigned gone = 0;

	for (unsigned i = 0; i < RIVALS; i++) {
		rivals[i] = (struct rival){.admin = admin, .node = 100 + i};
		pthread_create(&threads[i], NULL, add_rival, &rivals[i]);
	}
	for (unsigned i = 0; i < RIVALS; i++) {
		pthread_join(threads[i], NULL);
		if (rivals[i].err != 0 && rivals[i].err != CS_E_CONFLICT)
			history_fail("a second change is refused for another reason");
		gone += rivals[i].err == 0;
	}
	if (gone == 0 || gone == RIVALS)
		history_fail("several changes of members at once");
	for (unsigned i = 0; i < RIVALS; i++) {
		if (rivals[i].err != 0)
			continue;
		/* It does not run, so it is never whole, and may not vote. */
		if (cluster_try("member promote " ADMIN " %u --wait-ms 300", ADMIN_ARGS, rivals[i].node) == 0)
			history_fail("a node that is not whole votes");
		cs_result *result;
		int err = cs_member_role(admin, rivals[i].node, true, false, &result);
		if (err != CS_E_CONFLICT)
			history_fail("a node that is not whole was promoted");
		cluster_run("member remove " ADMIN " %u", ADMIN_ARGS, rivals[i].node);
	}
}

/* The administrator's name and channel, another's signature; and a client who is none. */
static void wrong_signatures(void)
{
	cluster_shell(
	        "cd '%s' && umask 077 && { grep -v '^sign ' c/admin.key; grep '^sign ' gateway.key; } >forged.key",
	        cluster.dir);
	if (cluster_try("member remove --cluster %s --key %s/forged.key 3 --yes", cluster.cluster_file, cluster.dir) !=
	            REFUSED ||
	    cluster_try("member remove --cluster %s --key %s 3 --yes", cluster.cluster_file, cluster.gateway_key) !=
	            REFUSED)
		history_fail("an order without the administrator's signature was carried out");
}

/* --- the way --- */

static void move(cs_client *client, unsigned node)
{
	unsigned url = free_port(), link = free_port();

	cluster_run("member address " ADMIN " %u --url tcp://127.0.0.1:%u --link 127.0.0.1:%u", ADMIN_ARGS, node, url,
	            link);
	cluster_run("cluster down %s/c --node %u", cluster.dir, node);
	cluster_shell("sed -i -e 's|^listen: .*|listen: [\"tcp://127.0.0.1:%u\"]|' -e 's|^link: .*|link: "
	              "\"127.0.0.1:%u\"|' '%s/c/node-%u/countersignd.yaml'",
	              url, link, cluster.dir, node);
	cluster_run("cluster up %s/c --node %u", cluster.dir, node);
	wait_member(client, node, "whole");
}

static void remove_leader(cs_client *client, unsigned *ret)
{
	*ret = leader(client);
	if (cluster_try("member remove " ADMIN " %u", ADMIN_ARGS, *ret) == 0)
		history_fail("four voters survive fewer failures than five: that needs --yes");
	cluster_run("member remove " ADMIN " %u --yes", ADMIN_ARGS, *ret);
	wait_removed(*ret);
	if (run_node(*ret) != EXIT_REMOVED)
		history_fail("a removed node serves again");
	wait_acked(ACKED_BETWEEN);
}

/* Dead, not whole: it is replaced; nobody else may go meanwhile. Its disk was not lost: it comes back, and is told. */
static void replace_dead(cs_client *client, unsigned dead, unsigned with)
{
	unsigned other = 0;

	cluster_run("cluster kill %s/c --node %u", cluster.dir, dead);
	for (unsigned node = 1; node <= 5; node++)
		if (node != dead && node != leader(client) && member_is(client, node, "role") == 1)
			other = node;
	while (member_is(client, dead, "whole") == 1)
		nap_ms(20);
	if (cluster_try("member remove " ADMIN " %u --yes", ADMIN_ARGS, other) != REFUSED)
		history_fail("a voter goes while another is not whole");
	prepare(with);
	cluster_run("member replace " ADMIN " %u %s/c/node-%u/member", ADMIN_ARGS, dead, cluster.dir, with);
	if (run_node(dead) != EXIT_REMOVED)
		history_fail("a replaced node comes back");
	wait_acked(ACKED_BETWEEN);
}

static unsigned long long converge(cs_client *client, const unsigned *nodes, unsigned n)
{
	for (int i = 0; i < WAIT_MS_MAX / 20; i++) {
		long long size = cluster_status(client, nodes[0], "size");
		bool same = size > 0;
		for (unsigned k = 1; k < n; k++)
			same &= cluster_status(client, nodes[k], "size") == size;
		if (same) {
			for (unsigned k = 1; k < n; k++)
				cluster_same_root(client, nodes[0], nodes[k]);
			return (unsigned long long)size;
		}
		nap_ms(20);
	}
	history_fail("the members do not come to the same size");
}

int main(void)
{
	struct cs_options o = {.timeout_ms = 30000};
	unsigned old_leader, last = 0, left[6], n_left = 0;
	pthread_t threads[THREADS];
	cs_client *clients[THREADS], *client, *admin;
	char text[256];

	cluster_make_of(&cluster, 1, NULL);
	cluster_begin(&cluster);
	client = cluster_client(&cluster);
	for (unsigned i = 0; i < THREADS; i++) {
		clients[i] = cluster_client(&cluster);
		pthread_create(&threads[i], NULL, load, clients[i]);
	}
	wait_acked(ACKED_BETWEEN);
	add(2);
	add(3);
	followed("three nodes");
	wrong_signatures();
	o.cluster_file = cluster.cluster_file;
	o.key_file = cluster.admin_key;
	if (cs_open(&o, &admin, text, sizeof text))
		history_fail(text);
	one_at_a_time(admin);
	cs_close(admin);
	add(4);
	add(5);
	followed("five nodes");
	move(client, leader(client) == 5 ? 4 : 5);
	cs_follow(client, NULL);
	remove_leader(client, &old_leader);
	followed("four nodes, the leader gone");
	for (unsigned node = 1; node <= 5 && !last; node++)
		if (node != old_leader && node != leader(client))
			last = node;
	replace_dead(client, last, 6);
	followed("four nodes, a dead one replaced");
	for (unsigned node = 1; node <= 6; node++)
		if (node != leader(client) && member_is(client, node, "role") == 1)
			last = node;
	cluster_run("member remove " ADMIN " %u --yes", ADMIN_ARGS, last);
	wait_removed(last);
	followed("three nodes");
	for (unsigned node = 1; node <= 6; node++)
		if (member_is(client, node, "role") == 1)
			left[n_left++] = node;
	if (n_left != 3)
		history_fail("there are not three members");
	/* All of them at once: who they are is in each one's own ledger. */
	for (unsigned i = 0; i < n_left; i++)
		cluster_run("cluster kill %s/c --node %u", cluster.dir, left[i]);
	cluster_run("cluster up %s/c", cluster.dir);
	wait_acked(ACKED_BETWEEN);
	atomic_store(&stop, true);
	for (unsigned i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	unsigned long long size = converge(client, left, n_left);
	history_check(client, size);
	for (unsigned i = 0; i < THREADS; i++)
		cs_close(clients[i]);
	cs_close(client);
	cluster_destroy(&cluster);
	fprintf(stderr, "%u acknowledged, %u errors told to clients, ledger of %llu entries, roots equal\n",
	        history_count(), atomic_load(&n_failed), size);
	return 0;
}
