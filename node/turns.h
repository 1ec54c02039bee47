/* Jobs that wait: bounded as a whole and for each principal, served a principal at a time. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODE_TURNS_H
#define NODE_TURNS_H

#include <stdbool.h>
#include <stdint.h>

#include "node/job.h"

/*
 * A queue of its own for each principal, and a ring of those that are not empty: each pop is the next principal's turn
 * (round robin, as in Nagle, RFC 970). With A principals waiting, the one with few jobs has its next served after at
 * most A - 1 of the others', however many those have.
 *
 * Places are shared by dynamic thresholds (Choudhury and Hahne, 1998): a principal may have as many jobs waiting as
 * there are places free. One that asks for all gets half; n of them get 1/(n + 1) each, and as much stays free for who
 * comes next.
 *
 * One thread at a time. Nothing is allocated after turns_new.
 */
struct turns;

int turns_new(unsigned places, struct turns **ret); /* CS_ERR_NOMEM; CS_ERR_INVALID: no places, or over 2^20. */
void turns_free(struct turns *t);                   /* Empty, or NULL. */
/* The job is the queue's on success. CS_ERR_OVERLOADED: the principal has its share, or no place is free. */
int turns_push(struct turns *t, struct job *j);
/* The next job, whose turn it is; NULL: none waits. */
struct job *turns_pop(struct turns *t);
/* Takes out all whose deadline is at or before now, linked by next; NULL: none. */
struct job *turns_expired(struct turns *t, uint64_t now_ns);
unsigned turns_count(const struct turns *t);
/* Of one principal. */
unsigned turns_count_of(const struct turns *t, uint64_t principal);
/* How many go before a job that this principal would push now, at most. */
unsigned turns_ahead(const struct turns *t, uint64_t principal);

#endif
