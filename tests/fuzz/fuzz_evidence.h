/* Fuzzing of evidence: what is enrolled in its targets, for the seeds. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_FUZZ_FUZZ_EVIDENCE_H
#define TESTS_FUZZ_FUZZ_EVIDENCE_H

#include <stddef.h>
#include <stdint.h>

#define FUZZ_EVIDENCE_NOW_MS UINT64_C(1800000000000)

/* The Ed25519 key of the seed 09 and 31 zeros; its credential, and the issuer that signs with it. */
size_t fuzz_evidence_key(uint8_t *buf, size_t cap);
size_t fuzz_evidence_issuer(uint8_t *buf, size_t cap);

#endif
