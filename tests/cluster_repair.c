/* Logs damaged in the middle, at the end, on one node and on all: repaired from the others, or named, never silent. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "node/disk/sector.h"
#include "tests/cluster.h"
#include "tests/history.h"

#define WRITE_AT (SECTOR_ROOM + 8) /* Of the write's number in a sector: 0 means blank. */

static struct cluster cluster;

static void decide(cs_client *client, unsigned n)
{
	struct cs_request r = {.subject_type = "user",
	                       .subject_id = "u",
	                       .action = "read",
	                       .resource_type = "repo",
	                       .resource_id = "main"};

	for (unsigned i = 0; i < n; i++) {
		uint64_t asked_ns = history_now_ns();
		cs_result *result;
		cs_request_id(r.id);
		if (cs_decide(client, &r, &result))
			history_fail(cs_last_error());
		history_add(r.id, result->index, asked_ns);
		cs_result_free(result);
	}
}

/* The first file that a command names. */
static int open_first(const char *command)
{
	char path[400] = "";
	FILE *f = popen(command, "r");

	if (!f || !fgets(path, sizeof path, f))
		history_fail("no log");
	pclose(f);
	path[strcspn(path, "\n")] = 0;
	return open(path, O_RDWR);
}

static int open_log(unsigned node)
{
	char path[400];
	int fd;

	snprintf(path, sizeof path, "ls -1 %s/c/node-%u/data/log/segment-* | head -1", cluster.dir, node);
	fd = open_first(path);
	if (fd < 0)
		history_fail("no log to damage");
	return fd;
}

/* Blocks that have been written, from the segment's begin. */
static unsigned written_blocks(int fd)
{
	static const uint8_t none[8];
	uint8_t sector[SECTOR_SIZE];
	unsigned n = 0;

	while (pread(fd, sector, sizeof sector, (off_t)n * BLOCK_SIZE) == SECTOR_SIZE &&
	       memcmp(sector + WRITE_AT, none, sizeof none) != 0)
		n++;
	return n;
}

static void flip(unsigned node, unsigned block, unsigned byte)
{
	off_t at = (off_t)block * BLOCK_SIZE + byte;
	int fd = open_log(node);
	uint8_t b;

	if (block >= written_blocks(fd) || pread(fd, &b, 1, at) != 1)
		history_fail("nothing to damage there");
	b ^= 1;
	if (pwrite(fd, &b, 1, at) != 1)
		history_fail("cannot damage");
	close(fd);
}

/* The last written block becomes unreadable: nothing tells what it was. */
static void destroy_last(unsigned node)
{
	uint8_t block[BLOCK_SIZE];
	int fd = open_log(node);

	memset(block, 0x5a, sizeof block);
	if (pwrite(fd, block, sizeof block, (off_t)(written_blocks(fd) - 1) * BLOCK_SIZE) != BLOCK_SIZE)
		history_fail("cannot damage");
	close(fd);
}

static unsigned last_block(unsigned node)
{
	int fd = open_log(node);
	unsigned n = written_blocks(fd);

	close(fd);
	return n - 1;
}

static void stop(unsigned node)
{
	cluster_run("cluster kill %s/c --node %u", cluster.dir, node);
}

static void start(unsigned node)
{
	cluster_run("cluster up %s/c --node %u", cluster.dir, node);
}

/* The log says so, n times by now. */
static void expect(unsigned node, const char *text, unsigned n)
{
	cluster_shell("test $(grep -c '%s' '%s/c/node-%u/countersignd.log') -ge %u", text, cluster.dir, node, n);
}

static void check(cs_client *client, const char *what)
{
	decide(client, 20);
	history_check(client, cluster_converge(client));
	fprintf(stderr, "%s\n", what);
}

int main(void)
{
	cs_client *client;
	unsigned node;

	cluster_create(&cluster, "snapshot_entries: 256");
	client = cluster_client(&cluster);
	decide(client, 60);
	cluster_converge(client);

	node = cluster_leader(client) % 3 + 1;
	stop(node);
	flip(node, 20, 100);
	flip(node, 31, 3000);
	start(node);
	expect(node, "a write is lost in segment 0000000000000001 at byte 81920", 1);
	expect(node, "the log is repaired", 1);
	check(client, "a follower, in the middle: repaired");

	node = node % 3 + 1;
	stop(node);
	flip(node, last_block(node), 700);
	start(node);
	expect(node, "the last write is lost", 1);
	expect(node, "the log is repaired", 1);
	check(client, "the last write: repaired");

	node = node % 3 + 1;
	stop(node);
	destroy_last(node);
	start(node);
	expect(node, "the log is repaired", 1);
	check(client, "the last write, nothing left of it: repaired");

	/* Each node has lost something else: together they have all. */
	for (unsigned n = 1; n <= 3; n++)
		stop(n);
	for (unsigned n = 1; n <= 3; n++)
		flip(n, 1 + 2 * n, 200 * n);
	cluster_run("cluster up %s/c", cluster.dir);
	check(client, "all nodes, in different places: repaired");

	/* The others have cut off what this one lost: it comes back as one that is behind, and votes only then. */
	node = cluster_leader(client);
	stop(node);
	flip(node, 3, 0);
	decide(client, 700);
	start(node);
	expect(node, "the log cannot be repaired", 1);
	check(client, "what nobody has any more: no vote until caught up");
	expect(node, "this node votes again", 1);
	cs_close(client);
	cluster_destroy(&cluster);
	return 0;
}
