/* Memory of the simulated machine: what a process asks for goes with it, what is not its own stays. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_SIM_MEMORY_H
#define TESTS_SIM_MEMORY_H

#include <stddef.h>

/* 1: the address sanitizer is to see each block, so that all come from its own heap. */
#define MEMORY_CHECKED 0
#ifdef __SANITIZE_ADDRESS__
#undef MEMORY_CHECKED
#define MEMORY_CHECKED 1
#endif
#ifdef __has_feature
#if __has_feature(address_sanitizer)
#undef MEMORY_CHECKED
#define MEMORY_CHECKED 1
#endif
#endif

struct process;

/*
 * The linker turns malloc and its like here (--wrap). What code of a running process asks for is taken from that
 * process's own stock and is gone at the process's end, as the kernel takes back a killed process's memory: its next
 * life has the same pages again. What the machine itself keeps beyond that (files, frames on their way, events) is
 * asked for here. Never NULL; given back by free().
 */
void *memory_lasting(size_t size);
void *memory_lasting_zeros(size_t n, size_t size);
void *memory_lasting_grow(void *p, size_t size); /* p NULL or lasting. */

/* Nothing of the process runs any more, and nobody will look at anything that it had. */
void memory_process_ended(const struct process *p);

#endif
