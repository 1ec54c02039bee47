/* Where the figures were taken: without it they say nothing. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BENCH_MACHINE_H
#define BENCH_MACHINE_H

#include <stdint.h>
#include <sys/types.h>

#define MACHINE_TEXT_SIZE 256

struct machine {
	char kernel[MACHINE_TEXT_SIZE], processor[MACHINE_TEXT_SIZE], file_system[MACHINE_TEXT_SIZE];
	char device[MACHINE_TEXT_SIZE]; /* That the file system is on. */
	char libraries[MACHINE_TEXT_SIZE], compiler[MACHINE_TEXT_SIZE];
	long cores, memory_mib;
	double load;   /* Of the last minute, before the measurement: what else was running. */
	char time[32]; /* UTC, RFC 3339. */
};
/* folder: where the data of the nodes lies. What cannot be found out is "unknown". */
void machine_describe(const char *folder, struct machine *ret);

/* Processor time of a process so far, nanoseconds; 0 if it is gone. */
uint64_t machine_process_cpu_ns(pid_t pid);
/* The same of this process. */
uint64_t machine_own_cpu_ns(void);

#endif
