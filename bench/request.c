/* Makes requests, and the policy that they are decided by. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "bench/request.h"

#include <stdio.h>
#include <string.h>

#define DOCUMENTS 5000

void request_make(struct request_owned *ret, uint64_t random, unsigned subjects)
{
	unsigned subject = (unsigned)(random % subjects), rest = (unsigned)(random >> 40);

	snprintf(ret->subject, sizeof ret->subject, "user-%05u", subject);
	snprintf(ret->resource, sizeof ret->resource, "contract-%04u", rest % DOCUMENTS);
	snprintf(ret->device, sizeof ret->device, "laptop-%05u", subject);
	snprintf(ret->ip, sizeof ret->ip, "10.%u.%u.%u", subject / 60000 % 256, subject / 250 % 256, subject % 250 + 1);
	snprintf(ret->session, sizeof ret->session, "s-%08x", rest);
	ret->attributes[0] = (struct cs_attribute){.name = "device", .type = CS_STRING, .string = ret->device};
	ret->attributes[1] = (struct cs_attribute){.name = "ip", .type = CS_STRING, .string = ret->ip};
	ret->attributes[2] = (struct cs_attribute){.name = "user_agent", .type = CS_STRING, .string = "Mozilla/5.0"};
	ret->attributes[3] = (struct cs_attribute){.name = "country", .type = CS_STRING, .string = "DE"};
	ret->attributes[4] = (struct cs_attribute){.name = "session", .type = CS_STRING, .string = ret->session};
	ret->attributes[5] = (struct cs_attribute){.name = "mfa", .type = CS_BOOLEAN, .integer = 1};
	ret->request = (struct cs_request){.subject_type = "user",
	                                   .subject_id = ret->subject,
	                                   .action = "document:read",
	                                   .resource_type = "document",
	                                   .resource_id = ret->resource,
	                                   .n_attributes = REQUEST_ATTRIBUTES,
	                                   .attributes = ret->attributes};
	cs_request_id(ret->request.id);
}

/*
 * As a new cluster's, but: rates so high that a load of a few subjects is no sign of an attack, and a new subject that
 * shows a second factor is allowed, so that its later requests meet a history, as most requests do.
 */
const char *request_policy(void)
{
	return "version: 1\n"
	       "name: bench\n"
	       "bias: -2000\n"
	       "thresholds: {step_up: 0, deny: 5000}\n"
	       "valid_for: 5m\n"
	       "challenge: {level: possession, methods: [ed25519], expires: 5m}\n"
	       "rates: {subject: 10000000, client: 10000000}\n"
	       "weights: {new_subject: 600}\n"
	       "sensitive: [\"deploy*\", \"delete*\", \"admin*\"]\n"
	       "rules:\n"
	       "  - id: by-risk\n"
	       "    verdict: risk\n"
	       "  - id: agents-irreversible\n"
	       "    match:\n"
	       "      actor: \"*\"\n"
	       "      action: [\"delete*\", \"admin*\"]\n"
	       "    verdict: step_up\n"
	       "  - id: production-deploy\n"
	       "    match:\n"
	       "      action: \"deploy*\"\n"
	       "      context:\n"
	       "        environment: production\n"
	       "    weight: 200\n";
}
