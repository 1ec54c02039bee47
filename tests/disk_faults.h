/* The calls of the log that a test lets fail: the linker turns them to disk_faults.c (--wrap). */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_DISK_FAULTS_H
#define TESTS_DISK_FAULTS_H

#include <stdbool.h>
#include <stdint.h>

/* What goes wrong; all zero: nothing. */
struct kit_faults {
	bool no_direct;        /* As a file system without O_DIRECT. */
	bool no_aio;           /* io_setup is refused. */
	int aio_error;         /* errno as the kernel's result of each write. */
	bool aio_short;        /* The kernel writes the first half only. */
	int write_error;       /* errno of each write to a segment by pwrite. */
	int fallocate_error;   /* Of each new segment. */
	const char *read_name; /* pread of this file fails with EIO */
	uint64_t read_at;      /* in the block at this byte. */
	bool read_all;         /* Or anywhere in it. */
	/* Counted: */
	unsigned n_submitted, n_thread_writes;
};
extern struct kit_faults kit_faults;

#endif
