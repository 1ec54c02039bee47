/* Lives of subjects, for what keeps their past. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_PAST_KIT_H
#define TESTS_PAST_KIT_H

#include "node/decide/past.h"

/*
 * A year of somebody who is seen a hundred times a week, at any hour of any day, with more of everything than a
 * profile has slots for: all are full. The same number gives the same life.
 */
void past_kit_full(struct past *ret, uint64_t number);
/* Half a year of an ordinary engineer: two devices, a few networks, office hours, a dozen resources. */
void past_kit_usual(struct past *ret, uint64_t number);
/* Every number anything that it can be, free slots among them. */
void past_kit_wild(struct past *ret, uint64_t *random);
uint64_t past_kit_random(uint64_t *random); /* Never 0 itself; xorshift64*. */

#endif
