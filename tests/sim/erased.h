/* Who was erased is in no file and no record of the nodes that have said so. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_SIM_ERASED_H
#define TESTS_SIM_ERASED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct drive;
struct records;

uint64_t admin_erased(unsigned who); /* The entry by which WHO_EVE and up was erased; 0: none was acknowledged. */
bool erased_by(unsigned node);       /* It has carried out all that is ordered, by the leader's word. */
/* The stored body of an entry: whom it names. */
void erased_look(uint64_t index, const void *body, size_t len);
void erased_check(unsigned node, struct drive *d, const struct records *r);

#endif
