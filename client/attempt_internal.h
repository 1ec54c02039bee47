/* What an attempt and its answer share: when and where a call is tried next. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLIENT_ATTEMPT_INTERNAL_H
#define CLIENT_ATTEMPT_INTERNAL_H

#include "client/client_internal.h"

/* Each of these gives the call on: it is another thread's, or ended, when they return. */
void call_try(struct call *call);
void call_next(struct call *call);                            /* On to the next node; after all of them, a pause. */
void call_backoff(struct call *call);                         /* A pause, then the node that is next. */
void call_sleep(struct call *call);                           /* Until sleep_until_ns, in slices; then a try. */
void call_fail(struct call *call, int err, const char *text); /* Notes what was said, and on to the next node. */
void call_reply(struct call *call, nng_msg *m);               /* The answer to a call that was sent by itself. */

void call_text(struct call *call, const char *text);      /* Notes what the node said. */
bool call_changes(const struct call *call);               /* Of what only reads no outcome can be unknown. */
bool call_silent(const struct call *call, unsigned node); /* It did not answer this call a moment ago. */

#endif
