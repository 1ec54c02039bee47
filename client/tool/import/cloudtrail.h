/* One record of an AWS CloudTrail log as a request: who, what, on which resource, in which context. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLIENT_TOOL_IMPORT_CLOUDTRAIL_H
#define CLIENT_TOOL_IMPORT_CLOUDTRAIL_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "client/tool/import/event.h"

#define CLOUDTRAIL_FILE_SIZE_MAX                                                                                       \
	(64u << 20) /* Unpacked: CloudTrail's own files end at 50 MB; jansson needs ~10 times that. */

/*
 * Reads one element of "Records". False: reason says what is missing or wrong. Rules (countersign(1), IMPORT):
 * - subject: by userIdentity.type: IAMUser and Root by ARN, an assumed role by its role's ARN (the session is an
 *   attribute: each session as a subject of its own would never have a history), a service by invokedBy; without a
 *   type, type "unknown" and whatever name there is. No name at all: not parsed.
 * - actor: userIdentity.invokedBy, where a service acts for another identity.
 * - action: the service's name and eventName, as IAM writes actions: "ec2:RunInstances".
 * - resource: resources[] (one of the event's own service first), else the most telling request parameter, else the
 *   service itself.
 * - longer strings are cut, and end in "#" and 16 hex digits of their SHA-256, so that they stay apart.
 */
bool cloudtrail_read(const json_t *record, struct past_event *ret, char reason[PAST_REASON_SIZE]);

/* RFC 3339 in UTC, as CloudTrail writes it ("2023-07-10T11:58:14Z", fractions allowed), to POSIX milliseconds. */
bool cloudtrail_time(const char *text, uint64_t *ret_ms);

#endif
