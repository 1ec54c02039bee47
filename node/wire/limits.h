/* Every bound of the wire, with its reason. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODE_WIRE_LIMITS_H
#define NODE_WIRE_LIMITS_H

#define WIRE_REQUEST_SIZE_MAX 65536     /* A request, or a policy of 56 KiB in source and compiled form. */
#define WIRE_REPLY_SIZE_MAX   (1 << 20) /* Pages of entries; a decision's reply takes about 2 KiB. */
#define WIRE_DEADLINE_MS_MAX  60000     /* Nobody waits longer for one answer. */
#define WIRE_HELD_MS          2000      /* An answer with private fields waits so long for the log of who read them. */
#define WIRE_PAGE_ENTRIES_MAX 256       /* Entries in one page; pages also end at half of WIRE_REPLY_SIZE_MAX. */
#define WIRE_URL_SIZE_MAX     128       /* tcp://host:port or ipc:///path; ipc paths end at 107 bytes. */
#define WIRE_TEXT_SIZE_MAX    256       /* Texts of errors. */
#define WIRE_REQUEST_ID_SIZE  16
#define WIRE_COSIGNERS_MAX    7  /* Members of a cluster. */
#define WIRE_WITNESSES_MAX    32 /* Key ids in a request to prove; a note has lines of 8 witnesses. */
#define WIRE_MANY_MIN         2  /* One request goes by itself. */
#define WIRE_MANY_MAX         64 /* Requests in one message: beyond it a message's own cost is lost among theirs. */

#endif
