/* The floor of the disk: how long a synced 4 KiB write takes. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench/clock.h"
#include "bench/floor.h"
#include "bench/folder.h"

#define BLOCK  4096
#define BLOCKS 1024 /* Overwritten round and round: no allocation, no growth, so that only the write itself counts. */
#define WARMUP 50

static int fill(int fd, const void *block)
{
	for (off_t i = 0; i < BLOCKS; i++)
		if (pwrite(fd, block, BLOCK, i * BLOCK) != BLOCK)
			return -1;
	return fsync(fd);
}

static int measure(int fd, void *block, floor_disk_fn *fn, void *ctx)
{
	for (unsigned i = 0;; i++) {
		uint64_t begin = clock_ns();

		memset(block, (int)(i & 0xff), BLOCK);
		if (pwrite(fd, block, BLOCK, (off_t)(i % BLOCKS) * BLOCK) != BLOCK)
			return -1;
		if (i >= WARMUP && !fn(ctx, begin, clock_ns()))
			return 0;
	}
}

int floor_disk_watch(const char *folder, floor_disk_fn *fn, void *ctx)
{
	char path[FOLDER_PATH_SIZE];
	void *block = NULL;
	int fd, direct = -1, err = -1;

	if (!folder_join(path, folder, "floor-disk") || posix_memalign(&block, BLOCK, BLOCK))
		return -1;
	memset(block, 0x5a, BLOCK);
	fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd >= 0 && fill(fd, block) == 0) {
		direct = open(path, O_WRONLY | O_DIRECT | O_DSYNC | O_CLOEXEC);
		/* Some file systems (tmpfs of old) know no O_DIRECT: then synced writes alone are the floor. */
		if (direct < 0 && errno == EINVAL)
			direct = open(path, O_WRONLY | O_DSYNC | O_CLOEXEC);
	}
	if (direct >= 0)
		err = measure(direct, block, fn, ctx);
	if (err)
		fprintf(stderr, "countersign-bench: %s: %s\n", path, strerror(errno));
	if (direct >= 0)
		close(direct);
	if (fd >= 0)
		close(fd);
	unlink(path);
	free(block);
	return err;
}

struct count {
	struct histogram *h;
	unsigned left;
};

static bool counted(void *ctx, uint64_t begin_ns, uint64_t end_ns)
{
	struct count *c = ctx;

	histogram_add(c->h, end_ns - begin_ns);
	return --c->left > 0;
}

int floor_disk(const char *folder, unsigned n, struct histogram *ret)
{
	struct count c = {.h = ret, .left = n};

	return floor_disk_watch(folder, counted, &c);
}
