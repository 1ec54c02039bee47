/* A request as the command line gives it: --subject, --actor, --action, --resource, --context. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLIENT_TOOL_REQUEST_H
#define CLIENT_TOOL_REQUEST_H

#include <jansson.h>

#include "client/countersign.h"
#include "client/tool/options.h"
#include "client/tool/tool.h"

#define REQUEST_VIA_MAX 3 /* Between the actor and the subject. */

struct request_words {
	const char *subject, *actor, *action, *resource, *id;
	struct option_list context, via;
};
/* Of a request that is not to be decided: without an id. */
#define GRANT_OPTIONS(w)                                                                                               \
	{"subject", OPTION_TEXT, &(w)->subject, "TYPE:ID", "whose action it would be", 0, 0},                          \
	        {"actor", OPTION_TEXT, &(w)->actor, "TYPE:ID", "who would act for the subject, if anyone", 0, 0},      \
	        {"action", OPTION_TEXT, &(w)->action, "NAME", "what would be done", 0, 0},                             \
	        {"resource", OPTION_TEXT, &(w)->resource, "TYPE:ID", "to what", 0, 0},                                 \
	{                                                                                                              \
		"context", OPTION_LIST, &(w)->context, "NAME=VALUE", "session and device, where it is bound to them",  \
		        0, 0                                                                                           \
	}
#define REQUEST_OPTIONS(w)                                                                                             \
	{"subject", OPTION_TEXT, &(w)->subject, "TYPE:ID", "whose action it is: user:alice", 0, 0},                    \
	        {"actor", OPTION_TEXT, &(w)->actor, "TYPE:ID", "who acts for the subject, if anyone: agent:x", 0, 0},  \
	        {"via",                                                                                                \
	         OPTION_LIST,                                                                                          \
	         &(w)->via,                                                                                            \
	         "TYPE:ID",                                                                                            \
	         "for whom the actor acts, if not for the subject itself; again for whom that one acts",               \
	         0,                                                                                                    \
	         0},                                                                                                   \
	        {"action", OPTION_TEXT, &(w)->action, "NAME", "what is to be done: deploy", 0, 0},                     \
	        {"resource", OPTION_TEXT, &(w)->resource, "TYPE:ID", "to what: model:fraud-v7", 0, 0},                 \
	        {"context",                                                                                            \
	         OPTION_LIST,                                                                                          \
	         &(w)->context,                                                                                        \
	         "NAME=VALUE",                                                                                         \
	         "a text; NAME:=VALUE a whole number, true or false",                                                  \
	         0,                                                                                                    \
	         0},                                                                                                   \
	{                                                                                                              \
		"id", OPTION_TEXT, &(w)->id, "HEX", "request id of an earlier try whose outcome is unknown", 0, 0      \
	}

/* The request, with the memory that it points to. */
struct request_owned {
	struct cs_request request;
	char subject_type[TOOL_TYPE_SIZE], subject_id[TOOL_ID_SIZE];
	char actor_type[TOOL_TYPE_SIZE], actor_id[TOOL_ID_SIZE];
	char via_types[REQUEST_VIA_MAX][TOOL_TYPE_SIZE], via_ids[REQUEST_VIA_MAX][TOOL_ID_SIZE];
	struct cs_typed via[REQUEST_VIA_MAX];
	char resource_type[TOOL_TYPE_SIZE], resource_id[TOOL_ID_SIZE];
	struct cs_attribute attributes[OPTION_LIST_MAX];
	char names[OPTION_LIST_MAX][TOOL_ID_SIZE];
	/* Of request_read_json. */
	char action[TOOL_ID_SIZE];
	json_t *json;
};
/* The attributes of --context alone, as below. */
int request_parse_context(const char *command, const struct option_list *list, struct request_owned *ret);
/* Fills *ret, which must not be moved after; 0, or EXIT_USAGE after printing which option is wrong and why. */
int request_parse(const char *command, const struct request_words *w, struct request_owned *ret);
/* The same from an AuthZEN evaluation request; then request_close. */
int request_read_json(const char *command, const char *path, struct request_owned *ret);
void request_close(struct request_owned *r);

#endif
