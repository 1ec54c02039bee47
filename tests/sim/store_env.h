/* The LMDB double's files: what the simulator does to them from outside. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_SIM_STORE_ENV_H
#define TESTS_SIM_STORE_ENV_H

#include <stdbool.h>

struct disk;
struct env;

/* A power cut may undo the last commit (MDB_NOMETASYNC), and never half of one; unless this plants a bug. */
extern bool env_applied_apart;

void env_power_cut(struct disk *d);
struct env *env_copy(const struct env *e); /* NULL: NULL. */

#endif
