/* Orders signed by several administrators, for the tests of decide. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_ORDER_KIT_H
#define TESTS_ORDER_KIT_H

#include "tests/decide_kit.h"
#include "tests/people_kit.h"

#define ORDER_SIGNERS_MAX 20

/* Who signs, in the order in which they stand in the body: the test says whether that is by name. */
struct signer {
	const char *name;
	const uint8_t *sk;
	uint64_t sequence;   /* 0: the kit's next. */
	uint64_t expiry_ms;  /* 0: a minute from now. */
	uint64_t governance; /* 0: the version in force. */
	unsigned spoil;      /* Turns bits of the signature. */
};

/* elements: the encoding of the n elements that are signed. Applies the order as the principal. */
enum decide_outcome order_apply(struct kit *k, unsigned type, uint64_t principal, const void *elements, size_t len,
                                unsigned n, const struct signer *signers, unsigned n_signers);
/* The same by root alone. */
enum decide_outcome order_by_root(struct kit *k, unsigned type, const void *elements, size_t len, unsigned n);
enum decide_outcome order_feature(struct kit *k, const char *name);
/* Applies n changes by root. */
enum decide_outcome order_people(struct kit *k, const struct people_change *c, unsigned n);
void order_refused(const struct kit *k, enum decide_outcome outcome, int err, const char *says);

#endif
