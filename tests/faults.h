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
enum faults_kind { FAULTS_ALLOC = 1, FAULTS_IO = 2, FAULTS_LMDB = 4 };

/* From now on the n-th call of these kinds (from 1), by whatever thread, fails. */
void faults_arm(unsigned kinds, unsigned long n);
/* No more. True if one was made to fail since it was armed. */
bool faults_disarm(void);
/* The failed call's name, or NULL. */
const char *faults_hit(void);

/* errno of a file call that fails; EIO at first. What LMDB's calls give that fail (tests/faults_store.c); EIO at first.
 */
extern int faults_errno, faults_lmdb;
/* NULL, or the name of the calls that count alone. */
extern const char *faults_only;
/* The next transaction that opens "meta" opens "entries" before it: its databases get other handles. */
extern bool faults_other_handles;
/* For other files with such functions: whether this call is the one that fails; then errno is set. */
bool faults_take(unsigned kind, const char *name);

#endif
