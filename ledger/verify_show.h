/* The verifier's trust policy as it was understood: in words, and written anew as C2SP tlog-policy. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LEDGER_VERIFY_SHOW_H
#define LEDGER_VERIFY_SHOW_H

#include <stdio.h>

#include "ledger/verify.h"

/* Whose signatures count, in sentences. */
void verify_policy_words(const struct verify_policy *p, FILE *f);
/* A policy that means the same: keys, groups as numbers of members, quorum; without comments and addresses. */
void verify_policy_write(const struct verify_policy *p, FILE *f);
/*
 * The log key that tools which know one key an origin go by: the policy's first of this origin (NULL: of any), as a
 * vkey in ret. NULL: there is none.
 */
#define VERIFY_VKEY_SIZE (LIMIT_KEY_NAME_SIZE_MAX + 64)
const char *verify_policy_designated(const struct verify_policy *p, const char *origin, char ret[VERIFY_VKEY_SIZE]);
/* So many of so many members of the quorum; 0 of 0: none is asked for. */
void verify_policy_count(const struct verify_policy *p, unsigned *ret_need, unsigned *ret_of);

#endif
