/* The LMDB double's files: what the simulator does to them from outside. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_SIM_STORE_ENV_H
#define TESTS_SIM_STORE_ENV_H

#include <stdbool.h>
#include <stdint.h>

struct drive;
struct env;

/* A power cut may undo the last commit (MDB_NOMETASYNC), and never half of one; unless this plants a bug. */
extern bool env_applied_apart;

void env_power_cut(struct drive *d);
/* The store as it is now, NULL: there is none; puts an earlier copy in its place. */
struct env *env_copy(const struct drive *d);
void env_put_back(struct drive *d, const struct env *copy);
uint64_t
env_applied(const struct env *e); /* Raft index that the ledger on the disk has come to through the log, for certain. */

#endif
