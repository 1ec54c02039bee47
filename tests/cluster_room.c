/* Disks and maps that run full under real processes: refusals in words, reads go on, nothing is lost, all by itself. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <sched.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/statvfs.h>
#include <time.h>

#include "tests/cluster.h"
#include "tests/history.h"

#define NODES           3
#define SKIPPED         77
#define MIB             UINT64_C(1048576)
#define DISK_MIB        2048 /* Of each node's tmpfs, which takes only what is in it. */
#define RESERVE_MIB     64
#define LOW_MIB         48 /* No new requests. */
#define SHORT_MIB       24 /* No entries. */
#define THREADS         4
#define WAIT_MS_MAX     60000
#define MAP_MIB         32
#define FAT             4000          /* Bytes of a request, about. */
#define TAKEN_BYTES_MAX (1024 * 1024) /* node/core/room.c */
#define MAP_MIB_AFTER   64

static struct cluster cluster;
static cs_client *client, *at[NODES + 1]; /* at[n]: knows node n only. */
static atomic_bool stop;
static uint8_t some_id[16];

static void nap(void)
{
	struct timespec t = {.tv_nsec = 20000000}; /* Between two looks at another process's state. */

	nanosleep(&t, NULL);
}

/* --- disks --- */

static void data_path(unsigned node, char path[400])
{
	snprintf(path, 400, "%s/c/node-%u/data", cluster.dir, node);
}

/* Mounts of this process and its children only; they end with them. */
static bool own_mounts(void)
{
	return unshare(CLONE_NEWNS) == 0 && mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0;
}

static bool disk_mount(unsigned node)
{
	char path[400], options[64];

	data_path(node, path);
	snprintf(options, sizeof options, "size=%dm,mode=700", DISK_MIB);
	cluster_shell("mv '%s' '%s.made' && mkdir '%s'", path, path, path);
	if (mount("tmpfs", path, "tmpfs", 0, options))
		return false;
	cluster_shell("cp -a '%s.made/.' '%s'", path, path);
	return true;
}

/* Leaves so much free by making the whole smaller, or larger. */
static void disk_leave(unsigned node, uint64_t free_mib)
{
	char path[400], options[64];
	struct statvfs v;

	data_path(node, path);
	if (statvfs(path, &v))
		abort();
	/* Round up: what is used must fit. */
	uint64_t used = (v.f_blocks - v.f_bfree) * v.f_frsize;
	snprintf(options, sizeof options, "size=%" PRIu64 "k,mode=700", (used + free_mib * MIB + 1023) / 1024);
	if (mount("tmpfs", path, "tmpfs", MS_REMOUNT, options)) {
		fprintf(stderr, "%s: %s: %s\n", path, options, strerror(errno));
		abort();
	}
}

static void disk_give_back(unsigned node)
{
	disk_leave(node, DISK_MIB / 2);
}

/* --- clients --- */

static cs_client *client_of(unsigned node)
{
	struct cs_options o = {.key_file = cluster.gateway_key, .timeout_ms = 5000};
	char path[400], text[256];
	cs_client *c;

	snprintf(path, sizeof path, "%s/c/only-%u.yaml", cluster.dir, node);
	cluster_shell("grep -v '{id: [^%u],' '%s' >'%s'", node, cluster.cluster_file, path);
	o.cluster_file = path;
	if (cs_open(&o, &c, text, sizeof text))
		history_fail(text);
	return c;
}

static int ask(cs_client *c, const char *subject)
{
	static const char *const names[] = {"a", "b", "c", "d", "e", "f", "g", "h",
	                                    "i", "j", "k", "l", "m", "n", "o", "p"};
	struct cs_attribute fat[sizeof names / sizeof *names];
	char value[FAT / (sizeof names / sizeof *names) + 1];

	memset(value, 'x', sizeof value - 1);
	value[sizeof value - 1] = 0;
	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		fat[i] = (struct cs_attribute){.name = names[i], .type = CS_STRING, .string = value};
	struct cs_request r = {.subject_type = "user",
	                       .subject_id = subject,
	                       .action = "read",
	                       .resource_type = "repo",
	                       .resource_id = "main",
	                       .n_attributes = sizeof names / sizeof *names,
	                       .attributes = fat};
	uint64_t asked_ns = history_now_ns();
	cs_result *result;

	cs_request_id(r.id);
	int err = cs_decide(c, &r, &result);
	if (err)
		return err;
	history_add(r.id, result->index, asked_ns);
	memcpy(some_id, r.id, sizeof some_id);
	cs_result_free(result);
	return 0;
}

static void decide(unsigned n)
{
	char subject[32];

	for (unsigned i = 0; i < n; i++) {
		snprintf(subject, sizeof subject, "u%u", i % 20);
		if (ask(client, subject))
			history_fail(cs_last_error());
	}
}

