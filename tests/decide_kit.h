/* A small cluster's state for the tests of decide: keys, genesis, commands made and applied. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_DECIDE_KIT_H
#define TESTS_DECIDE_KIT_H

#include "ledger/entry.h"
#include "node/decide/decide.h"

#define KIT_DAY_MS   UINT64_C(86400000)
#define KIT_HOUR_MS  UINT64_C(3600000)
#define KIT_START_MS (UINT64_C(1767571200000)) /* Monday 2026-01-05, 00:00 UTC. */
#define KIT_ORIGIN   "kit.example-0123456789abcdef"

/* Ids that genesis and kit_new give. */
enum { KIT_ADMIN = 1, KIT_NODE = 2, KIT_GATEWAY = 3, KIT_IMPORTER = 4, KIT_DEVICE = 5 };

struct kit {
	struct state *s;
	struct decide_out *out;
	uint64_t now_ms;
	uint64_t count;    /* Makes seeds, keys and request ids differ, the same in each run. */
	uint64_t sequence; /* Administrator's. */
	unsigned between;  /* kit_answer: so many entries come between the leader's look at the evidence and the answer.
	                    */
	uint8_t admin_sk[64], device_sk[64];
	uint8_t last_id[16];    /* Request id of the last command. */
	const uint8_t *genesis; /* Its payload, until the next kit_new. */
	size_t genesis_len;
	uint8_t command[70000];
	size_t command_len;
};

/* Genesis with one administrator, a node and this policy (NULL: the default); a gateway, an importer, a device of user
 * ada. */
void kit_new(struct kit *k, const struct state_limits *l, const char *yaml);
void kit_free(struct kit *k);
/* A genesis payload; returns its length. */
size_t kit_genesis(struct kit *k, const char *yaml, uint8_t *buf, size_t cap);
void kit_next_id(struct kit *k, uint8_t ret[16]);
/* Makes the command and applies it. id NULL: a fresh one. facts NULL: []. */
enum decide_outcome kit_apply(struct kit *k, unsigned type, uint64_t principal, const uint8_t *id, const void *payload,
                              size_t len, const void *facts, size_t facts_len);
/* Of the user `subject`: action, device, ip. device or ip NULL: not named. */
void kit_request(struct request *q, const char *subject, const char *action, const char *device, const char *ip);
enum decide_outcome kit_ask(struct kit *k, const struct request *q);
enum decide_outcome kit_ask_for(struct kit *k, const char *subject, const char *action, const char *device,
                                const char *ip);
enum decide_outcome kit_import(struct kit *k, const struct request *q, uint64_t event_ms);
/* Prepares as the leader does and applies. sk signs; credential is its name. */
enum decide_outcome kit_answer(struct kit *k, uint64_t principal, uint64_t challenge, const char *credential,
                               const uint8_t sk[64]);
/* Signs what waits at that index as the principal's approver would, and applies it. */
enum decide_outcome kit_say(struct kit *k, const char *approver, uint64_t index, unsigned say, const char *reason,
                            const uint8_t sk[64]);
enum decide_outcome kit_tick(struct kit *k);
enum decide_outcome kit_enroll(struct kit *k, const char *name, uint32_t roles, const uint8_t *channel,
                               const uint8_t *sign, const char *subject);
enum decide_outcome kit_remove(struct kit *k, const char *name);
const char *kit_policy_1(void); /* The default policy, but of version 1: a cluster as older builds make it. */
enum decide_outcome kit_policy(struct kit *k, const char *yaml);
void kit_sign(const struct kit *k, unsigned type, struct admin_signature *a, const uint8_t *signed_, size_t len,
              uint8_t sig[64]);
void kit_key(struct kit *k, uint8_t pub[32], uint8_t sk[64]);
/* Checks leaf, body and head of the entry just made; aborts the test otherwise. */
void kit_check_entry(const struct kit *k);
/* Weight that the signal added in the entry just made, in *ret; false if it is not there. */
bool kit_signal(const struct kit *k, unsigned id, int64_t *ret_value);
bool kit_field(const struct kit *k, unsigned kind, struct field *ret);
/* A second state from the first one's records. */
struct state *kit_reload(struct state *s, const struct state_limits *l);

#endif
