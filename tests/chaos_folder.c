/* Faults of a node's folder: damaged and missing files of its log, an old copy put back, a file system without room. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "tests/chaos.h"
#include "tests/history.h"

#define MIB         UINT64_C(1048576)
#define DISK_MIB    1024
#define SECTOR      512
#define FILES_MAX   64
#define EXIT_HALTED 3 /* node/core/core.h */
#define EXIT_CRASH  4

static void data_path(const struct chaos *c, unsigned node, char ret[400])
{
	snprintf(ret, 400, "%s/c/node-%u/data", c->cluster.dir, node + 1);
}

/* By content, so that a mount may be there. */
static void copy_data(const struct chaos *c, unsigned node, const char *name)
{
	char data[400];

	data_path(c, node, data);
	cluster_shell("rm -rf '%s/%s' && cp -a --sparse=always '%s' '%s/%s'", c->cluster.dir, name, data,
	              c->cluster.dir, name);
}

static void put_back(const struct chaos *c, unsigned node, const char *name)
{
	char data[400];

	data_path(c, node, data);
	cluster_shell("find '%s' -mindepth 1 -delete && cp -a --sparse=always '%s/%s/.' '%s'", data, c->cluster.dir,
	              name, data);
}

/* --- damage --- */

static int by_name(const void *a, const void *b)
{
	return strcmp(a, b);
}

/* The files of its log, in the order of their names. */
static unsigned log_files(const struct chaos *c, unsigned node, char ret[FILES_MAX][512])
{
	char data[400], folder[420];
	unsigned n = 0;
	struct dirent *e;

	data_path(c, node, data);
	snprintf(folder, sizeof folder, "%s/log", data);
	DIR *d = opendir(folder);
	while (d && n < FILES_MAX && (e = readdir(d)))
		if (e->d_name[0] != '.')
			snprintf(ret[n++], 512, "%s/%.80s", folder, e->d_name);
	if (d)
		closedir(d);
	qsort(ret, n, sizeof *ret, by_name);
	return n;
}

/* A byte with a flipped bit, or a sector of zeroes. As likely in the first KiB as between the first and the second MiB:
 * a segment has its size before anything is in it. */
static void damage(const struct chaos *c, const char *path, int fd, int64_t size, unsigned drawn)
{
	uint8_t bytes[SECTOR];
	unsigned bits = 7 + (drawn >> 16) % 18;
	int64_t at = drawn % (1u << bits) % size;
	bool zeroes = drawn >> 24 & 1;

	memset(bytes, 0, sizeof bytes);
	if (zeroes)
		at -= at % SECTOR;
	size_t len = !zeroes ? 1 : at + SECTOR < size ? SECTOR : (size_t)(size - at);
	if (!zeroes && pread(fd, bytes, 1, at) != 1)
		chaos_stop(__func__);
	if (!zeroes)
		bytes[0] ^= (uint8_t)(1u << (drawn >> 25 & 7));
	chaos_say(c, "  %s at %" PRId64 " of %s", zeroes ? "zeroes" : "a bit flipped", at, path);
	if (pwrite(fd, bytes, len, at) != (ssize_t)len)
		chaos_stop(__func__);
}

void folder_flip(struct chaos *c, const struct fault *f)
{
	static char files[FILES_MAX][512];

	nodes_end(c, f->node, f->drawn >> 29 & 1 ? SIGKILL : SIGTERM);
	copy_data(c, f->node, "before");
	unsigned n = log_files(c, f->node, files);
	for (unsigned i = 0; i < n; i++) {
		const char *path = files[(f->drawn + i) % n];
		int fd = open(path, O_RDWR | O_CLOEXEC);
		struct stat st;
		if (fd < 0 || fstat(fd, &st))
			chaos_stop(__func__);
		if (st.st_size) {
			damage(c, path, fd, st.st_size, f->drawn);
			i = n;
		}
		close(fd);
	}
}

void folder_delete(struct chaos *c, const struct fault *f)
{
	static char files[FILES_MAX][512];

	nodes_end(c, f->node, SIGKILL);
	copy_data(c, f->node, "before");
	unsigned n = log_files(c, f->node, files);
	if (!n)
		return;
	chaos_say(c, "  without %s", files[f->drawn % n]);
	if (unlink(files[f->drawn % n]))
		chaos_stop(__func__);
}

/* It ended: in words, with a status that says so, and it stays down until its operator has done something. */
static void judge_refusal(struct chaos *c, unsigned node)
{
	char words[300] = "";
	int status = c->nodes[node].status;

	if (!nodes_last_words(c, node, words, sizeof words) || (status != EXIT_HALTED && status != EXIT_CRASH)) {
		chaos_broken(c, "node %u, its folder damaged, ended with %d: %s", node + 1, status, words);
		return;
	}
	chaos_say(c, "  stopped in words: %s", words);
	c->stopped_in_words++;
}

