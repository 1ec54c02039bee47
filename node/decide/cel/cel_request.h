/* What a condition of a policy can see: the variables of a request. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODE_DECIDE_CEL_CEL_REQUEST_H
#define NODE_DECIDE_CEL_CEL_REQUEST_H

#include "node/decide/cel/cel.h"
#include "node/decide/signals.h"

/*
 * Variables. Numbers are in compiled policies: for ever. X(name, number, key, kind, kind of what is in it, fields,
 * bytes at most, elements at most). A new one is a row here and a case in cel_request.c.
 */
#define CEL_VARIABLE_LIST(X)                                                                                           \
	X(VARIABLE_SUBJECT, 1, "subject", CEL_MAP, CEL_STRING, pair_field, 2 * REQUEST_STR_SIZE_MAX, 2)                \
	X(VARIABLE_ACTOR, 2, "actor", CEL_MAP, CEL_STRING, pair_field, 2 * REQUEST_STR_SIZE_MAX, 2)                    \
	X(VARIABLE_ACTION, 3, "action", CEL_STRING, CEL_DYN, NULL, REQUEST_STR_SIZE_MAX, 0)                            \
	X(VARIABLE_RESOURCE, 4, "resource", CEL_MAP, CEL_STRING, pair_field, 2 * REQUEST_STR_SIZE_MAX, 2)              \
	X(VARIABLE_CONTEXT, 5, "context", CEL_MAP, CEL_DYN, NULL, REQUEST_STR_SIZE_MAX, REQUEST_CONTEXT_MAX)           \
	X(VARIABLE_SIGNALS, 6, "signals", CEL_MAP, CEL_INT, signal_field, 32, SIGNAL_MAX)                              \
	X(VARIABLE_RISK, 7, "risk", CEL_INT, CEL_DYN, NULL, 0, 0)                                                      \
	X(VARIABLE_NOW, 8, "now", CEL_TIMESTAMP, CEL_DYN, NULL, 0, 0)                                                  \
	X(VARIABLE_IMPORTED, 9, "imported", CEL_BOOL, CEL_DYN, NULL, 0, 0)                                             \
	X(VARIABLE_GROUPS, 10, "groups", CEL_LIST, CEL_STRING, NULL, REQUEST_STR_SIZE_MAX, CEL_GROUPS_MAX)             \
	X(VARIABLE_REQUEST, 11, "request", CEL_MAP, CEL_DYN, request_field, 6 * REQUEST_STR_SIZE_MAX,                  \
	  REQUEST_CONTEXT_MAX)

enum cel_variable {
#define VARIABLE_ENUM(name, number, key, kind, of, field, bytes, count) name = number,
	CEL_VARIABLE_LIST(VARIABLE_ENUM)
#undef VARIABLE_ENUM
};

#define CEL_GROUPS_MAX 64

const struct cel_env *cel_request_env(void);

/* What the variables are made of, and room for them. The request and all texts outlive it. */
struct cel_request {
	const struct request *request;
	const struct signal_list *signals;
	int32_t risk; /* Bias and signals, before any rule's weight. */
	uint64_t now_ms;
	bool imported;
	const struct text *groups; /* Of the subject. */
	unsigned n_groups;         /* At most CEL_GROUPS_MAX. */
	/* Made as they are asked for. */
	struct cel_value pairs[3][4], whole[12];
	struct cel_value context[2 * REQUEST_CONTEXT_MAX], signal[2 * SIGNAL_MAX], group[CEL_GROUPS_MAX];
};
/* For cel_run_init; ctx: a struct cel_request. */
struct cel_value cel_request_variable(void *ctx, unsigned number);

#endif
