/* A client's request on its way through the node: made by the front, answered once, from any thread. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODE_JOB_H
#define NODE_JOB_H

#include <stddef.h>
#include <stdint.h>

#include "node/decide/command.h"
#include "node/wire/messages.h"

/*
 * Owned by whoever holds it; the one way to end it is job_reply or job_error (node/front.c), which give it back to the
 * front. request.body points into memory that lives as long as the job.
 */
struct job {
	struct job *next;  /* For the holder's queues. */
	void *holder;      /* For whatever else the holder keeps of it. */
	struct part *part; /* The front's own: its place in a message of many, or NULL. */
	struct wire_request request;
	uint64_t principal; /* Enrolled id of the asker. */
	uint32_t roles;
	uint64_t deadline_ns; /* CLOCK_MONOTONIC: nobody waits for an answer after this. */
	uint64_t received_ns;
	size_t facts_len; /* What the core found out about its evidence; 0: nothing yet. */
	uint8_t *facts;   /* Freed with the job; NULL: none. */
};

/* Sends body (one canonical array) as the successful reply. Any thread; the job is gone afterwards. */
void job_reply(struct job *j, const void *body, size_t len);
/* Sends an error with a text (NULL: err_text), the leader's url (NULL: none) and a time to retry after (0: none). */
void job_error(struct job *j, int err, const char *text, const char *leader_url, uint32_t retry_ms);

#endif
