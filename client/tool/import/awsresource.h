/* Which resource an AWS CloudTrail record is about. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLIENT_TOOL_IMPORT_AWSRESOURCE_H
#define CLIENT_TOOL_IMPORT_AWSRESOURCE_H

#include <jansson.h>

#define AWS_RESOURCE_ID_SIZE 2200 /* An ARN has at most 2,048 bytes; a noun and a slash may stand before a name. */

struct aws_resource {
	char type[65];                 /* The service that the resource belongs to: "s3"; or "service". */
	char id[AWS_RESOURCE_ID_SIZE]; /* An ARN, or "role/NAME" as ARNs end; or the service's name. */
};

/* Always finds something: at the least the service itself. */
void aws_resource_find(const json_t *record, const char *service, struct aws_resource *ret);

#endif
