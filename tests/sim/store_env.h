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
struct env *env_of(struct drive *d); /* The store's file; NULL: there is none. */
/* The store as it is now, NULL: there is none; puts such a copy, or what env_of gave, in its place. */
struct env *env_copy(struct drive *d);
void env_put_back(struct drive *d, struct env *e);
/* Looks for these bytes in all records of the store as it is; text: where they are, for the reader (64 bytes). */
bool env_holds(const struct env *e, const char *bytes, char ret_text[64]);
uint64_t
env_applied(const struct env *e); /* Raft index that the ledger on the disk has come to through the log, for certain. */

#endif
