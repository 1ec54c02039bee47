/* Stored requests that wait: no approval counts twice, each has one end, and none is lost. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_SIM_VERDICTS_H
#define TESTS_SIM_VERDICTS_H

#include "ledger/entry.h"

struct verdicts;

struct verdicts *verdicts_new(unsigned node, uint64_t size);
/* Each entry in turn, with its open fields. */
void verdicts_entry(struct verdicts *v, const struct entry *e, const struct field *fields, unsigned n);
/* The whole was seen: what waited too long is missed. Frees. */
void verdicts_end(struct verdicts *v);

#endif
