/* Records of people, and changes of them, from words. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_PEOPLE_KIT_H
#define TESTS_PEOPLE_KIT_H

#include "node/decide/people_order.h"

/* "user:ada" */
struct typed typed_of(const char *text);
/* kind 0: a user. groups: "a b c", sorted. owner, acts_for: NULL, or as typed_of; one each. */
struct people_change person_of(const char *who, unsigned kind, const char *groups, const char *owner,
                               const char *acts_for);
struct people_change change_of(unsigned action, const char *who);

#endif
