/* Fuzzing: a state that has seen something of everything, as the ground for commands and for records. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_FUZZ_HISTORY_H
#define TESTS_FUZZ_HISTORY_H

#include "tests/decide_kit.h"

/* Small tables: a state is made for each input. */
extern const struct state_limits fuzz_history_limits;

/* The same in every run: principals, a device, an open challenge, answers, a policy that was changed. */
void fuzz_history(struct kit *k);
/* Its records as catch-up brings them; malloc'ed. */
uint8_t *fuzz_history_records(struct kit *k, size_t *ret_len);

#endif
