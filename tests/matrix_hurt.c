/* Faults at rest of the log, the key file and the settings: one changed byte, sector, block or file each. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "node/disk/sector.h"
#include "tests/matrix.h"

#define SEGMENT_FILE "data/log/segment-0000000000000001"
#define WRITE_AT     (SECTOR_ROOM + 8) /* Of the write's number in a sector: 0 means blank. */

/* --- bytes of a file --- */

static int open_file(const struct arena *a, const char *copy, unsigned node, const char *name)
{
	char path[400];

	arena_path(a, copy, node, name, path);
	int fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		matrix_fail(a, "%s: %s", path, strerror(errno));
	return fd;
}

static void flip(const struct arena *a, unsigned node, const char *name, off_t at)
{
	int fd = open_file(a, "c", node, name);
	uint8_t b;

	if (pread(fd, &b, 1, at) != 1)
		matrix_fail(a, "nothing to flip in %s at %lld", name, (long long)at);
	b ^= 1;
	if (pwrite(fd, &b, 1, at) != 1)
		matrix_fail(a, "cannot flip");
	close(fd);
}

/* One sector, or what the file has of it. */
static void zero(const struct arena *a, unsigned node, const char *name, off_t at)
{
	static const uint8_t zeros[SECTOR_SIZE];
	int fd = open_file(a, "c", node, name);
	struct stat st;

	if (fstat(fd, &st) || st.st_size <= at)
		matrix_fail(a, "nothing to zero in %s", name);
	size_t n = st.st_size - at < SECTOR_SIZE ? (size_t)(st.st_size - at) : SECTOR_SIZE;
	if (pwrite(fd, zeros, n, at) != (ssize_t)n)
		matrix_fail(a, "cannot zero");
	close(fd);
}

/* What was there goes: to half of it, or to `size` if that is not 0. */
static void cut(const struct arena *a, unsigned node, const char *name, off_t size)
{
	int fd = open_file(a, "c", node, name);
	struct stat st;

	if (fstat(fd, &st) || ftruncate(fd, size ? size : st.st_size / 2))
		matrix_fail(a, "cannot cut %s", name);
	close(fd);
}

/* The bytes of one place land at another one. */
static void copy_bytes(const struct arena *a, unsigned node, const char *from, off_t from_at, const char *to,
                       off_t to_at, size_t len)
{
	int in = open_file(a, "c", node, from), out = open_file(a, "c", node, to);
	uint8_t bytes[BLOCK_SIZE];
	ssize_t n = pread(in, bytes, len < sizeof bytes ? len : sizeof bytes, from_at);

	if (n <= 0 || pwrite(out, bytes, (size_t)n, to_at) != n)
		matrix_fail(a, "cannot copy from %s to %s", from, to);
	close(in);
	close(out);
}

static void put_old(const struct arena *a, unsigned node, const char *name)
{
	cluster_shell("cp -a '%s/old/node-%u/%s' '%s/c/node-%u/%s'", a->cluster.dir, node, name, a->cluster.dir, node,
	              name);
}

/* --- the log's segment --- */

/* Blocks that have been written, from the segment's begin. */
static unsigned written_blocks(const struct arena *a, unsigned node)
{
	static const uint8_t none[8];
	uint8_t sector[SECTOR_SIZE];
	unsigned n = 0;
	int fd = open_file(a, "c", node, SEGMENT_FILE);

	while (pread(fd, sector, sizeof sector, (off_t)n * BLOCK_SIZE) == SECTOR_SIZE &&
	       memcmp(sector + WRITE_AT, none, sizeof none) != 0)
		n++;
	close(fd);
	return n;
}

/* A block near the end, behind the last snapshot, of each node another one. */
static off_t some_block(const struct arena *a, unsigned node)
{
	return (off_t)(written_blocks(a, node) - 1 - 2 * node) * BLOCK_SIZE;
}

void segment_flip(const struct arena *a, unsigned node)
{
	flip(a, node, SEGMENT_FILE, some_block(a, node) + 100 * (off_t)node);
}

void segment_zero(const struct arena *a, unsigned node)
{
	zero(a, node, SEGMENT_FILE, some_block(a, node));
}

void segment_cut(const struct arena *a, unsigned node)
{
	cut(a, node, SEGMENT_FILE, some_block(a, node));
}

void segment_misdirect(const struct arena *a, unsigned node)
{
	copy_bytes(a, node, SEGMENT_FILE, 0, SEGMENT_FILE, some_block(a, node), BLOCK_SIZE);
}

void segment_stale(const struct arena *a, unsigned node)
{
	put_old(a, node, SEGMENT_FILE);
}

/* --- what is kept twice: one copy is hurt, of each node another one --- */

static const char *metadata_copy(unsigned node)
{
	return node % 2 ? "data/log/metadata-1" : "data/log/metadata-2";
}

static const char *snapshot_copy(unsigned node)
{
	return node % 2 ? "data/log/snapshot-1" : "data/log/snapshot-2";
}

void metadata_flip(const struct arena *a, unsigned node)
{
	flip(a, node, metadata_copy(node), 20 * (off_t)node);
}