/* Either it heals and goes on, or it stops and says so; then the folder of before is put back: that one is not old. */
void folder_damaged(struct chaos *c, const struct fault *f)
{
	uint64_t until = history_now_ns() + CHAOS_WAIT_MS * UINT64_C(1000000);
	long long size = 0;

	for (unsigned i = 0; i < c->n; i++) {
		long long seen = nodes_number(c, i, "size");
		size = seen > size ? seen : size;
	}
	nodes_start(c, f->node);
	while (!nodes_await_end(c, f->node, 40)) {
		if (nodes_number(c, f->node, "size") > size) {
			c->healed_by_itself++;
			return;
		}
		if (history_now_ns() > until) {
			chaos_broken(c, "node %u, its folder damaged, neither goes on nor stops", f->node + 1);
			return;
		}
	}
	judge_refusal(c, f->node);
	put_back(c, f->node, "before");
	nodes_start(c, f->node);
}

/* --- an old copy --- */

static void await_halt(struct chaos *c, unsigned node)
{
	nodes_start(c, node);
	if (!nodes_await_end(c, node, CHAOS_WAIT_MS))
		chaos_broken(c, "node %u runs on an old copy of its folder", node + 1);
	else if (c->nodes[node].status != EXIT_HALTED)
		chaos_broken(c, "node %u, on an old copy of its folder, ended with %d", node + 1,
		             c->nodes[node].status);
}

/* Guard 9: a node whose disk went back neither votes nor signs, and says so. */
void folder_stale(struct chaos *c, const struct fault *f)
{
	uint64_t until = history_now_ns() + CHAOS_WAIT_MS * UINT64_C(1000000);

	nodes_recover(c);
	long long size = nodes_number(c, f->node, "size");
	nodes_end(c, f->node, SIGTERM);
	copy_data(c, f->node, "old");
	nodes_start(c, f->node);
	/* Clocks that were set may keep it from cosigning for as long as they were set by. */
	while (chaos_good(c) && nodes_number(c, f->node, "cosigned_size") <= size + 10) {
		chaos_nap_ms(20);
		if (history_now_ns() > until)
			chaos_broken(c, "node %u does not cosign after a restart", f->node + 1);
	}
	chaos_nap_ms(f->hold_ms);
	nodes_end(c, f->node, SIGKILL);
	copy_data(c, f->node, "new");
	put_back(c, f->node, "old");
	if (chaos_good(c))
		await_halt(c, f->node);
	if (chaos_good(c))
		await_halt(c, f->node); /* And again: the mark holds. */
	c->halted_rightly += chaos_good(c);
	put_back(c, f->node, "new");
	nodes_start(c, f->node);
}

/* --- no room --- */

bool folder_mount(struct chaos *c, unsigned node)
{
	char path[400], options[64];

	data_path(c, node, path);
	snprintf(options, sizeof options, "size=%dm,mode=700", DISK_MIB);
	cluster_shell("mv '%s' '%s.made' && mkdir '%s'", path, path, path);
	bool good = mount("tmpfs", path, "tmpfs", 0, options) == 0;
	cluster_shell("cp -a '%s.made/.' '%s'", path, path);
	c->small = good;
	return good;
}

void folder_unmount(struct chaos *c, unsigned node)
{
	char path[400];

	data_path(c, node, path);
	if (c->small && umount(path))
		fprintf(stderr, "%s: %s\n", path, strerror(errno));
}

bool folder_is_small(const struct chaos *c)
{
	return c->small;
}

/* Leaves so much free by making the whole smaller, or larger. */
static void leave(struct chaos *c, unsigned node, uint64_t free_bytes)
{
	char path[400], options[64];
	struct statvfs v;

	data_path(c, node, path);
	if (statvfs(path, &v))
		chaos_stop(__func__);
	uint64_t used = (v.f_blocks - v.f_bfree) * v.f_frsize;
	snprintf(options, sizeof options, "size=%" PRIu64 "k,mode=700", (used + free_bytes + 1023) / 1024);
	/* It may have grown since we looked. */
	if (mount("tmpfs", path, "tmpfs", MS_REMOUNT, options) == 0)
		return;
	if (free_bytes > DISK_MIB * MIB) {
		fprintf(stderr, "%s: %s: %s\n", path, options, strerror(errno));
		abort();
	}
	leave(c, node, free_bytes + MIB);
}

void folder_full_begin(struct chaos *c, const struct fault *f)
{
	c->nodes[f->node].may_fail = true;
	leave(c, f->node, f->drawn % 3 == 0 ? 0 : f->drawn % (96 * MIB));
}

void folder_full_end(struct chaos *c, const struct fault *f)
{
	leave(c, f->node, DISK_MIB / 2 * MIB);
	nodes_look(c);
	c->nodes[f->node].may_fail = false;
	nodes_start(c, f->node);
}
