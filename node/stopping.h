/* The end, bounded: a stop that takes too long says what it waits for and ends the process. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODE_STOPPING_H
#define NODE_STOPPING_H

/*
 * Whoever is asked is refused at once, a client that does not read has 5 s (front.c), what is on its way to the disk is
 * seconds at most; and the service manager's patience is a minute (countersignd@.service).
 */
#define STOPPING_S_MAX 20

#define EXIT_STUCK 6 /* Beside those of node/core/core.h. */

/*
 * From now on the process has so many seconds to end. Then it tells on standard error what it waits for, and
 * ends at once with EXIT_STUCK. Nothing is lost by it: what was acknowledged is on the disks of a majority, and a start
 * is the same after a crash. Takes SIGALRM. Once.
 */
void stopping_begin(unsigned seconds);
/* What is waited for from now on; kept, so a literal. Any thread. */
void stopping_waits_for(const char *what);

#endif
