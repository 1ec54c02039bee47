/* An order about a credential that a person gives for themselves: asked for, saved, answered, carried out. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLIENT_TOOL_CREDENTIALORDER_H
#define CLIENT_TOOL_CREDENTIALORDER_H

#include "client/countersign.h"
#include "client/tool/options.h"
#include "client/tool/tool.h"

struct order_words {
	const char *request, *allowed, *subject, *device;
	bool json;
};
#define ORDER_OPTIONS(w)                                                                                               \
	{"subject", OPTION_TEXT, &(w)->subject, "TYPE:ID", "whose it is", 0, 0},                                       \
	        {"request", OPTION_TEXT, &(w)->request, "FILE", "as the person's own: ask, and save it there", 0, 0},  \
	        {"device", OPTION_TEXT, &(w)->device, "NAME", "with --request: the device it is asked from", 0, 0},    \
	        {"allowed", OPTION_TEXT, &(w)->allowed, "FILE", "what --request saved, once it is answered", 0, 0},    \
	{                                                                                                              \
		"json", OPTION_FLAG, &(w)->json, NULL, "as JSON", 0, 0                                                 \
	}

/* What was saved; everything that it points to is owned by it. */
struct order_saved {
	struct cs_credential credential;
	struct cs_request request;
	struct cs_attribute attributes[2];
	const char *reason;
	uint8_t data[CS_CREDENTIAL_SIZE_MAX];
	void *json;
};
/* 0, or the exit code after printing why. */
int order_load(const char *command, const char *path, struct order_saved *ret);
void order_saved_free(struct order_saved *s);
/* Asks for the decision that the order needs, saves both, and prints the answer; the exit code. */
int order_ask_enroll(const char *command, cs_client *client, const struct cs_credential *c,
                     const struct order_words *w);
int order_ask_revoke(const char *command, cs_client *client, const char *name, const char *reason,
                     const struct order_words *w);

int credentialenroll_run(int argc, char **argv);

#endif
