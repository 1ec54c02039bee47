/* Fuzzing: what a node says to the client library. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <string.h>

#include "client/client_internal.h"
#include "ledger/errors.h"
#include "tests/fuzz/fuzz.h"

/* A reply to a decide: everything that the library does with it but the signatures. */
static void take_result(const struct wire_reply *reply)
{
	static cs_client client = {.skip_proof = true};
	static struct call call = {.client = &client, .request = {.type = WIRE_DECIDE}};
	char text[TEXT_SIZE] = "";
	void *result;
	nng_msg *msg;

	FUZZ_DEMAND(nng_msg_alloc(&msg, 0) == 0);
	if (result_convert(&call, reply, msg, &result, text) == 0)
		cs_result_free(result);
}

void fuzz_reply(const uint8_t *bytes, size_t len)
{
	static uint8_t again[WIRE_REPLY_SIZE_MAX];
	struct wire_part parts[WIRE_MANY_MAX];
	struct wire_reply r;
	struct wire_proved p;
	struct wire_status s;
	struct keys_reply keys;
	unsigned n;
	size_t again_len;

	if (wire_reply_decode(&r, bytes, len))
		return;
	if (r.err == 0) {
		FUZZ_DEMAND(wire_reply_encode(&r, again, sizeof again, &again_len) == 0);
		FUZZ_DEMAND(again_len == len && memcmp(again, bytes, len) == 0);
	} else {
		FUZZ_DEMAND(memchr(r.text, 0, sizeof r.text) && memchr(r.leader_url, 0, sizeof r.leader_url));
		return;
	}
	if (wire_proved_decode(&p, r.body, r.body_len) == 0) {
		FUZZ_DEMAND(wire_proved_encode(&p, again, sizeof again, &again_len) == 0);
		FUZZ_DEMAND(again_len == r.body_len && memcmp(again, r.body, again_len) == 0);
		take_result(&r);
	}
	if (wire_status_decode(&s, r.body, r.body_len) == 0)
		FUZZ_DEMAND(wire_status_encode(&s, again, sizeof again, &again_len) == 0);
	(void)keys_reply_read(&keys, r.body, r.body_len);
	if (wire_many_decode(parts, &n, r.body, r.body_len) == 0)
		for (unsigned i = 0; i < n; i++)
			(void)wire_reply_decode(&r, parts[i].bytes, parts[i].len);
}
