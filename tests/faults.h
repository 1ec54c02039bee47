/* Faults in this process: the n-th allocation or file call of our own objects fails, once. Linked with --wrap. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_FAULTS_H
#define TESTS_FAULTS_H

#include <stdbool.h>
#include <stddef.h>

/*
 * Only calls from objects in this program's own link count (tests/faults.inc names the functions): ours and the test's.
 * nng's makers of sockets, contexts, messages and the like count as allocations.
 */
enum faults_kind { FAULTS_ALLOC = 1, FAULTS_IO = 2 };

/* From now on the n-th call of these kinds (from 1), by whatever thread, fails. */
void faults_arm(unsigned kinds, unsigned long n);
/* No more. True if one was made to fail since it was armed. */
bool faults_disarm(void);
/* The failed call's name, or NULL. */
const char *faults_hit(void);

#endif
