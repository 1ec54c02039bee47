/* What the files of the simulated POSIX calls share: open files, and whose disk a path is on. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_SIM_FILE_INTERNAL_H
#define TESTS_SIM_FILE_INTERNAL_H

#include <stdint.h>

#include "tests/sim/file.h"

struct drive;
struct inode;
struct process;

struct file {
	struct drive *disk;
	struct inode *inode; /* NULL: free. */
	struct process *process;
	int flags;
	uint64_t at;
};

int file_fail(int err); /* Sets errno; -1. */
struct file *file_of(int fd);
/* The disk, and in *path what lies below its root; *ret_at: the folder that a relative path begins at. */
struct drive *file_disk(int dir, const char **path, struct inode **ret_at);

#endif
