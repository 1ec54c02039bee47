/* The person's own proof in a bundle: verified again, against the credential that was enrolled then. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLIENT_TOOL_VERIFYIDENTITY_H
#define CLIENT_TOOL_VERIFYIDENTITY_H

#include <stddef.h>

#include "ledger/verify.h"

/*
 * json: a bundle that verify_bundle has just looked at; r: what came of it, not refuted. Of an answer that met its
 * challenge a line says whose proof it was and under which key it verifies, or what is missing to tell. A proof that
 * does not verify refutes.
 */
void verifyidentity(const char *json, size_t size, struct verify_result *r);

#endif
