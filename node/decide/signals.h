/* Signals: facts that raise or lower risk, derived from a request and what the state knows of its subject. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODE_DECIDE_SIGNALS_H
#define NODE_DECIDE_SIGNALS_H

#include <stddef.h>
#include <stdint.h>

#include "node/decide/command.h"
#include "node/decide/profile.h"

#define SIGNAL_WEIGHT_MAX                                                                                              \
	2500 /* Milli-logits either way: no one signal decides alone (design: decisions, signals).                     \
	      */

/*
 * X(name, number, key in policies, default weight, reason for the user, reason for the administrator). Numbers are in
 * entries: for ever. A weight counts once for each unit of the signal's value; values other than 0 and 1 are explained
 * in POLICY.md.
 */
#define SIGNAL_LIST(X)                                                                                                 \
	X(SIGNAL_NEW_SUBJECT, 1, "new_subject", 2500, "We do not know you yet.",                                       \
	  "new_subject: nothing was ever allowed or imported for this subject")                                        \
	X(SIGNAL_IMPORTED_HISTORY, 2, "imported_history", 300, "",                                                     \
	  "imported_history: the subject is known from import only")                                                   \
	X(SIGNAL_KNOWN_DEVICE, 3, "known_device", -600, "", "known_device: the device was used before")                \
	X(SIGNAL_IMPORTED_DEVICE, 4, "imported_device", -300, "",                                                      \
	  "imported_device: the device is known from import only")                                                     \
	X(SIGNAL_NEW_DEVICE, 5, "new_device", 2400, "This device is new.",                                             \
	  "new_device: device never seen for this subject")                                                            \
	X(SIGNAL_NO_DEVICE, 6, "no_device", 2400, "The device is not named.",                                          \
	  "no_device: the request names no device, this subject's do")                                                 \
	X(SIGNAL_KNOWN_ADDRESS, 7, "known_address", -300, "", "known_address: the address was used before")            \
	X(SIGNAL_NEW_ADDRESS, 8, "new_address", 100, "",                                                               \
	  "new_address: address never seen for this subject, its network was")                                         \
	X(SIGNAL_NEW_NETWORK, 9, "new_network", 800, "This network is new.",                                           \
	  "new_network: network never seen for this subject")                                                          \
	X(SIGNAL_NO_ADDRESS, 10, "no_address", 800, "The network address is not named.",                               \
	  "no_address: the request names no address, this subject's do")                                               \
	X(SIGNAL_NEW_AGENT, 11, "new_agent", 300, "", "new_agent: user agent never seen for this subject")             \
	X(SIGNAL_NEW_COUNTRY, 12, "new_country", 1200, "This country is new.",                                         \
	  "new_country: country never seen for this subject")                                                          \
	X(SIGNAL_NEW_REGION, 13, "new_region", 300, "", "new_region: region never seen for this subject")              \
	X(SIGNAL_NEW_ACTOR, 14, "new_actor", 800, "This agent has not acted for you before.",                          \
	  "new_actor: this actor never acted for this subject")                                                        \
	X(SIGNAL_ODD_HOUR, 15, "odd_hour", 400, "This is an unusual time.",                                            \
	  "odd_hour: the subject is seldom or never active at this hour of the week")                                  \
	X(SIGNAL_VELOCITY, 16, "velocity", 500, "There were many requests lately.",                                    \
	  "velocity: more requests than usual for one subject")                                                        \
	X(SIGNAL_CLIENT_VELOCITY, 17, "client_velocity", 0, "",                                                        \
	  "client_velocity: more requests than usual through one client")                                              \
	X(SIGNAL_FAILED_CHALLENGES, 18, "failed_challenges", 700, "A challenge failed lately.",                        \
	  "failed_challenges: challenges of this subject failed lately")                                               \
	X(SIGNAL_SENSITIVE_ACTION, 19, "sensitive_action", 600, "This action is sensitive.",                           \
	  "sensitive_action: the policy names this action sensitive")                                                  \
	X(SIGNAL_RARE_ACTION, 20, "rare_action", 400, "You have not done this before.",                                \
	  "rare_action: the subject was never allowed this action before")                                             \
	X(SIGNAL_MFA, 21, "mfa", -400, "", "mfa: the client says that a second factor was used")                       \
	X(SIGNAL_NO_MFA, 22, "no_mfa", 300, "", "no_mfa: the client says that no second factor was used")              \
	X(SIGNAL_DORMANT, 23, "dormant", 500, "You have been away for long.",                                          \
	  "dormant: nothing was allowed for this subject for 30 days")

