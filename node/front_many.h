/* A message of many requests: a job for each of them, and their replies kept until the last one is there. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODE_FRONT_MANY_H
#define NODE_FRONT_MANY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "node/job.h"
#include "node/wire/messages.h"

#define ERROR_REPLY_SIZE_MAX 512 /* Envelope, text, url, time. */

struct many;

/*
 * Takes whole's body apart; nothing is done yet. whole outlives the many; each job has its principal, roles and times,
 * and its own request, whose memory is whole's. CS_ERR_MALFORMED, CS_ERR_TOO_LARGE (too many), CS_ERR_NOMEM.
 */
int many_open(struct job *whole, struct many **ret);
unsigned many_count(const struct many *m);
/* The i-th job; *ret_err: 0, or what is wrong with its request, *ret_text says why (static). */
struct job *many_job(struct many *m, unsigned i, int *ret_err, const char **ret_text);
/* The message that a job came in. */
struct job *many_whole(const struct job *j);

/* Whether a successful reply with such a body still fits beside the others; if so the room is taken. Any thread. */
bool many_room(struct job *j, size_t body_len);
/*
 * Keeps a copy of j's reply, which must fit the room that was taken, or be an error. Any thread. Returns the many if
 * this was its last reply, else NULL; j is gone then.
 */
struct many *many_keep(struct job *j, const struct wire_reply *r);
/* Size of the reply's body, or 0 if memory was short for a reply. */
size_t many_reply_size(const struct many *m);
void many_reply_write(const struct many *m, struct writer *w);
void many_free(struct many *m); /* NULL is fine. */

#endif
