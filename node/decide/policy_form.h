/* A policy in memory: what the compiled form holds, taken apart; matching. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODE_DECIDE_POLICY_FORM_H
#define NODE_DECIDE_POLICY_FORM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ledger/hash.h"
#include "node/decide/cel/cel.h"
#include "node/decide/command.h"
#include "node/decide/parties.h"
#include "node/decide/policy.h"
#include "node/decide/policy_signals.h"
#include "node/decide/signals.h"

#define POLICY_VERSION_1        1 /* As before the feature `decisions`: never changes. */
#define POLICY_VERSION_2        2 /* Where that feature is on. */
#define POLICY_NAME_SIZE_MAX    64
#define POLICY_RULES_MAX        128    /* Each is looked at for each request. */
#define POLICY_CONDITIONS_MAX   512    /* Over all rules. */
#define POLICY_VALUES_MAX       1024   /* Patterns and values over all rules, and sensitive actions. */
#define POLICY_OBLIGATIONS_MAX  64     /* Over all rules; those of one reply are public in its entry. */
#define POLICY_TEXT_SIZE_MAX    200    /* A reason. */
#define POLICY_RISK_MAX         100000 /* Milli-logits: bias, thresholds, rules' weights. */
#define POLICY_VALID_FOR_MS_MAX 600000 /* Answers are remembered for the request window only. */
#define POLICY_CHALLENGE_MS_MIN 1000
#define POLICY_CHALLENGE_MS_MAX 600000 /* Beyond, a challenge would outlive what is kept of it. */
#define POLICY_RATE_MAX         10000000
/* Version 2. */
#define POLICY_WAIT_MS_MIN         1000
#define POLICY_WAIT_MS_MAX         UINT64_C(2592000000) /* 30 days: whoever waits for longer asks again. */
#define POLICY_GRANT_MS_MAX        UINT64_C(604800000)  /* A week: beyond, a change of policy is meant. */
#define POLICY_APPROVALS_MAX       8                    /* Half of the votes that one request can keep. */
#define POLICY_APPROVERS_MAX       16                   /* Names in one list: they are in each entry that waits. */
#define POLICY_APPROVALS_EXPIRY_MS UINT64_C(3600000)
#define POLICY_BREAK_GLASS_MS      UINT64_C(900000)
#define POLICY_PROPERTIES_MAX      8 /* Of one obligation; they are public in entries. */

/* Verdict of a rule, beside enum verdict: 0 none, or the thresholds decide. */
#define RULE_VERDICT_RISK 5

/* What a condition looks at. Numbers are in compiled policies: for ever. X(name, number, key) */
#define MATCH_LIST(X)                                                                                                  \
	X(MATCH_SUBJECT, 1, "subject")                                                                                 \
	X(MATCH_SUBJECT_TYPE, 2, "subject_type")                                                                       \
	X(MATCH_ACTOR, 3, "actor")                                                                                     \
	X(MATCH_ACTOR_TYPE, 4, "actor_type")                                                                           \
	X(MATCH_ACTION, 5, "action")                                                                                   \
	X(MATCH_RESOURCE, 6, "resource")                                                                               \
	X(MATCH_RESOURCE_TYPE, 7, "resource_type")                                                                     \
	X(MATCH_CONTEXT, 8, "context")                                                                                 \
	X(MATCH_GROUP, 9, "group") /* From here on of version 2. */                                                    \
	X(MATCH_ACTOR_GROUP, 10, "actor_group")                                                                        \
	X(MATCH_VIA, 11, "via")                                                                                        \
	X(MATCH_DELEGATION, 12, "delegation")

#define MATCH_LAST_1 MATCH_CONTEXT
#define MATCH_LAST_2 MATCH_DELEGATION

enum match {
#define MATCH_ENUM(name, number, key) name = number,
	MATCH_LIST(MATCH_ENUM)
#undef MATCH_ENUM
};

/* Levels of evidence, in rising order; only what this version can verify can be met. X(name, number, key) */
#define LEVEL_LIST(X)                                                                                                  \
	X(LEVEL_POSSESSION, 1, "possession")       /* An enrolled key signs. */                                        \
	X(LEVEL_USER_VERIFIED, 2, "user_verified") /* The key's device checked PIN or finger. */                       \
	X(LEVEL_ATTESTED, 3, "attested")           /* And its maker vouches for the device. */

enum level {
#define LEVEL_ENUM(name, number, key) name = number,
	LEVEL_LIST(LEVEL_ENUM)
#undef LEVEL_ENUM
};
const char *level_text(unsigned level); /* "unknown" for others. */
unsigned level_parse(struct text t);    /* 0: unknown. */

/* Methods of evidence, a bit each. X(name, bit, key, level that it reaches) */
#define METHOD_LIST(X)                                                                                                 \
	X(METHOD_ED25519, 1u, "ed25519", LEVEL_POSSESSION)                                                             \
	X(METHOD_WEBAUTHN, 2u, "webauthn", LEVEL_ATTESTED)                                                             \
	X(METHOD_TOTP, 4u, "totp", LEVEL_POSSESSION)                                                                   \
	X(METHOD_OIDC, 8u, "oidc", LEVEL_ATTESTED) /* What an acr is worth, the policy says. */