/*
 * Of policies of version 2. X(name, number, key in policies, default weight, scale, unit, reason for the user, reason
 * for the administrator). A weight counts once for each `scale` of the value, which is given in `unit`s ("": a count or
 * a yes). POLICY.md has their formulas.
 */
#define SIGNAL_LIST_2(X)                                                                                               \
	X(SIGNAL_RARITY, 24, "rarity", 300, 1000, "milli-logits", "This is unlike what you usually do.",               \
	  "rarity: how much rarer address and agent are for the subject than for all")                                 \
	X(SIGNAL_IMPOSSIBLE_TRAVEL, 25, "impossible_travel", 2000, 1, "times the speed", "Nobody travels that fast.",  \
	  "impossible_travel: too far from the last place for the time between")                                       \
	X(SIGNAL_NEW_ASN, 26, "new_asn", 300, 1, "", "This network operator is new.",                                  \
	  "new_asn: autonomous system never seen for this subject")                                                    \
	X(SIGNAL_UNUSUAL_HOUR, 27, "unusual_hour", 0, 1000, "milli-logits", "This is an unusual time.",                \
	  "unusual_hour: how seldom the subject is active around this hour of such days")                              \
	X(SIGNAL_VELOCITY_HOUR, 28, "velocity_hour", 300, 1, "doublings", "There were many requests lately.",          \
	  "velocity_hour: more requests of the subject than usual within hours")                                       \
	X(SIGNAL_VELOCITY_DAY, 29, "velocity_day", 300, 1, "doublings", "There were many requests lately.",            \
	  "velocity_day: more requests of the subject than usual within days")                                         \
	X(SIGNAL_ACTION_VELOCITY, 30, "action_velocity", 0, 1, "doublings", "",                                        \
	  "action_velocity: more requests of all for this action than usual")                                          \
	X(SIGNAL_RESOURCE_VELOCITY, 31, "resource_velocity", 0, 1, "doublings", "",                                    \
	  "resource_velocity: more requests of all for this resource than usual")                                      \
	X(SIGNAL_RARE_RESOURCE, 32, "rare_resource", 200, 1, "", "You have not used this before.",                     \
	  "rare_resource: the subject was never allowed this resource, or not lately")                                 \
	X(SIGNAL_GROUP_RARE_ACTION, 33, "group_rare_action", 300, 1, "", "Nobody of your groups does this.",           \
	  "group_rare_action: nobody of the subject's groups was allowed this action")                                 \
	X(SIGNAL_GROUP_RARE_RESOURCE, 34, "group_rare_resource", 200, 1, "", "Nobody of your groups uses this.",       \
	  "group_rare_resource: nobody of the subject's groups was allowed this resource")                             \
	X(SIGNAL_AMOUNT, 35, "amount", 250, 1000, "milli-deviations", "This amount is unusual.",                       \
	  "amount: far above the subject's usual amounts")                                                             \
	X(SIGNAL_STALE_PROOF, 36, "stale_proof", 100, 1, "doublings", "It is long since you proved who you are.",      \
	  "stale_proof: the last strong proof is long ago; 6: there was none")                                         \
	X(SIGNAL_RECENT_PROOF, 37, "recent_proof", 0, 1, "", "",                                                       \
	  "recent_proof: the subject has proved itself just now")                                                      \
	X(SIGNAL_SESSIONS, 38, "sessions", 500, 1, "sessions", "You are active elsewhere at the same time.",           \
	  "sessions: other live sessions of the subject, from other networks")                                         \
	X(SIGNAL_MOVED_SESSION, 39, "moved_session", 1500, 1, "", "Your session has moved to another network.",        \
	  "moved_session: a live session shows from another network")                                                  \
	X(SIGNAL_OUTSIDE_1, 40, "outside_1", 0, 1000, "thousandths", "", "outside_1: a score from outside")            \
	X(SIGNAL_OUTSIDE_2, 41, "outside_2", 0, 1000, "thousandths", "", "outside_2: a score from outside")            \
	X(SIGNAL_OUTSIDE_3, 42, "outside_3", 0, 1000, "thousandths", "", "outside_3: a score from outside")            \
	X(SIGNAL_OUTSIDE_4, 43, "outside_4", 0, 1000, "thousandths", "", "outside_4: a score from outside")            \
	X(SIGNAL_OUTSIDE_5, 44, "outside_5", 0, 1000, "thousandths", "", "outside_5: a score from outside")            \
	X(SIGNAL_OUTSIDE_6, 45, "outside_6", 0, 1000, "thousandths", "", "outside_6: a score from outside")            \
	X(SIGNAL_OUTSIDE_7, 46, "outside_7", 0, 1000, "thousandths", "", "outside_7: a score from outside")            \
	X(SIGNAL_OUTSIDE_8, 47, "outside_8", 0, 1000, "thousandths", "", "outside_8: a score from outside")            \
	X(SIGNAL_OUTSIDE_RISK, 60, "outside_risk", 1200, 1, "", "Another system warns of you.",                        \
	  "outside_risk: a warning from outside stands for the user, the device or the session; 2: HIGH")              \
	X(SIGNAL_COUNTER_FELL, 61, "counter_fell", 1500, 1, "", "Your security key may have been copied.",             \
	  "counter_fell: a security key of the subject counted backwards and is still enrolled: it may have a double")

