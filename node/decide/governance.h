/* Governance: how many administrators an order of each class takes, and the order that changes it. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODE_DECIDE_GOVERNANCE_H
#define NODE_DECIDE_GOVERNANCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "node/decide/command.h"

/* Classes of orders; numbers are places in entries and records, for ever. X(name, number, text) */
#define GOVERNANCE_CLASSES(X)                                                                                          \
	X(GOVERNANCE_POLICY, 0, "policy")       /* The policy. */                                                      \
	X(GOVERNANCE_ENROLMENT, 1, "enrolment") /* Principals and devices, and their end. */                           \
	X(GOVERNANCE_PEOPLE, 2, "people")       /* The table of people. */                                             \
	X(GOVERNANCE_MEMBERS, 3, "members")     /* The nodes. */                                                       \
	X(GOVERNANCE_FEATURES, 4, "features")   /* What is switched on. */                                             \
	X(GOVERNANCE_ITSELF, 5, "governance")   /* These thresholds. */

enum governance_class {
#define GOVERNANCE_ENUM(name, number, text) name = number,
	GOVERNANCE_CLASSES(GOVERNANCE_ENUM)
#undef GOVERNANCE_ENUM
	        GOVERNANCE_CLASSES_N
};
#define GOVERNANCE_NONE GOVERNANCE_CLASSES_N /* An order that one administrator may always give. */

const char *governance_class_text(unsigned class);   /* "unknown" for others. */
unsigned governance_class_find(struct text t);       /* GOVERNANCE_NONE: unknown. */
unsigned governance_class_of(unsigned command_type); /* GOVERNANCE_NONE: needs one signature. */

struct governance {
	uint8_t k[GOVERNANCE_CLASSES_N]; /* 1 to ADMIN_SIGNATURES_MAX. */
};
void governance_all(struct governance *ret, unsigned k);
/*
 * What decides over who administers: the largest of all. Whoever may make administrators, or lower a threshold, may in
 * the end do everything that the others guard.
 */
unsigned governance_largest(const struct governance *g);

/* Genesis says it in words: "single", or "K of N" of its N administrators. CS_ERR_INVALID: neither. */
int governance_parse(struct text words, unsigned administrators, struct governance *ret);

/* An order: [[k…] in order of the classes, signature]. */
struct governance_order {
	struct governance thresholds;
	struct admin_signature admin;
	const uint8_t *signed_elements;
	size_t signed_len;
};
int governance_order_encode_signed(const struct governance_order *o, void *buf, size_t cap, size_t *ret_len);
int governance_order_encode(const struct governance_order *o, void *buf, size_t cap, size_t *ret_len);
int governance_order_decode(struct governance_order *ret, const void *bytes, size_t len);
struct writer;
struct reader;
void governance_write(struct writer *w, const struct governance *g); /* [k…] */
void governance_read(struct reader *r, struct governance *ret);

#endif