void metadata_flip_both(const struct arena *a, unsigned node)
{
	flip(a, node, "data/log/metadata-1", 20 * (off_t)node);
	flip(a, node, "data/log/metadata-2", 25 * (off_t)node);
}

void metadata_zero(const struct arena *a, unsigned node)
{
	zero(a, node, metadata_copy(node), 0);
}

void metadata_cut(const struct arena *a, unsigned node)
{
	cut(a, node, metadata_copy(node), 30 * (off_t)node);
}

void metadata_misdirect(const struct arena *a, unsigned node)
{
	copy_bytes(a, node, snapshot_copy(node), 0, metadata_copy(node), 0, BLOCK_SIZE);
}

void metadata_stale(const struct arena *a, unsigned node)
{
	put_old(a, node, metadata_copy(node));
}

void metadata_stale_both(const struct arena *a, unsigned node)
{
	put_old(a, node, "data/log/metadata-1");
	put_old(a, node, "data/log/metadata-2");
}

void snapshot_flip(const struct arena *a, unsigned node)
{
	flip(a, node, snapshot_copy(node), 50 * (off_t)node);
}

void snapshot_flip_both(const struct arena *a, unsigned node)
{
	flip(a, node, "data/log/snapshot-1", 50 * (off_t)node);
	flip(a, node, "data/log/snapshot-2", 40 * (off_t)node);
}

void snapshot_zero(const struct arena *a, unsigned node)
{
	zero(a, node, snapshot_copy(node), 0);
}

void snapshot_cut(const struct arena *a, unsigned node)
{
	cut(a, node, snapshot_copy(node), 0);
}

void snapshot_misdirect(const struct arena *a, unsigned node)
{
	copy_bytes(a, node, metadata_copy(node), 0, snapshot_copy(node), 0, BLOCK_SIZE);
}

void snapshot_stale(const struct arena *a, unsigned node)
{
	put_old(a, node, snapshot_copy(node));
}

/* --- text files --- */

/* Of a node's settings: where a word begins. */
static off_t find_word(const struct arena *a, unsigned node, const char *name, const char *word)
{
	char text[8192];
	int fd = open_file(a, "c", node, name);
	ssize_t n = pread(fd, text, sizeof text - 1, 0);

	close(fd);
	text[n > 0 ? n : 0] = 0;
	const char *at = strstr(text, word);
	if (at)
		return at - text;
	matrix_fail(a, "no %s in %s", word, name);
}

static const char *const kinds[] = {"log ", "channel ", "cosigner "};

void key_flip(const struct arena *a, unsigned node)
{
	flip(a, node, "node.key", find_word(a, node, "node.key", kinds[node - 1]));
}

/* Another secret, by its form as good as any. */
void key_flip_secret(const struct arena *a, unsigned node)
{
	const char *kind = kinds[node - 1];
	char text[8192];
	off_t at = find_word(a, node, "node.key", kind) + (off_t)strlen(kind);
	int fd = open_file(a, "c", node, "node.key");
	ssize_t n = pread(fd, text, sizeof text, 0);

	close(fd);
	/* The lowest bit of a digit or a letter is that of its value in base64 wherever the next one is one too. */
	while (at < n && !(strchr("BDFHJLNPRTVXbdfhjlnprtvx", text[at])))
		at++;
	flip(a, node, "node.key", at);
}

void key_zero(const struct arena *a, unsigned node)
{
	zero(a, node, "node.key", 0);
}

void key_cut(const struct arena *a, unsigned node)
{
	cut(a, node, "node.key", 0);
}

void key_misdirect(const struct arena *a, unsigned node)
{
	copy_bytes(a, node, "genesis", 0, "node.key", 0, BLOCK_SIZE);
}

/* Keys that this node once had, or was to have: another node's stand for them. */
void key_stale(const struct arena *a, unsigned node)
{
	cluster_shell("cp -a '%s/base/node-%u/node.key' '%s/c/node-%u/node.key'", a->cluster.dir,
	              node % MATRIX_NODES + 1, a->cluster.dir, node);
}

static const char *const names[] = {"origin:", "genesis_hash:", "peers:"};

void settings_flip(const struct arena *a, unsigned node)
{
	flip(a, node, "countersignd.yaml", find_word(a, node, "countersignd.yaml", names[node - 1]));
}

void settings_flip_value(const struct arena *a, unsigned node)
{
	flip(a, node, "countersignd.yaml", find_word(a, node, "countersignd.yaml", "snapshot_entries: 3") + 18);
}

void settings_zero(const struct arena *a, unsigned node)
{
	zero(a, node, "countersignd.yaml", 0);
}

void settings_cut(const struct arena *a, unsigned node)
{
	cut(a, node, "countersignd.yaml", 0);
}

void settings_misdirect(const struct arena *a, unsigned node)
{
	copy_bytes(a, node, "node.key", 0, "countersignd.yaml", 0, BLOCK_SIZE);
}

void settings_stale(const struct arena *a, unsigned node)
{
	put_old(a, node, "countersignd.yaml");
}
