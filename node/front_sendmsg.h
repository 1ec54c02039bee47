/* Keeps nng alive: a sendmsg that tells of a peer that is gone in the way that nng survives. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODE_FRONT_SENDMSG_H
#define NODE_FRONT_SENDMSG_H

#include <stdbool.h>

/* True if nng's calls of sendmsg reach ours: false means that this program was linked in another way than it should be.
 */
bool front_sendmsg_works(void);

#endif
