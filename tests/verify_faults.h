/* Faults under the verifier: a chosen call of a function that it uses fails. Linked with --wrap (tests/store.inc). */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_VERIFY_FAULTS_H
#define TESTS_VERIFY_FAULTS_H

#include <stdbool.h>

/*
 * From now on the n-th call (from 1) of the function of this name, by our own objects, fails: with NULL, or -1 and
 * errno, or for LMDB's functions with the error itself. Once; n 0: each call. Another arm takes this one back.
 */
void verify_faults_arm(const char *function, unsigned n, int error);
/* No more. True if it has failed. */
bool verify_faults_disarm(void);

#endif
