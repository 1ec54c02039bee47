/* A file of cases for `policy test`: requests, what came before them, and what the policy must say. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLIENT_TOOL_POLICYCASES_H
#define CLIENT_TOOL_POLICYCASES_H

#include <libfyaml.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "client/tool/policylab.h"
#include "client/tool/policyrequest.h"
#include "node/decide/people_order.h"
#include "node/decide/policy.h"
#include "node/decide/policy_form.h"

#define POLICYCASES_SIZE_MAX   (4 << 20) /* Of the file. */
#define POLICYCASES_PEOPLE_MAX 1024
#define POLICYCASES_EVENTS_MAX 100000 /* Played over all cases, repeated ones counted. */

enum policycase_answer { CASE_UNANSWERED, CASE_GOOD, CASE_WRONG, CASE_LATE };

/* Something that happened before the request of a case. */
struct policycase_event {
	unsigned line;
	bool import;
	struct policyrequest request;
	uint64_t at_ms, every_ms; /* An import's: when it happened. */
	unsigned times;
	enum policycase_answer answer; /* Of each step_up that it gets. */
};

/* What is expected; each only if its line is not 0. X(name, key) */
#define EXPECT_LIST(X)                                                                                                 \
	X(EXPECT_VERDICT, "verdict")                                                                                   \
	X(EXPECT_RISK, "risk")                                                                                         \
	X(EXPECT_RULES, "rules")                 /* These and no others match. */                                      \
	X(EXPECT_RULES_INCLUDE, "rules_include") /* These are among them. */                                           \
	X(EXPECT_REASONS, "reasons")             /* Each is a part of a reason. */                                     \
	X(EXPECT_CHALLENGE, "challenge")         /* The level. */                                                      \
	X(EXPECT_EXPIRES, "expires")                                                                                   \
	X(EXPECT_OBLIGATIONS, "obligations") /* These and no others; "type:id", or the id alone. */                    \
	X(EXPECT_SIGNALS, "signals")         /* With these values; 0: not there. Others may be. */

enum policycase_expect {
#define EXPECT_ENUM(name, key) name,
	EXPECT_LIST(EXPECT_ENUM)
#undef EXPECT_ENUM
	        EXPECT_N
};
extern const char *const policycase_expect_keys[EXPECT_N];

struct policycase {
	struct text name;
	unsigned line;
	struct policyrequest request;
	uint64_t at_ms;
	bool given; /* The signals are given; else they are derived from what came before. */
	struct signal_list signals;
	unsigned met;                  /* Given: level of the evidence. */
	enum policycase_answer answer; /* Derived: of the request's own step_up. */
	unsigned first_event, n_events;
	unsigned lines[EXPECT_N];
	unsigned verdict;
	int64_t risk_min, risk_max;
	struct span texts[EXPECT_N]; /* Of those that are lists. */
	struct text level;
	uint64_t expires_ms;
	struct signal_list expect_signals;
};

/* Somebody in the table of people, in every case. */
struct policycase_person {
	unsigned line;
	struct person_record record;
};

struct policycases {
	struct text policy; /* Path as the file names it; len 0: none. */
	uint64_t start_ms;  /* When the history of each case begins. */
	unsigned n_cases, n_events, n_texts, n_people;
	struct policycase_person *people;
	struct policycase *cases;
	struct policycase_event *events;
	struct text *texts;
	struct fy_document *doc; /* What all texts point into. */
	struct policy *scratch;
};

/* Reads and checks the whole. CS_ERR_INVALID with *ret_error filled in, CS_ERR_NOMEM. */
int policycases_parse(const char *yaml, size_t len, struct policycases *ret, struct policy_error *ret_error);
void policycases_close(struct policycases *c);

#endif
