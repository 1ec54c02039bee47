/* What this machine can do at best: the floors that the product's figures are held against. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BENCH_FLOOR_H
#define BENCH_FLOOR_H

#include <stdbool.h>

#include "bench/histogram.h"

#define FLOOR_MESSAGE_SIZE 256 /* Of an echo and of a Raft entry: about what a request takes. */

/* Each measures n times (after a warm-up that is dropped) and adds nanoseconds to *ret. 0, or -1 having said why. */

/* One 4 KiB block of a written file, overwritten by pwrite with O_DIRECT and O_DSYNC; in folder's file system. */
int floor_disk(const char *folder, unsigned n, struct histogram *ret);
/* The same, each told to fn until that returns false. */
typedef bool floor_disk_fn(void *ctx, uint64_t begin_ns, uint64_t end_ns);
int floor_disk_watch(const char *folder, floor_disk_fn *fn, void *ctx);
/* nng REQ/REP over TCP on loopback between two processes, one question at a time, TCP_NODELAY. */
int floor_echo(unsigned n, struct histogram *ret);
/* libraft as it comes: three processes, raft_uv's disk and TCP (with TCP_NODELAY), one entry at a time. */
int floor_raft(const char *folder, unsigned n, struct histogram *ret);

/* Costs of the cryptography that a decision takes: medians, nanoseconds. */
struct floor_crypto {
	uint64_t sign, verify;          /* Ed25519, 200 bytes: a checkpoint. */
	uint64_t sha256_300, sha256_65; /* A leaf; a node of the tree. As the ledger hashes. */
};
int floor_crypto(struct floor_crypto *ret);

/* The other sides: mains of workers. */
int floor_echo_worker(int argc, char **argv);
int floor_raft_worker(int argc, char **argv);

#endif