/* Until a decision is refused for want of room: at once, and in words. */
static void expect_disk_full(const char *words)
{
	uint64_t until = history_now_ns() + WAIT_MS_MAX * UINT64_C(1000000);
	int err;

	while ((err = ask(client, "u1")) == 0 && history_now_ns() < until)
		;
	if (err != CS_E_DISK_FULL)
		history_fail(err ? cs_last_error() : "decisions go on without room");
	fprintf(stderr, "refused: %s\n", cs_last_error());
	if (!strstr(cs_last_error(), words) || !strstr(cs_last_error(), "nothing was logged"))
		history_fail("the refusal does not name what is full");
}

static void expect_recovery(void)
{
	uint64_t until = history_now_ns() + WAIT_MS_MAX * UINT64_C(1000000);
	int err;

	while ((err = ask(client, "u1")) == CS_E_DISK_FULL && history_now_ns() < until)
		nap();
	if (err)
		history_fail(cs_last_error());
	decide(20);
}

/* Entries and proofs of what is stored there, from this very node. */
static void expect_reads(unsigned node)
{
	cs_page *page;
	char *bundle;
	bool quorum;

	if (cs_prove(at[node], 5, 3000, &bundle, &quorum))
		history_fail(cs_last_error());
	if (!quorum)
		history_fail("a proof without a quorum's cosignatures");
	free(bundle);
	if (cs_entries(at[node], 0, 10, 0, &page))
		history_fail(cs_last_error());
	if (page->n < 6)
		history_fail("too few entries were read");
	cs_page_free(page);
}

/* Waits until a shell command succeeds. */
static void await_shell(const char *format, ...) __attribute__((format(printf, 1, 2)));
static void await_shell(const char *format, ...)
{
	char command[700];
	va_list ap;

	va_start(ap, format);
	vsnprintf(command, sizeof command, format, ap);
	va_end(ap);
	for (int i = 0; system(command); i++) {
		if (i == WAIT_MS_MAX / 20) {
			fprintf(stderr, "in vain: %s\n", command);
			abort();
		}
		nap();
	}
}

/* The level that the node named last. */
static void await_level(unsigned node, const char *level)
{
	await_shell("test \"$(grep -o 'room=[a-z]*' '%s/c/node-%u/countersignd.log' | tail -n 1)\" = room=%s",
	            cluster.dir, node, level);
}

/* --- scenes --- */

static void a_leader_without_room_hands_over(void)
{
	unsigned leader = cluster_leader(client);

	disk_leave(leader, LOW_MIB);
	await_shell("grep -q 'handing over' '%s/c/node-%u/countersignd.log'", cluster.dir, leader);
	for (int i = 0; cluster_leader(client) == leader; i++) {
		if (i == WAIT_MS_MAX / 20)
			history_fail("it leads on");
		nap();
	}
	decide(50); /* Without an error for any client. */
	expect_reads(leader);
	disk_give_back(leader);
	await_level(leader, "plenty");
	fprintf(stderr, "node %u was low on space and handed over\n", leader);
}

static void a_follower_without_room_withholds(void)
{
	unsigned node = cluster_leader(client) % NODES + 1;

	cluster_converge(client);
	disk_leave(node, SHORT_MIB);
	await_level(node, "short");
	/* It takes what may have been under way, 1 MiB at most, and no more. */
	decide(TAKEN_BYTES_MAX / FAT + 50);
	if (cluster_status(client, node, "size") >= cluster_status(client, cluster_leader(client), "size"))
		history_fail("a follower short of room took all entries");
	expect_reads(node);
	disk_give_back(node);
	decide(10);
	history_check(client, cluster_converge(client));
	fprintf(stderr, "node %u was short of space, stayed behind, and is whole again\n", node);
}

static void a_quorum_without_room_refuses(void)
{
	unsigned leader = cluster_leader(client), one = leader % NODES + 1, other = one % NODES + 1;
	struct cs_check_result check;

	disk_leave(one, LOW_MIB);
	disk_leave(other, LOW_MIB);
	expect_disk_full("on its disk");
	/* The other half of the reserve is for administrators: to set things right. */
	cluster_run("enroll --cluster %s --key %s --name helper --roles audit --new-key %s/helper.key",
	            cluster.cluster_file, cluster.admin_key, cluster.dir);
	disk_leave(one, SHORT_MIB);
	disk_leave(other, SHORT_MIB);
	await_level(one, "short");
	await_level(other, "short");
	expect_disk_full("on its disk");
	if (cluster_try("enroll --cluster %s --key %s --name more --roles audit --new-key %s/more.key",
	                cluster.cluster_file, cluster.admin_key, cluster.dir) == 0)
		history_fail("an administrator's command was ordered without room");
	for (unsigned n = 1; n <= NODES; n++)
		expect_reads(n);
	if (cs_check(client, some_id, &check) || !check.index)
		history_fail("an answer cannot be checked");
	disk_give_back(one);
	disk_give_back(other);
	expect_recovery();
	history_check(client, cluster_converge(client));
	fprintf(stderr, "nodes %u and %u were short of space: refused, read, recovered\n", one, other);
}

