/* Fuzzing: a state that has seen something of everything, as the ground for commands and for records. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "tests/fuzz/history.h"

#include <stdlib.h>
#include <string.h>

#include "ledger/bytes.h"
#include "tests/fuzz/fuzz.h"

const struct state_limits fuzz_history_limits = {.subjects_max = 8,
                                                 .principals_max = 16,
                                                 .challenges_max = 16,
                                                 .challenges_per_principal_max = 12,
                                                 .requests_max = 64,
                                                 .requests_per_principal_max = 40};

static const char policy[] = "version: 1\nbias: -2000\nthresholds: {step_up: 0, deny: 5000}\nvalid_for: 5s\n"
                             "rates: {subject: 3, client: 20}\nweights: {client_velocity: 10}\n"
                             "sensitive: ['deploy*', delete]\nrules:\n"
                             "- {id: ask, match: {action: 'deploy*'}, verdict: step_up}\n"
                             "- {id: by-risk, verdict: risk}\n"
                             "- {id: read, match: {action: read}, weight: -2000}\n";

void fuzz_history(struct kit *k)
{
	static const char *const actions[] = {"read", "train", "deploy-it", "delete"};
	struct request q;
	uint8_t key[32] = {9};

	kit_new(k, &fuzz_history_limits, policy);
	for (unsigned i = 0; i < 12; i++) {
		k->now_ms += 700;
		kit_ask_for(k, i % 3 ? "ada" : "bob", actions[i % 4], i % 2 ? "laptop" : NULL, "192.0.2.7");
	}
	kit_enroll(k, "auditor", ROLE_AUDIT, key, NULL, NULL);
	kit_request(&q, "cyd", "read", "phone", "2001:db8::7");
	kit_import(k, &q, k->now_ms - KIT_DAY_MS);
	kit_policy(k, policy);
	kit_remove(k, "auditor");
	k->now_ms += 500;
	kit_ask_for(k, "ada", "deploy-it", "other", "198.51.100.9");
	struct state_head head;
	state_head(k->s, &head);
	FUZZ_DEMAND(state_challenge(k->s, head.size - 1, &(struct challenge){0}));
	k->now_ms += 100;
	kit_ask_for(k, "bob", "read", "laptop", "192.0.2.7");
}

struct records {
	uint8_t *bytes;
	size_t len;
};

static int add(void *ctx, const void *key, size_t key_len, const void *value, size_t value_len)
{
	struct records *r = ctx;

	if (value == NULL)
		return 0;
	r->bytes = realloc(r->bytes, r->len + 8 + key_len + value_len);
	FUZZ_DEMAND(r->bytes);
	put_u32be(r->bytes + r->len, (uint32_t)key_len);
	put_u32be(r->bytes + r->len + 4, (uint32_t)value_len);
	memcpy(r->bytes + r->len + 8, key, key_len);
	memcpy(r->bytes + r->len + 8 + key_len, value, value_len);
	r->len += 8 + key_len + value_len;
	return 0;
}

uint8_t *fuzz_history_records(struct kit *k, size_t *ret_len)
{
	struct records r = {0};

	FUZZ_DEMAND(state_take_dirty(k->s, add, &r) == 0);
	*ret_len = r.len;
	return r.bytes;
}
