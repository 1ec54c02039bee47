/* What a lane and its messages of many share. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLIENT_LANE_INTERNAL_H
#define CLIENT_LANE_INTERNAL_H

#include "client/client_internal.h"

#define MANY_ENVELOPE_SIZE (CALL_ENVELOPE_SIZE + 3) /* With the array's header. */
#define BIN_HEAD_MAX       3                        /* Of a request, which is under 64 KiB. */

/* Sends calls that were taken out of the lane; f: for more than one. False: nothing was sent, and they are others' by
 * now. */
bool lane_send(struct lane *l, struct frame *f, struct call **calls, unsigned n);
void lane_frame_callback(void *arg);
/* With the lock held. True: the caller starts the timer, once it has let go of the lock. */
bool lane_timer_wanted(struct lane *l);
nng_duration lane_tick_ms(uint64_t deadline_ns);

#endif
