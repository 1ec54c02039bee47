/* JSON Web Signatures held against a JWK Set: keys pinned as the client pins, tokens verified as nodes verify. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_JOSE_KIT_H
#define TESTS_JOSE_KIT_H

#include <stdbool.h>

enum jose_outcome { JOSE_VERIFIED, JOSE_REFUSED, JOSE_NO_KEY }; /* No key: none of the set can be pinned. */
/* jwks: a JWK Set as text. What was wrong is in *ret_why, until the next call. */
enum jose_outcome jose_judge(const char *jwks, const char *token, const char **ret_why);

#endif