enum method {
#define METHOD_ENUM(name, bit, key, level) name = bit,
	METHOD_LIST(METHOD_ENUM)
#undef METHOD_ENUM
};
unsigned method_parse(struct text t); /* 0: unknown. */
unsigned method_level(unsigned method);
bool methods_reach(unsigned methods, unsigned level);
unsigned method_kind(unsigned method); /* enum credential_kind; 0: none (Ed25519's are principals). */
#define METHODS_ALL (METHOD_ED25519 | METHOD_WEBAUTHN | METHOD_TOTP | METHOD_OIDC)
/* ["ed25519", …] of the bits. */
void methods_write(struct writer *w, unsigned methods);
void methods_read(struct reader *r, unsigned *ret);

/* A compiled policy's own array has the weights of these; others are in version 2's section of signals. */
#define POLICY_SIGNALS_1 23

struct span {
	uint16_t first, n;
};

struct policy_value {
	enum value_type type; /* VALUE_STR (a pattern: '*' stands for any bytes), VALUE_INT, VALUE_BOOL. */
	struct text str;
	int64_t integer;
};

/* True if any value of the span matches. */
struct condition {
	unsigned target;  /* enum match. */
	struct text name; /* MATCH_CONTEXT: the attribute's. */
	struct span values;
};

struct policy_challenge {
	unsigned level, methods;
	uint64_t expiry_ms; /* From the decision on. */
};

/* A level by the name that an issuer's `acr`, or a standard, gives it. Version 2. */
#define POLICY_LEVELS_MAX     16
#define POLICY_MAX_AGE_MS_MAX 86400000 /* A day: what was proven yesterday is no proof. */
struct policy_level {
	struct text name;
	unsigned level, methods;
	uint64_t max_age_ms; /* A proof of this level counts again so long; 0: never. */
};

struct obligation {
	struct text type, id;
	struct span properties; /* Version 2: values, a name and its value in turn. */
};

/* What the verdict defer waits for: one of the two. */
struct rule_defer {
	uint64_t until_ms; /* Since the request; 0: not for time. */
	unsigned needed;   /* Approvals; 0: not for them. */
	struct span from;  /* By whom: approver_in_group */
	uint64_t expires_ms;
};

/* What evidence or approvals buy beside the one request. */
struct rule_grant {
	bool set;
	uint64_t for_ms;
	struct span actions, resources; /* Patterns; resources by their id. */
	bool session, device;           /* Bound to the request's. */
};

struct rule {
	struct text id;
	struct span conditions; /* All must hold. */
	bool has_when;
	uint16_t when; /* Root of the condition in the policy's program. */
	int32_t weight;
	unsigned verdict; /* 0, enum verdict or RULE_VERDICT_RISK. */
	bool has_challenge;
	struct policy_challenge challenge;
	struct span obligations;
	struct text reason_user, reason_admin;
	struct rule_defer defer; /* verdict VERDICT_DEFER */
	struct rule_grant grant;
};

/* Texts point into bytes (a loaded policy) or into a YAML document (one being compiled). */
struct policy {
	unsigned version;
	struct text name;
	int32_t bias, step_up, deny; /* Milli-logits. */
	uint64_t valid_for_ms;
	uint32_t subject_rate, client_rate;
	int32_t weights[SIGNAL_MAX + 1];
	struct signal_policy signals; /* Version 2. */
	struct span sensitive;
	struct policy_challenge challenge;
	struct {
		struct span from; /* Who may, two of them; none: nobody. */
		uint64_t within_ms;
	} break_glass;
	struct {
		int32_t revoke_risk;     /* From this risk on grants end; default: the threshold of deny. */
		bool revoke_risk_given;  /* While compiling. */
		unsigned revoke_outside; /* enum outside_level, from which on they end. */
	} grants;
	unsigned n_levels;
	struct policy_level levels[POLICY_LEVELS_MAX];
	unsigned n_rules, n_conditions, n_values, n_obligations;
	struct rule rules[POLICY_RULES_MAX];
	struct condition conditions[POLICY_CONDITIONS_MAX];
	struct policy_value values[POLICY_VALUES_MAX];
	struct obligation obligations[POLICY_OBLIGATIONS_MAX];
	struct cel_program cel; /* All rules' conditions. */
	struct hash hash;       /* SHA-256 of bytes. */
	size_t len;
	uint8_t bytes[POLICY_COMPILED_SIZE_MAX];
};

const struct policy_level *policy_level_find(const struct policy *p, struct text name); /* NULL: none. */
/* The canonical compiled form. Refuses (CS_ERR_TOO_LARGE) what policy_load would. */
int policy_encode(const struct policy *p, uint8_t *buf, size_t cap, size_t *ret_len);
/* Copies the compiled form into *ret and takes it apart, checking every bound. CS_ERR_*: *ret is undefined. */
int policy_load(struct policy *ret, const void *compiled, size_t len);

unsigned policy_version(const void *compiled, size_t len); /* 0: the beginning of no compiled form. */

/* For those who write and read its parts. */
void policy_write_value(struct writer *w, const struct policy_value *v);
void policy_write_values(struct writer *w, const struct policy *p, struct span s);
struct span policy_read_values(struct reader *r, struct policy *p);

/* '*' in the pattern stands for any bytes, none too; everything else for itself. At most pattern * text steps. */
bool glob_match(struct text pattern, struct text t);
/* parties: who takes part, as the table of people knows them; NULL: nobody is in it. */
bool policy_rule_matches(const struct policy *p, const struct rule *r, const struct request *q,
                         const struct parties *parties);
/* The rule asks how who acts is entitled: it speaks for those whom the table does not know, if it says so. */
bool policy_rule_names_delegation(const struct policy *p, const struct rule *r);
bool policy_any_text(const struct policy *p, struct span s, struct text t); /* One pattern of the span fits. */
bool policy_is_sensitive(const struct policy *p, struct text action);

#endif
