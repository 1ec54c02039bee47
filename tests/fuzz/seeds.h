/* Fuzzing: what the files that write seeds share. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_FUZZ_SEEDS_H
#define TESTS_FUZZ_SEEDS_H

#include <stddef.h>

/* Writes the corpus's file TARGET/NAME, or ends the process. */
void seed(const char *target, const char *name, const void *bytes, size_t n);
/* The same, with bytes in front that the target takes for choices. */
void seed_after(const char *target, const char *name, const void *front, size_t front_len, const void *bytes, size_t n);

void seeds_of_backup(void);
void seeds_of_log(void);
void seeds_of_evidence(void);
void seeds_of_reads(void);

#endif