enum signal {
#define SIGNAL_ENUM(name, number, key, weight, user, admin) name = number,
	SIGNAL_LIST(SIGNAL_ENUM)
#undef SIGNAL_ENUM
#define SIGNAL_ENUM_2(name, number, key, weight, scale, unit, user, admin) name = number,
	        SIGNAL_LIST_2(SIGNAL_ENUM_2)
#undef SIGNAL_ENUM_2
};
#define SIGNAL_MAX_1 23 /* Highest number of policies of version 1. */
#define SIGNAL_MAX   61 /* Highest number; some below it are none. */

const char *signal_key(unsigned id); /* "new_device"; NULL if unknown. */
int32_t signal_default_weight(unsigned id);
int32_t signal_scale(unsigned id);           /* The weight counts once for each of it. */
const char *signal_unit(unsigned id);        /* Of the value; "". */
const char *signal_reason_user(unsigned id); /* "" if there is nothing to tell. */
const char *signal_reason_admin(unsigned id);

/* What was derived. */
struct signal_value {
	unsigned id;
	int32_t value;
};
struct signal_list {
	unsigned n;
	struct signal_value s[SIGNAL_MAX];
};

/* What signals are derived from, beside the profile. */
struct signal_input {
	const struct request *request;
	const struct observation *observation;
	uint64_t event_ms; /* When it happened: an import's own time, else now. */
	uint64_t now_ms;
	const struct counter *rate; /* Of the subject, decayed at event_ms; NULL: no profile. */
	const struct counter *client_rate;
	uint32_t rate_max, client_rate_max; /* Of the policy. */
	int sensitive;
};
/* p NULL: the subject has no profile. In ascending order of id. */
void signals_derive(struct signal_list *ret, const struct profile *p, const struct signal_input *in);
void signal_add(struct signal_list *l, enum signal id, int32_t value); /* Nothing if the value is 0. */

#endif