static void *load(void *arg)
{
	cs_client *c = cluster_client(&cluster);
	char subject[32];

	snprintf(subject, sizeof subject, "t%u", (unsigned)(uintptr_t)arg);
	while (!atomic_load(&stop))
		if (ask(c, subject) == CS_E_DISK_FULL)
			nap();
	cs_close(c);
	return NULL;
}

/* Another program takes all that is left while decisions are under way. Whoever meets it may crash. */
static void disks_full_to_the_last_byte(void)
{
	pthread_t threads[THREADS];
	struct timespec while_refusing = {.tv_nsec = 500000000};

	/* Who may read is written back at the latest when a node ends, and known from there before any quorum is. */
	cluster_run("cluster down %s/c", cluster.dir);
	cluster_run("cluster up %s/c", cluster.dir);
	for (uintptr_t i = 0; i < THREADS; i++)
		pthread_create(&threads[i], NULL, load, (void *)i);
	unsigned before = history_count();
	while (history_count() < before + 200)
		nap();
	for (unsigned n = 1; n <= NODES; n++)
		disk_leave(n, 0);
	nanosleep(&while_refusing, NULL); /* Whatever meets the end of its disk does so now. */
	atomic_store(&stop, true);
	for (unsigned i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	/* A restart on disks without a free byte comes up, and reads. */
	for (unsigned n = 1; n <= NODES; n++) {
		disk_leave(n, 0);
		cluster_try("cluster kill %s/c --node %u", cluster.dir, n);
		cluster_try("cluster up %s/c --node %u --wait-ms 2000", cluster.dir, n);
	}
	for (unsigned n = 1; n <= NODES; n++) {
		expect_reads(n);
		await_level(n, "full");
	}
	if (ask(client, "u1") == 0)
		history_fail("a decision was ordered on full disks");
	for (unsigned n = 1; n <= NODES; n++)
		disk_give_back(n);
	cluster_run("cluster up %s/c", cluster.dir);
	expect_recovery();
	history_check(client, cluster_converge(client));
	fprintf(stderr, "all disks were full to the last byte: %u acknowledged, none lost\n", history_count());
}

static void a_map_that_is_full_refuses(void)
{
	cluster_run("cluster down %s/c", cluster.dir);
	for (unsigned n = 1; n <= NODES; n++)
		cluster_shell("sed -i 's/^map_size_mib: .*/map_size_mib: %d/' '%s/c/node-%u/countersignd.yaml'",
		              MAP_MIB_AFTER, cluster.dir, n);
	cluster_run("cluster up %s/c", cluster.dir);
	expect_recovery();
	history_check(client, cluster_converge(client));
}

static void map(void)
{
	pthread_t threads[THREADS];

	atomic_store(&stop, false);
	for (uintptr_t i = 0; i < THREADS; i++)
		pthread_create(&threads[i], NULL, load, (void *)i);
	expect_disk_full("map_size_mib");
	atomic_store(&stop, true);
	for (unsigned i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	for (unsigned n = 1; n <= NODES; n++)
		expect_reads(n);
	a_map_that_is_full_refuses();
	fprintf(stderr, "the maps were full at %d MiB: refused, read, and went on with %d\n", MAP_MIB, MAP_MIB_AFTER);
}

int main(void)
{
	char settings[128];

	snprintf(settings, sizeof settings, "disk_reserve_mib: %d\nmap_size_mib: %d", RESERVE_MIB, MAP_MIB);
	if (!own_mounts()) {
		fprintf(stderr, "skipped: small file systems need root and mount namespaces here: %s\n",
		        strerror(errno));
		return SKIPPED;
	}
	cluster_make(&cluster, settings);
	for (unsigned n = 1; n <= NODES; n++)
		if (!disk_mount(n)) {
			fprintf(stderr, "skipped: tmpfs cannot be mounted here: %s\n", strerror(errno));
			cluster_shell("rm -rf -- '%s'", cluster.dir);
			return SKIPPED;
		}
	cluster_begin(&cluster);
	client = cluster_client(&cluster);
	for (unsigned n = 1; n <= NODES; n++)
		at[n] = client_of(n);
	decide(50);
	a_leader_without_room_hands_over();
	a_follower_without_room_withholds();
	a_quorum_without_room_refuses();
	disks_full_to_the_last_byte();
	map();
	for (unsigned n = 1; n <= NODES; n++)
		cs_close(at[n]);
	cs_close(client);
	cluster_run("cluster down %s/c", cluster.dir);
	for (unsigned n = 1; n <= NODES; n++)
		cluster_shell("umount '%s/c/node-%u/data'", cluster.dir, n);
	cluster_destroy(&cluster);
	return 0;
}
